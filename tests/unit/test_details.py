"""Details of artists and albums: what is asked, what it may cost, and that no snapshot ever suffers for it."""

import gzip
import hashlib
import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, EndpointConnectionError

from spotify_lake import keys
from spotify_lake.extract import details
from spotify_lake.extract import run as extract
from spotify_lake.extract.continuation import Continuations
from spotify_lake.extract.request import ExtractRequest
from spotify_lake.normalize.rows import normalize
from spotify_lake.observability import metrics
from spotify_lake.raw import envelope
from spotify_lake.schema.playlists import TABLES
from spotify_lake.settings import ExtractSettings
from spotify_lake.spotify import models
from spotify_lake.spotify.client import DETAILS_RESERVE_S
from tests.support import payloads
from tests.support.fakes import (
    ACCOUNTS_URL,
    API_URL,
    FakeClock,
    FakeS3,
    FakeScheduler,
    FakeWeb,
    WebPlaylist,
    spotify_client,
    spotify_error,
)
from tests.support.payloads import spotify_id

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
A, B, C = (spotify_id(name) for name in "ABC")
KINDS = ("artists", "albums")


@pytest.fixture(autouse=True)
def counted():
    """The metrics of the test, by name."""
    metrics.clear_metrics()
    yield lambda: {name: sum(metric["Value"]) for name, metric in metrics.metric_set.items()}
    metrics.clear_metrics()


def artist_id(number: int) -> str:
    return spotify_id(f"Artist {number}")


def album_id(number: int) -> str:
    return spotify_id(f"Album {number}")


@dataclass
class Various(WebPlaylist):
    """Every song by another artist, on another album; `first` is the number of the first."""

    first: int = 0

    def page(self, offset: int, limit: int) -> dict[str, Any]:
        numbers = range(self.first, self.first + self.size)[offset : offset + limit]
        entries = []
        for number in numbers:
            artist = payloads.artist(f"Artist {number}")
            album = payloads.album(f"Album {number}", artists=[artist])
            entries.append(payloads.entry(payloads.song(f"Song {number}", album=album, artists=[artist])))
        return payloads.page(entries, offset, self.size) | {"limit": limit}


@dataclass
class Catalog(FakeWeb):
    """Spotify with artists and albums in full; by several ids and with the old fields for old apps only."""

    def __init__(self, *playlists: WebPlaylist, old: bool = False) -> None:
        super().__init__(*playlists)
        self.old = old
        self.missing: set[str] = set()

    def asked(self, kind: str = "") -> list[str]:
        """The requests for details so far: `artists/<id>` or `artists?<number of ids>`."""
        found = []
        for sent in self.sent:
            _, *parts = sent.path.strip("/").split("/")
            if parts and parts[0] in KINDS and parts[0].startswith(kind):
                ids = sent.query.get("ids")
                found.append(f"{parts[0]}?{len(ids.split(','))}" if ids else "/".join(parts))
        return found

    def _answer(self, sent: Any) -> tuple[int, object]:
        _, *parts = sent.path.strip("/").split("/")
        if parts[0] not in KINDS:
            return super()._answer(sent)
        if "ids" in sent.query:
            ids = sent.query["ids"].split(",")
            if not self.old:
                return HTTPStatus.FORBIDDEN, spotify_error(403, "Forbidden")
            if len(ids) > {"artists": 50, "albums": 20}[parts[0]]:
                return HTTPStatus.BAD_REQUEST, spotify_error(400, "Too many ids requested")
            return HTTPStatus.OK, {parts[0]: [self._object(parts[0], each) for each in ids]}
        if parts[1] in self.missing:
            return HTTPStatus.NOT_FOUND, spotify_error(404, "Resource not found")
        return HTTPStatus.OK, self._object(*parts)

    def _object(self, kind: str, object_id: str) -> dict[str, Any] | None:
        if object_id in self.missing:
            return None
        found: dict[str, Any] = {"id": object_id, "name": f"{kind} {object_id}", "genres": ["sea shanty"]}
        if kind == "albums":
            found |= {"tracks": payloads.page([]), "genres": []}
        if self.old:
            found |= {"popularity": 40, "available_markets": ["AD"]}
            found |= {"followers": {"total": 12}} if kind == "artists" else {"label": "Quay Records"}
        return found


class Bucket(FakeS3):
    """A bucket that also knows GET and versions."""

    class exceptions(FakeS3.exceptions):
        class NoSuchKey(ClientError):
            pass

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[str] = []
        self.denied: set[str] = set()

    def _check(self, operation: str) -> None:
        self.requests.append(operation)
        if operation in self.denied:
            raise _error(ClientError, operation, "AccessDenied", 403)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        if Key != keys.KNOWN_DETAILS:
            return super().get_object(Bucket=Bucket, Key=Key)
        self._check("GetObject")
        if Key not in self.objects:
            raise _error(self.exceptions.NoSuchKey, "GetObject", "NoSuchKey", 404)
        return {"Body": io.BytesIO(self.objects[Key]), "ETag": etag(self.objects[Key])}

    def put_object(self, *, Key: str, Body: bytes, IfMatch: str | None = None, **more: Any) -> None:
        if Key != keys.KNOWN_DETAILS:
            return super().put_object(Key=Key, Body=Body, **more)
        self._check("PutObject")
        if self.on_put:
            self.on_put(Key)
        if IfMatch is None:
            assert more["IfNoneMatch"] == "*"
        there = self.objects.get(Key)
        if (there is not None) if IfMatch is None else (there is None or etag(there) != IfMatch):
            raise _error(ClientError, "PutObject", "PreconditionFailed", 412)
        self.objects[Key] = Body
        return None


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _error(kind: type[ClientError], operation: str, code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return kind(answer, operation)


@dataclass
class World:
    """A Spotify, a bucket and days of runs between them."""

    web: Catalog
    s3: Bucket = field(default_factory=Bucket)
    clock: FakeClock = field(default_factory=lambda: FakeClock(900))
    day: int = -1

    def run(self, calls: int, *, changed: bool = True) -> dict[str, envelope.Snapshot]:
        """One more day, on which every playlist has changed or none; returns its snapshots by playlist."""
        self.day += 1
        for playlist in self.web.playlists.values():
            playlist.version += changed
        self.web.sent.clear()
        self.s3.requests.clear()
        metrics.clear_metrics()
        settings = ExtractSettings(
            raw_bucket="raw",
            playlists=("owned",),
            secret_id="the-secret",
            spotify_api_url=API_URL,
            spotify_accounts_url=ACCOUNTS_URL,
            schedule_group="continuations",
            schedule_role_arn="the-role",
            schedule_dead_letters_arn="the-queue",
            detail_calls_per_run=calls,
        )
        at = AT + timedelta(days=self.day)
        spotify = spotify_client(self.web, self.clock)
        continuations = Continuations(FakeScheduler(), settings, "the-function")
        extract.run(ExtractRequest(scheduled_at=at), settings, spotify, self.s3, continuations, lambda: at)
        raw_keys = {each: keys.raw_key(each, at) for each in self.web.playlists}
        return {
            each: envelope.decode(self.s3.objects[key])
            for each, key in raw_keys.items()
            if key in self.s3.objects
        }

    def stored(self) -> list[dict[str, Any]]:
        return [
            json.loads(line) for line in gzip.decompress(self.s3.objects[keys.KNOWN_DETAILS]).splitlines()
        ]

    def known(self) -> set[str]:
        return {line["id"] for line in self.stored()}


def column(snapshot: envelope.Snapshot, table: str, name: str) -> list[Any]:
    [found] = [each for each in TABLES if each.name == table]
    return [row[name] for row in normalize(snapshot).records(found)]


class TestAsking:
    def test_nothing_by_default(self, counted):
        world = World(Catalog(Various(A, 3)))
        snapshot = world.run(0)[A]
        assert world.web.asked() == []
        assert world.s3.requests == []
        assert set(world.s3.objects) == {keys.raw_key(A, AT), keys.EXTRACT_STATE}
        assert snapshot.details == models.Details()
        assert not {name for name in counted() if "Detail" in name}

    def test_old_apps_ask_for_many_at_a_time(self, counted):
        world = World(Catalog(Various(A, 120), old=True))
        snapshot = world.run(100)[A]
        assert world.web.asked() == ["artists?50", "artists?50", "artists?20"] + ["albums?20"] * 6
        assert column(snapshot, "artists", "genres") == [["sea shanty"]] * 120
        assert column(snapshot, "artists", "followers") == [12] * 120
        assert column(snapshot, "artists", "popularity") == [40] * 120
        assert column(snapshot, "albums", "label") == ["Quay Records"] * 120
        assert column(snapshot, "albums", "popularity") == [40] * 120
        assert (counted()["DetailCalls"], counted()["DetailsKnown"]) == (9, 240)

    def test_new_apps_find_out_and_ask_one_by_one(self):
        world = World(Catalog(Various(A, 3), Various(B, 2, first=10)))
        snapshots = world.run(100)
        assert world.web.asked("artists") == [
            "artists?3",
            *(f"artists/{artist_id(number)}" for number in (0, 1, 2, 10, 11)),
        ]
        assert column(snapshots[B], "artists", "genres") == [["sea shanty"]] * 2
        assert column(snapshots[B], "artists", "followers") == [None] * 2

    def test_a_single_one_needs_no_finding_out(self):
        world = World(Catalog(Various(A, 1)))
        world.run(100)
        assert world.web.asked() == [f"artists/{artist_id(0)}", f"albums/{album_id(0)}"]

    def test_albums_that_tell_nothing_are_asked_for_once(self, caplog):
        world = World(Catalog(Various(A, 5), Various(B, 5, first=10)))
        world.run(100)
        assert len(world.web.asked("albums")) == 1
        assert "no details of albums" in caplog.text
        world.run(100)
        assert world.web.asked() == []

    def test_an_album_without_a_label_among_others_ends_nothing(self):
        world = World(Catalog(Various(A, 3), old=True))
        world.run(100)
        world.web.playlists[A].size = 4
        world.web.fault(f"albums/{album_id(3)}", 200, {"id": album_id(3)})
        world.run(100)
        world.web.playlists[A].size = 5
        assert column(world.run(100)[A], "albums", "label") == ["Quay Records"] * 3 + [None, "Quay Records"]

    def test_only_songs_are_worth_asking(self):
        page = payloads.every_kind()
        songs = [
            payloads.entry(payloads.song(id=None)),
            payloads.entry(payloads.song(album=None, artists=None)),
        ]
        odd = payloads.entry(
            payloads.song(artists=[None, payloads.artist(id="../me"), payloads.artist(id="")])
        )
        web = Catalog(WebPlaylist(A, 1))
        web.playlists[A].page = lambda *_: payloads.page([*page, *songs, odd, 7])
        world = World(web)
        snapshot = world.run(100)[A]
        named = {f"artists/{each}" for each in column(snapshot, "artists", "artist_id") if len(each) == 22}
        assert {each for each in world.web.asked() if "/" in each and each.startswith("artists")} == named

    def test_text_that_is_cut_in_the_middle_of_a_character(self):
        odd = [payloads.entry(payloads.song()) | change for change in ({"\ud83d": 1}, {"added_at": "\ud83d"})]
        web = Catalog(WebPlaylist(A, 1), old=True)
        cut = payloads.entry(payloads.song(artists=[payloads.artist("Cut", name="\ud83d")]))
        web.playlists[A].page = lambda *_: payloads.page([*odd, cut])
        world = World(web)
        for changed in (True, False):
            snapshot = world.run(100, changed=changed)[A]
            assert payloads.artist("Cut")["id"] in snapshot.details.artists

    def test_entries_in_the_playlist_object_count(self):
        world = World(Catalog(Various(A, 2, opens=set(), embeds=2), old=True))
        snapshot = world.run(100)[A]
        assert snapshot.contract == "embedded"
        assert column(snapshot, "artists", "followers") == [12, 12]

    def test_each_is_asked_for_once_in_its_life(self, counted):
        world = World(Catalog(Various(A, 30), Various(B, 30, first=20), old=True))
        world.run(100)
        assert world.web.asked() == ["artists?30", "albums?20", "albums?10", "artists?20", "albums?20"]
        world.web.playlists[A].size = 31
        snapshots = world.run(100)
        assert world.web.asked() == []
        assert counted()["DetailCalls"] == 0
        assert counted()["DetailsKnown"] == 100
        assert column(snapshots[A], "artists", "genres") == [["sea shanty"]] * 31

    def test_two_requests_to_s3_a_run(self):
        world = World(Catalog(Various(A, 30), Various(B, 30, first=30), old=True))
        world.run(100)
        assert world.s3.requests == ["GetObject", "PutObject"]
        world.run(100)
        assert world.s3.requests == ["GetObject"]

    def test_what_spotify_does_not_know_is_not_asked_for_again(self):
        for old in (False, True):
            world = World(Catalog(Various(A, 3), old=old))
            world.web.missing = {artist_id(1), album_id(0)}
            snapshot = world.run(100)[A]
            assert column(snapshot, "artists", "genres") == [["sea shanty"], None, ["sea shanty"]]
            assert artist_id(1) not in snapshot.details.artists
            assert world.known() >= {artist_id(1), album_id(0)}
            world.web.missing.clear()
            world.run(100)
            assert world.web.asked("artists") == []

    def test_an_album_is_kept_without_its_songs(self):
        world = World(Catalog(Various(A, 1), old=True))
        world.run(100)
        [album] = [line["object"] for line in world.stored() if line["kind"] == "albums"]
        assert album == {
            "id": album_id(0),
            "name": f"albums {album_id(0)}",
            "genres": [],
            "popularity": 40,
            "label": "Quay Records",
        }


class TestLimits:
    def test_no_more_requests_than_allowed_and_the_rest_on_other_days(self, counted):
        world = World(Catalog(Various(A, 10), Various(B, 10, first=20)))
        filled = []
        for _ in range(5):
            snapshots = world.run(6)
            assert len(world.web.asked()) <= 6
            assert counted()["DetailCalls"] == len(world.web.asked())
            genres = [g for each in (A, B) for g in column(snapshots[each], "artists", "genres")]
            filled.append(sum(genre is not None for genre in genres))
        assert filled == [5, 10, 14, 19, 20]

    def test_a_list_that_changed_while_it_was_read_costs_nothing_more(self):
        world = World(Catalog(Various(A, 3), old=True))
        playlist = world.web.playlists[A]
        world.web.before(f"{A}/items", lambda: setattr(playlist, "version", 9))
        world.run(100)
        assert world.web.asked() == ["artists?3", "albums?3"]

    @pytest.mark.parametrize(
        "fault",
        [
            {
                "status": 429,
                "body": spotify_error(429, "x", "QUOTA_EXCEEDED"),
                "headers": {"Retry-After": "86400"},
            },
            {"status": 429, "headers": {"Retry-After": "5"}},
            {"status": 403, "body": spotify_error(403, "Forbidden")},
            {"status": 403, "body": spotify_error(403, "Active premium subscription required")},
            {"status": 400, "body": spotify_error(400, "Invalid base62 id")},
            {"status": 503, "headers": {"Retry-After": "5"}},
            {"status": 200, "body": b'{"id": "cut'},
            {"status": 200, "body": b"[]"},
            {"status": 200, "body": {"error": "none"}},
            {"error": requests.ConnectionError("reset")},
            {"error": requests.ReadTimeout("slow")},
        ],
        ids=lambda fault: str(fault.get("status", fault.get("error"))),
    )
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
    def test_no_fault_fails_or_delays_a_snapshot(self, fault, kind, old, counted, caplog):
        plain = World(Catalog(Various(A, 60), Various(B, 60, first=60), old=old))
        expected = plain.run(0)
        world = World(Catalog(Various(A, 60), Various(B, 60, first=60), old=old))
        world.web.fault(f"^/v1/{kind}/", times=99, **fault)
        world.web.fault(f"^/v1/{kind}[?]", times=99, **fault)
        snapshots = world.run(300)
        assert world.clock.slept == []
        assert {each: snapshot.entries for each, snapshot in snapshots.items()} == {
            each: snapshot.entries for each, snapshot in expected.items()
        }
        assert counted()["SnapshotsWritten"] == 2
        assert counted()["PlaylistsFailed"] == 0
        assert len(world.web.asked(kind)) <= 1 + details.MAX_FAULTS
        assert "requests no more details" in caplog.text
        assert not [line for line in caplog.records if line.levelname == "ERROR"]

    def test_quota_ends_the_asking_at_once_and_what_was_learned_stays(self, caplog):
        world = World(Catalog(Various(A, 5), Various(B, 5, first=10)))
        quota = spotify_error(429, "API rate limit exceeded", "QUOTA_EXCEEDED")
        world.web.fault(f"artists/{artist_id(2)}", 429, quota, headers={"Retry-After": "86400"})
        snapshots = world.run(100)
        assert column(snapshots[A], "artists", "genres") == [["sea shanty"]] * 2 + [None] * 3
        assert world.web.asked()[-1] == f"artists/{artist_id(2)}"
        assert world.known() == {artist_id(0), artist_id(1)}
        assert "24.0 h" in caplog.text

    def test_one_that_always_fails_does_not_stand_in_the_way_of_the_others(self, caplog):
        world = World(Catalog(Various(A, 5)))
        world.web.fault(f"artists/{artist_id(1)}", 500, times=99)
        snapshot = world.run(100)[A]
        assert column(snapshot, "artists", "genres") == [["sea shanty"], None] + [["sea shanty"]] * 3
        assert "could not be read" in caplog.text

    def test_playlists_come_first_when_time_is_short(self, caplog):
        world = World(Catalog(Various(A, 5)), clock=FakeClock(DETAILS_RESERVE_S - 1))
        snapshot = world.run(100)[A]
        assert world.web.asked() == []
        assert len(snapshot.entries) == 5
        assert "s are left" in caplog.text

    def test_an_expired_token_is_renewed(self):
        world = World(Catalog(Various(A, 5), old=True))
        world.web.fault("^/v1/artists", 401, spotify_error(401, "The access token expired"))
        assert column(world.run(100)[A], "artists", "followers") == [12] * 5

    def test_what_was_learned_stays_when_the_run_is_stopped(self):
        world = World(Catalog(Various(A, 5), Various(B, 5), old=True))
        quota = spotify_error(429, "API rate limit exceeded", "QUOTA_EXCEEDED")
        world.web.fault(f"playlists/{B}", 429, quota)
        assert list(world.run(100)) == [A]
        assert len(world.known()) == 10


class TestKeeping:
    def test_equal_runs_store_equal_bytes(self):
        one, other = (World(Catalog(Various(A, 30), Various(B, 30, first=20), old=True)) for _ in "ab")
        one.run(100)
        other.run(100)
        assert one.s3.objects == other.s3.objects

    def test_runs_append(self):
        world = World(Catalog(Various(A, 3), old=True))
        world.run(100)
        before = world.s3.objects[keys.KNOWN_DETAILS]
        world.web.playlists[A].size = 5
        world.run(100)
        assert world.s3.objects[keys.KNOWN_DETAILS].startswith(before)
        assert len(world.stored()) == 10

    @pytest.mark.parametrize(
        "damage",
        [
            lambda body: body[:-20],
            lambda body: b"not gzip",
            lambda body: body + b"\n{}",
            lambda body: body[:30] + b"\x00\x00\x00" + body[33:],
            lambda body: body + gzip.compress(b'{"kind":"songs","id":"x","object":null}\n'),
            lambda body: gzip.compress(b'{"kind":"artists","id":'),
            lambda body: gzip.compress(b"\xff\n"),
            lambda body: gzip.compress(b'{"kind":"artists","id":"\xff","object":null}\n'),
        ],
    )
    def test_damaged_it_starts_anew(self, damage, caplog):
        world = World(Catalog(Various(A, 30), old=True))
        world.run(100)
        good = world.s3.objects[keys.KNOWN_DETAILS]
        world.s3.objects[keys.KNOWN_DETAILS] = damage(good)
        snapshot = world.run(100)[A]
        assert "damaged" in caplog.text
        assert world.s3.objects[keys.KNOWN_DETAILS] == good
        assert column(snapshot, "artists", "followers") == [12] * 30

    def test_lost_it_starts_anew(self):
        world = World(Catalog(Various(A, 30), old=True))
        world.run(100)
        del world.s3.objects[keys.KNOWN_DETAILS]
        world.run(100)
        assert len(world.known()) == 60

    def test_an_empty_object_is_as_good_as_none(self):
        world = World(Catalog(Various(A, 3), old=True))
        world.s3.objects[keys.KNOWN_DETAILS] = b""
        world.run(100)
        assert len(world.known()) == 6

    def test_runs_at_the_same_time_keep_what_both_learned(self):
        world, other = (
            World(Catalog(Various(A, 3), old=True)),
            World(Catalog(Various(B, 3, first=10), old=True)),
        )
        other.s3.objects = world.s3.objects

        def other_run(key):
            if key == keys.KNOWN_DETAILS:
                world.s3.on_put = None
                other.run(100)

        for day in range(2):
            world.s3.on_put = other_run
            world.web.playlists[A].size = other.web.playlists[B].size = 3 + day
            world.run(100)
            assert len(world.stored()) == len(world.known()) == 12 + 4 * day

    def test_overtaken_again_and_again_it_gives_up_with_a_word(self, caplog):
        world = World(Catalog(Various(A, 3), old=True))
        rivals = iter(
            gzip.compress(f'{{"kind":"artists","id":"{n}","object":null}}\n'.encode()) for n in range(9)
        )
        world.s3.on_put = lambda key: world.s3.objects.update({keys.KNOWN_DETAILS: next(rivals)})
        snapshot = world.run(100)[A]
        assert column(snapshot, "artists", "followers") == [12] * 3
        assert world.s3.requests.count("PutObject") == details.MAX_WRITES
        assert "could not be stored" in caplog.text
        assert len(world.stored()) == 1

    @pytest.mark.parametrize("operation", ["GetObject", "PutObject"])
    def test_a_fault_of_s3_is_told_and_fails_no_snapshot(self, operation, caplog, counted):
        world = World(Catalog(Various(A, 3), old=True))
        world.run(100)
        before = world.s3.objects[keys.KNOWN_DETAILS]
        world.web.playlists[A].size = 5
        world.s3.denied = {operation}
        snapshot = world.run(100)[A]
        assert len(snapshot.entries) == 5
        assert counted()["SnapshotsWritten"] == 1
        assert world.s3.objects[keys.KNOWN_DETAILS] == before
        [error] = [line for line in caplog.records if line.levelname == "ERROR"]
        assert "AccessDenied" in error.getMessage()
        assert keys.KNOWN_DETAILS in error.getMessage()
        if operation == "GetObject":
            assert world.web.asked() == []

    def test_s3_out_of_reach(self, caplog, monkeypatch):
        world = World(Catalog(Various(A, 3), old=True))

        get_object = world.s3.get_object

        def unreachable(**request):
            if request["Key"] != keys.KNOWN_DETAILS:
                return get_object(**request)
            raise EndpointConnectionError(endpoint_url="https://s3.test")

        monkeypatch.setattr(world.s3, "get_object", unreachable)
        assert len(world.run(100)[A].entries) == 3
        assert "cannot be read" in caplog.text


class TestUnchangedPlaylists:
    """Their snapshots are copies, and take along what is known on their own day."""

    def test_details_that_were_switched_on_later(self):
        world = World(Catalog(Various(A, 30), old=True))
        plain = world.run(0)[A]
        world.run(0, changed=False)  # two runs have to read the same before a third copies it
        snapshot = world.run(100, changed=False)[A]
        assert snapshot.copied_from is not None
        assert world.web.asked() == ["artists?30", "albums?20", "albums?10"]
        assert column(snapshot, "artists", "followers") == [12] * 30
        assert column(snapshot, "albums", "label") == ["Quay Records"] * 30
        assert snapshot.entries == plain.entries
        again = world.run(100, changed=False)[A]
        assert world.web.asked() == []
        assert again.details == snapshot.details

    def test_they_fill_over_the_days(self):
        world = World(Catalog(Various(A, 10)))
        filled = []
        for day in range(4):
            genres = column(world.run(4, changed=day == 0)[A], "artists", "genres")
            filled.append(sum(genre is not None for genre in genres))
        assert filled == [3, 6, 9, 10]

    def test_every_kind_of_entry(self):
        web = Catalog(WebPlaylist(A, 1), old=True)
        web.playlists[A].page = lambda *_: payloads.page([*payloads.every_kind(), 7])
        world = World(web)
        plain = world.run(0)[A]
        world.run(0, changed=False)
        snapshot = world.run(100, changed=False)[A]
        assert snapshot.copied_from is not None
        assert snapshot.entries == plain.entries
        assert set(snapshot.details.artists) >= set(column(plain, "artists", "artist_id"))

    def test_embedded_entries(self):
        world = World(Catalog(Various(A, 2, opens=set(), embeds=2), old=True))
        world.run(0)
        world.run(0, changed=False)
        snapshot = world.run(100, changed=False)[A]
        assert snapshot.copied_from is not None
        assert column(snapshot, "artists", "followers") == [12, 12]

    def test_content_that_cannot_be_read_is_told(self, caplog):
        whole = payloads.raw_object([payloads.entry(payloads.song())])
        head = gzip.compress(gzip.decompress(whole).partition(b'"pages":')[0], mtime=0)
        source = envelope.Source("raw/odd", head + gzip.compress(b'"pages":7}'))
        world = World(Catalog())
        enrichment = details.Enrichment(spotify_client(world.web, world.clock), world.s3, "raw", 100)
        assert not any(enrichment.details_of_copy(source).values())
        assert "gets no details" in caplog.text
        assert world.web.asked() == []
