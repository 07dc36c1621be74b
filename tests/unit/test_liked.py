"""Liked Songs as a playlist: how they are read, when they have changed, and what a run makes of them."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from local.spotify_stub import LIKED_SONGS_ID
from spotify_lake import keys
from spotify_lake.errors import (
    PartRefused,
    PermissionMissing,
    QuotaExceeded,
    SpotifyUnavailable,
)
from spotify_lake.extract import run as extract
from spotify_lake.extract.continuation import Continuations
from spotify_lake.extract.request import ExtractRequest, parse_event
from spotify_lake.normalize.rows import normalize
from spotify_lake.observability import metrics
from spotify_lake.raw import envelope
from spotify_lake.schema.playlists import PLAYLIST_ENTRIES, PLAYLISTS
from spotify_lake.spotify.credentials import Credentials
from spotify_lake.spotify.liked import LikedReading
from tests.support import payloads
from tests.support.fakes import (
    CREDENTIALS,
    FakeClock,
    FakeS3,
    FakeScheduler,
    FakeSpotify,
    FakeWeb,
    spotify_client,
    spotify_error,
)
from tests.unit.test_extract import AT, NOW, A, B, settings

ID = keys.liked_songs_id("me")
DAY = timedelta(days=1)
MISSING = PermissionMissing("your Liked Songs", "user-library-read", "take `liked` out of PlaylistIds")


@pytest.fixture(autouse=True)
def no_metrics():
    metrics.clear_metrics()
    yield
    metrics.clear_metrics()


def songs(count, *, first=0):
    return [
        {"added_at": f"2026-01-01T00:00:{(first + n) % 60:02}Z", "track": payloads.song(f"Song {first + n}")}
        for n in range(count)
    ]


def run(spotify, s3, at=AT, playlists=("liked",), *, request=None, scheduler=None):
    chosen = settings(playlists)
    continuations = Continuations(scheduler or FakeScheduler(), chosen, "the-function")
    request = request or ExtractRequest(scheduled_at=at)
    return extract.run(request, chosen, spotify, s3, continuations, lambda: at + timedelta(seconds=1))


def test_the_id_is_one_that_a_playlist_could_have():
    assert keys.liked_songs_id("31k5xq7zv2mwh3o6cd4pt8yr1jga") == LIKED_SONGS_ID
    assert re.fullmatch("[0-9A-Za-z]{22}", ID)
    assert keys.liked_songs_id("me") == ID != keys.liked_songs_id("you")
    assert keys.in_raw_key(keys.raw_key(ID, AT)) == keys.SnapshotId(AT, ID)


class TestReading:
    def read(self, web):
        reading = LikedReading(spotify_client(web, FakeClock()), ID, "me")
        while True:
            items = [item for page in reading.pages for item in page["items"]]
            if head := reading.confirm():
                return reading, head, items

    @pytest.mark.parametrize("count, requests", [(0, 1), (50, 1), (51, 3), (120, 4)])
    def test_all_songs_in_pages_of_fifty(self, count, requests):
        web = FakeWeb()
        web.saved["tracks"] = songs(count)
        reading, head, items = self.read(web)
        assert items == songs(count)
        assert reading.entries == count
        assert web.paths().count("/v1/me/tracks") == requests
        assert (head.playlist["name"], head.playlist["owner"]) == ("Liked Songs", {"id": "me"})

    @pytest.mark.parametrize(
        "change",
        [
            lambda liked: liked.insert(0, songs(1, first=500)[0]),
            lambda liked: liked.pop(90),
            lambda liked: (liked.pop(), liked.insert(0, songs(1, first=500)[0])),
        ],
    )
    def test_a_list_that_changes_is_read_again(self, change):
        web = FakeWeb()
        web.saved["tracks"] = songs(120)
        web.before("/v1/me/tracks.*offset=50", lambda: change(web.saved["tracks"]))
        _, head, items = self.read(web)
        assert items == web.saved["tracks"]
        assert head.snapshot_id == LikedReading(spotify_client(web, FakeClock()), ID, "me").snapshot_id

    def test_a_list_that_keeps_changing_is_left(self):
        web = FakeWeb()
        web.saved["tracks"] = songs(120)
        web.before(
            "/v1/me/tracks.*offset=50",
            lambda: web.saved["tracks"].insert(0, songs(1, first=len(web.saved["tracks"]))[0]),
            times=9,
        )
        with pytest.raises(SpotifyUnavailable, match="changed each of the 3 times"):
            self.read(web)

    def test_the_version_depends_on_number_and_first_page_only(self):
        def version(liked):
            web = FakeWeb()
            web.saved["tracks"] = liked
            return LikedReading(spotify_client(web, FakeClock()), ID, "me").snapshot_id

        usual = version(songs(120))
        assert version(songs(120)) == usual
        assert version(songs(119)) != usual
        assert version([*songs(1, first=500), *songs(119)]) != usual
        assert version([*songs(100), None, *songs(19)]) == usual
        assert version([None, *songs(119)]) != usual

    def test_without_the_scope_nothing_is_asked(self):
        web = FakeWeb()
        narrow = Credentials(
            client_id="c", client_secret="s", refresh_token="r", scopes="playlist-read-private"
        )
        with pytest.raises(PermissionMissing, match="user-library-read"):
            LikedReading(spotify_client(web, FakeClock(), narrow), ID, "me")
        alone = Credentials(client_id="c", client_secret="s")
        with pytest.raises(PermissionMissing, match="user-library-read"):
            LikedReading(spotify_client(web, FakeClock(), alone), ID, "me")
        assert web.sent == []

    def test_a_refusal_for_the_scope_is_the_same_sentence(self):
        web = FakeWeb()
        web.fault("/v1/me/tracks", 403, spotify_error(403, "Insufficient client scope"))
        assert CREDENTIALS.scopes == ""
        with pytest.raises(
            PermissionMissing, match=r"your Liked Songs \(scope user-library-read\).*\./lake login"
        ):
            LikedReading(spotify_client(web, FakeClock()), ID, "me")

    def test_any_other_refusal_concerns_this_part_only(self):
        web = FakeWeb()
        web.fault("/v1/me/tracks", 404, spotify_error(404, "Service not found"))
        with pytest.raises(PartRefused, match=r"your Liked Songs \(404: Service not found\)"):
            LikedReading(spotify_client(web, FakeClock()), ID, "me")


class TestRun:
    def test_they_are_a_snapshot_like_others(self):
        spotify, s3 = FakeSpotify({A: 3}), FakeS3()
        spotify.liked = songs(120)
        summary = run(spotify, s3, playlists=("owned", "liked"))
        assert summary.written == [A, ID]
        snapshot = envelope.decode(s3.objects[keys.raw_key(ID, AT)], keys.raw_key(ID, AT))
        assert (len(snapshot.entries), snapshot.total, snapshot.contract) == (120, 120, "tracks")
        tables = normalize(snapshot)
        [playlist] = tables.records(PLAYLISTS)
        assert (playlist["name"], playlist["owner_id"], playlist["entry_count"]) == ("Liked Songs", "me", 120)
        entries = list(tables.records(PLAYLIST_ENTRIES))
        assert [row["position"] for row in entries] == list(range(1, 121))
        assert entries[3]["added_at"] == datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC)
        assert tables.rows["rejects"] == []

    def test_they_are_copied_when_they_have_not_changed_and_read_once_a_week(self):
        spotify, s3 = FakeSpotify({}), FakeS3()
        spotify.liked = songs(120)
        asked = []
        for day in range(10):
            spotify.liked_pages.clear()
            assert run(spotify, s3, AT + day * DAY).written == [ID]
            asked.append([*spotify.liked_pages])
        whole = [0, 50, 100, 0]
        assert asked == [whole, whole, *[[0]] * 6, whole, [0]]

    def test_a_change_is_seen_the_same_day(self):
        spotify, s3 = FakeSpotify({}), FakeS3()
        spotify.liked = songs(60)
        hours = [AT + timedelta(hours=hour) for hour in range(4)]
        assert run(spotify, s3, hours[0]).written == [ID]
        assert run(spotify, s3, hours[1]).unchanged == [ID]
        spotify.liked = [*songs(1, first=500), *songs(60)]
        assert run(spotify, s3, hours[2]).written == [ID]
        assert len(envelope.decode(s3.objects[keys.raw_key(ID, hours[2])]).entries) == 61
        assert run(spotify, s3, hours[3]).unchanged == [ID]

    def test_the_name_of_who_likes_them_is_that_of_the_other_playlists(self):
        spotify, s3 = FakeSpotify({A: 1, B: 1}, followed=[A]), FakeS3()
        spotify.names = {"somebody": "Sam", "me": "Nadia"}
        names = []
        for day, playlists in enumerate((["liked"], ["owned", "liked"], ["liked"])):
            spotify.liked = songs(3 + day)  # changed, and read again
            run(spotify, s3, AT + day * DAY, playlists=playlists)
            snapshot = envelope.decode(s3.objects[keys.raw_key(ID, AT + day * DAY)])
            [playlist] = normalize(snapshot).records(PLAYLISTS)
            names.append((playlist["owner_id"], playlist["owner_name"]))
        assert names == [("me", None), ("me", "Nadia"), ("me", "Nadia")]

    @pytest.mark.parametrize("error", [MISSING, PartRefused(404, "your Liked Songs", "x")])
    def test_without_them_the_other_playlists_are_done(self, error, caplog):
        spotify, s3 = FakeSpotify({A: 1, B: 1}), FakeS3()
        spotify.liked = error
        summary = run(spotify, s3, playlists=("liked", "owned"))
        assert summary.written == [A, B]
        assert (summary.failed, summary.left_out) == ([], [str(error)])
        assert [line.getMessage() for line in caplog.records if line.levelname == "WARNING"] == [str(error)]

    def test_an_app_alone_reads_the_playlists_by_name(self):
        spotify = FakeSpotify({A: 1})
        spotify.acts_for_user, spotify.liked = False, MISSING
        summary = run(spotify, FakeS3(), playlists=(A, "liked"))
        assert (summary.written, summary.left_out) == ([A], [str(MISSING)])

    @pytest.mark.parametrize("condition", [QuotaExceeded(86_400), SpotifyUnavailable("x")])
    def test_a_continuation_knows_them_by_their_word(self, condition):
        spotify, s3, scheduler = FakeSpotify({A: 1}), FakeS3(), FakeScheduler()
        spotify.liked = condition
        run(spotify, s3, playlists=("owned", "liked"), scheduler=scheduler)
        [event] = scheduler.events
        assert event["playlist_ids"] == ["liked"]
        spotify.liked = songs(3)
        assert run(spotify, s3, request=parse_event(event, lambda: NOW)).written == [ID]
