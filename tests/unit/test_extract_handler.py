"""The extract function's entry point: what it wires together, and what it costs to import."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from functions.extract import app
from spotify_lake import keys
from spotify_lake.errors import CredentialsMissing, EventError, SettingsError, SpotifyRefused
from tests.support.fakes import (
    ACCOUNTS_URL,
    API_URL,
    FakeS3,
    FakeScheduler,
    FakeSecrets,
    FakeWeb,
    WebPlaylist,
    spotify_error,
)
from tests.support.payloads import spotify_id

ID = spotify_id("list")
SECRET = '{"client_id": "c", "client_secret": "s", "refresh_token": "r"}'


@pytest.fixture
def world(monkeypatch):
    """The environment of a function: settings, clients and a Spotify with one playlist."""
    world = SimpleNamespace(
        web=FakeWeb(WebPlaylist(ID, 60)),
        s3=FakeS3(),
        secrets=FakeSecrets(SECRET),
        scheduler=FakeScheduler(),
        made=[],
    )

    def make(service):
        world.made.append(service)
        return {"s3": world.s3, "secretsmanager": world.secrets, "scheduler": world.scheduler}[service]

    monkeypatch.setattr(app, "client", make)
    monkeypatch.setattr("requests.Session.get_adapter", lambda *_, **__: world.web)
    for name, value in {
        "RAW_BUCKET": "raw",
        "PLAYLIST_IDS": "owned",
        "SPOTIFY_SECRET_ID": "the-secret",
        "SPOTIFY_API_URL": API_URL,
        "SPOTIFY_ACCOUNTS_URL": ACCOUNTS_URL,
        "SCHEDULE_GROUP": "lake-continuations",
        "SCHEDULE_ROLE_ARN": "the-role",
        "SCHEDULE_DEAD_LETTERS_ARN": "the-queue",
    }.items():
        monkeypatch.setenv(name, value)
    return world


def context(left_ms=300_000):
    return SimpleNamespace(
        function_name="lake-extract",
        memory_limit_in_mb=256,
        invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:lake-extract",
        aws_request_id="1",
        get_remaining_time_in_millis=lambda: left_ms,
    )


def test_result_is_json(world, capsys):
    result = app.handler({"scheduled_at": "2026-11-20T06:00:00Z"}, context())
    assert json.loads(json.dumps(result)) == {
        "scheduled_at": "2026-11-20T06:00:00Z",
        "written": [ID],
        "already_there": [],
        "unchanged": [],
        "failed": [],
    }
    assert list(world.s3.snapshots) == [keys.raw_key(ID, datetime(2026, 11, 20, 6, tzinfo=UTC))]
    [emf] = [line for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    assert json.loads(emf)["EntriesFetched"] == [60]


def test_a_poll_leaves_a_long_wait_to_the_next_one(world, monkeypatch):
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    world.web.fault("recently-played", 429, headers={"Retry-After": "55"})
    event = {"plays": True, "scheduled_at": "2026-11-20T06:00:00Z"}
    assert "55" in app.handler(event, context(left_ms=900_000))["postponed"]
    assert slept == []


def test_a_poll_writes_plays_and_nothing_else(world, capsys):
    world.web.recent = [{"played_at": "2026-11-20T05:58:12.345Z", "track": {"uri": "spotify:track:a"}}]
    world.secrets.value = SECRET.replace("}", ', "authorized_at": "2026-11-01T06:00:00Z"}')
    event = {"plays": True, "scheduled_at": "2026-11-20T06:00:00Z"}
    first = json.loads(json.dumps(app.handler(event, context())))
    [key] = world.s3.snapshots
    assert first == {"plays": 1, "new": 1, "key": key}
    assert keys.in_raw_poll_key(key)
    assert world.s3.metadata[key] == {"correlation-id": "1"}
    assert set(world.s3.objects) == {key, keys.PLAYS_STATE}
    [emf] = [line for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    [published] = json.loads(emf)["_aws"]["CloudWatchMetrics"]
    assert [metric["Name"] for metric in published["Metrics"]] == ["PlaysNew"]

    assert app.handler(event, context()) == {"plays": 1, "new": 0}
    assert list(world.s3.snapshots) == [key]
    assert "CloudWatchMetrics" not in capsys.readouterr().out, "a metric costs by the hours that have it"
    assert world.web.paths()[2:] == ["/api/token", "/v1/me/player/recently-played"]


def test_failures_are_json_too(world):
    missing = spotify_id("missing")
    result = app.handler({"playlist_ids": [missing]}, context())
    [failure] = json.loads(json.dumps(result))["failed"]
    assert set(failure) == {"playlist_id", "error", "message", "retryable"}
    assert failure["playlist_id"] == missing


def test_settings_are_read_before_anything_else(world, monkeypatch):
    monkeypatch.delenv("RAW_BUCKET")
    with pytest.raises(SettingsError, match="RAW_BUCKET"):
        app.handler({}, context())
    assert world.made == []


def test_event_is_checked_before_anything_is_asked(world):
    with pytest.raises(EventError):
        app.handler({"playlists": [ID]}, context())
    assert world.made == []


def test_missing_credentials(world):
    world.secrets.error = "ResourceNotFoundException"
    with pytest.raises(CredentialsMissing, match=r"\./lake login"):
        app.handler({}, context())
    assert world.web.sent == []


def test_time_left_is_the_functions(world):
    event = {"scheduled_at": "2026-11-20T06:00:00Z", "playlist_ids": [ID]}
    result = app.handler(event, context(left_ms=9_000))
    assert world.web.sent == []
    [(name, schedule)] = world.scheduler.schedules.items()
    assert result["continued_by"] == name
    assert schedule["GroupName"] == "lake-continuations"
    assert schedule["Target"]["Arn"] == "arn:aws:lambda:us-east-1:000000000000:function:lake-extract"
    assert world.scheduler.events == [event | {"continuation": 1, "correlation_id": "1"}]
    # The event that the schedule sends is one that the function takes.
    assert app.handler(world.scheduler.events[0], context())["written"] == [ID]


def test_a_retry_of_an_event_without_a_time_means_the_first_attempt(world):
    world.web.fault("^/v1/playlists", 403, spotify_error(403, "Active premium subscription required"))
    with pytest.raises(SpotifyRefused):
        app.handler({"playlist_ids": [ID]}, context())
    [first] = [body for key, body in world.s3.objects.items() if key.startswith("state/attempts/")]
    result = app.handler({"playlist_ids": [ID]}, context())
    at = datetime.fromisoformat(first.decode()).replace(microsecond=0)
    assert list(world.s3.snapshots) == [keys.raw_key(ID, at)]
    assert result["scheduled_at"] == at.isoformat().replace("+00:00", "Z")
    other = SimpleNamespace(**vars(context()) | {"aws_request_id": "2"})
    app.handler({"playlist_ids": [ID]}, other)
    assert len([key for key in world.s3.objects if key.startswith("state/attempts/")]) == 2


def test_metrics_are_published_when_the_run_fails(world, capsys):
    world.web.fault("^/api/token", 400, {"error": "invalid_grant"})
    with pytest.raises(Exception, match=r"\./lake login"):
        app.handler({}, context())
    [emf] = [line for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    assert json.loads(emf)["SpotifyRequests"] == [1]


def test_import_is_light():
    code = "import sys, functions.extract.app; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "spotipy" in done.stdout.split()
    assert not {"pandas", "numpy", "pyarrow", "awswrangler"} & set(done.stdout.split())


@pytest.mark.parametrize(
    "named, expected",
    [
        ({}, "1"),
        ({"correlation_id": "run-7"}, "run-7"),
        ({"correlation_id": "<aws.scheduler.execution-id>"}, "1"),
    ],
)
def test_log_and_object_name_the_run(world, log, named, expected):
    app.handler({"scheduled_at": "2026-11-20T06:00:00Z", "playlist_ids": [ID], **named}, context())
    assert {line["correlation_id"] for line in log()} == {expected}
    assert world.s3.metadata[keys.raw_key(ID, datetime(2026, 11, 20, 6, tzinfo=UTC))] == {
        "correlation-id": expected
    }


@pytest.mark.parametrize("value", ["", "a b", "ä", "x" * 129, 7, ["run"]])
def test_an_id_that_no_header_can_carry_is_refused(world, value):
    with pytest.raises(EventError, match="correlation_id"):
        app.handler({"correlation_id": value}, context())
