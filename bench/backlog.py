"""How fast the deployed laptop stack clears a backlog, with batches of one, ten and a hundred messages."""

from __future__ import annotations

import datetime as dt
import os
import time
from functools import cache
from typing import Final
from unittest import mock

from bench.finding import Finding, Measured
from bench.isolated import ROOT
from bench.payloads import raw_object
from local.emulator import leave_aws
from local.stack import LaptopStack
from spotify_lake import keys
from spotify_lake.raw import envelope
from spotify_lake.schema.playlists import TABLES

OBJECTS: Final = 1000
ENTRIES: Final = 50
CONCURRENCY: Final = 10  # two in a quick run, for fewer cold starts
BATCHES: Final = (1, 10, 100)
STATE: Final = ROOT / ".local" / "bench"
EMULATOR_PORT, STUB_PORT = 24566, 28700
FIRST_DAY: Final = dt.datetime(2026, 1, 1, 6, tzinfo=dt.UTC)
PLAYLISTS: Final = 10
POLL_S: Final = 0.5
PATIENCE_S: Final = 600.0


def measure(*, quick: bool) -> Measured:
    """For each batch size, write raw objects to the bucket and wait for their tables."""
    objects, concurrency = (OBJECTS // 50, 2) if quick else (OBJECTS, CONCURRENCY)
    findings: list[Finding] = []
    numbers: dict[str, float] = {}
    with mock.patch.dict(os.environ):
        leave_aws(os.environ)
        stack = LaptopStack(
            ROOT,
            STATE,
            parameters={"TransformConcurrency": str(concurrency)},
            emulator_port=EMULATOR_PORT,
            stub_port=STUB_PORT,
        )
        try:
            stack.down()
            stack.up()
            _work_off(stack, 0, 1, 3 * concurrency)  # takes the cold starts
            for turn, batch in enumerate(BATCHES[1:2] if quick else BATCHES, start=1):
                seconds = _work_off(stack, turn, batch, objects)
                findings.append(
                    Finding(
                        f"Backlog of {objects:,} raw objects, {concurrency} functions at a time, batches of {batch}",
                        f"{objects / seconds:.3g} objects per second",
                    )
                )
                numbers[f"backlog_{batch}_objects_per_s"] = objects / seconds
        finally:
            stack.down()
    return Measured(findings, numbers)


def _set_mapping(stack: LaptopStack, *, size: int, enabled: bool) -> None:
    client = stack.client("lambda")
    name = stack.outputs["TransformFunctionName"]
    [mapping] = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    client.update_event_source_mapping(
        UUID=mapping["UUID"],
        Enabled=enabled,
        BatchSize=size,
        # Lambda requires a batching window for more than ten messages.
        MaximumBatchingWindowInSeconds=0 if size <= 10 else 1,
    )


def _work_off(stack: LaptopStack, turn: int, batch: int, objects: int) -> float:
    """Return the seconds from enabling the queue until the last object of the last table."""
    _set_mapping(stack, size=batch, enabled=False)
    s3, bucket = stack.client("s3"), stack.outputs["RawBucketName"]
    before = _done(stack)
    for number in range(objects):
        source = _source(number % PLAYLISTS)
        at = FIRST_DAY + dt.timedelta(days=1000 * turn + number // PLAYLISTS)
        key = keys.raw_key(source.header.playlist_id, at)
        s3.put_object(Bucket=bucket, Key=key, Body=source.copy(at, at, {}))
    _set_mapping(stack, size=batch, enabled=True)
    begun = time.monotonic()
    while (done := _done(stack) - before) < objects:
        if time.monotonic() - begun > PATIENCE_S:
            raise TimeoutError(f"{done} of {objects} objects were done in {PATIENCE_S:.0f} s")
        time.sleep(POLL_S)
    return time.monotonic() - begun


@cache
def _source(playlist: int) -> envelope.Source:
    return envelope.Source("raw/before", raw_object(ENTRIES, "new", playlist))


def _done(stack: LaptopStack) -> int:
    """Count the snapshots whose last object is written."""
    pages = stack.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=stack.outputs["LakeBucketName"], Prefix=TABLES[-1].prefix)
    return sum(page["KeyCount"] for page in found)
