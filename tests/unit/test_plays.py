"""What the rows of exports and polls become."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotify_lake.keys import raw_poll_key
from spotify_lake.schema.listening import PLAYS
from tests.support.plays import extended, files, nothing, pack, played, polled, recent, rejects, tables

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SONG = "spotify:track:11dFghVXANMlKmJXsNCbNl"


def one(row: Any, form: Any = "audio") -> dict[str, Any]:
    [found] = played(tables([row], form))
    return found


def test_a_row_of_the_extended_history() -> None:
    packed = pack([extended()])
    assert one(extended()) == {
        "play_id": "1219cb6e9bc646e002cd7b13e6ae2b47",
        "source": "extended",
        "kind": "song",
        "ordinal": 1,
        "played_at": datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC),
        "heard_at": datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC),
        "ms_played": 207959,
        "uri": SONG,
        "song_id": "11dFghVXANMlKmJXsNCbNl",
        "name": "Cut To The Feeling",
        "artist_name": "Carly Rae Jepsen",
        "album_name": "Emotion",
        "show_name": None,
        "duration_ms": None,
        "context_uri": None,
        "platform": "ios",
        "country": "DE",
        "reason_start": "trackdone",
        "reason_end": "fwdbtn",
        "is_shuffled": True,
        "is_skipped": None,
        "is_offline": False,
        "is_private": False,
        "offline_timestamp": 0,
        "fields_known": 14,
        "source_object": packed.key,
        "row": 1,
    }


@pytest.mark.parametrize(
    "form, row, expected",
    [
        ("video", extended(), ("video", SONG, "Cut To The Feeling", "Carly Rae Jepsen", None)),
        (
            "video",
            nothing(episode_name="E", episode_show_name="S", spotify_episode_uri="spotify:episode:1"),
            ("episode", "spotify:episode:1", "E", None, "S"),
        ),
        (
            "audio",
            nothing(
                audiobook_title="B",
                audiobook_uri="spotify:show:1",
                audiobook_chapter_uri="spotify:episode:2",
                audiobook_chapter_title="C",
            ),
            ("chapter", "spotify:episode:2", "C", None, "B"),
        ),
        ("audio", nothing(audiobook_title="B"), ("chapter", None, None, None, "B")),
        ("audio", nothing(spotify_track_uri=SONG), ("song", SONG, None, None, None)),
        ("audio", nothing(master_metadata_track_name="T"), ("song", None, "T", None, None)),
        ("audio", nothing(master_metadata_album_artist_name="A"), ("other", None, None, "A", None)),
        ("audio", nothing(spotify_track_uri="x"), ("song", "x", None, None, None)),
        (
            "music",
            {"endTime": "2024-01-31 17:05", "artistName": "A", "trackName": "T", "msPlayed": 1},
            ("song", None, "T", "A", None),
        ),
        (
            "podcast",
            {"endTime": "2024-01-31 17:05", "podcastName": "P", "episodeName": "E", "msPlayed": 1},
            ("episode", None, "E", None, "P"),
        ),
        (
            "audiobook",
            {"endTime": "2024-01-31 17:05", "authorName": "A", "audiobookName": "B", "msPlayed": 1},
            ("chapter", None, None, "A", "B"),
        ),
    ],
)
def test_kinds_and_names(form: Any, row: Any, expected: Any) -> None:
    found = one(row, form)
    assert tuple(found[name] for name in ("kind", "uri", "name", "artist_name", "show_name")) == expected
    assert (found["song_id"] is not None) == (found["uri"] == SONG)


@pytest.mark.parametrize(
    "ts, expected",
    [
        ("2021-03-04T05:06:07Z", datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("2021-03-04T05:06:07.250Z", datetime(2021, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)),
        ("2021-03-04T05:06Z", datetime(2021, 3, 4, 5, 6, tzinfo=UTC)),
        ("2021-03-04 05:06:07", datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("2021-03-04 05:06:07 UTC", datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("2021-03-04T05:06:07+02:00", datetime(2021, 3, 4, 3, 6, 7, tzinfo=UTC)),
        ("2006-04-01T00:00:00Z", datetime(2006, 4, 1, tzinfo=UTC)),
        ("2026-11-21T12:00:00Z", datetime(2026, 11, 21, 12, tzinfo=UTC)),
    ],
)
def test_forms_of_the_time(ts: str, expected: datetime) -> None:
    assert one(extended(ts=ts))["played_at"] == expected


@pytest.mark.parametrize(
    "row, reason, detail",
    [
        (7, "no_object", "the row is not an object"),
        (None, "no_object", "the row is not an object"),
        (["x"], "no_object", "the row is not an object"),
        ({}, "no_time", "it has no ts"),
        (extended(ts=None), "no_time", "ts is null"),
        (extended(ts=1614834367), "no_time", "ts is 1614834367"),
        (extended(ts="2021-03-04"), "no_time", "ts is 2021-03-04"),
        (extended(ts="2021-13-04T05:06:07Z"), "no_time", "ts is 2021-13-04T05:06:07Z"),
        (extended(ts="9999-12-31T23:59:59-23:00"), "no_time", "ts is 9999-12-31T23:59:59-23:00"),
        (extended(ts="1970-01-01T00:00:00Z"), "impossible_time", "ts is 1970-01-01T00:00:00Z"),
        (extended(ts="2006-03-31T23:59:59Z"), "impossible_time", "ts is 2006-03-31T23:59:59Z"),
        (extended(ts="2026-11-21T12:00:01Z"), "impossible_time", "ts is 2026-11-21T12:00:01Z"),
        (extended(ts="2099-01-01T00:00:00Z"), "impossible_time", "ts is 2099-01-01T00:00:00Z"),
        (extended(ms_played=None), "no_milliseconds", "ms_played is null"),
        (extended(ms_played="7"), "no_milliseconds", "ms_played is 7"),
        (extended(ms_played=1.5), "no_milliseconds", "ms_played is 1.5"),
        (extended(ms_played=10**30), "no_milliseconds", f"ms_played is {10**30}"),
        (extended(ms_played=-1), "impossible_milliseconds", "ms_played is -1"),
        (extended(ms_played=604_800_001), "impossible_milliseconds", "ms_played is 604800001"),
        (nothing(), "nothing_played", "it has neither a name nor a URI"),
        (
            nothing(spotify_track_uri="", episode_name=""),
            "nothing_played",
            "it has neither a name nor a URI",
        ),
    ],
)
def test_rows_that_are_no_plays(row: Any, reason: str, detail: str) -> None:
    found = tables([extended(), row])
    [reject] = rejects(found)
    assert (reject["reason"], reject["detail"], reject["row"]) == (reason, detail, 2)
    assert "203.0.113.7" not in reject["payload"]
    assert json.loads(reject["payload"]) == json.loads(
        reject["payload"] if isinstance(row, dict | list) else json.dumps(row)
    )
    [file] = files(found)
    assert (file["row_count"], file["play_count"], file["reject_count"]) == (2, 1, 1)
    assert found.unaccounted == 0


@pytest.mark.parametrize(
    "milliseconds, expected", [(0, 0), (207959.0, 207959), (9_999_999, 9_999_999), (604_800_000, 604_800_000)]
)
def test_milliseconds(milliseconds: float, expected: int) -> None:
    assert one(extended(ms_played=milliseconds))["ms_played"] == expected


def test_a_secondary_field_of_another_type_is_null() -> None:
    found = one(extended(shuffle="yes", platform=7, offline_timestamp="x", reason_start="", skipped=True))
    assert found["is_shuffled"] is found["platform"] is found["offline_timestamp"] is None
    assert found["reason_start"] is None
    assert found["is_skipped"] is True
    assert found["name"] == "Cut To The Feeling"


@pytest.mark.parametrize(
    "stamp, expected",
    [
        (1_600_000_000, datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)),
        (1_600_000_000_123, datetime(2020, 9, 13, 12, 26, 40, 123_000, tzinfo=UTC)),
        (0, None),
        (None, None),
        (-5, None),
        (10**18, None),
        (1_700_000_000, None),  # more than a day after its synchronization
        (1_400_000_000, None),  # more than three years before
    ],
)
def test_when_it_was_heard_offline(stamp: int | None, expected: datetime | None) -> None:
    found = one(extended(offline=True, offline_timestamp=stamp))
    assert found["heard_at"] == (expected or found["played_at"])
    assert one(extended(offline=False, offline_timestamp=stamp))["heard_at"] == found["played_at"]


def test_equal_rows_are_counted_and_others_are_other_plays() -> None:
    rows = [extended(), extended(ms_played=1), extended(platform="android", reason_end="x"), extended()]
    found = played(tables(rows))
    assert [row["ordinal"] for row in found] == [1, 1, 2, 3]
    assert len({row["play_id"] for row in found}) == 4


def test_what_identifies_a_play() -> None:
    first = one(extended())["play_id"]
    same: list[dict[str, Any]] = [
        {"platform": "x"},
        {"master_metadata_track_name": None},
        {"reason_end": ""},
        {"ts": "2021-03-04 05:06:07"},
    ]
    other: list[dict[str, Any]] = [
        {"ts": "2021-03-04T05:06:08Z"},
        {"ms_played": 1},
        {"spotify_track_uri": "spotify:track:1"},
    ]
    assert {one(extended(**change))["play_id"] for change in same} == {first}
    assert first not in {one(extended(**change))["play_id"] for change in other}
    assert one(extended(), "video")["play_id"] == first, "a video file may repeat plays of the audio files"
    without = [extended(spotify_track_uri=None, master_metadata_track_name=name) for name in ("A", "B")]
    assert one(without[0])["play_id"] != one(without[1])["play_id"]


def test_months_are_those_of_utc() -> None:
    rows = [extended(ts="2021-03-31T23:59:59Z"), extended(ts="2021-04-01T00:30:00+01:00")]
    assert {month: len(rows) for month, rows in tables(rows).plays.items()} == {"2021-03": 2}


def test_a_file_without_plays() -> None:
    found = tables([])
    assert (found.plays, found.rejects) == ({}, [])
    [file] = files(found)
    assert file["first_played_at"] is file["last_played_at"] is None


# --- polls ---


def test_a_play_of_the_api() -> None:
    found = polled((NOON, [recent() | {"context": {"uri": "spotify:album:1"}}]))
    [play] = played(found)
    assert play["played_at"] == datetime(2026, 11, 20, 5, 6, 7, 123_000, tzinfo=UTC)
    assert play["source_object"] == raw_poll_key(NOON)
    assert (play["source"], play["kind"], play["uri"]) == ("api", "song", SONG)
    assert (play["name"], play["artist_name"], play["album_name"]) == (
        "Cut To The Feeling",
        "Carly Rae Jepsen",
        "Emotion",
    )
    assert (play["ms_played"], play["duration_ms"], play["context_uri"]) == (None, 207959, "spotify:album:1")


@pytest.mark.parametrize(
    "item, expected",
    [
        ({"played_at": "2026-11-20T05:06:07Z", "track": {"id": "a"}}, ("spotify:track:a", "song")),
        ({"played_at": "2026-11-20T05:06:07Z", "track": {"name": "T"}}, (None, "song")),
        (
            {"played_at": "2026-11-20T05:06:07Z", "track": {"type": "episode", "id": "e", "artists": None}},
            ("spotify:episode:e", "episode"),
        ),
        (
            {"played_at": "2026-11-20T05:06:07Z", "track": {"uri": "u", "artists": [None, {"name": 7}]}},
            ("u", "other"),
        ),
    ],
)
def test_fields_of_a_track_may_be_missing(item: Any, expected: Any) -> None:
    [play] = played(polled((NOON, [item])))
    assert (play["uri"], play["kind"]) == expected


def test_items_of_a_poll_that_are_no_plays() -> None:
    items = [
        None,
        {"track": {"id": "a"}},
        {"played_at": "2026-11-20T05:06:07Z", "track": None},
        {"played_at": "2026-11-20T05:06:07Z", "track": 7},
        recent("2026-11-21T12:00:01Z"),
        recent(),
    ]
    found = polled((NOON, items))
    assert [(reject["row"], reject["reason"]) for reject in rejects(found)] == [
        (1, "no_object"),
        (2, "no_time"),
        (3, "nothing_played"),
        (4, "nothing_played"),
        (5, "impossible_time"),
    ]
    assert found.unaccounted == 0


def test_the_first_poll_that_has_a_play_counts() -> None:
    early, late = NOON, NOON.replace(hour=13)
    again = recent("2026-11-20T05:06:07Z", name="Renamed")
    other = recent("2026-11-20T05:06:08Z")
    found = polled((late, [other, again]), (early, [recent(), again]))
    assert [(play["source_object"], play["row"]) for play in played(found)] == [
        (raw_poll_key(early), 1),
        (raw_poll_key(late), 1),
    ]
    assert [(file["play_count"], file["repeated_count"]) for file in files(found)] == [(1, 1), (1, 1)]
    assert (found.row_count, found.repeated_count, found.unaccounted) == (4, 2, 0)


# --- properties ---

ROWS = st.lists(
    st.builds(
        extended,
        ts=st.sampled_from(["2021-03-04T05:06:07Z", "2021-03-04T05:06:08Z", "2099-01-01T00:00:00Z"]),
        ms_played=st.sampled_from([0, 1, 207959, -1, None]),
        spotify_track_uri=st.sampled_from([SONG, "spotify:track:1", None]),
        platform=st.sampled_from(["ios", "android", 7]),
    )
    | st.sampled_from([None, 7, {}]),
    max_size=12,
)


@given(ROWS)
def test_every_row_is_a_play_or_a_reject(rows: list[Any]) -> None:
    found = tables(rows)
    numbers = [play["row"] for play in played(found)] + [reject["row"] for reject in rejects(found)]
    assert sorted(numbers) == list(range(1, len(rows) + 1))
    assert found.unaccounted == 0
    [file] = files(found)
    assert file["row_count"] == file["play_count"] + file["repeated_count"] + file["reject_count"]
    assert pack(rows).data == pack(rows).data
    assert tables(rows) == found
    required = [column.name for column in PLAYS.columns if not column.nullable]
    assert not [play for play in played(found) for name in required if play[name] is None]
    assert not [reject for reject in rejects(found) if None in reject.values()]


@given(ROWS, st.data())
def test_the_plays_of_a_file_do_not_depend_on_its_order(rows: list[Any], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    ids = sorted(play["play_id"] for play in played(tables(rows)))
    assert sorted(play["play_id"] for play in played(tables(shuffled))) == ids
    assert len(set(ids)) == len(ids)


@given(ROWS, st.data())
def test_the_united_plays_of_overlapping_files_are_the_maximum_of_each(
    rows: list[Any], data: st.DataObject
) -> None:
    parts = [data.draw(st.lists(st.sampled_from(rows), max_size=12)) if rows else [] for _ in range(3)]

    def equal(rows: list[Any]) -> Counter[tuple[Any, ...]]:
        """Count equal plays from the rows themselves."""
        valid = [
            row
            for row in rows
            if isinstance(row, dict) and row.get("ms_played") in (0, 1, 207959) and row["ts"] < "2027"
        ]
        return Counter(
            (
                row["ts"],
                row["ms_played"],
                row["spotify_track_uri"] or row["master_metadata_track_name"],
            )
            for row in valid
        )

    united = {play["play_id"] for part in parts for play in played(tables(part))}
    expected = equal(parts[0]) | equal(parts[1]) | equal(parts[2])  # the maximum of each
    assert len(united) == expected.total()


POLLED = st.lists(
    st.builds(
        recent,
        st.sampled_from(
            [
                "2026-11-20T05:06:07Z",
                "2026-11-20T05:06:07.999Z",
                "2026-10-31T23:59:59Z",
                "2026-11-20T05:06:08Z",
            ]
        ),
        uri=st.sampled_from([SONG, "spotify:track:1", None]),
    ),
    max_size=6,
)


@given(st.lists(POLLED, min_size=1, max_size=4), st.data())
def test_polls_give_each_play_once_in_any_order(pages: list[list[Any]], data: st.DataObject) -> None:
    polls = [(NOON.replace(minute=number), page) for number, page in enumerate(pages)]
    found = polled(*polls)
    assert polled(*data.draw(st.permutations(polls))) == found
    expected = {
        (item["played_at"][:19], item["track"]["uri"] or f"spotify:track:{item['track']['id']}")
        for page in pages
        for item in page
    }
    assert len(played(found)) == len({play["play_id"] for play in played(found)}) == len(expected)
    assert found.unaccounted == 0
