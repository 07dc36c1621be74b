"""Charts as a star schema. Pure: frames in, frames out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import reduce
from typing import Any, Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from spotify_bulk import cells
from spotify_bulk.accounts import CONFLICT
from spotify_bulk.artists import COMMA_NAMES
from spotify_bulk.records import small_table
from spotify_bulk.regions import CODES, region_names
from spotify_bulk.sources import Layout, Source

LAYOUT: Final = Layout(
    "a chart",
    {
        "title": ("title", "track_name", "song_name", "track_title", "track", "song", "name"),
        "rank": ("rank", "position", "daily_rank", "chart_position", "ranking", "pos"),
        "date": ("date", "chart_date", "snapshot_date", "week_date", "week", "day"),
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
        "previous_rank": ("previous_rank", "previous_position"),
        "artist_and_title": ("artist_and_title",),
    },
    required=(("rank",), ("title", "url", "artist_and_title")),
    sampled=("date",),
)
# The day of a daily chart, and the last day of a weekly one.
CHARTS: Final = {
    "top200": ("Top 200", "daily"),
    "viral50": ("Viral 50", "daily"),
    "top50": ("Top 50", "daily"),
    "top200_weekly": ("Top 200", "weekly"),
    "viral50_weekly": ("Viral 50", "weekly"),
}
TRENDS: Final = ("MOVE_UP", "MOVE_DOWN", "SAME_POSITION", "NEW_ENTRY")
FACTS: Final = {"date": "date", "region": "string", "chart": "string", "day_first": "boolean"}
FIRST_DAY, LAST_DAY = date(2006, 1, 1), date(2100, 1, 1)  # Spotify was founded in 2006
LOWEST_RANK: Final = 10_000
# Where an entry stands, in 63 bits: year and month (201712), chart, day, region, rank.
_CHART_BITS, _DAY_BITS, _REGION_BITS, _RANK_BITS = 3, 5, 23, 14
_PART_SHIFT: Final = _DAY_BITS + _REGION_BITS + _RANK_BITS

_COLLISION: Final = "Two tracks have the same surrogate key: the hash needs another seed, see decision 22."
_LISTED: Final = r"""^\[['"].*['"]\]$"""
_KEPT_COMMA: Final = "\x1f"
_TRACK_LINK: Final = "https://open.spotify.com/track/"
_ID_LENGTH: Final = 22
_NAMED_KIND: Final = re.compile(r"(top|viral)[\W_]+(50|200)(?!\d)")
_OF_TRACK: Final = rf"(?:^|tracks?[:/])([0-9A-Za-z]{{{_ID_LENGTH}}})(?:$|[?#&/])"
_OF_OTHERS: Final = rf"(?:album|artist|episode|playlist|show)[:/][0-9A-Za-z]{{{_ID_LENGTH}}}"
_DATE: Final = re.compile(r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)")
_KINDS: Final = {
    "regional": "top200",
    "top200": "top200",
    "viral": "viral50",
    "viral50": "viral50",
    "top50": "top50",
}


def known_of(source: Source) -> dict[str, Any]:
    """Return what a file's name and header tell of all its rows.

    ``regional-us-weekly-2020-01-03--2020-01-10.csv`` is the weekly top 200 of the United States; the last date counts.

    Returns
    -------
    dict
        FACTS by name; None for what the file does not tell.
    """
    names = region_names()
    dates = [_day(*match.groups()) for match in _DATE.finditer(source.name)]
    known_dates = [found for found in dates if found]
    name = _NAMED_KIND.sub(r"\1\2", source.name.lower().removesuffix(".gz"))
    parts = _DATE.sub(" <date> ", name).rsplit(".", 1)[0].split("/")
    *folders, file = ([part for part in re.split(r"[^\w<>]+|_", name) if part] for name in parts)
    kind = next(
        (
            _KINDS[part]
            for part in (*file, *(part for folder in folders for part in folder))
            if part in _KINDS
        ),
        None,
    )
    if kind is None and source.columns:
        kind = _kind_of(source)
    weekly = any("weekly" in part for part in (file, *folders))
    neighbors = {*_KINDS, "daily", "weekly", "<date>"}
    beside = [
        names[part]
        for number, part in enumerate(file)
        if part in names and neighbors & set(file[max(0, number - 1) : number + 2])
    ]
    above = [names[" ".join(folder)] for folder in reversed(folders) if " ".join(folder) in names]
    daily_rank = "daily_rank" in source.header
    return {
        "date": known_dates[-1] if known_dates else None,
        "region": next(iter(beside + above), "Global" if daily_rank else None),
        "chart": f"{kind}_weekly" if weekly and kind in ("top200", "viral50") else kind,
        "day_first": _day_first(source.sample.get("date", ())),
    }


def _kind_of(source: Source) -> str:
    if "daily_rank" in source.header:
        return "top50"
    return "top200" if "streams" in source.columns else "viral50"


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _day_first(values: Sequence[str]) -> bool | None:
    """Tell whether dates as 13/4/2017 begin with the day, by those that can be read in one way only."""
    pairs = [
        match.groups() for value in values if (match := re.match(r"\s*(\d{1,2})/(\d{1,2})/\d{4}", value))
    ]
    if any(int(first) > 12 for first, _ in pairs):
        return True
    return False if any(int(second) > 12 for _, second in pairs) else None


def typed(frame: DataFrame, *, plain: bool) -> DataFrame:
    """Give the cells of chart rows their types, and say what is wrong with a row.

    Parameters
    ----------
    frame
        ``cell`` with the columns of LAYOUT as text, ``fact`` with FACTS.
    plain
        Read only the usual notation, fast.

    Returns
    -------
    DataFrame
        With ``day`` (yyyymmdd), ``region``, ``chart``, ``rank``, ``track_key`` (of id, or title and artist),
        ``track_id``, ``title``, ``artist``, ``streams``, ``trend``, ``reason``, ``detail``. The reason ``url`` is a
        link to something else than a track, such as those of the charts of artists.
    """

    def cell(name: str) -> Column:
        return F.col(f"cell.{name}")

    regions = [{"written": written, "name": name} for written, name in region_names().items()]
    names = small_table(frame.sparkSession, regions, {"written": "string", "name": "string"})
    found = _plain_values(cell) if plain else _values(cell)
    values = frame.withColumns(
        found
        | {
            "written": F.lower(F.trim(cell("region"))),
            "title": cells.text(cell("title")),
            "artist": cells.text(cell("artist")),
        }
        | ({} if plain else _credit(cell))
    ).join(F.broadcast(names), "written", "left")
    wrong = {
        "date": ~F.coalesce(F.col("on").between(FIRST_DAY, LAST_DAY), F.lit(False)),
        "region": F.coalesce("name", F.nullif(F.col("written"), F.lit("")), "fact.region").isNull(),
        "chart": F.col("chart").isNull(),
        "rank": ~F.coalesce(F.col("position").between(1, LOWEST_RANK), F.lit(False)),
        "title": F.col("track_id").isNull() & (F.col("title").isNull() | F.lit(plain)),
        "streams": ~F.coalesce(F.col("streams") >= 0, ~cells.is_given(cell("streams"))),
        "trend": ~F.coalesce(F.col("move").isin(*TRENDS), ~cells.is_given(cell("trend"))),
    }
    reason, detail = cells.first_wrong({"url": cell("url").rlike(_OF_OTHERS)} | wrong, cell)
    if plain:
        # Whatever it is, it will be looked at again.
        reason, detail = F.when(reduce(Column.__or__, wrong.values()), "values"), F.lit(None).cast("string")
    return values.withColumns(
        {
            "day": F.year("on") * 10000 + F.month("on") * 100 + F.dayofmonth("on"),
            "region": F.coalesce("name", F.nullif(F.trim(cell("region")), F.lit("")), "fact.region"),
            "rank": F.when(~wrong["rank"], F.col("position")).cast("int"),
            # An id tells capitals apart; titles and artists do not.
            "track_key": F.xxhash64(F.coalesce("track_id", F.lower(F.concat_ws("\x1f", "title", "artist")))),
            "trend": F.coalesce("move", _trend(F.col("position"), F.col("previous"))),
            "reason": reason,
            "detail": detail,
        }
    ).drop("on", "written", "name", "position", "move", "previous")


def _plain_values(cell: Callable[[str], Column]) -> dict[str, Column]:
    # To count bytes is faster than to count characters; an id has as many of both.
    is_link = F.startswith(cell("url"), F.lit(_TRACK_LINK)) & (
        F.octet_length(cell("url")) == len(_TRACK_LINK) + _ID_LENGTH
    )
    return {
        "on": F.when(cell("date").isNull(), F.col("fact.date")).otherwise(cells.plain_day(cell("date"))),
        "chart": F.when(cell("chart").isNull(), F.col("fact.chart")).when(
            cell("chart").isin(*CHARTS), cell("chart")
        ),
        "position": cells.plain_whole(cell("rank")),
        "track_id": F.when(is_link, F.substring(cell("url"), len(_TRACK_LINK) + 1, _ID_LENGTH)),
        "streams": cells.plain_whole(cell("streams")),
        "move": cell("trend"),
        "previous": cells.plain_whole(cell("previous_rank")),
    }


def _values(cell: Callable[[str], Column]) -> dict[str, Column]:
    chart = F.translate(F.lower(cell("chart")), " _-", "")
    charts = {name.replace("_", ""): name for name in CHARTS} | _KINDS
    known = F.create_map(*(F.lit(item) for pair in charts.items() for item in pair))
    return {
        "on": F.when(
            cells.is_given(cell("date")), cells.day(cell("date"), F.col("fact.day_first"))
        ).otherwise(F.col("fact.date")),
        "chart": F.when(chart != "", known[chart]).otherwise(F.col("fact.chart")),
        "position": cells.whole(cell("rank")),
        "track_id": F.nullif(F.regexp_extract(F.trim(cell("url")), _OF_TRACK, 1), F.lit("")),
        "streams": cells.whole(cell("streams")),
        "move": F.when(cells.is_given(cell("trend")), F.upper(F.trim(cell("trend")))),
        "previous": cells.whole(cell("previous_rank")),
    }


def _credit(cell: Callable[[str], Column]) -> dict[str, Column]:
    """Return title and artist, also of ``Drake - IDGAF`` in one cell, as kworb has it."""
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


def rows_of(frame: DataFrame) -> DataFrame:
    """Return what the fact table keeps of typed rows: keys and measures."""
    return frame.select(
        "file",
        F.col("day").alias("date_key"),
        _key("region").alias("region_key"),
        _key("chart").alias("chart_key"),
        "rank",
        "track_key",
        "streams",
        "trend",
    )


def entries(rows: DataFrame, tasks: int) -> DataFrame:
    """Say which rows are the entries of the charts: one for each date, region, chart and rank.

    Which one that is depends on what the rows say and not on where they stand, so that files can come in any order,
    overlap, and come again.

    Parameters
    ----------
    rows
        As rows_of() returns them, and those of the lake with IN_LAKE as file.
    tasks
        In how many tasks to do it.

    Returns
    -------
    DataFrame
        All rows in the table's order, with ``state``: ``kept``, ``duplicate`` (says the same as another, or
        less) or ``conflict`` (says something else than the one that is kept). The rest is for fact_chart_entry().
    """
    order = [
        F.desc_nulls_last("streams"),
        F.asc("track_key"),
        F.asc_nulls_last("trend"),
        F.asc("file"),
    ]
    # Sorted by the first column above all: its bits tell nearly all rows apart.
    one = Window.partitionBy("place", "region_key", "part").orderBy(*order)

    def says_no_more(name: str) -> Column:
        return F.col(name).isNull() | (F.lag(name).over(one) == F.col(name))

    above = F.lag("track_key").over(one)
    same = (above == F.col("track_key")) & says_no_more("streams") & says_no_more("trend")
    state = F.when(above.isNull(), "kept").when(same, "duplicate").otherwise(CONFLICT)
    packed = rows.withColumn("place", _place()).withColumn("part", F.shiftright("place", _PART_SHIFT))
    narrow = packed.select("file", "part", "place", "region_key", "track_key", "streams", "trend")
    return narrow.repartition(tasks, "part").withColumn("state", state)


def _place() -> Column:
    """Return month, chart, day, the first bits of the region's key, and rank in one number, to sort by."""
    chart: Any = F
    for number, name in enumerate(CHARTS):
        chart = chart.when(F.col("chart_key") == F.xxhash64(F.lit(name)), number)
    place = F.floor(F.col("date_key") / 100)
    for bits, number in (
        (_CHART_BITS, chart),
        (_DAY_BITS, F.col("date_key") % 100),
        (_REGION_BITS, F.shiftrightunsigned("region_key", 64 - _REGION_BITS)),
        (_RANK_BITS, F.col("rank")),
    ):
        place = F.shiftleft(place, bits).bitwiseOR(number.cast("bigint"))
    return place


def _bits(shift: int, bits: int) -> Column:
    return F.shiftright("place", shift).bitwiseAND(F.lit((1 << bits) - 1)).cast("int")


def fact_chart_entry(kept: DataFrame) -> DataFrame:
    """Return the table of entries, with the columns that its objects are divided by.

    The first is ``state``: ``kept``, or ``conflict=`` and the number of the file.
    """
    month = F.shiftright("part", _CHART_BITS).cast("int")
    number = _bits(_PART_SHIFT, _CHART_BITS)
    state = F.when(F.col("state") == "kept", "kept").otherwise(F.concat_ws("=", "state", "file"))
    return kept.select(
        state.alias("state"),
        (month * 100 + _bits(_RANK_BITS + _REGION_BITS, _DAY_BITS)).alias("date_key"),
        "region_key",
        F.element_at(F.array(*(F.xxhash64(F.lit(name)) for name in CHARTS)), number + 1).alias("chart_key"),
        _bits(0, _RANK_BITS).alias("rank"),
        "track_key",
        "streams",
        "trend",
        (month / 100).cast("int").alias("year"),
        F.element_at(F.array(*map(F.lit, CHARTS)), number + 1).alias("chart"),
        month.alias("month"),
    )


def dim_track(rows: DataFrame, before: DataFrame | None) -> DataFrame:
    """Return the tracks of typed rows and of the table as it was: title and artist as they were last written.

    An artist written as a list of Python, ``['Drake', 'Future']``, becomes ``Drake, Future``, as in other files.
    """
    artist = F.col("artist")
    listed = F.when(artist.rlike(_LISTED), F.array_join(cells.words(artist), ", ")).otherwise(artist)
    seen = (
        rows.groupBy("track_key", "track_id", "title", "artist")
        .agg(F.min("day").alias("first_date_key"), F.max("day").alias("last_date_key"))
        .withColumn("artist", listed)
    )
    if before is not None:
        seen = seen.unionByName(before.select(*seen.columns))
    # Some exports leave out titles now and then.
    last = F.struct(F.col("title").isNotNull(), "last_date_key", "title", "artist")
    return (
        seen.groupBy("track_key")
        .agg(
            F.max("track_id").alias("track_id"),
            F.min("first_date_key").alias("first_date_key"),
            F.max("last_date_key").alias("last_date_key"),
            F.max(last).alias("last"),
            F.min("track_id").alias("other_id"),
        )
        .select(
            "track_key",
            "track_id",
            "last.title",
            "last.artist",
            F.concat(F.lit(_TRACK_LINK), "track_id").alias("url"),
            "first_date_key",
            "last_date_key",
            F.when(F.col("other_id") != F.col("track_id"), F.raise_error(F.lit(_COLLISION))).alias("checked"),
        )
        .where(F.col("checked").isNull())
        .drop("checked")
    )


def bridge_track_artist(tracks: DataFrame) -> DataFrame:
    """Return which artists a track has, in the order they are credited in."""
    text: Any = F.col("artist")
    for name in COMMA_NAMES:
        text = F.replace(text, F.lit(name), F.lit(name.replace(", ", _KEPT_COMMA)))
    names = F.transform(
        F.split(text, ", "), lambda name: F.trim(F.replace(name, F.lit(_KEPT_COMMA), F.lit(", ")))
    )
    credited = tracks.where(F.col("artist").isNotNull()).select(
        "track_key", "last_date_key", F.posexplode(F.array_distinct(names)).alias("position", "name")
    )
    return credited.where(F.col("name") != "").select(
        "track_key",
        F.xxhash64(F.lower("name")).alias("artist_key"),
        (F.col("position") + 1).cast("int").alias("position"),
        "name",
        "last_date_key",
    )


def dim_artist(credits_: DataFrame) -> DataFrame:
    """Return the artists of a bridge, by name in any case, spelled as they were last."""
    return credits_.groupBy("artist_key").agg(F.max(F.struct("last_date_key", "name"))["name"].alias("name"))


def dim_region(names: DataFrame) -> DataFrame:
    """Return the regions of ``region``."""
    codes = [{"name": name, "code": code} for name, code in CODES.items()]
    known = small_table(names.sparkSession, codes, {"name": "string", "code": "string"})
    regions = names.groupBy(_key("region").alias("region_key")).agg(F.min("region").alias("name"))
    return regions.join(F.broadcast(known), "name", "left").select(
        "region_key", "name", F.col("code").alias("region_code")
    )


def dim_chart(names: DataFrame) -> DataFrame:
    """Return the charts of ``chart``."""
    kinds = [{"chart": name, "title": title, "period": period} for name, (title, period) in CHARTS.items()]
    known = small_table(names.sparkSession, kinds, {"chart": "string", "title": "string", "period": "string"})
    charts = names.select("chart").distinct().join(F.broadcast(known), "chart", "left")
    return charts.select(_key("chart").alias("chart_key"), "chart", "title", "period")


def dim_date(days: DataFrame) -> DataFrame:
    """Return the dates of ``date_key``."""
    on = F.to_date(F.col("date_key").cast("string"), "yyyyMMdd")
    return (
        days.select("date_key")
        .distinct()
        .select(
            "date_key",
            on.alias("date"),
            F.year(on).alias("year"),
            F.quarter(on).alias("quarter"),
            F.month(on).alias("month"),
            F.weekofyear(on).alias("week"),
            F.dayofmonth(on).alias("day"),
            (F.weekday(on) + 1).alias("day_of_week"),
        )
    )


def _key(name: str) -> Column:
    """Return the surrogate key of a natural one: the same in every run."""
    return F.xxhash64(F.lower(F.col(name)))
