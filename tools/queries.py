"""Generate the latest_ views, the stack of saved queries, and the documentation of queries and views."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import queries
from queries import Statement
from spotify_lake.schema.playlists import ALBUMS, ARTISTS, PARTITION, PLAYLIST_ENTRIES, PLAYLISTS, SONGS
from spotify_lake.schema.types import Column, Table, Type

ROOT: Final = Path(__file__).parents[1]
SAVED_QUERIES: Final = ROOT / "stacks" / "saved-queries.yaml"
PAGE: Final = ROOT / "docs" / "queries.md"

# A playlist with one snapshot a month is always in the latest_ views.
LOOKBACK: Final = "current_date - INTERVAL '35' DAY"
HEADER_WIDTH: Final = 120

_LATEST: Final = {
    "latest_entries": (
        PLAYLIST_ENTRIES,
        "The entry at each position in the newest snapshot of each playlist.",
        "position of a playlist",
        "A song can be at several positions.",
    ),
    "latest_songs": (
        SONGS,
        "The songs in the newest snapshot of each playlist.",
        "song of a playlist",
        "A song in two playlists has two rows.",
    ),
    "latest_albums": (
        ALBUMS,
        "The albums with songs in the newest snapshot of each playlist.",
        "album of a playlist",
        "An album with songs in two playlists has two rows.",
    ),
    "latest_artists": (
        ARTISTS,
        "The artists credited in the newest snapshot of each playlist.",
        "artist of a playlist",
        "An artist credited in two playlists has two rows.",
    ),
}

_STACK_HEAD = """\
# Generated from queries/ by make schema: change the SQL there.
AWSTemplateFormatVersion: "2010-09-09"
Description: The questions and views of Spotify Lake as saved queries in the Athena console.

Parameters:
  DatabaseName:
    Description: Database of the tables in the Glue Data Catalog.
    Type: String
  WorkGroupName:
    Description: Workgroup in which the queries are saved.
    Type: String

Resources:
"""

_SAVED_QUERY = """\
  {logical_id}:
    Type: AWS::Athena::NamedQuery
    Properties:
      Name: {name}
      Description: {description}
      Database: !Ref DatabaseName
      WorkGroup: !Ref WorkGroupName
      QueryString: |
{sql}
"""

_PAGE_HEAD = """\
# Questions to the lake

Each question is written in Athena's SQL, in a file below `queries/`. In the Athena console, look under *Saved queries*;
on the laptop and from the command line, `./lake export artist_gains` writes the answer to a file. `make schema`
generates this page from the headers of the files.

The questions read the tables and views of the [data dictionary](data-dictionary.md). On AWS, run `./lake views` once to
create the views. The parameters of a question are texts in its SQL that you can change. `current_date` is today in
UTC.

Questions about playlists have conditions on `snapshot_date`, and Athena reads only the days they need. A missing day
is unknown, not empty: comparisons skip it, and averages are taken over the days that have a snapshot.

Questions about the [bulk data sets](bulk.md) have conditions on `year` and `chart`, or on `release_decade`. They start
with 2017, as Kaggle's charts do. They read one chart, and either Global or the other regions, because daily and weekly
charts count the same streams, and so do Global and the countries.
"""

_VIEWS_HEAD = """\
# Views

The views of the lake. Their definitions are in `queries/views/`. On AWS, `./lake views` creates or replaces them; on
the laptop they always exist.

A view reads only what your query needs: give conditions on `snapshot_date`, `week` or `month`, and name the columns
you want. The `latest_` views read the last 35 days and need no condition.
"""


def latest_views() -> dict[str, str]:
    """Return the file of each latest_ view, by the view's name."""
    columns = (PARTITION, *PLAYLISTS.columns)
    names = [column.name for column in columns]
    head = _header(
        "The newest complete snapshot of each playlist.",
        "Reads the last 35 days; a playlist without a complete snapshot in this time is not in the view.",
        "playlist",
        columns,
    )
    newest = "max(scheduled_at) OVER (PARTITION BY playlist_id) AS newest"
    inner = (
        f"SELECT\n{_listed(*names, newest)}\n"  # nosec B608 # names of schema.py
        f"FROM playlists\nWHERE {PARTITION.name} >= {LOOKBACK} AND coalesce(is_complete, true)"
    )
    sql = (
        f"SELECT\n{_listed(*names)}\n"  # nosec B608 # names of schema.py
        f"FROM (\n{textwrap.indent(inner, '    ')}\n)\nWHERE scheduled_at = newest\n"
    )
    texts = {"latest_playlists": head + sql}
    for name, (table, summary, row, note) in _LATEST.items():
        texts[name] = _latest_view(table, summary, row, note)
    return texts


def _latest_view(table: Table, summary: str, row: str, note: str) -> str:
    playlist_id, *others = table.columns
    title = Column("playlist", Type.STRING, "Title of the playlist.", "", "Spotify does not send it")
    head = _header(
        summary,
        f"{note} Reads the last 35 days, as latest_playlists does.",
        row,
        (PARTITION, playlist_id, title, *others),
    )
    columns = _listed(
        f"t.{PARTITION.name}",
        "t.playlist_id",
        "p.name AS playlist",
        *(f"t.{column.name}" for column in others),
    )
    same = " AND ".join(f"p.{key} = t.{key}" for key in ("playlist_id", PARTITION.name, "scheduled_at"))
    return (
        f"{head}SELECT\n{columns}\n"  # nosec B608 # names of schema.py
        f"FROM {table.name} AS t\nJOIN latest_playlists AS p\n    ON {same}\n"
        f"WHERE t.{PARTITION.name} >= {LOOKBACK}\n"
    )


def _header(summary: str, note: str, row: str, columns: tuple[Column, ...]) -> str:
    lines = [summary, *textwrap.wrap(note, HEADER_WIDTH - 3), "", f"One row: {row}", "Columns:"]
    lines += [f"- {column.name} {column.type}: {meaning(column)}" for column in columns]
    return "".join(f"-- {line}".rstrip() + "\n" for line in lines)


def _listed(*columns: str) -> str:
    return ",\n".join(f"    {column}" for column in columns)


def meaning(column: Column) -> str:
    """Return a column's description and when it is null."""
    if column.null_when is None:
        return column.description
    return f"{column.description} Null when {column.null_when}."


def saved_queries(questions: Mapping[str, Statement], views: Mapping[str, Statement]) -> str:
    """Return stacks/saved-queries.yaml."""
    parts = [_saved_query(query, query.summary, query.sql) for query in questions.values()]
    parts += [
        _saved_query(view, f"View {number}: {view.name}", view.create)
        for number, view in enumerate(views.values(), start=1)
    ]
    return _STACK_HEAD + "\n".join(parts)


def _saved_query(statement: Statement, name: str, sql: str) -> str:
    notes = f"{statement.summary} {statement.notes}" if statement.is_view else statement.notes
    return _SAVED_QUERY.format(
        logical_id="".join(part.capitalize() for part in statement.name.split("_"))
        + ("View" if statement.is_view else "Query"),
        name=json.dumps(name, ensure_ascii=False),
        description=json.dumps(notes or name, ensure_ascii=False),
        sql=textwrap.indent(sql, " " * 8),
    )


def page(questions: Mapping[str, Statement]) -> str:
    """Return docs/queries.md."""
    parts = [_PAGE_HEAD]
    for group, title in queries.GROUPS.items():
        rows = [
            f"| [{query.summary}](#{name}) | `queries/{query.file}` |"
            for name, query in questions.items()
            if query.group == group
        ]
        parts.append("\n".join([f"**{title}**", "", "| question | file |", "|---|---|", *rows]) + "\n")
    for group, title in queries.GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [_question(query) for query in questions.values() if query.group == group]
    return "\n".join(parts)


def _question(query: Statement) -> str:
    lines = [f"### {query.name}", "", f"**{query.summary}** {query.notes}".rstrip(), ""]
    if query.parameters:
        lines += ["| to change | meaning |", "|---|---|"]
        lines += [f"| `{text}` | {words} |" for text, words in query.parameters.items()]
        lines += [""]
    lines += ["| column | meaning |", "|---|---|"]
    lines += [f"| `{column}` | {words} |" for column, words in query.columns.items()]
    return "\n".join(lines) + "\n"


def views_in_dictionary(views: Mapping[str, Statement]) -> str:
    """Return the views' part of docs/data-dictionary.md."""
    parts = [_VIEWS_HEAD]
    for name, view in views.items():
        lines = [
            f"## {name}",
            "",
            f"{view.summary} {view.notes} One row: {view.row}.".replace("  ", " "),
            "",
            "| column | type | meaning |",
            "|---|---|---|",
        ]
        lines += [
            f"| `{column}` | {view.types[column].replace('<', '\\<')} | {words.replace('|', '\\|')} |"
            for column, words in view.columns.items()
        ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def files() -> tuple[dict[Path, str], str]:
    """Return the generated files with their texts, and the data dictionary's part about views."""
    latest = {f"{queries.VIEWS}/{name}.sql": text for name, text in latest_views().items()}
    written = [view for view in queries.load(queries.VIEWS) if view.file not in latest]
    generated = [view for file, text in latest.items() for view in queries.parse(file, text)]
    views = queries.in_order([*written, *generated])
    questions = queries.queries()
    wanted = {queries.FOLDER / file: text for file, text in latest.items()}
    wanted |= {SAVED_QUERIES: saved_queries(questions, views), PAGE: page(questions)}
    return wanted, views_in_dictionary(views)
