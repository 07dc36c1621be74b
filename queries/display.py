"""Shows the answer to a query on a terminal, or writes it as CSV, JSON or Markdown."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from spotify_lake.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

LONGEST_CELL = 60
# A spreadsheet takes a cell that begins like this for a formula, which may call programs or send data away. Where
# semicolons separate the cells of CSV, as in much of Europe, a cell also begins after one, and after a line break.
_FORMULA: Final = re.compile(r"^(?=[=+\-@\t\r\n＝＋－＠])|(?<=[;\r\n])(?=[=+\-@\t＝＋－＠])")
# A text may be cut to this width before an answer is shown with one value per line.
NARROWEST_TEXT = 16


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
    """Show a query result as a table, or with one value per line if its columns do not fit side by side."""
    cells = [[cell(value) for value in row] for row in result.rows]
    if _width(result, cells) <= console.width:
        table = Table()
        for column in result.columns:
            table.add_column(
                escape(printable(column.name)),
                justify="right" if column.is_number else "left",
                min_width=len(column.name),
            )
        for row in cells:
            table.add_row(*row)
        console.print(table)
        return
    names = [printable(column.name) for column in result.columns]
    widest = max(map(len, names))
    for number, row in enumerate(cells, start=1):
        console.print(Text(f"── row {number} ──", style="dim"))
        for name, value in zip(names, row, strict=True):
            console.print(Text.assemble((f"{name:<{widest}}  ", "cyan"), value), soft_wrap=True)


def _width(result: Answer, cells: Sequence[Sequence[Text]]) -> int:
    """Return the width that a table needs if long texts are cut, but no heading and no number."""
    width = 1
    for number, column in enumerate(result.columns):
        longest = max((row[number].cell_len for row in cells), default=0)
        width += max(len(column.name), longest if column.is_number else min(longest, NARROWEST_TEXT)) + 3
    return width


def write_csv(file: TextIO, result: Answer) -> None:
    """Write an answer as CSV with a line of headings; null is an empty field, and no text is a formula."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([column.name for column in result.columns])
    writer.writerows([["" if value is None else _csv_cell(value) for value in row] for row in result.rows])


def _csv_cell(value: Any) -> Any:
    return without_formulas(value) if isinstance(value, str) else _plain(value)


def without_formulas(text: str) -> str:
    """Return a text with an apostrophe before everything that a spreadsheet would run as a formula."""
    return _FORMULA.sub("'", text)


def write_json(file: TextIO, result: Answer) -> None:
    """Write an answer as a JSON list with an object for each row."""
    names = [column.name for column in result.columns]
    records = [dict(zip(names, row, strict=True)) for row in result.rows]
    json.dump(records, file, ensure_ascii=False, indent=1, default=_plain)
    file.write("\n")


def write_markdown(file: TextIO, result: Answer) -> None:
    """Write an answer as a Markdown table."""
    marks = ["---:" if column.is_number else "---" for column in result.columns]
    rows = [[column.name for column in result.columns], marks]
    rows += [["" if value is None else str(_plain(value)) for value in row] for row in result.rows]
    for row in rows:
        cells = [" ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|") for text in row]
        file.write(f"| {' | '.join(cells)} |\n")


def _plain(value: Any) -> Any:
    """Return a value as JSON and CSV have it: times in ISO 8601, decimals as numbers."""
    match value:
        case bool():
            return str(value).lower()
        case dt.date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case _:
            return value


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
