"""How many requests a playlist takes per day, changed and unchanged, compared with the lower bound."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from unittest import mock

import boto3
import moto
from botocore.endpoint import Endpoint

from bench.finding import Finding, Measured
from bench.transform import CONTEXT, s3_event
from local import spotify_stub
from local.emulator import NO_AWS_SETTINGS
from local.spotify_stub import playlists
from local.spotify_stub.catalog import base62_id, catalog
from local.spotify_stub.server import StubServer, serve
from spotify_lake import keys
from spotify_lake.schema.playlists import TABLES

RAW, LAKE = "bench-raw", "bench-lake"

ENTRIES: Final = 100
FEW, MANY = 5, 15  # playlists; the difference gives the requests per playlist
QUICKLY: Final = (1, 3)  # the same for a quick run
PUT_CLASS: Final = (
    "PutObject",
    "ListObjectsV2",
)  # S3 charges these as a PUT, and the other operations used here as a GET
SPOTIFY: Final = "Spotify"
LOWEST: Final[dict[str, dict[str, float]]] = {
    # Pages of 50; one PUT of the raw object, one GET of it, one PUT a table.
    "changed": {SPOTIFY: ENTRIES / 50, "S3 PUT": 1 + len(TABLES), "S3 GET": 1},
    # The raw object that is copied must be read too.
    "unchanged": {"S3 PUT": 1 + len(TABLES), "S3 GET": 2},
    # No snapshot: one read tells whether the last one has the version that the listing names.
    "unchanged again the same day": {"S3 GET": 1},
}


@dataclass
class Counted:
    """Requests by kind, CPU seconds (moto's included), metrics, snapshots and the bytes of one snapshot."""

    requests: Counter[str] = field(default_factory=Counter)
    extract_cpu_s: float = 0.0
    transform_cpu_s: float = 0.0
    metrics: set[tuple[str, str]] = field(default_factory=set)
    written: list[str] = field(default_factory=list)
    snapshot_bytes: float = 0.0


def measure(*, quick: bool) -> Measured:
    """Count the requests of the second of two days, with few playlists and with many."""
    fewer, more = QUICKLY if quick else (FEW, MANY)
    findings: list[Finding] = []
    numbers: dict[str, float] = {}
    for what, least in LOWEST.items():
        few, many = (_second_run(number, what) for number in (fewer, more))
        kinds = many.requests.keys() | few.requests.keys()
        each = {kind: (many.requests[kind] - few.requests[kind]) / (more - fewer) for kind in kinds}
        run = {kind: few.requests[kind] - fewer * each[kind] for kind in kinds}
        findings += [
            Finding(
                f"Requests per day and playlist of {ENTRIES} entries, {what}",
                say(each),
                f"lower bound: {say(least)}",
            ),
            Finding(f"Further requests per run, playlists {what}", say(run)),
        ]
        numbers |= {f"each_{what}: {kind}": number for kind, number in each.items()}
        numbers |= {f"run_{what}: {kind}": number for kind, number in run.items()}
        extract_each = (many.extract_cpu_s - few.extract_cpu_s) / (more - fewer)
        numbers |= {
            f"each_{what}: extract CPU s": extract_each,
            f"run_{what}: extract CPU s": max(0.0, few.extract_cpu_s - fewer * extract_each),
            f"metrics_{what}": len(many.metrics),
            f"snapshot_bytes_{what}": many.snapshot_bytes,
            f"each_{what}: transform CPU s": (many.transform_cpu_s - few.transform_cpu_s) / (more - fewer),
        }
    return Measured(findings, numbers)


def say(requests: Mapping[str, float]) -> str:
    """Return numbers of requests in words."""
    parts = [f"{number:.3g} {kind}" for kind, number in sorted(requests.items(), reverse=True) if number]
    return ", ".join(parts) or "none"


def _second_run(number: int, what: str) -> Counted:
    """Take snapshots of some playlists, a day or an hour apart; return the counts of the last run.

    Two runs come before it, because a version is copied only when two have read the same entries under it.
    """
    now = dt.datetime.combine(dt.datetime.now(dt.UTC), dt.time(6), dt.UTC)
    before = now - (dt.timedelta(hours=1) if "same day" in what else dt.timedelta(days=1))
    lists = {playlist.id: playlist for playlist in _playlists(number, what)}
    with (
        moto.mock_aws(),
        mock.patch.object(playlists, "playlists", return_value=lists),
        serve(contract="new", now=now) as stub,
        mock.patch.dict(os.environ, environment(stub.url)),
    ):
        deploy()
        earlier = [run(moment, stub) for moment in (before - dt.timedelta(days=1), before)]
        counted = run(now, stub)
        for bucket in (RAW, LAKE):
            listed = boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
            snapshots = len(counted.written) + len(earlier) * number
            sizes = sum(found["Size"] for found in listed if not found["Key"].startswith("state/"))
            counted.snapshot_bytes += sizes / snapshots
        return counted


def _playlists(number: int, what: str) -> Iterator[playlists.Playlist]:
    songs = sorted(catalog().songs)

    def contents(playlist: int, day: dt.date) -> list[playlists.Entry]:
        first = 7 * playlist + (day.toordinal() if what == "changed" else 0)
        chosen = (songs[(first + place) % len(songs)] for place in range(ENTRIES))
        return [playlists.Entry("song", song, "2026-01-01T00:00:00Z") for song in chosen]

    for playlist in range(number):
        own_id = base62_id("request counts", number, what, playlist)
        yield playlists.Playlist(own_id, f"List {playlist}", "", playlists.OWNER, partial(contents, playlist))


def environment(stub_url: str) -> dict[str, str]:
    """Return the environment of the functions."""
    return NO_AWS_SETTINGS | {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "bench",
        "RAW_BUCKET": RAW,
        "LAKE_BUCKET": LAKE,
        "EVENT_BUS": "default",
        "PLAYLIST_IDS": "owned",
        "SPOTIFY_SECRET_ID": "spotify",
        "SPOTIFY_API_URL": stub_url,
        "SPOTIFY_ACCOUNTS_URL": stub_url,
        "SCHEDULE_GROUP": "bench",
        "SCHEDULE_ROLE_ARN": "arn:aws:iam::123456789012:role/bench",
        "SCHEDULE_DEAD_LETTERS_ARN": "arn:aws:sqs:us-east-1:123456789012:bench",
    }


def deploy() -> None:
    """Create what the functions need, and clear the clients of an earlier run."""
    from functions.extract import app as extract  # noqa: PLC0415 - these read the environment when imported
    from functions.transform import app as transform  # noqa: PLC0415
    from spotify_lake.observability import logger, metrics  # noqa: PLC0415

    metrics.namespace = metrics.service = "bench"  # if it was imported without this environment
    logger.registered_handler.setStream(io.StringIO())  # type: ignore[attr-defined]
    extract.client.cache_clear()
    transform.clients.cache_clear()
    for bucket in (RAW, LAKE):
        boto3.client("s3").create_bucket(Bucket=bucket)
    names = ("client_id", "client_secret", "refresh_token")
    secret = {name: getattr(spotify_stub, name.upper()) for name in names}
    boto3.client("secretsmanager").create_secret(Name="spotify", SecretString=json.dumps(secret))


def run(at: dt.datetime, stub: StubServer, event: Mapping[str, Any] | None = None) -> Counted:
    """Run the extract function once, and the transform function once for each raw object it wrote.

    Parameters
    ----------
    at
        The stub's time, and that of the run.
    stub
        The stub.
    event
        Of the run; by default that of a daily run.
    """
    from functions.extract import app as extract  # noqa: PLC0415
    from functions.transform import app as transform  # noqa: PLC0415

    stub.clock.set(at)
    sent = len(stub.requests())
    counted = Counted()
    send = Endpoint.make_request

    def count(endpoint: Endpoint, operation: Any, request: Any) -> Any:
        service = operation.service_model.service_id
        kind = "PUT" if operation.name in PUT_CLASS else "GET"
        counted.requests[f"S3 {kind}" if service == "S3" else service] += 1
        return send(endpoint, operation, request)

    printed = io.StringIO()
    with mock.patch.object(Endpoint, "make_request", count), contextlib.redirect_stdout(printed):
        begun = time.thread_time()
        summary = extract.handler(event or {"scheduled_at": at.isoformat()}, CONTEXT)
        counted.extract_cpu_s = time.thread_time() - begun
        counted.written = [keys.raw_key(playlist_id, at) for playlist_id in summary.get("written", ())]
        counted.written += [summary["key"]] if "key" in summary else []
        for raw_key in counted.written:
            message = s3_event(RAW, raw_key, dt.datetime.now(dt.UTC))
            begun = time.thread_time()
            transform.handler(message, CONTEXT)
            counted.transform_cpu_s += time.thread_time() - begun
    for line in printed.getvalue().splitlines():
        [published] = json.loads(line)["_aws"]["CloudWatchMetrics"]
        counted.metrics |= {(str(published["Dimensions"]), metric["Name"]) for metric in published["Metrics"]}
    counted.requests[SPOTIFY] = len(stub.requests()) - sent
    return counted
