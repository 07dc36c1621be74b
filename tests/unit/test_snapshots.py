"""From what files hold to snapshots: which list, when, which pages belong together, and that no entry is lost."""

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.imports import dumps
from cli.imports.captures import fingerprint
from cli.imports.parts import Part
from cli.imports.shapes import is_spotify_id
from cli.imports.snapshots import (
    Defaults,
    ImportedSnapshot,
    assemble,
    derived_id,
    id_in_name,
    time_in_name,
)
from spotify_lake import keys
from spotify_lake.raw import envelope
from spotify_lake.schema.playlists import PLAYLIST_ENTRIES, REJECTS
from tests.support import payloads
from tests.support.dumps import as_json, entries, export_playlist, page, playlist, songs, summary
from tests.unit.test_dumps import json_values, spotify_like
from tests.unit.test_normalize import assert_fits_schema

ID = payloads.spotify_id("Road Trip")
AT = datetime(2021, 6, 7, 8, 9, 10, tzinfo=UTC)
SAMPLES = Path(__file__).parents[1] / "samples"


def found(files: dict[str, Any]) -> list[Part]:
    return [part for name, value in files.items() for part in dumps.read(name, as_json(value)).parts]


def all_of(files: dict[str, Any], defaults: Defaults = Defaults()) -> list[ImportedSnapshot]:  # noqa: B008 (it is frozen)
    ready, mentioned, refused = assemble(found(files), defaults)
    assert (mentioned, refused) == ([], [])
    return ready


def only(files: dict[str, Any], defaults: Defaults = Defaults()) -> ImportedSnapshot:  # noqa: B008
    ready = all_of(files, defaults)
    assert len(ready) == 1, ready
    return ready[0]


def names(snapshot: ImportedSnapshot) -> list[object]:
    column = PLAYLIST_ENTRIES.column_names.index("name")
    return [row[column] for row in snapshot.tables.rows[PLAYLIST_ENTRIES.name]]


# Which list


@pytest.mark.parametrize(
    "files, playlist_id, source",
    [
        ({"x.json": playlist(entries(2))}, ID, "the playlist object"),
        ({"x.json": page(entries(2), ID)}, ID, "its href"),
        ({f"tracks_{ID}.json": entries(2)}, ID, "the file's name"),
        ({f"Road Trip__{ID}/items-page-001.json": entries(2)}, ID, "the folder's name"),
        ({f"raw/playlist_id={'a' * 22}/20200101T000000Z.json": entries(2)}, "a" * 22, "the folder's name"),
        (
            {"raw/playlist_id=abc/x.json": entries(2)},
            derived_id("x"),
            "made up from the file's name “x”",
        ),
        (
            {f"liked-{ID}.json": page(entries(2))},
            derived_id("Liked Songs"),
            "made up from the list's name “Liked Songs”",
        ),
        ({"gym-2020-01-01.json": entries(2)}, derived_id("gym"), "made up from the file's name “gym”"),
        ({"gym_page_2.json": {"items": entries(2)}}, derived_id("gym"), "made up from the file's name “gym”"),
        ({"x.json": {"Gym": entries(2)}}, derived_id("Gym"), "made up from the list's name “Gym”"),
        (
            {"x.json": playlist(entries(2), id="user-0:1")},
            derived_id("user-0:1"),
            "the playlist object, where it is 'user-0:1'",
        ),
    ],
)
def test_which_list_it_is(files: dict[str, Any], playlist_id: str, source: str) -> None:
    snapshot = only(files)
    assert (snapshot.playlist_id, snapshot.id_from) == (playlist_id, source)


def test_liked_songs_of_a_known_user_have_the_id_under_which_they_are_collected() -> None:
    defaults = Defaults(user_id="me")
    snapshot = only({f"liked-{ID}.json": page(entries(2))}, defaults)
    assert (snapshot.playlist_id, snapshot.id_from) == (keys.liked_songs_id("me"), "Liked Songs of me")
    assert only({"x.json": playlist(entries(1))}, defaults).playlist_id == ID


def test_the_option_playlist_is_for_files_that_do_not_say_it() -> None:
    mine = payloads.spotify_id("mine")
    defaults = Defaults(playlist_id=mine)
    assert only({f"{ID}.json": entries(1)}, defaults).playlist_id == mine
    assert only({"x.json": page(entries(1))}, defaults).playlist_id == mine
    assert only({"x.json": playlist(entries(1))}, defaults).playlist_id == ID


@given(st.text(min_size=1))
def test_a_made_up_id_fits_keys_and_is_as_long_as_spotify_s(text: str) -> None:
    assert is_spotify_id(derived_id(text))
    assert derived_id(text) == derived_id(text)


def test_words_are_not_taken_for_ids() -> None:
    assert id_in_name("allmyfavouritesongslis.json") is None
    assert id_in_name("my_playlist_tracks_dump.json") is None


def test_lists_of_one_name_in_one_file_are_two_lists() -> None:
    twice = {"playlists": [export_playlist("A"), export_playlist("B"), export_playlist("C", title="Morning")]}
    ready = all_of({"Playlist1.json": twice})
    assert [names(snapshot) for snapshot in ready] == [["A"], ["B"], ["C"]]
    assert len({snapshot.playlist_id for snapshot in ready}) == 3
    assert [snapshot.name for snapshot in ready] == ["Evening", "Evening", "Morning"]


# When


@pytest.mark.parametrize(
    "name, moment",
    [
        ("20261120T060000Z.json.gz", "2026-11-20T06:00:00"),
        ("top50_2020-05-17.json", "2020-05-17T00:00:00"),
        ("top50-2020.05.17.json", "2020-05-17T00:00:00"),
        ("2020-05-17T06-07-08Z-liked.json", "2020-05-17T06:07:08"),
        ("2020-05-17 06.07.json", "2020-05-17T06:07:00"),
        ("liked_20200517-060708.jsonl", "2020-05-17T06:07:08"),
        ("1589695628_liked.json", "2020-05-17T06:07:08"),
        ("1589695628123-liked.json", "2020-05-17T06:07:08"),
        ("backup-20200517-060708/playlists/gym.json", "2020-05-17T06:07:08"),
        ("raw/snapshot_date=2020-05-17/gym.json", "2020-05-17T00:00:00"),
        ("2020-05-17/a/b/c/d/gym.json", None),
        ("playlist_2014_era.json", None),
        ("best of 2019-2020.json", None),
        ("20201341.json", None),
        ("4LO89Y0ydu8li9Phq2iwKT.json", None),
    ],
)
def test_a_time_in_a_name(name: str, moment: str | None) -> None:
    found_time = time_in_name(name)
    assert (found_time and found_time.moment.isoformat()) == (moment and f"{moment}+00:00")


@pytest.mark.parametrize(
    "files, defaults, moment, source",
    [
        (
            {"x.json": {"exported_at": "2020-05-17T00:00:00Z", "tracks": entries(2)}},
            Defaults(taken_at=AT),
            "2020-05-17T00:00:00",
            "its field exported_at",
        ),
        ({"x-2020-05-17.json": entries(2)}, Defaults(taken_at=AT), "2021-06-07T08:09:10", "--at"),
        ({"x-2020-05-17.json": entries(2)}, Defaults(), "2020-05-17T00:00:00", "the file's name"),
        ({"2020-05-17/x.json": entries(2)}, Defaults(), "2020-05-17T00:00:00", "the folder's name"),
        ({"x.json": entries(2)}, Defaults(), "2019-05-02T10:00:00", "the newest added_at"),
        (
            {"x.json": {"playlists": [export_playlist("A")]}},
            Defaults(),
            "2022-10-09T00:00:00",
            "its field lastModifiedDate",
        ),
        (
            {"x.json": {"playlists": [export_playlist("A", lastModifiedDate="2020-01-01")]}},
            Defaults(),
            "2022-06-22T00:00:00",
            "the newest added_at",
        ),
        (
            {"x.json": {"playlists": [export_playlist("A")]}},
            Defaults(taken_at=AT),
            "2021-06-07T08:09:10",
            "--at",
        ),
    ],
)
def test_when_it_was(files: dict[str, Any], defaults: Defaults, moment: str, source: str) -> None:
    snapshot = only(files, defaults)
    assert (snapshot.time.moment.isoformat(), snapshot.time.source) == (f"{moment}+00:00", source)


def test_a_date_before_the_newest_entry_is_no_time_of_a_dump() -> None:
    snapshot = only({"best-of-2016-01-01.json": entries(2)})
    assert snapshot.time.source == "the newest added_at"
    assert snapshot.notes == ("Not 2016-01-01, as the file's name says: entries were added after that.",)


@pytest.mark.parametrize("added_at", [None, "1970-01-01T00:00:00Z", "soon"])
def test_what_nobody_knows_the_time_of_is_refused(added_at: str | None) -> None:
    parts = found({"x.json": entries(2, added_at=added_at)})
    ready, _, refused = assemble(parts, Defaults())
    assert ready == []
    assert [(part, why.endswith("Say it with --at 2020-05-17T06:00:00Z.")) for part, why in refused] == [
        (parts[0], True)
    ]
    assert len(assemble(parts, Defaults(taken_at=AT))[0]) == 1


# Which pages


def split(rows: list[Any], size: int, **changes: Any) -> dict[str, Any]:
    return {
        f"list/{number}.json": page(list(part), ID, offset=number * size, total=len(rows)) | changes
        for number, part in enumerate(itertools.batched(rows, size, strict=False))
    }


def test_pages_in_several_files_become_one_snapshot() -> None:
    files = split(entries(230), 100)
    snapshot = only(dict(reversed(files.items())))
    assert names(snapshot) == [f"Song {number}" for number in range(230)]
    assert (snapshot.total, snapshot.is_partial, snapshot.what) == (230, False, "3 pages of one list")
    assert list(snapshot.pages) == list(files.values())
    assert snapshot.contract == "items"


def test_a_playlist_object_and_the_pages_after_its_own() -> None:
    rows = entries(230, key="track")
    files = split(rows, 100)
    files["list/0.json"] = playlist(rows[:100]) | {"tracks": page(rows[:100], ID, total=230)}
    snapshot = only(files)
    assert len(names(snapshot)) == 230
    assert snapshot.name == "Road Trip"
    assert not snapshot.is_partial


def test_a_playlist_object_beside_all_pages_gives_the_head() -> None:
    rows = entries(230)
    files = split(rows, 50) | {
        "list/playlist.json": playlist(rows[:100], tracks=page(rows[:100], ID, total=230))
    }
    snapshot = only(files)
    assert len(names(snapshot)) == 230
    assert snapshot.name == "Road Trip"
    assert snapshot.notes == ("The same entries are in list/0.json, list/1.json, and were taken once.",)


def test_a_head_without_entries_names_the_pages_beside_it() -> None:
    snapshot = only(split(entries(3), 2) | {"list/playlist.json": summary("Road Trip", 3)})
    assert snapshot.name == "Road Trip"
    assert len(names(snapshot)) == 3


def test_pages_that_do_not_follow_each_other_stay_apart() -> None:
    files = split(entries(150), 50)
    del files["list/1.json"]
    first, last = all_of(files)
    assert (first.first, last.first) == (1, 101)
    assert first.is_partial
    assert last.is_partial
    assert [snapshot.total for snapshot in (first, last)] == [150, 150]


def test_pages_of_different_times_stay_apart() -> None:
    one, two = split(entries(4), 2).values()
    assert len(all_of({"l/a-2020-01-01.json": one, "l/b-2020-02-02.json": two})) == 2
    assert len(all_of({"l/a-2020-01-01T060000.json": one, "l/b-2020-01-01T060102.json": two})) == 1
    taken = [
        {"exported_at": when, "page": value} for when, value in (("2020-01-01", one), ("2020-02-02", two))
    ]
    assert len(all_of({"l/a.json": taken[0], "l/b.json": taken[1]})) == 2


def test_dumps_of_one_list_with_different_entries_stay_apart() -> None:
    ready = all_of({"a.json": page(entries(2), ID), "b.json": page(entries(2, start=1), ID)})
    assert [names(snapshot) for snapshot in ready] == [["Song 0", "Song 1"], ["Song 1", "Song 2"]]


def test_a_script_s_list_of_pages() -> None:
    rows = entries(5)
    assert (
        len(names(only({"x.json": [page(rows[:3], ID, total=5), page(rows[3:], ID, offset=3, total=5)]})))
        == 5
    )
    assert len(names(only({"x.json": [{"items": rows[:3]}, {"items": rows[3:]}]}))) == 5


@given(st.integers(0, 40), st.integers(1, 50), st.booleans(), st.randoms())
def test_however_a_list_is_cut_into_files_it_is_whole_again(
    number: int, size: int, with_head: bool, random: Any
) -> None:
    files = list(split(entries(number), size).items()) or [("list/0.json", page([], ID))]
    if with_head:
        files.append(("list/head.json", summary("Road Trip", number)))
    random.shuffle(files)
    snapshot = only(dict(files), Defaults(taken_at=AT))
    assert names(snapshot) == [f"Song {index}" for index in range(number)]


# What is not written


def test_playlists_without_their_entries_are_only_mentioned() -> None:
    ready, mentioned, refused = assemble(
        found(
            {
                "x.json": page([summary("One", 12), summary("Two", 0)]),
                "y.json": playlist([], tracks=page([], ID, total=7)),
            }
        ),
        Defaults(taken_at=AT),
    )
    assert (ready, refused) == ([], [])
    assert [part.total for part in mentioned] == [12, 0, 7]


def test_an_empty_list_is_a_snapshot_if_its_time_is_known() -> None:
    snapshot = only({"x.json": {"playlists": [export_playlist()]}})
    assert snapshot.tables.entry_count == 0
    ready, _, refused = assemble(found({"x.json": playlist([])}), Defaults())
    assert ready == []
    assert "when the list was empty" in refused[0][1]


# Nothing is lost


def test_the_bytes_are_what_the_transform_reads() -> None:
    rows = payloads.every_kind()
    snapshot = only({"x.json": playlist(rows)})
    decoded = envelope.decode(snapshot.body)
    assert len(decoded.entries) == len(rows)
    assert (decoded.playlist_id, decoded.scheduled_at) == (ID, keys.import_time(snapshot.time.moment))
    assert decoded.is_imported
    assert decoded.playlist.name == "Road Trip"
    assert snapshot.key == keys.raw_key(ID, decoded.scheduled_at)
    assert_fits_schema(snapshot.tables)
    assert only({"x.json": playlist(rows)}).body == snapshot.body
    again = only({"x.json": playlist(rows)}, Defaults(taken_at=AT))
    assert fingerprint(again.tables) == fingerprint(snapshot.tables)


def test_what_the_models_reject_goes_to_raw_and_to_the_rejects() -> None:
    rows = [*entries(2), {"item": {"type": "statue"}}, 7, {"item": {"name": "No id", "type": "track"}}]
    snapshot = only({"x.json": page(rows, ID)})
    assert snapshot.tables.entry_count == 5
    assert len(snapshot.tables.rows[REJECTS.name]) == 2
    assert list(snapshot.pages[0]["items"]) == rows


def test_songs_of_client_libraries_that_write_types_with_a_capital() -> None:
    rows = [payloads.entry(song | {"type": "Track"}, key="track") for song in songs(2)]
    rows.append(payloads.entry(payloads.episode(type="Episode"), key="track"))
    snapshot = only({"x.json": playlist(rows)})
    kind = PLAYLIST_ENTRIES.column_names.index("kind")
    assert [row[kind] for row in snapshot.tables.rows[PLAYLIST_ENTRIES.name]] == ["song", "song", "episode"]


def test_flat_rows_become_songs() -> None:
    rows = [
        {
            "name": "Low Tide",
            "artists": ["Mira Sol", "Ben Oar"],
            "album": "Harbor Lights",
            "track_id": ID,
            "added_at": "2019-05-01",
        },
        {
            "track_name": "Duet",
            "artist_name": "Mira Sol",
            "track_uri": f"spotify:track:{ID}",
            "album_uri": "spotify:album:a",
        },
        {
            "title": "Link",
            "artist": "Ben Oar",
            "url": f"https://open.spotify.com/intl-de/track/{ID}?si=1",
            "duration": 7,
        },
        {"name": "No link", "artist": "Ben Oar"},
    ]
    snapshot = only({"x.json": rows})
    assert names(snapshot) == ["Low Tide", "Duet", "Link"]
    assert [row[3] for row in snapshot.tables.rows[REJECTS.name]] == ["song_without_id"]
    assert [entry["imported"] for entry in snapshot.pages[0]["items"]] == rows


@given(st.lists(json_values | spotify_like, max_size=3), st.sampled_from([None, AT]))
def test_every_entry_of_any_json_is_in_one_place(values: list[Any], taken_at: datetime | None) -> None:
    parts = found({f"{number}.json": value for number, value in enumerate(values)})
    ready, mentioned, refused = assemble(parts, Defaults(taken_at=taken_at))
    counted = sum(snapshot.tables.entry_count for snapshot in ready)
    counted += sum(len(part.entries or ()) for part, _ in refused)
    duplicates = [
        note for snapshot in ready for note in snapshot.notes if note.startswith("The same entries")
    ]
    if not duplicates:
        assert counted == sum(len(part.entries or ()) for part in parts)
    assert all(not part.entries for part in mentioned)
    for snapshot in ready:
        assert snapshot.tables.unaccounted == 0
        assert json.loads(json.dumps(snapshot.head)) == snapshot.head


def test_every_response_of_spotify_is_understood() -> None:
    readings = {
        path.name: dumps.read(path.name, path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))
    }
    expected = {
        "items_page_episodes_and_tracks.json": (4, 4),
        "items_page_missing_track.json": (2, 58),
        "items_page_year_precision.json": (3, 3),
        "playlist_2014.json": (3, 3),
        "playlist_both_keys.json": (1, 1),
        "playlist_ghost_track.json": (2, 2),
        "playlist_with_episode.json": (3, 3),
        "playlist_with_local_file.json": (2, 2),
    }
    assert all(reading.problems == () for reading in readings.values())
    ready, mentioned, refused = assemble(
        [part for reading in readings.values() for part in reading.parts], Defaults()
    )
    assert refused == []
    assert [part.source for part in mentioned] == ["me_playlists_page.json"] * 3
    assert {
        snapshot.sources[0]: (snapshot.tables.entry_count, snapshot.total) for snapshot in ready
    } == expected
    assert all(snapshot.tables.rows[REJECTS.name] == [] for snapshot in ready)
    others = {name for name, reading in readings.items() if reading.others}
    assert others == {"album.json", "artist.json", "error_404.json", "error_429.json"}
    assert {source for snapshot in ready for source in snapshot.sources} == set(readings) - others - {
        "me_playlists_page.json"
    }
