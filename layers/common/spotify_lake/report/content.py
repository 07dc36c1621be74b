"""Compose the content of the page from query results. Pure: the same rows give the same content.

Days are numbers, and the first day of the report is day 0. Each song, album and artist is stored once and referred to
by its index.
"""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Final

import msgspec

from spotify_lake.report import queries
from spotify_lake.report.charts import Charts
from spotify_lake.report.queries import ArtistRow, SnapshotRow, SongRow, StandingRow, Window
from spotify_lake.report.rows import Row

EPOCH: Final = dt.date(1970, 1, 1)
WEEK: Final = 7
MOST_EVENTS: Final = 300  # per playlist
SHORTEST_RUN: Final = 3
POPULARITY_STEP: Final = 10

_ID = re.compile(r"[0-9A-Za-z]{22}")
# Spotify's image hosts, such as i.scdn.co, mosaic.scdn.co and image-cdn-ak.spotifycdn.com; neither user nor port.
_IMAGE = re.compile(r"https://(?:[a-z0-9-]+\.)+(?:scdn\.co|spotifycdn\.com)/[0-9A-Za-z/._~%?=&-]*")

# Values, in which a run of equal ones may be a pair (value, length).
type Runs = list[int | tuple[int, int]]


class Album(Row, frozen=True):
    """An album. `id` and `image` are None if they cannot be links."""

    id: str | None
    name: str | None
    year: int | None
    image: str | None


class Artist(Row, frozen=True):
    """An artist. `id` is None if it cannot be a link."""

    id: str | None
    name: str | None


class Song(Row, frozen=True):
    """A song, podcast episode or other entry. `artists` and `album` are indexes."""

    id: str | None
    name: str | None
    kind: str
    artists: list[int]
    album: int | None
    seconds: int | None
    explicit: int
    popularity: int | None


class Entry(Row, frozen=True):
    """A song in a playlist.

    Attributes
    ----------
    song
        Index of the song.
    position
        In the last snapshot; None if the song is no longer in the playlist.
    week_ago
        Position a week before the last snapshot; 0 if it was not in the playlist, None if there was no snapshot.
    days, best, first
        Number of snapshots that contain it, its best position, and the first day it was seen.
    added
        Day it was added to the playlist, which may be before the first day of the report.
    start, positions
        Positions in the playlist's samples, beginning with sample number `start`; 0 where it was not in the playlist.
    """

    song: int
    position: int | None
    week_ago: int | None
    days: int
    best: int
    first: int
    added: int | None
    start: int
    positions: Runs


class Event(Row, frozen=True):
    """A song entered (`step` 1) or left (-1) at a position. `days` is how long it had been there when it left."""

    day: int
    step: int
    song: int
    position: int
    days: int


class ArtistSongs(Row, frozen=True):
    """Number of songs by an artist on the content's artist days, beginning with day number `start`."""

    artist: int
    start: int
    songs: Runs


class Playlist(msgspec.Struct, frozen=True, kw_only=True):
    """A playlist.

    Attributes
    ----------
    days, counts, entered, left
        For each day with a snapshot: the day, the number of entries, and how many entered and left since the previous
        snapshot.
    samples
        Days for which positions are kept.
    entries, former
        Songs in the last snapshot, and songs that are no longer in the playlist but led it.
    years, popularity
        Number of songs by release year, and by popularity in steps of ten; None if no song has a popularity.
    unlisted
        Number of entries that `entries` leaves out.
    """

    id: str | None
    name: str
    description: str | None
    owner: str | None
    image: str | None
    followers: int | None
    days: list[int]
    counts: list[int]
    entered: list[int]
    left: list[int]
    samples: list[int]
    entries: list[Entry]
    former: list[Entry]
    events: list[Event]
    artists: list[ArtistSongs]
    years: list[tuple[int, int]]
    popularity: list[int] | None
    mean_popularity: float | None
    songs: int
    seconds: int
    explicit: int
    unlisted: int


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the page.

    Attributes
    ----------
    first, last
        First and last day; None if the lake is empty.
    artist_days
        Days on which artists are counted.
    different_songs, different_artists
        In the last snapshots of all playlists together.
    charts
        None if no charts have been loaded.
    """

    first: dt.date | None = None
    last: dt.date | None = None
    artist_days: list[int] = []
    playlists: list[Playlist] = []
    top_artists: list[ArtistSongs] = []
    songs: list[Song] = []
    albums: list[Album] = []
    artists: list[Artist] = []
    different_songs: int = 0
    different_artists: int = 0
    charts: Charts | None = None


def artist_dates(snapshots: Iterable[SnapshotRow]) -> list[dt.date]:
    """Return the days on which artists are counted: all days, or one per week if there are too many.

    The day of each playlist's last snapshot is always included.
    """
    snapshots = list(snapshots)
    dates = sorted({row.snapshot_date for row in snapshots})
    if len(dates) <= queries.MOST_DATES:
        return dates
    weekly = {date.isocalendar()[:2]: date for date in dates}
    return sorted({*weekly.values(), *_last_dates(snapshots)})


def songs_to_look_up(
    standings: Iterable[StandingRow], snapshots: Iterable[SnapshotRow]
) -> tuple[set[dt.date], set[dt.date], set[str]]:
    """Return the dates on which to read all songs, older dates, and the ids of the songs to read on those.

    Songs that are still in a playlist are in its last snapshot. Songs that left recently are read from as few days as
    contain them all. So are former leaders that are missing on these days.
    """
    gone = sorted(
        (row for row in standings if row.kind == "song" and row.position is None),
        key=lambda row: row.last_seen,
    )
    dates = _days_with_all((row for row in gone if not row.is_leader), _last_dates(snapshots))
    older = [row for row in gone if _seen(row).isdisjoint(dates)]
    return dates, _days_with_all(older, set()), {row.entry for row in older}


def _days_with_all(rows: Iterable[StandingRow], dates: set[dt.date]) -> set[dt.date]:
    """Add as few dates as needed for each row to be in a playlist on at least one of the dates.

    The rows are ordered by the day they left: on the last day of one row, most of the following rows are present.
    """
    enough = set(dates)
    for row in rows:
        if _seen(row).isdisjoint(enough):
            enough.add(row.last_seen)
    return enough


def _seen(row: StandingRow) -> set[dt.date]:
    return {row.last_seen, *map(_date, row.days or ())}


def _date(day: int) -> dt.date:
    return EPOCH + dt.timedelta(days=day)


def _last_dates(snapshots: Iterable[SnapshotRow]) -> set[dt.date]:
    """Return the days of the playlists' last snapshots."""
    return set({row.playlist_id: row.snapshot_date for row in snapshots}.values())


def compose(
    snapshots: Sequence[SnapshotRow],
    standings: Sequence[StandingRow],
    artists: Sequence[ArtistRow],
    songs: Sequence[SongRow],
) -> Content:
    """Compose the playlists' part of the content.

    Parameters
    ----------
    snapshots
        At least one, ordered by playlist and day.
    standings, artists, songs
        Results of the other queries.

    Returns
    -------
    Content
        With playlists ordered by name.
    """
    window = Window.of(snapshots)
    catalog = _Catalog({row.song_id: row for row in songs})
    snapshots_of: dict[str, list[SnapshotRow]] = defaultdict(list)
    for snapshot in snapshots:
        snapshots_of[snapshot.playlist_id].append(snapshot)
    standings_of: dict[str, list[StandingRow]] = defaultdict(list)
    for row in standings:
        standings_of[row.playlist_id].append(row)
    artists_of: dict[str | None, list[ArtistRow]] = defaultdict(list)
    for artist in artists:
        artists_of[artist.playlist_id].append(artist)
    artist_days = [window.number(date) for date in artist_dates(snapshots)]

    def count_artists(playlist_id: str | None) -> list[ArtistSongs]:
        return [_artist(row, artist_days, catalog) for row in artists_of[playlist_id]]

    playlists = [
        _playlist(found, window, standings_of[playlist_id], count_artists(playlist_id), catalog)
        for playlist_id, found in snapshots_of.items()
    ]
    current = {row.entry for row in standings if row.position is not None and row.kind == "song"}
    credited = {
        artist_id
        for song_id in current
        if (song := catalog.rows.get(song_id))
        for artist_id in song.artist_ids
        if artist_id
    }
    return Content(
        first=window.first,
        last=window.last,
        artist_days=artist_days,
        playlists=sorted(playlists, key=lambda playlist: (playlist.name.casefold(), playlist.id or "")),
        top_artists=count_artists(None),
        songs=catalog.songs,
        albums=catalog.albums,
        artists=catalog.artists,
        different_songs=len(current),
        different_artists=len(credited),
    )


def runs(values: Iterable[int]) -> Runs:
    """Replace a value that occurs three or more times in a row with a pair.

    >>> runs([5, 5, 5, 5, 4, 4, 9])
    [(5, 4), 4, 4, 9]
    """
    written: Runs = []
    for value, group in groupby(values):
        times = sum(1 for _ in group)
        written.extend([(value, times)] if times >= SHORTEST_RUN else [value] * times)
    return written


@dataclass
class _Catalog:
    """Collects songs, albums and artists, each once, in the order in which they are first used."""

    rows: Mapping[str, SongRow]
    songs: list[Song] = field(default_factory=list)
    albums: list[Album] = field(default_factory=list)
    artists: list[Artist] = field(default_factory=list)
    _indexes: dict[tuple[str, str | None], int] = field(default_factory=dict)

    def song(self, standing: StandingRow) -> int:
        key = ("song", standing.entry)
        if key not in self._indexes:
            row = self.rows.get(standing.entry)
            if row is None:
                is_song = standing.kind == "song" and _ID.fullmatch(standing.entry)
                entry_id = standing.entry if is_song else None
                song = Song(entry_id, standing.name, standing.kind, [], None, None, 0, None)
            else:
                credited = zip(row.artist_ids, row.artist_names, strict=False)
                song = Song(
                    _linkable(row.song_id),
                    row.name or standing.name,
                    standing.kind,
                    [self.artist(artist_id, name) for artist_id, name in credited],
                    self.album(row),
                    None if row.duration_ms is None else round(row.duration_ms / 1000),
                    int(row.is_explicit is True),
                    row.popularity,
                )
            self._indexes[key] = len(self.songs)
            self.songs.append(song)
        return self._indexes[key]

    def album(self, row: SongRow) -> int | None:
        if row.album_id is None:
            return None
        key = ("album", row.album_id)
        if key not in self._indexes:
            self._indexes[key] = len(self.albums)
            album_id = _linkable(row.album_id)
            self.albums.append(Album(album_id, row.album, row.release_year, _image(row.image_url)))
        return self._indexes[key]

    def artist(self, artist_id: str | None, name: str | None) -> int:
        key = ("artist", artist_id or name)
        if key not in self._indexes:
            self._indexes[key] = len(self.artists)
            self.artists.append(Artist(_linkable(artist_id), name))
        return self._indexes[key]


def _playlist(
    snapshots: Sequence[SnapshotRow],
    window: Window,
    standings: Sequence[StandingRow],
    artists: list[ArtistSongs],
    catalog: _Catalog,
) -> Playlist:
    last = snapshots[-1]
    days = [window.number(row.snapshot_date) for row in snapshots]
    samples = _samples(days, window)
    current = [standing for standing in standings if standing.position is not None]
    known = [song for standing in current if (song := catalog.rows.get(standing.entry))]
    popularities = [song.popularity for song in known if song.popularity is not None]
    years = Counter(song.release_year for song in known if song.release_year is not None)
    listed = [s for s in current if s.position is not None and s.position <= queries.LISTED]
    return Playlist(
        id=_linkable(last.playlist_id),
        name=last.playlist or last.playlist_id,
        description=last.description,
        owner=last.owner,
        image=_image(last.image_url),
        followers=last.followers,
        days=days,
        counts=[row.entry_count for row in snapshots],
        entered=[row.entered for row in snapshots],
        left=[0, *(row.leaving for row in snapshots[:-1])],  # counted in the next snapshot
        samples=samples,
        entries=[_entry(standing, window, samples, catalog) for standing in listed],
        former=[
            _entry(standing, window, samples, catalog)
            for standing in standings
            if standing.position is None and standing.is_leader
        ],
        events=_events(standings, window, days, catalog),
        artists=artists,
        years=sorted(years.items()),
        popularity=_histogram(popularities),
        mean_popularity=round(sum(popularities) / len(popularities), 1) if popularities else None,
        songs=sum(standing.kind == "song" for standing in current),
        seconds=round(sum(song.duration_ms or 0 for song in known) / 1000),
        explicit=sum(song.is_explicit is True for song in known),
        unlisted=len(current) - len(listed),
    )


def _entry(standing: StandingRow, window: Window, samples: Sequence[int], catalog: _Catalog) -> Entry:
    positions = _positions(standing, window)
    seen = [number for number, day in enumerate(samples) if day in positions]
    start = seen[0] if seen else 0
    before = bisect_right(samples, samples[-1] - WEEK) - 1
    return Entry(
        song=catalog.song(standing),
        position=standing.position,
        week_ago=positions.get(samples[before], 0) if before >= 0 else None,
        days=standing.days_in_list,
        best=standing.best,
        first=window.number(standing.first_seen),
        added=_added(standing.added_at, window),
        start=start,
        positions=runs(positions.get(day, 0) for day in samples[start : seen[-1] + 1]) if seen else [],
    )


def _events(
    standings: Iterable[StandingRow], window: Window, days: Sequence[int], catalog: _Catalog
) -> list[Event]:
    """Return what entered and left in the recent snapshots, newest first."""
    lately = [(before, day) for before, day in pairwise(days) if day > days[-1] - queries.NEWS]
    events = []
    for standing in standings:
        positions = _positions(standing, window)
        for before, day in lately:
            if (day in positions) != (before in positions):
                step = 1 if day in positions else -1
                position = positions[day if step > 0 else before]
                stayed = 0 if step > 0 else standing.days_in_list
                events.append(Event(day, step, catalog.song(standing), position, stayed))
    events.sort(key=lambda event: (-event.day, -event.step, event.position, event.song))
    return events[:MOST_EVENTS]


def _positions(standing: StandingRow, window: Window) -> dict[int, int]:
    """Return the positions by day."""
    days = (window.number(_date(day)) for day in standing.days or ())
    return dict(zip(days, standing.positions or (), strict=True))


def _artist(row: ArtistRow, artist_days: Sequence[int], catalog: _Catalog) -> ArtistSongs:
    counts = dict(zip(row.days, row.songs, strict=True))
    seen = [number for number, day in enumerate(artist_days) if day in counts]
    start, end = seen[0], seen[-1] + 1
    songs = runs(counts.get(day, 0) for day in artist_days[start:end])
    return ArtistSongs(catalog.artist(row.artist_id, row.name), start, songs)


def _samples(days: Sequence[int], window: Window) -> list[int]:
    """Return the days for which `standings` has positions."""
    recent = window.number(window.recent)
    weekly = {(window.first + dt.timedelta(days=day)).isocalendar()[:2]: day for day in days}
    return sorted({day for day in days if day >= recent} | set(weekly.values()))


def _histogram(popularities: Iterable[int]) -> list[int] | None:
    steps = Counter(min(popularity // POPULARITY_STEP, 9) for popularity in popularities)
    return [steps[step] for step in range(10)] if steps else None


def _added(added_at: int | None, window: Window) -> int | None:
    """Return the day, or None for the start of 1970, which Spotify reports for its own playlists."""
    return window.number(EPOCH + dt.timedelta(seconds=added_at)) if added_at else None


def _linkable(spotify_id: str | None) -> str | None:
    return spotify_id if spotify_id and _ID.fullmatch(spotify_id) else None


def _image(url: str | None) -> str | None:
    return url if url is not None and _IMAGE.fullmatch(url) else None
