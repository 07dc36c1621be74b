"""Every question about plays, against answers computed from what was heard and from what the playlists were."""

import contextvars
import datetime as dt
import functools
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from local.sql_dialect import to_duckdb
from queries import queries, used_by, views
from tests.support import lakes, listened
from tests.support.lakes import SCHEMA, TODAY, Entry, Snapshot
from tests.support.listened import Heard

VIEWS = views()
QUERIES = {name: query for name, query in queries().items() if query.group == "listening"}
PLAYS = listened.history()
SNAPSHOTS = lakes.snapshots()
HEARD = [heard for heard in listened.listening(PLAYS) if heard.is_counted]
ZONE = contextvars.ContextVar("ZONE", default="UTC")
LIMITS = r"(LIMIT|_number <=) \d+"
LIMITED = contextvars.ContextVar("LIMITED", default=True)

SILENT_DAYS = 20  # the playlists' songs were added too lately for the 90 days of the question

type Row = tuple[Any, ...]
EXPECTED: dict[str, Callable[[], Iterable[Row]]] = {}


def answers(name: str) -> Callable[[Callable[[], Iterable[Row]]], Callable[[], Iterable[Row]]]:
    """The decorated function computes what a question answers."""

    def register(compute: Callable[[], Iterable[Row]]) -> Callable[[], Iterable[Row]]:
        EXPECTED[name] = compute
        return compute

    return register


@pytest.fixture(scope="module")
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    with lakes.database(SNAPSHOTS) as connection:
        rows = [play.values() for play in PLAYS]
        listened.fill(connection, {"plays": rows, "play_files": listened.files_of(PLAYS)})
        # What the view has is checked elsewhere; here it is computed once.
        sql = to_duckdb("SELECT * FROM listening", SCHEMA, VIEWS, TODAY)
        connection.execute(f"CREATE TABLE listening AS {sql}")
        yield connection


def ask(lake: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    sql = sql.replace("INTERVAL '90' DAY", f"INTERVAL '{SILENT_DAYS}' DAY")
    schema = {**SCHEMA, "listening": dict(VIEWS["listening"].types)}
    return lake.execute(to_duckdb(sql, schema, VIEWS, TODAY)).fetchall()


def rounded(rows: Iterable[Row]) -> list[Row]:
    return [tuple(round(value, 9) if isinstance(value, float) else value for value in row) for row in rows]


# --- what was heard ---


def local(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(ZONE.get())).replace(tzinfo=None)


def day(heard: Heard) -> dt.date:
    return local(heard.play.heard).date()


def month(heard: Heard) -> dt.date:
    return day(heard).replace(day=1)


def songs() -> list[Heard]:
    return [heard for heard in HEARD if heard.play.kind in {"song", "video"}]


def exact() -> list[Heard]:
    return [heard for heard in HEARD if heard.play.source == "extended"]


def key(heard: Heard) -> str | None:
    """What a song is known by: artist and title, else its URI."""
    return " / ".join(heard.play.names) if heard.play.names else heard.play.uri


def ms(found: Iterable[Heard]) -> int:
    return sum(heard.listened_ms or 0 for heard in found)


def hours(found: Iterable[Heard]) -> float:
    return ms(found) / 3_600_000


def long(found: Iterable[Heard]) -> int:
    return sum(heard.listened_ms is None or heard.listened_ms >= 30_000 for heard in found)


def grouped(found: Iterable[Any], by: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    groups = defaultdict(list)
    for one in found:
        groups[by(one)].append(one)
    return {name: groups[name] for name in groups if name is not None}


def most(values: Iterable[str | None]) -> str | None:
    return max((value for value in values if value is not None), default=None)


def rank(value: float, values: Iterable[float]) -> int:
    return 1 + sum(other > value for other in values)


def limited(rows: list[Row], count: int) -> list[Row]:
    return rows[:count] if LIMITED.get() else rows


def was_skipped(heard: Heard) -> bool:
    return bool(heard.play.is_skipped) or heard.play.reason_end == "fwdbtn"


def ago(days: int) -> dt.datetime:
    return dt.datetime.combine(TODAY - dt.timedelta(days=days), dt.time())


# --- the answers ---


def heard_most(groups: dict[str, list[Heard]], about: Callable[[list[Heard]], Row], *more: Any) -> list[Row]:
    kept = {name: [heard for heard in found if day(heard) <= TODAY] for name, found in groups.items()}
    kept = {name: found for name, found in kept.items() if found}
    times, plays = [ms(found) for found in kept.values()], [long(found) for found in kept.values()]
    rows = [
        (
            (rank(ms(found), times), rank(long(found), plays), name),
            (*about(found), hours(found), long(found), rank(ms(found), times), rank(long(found), plays)),
            (
                *(count(found) for count in more),
                len(set(map(day, found))),
                min(map(day, found)),
                max(map(day, found)),
            ),
        )
        for name, found in kept.items()
    ]
    return limited([(*first, *rest) for _, first, rest in sorted(rows)], 20)


def artist_of(found: Iterable[Heard]) -> str | None:
    return most(heard.play.artist_name for heard in found)


def title_of(found: Iterable[Heard]) -> str | None:
    return most(heard.play.name for heard in found)


@answers("songs_heard_most")
def _() -> list[Row]:
    return heard_most(grouped(songs(), key), lambda found: (title_of(found), artist_of(found)))


def album(heard: Heard) -> tuple[str, str] | None:
    play = heard.play
    if play.album_name is None or play.artist_name is None:
        return None
    return play.artist_name.lower(), play.album_name.lower()


@answers("albums_heard_most")
def _() -> list[Row]:
    groups = {" / ".join(name): found for name, found in grouped(songs(), album).items()}
    return heard_most(
        groups, lambda found: (most(heard.play.album_name for heard in found), artist_of(found))
    )


def artist(heard: Heard) -> str | None:
    return heard.play.artist_name and heard.play.artist_name.lower()


@answers("artists_heard_most")
def _() -> list[Row]:
    titles = lambda found: len({heard.play.name.lower() for heard in found if heard.play.name})  # noqa: E731
    return heard_most(grouped(songs(), artist), lambda found: (artist_of(found),), titles)


@answers("listening_clock")
def _() -> list[Row]:
    found = [heard for heard in HEARD if heard.play.heard >= ago(365)]
    groups = grouped(found, lambda h: (local(h.play.heard).isoweekday(), local(h.play.heard).hour))
    return sorted((*clock, long(each), hours(each), ms(each) / ms(found)) for clock, each in groups.items())


def runs(days: Iterable[dt.date]) -> Iterator[list[dt.date]]:
    run: list[dt.date] = []
    for one in sorted(days):
        if run and one - run[-1] > dt.timedelta(days=1):
            yield run
            run = []
        run.append(one)
    yield run


@answers("listening_streaks")
def _() -> list[Row]:
    by_day = grouped(songs(), day)
    rows = []
    for run in runs(by_day):
        each = [heard for one in run for heard in by_day[one]]
        rows.append((run[0], run[-1], len(run), len(each), hours(each)))
    return limited(sorted(rows, key=lambda row: (-row[2], -row[0].toordinal())), 20)


@answers("days_without_music")
def _() -> list[Row]:
    found = list(runs({day(heard) for heard in songs()}))
    one = dt.timedelta(days=1)
    rows = [
        (before[-1] + one, after[0] - one, (after[0] - before[-1]).days - 1)
        for before, after in itertools.pairwise(found)
    ]
    return limited(sorted(rows, key=lambda row: (-row[2], -row[0].toordinal())), 20)


@answers("new_artists_and_songs")
def _() -> Iterator[Row]:
    found = [heard for heard in songs() if heard.play.names]
    first = {name: min(map(month, each)) for name, each in grouped(found, key).items()}
    first_of_artist = {name: min(map(month, each)) for name, each in grouped(found, artist).items()}
    for begin, each in sorted(grouped(found, month).items()):
        names, artists = set(map(key, each)), set(map(artist, each))
        new = [heard for heard in each if first[key(heard)] == begin]
        yield (
            *(begin, len(artists), sum(first_of_artist[name] == begin for name in artists)),
            *(len(names), sum(first[name] == begin for name in names), len(new) / len(each)),
        )


@answers("skips_by_month")
def _() -> Iterator[Row]:
    found = [heard for heard in exact() if heard.play.kind in {"song", "video"}]
    for begin, each in sorted(grouped(found, month).items()):
        skips = list(filter(was_skipped, each))
        seconds = ms(skips) / len(skips) / 1000 if skips else None
        yield begin, len(each), len(skips), len(skips) / len(each), seconds


@answers("songs_always_skipped")
def _() -> list[Row]:
    rows = []
    found = [heard for heard in exact() if heard.play.kind in {"song", "video"} and heard.play.names]
    for name, each in grouped(found, key).items():
        skips = sum(map(was_skipped, each))
        finished = max((heard.play.heard for heard in each if not was_skipped(heard)), default=None)
        if len(each) >= 5 and skips:
            about = (title_of(each), artist_of(each))
            rows.append(
                (
                    (-skips / len(each), -len(each), name),
                    (*about, len(each), skips, skips / len(each), finished),
                )
            )
    return limited([row for _, row in sorted(rows)], 20)


@answers("on_this_day")
def _() -> Iterator[Row]:
    groups = grouped(songs(), day)
    for one in sorted(groups, reverse=True):
        if (one.month, one.day) != (TODAY.month, TODAY.day) or one >= TODAY:
            continue
        rows = [
            (
                (-ms(each), -len(each), name),
                (one, title_of(each), artist_of(each), len(each), ms(each) / 60_000),
            )
            for name, each in grouped(groups[one], key).items()
        ]
        yield from limited([row for _, row in sorted(rows)], 5)


@answers("listening_sessions")
def _() -> Iterator[Row]:
    sessions: list[list[Heard]] = []
    for heard in sorted(HEARD, key=lambda heard: (heard.play.heard, heard.play.play_id)):
        start = heard.play.heard - dt.timedelta(milliseconds=heard.listened_ms or 0)
        if not sessions or start - sessions[-1][-1].play.heard > dt.timedelta(minutes=30):
            sessions.append([])
        sessions[-1].append(heard)
    for begin, found in sorted(grouped(sessions, lambda session: month(session[0])).items()):
        yield (
            *(begin, len(found), sum(map(len, found)) / len(found)),
            *(sum(map(ms, found)) / len(found) / 60_000, max(map(ms, found)) / 60_000),
        )


@answers("podcasts_and_audiobooks")
def _() -> list[Row]:
    rows = []
    found = [heard for heard in HEARD if heard.play.kind in {"episode", "chapter"}]
    for (kind, show), each in grouped(found, lambda h: (h.play.kind, h.play.show_name.lower())).items():
        parts = len({heard.play.name.lower() for heard in each})
        spelled = most(heard.play.show_name for heard in each)
        days = sorted(map(day, each))
        rows.append(
            ((-hours(each), kind, show), (kind, spelled, parts, len(each), hours(each), days[0], days[-1]))
        )
    return limited([row for _, row in sorted(rows)], 50)


def places(place: Callable[[Heard], str | None]) -> Iterator[Row]:
    years = grouped(exact(), lambda heard: day(heard).year)
    for year, found in sorted(years.items()):
        groups: dict[str | None, list[Heard]] = defaultdict(list)
        for heard in found:
            groups[place(heard)].append(heard)
        for name, each in sorted(groups.items(), key=lambda item: -ms(item[1])):
            yield year, name, len(each), hours(each), ms(each) / ms(found)


SYSTEMS = dict(zip(listened.SYSTEMS, ("iOS", "iOS", "macOS", "Windows", "cast", None), strict=True))
EXPECTED["listening_platforms"] = lambda: places(lambda heard: SYSTEMS[heard.play.platform])
EXPECTED["listening_countries"] = lambda: places(lambda heard: heard.play.country)


def year(heard: Heard) -> int:
    return day(heard).year


def heard_longest(found: Iterable[Heard], by: Callable[[Heard], Any]) -> list[Heard]:
    return max(grouped(found, by).values(), key=ms)


@answers("year_in_review")
def _() -> Iterator[Row]:
    named = [heard for heard in songs() if heard.play.names]
    debut = {name: min(map(year, each)) for name, each in grouped(named, artist).items()}
    for one, found in sorted(grouped(HEARD, year).items()):
        of_year = [heard for heard in named if year(heard) == one]
        longest = functools.partial(heard_longest, of_year)
        days = grouped(found, day)
        artists = set(map(artist, of_year))
        yield (
            *(one, hours(found), hours(of_year), long(of_year), len(set(map(key, of_year))), len(artists)),
            *(
                sum(debut[name] == one for name in artists),
                len(days),
                max(days, key=lambda name: ms(days[name])),
            ),
            *(title_of(longest(key)), artist_of(longest(key)), artist_of(longest(artist))),
            most(heard.play.album_name for heard in longest(album)),
        )


# --- plays against playlists ---


def entries() -> list[tuple[Snapshot, int, Entry]]:
    """The entries of the newest snapshots that are songs."""
    last = {s.playlist: s for s in SNAPSHOTS if s.is_complete is not False and s.day >= ago(35).date()}
    found = sorted(last.values(), key=lambda s: (s.name is None, s.name, s.playlist))
    return [(s, position, entry) for s in found for position, entry in s.standing() if entry.song]


def is_play_of(heard: Heard, entry: Entry) -> bool:
    assert entry.song
    names = {(name.lower(), entry.song.name.lower()) for _, name in entry.song.artists}
    return heard.play.song_id == entry.song.id or heard.play.names in names


def plays_of(entry: Entry) -> list[Heard]:
    return [heard for heard in songs() if is_play_of(heard, entry)]


@answers("songs_never_played")
def _() -> list[Row]:
    rows = [
        (found.name, position, entry.song.name, entry.song.by, entry.added_at)
        for found, position, entry in entries()
        if entry.song and not plays_of(entry)
    ]
    return limited(rows, 100)


@answers("songs_in_no_playlist")
def _() -> list[Row]:
    listed = list({entry.song: entry for *_, entry in entries()}.values())
    found = [heard for heard in songs() if heard.play.names and heard.play.heard >= ago(365)]
    rows = [
        (
            (-hours(each), -len(each), name),
            (title_of(each), artist_of(each), len(each), hours(each), max(h.play.heard for h in each)),
        )
        for name, each in grouped(found, key).items()
        if not any(is_play_of(heard, entry) for heard in each for entry in listed)
    ]
    return limited([row for _, row in sorted(rows)], 50)


@answers("songs_dropped")
def _() -> list[Row]:
    rows = []
    for found, position, entry in entries():
        last = max((heard.play.heard for heard in plays_of(entry)), default=None)
        if entry.song and entry.added_at and last and entry.added_at <= last < ago(SILENT_DAYS):
            days = (last - entry.added_at).days
            about = (found.name, entry.song.name, entry.song.by, entry.added_at, last, days)
            rows.append(((days, found.name is None, found.name, found.playlist, position), about))
    return limited([row for _, row in sorted(rows)], 100)


@answers("listening_quality")
def _() -> Iterator[Row]:
    ranges = {
        source: (
            min(p.played_at for p in PLAYS if p.source == source),
            max(p.played_at for p in PLAYS if p.source == source),
        )
        for source in ("extended", "account", "api")
    }
    better = {"extended": [], "account": ["extended"], "api": ["extended", "account"]}
    for source in ("extended", "api", "account"):
        rows = [play for play in PLAYS if play.source == source]
        objects = {play.source_object for play in rows}
        counted = [heard.play for heard in HEARD if heard.play.source == source]
        unmatched = [
            p
            for p in counted
            if any(ranges[one][0] <= p.played_at <= ranges[one][1] for one in better[source])
        ]
        plays = len({play.play_id for play in rows})
        yield (
            *(source, len(objects), 2 * len(objects), len(rows), len(rows) - plays, len(counted)),
            *(plays - len(counted), len(unmatched), *ranges[source]),
        )


# --- the tests ---


def test_the_history_has_what_the_questions_are_about(lake: duckdb.DuckDBPyConnection) -> None:
    [(plays, counted)] = ask(lake, "SELECT count(*) AS n, count_if(is_counted) AS m FROM listening")
    assert (plays, counted) == (len({play.play_id for play in PLAYS}), len(HEARD))
    assert {heard.play.source for heard in HEARD} == {"extended", "account", "api"}
    assert plays - counted > 100


@pytest.mark.parametrize("zone", ["UTC", "Australia/Adelaide"])
@pytest.mark.parametrize("name", QUERIES)
def test_a_question_is_answered(lake: duckdb.DuckDBPyConnection, name: str, zone: str) -> None:
    token = ZONE.set(zone)
    try:
        expected = rounded(EXPECTED[name]())
    finally:
        ZONE.reset(token)
    assert rounded(ask(lake, QUERIES[name].in_time_zone(zone))) == expected
    assert expected, "nothing was compared"


@pytest.mark.parametrize("name", [name for name, query in QUERIES.items() if re.search(LIMITS, query.sql)])
def test_a_question_is_answered_beyond_its_limit(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    token = LIMITED.set(False)
    try:
        expected = rounded(EXPECTED[name]())
    finally:
        LIMITED.reset(token)
    assert rounded(ask(lake, re.sub(LIMITS, r"\1 100000", QUERIES[name].sql))) == expected


def test_every_question_about_plays_is_in_this_group() -> None:
    of_plays = ["listening", "play_gaps", "plays", "play_files"]
    assert {name for name, query in queries().items() if used_by(query.sql, of_plays)} == QUERIES.keys()
    assert EXPECTED.keys() == QUERIES.keys()
