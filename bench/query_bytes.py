"""What each query of queries/ reads of a year of data, against the same question to CSV files without partitions.

`make query-bytes` writes bench/query_bytes.json, from which docs/queries.md takes its numbers. Nothing here asks
Athena. A year of playlists goes through the lake's own code into Parquet, whose footers say how many bytes each
column of each day has; warehouse_bytes.py makes the bulk data sets. DuckDB plans each query as Athena's SQL was
translated, each reference to a table or view by itself, and its plan says which columns each scan takes, and which days
or other parts a condition leaves of it. Filters that it finds only while it runs are not counted, footers are not
either.

The other side is the layout of the usual tutorials: three folders of CSV files for albums, artists and songs, one file
a snapshot and no partitions, so that each question reads the whole of each folder it needs. They lack position,
playlist and day, without which most of the questions could not be answered; leaving these out makes the comparison
kinder to them.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import random
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from rich.console import Console
from rich.progress import track
from sqlglot import exp

from bench import warehouse_bytes
from bench.warehouse_bytes import Part, Sizes
from local.spotify_stub import playlists
from local.spotify_stub.catalog import base62_id, catalog
from local.spotify_stub.playlist_objects import entry_object
from local.sql_dialect import to_duckdb
from queries import queries, views
from spotify_lake.lake import arrow_schema
from spotify_lake.normalize import normalize
from spotify_lake.raw import Snapshot
from spotify_lake.schema import PARTITION, TABLES, Column, Table, Type
from spotify_lake.spotify.models import Entry, Playlist
from spotify_lake.warehouse import WAREHOUSE

ROOT: Final = Path(__file__).resolve().parents[1]
RESULT: Final = Path(__file__).with_name("query_bytes.json")
DAYS: Final = 365
PLAYLISTS: Final = 20
ENTRIES: Final = 100
POOL: Final = 400  # songs that come and go in one playlist
NEW_A_DAY: Final = 3
MOVES_A_DAY: Final = 10
LAST_DAY: Final = dt.date(2026, 12, 31)
SEED: Final = 7
MARK: Final = "__"  # between the names of table and column in plans
_HIVE_TYPES: Final = {Type.DATE: "DATE", Type.INT: "INTEGER", Type.STRING: "VARCHAR"}


@dataclass(frozen=True)
class Scan:
    """One reading of one table in a plan; a part has a value for each of the table's partition columns."""

    table: str
    columns: frozenset[str]
    parts: frozenset[Part]


@dataclass(frozen=True)
class Divided:
    """A table, the columns it is divided by, and its parts."""

    table: Table
    keys: tuple[Column, ...]
    parts: list[Part]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return all columns, those it is divided by last."""
        return (*self.table.columns, *self.keys)

    def key_name(self, key: Column) -> str:
        """Return the name of a partition column in plans."""
        return f"{self.table.name}{MARK}{key.name}"


def main() -> int:
    """Measure, write the result, and return the exit status."""
    with tempfile.TemporaryDirectory(prefix="query-bytes-") as folder:
        _lay_out(Path(folder))
        plans = {name: _scans(Path(folder), query.sql) for name, query in queries().items()}
    parquet, csv_bytes = _generate()
    bulk, bulk_csv_bytes = warehouse_bytes.generate(_file_sizes)
    measured = {
        name: {
            "sql": queries()[name].fingerprint,
            "parquet": sum(
                (parquet | bulk)[scan.table, part][column]
                for scan in scans
                for part in scan.parts
                for column in scan.columns & (parquet | bulk)[scan.table, part].keys()
            ),
            "csv": sum((csv_bytes | bulk_csv_bytes)[name] for name in _csv_files(scans)),
        }
        for name, scans in plans.items()
    }
    result = {
        "days": DAYS,
        "playlists": PLAYLISTS,
        "entries": ENTRIES,
        "chart_days": warehouse_bytes.CHART_DAYS,
        "parquet_total": sum(sum(columns.values()) for columns in parquet.values()),
        "bulk_total": sum(sum(columns.values()) for columns in bulk.values()),
        "csv_total": sum(csv_bytes.values()),
        "queries": measured,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    Console().print(
        f"Wrote {RESULT.relative_to(ROOT)}. `make schema` takes it into docs/queries.md.", highlight=False
    )
    return 0


def _generate() -> tuple[Sizes, dict[str, int]]:
    """Make a year of snapshots; return the bytes of each column by table and day, and those of each CSV folder."""
    sizes: Sizes = {}
    csv_bytes: dict[str, int] = defaultdict(int)
    lists = [_Changing(number) for number in range(PLAYLISTS)]
    for day in track(_every_day(), "Days", console=Console(stderr=True), transient=True):
        for table in TABLES:
            sizes[table.name, (day,)] = dict.fromkeys(table.column_names, 0)
        for changing in lists:
            rows = normalize(changing.snapshot(day)).rows
            for table in TABLES:
                for column, size in _column_sizes(rows[table.name], arrow_schema(table)).items():
                    sizes[table.name, (day,)][column] += size
            for name, size in _csv_sizes(rows).items():
                csv_bytes[name] += size
    return sizes, dict(csv_bytes)


def _every_day() -> list[dt.date]:
    return [LAST_DAY - dt.timedelta(days=number) for number in reversed(range(DAYS))]


def _divided() -> list[Divided]:
    """Return all tables."""
    days: list[Part] = [(day,) for day in _every_day()]
    return [
        *(Divided(table, (PARTITION,), days) for table in TABLES),
        *(
            Divided(
                declared.table,
                tuple(partition.column for partition in declared.partitions),
                warehouse_bytes.PARTS[declared.table.name] if declared.partitions else [()],
            )
            for declared in WAREHOUSE
        ),
    ]


def _lay_out(folder: Path) -> None:
    """Leave an empty file of each part of each table for the planner.

    Its columns bear the name of their table, since plans name columns only.
    """
    for divided in _divided():
        name = divided.table.name
        schema = warehouse_bytes.arrow_schema(divided.table)
        empty = schema.empty_table().rename_columns([f"{name}{MARK}{column}" for column in schema.names])
        for part in divided.parts:
            keys = [f"{divided.key_name(key)}={value}" for key, value in zip(divided.keys, part, strict=True)]
            path = Path(folder, name, *keys, "empty.parquet")
            path.parent.mkdir(parents=True)
            pq.write_table(empty, path)


class _Changing:
    """A playlist of songs from the stub's catalog that changes a little every day."""

    def __init__(self, number: int) -> None:
        self._id = base62_id("bench playlist", number)
        self._chance = random.Random(f"{SEED} {number}")  # noqa: S311 # nosec B311 # need no secrecy
        pool = self._chance.sample(sorted(catalog().songs), POOL)
        self._listed, self._others = pool[:ENTRIES], pool[ENTRIES:]
        self._entries: dict[str, Entry] = {}
        self._name = f"Playlist {number}"

    def snapshot(self, day: dt.date) -> Snapshot:
        """Change the list and return it as it is on `day`."""
        for _ in range(NEW_A_DAY):
            place, fresh = self._chance.randrange(ENTRIES), self._chance.randrange(len(self._others))
            self._listed[place], self._others[fresh] = self._others[fresh], self._listed[place]
            self._entries.pop(self._listed[place], None)
        for _ in range(MOVES_A_DAY):
            song = self._listed.pop(self._chance.randrange(ENTRIES))
            self._listed.insert(self._chance.randrange(ENTRIES), song)
        scheduled_at = dt.datetime.combine(day, dt.time(6), dt.UTC)
        return Snapshot(
            playlist_id=self._id,
            snapshot_id=base62_id(self._id, day),
            scheduled_at=scheduled_at,
            fetched_at=scheduled_at + dt.timedelta(seconds=3),
            contract="items",
            copied_from=None,
            playlist=msgspec.convert({"name": self._name, "owner": {"id": "bench"}}, Playlist),
            entries=[self._entry(song, day) for song in self._listed],
        )

    def _entry(self, song_id: str, day: dt.date) -> Entry:
        if song_id not in self._entries:
            added_at = f"{day}T00:{self._chance.randrange(60):02}:{self._chance.randrange(60):02}Z"
            entry = playlists.Entry("song", song_id, added_at)
            sent = entry_object(entry, "new", day, frozenset())
            self._entries[song_id] = msgspec.convert(sent, Entry)
        return self._entries[song_id]


def _column_sizes(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> dict[str, int]:
    """Return the bytes of each column in a Parquet file of these rows, written as the lake writes it."""
    values = zip(*rows, strict=True) if rows else ((),) * len(schema)
    columns = [pa.array(column, type=field.type) for column, field in zip(values, schema, strict=True)]
    return _file_sizes(pa.table(columns, schema=schema))


def _file_sizes(rows: pa.Table) -> dict[str, int]:
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression="zstd", version="2.6")
    sizes = dict.fromkeys(rows.column_names, 0)
    metadata = pq.read_metadata(buffer)
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(number)
            sizes[chunk.path_in_schema.split(".")[0]] += chunk.total_compressed_size
    return sizes


def _csv_sizes(rows: Mapping[str, Sequence[tuple[object, ...]]]) -> dict[str, int]:
    """Return the bytes of the CSV files that the tutorials make of a snapshot, by folder."""
    named = {
        table.name: [dict(zip(table.column_names, row, strict=True)) for row in rows[table.name]]
        for table in TABLES
    }
    added = {entry["song_id"]: entry["added_at"] for entry in named["playlist_entries"]}
    albums = [
        [a["album_id"], a["name"], a["release_date"], a["total_tracks"], a["url"]] for a in named["albums"]
    ]
    artists = [[a["artist_id"], a["name"], a["url"]] for a in named["artists"]]
    songs = [
        [
            *(s["song_id"], s["name"], s["duration_ms"], s["url"], s["popularity"]),
            *(added[s["song_id"]], s["album_id"], _first(s["artist_ids"])),
        ]
        for s in named["songs"]
    ]
    return {
        "albums": _csv_size("album_id name release_date total_tracks url", albums),
        "artists": _csv_size("artist_id artist_name external_url", artists),
        "songs": _csv_size(
            "song_id song_name duration_ms url popularity song_added album_id artist_id", songs
        ),
    }


def _first(values: Any) -> object:
    return values[0] if values else None


def _csv_size(header: str, rows: Sequence[Sequence[object]]) -> int:
    text = io.StringIO()
    csv.writer(text).writerows([header.split(), *rows])
    return len(text.getvalue().encode())


def _csv_files(scans: Sequence[Scan]) -> set[str]:
    """Return the CSV folders and files that hold what the scans read."""
    bulk = {declared.table.name for declared in WAREHOUSE}
    folders = warehouse_bytes.csv_files((scan.table, scan.columns) for scan in scans if scan.table in bulk)
    for scan in scans:
        if scan.table in bulk:
            continue
        folders.add(scan.table if scan.table in {"albums", "artists"} else "songs")
        if "artist_names" in scan.columns:
            folders.add("artists")
    return folders


def _scans(folder: Path, sql: str) -> list[Scan]:
    """Return what the plan of a query reads."""
    tables = _divided()
    schema = {
        divided.table.name: {column.name: str(column.type) for column in divided.columns}
        for divided in tables
    }
    statement = sqlglot.parse_one(to_duckdb(sql, schema, views(), LAST_DAY), read="duckdb")
    for cte in statement.find_all(exp.CTE):
        cte.args["materialized"] = False  # Athena too plans each reference by itself
    with duckdb.connect() as connection:
        # These would merge scans, double them, or answer from statistics, which are those of empty files.
        connection.execute(
            "SET disabled_optimizers = 'common_subplan,empty_result_pullup,statistics_propagation,window_self_join'"
        )
        for divided in tables:
            name = divided.table.name
            columns = ", ".join(f'{name}{MARK}{column.name} AS "{column.name}"' for column in divided.columns)
            types = ", ".join(f"'{divided.key_name(key)}': {_HIVE_TYPES[key.type]}" for key in divided.keys)
            hive = f", hive_partitioning = true, hive_types = {{{types}}}" if types else ""
            connection.execute(
                f"CREATE VIEW {name} AS SELECT {columns} FROM read_parquet("  # noqa: S608 # nosec B608 # ours
                f"'{folder}/{name}/**/*.parquet'{hive})"
            )
        plan = connection.execute(f"EXPLAIN (FORMAT JSON) {statement.sql(dialect='duckdb')}").fetchall()[0][1]
        by_name = {divided.table.name: divided for divided in tables}
        return [scan for node in json.loads(plan) for scan in _of_plan(connection, by_name, node)]


def _of_plan(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Divided], node: dict[str, Any]
) -> Iterator[Scan]:
    details = node["extra_info"]
    if details.get("Function") == "READ_PARQUET":
        named = re.findall(rf"\b([a-z_]+?){MARK}(\w+)", json.dumps(details))
        (name,) = {table for table, _ in named}
        divided = tables[name]
        parts = _parts(connection, divided, details.get("File Filters", []))
        every = len(divided.parts)
        if parts and f"{len(parts)}/{every}" != details.get("Scanning Files", f"{every}/{every}"):
            raise ValueError(f"the parts of this scan are not understood: {details}")
        yield Scan(name, frozenset(column for _, column in named), parts)
    for child in node["children"]:
        yield from _of_plan(connection, tables, child)


def _parts(
    connection: duckdb.DuckDBPyConnection, divided: Divided, filters: str | list[str]
) -> frozenset[Part]:
    """Return the parts of which the files remain after the filters of a scan."""
    if not divided.keys:
        return frozenset(divided.parts)
    conditions = " AND ".join([filters] if isinstance(filters, str) else filters) or "true"
    conditions = conditions.replace(")(", ") AND (")
    marks = ", ".join(f"CAST(? AS {_HIVE_TYPES[key.type]})" for key in divided.keys)
    rows = ", ".join([f"({marks})"] * len(divided.parts))
    names = ", ".join(divided.key_name(key) for key in divided.keys)
    sql = f"SELECT * FROM (VALUES {rows}) AS parts ({names}) WHERE {conditions}"  # noqa: S608 # nosec B608 # ours
    values = [value for part in divided.parts for value in part]
    return frozenset(connection.execute(sql, values).fetchall())


if __name__ == "__main__":
    sys.exit(main())
