"""The charts' star schema: entries, and the tables that describe them. Pure: frames in, frames out."""

from __future__ import annotations

from functools import reduce
from typing import Any, Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from spotify_bulk import cells
from spotify_bulk.artists import COMMA_NAMES
from spotify_bulk.chart_kinds import CHARTS
from spotify_bulk.charts import TRACK_LINK
from spotify_bulk.reconciliation import CONFLICT, DUPLICATE, KEPT
from spotify_bulk.records import small_frame
from spotify_bulk.regions import CODES

# The sort key of an entry in 63 bits: year and month (201712), chart, day, region, rank.
_CHART_BITS, _DAY_BITS, _REGION_BITS, _RANK_BITS = 3, 5, 23, 14
_PART_SHIFT: Final = _DAY_BITS + _REGION_BITS + _RANK_BITS

_COLLISION: Final = "Two tracks have the same surrogate key: choose another hash seed, see decision 22."
_LISTED: Final = r"""^\[['"].*['"]\]$"""
_KEPT_COMMA: Final = "\x1f"


def fact_rows(frame: DataFrame, *others: str) -> DataFrame:
    """Return the fact table's keys and measures of typed rows, and other columns of theirs."""
    return frame.select(
        "file",
        *others,
        F.col("day").alias("date_key"),
        _key("region").alias("region_key"),
        _key("chart").alias("chart_key"),
        "rank",
        "track_key",
        "streams",
        "trend",
    )


def mangled_tracks(rows: DataFrame, existing: DataFrame | None) -> DataFrame:
    """Return the ``track_key``, also repeatedly, of tracks without id whose title or artist became a date.

    Parameters
    ----------
    rows
        Typed rows.
    existing
        The table dim_track, or None.
    """
    parts = [rows] if existing is None else [rows, existing]
    mangled = cells.looks_like_date(F.col("title")) | cells.looks_like_date(F.col("artist"))
    found = (part.where(F.col("track_id").isNull() & mangled).select("track_key") for part in parts)
    return reduce(DataFrame.unionByName, found)


def classify_entries(rows: DataFrame, tasks: int, mangled: DataFrame | None = None) -> DataFrame:
    """Choose the entry for each date, region, chart and rank, and mark the other rows.

    The choice depends only on the content of the rows. Files can therefore overlap, and be loaded in any order and more
    than once.

    Parameters
    ----------
    rows
        New rows from fact_rows(), and rows of the lake with IN_LAKE as ``file``.
    tasks
        The number of tasks.
    mangled
        The ``track_key`` of tracks that lose against all others, or None if there are none.

    Returns
    -------
    DataFrame
        All rows in the table's order, with ``state``: KEPT, DUPLICATE (its values equal another row's or are missing)
        or CONFLICT (its values differ from the kept row's). The other columns are for fact_chart_entry().
    """
    order = [
        F.desc_nulls_last("streams"),
        F.asc("track_key"),
        F.asc_nulls_last("trend"),
        F.asc("file"),
    ]
    if mangled is not None:
        order.insert(0, F.asc_nulls_first("mangled"))
        flags = mangled.distinct().withColumn("mangled", F.lit(True))
        rows = rows.join(F.broadcast(flags), "track_key", "left")
    # Spark sorts by the first column first, and it differs for nearly all rows.
    same_entry = Window.partitionBy("sort_key", "region_key", "part").orderBy(*order)

    def adds_nothing(name: str) -> Column:
        return F.col(name).isNull() | (F.lag(name).over(same_entry) == F.col(name))

    above = F.lag("track_key").over(same_entry)
    same = (above == F.col("track_key")) & adds_nothing("streams") & adds_nothing("trend")
    state = F.when(above.isNull(), KEPT).when(same, DUPLICATE).otherwise(CONFLICT)
    packed = rows.withColumn("sort_key", _sort_key()).withColumn(
        "part", F.shiftright("sort_key", _PART_SHIFT)
    )
    names = ("file", "part", "sort_key", "region_key", "track_key", "streams", "trend")
    narrow = packed.select(*names, *(() if mangled is None else ("mangled",)))
    return narrow.repartition(tasks, "part").withColumn("state", state)


def _sort_key() -> Column:
    """Return month, chart, day, the first bits of the region's key, and rank as one number to sort by."""
    chart: Any = F
    for number, name in enumerate(CHARTS):
        chart = chart.when(F.col("chart_key") == F.xxhash64(F.lit(name)), number)
    key = F.floor(F.col("date_key") / 100)
    for bits, number in (
        (_CHART_BITS, chart),
        (_DAY_BITS, F.col("date_key") % 100),
        (_REGION_BITS, F.shiftrightunsigned("region_key", 64 - _REGION_BITS)),
        (_RANK_BITS, F.col("rank")),
    ):
        key = F.shiftleft(key, bits).bitwiseOR(number.cast("bigint"))
    return key


def _bits(shift: int, bits: int) -> Column:
    return F.shiftright("sort_key", shift).bitwiseAND(F.lit((1 << bits) - 1)).cast("int")


def fact_chart_entry(entries: DataFrame) -> DataFrame:
    """Return kept and conflicting entries with the table's columns and its partition columns.

    The first partition column, ``conflict_file``, is null for a kept entry. For a conflict it is the number of the file
    that the row came from, or IN_LAKE.
    """
    month = F.shiftright("part", _CHART_BITS).cast("int")
    number = _bits(_PART_SHIFT, _CHART_BITS)
    return entries.select(
        F.when(F.col("state") == CONFLICT, F.col("file")).alias("conflict_file"),
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


def dim_track(rows: DataFrame, existing: DataFrame | None) -> DataFrame:
    """Return the tracks of typed rows and of the existing table, with their latest title and artist.

    Artists in Python list notation, ``['Drake', 'Future']``, become ``Drake, Future``, as in other files.
    """
    artist = F.col("artist")
    listed = F.when(artist.rlike(_LISTED), F.array_join(cells.string_list(artist), ", ")).otherwise(artist)
    seen = (
        rows.groupBy("track_key", "track_id", "title", "artist")
        .agg(F.min("day").alias("first_date_key"), F.max("day").alias("last_date_key"))
        .withColumn("artist", listed)
    )
    if existing is not None:
        seen = seen.unionByName(existing.select(*seen.columns))
    # Some exports omit titles now and then, and spreadsheets turn some into dates.
    sound = [~F.coalesce(cells.looks_like_date(F.col(name)), F.lit(False)) for name in ("title", "artist")]
    latest = F.struct(F.col("title").isNotNull(), *sound, "last_date_key", "title", "artist")
    return (
        seen.groupBy("track_key")
        .agg(
            F.max("track_id").alias("track_id"),
            F.min("first_date_key").alias("first_date_key"),
            F.max("last_date_key").alias("last_date_key"),
            F.max(latest).alias("latest"),
            F.min("track_id").alias("other_id"),
        )
        .select(
            "track_key",
            "track_id",
            "latest.title",
            "latest.artist",
            F.concat(F.lit(TRACK_LINK), "track_id").alias("url"),
            "first_date_key",
            "last_date_key",
            F.when(F.col("other_id") != F.col("track_id"), F.raise_error(F.lit(_COLLISION))).alias("checked"),
        )
        .where(F.col("checked").isNull())
        .drop("checked")
    )


def without_rejected(tracks: DataFrame, lost: DataFrame, entries: DataFrame) -> DataFrame:
    """Return the tracks without those that only rejected rows had, and with the dates of their entries.

    Parameters
    ----------
    tracks
        From dim_track().
    lost
        The ``track_key`` of entries that lost against others.
    entries
        ``track_key`` and ``date_key`` of all entries in the lake, as this run leaves them.
    """
    doubtful = lost.select("track_key").distinct()
    dates = (
        entries.join(doubtful, "track_key", "left_semi")
        .groupBy("track_key")
        .agg(F.min("date_key").alias("first"), F.max("date_key").alias("last"))
    )
    checked = doubtful.join(dates, "track_key", "left").withColumn("is_checked", F.lit(True))
    return (
        tracks.join(checked, "track_key", "left")
        .where(F.col("is_checked").isNull() | F.col("first").isNotNull())
        .withColumns(
            {
                "first_date_key": F.coalesce("first", "first_date_key"),
                "last_date_key": F.coalesce("last", "last_date_key"),
            }
        )
        .select(*tracks.columns)
    )


def as_json(entries: DataFrame, tracks: DataFrame, regions: DataFrame) -> DataFrame:
    """Return ``content``, entries as JSON with names instead of keys; null if the track is missing.

    Parameters
    ----------
    entries
        Rows of fact_chart_entry().
    tracks, regions
        The tables dim_track and dim_region.
    """
    region = regions.select("region_key", F.col("name").alias("region"))
    track = tracks.select("track_key", "title", "artist", "url", F.lit(True).alias("is_known"))
    date_ = F.to_date(F.col("date_key").cast("string"), "yyyyMMdd").alias("date")
    row = F.struct(date_, "region", "chart", "rank", "title", "artist", "url", "streams", "trend")
    named = entries.join(region, "region_key", "left").join(track, "track_key", "left")
    return named.select(F.when(F.col("is_known"), F.to_json(row)).alias("content"))


def bridge_track_artist(tracks: DataFrame) -> DataFrame:
    """Return the artists of each track, in the order of their credits."""
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
    """Return the artists of a bridge, one for each name regardless of case, in the latest spelling."""
    return credits_.groupBy("artist_key").agg(F.max(F.struct("last_date_key", "name"))["name"].alias("name"))


def dim_region(names: DataFrame) -> DataFrame:
    """Return the regions in the column ``region``."""
    codes = [{"name": name, "code": code} for name, code in CODES.items()]
    known = small_frame(names.sparkSession, codes, {"name": "string", "code": "string"})
    regions = names.groupBy(_key("region").alias("region_key")).agg(F.min("region").alias("name"))
    return regions.join(F.broadcast(known), "name", "left").select(
        "region_key", "name", F.col("code").alias("region_code")
    )


def dim_chart(names: DataFrame) -> DataFrame:
    """Return the charts in the column ``chart``."""
    kinds = [{"chart": name, "title": title, "period": period} for name, (title, period) in CHARTS.items()]
    known = small_frame(names.sparkSession, kinds, {"chart": "string", "title": "string", "period": "string"})
    charts = names.select("chart").distinct().join(F.broadcast(known), "chart", "left")
    return charts.select(_key("chart").alias("chart_key"), "chart", "title", "period")


def dim_date(days: DataFrame) -> DataFrame:
    """Return the dates in the column ``date_key``."""
    day = F.to_date(F.col("date_key").cast("string"), "yyyyMMdd")
    return (
        days.select("date_key")
        .distinct()
        .select(
            "date_key",
            day.alias("date"),
            F.year(day).alias("year"),
            F.quarter(day).alias("quarter"),
            F.month(day).alias("month"),
            F.weekofyear(day).alias("week"),
            F.dayofmonth(day).alias("day"),
            (F.weekday(day) + 1).alias("day_of_week"),
        )
    )


def _key(name: str) -> Column:
    """Return the surrogate key of a natural key; it is the same in every run."""
    return F.xxhash64(F.lower(F.col(name)))
