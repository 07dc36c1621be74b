"""What polling the last plays takes: requests and CPU seconds of a poll, with new plays and without."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from typing import Final
from unittest import mock

import boto3
import moto

from bench.finding import Finding, Measured
from bench.request_counts import LAKE, RAW, Counted, deploy, environment, run, say
from local.spotify_stub.server import serve

DAY: Final = dt.date(2026, 11, 20)
EVERY: Final = dt.timedelta(minutes=30)


def measure() -> Measured:
    """Poll for a day every half an hour, and average the polls with new plays and those without."""
    new: list[Counted] = []
    nothing: list[Counted] = []
    first = dt.datetime.combine(DAY, dt.time(), dt.UTC)
    with (
        moto.mock_aws(),
        serve(contract="new", now=first) as stub,
        mock.patch.dict(os.environ, environment(stub.url)),
    ):
        deploy()
        from functions.extract import app as extract  # noqa: PLC0415 - it reads the environment when imported

        for number in range(dt.timedelta(days=1) // EVERY):
            at = first + number * EVERY
            with mock.patch.object(
                extract, "datetime"
            ) as clock:  # a poll's key is the time at which it was made
                clock.now.return_value = at
                poll = run(at, stub, {"plays": True, "scheduled_at": at.isoformat()})
            (new if poll.written else nothing).append(poll)
        stored = [
            found
            for bucket in (RAW, LAKE)
            for found in boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
        ]
    return Measured(
        [
            Finding("Requests of a poll, new plays", say(_mean(new))),
            Finding("Requests of a poll, nothing new", say(_mean(nothing))),
        ],
        {
            f"poll_{what}: {kind}": number
            for what, polls in (("new", new), ("nothing", nothing))
            for kind, number in (_mean(polls) | _used(polls)).items()
        }
        | {"poll_bytes": sum(found["Size"] for found in stored) / len(new)},
    )


def _mean(polls: list[Counted]) -> dict[str, float]:
    total = sum((poll.requests for poll in polls), Counter[str]())
    return {kind: number / len(polls) for kind, number in total.items()}


def _used(polls: list[Counted]) -> dict[str, float]:
    return {
        "extract CPU s": sum(poll.extract_cpu_s for poll in polls) / len(polls),
        "transform CPU s": sum(poll.transform_cpu_s for poll in polls) / len(polls),
        "metrics": sum(len(poll.metrics) for poll in polls) / len(polls),
    }
