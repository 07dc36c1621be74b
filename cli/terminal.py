"""The person at the terminal: messages, progress and questions."""

from __future__ import annotations

import contextlib
import getpass
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol, override

import rich.progress
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.segment import Segment
from rich.text import Text

from cli.stack import OpsError
from spotify_lake.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType

SECONDS_BETWEEN_LINES: Final = 10.0


class SafeConsole(Console):
    """A console on which only rich itself moves the cursor or sets colors: in any text, these codes are visible.

    Tables and messages escape names before they are laid out. This is for everything that does not.
    """

    @override
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render, and make control characters in texts visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text, "\n"), segment.style)


class Progress(Protocol):
    """Shows the progress of a task."""

    def update(self, done: int, note: str = "") -> None:
        """Show how many are done, and a few words."""


class _Bar:
    def __init__(self, bar: rich.progress.Progress, task: rich.progress.TaskID) -> None:
        self._bar = bar
        self._task = task

    def update(self, done: int, note: str = "") -> None:
        self._bar.update(self._task, completed=done, note=escape(printable(note)))


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
        line = f"{self._doing} {done:,} of {self._total:,}{note and f' ({note})'}"
        self._console.print(Text(printable(line)))


class Terminal:
    """Shows sentences and asks questions.

    Parameters
    ----------
    console
        Where messages go; by default the standard output. Lines are not wrapped in a file or for another program.
    read, read_hidden
        Show a prompt and return the line that was typed; the second without echo.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        read: Callable[[str], str] = input,
        read_hidden: Callable[[str], str] = getpass.getpass,
    ) -> None:
        self.console = console or SafeConsole(soft_wrap=not sys.stdout.isatty())
        self._read = read
        self._read_hidden = read_hidden

    def say(self, text: str = "") -> None:
        """Show a paragraph."""
        self.console.print(Text(printable(text, "\n")))

    def heading(self, text: str) -> None:
        """Show what is about to happen."""
        self.console.print(Text(printable(text), style="bold"))

    def exact(self, text: str) -> None:
        """Show something to copy, such as a link, on one unbroken line."""
        self.console.print(Text.assemble("\n  ", (printable(text), "cyan"), "\n"), soft_wrap=True)

    def done(self, text: str) -> None:
        """Show that something succeeded."""
        self.console.print(Text.assemble(("✓ ", "green"), printable(text)))

    def warn(self, text: str) -> None:
        """Show a warning."""
        self.console.print(Text.assemble(("! ", "yellow"), printable(text)))

    def fail(self, text: str) -> None:
        """Show something that did not succeed."""
        self.console.print(Text.assemble(("✗ ", "bold red"), printable(text)))

    def fail_all(self, lines: str) -> None:
        """Show lines about what did not succeed, of which the first says what."""
        first, *rest = lines.split("\n")
        self.fail(first)
        for line in rest:
            self.detail(line.strip())

    def detail(self, text: str, depth: int = 1) -> None:
        """Show a detail of the line before, indented."""
        indent, text = 4 * depth, printable(text)
        fits = " " in text and self.console.is_terminal  # else unbroken, so that it can be copied
        line = Padding(Text(text), (0, 0, 0, indent)) if fits else Text(" " * indent + text)
        self.console.print(line, soft_wrap=not fits)

    def show(self, table: RenderableType) -> None:
        """Show a table."""
        self.console.print(table)

    @contextlib.contextmanager
    def progress(self, doing: str, total: int) -> Iterator[Progress]:
        """Show progress: as a bar on a terminal, otherwise as a line every few seconds."""
        if not self.console.is_terminal:
            yield _Lines(self.console, doing, total)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with rich.progress.Progress(*columns, console=self.console, transient=True) as bar:
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
            The input has ended, so nobody can answer.
        """
        return self._answer(self._read, question, default, default)

    def ask_hidden(self, question: str, default: str | None = None) -> str:
        """Ask as `ask` does, without showing the answer or the default."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                return self._answer(
                    self._read_hidden, question, default, default and "Enter keeps the stored one"
                )
            except getpass.GetPassWarning:
                raise OpsError(
                    f"This terminal cannot hide what you type, so “{question}” cannot be asked here: use another"
                    " terminal, or environment variables."
                ) from None

    def _answer(
        self, read: Callable[[str], str], question: str, default: str | None, shown: str | None
    ) -> str:
        hint = f" [{printable(shown)}]" if shown else ""
        while True:
            try:
                answer = read(f"{question}{hint}: ").strip()
            except EOFError:
                raise OpsError(f"Nobody is at the terminal to answer “{question}”.") from None
            if answer or default:
                return answer or default or ""
