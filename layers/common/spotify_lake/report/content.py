"""Compose the content of the page from query results. Pure: the same rows give the same content.

Days are numbers, and the first day of the report is day 0. Each song, album and artist is stored once and referred to
by its index.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from spotify_lake.report import listening, queries
from spotify_lake.report.catalog import Album, Artist, Catalog, Song, image_link, linkable
from spotify_lake.report.charts import Charts
from spotify_lake.report.listening import Listening
from spotify_lake.report.plays import Plays
from spotify_lake.report.queries import ArtistRow, SnapshotRow, SongRow, StandingRow, Window
from spotify_lake.report.rows import Row, Runs, runs

EPOCH: Final = dt.date(1970, 1, 1)
WEEK: Final = 7
MOST_EVENTS: Final = 300  # per playlist
POPULARITY_STEP: Final = 10


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
    days, best, first, last
        Number of snapshots that contain it, its best position, and the first and last day it was seen.
    added
        Day it was added to the playlist, which may be before the first day of the report.
    start, positions
        Positions in the playlist's samples, beginning with sample number `start`; 0 where it was not in the playlist.
        A song that left recently and never led the playlist has those of the last 31 days.
    """

    song: int
    position: int | None
    week_ago: int | None
    days: int
    best: int
    first: int
    last: int
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
    """An artist's songs in a playlist, or in all of them.

    Attributes
    ----------
    artist
        Index of the artist.
    now
        Number of different songs in the playlist's last snapshot, or in all snapshots of the last day.
    start, entries
        Number of entries on the content's artist days, beginning with day number `start`. A song counts once in each
        playlist.
    """

    artist: int
    now: int
    start: int
    entries: Runs


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What different songs add up to, each counted once.

    Attributes
    ----------
    songs, explicit, seconds
        Their number, how many of them are explicit, and their total length.
    years, popularity
        Number of songs by release year, and by popularity in steps of ten; None if no song has a popularity.
    """

    songs: int = 0
    explicit: int = 0
    seconds: int = 0
    years: list[tuple[int, int]] = []
    popularity: list[int] | None = None
    mean_popularity: float | None = None


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
        Songs in the last snapshot, and songs that are no longer in the playlist but led it or left recently.
    totals
        Of the songs in the last snapshot.
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
    totals: Totals
    unlisted: int


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the page.

    Attributes
    ----------
    first, last
        First and last day; None if the lake is empty.
    artist_days
        Days on which artists are counted.
    totals, different_artists
        Of the different songs in the last snapshots of all playlists together.
    charts
        None if no charts have been loaded.
    listening
        None if there are no plays.
    """

    first: dt.date | None = None
    last: dt.date | None = None
    artist_days: list[int] = []
    playlists: list[Playlist] = []
    top_artists: list[ArtistSongs] = []
    songs: list[Song] = []
    albums: list[Album] = []
    artists: list[Artist] = []
    totals: Totals = Totals()
    different_artists: int = 0
    charts: Charts | None = None
    listening: Listening | None = None


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
    plays: Plays | None = None,
) -> Content:
    """Compose the content without its charts.

    Parameters
    ----------
    snapshots
        Ordered by playlist and day.
    standings, artists, songs
        Results of the other queries.
    plays
        The answers about plays; None if there are none.

    Returns
    -------
    Content
        With playlists ordered by name.
    """
    if not snapshots:
        return Content(listening=listening.compose(plays, Catalog({}), {}) if plays else None)
    window = Window.of(snapshots)
    catalog = Catalog({row.song_id: row for row in songs})
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

    songs_of = {playlist_id: _current_songs(standings_of[playlist_id]) for playlist_id in snapshots_of}
    seen_last = [songs_of[row.playlist_id] for row in snapshots if row.snapshot_date == window.last]

    def count_artists(playlist_id: str | None, current: Iterable[str]) -> list[ArtistSongs]:
        now = _songs_by_artist(current, catalog)
        return [_artist(row, now[row.artist_id], artist_days, catalog) for row in artists_of[playlist_id]]

    playlists = {
        playlist_id: _playlist(
            found,
            window,
            standings_of[playlist_id],
            _totals(songs_of[playlist_id], catalog),
            count_artists(playlist_id, songs_of[playlist_id]),
            catalog,
        )
        for playlist_id, found in snapshots_of.items()
    }
    by_name = sorted(playlists.items(), key=lambda one: (one[1].name.casefold(), one[1].id or ""))
    top_artists = count_artists(None, set().union(*seen_last))
    in_order = {playlist_id: standings_of[playlist_id] for playlist_id, _ in by_name}
    heard = listening.compose(plays, catalog, in_order) if plays else None
    current = set().union(*songs_of.values())
    return Content(
        first=window.first,
        last=window.last,
        artist_days=artist_days,
        playlists=[playlist for _, playlist in by_name],
        top_artists=top_artists,
        songs=catalog.songs,
        albums=catalog.albums,
        artists=catalog.artists,
        totals=_totals(current, catalog),
        different_artists=len(_songs_by_artist(current, catalog)),
        listening=heard,
    )


def _current_songs(standings: Iterable[StandingRow]) -> set[str]:
    """Return the songs in the last snapshot of a playlist."""
    return {row.entry for row in standings if row.position is not None and row.kind == "song"}


def _songs_by_artist(songs: Iterable[str], catalog: Catalog) -> Counter[str]:
    """Count songs by artist. A song by two artists counts for both."""
    known = (catalog.rows[song] for song in songs if song in catalog.rows)
    return Counter(artist for song in known for artist in set(song.artist_ids) if artist)


def _totals(songs: set[str], catalog: Catalog) -> Totals:
    known = [catalog.rows[song] for song in songs if song in catalog.rows]
    popularities = [song.popularity for song in known if song.popularity is not None]
    years = Counter(song.release_year for song in known if song.release_year is not None)
    return Totals(
        songs=len(songs),
        explicit=sum(song.is_explicit is True for song in known),
        seconds=round(sum(song.duration_ms or 0 for song in known) / 1000),
        years=sorted(years.items()),
        popularity=_histogram(popularities),
        mean_popularity=round(sum(popularities) / len(popularities), 1) if popularities else None,
    )


def _playlist(
    snapshots: Sequence[SnapshotRow],
    window: Window,
    standings: Sequence[StandingRow],
    totals: Totals,
    artists: list[ArtistSongs],
    catalog: Catalog,
) -> Playlist:
    last = snapshots[-1]
    days = [window.number(row.snapshot_date) for row in snapshots]
    samples = _samples(days, window)
    current = [standing for standing in standings if standing.position is not None]
    listed = [s for s in current if s.position is not None and s.position <= queries.LISTED]
    return Playlist(
        id=linkable(last.playlist_id),
        name=last.playlist or last.playlist_id,
        description=last.description,
        owner=last.owner,
        image=image_link(last.image_url),
        followers=last.followers,
        days=days,
        counts=[row.entry_count for row in snapshots],
        entered=[row.entered for row in snapshots],
        left=[0, *(row.leaving for row in snapshots[:-1])],  # counted in the next snapshot
        samples=samples,
        entries=[_entry(standing, window, samples, catalog) for standing in listed],
        former=[
            _entry(standing, window, samples, catalog, 0 if standing.is_leader else days[-1] - queries.NEWS)
            for standing in standings
            if standing.position is None and standing.days
        ],
        events=_events(standings, window, days, catalog),
        artists=artists,
        totals=totals,
        unlisted=len(current) - len(listed),
    )


def _entry(
    standing: StandingRow, window: Window, samples: Sequence[int], catalog: Catalog, since: int = 0
) -> Entry:
    positions = {day: place for day, place in _positions(standing, window).items() if day >= since}
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
        last=window.number(standing.last_seen),
        added=_added(standing.added_at, window),
        start=start,
        positions=runs(positions.get(day, 0) for day in samples[start : seen[-1] + 1]) if seen else [],
    )


def _events(
    standings: Iterable[StandingRow], window: Window, days: Sequence[int], catalog: Catalog
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


def _artist(row: ArtistRow, now: int, artist_days: Sequence[int], catalog: Catalog) -> ArtistSongs:
    counts = dict(zip(row.days, row.songs, strict=True))
    seen = [number for number, day in enumerate(artist_days) if day in counts]
    start, end = seen[0], seen[-1] + 1
    entries = runs(counts.get(day, 0) for day in artist_days[start:end])
    return ArtistSongs(catalog.artist(row.artist_id, row.name), now, start, entries)


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
