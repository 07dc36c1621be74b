"""Files of Spotify's data export are recognized by the fields of their rows, whatever they are called."""

import datetime as dt
import gzip
import json
from typing import Any

import pytest

from cli.imports import history, moments
from cli.imports.history import History
from spotify_lake.normalize.plays import normalize_export
from spotify_lake.raw import plays
from tests.support import exports
from tests.support.plays import IMPORTED, extended, nothing, pack, played

MUSIC = {"endTime": "2024-01-31 17:05", "artistName": "A", "trackName": "T", "msPlayed": 1}
PODCAST = {"endTime": "2024-01-31 17:05", "podcastName": "P", "episodeName": "E", "msPlayed": 1}
BOOK = {"endTime": "2024-01-31 17:05", "authorName": "A", "audiobookName": "B", "msPlayed": 1}


def read(name: str, value: Any) -> History:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    found = history.read(name, data)
    assert found is not None
    return found


def rows_of(found: History) -> list[dict[str, Any]]:
    """What a file becomes in plays, without where it is from."""
    assert found.form is not None
    packed = plays.pack_export(found.form, found.file_name, found.rows, IMPORTED)
    rows = played(normalize_export(plays.unpack_export(packed.data, packed.key)))
    return [{name: value for name, value in row.items() if name != "source_object"} for row in rows]


@pytest.mark.parametrize(
    "name, rows, form",
    [
        ("endsong_0.json", [extended()], "audio"),
        ("a/Streaming_History_Audio_2019-2021_3.json", [extended()], "audio"),
        ("Streaming_History_Audio_2018_2.json", [None, 7, nothing(), extended()], "audio"),
        ("Streaming_History_Video_2018-2025.json", [extended()], "video"),
        ("StreamingHistory0.json", [MUSIC], "music"),
        ("StreamingHistory_music_0.json", [MUSIC], "music"),
        ("StreamingHistory_podcast_0.json", [PODCAST], "podcast"),
        ("StreamingHistory_audiobook_0.json", [BOOK], "audiobook"),
        ("renamed by me.json", [{}, PODCAST, PODCAST, MUSIC], "podcast"),
        ("x.json", [{"master_metadata_track_name": "T"}], "audio"),
    ],
)
def test_rows_say_what_a_file_is(name: str, rows: list[Any], form: str) -> None:
    found = read(name, rows)
    assert (found.form, found.file_name, len(found.rows)) == (form, name.rpartition("/")[2], len(rows))
    assert found.problems == ()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"[]",
        b'[{"played_at": "2026-01-01T10:00:00Z", "track": {}}]',
        b'{"msPlayed": 7, "topTracks": []}',
        b"ts,amount\n2026-01-01,7\n",
        b"Track URI,Track Name\nspotify:track:x,A\n",
        b"\x89PNG",
        b"[",
        b'[{"name": "\\"ms_played\\""}]',
    ],
)
def test_other_files_are_not_taken_for_plays(value: bytes) -> None:
    assert history.read("x.json", value) is None
    assert value == b"[]" or history.read("endsong_0.json", value) is None


def test_values_are_kept_as_they_are_written() -> None:
    [row] = read("endsong_0.json", b'[ {"ts":"2021-03-04T05:06:07Z","ms_played":1e3,"shuffle" : null} ]').rows
    packed = plays.pack_export("audio", "endsong_0.json", [row], IMPORTED)
    assert b'{"ts":"2021-03-04T05:06:07Z","ms_played":1e3,"shuffle":null}' in gzip.decompress(packed.data)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda rows: json.dumps(rows, indent=2).encode("utf-8-sig"),
        lambda rows: json.dumps(rows).encode("utf-16"),
        lambda rows: gzip.compress(json.dumps(rows).encode()),
        lambda rows: "\n".join(map(json.dumps, rows)).encode(),
        lambda rows: b"".join(json.dumps([row]).encode() for row in rows),
        lambda rows: json.dumps(rows).replace("null", "NaN").encode(),
        exports.as_csv,
        lambda rows: exports.as_csv(rows, style="pandas"),
        lambda rows: exports.as_csv(rows, style="r"),
        lambda rows: exports.as_csv(rows, style="excel"),
        lambda rows: json.dumps(rows).encode("utf-16-le"),
        lambda rows: json.dumps(rows)[:-1].encode() + b",\r\n]\n",
        lambda rows: json.dumps(dict(enumerate(rows))).encode(),
        lambda rows: json.dumps({n: dict(enumerate(row[n] for row in rows)) for n in rows[0]}).encode(),
        lambda rows: json.dumps({"columns": [*rows[0]], "data": [[*row.values()] for row in rows]}).encode(),
        lambda rows: b"sep=;\r\n" + exports.as_csv(rows, style="excel").removeprefix(b"\xef\xbb\xbf"),
        lambda rows: exports.as_csv(rows).replace(b"\r\n", b"\r"),
        lambda rows: exports.as_csv(rows, style="tabs"),
    ],
    ids=[
        *("bom", "utf-16", "gzip", "lines", "one after another", "NaN", "csv", "pandas", "r", "excel"),
        *("utf-16 without a mark", "comma too many", "by index", "by column", "split", "sep", "cr", "tabs"),
    ],
)
def test_other_ways_to_write_the_same_rows_give_the_same_plays(wrap: Any) -> None:
    rows = [
        extended(),
        extended(ts="2021-03-04T05:06:08Z", master_metadata_track_name='Ü, “q”; "7"', skipped=False),
        extended(ts="2021-03-04T05:06:09Z", spotify_track_uri=None, offline=True, offline_timestamp=1),
    ]
    assert rows_of(read("endsong_0.json", wrap(rows))) == rows_of(read("endsong_0.json", rows))


def test_control_characters_in_a_name_are_no_damage() -> None:
    rows = [extended(master_metadata_track_name="a\tb")]
    damaged = json.dumps(rows).replace("\\t", "\t").encode()
    assert rows_of(read("endsong_0.json", damaged)) == rows_of(read("endsong_0.json", rows))


def test_short_names_and_ids_of_published_tables_are_those_of_the_export() -> None:
    header = "spotify_track_uri,ts,platform,ms_played,track_name,artist_name,album_name,shuffle\n"
    cells = "11dFghVXANMlKmJXsNCbNl,2013-07-08 02:44:34,web player,1e+05,Cut,Carly,Emotion,FALSE\n"
    same = {
        "ts": "2013-07-08T02:44:34Z",
        "platform": "web player",
        "ms_played": 100_000,
        "master_metadata_track_name": "Cut",
        "master_metadata_album_artist_name": "Carly",
        "master_metadata_album_album_name": "Emotion",
        "spotify_track_uri": "spotify:track:11dFghVXANMlKmJXsNCbNl",
        "shuffle": False,
    }
    assert rows_of(read("spotify_history.csv", (header + cells).encode())) == rows_of(read("x.json", [same]))


def test_a_row_of_csv_with_more_cells_than_columns_is_not_guessed_at() -> None:
    data = b"ts,ms_played,ip_addr,master_metadata_track_name\n2021-01-01T00:00:00Z,7,203.0.113.7,A\n"
    found = read("x.csv", data + b"2021-01-01T00:00:00Z,7,somebody,203.0.113.7,A\n")
    packed = plays.pack_export("audio", "x.csv", found.rows, IMPORTED)
    assert len(found.rows) == 2
    assert len(rows_of(found)) == 1
    assert b"203.0" not in gzip.decompress(packed.data)


@pytest.mark.parametrize(
    "data", [b"a,b\rc,d\r", b"a" * 200_000, b'"' + b"a," * 100_000], ids=["cr", "one line", "quote"]
)
def test_text_of_any_form_is_no_history(data: bytes) -> None:
    assert history.read("x.csv", data) is None


def test_csv_of_account_data_is_read() -> None:
    assert rows_of(read("x.csv", exports.as_csv([MUSIC]))) == rows_of(read("x.json", [MUSIC]))


def test_the_raw_object_of_another_lake_is_the_same_here() -> None:
    packed = pack([extended(), extended(ms_played=7)])
    found = read("raw/plays/export/0123.json.gz", packed.data)
    assert (found.file_name, found.imported_at) == ("endsong_0.json", IMPORTED)
    now = dt.datetime.now(dt.UTC)
    assert found.form is not None
    again = plays.pack_export(found.form, found.file_name, found.rows, found.imported_at or now)
    assert (again.digest, again.data) == (packed.digest, packed.data)


@pytest.mark.parametrize(
    "odd",
    ['{"ts":"2021-03-04T05:06:07Z","ms_played":1e999}', '{"ms_played":-1e400}', "1" * 5000, "[[[]]]", "NaN"],
)
def test_an_odd_number_or_list_costs_only_its_own_row(odd: str) -> None:
    rows = rows_of(read("endsong_0.json", f"[{json.dumps(extended())},{odd}]".encode()))
    assert [row["row"] for row in rows] == [1]


@pytest.mark.parametrize(
    "name, data, problem",
    [
        ("endsong_0.json", json.dumps([extended()]).encode()[:-30], "cut short"),
        ("endsong_0.json", b'{"ms_played": 7, "ts"', "cut short"),
        ("my plays.json", b"x = " + json.dumps([extended()]).encode(), "something stands before its rows"),
        ("Streaming_History_Audio_2019_1.json", b'[{"ms_played": seven}, {}]', "not JSON"),
        ("endsong_0.json.gz", gzip.compress(json.dumps([extended()] * 9).encode())[:-40], "cut short"),
    ],
)
def test_damaged_files_are_refused_in_a_sentence(name: str, data: bytes, problem: str) -> None:
    found = read(name, data)
    assert found.form is None
    [said] = found.problems
    assert problem in said
    assert "somebody" not in said


@pytest.mark.parametrize("end", [b"", b",", b', {"ts": "2', b", seven, {}]"])
def test_rows_before_damage_are_read(end: bytes) -> None:
    rows = [extended(), extended(ms_played=7)]
    found = read("endsong_0.json", json.dumps(rows).encode()[:-1] + end)
    assert rows_of(found) == rows_of(read("endsong_0.json", rows))
    [problem] = found.problems
    assert problem.startswith("It is ")
    assert problem.endswith(" The rows before that are imported: 2.")


def test_a_large_file_becomes_several_objects_and_equal_rows_stay_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "ROWS_PER_OBJECT", 2)
    rows = [extended(ms_played=1), *[extended(ts="2021-03-04T05:06:08Z")] * 3, extended(ts="2022-01-01")]
    pieces = [[json.loads(bytes(row)) for row in piece] for piece in read("endsong_0.json", rows).pieces()]
    assert pieces == [rows[:4], rows[4:]]
    later = [MUSIC, MUSIC | {"endTime": "2024-01-31 17:06"}, MUSIC | {"endTime": "2024-01-31 17:07"}]
    assert [len(piece) for piece in read("StreamingHistory0.json", later).pieces()] == [2, 1]
    assert list(read("endsong_0.json", []).pieces()) == []


def test_more_rows_than_any_export_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_ROWS", 3)
    assert read("endsong_0.json", [extended()] * 3).form == "audio"
    problem = "It holds more than 3 rows, as no file of an export does: split it into smaller files."
    for value in ([extended()] * 4, exports.as_csv([extended()] * 7)):
        found = read("anything.json", value)
        assert (found.form, found.problems) == (None, (problem,))
    monkeypatch.setattr(history, "MAX_FIELDS", 1)
    bomb = b'[{"ms_played":7}' + b",1" * 1_002 + b"]"
    assert read("bomb.json", bomb).problems == (problem,)


def test_an_empty_file_of_an_export_has_no_plays_and_no_problem() -> None:
    assert read("StreamingHistory_audiobook_0.json", []) == History(None, "StreamingHistory_audiobook_0.json")


@pytest.mark.parametrize(
    "name, is_left, perhaps, is_of_export",
    [
        ("my.zip/Spotify Account Data/Payments.json", True, False, True),
        ("ReadMeFirst_ExtendedStreamingHistory.pdf", True, False, True),
        ("PlaylistInABottle.json", True, False, True),
        ("MyData/FamilyPlan.json", True, False, True),
        ("Follow.json", False, True, False),
        ("MyData/Anything.json", False, False, True),
        ("my.zip/Spotify Technical Log Information/AddedToPlaylist.json", True, False, True),
        ("my.zip/Playlist2.json", False, False, True),
        ("endsong_3.json", False, False, True),
        ("road trip.json", False, False, False),
    ],
)
def test_names_of_exports(name: str, is_left: bool, perhaps: bool, is_of_export: bool) -> None:
    found = history.is_left_alone(name), history.may_be_left_alone(name), history.is_of_export(name)
    assert found == (is_left, perhaps, is_of_export)


def day(number: int, *, seconds: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """Plays of three minutes, one after another."""
    begin = dt.datetime(2021, 3, 1 + number, 12, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    times = (begin + dt.timedelta(minutes=3 * play) for play in range(20))
    return [extended(ts=f"{at:%Y-%m-%dT%H:%M:%SZ}", ms_played=180_000, **changes) for at in times]


@pytest.mark.parametrize(
    "one, other, is_two",
    [
        (day(0) + day(1), day(0, seconds=90) + day(2), True),
        (day(0) + day(1), day(0), False),  # two downloads
        (day(0), day(1), False),
        (day(0) + day(3), day(1), False),
        (day(0), day(0, seconds=90, offline=True), False),  # ts is when it was synchronized
        (day(0), day(0, seconds=90)[:9], False),
        (day(0), [], False),
    ],
    ids=["two people", "two downloads", "after", "between", "offline", "few", "nothing"],
)
def test_plays_at_the_same_moment_are_of_two_people(one: Any, other: Any, is_two: bool) -> None:
    files = {
        name: moments.moments_of(json.dumps(row).encode() for row in rows)
        for name, rows in (("a.json", one), ("b.json", other))
    }
    assert moments.of_two_people(files) == (("a.json", "b.json") if is_two else None)
