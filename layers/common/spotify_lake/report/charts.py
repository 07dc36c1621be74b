"""The charts on the page: which ones the warehouse has, what is asked of them, and the answers as content.

Days are counted from 1970-01-01, because charts and playlists are of different times.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from spotify_lake import keys
from spotify_lake.athena import Question
from spotify_lake.report.queries import sql

FOLDER: Final = f"{keys.WAREHOUSE}fact_chart_entry/"
# Which chart the page shows where several end in the same year, with the viral one of the same rhythm.
SHOWN: Final = {
    "top200": "viral50",
    "top200_weekly": "viral50_weekly",
    "top50": "viral50",
    "viral50": None,
    "viral50_weekly": None,
}
WORLD: Final = "Global"
ARTISTS: Final = 10  # of a region
PEAKS: Final = 12  # songs of a region that were longest at the highest rank
LONGEST: Final = 8  # and those that were in its chart longest
SPREAD: Final = 25  # songs that went around the world
AHEAD: Final = 25  # songs that were viral before
EPOCH: Final = dt.date(1970, 1, 1)

_OBJECT = re.compile(rf"{FOLDER}year=(\d+)/chart=(\w+)/.+\.parquet")
_ID = re.compile(r"[0-9A-Za-z]{22}")


@dataclass(frozen=True)
class Found:
    """What the warehouse has.

    Attributes
    ----------
    chart
        The chart to show.
    viral
        The viral chart of the same rhythm; None if there is none.
    last_year
        Year in which the chart ends.
    """

    chart: str
    viral: str | None
    last_year: int


class EndRow(msgspec.Struct, frozen=True):
    """When a chart ends, as yyyymmdd, and what it is called."""

    title: str
    period: str
    last_key: int


class RegionRow(msgspec.Struct, frozen=True):
    """A region with the days or weeks it has charts of."""

    region: str
    charts: int
    first_key: int
    last_key: int
    streams: int | None


class ArtistRow(msgspec.Struct, frozen=True):
    """An artist in a region."""

    region: str
    artist: str
    streams: int | None
    charts: int
    songs: int
    peak: int


class SongRow(msgspec.Struct, frozen=True):
    """A song in a region; `last_rank` is None when the region's last chart does not have it."""

    region: str
    track_id: str | None
    title: str | None
    artists: str | None
    peak: int
    reached_key: int
    charts_at_peak: int
    charts: int
    streams: int | None
    last_rank: int | None


class SpreadRow(msgspec.Struct, frozen=True):
    """A song, and the dates on which it entered the charts of regions."""

    track_id: str | None
    title: str | None
    artists: str | None
    peak: int
    first_region: str
    entered_keys: list[int]


class ViralRow(msgspec.Struct, frozen=True):
    """A song in a region, with the region's numbers; of a region without viral songs any song, to have its numbers."""

    region: str
    track_id: str | None
    title: str | None
    artists: str | None
    is_ahead: int
    viral_key: int | None
    entered_key: int
    peak: int
    entered: int
    viral_before: int


class Song(msgspec.Struct, array_like=True, frozen=True):
    """A song of the charts; `id` is None when there is nothing to link to."""

    id: str | None
    title: str | None
    artists: str | None


class RegionArtist(msgspec.Struct, array_like=True, frozen=True):
    """An artist in a region: days or weeks with a song in the chart, different songs, and their best rank."""

    name: str
    streams: int | None
    charts: int
    songs: int
    peak: int


class RegionSong(msgspec.Struct, array_like=True, frozen=True):
    """A song in a region: best rank, the day it was reached, how often the song was there, and in the chart."""

    song: int
    peak: int
    reached: int
    at_peak: int
    charts: int
    streams: int | None
    now: int | None


class Region(msgspec.Struct, frozen=True):
    """A region; first and last day of its charts, how many there are, and their streams."""

    name: str
    first: int
    last: int
    charts: int
    streams: int | None
    artists: list[RegionArtist]
    songs: list[RegionSong]


class Spread(msgspec.Struct, array_like=True, frozen=True):
    """A song that went around: first day, a region that had it then, best rank, and days until each region had it."""

    song: int
    first: int
    region: str
    peak: int
    reached: list[int]


class Ahead(msgspec.Struct, array_like=True, frozen=True):
    """A song that was viral first: first day in either chart, and its best rank in the one that is shown."""

    region: str
    song: int
    viral: int
    entered: int
    peak: int


class Viral(msgspec.Struct, array_like=True, frozen=True):
    """How many songs entered the chart of a region, and how many of them were viral before."""

    region: str
    entered: int
    before: int


class Charts(msgspec.Struct, frozen=True, kw_only=True):
    """The charts on the page.

    Attributes
    ----------
    title, period
        Which chart: its name, and whether it is daily or weekly.
    first, last
        Its first and last day.
    regions
        By name; those that are Global first.
    """

    title: str
    period: str
    first: int
    last: int
    songs: list[Song] = []
    regions: list[Region] = []
    spread: list[Spread] = []
    ahead: list[Ahead] = []
    viral: list[Viral] = []


@dataclass(frozen=True)
class Asked:
    """Everything that is asked of the charts in a window of days."""

    regions: Question[RegionRow]
    artists: Question[ArtistRow]
    songs: Question[SongRow]
    spread: Question[SpreadRow]
    viral: Question[ViralRow] | None


@dataclass(frozen=True)
class Answered:
    """The answers."""

    regions: Sequence[RegionRow]
    artists: Sequence[ArtistRow]
    songs: Sequence[SongRow]
    spread: Sequence[SpreadRow]
    viral: Sequence[ViralRow] = field(default_factory=list)


def find(entry_keys: Iterable[str]) -> Found | None:
    """Say from the keys of the entries' objects which chart to show; None when there is none.

    The chart that ends last, and of those the first of SHOWN.
    """
    years: dict[str, set[int]] = defaultdict(set)
    for key in entry_keys:
        if match := _OBJECT.fullmatch(key):
            years[match[2]].add(int(match[1]))
    known = [chart for chart in SHOWN if chart in years]
    if not known:
        return None
    last_year = max(max(years[chart]) for chart in known)
    chart = next(chart for chart in known if last_year in years[chart])
    viral = SHOWN[chart]
    return Found(chart, viral if viral in years else None, last_year)


def end(found: Found) -> Question[EndRow]:
    """Ask when a chart ends."""
    return Question("chart_end", sql("chart_end", chart=found.chart, last_year=found.last_year), EndRow)


def questions(found: Found, last: dt.date, days: int) -> Asked:
    """Ask about the `days` days up to `last`, of which only the years are read."""
    first = last - dt.timedelta(days=days - 1)
    window = {
        "chart": found.chart,
        "first_key": _key(first),
        "last_key": _key(last),
        "first_year": first.year,
        "last_year": last.year,
    }
    limits = {"artists": ARTISTS, "peaks": PEAKS, "longest": LONGEST, "spread": SPREAD, "ahead": AHEAD}

    def ask[Row: msgspec.Struct](name: str, row: type[Row], **values: object) -> Question[Row]:
        return Question(name, sql(name, **window, **limits, **values), row)

    return Asked(
        ask("chart_regions", RegionRow),
        ask("chart_artists", ArtistRow),
        ask("chart_songs", SongRow),
        ask("chart_spread", SpreadRow),
        ask("chart_viral", ViralRow, viral=found.viral) if found.viral else None,
    )


def compose(ended: EndRow, answers: Answered) -> Charts | None:
    """Put the answers together; None when no region has a chart."""
    if not answers.regions:
        return None
    songs = _Songs()
    artists_of: dict[str, list[RegionArtist]] = defaultdict(list)
    for row in answers.artists:
        artists_of[row.region].append(RegionArtist(row.artist, row.streams, row.charts, row.songs, row.peak))
    songs_of: dict[str, list[RegionSong]] = defaultdict(list)
    for song in answers.songs:
        songs_of[song.region].append(
            RegionSong(
                songs.place(song.track_id, song.title, song.artists),
                song.peak,
                _day(song.reached_key),
                song.charts_at_peak,
                song.charts,
                song.streams,
                song.last_rank,
            )
        )
    regions = [
        Region(
            row.region,
            _day(row.first_key),
            _day(row.last_key),
            row.charts,
            row.streams,
            artists_of[row.region],
            songs_of[row.region],
        )
        for row in sorted(answers.regions, key=lambda row: (row.region != WORLD, row.region))
    ]
    spread = []
    for gone in answers.spread:
        entered = [_day(key) for key in gone.entered_keys]
        place = songs.place(gone.track_id, gone.title, gone.artists)
        reached = [day - entered[0] for day in entered]
        spread.append(Spread(place, entered[0], gone.first_region, gone.peak, reached))
    ahead = [
        Ahead(
            row.region,
            songs.place(row.track_id, row.title, row.artists),
            _day(row.viral_key),
            _day(row.entered_key),
            row.peak,
        )
        for row in answers.viral
        if row.is_ahead and row.viral_key is not None
    ]
    shares = {
        row.region: Viral(row.region, row.entered, row.viral_before) for row in answers.viral if row.entered
    }
    return Charts(
        title=ended.title,
        period=ended.period,
        first=min(region.first for region in regions),
        last=max(region.last for region in regions),
        songs=songs.listed,
        regions=regions,
        spread=spread,
        ahead=ahead[:AHEAD],
        viral=list(shares.values()),
    )


@dataclass
class _Songs:
    """Songs, each once, in the order in which they are asked for."""

    listed: list[Song] = field(default_factory=list)
    _places: dict[Song, int] = field(default_factory=dict)

    def place(self, track_id: str | None, title: str | None, artists: str | None) -> int:
        song = Song(track_id if track_id and _ID.fullmatch(track_id) else None, title, artists)
        if song not in self._places:
            self._places[song] = len(self.listed)
            self.listed.append(song)
        return self._places[song]


def date_of(key: int) -> dt.date:
    """Return the date of a key like 20211231."""
    return dt.date(key // 10000, key // 100 % 100, key % 100)


def _day(key: int) -> int:
    return (date_of(key) - EPOCH).days


def _key(date: dt.date) -> int:
    return date.year * 10000 + date.month * 100 + date.day
