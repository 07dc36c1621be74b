"""Half a million plays: accounting for every row, importing beside DuckDB and on the laptop stack, and asking."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from unittest import mock

import duckdb
import msgspec
from rich.console import Console

from bench import accounting, polls, servers
from bench.browser import READY_S, ready_s
from bench.finding import Finding, Measured, at_most, cpu_seconds
from bench.isolated import ROOT, lambda_python
from cli import import_wait
from cli.commands import import_
from cli.stack import DEFAULT_STACK, Lake
from cli.terminal import Terminal
from local.backlog import keys_below
from local.emulator import REGION, leave_aws
from local.made_up_listening import PRIVATE, ROWS_PER_FILE, Listener, extended_files, history
from local.stack import LaptopStack
from queries import queries
from spotify_lake import keys
from spotify_lake.observability import logger, metrics
from spotify_lake.raw.plays import Form, pack_export
from spotify_lake.raw.store import RawObject
from spotify_lake.schema.listening import PLAYS
from spotify_lake.transform.listening import ListeningWriter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILES: Final = 25
LISTENER: Final = Listener(FILES * ROWS_PER_FILE, dt.date(2011, 11, 20), dt.date(2026, 11, 19))
QUICK: Final = Listener(ROWS_PER_FILE, dt.date(2024, 11, 20), dt.date(2026, 11, 19))
IMPORTED_AT: Final = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
STATE: Final = ROOT / ".local" / "bench"
EMULATOR_PORT, STUB_PORT = 24566, 28700
MB: Final = 1e6
_TRANSFORM: Final = """
import os
from pathlib import Path

import app
from spotify_lake.raw.store import RawObject

write = app.clients()["write_listening"]
assert write(RawObject("bench", os.environ["KEY"], None), Path(os.environ["FILE"]).read_bytes(), None)
"""


def measure(*, quick: bool) -> Measured:
    """Make the files of an export, and measure each step of what becomes of them."""
    listener = QUICK if quick else LISTENER
    findings: list[Finding] = []
    numbers: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        files = _write(Path(folder) / "export", listener)
        odd = Path(folder) / "odd"
        odd.mkdir()
        for measured in (
            accounting.measure(replace(listener, plays=listener.plays * 43 // 50), odd),
            _beside_duckdb(files, listener.plays, 1 if quick else 3),
            _memory(files),
            _on_the_laptop(files, listener.plays),
            polls.measure(),
        ):
            findings += measured.findings
            numbers |= measured.numbers
    return Measured(findings, numbers)


def _write(folder: Path, listener: Listener) -> list[Path]:
    """Write the files of the extended history."""
    folder.mkdir()
    files = []
    for name, rows in extended_files(history(listener)):
        path = folder / name
        path.write_text(json.dumps(rows, indent=2, ensure_ascii=False))
        files.append(path)
    return files


def _form(path: Path) -> Form:
    return "video" if "Video" in path.name else "audio"


# --- beside DuckDB ---------------------------------------------------------------------------


class _Memory:
    """An S3 that takes every object."""

    def put_object(self, **_request: Any) -> None:
        """Accept the object and discard it."""


def _beside_duckdb(files: list[Path], plays: int, repetitions: int) -> Measured:
    """Compare the CPU time of import and transform with that of DuckDB on the same files."""
    packed = [_pack(path) for path in files]
    logger.registered_handler.setStream(io.StringIO())  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        seconds = cpu_seconds(
            {
                "pack": lambda: [_pack(path) for path in files],
                "transform": partial(_transform_all, packed),
                "duckdb": partial(_duckdb, files, Path(folder)),
            },
            repetitions,
        )
    of = f"Plays, {plays:,} rows"
    whole = seconds["pack"] + seconds["transform"]
    return Measured(
        [
            at_most(
                f"{of}: CPU time of the transform relative to DuckDB",
                seconds["transform"] / seconds["duckdb"],
                3,
                "×",
            ),
            Finding(
                f"{of}: CPU time of import and transform relative to DuckDB",
                f"{whole / seconds['duckdb']:.3g} ×",
            ),
            Finding(f"{of}: rows per CPU second, import and transform", f"{plays / whole:,.0f}"),
        ],
        {"plays_transform_cpu_s": seconds["transform"] / plays},
    )


def _pack(path: Path) -> tuple[str, bytes]:
    """Make the raw object of a file as the import does; return its key and bytes."""
    rows = msgspec.json.decode(path.read_bytes(), type=list[msgspec.Raw])
    packed = pack_export(_form(path), path.name, rows, IMPORTED_AT)
    return packed.key, packed.data


def _transform_all(packed: list[tuple[str, bytes]]) -> None:
    """Turn raw objects into Parquet objects as the function does."""
    writer = ListeningWriter(cast("S3Client", _Memory()), "bench")
    for key, data in packed:
        writer.transform(RawObject("bench", key, None), data, None)
        metrics.clear_metrics()


def _duckdb(files: list[Path], folder: Path) -> None:
    """Write the rows of the files as Parquet by month, whatever is in them."""
    names = [str(path) for path in files]
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"COPY (SELECT * EXCLUDE ({', '.join(PRIVATE)}), strftime(CAST(ts AS TIMESTAMP), '%Y-%m') AS played_month"  # noqa: S608 # nosec B608 # names of ours
            f" FROM read_json({names})) TO '{folder}'"
            " (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (played_month), OVERWRITE)"
        )


def _memory(files: list[Path]) -> Measured:
    """Transform each file in its own process, as Lambda's Python does; report the highest peak."""
    peaks = []
    with servers.sink() as s3, lambda_python() as python, tempfile.NamedTemporaryFile() as file:
        for path in (files[0], files[-1]):  # a full one of a few months, and the one that has all months
            key, data = _pack(path)
            Path(file.name).write_bytes(data)
            environment = {
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ENDPOINT_URL": s3,
                "LAKE_BUCKET": "bench",
                "EVENT_BUS": "bench",
                "POWERTOOLS_SERVICE_NAME": "transform",
                "POWERTOOLS_METRICS_NAMESPACE": "bench",
                "KEY": key,
                "FILE": file.name,
            }
            peaks.append(python.run(_TRANSFORM, [ROOT / "functions/transform"], **environment).peak_mb)
    what = f"Peak memory, a file of {ROWS_PER_FILE:,} plays and one of {len(files)}: transform"
    return Measured([at_most(what, max(peaks), 512, "MB")], {"plays_transform_peak_mb": max(peaks)})


# --- on the laptop stack ---------------------------------------------------------------------


def _on_the_laptop(files: list[Path], plays: int) -> Measured:
    """Import the files into the deployed laptop stack, and ask every question about listening."""
    with _deployed() as stack:
        lake = _as_lake(stack)
        begun = time.monotonic()
        import_.run(
            lake, Terminal(Console(file=io.StringIO())), [str(files[0].parent)], wait=import_wait.wait
        )
        imported_s = time.monotonic() - begun
        found = stack.athena("SELECT count(*) AS n FROM plays").rows
        if found != ((plays,),):
            raise ValueError(f"{found} instead of {plays:,} plays are in the tables")
        s3, bucket = stack.client("s3"), stack.outputs["LakeBucketName"]
        sizes = [
            s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
            for key in keys_below(s3, bucket, PLAYS.prefix)
        ]
        seconds = {
            name: _asked(stack, query.sql) for name, query in queries().items() if query.group == "listening"
        }
        if error := stack.invoke("report", {}).error:
            raise ValueError(f"the report was not written: {error}")
        page = s3.get_object(Bucket=bucket, Key=keys.REPORT_INDEX)["Body"].read()
    ready = ready_s(page)
    slowest = max(seconds, key=lambda name: seconds[name])
    of = f"{plays:,} plays in {len(files)} files, laptop stack"
    return Measured(
        [
            at_most(f"{of}: import to queryable", imported_s, 90, "s"),
            Finding(f"{of}: table plays", f"{sum(sizes) / MB:.1f} MB in {len(sizes):,} objects"),
            at_most(f"{of}: slowest of {len(seconds)} questions ({slowest})", seconds[slowest], 2, "s"),
            Finding(f"{of}: all questions", f"{sum(seconds.values()):.1f} s"),
            at_most(f"{of}: the report", len(page) / MB, 5, "MB"),
            *([at_most(f"{of}: the report is ready in Chromium", ready, READY_S, "s")] if ready else []),
        ],
        {
            "plays_import_s": imported_s,
            "plays_bytes": sum(sizes) / plays,
            "plays_objects": len(sizes) / plays,
            **{f"question_{name}_s": value for name, value in seconds.items()},
        },
    )


def _asked(stack: LaptopStack, sql: str) -> float:
    begun = time.monotonic()
    stack.athena(sql)
    return time.monotonic() - begun


@contextmanager
def _deployed() -> Iterator[LaptopStack]:
    with mock.patch.dict(os.environ):
        leave_aws(os.environ)
        stack = LaptopStack(ROOT, STATE, emulator_port=EMULATOR_PORT, stub_port=STUB_PORT)
        try:
            stack.down()
            stack.up()
            yield stack
        finally:
            stack.down()


def _as_lake(stack: LaptopStack) -> Lake:
    """Return the stack in the form that commands use."""
    return Lake(
        on_laptop=True,
        stack=DEFAULT_STACK,
        account="000000000000",
        region=REGION,
        outputs=stack.outputs,
        parameters={},
        client=stack.client,
    )
