"""One run of the report function: query, compose, render, store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from spotify_lake import keys
from spotify_lake.athena import Athena
from spotify_lake.observability import logger, metrics
from spotify_lake.report import charts, forecasts, plays, queries
from spotify_lake.report.charts import Charts
from spotify_lake.report.content import Content, artist_dates, compose, songs_to_look_up
from spotify_lake.report.page import render
from spotify_lake.report.plays import Plays
from spotify_lake.report.queries import SnapshotRow, StandingRow, Window
from spotify_lake.schema.playlists import PLAYLISTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a run wrote.

    Attributes
    ----------
    bucket, keys
        Where the page is stored.
    date
        Day of the newest snapshot; None if the lake is empty.
    playlists, chart_regions, size_bytes
        Number of playlists and chart regions on the page, and its size.
    """

    bucket: str
    keys: list[str]
    date: dt.date | None
    playlists: int
    chart_regions: int
    size_bytes: int


def run(athena: Athena, s3: S3Client, bucket: str, days: int, zone: str, now: dt.datetime) -> Written:
    """Write the page as ``report/index.html``, with a copy named after the day of the newest snapshot.

    Parameters
    ----------
    athena
        Runs the queries.
    s3, bucket
        Where to store the page.
    days
        Number of days of playlists and charts that the page covers.
    zone
        Time zone of the days and hours of plays.
    now
        Time shown in the page's footer.

    Raises
    ------
    QueryFailed
        A query failed; nothing is written.
    """
    heard = ask_plays(athena, s3, bucket, zone)
    content = ask(athena, newest_date(s3, bucket, now.date()), days, heard)
    entry_keys, forecast_keys = (keys_in(s3, bucket, module.FOLDER) for module in (charts, forecasts))
    content = msgspec.structs.replace(content, charts=ask_charts(athena, entry_keys, forecast_keys, days))
    page = render(content, now)
    by_day = [] if content.last is None else [f"{keys.REPORT}{content.last}.html"]
    page_keys = [*by_day, keys.REPORT_INDEX]
    for key in page_keys:
        s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=page,
            ContentType="text/html; charset=utf-8",
            # Both objects are overwritten when the report runs again on the same day.
            CacheControl="no-cache",
        )
    written = Written(
        bucket=bucket,
        keys=page_keys,
        date=content.last,
        playlists=len(content.playlists),
        chart_regions=len(content.charts.regions) if content.charts else 0,
        size_bytes=len(page),
    )
    metrics.add_metric("ReportsWritten", MetricUnit.Count, 1)
    logger.info("Wrote the report", **msgspec.to_builtins(written))
    return written


def newest_date(s3: S3Client, bucket: str, today: dt.date) -> dt.date | None:
    """Return the day of the newest snapshot up to today, the last day that Athena sees.

    Listing the day folders takes one request per thousand days; Athena would read an object from each.
    """
    folder = keys.partition_prefix(PLAYLISTS.prefix)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, Delimiter="/")
    dates = (
        dt.date.fromisoformat(found["Prefix"].removeprefix(folder).rstrip("/"))
        for page in pages
        for found in page.get("CommonPrefixes", [])
    )
    return max((date for date in dates if date <= today), default=None)


def ask_plays(athena: Athena, s3: S3Client, bucket: str, zone: str) -> Plays | None:
    """Query everything that the page shows about plays; None if there are none, which takes one request.

    Raises
    ------
    QueryFailed
        A query failed.
    """
    if not s3.list_objects_v2(Bucket=bucket, Prefix=plays.FOLDER, MaxKeys=1).get("Contents"):
        return None
    return plays.ask(athena, zone)


def ask(athena: Athena, last: dt.date | None, days: int, heard: Plays | None = None) -> Content:
    """Query everything that the page shows about playlists, and compose it with what was asked about plays.

    Parameters
    ----------
    athena
        Runs the queries.
    last
        Day of the newest snapshot; None if there is none.
    days
        Number of days the page covers, up to that day.
    heard
        The answers about plays.

    Raises
    ------
    QueryFailed
        A query failed.
    """
    if last is None:
        return compose([], [], [], [], heard)
    histories = athena.ask(queries.histories(Window(last - dt.timedelta(days=days - 1), last)))
    snapshots = [row for row in histories if isinstance(row, SnapshotRow)]
    standings = [row for row in histories if isinstance(row, StandingRow)]
    if not snapshots:
        return compose([], [], [], [], heard)
    artists = athena.start(queries.artists(Window.of(snapshots), artist_dates(snapshots)))
    songs = athena.start(queries.songs(*songs_to_look_up(standings, snapshots)))
    return compose(snapshots, standings, artists(), songs(), heard)


def keys_in(s3: S3Client, bucket: str, folder: str) -> Iterator[str]:
    """Return the keys in a folder. Listing is cheaper than asking Athena whether there are any rows."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
    return (found["Key"] for page in pages for found in page.get("Contents", []))


def ask_charts(
    athena: Athena, entry_keys: Iterable[str], forecast_keys: Iterable[str], days: int
) -> Charts | None:
    """Query everything that the page shows about the last `days` days of the charts; None if there are no charts.

    Parameters
    ----------
    athena
        Runs the queries.
    entry_keys, forecast_keys
        The keys of chart entries and of forecasts. The latter are not listed without charts.
    days
        Number of days the page covers.

    Raises
    ------
    QueryFailed
        A query failed.
    """
    found = charts.find(entry_keys)
    if found is None:
        return None
    ends = athena.ask(charts.end(found))
    if not ends:
        return None
    last = charts.date_of(ends[0].last_key)
    asked = charts.questions(found, last, days)
    made = forecasts.find(forecast_keys, found.chart)
    of_forecast = forecasts.questions(found.chart, made, last) if made else None
    regions, artists = athena.start(asked.regions), athena.start(asked.artists)
    songs, spread = athena.start(asked.songs), athena.start(asked.spread)
    viral = athena.start(asked.viral)() if asked.viral else []
    answers = charts.Answered(regions(), artists(), songs(), spread(), viral)
    if of_forecast is None:
        return charts.compose(ends[0], answers, made)
    forecast, scores = athena.start(of_forecast.songs), athena.start(of_forecast.scores)
    return charts.compose(ends[0], answers, made, forecast(), scores())
