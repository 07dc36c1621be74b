"""What `./lake export --tables` writes of a made-up lake, in seconds and without a stack."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.commands import export
from local import made_up_listening
from local.sql_dialect import to_duckdb
from queries import views
from spotify_lake.athena import Column, ResultStream, Row
from spotify_lake.schema.listening import LIBRARY, LISTENING_TABLES
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION
from tests.support import listened, plays
from tests.support.lake_in_memory import DUCKDB_TYPES, Lake, generate

LAST = dt.date(2026, 11, 20)
_ATHENA: dict[str, str] = {"VARCHAR": "varchar", "HUGEINT": "bigint"}
SCHEMA = {
    table.name: {
        column.name: str(column.type)
        for column in (*table.columns, *([table.partition] if table.partition else []))
    }
    for table in (*TABLES, *LISTENING_TABLES, LIBRARY)
}


class Engine:
    """The Athena that an export asks."""

    def __init__(self, lake: Lake) -> None:
        self._connection = lake.connection

    def stream(self, sql: str, _timeout_s: float) -> ResultStream:
        translated = to_duckdb(sql, SCHEMA, views(), LAST)
        described = self._connection.execute(f"DESCRIBE {translated}").fetchall()
        columns = tuple(Column(name, _ATHENA.get(kind, kind.lower())) for name, kind, *_ in described)
        cursor = self._connection.execute(translated)
        return ResultStream(columns, self._pages(cursor), "id", 0)

    @staticmethod
    def _pages(cursor: Any) -> Iterator[list[Row]]:
        while rows := cursor.fetchmany(1000):
            yield rows


def made_up(playlists: int = 3, days: int = 60, entries: int = 40, heard: int = 1500) -> Lake:
    """Return a lake with playlists and plays; without playlists it is empty."""
    lake = Lake()
    columns = ", ".join(f"{c.name} {DUCKDB_TYPES[c.type]}" for c in (*LIBRARY.columns, PARTITION))
    lake.connection.execute(f"CREATE TABLE {LIBRARY.name} ({columns})")
    rows = {}
    if playlists:
        generate(lake, playlists=playlists, days=days, entries=entries, songs=150, last=LAST)
        lake.connection.execute("UPDATE playlists SET is_imported = false")
        first = LAST - dt.timedelta(days=days - 1)
        person = made_up_listening.Listener(plays=heard, first=first, last=LAST)
        history = [row for form, row in made_up_listening.history(person) if form == "audio"]
        rows = listened.as_rows([plays.tables(history)])
    listened.fill(lake.connection, rows)
    return lake


def write(lake: Lake, folder: Path) -> Path:
    """Export every table of a lake, as the command does."""
    folder.mkdir(parents=True, exist_ok=True)
    types = SCHEMA | {"listening": dict(views()["listening"].types)}
    for name in export.TABLES_TO_EXPORT:
        source = export._relation(name, types[name])
        export.export(Engine(lake), source, folder / name, lambda _rows: None)  # type: ignore[arg-type]
    return folder
