"""Generate the tables in docs/commands.md from the commands of `./lake`."""

from pathlib import Path
from typing import Final

from cli.app import Command, load, names
from tools.pages import filled, table

PAGE: Final = Path(__file__).parents[1] / "docs" / "commands.md"


def page() -> str:
    """Return docs/commands.md, with the commands for a deployed lake and those for the laptop."""
    commands = [load(name) for name in names()]
    deployed = [command for command in commands if "--stack" in _options(command)]
    on_laptop = [command for command in commands if command not in deployed]
    return filled(PAGE, {"deployed": _table(deployed), "laptop": _table(on_laptop)})


def _table(commands: list[Command]) -> str:
    rows = (
        (
            f"`{command.name}`",
            (command.help or "").partition("\n")[0],
            "<br>".join(f"`{example}`" for example in command.examples),
        )
        for command in commands
    )
    return table(("command", "what it does", "examples"), rows)


def _options(command: Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}
