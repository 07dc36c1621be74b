"""The views of plays, against a plain matcher: made-up histories in any order, overlap and split."""

# ruff: noqa: DTZ001 - times without a zone are UTC, as in the tables

import datetime as dt
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.sql_dialect import to_duckdb
from queries import views
from tests.support import listened
from tests.support.lakes import SCHEMA
from tests.support.listened import Play, at

VIEWS = views()
LISTENING = to_duckdb(
    "SELECT play_id, is_counted, replaced_by, listened_ms, is_estimated, platform, source_object FROM listening",
    SCHEMA,
    VIEWS,
)
SECOND = dt.timedelta(seconds=1)
NEW_YEAR = dt.datetime(2026, 1, 1)
SONGS = [
    ("Again", "The Rowers", "spotify:track:again"),
    ("again", "the rowers", "spotify:track:relinked"),
    ("Other", "The Rowers", "spotify:track:other"),
    ("Élan", "Mira Sol", "spotify:track:elan"),
    (None, None, "spotify:track:elan"),
]


@pytest.fixture(scope="module")
def lake() -> Any:
    with listened.rows_of({}) as connection:
        yield connection


def view(lake: Any, plays: Iterable[Play]) -> dict[str, tuple[Any, ...]]:
    """What the view listening has of these rows, by play_id."""
    listened.fill(lake, {"plays": [play.values() for play in plays]})
    found = lake.execute(LISTENING).fetchall()
    assert len({row[0] for row in found}) == len(found), "a play is there twice"
    return {row[0]: row[1:] for row in found}


def matched(plays: Iterable[Play]) -> dict[str, tuple[Any, ...]]:
    """The same by the plain matcher."""
    return {
        heard.play.play_id: (
            *(heard.is_counted, heard.replaced_by, heard.listened_ms, heard.play.source == "api"),
            *(heard.play.platform, heard.play.source_object),
        )
        for heard in listened.listening(plays)
    }


def file(name: str, plays: Iterable[Play]) -> list[Play]:
    """Plays as the rows of one object: equal ones are counted."""
    equal: Counter[str] = Counter()
    rows = []
    for number, play in enumerate(plays, start=1):
        first = at(play, ordinal=1).play_id
        equal[first] += 1
        rows.append(at(play, source_object=name, row=number, ordinal=equal[first]))
    return rows


@st.composite
def histories(draw: st.DrawFn) -> list[Play]:
    """Extended history around the turn of a year, as one file."""
    moment = NEW_YEAR - SECOND * draw(st.integers(0, 900))
    found = []
    for _ in range(draw(st.integers(1, 14))):
        name, artist, uri = SONGS[draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4]))]
        milliseconds = draw(st.sampled_from([0, 4_000, 30_000, 31_500, 45_000, 200_000]))
        moment += SECOND * (milliseconds // 1000 + draw(st.sampled_from([0, 0, 0, 1, 2, 50, 400])))
        found.append(Play("extended", moment, milliseconds, name, artist, uri, platform="ios"))
    return file("whole", found)


@st.composite
def with_others(draw: st.DrawFn) -> list[Play]:
    """The same plays as several sources tell them, and some that only the lower sources know."""
    plays = draw(histories())
    told = []
    for play in plays:
        if draw(st.booleans()) and play.name:
            minute = play.played_at.replace(second=0)
            told.append(Play("account", minute, play.ms_played, play.name.upper(), play.artist_name))
        for _ in range(draw(st.sampled_from([0, 1, 1, 2]))):
            start = play.played_at - dt.timedelta(milliseconds=play.ms_played or 0)
            moment = draw(st.sampled_from([play.played_at, start]))
            moment += SECOND * draw(st.sampled_from([0, 0, 1, -2, 30, 61, -60]))
            length = draw(st.sampled_from([None, 31_500, 240_000]))
            told.append(Play("api", moment, None, play.name, play.artist_name, play.uri, duration_ms=length))
    account = file("account", [play for play in told if play.source == "account"])
    polled = {play.play_id: play for play in told if play.source == "api"}
    known = draw(st.sampled_from([plays, plays[::2], []]))
    return [*known, *account, *file("polls", polled.values())]


SLOW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@SLOW
@given(plays=with_others())
def test_the_view_has_what_the_matcher_finds(lake: Any, plays: list[Play]) -> None:
    assert view(lake, plays) == matched(plays)


@SLOW
@given(plays=histories(), data=st.data())
def test_order_repetition_overlap_and_split_change_nothing(
    lake: Any, plays: list[Play], data: st.DataObject
) -> None:
    rows = []
    edges = [n for n in range(1, len(plays)) if plays[n].played_at != plays[n - 1].played_at]
    cuts = sorted(data.draw(st.sets(st.sampled_from(edges))) if edges else [])
    for number, (cut, end) in enumerate(zip([0, *cuts], [*cuts, len(plays)], strict=True)):
        begin = data.draw(st.sampled_from([cut, *(edge for edge in edges if edge < cut)]))
        rows += file(f"part-{number}", plays[begin:end])
    if data.draw(st.booleans()):  # a newer download, which spells the device otherwise
        rows += file("newer", [at(play, platform="iOS 12") for play in plays])
    rows = data.draw(st.permutations(rows))
    found = view(lake, rows)
    assert found == matched(rows)
    assert {play_id for play_id, (is_counted, *_) in found.items() if is_counted} == {
        p.play_id for p in plays
    }
    # Which file a play is from has no part in what is told of it.
    assert {key: row[:5] for key, row in found.items()} == {
        key: row[:5] for key, row in view(lake, [*file("z", plays), *rows[::-1]]).items()
    }


def test_equal_rows_of_a_file_are_as_many_plays_in_whatever_files() -> None:
    twice = file("one", [Play("extended", NEW_YEAR, 1000)] * 2)
    again = file("two", [Play("extended", NEW_YEAR, 1000)] * 3)
    with listened.rows_of({}) as connection:
        assert [row[0] for row in view(connection, [*twice, *again]).values()] == [True] * 3


def test_a_song_on_repeat_all_night_is_matched_to_the_end(lake: Any) -> None:
    """Six rounds are enough: the plain order gives the same."""
    chance = random.Random(5)
    plays, moment = [], dt.datetime(2025, 12, 31, 20)
    for _ in range(250):
        moment += SECOND * (200 + chance.randrange(3))
        plays.append(Play("extended", moment, 200_000, *SONGS[0]))
    polls = [
        at(play, source="api", ms_played=None, played_at=play.played_at + SECOND * chance.randrange(4))
        for play in plays
    ]
    pairs = list(listened.candidates(polls, plays))
    assert len(pairs) > 490
    assert listened.nearest_first(pairs) == listened.greedy(pairs)
    assert view(lake, [*plays, *polls]) == matched([*plays, *polls])


def told(source: str, second: int, milliseconds: int | None = 200_000, **others: Any) -> Play:
    return Play(source, dt.datetime(2026, 2, 28, 23, 59) + SECOND * second, milliseconds, **others)


U, V = "spotify:track:u", "spotify:track:v"


@pytest.mark.parametrize(
    "lower, higher, is_replaced",
    [
        (told("api", 0, None, uri=U), told("extended", 60, uri=U), True),
        (told("api", 0, None, uri=U), told("extended", 61, uri=U), False),
        (told("api", 60, None, uri=U), told("extended", 0, uri=U), True),  # the next month
        (told("api", -200, None, uri=U), told("extended", 0, uri=U), True),  # its start
        (told("api", -260, None, uri=U), told("extended", 0, uri=U), True),
        (told("api", -261, None, uri=U), told("extended", 0, uri=U), False),
        (told("api", 0, None, uri=U, name="SONG", artist_name="ARTIST"), told("extended", 1, uri=V), True),
        (told("api", 0, None, uri=U), told("extended", 1, uri=V, artist_name="Another"), False),
        (told("api", 0, None, uri=U), told("extended", 1, uri=U, name=None, artist_name=None), True),
        (told("api", 0, None, uri=U), told("extended", 1, uri=V, name=None, artist_name=None), False),
        (told("api", 59, None, uri=U), told("account", 0), True),
        (told("account", 0, name="SONG"), told("extended", 59, uri=U), True),
        (told("account", 0), told("extended", 60, uri=U), False),  # the next minute
        (told("account", 0), told("extended", 59, 200_001, uri=U), False),
        (
            told("account", 0, name="Ep", artist_name=None, show_name="Show", kind="episode"),
            told(
                "extended",
                9,
                name="ep",
                artist_name=None,
                show_name="SHOW",
                kind="episode",
                uri="spotify:episode:e",
            ),
            True,
        ),
    ],
)
def test_a_play_of_a_lower_source_is_replaced(
    lake: Any, lower: Play, higher: Play, is_replaced: bool
) -> None:
    found = view(lake, [lower, higher])
    assert found[higher.play_id][0] is True
    assert found[lower.play_id][:2] == ((False, higher.play_id) if is_replaced else (True, None))


def test_nearest_first_one_to_one(lake: Any) -> None:
    near, far = told("extended", 10, uri=U), told("extended", 40, uri=U)
    first, second = told("api", 12, None, uri=U), told("api", 24, None, uri=U)
    found = view(lake, [near, far, first, second])
    assert found[first.play_id][1] == near.play_id
    assert found[second.play_id][1] == far.play_id  # its nearest is taken


def test_account_data_comes_before_polls_and_behind_the_extended_history(lake: Any) -> None:
    extended, account, poll = told("extended", 30, uri=U), told("account", 0), told("api", 31, None, uri=U)
    found = view(lake, [poll, account, extended])
    assert found[account.play_id][1] == found[poll.play_id][1] == extended.play_id
    found = view(lake, [poll, account])
    assert found[poll.play_id][1] == account.play_id


def test_what_was_listened_to_is_estimated_for_polls_alone(lake: Any) -> None:
    plays: Sequence[Play] = [
        told("api", 0, None, uri=U, duration_ms=180_000),
        told("extended", 100, 7, uri=V, name="Other"),
        told("api", 1000, None, uri=U, duration_ms=180_000),
        told("api", 2000, None, uri=U),
    ]
    found = view(lake, plays)
    assert [found[play.play_id][2:4] for play in plays] == [
        (100_000, True),
        (7, False),
        (180_000, True),
        (None, True),
    ]


# --- gaps ---


def hour(number: int) -> dt.datetime:
    return dt.datetime(2026, 3, 1) + dt.timedelta(hours=number)


def poll(at_hour: int, first: int, last: int, rows: int = 50) -> dict[str, Any]:
    return {
        "source_object": f"poll-{at_hour}",
        "source": "api",
        "form": "recent",
        "fetched_at": hour(at_hour),
        "row_count": rows,
        "first_played_at": hour(first),
        "last_played_at": hour(last),
    }


def export(form: str, first: int, last: int) -> dict[str, Any]:
    return {
        "source_object": f"{form}-{first}",
        "source": "extended" if form in {"audio", "video"} else "account",
        "form": form,
        "first_played_at": hour(first),
        "last_played_at": hour(last),
    }


GAP = (hour(30), hour(20), hour(18), hour(21), 3.0)


@pytest.mark.parametrize(
    "files, gaps",
    [
        ([poll(10, 1, 9)], []),  # nothing was known before
        ([poll(10, 1, 9), poll(20, 9, 18)], []),  # they meet
        ([poll(10, 1, 9), poll(20, 8, 18), poll(30, 21, 29)], [GAP]),
        ([poll(10, 1, 9), poll(20, 8, 18), poll(30, 21, 29, rows=49)], []),  # Spotify had no more
        # A page may lack the newest play of an earlier one.
        ([poll(10, 1, 18), poll(20, 1, 17), poll(30, 21, 29)], [GAP]),
        ([poll(20, 8, 18), poll(30, 21, 29), export("audio", 0, 21)], []),
        ([poll(20, 8, 18), poll(30, 21, 29), export("audio", 18, 21)], []),
        ([poll(20, 8, 18), poll(30, 21, 29), export("audio", 0, 20)], [GAP]),
        ([poll(20, 8, 18), poll(30, 21, 29), export("audio", 19, 40)], [GAP]),
        ([poll(20, 8, 18), poll(30, 21, 29), export("audio", 0, 19), export("audio", 20, 40)], []),
        ([poll(20, 8, 18), poll(30, 21, 29), export("video", 0, 40), export("music", 0, 40)], [GAP]),
    ],
)
def test_gaps_between_polls(lake: Any, files: list[dict[str, Any]], gaps: list[tuple[Any, ...]]) -> None:
    listened.fill(lake, {"play_files": files})
    sql = to_duckdb("SELECT * FROM play_gaps ORDER BY fetched_at", SCHEMA, VIEWS)
    assert lake.execute(sql).fetchall() == gaps
