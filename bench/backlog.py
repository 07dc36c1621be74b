"""How fast the deployed laptop stack clears a backlog, with batches of one, ten and a hundred messages.

The CPU time of the emulator and of the functions' processes, for each object, says what limits it: on a machine whose
cores are busy with both, nothing else does. bench/scale.py estimates the same for AWS.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable
from functools import cache
from typing import Final
from unittest import mock

import psutil  # type: ignore[import-untyped]

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
QUEUE: Final = "TransformQueueUrl"


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
            for turn, batch in enumerate(BATCHES[:1] if quick else BATCHES, start=1):
                before = _cpu_seconds(stack)
                seconds = _work_off(stack, turn, batch, objects)
                used = {what: (total - before[what]) / objects for what, total in _cpu_seconds(stack).items()}
                findings.append(
                    Finding(
                        f"Backlog of {objects:,} raw objects, {concurrency} functions at a time, batches of {batch}",
                        f"{objects / seconds:.3g} objects per second",
                    )
                )
                numbers[f"backlog_{batch}_objects_per_s"] = objects / seconds
                if batch == BATCHES[0]:
                    cores = os.cpu_count() or 1
                    findings.append(
                        Finding(
                            f"Backlog, batches of 1: CPU time an object, and the most that {cores} cores can do",
                            f"emulator {1000 * used['emulator']:.0f} ms, functions {1000 * used['workers']:.0f} ms,"
                            f" {cores / sum(used.values()):.3g} objects per second",
                        )
                    )
                    numbers |= {f"backlog_{what}_cpu_s": spent for what, spent in used.items()}
                    numbers["backlog_cores"] = cores
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
    """Return the seconds from enabling the queue until it is empty and the last object of the last table is there.

    Only the queue is asked meanwhile: listing the objects again and again would take CPU time from the emulator.
    """
    _set_mapping(stack, size=batch, enabled=False)
    s3, bucket = stack.client("s3"), stack.outputs["RawBucketName"]
    before = _done(stack)
    queued = stack.queue_length(QUEUE)
    for number in range(objects):
        source = _source(number % PLAYLISTS)
        at = FIRST_DAY + dt.timedelta(days=1000 * turn + number // PLAYLISTS)
        key = keys.raw_key(source.header.playlist_id, at)
        s3.put_object(Bucket=bucket, Key=key, Body=source.copy(at, at, {}))
    _wait(lambda: stack.queue_length(QUEUE) >= queued + objects)  # S3 sends its events a moment later
    _set_mapping(stack, size=batch, enabled=True)
    begun = time.monotonic()
    _wait(lambda: stack.queue_length(QUEUE) == 0)
    seconds = time.monotonic() - begun
    if (done := _done(stack) - before) != objects:
        raise ValueError(f"{done} of {objects} objects were done when the queue was empty")
    return seconds


def _wait(is_over: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not is_over():
        if time.monotonic() - begun > PATIENCE_S:
            raise TimeoutError(f"the queue did not get there in {PATIENCE_S:.0f} s")
        time.sleep(POLL_S)


def _cpu_seconds(stack: LaptopStack) -> dict[str, float]:
    """Return the CPU seconds so far of the emulator, and of the functions' processes that it started."""
    emulator = psutil.Process(stack.emulator.process.pid())
    spent = [sum(process.cpu_times()[:2]) for process in (emulator, *emulator.children(recursive=True))]
    return {"emulator": spent[0], "workers": sum(spent[1:])}


@cache
def _source(playlist: int) -> envelope.Source:
    return envelope.Source("raw/before", raw_object(ENTRIES, "new", playlist))


def _done(stack: LaptopStack) -> int:
    """Count the snapshots whose last object is written."""
    pages = stack.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=stack.outputs["LakeBucketName"], Prefix=TABLES[-1].prefix)
    return sum(page["KeyCount"] for page in found)
