"""The program `lake`: finds the modules in cli/commands, runs one of them and reports errors.

A module of cli/commands is a command. Its name is the file's, its docstring the help, its `EXAMPLES` what a person
may type, and its function `command` declares the flags. Only the module of the command that is run is imported.
"""

from __future__ import annotations

import errno
import importlib
import pkgutil
import re
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, override

import typer
from typer.core import TyperCommand, TyperGroup

from cli import commands
from spotify_lake.errors import LakeError
from spotify_lake.printable import printable

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

PROGRAM: Final = "lake"
INTERRUPTED: Final = 130  # what shells report for Ctrl-C
NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT}
LAPTOP_ONLY: Final = {"up", "down", "demo", "bulk-demo"}
_COMMAND: Final = re.compile(r"`(?P<typed>\./lake (?P<command>[a-z-]+)(?P<rest>[^`]*))`")


def main() -> None:
    """Run the command that the arguments of the process name; exit with its status."""
    signal.signal(signal.SIGTERM, _interrupt)
    app(prog_name=PROGRAM)


def names() -> dict[str, str]:
    """Return the commands as a person types them, with the names of their modules."""
    modules = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
    return {name.strip("_").replace("_", "-"): name for name in modules}


class Command(TyperCommand):
    """A command whose usage, and so its help and its usage errors, shows examples."""

    examples: tuple[str, ...] = ()

    @override
    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write the usage line and the examples."""
        super().format_usage(ctx, formatter)
        formatter.write("\n" + "".join(f"  {example}\n" for example in self.examples))


class Commands(TyperGroup):
    """All commands: listed without importing them, and imported to run."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._target = Target(())
        self.commands = {name: TyperCommand(name, help=_summary(module)) for name, module in names().items()}

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that the arguments begin with, and import it."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and load(str(listed.name)), rest

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run a command; an error that a person can do something about becomes a sentence and a status."""
        try:
            return super().invoke(ctx)
        except LakeError as error:
            _report(*self._explained(error, str(error)))
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            states = getattr(error, "__notes__", ())
            _report(" ".join(["Stopped.", *states, f"`{self._target.again}` runs it again."]))
            raise typer.Exit(INTERRUPTED) from error
        except _aws_errors() as error:
            from cli.aws import sentence  # noqa: PLC0415 (its imports take long)

            _report(*self._explained(error, sentence(error)))
            raise typer.Exit(1) from error
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            _report(*self._explained(error, f"The disk is full: {error}."))
            raise typer.Exit(1) from error

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Remember what was typed: advice repeats it."""
        self._target = Target(args)
        return super().parse_args(ctx, args)

    def _explained(self, error: BaseException, text: str) -> tuple[str, list[str]]:
        """Return what to say of a failure, and the details."""
        details = list(getattr(error, "__notes__", ()))
        trouble = None
        if self._target.on_laptop:
            from cli.stack import laptop_trouble  # noqa: PLC0415 (its imports take long)

            trouble = laptop_trouble(error)
        if trouble:
            details.insert(0, text)
        return self._target.aimed(trouble or text), details


class Target:
    """The lake that a typed command is for, as advice has to name it."""

    def __init__(self, typed: Sequence[str]) -> None:
        self.again = shlex.join(["./lake", *typed])
        self.on_laptop = "--laptop" in typed or (bool(typed) and typed[0] in LAPTOP_ONLY)
        self._options = ["--laptop"] if self.on_laptop else []
        for number, word in enumerate(typed):
            if word == "--stack":
                self._options.append(shlex.join(typed[number : number + 2]))
            elif word.startswith("--stack="):
                self._options.append(shlex.quote(word))

    def aimed(self, text: str) -> str:
        """Return a text in which each command that takes them has the options that name the lake."""
        return _COMMAND.sub(self._with_options, text)

    def _with_options(self, found: re.Match[str]) -> str:
        if found["command"] in LAPTOP_ONLY:
            return found[0]
        missing = [option for option in self._options if option not in found["rest"]]
        return f"`{' '.join([found['typed'], *missing])}`"


def load(name: str) -> Command:
    """Import the module of a command and make the command that it declares."""
    module = importlib.import_module(f"{commands.__name__}.{names()[name]}")
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    paragraphs = (module.__doc__ or "").split("\n\n")
    about = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    single.command(name, cls=Command, help=about)(module.command)
    made = typer.main.get_command(single)
    if not isinstance(made, Command):
        raise TypeError(f"{module.__name__} declares more than a command")
    made.examples = module.EXAMPLES
    return made


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help takes half the time: rich's Markdown and highlighting are slow to import
    pretty_exceptions_enable=False,
    help="Spotify Lake: the commands for a lake on AWS, or with --laptop for the one on this laptop.",
    epilog="./lake COMMAND --help shows the options of a command, with examples.",
)


@app.callback()
def _options() -> None:
    """Make Typer build a group: the commands declare all options."""


def _summary(module: str) -> str:
    """Read the first line of a command's docstring, without importing the command."""
    with (Path(commands.__path__[0]) / f"{module}.py").open() as source:
        return source.readline().strip().strip('"')


def _aws_errors() -> tuple[type[BotoCoreError | ClientError], ...]:
    """Return the base classes of botocore's errors, if botocore is loaded and could have raised one."""
    found = sys.modules.get("botocore.exceptions")
    return (found.BotoCoreError, found.ClientError) if found else ()


def _report(sentence: str, details: tuple[str, ...] | list[str] = ()) -> None:
    from rich.text import Text  # noqa: PLC0415 (only for errors)

    from cli.terminal import SafeConsole, Terminal  # noqa: PLC0415 (their imports take long)

    terminal = Terminal(SafeConsole(stderr=True))
    terminal.fail(sentence)
    for detail in details:
        terminal.console.print(Text(printable(f"  {detail}"), style="dim"), soft_wrap=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
