"""What is recognized in the files that people have."""

import base64
import gzip
import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.imports import archives, dumps
from cli.imports.parts import Part, Time
from spotify_lake.raw import envelope
from tests.support import payloads
from tests.support.dumps import as_json, entries, export_playlist, page, playlist, songs, summary, zipped

ID = payloads.spotify_id("Road Trip")


def read(value: Any, source: str = "dump.json") -> dumps.Reading:
    return dumps.read(source, value if isinstance(value, bytes) else as_json(value))


def one(value: Any, source: str = "dump.json") -> Part:
    reading = read(value, source)
    assert reading.problems == ()
    assert len(reading.parts) == 1, reading
    return reading.parts[0]


def contents(part: Part) -> list[Any]:
    assert part.entries is not None
    return [(entry.get("item") or entry.get("track") or {}).get("name") for entry in part.entries]


NAMES = ["Song 0", "Song 1", "Song 2"]
THREE = entries(3)
OLD_THREE = entries(3, key="track")
BARE_THREE = songs(3)
FLAT_THREE = [
    {
        "name": song["name"],
        "artist": "Mira Sol",
        "album": "Harbor Lights",
        "uri": song["uri"],
        "added_at": "2019-05-01",
    }
    for song in BARE_THREE
]
DOTTED_THREE = [
    {
        "added_at": "2019-05-01T10:00:00Z",
        "track.id": song["id"],
        "track.name": song["name"],
        "track.type": "track",
    }
    for song in BARE_THREE
]
PASCAL_THREE = {
    "Id": ID,
    "Name": "Road Trip",
    "SnapshotId": "x",
    "Tracks": {
        "Offset": 0,
        "Total": 3,
        "Items": [
            {
                "AddedAt": "2019-05-01T10:00:00Z",
                "IsLocal": False,
                "Track": {"Id": song["id"], "Name": song["name"], "Type": "Track"},
            }
            for song in BARE_THREE
        ],
    },
}

# Each holds the same three songs.
SHAPES: dict[str, Any] = {
    "playlist object, new contract": playlist(THREE, key="items"),
    "playlist object, old contract": playlist(OLD_THREE),
    "playlist object with both": playlist(THREE, key="items", tracks=page(OLD_THREE, ID, way="tracks")),
    "playlist object, total beside the old page": playlist(OLD_THREE, items={"href": "x", "total": 3}),
    "playlist object whose pages a script joined": {**summary("Road Trip", 3), "tracks": OLD_THREE},
    "playlist object with a list of pages": {
        **summary("Road Trip", 3),
        "tracks": [page(OLD_THREE[:2]), page(OLD_THREE[2:], offset=2)],
    },
    "playlist object of bare songs": {"id": ID, "name": "Road Trip", "tracks": BARE_THREE},
    "page": page(THREE, ID),
    "old page": page(OLD_THREE, ID, way="tracks"),
    "page of before 2018": page(OLD_THREE)
    | {"href": f"https://api.spotify.com/v1/users/a%C3%B1o/playlists/{ID}/tracks"},
    "page with only fields=items": {"items": THREE},
    "page without added_at": {"items": [{"track": song} for song in BARE_THREE]},
    "saved songs": page(OLD_THREE),
    "bare entries": THREE,
    "bare old entries": OLD_THREE,
    "bare songs": BARE_THREE,
    "songs under a key": {"tracks": BARE_THREE},
    "tracks under a key": {"tracks": page(OLD_THREE, ID, way="tracks")},
    "wrapped by a node client": {
        "body": page(THREE, ID),
        "headers": {"date": "Mon, 06 May 2019 10:00:00 GMT"},
        "statusCode": 200,
    },
    "wrapped by axios": {"data": playlist(OLD_THREE), "status": 200, "statusText": "OK"},
    "a recorded body": {
        "response": {"body": {"string": json.dumps(page(OLD_THREE, ID))}},
        "recorded_at": "2019-05-06",
    },
    "list with one page": [page(OLD_THREE, ID)],
    "flat rows": FLAT_THREE,
    "dotted rows": DOTTED_THREE,
    "table by columns": {
        key: {str(i): row[key] for i, row in enumerate(FLAT_THREE)} for key in FLAT_THREE[0]
    },
    "table by index": {str(i): row for i, row in enumerate(FLAT_THREE)},
    "table, split": {
        "columns": list(FLAT_THREE[0]),
        "index": [0, 1, 2],
        "data": [list(row.values()) for row in FLAT_THREE],
    },
    "named as in C#": PASCAL_THREE,
    "account export": {"playlists": [export_playlist(*NAMES)]},
    "account export of 2020, without links": {
        "playlists": [
            export_playlist()
            | {
                "items": [
                    {
                        "track": {"trackName": name, "artistName": "A", "albumName": "B"},
                        "episode": None,
                        "localTrack": None,
                    }
                    for name in NAMES
                ]
            }
        ]
    },
    "million playlists": {
        "info": {"generated_on": "2017-12-03 08:41:42.057563", "slice": "0-999"},
        "playlists": [
            {
                "name": "Throwbacks",
                "collaborative": "false",
                "pid": 0,
                "modified_at": 1493424000,
                "num_tracks": 3,
                "tracks": [
                    {
                        "pos": number,
                        "artist_name": "Mira Sol",
                        "track_uri": song["uri"],
                        "artist_uri": f"spotify:artist:{payloads.spotify_id('Mira Sol')}",
                        "track_name": song["name"],
                        "album_uri": f"spotify:album:{payloads.spotify_id('Harbor Lights')}",
                        "duration_ms": 200_000,
                        "album_name": "Harbor Lights",
                    }
                    for number, song in enumerate(BARE_THREE)
                ],
            }
        ],
    },
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pack", [as_json, zipped], ids=["plain", "gzip"])
def test_each_shape_is_understood_entry_by_entry(shape: str, pack: Any) -> None:
    assert contents(one(pack(SHAPES[shape]))) == NAMES


@pytest.mark.parametrize(
    "shape", [name for name in SHAPES if name.startswith(("playlist", "page", "old page", "bare e"))]
)
def test_what_is_in_the_api_s_form_is_left_as_it_is(shape: str) -> None:
    part = one(SHAPES[shape])
    assert all(
        entry in (*THREE, *OLD_THREE, *({"track": song} for song in BARE_THREE))
        for entry in part.entries or []
    )


def test_a_playlist_object_stays_whole() -> None:
    value = playlist(OLD_THREE)
    part = one(value)
    assert (part.head, part.pages, part.contract) == (value, (), "embedded")
    assert (part.playlist_id, part.total, part.offset) == (ID, 3, 0)


@pytest.mark.parametrize(
    "value, playlist_id, id_from",
    [
        (playlist(THREE), ID, "the playlist object"),
        (playlist(THREE, id=None), ID, "its uri"),
        (playlist(THREE, id=None, uri=f"spotify:user:nadia:playlist:{ID}"), ID, "its uri"),
        (playlist(THREE, id=None, uri=None), ID, "its external_urls"),
        (playlist(THREE, id=None, uri=None, external_urls={}), ID, "its href"),
        (page(THREE, ID), ID, "its href"),
        (
            {"items": THREE, "next": f"https://api.spotify.com/v1/playlists/{ID}/tracks?offset=3"},
            ID,
            "its next",
        ),
        ({"playlist_id": ID, "songs": BARE_THREE}, ID, "the field playlist_id"),
        (
            {"playlist_url": f"https://open.spotify.com/intl-de/playlist/{ID}?si=1", "songs": THREE},
            ID,
            "the field playlist_url",
        ),
        ({ID: THREE}, ID, "the key it stands under"),
        ({"playlist": summary("Road Trip", 3), "entries": THREE}, ID, "the playlist object beside it"),
        (playlist(THREE, id="user:42"), "user:42", "the playlist object"),
        (page(THREE), None, ""),
        (THREE, None, ""),
    ],
)
def test_where_the_playlist_s_id_stands(value: Any, playlist_id: str | None, id_from: str) -> None:
    part = read(value).parts[-1]
    assert (part.playlist_id, part.id_from) == (playlist_id, id_from)


@pytest.mark.parametrize(
    "value, origin",
    [
        (page(THREE), "Liked Songs"),
        ({"My favorites": THREE}, "My favorites"),
        ({"tracks": THREE}, None),
        ({"name": "Liked Songs", "tracks": OLD_THREE}, "Liked Songs"),
        (
            page(OLD_THREE) | {"href": "https://api.spotify.com/v1/users/sam/starred/tracks?limit=10"},
            "Starred by sam",
        ),
        (
            playlist(
                OLD_THREE,
                id=None,
                name=None,
                href=None,
                external_urls={},
                uri="spotify:user:sam:starred",
                tracks={"items": OLD_THREE},
            ),
            "Starred by sam",
        ),
    ],
)
def test_lists_without_an_id_have_an_origin(value: Any, origin: str | None) -> None:
    part = one(value)
    assert part.playlist_id is None
    assert part.origin == origin


@pytest.mark.parametrize(
    "value, moment, source",
    [
        (
            {"exported_at": "2020-01-02T03:04:05+01:00", "tracks": THREE},
            "2020-01-02T02:04:05",
            "its field exported_at",
        ),
        ({"timestamp": 1577934245, "tracks": THREE}, "2020-01-02T03:04:05", "its field timestamp"),
        ({"timestamp": 1577934245678, "data": {"body": THREE}}, "2020-01-02T03:04:05", "its field timestamp"),
        (playlist(THREE) | {"backup_date": "2020-01-02"}, "2020-01-02T00:00:00", "its field backup_date"),
        (
            {"headers": {"Date": ["Thu, 02 Jan 2020 03:04:05 GMT"]}, "body": THREE},
            "2020-01-02T03:04:05",
            "the response's Date header",
        ),
        (
            b"HTTP/1.1 200 OK\r\nDate: Thu, 02 Jan 2020 03:04:05 GMT\r\nX: y\r\n\r\n" + as_json(THREE),
            "2020-01-02T03:04:05",
            "the response's Date header",
        ),
    ],
)
def test_a_file_may_say_when_it_was_made(value: Any, moment: str, source: str) -> None:
    part = one(value)
    assert part.taken == Time(datetime.fromisoformat(moment).replace(tzinfo=UTC), source)


def test_the_account_export_is_mapped_and_kept() -> None:
    local = {
        "track": None,
        "episode": None,
        "localTrack": {"uri": "spotify:local:The+Rowers:Demos:Boathouse:273"},
        "addedDate": "2022-06-23",
    }
    podcast = {
        "track": None,
        "episode": {"episodeName": "Rope", "showName": "Knots", "episodeUri": f"spotify:episode:{ID}"},
        "localTrack": None,
        "addedDate": "2022-06-23",
    }
    gone = {"track": None, "episode": None, "localTrack": None, "addedDate": "2022-06-24"}
    value = export_playlist("Low Tide")
    value["items"] += [local, podcast, gone]
    part = one({"playlists": [value]})
    song, file, episode, nothing = part.entries or []
    assert song["added_at"] == "2022-06-22T00:00:00Z"
    assert song["track"]["id"] == payloads.spotify_id("Low Tide")
    assert song["track"]["album"]["name"] == "Harbor Lights"
    assert [artist["name"] for artist in song["track"]["artists"]] == ["Mira Sol"]
    assert song["imported"] == value["items"][0]
    assert (file["track"]["is_local"], file["track"]["name"], file["track"]["duration_ms"]) == (
        True,
        "Boathouse",
        273_000,
    )
    assert (episode["track"]["type"], episode["track"]["name"]) == ("episode", "Rope")
    assert nothing["track"] is None
    assert part.head["followers"] == {"total": 3}
    assert part.changed == Time(datetime(2022, 10, 9, tzinfo=UTC), "its field lastModifiedDate")
    assert part.what == "a playlist of the account-data export"


def test_fields_of_other_types_are_kept_aside() -> None:
    part = one(
        {
            "id": ID,
            "name": "Road Trip",
            "owner": "nadia.k",
            "images": "https://i/1",
            "public": "yes",
            "tracks": THREE,
        }
    )
    assert part.head == {
        "id": ID,
        "name": "Road Trip",
        "imported": {"owner": "nadia.k", "images": "https://i/1", "public": "yes"},
    }


def test_a_time_of_adding_in_another_notation_is_rewritten() -> None:
    part = one(
        [
            payloads.entry(song, added_at=when)
            for song, when in zip(BARE_THREE, ["2019-05-01", 1556704800, ""], strict=True)
        ]
    )
    assert [entry["added_at"] for entry in part.entries or []] == [
        "2019-05-01T00:00:00Z",
        "2019-05-01T10:00:00Z",
        None,
    ]
    assert (part.entries or [{}])[1]["imported"] == {"added_at": 1556704800}


def test_a_song_fetched_without_its_id_gets_it_from_its_link() -> None:
    bare = {"name": "Low Tide", "href": f"https://api.spotify.com/v1/tracks/{ID}"}
    in_entry, alone = one([{"track": bare}]), one([{"type": "track", **bare}])
    for part in (in_entry, alone):
        entry = (part.entries or [{}])[0]
        assert entry["track"]["id"] == ID
    assert (in_entry.entries or [{}])[0]["imported"] == {"track": bare}


def test_the_lists_of_spotify_itself_say_when_they_changed() -> None:
    snapshot_id = base64.b64encode(b"1619879039,00000000c20a35ef").decode().rstrip("=")
    part = one(playlist(THREE, snapshot_id=snapshot_id))
    assert part.changed == Time(datetime(2021, 5, 1, 14, 23, 59, tzinfo=UTC), "its snapshot_id")
    assert one(playlist(THREE, snapshot_id="MTgsZWFmNmZiNTIzYTg4")).changed is None
    assert one(playlist(THREE)).changed is None


def test_what_is_not_understood_in_a_list_of_entries_stays_in_it() -> None:
    part = one([THREE[0], None, 7, "x", {"what": "ever"}, {"item": {"type": "statue"}}])
    assert part.entries == [THREE[0], None, 7, "x", {"what": "ever"}, {"item": {"type": "statue"}}]


def test_pages_in_one_list_are_numbered_where_they_do_not_say_it() -> None:
    reading = read([{"items": THREE[:2]}, {"items": THREE[2:]}, {"items": entries(2, start=3)}])
    assert [part.offset for part in reading.parts] == [0, 2, 3]


def test_lists_of_playlists() -> None:
    reading = read(page([summary("One", 12), None, summary("Two", 0)]))
    assert [(part.head["name"], part.entries, part.total) for part in reading.parts] == [
        ("One", None, 12),
        ("Two", None, 0),
    ]
    reading = read({"message": "Hello", "playlists": page([summary("One", 12)])})
    assert [part.entries for part in reading.parts] == [None]
    reading = read([playlist(THREE, "One"), {**summary("Two", 3), "tracks": OLD_THREE}])
    assert [contents(part) for part in reading.parts] == [NAMES, NAMES]


def test_a_raw_object_of_a_lake_comes_back_as_it_was() -> None:
    data = payloads.raw_object(THREE, payloads.page([None], 3, 4))
    part = one(data)
    assert (part.playlist_id, part.contract, len(part.pages)) == (ID, "items", 2)
    assert part.taken == Time(payloads.NOON, "the envelope")
    assert envelope.decode(data).fetched_at == part.fetched_at


MANY_DOCUMENTS = {
    "lines": b"\n".join(map(as_json, THREE)) + b"\n",
    "lines with blanks": b"\n\n".join(map(as_json, THREE)),
    "one after another": b"".join(json.dumps(entry, indent=2).encode() for entry in THREE),
    "with a byte order mark": json.dumps(THREE).encode("utf-8-sig"),
    "as PowerShell writes it": json.dumps(THREE).encode("utf-16"),
    "gzipped twice": gzip.compress(gzip.compress(as_json(THREE))),
    "NaN": json.dumps([{**entry, "score": float("nan"), "far": float("inf")} for entry in THREE]).encode(),
}


@pytest.mark.parametrize("form", MANY_DOCUMENTS)
def test_encodings_and_several_documents(form: str) -> None:
    assert contents(one(MANY_DOCUMENTS[form])) == NAMES


def test_a_latin_1_file_is_read() -> None:
    assert contents(
        one(json.dumps([payloads.entry(payloads.song("Año"))], ensure_ascii=False).encode("cp1252"))
    ) == ["Año"]


def test_a_broken_line_is_told_and_the_others_are_taken() -> None:
    reading = read(as_json(THREE[0]) + b"\n" + as_json(THREE[1])[:-9] + b"}\n" + as_json(THREE[2]))
    assert contents(reading.parts[0]) == ["Song 0", "Song 2"]
    assert reading.problems[0].startswith("Its line 2 is not JSON")


def test_a_zip_archive_is_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            "Spotify Account Data/Playlist1.json", as_json({"playlists": [export_playlist("A")]})
        )
        archive.writestr("Spotify Account Data/ReadMeFirst.pdf", b"%PDF")
    unpacked, other = archives.unpack("my_data.zip", buffer.getvalue())
    assert other == archives.Unpacked("my_data.zip/Spotify Account Data/ReadMeFirst.pdf", is_other=True)
    assert unpacked.name == "my_data.zip/Spotify Account Data/Playlist1.json"
    assert contents(one(unpacked.data)) == ["A"]


OTHERS: dict[str, Any] = {
    "an album": payloads.album() | {"tracks": page([payloads.song()])},
    "2 albums": {"albums": [payloads.album(), payloads.album()]},
    "an artist": payloads.artist(),
    "a user's profile": {"display_name": "Nadia", "id": "nadia.k", "type": "user"},
    "audio features": {"danceability": 0.7, "id": ID, "type": "audio_features"},
    "recommendations": {"tracks": BARE_THREE, "seeds": []},
    "listening history that is no file of Spotify's data export (2 times)": [
        {"endTime": "2020-01-01 10:00", "artistName": "A", "trackName": "B", "msPlayed": 3}
    ]
    * 2,
    "what is playing": {"is_playing": True, "item": payloads.song(), "progress_ms": 1},
    "search results": {"tracks": page(BARE_THREE) | {"href": "https://api.spotify.com/v1/search?q=x"}},
    "the songs of an album": page(BARE_THREE)
    | {"href": f"https://api.spotify.com/v1/albums/{ID}/tracks?limit=50"},
    "2 saved albums": {"items": [{"added_at": "2020-01-01T00:00:00Z", "album": payloads.album()}] * 2},
    "a single song": payloads.song(),
    "a list of links to songs, without their names": [
        payloads.song()["uri"],
        f"https://open.spotify.com/track/{ID}",
    ],
    "a playlist whose entries are in a form that is not known": {
        "name": "Road Trip",
        "uri": f"spotify:playlist:{ID}",
        "content": {"items": [{"itemV2": {"data": {"uri": f"spotify:track:{ID}"}}}]},
    },
    "Spotify's answer to a change of a playlist": {"snapshot_id": "AAAA"},
    "an error that Spotify answered (404: Resource not found)": {
        "error": {"status": 404, "message": "Resource not found"}
    },
    "an error that Spotify answered (Refresh token revoked)": {
        "error": "invalid_grant",
        "error_description": "Refresh token revoked",
    },
    "an access token, which you should keep to yourself": {"access_token": "BQ", "token_type": "Bearer"},
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_playlist_is_named(name: str) -> None:
    reading = read(OTHERS[name])
    assert (reading.parts, reading.others, reading.problems) == ((), (name,), ())


UNREADABLE: dict[str, bytes] = {
    "It is empty.": b" \n",
    "It is a web page or XML": b"<!doctype html><p>Sign in</p>",
    "It is not JSON: it begins with 'Hello'": b"Hello\n",
    "It is cut short": as_json(playlist(THREE))[:-200].rstrip(b'"'),
    "It is written in Python's notation": repr(playlist(THREE)).encode(),
    "Its gzip data is cut short.": zipped(THREE)[:-20],
    "It is JSON, but nothing in it looks like a playlist": b'{"hello": "world"}',
    "It is an archive inside an archive": b"PK\x03\x04 and so on",
    "It is a tar archive": b"\0" * 257 + b"ustar" + b"\0" * 250,
    "Its JSON is nested too deeply": b"[" * 100_000 + b"]" * 100_000,
}


@pytest.mark.parametrize("sentence", UNREADABLE)
def test_what_cannot_be_read_is_said(sentence: str) -> None:
    reading = read(UNREADABLE[sentence])
    assert reading.parts == ()
    assert any(problem.startswith(sentence) for problem in reading.problems), reading


def test_the_library_of_the_account_export() -> None:
    row = {"artist": "Mira Sol", "album": "Harbor Lights", "track": "Low Tide", "uri": f"spotify:track:{ID}"}
    reading = read({"tracks": [row], "albums": [], "shows": [], "bannedTracks": [row], "bannedArtists": []})
    assert [(part.origin, contents(part)) for part in reading.parts] == [("Liked Songs", ["Low Tide"])]
    assert reading.others == ("a list of what you have banned (2 times)",)


def test_saved_episodes() -> None:
    value = {"added_at": "2022-01-01T00:00:00Z", "episode": payloads.episode()}
    part = one({"items": [value], "href": "https://api.spotify.com/v1/me/episodes?offset=0"})
    assert (part.origin, contents(part)) == ("Your Episodes", ["Episode 12: Rope"])


def test_what_stands_beside_playlists_is_named() -> None:
    reading = read(
        {"user": {"type": "user", "id": "x"}, "playlists": [playlist(THREE)], "albums": [payloads.album()]}
    )
    assert len(reading.parts) == 1
    assert reading.others == ("a user's profile", "an album")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)
spotify_fields = st.sampled_from(
    "id name type uri href tracks items track item added_at total offset artists album snapshot_id owner images"
    " error localTrack episode playlists body headers date is_local pid columns data envelope_version pages"
    " playlist".split()
)
spotify_like = st.recursive(
    json_values
    | st.sampled_from(
        ["playlist", "track", "episode", ID, f"spotify:track:{ID}", "2020-01-01", *THREE, *BARE_THREE]
    ),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(spotify_fields, children, max_size=6),
    max_leaves=15,
)


@given(json_values | spotify_like)
def test_any_json_is_understood_or_named(value: Any) -> None:
    reading = read(value)
    assert reading.parts or reading.others or reading.problems
    assert all(problem.endswith(".") for problem in reading.problems)


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for file in archives.unpack("x", data):
        reading = dumps.read(file.name, file.data)
        assert reading.parts or reading.others or reading.problems or file.problem


@given(
    st.lists(
        st.one_of(st.sampled_from([*THREE, *OLD_THREE]), st.none(), spotify_like), min_size=1, max_size=6
    ),
    st.sampled_from(["bare", "page", "playlist", "wrapped"]),
)
def test_every_entry_of_a_list_is_there_whatever_it_is(rows: list[Any], shape: str) -> None:
    rows = [THREE[0], *rows]
    value = {
        "bare": rows,
        "page": page(rows, ID),
        "playlist": playlist(rows),
        "wrapped": {"data": {"tracks": rows}},
    }[shape]
    reading = read(value)
    assert sum(len(part.entries or ()) for part in reading.parts) == len(rows)  # some rows name another list
