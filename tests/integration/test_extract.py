"""The extraction against the Spotify stub over HTTP, with S3 and Secrets Manager of moto."""

import contextlib
import io
import itertools
import json
import logging
import re
import time
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import moto
import pytest

from cli.imports.captures import Capture, raw_object
from functions.extract import app
from local import spotify_stub
from local.spotify_stub import playlists
from local.spotify_stub.catalog import catalog
from local.spotify_stub.faults import Fault
from local.spotify_stub.listening import plays_of, recent_plays
from local.spotify_stub.server import serve
from local.spotify_stub.service import access_token
from spotify_lake import keys
from spotify_lake.changes.compare import compare
from spotify_lake.errors import (
    CredentialsMissing,
    LakeError,
    PlaylistForbidden,
    SignInExpired,
    SpotifyRefused,
    SpotifyUnavailable,
)
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw import envelope
from spotify_lake.raw.plays import unpack_library, unpack_poll
from spotify_lake.spotify.client import SpotifyClient
from spotify_lake.spotify.credentials import Credentials
from tests.support import payloads
from tests.support.fakes import FakeClock, read_playlist, spotify_error

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
EVENT = {"scheduled_at": "2026-11-20T06:00:00Z"}
LISTS = spotify_stub.PLAYLISTS
LONG = LISTS["Songs of a Lifetime"]
SECRET = {
    "client_id": spotify_stub.CLIENT_ID,
    "client_secret": spotify_stub.CLIENT_SECRET,
    "refresh_token": spotify_stub.REFRESH_TOKEN,
}
ITEMS = f"GET /v1/playlists/{LONG}/items"


@pytest.fixture(params=["new", "legacy"])
def contract(request):
    return request.param


@pytest.fixture
def stub(contract):
    with serve(contract=contract, now=AT) as stub:
        yield stub


@pytest.fixture
def aws(stub, monkeypatch):
    """What is deployed around the function: bucket, secret and settings."""
    with moto.mock_aws():
        s3, secrets, scheduler = (boto3.client(name) for name in ("s3", "secretsmanager", "scheduler"))
        s3.create_bucket(Bucket="raw")
        scheduler.create_schedule_group(Name="continuations")
        arn = secrets.create_secret(Name="spotify")["ARN"]
        for name, value in {
            "RAW_BUCKET": "raw",
            "PLAYLIST_IDS": "owned",
            "SPOTIFY_SECRET_ID": arn,
            "SPOTIFY_API_URL": stub.url,
            "SPOTIFY_ACCOUNTS_URL": stub.url,
            "SCHEDULE_GROUP": "continuations",
            "SCHEDULE_ROLE_ARN": "arn:aws:iam::123456789012:role/schedule",
            "SCHEDULE_DEAD_LETTERS_ARN": "arn:aws:sqs:us-east-1:123456789012:dead-letters",
        }.items():
            monkeypatch.setenv(name, value)
        app.client.cache_clear()
        yield SimpleNamespace(s3=s3, secrets=secrets, scheduler=scheduler, arn=arn)
        app.client.cache_clear()


@pytest.fixture
def everything(aws, monkeypatch):
    """Settings that collect all there is."""
    monkeypatch.setenv("PLAYLIST_IDS", "owned,liked")
    monkeypatch.setenv("LIBRARY", "on")


@pytest.fixture
def shelf(monkeypatch):
    """Small playlists that the owner has besides the usual ones, and that never change."""
    usual = playlists.playlists()
    songs = playlists.entries(LISTS["Morning Ten"], AT.date())
    ids = [f"shelf{number:017}" for number in range(40 - len(LISTS))]
    more = {
        id_: playlists.Playlist(
            id_, f"Shelf {place}", "", playlists.OWNER, lambda _, size=place % 10: list(songs[:size])
        )
        for place, id_ in enumerate(ids)
    }
    monkeypatch.setattr(playlists, "playlists", lambda: usual | more)
    return ids


@pytest.fixture
def signed_in(aws):
    aws.secrets.put_secret_value(SecretId=aws.arn, SecretString=json.dumps(SECRET))


def invoke(event=EVENT, left_s=300):
    context = SimpleNamespace(
        function_name="lake-extract",
        memory_limit_in_mb=256,
        invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:lake-extract",
        aws_request_id="1",
        get_remaining_time_in_millis=lambda: (left_s() if callable(left_s) else left_s) * 1000,
    )
    return app.handler(event, context)


def schedules(aws) -> list[dict[str, Any]]:
    """What was planned, in full."""
    found = aws.scheduler.list_schedules(GroupName="continuations")["Schedules"]
    return [aws.scheduler.get_schedule(GroupName="continuations", Name=one["Name"]) for one in found]


def objects(s3) -> dict[str, bytes]:
    """The snapshots."""
    listed = s3.list_objects_v2(Bucket="raw", Prefix="raw/").get("Contents", [])
    return {entry["Key"]: s3.get_object(Bucket="raw", Key=entry["Key"])["Body"].read() for entry in listed}


def client(stub, clock=None, **secret):
    clock = clock or FakeClock()
    return SpotifyClient(
        Credentials(**{**SECRET, **secret}),
        api_url=stub.url,
        accounts_url=stub.url,
        time_left=clock.time_left,
        sleep=clock.sleep,
    )


@pytest.mark.usefixtures("signed_in")
class TestFunction:
    def test_every_owned_playlist_completely(self, aws, stub):
        result = invoke()
        assert sorted(result["written"]) == sorted(LISTS.values())
        assert result["failed"] == []
        written = objects(aws.s3)
        assert set(written) == {keys.raw_key(playlist_id, AT) for playlist_id in LISTS.values()}
        totals = {playlist.id: playlist.total for playlist in client(stub).my_playlists()}
        for body in written.values():
            snapshot = envelope.decode(body)
            assert snapshot.contract == "items"
            assert len(snapshot.entries) == totals[snapshot.playlist_id]
        assert totals[LONG] > 250

    def test_second_run_changes_nothing(self, aws, stub):
        invoke()
        before = objects(aws.s3)
        stub.clear_requests()
        result = invoke()
        assert result["written"] == []
        assert sorted(result["already_there"]) == sorted(LISTS.values())
        assert objects(aws.s3) == before
        assert [request["path"].rstrip("/") for request in stub.requests()] == [
            "/api/token",
            "/v1/me/playlists",
        ]

    def test_an_import_never_stands_for_what_spotify_says(self, aws, stub):
        """Neither for this run, nor as the last version, nor as a source, nor if the state names it."""
        playlist_id = LISTS["Morning Ten"]
        (listed,) = [one for one in client(stub).my_playlists() if one.id == playlist_id]
        forged = {}
        for moment in (AT, AT - timedelta(hours=1)):
            head = payloads.playlist(playlist_id) | {"snapshot_id": listed.snapshot_id}
            imported = Capture(
                head=head, pages=(payloads.page([]),), contract="items", fetched_at=datetime.now(UTC)
            )
            key = keys.raw_key(playlist_id, keys.import_time(moment))
            forged[key] = raw_object(playlist_id, moment, [imported])
            aws.s3.put_object(Bucket="raw", Key=key, Body=forged[key])
        last = {"snapshot_id": listed.snapshot_id, "key": next(iter(forged))}
        state = json.dumps({"playlists": {playlist_id: last}}).encode()
        aws.s3.put_object(Bucket="raw", Key=keys.EXTRACT_STATE, Body=state)
        result = invoke({**EVENT, "playlist_ids": [playlist_id]})
        assert (result["written"], result["already_there"], result["unchanged"]) == ([playlist_id], [], [])
        written = objects(aws.s3)
        recorded = envelope.decode(written.pop(keys.raw_key(playlist_id, AT)))
        assert (len(recorded.entries), recorded.copied_from, recorded.is_imported) == (10, None, False)
        assert written == forged

    def test_a_source_from_the_future_is_not_copied(self, aws, stub):
        playlist_id = LISTS["Morning Ten"]
        (listed,) = [one for one in client(stub).my_playlists() if one.id == playlist_id]
        aws.s3.put_object(
            Bucket="raw",
            Key=keys.raw_key(playlist_id, AT - timedelta(days=1)),
            Body=payloads.raw_object(
                [],
                playlist_object=payloads.playlist(playlist_id) | {"snapshot_id": listed.snapshot_id},
                scheduled_at=AT - timedelta(days=1),
                fetched_at=datetime(2099, 1, 1, tzinfo=UTC),
            ),
        )
        assert invoke({**EVENT, "playlist_ids": [playlist_id]})["written"] == [playlist_id]
        recorded = envelope.decode(objects(aws.s3)[keys.raw_key(playlist_id, AT)])
        assert (len(recorded.entries), recorded.copied_from) == (10, None)

    @pytest.mark.parametrize("contract", ["new"], indirect=True)
    def test_forty_unchanged_playlists_cost_two_requests(self, aws, stub, shelf):
        everything = {*LISTS.values(), *shelf}
        assert len(everything) == 40
        assert set(invoke()["written"]) == everything
        assert set(invoke({"scheduled_at": "2026-11-21T06:00:00Z"})["written"]) == everything
        before = objects(aws.s3)
        stub.clear_requests()
        started = time.monotonic()
        assert set(invoke({"scheduled_at": "2026-11-22T06:00:00Z"})["written"]) == everything
        print(f"40 unchanged playlists in {time.monotonic() - started:.2f} s")
        assert [request["path"].rstrip("/") for request in stub.requests()] == [
            "/api/token",
            "/v1/me/playlists",
        ]
        written = {key: body for key, body in objects(aws.s3).items() if key not in before}
        assert len(written) == 40
        for key, body in written.items():
            copy, first = (
                envelope.decode(body),
                envelope.decode(before[key.replace("20261122T", "20261121T")]),
            )
            assert copy.entries == first.entries
            assert copy.scheduled_at.day == 22
        before = objects(aws.s3)
        stub.clear_requests()
        result = invoke({"scheduled_at": "2026-11-22T06:05:00Z"})
        assert (result["written"], set(result["unchanged"])) == ([], everything)
        assert len(stub.requests()) == 2
        assert objects(aws.s3) == before

    def test_what_a_changed_playlist_costs(self, aws, stub):
        """Six pages, the listing and the playlist object."""
        invoke({**EVENT, "playlist_ids": [LONG]})
        stub.clock.set(AT + timedelta(days=7))
        stub.clear_requests()
        event = {"scheduled_at": "2026-11-27T06:00:00Z", "playlist_ids": [LONG]}
        assert invoke(event)["written"] == [LONG]
        key = keys.raw_key(LONG, AT + timedelta(days=7))
        assert 250 < len(envelope.decode(objects(aws.s3)[key]).entries) <= 300
        assert [request["path"].rstrip("/").rpartition("/")[2] for request in stub.requests()] == [
            "token",
            "playlists",
            *["items"] * 6,
            LONG,
        ]

    def test_two_runs_at_once_write_each_snapshot_once(self, aws, stub):
        s3 = app.client("s3")
        head = s3.head_object

        def nothing_there_yet(**request):
            head(**{**request, "Key": "none"})

        invoke()
        before = objects(aws.s3)
        s3.head_object = nothing_there_yet
        assert sorted(invoke()["already_there"]) == sorted(LISTS.values())
        assert objects(aws.s3) == before

    @pytest.mark.parametrize("contract", ["new"], indirect=True)
    def test_bad_playlists_among_good_ones(self, aws, stub):
        followed, editorial = spotify_stub.FOLLOWED_PLAYLIST_ID, spotify_stub.SPOTIFY_MADE_PLAYLIST_ID
        result = invoke({**EVENT, "playlist_ids": [followed, LONG, editorial, LISTS["Morning Ten"]]})
        assert result["written"] == [LONG, LISTS["Morning Ten"]]
        messages = {failure["playlist_id"]: failure["message"] for failure in result["failed"]}
        assert "not yours" in messages[followed]
        assert "closed to new apps" in messages[editorial]

    def test_expired_sign_in(self, aws, stub):
        aws.secrets.put_secret_value(
            SecretId=aws.arn, SecretString=json.dumps({**SECRET, "refresh_token": "old"})
        )
        with pytest.raises(SignInExpired, match=r"\./lake login"):
            invoke()
        assert objects(aws.s3) == {}

    def test_rotated_refresh_token_is_stored(self, aws, stub):
        token = {
            "access_token": access_token(for_user=True, expires_at=time.time() + 60),
            "token_type": "Bearer",
            "expires_in": 60,
            "refresh_token": "the-new-one",
        }
        stub.faults.replace([Fault(match="POST /api/token", status=200, body=token)])
        assert invoke()["failed"] == []
        stored = json.loads(aws.secrets.get_secret_value(SecretId=aws.arn)["SecretString"])
        assert stored == SECRET | {"refresh_token": "the-new-one"}

    def test_quota_in_the_middle(self, aws, stub):
        quota = Fault(
            match=ITEMS,
            status=429,
            headers={"Retry-After": "86400"},
            body=spotify_error(429, "API rate limit exceeded", "QUOTA_EXCEEDED"),
        )
        stub.faults.replace([quota])
        result = invoke()
        done = set(objects(aws.s3))
        assert {keys.raw_key(playlist_id, AT) for playlist_id in result["written"]} == done
        [schedule] = schedules(aws)
        assert schedule["Name"] == result["continued_by"]
        event = json.loads(schedule["Target"]["Input"])
        assert {keys.raw_key(playlist_id, AT) for playlist_id in event["playlist_ids"]}.isdisjoint(done)
        at = datetime.strptime(schedule["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
        assert timedelta(hours=23, minutes=59) < at - datetime.now(UTC) < timedelta(hours=24, minutes=1)

        result = invoke(event)
        assert result["written"] == event["playlist_ids"]
        assert set(objects(aws.s3)) == {keys.raw_key(playlist_id, AT) for playlist_id in LISTS.values()}
        assert len(schedules(aws)) == 1


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("contract", ["new"], indirect=True)
class TestManyDays:
    """A run a day, or several, with the clock of the function on the day of the stub."""

    FIXED, EDITED = "f1xed0000000000000000x", LISTS["New on Friday"]

    @pytest.fixture
    def run_at(self, aws, stub, monkeypatch):
        """Run at a time; return which playlists were read."""
        monkeypatch.setattr(app, "datetime", SimpleNamespace(now=lambda _: stub.clock.now()))
        usual = playlists.playlists()
        songs = playlists.entries(LISTS["Morning Ten"], AT.date())
        fixed = playlists.Playlist(
            self.FIXED,
            "Another cover every day",
            "",
            playlists.OWNER,
            lambda _: list(songs),
            covers=date.toordinal,
        )
        monkeypatch.setattr(playlists, "playlists", lambda: {**usual, self.FIXED: fixed})

        def run_at(moment, *ids):
            stub.clock.set(moment)
            stub.clear_requests()
            result = invoke({"scheduled_at": keys.iso(moment), "playlist_ids": list(ids)})
            assert sorted([*result["written"], *result["unchanged"]]) == sorted(ids)
            paths = {request["path"].rstrip("/") for request in stub.requests()}
            return {id_ for id_ in ids if f"/v1/playlists/{id_}/items" in paths}

        return run_at

    def changes(self, aws, playlist_id):
        """What the snapshots of a playlist say, one after the other: the day, what entered, what left, what moved."""
        found = [
            normalize(envelope.decode(body))
            for key, body in sorted(objects(aws.s3).items())
            if playlist_id in key
        ]
        for before, now in itertools.pairwise(found):
            if changes := compare(before, now):
                names = [[one.name for one in some] for some in (changes.entered, changes.left)]
                yield now.scheduled_at.date(), *names, bool(changes.moved)

    @pytest.mark.parametrize("runs_a_day", [1, 2])
    @pytest.mark.parametrize("lost_on", [None, 4])
    def test_an_unchanged_playlist_is_read_again_after_seven_days(self, aws, run_at, lost_on, runs_a_day):
        """Seven days after Spotify sent it, however often it was copied since, and whether or not the state is lost."""
        ten = LISTS["Morning Ten"]
        read = []
        for day in range(20):
            if day == lost_on:
                aws.s3.delete_object(Bucket="raw", Key=keys.EXTRACT_STATE)
            for hour in range(0, 24, 24 // runs_a_day):
                moment = AT + timedelta(days=day, hours=hour)
                if run_at(moment, ten):
                    read.append(day + hour / 24)
                key = keys.raw_key(ten, moment)
                if hour:
                    assert key not in objects(aws.s3)  # one snapshot a day is enough
                else:
                    # No snapshot is older than a week, nor does a copy claim to be younger than it is.
                    snapshot = envelope.decode(objects(aws.s3)[key])
                    sent_at = snapshot.copied_from.fetched_at if snapshot.copied_from else snapshot.fetched_at
                    assert sent_at == AT + timedelta(
                        days=max(each for each in read if each in range(day + 1))
                    )
        confirmed = 1 / runs_a_day
        expected = {
            (1, None): [0, 1, 8, 15],
            # A state that was found in raw does not know the entries, so the next reading needs another.
            (1, 4): [0, 1, 8, 9, 16],
            (2, None): [0, confirmed, 7, 14],
            (2, 4): [0, confirmed, 7, 7.5, 14],
        }
        assert read == expected[runs_a_day, lost_on]

    @pytest.mark.parametrize("visible", ["together", "version first", "entries first"])
    def test_thirty_days_of_new_covers_are_no_change(self, aws, stub, run_at, visible):
        stub.api.visibility = visible
        for day in range(30):
            run_at(AT + timedelta(days=day), self.FIXED)
        versions = {envelope.decode(body).snapshot_id for body in objects(aws.s3).values()}
        assert len(versions) == 30
        assert list(self.changes(aws, self.FIXED)) == []

    @pytest.mark.parametrize("visible", ["together", "version first", "entries first"])
    def test_every_change_of_a_list_is_seen_once_whatever_shows_first(self, aws, stub, run_at, visible):
        stub.api.visibility = visible
        first, days = AT - timedelta(days=3), 28  # from a Tuesday on; edited on Fridays
        read = [bool(run_at(first + timedelta(days=day), self.EDITED)) for day in range(days)]
        assert 4 * 2 < sum(read) <= 4 * 3 + 2, "of four edits, each costs two or three readings"
        late = timedelta(days=0 if visible == "together" else 1)
        songs = catalog().songs
        expected = []
        for day in range(1, days):
            today = (first + timedelta(days=day)).date()
            before, now = (
                [entry.key for entry in playlists.entries(self.EDITED, each - late)]
                for each in (today - timedelta(days=1), today)
            )
            if before != now:
                expected.append((today, [songs[key].name for key in now if key not in before]))
        assert [(day, entered) for day, entered, _, _ in self.changes(aws, self.EDITED)] == expected
        assert len(expected) == 4


QUOTA = {
    "status": 429,
    "headers": {"Retry-After": "86400"},
    "body": spotify_error(429, "API rate limit exceeded", "QUOTA_EXCEEDED"),
}
PREMIUM = {
    "status": 403,
    "body": spotify_error(403, "Active premium subscription required for the owner of the app."),
}
CONTINUED_AFTER_S = {
    "quota": (QUOTA, 86_400),
    "quota without a time": ({**QUOTA, "headers": {}}, 86_400),
    "long rate limit": ({"status": 429, "headers": {"Retry-After": "600"}}, 600),
    "rate limit that does not end": ({"status": 429, "headers": {"Retry-After": "1"}}, 60),
    "server faults": ({"status": 503, "headers": {"Retry-After": "3600"}}, 600),
    "resets": ({"reset": True}, 600),
    "truncated answers": ({"truncate": True}, 600),
    "empty answers": ({"empty": True}, 600),
}


@pytest.fixture
def no_waiting(monkeypatch):
    """Let the waits pass at once; return their lengths in seconds."""
    waited = []
    monkeypatch.setattr(SpotifyClient.__init__, "__kwdefaults__", SLEEPLESS | {"sleep": waited.append})
    return waited


SLEEPLESS = dict(SpotifyClient.__init__.__kwdefaults__)


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("contract", ["new"], indirect=True)
class TestTenPlaylists:
    """One run of ten playlists, in the middle of which something goes wrong."""

    @pytest.fixture
    def ten(self, shelf, no_waiting):
        return [LISTS["Morning Ten"], *shelf[:9]]

    def there(self, aws) -> list[str]:
        return sorted(envelope.decode(body).playlist_id for body in objects(aws.s3).values())

    @pytest.mark.parametrize("name", CONTINUED_AFTER_S)
    def test_what_passes_is_waited_out_by_a_schedule(self, aws, stub, ten, no_waiting, name):
        """The rest comes with the continuation, and nothing is doubled."""
        fault, seconds = CONTINUED_AFTER_S[name]
        stub.faults.replace([Fault(match=f"GET /v1/playlists/{ten[4]}/items", times=None, **fault)])
        result = invoke({**EVENT, "playlist_ids": ten})
        assert sum(no_waiting) <= 300 - 10
        [schedule] = schedules(aws)
        assert result["continued_by"] == schedule["Name"]
        at = datetime.strptime(schedule["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
        assert timedelta(0) < at - datetime.now(UTC) - timedelta(seconds=seconds - 60) < timedelta(seconds=62)
        event = json.loads(schedule["Target"]["Input"])
        assert event["scheduled_at"] == EVENT["scheduled_at"]
        assert sorted({*result["written"], *event["playlist_ids"]}) == sorted(ten)
        assert self.there(aws) == sorted(result["written"])
        # A limit concerns every playlist; a fault that one alone.
        assert event["playlist_ids"] == (ten[4:] if "limit" in name or "quota" in name else [ten[4]])

        invoke({**EVENT, "playlist_ids": ten})  # the same event once more
        assert len(schedules(aws)) == 1

        stub.faults.replace([])
        before = objects(aws.s3)
        assert invoke(event)["written"] == event["playlist_ids"]
        assert self.there(aws) == sorted(ten)
        assert before.items() <= objects(aws.s3).items()

    def test_a_continuation_that_is_stopped_too_is_continued(self, aws, stub, ten):
        stub.faults.replace([Fault(match="GET /v1/playlists/*/items", skip=3, times=None, **QUOTA)])
        invoke({**EVENT, "playlist_ids": ten})
        [first] = (json.loads(one["Target"]["Input"]) for one in schedules(aws))
        stub.faults.replace([Fault(match="GET /v1/playlists/*/items", skip=2, times=None, **QUOTA)])
        invoke(first)
        events = [json.loads(one["Target"]["Input"]) for one in schedules(aws)]
        [second] = [event for event in events if event["continuation"] == 2]
        assert set(second["playlist_ids"]) < set(first["playlist_ids"])

    def test_the_end_of_the_functions_time(self, aws, stub, ten):
        left = iter([300.0] * 20)
        result = invoke({**EVENT, "playlist_ids": ten}, left_s=lambda: next(left, 9.9))
        assert 0 < len(result["written"]) < 10
        [schedule] = schedules(aws)
        event = json.loads(schedule["Target"]["Input"])
        assert sorted(result["written"] + event["playlist_ids"]) == sorted(ten)
        assert invoke(event)["written"] == event["playlist_ids"]

    @pytest.mark.parametrize("retry_after", ["3", None])
    def test_a_short_rate_limit_is_waited_out_in_the_run(self, aws, stub, ten, no_waiting, retry_after):
        headers = {"Retry-After": retry_after} if retry_after else {}
        stub.faults.replace([Fault(match="GET /v1/**", skip=5, times=2, status=429, headers=headers)])
        assert invoke({**EVENT, "playlist_ids": ten})["written"] == ten
        assert no_waiting == [float(retry_after or 8)] * 2
        assert schedules(aws) == []

    def test_an_access_token_that_ends_is_replaced(self, aws, stub, ten):
        stub.faults.replace([Fault(match="GET /v1/**", skip=9, status=401)])
        assert invoke({**EVENT, "playlist_ids": ten})["written"] == ten
        assert [one["path"] for one in stub.requests()].count("/api/token") == 2

    @pytest.mark.parametrize(
        "fault, advice",
        [
            ({"status": 404}, "Check the id"),
            ({"status": 403, "body": spotify_error(403, "Forbidden")}, "playlist of your own"),
        ],
        ids=["not found", "forbidden"],
    )
    def test_one_bad_playlist(self, aws, stub, ten, caplog, capsys, fault, advice):
        """Nine snapshots, and one sentence that says which playlist, why, and what to do."""
        bad = ten[3]
        stub.faults.replace(
            [
                Fault(match=f"GET /v1/playlists/{bad}", times=None, **fault),
                Fault(match=f"GET /v1/playlists/{bad}/*", times=None, **fault),
            ]
        )
        result = invoke({**EVENT, "playlist_ids": ten})
        assert result["written"] == [one for one in ten if one != bad]
        assert "continued_by" not in result
        [failure] = result["failed"]
        assert failure["playlist_id"] == bad
        [error] = [line.getMessage() for line in caplog.records if line.levelname == "ERROR"]
        assert error == failure["message"]
        assert bad in error
        assert advice in error
        [metrics] = [
            json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line
        ]
        assert metrics["PlaylistsFailed"] == [1]
        assert metrics["SnapshotsWritten"] == [9]

    @pytest.mark.parametrize(
        "match, fault, error, advice",
        [
            ("GET /v1/playlists/*/items", PREMIUM, SpotifyRefused, "renew the subscription"),
            (
                "POST /api/token",
                {"status": 400, "body": {"error": "invalid_grant"}},
                SignInExpired,
                "./lake login",
            ),
        ],
        ids=["premium lapsed", "invalid_grant"],
    )
    def test_what_needs_a_person_fails_the_run(self, aws, stub, ten, match, fault, error, advice):
        stub.faults.replace([Fault(match=match, skip=0 if "token" in match else 4, times=None, **fault)])
        with pytest.raises(error, match=advice):
            invoke({**EVENT, "playlist_ids": ten})
        assert schedules(aws) == []
        stub.faults.replace([])
        invoke({**EVENT, "playlist_ids": ten})
        assert self.there(aws) == sorted(ten)


@pytest.mark.usefixtures("signed_in", "no_waiting")
class TestLogs:
    """What is logged while every logger is set to DEBUG."""

    @pytest.fixture
    def logged(self):
        stream = io.StringIO()
        handler, root = logging.StreamHandler(stream), logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        app.client.cache_clear()
        yield stream.getvalue
        root.setLevel(level)
        root.removeHandler(handler)

    @pytest.mark.parametrize(
        "fault",
        [
            None,
            {"match": "GET /v1/**", "status": 401, "skip": 2},
            {"match": "GET /v1/**", "status": 403, "skip": 2},
            {"match": "GET /v1/**", "skip": 2, "times": None, **QUOTA},
            {"match": "GET /v1/**", "status": 500, "skip": 2, "times": 4},
            {"match": "GET /v1/**", "reset": True, "skip": 2, "times": 4},
            {"match": "POST /api/token", "status": 400, "body": {"error": "invalid_grant"}},
            {"match": "POST /api/token", "status": 500, "times": 4},
            {"match": "POST /api/token", "truncate": True, "times": 4},
            {"match": "POST /api/token", "rotate": True},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("contract", ["new"], indirect=True)
    def test_no_secret_in_any_log_at_any_level(self, aws, stub, logged, fault):
        token = access_token(for_user=True, expires_at=time.time() + 60)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 60, "refresh_token": "the-new"}
        if fault and fault.pop("rotate", None):
            fault |= {"status": 200, "body": answer}
        if fault:
            stub.faults.replace([Fault(**fault)])
        with contextlib.suppress(LakeError):
            invoke({**EVENT, "playlist_ids": [LISTS["Morning Ten"], LISTS["Featuring"]]})
        assert "Starting new HTTP connection" in logged()
        for secret in (spotify_stub.CLIENT_SECRET, spotify_stub.REFRESH_TOKEN, token, "the-new"):
            assert secret not in logged()
        assert not re.search(r"(Bearer|Basic) \S", logged())


def test_no_credentials_yet(aws, stub):
    with pytest.raises(CredentialsMissing, match="no value yet"):
        invoke()
    assert stub.requests() == []


class TestClient:
    """What only a real connection shows."""

    @pytest.mark.parametrize(
        "fault",
        [
            {"reset": True},
            {"hang_up": True},
            {"truncate": True},
            {"empty": True},
            {"status": 503, "headers": {"Retry-After": "3600"}},
            {"status": 500, "body": "<html>"},
            {"status": 429, "headers": {"Retry-After": "2"}},
            {"status": 429},
            {"status": 401},
            {"slow_body_s": 0.5},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("contract", ["new"], indirect=True)
    def test_passing_fault(self, stub, fault):
        stub.faults.replace([Fault(match=f"{ITEMS}?offset=100", **fault)])
        reading = read_playlist(client(stub), LONG)
        assert reading.entries == len(reading.paged) > 250

    @pytest.mark.parametrize(
        "fault",
        [{"reset": True}, {"hang_up": True}, {"truncate": True}, {"delay_s": 2}, {"slow_body_s": 6}],
        ids=str,
    )
    @pytest.mark.parametrize("contract", ["new"], indirect=True)
    def test_lasting_fault(self, stub, fault):
        stub.faults.replace([Fault(match=ITEMS, times=None, **fault)])
        clock = FakeClock(10.3)  # so that a slow answer takes 0.3 s to be given up
        with pytest.raises(SpotifyUnavailable):
            read_playlist(client(stub, clock), LONG)
        assert clock.slept == []

    def test_list_that_changes_while_it_is_paged(self, stub):
        weekly = LISTS["New on Friday"]
        match = f"GET /v1/playlists/{weekly}/items"
        stub.faults.replace([Fault(match=match, advance_clock_s=7 * 86_400)])
        reading = read_playlist(client(stub), weekly)
        assert stub.clock.now() > AT
        assert client(stub).playlist(weekly).snapshot_id == reading.head.snapshot_id
        heads = [
            one
            for one in stub.requests()
            if one["path"] == f"/v1/playlists/{weekly}" and "fields" not in one["query"]
        ]
        assert len(heads) == 3

    @pytest.mark.parametrize("contract", ["legacy"], indirect=True)
    def test_old_app_reads_what_others_made(self, stub):
        assert read_playlist(client(stub), spotify_stub.FOLLOWED_PLAYLIST_ID).contract == "items"

    @pytest.mark.parametrize("contract", ["legacy"], indirect=True)
    def test_app_alone_reads_public_playlists_of_others(self, stub):
        app_alone = client(stub, refresh_token=None)
        assert read_playlist(app_alone, LISTS["Top 100"]).entries == 100

    def test_old_endpoint(self, stub, contract):
        stub.faults.replace([Fault(match=ITEMS, times=None, status=403)])
        if contract == "legacy":
            reading = read_playlist(client(stub), LONG)
            assert reading.contract == "tracks"
            assert reading.entries == len(reading.paged) > 250
        else:
            with pytest.raises(PlaylistForbidden, match="only the first 100 of its"):
                read_playlist(client(stub), LONG)

    def test_embedded_page(self, stub):
        ten = LISTS["Morning Ten"]
        stub.faults.replace([Fault(match="GET /v1/playlists/*/items", times=None, status=403)])
        reading = read_playlist(client(stub), ten)
        assert (reading.contract, reading.entries) == ("embedded", 10)


POLL = {"plays": True, "scheduled_at": "2026-11-20T06:00:00Z"}
RECENT = "GET /v1/me/player/recently-played"


def polls(aws) -> list[Any]:
    """The plays of each poll in raw, in the order of their times."""
    found = (unpack_poll(data, key) for key, data in sorted(objects(aws.s3).items()) if "/plays/api/" in key)
    return [[json.loads(bytes(row)) for row in one.rows] for one in found]


def ended_at(item: Any) -> str:
    return datetime.fromisoformat(item["played_at"]).isoformat(timespec="seconds")


@pytest.fixture
def clock(monkeypatch, stub):
    """Moves the stub's time and the function's together."""

    class Clock(datetime):
        at = AT

        @classmethod
        def now(cls, tz=None):
            return cls.at.astimezone(tz)

    def move(at: datetime) -> None:
        Clock.at = at
        stub.clock.set(at)

    monkeypatch.setattr(app, "datetime", Clock)
    return move


@pytest.mark.usefixtures("signed_in")
class TestPlays:
    def test_half_a_day_of_polls_has_every_play(self, aws, clock):
        noon, turns = AT + timedelta(days=1, hours=6), 24
        for turn in range(turns):
            clock(noon + timedelta(minutes=30 * turn))
            before = len(polls(aws))
            result = invoke(POLL)
            assert len(polls(aws)) == before + bool(result["new"])
            assert "gap" not in result
        stored = polls(aws)
        assert 5 < len(stored) < 20
        items = [item for page in stored for item in page]
        kept = {(ended_at(item), item["track"].get("uri") or item["track"]["name"]) for item in items}
        end = noon + timedelta(minutes=30 * (turns - 1))
        played = [play for play in plays_of(noon.date()) if play.shown_at <= end]
        assert len(played) > 15
        for play in played:
            moment = play.ended_at.isoformat(timespec="seconds")
            assert {(moment, f"spotify:track:{play.song.id}"), (moment, play.song.name)} & kept

    def test_an_evening_of_skipping_is_a_gap(self, aws, clock, capsys):
        day = next(
            day for day in map(AT.date().__add__, map(timedelta, range(10))) if day.toordinal() % 10 == 0
        )
        night = datetime(day.year, day.month, day.day, 23, tzinfo=UTC)
        gaps = []
        for minutes in (0, 30, 60):
            clock(night + timedelta(minutes=minutes))
            gaps.append(invoke(POLL).get("gap"))
        assert gaps[0] is gaps[2] is None
        assert gaps[1]["after"] < gaps[1]["before"]
        assert '"PlayGaps"' in capsys.readouterr().out

    def test_the_page_is_kept_as_it_came(self, aws, stub, clock):
        clock(AT)
        invoke(POLL)
        [page] = polls(aws)
        assert page == recent_plays(AT, stub.contract, stub.url, 50)["items"]
        assert len(page) == 50
        [request] = [one for one in stub.requests() if one["path"] == "/v1/me/player/recently-played"]
        assert request["query"] == {"limit": "50"}

    @pytest.mark.parametrize("fault", [{"status": 503, "times": None}, {"truncate": True, "times": None}])
    def test_a_fault_is_left_to_the_next_poll(self, aws, stub, clock, fault, monkeypatch):
        monkeypatch.setattr(time, "sleep", lambda _: None)
        clock(AT)
        stub.faults.replace([Fault(match=RECENT, **fault)])
        assert "could not be read" in invoke(POLL)["postponed"]
        stub.faults.replace([])
        assert invoke(POLL)["new"] > 0

    def test_a_quota_is_left_to_the_next_poll(self, aws, stub, clock):
        clock(AT)
        body = spotify_error(429, "Too many requests", "QUOTA_EXCEEDED")
        stub.faults.replace([Fault(match=RECENT, status=429, body=body, headers={"Retry-After": "3600"})])
        assert "quota is used up" in invoke(POLL)["postponed"]
        assert schedules(aws) == []
        assert invoke(POLL)["new"] > 0

    def test_without_the_scope_it_is_one_sentence(self, aws, stub, clock):
        clock(AT)
        stub.api.granted = frozenset({"playlist-read-private"})
        [sentence] = invoke(POLL)["left_out"]
        assert "what you played (scope user-read-recently-played)" in sentence
        assert objects(aws.s3) == {}


@pytest.mark.usefixtures("signed_in", "everything")
class TestEverything:
    def test_liked_songs_and_library_come_with_the_playlists(self, aws, stub, contract):
        result = invoke()
        assert sorted(result["written"]) == sorted(spotify_stub.COLLECTED.values())
        assert (result["failed"], result["library"], "left_out" in result) == ([], "written", False)
        key = keys.raw_key(spotify_stub.LIKED_SONGS_ID, AT)
        snapshot = envelope.decode(objects(aws.s3)[key], key)
        liked = playlists.entries(spotify_stub.LIKED_SONGS_ID, AT.date())
        assert [entry.content.id for entry in snapshot.entries] == [entry.key for entry in liked]
        assert len(liked) > 50
        key = keys.raw_library_key(AT)
        found = unpack_library(objects(aws.s3)[key], key).items
        sizes = {kind: len(items) for kind, items in found.items()}
        assert sizes == {"followed_artist": 55, "album": 60, "show": 1, "episode": 3, "audiobook": 2}
        again = invoke()
        assert (again["written"], again["library"]) == ([], "already there")

    def test_without_their_scopes_the_playlists_are_done(self, aws, stub):
        stub.api.granted = frozenset(spotify_stub.SCOPES[:2])
        result = invoke()
        assert sorted(result["written"]) == sorted(LISTS.values())
        assert len(result["left_out"]) == 2
        assert result["failed"] == []

    def test_a_sign_in_that_is_known_to_lack_them_asks_for_nothing(self, aws, stub):
        narrow = SECRET | {"scopes": "playlist-read-private playlist-read-collaborative"}
        aws.secrets.put_secret_value(SecretId=aws.arn, SecretString=json.dumps(narrow))
        assert len(invoke()["left_out"]) == 2
        asked = {request["path"] for request in stub.requests()}
        assert not asked & {"/v1/me/tracks", "/v1/me/albums", "/v1/me/following"}
