"""How many days of each table the report's queries read.

The report's own code queries a lake in DuckDB that holds what decides the days: the playlists and their entries. What
each query reads is counted in its plan (bench/plans.py). The playlists are those of the cost model: some of them change
on a day, and then some of their songs are replaced by new ones.
"""

from __future__ import annotations

import datetime as dt
import io
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa

from bench.browser import READY_S, ready_s
from bench.cost import CHANGED, template_settings
from bench.finding import Finding, Measured, at_most
from bench.payloads import history
from bench.plans import LAST_DAY, Planner, Scan, reads
from spotify_lake.athena import Athena, Question, decode
from spotify_lake.observability import logger
from spotify_lake.report import plays, queries
from spotify_lake.report.run import run
from spotify_lake.schema.listening import PLAYS
from spotify_lake.schema.playlists import PLAYLIST_ENTRIES, PLAYLISTS, TABLES
from spotify_lake.schema.types import PARTITION
from spotify_lake.transform.parquet import arrow_schema

SQL: Final = Path(queries.__file__).parent / "sql"
DAYS: Final = 365  # in the lake
NEAR: Final = 2  # references that read only the months in which plays of the API may be those of an export
OF_PLAYS: Final = ("play_files", "plays", "play_copies", "play_matches", "play_pass")  # files of SQL
NIGHT: Final = dt.datetime.combine(LAST_DAY, dt.time(7), dt.UTC)


def measure(*, quick: bool) -> Measured:
    """Write the report for lakes of several sizes, and count the days that its queries read."""
    logger.registered_handler.setStream(io.StringIO())  # type: ignore[attr-defined]
    usual = template_settings().report_days
    sizes = [(10, usual)] if quick else [(1, usual), (10, usual), (100, usual), (10, 30), (10, 365)]
    findings: list[Finding] = []
    numbers: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        planner = Planner(Path(name), DAYS)
        for playlists, days in sizes:
            asked, bucket = scans(planner, playlists, days)
            by_table = Counter[str]()
            for scan in chain.from_iterable(asked.values()):
                by_table[scan.table] += len(scan.days)
            listed = by_table.total()
            found = {
                "queries": len(asked),
                "listings": listed,
                "own PUTs": bucket.puts,
                "page bytes": len(bucket.page),
                "CPU s": bucket.cpu_s,
            }
            numbers |= {f"report_{playlists}_{days}: {what}": number for what, number in found.items()}
            numbers |= {f"report_sql: {name}": fingerprint(name) for name in asked}
            parts = ", ".join(f"{number} of {table}" for table, number in by_table.most_common())
            findings.append(
                Finding(
                    f"Report, {days} days, {playlists} playlist{'s'[: playlists - 1]}: table days read",
                    f"{listed}: {parts}",
                    f"lower bound: {2 * days}",  # playlists and entries, each once
                )
            )
            of = f"{days} days, {playlists} playlist{'s'[: playlists - 1]}"
            findings.append(
                Finding(
                    f"Report, {of}: size, and CPU time without Athena",
                    f"{len(bucket.page) / 1e6:.2g} MB, {bucket.cpu_s:.2g} s",
                )
            )
            if ready := ready_s(bucket.page):
                findings.append(at_most(f"Report, {of}: ready in Chromium", ready, READY_S, "s"))
    of_plays = reads_of_plays()
    numbers |= {
        "report_plays: reads of all months": of_plays - NEAR,
        "report_plays: reads of polled months": NEAR,
    }
    numbers |= {f"report_sql: {name}": fingerprint(name) for name in OF_PLAYS}
    findings.append(
        Finding(
            "Report, plays: how often Athena reads the table",
            f"{of_plays} times, {NEAR} of them only the months with polls",
            "lower bound: 1",
        )
    )
    return Measured(findings, numbers)


def reads_of_plays() -> int:
    """Return how often Athena reads the table for the query about plays."""
    polled = plays.RangeRow(0, 0, 0, LAST_DAY)
    return reads(plays.plays(polled, "UTC").sql, PLAYS.name)


def scans(planner: Planner, playlists: int, days: int) -> tuple[dict[str, list[Scan]], Bucket]:
    """Write a report; return what each query reads, and the bucket with what it says about the report.

    Parameters
    ----------
    planner
        Plans the queries; its lake may have more days than the report covers.
    playlists, days
        How many of each the report covers.
    """
    athena, s3 = _Recording(_lake(playlists, days)), Bucket(planner.days)
    begun = time.process_time()
    run(athena, s3, "bench", days, "UTC", NIGHT)  # type: ignore[arg-type] # as much of S3 as it uses
    s3.cpu_s = time.process_time() - begun - athena.cpu_s
    return {name: planner.scans(sql) for name, sql in athena.asked.items()}, s3


def fingerprint(name: str) -> int:
    """Return a number that changes with a query of the report."""
    return zlib.crc32((SQL / f"{name}.sql").read_bytes())


class _Recording(Athena):
    """Answers with DuckDB and records the questions."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.asked: dict[str, str] = {}
        self.cpu_s = 0.0  # of the engine

    def start[Row: msgspec.Struct](self, question: Question[Row]) -> Callable[[], list[Row]]:
        self.asked[question.name] = question.sql
        begun = time.process_time()
        answer = self._connection.execute(question.sql)
        columns = [column[0] for column in answer.description]
        texts = [[_text(value) for value in row] for row in answer.fetchall()]
        self.cpu_s += time.process_time() - begun
        rows = list(decode(question.row, columns, texts))
        return lambda: rows


def _text(value: object) -> str | None:
    """Format a value as Athena does."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


class Bucket:
    """Lists a folder for each day.

    Attributes
    ----------
    puts
        Requests that S3 charges as a PUT.
    page
        The report.
    cpu_s
        CPU seconds of the report's own code.
    """

    def __init__(self, days: Sequence[dt.date]) -> None:
        self._days = days
        self.puts = 0
        self.page = b""
        self.cpu_s = 0.0

    def get_paginator(self, _operation: str) -> Bucket:
        """Return itself."""
        return self

    def paginate(self, *, Prefix: str, **_request: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's
        """List the folders."""
        self.puts += 1
        yield {"CommonPrefixes": [{"Prefix": f"{Prefix}{day}/"} for day in self._days]}

    def list_objects_v2(self, **_request: object) -> dict[str, int]:
        """Answer as a lake without plays."""
        self.puts += 1
        return {"KeyCount": 0}

    def put_object(self, *, Body: bytes, **_request: object) -> None:  # noqa: N803 - boto3's
        """Take the page."""
        self.puts += 1
        self.page = Body


def _lake(playlists: int, days: int) -> duckdb.DuckDBPyConnection:
    """Return all tables; only the two that decide which days are read have rows."""
    connection = duckdb.connect(config={"threads": 2})
    for table in TABLES:
        schema = arrow_schema(table).append(pa.field(PARTITION.name, pa.date32()))
        connection.from_arrow(schema.empty_table()).create(table.name)
    first = dt.datetime.combine(LAST_DAY, dt.time(6), dt.UTC) - dt.timedelta(days=days - 1)
    snapshots = [
        {"playlist_id": f"{number:022}", "scheduled_at": first + dt.timedelta(days=day), "songs": songs}
        for number in range(playlists)
        for day, songs in enumerate(history(number, days, (f"{number} {song}" for song in count()), CHANGED))
    ]
    connection.register("snapshots", pa.Table.from_pylist(snapshots))
    for table, columns in (
        (PLAYLISTS, "len(songs) AS entry_count"),
        (
            PLAYLIST_ENTRIES,
            "generate_subscripts(songs, 1) AS position, 'song' AS kind, unnest(songs) AS song_id, unnest(songs) AS uri",
        ),
    ):
        connection.execute(
            f"INSERT INTO {table.name} BY NAME SELECT playlist_id, scheduled_at, 'Some title' AS name,"  # noqa: S608 # nosec B608 # ours
            f" CAST(scheduled_at AS DATE) AS {PARTITION.name}, {columns} FROM snapshots"
        )
    return connection
