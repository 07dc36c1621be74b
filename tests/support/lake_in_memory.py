"""A lake in DuckDB, behind the interface of an Athena client.

It answers as Athena does, in texts, and as the engine of the laptop stack it translates nothing.
"""

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from botocore.exceptions import ClientError

from local.spotify_stub.catalog import catalog
from spotify_lake.athena import Athena
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw import envelope
from spotify_lake.report import charts, forecasts, plays
from spotify_lake.report.content import Content
from spotify_lake.report.run import ask, ask_charts
from spotify_lake.schema.listening import LISTENING_TABLES
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION, Type
from spotify_lake.schema.warehouse import CHARTS, MODELS, WarehouseTable
from tests.support import charted, listened, payloads

YEARS = Path(__file__).with_name("years.sql")
DUCKDB_TYPES = {
    Type.STRING: "VARCHAR",
    Type.INT: "INTEGER",
    Type.BIGINT: "BIGINT",
    Type.DOUBLE: "DOUBLE",
    Type.BOOLEAN: "BOOLEAN",
    Type.DATE: "DATE",
    Type.TIMESTAMP: "TIMESTAMPTZ",
    Type.STRINGS: "VARCHAR[]",
}


class Lake:
    """The declared tables, empty at first."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": 2})
        for table in TABLES:
            columns = ", ".join(f"{c.name} {DUCKDB_TYPES[c.type]}" for c in (*table.columns, PARTITION))
            self.connection.execute(f"CREATE TABLE {table.name} ({columns})")
        self.chart_keys: set[str] = set()
        self.forecast_keys: set[str] = set()
        self.has_plays = False

    def add_charts(self, standings: Iterable[charted.Standing]) -> None:
        """Add charts, once, as the charts job would."""
        rows = charted.tables(standings)
        self._add_warehouse(CHARTS, rows)
        self.chart_keys = {
            f"{charts.FOLDER}year={row['year']}/chart={row['chart']}/month-{row['date_key'] // 100}.parquet"
            for row in rows["fact_chart_entry"]
        }

    def add_forecasts(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Add the rows of tables of models, once, as their jobs would."""
        self._add_warehouse(MODELS, rows)
        self.forecast_keys = {
            f"{forecasts.FOLDER}chart={row['chart']}/made-{row['made_key']}.parquet"
            for row in rows["chart_forecasts"]
        }

    def charts(self, days: int) -> charts.Charts | None:
        """Ask what the report shows about charts."""
        return ask_charts(self.athena(), self.chart_keys, self.forecast_keys, days)

    def _add_warehouse(
        self, tables: Iterable[WarehouseTable], rows: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> None:
        for declared in tables:
            name = declared.table.name
            columns = [*declared.table.columns, *(partition.column for partition in declared.partitions)]
            types = ", ".join(f"{column.name} {DUCKDB_TYPES[column.type]}" for column in columns)
            self.connection.execute(f"CREATE TABLE {name} ({types})")
            marks = ", ".join(["unnest(?)"] * len(columns))
            values = [[row.get(column.name) for row in rows.get(name, [])] for column in columns]
            self.connection.execute(f"INSERT INTO {name} SELECT {marks}", values)

    def add_plays(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Set the rows of the tables of plays; times are UTC, as an instant with a time zone in DuckDB."""
        listened.fill(self.connection, rows)
        self.connection.execute("SET TimeZone = 'UTC'")
        for table in LISTENING_TABLES:
            for column in table.columns:
                if column.type is Type.TIMESTAMP:
                    self.connection.execute(f"ALTER TABLE {table.name} ALTER {column.name} TYPE TIMESTAMPTZ")
        self.has_plays = True

    def add(self, *objects: bytes) -> None:
        """Add raw objects, as the transform function would."""
        for data in objects:
            tables = normalize(envelope.decode(data))
            for table in TABLES:
                if rows := [(*row, tables.scheduled_at.date()) for row in tables.rows[table.name]]:
                    columns = [list(column) for column in zip(*rows, strict=True)]
                    marks = ", ".join(["unnest(?)"] * len(columns))
                    self.connection.execute(f"INSERT INTO {table.name} SELECT {marks}", columns)

    def newest_date(self) -> dt.date | None:
        """Return the day of the newest snapshot."""
        [(date,)] = self.connection.execute("SELECT max(snapshot_date) FROM playlists").fetchall()
        return date if isinstance(date, dt.date) else None

    def report(self, days: int = 730, zone: str = "UTC") -> Content:
        """Ask what the report shows."""
        heard = plays.ask(self.athena(), zone) if self.has_plays else None
        return ask(self.athena(), self.newest_date(), days, heard)

    def athena(self) -> Athena:
        return Athena(FakeAthenaClient(self.connection), "lake", "lake", time_left=lambda: 60.0)  # type: ignore[arg-type]


class FakeAthenaClient:
    """What the report uses of boto3's client."""

    class exceptions:
        ClientError = ClientError

    page_size = 1000

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._answers: dict[str, tuple[list[str], list[Any]]] = {}
        self._failures: dict[str, str] = {}
        self._ids = map(str, itertools.count(1))
        self.queries: list[str] = []

    def start_query_execution(
        self, *, QueryString: str, QueryExecutionContext: dict[str, str], WorkGroup: str
    ) -> Any:
        query_id = next(self._ids)
        self.queries.append(QueryString)
        try:
            cursor = self._connection.execute(QueryString)
            self._answers[query_id] = ([column[0] for column in cursor.description], cursor.fetchall())
        except duckdb.Error as error:
            self._failures[query_id] = str(error)
        return {"QueryExecutionId": query_id}

    def get_query_execution(self, *, QueryExecutionId: str) -> Any:
        if reason := self._failures.get(QueryExecutionId):
            return {"QueryExecution": {"Status": {"State": "FAILED", "StateChangeReason": reason}}}
        return {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}}

    def get_paginator(self, operation: str) -> "FakeAthenaClient":
        assert operation == "get_query_results"
        return self

    def paginate(self, *, QueryExecutionId: str) -> Iterator[Any]:
        columns, rows = self._answers[QueryExecutionId]
        records = itertools.chain([columns], rows)
        while batch := list(itertools.islice(records, self.page_size)):
            yield {
                "ResultSet": {
                    "ResultSetMetadata": {
                        "ColumnInfo": [{"Name": name, "Type": "varchar"} for name in columns]
                    },
                    "Rows": [{"Data": [_datum(value) for value in row]} for row in batch],
                }
            }


def _datum(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    return {"VarCharValue": str(value).lower() if isinstance(value, bool) else str(value)}


def snapshot(
    day: dt.date, entries: Iterable[Any], *, hour: int = 6, playlist_id: str | None = None, **changes: Any
) -> bytes:
    """Return the raw object of a playlist on a day; strings among the entries are songs of that name."""
    moment = dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC)
    page = [payloads.entry(payloads.song(e)) if isinstance(e, str) else e for e in entries]
    about = payloads.playlist(playlist_id or payloads.spotify_id("Road Trip"), **changes)
    return payloads.raw_object(page, playlist_object=about, scheduled_at=moment)


def generate(
    lake: Lake,
    *,
    playlists: int = 20,
    days: int = 730,
    entries: int = 100,
    songs: int = 420,
    last: dt.date = dt.date(2026, 11, 20),
) -> None:
    """Fill a lake with made-up lists of real songs, as years.sql says."""
    known = catalog()
    pool = [
        (
            number,
            song.id,
            song.name,
            [artist.id for artist in song.artists],
            [artist.name for artist in song.artists],
            song.album_id,
            known.albums[song.album_id].name,
            song.released,
            song.duration_ms,
            song.popularity,
        )
        for number, song in enumerate(known.recordings[:songs])
    ]
    lake.connection.execute(
        "CREATE TEMP TABLE pool (number INTEGER, song_id VARCHAR, name VARCHAR, artist_ids VARCHAR[],"
        " artist_names VARCHAR[], album_id VARCHAR, album VARCHAR, released VARCHAR, duration_ms INTEGER,"
        " popularity INTEGER)"
    )
    columns = [list(column) for column in zip(*pool, strict=True)]
    marks = ", ".join(["unnest(?)"] * len(columns))
    lake.connection.execute(f"INSERT INTO pool SELECT {marks}", columns)
    for name, value in (("playlists", playlists), ("days", days), ("entries", entries), ("last", last)):
        lake.connection.execute(f"SET VARIABLE {name} = ?", [value])
    lake.connection.execute(YEARS.read_text())
