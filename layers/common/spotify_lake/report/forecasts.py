"""The forecast of the chart on the page: find the newest one, build its queries, and compose the results.

`./lake model charts` makes forecasts and scores; docs/models.md explains them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from spotify_lake import keys
from spotify_lake.athena import Question
from spotify_lake.report.queries import sql
from spotify_lake.report.rows import Row

FOLDER: Final = f"{keys.WAREHOUSE}chart_forecasts/"
AHEAD: Final = 7  # days that are forecast
PAST: Final = 28  # days before them that are shown
SONGS: Final = 10  # per region, those at the top
MODEL: Final = "random forest"
EPOCH: Final = dt.date(1970, 1, 1)

_OBJECT = re.compile(rf"{FOLDER}chart=(\w+)/made-(\d{{8}})\.parquet")


class SongRow(msgspec.Struct, frozen=True):
    """A song in a region: its rank and streams so far, and those forecast; the lists are in the order of the days.

    `past_keys` are the days, as yyyymmdd, of `past_streams`.
    """

    region: str
    track_id: str | None
    title: str | None
    artists: str | None
    rank_now: int
    method: str
    past_keys: list[int]
    past_streams: list[int]
    streams: list[int]
    streams_low: list[int]
    streams_high: list[int]
    ranks: list[int]
    ranks_best: list[int]
    ranks_worst: list[int]


class ScoreRow(msgspec.Struct, frozen=True):
    """A score of the last run. `made` is the day of its forecast, and `horizon` None for all days ahead together."""

    chart: str
    title: str
    made: dt.date
    model: str
    horizon: int | None
    metric: str
    value: float
    baseline: str
    baseline_value: float


class ForecastSong(Row, frozen=True):
    """A song: its rank on the day of the forecast, the streams of the last `PAST` days of the chart, and the forecast.

    `past` has None for days on which the song was not in the chart. The rank is that of the last day ahead.
    """

    region: str
    song: int
    now: int
    past: list[int | None]
    streams: list[int]
    low: list[int]
    high: list[int]
    rank: int
    best: int
    worst: int


class ForecastScore(Row, frozen=True):
    """How well the forecast of a chart did on earlier days.

    Attributes
    ----------
    chart, made
        Title of the chart, and day of the forecast.
    method
        Which forecast was published.
    baseline
        The best simple method.
    error, simple_error
        Mean relative error of the forest and of the best simple method.
    saved, saved_low, saved_high
        Share of the simple method's error that the forest avoids, with its 95 % interval.
    inside
        How often the truth was in the interval of the published forecast, which should be 0.8.
    by_day
        For each number of days ahead, the relative errors of forest and simple method, and how often the truth was
        in the interval.
    """

    chart: str
    made: int
    method: str
    baseline: str
    error: float
    simple_error: float
    saved: float
    saved_low: float
    saved_high: float
    inside: float
    by_day: list[tuple[float, float, float]]


class Forecast(msgspec.Struct, frozen=True):
    """The forecast on the page.

    Attributes
    ----------
    made
        The day on which it was made; the first day ahead is the next one.
    method
        How it was made; None if it does not continue the chart, and there are no songs.
    """

    made: int
    method: str | None = None
    songs: list[ForecastSong] = []
    scores: list[ForecastScore] = []


@dataclass(frozen=True)
class Asked:
    """The queries about a forecast."""

    songs: Question[SongRow]
    scores: Question[ScoreRow]


def find(forecast_keys: Iterable[str], chart: str) -> dt.date | None:
    """Return the day of the newest forecast of a chart, from the object keys of forecasts; None if there is none."""
    found = [match[2] for key in forecast_keys if (match := _OBJECT.fullmatch(key)) and match[1] == chart]
    return dt.date.fromisoformat(max(found)) if found else None


def questions(chart: str, made: dt.date, last: dt.date) -> Asked | None:
    """Build the queries for a forecast of a chart that ends on `last`; None if no day of it lies after that day."""
    if not made <= last < made + dt.timedelta(days=AHEAD):
        return None
    first = last - dt.timedelta(days=PAST - 1)
    songs = sql(
        "chart_forecast",
        chart=chart,
        made_key=f"{made:%Y%m%d}",
        first_key=f"{first:%Y%m%d}",
        last_key=f"{last:%Y%m%d}",
        first_year=first.year,
        last_year=last.year,
        songs=SONGS,
    )
    return Asked(
        Question("chart_forecast", songs, SongRow), Question("chart_scores", sql("chart_scores"), ScoreRow)
    )


def compose(
    made: dt.date,
    last: dt.date,
    songs: Sequence[SongRow] = (),
    scores: Sequence[ScoreRow] = (),
    *,
    index: Callable[[str | None, str | None, str | None], int],
) -> Forecast:
    """Compose the forecast.

    Parameters
    ----------
    made
        The day on which it was made.
    last
        The last day of the chart.
    songs, scores
        The results of the queries; none if they were not asked.
    index
        Returns the number of a song on the page from its id, title and artists.
    """
    days = [last - dt.timedelta(days=PAST - 1 - number) for number in range(PAST)]
    listed = []
    for row in songs:
        streams = dict(zip(row.past_keys, row.past_streams, strict=True))
        listed.append(
            ForecastSong(
                row.region,
                index(row.track_id, row.title, row.artists),
                row.rank_now,
                [streams.get(int(f"{day:%Y%m%d}")) for day in days],
                row.streams,
                row.streams_low,
                row.streams_high,
                row.ranks[-1],
                row.ranks_best[-1],
                row.ranks_worst[-1],
            )
        )
    by_chart: dict[str, list[ScoreRow]] = defaultdict(list)
    for score in scores:
        by_chart[score.chart].append(score)
    return Forecast(
        (made - EPOCH).days,
        songs[0].method if songs else None,
        listed,
        [_score(rows) for _, rows in sorted(by_chart.items())],
    )


def _score(rows: Sequence[ScoreRow]) -> ForecastScore:
    """Compose the scores of a chart."""
    found = {(row.metric, row.horizon): row for row in rows if row.metric == "coverage" or row.model == MODEL}
    error, coverage = found["log_mae", None], found["coverage", None]

    def saved(metric: str) -> float:
        return found[metric, None].value / found["mase", None].baseline_value

    return ForecastScore(
        rows[0].title,
        (rows[0].made - EPOCH).days,
        coverage.model,
        error.baseline,
        error.value,
        error.baseline_value,
        saved("margin"),
        saved("margin_low"),
        saved("margin_high"),
        coverage.value,
        [
            (row.value, row.baseline_value, found["coverage", horizon].value)
            for horizon in range(1, AHEAD + 1)
            for row in [found["log_mae", horizon]]
        ],
    )
