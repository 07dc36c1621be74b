"""Every query and view on a small lake, against answers computed from what the playlists were.

The lake has missing days, two snapshots on one day, a playlist that was emptied, one that ended, one without a title,
songs that return, songs that stand twice, unavailable and rejected entries: see tests/support/lakes.py.
"""

import contextvars
import datetime as dt
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import duckdb
import pandas as pd
import pytest

from local.sql_dialect import to_duckdb
from queries import queries, used_by, views
from spotify_lake.schema.playlists import TABLES
from tests.support import lakes
from tests.support.lakes import SCHEMA, TODAY, Snapshot, Song

VIEWS = views()
# Those of the warehouse are in test_chart_queries.py, those of plays in test_listening_queries.py.
QUERIES, ANSWERED_VIEWS = (
    {
        name: one
        for name, one in statements.items()
        if one.group != "listening" and used_by(one.sql, {*VIEWS, *(t.name for t in TABLES)})
    }
    for statements in (queries(), VIEWS)
)
EVERYTHING = lakes.snapshots()
SNAPSHOTS = [
    found for found in EVERYTHING if found.is_complete is not False
]  # parts of lists are not compared
PLAYLISTS = sorted({snapshot.playlist for snapshot in SNAPSHOTS})
THIS_MONTH = TODAY.replace(day=1)

type Row = tuple[Any, ...]
EXPECTED: dict[str, Callable[[], Iterable[Row]]] = {}


def answers(name: str) -> Callable[[Callable[[], Iterable[Row]]], Callable[[], Iterable[Row]]]:
    """The decorated function computes what a query or view answers."""

    def register(compute: Callable[[], Iterable[Row]]) -> Callable[[], Iterable[Row]]:
        EXPECTED[name] = compute
        return compute

    return register


@pytest.fixture(scope="module")
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    with lakes.database(EVERYTHING) as connection:
        yield connection


def ask(lake: duckdb.DuckDBPyConnection, sql: str, today: dt.date = TODAY) -> list[Row]:
    return lake.execute(to_duckdb(sql, SCHEMA, VIEWS, today)).fetchall()


def sorted_rows(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: [(value is None, str(value)) for value in row])


def rounded(rows: Iterable[Row]) -> list[Row]:
    return [tuple(round(value, 9) if isinstance(value, float) else value for value in row) for row in rows]


# --- what the playlists were ---


def of_playlist(playlist: str, since: dt.date = dt.date.min) -> list[Snapshot]:
    return [found for found in SNAPSHOTS if found.playlist == playlist and found.day >= since]


def ago(days: int) -> dt.date:
    return TODAY - dt.timedelta(days=days)


def daily(since: dt.date = dt.date.min) -> list[Snapshot]:
    """The last snapshot of each playlist and day."""
    last = {(found.playlist, found.day): found for found in SNAPSHOTS if found.day >= since}
    return list(last.values())


def latest() -> list[Snapshot]:
    last = {found.playlist: found for found in SNAPSHOTS if found.day >= ago(35)}
    return list(last.values())


def monday(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=day.weekday())


def first_of_month(day: dt.date) -> dt.date:
    return day.replace(day=1)


def months_before(count: int) -> dt.date:
    return (pd.Timestamp(THIS_MONTH) - pd.DateOffset(months=count)).date()


def pairs(playlist: str) -> Iterator[tuple[Snapshot, Snapshot]]:
    return itertools.pairwise(of_playlist(playlist))


def changes(before: Snapshot, now: Snapshot) -> Iterator[tuple[str, str, int | None, int | None]]:
    """Kind, URI, position and position before of everything that is not where it was."""
    old, new = before.firsts(), now.firsts()
    for uri in old.keys() | new.keys():
        if uri not in old:
            yield "entered", uri, new[uri], None
        elif uri not in new:
            yield "left", uri, None, old[uri]
        elif old[uri] != new[uri]:
            yield "moved", uri, new[uri], old[uri]


def title(uri: str, *where: Snapshot) -> str | None:
    names = [
        entry.name for found in where for _, entry in found.standing() if entry.identity == uri and entry.name
    ]
    return names[0] if names else None


def credited(found: Snapshot) -> Iterator[tuple[int, Song, str, str]]:
    for position, song in found.songs():
        for artist_id, name in song.artists:
            if artist_id:
                yield position, song, artist_id, name


def grouped(rows: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for key, value in rows:
        groups[key].append(value)
    return groups


def mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


# --- views ---


@answers("latest_playlists")
def _() -> Iterator[Row]:
    for found in latest():
        values = {"snapshot_date": found.day, "playlist_id": found.playlist, "scheduled_at": found.at}
        values |= {"fetched_at": found.at, "name": found.name, "owner_id": "nadia", "is_public": True}
        values |= {"entry_count": len(found.entries), "contract": "items", "is_complete": found.is_complete}
        values |= {"is_imported": found.is_imported}
        yield tuple(values.get(column) for column in VIEWS["latest_playlists"].columns)


def latest_rows(table: str) -> Iterator[Row]:
    for found in latest():
        for row in lakes.tables([found])[table]:
            values = row | {"playlist": found.name}
            name = "entries" if table == "playlist_entries" else table
            yield tuple(values.get(column) for column in VIEWS[f"latest_{name}"].columns)


EXPECTED["latest_entries"] = lambda: latest_rows("playlist_entries")
EXPECTED["latest_songs"] = lambda: latest_rows("songs")
EXPECTED["latest_albums"] = lambda: latest_rows("albums")
EXPECTED["latest_artists"] = lambda: latest_rows("artists")


@answers("daily_playlists")
def _() -> Iterator[Row]:
    for found in daily():
        yield found.day, found.playlist, found.name, found.at, len(found.entries)


@answers("daily_entries")
def _() -> Iterator[Row]:
    for found in daily():
        for position, entry in found.standing():
            what = (entry.kind, entry.song_id, entry.uri, entry.name)
            yield found.day, found.playlist, found.name, found.at, position, found.score(position), *what


@answers("playlist_changes")
def _() -> Iterator[Row]:
    return changes_since(dt.date.min)


@answers("recent_changes")
def _() -> Iterator[Row]:
    return changes_since(ago(35))


def changes_since(day: dt.date) -> Iterator[Row]:
    for playlist in PLAYLISTS:
        for before, now in pairs(playlist):
            if before.day < day:
                continue
            for change, uri, position, previous in changes(before, now):
                song_id = uri.removeprefix("spotify:track:") if uri.startswith("spotify:track:") else None
                climbed = previous - position if position and previous else None
                yield (
                    *(
                        now.day,
                        playlist,
                        now.name,
                        now.at,
                        before.day,
                        before.at,
                        (now.day - before.day).days,
                    ),
                    *(change, uri if uri.startswith("spotify:") else None, song_id),
                    *(title(uri, now, before), position, previous, climbed),
                )


@answers("song_history")
def _() -> Iterator[Row]:
    for playlist in PLAYLISTS:
        found = of_playlist(playlist)
        for song in lakes.SONGS:
            where = [snapshot.firsts().get(song.uri) for snapshot in found]
            seen = [(snapshot, at) for snapshot, at in zip(found, where, strict=True) if at]
            if not seen:
                continue
            runs = [
                [snapshot.day for snapshot, _ in run]
                for present, run in itertools.groupby(
                    zip(found, where, strict=True), lambda pair: bool(pair[1])
                )
                if present
            ]
            best = min(at for _, at in seen)
            name = title(song.uri, *found)
            yield (
                *(playlist, found[-1].name, song.id, name, song.by if name else None),
                *(seen[0][0].day, seen[-1][0].day, where[-1] is not None),
                *(len({snapshot.day for snapshot, _ in seen}), len(runs)),
                max((run[-1] - run[0]).days + 1 for run in runs),
                *(best, next(snapshot.day for snapshot, at in seen if at == best), seen[-1][1]),
            )


def trend(period: Callable[[dt.date], dt.date]) -> Iterator[Row]:
    observed = grouped(((period(found.day), found.playlist), found) for found in daily())
    for (begin, playlist), found in observed.items():
        appearances = grouped(
            (artist, (position, song, snapshot))
            for snapshot in found
            for position, song, *artist_and_name in credited(snapshot)
            for artist in [tuple(artist_and_name)]
        )
        for (artist_id, artist), each in appearances.items():
            yield (
                *(begin, playlist, found[-1].name, artist_id, artist, len(found)),
                *(
                    len({snapshot.day for *_, snapshot in each}),
                    len({song for _, song, _ in each}),
                    len(each),
                ),
                len(each) / len(found),
                sum(snapshot.score(position) for position, _, snapshot in each) / len(found),
                min(position for position, *_ in each),
            )


EXPECTED["artist_trend_weekly"] = lambda: trend(monday)
EXPECTED["artist_trend_monthly"] = lambda: trend(first_of_month)


# --- queries ---


LIMITS = r"(LIMIT|_number <=) \d+"
LIMITED = contextvars.ContextVar("LIMITED", default=True)


def top(rows: Iterable[Any], key: Callable[[Any], Any], count: int) -> list[Any]:
    return sorted(rows, key=key)[: count if LIMITED.get() else None]


@answers("top_artists")
def _() -> list[Row]:
    found = grouped(
        ((artist, name), (song, snapshot))
        for snapshot in latest()
        for _, song, artist, name in credited(snapshot)
    )
    rows = [
        (name, len(each), len({song for song, _ in each}), len({snapshot.playlist for _, snapshot in each}))
        for (_, name), each in found.items()
    ]
    return top(rows, lambda row: (-row[1], -row[2], row[0]), 10)


@answers("artists_by_week")
def _() -> list[Row]:
    rows = [row for row in trend(monday) if row[0] >= monday(TODAY) - dt.timedelta(days=49)]
    totals: Counter[str] = Counter()
    for row in rows:
        totals[row[3]] += row[9]
    chosen = {artist for artist, _ in top(totals.items(), lambda item: (-round(item[1], 6), item[0]), 10)}
    weeks = grouped(((row[0], row[4]), row) for row in rows if row[3] in chosen)
    return sorted(
        (
            (
                week,
                artist,
                sum(r[9] for r in each),
                sum(r[10] for r in each),
                len(each),
                min(r[11] for r in each),
            )
            for (week, artist), each in weeks.items()
        ),
        key=lambda row: (row[0], -round(row[2], 9), row[1]),
    )


def gains(today: dt.date) -> list[Row]:
    month = today.replace(day=1)
    gained: Counter[str] = Counter()
    scores: dict[str, float] = defaultdict(float)
    now: Counter[str] = Counter()
    before: Counter[str] = Counter()
    playlists = defaultdict(set)
    for playlist in PLAYLISTS:
        found = [s for s in of_playlist(playlist, month - dt.timedelta(days=35)) if s.day <= today]
        this_month = [s for s in found if s.day >= month]
        if not this_month:
            continue
        earlier = [s for s in found if s.day < month]
        start, end = (earlier or this_month[:1])[-1], this_month[-1]
        for snapshot, sign, counter in ((end, 1, now), (start, -1, before)):
            for position, _, artist, name in credited(snapshot):
                assert artist.removeprefix("ar") in name
                gained[name] += sign
                scores[name] += sign * snapshot.score(position)
                counter[name] += 1
                if sign == 1:
                    playlists[name].add(playlist)
    rows = [
        (name, gained[name], now[name], before[name], scores[name], len(playlists[name])) for name in gained
    ]
    return top(rows, lambda row: (-row[1], -round(row[4], 9), row[0]), 10)


EXPECTED["artist_gains"] = lambda: gains(TODAY)


@answers("albums_by_tracks")
def _() -> list[Row]:
    found = grouped((song.album, (song, s.playlist)) for s in latest() for _, song in s.songs() if song.album)
    rows = [
        (
            *(album.name, len({song for song, _ in each}), album.tracks),
            *(album.released and album.released.year, len({playlist for _, playlist in each})),
        )
        for album, each in found.items()
    ]
    return top(rows, lambda row: (-row[1], -row[4], row[0]), 10)


@answers("albums_by_days")
def _() -> list[Row]:
    found = grouped(
        (song.album, (s, song, position))
        for s in daily(ago(60))
        for position, song in s.songs()
        if song.album
    )
    rows = [
        (
            *(album.name, len({s.day for s, *_ in each}), len({song for _, song, _ in each})),
            *(len({s.playlist for s, *_ in each}), min(position for *_, position in each)),
            *(min(s.day for s, *_ in each), max(s.day for s, *_ in each)),
        )
        for album, each in found.items()
    ]
    return top(rows, lambda row: (-row[1], -row[2], row[4], row[0]), 20)


@answers("song_popularity")
def _() -> list[Row]:
    days = daily(ago(30))
    observed = Counter(found.playlist for found in days)
    found = grouped((song, (s, position)) for s in days for position, song in s.songs())
    rows = []
    for song, each in found.items():
        score = sum(s.score(position) / observed[s.playlist] for s, position in each)
        seen = {s.day for s, _ in each}
        best = min(position for _, position in each)
        playlists = len({s.playlist for s, _ in each})
        last = max(s.day for s in EVERYTHING if song in {one for _, one in s.songs()})
        rows.append((song.name, song.by, score, len(seen), playlists, best, song.popularity(last)))
    return top(rows, lambda row: (-round(row[2], 9), -row[3], row[0]), 20)


@answers("song_position")
def _() -> list[Row]:
    moved: Counter[tuple[str, Song]] = Counter()
    for playlist in PLAYLISTS:
        last: dict[Song, int] = {}
        for found in of_playlist(playlist, ago(35)):
            now: dict[Song, int] = {}
            for position, song in found.songs():
                now.setdefault(song, position)
            for song, position in now.items():
                moved[playlist, song] += abs(position - last.get(song, position))
            last |= now
    (playlist, song), _ = min(moved.items(), key=lambda item: (-item[1], item[0][1].id, item[0][0]))
    rows = []
    for found in of_playlist(playlist, ago(35)):
        places = [position for position, other in found.songs() if other == song]
        rows.append(
            (
                found.day,
                found.name,
                song.name if places else None,
                song.by if places else None,
                min(places, default=None),
            )
        )
    return rows


@answers("entered_and_left")
def _() -> list[Row]:
    found: dict[tuple[dt.date, str, str], list[Any]] = defaultdict(list)
    for playlist in PLAYLISTS:
        for before, now in pairs(playlist):
            if now.day >= ago(35) and before.day >= ago(35):
                for change, uri, position, _ in changes(before, now):
                    if change != "moved":
                        found[now.day, str(now.name), playlist].append(
                            (change, position, title(uri, now, before))
                        )
    newest = top({day for day, *_ in found}, lambda day: -day.toordinal(), 7)
    rows = []
    for (day, name, _), each in sorted(found.items()):
        if day in newest:
            entered = [(position, song) for change, position, song in each if change == "entered"]
            highest = min(entered)[1] if entered else None
            rows.append((day, name, len(entered), len(each) - len(entered), highest))
    return rows


@answers("biggest_moves")
def _() -> list[Row]:
    rows = []
    for playlist in PLAYLISTS:
        for before, now in pairs(playlist):
            if now.day >= ago(7) and before.day >= ago(35):
                for change, uri, position, previous in changes(before, now):
                    if change == "moved":
                        row = (
                            now.day,
                            now.name,
                            title(uri, now, before),
                            previous - position,
                            previous,
                            position,
                        )
                        row = (*row, (now.day - before.day).days)
                        rows.append((row, (-abs(row[3]), -now.at.timestamp(), position, now.name, uri)))
    return [row for row, _ in top(rows, lambda one: one[1], 20)]


@answers("returned_songs")
def _() -> list[Row]:
    rows = []
    for playlist in PLAYLISTS:
        found = of_playlist(playlist, ago(60))
        for uri in {uri for snapshot in found for uri in snapshot.firsts()}:
            seen = [(number, snapshot) for number, snapshot in enumerate(found) if uri in snapshot.firsts()]
            for (number, last), (again, back) in itertools.pairwise(seen):
                if again - number > 1:
                    days = (back.day - last.day).days
                    places = (last.firsts()[uri], back.firsts()[uri])
                    row = (back.day, back.name, title(uri, back), last.day, days, again - number - 1, *places)
                    rows.append((row, (-back.day.toordinal(), back.name, places[1], uri, -again)))
    return [row for row, _ in top(rows, lambda one: one[1], 50)]


@answers("longest_running_songs")
def _() -> list[Row]:
    rows = []
    for newest in latest():
        found = of_playlist(newest.playlist, ago(240))
        for song in {song for _, song in newest.songs()}:
            stay = list(itertools.takewhile(lambda snapshot: song.uri in snapshot.firsts(), reversed(found)))  # noqa: B023
            days = (newest.day - stay[-1].day).days + 1
            row = (song.name, song.by, newest.name, stay[-1].day, days, len(stay) == len(found), len(stay))
            rows.append(row)
    return top(rows, lambda row: (-row[4], -row[6], row[0], row[2] is None, str(row[2])), 20)


@answers("series_by_day")
def _() -> list[Row]:
    rows = []
    found = {(s.playlist, s.day): s for s in daily(ago(35))}
    for playlist in PLAYLISTS:
        days = sorted(day for name, day in found if name == playlist)
        for day in pd.date_range(days[0], days[-1]).date if days else []:
            name = found[playlist, days[-1]].name
            snapshot = found.get((playlist, day))
            if snapshot is None:
                rows.append((day, name, False, None, None, None, None))
                continue
            songs = [song for _, song in snapshot.songs()]
            artists = {artist for song in songs for artist in song.artist_ids}
            minutes = sum(song.seconds or 0 for song in songs) / 60
            rows.append((day, name, True, len(snapshot.entries), len(set(songs)), len(artists), minutes))
    return sorted(rows, key=lambda row: (row[1] is None, row[1], row[0]))


def series(
    period: Callable[[dt.date], dt.date], before: Callable[[dt.date], dt.date], since: dt.date
) -> list[Row]:
    observed = grouped(((found.playlist, period(found.day)), found) for found in daily(since))
    songs = {key: {song for s in found for _, song in s.songs()} for key, found in observed.items()}
    rows = []
    for (playlist, begin), found in observed.items():
        earlier = songs.get((playlist, before(begin)))
        now = songs[playlist, begin]
        fresh = None if earlier is None else len(now - earlier)
        rows.append(
            (
                begin,
                found[-1].name,
                len(found),
                mean(len(s.entries) for s in found),
                len(now),
                fresh,
                playlist,
            )
        )
    rows.sort(key=lambda row: (row[1] is None, row[1], row[6], row[0]))
    return [row[:6] for row in rows]


@answers("series_by_week")
def _() -> list[Row]:
    return series(monday, lambda day: day - dt.timedelta(days=7), monday(TODAY) - dt.timedelta(days=56))


@answers("series_by_month")
def _() -> list[Row]:
    return series(first_of_month, lambda day: first_of_month(day - dt.timedelta(days=1)), months_before(2))


@answers("new_releases")
def _() -> list[Row]:
    rows = []
    for found in latest():
        songs = [song for _, song in found.songs()]
        if not songs:
            continue
        dates = [song.album.released for song in songs if song.album and song.album.released]
        ages = pd.Series([(found.day - date).days for date in dates], dtype=float)
        ranges = pd.cut(ages, [-10_000, 30, 365, 3650, 100_000], labels=False).value_counts()
        counts = [int(ranges.get(number, 0)) for number in range(4)]
        share = counts[0] / len(dates) if dates else None
        average = ages.mean() / 365.25 if dates else None
        rows.append((found.name, len(songs), *counts, len(songs) - len(dates), share, average))
    return sorted(rows, key=lambda row: (row[7] is None, -(row[7] or 0), row[0] is None, row[0]))


@answers("release_years")
def _() -> list[Row]:
    where = grouped((song, found.playlist) for found in latest() for _, song in found.songs())
    years = grouped(
        (song.album.released.year if song.album and song.album.released else None, song) for song in where
    )
    rows = [
        (year, len(songs), len(songs) / len(where), len({name for song in songs for name in where[song]}))
        for year, songs in years.items()
    ]
    return sorted(rows, key=lambda row: (row[0] is None, -(row[0] or 0)))


@answers("explicit_share")
def _() -> list[Row]:
    months = grouped(
        ((str(found.playlist), first_of_month(found.day)), (found, song.is_explicit))
        for found in daily(months_before(2))
        for _, song in found.songs()
        if song.is_explicit is not None
    )
    rows = []
    for (playlist, month), each in months.items():
        days = len({found.day for found, _ in each})
        explicit = sum(is_explicit for _, is_explicit in each)
        rows.append(
            (month, each[-1][0].name, len(each) / days, explicit / days, explicit / len(each), playlist)
        )
    return [row[:5] for row in sorted(rows, key=lambda row: (row[1] is None, row[1], row[5], row[0]))]


@answers("duration_trend")
def _() -> list[Row]:
    weeks = grouped(
        ((found.playlist, monday(found.day)), (found, song))
        for found in daily(monday(TODAY) - dt.timedelta(days=56))
        for _, song in found.songs()
        if song.seconds
    )
    averages = {key: mean(song.seconds for _, song in each) for key, each in weeks.items()}
    rows = []
    for (playlist, week), each in weeks.items():
        lengths = [song.seconds for _, song in each]
        before = averages.get((playlist, week - dt.timedelta(days=7)))
        average = averages[playlist, week]
        extremes = (float(min(lengths)), float(max(lengths)))
        change = None if before is None else average - before
        row = (week, each[-1][0].name, len({song for _, song in each}), average, *extremes, change)
        rows.append((*row, playlist))
    return [row[:7] for row in sorted(rows, key=lambda row: (row[1] is None, row[1], row[7], row[0]))]


@answers("playlist_overlap")
def _() -> list[Row]:
    contents = {found.playlist: (found.name, {song for _, song in found.songs()}) for found in latest()}
    rows = []
    for one, other in itertools.combinations(sorted(contents), 2):
        (name, songs), (other_name, other_songs) = contents[one], contents[other]
        if shared := songs & other_songs:
            sizes = (len(shared), len(songs), len(other_songs))
            rows.append((name, other_name, *sizes, len(shared) / len(songs | other_songs)))
    return sorted(rows, key=lambda row: (-row[2], -row[5], row[0], row[1] is None, str(row[1])))


@answers("collaborations")
def _() -> list[Row]:
    songs = {song for found in latest() for _, song in found.songs()}
    together = grouped(
        (tuple(sorted(pair)), song)
        for song in songs
        for pair in itertools.combinations([artist for artist in song.artists if artist[0]], 2)
    )
    rows = [
        (one[1], two[1], len(each), min(song.name for song in each)) for (one, two), each in together.items()
    ]
    return top(rows, lambda row: (-row[2], row[0], row[1]), 20)


@answers("contributors")
def _() -> list[Row]:
    rows = []
    for found in latest():
        entries = [entry for _, entry in found.standing()]
        for user, each in grouped((entry.added_by, entry.added_at) for entry in entries).items():
            times = [time for time in each if time]
            rows.append(
                (
                    found.name,
                    user,
                    len(each),
                    len(each) / len(entries),
                    min(times, default=None),
                    max(times, default=None),
                )
            )
    return sorted(rows, key=lambda row: (row[0] is None, row[0], -row[2], row[1] is None, row[1]))


@answers("data_quality")
def _() -> list[Row]:
    rows = []
    for found in latest():
        kinds = Counter(entry.kind for _, entry in found.standing())
        songs = [song for _, song in found.songs()]
        rejects = found.entries.count(None)
        undated = sum(not (song.album and song.album.released) for song in songs)
        unrated = sum(not song.rated for song in songs)
        rows.append(
            (
                *(found.name, found.day, len(found.entries), kinds["song"], kinds["episode"], kinds["local"]),
                *(kinds["unavailable"], kinds["chapter"] + kinds["other"], rejects, 0),
                *(len(songs) - len(set(songs)), undated, unrated),
            )
        )
    return sorted(rows, key=lambda row: (row[0] is None, row[0]))


@answers("data_freshness")
def _() -> list[Row]:
    rows = []
    for playlist in PLAYLISTS:
        found = of_playlist(playlist, ago(35))
        if found:
            days = sorted({snapshot.day for snapshot in found})
            steps = [(later - earlier).days - 1 for earlier, later in itertools.pairwise(days)]
            row = (found[-1].name, found[-1].at, (TODAY - days[-1]).days, len(days))
            rows.append((*row, sum(steps), max(steps, default=0), len(found)))
    return sorted(rows, key=lambda row: (-row[2], -row[4], row[0] is None, row[0]))


@answers("quality_rules")
def _() -> list[Row]:
    rows = []
    for playlist in PLAYLISTS:
        bad: dict[str, list[tuple[Snapshot, bool, int, list[str]]]] = defaultdict(list)
        for found in of_playlist(playlist, ago(35)):
            for rule, is_breaking, checked, keys in found.quality():
                if keys:
                    bad[rule].append((found, is_breaking, checked, keys))
        for rule, each in bad.items():
            last, is_breaking, checked, keys = each[-1]
            row = (rule, is_breaking, last.name, len(each), last.at, len(keys), checked, keys[0])
            rows.append(row)
    return sorted(rows, key=lambda row: (not row[1], -row[5], row[0], row[2] is None, row[2]))


# --- the tests ---


@pytest.mark.parametrize("name", ANSWERED_VIEWS)
def test_a_view_holds_what_was_there(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    rows = rounded(sorted_rows(ask(lake, f"SELECT * FROM {name}")))  # noqa: S608 - a view's name
    assert rows == rounded(sorted_rows(EXPECTED[name]()))
    assert rows, "nothing was compared"


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_answers_its_question(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    rows = rounded(ask(lake, QUERIES[name].sql))
    assert rows == rounded(EXPECTED[name]())
    assert rows, "nothing was compared"


@pytest.mark.parametrize(
    "name",
    [name for name, query in QUERIES.items() if re.search(LIMITS, query.sql) and name != "song_position"],
)
def test_a_query_is_right_beyond_its_limit(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    """So that what a limit cuts off cannot hide a mistake."""
    rows = rounded(ask(lake, re.sub(LIMITS, r"\1 100000", QUERIES[name].sql)))
    token = LIMITED.set(False)
    try:
        assert rows == rounded(EXPECTED[name]())
    finally:
        LIMITED.reset(token)
    assert len(rows) >= len(ask(lake, QUERIES[name].sql))


@pytest.mark.parametrize("day", [dt.date(2026, 8, 31), dt.date(2026, 9, 15), dt.date(2026, 10, 1)])
def test_the_artist_that_gained_most_in_another_month(lake: duckdb.DuckDBPyConnection, day: dt.date) -> None:
    """As the query's header says: what comes after that day does not count."""
    sql = QUERIES["artist_gains"].sql.replace("current_date", f"DATE '{day}'")
    assert rounded(ask(lake, sql)) == rounded(gains(day))


def test_an_import_stands_behind_what_a_run_recorded_on_its_day() -> None:
    morning, evening = (dt.datetime.combine(TODAY, dt.time(hour), dt.UTC) for hour in (6, 20))
    yesterday = morning - dt.timedelta(days=1)
    songs = tuple(map(lakes.of, lakes.SONGS[:5]))
    found = [
        Snapshot("p-both", "Recorded", morning, songs),
        Snapshot("p-both", "Imported", evening, songs[:2], is_complete=None, is_imported=True),
        Snapshot("p-newer", "Recorded", yesterday, songs),
        Snapshot("p-newer", "Imported", evening, songs[:2], is_imported=True),
        Snapshot("p-import", "Imported", evening, songs[:2], is_imported=True),
    ]
    latest = "select playlist_id, name, entry_count from latest_playlists order by playlist_id"
    daily = (
        "select playlist_id, playlist, entry_count from daily_playlists where snapshot_date = current_date"
        " order by playlist_id"
    )
    with lakes.database(found) as connection:
        for query in (latest, daily):
            assert ask(connection, query) == [
                ("p-both", "Recorded", 5),
                ("p-import", "Imported", 2),
                ("p-newer", "Imported", 2),
            ]
