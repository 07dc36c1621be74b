"""How the saved queries slow down as the lake grows, and what merging old days into monthly objects would save.

The files are those that the lake writes, and DuckDB runs the queries. bench/plans.py counts the days they read. A
table that a query reads whole grows with the lake, any other one does not: bench/scale.py computes from both what a
query takes in a lake of any age and number of playlists.
"""

from __future__ import annotations

import datetime as dt
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from bench import floor
from bench.finding import Finding, Measured
from bench.payloads import SEED, history
from bench.plans import LAST_DAY, SCHEMA, Planner, Scan
from local.spotify_stub import playlists
from local.spotify_stub.catalog import base62_id, catalog
from local.spotify_stub.playlist_objects import entry_object
from local.sql_dialect import to_duckdb
from queries import queries, used_by, views
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw.envelope import Snapshot
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION
from spotify_lake.schema.warehouse import WAREHOUSE
from spotify_lake.spotify.models import Entry, Playlist

SHORT, LONG = 30, 730  # days
PLANNED: Final = 1095  # days, more than any query reads that does not read all of them
WHOLE: Final = (  # views of the whole history, or of the last months
    "song_history",
    "playlist_changes",
    "daily_entries",
    "daily_playlists",
    "artist_trend_weekly",
    "artist_trend_monthly",
)
PLAYLISTS: Final = 4
POOL: Final = 400  # songs that come and go in one playlist
PUT, GET = 0.005 / 1000, 0.0004 / 1000  # dollars for a listing and a read


def measure(*, quick: bool) -> Measured:
    """Run each saved query on a short and on a long history, and on the long one with its months merged."""
    long = LONG // 12 if quick else LONG
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        _write(folder / "days", long)
        _merge(folder / "days", folder / "months")
        planner = Planner(folder / "plans", PLANNED)
        planned = {name: planner.scans(sql) for name, sql in (_questions() | _views()).items()}
        first = LAST_DAY - dt.timedelta(days=long - 1)
        scans = {name: [_since(first, scan) for scan in planned[name]] for name in _questions()}
        few = _seconds(_questions(), folder / "days", LAST_DAY - dt.timedelta(days=SHORT - 1))
        many = _seconds(_questions(), folder / "days", None)
        merged = _seconds(_questions(), folder / "months", None)
        seconds = many | _seconds(_views(), folder / "days", None)
        sizes = {table.name: _object_bytes(folder / "days" / table.name) for table in TABLES}
    numbers = {f"object bytes: {name}": size for name, size in sizes.items()}
    for name, found in planned.items():
        read = sum(len(_since(first, scan).days) for scan in found) * PLAYLISTS
        numbers |= _reads(name, found, sizes) | {f"reads of {name}: CPU s an object": seconds[name] / read}
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
        ],
        numbers,
    )


def _since(first: dt.date, scan: Scan) -> Scan:
    return Scan(scan.table, frozenset(day for day in scan.days if day >= first))


def _reads(name: str, scans: Sequence[Scan], sizes: Mapping[str, float]) -> dict[str, float]:
    """Return how many days of tables a query reads in a lake with one playlist, and their bytes.

    Those of tables that it reads whole are for each day of the lake.
    """
    whole = [scan for scan in scans if len(scan.days) == PLANNED]
    bounded = [scan for scan in scans if len(scan.days) < PLANNED]
    return {
        f"reads of {name}: whole tables": len(whole),
        f"reads of {name}: bytes of whole tables a day": sum(sizes[scan.table] for scan in whole),
        f"reads of {name}: days": sum(len(scan.days) for scan in bounded),
        f"reads of {name}: bytes": sum(len(scan.days) * sizes[scan.table] for scan in bounded),
    }


def _object_bytes(folder: Path) -> float:
    return statistics.mean(path.stat().st_size for path in folder.glob("*/*.parquet"))


def _views() -> dict[str, str]:
    return {name: f"SELECT * FROM {name}" for name in WHOLE}  # noqa: S608 # nosec B608 # names of ours


def _questions() -> dict[str, str]:
    """Return the SQL of the saved queries that read playlists: plays and the bulk data sets do not grow by the day."""
    bulk = [declared.table.name for declared in WAREHOUSE]
    return {
        name: query.sql
        for name, query in queries().items()
        if query.group != "listening" and not used_by(query.sql, bulk)
    }


def _write(folder: Path, days: int) -> None:
    """Write the tables of each playlist and day, one object each."""
    for playlist in range(PLAYLISTS):
        for snapshot in _snapshots(playlist, days):
            rows = normalize(snapshot).rows
            day = snapshot.scheduled_at.date()
            for table in TABLES:
                path = folder / table.name / f"{PARTITION.name}={day}" / f"{playlist}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                columns = dict(zip(table.column_names, zip(*rows[table.name], strict=True), strict=False))
                path.write_bytes(floor.parquet(table, columns))


def _snapshots(number: int, days: int) -> Iterator[Snapshot]:
    """Yield a playlist of songs from the stub's catalog that changes a little every day, up to `LAST_DAY`."""
    playlist_id = base62_id("bench playlist", number)
    pool = random.Random(f"{SEED} {number}").sample(sorted(catalog().songs), POOL)  # noqa: S311 # nosec B311
    entries: dict[str, Entry] = {}
    for age, listed in zip(reversed(range(days)), history(number, days, cycle(pool)), strict=True):
        day = LAST_DAY - dt.timedelta(days=age)
        entries = {song: entries.get(song) or _entry(song, day) for song in listed}
        scheduled_at = dt.datetime.combine(day, dt.time(6), dt.UTC)
        yield Snapshot(
            playlist_id=playlist_id,
            snapshot_id=base62_id(playlist_id, day),
            scheduled_at=scheduled_at,
            fetched_at=scheduled_at + dt.timedelta(seconds=3),
            contract="items",
            copied_from=None,
            playlist=msgspec.convert({"name": f"Playlist {number}", "owner": {"id": "bench"}}, Playlist),
            entries=list(entries.values()),
        )


def _entry(song: str, day: dt.date) -> Entry:
    added = playlists.Entry("song", song, f"{day}T00:00:00Z")
    return msgspec.convert(entry_object(added, "new", day, frozenset()), Entry)


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


def _seconds(questions: Mapping[str, str], folder: Path, first: dt.date | None) -> dict[str, float]:
    """Return the CPU seconds of each query on the days from `first` on."""
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
        for name, question in questions.items():
            sql = to_duckdb(question, SCHEMA, views(), LAST_DAY)
            begun = time.process_time()
            connection.execute(sql).to_arrow_table()
            seconds[name] = time.process_time() - begun
    return seconds


def _ratio(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return sum(one.values()) / sum(other.values())
