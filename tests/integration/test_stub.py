"""The Spotify stub as the real spotipy sees it, over loopback."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
import spotipy
from requests.adapters import HTTPAdapter
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyClientCredentials, SpotifyOAuth, SpotifyOauthError
from urllib3.util import Retry

from local.spotify_stub import (
    CLIENT_ID,
    CLIENT_SECRET,
    FOLLOWED_PLAYLIST_ID,
    OWNER_ID,
    PLAYLISTS,
    REFRESH_TOKEN,
    SCOPES,
    SPOTIFY_MADE_PLAYLIST_ID,
    TOKEN_VARIABLE,
)
from local.spotify_stub.server import serve

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
ROOT = Path(__file__).parents[2]

# What real responses have at each level, without what the new contract took away.
PAGE_KEYS = {"href", "items", "limit", "next", "offset", "previous", "total"}
ENTRY_KEYS = {"added_at", "added_by", "is_local", "primary_color", "item", "video_thumbnail"}
TRACK_KEYS = {
    *(
        "album",
        "artists",
        "disc_number",
        "duration_ms",
        "episode",
        "explicit",
        "external_ids",
        "external_urls",
    ),
    *("href", "id", "is_local", "name", "preview_url", "track", "track_number", "type", "uri"),
}
ALBUM_KEYS = {
    *("album_type", "artists", "external_urls", "href", "id", "images", "name", "release_date"),
    *("release_date_precision", "total_tracks", "type", "uri"),
}
ARTIST_KEYS = {"external_urls", "href", "id", "name", "type", "uri"}
LOCAL_TRACK_KEYS = TRACK_KEYS - {"episode", "track"}
LOCAL_ALBUM_KEYS = ALBUM_KEYS - {"total_tracks"}
EPISODE_KEYS = {
    *("audio_preview_url", "description", "duration_ms", "episode", "explicit", "external_urls", "href"),
    *(
        "html_description",
        "id",
        "images",
        "is_externally_hosted",
        "is_playable",
        "language",
        "languages",
        "name",
    ),
    *("release_date", "release_date_precision", "resume_point", "show", "track", "type", "uri"),
}
SUMMARY_KEYS = {
    *("collaborative", "description", "external_urls", "href", "id", "images", "items", "name", "owner"),
    *("primary_color", "public", "snapshot_id", "type", "uri"),
}


@pytest.fixture(scope="module")
def stubs():
    with serve(contract="new", now=NOW) as new, serve(contract="legacy", now=NOW) as legacy:
        yield {"new": new, "legacy": legacy}


@pytest.fixture
def stub(stubs, request):
    """A stub as if just started; in the new contract unless the test says otherwise."""
    server = stubs[getattr(request, "param", "new")]
    server.clock.set(NOW)
    server.faults.replace([])
    server.clear_requests()
    return server


@pytest.fixture
def connect():
    """Makes spotipy clients and closes them."""
    with ExitStack() as stack:

        def make(server, *, refresh_token=REFRESH_TOKEN, client_secret=CLIENT_SECRET, user=True, retries=0):
            retry = Retry(
                retries,
                status_forcelist=(500, 502, 503, 504),
                respect_retry_after_header=False,
                raise_on_status=False,
            )
            session = stack.enter_context(requests.Session())
            session.mount("http://", HTTPAdapter(max_retries=retry))
            scope = " ".join(SCOPES)
            if user:
                cached = {
                    "access_token": "",
                    "refresh_token": refresh_token,
                    "expires_at": 0,
                    "scope": scope,
                }
                auth = SpotifyOAuth(
                    CLIENT_ID,
                    client_secret,
                    "http://127.0.0.1:9/callback",
                    scope=scope,
                    cache_handler=MemoryCacheHandler(cached),
                    requests_session=session,
                    open_browser=False,
                )
            else:
                auth = SpotifyClientCredentials(
                    CLIENT_ID, client_secret, requests_session=session, cache_handler=MemoryCacheHandler()
                )
            auth.OAUTH_TOKEN_URL = f"{server.url}/api/token"
            client = spotipy.Spotify(auth_manager=auth, requests_session=session, requests_timeout=30)
            client.prefix = f"{server.url}/v1/"
            return client

        yield make


@contextmanager
def stub_process(contract):
    """A stub started as a command, in a process that orders its sets and hashes in another way."""
    command = [sys.executable, "-m", "local.spotify_stub", "--contract", contract, "--now", NOW.isoformat()]
    environment = {**os.environ, "PYTHONHASHSEED": "7", TOKEN_VARIABLE: "the-token"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith(f"Spotify stub, {contract} contract: http://127.0.0.1:")
            yield line.split()[-1]
        finally:
            process.terminate()


@pytest.fixture
def spotify(connect, stub):
    return connect(stub)


def control(stub, method, what, **options):
    headers = {"Authorization": f"Bearer {stub.token}"}
    return requests.request(method, f"{stub.url}/_stub/{what}", headers=headers, timeout=30, **options)


def set_faults(stub, *faults):
    answer = control(stub, "put", "faults", json=list(faults))
    assert answer.status_code == 200, answer.text


def all_entries(spotify, playlist_id, **options):
    page = spotify.playlist_items(playlist_id, **options)
    entries = list(page["items"])
    while page["next"]:
        page = spotify.next(page)
        entries += page["items"]
    assert len(entries) == page["total"]
    return entries


@pytest.mark.parametrize("stub", ["new", "legacy"], indirect=True)
def test_every_owned_playlist_can_be_paged_to_its_end(spotify):
    me = spotify.me()
    listing = spotify.current_user_playlists()
    owned = {one["name"]: one for one in listing["items"] if one["owner"]["id"] == me["id"]}

    assert me["account_id"]
    assert {name: one["id"] for name, one in owned.items()} == PLAYLISTS
    for one in owned.values():
        assert len(all_entries(spotify, one["id"], limit=50)) == one["items"]["total"]
        assert spotify.playlist(one["id"])["snapshot_id"] == one["snapshot_id"]


def test_paging_of_the_playlists(spotify):
    pages = [spotify.current_user_playlists(limit=4, offset=offset) for offset in (0, 4, 8, 12)]

    assert [len(page["items"]) for page in pages] == [4, 4, 1, 0]
    assert [bool(page["next"]) for page in pages] == [True, True, False, False]
    assert [bool(page["previous"]) for page in pages] == [False, True, True, True]
    assert spotify.next(pages[0]) == pages[1]
    assert {page["total"] for page in pages} == {len(PLAYLISTS) + 2}


def test_songs_have_several_artists_and_a_release_date_of_any_precision(spotify):
    entries = [entry for name in PLAYLISTS for entry in all_entries(spotify, PLAYLISTS[name])]
    tracks = [entry["item"] for entry in entries if entry.get("item") and entry["item"]["type"] == "track"]

    assert sum(len(track["artists"]) > 1 for track in tracks) > 60
    assert {track["album"]["release_date_precision"] for track in tracks} >= {"day", "month", "year", None}


def test_shapes_of_the_new_contract(spotify):
    page = spotify.playlist_items(PLAYLISTS["Odds & Ends"])
    entries = {(entry["item"] or {}).get("type", "null"): entry for entry in page["items"] if "item" in entry}
    track = next(
        e["item"] for e in page["items"] if e.get("item") and "track_number" in e["item"] and e["item"]["id"]
    )
    local = next(e["item"] for e in page["items"] if e["is_local"])

    assert set(page) == PAGE_KEYS
    assert set(entries) == {"track", "episode", "null"}
    assert all(set(entry) in (ENTRY_KEYS, ENTRY_KEYS - {"item"}) for entry in page["items"])
    assert sum("item" not in entry for entry in page["items"]) == 1
    assert (set(track), set(track["album"]), set(track["artists"][0])) == (
        TRACK_KEYS,
        ALBUM_KEYS,
        ARTIST_KEYS,
    )
    assert set(entries["episode"]["item"]) == EPISODE_KEYS
    assert (set(local), set(local["album"])) == (LOCAL_TRACK_KEYS, LOCAL_ALBUM_KEYS)
    assert set(spotify.current_user_playlists()["items"][0]) == SUMMARY_KEYS
    assert set(spotify.playlist(PLAYLISTS["Top 100"])) == SUMMARY_KEYS
    assert set(spotify.playlist(PLAYLISTS["Top 100"])["items"]) == PAGE_KEYS
    assert set(spotify.playlist(FOLLOWED_PLAYLIST_ID)) == SUMMARY_KEYS - {"items"}


@pytest.mark.parametrize("stub", ["legacy"], indirect=True)
def test_shapes_of_the_legacy_contract(spotify):
    entry = spotify.playlist_items(PLAYLISTS["Top 100"], limit=1)["items"][0]
    playlist = spotify.playlist(PLAYLISTS["Top 100"])

    assert set(entry) == ENTRY_KEYS | {"track"}
    assert entry["track"] == entry["item"]
    assert set(entry["track"]) == TRACK_KEYS | {"available_markets", "popularity"}
    assert set(entry["track"]["album"]) == ALBUM_KEYS | {"available_markets"}
    assert len(entry["track"]["available_markets"]) > 180
    assert set(playlist) == SUMMARY_KEYS | {"tracks", "followers"}
    assert playlist["tracks"]["items"] == playlist["items"]["items"]
    assert set(spotify.current_user_playlists()["items"][0]) == SUMMARY_KEYS | {"tracks"}


def test_odd_entries_look_as_they_really_do(spotify):
    entries = spotify.playlist_items(PLAYLISTS["Odds & Ends"])["items"]
    items = [entry["item"] for entry in entries if entry.get("item")]
    local = [item for item in items if item.get("is_local")]
    ghost = next(item for item in items if item["name"] == "")
    nameless = next(
        item for item in items if item["type"] == "track" and item["artists"][0]["id"] is None and item["id"]
    )

    assert [item["uri"].startswith("spotify:local:") for item in local] == [True, True]
    assert {(item["id"], item["album"]["release_date"]) for item in local} == {(None, None)}
    assert (ghost["duration_ms"], ghost["album"]["release_date"]) == (0, "0000")
    assert (nameless["artists"][0]["id"], nameless["album"]["artists"]) == (None, [])
    assert sum(entry.get("item", 0) is None for entry in entries) == 2
    assert "" in {entry["added_by"]["id"] for entry in entries if entry["added_by"]}
    assert None in {entry["added_at"] for entry in entries}


@pytest.mark.parametrize("stub", ["new", "legacy"], indirect=True)
def test_episodes_are_null_unless_asked_for(spotify):
    odds = PLAYLISTS["Odds & Ends"]
    asked = spotify.playlist_items(odds)["items"]
    not_asked = spotify.playlist_items(odds, additional_types=("track",))["items"]
    episodes = [n for n, e in enumerate(asked) if e.get("item") and e["item"]["type"] == "episode"]

    assert len(episodes) == 3
    assert all(not_asked[n]["item"] is None for n in episodes)
    assert len(asked) == len(not_asked)


@pytest.mark.parametrize("stub", ["new", "legacy"], indirect=True)
def test_single_tracks_albums_and_artists(stub, spotify):
    track = spotify.playlist_items(PLAYLISTS["Featuring"], limit=1)["items"][0]["item"]
    old = {"popularity"} if stub.contract == "legacy" else set()

    assert spotify.track(track["uri"])["external_ids"] == track["external_ids"]
    album = spotify.album(track["album"]["id"])
    assert album["release_date"] == track["album"]["release_date"]
    assert track["id"] in [one["id"] for one in album["tracks"]["items"]]
    assert ({"popularity", "label", "available_markets"} & set(album) == set()) is (not old)
    artist = spotify.artist(track["artists"][1]["id"])
    assert set(artist) & {"popularity", "followers"} == (old | {"followers"} if old else set())
    with pytest.raises(spotipy.SpotifyException) as error:
        spotify.artist("0" * 22)
    assert (error.value.http_status, error.value.msg.endswith("Resource not found")) == (404, True)


def test_several_ids_at_once_are_gone_from_the_new_contract(connect, stubs, stub):
    legacy, new = connect(stubs["legacy"]), connect(stub)
    tracks = [e["item"]["id"] for e in new.playlist_items(PLAYLISTS["Top 100"])["items"]]

    found = legacy.tracks([*tracks[:3], "0" * 22])["tracks"]
    assert [one and one["id"] for one in found] == [*tracks[:3], None]
    for client, ids, status in ((legacy, tracks + tracks, 400), (new, tracks[:2], 403)):
        with pytest.raises(spotipy.SpotifyException) as error:
            client.tracks(ids)
        assert error.value.http_status == status


def test_fields_select_what_is_sent(spotify):
    assert set(spotify.playlist(PLAYLISTS["Top 100"], fields="snapshot_id,items.total")) == {
        "snapshot_id",
        "items",
    }
    page = spotify.playlist_items(PLAYLISTS["Top 100"], fields="items(item(id)),next")
    assert page["items"][0].keys() == {"item"}
    assert len(spotify.next(page)["items"]) == 50
    assert spotify.playlist_items(PLAYLISTS["Top 100"], fields="items(track(id))")["items"][0] == {}


@pytest.mark.parametrize(
    "stub, path, status, message",
    [
        ("new", f"playlists/{PLAYLISTS['Top 100']}/items?limit=51", 400, "Invalid limit"),
        ("new", f"playlists/{PLAYLISTS['Top 100']}/items?limit=0", 400, "Invalid limit"),
        ("new", f"playlists/{PLAYLISTS['Top 100']}/items?offset=-1", 400, "Invalid offset"),
        ("new", f"playlists/{PLAYLISTS['Top 100']}/items?fields=a(", 400, "Invalid field selection"),
        ("new", "me/playlists?limit=51", 400, "Invalid limit"),
        ("new", f"playlists/{PLAYLISTS['Top 100']}/tracks", 403, "Forbidden"),
        ("new", f"playlists/{FOLLOWED_PLAYLIST_ID}/items", 403, "Forbidden"),
        ("new", f"playlists/{SPOTIFY_MADE_PLAYLIST_ID}", 404, "Resource not found"),
        ("new", "playlists/nothing", 400, "Invalid base62 id"),
        ("new", "nothing", 404, "Service not found"),
        ("legacy", f"playlists/{PLAYLISTS['Top 100']}/tracks?limit=101", 400, "Invalid limit"),
        ("legacy", f"playlists/{PLAYLISTS['Top 100']}/items?limit=51", 400, "Invalid limit"),
    ],
    indirect=["stub"],
)
def test_refusals_have_spotifys_body(stub, spotify, path, status, message):
    with pytest.raises(spotipy.SpotifyException) as error:
        spotify._get(path)
    assert error.value.http_status == status
    assert error.value.msg.endswith(message)
    assert stub.requests()[-1]["status"] == status


def test_default_page_sizes(stubs, stub, spotify, connect):
    items = f"playlists/{PLAYLISTS['Songs of a Lifetime']}"
    assert len(spotify._get(f"{items}/items")["items"]) == 20
    assert len(spotify._get("me/playlists")["items"]) == len(PLAYLISTS) + 2
    embedded = spotify._get(items)["items"]
    assert (len(embedded["items"]), embedded["limit"]) == (100, 100)
    with pytest.raises(spotipy.SpotifyException):
        spotify.next(embedded)  # its limit is more than /items accepts
    assert len(connect(stubs["legacy"])._get(f"{items}/tracks")["items"]) == 100


def test_sign_in(connect, stub):
    assert connect(stub, user=False).playlist(PLAYLISTS["Top 100"])["name"] == "Top 100"
    with pytest.raises(spotipy.SpotifyException) as error:
        connect(stub, user=False).me()
    assert error.value.http_status == 401
    with pytest.raises(SpotifyOauthError) as refused:
        connect(stub, refresh_token="of somebody else").me()
    assert refused.value.error == "invalid_grant"
    with pytest.raises(SpotifyOauthError) as refused:
        connect(stub, client_secret="wrong").me()
    assert refused.value.error == "invalid_client"
    answer = requests.post(
        f"{stub.url}/api/token", {"grant_type": "password"}, auth=(CLIENT_ID, CLIENT_SECRET), timeout=5
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_refresh_returns_no_new_refresh_token(stub):
    form = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}
    token = requests.post(f"{stub.url}/api/token", form, auth=(CLIENT_ID, CLIENT_SECRET), timeout=30).json()

    assert set(token) == {"access_token", "token_type", "expires_in", "scope"}
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)


@pytest.fixture
def consent(stub):
    """spotipy's side of the authorization code flow."""
    auth = SpotifyOAuth(
        CLIENT_ID,
        CLIENT_SECRET,
        "http://127.0.0.1:9/callback",
        state="of this sign-in",
        scope=" ".join(SCOPES),
        cache_handler=MemoryCacheHandler(),
    )
    auth.OAUTH_AUTHORIZE_URL = f"{stub.url}/authorize"
    auth.OAUTH_TOKEN_URL = f"{stub.url}/api/token"
    return auth


def visit(address):
    """Where /authorize sends the browser."""
    answer = requests.get(address, allow_redirects=False, timeout=30)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def test_a_user_consents_once_and_a_code_works_once(consent):
    address = visit(consent.get_authorize_url())

    assert address.startswith("http://127.0.0.1:9/callback?")
    state, code = consent.parse_auth_response_url(address)
    assert state == "of this sign-in"
    consent.get_access_token(code, as_dict=False, check_cache=False)
    token = consent.cache_handler.get_cached_token()
    assert (token["refresh_token"], token["scope"]) == (REFRESH_TOKEN, " ".join(SCOPES))
    with pytest.raises(SpotifyOauthError, match="Invalid authorization code"):
        consent.get_access_token(code, as_dict=False, check_cache=False)


def test_a_user_refuses_or_grants_less(stub, consent):
    with pytest.raises(SpotifyOauthError, match="access_denied"):
        consent.parse_auth_response_url(visit(consent.get_authorize_url() + "&stub_grant="))

    address = visit(consent.get_authorize_url() + "&stub_grant=playlist-read-private")
    form = {
        "grant_type": "authorization_code",
        "code": consent.parse_response_code(address),
        "redirect_uri": consent.redirect_uri,
    }
    token = requests.post(f"{stub.url}/api/token", form, auth=(CLIENT_ID, CLIENT_SECRET), timeout=30).json()
    assert token["scope"] == "playlist-read-private"


def test_a_code_belongs_to_its_redirect_uri(consent):
    code = consent.parse_response_code(visit(consent.get_authorize_url()))
    consent.redirect_uri = "http://127.0.0.1:10/callback"

    with pytest.raises(SpotifyOauthError, match="Invalid redirect URI"):
        consent.get_access_token(code, as_dict=False, check_cache=False)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("client_id", "another", "Invalid client"),
        ("redirect_uri", "http://localhost:9/callback", "Insecure redirect URI"),
        ("response_type", "token", "response_type must be code"),
    ],
)
def test_the_consent_page_refuses(stub, name, value, message):
    query = {
        "client_id": CLIENT_ID,
        "redirect_uri": "http://127.0.0.1:9/callback",
        "response_type": "code",
        name: value,
    }
    answer = requests.get(f"{stub.url}/authorize", query, allow_redirects=False, timeout=30)

    assert answer.status_code == 400
    assert answer.json()["error_description"] == message


@pytest.mark.parametrize(
    "header, message", [({}, "No token provided"), ({"Authorization": "Bearer x"}, "Invalid")]
)
def test_no_answer_without_a_token(stub, header, message):
    answer = requests.get(f"{stub.url}/v1/me", headers=header, timeout=30)

    assert answer.status_code == 401
    assert answer.json()["error"]["message"].startswith(message)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_version_of_a_list_made_by_spotify_changes_with_every_request(spotify):
    versions = [
        {one["id"]: one["snapshot_id"] for one in spotify.current_user_playlists()["items"]} for _ in "ab"
    ]

    assert {key for key in versions[0] if versions[0][key] != versions[1][key]} == {SPOTIFY_MADE_PLAYLIST_ID}


@pytest.mark.parametrize("contract", ["new", "legacy"])
def test_two_stubs_send_the_same_bytes(contract):
    paths = [f"/v1/playlists/{one}/items?limit=50&additional_types=episode" for one in PLAYLISTS.values()]
    paths += [f"/v1/playlists/{one}" for one in PLAYLISTS.values()] + ["/v1/me", "/v1/me/playlists"]

    def bodies(url):
        with requests.Session() as session:
            form = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}
            token = session.post(f"{url}/api/token", form, auth=(CLIENT_ID, CLIENT_SECRET), timeout=30).json()
            headers = {"Authorization": f"Bearer {token['access_token']}", "Host": "api.spotify.com"}
            return [session.get(url + path, headers=headers, timeout=30).content for path in paths]

    with serve(contract=contract, now=NOW) as here, stub_process(contract) as there:
        assert bodies(here.url) == bodies(there)


def test_the_clock_moves_the_lists(stub, spotify):
    before = spotify.playlist(PLAYLISTS["Top 100"])
    still = spotify.playlist(PLAYLISTS["Morning Ten"])
    answer = control(stub, "put", "clock", json={"now": "2026-11-02T07:00:00+01:00"})

    assert answer.json() == {"status": "ok", "contract": "new", "now": "2026-11-02T06:00:00Z"}
    assert spotify.playlist(PLAYLISTS["Top 100"])["snapshot_id"] != before["snapshot_id"]
    assert spotify.playlist(PLAYLISTS["Morning Ten"]) == still
    real = control(stub, "put", "clock", json={"now": None}).json()["now"]
    assert abs(datetime.fromisoformat(real) - datetime.now(UTC)).total_seconds() < 60


@pytest.mark.parametrize(
    "what, body",
    [
        ("clock", {"now": "yesterday"}),
        ("clock", {"now": "2026-11-02T06:00:00"}),
        ("clock", []),
        ("faults", {"match": "GET /v1/me"}),
        ("faults", [{"match": "GET /v1/me", "code": 500}]),
    ],
)
def test_wrong_control_requests_are_refused_with_a_sentence(stub, what, body):
    answer = control(stub, "put", what, json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].endswith(".")
    assert control(stub, "put", what, data=b"{").status_code == 400
    assert control(stub, "get", "nothing").status_code == 404


def test_the_log_of_requests(stub, spotify):
    spotify.playlist_items(PLAYLISTS["Morning Ten"], limit=5, offset=5)
    log = control(stub, "get", "requests").json()

    assert log == [
        {"method": "POST", "path": "/api/token", "query": {}, "status": 200},
        {
            "method": "GET",
            "path": f"/v1/playlists/{PLAYLISTS['Morning Ten']}/items",
            "query": {"limit": "5", "offset": "5", "additional_types": "track,episode"},
            "status": 200,
        },
    ]
    control(stub, "delete", "requests")
    assert stub.requests() == []


def test_many_clients_at_once(stub, connect):
    clients = [connect(stub) for _ in range(8)]
    list_id = PLAYLISTS["Songs of a Lifetime"]

    with ThreadPoolExecutor(len(clients)) as pool:
        results = list(pool.map(lambda client: all_entries(client, list_id), clients))

    assert all(result == results[0] for result in results)
    assert len(stub.requests()) == len(clients) * 7


# Faults


@pytest.mark.parametrize("status", [500, 502, 503])
def test_fault_a_burst_of_errors(stub, connect, status):
    set_faults(stub, {"match": "GET /v1/me", "times": 2, "status": status})

    with pytest.raises(spotipy.SpotifyException) as error:
        connect(stub).me()
    assert error.value.http_status == status
    assert connect(stub, retries=3).me()["id"] == OWNER_ID
    assert [one["status"] for one in stub.requests() if one["path"] == "/v1/me/"] == [status, status, 200]


def test_fault_both_kinds_of_429(stub, spotify):
    quota = {"error": {"status": 429, "message": "Too many requests", "reason": "QUOTA_EXCEEDED"}}
    set_faults(
        stub,
        {"match": "GET /v1/me", "status": 429, "headers": {"Retry-After": 7}},
        {"match": "GET /v1/me", "status": 429},
        {"match": "GET /v1/me", "status": 429, "headers": {"Retry-After": "50000"}, "body": quota},
    )
    seen = []
    for _ in range(3):
        with pytest.raises(spotipy.SpotifyException) as error:
            spotify.me()
        seen.append((error.value.http_status, error.value.headers.get("Retry-After"), error.value.reason))

    assert seen == [(429, "7", None), (429, None, None), (429, "50000", "QUOTA_EXCEEDED")]
    assert spotify.me()["id"] == OWNER_ID


def test_fault_401_in_the_middle_of_a_run(stub, spotify):
    set_faults(stub, {"match": "GET /v1/playlists/*/items", "skip": 2, "status": 401})
    list_id = PLAYLISTS["Songs of a Lifetime"]
    spotify.playlist_items(list_id)
    spotify.playlist_items(list_id, offset=50)

    with pytest.raises(spotipy.SpotifyException) as error:
        spotify.playlist_items(list_id, offset=100)
    assert error.value.msg.endswith("The access token expired")


def test_fault_the_sign_in_is_over(stub, spotify):
    body = {"error": "invalid_grant", "error_description": "Refresh token revoked"}
    set_faults(stub, {"match": "POST /api/token", "status": 400, "body": body})

    with pytest.raises(SpotifyOauthError, match="Refresh token revoked"):
        spotify.me()


def test_fault_premium_lapsed_with_a_body_that_is_no_json(stub, spotify):
    text = "Active premium subscription required for the owner of the app."
    set_faults(stub, {"match": "GET /v1/**", "times": None, "status": 403, "body": text})

    for _ in range(2):
        with pytest.raises(spotipy.SpotifyException, match=text) as error:
            spotify.me()
        assert error.value.http_status == 403
    control(stub, "delete", "faults")
    assert spotify.me()["id"] == OWNER_ID


@pytest.mark.parametrize("how", ["truncate", "empty"])
def test_fault_a_200_without_the_whole_body(stub, spotify, how):
    set_faults(stub, {"match": "GET /v1/playlists/*/items", how: True})

    assert spotify.playlist_items(PLAYLISTS["Top 100"]) is None
    assert stub.requests()[-1]["status"] == 200
    assert spotify.playlist_items(PLAYLISTS["Top 100"])["total"] == 100


def test_fault_the_connection_is_reset(stub, spotify):
    set_faults(stub, {"match": "GET /v1/me", "reset": True})

    with pytest.raises(requests.ConnectionError, match="reset"):
        spotify.me()
    assert stub.requests()[-1]["status"] is None
    assert spotify.me()["id"] == OWNER_ID


def test_fault_the_connection_ends_within_the_body(stub, spotify):
    set_faults(stub, {"match": "GET /v1/me", "hang_up": True})

    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        spotify.me()
    assert spotify.me()["id"] == OWNER_ID


def test_fault_a_slow_answer(stub, spotify):
    set_faults(stub, {"match": "GET /v1/me", "delay_s": 2}, {"match": "GET /v1/me", "delay_s": 0.3})

    spotify.requests_timeout = 0.5
    with pytest.raises(requests.RequestException, match="Read timed out"):
        spotify.me()
    spotify.requests_timeout = 2
    began = time.monotonic()
    assert spotify.me()["id"] == OWNER_ID
    assert time.monotonic() - began >= 0.3


def test_fault_a_body_that_trickles(stub, spotify):
    set_faults(stub, {"match": "GET /v1/me", "slow_body_s": 0.4})

    began = time.monotonic()
    assert spotify.me()["id"] == OWNER_ID
    assert time.monotonic() - began >= 0.4


def test_fault_a_list_that_changes_while_it_is_paged(stub, spotify):
    set_faults(stub, {"match": "GET /v1/playlists/*/items?offset=50", "advance_clock_s": 86400})
    top = PLAYLISTS["Top 100"]
    before = spotify.playlist(top)["snapshot_id"]
    entries = all_entries(spotify, top, limit=50)

    assert len(entries) == 100
    assert spotify.playlist(top)["snapshot_id"] != before
    assert control(stub, "get", "clock").json()["now"] == "2026-11-02T06:00:00Z"


def test_faults_say_what_is_left_of_them(stub, spotify):
    set_faults(stub, {"match": "GET /v1/me", "times": 3, "headers": {"X-Seen": "1"}})
    spotify.me()

    left = control(stub, "get", "faults").json()
    assert [(one["match"], one["times"]) for one in left] == [("GET /v1/me", 2)]


# Start and end


def test_stopping_ends_open_connections_and_running_waits():
    with requests.Session() as session:
        with serve() as server:
            session.headers["Authorization"] = f"Bearer {server.token}"
            assert session.get(f"{server.url}/_stub/health", timeout=30).json()["status"] == "ok"
            server.faults.replace([])
            set_faults(server, {"match": "GET /v1/me", "delay_s": 30})
            waiting = threading.Thread(target=lambda: requests.get(f"{server.url}/v1/me", timeout=20))
            waiting.start()
            while server.faults.as_json()[0]["times"]:
                time.sleep(0.01)
        waiting.join(15)
        assert not waiting.is_alive(), "it waited for the whole delay"
        with pytest.raises(requests.ConnectionError):
            session.get(f"{server.url}/_stub/health", timeout=30)


def test_the_command(stub):
    command = [sys.executable, "-m", "local.spotify_stub"]
    with stub_process("legacy") as url:
        token = {"Authorization": "Bearer the-token"}
        health = requests.get(f"{url}/_stub/health", headers=token, timeout=30).json()
        assert health == {"status": "ok", "contract": "legacy", "now": "2026-11-01T06:00:00Z"}
    taken = subprocess.run(
        [*command, "--port", str(stub.server_address[1])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert taken.returncode == 1
    assert "Choose another --port." in taken.stderr
    wrong = subprocess.run(
        [*command, "--now", "noon"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert wrong.returncode == 2
    assert "'noon' is not a time" in wrong.stderr
