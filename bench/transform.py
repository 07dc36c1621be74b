"""How fast a raw object becomes Parquet files, compared with the tutorials' code and with the floor."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import io
import json
import os
from functools import partial
from itertools import product
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

import msgspec

from bench import floor, servers, tutorial
from bench.finding import Finding, Measured, at_most, cpu_seconds
from bench.payloads import NOON, raw_object
from local.emulator import Keys, client_environment
from local.spotify_stub import Contract
from local.spotify_stub.catalog import base62_id
from spotify_lake import keys
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw import envelope
from spotify_lake.transform import parquet as lake

LENGTHS: Final = (
    300,
    2_000,
    10_000,
)  # entries: a typical playlist, a long one, the longest that Spotify allows
WARM: Final = 100
BACKLOG: Final = 365 * 20  # a year of 20 playlists
BUCKET: Final = "bench"
CONTEXT: Final[Any] = SimpleNamespace(
    function_name="bench",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:bench",
    aws_request_id="bench",
    get_remaining_time_in_millis=lambda: 900_000,
)


def measure(*, quick: bool) -> Measured:
    """Compare CPU seconds, on payloads of both contracts."""
    findings: list[Finding] = []
    numbers: dict[str, float] = {}
    contracts: tuple[Contract, ...] = ("legacy",) if quick else ("legacy", "new")
    for contract, entries in product(contracts, LENGTHS[:2] if quick else LENGTHS):
        found, lake_s, tutorial_s = _compare(contract, entries, 3 if quick else 15)
        findings += found
        numbers |= {
            f"transform_{contract}_{entries}_cpu_s": lake_s,
            f"tutorial_{contract}_{entries}_cpu_s": tutorial_s,
        }
    warm = _warm(10 if quick else 60)
    findings.append(
        at_most(
            f"Warm invocation, {WARM} entries: CPU time relative to its S3 requests and Parquet files alone",
            warm["handler"] / warm["floor"],
            2,
            "×",
        )
    )
    numbers["warm_invocation_cpu_s"] = warm["handler"]
    return Measured(findings, numbers)


def _compare(contract: Contract, entries: int, repetitions: int) -> tuple[list[Finding], float, float]:
    """Compare the transform of one playlist with the tutorials' and with the floor; return CPU seconds of both too."""
    data = raw_object(entries, contract)
    text = gzip.decompress(data)
    session = _MemorySession()
    seconds = cpu_seconds(
        {
            "tutorial": partial(tutorial.transform, data),
            "floor": partial(floor.transform, data),
            "lake": partial(_in_memory, data, session),
            "unzip": partial(gzip.decompress, data),
            "json": partial(json.loads, text),
            "decode": partial(msgspec.json.decode, text, type=floor.Envelope),
        },
        repetitions,
    )
    of = f"Transform, {entries:,} entries, {contract} contract"
    lake_s, tutorial_s = seconds["lake"], seconds["tutorial"]
    findings = [
        at_most(f"{of}: CPU time relative to the floor", lake_s / seconds["floor"], 1.5, "×"),
        Finding(
            f"{of}: CPU time a playlist, and the tutorials'",
            f"{lake_s * 1000:,.0f} ms, {tutorial_s * 1000:,.0f} ms",
        ),
        Finding(
            f"{of}: CPU time of {BACKLOG:,} (365 days of 20 playlists), and the tutorials'",
            f"{lake_s * BACKLOG / 60:,.0f} min, {tutorial_s * BACKLOG / 60:,.0f} min",
        ),
    ]
    if entries == LENGTHS[-1]:
        findings += [
            Finding(f"{of}: entries per CPU second", f"{entries / lake_s:,.0f}"),
            Finding(f"{of}: speed relative to the tutorials'", f"{tutorial_s / lake_s:.3g} ×"),
            Finding(f"{of}: highest possible speed, the floor's", f"{tutorial_s / seconds['floor']:.3g} ×"),
            Finding(
                f"{of}: decoding speed relative to json.loads", f"{seconds['json'] / seconds['decode']:.3g} ×"
            ),
            Finding(f"{of}: unzipping, share of the floor", f"{seconds['unzip'] / seconds['floor']:.0%}"),
        ]
    return findings, lake_s, tutorial_s


class _Memory:
    """The part of an S3 client that awswrangler needs to write an object."""

    exceptions = SimpleNamespace()
    meta = SimpleNamespace(config=SimpleNamespace())

    def put_object(self, **_request: Any) -> dict[str, str]:
        """Accept the object and discard it."""
        return {"ETag": '"bench"'}


class _MemorySession(lake.Session):
    def client(self, *_args: Any, **_options: Any) -> Any:
        return _Memory()


def _in_memory(data: bytes, session: _MemorySession) -> None:
    lake.write(normalize(envelope.decode(data)), BUCKET, session)


def _warm(repetitions: int) -> dict[str, float]:
    """Measure invocations of the handler, and the same S3 requests and Parquet files alone.

    The function compares the playlist with the snapshot before. As on most days, the playlist has not changed since.
    """
    data = raw_object(WARM, "new")
    rows = floor.tables(data)
    with servers.s3(data) as endpoint, mock.patch.dict(os.environ, _environment(endpoint)):
        # These read the environment when they are imported.
        from functions.transform import app  # noqa: PLC0415
        from spotify_lake.observability import logger, metrics  # noqa: PLC0415

        metrics.namespace = metrics.service = BUCKET  # if it was imported without this environment

        event = s3_event(BUCKET, keys.raw_key(base62_id("bench playlist", 0), NOON), NOON)
        client = lake.Session().client("s3")

        logger.registered_handler.setStream(io.StringIO())  # type: ignore[attr-defined]

        def handler() -> None:
            with contextlib.redirect_stdout(io.StringIO()):  # the metrics
                answer = app.handler(event, CONTEXT)
            if answer["batchItemFailures"]:
                raise ValueError("the transform failed")

        def requests_and_files() -> None:
            client.list_objects_v2(Bucket=BUCKET, Prefix="raw/")
            for key in ("raw/before", "raw/now"):
                client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            for table in rows:
                client.put_object(Bucket=BUCKET, Key=table.name, Body=floor.parquet(table, rows[table]))

        return cpu_seconds({"handler": handler, "floor": requests_and_files}, repetitions)


def _environment(endpoint: str) -> dict[str, str]:
    return client_environment(endpoint, Keys("bench", "bench")) | {
        "LAKE_BUCKET": BUCKET,
        "EVENT_BUS": BUCKET,
        "POWERTOOLS_SERVICE_NAME": "transform",
        "POWERTOOLS_METRICS_NAMESPACE": BUCKET,
    }


def s3_event(bucket: str, key: str, written_at: dt.datetime) -> dict[str, Any]:
    """Return the SQS batch with the one message that S3 sends when a raw object is written."""
    record = {
        "eventTime": written_at.isoformat(),
        "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
    }
    message = {"messageId": "1", "body": json.dumps({"Records": [record]}), "eventSource": "aws:sqs"}
    return {"Records": [message]}
