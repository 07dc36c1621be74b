"""How the saved queries slow down as the lake grows, and what merging old days into monthly objects would save.

The files are those that the lake writes, and DuckDB runs the queries. bench/plans.py counts the days they read.
"""

from __future__ import annotations

import datetime as dt
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from bench import floor
from bench.finding import Finding, Measured
from bench.payloads import MOVES_A_DAY, NEW_A_DAY, SEED
from bench.plans import LAST_DAY, Planner
from local.spotify_stub import playlists
from local.spotify_stub.catalog import base62_id, catalog
from local.spotify_stub.playlist_objects import entry_object
from local.sql_dialect import to_duckdb
from queries import queries, used_by, views
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw.envelope import Snapshot
from spotify_lake.schema.playlists import PARTITION, TABLES
from spotify_lake.schema.warehouse import WAREHOUSE
from spotify_lake.spotify.models import Entry, Playlist

SHORT, LONG = 30, 730  # days
PLAYLISTS: Final = 4
ENTRIES: Final = 100
POOL: Final = 400  # songs that come and go in one playlist
PUT, GET = 0.005 / 1000, 0.0004 / 1000  # dollars for a listing and a read


def measure(*, quick: bool) -> Measured:
    """Run each saved query on a short and on a long history, and on the long one with its months merged."""
    long = LONG // 12 if quick else LONG
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        _write(folder / "days", long)
        _merge(folder / "days", folder / "months")
        planner = Planner(folder / "plans", long)
        scans = {name: planner.scans(sql) for name, sql in _questions().items()}
        few = _seconds(folder / "days", LAST_DAY - dt.timedelta(days=SHORT - 1))
        many = _seconds(folder / "days", None)
        merged = _seconds(folder / "months", None)
    days_read = [len(frozenset[dt.date]().union(*(scan.days for scan in found))) for found in scans.values()]
    listings = sum(len(scan.days) for found in scans.values() for scan in found)
    months = sum(
        len({(day.year, day.month) for day in scan.days}) for found in scans.values() for scan in found
    )
    daily_dollars = listings * (PUT + PLAYLISTS * GET)
    merged_dollars = months * (PUT + GET)
    of = f"{len(scans)} saved queries"
    return Measured(
        [
            Finding(f"{of}: days read of {long}, median", f"{statistics.median(days_read):g}"),
            Finding(
                f"{of}: total CPU time on {long} days relative to {SHORT} days",
                f"{_ratio(many, few):.3g} ×",
            ),
            Finding(
                f"{of}: slowest on {long} days of {PLAYLISTS} playlists ({max(many, key=lambda n: many[n])})",
                f"{max(many.values()):.3g} CPU s",
            ),
            Finding(
                f"Merged months: CPU time of {of} relative to daily objects, {long} days",
                f"{1 / _ratio(many, merged):.3g} ×",
            ),
            Finding(
                f"Merged months: S3 requests of {of} on {long} days, each run once, {PLAYLISTS} playlists",
                f"{months * 2:,} instead of {listings * (1 + PLAYLISTS):,}",
            ),
            Finding(
                f"Merged months: cost of these requests, {PLAYLISTS} playlists",
                f"${merged_dollars:.4f} instead of ${daily_dollars:.4f}",
            ),
        ]
    )


def _questions() -> dict[str, str]:
    """Return the SQL of the saved queries that read playlists: the bulk data sets do not grow by the day."""
    bulk = [declared.table.name for declared in WAREHOUSE]
    return {name: query.sql for name, query in queries().items() if not used_by(query.sql, bulk)}


def _write(folder: Path, days: int) -> None:
    """Write the tables of each playlist and day, one object each."""
    lists = [_Changing(number) for number in range(PLAYLISTS)]
    for number in range(days):
        day = LAST_DAY - dt.timedelta(days=days - 1 - number)
        for playlist, changing in enumerate(lists):
            rows = normalize(changing.snapshot(day)).rows
            for table in TABLES:
                path = folder / table.name / f"{PARTITION.name}={day}" / f"{playlist}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                columns = dict(zip(table.column_names, zip(*rows[table.name], strict=True), strict=False))
                path.write_bytes(floor.parquet(table, columns))


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


def _merge(days: Path, months: Path) -> None:
    """Write the rows of each table and month into one object, day by day."""
    for table in TABLES:
        by_month: dict[str, list[pa.Table]] = defaultdict(list)
        for path in sorted((days / table.name).glob("*/*.parquet")):
            day = dt.date.fromisoformat(path.parent.name.partition("=")[2])
            rows = pq.ParquetFile(path).read()
            column = pa.array([day] * len(rows), pa.date32())
            by_month[f"{day:%Y-%m}"].append(rows.append_column(PARTITION.name, column))
        for month, parts in by_month.items():
            path = months / table.name / f"month={month}" / "merged.parquet"
            path.parent.mkdir(parents=True)
            pq.write_table(pa.concat_tables(parts), path, compression="zstd", version="2.6")


def _seconds(folder: Path, first: dt.date | None) -> dict[str, float]:
    """Return the CPU seconds of each query on the days from `first` on."""
    schema = {
        table.name: {column.name: str(column.type) for column in (*table.columns, PARTITION)}
        for table in TABLES
    }
    seconds = {}
    with duckdb.connect(config={"threads": 2}) as connection:
        for table in TABLES:
            files = [
                str(path)
                for path in sorted((folder / table.name).glob("*/*.parquet"))
                if first is None or path.parent.name.partition("=")[2] >= str(first)
            ]
            merged = files[0].endswith("merged.parquet")
            options = (
                "" if merged else f", hive_partitioning = true, hive_types = {{'{PARTITION.name}': DATE}}"
            )
            columns = ", ".join((*table.column_names, PARTITION.name))
            connection.execute(
                f"CREATE VIEW {table.name} AS SELECT {columns} FROM read_parquet({files}{options})"  # noqa: S608
            )
        for name, question in _questions().items():
            sql = to_duckdb(question, schema, views(), LAST_DAY)
            begun = time.process_time()
            connection.execute(sql).fetchall()
            seconds[name] = time.process_time() - begun
    return seconds


def _ratio(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return sum(one.values()) / sum(other.values())
