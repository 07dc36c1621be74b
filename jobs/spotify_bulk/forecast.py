"""Forecasts the streams of songs in a daily chart: features, baselines, one global model, its origins. Pure.

A level is the natural logarithm of one plus the streams, rounded; errors of levels are relative errors of streams. Days
are numbered from the first day of the window. Everything known on the day of an origin may be used for its forecast,
and nothing later: `known` refuses a lag into the future.
"""

from __future__ import annotations

from typing import Any, Final

from pyspark.ml.feature import VectorAssembler
from pyspark.ml.regression import RandomForestRegressionModel, RandomForestRegressor
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spotify_bulk.scores import DIGITS, SEED

WEEK: Final = 7
HORIZONS: Final = range(1, WEEK + 1)
LAGS: Final = (1, 2, 3, 7, 14)
MEMORY: Final = 14  # days before an origin that its features look back
TREES, DEPTH, LEAST_ROWS = 20, 9, 5  # of the forest; boosted trees took three times as long and were worse
MOST_TRAINING_ROWS: Final = 100_000
NAIVE, DRIFT, SEASONAL, MODEL = "naive", "drift", "seasonal naive", "random forest"
BASELINES: Final = (NAIVE, DRIFT, SEASONAL)
METHODS: Final = (*BASELINES, MODEL)
_FIRST_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday, and 0 is Monday
_OLDEST: Final = 60
_KEYS: Final = ("region_key", "track_key")


def known(array: str, ago: Any) -> Column:
    """Return the value of an array `ago` days before the origin, null if there is none.

    Raises
    ------
    ValueError
        The day is after the origin.
    """
    if isinstance(ago, int):
        if ago < 0:
            raise ValueError(f"A forecast must not use the value {-ago} days after its origin.")
        return F.get(array, F.col("origin") - ago)
    checked = F.when(ago < 0, F.raise_error(F.lit("A forecast must not use a value after its origin.")))
    return F.get(array, F.col("origin") - F.coalesce(checked.cast("int"), ago))


def series(entries: DataFrame, first: int, days: int) -> DataFrame:
    """Return a row for each song in a region, with the arrays `levels` and `ranks`, null on days outside the chart.

    Parameters
    ----------
    entries
        region_key, track_key, day (since 1970-01-01), rank and streams; the most streams of a song on a day count.
    first
        The first day of the window.
    days
        The length of the window.
    """
    one = entries.groupBy(*_KEYS, (F.col("day") - first).cast("int").alias("day")).agg(
        F.min("rank").alias("rank"), F.max("streams").alias("streams")
    )
    level = F.round(F.log1p(F.col("streams").cast("double")), DIGITS).alias("level")
    known = one.groupBy(*_KEYS).agg(
        F.sort_array(F.collect_list(F.struct("day", level, "rank"))).alias("known")
    )
    nothing = F.lit(None).cast("struct<day: int, level: double, rank: int>")

    def filled(known: Column) -> Column:
        """Put nothing where days are missing: before each known day, and after the last."""

        def with_gap(day: Column, number: Column) -> Column:
            before = F.coalesce(F.get(known, number - 1)["day"], F.lit(-1))
            return F.concat(F.array_repeat(nothing, day["day"] - before - 1), F.array(day))

        rest = F.array_repeat(nothing, days - 1 - F.element_at(known, -1)["day"])
        return F.concat(F.flatten(F.transform(known, with_gap)), rest)

    # As the argument of a function, the list is sorted once. Spark would sort a column anew for every day.
    every = known.select(*_KEYS, F.transform(F.array("known"), filled)[0].alias("day"))
    return every.select(*_KEYS, F.col("day.level").alias("levels"), F.col("day.rank").alias("ranks"))


def moves(songs: DataFrame) -> DataFrame:
    """Return how far the songs of each region moved on average over each horizon, one week before each origin."""
    ahead = songs.select("region_key", "levels", F.explode(F.array(*map(F.lit, HORIZONS))).alias("horizon"))
    moved = F.transform(
        "levels", lambda level, day: F.get("levels", (day + F.col("horizon")).cast("int")) - level
    )
    pairs = ahead.select("region_key", "horizon", F.posexplode(moved).alias("day", "move"))
    # Whole numbers, because their sum does not depend on their order.
    whole = F.round(F.col("move") * 10**DIGITS).cast("bigint")
    mean = F.round(F.sum(whole) / F.count(whole) / 10**DIGITS, DIGITS)
    return (
        pairs.where(F.col("move").isNotNull())
        .groupBy("region_key", (F.col("day") + WEEK).alias("origin"), "horizon")
        .agg(mean.alias("region_move"))
    )


def forecasts_to_make(songs: DataFrame, first_origin: int, last_origin: int) -> DataFrame:
    """Return a row for each song, each origin on which it is in the chart, and each horizon."""
    return (
        songs.select("*", F.explode(F.sequence(F.lit(first_origin), F.lit(last_origin))).alias("origin"))
        .where(known("levels", 0).isNotNull())
        .select("*", F.explode(F.array(*map(F.lit, HORIZONS))).alias("horizon"))
    )


def with_features(rows: DataFrame, moved: DataFrame, first: int) -> DataFrame:
    """Return the rows of forecasts_to_make() with features, the forecasts of the baselines, and what came true.

    Parameters
    ----------
    rows
        The rows, all or a sample.
    moved
        What moves() returned.
    first
        The first day of the window.

    Returns
    -------
    DataFrame
        The keys, `origin`, `horizon`, `start` (the level at the origin), a column for each of `feature_names`, for
        each baseline, `actual` and `actual_rank` (null if unknown).
    """
    horizon, now = F.col("horizon"), known("levels", 0)
    week = [known("levels", ago) for ago in range(WEEK)]
    seen = F.filter(F.slice("levels", 1, F.col("origin") + 1), lambda level: level.isNotNull())
    last_week = known("levels", WEEK - horizon)  # the same weekday as the target's
    joined = rows.join(F.broadcast(moved), ["region_key", "origin", "horizon"], "left")
    move = F.coalesce("region_move", F.lit(0.0))
    oldest = [
        F.when(known("levels", ago).isNotNull(), (now - known("levels", ago)) / ago)
        for ago in range(MEMORY, 0, -1)
    ]
    on_first = F.array_position(F.transform("levels", lambda level: level.isNotNull()), True) - 1
    values = {
        "ahead": horizon,
        "weekday": (F.lit(first + _FIRST_WEEKDAY) + F.col("origin") + horizon) % WEEK,
        "region_move": move,
        "last_week": F.coalesce(last_week - now - move, F.lit(0.0)),
        "has_last_week": last_week.isNotNull().cast("int"),
        "days_of_week": F.aggregate(
            F.array(*week), F.lit(0), lambda total, level: total + level.isNotNull().cast("int")
        ),
        "above_week": now - _mean(F.array(*week)),
        "above_peak": now - F.array_max(seen),
        "age": F.least(F.col("origin") - on_first, F.lit(_OLDEST)),
        "rank": F.log(known("ranks", 0).cast("double")),
    } | {f"change_{ago}": F.coalesce(now - known("levels", ago), F.lit(0.0)) for ago in LAGS}
    features = [F.round(value.cast("double"), DIGITS).alias(name) for name, value in values.items()]
    future = F.col("origin") + horizon
    return joined.select(
        *_KEYS,
        "origin",
        "horizon",
        now.alias("start"),
        known("ranks", 0).alias("rank_now"),
        *features,
        now.alias(NAIVE),
        F.round(now + horizon * F.coalesce(*oldest, F.lit(0.0)), DIGITS).alias(DRIFT),
        F.coalesce(last_week, now).alias(SEASONAL),
        F.get("levels", future).alias("actual"),
        F.get("ranks", future).alias("actual_rank"),
    )


def feature_names() -> list[str]:
    """Return the names of the features, in the order of the model's vector."""
    return [
        "ahead", "weekday", "region_move", "last_week", "has_last_week", "days_of_week", "above_week", "above_peak",
        "age", "rank", *(f"change_{ago}" for ago in LAGS),
    ]  # fmt: skip


def _mean(values: Column) -> Column:
    there = F.filter(values, lambda value: value.isNotNull())
    return F.aggregate(there, F.lit(0.0), lambda total, value: total + value) / F.size(there)


def sampled(rows: DataFrame, share: float) -> DataFrame:
    """Return about that share of the rows of forecasts_to_make(), always the same ones."""
    place = F.pmod(F.xxhash64(*_KEYS, "origin", "horizon", F.lit(SEED)), F.lit(1_000_000))
    return rows.where(place < F.lit(round(share * 1_000_000)))


def fit(training: DataFrame) -> RandomForestRegressionModel:
    """Fit a forest to what a forecast lacks once the song has moved as its region did a week earlier.

    One partition in a fixed order makes the same model from the same rows, whatever machine they are on.
    """
    order = (*_KEYS, "origin", "horizon")
    rows = _vector(training).select(*order, "vector", (F.col("actual") - _simple()).alias("lacking"))
    forest = RandomForestRegressor(
        featuresCol="vector",
        labelCol="lacking",
        numTrees=TREES,
        maxDepth=DEPTH,
        minInstancesPerNode=LEAST_ROWS,
        featureSubsetStrategy="all",
        seed=SEED,
    )
    return forest.fit(rows.coalesce(1).sortWithinPartitions(*order))


def predicted(model: RandomForestRegressionModel, rows: DataFrame) -> DataFrame:
    """Return the rows with the model's forecast."""
    found = model.setPredictionCol("lacking").transform(_vector(rows))
    return found.withColumn(MODEL, F.round(_simple() + F.col("lacking"), DIGITS)).drop("vector", "lacking")


def _simple() -> Column:
    return F.col("start") + F.col("region_move")


def _vector(rows: DataFrame) -> DataFrame:
    return VectorAssembler(inputCols=feature_names(), outputCol="vector").transform(rows)
