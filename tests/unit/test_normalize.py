import gzip
import html
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spotify_lake.normalize.rows import Tables, normalize
from spotify_lake.raw import envelope
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import Type
from spotify_lake.spotify import models
from tests.support import payloads

PYTHON_TYPES = {
    Type.STRING: str,
    Type.INT: int,
    Type.BIGINT: int,
    Type.BOOLEAN: bool,
    Type.DATE: date,
    Type.TIMESTAMP: datetime,
    Type.STRINGS: list,
}


def tables_of(*entries: object, **changes: Any) -> Tables:
    return normalize(envelope.decode(payloads.raw_object(list(entries), **changes)))


def rows(tables: Tables, name: str) -> list[dict[str, Any]]:
    table = next(table for table in TABLES if table.name == name)
    return list(tables.records(table))


def row(tables: Tables, name: str) -> dict[str, Any]:
    (only,) = rows(tables, name)
    return only


def assert_fits_schema(tables: Tables) -> None:
    assert tables.unaccounted == 0
    for table in TABLES:
        for values in rows(tables, table.name):
            for column in table.columns:
                value = values[column.name]
                assert column.nullable or value is not None, f"{table.name}.{column.name} is null"
                assert value is None or type(value) is PYTHON_TYPES[column.type]
        keys = [tuple(values[name] for name in table.key) for values in rows(tables, table.name)]
        assert len(keys) == len(set(keys)), f"{table.name} has a key twice"


def test_a_song_becomes_a_row_in_each_table() -> None:
    tables = tables_of(payloads.entry(payloads.song()))
    song, album, artist = payloads.song(), payloads.album(), payloads.artist()
    same = {"playlist_id": payloads.playlist()["id"], "scheduled_at": payloads.NOON}
    assert row(tables, "playlist_entries") == same | {
        "position": 1,
        "kind": "song",
        "song_id": song["id"],
        "uri": song["uri"],
        "name": "Low Tide",
        "added_at": datetime(2026, 3, 1, 18, 22, 9, tzinfo=UTC),
        "added_by_id": "nadia.k",
        "credits": None,
    }
    assert row(tables, "songs") == same | {
        "song_id": song["id"],
        "name": "Low Tide",
        "album_id": album["id"],
        "artist_ids": [artist["id"]],
        "artist_names": ["Mira Sol"],
        "duration_ms": 207_959,
        "is_explicit": False,
        "isrc": "QZES71982312",
        "popularity": None,
        "disc_number": 1,
        "track_number": 4,
        "url": f"https://open.spotify.com/track/{song['id']}",
    }
    assert row(tables, "albums") == same | {
        "album_id": album["id"],
        "name": "Harbor Lights",
        "album_type": "album",
        "artist_ids": [artist["id"]],
        "release_date": date(2017, 5, 26),
        "release_date_precision": "day",
        "release_year": 2017,
        "total_tracks": 11,
        "label": None,
        "popularity": None,
        "image_url": album["images"][0]["url"],
        "url": f"https://open.spotify.com/album/{album['id']}",
    }
    assert row(tables, "artists") == same | {
        "artist_id": artist["id"],
        "name": "Mira Sol",
        "genres": None,
        "followers": None,
        "popularity": None,
        "url": f"https://open.spotify.com/artist/{artist['id']}",
    }
    assert row(tables, "playlists") == same | {
        "fetched_at": payloads.NOON.replace(second=3, microsecond=120_000),
        "name": "Road Trip",
        "description": "Windows down.",
        "owner_id": "nadia.k",
        "owner_name": "Nadia",
        "snapshot_id": payloads.playlist()["snapshot_id"],
        "is_public": True,
        "is_collaborative": False,
        "followers": None,
        "entry_count": 1,
        "image_url": payloads.playlist()["images"][0]["url"],
        "url": payloads.playlist()["external_urls"]["spotify"],
        "contract": "items",
        "is_complete": True,
        "is_imported": False,
    }
    assert rows(tables, "rejects") == []


def test_what_only_old_apps_get_is_kept() -> None:
    artist = payloads.artist() | {"genres": [], "followers": {"total": 2_100_345}, "popularity": 71}
    tables = tables_of(
        payloads.entry(payloads.old_song(artists=[artist]), key="track"),
        playlist_object=payloads.playlist(followers={"href": None, "total": 5_000_000_000}),
    )
    found = row(tables, "artists")
    assert (found["genres"], found["followers"], found["popularity"]) == ([], 2_100_345, 71)
    assert row(tables, "songs")["popularity"] == 63
    assert row(tables, "albums")["label"] == "Quay Records"
    assert row(tables, "albums")["popularity"] == 52
    assert row(tables, "playlists")["followers"] == 5_000_000_000


def test_both_contracts_give_the_same_rows() -> None:
    as_item = tables_of(payloads.entry(payloads.song(), key="item"))
    as_track = tables_of(payloads.entry(payloads.song(), key="track"))
    as_both = tables_of(payloads.entry(payloads.song()) | {"track": payloads.song()})
    item_is_null = tables_of(payloads.entry(None) | {"track": payloads.song()})
    assert as_item == as_track == as_both == item_is_null


def test_the_new_name_of_the_content_wins() -> None:
    both = payloads.entry(payloads.song("New")) | {"track": payloads.song("Old")}
    assert row(tables_of(both), "songs")["name"] == "New"


@pytest.mark.parametrize(
    "entry, kind, named",
    [
        (payloads.entry(payloads.song()), "song", True),
        (payloads.entry(payloads.episode()), "episode", True),
        (payloads.entry(payloads.episode(id=None)), "episode", True),
        (payloads.entry(payloads.local_file()), "local", True),
        (payloads.entry(payloads.local_file(is_local=None), is_local=True), "local", True),
        (payloads.entry(payloads.local_file(), is_local=None), "local", True),
        (payloads.entry(payloads.song(type=None)), "song", True),
        (payloads.entry(payloads.song(duration_ms=0)), "song", True),
        (payloads.entry(payloads.song(name="")), "song", False),
        (payloads.entry(payloads.ghost()), "unavailable", False),
        (payloads.entry(None), "unavailable", False),
        ({}, "unavailable", False),
        (None, "unavailable", False),
    ],
)
def test_every_entry_has_a_kind(entry: object, kind: str, named: bool) -> None:
    tables = tables_of(entry)
    found = row(tables, "playlist_entries")
    assert found["kind"] == kind
    assert (found["name"] is not None) == named
    assert len(tables.rows["songs"]) == (kind == "song")
    assert_fits_schema(tables)


def test_a_song_taken_down_keeps_its_id() -> None:
    found = row(tables_of(payloads.entry(payloads.ghost())), "playlist_entries")
    assert found["song_id"] == payloads.ghost()["id"]
    assert found["uri"] == payloads.ghost()["uri"]


def test_a_local_file_and_an_episode_keep_their_uri_but_are_no_songs() -> None:
    local, episode = rows(
        tables_of(payloads.entry(payloads.local_file()), payloads.entry(payloads.episode())),
        "playlist_entries",
    )
    assert local["uri"] == payloads.local_file()["uri"]
    assert episode["uri"] == payloads.episode()["uri"]
    assert local["song_id"] is episode["song_id"] is None


def test_a_song_at_two_positions_is_two_entries_and_one_song() -> None:
    twice = payloads.entry(payloads.song())
    tables = tables_of(twice, payloads.entry(None), twice)
    assert [found["position"] for found in rows(tables, "playlist_entries")] == [1, 2, 3]
    assert len(tables.rows["songs"]) == len(tables.rows["albums"]) == len(tables.rows["artists"]) == 1


def test_what_has_no_id_gets_no_row_of_its_own() -> None:
    song = payloads.song(album=payloads.album(id=None), artists=[payloads.artist() | {"id": None}])
    tables = tables_of(payloads.entry(song))
    assert row(tables, "songs")["album_id"] is None
    assert row(tables, "songs")["artist_ids"] == [None]
    assert row(tables, "songs")["artist_names"] == ["Mira Sol"]
    assert rows(tables, "albums") == rows(tables, "artists") == []


def test_of_several_states_of_an_object_the_first_in_the_list_counts() -> None:
    def named(suffix: str) -> dict[str, Any]:
        return payloads.song(
            name=f"Low Tide {suffix}",
            artists=[payloads.artist() | {"name": f"Mira Sol {suffix}"}],
            album=payloads.album() | {"name": f"Harbor Lights {suffix}"},
        )

    tables = tables_of(payloads.entry(named("I")), payloads.entry(named("II")))
    for name in ("songs", "albums", "artists"):
        assert row(tables, name)["name"].endswith(" I")


def test_artists_of_song_and_album_are_credited_once_each() -> None:
    nobody = [{"id": None, "name": ""}, None]
    compilers = [payloads.artist("Mira Sol"), payloads.artist("Various Artists")]
    duet = payloads.song(
        artists=[payloads.artist("Ben Oar"), payloads.artist("Mira Sol"), *nobody],
        album=payloads.album(artists=[*compilers, *nobody]),
    )
    tables = tables_of(payloads.entry(duet))
    assert row(tables, "songs")["artist_names"] == ["Ben Oar", "Mira Sol"]
    assert row(tables, "albums")["artist_ids"] == [artist["id"] for artist in compilers]
    assert [found["name"] for found in rows(tables, "artists")] == ["Ben Oar", "Mira Sol", "Various Artists"]


@pytest.mark.parametrize(
    "text, expected, precision",
    [
        ("2012-07-31", date(2012, 7, 31), "day"),
        ("2012-07", date(2012, 7, 1), "month"),
        ("2012", date(2012, 1, 1), "year"),
        ("0000", None, None),
        ("0000-00-00", None, None),
        ("2012-13", None, None),
        ("2012-02-30", None, None),
        ("2012-W07-1", None, None),
        ("２０１２", None, None),
        ("", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_release_dates_of_every_precision(
    text: str | None, expected: date | None, precision: str | None
) -> None:
    found = row(tables_of(payloads.entry(payloads.song(album=payloads.album(release_date=text)))), "albums")
    assert (found["release_date"], found["release_date_precision"]) == (expected, precision)
    assert found["release_year"] == (expected and expected.year)


def test_old_payloads_lack_release_dates_and_album_artists() -> None:
    album = payloads.album()
    for key in ("release_date", "release_date_precision", "artists", "total_tracks"):
        del album[key]
    tables = tables_of(payloads.entry(payloads.song(album=album), key="track", added_by=None, added_at=None))
    found = row(tables, "albums")
    assert found["release_date"] is found["artist_ids"] is found["total_tracks"] is None
    assert_fits_schema(tables)


@pytest.mark.parametrize("images", [None, [], [None], [{}], [{"url": None}]])
def test_a_missing_cover_is_null(images: object) -> None:
    tables = tables_of(
        payloads.entry(payloads.song(album=payloads.album(images=images))),
        playlist_object=payloads.playlist(images=images),
    )
    assert row(tables, "albums")["image_url"] is row(tables, "playlists")["image_url"] is None


def test_the_cover_is_the_first_image_that_has_an_address() -> None:
    images = [
        None,
        {"url": None},
        {"url": "https://i.scdn.co/image/large"},
        {"url": "https://i.scdn.co/image/s"},
    ]
    tables = tables_of(playlist_object=payloads.playlist(images=images))
    assert row(tables, "playlists")["image_url"] == "https://i.scdn.co/image/large"


def description_of(text: str | None) -> object:
    return row(tables_of(playlist_object=payloads.playlist(description=text)), "playlists")["description"]


@pytest.mark.parametrize(
    "sent, shown",
    [
        ("Sasha &amp; I &lt;3 it&#x27;s &quot;ours&quot; &#x2F; 2019", 'Sasha & I <3 it\'s "ours" / 2019'),
        ("&amp;amp;", "&amp;"),  # once: the owner typed an entity
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("Rock & Roll", "Rock & Roll"),
        ("", None),
        (None, None),
    ],
)
def test_entities_of_a_description_become_characters_once(sent: str | None, shown: str | None) -> None:
    assert description_of(sent) == shown


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@example("&amp;")
@example("&#38;#38;")
def test_a_description_is_what_its_owner_typed(typed: str) -> None:
    assert description_of(html.escape(typed)) == typed


def test_placeholders_of_spotify_are_null() -> None:
    found = row(
        tables_of(payloads.entry(payloads.song(), added_at="1970-01-01T00:00:00Z", added_by={"id": ""})),
        "playlist_entries",
    )
    assert found["added_at"] is found["added_by_id"] is None
    tables = tables_of(playlist_object=payloads.playlist(description=""))
    assert row(tables, "playlists")["description"] is None
    song = payloads.song(external_ids={"isrc": ""}, album=payloads.album(id=""))
    found = row(tables_of(payloads.entry(song)), "songs")
    assert found["isrc"] is found["album_id"] is None


@pytest.mark.parametrize("contract", ["tracks", "embedded"])
def test_the_playlists_row_says_how_the_entries_were_read(contract: models.Contract) -> None:
    playlist = payloads.playlist(tracks=payloads.page([]))
    assert row(tables_of(playlist_object=playlist, contract=contract), "playlists")["contract"] == contract


@pytest.mark.parametrize(
    "content, kind, uri, credited",
    [
        (payloads.song(uri=None), "song", f"spotify:track:{payloads.song()['id']}", None),
        (payloads.ghost(uri=None), "unavailable", f"spotify:track:{payloads.ghost()['id']}", None),
        (payloads.episode(uri=None), "episode", f"spotify:episode:{payloads.episode()['id']}", ["Knots"]),
        (
            {"type": "chapter", "id": "CHA1", "name": "Chapter 1", "audiobook": {"name": "A Book"}},
            "chapter",
            "spotify:chapter:CHA1",
            ["A Book"],
        ),
        ({"type": "hologram", "id": "H1", "name": "New"}, "other", "spotify:hologram:H1", []),
        ({"type": "hologram", "uri": "spotify:hologram:H1"}, "other", "spotify:hologram:H1", []),
        (payloads.local_file(), "local", payloads.local_file()["uri"], ["The Rowers"]),
        (payloads.local_file(uri=None), "local", None, ["The Rowers"]),
    ],
)
def test_uri_follows_from_kind_and_id(
    content: Any, kind: str, uri: str | None, credited: list[str] | None
) -> None:
    entry = row(tables_of(payloads.entry(content)), "playlist_entries")
    assert (entry["kind"], entry["uri"], entry["credits"]) == (kind, uri, credited)
    assert (entry["song_id"] is not None) == (kind in {"song", "unavailable"})


def test_parts_of_a_list_keep_their_positions() -> None:
    songs = [payloads.entry(payloads.song(name)) for name in ("A", "B")]
    bad = payloads.entry(payloads.song(duration_ms=-1))
    page = payloads.page([*songs, bad, 7], offset=100, total=279)
    tables = normalize(envelope.decode(payloads.raw_object(page)))
    assert [found["position"] for found in rows(tables, "playlist_entries")] == [101, 102]
    rejects = [
        (found["position"], found["reason"], json.loads(found["payload"]))
        for found in rows(tables, "rejects")
    ]
    assert rejects == [(103, "song_duration", bad), (104, "undecodable", 7)]
    assert (row(tables, "playlists")["is_complete"], row(tables, "playlists")["entry_count"]) == (False, 4)
    assert tables.unaccounted == 0
    assert tables.violations == {"song_duration": 1}


def test_fields_that_cannot_be_read_are_null_and_counted() -> None:
    odd = payloads.entry(payloads.song(duration_ms={"totalMilliseconds": 188_000}, popularity="51"))
    about = payloads.playlist(owner=7)
    data = payloads.raw_object([payloads.entry(None), odd], playlist_object=about)
    tables = normalize(envelope.decode(data))
    assert (row(tables, "songs")["duration_ms"], row(tables, "playlists")["owner_id"]) == (None, None)
    assert tables.violations == {"entry_readable": 2, "playlist_readable": 1}
    examples = {found["rule"]: found["example"] for found in rows(tables, "quality") if found["violations"]}
    assert examples == {
        "entry_readable": '2 item.duration_ms {"totalMilliseconds":188000}',
        "playlist_readable": "playlist.owner 7",
    }


def test_a_reject_keeps_position_reason_and_payload() -> None:
    bad = payloads.entry(payloads.song(type=7))
    tables = tables_of(payloads.entry(None), bad, payloads.entry(None))
    reject = row(tables, "rejects")
    assert (reject["position"], reject["reason"]) == (2, "undecodable")
    assert json.loads(reject["payload"]) == bad
    assert [found["position"] for found in rows(tables, "playlist_entries")] == [1, 3]
    assert row(tables, "playlists")["entry_count"] == 3


def test_entries_that_are_neither_row_nor_reject_would_be_counted() -> None:
    rows = {"playlist_entries": [(1,), (2,)], "rejects": [(3,)]}
    assert Tables("x", payloads.NOON, entry_count=5, rows=rows).unaccounted == 2


def test_an_empty_playlist_is_a_playlist_row() -> None:
    tables = tables_of()
    assert row(tables, "playlists")["entry_count"] == 0
    assert_fits_schema(tables)


def test_every_kind_at_once_fits_the_schema() -> None:
    tables = tables_of(*payloads.every_kind())
    assert tables.entry_count == len(payloads.every_kind())
    assert_fits_schema(tables)


# What may come instead of a well-formed entry: parts dropped, replaced by another type, or nonsense throughout.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def mutated_entries(draw: st.DrawFn) -> Any:
    value = json.loads(json.dumps(draw(st.sampled_from(payloads.every_kind()))))
    for _ in range(draw(st.integers(0, 3))):
        spot = value
        while isinstance(spot, dict | list) and spot:
            name = (
                draw(st.sampled_from(sorted(spot)))
                if isinstance(spot, dict)
                else draw(st.integers(0, len(spot) - 1))
            )
            if draw(st.booleans()) or not isinstance(spot[name], dict | list):
                if isinstance(spot, dict) and draw(st.booleans()):
                    del spot[name]
                else:
                    spot[name] = draw(JSON)
                break
            spot = spot[name]
    return value


@given(entries=st.lists(mutated_entries() | JSON, max_size=6))
def test_every_entry_ends_as_a_row_or_a_reject(entries: list[Any]) -> None:
    tables = tables_of(*entries)
    assert tables.entry_count == len(entries)
    assert_fits_schema(tables)
    positions = [
        found["position"] for name in ("playlist_entries", "rejects") for found in rows(tables, name)
    ]
    assert sorted(positions) == list(range(1, len(entries) + 1))
    for reject in rows(tables, "rejects"):
        reject["payload"].encode()


@given(entries=st.lists(mutated_entries(), max_size=4))
def test_the_same_object_gives_the_same_rows(entries: list[Any]) -> None:
    assert repr(tables_of(*entries)) == repr(tables_of(*entries))


DETAILS = {
    "artists": {
        payloads.artist()["id"]: {"genres": ["tango"], "followers": {"total": 2**40}, "popularity": 71},
    },
    "albums": {payloads.album()["id"]: {"label": "Quay Records", "popularity": 52}},
}
DETAIL_COLUMNS = {
    "artists": {"genres", "followers", "popularity"},
    "albums": {"label", "popularity"},
    "quality": {"checked", "violations", "example"},
}


def with_details(details: Any, *entries: Any) -> Tables:
    content = json.loads(gzip.decompress(payloads.raw_object(list(entries)))) | {"details": details}
    return normalize(envelope.decode(gzip.compress(json.dumps(content).encode())))


def test_details_fill_what_the_entry_lacks() -> None:
    tables = with_details(DETAILS, payloads.entry(payloads.song()))
    artist, album = row(tables, "artists"), row(tables, "albums")
    assert (artist["genres"], artist["followers"], artist["popularity"]) == (["tango"], 2**40, 71)
    assert (album["label"], album["popularity"]) == ("Quay Records", 52)
    assert row(tables, "songs")["popularity"] is None


def test_what_the_entry_says_itself_comes_before_details() -> None:
    own = payloads.artist(genres=[], followers={"total": 0}, popularity=0)
    song = payloads.song(artists=[own], album=payloads.album(label="", popularity=0, artists=[own]))
    tables = with_details(DETAILS, payloads.entry(song))
    artist, album = row(tables, "artists"), row(tables, "albums")
    assert (artist["genres"], artist["followers"], artist["popularity"]) == ([], 0, 0)
    assert (album["label"], album["popularity"]) == ("", 0)


def test_details_of_others_change_nothing() -> None:
    song = payloads.entry(payloads.song())
    others = {"artists": {payloads.spotify_id("else"): {"genres": ["tango"]}}}
    assert with_details(others, song) == with_details(None, song)


SOME_DETAILS = JSON | st.fixed_dictionaries(
    {},
    optional={
        kind: JSON
        | st.dictionaries(
            st.sampled_from([*DETAILS[kind], "another id"]),
            JSON
            | st.fixed_dictionaries({}, optional=dict.fromkeys(DETAIL_COLUMNS[kind], JSON))
            | st.just(*DETAILS[kind].values()),
        )
        for kind in DETAILS
    },
)


@given(entries=st.lists(mutated_entries() | JSON, max_size=4), details=SOME_DETAILS)
def test_details_change_their_own_columns_only(entries: list[Any], details: Any) -> None:
    plain, detailed = tables_of(*entries), with_details(details, *entries)
    assert_fits_schema(detailed)
    for table in TABLES:
        own = DETAIL_COLUMNS.get(table.name, set())
        before, after = rows(plain, table.name), rows(detailed, table.name)
        assert [{name: value for name, value in each.items() if name not in own} for each in after] == [
            {name: value for name, value in each.items() if name not in own} for each in before
        ]
        for old, new in zip(before, after, strict=True) if table.name in DETAILS else ():
            assert all(new[name] == old[name] for name in own if old[name] is not None)
