"""The queries and views of the lake: one file of Athena SQL each, with a header that documents it.

A file starts with comment lines: the question that a query answers, or what a view holds; further sentences; for a
view what one row is; then lists of parameters (the text to change in the SQL, and what it means) and of columns.

A file may list variants, each with a value for every ``{placeholder}`` in the file. It then holds one query or view for
each variant, with the variant's name; a file without variants holds one with the name of the file.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent
GROUPS: Final = {
    "playlists": "Playlists",
    "listening": "Listening",
    "charts": "Charts",
    "catalog": "Catalog of tracks",
}
VIEWS: Final = "views"
TIME_ZONE: Final = "AT TIME ZONE 'UTC'"  # in questions about hours and days: what a lake replaces by its own

_ITEM = re.compile(r"- (?P<name>[^:]+): (?P<text>.+)")
_ROW = "One row: "
_NOTES, _VARIANTS, _PARAMETERS, _COLUMNS = "Notes:", "Variants:", "Parameters:", "Columns:"


class HeaderError(ValueError):
    """A file's header cannot be read."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(f"queries/{file}: {problem}")


@dataclass(frozen=True)
class Statement:
    """A query or view.

    Attributes
    ----------
    name
        By which people ask for it; a view has the same name in Athena.
    file
        Path below queries/, such as ``playlists/top_artists.sql``.
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
    file: str
    summary: str
    notes: str
    row: str
    parameters: Mapping[str, str]
    columns: Mapping[str, str]
    types: Mapping[str, str]
    sql: str

    @property
    def group(self) -> str:
        """The file's folder: a key of GROUPS, or ``views``."""
        return PurePosixPath(self.file).parent.name

    @property
    def is_view(self) -> bool:
        """Whether it defines a view."""
        return bool(self.row)

    def in_time_zone(self, name: str) -> str:
        """Return the SQL with the hours and days of another time zone, such as Europe/Berlin."""
        return self.sql.replace(TIME_ZONE, TIME_ZONE.replace("UTC", name))

    @property
    def create(self) -> str:
        """The statement that creates the view in Athena, or replaces it."""
        return f"CREATE OR REPLACE VIEW {self.name} AS\n{self.sql}"


def parse(file: str, text: str) -> list[Statement]:
    """Read the queries or views of one file.

    Parameters
    ----------
    file
        Path below queries/.
    text
        Header and SQL.

    Raises
    ------
    HeaderError
        The header lacks something or has what does not belong there.
    """
    variants = _items(file, _sections(_header(text))[_VARIANTS]) or {PurePosixPath(file).stem: ""}
    return [_statement(name, file, _filled(file, text, values)) for name, values in variants.items()]


def _header(text: str) -> list[str]:
    lines = itertools.takewhile(lambda line: line.startswith("--"), text.splitlines())
    return [line.removeprefix("--").strip() for line in lines]


def _filled(file: str, text: str, values: str) -> str:
    """Replace the placeholders by a variant's values, such as ``period = week; step = INTERVAL '7' DAY``."""
    for pair in filter(None, values.split("; ")):
        key, equals, value = pair.partition(" = ")
        if not equals or f"{{{key}}}" not in text:
            raise HeaderError(
                file, f"{pair!r} must be like 'placeholder = value', with a placeholder of the file"
            )
        text = text.replace(f"{{{key}}}", value)
    return text


def _statement(name: str, file: str, text: str) -> Statement:
    header = _header(text)
    if not header or not header[0]:
        raise HeaderError(file, "the first line must be a comment that says what it is about")
    sections = _sections(header[1:])
    row = next((line.removeprefix(_ROW) for line in sections[_NOTES] if line.startswith(_ROW)), "")
    notes = " ".join(line for line in sections[_NOTES] if line and not line.startswith(_ROW))
    parameters, columns = (_items(file, sections[title]) for title in (_PARAMETERS, _COLUMNS))
    if not columns:
        raise HeaderError(file, "the header must list the columns")
    types: dict[str, str] = {}
    if row:
        if lacking := [column for column in columns if column.count(" ") != 1]:
            raise HeaderError(file, f"{lacking[0]!r} must be like '- name type: meaning', as in every view")
        types = dict(column.split(" ") for column in columns)
        columns = dict(zip(types, columns.values(), strict=True))
    sql = "\n".join(text.splitlines()[len(header) :]).strip()
    return Statement(name, file, header[0], notes, row, parameters, columns, types, sql)


def _sections(header: list[str]) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {title: [] for title in (_NOTES, _VARIANTS, _PARAMETERS, _COLUMNS)}
    title = _NOTES
    for line in header:
        if line in sections:
            title = line
        else:
            sections[title].append(line)
    return sections


def _items(file: str, lines: list[str]) -> dict[str, str]:
    items = {}
    for line in lines:
        if not (item := _ITEM.fullmatch(line)):
            raise HeaderError(file, f"{line!r} must be like '- name: meaning'")
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


def load(group: str) -> list[Statement]:
    """Read the files of a folder, by name; raises HeaderError as `parse` does."""
    paths = sorted((FOLDER / group).glob("*.sql"))
    return [statement for path in paths for statement in parse(f"{group}/{path.name}", path.read_text())]


def queries() -> dict[str, Statement]:
    """Return the queries by name, group by group."""
    return {query.name: query for group in GROUPS for query in load(group)}


def views() -> dict[str, Statement]:
    """Return the views by name, each after those it uses."""
    return in_order(load(VIEWS))
