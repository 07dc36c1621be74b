"""How the saved queries grow with the lake, and what merging old days into one object a table and month would bring.

The files are those that the lake writes, the engine is DuckDB. Bytes come from the plans, as in bench/query_bytes.py.
"""

from __future__ import annotations

import datetime as dt
import io
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from unittest import mock

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from bench import floor, query_bytes
from bench.finding import Finding, Measured
from bench.query_bytes import LAST_DAY
from local.sql_dialect import to_duckdb
from queries import queries, used_by, views
from spotify_lake.normalize import normalize
from spotify_lake.schema import PARTITION, TABLES
from spotify_lake.warehouse import WAREHOUSE

SHORT, LONG = 30, 730  # days
PLAYLISTS: Final = 4
PUT, GET = 0.005 / 1000, 0.0004 / 1000  # dollars for a listing and a read


@dataclass
class Lake:
    """Files of a lake, and the bytes of each column by table and day."""

    folder: Path
    sizes: dict[tuple[str, dt.date], dict[str, int]] = field(default_factory=dict)


def measure(*, quick: bool) -> Measured:
    """Run each saved query on a short and on a long history, and on the long one with its months merged."""
    long = LONG // 12 if quick else LONG
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        mock.patch.object(query_bytes, "DAYS", long),
        mock.patch.object(query_bytes, "PLAYLISTS", PLAYLISTS),
    ):
        folder = Path(name)
        lake = _write(folder / "days", long)
        _merge(folder / "days", folder / "months")
        plans = folder / "plans"
        query_bytes._lay_out(plans)  # noqa: SLF001 - of this package
        scans = {name: query_bytes._scans(plans, sql) for name, sql in _questions().items()}  # noqa: SLF001
        first = LAST_DAY - dt.timedelta(days=SHORT - 1)
        last_days = [first + dt.timedelta(days=number) for number in range(SHORT)]
        few = _seconds(folder / "days", first)
        many = _seconds(folder / "days", None)
        merged = _seconds(folder / "months", None)
    bytes_few = _bytes(scans, lake, last_days)
    bytes_many = _bytes(scans, lake, None)
    growth = [bytes_many[name] / bytes_few[name] for name in scans if bytes_few[name]]
    listings = sum(len(_days(scan)) for found in scans.values() for scan in found)
    months = sum(
        len({(day.year, day.month) for day in _days(scan)}) for found in scans.values() for scan in found
    )
    daily_dollars = listings * (PUT + PLAYLISTS * GET)
    merged_dollars = months * (PUT + GET)
    of = f"{len(scans)} saved queries"
    return Measured(
        [
            Finding(
                f"{of}: bytes read of {long} days against {SHORT} days, median",
                f"{statistics.median(growth):.3g} ×",
            ),
            Finding(
                f"{of}: CPU time on {long} days against {SHORT} days, in all",
                f"{_ratio(many, few):.3g} ×",
            ),
            Finding(
                f"{of}: the slowest on {long} days of {PLAYLISTS} playlists ({max(many, key=lambda n: many[n])})",
                f"{max(many.values()):.3g} CPU s",
            ),
            Finding(f"Merged months: CPU time of {of} on {long} days", f"{1 / _ratio(many, merged):.3g} ×"),
            Finding(
                f"Merged months: S3 requests of {of} on {long} days, each asked once, {PLAYLISTS} playlists",
                f"{months * 2:,} instead of {listings * (1 + PLAYLISTS):,}",
            ),
            Finding(
                f"Merged months: what these requests cost, {PLAYLISTS} playlists",
                f"${merged_dollars:.4f} instead of ${daily_dollars:.4f}",
            ),
        ],
        {"query_listings": listings, "query_months": months},
    )


def _questions() -> dict[str, str]:
    """Return the SQL of the saved queries that read playlists: the bulk data sets do not grow by the day."""
    bulk = [declared.table.name for declared in WAREHOUSE]
    return {name: query.sql for name, query in queries().items() if not used_by(query.sql, bulk)}


def _days(scan: query_bytes.Scan) -> list[dt.date]:
    return [day for (day,) in scan.parts if isinstance(day, dt.date)]


def _write(folder: Path, days: int) -> Lake:
    """Write the days' objects, each playlist's in one of its own."""
    lake = Lake(folder)
    lists = [query_bytes._Changing(number) for number in range(PLAYLISTS)]  # noqa: SLF001
    for number in range(days):
        day = LAST_DAY - dt.timedelta(days=days - 1 - number)
        for place, changing in enumerate(lists):
            rows = normalize(changing.snapshot(day)).rows
            for table in TABLES:
                data = floor.parquet(table, rows[table.name])
                path = folder / table.name / f"{PARTITION.name}={day}" / f"{place}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                sizes = lake.sizes.setdefault((table.name, day), defaultdict(int))
                metadata = pq.read_metadata(io.BytesIO(data))
                for column in range(metadata.num_columns if metadata.num_row_groups else 0):
                    chunk = metadata.row_group(0).column(column)
                    sizes[chunk.path_in_schema.split(".")[0]] += chunk.total_compressed_size
    return lake


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


def _bytes(
    scans: Mapping[str, Sequence[query_bytes.Scan]], lake: Lake, days: Sequence[dt.date] | None
) -> dict[str, int]:
    return {
        name: sum(
            lake.sizes[scan.table, day][column]
            for scan in found
            for day in _days(scan)
            if days is None or day in days
            for column in scan.columns - {PARTITION.name}
        )
        for name, found in scans.items()
    }


def _ratio(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return sum(one.values()) / sum(other.values())
