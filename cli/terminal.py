"""The person at the terminal: what they are told and asked."""

from __future__ import annotations

import contextlib
import getpass
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

import rich.progress
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.text import Text

from cli.stack import OpsError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SECONDS_BETWEEN_LINES: Final = 10.0


class Progress(Protocol):
    """Shows how far something is."""

    def update(self, done: int, note: str = "") -> None:
        """Show how many are done, and a few words."""


class _Bar:
    def __init__(self, bar: rich.progress.Progress, task: rich.progress.TaskID) -> None:
        self._bar = bar
        self._task = task

    def update(self, done: int, note: str = "") -> None:
        self._bar.update(self._task, completed=done, note=note)


class _Lines:
    def __init__(self, console: Console, doing: str, total: int) -> None:
        self._console = console
        self._doing = doing
        self._total = total
        self._shown_at = time.monotonic()

    def update(self, done: int, note: str = "") -> None:
        if time.monotonic() - self._shown_at < SECONDS_BETWEEN_LINES:
            return
        self._shown_at = time.monotonic()
        self._console.print(Text(f"{self._doing} {done:,} of {self._total:,}{note and f' ({note})'}"))


class Terminal:
    """Shows sentences and asks questions.

    Parameters
    ----------
    console
        Where sentences go.
    read, read_hidden
        Show a prompt and return the line that was typed; the second without echo.
    """

    def __init__(
        self,
        console: Console,
        *,
        read: Callable[[str], str] = input,
        read_hidden: Callable[[str], str] = getpass.getpass,
    ) -> None:
        self._console = console
        self._read = read
        self._read_hidden = read_hidden

    def say(self, text: str = "") -> None:
        """Show a paragraph."""
        self._console.print(Text(text))

    def heading(self, text: str) -> None:
        """Show what is about to happen."""
        self._console.print(Text(text, style="bold"))

    def exact(self, text: str) -> None:
        """Show something to copy, such as a link: on a line of its own and never broken."""
        self._console.print(Text.assemble("\n  ", (text, "cyan"), "\n"), soft_wrap=True)

    def done(self, text: str) -> None:
        """Show that something succeeded."""
        self._console.print(Text.assemble(("✓ ", "green"), text))

    def warn(self, text: str) -> None:
        """Show something that a person should know about."""
        self._console.print(Text.assemble(("! ", "yellow"), text))

    def fail(self, text: str) -> None:
        """Show something that did not succeed."""
        self._console.print(Text.assemble(("✗ ", "bold red"), text))

    def detail(self, text: str, depth: int = 1) -> None:
        """Show something that belongs to the line before."""
        indent = 4 * depth
        fits = " " in text and self._console.is_terminal  # else unbroken, so that it can be copied
        line = Padding(Text(text), (0, 0, 0, indent)) if fits else Text(" " * indent + text)
        self._console.print(line, soft_wrap=not fits)

    def show(self, table: RenderableType) -> None:
        """Show a table."""
        self._console.print(table)

    @contextlib.contextmanager
    def progress(self, doing: str, total: int) -> Iterator[Progress]:
        """Show how far something is: as a bar, or as a line now and then where the output is no terminal."""
        if not self._console.is_terminal:
            yield _Lines(self._console, doing, total)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with rich.progress.Progress(*columns, console=self._console, transient=True) as bar:
            yield _Bar(bar, bar.add_task(doing, total=total, note=""))

    def ask(self, question: str, default: str | None = None) -> str:
        """Ask for a line of text.

        Returns
        -------
        str
            Without surrounding blanks; the default if nothing was typed.

        Raises
        ------
        OpsError
            There is nobody to answer.
        """
        return self._answer(self._read, question, default, default)

    def ask_hidden(self, question: str, default: str | None = None) -> str:
        """Ask for something that must not be shown, as `ask` does; nor is the default shown."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                return self._answer(
                    self._read_hidden, question, default, default and "Enter keeps the stored one"
                )
            except getpass.GetPassWarning:
                raise OpsError(
                    f"This terminal cannot hide what you type, so “{question}” is not asked here: use another terminal,"
                    " or environment variables."
                ) from None

    def _answer(
        self, read: Callable[[str], str], question: str, default: str | None, shown: str | None
    ) -> str:
        hint = f" [{shown}]" if shown else ""
        while True:
            try:
                answer = read(f"{question}{hint}: ").strip()
            except EOFError:
                raise OpsError(f"Nobody is at the terminal to answer “{question}”.") from None
            if answer or default:
                return answer or default or ""
