"""Generate the latest_ views and listening, the saved queries, and what the docs say about queries and views."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from typing import Final

import queries
from queries import TIME_ZONE, Statement
from spotify_lake.report import plays
from spotify_lake.schema.playlists import ALBUMS, ARTISTS, PLAYLIST_ENTRIES, PLAYLISTS, SONGS
from spotify_lake.schema.types import PARTITION, Column, Table, Type
from tools import pages

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

_SAVED_QUERY = """\
  {logical_id}:
    Type: AWS::Athena::NamedQuery
    Properties:
      Name: {name}
      Description: {description}
      Database: !Ref DatabaseName
      WorkGroup: !Ref WorkGroupName
      QueryString: {literal}
{sql}
"""


def latest_views() -> dict[str, str]:
    """Return the file of each latest_ view, by the view's name."""
    columns = (PARTITION, *PLAYLISTS.columns)
    names = [column.name for column in columns]
    head = _header(
        "The newest complete snapshot of each playlist. Of one day, recorded snapshots come before imports.",
        "Reads the last 35 days; a playlist without a complete snapshot in this time is not in the view.",
        "playlist",
        columns,
    )
    # Of a day, what a run recorded comes before what was imported.
    newest = (
        "first_value(scheduled_at) OVER (\n            PARTITION BY playlist_id"
        f" ORDER BY {PARTITION.name} DESC, coalesce(is_imported, false), scheduled_at DESC\n        ) AS newest"
    )
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


def listening_view() -> str:
    """Return the file of the view listening, whose matching of plays is that of the report."""
    template = Template((ROOT / "tools" / "listening.sql").read_text())
    return template.substitute(copies=plays.copies(), matches=plays.matches())


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
    """Return the resources of stacks/saved-queries.yaml."""
    parts = [_saved_query(query, query.summary, query.sql) for query in questions.values()]
    parts += [
        _saved_query(view, f"View {number}: {view.name}", view.create)
        for number, view in enumerate(views.values(), start=1)
    ]
    return "\n".join(parts)


def _saved_query(statement: Statement, name: str, sql: str) -> str:
    is_local = TIME_ZONE in sql
    notes = f"{statement.summary} {statement.notes}" if statement.is_view else statement.notes
    return _SAVED_QUERY.format(
        logical_id="".join(part.capitalize() for part in statement.name.split("_"))
        + ("View" if statement.is_view else "Query"),
        name=json.dumps(name, ensure_ascii=False),
        description=json.dumps(notes or name, ensure_ascii=False),
        literal="!Sub |" if is_local else "|",
        sql=textwrap.indent(statement.in_time_zone("${TimeZone}") if is_local else sql, " " * 8),
    )


def page(questions: Mapping[str, Statement]) -> str:
    """Return what docs/queries.md says about the questions."""
    listed, described = [], []
    for group, title in queries.GROUPS.items():
        found = [query for query in questions.values() if query.group == group]
        rows = ((f"[{query.summary}](#{query.name})", f"`queries/{query.file}`") for query in found)
        listed.append(f"**{title}**\n\n{pages.table(('question', 'file'), rows)}")
        described += [f"## {title}", *map(_question, found)]
    return "\n\n".join([*listed, *described])


def _question(query: Statement) -> str:
    parts = [f"### {query.name}", f"**{query.summary}** {query.notes}".rstrip()]
    tables = {"to change": query.parameters, "column": query.columns}
    parts += [pages.table((name, "meaning"), _meanings(words)) for name, words in tables.items() if words]
    return "\n\n".join(parts)


def _meanings(words: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return ((f"`{name}`", meaning) for name, meaning in words.items())


def views_in_dictionary(views: Mapping[str, Statement]) -> str:
    """Return what docs/data-dictionary.md says about the views."""
    parts = []
    for name, view in views.items():
        about = f"{view.summary} {view.notes} One row: {view.row}.".replace("  ", " ")
        rows = (
            (f"`{column}`", view.types[column].replace("<", "\\<"), words)
            for column, words in view.columns.items()
        )
        parts.append(f"## {name}\n\n{about}\n\n{pages.table(('column', 'type', 'meaning'), rows)}")
    return "\n\n".join(parts)


def files() -> tuple[dict[Path, str], str]:
    """Return the generated files with their texts, and the data dictionary's part about views."""
    texts = latest_views() | {"listening": listening_view()}
    texts = {f"{queries.VIEWS}/{name}.sql": text for name, text in texts.items()}
    written = [view for view in queries.load(queries.VIEWS) if view.file not in texts]
    generated = [view for file, text in texts.items() for view in queries.parse(file, text)]
    views = queries.in_order([*written, *generated])
    questions = queries.queries()
    wanted = {queries.FOLDER / file: text for file, text in texts.items()}
    wanted |= {
        SAVED_QUERIES: pages.filled(SAVED_QUERIES, {"queries": saved_queries(questions, views)}),
        PAGE: pages.filled(PAGE, {"questions": page(questions)}),
    }
    return wanted, views_in_dictionary(views)
