"""Reads chart rows: layouts, what names of files show, and cells to typed columns. Pure: frames in, frames out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import reduce
from typing import Any, Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spotify_bulk import cells
from spotify_bulk.chart_kinds import CHARTS
from spotify_bulk.records import small_frame
from spotify_bulk.regions import region_names, words_in_file_names
from spotify_bulk.sources import CsvFile, Layout

LAYOUT: Final = Layout(
    "a chart",
    {
        "title": ("title", "track_name", "song_name", "track_title", "track", "song", "name"),
        "rank": (
            "rank",
            "position",
            "daily_rank",
            "chart_position",
            "ranking",
            "pos",
            *(
                f"{which}_{word}"
                for which in ("current", "chart", "this_week", "weekly", "daily", "track", "song", "spotify")
                for word in ("rank", "position", "pos", "ranking")
            ),
            "current",
            "this_week",
        ),
        "date": (
            "date",
            "chart_date",
            "snapshot_date",
            "week_date",
            ("year", "month", "day"),
            "week",
            "day",
        ),
        "artist": ("artist", "artist_names", "artists", "artist_name", "performer"),
        "url": (
            "url",
            "uri",
            "track_url",
            "track_uri",
            "spotify_url",
            "link",
            "spotify_id",
            "track_id",
            "id",
        ),
        "region": ("region", "country", "market", "region_code", "country_code"),
        "chart": ("chart", "chart_type", "chart_name"),
        "trend": ("trend",),
        "streams": ("streams", "stream_count", "streams_count"),
        "previous_rank": tuple(
            f"{which}_{word}"
            for which in ("previous", "prev", "last", "last_week")
            for word in ("rank", "position", "pos", "ranking")
        ),
        "artist_and_title": ("artist_and_title",),
    },
    required=(("rank",), ("title", "url", "artist_and_title")),
    sampled=("date", "region", "chart"),
)
TRENDS: Final = ("MOVE_UP", "MOVE_DOWN", "SAME_POSITION", "NEW_ENTRY")
# Values that the name and header of a file can give for all its rows.
FILE_VALUES: Final = {"date": "date", "region": "string", "chart": "string", "day_first": "boolean"}
FIRST_DAY, LAST_DAY = date(2006, 1, 1), date(2100, 1, 1)  # Spotify was founded in 2006
LOWEST_RANK: Final = 10_000

TRACK_LINK: Final = "https://open.spotify.com/track/"
_ID_LENGTH: Final = 22
_CHART_WORDS: Final = re.compile(r"(top|viral)[\W_]+(50|200)(?!\d)")
_TRACK_URL: Final = rf"(?:^|tracks?[:/])([0-9A-Za-z]{{{_ID_LENGTH}}})(?:$|[?#&/])"
_OTHER_URL: Final = rf"(?:album|artist|episode|playlist|show)[:/][0-9A-Za-z]{{{_ID_LENGTH}}}"
_DATE: Final = re.compile(r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)")
_CHART_ALIASES: Final = {
    "regional": "top200",
    "top200": "top200",
    "viral": "viral50",
    "viral50": "viral50",
    "top50": "top50",
}


def infer_file_values(source: CsvFile) -> dict[str, Any]:
    """Return the values that a file's name and header give for all its rows.

    ``regional-us-weekly-2020-01-03--2020-01-10.csv`` is the weekly top 200 of the United States, dated by the last day.

    Returns
    -------
    dict
        Value by name of FILE_VALUES; None if the file does not give it. Also ``likely_chart``, which the columns
        suggest.
    """
    names = words_in_file_names()
    dates = [day for match in _DATE.finditer(source.name) if (day := _date(*match.groups()))]
    name = _CHART_WORDS.sub(r"\1\2", source.name.lower().removesuffix(".gz"))
    parts = _DATE.sub(" <date> ", name).rsplit(".", 1)[0].split("/")
    *folders, file = ([part for part in re.split(r"[^\w<>]+|_", name) if part] for name in parts)
    chart = next(
        (
            _CHART_ALIASES[part]
            for part in (*file, *(part for folder in folders for part in folder))
            if part in _CHART_ALIASES
        ),
        None,
    )
    weekly = any("weekly" in part for part in (file, *folders))
    neighbors = {*_CHART_ALIASES, "daily", "weekly", "<date>"}
    beside = [
        names[part]
        for number, part in enumerate(file)
        if part in names and neighbors & set(file[max(0, number - 1) : number + 2])
    ]
    above = [names[" ".join(folder)] for folder in reversed(folders) if " ".join(folder) in names]
    daily_rank = "daily_rank" in source.header
    return {
        "date": dates[-1] if dates else None,
        "region": next(iter(beside + above), "Global" if daily_rank else None),
        "chart": chart and _with_period(chart, weekly=weekly),
        "likely_chart": _with_period(_chart_by_columns(source), weekly=weekly),
        "day_first": _day_first(source.sample.get("date", ())),
    }


def _with_period(chart: str, *, weekly: bool) -> str:
    return f"{chart}_weekly" if weekly and f"{chart}_weekly" in CHARTS else chart


def _chart_by_columns(source: CsvFile) -> str:
    if "daily_rank" in source.header:
        return "top50"
    return "top200" if "streams" in source.columns else "viral50"


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _day_first(values: Sequence[str]) -> bool | None:
    """Return whether dates such as 3/4/2017 start with the day; None if no unambiguous date shows it."""
    pairs = [
        match.groups() for value in values if (match := re.match(r"\s*(\d{1,2})/(\d{1,2})/\d{4}", value))
    ]
    if any(int(first) > 12 for first, _ in pairs):
        return True
    return False if any(int(second) > 12 for _, second in pairs) else None


def type_cells(frame: DataFrame, *, plain: bool) -> DataFrame:
    """Convert the cells of chart rows to typed columns, and find invalid rows.

    Parameters
    ----------
    frame
        ``cell`` with the columns of LAYOUT as text, ``file_value`` with FILE_VALUES.
    plain
        Accept only the usual notation, which is fast.

    Returns
    -------
    DataFrame
        With ``day`` (yyyymmdd), ``region``, ``chart``, ``rank``, ``track_key`` (of the id, or of title and artist),
        ``track_id``, ``title``, ``artist``, ``streams``, ``trend``, ``reason``, ``detail``. The reason ``url`` means
        that the link is not to a track, as in artist charts.
    """

    def cell(name: str) -> Column:
        return F.col(f"cell.{name}")

    regions = [{"spelling": spelling, "name": name} for spelling, name in region_names().items()]
    names = small_frame(frame.sparkSession, regions, {"spelling": "string", "name": "string"})
    converted = _plain_values(cell) if plain else _values(cell)
    values = frame.withColumns(
        converted
        | {
            "spelling": F.lower(F.trim(cell("region"))),
            "title": cells.text(cell("title")),
            "artist": cells.text(cell("artist")),
        }
        | ({} if plain else _credit(cell))
    ).join(F.broadcast(names), "spelling", "left")
    invalid = {
        "date": ~F.coalesce(F.col("chart_date").between(FIRST_DAY, LAST_DAY), F.lit(False)),
        "region": F.coalesce("name", F.nullif(F.col("spelling"), F.lit("")), "file_value.region").isNull(),
        "chart": F.col("chart").isNull(),
        "rank": ~F.coalesce(F.col("rank_value").between(1, LOWEST_RANK), F.lit(False)),
        "title": F.col("track_id").isNull() & (F.col("title").isNull() | F.lit(plain)),
        "streams": ~F.coalesce(F.col("streams") >= 0, ~cells.has_value(cell("streams"))),
        "trend": ~F.coalesce(F.col("given_trend").isin(*TRENDS), ~cells.has_value(cell("trend"))),
    }
    reason, detail = cells.first_invalid({"url": cell("url").rlike(_OTHER_URL)} | invalid, cell)
    if plain:
        # The second pass finds the actual reason.
        reason, detail = F.when(reduce(Column.__or__, invalid.values()), "values"), F.lit(None).cast("string")
    return values.withColumns(
        {
            "day": F.year("chart_date") * 10000 + F.month("chart_date") * 100 + F.dayofmonth("chart_date"),
            "region": F.coalesce("name", F.nullif(F.trim(cell("region")), F.lit("")), "file_value.region"),
            "rank": F.when(~invalid["rank"], F.col("rank_value")).cast("int"),
            # Ids are case-sensitive; titles and artists are compared without case.
            "track_key": F.xxhash64(F.coalesce("track_id", F.lower(F.concat_ws("\x1f", "title", "artist")))),
            "trend": F.coalesce("given_trend", _trend(F.col("rank_value"), F.col("previous"))),
            "reason": reason,
            "detail": detail,
        }
    ).drop("chart_date", "spelling", "name", "rank_value", "given_trend", "previous")


def _plain_values(cell: Callable[[str], Column]) -> dict[str, Column]:
    # Counting bytes is faster than counting characters, and both are equal for an id.
    is_link = F.startswith(cell("url"), F.lit(TRACK_LINK)) & (
        F.octet_length(cell("url")) == len(TRACK_LINK) + _ID_LENGTH
    )
    return {
        "chart_date": F.when(cell("date").isNull(), F.col("file_value.date")).otherwise(
            cells.plain_date(cell("date"))
        ),
        "chart": F.when(cell("chart").isNull(), F.col("file_value.chart")).when(
            cell("chart").isin(*CHARTS), cell("chart")
        ),
        "rank_value": cells.plain_whole_number(cell("rank")),
        "track_id": F.when(is_link, F.substring(cell("url"), len(TRACK_LINK) + 1, _ID_LENGTH)),
        "streams": cells.plain_whole_number(cell("streams")),
        "given_trend": cell("trend"),
        "previous": cells.plain_whole_number(cell("previous_rank")),
    }


def _values(cell: Callable[[str], Column]) -> dict[str, Column]:
    chart = F.translate(F.lower(cell("chart")), " _-", "")
    charts = {name.replace("_", ""): name for name in CHARTS} | _CHART_ALIASES
    known = F.create_map(*(F.lit(item) for pair in charts.items() for item in pair))
    return {
        "chart_date": F.when(
            cells.has_value(cell("date")), cells.any_date(cell("date"), F.col("file_value.day_first"))
        ).otherwise(F.col("file_value.date")),
        "chart": F.when(chart != "", known[chart]).otherwise(F.col("file_value.chart")),
        "rank_value": cells.whole_number(cell("rank")),
        "track_id": F.nullif(F.regexp_extract(F.trim(cell("url")), _TRACK_URL, 1), F.lit("")),
        "streams": cells.whole_number(cell("streams")),
        "given_trend": F.when(cells.has_value(cell("trend")), F.upper(F.trim(cell("trend")))),
        "previous": cells.whole_number(cell("previous_rank")),
    }


def _credit(cell: Callable[[str], Column]) -> dict[str, Column]:
    """Return title and artist, also from a combined cell such as kworb's ``Drake - IDGAF``."""
    both = cells.text(cell("artist_and_title"))
    artist = F.substring_index(both, " - ", 1)
    title = F.when(artist != both, F.substr(both, F.length(artist) + F.lit(4))).otherwise(both)
    return {
        "title": F.coalesce(cells.text(cell("title")), cells.text(title)),
        "artist": F.coalesce(cells.text(cell("artist")), F.when(artist != both, cells.text(artist))),
    }


def _trend(rank: Column, previous: Column) -> Column:
    return (
        F.when(previous <= 0, "NEW_ENTRY")
        .when(previous > rank, "MOVE_UP")
        .when(previous < rank, "MOVE_DOWN")
        .when(previous == rank, "SAME_POSITION")
    )
