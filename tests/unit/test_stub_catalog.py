"""The stub's songs, lists and objects, without sockets."""

import base64
import csv
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from local.spotify_stub import (
    CLIENT_ID,
    CLIENT_SECRET,
    FOLLOWED_PLAYLIST_ID,
    OWNER_ID,
    PLAYLISTS,
    REFRESH_TOKEN,
    SPOTIFY_MADE_PLAYLIST_ID,
)
from local.spotify_stub import playlists as lists
from local.spotify_stub.catalog import SONGS_FILE, catalog
from local.spotify_stub.derive import artists_of, main, name_key
from local.spotify_stub.faults import Fault, Faults
from local.spotify_stub.fields import parse_fields, select_fields
from local.spotify_stub.service import Request, SpotifyError, WebApi, access_token, is_user_token

FIRST_DAY = date(2026, 11, 1)
MONTH = [FIRST_DAY + timedelta(days=n) for n in range(30)]
YEAR = [FIRST_DAY + timedelta(days=n) for n in range(0, 365, 3)]


def keys(name, day):
    return [entry.key for entry in lists.entries(PLAYLISTS[name], day)]


def test_the_catalog_is_small_and_its_ids_look_like_spotifys():
    everything = [*catalog().songs, *catalog().albums, *catalog().artists, *lists.playlists()]

    assert 1200 <= len(catalog().songs) <= 1500
    assert SONGS_FILE.stat().st_size < 300_000
    assert all(re.fullmatch(r"[0-9A-Za-z]{22}", one) for one in everything)
    assert len(set(everything)) == len(everything)


def test_songs_albums_and_artists_fit_together():
    known = catalog()

    for song in known.songs.values():
        album = known.albums[song.album_id]
        assert song.id in album.song_ids
        assert 1 <= song.track_number <= album.total_tracks
        assert all(known.artists[artist.id] == artist for artist in song.artists)
        assert re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", song.isrc)
    for album in known.albums.values():
        numbers = [known.songs[song_id].track_number for song_id in album.song_ids]
        assert len(set(numbers)) == len(numbers)
        assert album.artists
    names = [artist.name for artist in known.artists.values()]
    assert len({name_key(name) for name in names}) == len(names)
    assert {album.release_date_precision for album in known.albums.values()} == {"year", "month", "day"}
    assert len(known.recordings) + sum(len(songs) - 1 for songs in known.versions) == len(known.songs)


@pytest.mark.parametrize(
    "title, artist, expected",
    [
        ("Closer (feat. Halsey)", "The Chainsmokers", ["The Chainsmokers", "Halsey"]),
        (
            "Taki Taki (with Selena Gomez, Ozuna & Cardi B)",
            "DJ Snake",
            ["DJ Snake", "Selena Gomez", "Ozuna", "Cardi B"],
        ),
        ("Trampa (feat. Zion & Lennox)", "Prince Royce", ["Prince Royce", "Zion & Lennox"]),
        ("Loco Contigo (with J. Balvin & Tyga)", "DJ Snake", ["DJ Snake", "J Balvin", "Tyga"]),
        ("Molly (feat. Brendon Urie of Panic at the Disco)", "Lil Dicky", ["Lil Dicky", "Brendon Urie"]),
        (
            "Faith (with Dolly Parton) [feat. Mr. Probz]",
            "Galantis",
            ["Galantis", "Dolly Parton", "Mr. Probz"],
        ),
        ("Money In The Grave (Drake ft. Rick Ross)", "Drake", ["Drake", "Rick Ross"]),
        ("Dancing (with myself)", "Nobody", ["Nobody"]),
        ("Plain", "Earth, Wind & Fire", ["Earth, Wind & Fire"]),
    ],
)
def test_guests_in_a_title_are_artists(title, artist, expected):
    names = ["Zion & Lennox", "J Balvin", "Selena Gomez", "Panic at the Disco", "Dolly Parton"]
    known = {name_key(name): name for name in names}

    assert artists_of(title, artist, known) == expected


def test_derive_chooses_well_known_songs_and_leaves_out_incomplete_rows(tmp_path):
    columns = [
        "track_id",
        "track_name",
        "track_artist",
        "track_popularity",
        "track_album_id",
        "track_album_name",
        "track_album_release_date",
        "playlist_genre",
        "duration_ms",
    ]
    source, target = tmp_path / "spotify_songs.csv", tmp_path / "songs.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerow(["known", "Hit (feat. B)", "A", "90", "x", "Hit", "2019-06-14", "pop", "200000"])
        writer.writerow(["known", "Hit (feat. B)", "A", "90", "x", "Hit", "2019-06-14", "rock", "200000"])
        writer.writerow(["obscure", "Miss", "A", "10", "y", "Miss", "2019-06-14", "pop", "200000"])
        writer.writerow(["nameless", "NA", "A", "95", "z", "Gone", "2019-06-14", "pop", "200000"])

    assert main([str(source), "--to", str(target)]) == 0

    with target.open(encoding="utf-8", newline="") as file:
        assert [(row["song_id"], row["artists"]) for row in csv.DictReader(file)] == [("known", "A;B")]


def test_sizes_of_the_lists():
    for day in YEAR:
        sizes = {name: len(keys(name, day)) for name in PLAYLISTS}
        assert sizes["Top 100"] == 100
        assert 250 < sizes["Songs of a Lifetime"] <= 290
        assert 45 <= sizes["New on Friday"] <= 52
        assert 40 <= sizes["Odds & Ends"] <= 46
        assert (sizes["Morning Ten"], sizes["Drafts"]) == (10, 0)


def test_the_chart_moves_every_day_and_songs_enter_leave_and_return():
    days = [keys("Top 100", day) for day in MONTH]
    entered, left, returned, climbed, fell = set(), set(), set(), 0, 0
    for before, after in pairwise(days):
        new = set(after) - set(before)
        returned |= new & left
        entered |= new
        left |= set(before) - set(after)
        moves = [before.index(song) - after.index(song) for song in set(before) & set(after)]
        climbed += sum(move > 0 for move in moves)
        fell += sum(move < 0 for move in moves)

    assert all(len(set(day)) == len(day) for day in days)
    assert all(before != after for before, after in pairwise(days))
    assert len(entered) > 40
    assert len(left) > 40
    assert returned
    assert min(climbed, fell) > 500


@pytest.mark.parametrize(
    "name, weekdays",
    [
        ("Songs of a Lifetime", {4}),
        ("New on Friday", {4}),
        ("Featuring", {0, 3}),
        ("Odds & Ends", {6}),
    ],
)
def test_edited_lists_change_on_their_days_only(name, weekdays):
    days = [FIRST_DAY + timedelta(days=n) for n in range(90)]
    changed = {after.weekday() for before, after in pairwise(days) if keys(name, before) != keys(name, after)}

    assert changed == weekdays


def test_some_lists_never_change():
    assert len({lists.snapshot_id(PLAYLISTS["Morning Ten"], day) for day in YEAR}) == 1
    assert len({lists.snapshot_id(PLAYLISTS["Drafts"], day) for day in YEAR}) == 1


@pytest.mark.parametrize("name", PLAYLISTS)
def test_the_version_changes_exactly_when_the_content_does(name):
    playlist_id = PLAYLISTS[name]
    for before, after in pairwise(MONTH):
        same_entries = lists.entries(playlist_id, before) == lists.entries(playlist_id, after)
        same_version = lists.snapshot_id(playlist_id, before) == lists.snapshot_id(playlist_id, after)
        assert same_entries == same_version


@pytest.mark.parametrize("name", ["Top 100", "Songs of a Lifetime", "Featuring", "New on Friday"])
def test_an_entry_was_added_on_the_day_it_was_first_seen(name):
    playlist_id = PLAYLISTS[name]
    seen = {entry.key: entry for entry in lists.entries(playlist_id, MONTH[0])}
    for day in MONTH[1:]:
        today = {entry.key: entry for entry in lists.entries(playlist_id, day)}
        assert all(seen[key] == today[key] for key in seen.keys() & today.keys())
        for key in today.keys() - seen.keys():
            assert today[key].added_at == datetime(day.year, day.month, day.day, tzinfo=UTC).strftime(
                "%Y-%m-%dT00:00:00Z"
            )
        seen = today


def test_odd_entries_are_among_the_odds_and_ends():
    entries = lists.entries(PLAYLISTS["Odds & Ends"], FIRST_DAY)
    songs = [entry.key for entry in entries if entry.kind == "song"]

    assert {entry.kind for entry in entries} == {
        "song",
        "episode",
        "local",
        "unavailable",
        "missing",
        "ghost",
        "nameless",
    }
    assert len(songs) - len(set(songs)) >= 2
    assert None in {entry.added_at for entry in entries}
    assert {None, "", OWNER_ID} <= {entry.added_by for entry in entries}


def test_a_recording_changes_its_id_but_not_its_isrc():
    months = [FIRST_DAY + timedelta(weeks=4 * n) for n in range(4)]
    pairs = {song_id for day in months for song_id in keys("Odds & Ends", day) if song_id in catalog().songs}
    isrcs = [catalog().songs[song_id].isrc for song_id in pairs]

    assert len(isrcs) - len(set(isrcs)) == 1


def test_popularity_drifts_around_the_real_value():
    for song in list(catalog().songs.values())[:50]:
        values = [lists.popularity(song, day) for day in YEAR]
        assert all(0 <= value <= 100 for value in values)
        assert max(abs(value - song.popularity) for value in values) <= 8
        assert len(set(values)) > 1


@pytest.mark.parametrize(
    "fields, expected",
    [
        ("total", {"total": 2}),
        ("items(item(name)),total", {"items": [{"item": {"name": "a"}}, {"item": None}], "total": 2}),
        ("items.item.name", {"items": [{"item": {"name": "a"}}, {"item": None}]}),
        (
            "items.item.id,items.item.name,total",
            {"items": [{"item": {"name": "a"}}, {"item": None}], "total": 2},
        ),
        ("items(track(name))", {"items": [{}, {}]}),
        ("items(item(!id))", {"items": [{"item": {"name": "a"}}, {"item": None}]}),
        ("!items", {"total": 2}),
    ],
)
def test_fields_select(fields, expected):
    page = {"items": [{"item": {"name": "a", "id": "1"}}, {"item": None}], "total": 2}

    assert select_fields(page, parse_fields(fields)) == expected


@pytest.mark.parametrize(
    "fields", ["", "items(", "items)", "a,,b", "a;b", "items()", ".a", "a(b}", 'a"', "a:b", "a."]
)
def test_malformed_fields_are_refused(fields):
    with pytest.raises(ValueError, match=re.escape(repr(fields))):
        parse_fields(fields)


def test_a_token_says_who_and_ends():
    token = access_token(for_user=True, expires_at=1000)

    assert is_user_token(token, 999.9)
    assert not is_user_token(access_token(for_user=False, expires_at=1000), 0)
    for wrong, now in ((token, 1000), (token[:-2], 0), ("BQ", 0), ("garbage é", 0), ("", 0)):
        with pytest.raises(SpotifyError) as error:
            is_user_token(wrong, now)
        assert error.value.status == 401


@pytest.mark.parametrize(
    "contract, playlist_id, for_user, metadata, items",
    [
        ("new", PLAYLISTS["Top 100"], True, 200, 200),
        ("new", PLAYLISTS["Drafts"], True, 200, 200),
        ("new", FOLLOWED_PLAYLIST_ID, True, 200, 403),
        ("new", SPOTIFY_MADE_PLAYLIST_ID, True, 404, 404),
        ("new", PLAYLISTS["Top 100"], False, 200, 403),
        ("new", PLAYLISTS["Drafts"], False, 404, 404),
        ("new", "0" * 22, True, 404, 404),
        ("new", "no-id", True, 400, 400),
        ("legacy", FOLLOWED_PLAYLIST_ID, True, 200, 200),
        ("legacy", PLAYLISTS["Top 100"], False, 200, 200),
        ("legacy", PLAYLISTS["Drafts"], False, 404, 404),
        ("legacy", SPOTIFY_MADE_PLAYLIST_ID, True, 404, 404),
    ],
)
def test_who_may_read_what(contract, playlist_id, for_user, metadata, items):
    api = WebApi(contract)
    token = f"Bearer {access_token(for_user=for_user, expires_at=9e9)}"
    about = api.respond(Request("GET", f"/v1/playlists/{playlist_id}", authorization=token))
    entries = api.respond(Request("GET", f"/v1/playlists/{playlist_id}/items", authorization=token))

    assert (about.status, entries.status) == (metadata, items)
    if metadata == 200:
        assert ("items" in about.body) == (items == 200)
    if items != 200:
        assert entries.body["error"]["status"] == items


@pytest.mark.parametrize(
    "raw, problem",
    [
        ("GET /v1/me", "'GET /v1/me' is not a fault: Expected `object`"),
        ({"status": 500}, "missing required field `match`"),
        ({"match": "/v1/me"}, "not a method and a path"),
        ({"match": "GET /v1/me", "stauts": 500}, "unknown field `stauts`"),
        ({"match": "GET /v1/me", "status": "500"}, "got `str` - at `$.status`"),
        ({"match": "GET /v1/me", "times": True}, "got `bool` - at `$.times`"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(raw, problem):
    with pytest.raises(ValueError, match=re.escape(problem)):
        Fault.from_json(raw)


@pytest.mark.parametrize(
    "match, method, path, query, fits",
    [
        ("GET /v1/playlists/*/items", "GET", "/v1/playlists/x/items", {}, True),
        ("GET /v1/playlists/*", "GET", "/v1/playlists/x/items", {}, False),
        ("GET /v1/**", "GET", "/v1/playlists/x/items", {}, True),
        ("* /**", "POST", "/api/token", {}, True),
        ("POST /api/token", "GET", "/api/token", {}, False),
        ("GET /v1/me/playlists?offset=50", "GET", "/v1/me/playlists", {"offset": "50", "limit": "50"}, True),
        ("GET /v1/me/playlists?offset=50", "GET", "/v1/me/playlists", {"offset": "0"}, False),
    ],
)
def test_which_requests_a_fault_is_for(match, method, path, query, fits):
    assert Fault(match).fits(method, path, query) is fits


def test_faults_count_down():
    faults = Faults()
    faults.replace([Fault("GET /a", skip=1, times=2, status=500), Fault("GET /a", times=None, status=502)])

    taken = [fault.status for _ in range(5) if (fault := faults.take("GET", "/a", {}))]

    assert taken == [502, 500, 500, 502, 502]
    assert faults.take("GET", "/b", {}) is None
    assert [fault["times"] for fault in faults.as_json()] == [0, None]


@pytest.mark.parametrize(
    "method, form, secret, status, error",
    [
        ("POST", {"grant_type": "client_credentials"}, CLIENT_SECRET, 200, None),
        ("POST", {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}, CLIENT_SECRET, 200, None),
        (
            "POST",
            {"grant_type": "refresh_token", "refresh_token": "old"},
            CLIENT_SECRET,
            400,
            "invalid_grant",
        ),
        ("POST", {"grant_type": "refresh_token"}, CLIENT_SECRET, 400, "invalid_grant"),
        ("POST", {"grant_type": "client_credentials"}, "wrong", 400, "invalid_client"),
        ("POST", {}, CLIENT_SECRET, 400, "unsupported_grant_type"),
        ("GET", {}, CLIENT_SECRET, 405, "method_not_allowed"),
    ],
)
def test_the_token_endpoint_checks_the_client_and_the_grant(method, form, secret, status, error):
    basic = base64.b64encode(f"{CLIENT_ID}:{secret}".encode()).decode()
    request = Request(method, "/api/token", form=form, authorization=f"Basic {basic}")
    response = WebApi("new").respond(request)

    assert (response.status, response.body.get("error")) == (status, error)


def test_a_code_of_the_consent_page_works_for_ten_minutes():
    basic = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    uri = "http://127.0.0.1:9/callback"
    query = {"client_id": CLIENT_ID, "redirect_uri": uri, "response_type": "code", "scope": "a b"}
    api = WebApi("new")
    for number, (age, status) in enumerate([(599, 200), (600, 400)]):
        page = api.respond(Request("GET", "/authorize", query, unix_time=1000, number=number))
        code = page.headers["Location"].removeprefix(f"{uri}?code=")
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": uri}
        token = Request("POST", "/api/token", form=form, authorization=basic, unix_time=1000 + age)

        assert api.respond(token).status == status
