"""Terminal output of the laptop stack: steps with their duration, tables, small charts."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from local.athena import QueryResult, Value
    from local.errors import LaptopError

BARS = "▁▂▃▄▅▆▇█"
LONGEST_CELL = 60
NARROWEST_COLUMN = 12


class Steps:
    """Shows each step while it runs, and its duration when it is done."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.contextmanager
    def __call__(self, text: str) -> Iterator[None]:
        """Show `text` as running until the context ends, then as done."""
        started = time.monotonic()
        with self._console.status(f"{escape(text)} …"):
            yield
        self.done(text, time.monotonic() - started)

    def done(self, text: str, seconds: float) -> None:
        """Show a step as done."""
        self._console.print(f"[green]✓[/] {escape(text)} [dim]{seconds:.1f} s[/]", highlight=False)


def show_error(console: Console, error: LaptopError) -> None:
    """Show the error, the relevant lines of its log and the path of the log."""
    console.print(f"[bold red]✗[/] {escape(str(error))}", highlight=False)
    for line in error.excerpt:
        console.print(Text(f"  {line}", style="dim"))
    if error.log is not None:
        console.print(f"  Log: {escape(str(error.log))}", highlight=False, soft_wrap=True)


def show_result(console: Console, result: QueryResult) -> None:
    """Show a query result as a table, or with one value per line if there are too many columns for the terminal."""
    if len(result.columns) * NARROWEST_COLUMN <= console.width:
        table = Table()
        for column in result.columns:
            table.add_column(escape(column.name), justify="right" if column.is_number else "left")
        for row in result.rows:
            table.add_row(*map(cell, row))
        console.print(table)
        return
    widest = max(len(column.name) for column in result.columns)
    for number, row in enumerate(result.rows, start=1):
        console.print(Text(f"── row {number} ──", style="dim"))
        for column, value in zip(result.columns, row, strict=True):
            console.print(Text.assemble((f"{column.name:<{widest}}  ", "cyan"), cell(value)), soft_wrap=True)


def cell(value: Value) -> Text:
    """Format one value: null differs from an empty text, long texts are truncated."""
    match value:
        case None:
            return Text("null", style="dim")
        case bool():
            return Text(str(value).lower())
        case int():
            return Text(str(value))
        case float():
            return Text(f"{value:.6g}")
        case dt.datetime():
            return Text(value.strftime("%Y-%m-%d %H:%M:%S"))
        case _:
            text = " ".join(str(value).split())
            shown = text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
            return Text(shown, no_wrap=True, overflow="ellipsis")


def sparkline(values: Sequence[float | None], *, low_is_high: bool = False) -> str:
    """Draw values as a line of bars, one character each; None is a gap.

    Parameters
    ----------
    values
        The values in order.
    low_is_high
        Draw the smallest value highest, as for positions in a chart.
    """
    known = [value for value in values if value is not None]
    if not known:
        return " " * len(values)
    low, high = min(known), max(known)
    top = len(BARS) - 1

    def bar(value: float | None) -> str:
        if value is None:
            return " "
        share = 0.5 if high == low else (value - low) / (high - low)
        return BARS[round((1 - share if low_is_high else share) * top)]

    return "".join(map(bar, values))


def bar(value: float, largest: float, width: int = 20) -> str:
    """Draw `value` as a bar with a length in proportion to `largest`; any value above zero is visible."""
    if largest <= 0 or value <= 0:
        return ""
    return "█" * max(1, round(width * value / largest))
