"""Songs, rows and playlists in forms that scripts and exporters give them, and what the tables make of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.imports import dumps, fields
from cli.imports.snapshots import Defaults, ImportedSnapshot, assemble
from spotify_lake.schema.playlists import ALBUMS, ARTISTS, PLAYLIST_ENTRIES, PLAYLISTS, SONGS
from tests.support import payloads
from tests.support.dumps import as_json, entries, page, playlist, summary

AT = datetime(2021, 6, 7, 8, 9, 10, tzinfo=UTC)
SONG = payloads.spotify_id("Quay")
SECOND = payloads.spotify_id("Jetty")
ARTIST = payloads.spotify_id("Ilse Brandt")
ALBUM = payloads.spotify_id("Low Water")
LIST = payloads.spotify_id("Coast")


def snapshots(value: Any, name: str = "dump.json", folder: str = "") -> list[ImportedSnapshot]:
    data = value.encode() if isinstance(value, str) else as_json(value)
    reading = dumps.read(name, data)
    assert reading.problems == ()
    ready, _, refused = assemble(reading.parts, Defaults(taken_at=AT), folder=folder)
    assert refused == []
    return ready


def only(value: Any, name: str = "dump.json") -> ImportedSnapshot:
    (snapshot,) = snapshots(value, name)
    return snapshot


def rows(snapshot: ImportedSnapshot, table: Any, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in snapshot.tables.records(table)]


def refusal(value: Any, name: str = "dump.json") -> str:
    data = value.encode() if isinstance(value, str) else as_json(value)
    reading = dumps.read(name, data)
    if reading.problems:
        (problem,) = reading.problems
        return problem
    ready, _, refused = assemble(reading.parts, Defaults(taken_at=AT))
    assert ready == []
    ((_, why),) = refused
    return why


# Links, ids and names of fields


def test_a_song_of_which_only_links_are_known() -> None:
    snapshot = only(
        {
            "original_name": "Coast",
            "owner": {"name": "Ilse", "url": "https://open.spotify.com/user/ilse.b"},
            "snapshot_id": "AAAA",
            "url": f"https://open.spotify.com/playlist/{LIST}",
            "tracks": [
                {
                    "name": "Quay",
                    "duration_ms": 181_000,
                    "artists": [{"name": "Ilse Brandt", "url": f"https://open.spotify.com/artist/{ARTIST}"}],
                    "album": {"name": "Low Water", "url": f"https://open.spotify.com/album/{ALBUM}"},
                    "url": f"https://open.spotify.com/track/{SONG}?si=7",
                }
            ],
        }
    )
    assert snapshot.playlist_id == LIST
    assert rows(
        snapshot, PLAYLISTS, "name", "owner_id", "owner_name", "snapshot_id", "url", "is_imported"
    ) == [("Coast", "ilse.b", "Ilse", "AAAA", f"https://open.spotify.com/playlist/{LIST}", True)]
    assert rows(snapshot, PLAYLIST_ENTRIES, "kind", "song_id", "uri") == [
        ("song", SONG, f"spotify:track:{SONG}")
    ]
    assert rows(snapshot, SONGS, "album_id", "artist_ids", "duration_ms") == [(ALBUM, [ARTIST], 181_000)]
    assert rows(snapshot, ALBUMS, "album_id", "name") == [(ALBUM, "Low Water")]
    assert rows(snapshot, ARTISTS, "artist_id", "name") == [(ARTIST, "Ilse Brandt")]


@pytest.mark.parametrize(
    "field",
    ["track_URI", "TrackUri", "TRACK URI", "spotify_track_uri", "Track-URI", "trackUrl", "Spotify URL"],
)
def test_a_field_s_case_and_separators_do_not_matter(field: str) -> None:
    snapshot = only([{"Track_Name": "Quay", "ARTIST": "Ilse Brandt", field: f"spotify:track:{SONG}"}])
    assert rows(snapshot, PLAYLIST_ENTRIES, "song_id", "name") == [(SONG, "Quay")]
    assert rows(snapshot, SONGS, "artist_names") == [(["Ilse Brandt"],)]


def test_plain_names_of_fields() -> None:
    assert {fields.plain(name) for name in ("track_URI", "trackUri", "Track URI", "track-uri")} == {
        "trackuri"
    }
    assert fields.plain("Künstlername(n)") == "kunstlernamen"


@pytest.mark.parametrize("kind", ["track", "episode"])
def test_a_uri_follows_from_kind_and_id(kind: str) -> None:
    content = {"id": SONG, "type": kind, "name": "Quay"}
    snapshot = only(page([{"added_at": "2019-05-01T10:00:00Z", "track": content}], LIST))
    assert rows(snapshot, PLAYLIST_ENTRIES, "kind", "uri") == [
        ("song" if kind == "track" else kind, f"spotify:{kind}:{SONG}")
    ]
    assert snapshot.pages[0]["items"][0]["imported"]["track"] == content


@pytest.mark.parametrize("wrong", ["SP0001", "x" * 23, "spotify:track:short", "0" * 300_000, 17])
def test_what_cannot_be_an_id_is_none(wrong: Any) -> None:
    good = {
        "track_id": SONG,
        "track_name": "Quay",
        "artist": "Ilse Brandt",
        "album": "Low Water",
        "album_id": wrong,
    }
    bad = {"track_id": wrong, "track_name": "Jetty", "artist": "Ilse Brandt"}
    object_of_it = {
        "type": "track",
        "id": wrong,
        "name": "Jetty",
        "artists": [{"id": wrong, "name": "Ilse Brandt"}],
    }
    snapshot = only([good, bad, object_of_it])
    assert rows(snapshot, PLAYLIST_ENTRIES, "song_id") == [(SONG,)]
    assert rows(snapshot, ALBUMS, "album_id") == []
    assert len(snapshot.tables.rows["rejects"]) == 2
    assert "No entry has a Spotify id, URI or link (22 letters and digits)" in refusal([bad])


@pytest.mark.parametrize("own", ["list 42", "x" * 64, "PL-" + LIST])
def test_an_id_of_a_list_that_is_none_is_a_text(own: str) -> None:
    snapshot = only({"id": own, "name": "Coast", "tracks": entries(1, key="track")})
    assert snapshot.playlist_id.startswith("import")
    assert len(snapshot.playlist_id) == 22
    assert repr(own) in snapshot.id_from


def test_a_refusal_names_what_is_there_instead_of_an_id() -> None:
    assert refusal([{"song_id": "TR42", "song": "Quay", "artist": "Ilse Brandt"}]).endswith(
        ": the first one's song_id is 'TR42', which no song on Spotify has."
    )
    assert refusal([{"song": "Quay", "artist": "Ilse Brandt"}]).endswith(
        ": the first one's fields are song, artist."
    )


# Which list


def test_rows_go_to_the_playlist_that_they_name() -> None:
    one, two = entries(2, key="track")
    coast, hills = snapshots(
        [one | {"playlist_id": LIST}, two | {"playlistUri": f"spotify:playlist:{SECOND}"}]
    )
    assert [coast.playlist_id, hills.playlist_id] == [LIST, SECOND]
    assert [each.tables.entry_count for each in (coast, hills)] == [1, 1]


def test_forty_lists_in_one_file_stay_forty() -> None:
    rows_of_all = [
        row | {"playlist_id": payloads.spotify_id(f"List {number % 40}")}
        for number, row in enumerate(entries(120, key="track"))
    ]
    found = snapshots(rows_of_all)
    assert len({each.playlist_id for each in found}) == 40
    assert [each.tables.entry_count for each in found] == [3] * 40


def test_a_name_in_another_folder_is_another_list_and_a_backup_of_another_day_the_same() -> None:
    value = [payloads.song("Quay")]
    ids = {
        folder: only_id(snapshots(value, "saved.json", folder))
        for folder in (
            "/d/mona",
            "/d/piet",
            "/d/mona/2020-01-01",
            "/d/mona (2)/backup-2021",
            "/d/mona/backup-2022",
        )
    }
    assert ids["/d/mona"] == ids["/d/mona/2020-01-01"]
    assert ids["/d/mona"] != ids["/d/piet"]
    assert ids["/d/mona (2)/backup-2021"] == ids["/d/mona/backup-2022"]


def only_id(found: list[ImportedSnapshot]) -> str:
    (snapshot,) = found
    return snapshot.playlist_id


# How long the list is


@pytest.mark.parametrize(
    "value",
    [
        {"playlist": {"name": "Coast", "total_tracks": 90}, "tracks": entries(2)},
        {"name": "Coast", "total": 90, "tracks": entries(2)},
        {
            "meta": {"name": "Coast", "trackCount": 90},
            "songs": [payloads.song("Quay"), payloads.song("Jetty")],
        },
        {"playlist": summary("Coast", 90), "entries": entries(2)},
    ],
    ids=["beside", "same object", "meta", "playlist object"],
)
def test_the_length_beside_a_list_says_that_it_is_a_part(value: Any) -> None:
    snapshot = only(value)
    assert (snapshot.name, snapshot.total, snapshot.is_partial) == ("Coast", 90, True)
    assert [each.get("total") for each in snapshot.pages] == [90]


def test_a_page_says_in_raw_where_it_begins() -> None:
    found = snapshots([page(entries(2), LIST, total=9), page(entries(2, start=6), LIST, offset=6, total=9)])
    assert [(each.pages[0]["offset"], each.pages[0]["total"]) for each in found] == [(0, 9), (6, 9)]
    unnumbered = [{"items": entries(2)}, {"items": entries(1, start=2)}]
    assert [each.get("offset") for each in only(unnumbered).pages] == [None, 2]


def test_a_number_below_the_entries_is_no_length() -> None:
    assert only({"total": 1, "tracks": entries(2)}).total is None


# Podcasts


def test_saved_episodes_of_the_account_export_are_episodes_with_their_show() -> None:
    row = {"name": "Tides", "show": "Harbor Talk", "uri": f"spotify:episode:{SONG}"}
    snapshot = only({"tracks": [], "shows": [], "episodes": [row], "bannedTracks": [], "bannedArtists": []})
    assert snapshot.name == "Your Episodes"
    assert rows(snapshot, PLAYLIST_ENTRIES, "kind", "song_id", "uri", "name") == [
        ("episode", None, f"spotify:episode:{SONG}", "Tides")
    ]
    assert rows(snapshot, SONGS, "song_id") == []
    (entry,) = snapshot.pages[0]["items"]
    assert entry["track"]["show"] == {"name": "Harbor Talk"}
    assert entry["imported"] == row


# CSV

EXPORTIFY = (
    "Track URI,Track Name,Artist URI(s),Artist Name(s),Album URI,Album Name,Album Release Date,Disc Number,"
    "Track Number,Track Duration (ms),Explicit,Popularity,ISRC,Added By,Added At"
)


def test_a_file_of_exportify() -> None:
    row = (
        f'spotify:track:{SONG},"Quay, by night","spotify:artist:{ARTIST}, spotify:artist:{SECOND}",'
        f'"Ilse Brandt, The Rowers",spotify:album:{ALBUM},Low Water,2019-03-01,1,4,181000,false,51,QZ1,'
        "spotify:user:ilse.b,2020-01-02T03:04:05Z"
    )
    snapshot = only(f"\ufeff{EXPORTIFY}\r\n{row}\r\n\r\n", "coast.csv")
    assert snapshot.what == "CSV rows"
    assert snapshot.name == "coast"
    assert rows(snapshot, PLAYLIST_ENTRIES, "uri", "name", "added_at", "added_by_id") == [
        (f"spotify:track:{SONG}", "Quay, by night", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), "ilse.b")
    ]
    columns = (
        "artist_ids",
        "artist_names",
        "duration_ms",
        "is_explicit",
        "isrc",
        "popularity",
        "track_number",
    )
    assert rows(snapshot, SONGS, *columns) == [
        ([ARTIST, SECOND], ["Ilse Brandt", "The Rowers"], 181_000, False, "QZ1", 51, 4)
    ]
    assert rows(snapshot, ALBUMS, "album_id", "release_year") == [(ALBUM, 2019)]


@pytest.mark.parametrize(
    "quoted", [r'"The \"Old\" Quay"', '"The ""Old"" Quay"'], ids=["backslash", "doubled"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_quotes_and_delimiters(quoted: str, delimiter: str) -> None:
    text = f'"Track Name"{delimiter}"Track URI"\n{quoted}{delimiter}"spotify:track:{SONG}"\n'
    assert rows(only(text, "x.csv"), PLAYLIST_ENTRIES, "name", "song_id") == [('The "Old" Quay', SONG)]


def test_a_backslash_in_a_name_is_kept() -> None:
    text = f'"Track Name","Track URI"\n"AC\\DC","spotify:track:{SONG}"\n'
    assert rows(only(text, "x.csv"), PLAYLIST_ENTRIES, "name") == [("AC\\DC",)]


@pytest.mark.parametrize(
    "header",
    [
        "Track-URI,Track-Name,Künstlername(n),Hinzugefügt am",
        "URI du titre,Nom du titre,Nom(s) de l'artiste,Ajouté le",
        "URI de la canción,Nombre de la canción,Nombre(s) del artista,Añadido en",
        "Parça URI,Parça Adı,Sanatçı Adı,Eklenme Tarihi",
        "トラックURI,トラック名,アーティスト名,追加日時",
    ],
    ids=["de", "fr", "es", "tr", "ja"],
)
def test_headers_in_the_reader_s_language(header: str) -> None:
    snapshot = only(f"{header}\nspotify:track:{SONG},Quay,Ilse Brandt,2020-01-02T03:04:05Z\n", "x.csv")
    assert rows(snapshot, PLAYLIST_ENTRIES, "name", "added_at") == [
        ("Quay", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC))
    ]
    assert rows(snapshot, SONGS, "artist_names") == [(["Ilse Brandt"],)]


def test_a_file_of_tunemymusic_with_two_lists() -> None:
    coast, hills = snapshots(
        "Track name,Artist name,Album,Playlist name,Type,ISRC,Spotify - id\n"
        f"Quay,Ilse Brandt,Low Water,Coast,Playlist,QZ1,{SONG}\n"
        f"Jetty,Ilse Brandt,Low Water,Hills,Playlist,QZ2,{SECOND}\n",
        "My Spotify Library.csv",
    )
    assert [(each.name, rows(each, PLAYLIST_ENTRIES, "song_id")) for each in (coast, hills)] == [
        ("Coast", [(SONG,)]),
        ("Hills", [(SECOND,)]),
    ]


def test_episodes_local_files_and_lengths_in_minutes() -> None:
    snapshot = only(
        "uri,title,duration\n"
        f"spotify:episode:{SONG},Tides,\n"
        "spotify:local:Ilse+Brandt:Demos:Slip:63,Slip,\n"
        f"https://open.spotify.com/track/{SECOND},Jetty,3:05\n",
        "mixed.csv",
    )
    assert [kind for (kind,) in rows(snapshot, PLAYLIST_ENTRIES, "kind")] == ["episode", "local", "song"]
    assert rows(snapshot, SONGS, "duration_ms") == [(185_000,)]


@pytest.mark.parametrize(
    "text, columns",
    [
        ("date,amount\n2020-01-01,7\n", "date, amount"),
        ("rank,uri,artist_names,track_name,peak_rank,streams\n1,spotify:track:x,A,B,1,9\n", "rank, uri"),
    ],
    ids=["anything", "a chart"],
)
def test_csv_that_is_no_playlist_is_refused_as_csv(text: str, columns: str) -> None:
    assert refusal(text, "x.csv").startswith(
        "It is CSV, but not a playlist: that has a column with the songs' URI"
    )
    assert columns in refusal(text, "x.csv")


def test_csv_of_plays_needs_the_columns_of_an_export() -> None:
    said = refusal("played_at,artist,track\n2020-01-01T10:00:00Z,A,B\n", "x.csv")
    assert said == (
        "It is CSV of plays, but not with the columns of Spotify's data export, such as ts and ms_played, or endTime"
        " and msPlayed. It has played_at, artist, track."
    )


def test_csv_without_rows_is_said() -> None:
    assert refusal("Track URI,Track Name\n", "x.csv") == "It is CSV with a header and no rows."


def test_a_complete_object_is_not_touched() -> None:
    value = playlist(entries(2, key="track"))
    assert only(value).capture.head == value
