"""The queries and views of the lake: Athena SQL, one file each, with a header that says what it is about.

A file starts with comment lines: the question that a query answers, or what a view holds; further sentences; for a
view what one row is; then lists of parameters (the text to change in the SQL, and what it means) and of columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent
VIEW_FOLDER: Final = FOLDER / "views"

_ITEM = re.compile(r"- (?P<name>[^:]+): (?P<text>.+)")
_ROW = "One row: "
_NOTES, _PARAMETERS, _COLUMNS = "Notes:", "Parameters:", "Columns:"


class HeaderError(ValueError):
    """A file's header cannot be read."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}.sql: {problem}")


@dataclass(frozen=True)
class Statement:
    """A query or view.

    Attributes
    ----------
    name
        Of the file, without its ending; a view has the same name in Athena.
    summary
        The question that a query answers, or what a view holds: one sentence.
    notes
        Further sentences; may be empty.
    row
        What one row of a view is; empty for a query.
    parameters
        Text of the SQL that one may change, and what it means.
    columns
        Meaning of each column of the result, in order.
    types
        Athena type of each column of a view; empty for a query.
    sql
        The statement, without the header.
    """

    name: str
    summary: str
    notes: str
    row: str
    parameters: Mapping[str, str]
    columns: Mapping[str, str]
    types: Mapping[str, str]
    sql: str

    @property
    def is_view(self) -> bool:
        """Whether it defines a view."""
        return bool(self.row)

    @property
    def create(self) -> str:
        """The statement that creates the view in Athena, or replaces it."""
        return f"CREATE OR REPLACE VIEW {self.name} AS\n{self.sql}"


def parse(name: str, text: str) -> Statement:
    """Read one file.

    Parameters
    ----------
    name
        Of the file, without its ending.
    text
        Header and SQL.

    Raises
    ------
    HeaderError
        The header lacks something or has what does not belong there.
    """
    lines = text.splitlines()
    size = next((number for number, line in enumerate(lines) if not line.startswith("--")), len(lines))
    header = [line[2:].strip() for line in lines[:size]]
    if not header or not header[0]:
        raise HeaderError(name, "the first line must be a comment that says what it is about")
    sections = _sections(header[1:])
    row = next((line.removeprefix(_ROW) for line in sections[_NOTES] if line.startswith(_ROW)), "")
    notes = " ".join(line for line in sections[_NOTES] if line and not line.startswith(_ROW))
    parameters, columns = (_items(name, sections[title]) for title in (_PARAMETERS, _COLUMNS))
    if not columns:
        raise HeaderError(name, "the header must list the columns")
    types: dict[str, str] = {}
    if row:
        if lacking := [column for column in columns if column.count(" ") != 1]:
            raise HeaderError(name, f"{lacking[0]!r} must be like '- name type: meaning', as in every view")
        types = dict(column.split(" ") for column in columns)
        columns = dict(zip(types, columns.values(), strict=True))
    return Statement(name, header[0], notes, row, parameters, columns, types, "\n".join(lines[size:]).strip())


def _sections(header: list[str]) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {_NOTES: [], _PARAMETERS: [], _COLUMNS: []}
    title = _NOTES
    for line in header:
        if line in sections:
            title = line
        else:
            sections[title].append(line)
    return sections


def _items(name: str, lines: list[str]) -> dict[str, str]:
    items = {}
    for line in lines:
        if not (item := _ITEM.fullmatch(line)):
            raise HeaderError(name, f"{line!r} must be like '- name: meaning'")
        items[item["name"]] = item["text"]
    return items


def in_order(views: Iterable[Statement]) -> dict[str, Statement]:
    """Sort views so that each comes after those it uses; by name where that leaves a choice."""
    by_name = {view.name: view for view in sorted(views, key=lambda view: view.name)}
    sorter = TopologicalSorter({name: sorted(used_by(view.sql, by_name)) for name, view in by_name.items()})
    return {name: by_name[name] for name in sorter.static_order()}


def used_by(sql: str, names: Iterable[str]) -> set[str]:
    """Return those of `names` that a statement reads from."""
    read = set(re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", sql))
    return read.intersection(names)


def load(folder: Path) -> list[Statement]:
    """Read the files of a folder, by name; raises HeaderError as `parse` does."""
    return [parse(path.stem, path.read_text()) for path in sorted(folder.glob("*.sql"))]


def queries() -> dict[str, Statement]:
    """Return the queries by name."""
    return {query.name: query for query in load(FOLDER)}


def views() -> dict[str, Statement]:
    """Return the views by name, each after those it uses."""
    return in_order(load(VIEW_FOLDER))
