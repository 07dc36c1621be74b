"""Shows the answer to a query on a terminal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from spotify_lake.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

LONGEST_CELL = 60
NARROWEST_COLUMN = 12


class Column(Protocol):
    """A column of an answer."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""


class Answer(Protocol):
    """The answer to a query."""

    @property
    def columns(self) -> Sequence[Column]:
        """Its columns."""

    @property
    def rows(self) -> Sequence[Sequence[Any]]:
        """Its rows; each value has the Python type of its column, None for null."""


def show_result(console: Console, result: Answer) -> None:
    """Show a query result as a table, or with one value per line if there are too many columns for the terminal."""
    if len(result.columns) * NARROWEST_COLUMN <= console.width:
        table = Table()
        for column in result.columns:
            table.add_column(escape(printable(column.name)), justify="right" if column.is_number else "left")
        for row in result.rows:
            table.add_row(*map(cell, row))
        console.print(table)
        return
    names = [printable(column.name) for column in result.columns]
    widest = max(map(len, names))
    for number, row in enumerate(result.rows, start=1):
        console.print(Text(f"── row {number} ──", style="dim"))
        for name, value in zip(names, row, strict=True):
            console.print(Text.assemble((f"{name:<{widest}}  ", "cyan"), cell(value)), soft_wrap=True)


def cell(value: Any) -> Text:
    """Format one value: null differs from an empty text, long texts are truncated, control characters visible."""
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
            text = printable(" ".join(str(value).split()))
            shown = text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
            return Text(shown, no_wrap=True, overflow="ellipsis")
