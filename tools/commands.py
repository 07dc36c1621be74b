"""Generate docs/commands.md from the commands of `./lake`."""

from pathlib import Path
from typing import Final

from cli.app import Command, load, names

PAGE: Final = Path(__file__).parents[1] / "docs" / "commands.md"

_HEAD = """\
# Commands

`./lake COMMAND` uses a lake; the first call installs what it needs below the project folder. `make` builds, tests and
deploys. `make schema` generates this page from `cli/commands`.

Commands for a deployed lake find it through your AWS credentials and region, as the AWS CLI does: `--stack NAME`
selects another CloudFormation stack, and `--laptop` the lake on this laptop. `./lake COMMAND --help` describes every
option. `./lake --install-completion` installs completion of commands and options for your shell, for `./lake` and for
a link called `lake` on your `PATH`. `NO_COLOR=1` switches colors off.

Exit statuses: 0 for success, 1 for an error, 2 for arguments that cannot be used, 130 after Ctrl-C.

"""


def page() -> str:
    """Return docs/commands.md."""
    commands = [load(name) for name in names()]
    on_laptop = [command for command in commands if "--laptop" not in _options(command)]
    deployed = [command for command in commands if command not in on_laptop]
    return "\n".join(
        [
            _HEAD + "## A deployed lake\n",
            *_table(deployed),
            "\n## The stack on this laptop\n",
            *_table(on_laptop),
            "",
        ]
    )


def _table(commands: list[Command]) -> list[str]:
    head = ["| command | what it does | examples |", "|---|---|---|"]
    return head + [
        f"| `{command.name}` | {(command.help or '').partition(chr(10))[0]} |"
        f" {'<br>'.join(f'`{example}`' for example in command.examples)} |"
        for command in commands
    ]


def _options(command: Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}
