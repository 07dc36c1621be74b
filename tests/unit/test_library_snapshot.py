"""The snapshot of the library: whole or not at all, once a day."""

from datetime import timedelta

import pytest

from spotify_lake import keys
from spotify_lake.errors import PartRefused, PermissionMissing, QuotaExceeded, SpotifyUnavailable
from spotify_lake.extract.request import ExtractRequest, parse_event
from spotify_lake.observability import metrics
from spotify_lake.raw.plays import unpack_library
from tests.support.fakes import (
    FakeClock,
    FakeS3,
    FakeScheduler,
    FakeSpotify,
    FakeWeb,
    spotify_client,
    spotify_error,
)
from tests.unit.test_extract import AT, NOW, A, run

KEY = keys.raw_library_key(AT)
LIBRARY = {"library": True}


@pytest.fixture(autouse=True)
def no_metrics():
    metrics.clear_metrics()
    yield
    metrics.clear_metrics()


def test_it_follows_the_playlists_once_a_day():
    s3 = FakeS3()
    first = run(FakeSpotify({A: 1}), s3, library=True)
    assert (first.written, first.library) == ([A], "written")
    found = unpack_library(s3.objects[KEY], KEY)
    assert {kind: len(items) for kind, items in found.items.items()} == {
        "followed_artist": 1,
        "album": 1,
        "show": 1,
        "episode": 1,
    }
    later = ExtractRequest(scheduled_at=AT + timedelta(hours=3))
    assert run(FakeSpotify({A: 1}), s3, request=later, library=True).library == "already there"
    tomorrow = ExtractRequest(scheduled_at=AT + timedelta(days=1))
    assert run(FakeSpotify({A: 1}), s3, request=tomorrow, library=True).library == "written"
    assert len([key for key in s3.objects if key.startswith(keys.RAW_LIBRARY)]) == 2


@pytest.mark.parametrize(
    "event, playlists, library",
    [
        ({}, None, None),
        ({"library": False}, None, False),
        ({"playlist_ids": [A]}, (A,), False),
        ({"playlist_ids": [A], "library": True}, (A,), True),
        ({"library": True}, (), True),
    ],
)
def test_what_an_event_asks_for(event, playlists, library):
    request = parse_event(event, lambda: NOW)
    assert (request.playlists, request.library) == (playlists, library)


def test_an_event_for_the_library_reads_no_playlist():
    spotify, s3 = FakeSpotify({A: 1}), FakeS3()
    request = parse_event(LIBRARY | {"scheduled_at": keys.iso(AT)}, lambda: NOW)
    assert run(spotify, s3, request=request).library == "written"
    assert spotify.fetched == []
    assert list(s3.snapshots) == [KEY]


@pytest.mark.parametrize(
    "error",
    [PermissionMissing("the artists you follow", "x", "y"), PartRefused(403, "your shows", "Forbidden")],
)
def test_without_a_part_there_is_no_snapshot_and_the_run_ends_well(error, caplog):
    spotify, s3 = FakeSpotify({A: 1}), FakeS3()
    spotify.library = error
    summary = run(spotify, s3, library=True)
    assert (summary.written, summary.left_out) == ([A], [str(error)])
    assert KEY not in s3.objects
    assert str(error) in caplog.text


@pytest.mark.parametrize("condition", [QuotaExceeded(86_400), SpotifyUnavailable("x")])
def test_a_continuation_does_what_is_left(condition):
    spotify, s3, scheduler = FakeSpotify({A: 1}), FakeS3(), FakeScheduler()
    spotify.library = condition
    run(spotify, s3, scheduler=scheduler, library=True)
    [event] = scheduler.events
    assert event == {"scheduled_at": keys.iso(AT), "continuation": 1, "library": True}
    spotify.library = None
    assert run(spotify, s3, request=parse_event(event, lambda: NOW), library=True).library == "written"


def test_a_quota_in_the_playlists_leaves_the_library_too():
    spotify, s3, scheduler = FakeSpotify({A: QuotaExceeded(86_400)}), FakeS3(), FakeScheduler()
    run(spotify, s3, scheduler=scheduler, library=True)
    assert scheduler.events[0] | {"correlation_id": None} == {
        "scheduled_at": keys.iso(AT),
        "continuation": 1,
        "playlist_ids": [A],
        "library": True,
        "correlation_id": None,
    }


class TestClient:
    def test_every_page_of_every_kind(self):
        web = FakeWeb()
        web.saved["albums"] = [{"album": {"id": str(n)}} for n in range(120)]
        web.followed = [f"artist{n}" for n in range(101)]
        client = spotify_client(web, FakeClock())
        pages = client.saved("album")
        assert [item for page in pages for item in page["items"]] == web.saved["albums"]
        followed = client.followed_artists()
        assert [item["id"] for page in followed for item in page["items"]] == web.followed
        assert web.paths().count("/v1/me/albums") == web.paths().count("/v1/me/following") == 3

    def test_nothing_saved_is_one_empty_page(self):
        web = FakeWeb()
        web.saved["shows"] = []
        client = spotify_client(web, FakeClock())
        assert [page["items"] for page in client.saved("show")] == [[]]
        assert [page["items"] for page in client.followed_artists()] == [[]]

    def test_a_kind_that_the_country_lacks_is_left_out(self):
        web = FakeWeb()
        web.fault("/v1/me/audiobooks", 404, spotify_error(404, "Service not found"))
        assert spotify_client(web, FakeClock()).saved("audiobook") is None

    def test_a_list_that_changes_is_read_again(self):
        web = FakeWeb()
        web.saved["albums"] = [{"album": {"id": str(n)}} for n in range(60)]
        web.before(
            "/v1/me/albums.*offset=50", lambda: web.saved["albums"].insert(0, {"album": {"id": "new"}})
        )
        pages = spotify_client(web, FakeClock()).saved("album")
        assert [item for page in pages for item in page["items"]] == web.saved["albums"]

    def test_cursors_that_lead_nowhere_end(self):
        web = FakeWeb()
        page = {"artists": {"items": [{"id": "a"}], "cursors": {"after": "a"}}}
        web.fault("/v1/me/following", 200, page, times=9)
        with pytest.raises(SpotifyUnavailable, match="does not end"):
            spotify_client(web, FakeClock()).followed_artists()
