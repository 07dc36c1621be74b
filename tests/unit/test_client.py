"""The client against Spotify's answers, good and bad: the real spotipy, no socket, no waiting."""

from functools import partial

import pytest
import requests

from spotify_lake.errors import (
    LakeError,
    OutOfTime,
    PlaylistError,
    PlaylistForbidden,
    PlaylistNotFound,
    QuotaExceeded,
    RateLimited,
    SignInExpired,
    SpotifyRefused,
    SpotifyUnavailable,
)
from spotify_lake.spotify.calls import FAULT_PAUSES_S, MAX_LIMIT_WAITS
from spotify_lake.spotify.client import MAX_READINGS, ListedPlaylist
from tests.support.fakes import (
    APP_CREDENTIALS,
    FakeClock,
    FakeWeb,
    WebPlaylist,
    read_playlist,
    spotify_client,
    spotify_error,
)
from tests.support.payloads import spotify_id

ID = spotify_id("list")
ITEMS = f"^/v1/playlists/{ID}/items"
HEAD = rf"^/v1/playlists/{ID}\?"


def fetch(
    web: FakeWeb, clock: FakeClock | None = None, playlist_id: str = ID, listed_version: str | None = None
):
    return read_playlist(spotify_client(web, clock or FakeClock()), playlist_id, listed_version)


def fetch_error(web: FakeWeb, clock: FakeClock | None = None) -> LakeError:
    with pytest.raises(LakeError) as caught:
        fetch(web, clock)
    return caught.value


def names(reading) -> list[str]:
    return [entry["item"]["name"] for entry in reading.paged]


class TestUser:
    def test_me(self):
        web = FakeWeb(user="robin")
        client = spotify_client(web, FakeClock())
        assert client.me() == "robin"
        assert client.acts_for_user
        assert web.paths() == ["/api/token", "/v1/me/"]
        assert client.requests == 2

    def test_app_alone_acts_for_nobody(self):
        assert not spotify_client(FakeWeb(), FakeClock(), APP_CREDENTIALS).acts_for_user

    def test_lists_every_playlist(self):
        web = FakeWeb(*(WebPlaylist(spotify_id(n), n, owner=f"owner{n % 2}") for n in range(120)))
        listed = spotify_client(web, FakeClock()).my_playlists()
        assert [playlist.id for playlist in listed] == list(web.playlists)
        assert listed[7].owner_id == "owner1"
        assert listed[7].snapshot_id == web.playlists[spotify_id(7)].snapshot_id
        assert listed[7].total == 7
        assert [sent.query["offset"] for sent in web.sent[1:]] == ["0", "50", "100"]

    @pytest.mark.parametrize(
        "wanted, requests",
        [
            ([7], 1),
            ([7, 8], 1),
            ([7, 60], 2),
            ([60], 1),
            (["elsewhere"], 1),
            ([7, "elsewhere"], 2),
            (range(120), 3),
        ],
    )
    def test_a_list_for_some_costs_no_more_than_asking_for_each(self, wanted, requests):
        web = FakeWeb(*(WebPlaylist(spotify_id(n), n) for n in range(120)))
        listed = spotify_client(web, FakeClock()).my_playlists([spotify_id(n) for n in wanted])
        assert [playlist.id for playlist in listed] == list(web.playlists)[: 50 * requests]
        assert len(web.sent) == 1 + requests

    def test_short_pages_of_the_listing_leave_none_out(self):
        web = FakeWeb(*(WebPlaylist(spotify_id(n)) for n in range(94)), listing_page=48)
        assert len(spotify_client(web, FakeClock()).my_playlists()) == 94

    def test_listing_survives_what_cannot_be_shown(self):
        web = FakeWeb()
        bare = {"id": ID, "name": None, "owner": None, "tracks": {"total": 3}}
        page = {"items": [None, {}, {"id": None}, bare, bare], "total": 9, "next": None}
        web.fault("^/v1/me/playlists", 200, page)
        web.fault("^/v1/me/playlists", 200, {"items": [], "total": 9, "next": None}, times=9)
        [listed] = spotify_client(web, FakeClock()).my_playlists()
        assert listed == ListedPlaylist(ID, name="", snapshot_id=None, owner_id=None, total=3)
        assert len(web.sent) == 3

    @pytest.mark.parametrize(
        "page",
        [
            {},
            {"items": None, "total": 1},
            {"items": [], "total": "1"},
            {"items": [], "total": 9, "next": "x"},
        ],
    )
    def test_broken_listing(self, page):
        web = FakeWeb()
        web.fault("^/v1/me/playlists", 200, page, times=99)
        with pytest.raises(SpotifyUnavailable, match="list of your playlists"):
            spotify_client(web, FakeClock()).my_playlists()

    @pytest.mark.parametrize("status", [400, 403, 404])
    def test_refused_listing_concerns_the_run(self, status):
        web = FakeWeb()
        web.fault("^/v1/me/playlists", status, spotify_error(status, "No"))
        with pytest.raises(SpotifyRefused, match=r"\./lake login"):
            spotify_client(web, FakeClock()).my_playlists()


class TestCompleteLists:
    @pytest.mark.parametrize("size", [0, 1, 50, 51, 230])
    def test_every_entry_in_order(self, size):
        web = FakeWeb(WebPlaylist(ID, size))
        reading = fetch(web)
        assert names(reading) == [f"Song {n}" for n in range(size)]
        assert (reading.entries, reading.contract) == (size, "items")
        assert reading.head.snapshot_id == f"{ID}-v1"
        assert len(web.sent) == 1 + 1 + max(1, -(-size // 50)) + 1  # token, version, pages, head

    @pytest.mark.parametrize("size", [0, 1, 50, 51, 230])
    def test_a_listed_version_saves_a_request(self, size):
        web = FakeWeb(WebPlaylist(ID, size))
        reading = fetch(web, listed_version=f"{ID}-v1")
        assert (reading.entries, reading.head.snapshot_id) == (size, f"{ID}-v1")
        assert len(web.sent) == 1 + max(1, -(-size // 50)) + 1  # token, pages, head

    def test_a_list_that_changed_since_it_was_listed_is_read_again(self):
        web = FakeWeb(playlist := WebPlaylist(ID, 60, version=3))
        reading = fetch(web, listed_version=f"{ID}-v2")
        assert (reading.head.snapshot_id, reading.snapshot_id) == (playlist.snapshot_id,) * 2
        assert len(web.sent) == 1 + 2 * (2 + 1)  # token, twice the pages and the head

    def test_what_is_asked_for(self):
        web = FakeWeb(WebPlaylist(ID, 60))
        fetch(web)
        before, first, second, head = web.sent[1:]
        assert before.query == {"additional_types": "track,episode", "fields": "snapshot_id"}
        assert head.query == {"additional_types": "track,episode"}
        assert first.query == {"additional_types": "track,episode", "limit": "50", "offset": "0"}
        assert second.query["offset"] == "50"
        assert all(timeout == 10 for timeout in web.timeouts)

    def test_smaller_pages_than_asked_for(self):
        web = FakeWeb(playlist := WebPlaylist(ID, 90))
        for offset in (0, 40, 80):
            page = {**playlist.page(offset, 40), "limit": 40}
            web.fault(f"{ITEMS}.*offset={offset}&", 200, page, times=9)
        assert names(fetch(web)) == [f"Song {n}" for n in range(90)]

    @pytest.mark.parametrize(
        "page",
        [
            b'{"items": [{"track"',
            b"",
            b"null",
            b"[]",
            b"<html>",
            {"total": 5},
            {"items": None, "total": 5},
            {"items": {}, "total": 5},
            {"items": [None] * 5},
            {"items": [None] * 4, "total": 5},
            {"items": [], "total": 5},
            {"items": [None] * 5, "total": 5, "offset": 50},
        ],
    )
    def test_unusable_page(self, page):
        passing = FakeWeb(WebPlaylist(ID, 5))
        passing.fault(ITEMS, 200, page)
        assert fetch(passing).entries == 5

        lasting = FakeWeb(WebPlaylist(ID, 5))
        lasting.fault(ITEMS, 200, page, times=99)
        error = fetch_error(lasting)
        assert isinstance(error, SpotifyUnavailable)
        assert ID in str(error)
        assert len([path for path in lasting.paths() if path.endswith("items")]) == 1 + len(FAULT_PAUSES_S)

    def test_null_entries_count(self):
        web = FakeWeb(WebPlaylist(ID, 3))
        web.fault(ITEMS, 200, {"items": [None, {"item": None}, None], "total": 3})
        assert fetch(web).entries == 3

    def test_count_that_does_not_add_up(self):
        web = FakeWeb(WebPlaylist(ID, 60))
        web.fault(f"{ITEMS}.*offset=50", 200, {"items": [None] * 20, "total": 60})
        error = fetch_error(web)
        assert isinstance(error, SpotifyUnavailable)
        assert "60 entries, but 70 came" in str(error)

    def test_list_that_changes_is_read_again(self):
        web = FakeWeb(playlist := WebPlaylist(ID, 120))

        def change():
            playlist.version, playlist.size = 2, 70

        web.before(f"{ITEMS}.*offset=50", change)
        reading = fetch(web)
        assert names(reading) == [f"Song {n}" for n in range(70)]
        assert reading.head.snapshot_id == f"{ID}-v2"
        assert reading.begun == [f"{ID}-v1", f"{ID}-v2"]

    def test_list_that_never_keeps_still(self):
        web = FakeWeb(playlist := WebPlaylist(ID, 3))
        web.before(ITEMS, lambda: setattr(playlist, "version", playlist.version + 1), times=99)
        error = fetch_error(web)
        assert isinstance(error, SpotifyUnavailable)
        assert "changed" in str(error)
        assert len([path for path in web.paths() if path.endswith("items")]) == MAX_READINGS

    def test_lists_made_by_spotify_have_a_new_version_each_time(self):
        web = FakeWeb(playlist := WebPlaylist(ID, 3, owner="spotify"))
        web.before(ITEMS, lambda: setattr(playlist, "version", playlist.version + 1), times=99)
        assert fetch(web).entries == 3

    def test_pages_come_one_at_a_time(self):
        web = FakeWeb(WebPlaylist(ID, 230))
        pages = spotify_client(web, FakeClock()).read(ID, "version").pages
        next(pages)
        next(pages)
        assert len(web.sent) == 3

    def test_head_without_snapshot_id(self):
        web = FakeWeb(WebPlaylist(ID, 3))
        web.fault(HEAD, 200, {"id": ID}, times=99)
        assert isinstance(fetch_error(web), SpotifyUnavailable)


class TestContracts:
    def test_items_are_preferred(self):
        web = FakeWeb(WebPlaylist(ID, 3, opens={"items", "tracks"}, embeds=100))
        assert fetch(web).contract == "items"

    @pytest.mark.parametrize("status", [403, 404, 410])
    def test_embedded_page_if_it_is_complete(self, status):
        web = FakeWeb(WebPlaylist(ID, 90, opens={"tracks"}, embeds=100))
        web.fault(ITEMS, status, spotify_error(status, "No"))
        reading = fetch(web, listed_version="listed before the list changed")
        assert (reading.contract, reading.entries, reading.paged) == ("embedded", 90, [])
        assert reading.snapshot_id == reading.head.snapshot_id == f"{ID}-v1"
        assert len(reading.head.playlist["items"]["items"]) == 90
        assert len(web.sent) == 3

    def test_embedded_page_under_its_old_name(self):
        web = FakeWeb(WebPlaylist(ID, opens=set()))
        old = {"id": ID, "snapshot_id": "s", "items": None, "tracks": {"items": [None] * 7, "total": 7}}
        web.fault(HEAD, 200, old, times=2)
        assert fetch(web).entries == 7

    def test_old_endpoint_if_it_answers(self):
        web = FakeWeb(WebPlaylist(ID, 230, opens={"tracks"}, embeds=100))
        reading = fetch(web)
        assert (reading.contract, reading.entries) == ("tracks", 230)
        assert names(reading) == [f"Song {n}" for n in range(230)]
        assert [sent.query["limit"] for sent in web.sent if sent.path.endswith("tracks")] == ["100"] * 3

    @pytest.mark.parametrize(
        "embedded", [None, {}, {"total": 0}, {"items": [], "total": None}, {"items": None, "total": 0}]
    )
    def test_nothing_open(self, embedded):
        web = FakeWeb(WebPlaylist(ID, 3, owner="somebody", opens=set()))
        web.fault(HEAD, 200, {**web.playlists[ID].head(), "items": embedded})
        error = fetch_error(web)
        assert isinstance(error, PlaylistForbidden)
        assert error.playlist_id == ID
        assert "not yours" in str(error)
        assert "Copy its songs into a playlist of your own" in str(error)

    def test_embedded_page_that_is_not_all(self):
        error = fetch_error(FakeWeb(WebPlaylist(ID, 230, opens=set(), embeds=100)))
        assert isinstance(error, PlaylistForbidden)
        assert "first 100 of its 230 entries" in str(error)

    def test_refusal_in_the_middle_is_a_fault(self):
        web = FakeWeb(WebPlaylist(ID, 120))
        web.fault(f"{ITEMS}.*offset=50", 403, spotify_error(403, "Forbidden"))
        assert isinstance(fetch_error(web), SpotifyUnavailable)

    def test_unknown_playlist(self):
        error = fetch_error(FakeWeb())
        assert isinstance(error, PlaylistNotFound)
        assert ID in str(error)

    def test_spotifys_own_list(self):
        with pytest.raises(PlaylistNotFound, match="closed to new apps"):
            fetch(FakeWeb(), playlist_id="37i9dQZF1DXcBWIGoYBM5M")

    def test_forbidden_head(self):
        web = FakeWeb()
        web.fault(HEAD, 403, spotify_error(403, "Forbidden."))
        assert isinstance(fetch_error(web), PlaylistForbidden)

    def test_odd_refusal_concerns_the_playlist_only(self):
        web = FakeWeb()
        web.fault(HEAD, 400, spotify_error(400, "Invalid base62 id"))
        error = fetch_error(web)
        assert type(error) is PlaylistError
        assert "Invalid base62 id" in str(error)

    @pytest.mark.parametrize("pattern", [HEAD, ITEMS])
    @pytest.mark.parametrize(
        "message,advice",
        [
            ("Active premium subscription required for the owner of the app", "renew"),
            ("User not registered in the Developer Dashboard", "User Management"),
            ("Insufficient client scope", "./lake login"),
        ],
    )
    def test_refusals_that_concern_the_app(self, pattern, message, advice):
        web = FakeWeb(WebPlaylist(ID, 3))
        web.fault(pattern, 403, spotify_error(403, message))
        error = fetch_error(web)
        assert isinstance(error, SpotifyRefused)
        assert message in str(error)
        assert advice in str(error)


class TestLimits:
    def limited(self, retry_after: str | None, *, times: int = 1, reason: str | None = None) -> FakeWeb:
        web = FakeWeb(WebPlaylist(ID, 120))
        headers = {"Retry-After": retry_after} if retry_after else {}
        body = spotify_error(429, "API rate limit exceeded", reason)
        web.fault(f"{ITEMS}.*offset=50", 429, body, headers=headers, times=times)
        return web

    def test_short_limit_is_waited_for(self):
        clock = FakeClock(60)
        assert fetch(self.limited("7"), clock).entries == 120
        assert clock.slept == [7]

    @pytest.mark.parametrize("retry_after", [None, "0", "later"])
    def test_limit_that_does_not_say_how_long(self, retry_after):
        clock = FakeClock()
        assert fetch(self.limited(retry_after, times=2), clock).entries == 120
        assert clock.slept == [8, 8]

    @pytest.mark.parametrize("left_s,retry_after", [(30, "21"), (300, "61"), (900, "86400")])
    def test_limit_that_is_too_long(self, left_s, retry_after):
        clock = FakeClock(left_s)
        error = fetch_error(self.limited(retry_after), clock)
        assert isinstance(error, RateLimited)
        assert error.retry_after_s == int(retry_after)
        assert error.retryable
        assert clock.slept == []

    def test_waits_are_bounded(self):
        clock = FakeClock(10_000)
        assert isinstance(fetch_error(self.limited("5", times=99), clock), RateLimited)
        assert clock.slept == [5] * MAX_LIMIT_WAITS

    @pytest.mark.parametrize("retry_after,seconds", [("50000", 50_000), (None, 86_400), ("3", 3)])
    def test_quota_ends_the_run_whatever_it_says(self, retry_after, seconds):
        clock = FakeClock()
        error = fetch_error(self.limited(retry_after, reason="QUOTA_EXCEEDED"), clock)
        assert isinstance(error, QuotaExceeded)
        assert error.retry_after_s == seconds
        assert clock.slept == []

    def test_quota_reason_beside_the_error(self):
        web = FakeWeb()
        web.fault(HEAD, 429, {"reason": "QUOTA_EXCEEDED", "error": {"status": 429, "message": "No"}})
        assert isinstance(fetch_error(web), QuotaExceeded)

    @pytest.mark.parametrize(
        "body", [b"", b"Too many requests", {"error": "slow down"}, {"error": None}, ["x"]]
    )
    def test_limit_with_any_body(self, body):
        web = FakeWeb(WebPlaylist(ID, 3))
        web.fault(ITEMS, 429, body, headers={"Retry-After": "1"})
        assert fetch(web).entries == 3

    def test_limit_of_the_sign_in(self):
        web, clock = FakeWeb(WebPlaylist(ID, 3)), FakeClock()
        web.fault("^/api/token", 429, b"", headers={"Retry-After": "4"})
        assert fetch(web, clock).entries == 3
        assert clock.slept == [4]


class TestFaults:
    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    @pytest.mark.parametrize("body", [b"", b"<html>", {"error": "x"}])
    def test_server_fault(self, status, body):
        web, clock = FakeWeb(WebPlaylist(ID, 3)), FakeClock()
        web.fault(ITEMS, status, body, headers={"Retry-After": "3600"}, times=3)
        assert fetch(web, clock).entries == 3
        assert clock.slept == list(FAULT_PAUSES_S)

        web.fault(ITEMS, status, body, times=4)
        error = fetch_error(web)
        assert isinstance(error, SpotifyUnavailable)
        assert str(status) in str(error)

    @pytest.mark.parametrize(
        "fault",
        [
            requests.ConnectionError("x"),
            requests.ConnectTimeout("x"),
            requests.ReadTimeout("x"),
            requests.exceptions.ChunkedEncodingError("x"),
        ],
    )
    def test_connection_fault(self, fault):
        web = FakeWeb(WebPlaylist(ID, 3))
        web.fault(ITEMS, error=fault)
        assert fetch(web).entries == 3

        web.fault(ITEMS, error=fault, times=4)
        error = fetch_error(web)
        assert isinstance(error, SpotifyUnavailable)
        assert type(fault).__name__ in str(error)

    def test_no_pause_without_the_time_for_it(self):
        web, clock = FakeWeb(WebPlaylist(ID, 3)), FakeClock(11.2)
        web.fault(ITEMS, 503, times=99)
        assert isinstance(fetch_error(web, clock), SpotifyUnavailable)
        assert clock.slept == [0.5]

    def test_no_request_without_the_time_for_it(self):
        web, clock = FakeWeb(WebPlaylist(ID, 230)), FakeClock(300)
        web.before(f"{ITEMS}.*offset=100", partial(setattr, clock, "left_s", 9))
        error = fetch_error(web, clock)
        assert isinstance(error, OutOfTime)
        assert error.retryable
        assert web.sent[-1].query["offset"] == "100"

    def test_timeout_ends_before_the_time_does(self):
        web = FakeWeb(WebPlaylist(ID, 3))
        fetch(web, FakeClock(14))
        assert set(web.timeouts) == {4}


class TestSignIn:
    def expired(self, times: int = 1) -> FakeWeb:
        web = FakeWeb(WebPlaylist(ID, 120))
        web.fault(f"{ITEMS}.*offset=50", 401, spotify_error(401, "The access token expired"), times=times)
        return web

    def test_new_token_in_the_middle_of_a_list(self):
        web = self.expired()
        assert fetch(web).entries == 120
        assert web.paths().count("/api/token") == 2

    def test_new_token_is_used(self):
        web = FakeWeb(WebPlaylist(ID, 120))
        client = spotify_client(web, FakeClock())
        client.me()
        web.token["access_token"] = "another"  # the first is not accepted any more
        assert read_playlist(client, ID).entries == 120
        assert web.sent[-1].headers["Authorization"] == "Bearer another"
        assert web.paths().count("/api/token") == 2
        assert client.requests == len(web.sent)

    def test_refused_again(self):
        web = self.expired(times=2)
        error = fetch_error(web)
        assert type(error) is SpotifyRefused
        assert "401" in str(error)
        assert web.paths().count("/api/token") == 2

    def test_expired_sign_in(self):
        web = self.expired()
        web.before("^/api/token", lambda: None)
        web.fault("^/api/token", 400, {"error": "invalid_grant"})
        error = fetch_error(web)
        assert isinstance(error, SignInExpired)
        assert web.paths()[-1] == "/api/token"

    def test_rotated_refresh_token_is_used_and_handed_out(self):
        web = self.expired()
        web.token["refresh_token"] = "rotated"
        client = spotify_client(web, FakeClock())
        kept = []
        client._keep_refresh_token = lambda old, new: kept.append((old, new, len(web.sent)))
        assert client.rotated_refresh_token is None
        read_playlist(client, ID)
        assert client.rotated_refresh_token == "rotated"
        assert kept == [("the-refresh-token", "rotated", 1)]  # at once, and only when it changed
        assert [sent.form["refresh_token"] for sent in web.sent if sent.form] == [
            "the-refresh-token",
            "rotated",
        ]
