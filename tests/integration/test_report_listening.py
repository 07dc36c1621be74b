"""The report's queries about plays, against a plain matcher and sums in Python."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from local.sql_dialect import to_duckdb
from queries import views
from spotify_lake.report import plays as questions
from spotify_lake.report.catalog import Catalog
from spotify_lake.report.listening import compose as compose_plays
from spotify_lake.report.plays import GapRow, PlayRow, RangeRow
from tests.integration.test_listening import SLOW, with_others
from tests.support import lakes, listened
from tests.support.lake_in_memory import Lake
from tests.support.listened import Play

ZONE = "Europe/Berlin"
EPOCH = dt.date(1970, 1, 1)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture(scope="module")
def lake() -> Lake:
    return Lake()


@pytest.fixture(scope="module")
def history() -> list[Play]:
    return listened.history()


def ask(lake: Lake, rows: list[Play]) -> questions.Plays:
    lake.add_plays({"plays": [play.values() for play in rows], "play_files": listened.files_of(rows)})
    found = questions.ask(lake.athena(), ZONE)
    assert found is not None
    return found


def local(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(ZONE))


def day_of(play: Play) -> int:
    return (local(play.heard).date() - EPOCH).days


def age_of(play: Play, last: dt.date) -> int:
    back = (last - local(play.heard).date()).days
    return sum(back >= days for days in (28, 183, 365))


def key_of(play: Play) -> Any:
    """What one song is: title and artist, or else the URI."""
    if play.kind not in {"song", "video"}:
        return None
    return " / ".join(play.names) if play.names else play.uri


def expected(rows: list[Play], last: dt.date) -> dict[Any, list[int]]:
    """Return plays, milliseconds, estimated ones, starts and skips of whatever has a sum, one play at a time."""
    sums: dict[Any, list[int]] = defaultdict(lambda: [0] * 5)
    for heard in listened.listening(rows):
        play, listened_ms = heard.play, heard.listened_ms
        if not heard.is_counted:
            continue
        moment, age = local(play.heard), age_of(play, last)
        skipped = play.source == "extended" and (bool(play.is_skipped) or play.reason_end == "fwdbtn")
        values = [
            int(listened_ms is None or listened_ms >= 30_000),
            listened_ms or 0,
            (listened_ms or 0) if play.source == "api" else 0,
            int(play.source == "extended"),
            int(skipped),
        ]
        of = [
            ("days", day_of(play)),
            ("hours", moment.weekday() * 24 + moment.hour, age),
            ("kind", play.kind, age),
        ]
        if key_of(play) is not None:
            of.append(("song", key_of(play), moment.year * 12 + moment.month - 1, age))
        for one in of:
            sums[one] = [a + b for a, b in zip(sums[one], values, strict=True)]
    return dict(sums)


def answered(rows: Iterable[PlayRow]) -> dict[Any, list[int]]:
    """Return the same of the query's rows."""
    sums: dict[Any, list[int]] = defaultdict(lambda: [0] * 5)
    for row in rows:
        lists = zip(
            row.items,
            row.ages,
            row.plays,
            row.milliseconds,
            row.estimated,
            row.starts,
            row.skips,
            strict=True,
        )
        for item, age, *values in lists:
            one = {
                "days": ("days", item),
                "hours": ("hours", item, age),
                "kind": ("kind", row.kind, age),
                "song": ("song", row.song, item, age),
            }[row.what]
            sums[one] = [a + b for a, b in zip(sums[one], values, strict=True)]
    return dict(sums)


@SLOW
@given(plays=with_others())
def test_the_report_counts_what_the_matcher_counts(lake: Lake, plays: list[Play]) -> None:
    if plays:
        found = ask(lake, plays)
        assert answered(found.rows) == expected(plays, found.last)


def test_three_years_add_up_in_the_time_zone(lake: Lake, history: list[Play]) -> None:
    found = ask(lake, history)
    assert found.last == max(local(play.played_at).date() for play in history)
    right = expected(history, found.last)
    assert {key[0] for key in right} == {"days", "hours", "kind", "song"}
    assert answered(found.rows) == right
    assert any(values[2] for values in right.values()), "nothing is estimated"


def test_as_athenas_sql_the_queries_give_the_same(lake: Lake, history: list[Play]) -> None:
    ask(lake, history)
    client = lake.athena()
    covered, *gaps = client.ask(questions.files(ZONE))
    assert isinstance(covered, RangeRow)
    assert not gaps
    question = questions.plays(covered, ZONE)
    native = lake.connection.execute(question.sql).fetchall()
    with listened.rows_of(
        {"plays": [play.values() for play in history], "play_files": listened.files_of(history)}
    ) as tables:
        translated = tables.execute(to_duckdb(question.sql, lakes.SCHEMA)).fetchall()
        [first, *_] = tables.execute(to_duckdb(questions.files(ZONE).sql, lakes.SCHEMA)).fetchall()
    assert native == translated
    assert native
    assert first == lake.connection.execute(questions.files(ZONE).sql).fetchall()[0]
    assert len(question.sql.encode()) < 262_144, "more than Athena takes"


def test_only_months_with_plays_are_read() -> None:
    march = int(dt.datetime(2021, 3, 31, 23, 30, tzinfo=dt.UTC).timestamp())
    polled = int(dt.datetime(2026, 11, 1, 0, 0, 20, tzinfo=dt.UTC).timestamp())
    last = dt.date(2026, 11, 20)
    both = questions.plays(RangeRow(march, polled, polled, last), "UTC").sql
    assert "played_month >= '2021-03'" in both
    assert "played_month >= '2026-10'" in both, "a poll's play may be an export's of the month before"
    assert both.count("FROM plays") == 1, "Athena reads the table for each"
    exported = questions.plays(RangeRow(march, polled, None, last), "UTC").sql
    assert "played_month >= '9999-12'" in exported, "nothing to match"


def poll(at: str, row_count: int, first: str, last: str) -> dict[str, Any]:
    moments = (dt.datetime.fromisoformat(text) for text in (at, first, last))
    return {
        "source_object": at,
        "source": "api",
        "form": "recent",
        "row_count": row_count,
        **dict(zip(("fetched_at", "first_played_at", "last_played_at"), moments, strict=True)),
    }


def exported(first: str, last: str, form: str = "audio") -> dict[str, Any]:
    row = poll(last, 9, first, last)
    return row | {"source": "extended", "form": form, "fetched_at": None, "source_object": form + last}


POLLS = [
    poll("2026-11-01 10:00", 20, "2026-11-01 08:00", "2026-11-01 09:30"),
    poll("2026-11-01 20:00", 50, "2026-11-01 11:15", "2026-11-01 19:30"),  # 9:30 to 11:15 is missing
    poll("2026-11-01 22:00", 50, "2026-11-01 19:00", "2026-11-01 21:30"),
    poll("2026-11-03 01:00", 50, "2026-11-02 23:30", "2026-11-03 00:30"),  # since 21:30 two days before
]


@pytest.mark.parametrize(
    "files, gaps",
    [
        ([], [("2026-11-01 09:30", "2026-11-01 11:15"), ("2026-11-01 21:30", "2026-11-02 23:30")]),
        (
            [exported("2026-10-01 00:00", "2026-11-02 00:00")],
            [("2026-11-01 21:30", "2026-11-02 23:30")],
        ),
        ([exported("2026-10-01 00:00", "2026-11-04 00:00")], []),
        (
            [exported("2026-10-01 00:00", "2026-11-04 00:00", "video")],
            [("2026-11-01 09:30", "2026-11-01 11:15"), ("2026-11-01 21:30", "2026-11-02 23:30")],
        ),
    ],
)
def test_gaps_are_those_of_the_view(
    lake: Lake, files: list[dict[str, Any]], gaps: list[tuple[str, str]]
) -> None:
    lake.add_plays({"play_files": [*POLLS, *files]})
    found = lake.athena().ask(questions.files(ZONE))
    told = [
        tuple(
            f"{dt.datetime.fromtimestamp(moment, dt.UTC):%Y-%m-%d %H:%M}" for moment in (row.first, row.last)
        )
        for row in found
        if isinstance(row, GapRow)
    ]
    assert sorted(told) == gaps
    view = lake.connection.execute(
        to_duckdb("SELECT known_until, known_from FROM play_gaps ORDER BY 1", lakes.SCHEMA, views())
    ).fetchall()
    assert [tuple(f"{moment:%Y-%m-%d %H:%M}" for moment in row) for row in view] == gaps
    days = [(row.first_day, row.last_day) for row in found if isinstance(row, GapRow)]
    if len(gaps) == 2:
        assert max(days) == (dt.date(2026, 11, 1), dt.date(2026, 11, 3)), "in Berlin it is after midnight"


def test_a_lake_whose_files_have_no_play_has_nothing_to_show(lake: Lake) -> None:
    empty = exported("2026-10-01 00:00", "2026-11-02 00:00") | {
        "first_played_at": None,
        "last_played_at": None,
    }
    lake.add_plays({"play_files": [empty]})
    assert questions.ask(lake.athena(), ZONE) is None


def test_the_page_has_the_tops_of_every_period(lake: Lake, history: list[Play]) -> None:
    found = ask(lake, history)
    content = compose_plays(found, Catalog({}), {})
    right: dict[Any, list[int]] = defaultdict(lambda: [0] * 4)
    for heard in listened.listening(history):
        play = heard.play
        if heard.is_counted and play.kind in {"song", "video"} and play.names:
            right[play.names][age_of(play, found.last)] += heard.listened_ms or 0
    told = {
        ((song.by or "").lower(), song.name.lower()): [round(value / 1000) for value in right[key]]
        for key in right
        for song in content.songs
        if ((song.by or "").lower(), song.name.lower()) == key and song.seconds
    }
    assert len(told) == len(right), "there are fewer than a hundred songs"
    for song in content.songs:
        if song.name:
            assert song.seconds == told[(song.by or "").lower(), song.name.lower()]
    for period in range(4):
        names = {
            key
            for heard in listened.listening(history)
            if heard.is_counted
            and (key := heard.play.names)
            and heard.play.kind in {"song", "video"}
            and age_of(heard.play, found.last) <= period
        }
        assert content.different[period] == (len(names), len({by for by, _ in names}))
