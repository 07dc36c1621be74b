"""The charts on the page: choose a chart, build its queries, and compose the results.

Days are counted from 1970-01-01, because charts and playlists cover different periods.
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
from spotify_lake.report import forecasts
from spotify_lake.report.queries import sql
from spotify_lake.report.rows import Row
from spotify_lake.schema.warehouse import ChartName

FOLDER: Final = f"{keys.WAREHOUSE}fact_chart_entry/"
# If several charts end in the same year, the first of these is shown. Values: the viral chart of the same period.
SHOWN: Final = {
    ChartName.TOP200: ChartName.VIRAL50,
    ChartName.TOP200_WEEKLY: ChartName.VIRAL50_WEEKLY,
    ChartName.TOP50: ChartName.VIRAL50,
    ChartName.VIRAL50: None,
    ChartName.VIRAL50_WEEKLY: None,
}
WORLD: Final = "Global"
ARTISTS: Final = 10  # per region
PEAKS: Final = 12  # songs per region with the highest peaks
LONGEST: Final = 8  # songs per region that stayed in the chart longest
SPREAD: Final = 25  # songs that spread across regions
AHEAD: Final = 25  # songs that were viral first
EPOCH: Final = dt.date(1970, 1, 1)

_OBJECT = re.compile(rf"{FOLDER}year=(\d+)/chart=(\w+)/.+\.parquet")
_ID = re.compile(r"[0-9A-Za-z]{22}")


@dataclass(frozen=True)
class Found:
    """The chart to show.

    Attributes
    ----------
    chart
        Its name in the warehouse.
    viral
        The viral chart of the same period, daily or weekly; None if there is none.
    last_year
        The last year with entries.
    """

    chart: str
    viral: str | None
    last_year: int


class EndRow(msgspec.Struct, frozen=True):
    """The last day of a chart, as yyyymmdd, and its name."""

    title: str
    period: str
    last_key: int


class RegionRow(msgspec.Struct, frozen=True):
    """A region, with the number of days or weeks it has charts for."""

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
    """A song in a region. `last_rank` is None if the song is not in the region's last chart."""

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
    """A song, and the dates on which it entered the regions' charts."""

    track_id: str | None
    title: str | None
    artists: str | None
    peak: int
    first_region: str
    entered_keys: list[int]


class ViralRow(msgspec.Struct, frozen=True):
    """A song in a region, with the region's totals. A region without viral songs has one row, for its totals."""

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


class ChartSong(Row, frozen=True):
    """A song in the charts. `id` is None if it cannot be a link."""

    id: str | None
    title: str | None
    artists: str | None


class RegionArtist(Row, frozen=True):
    """An artist in a region: days or weeks with a song in the chart, number of songs, and their best rank."""

    name: str
    streams: int | None
    charts: int
    songs: int
    peak: int


class RegionSong(Row, frozen=True):
    """A song in a region: best rank, first day at it, number of charts at it, and number of charts overall."""

    song: int
    peak: int
    reached: int
    at_peak: int
    charts: int
    streams: int | None
    now: int | None


class Region(msgspec.Struct, frozen=True):
    """A region: first and last day of its charts, their number, and their total streams."""

    name: str
    first: int
    last: int
    charts: int
    streams: int | None
    artists: list[RegionArtist]
    songs: list[RegionSong]


class Spread(Row, frozen=True):
    """A song that spread: first day and region, best rank, and the days it took to reach each region."""

    song: int
    first: int
    region: str
    peak: int
    reached: list[int]


class Ahead(Row, frozen=True):
    """A song that was viral first: its first day in each chart, and its best rank in the chart that is shown."""

    region: str
    song: int
    viral: int
    entered: int
    peak: int


class Viral(Row, frozen=True):
    """How many songs entered the chart of a region, and how many of them had been viral before."""

    region: str
    entered: int
    before: int


class Charts(msgspec.Struct, frozen=True, kw_only=True):
    """The charts on the page.

    Attributes
    ----------
    title, period
        Name of the chart, and "daily" or "weekly".
    first, last
        Its first and last day.
    regions
        Ordered by name, with Global first.
    forecast
        The newest forecast of the chart; None if there is none.
    """

    title: str
    period: str
    first: int
    last: int
    songs: list[ChartSong] = []
    regions: list[Region] = []
    spread: list[Spread] = []
    ahead: list[Ahead] = []
    viral: list[Viral] = []
    forecast: forecasts.Forecast | None = None


@dataclass(frozen=True)
class Asked:
    """The queries about the charts in a window of days."""

    regions: Question[RegionRow]
    artists: Question[ArtistRow]
    songs: Question[SongRow]
    spread: Question[SpreadRow]
    viral: Question[ViralRow] | None


@dataclass(frozen=True)
class Answered:
    """The results of these queries."""

    regions: Sequence[RegionRow]
    artists: Sequence[ArtistRow]
    songs: Sequence[SongRow]
    spread: Sequence[SpreadRow]
    viral: Sequence[ViralRow] = field(default_factory=list)


def find(entry_keys: Iterable[str]) -> Found | None:
    """Choose the chart to show from the object keys of chart entries; None if there is none.

    It is the chart that ends last, or the first of them in SHOWN.
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
    """Query when a chart ends."""
    return Question("chart_end", sql("chart_end", chart=found.chart, last_year=found.last_year), EndRow)


def questions(found: Found, last: dt.date, days: int) -> Asked:
    """Build the queries for the `days` days up to `last`, restricted to the partitions of these years."""
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


def compose(
    ended: EndRow,
    answers: Answered,
    made: dt.date | None = None,
    forecast: Sequence[forecasts.SongRow] = (),
    scores: Sequence[forecasts.ScoreRow] = (),
) -> Charts | None:
    """Compose the content of the charts; None if no region has a chart.

    Parameters
    ----------
    ended, answers
        The chart's last day, and the results of the queries about it.
    made, forecast, scores
        The day of its newest forecast, and the results of the queries about that.
    """
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
                songs.index(song.track_id, song.title, song.artists),
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
        number = songs.index(gone.track_id, gone.title, gone.artists)
        reached = [day - entered[0] for day in entered]
        spread.append(Spread(number, entered[0], gone.first_region, gone.peak, reached))
    ahead = [
        Ahead(
            row.region,
            songs.index(row.track_id, row.title, row.artists),
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
        forecast=(
            forecasts.compose(made, date_of(ended.last_key), forecast, scores, index=songs.index)
            if made
            else None
        ),
    )


@dataclass
class _Songs:
    """Collects songs, each once, in the order in which they are first used."""

    listed: list[ChartSong] = field(default_factory=list)
    _indexes: dict[ChartSong, int] = field(default_factory=dict)

    def index(self, track_id: str | None, title: str | None, artists: str | None) -> int:
        song = ChartSong(track_id if track_id and _ID.fullmatch(track_id) else None, title, artists)
        if song not in self._indexes:
            self._indexes[song] = len(self.listed)
            self.listed.append(song)
        return self._indexes[song]


def date_of(key: int) -> dt.date:
    """Return the date of a key like 20211231."""
    return dt.date(key // 10000, key // 100 % 100, key % 100)


def _day(key: int) -> int:
    return (date_of(key) - EPOCH).days


def _key(date: dt.date) -> int:
    return date.year * 10000 + date.month * 100 + date.day
