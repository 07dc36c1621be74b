"""Compose what the page shows about plays. Pure: the same rows give the same content.

Sums are kept by age: how long ago the plays are, in steps that end with the periods of the page. A period is the sum of
its ages, which is why the page can show four of them and holds one. Songs are told apart by title and artist in any
case, since Spotify gives the same song new ids.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import accumulate
from typing import Final

import msgspec

from spotify_lake.report.catalog import Catalog, linkable
from spotify_lake.report.plays import PERIODS, GapRow, PlayRow, Plays
from spotify_lake.report.queries import SongRow, StandingRow
from spotify_lake.report.rows import Row, Runs, runs

AGES: Final = len(PERIODS) + 1
TOP: Final = 100  # songs, artists and albums of each period, by time and again by plays
SKIPPED: Final = 50  # songs of each period
LEAST_STARTS: Final = 5  # of a song, to be among those
NEVER: Final = 500  # songs that are never played
GAPS: Final = 200
HOURS: Final = 7 * 24  # in a week

_EPOCH: Final = dt.date(1970, 1, 1)


class HeardSong(Row, frozen=True):
    """A song that was played.

    Attributes
    ----------
    id, name, by
        Its Spotify id, title and artist; id and `by` may be None.
    songs
        Indexes of the same song in the content's songs.
    listed
        1 if it is in the last snapshot of a playlist.
    first, last
        Days since 1970.
    plays, seconds, estimated, starts, skips
        By age. `estimated` is a part of `seconds`. `starts` are plays of which it is known whether they were skipped.
    start, months
        Plays by month, beginning with month `start` (year × 12 + month − 1).
    """

    id: str | None
    name: str
    by: str | None
    songs: list[int]
    listed: int
    first: int
    last: int
    plays: list[int]
    seconds: list[int]
    estimated: list[int]
    starts: list[int]
    skips: list[int]
    start: int
    months: Runs


class HeardArtist(Row, frozen=True):
    """An artist who was played. `artist` is the index of the only artist of that name on the page, `songs` a number."""

    name: str
    artist: int | None
    songs: int
    first: int
    last: int
    plays: list[int]
    seconds: list[int]
    estimated: list[int]
    start: int
    months: Runs


class HeardAlbum(Row, frozen=True):
    """An album of which songs were played."""

    name: str
    by: str | None
    plays: list[int]
    seconds: list[int]
    estimated: list[int]


class HeardKind(Row, frozen=True):
    """What was played: `song`, `video`, `episode`, `chapter` or `other`; plays and seconds by age."""

    kind: str
    plays: list[int]
    seconds: list[int]
    estimated: list[int]


class PlayedList(Row, frozen=True):
    """A playlist against the plays: different songs of its last snapshot, and how many of them were played.

    `playlist` is its index in the content, `lately` counts songs heard in the last year.
    """

    playlist: int
    songs: int
    played: int
    lately: int


class NeverPlayed(Row, frozen=True):
    """A song that was never played, and the playlists that have it: indexes."""

    song: int
    playlists: list[int]


class Gap(Row, frozen=True):
    """A time in which plays may be missing: seconds since 1970, and days since 1970."""

    start: int
    end: int
    first: int
    last: int


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows about plays.

    Attributes
    ----------
    zone
        Time zone of days and hours.
    first, last
        First day with a play and the day from which periods count back, in days since 1970.
    periods
        Lengths of the periods in days; one more has everything.
    seconds, estimated, plays
        For each day from `first` on; `estimated` is a part of `seconds`.
    hours
        For each age, seconds in each hour of the week.
    kinds, songs, artists, albums
        What was played. Of songs and artists those at the top of some period, and those that the page has anyway.
    starts, skips
        By age: plays of songs of which it is known whether they were skipped, and those that were.
    different
        For each period, the number of different songs and artists.
    discovery_start, new_songs, new_artists
        First month (year × 12 + month − 1), and how many were heard for the first time in each.
    lists, never, never_count
        Playlists against plays. `never_count` is the number of songs that are never played; `never` has the first ones.
    gaps, gap_count
        The newest gaps, and their number.
    """

    zone: str
    first: int
    last: int
    periods: tuple[int, ...] = PERIODS
    seconds: Runs
    estimated: Runs
    plays: Runs
    hours: list[Runs]
    kinds: list[HeardKind]
    songs: list[HeardSong]
    artists: list[HeardArtist]
    albums: list[HeardAlbum]
    starts: list[int]
    skips: list[int]
    different: list[tuple[int, int]]
    discovery_start: int
    new_songs: Runs
    new_artists: Runs
    lists: list[PlayedList]
    never: list[NeverPlayed]
    never_count: int
    gaps: list[Gap]
    gap_count: int


# --- Composing ---


@dataclass
class _Sums:
    """Sums of a song, an artist or an album, by age and by month."""

    name: str
    by: str | None
    first: int
    last: int = 0
    youngest: int = AGES
    ids: set[str] = field(default_factory=set)
    plays: list[int] = field(default_factory=lambda: [0] * AGES)
    milliseconds: list[int] = field(default_factory=lambda: [0] * AGES)
    estimated: list[int] = field(default_factory=lambda: [0] * AGES)
    starts: list[int] = field(default_factory=lambda: [0] * AGES)
    skips: list[int] = field(default_factory=lambda: [0] * AGES)
    months: Counter[int] = field(default_factory=Counter)

    def add(self, row: PlayRow) -> None:
        self.first = min(self.first, row.first)
        self.last = max(self.last, row.last)
        self.youngest = min(self.youngest, *row.ages)
        if row.song_id:
            self.ids.add(row.song_id)
        for number, age in enumerate(row.ages):
            self.plays[age] += row.plays[number]
            self.milliseconds[age] += row.milliseconds[number]
            self.estimated[age] += row.estimated[number]
            self.starts[age] += row.starts[number]
            self.skips[age] += row.skips[number]
            self.months[row.items[number]] += row.plays[number]

    def by_month(self) -> tuple[int, Runs]:
        """Return the first month with a play that counts, and the plays of the months since."""
        counted = [month for month, number in self.months.items() if number]
        if not counted:
            return 0, []
        return min(counted), runs(self.months[month] for month in range(min(counted), max(counted) + 1))


def compose(
    found: Plays,
    catalog: Catalog,
    standings: Mapping[str, Sequence[StandingRow]],
) -> Listening:
    """Compose the part of the content about plays.

    Parameters
    ----------
    found
        The answers about plays; at least one play.
    catalog
        The songs and artists of the page. Songs of playlists that are never played are added.
    standings
        The entries of each playlist, in the order of the content's playlists.
    """
    songs: dict[str, _Sums] = {}
    artists: dict[str, _Sums] = {}
    albums: dict[tuple[str, str], _Sums] = {}
    for row in found.rows:
        if row.what == "song" and row.song is not None:
            _add(songs, row.song, row, row.name or "", row.artist)
            if row.artist:
                _add(artists, row.artist.lower(), row, row.artist, None)
                if row.album:
                    _add(albums, (row.artist.lower(), row.album.lower()), row, row.album, row.artist)
    matcher = _Matcher(songs)
    lists, never, listed = _lists(standings, catalog, matcher)
    shown_never = [NeverPlayed(catalog.song(row), numbers) for row, numbers in list(never.values())[:NEVER]]
    same = _same(catalog, matcher)
    shown = _top(songs) | _skipped(songs) | _top(songs, lambda key: key not in listed) | same.keys()
    top_albums = _top(albums)
    by_day = _by_day(found.rows)
    last = (found.last - _EPOCH).days
    first = min(by_day, default=last)
    days = range(first, max(last, *by_day) + 1)
    new_songs, new_artists = _firsts(songs), _firsts(artists)
    discovery = range(min(new_songs, default=0), max(new_songs, default=-1) + 1)
    return Listening(
        zone=found.zone,
        first=first,
        last=last,
        seconds=runs(by_day[day][0] for day in days),
        estimated=runs(by_day[day][1] for day in days),
        plays=runs(by_day[day][2] for day in days),
        hours=_hours(found.rows),
        kinds=_kinds(found.rows),
        songs=[
            _song(one, same.get(key, []), is_listed=key in listed)
            for key, one in songs.items()
            if key in shown
        ],
        artists=_artists(artists, songs, catalog),
        albums=[
            HeardAlbum(one.name, one.by, one.plays, _seconds(one.milliseconds), _seconds(one.estimated))
            for key, one in albums.items()
            if key in top_albums
        ],
        starts=[sum(one.starts[age] for one in songs.values()) for age in range(AGES)],
        skips=[sum(one.skips[age] for one in songs.values()) for age in range(AGES)],
        different=list(zip(_different(songs), _different(artists), strict=True)),
        discovery_start=discovery.start,
        new_songs=runs(new_songs[month] for month in discovery),
        new_artists=runs(new_artists[month] for month in discovery),
        lists=lists,
        never=shown_never,
        never_count=len(never),
        gaps=[_gap(row) for row in sorted(found.gaps, key=lambda row: -row.last)[:GAPS]],
        gap_count=len(found.gaps),
    )


def _add[Key](sums: dict[Key, _Sums], key: Key, row: PlayRow, name: str, by: str | None) -> None:
    one = sums.setdefault(key, _Sums(name, by, row.first))
    # Of several spellings one that does not depend on the order of the rows.
    one.name, one.by = max(one.name, name), max(one.by or "", by or "") or None
    one.add(row)


def _reached(values: Sequence[int]) -> list[int]:
    """Return the sums of the periods."""
    return list(accumulate(values))


def _seconds(milliseconds: Iterable[int]) -> list[int]:
    return [round(value / 1000) for value in milliseconds]


def _top[Key](sums: Mapping[Key, _Sums], is_wanted: Callable[[Key], bool] = lambda _: True) -> set[Key]:
    """Return the keys at the top of some period, by time or by plays."""
    known = [(key, one) for key, one in sums.items() if one.name and is_wanted(key)]
    found: set[Key] = set()
    for reached in (
        [(key, _reached(one.milliseconds)) for key, one in known],
        [(key, _reached(one.plays)) for key, one in known],
    ):
        for period in range(AGES):
            first = nlargest(TOP, reached, key=lambda pair: pair[1][period])
            found.update(key for key, values in first if values[period])
    return found


def _skipped(songs: Mapping[str, _Sums]) -> set[str]:
    """Return the keys of the songs that were skipped most in some period."""
    known = [
        (key, _reached(one.skips), _reached(one.starts))
        for key, one in songs.items()
        if one.name and any(one.skips)
    ]
    found: set[str] = set()
    for period in range(AGES):
        often = [
            (skips[period] / starts[period], starts[period], key)
            for key, skips, starts in known
            if skips[period] and starts[period] >= LEAST_STARTS
        ]
        found.update(key for *_, key in nlargest(SKIPPED, often))
    return found


class _Matcher:
    """Finds the songs that were played, by Spotify id, and by title and any of the artists."""

    def __init__(self, songs: Mapping[str, _Sums]) -> None:
        self.songs = songs
        self._by_id = {song_id: key for key, one in songs.items() for song_id in one.ids}

    def keys(self, song_id: str, row: SongRow | None) -> set[str]:
        """Return the keys of what was played of a song."""
        found = {self._by_id[song_id]} if song_id in self._by_id else set()
        if row is not None and row.name is not None:
            names = (f"{artist} / {row.name}".lower() for artist in row.artist_names if artist)
            found.update(key for key in names if key in self.songs)
        return found


def _same(catalog: Catalog, matcher: _Matcher) -> dict[str, list[int]]:
    """Return the indexes of the page's songs by what was played of them."""
    found: dict[str, list[int]] = defaultdict(list)
    for number, song in enumerate(catalog.songs):
        if song.id is not None:
            for key in matcher.keys(song.id, catalog.rows.get(song.id)):
                found[key].append(number)
    return found


def _lists(
    standings: Mapping[str, Sequence[StandingRow]], catalog: Catalog, matcher: _Matcher
) -> tuple[list[PlayedList], dict[str, tuple[StandingRow, list[int]]], set[str]]:
    """Return each playlist against the plays, the songs never played, and the keys of what is in a playlist."""
    lists = []
    never: dict[str, tuple[StandingRow, list[int]]] = {}
    listed: set[str] = set()
    for number, rows in enumerate(standings.values()):
        played = lately = 0
        current = [row for row in rows if row.position is not None and row.kind == "song"]
        for row in current:
            keys = matcher.keys(row.entry, catalog.rows.get(row.entry))
            listed |= keys
            if keys:
                played += 1
                lately += min(matcher.songs[key].youngest for key in keys) < len(PERIODS)
            else:
                never.setdefault(row.entry, (row, []))[1].append(number)
        lists.append(PlayedList(number, len(current), played, lately))
    return lists, never, listed


def _by_day(rows: Iterable[PlayRow]) -> dict[int, tuple[int, int, int]]:
    """Return seconds, estimated seconds and plays by day."""
    found: dict[int, tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    for row in rows:
        if row.what == "days":
            values = zip(_seconds(row.milliseconds), _seconds(row.estimated), row.plays, strict=True)
            found |= zip(row.items, values, strict=True)
    return found


def _hours(rows: Iterable[PlayRow]) -> list[Runs]:
    """Return the seconds in each hour of the week, by age."""
    seconds = [[0] * HOURS for _ in range(AGES)]
    for row in rows:
        if row.what == "hours":
            for hour, age, value in zip(row.items, row.ages, _seconds(row.milliseconds), strict=True):
                seconds[age][hour] = value
    return [runs(values) for values in seconds]


def _kinds(rows: Iterable[PlayRow]) -> list[HeardKind]:
    found = []
    for row in rows:
        if row.what == "kind" and row.kind is not None:
            one = _Sums(row.kind, None, row.first)
            one.add(row)
            seconds, estimated = _seconds(one.milliseconds), _seconds(one.estimated)
            found.append(HeardKind(row.kind, one.plays, seconds, estimated))
    return found


def _song(one: _Sums, songs: list[int], *, is_listed: bool) -> HeardSong:
    # Of several ids the smallest, so that the same rows give the same page.
    song_id = linkable(min(one.ids, default=None))
    start, months = one.by_month()
    return HeardSong(
        *(song_id, one.name, one.by, songs, int(is_listed), one.first, one.last, one.plays),
        *(_seconds(one.milliseconds), _seconds(one.estimated), one.starts, one.skips, start, months),
    )


def _artists(artists: Mapping[str, _Sums], songs: Mapping[str, _Sums], catalog: Catalog) -> list[HeardArtist]:
    """Return the artists at the top, and those of the page. A name that several of the page share is none of them."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for number, artist in enumerate(catalog.artists):
        if artist.name:
            by_name[artist.name.lower()].append(number)
    counted = Counter(one.by.lower() for one in songs.values() if one.by and one.name)
    top = _top(artists)
    found = []
    for key, one in artists.items():
        same = by_name.get(key, [])
        if key in top or len(same) == 1:
            start, months = one.by_month()
            found.append(
                HeardArtist(
                    *(
                        one.name,
                        same[0] if len(same) == 1 else None,
                        counted[key],
                        one.first,
                        one.last,
                        one.plays,
                    ),
                    *(_seconds(one.milliseconds), _seconds(one.estimated), start, months),
                )
            )
    return found


def _different(sums: Mapping[str, _Sums]) -> list[int]:
    """Return how many different ones each period has. Those without a name are left out."""
    by_age = Counter(one.youngest for one in sums.values() if one.name)
    return _reached([by_age[age] for age in range(AGES)])


def _firsts(sums: Mapping[str, _Sums]) -> Counter[int]:
    """Count by the month of the first play."""
    months = (_EPOCH + dt.timedelta(days=one.first) for one in sums.values() if one.name)
    return Counter(day.year * 12 + day.month - 1 for day in months)


def _gap(row: GapRow) -> Gap:
    return Gap(row.first, row.last, (row.first_day - _EPOCH).days, (row.last_day - _EPOCH).days)
