"""What follows from the queries and views: the views of the newest snapshots, saved queries, their documentation."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import queries
from queries import Statement
from spotify_lake.schema import (
    ALBUMS,
    ARTISTS,
    PARTITION,
    PLAYLIST_ENTRIES,
    PLAYLISTS,
    SONGS,
    Column,
    Table,
    Type,
)

ROOT: Final = Path(__file__).parents[1]
SAVED_QUERIES: Final = ROOT / "stacks" / "saved-queries.yaml"
PAGE: Final = ROOT / "docs" / "queries.md"
BYTES: Final = ROOT / "bench" / "query_bytes.json"

# One snapshot a month is enough for a playlist to be in the latest_ views.
LOOKBACK: Final = "current_date - INTERVAL '35' DAY"
HEADER_WIDTH: Final = 120

_LATEST: Final = {
    "latest_entries": (
        PLAYLIST_ENTRIES,
        "What stands at each position of each playlist as it was last seen.",
        "position of a playlist",
        "A song may stand at several positions.",
    ),
    "latest_songs": (
        SONGS,
        "The songs of each playlist as it was last seen.",
        "song of a playlist",
        "A song that is in two playlists has two rows.",
    ),
    "latest_albums": (
        ALBUMS,
        "The albums that have songs in each playlist as it was last seen.",
        "album of a playlist",
        "An album that has songs in two playlists has two rows.",
    ),
    "latest_artists": (
        ARTISTS,
        "The artists credited in each playlist as it was last seen.",
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

Each of these is a file in `queries/`, written for Athena. In the Athena console they are under *Saved queries*;
on the laptop and from the command line, `make export WHAT=artist_gains` writes the answer to a file. This page is
generated from their headers by `make schema`.

They read from the tables and views of the [data dictionary](data-dictionary.md). On AWS, `make views` has to make
the views once. Where a query has parameters, they are the texts in its SQL to change. `current_date` is today in
UTC.

Each query of playlists has conditions on `snapshot_date`, so that Athena reads only the days it needs. A missing day
is unknown, not empty: comparisons skip it, and averages are taken over the days that have a snapshot.

Those of the [bulk data sets](bulk.md) have conditions on `year` and `chart`, or on `release_decade`. They begin with
2017, as Kaggle's charts do, and take one chart and either Global or the other regions, because daily and weekly
charts, and Global and the countries, count the same streams.
"""

_BYTES_HEAD = """\
## What they read

Of {days} days of {playlists} playlists with {entries} entries each, {total} MB in all. Computed by `make query-bytes`,
not reported by Athena: the compressed sizes of the columns and days that DuckDB's plan of the query reads, from the
footers of the Parquet files, without the footers themselves. A table that a query names twice counts twice. Beside it,
the CSV files of the usual tutorials, which have no partitions and no columns, so that each of them is read whole. The
bulk data sets are {chart_days} days of charts in 70 regions and 160,000 tracks, made up, {bulk} MB in all; beside them,
their own CSV files.

Athena charges for at least 10 MB a query, which is 0.005 US cents: reading less makes a query faster, not cheaper.
"""

_VIEWS_HEAD = """\
# Views

The views of the lake. Their definitions are in `queries/views/`; on AWS `make views` creates or replaces them, on the
laptop they are always there.

A view reads what its query needs: give conditions on `snapshot_date`, `week` or `month`, and name the columns you
want. The `latest_` views look at the last 35 days by themselves.
"""


def latest_views() -> dict[str, str]:
    """Return the text of each view that holds the rows of a table's newest snapshots, by name."""
    columns = (PARTITION, *PLAYLISTS.columns)
    names = [column.name for column in columns]
    head = _header(
        "Each playlist as it was last seen.",
        "Looks back 35 days; a playlist that has had no snapshot for longer is not in it.",
        "playlist",
        columns,
    )
    newest = "max(scheduled_at) OVER (PARTITION BY playlist_id) AS newest"
    inner = (
        f"SELECT\n{_listed(*names, newest)}\n"  # nosec B608 # names of schema.py
        f"FROM playlists\nWHERE {PARTITION.name} >= {LOOKBACK}"
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
        f"{note} Looks back 35 days, as latest_playlists does.",
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
    """Return what a column means and when it is null, in sentences."""
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


def page(questions: Mapping[str, Statement], measured: Mapping[str, Any]) -> str:
    """Return docs/queries.md.

    Parameters
    ----------
    questions
        The queries by name.
    measured
        What bench/query_bytes.py found.
    """
    rows = ["| question | file |", "|---|---|"]
    rows += [f"| [{query.summary}](#{name}) | `queries/{name}.sql` |" for name, query in questions.items()]
    parts = [_PAGE_HEAD, "\n".join(rows) + "\n"]
    for name, query in questions.items():
        lines = [f"## {name}", "", f"**{query.summary}** {query.notes}".rstrip(), ""]
        if query.parameters:
            lines += ["| to change | meaning |", "|---|---|"]
            lines += [f"| `{text}` | {words} |" for text, words in query.parameters.items()]
            lines += [""]
        lines += ["| column | meaning |", "|---|---|"]
        lines += [f"| `{column}` | {words} |" for column, words in query.columns.items()]
        parts.append("\n".join(lines) + "\n")
    rows = ["| query | reads | CSV files | part |", "|---|--:|--:|--:|"]
    rows += [
        f"| {name} | {row['parquet'] / 1e6:.1f} MB | {row['csv'] / 1e6:.0f} MB | {row['parquet'] / row['csv']:.1%} |"
        for name, row in measured["queries"].items()
    ]
    head = _BYTES_HEAD.format_map(
        {
            **measured,
            "total": f"{measured['parquet_total'] / 1e6:.0f}",
            "bulk": f"{measured['bulk_total'] / 1e6:.0f}",
        }
    )
    return "\n".join([*parts, head, "\n".join(rows) + "\n"])


def views_in_dictionary(views: Mapping[str, Statement]) -> str:
    """Return the part of docs/data-dictionary.md that is about views."""
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
    latest = latest_views()
    written = [view for view in queries.load(queries.VIEW_FOLDER) if view.name not in latest]
    views = queries.in_order([*written, *(queries.parse(name, text) for name, text in latest.items())])
    questions = queries.queries()
    wanted = {queries.VIEW_FOLDER / f"{name}.sql": text for name, text in latest.items()}
    measured = json.loads(BYTES.read_text())
    wanted |= {SAVED_QUERIES: saved_queries(questions, views), PAGE: page(questions, measured)}
    return wanted, views_in_dictionary(views)
