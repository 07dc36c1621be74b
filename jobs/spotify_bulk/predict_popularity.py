"""Runs the popularity job: reads songs from files or from the catalog, scores the forest, publishes predictions."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spotify_bulk import cells, popularity, scores
from spotify_bulk.card import model_card, write_card
from spotify_bulk.errors import NotEnough
from spotify_bulk.forecast_charts import accounted, publish_scores
from spotify_bulk.popularity import AUDIO, FOLDS, OTHERS
from spotify_bulk.records import Batch, read
from spotify_bulk.run import Run
from spotify_bulk.scores import Errors, score
from spotify_bulk.sources import Layout, inspect_files

if TYPE_CHECKING:
    from pyspark.ml.regression import RandomForestRegressionModel

PREDICTIONS: Final = "popularity_predictions"
NEED_SONGS: Final = 500
NEED_ARTISTS: Final = 50
NEED_FILLED: Final = 0.5  # share of the songs that must have a feature
LATE_SHARE: Final = 0.2  # of the songs, at least, that are predicted from older ones
MOST_PERMUTED: Final = 20_000
GROUPS: Final = 500  # of artists, which the bootstrap draws
LEVEL: Final = 0.8
MODEL, MEDIAN = "random forest", "median"
_BY_ARTIST, _BY_TIME = "artists apart", "later years"
_VALUES: Final = ("song_id", "track_name", "artist", "popularity", "genres", *AUDIO, *OTHERS)
_EXACT: Final = "decimal(24,6)"  # sums of these do not depend on the order

LAYOUT: Final = Layout(
    "songs with features and popularity",
    {
        "song_id": ("track_id", "id"),
        "track_name": ("track_name", "name"),
        "artist": ("track_artist", "artist_name", "artist", "artists"),
        "popularity": ("track_popularity", "popularity"),
        "released": ("track_album_release_date", "album_release_date", "release_date", "year"),
        "genre": ("playlist_genre", "track_genre", "genre"),
        "is_explicit": ("explicit", "is_explicit"),
    }
    | {name: (name,) for name in AUDIO},
    (("artist",), ("popularity",)),
)


@dataclass(frozen=True)
class Songs:
    """Songs to learn from.

    Attributes
    ----------
    name
        Where they come from.
    rows
        The columns of _VALUES.
    counts
        ``in`` and the reasons of rows that could not be read.
    """

    name: str
    rows: DataFrame
    counts: Counter[str]


def load(run: Run) -> dict[str, Any]:
    """Predict the popularity of the songs in the input's files, or without files of those in the catalog.

    Raises
    ------
    NotEnough
        There are too few songs, or they lack popularity or features. Nothing was published.
    """
    has_files = any(item.name.lower().endswith((".csv", ".csv.gz")) for item in run.arguments.input.find())
    given = _from_files(run) if has_files else _from_catalog(run)
    songs = _usable(run, given)
    names, genres = _features(songs)
    audio = [name for name in names if name in AUDIO]
    path = run.work_path("features")
    popularity.with_features(songs, names, genres).withColumn(
        "fold", popularity.fold_of(F.col("artist"))
    ).write.mode("overwrite").parquet(path)
    ready = run.spark.read.parquet(path)
    share = min(1.0, popularity.MOST_TRAINING_ROWS / given.counts["used"])
    data = given.name
    predicted, models = _out_of_fold(run, "all", ready, share)
    rows = _errors(predicted, data, _BY_ARTIST, "all features")
    if audio and len(audio) < len(names) + len(genres):
        only = ready.withColumn("features", F.slice("features", 1, len(audio)))
        rows += _errors(_out_of_fold(run, "audio", only, share)[0], data, _BY_ARTIST, "audio features only")
    rows += _later_years(run, ready, share, data) if "year" in names else []
    rows += _importance(models[0], ready, [*names, *(f"genre {genre}" for genre in genres)], data)
    low, high, covered = _interval(predicted)
    rows.append(score(MODEL, data, _BY_ARTIST, None, "coverage", covered, "nominal", LEVEL))
    table = predicted.select(
        F.lit(data).alias("data"),
        "song_id",
        "track_name",
        "artist",
        F.col("popularity").cast("int").alias("popularity"),
        *(
            F.round(F.greatest(F.lit(0.0), F.least(F.lit(100.0), F.col("predicted") + shift)), 6).alias(name)
            for name, shift in (("predicted", 0.0), ("predicted_low", low), ("predicted_high", high))
        ),
        "fold",
    )
    count = run.stage_table(PREDICTIONS, table, "song_id").count()
    findings = _findings(rows)
    write_card(run, model_card("Popularity of songs", data, findings, rows, popularity.LEFT_OUT))
    publish_scores(run, rows)
    run.publish(PREDICTIONS)
    tables = {PREDICTIONS: count, "model_scores": len(rows)}
    published = [f"the popularity of {count:,} songs"]
    return run.write_summary(
        accounted(given.counts) | {"tables": tables, "findings": findings, "published": published}
    )


def _from_catalog(run: Run) -> Songs:
    catalog = run.read_existing("track_catalog")
    if catalog is None:
        raise NotEnough(
            "There are no songs: load the catalog with ./lake bulk kaggle2023 FILES, or name a file with artist,"
            " popularity and audio features."
        )
    rows = catalog.select(
        F.col("track_id").alias("song_id"),
        "track_name",
        F.col("artist_name").alias("artist"),
        F.col("track_popularity").alias("popularity"),
        "genres",
        *AUDIO,
        F.col("is_explicit").cast("int").alias("is_explicit"),
        F.year("release_date").alias("year"),
    )
    return Songs("Kaggle 2023", rows, Counter({"in": rows.count()}))


def _from_files(run: Run) -> Songs:
    inspected, _ = inspect_files(run.arguments.input, [LAYOUT])
    for source, _layout in inspected:
        if source.problem:
            raise NotEnough(f"{source.name} cannot be used: {source.problem}")
    sources = [source for source, _ in inspected]
    found = read(
        run.spark, Batch(sources, run.input_paths(sources), LAYOUT, {}), _type_cells, run.work_path("read")
    )
    counts = Counter[str]()
    for count in found.counts.values():
        counts["in"] += count["rows"] + sum(count["rejects"].values())
        counts.update(count["rejects"])
    rows = found.rows.select(*_VALUES)
    known = F.coalesce("song_id", F.sha1(F.to_json(F.struct(*_VALUES[1:]))))
    return Songs(", ".join(source.name for source in sources), rows.withColumn("song_id", known), counts)


def _type_cells(frame: DataFrame, *, plain: bool) -> DataFrame:  # noqa: ARG001 (few rows: always the full notation)
    def cell(name: str) -> Column:
        return F.col(f"cell.{name}")

    number = cells.whole_number(cell("popularity"))
    year = F.regexp_extract(cell("released"), r"^\s*(\d{4})", 1).try_cast("int")
    values = {
        "song_id": cells.text(cell("song_id")),
        "track_name": cells.text(cell("track_name")),
        "artist": cells.text(cell("artist")),
        "popularity": F.when(number.between(0, 100), number).cast("int"),
        "genres": F.array_compact(F.array(cells.text(cell("genre")))),
        "is_explicit": cells.boolean(cell("is_explicit")).cast("int"),
        "year": year,
    } | {name: cells.decimal(cell(name)) for name in AUDIO}
    typed = frame.withColumns(values)
    invalid = {"popularity": cells.has_value(cell("popularity")) & typed["popularity"].isNull()}
    reason, detail = cells.first_invalid(invalid, cell)
    return typed.withColumns({"reason": reason, "detail": detail})


def _usable(run: Run, given: Songs) -> DataFrame:
    """Return one row for each song with artist and popularity, and count the others."""
    no_artist, no_number = F.col("artist").isNull(), F.col("popularity").isNull()
    lacks = given.rows.select(
        F.count_if(no_artist).alias("no artist"), F.count_if(~no_artist & no_number).alias("no popularity")
    ).first()
    given.counts.update({name: lacks[name] for name in ("no artist", "no popularity")})
    path = run.work_path("songs")
    whole = given.rows.where(~no_artist & ~no_number)
    popularity.distinct_songs(whole).select(*_VALUES).write.mode("overwrite").parquet(path)
    songs = run.spark.read.parquet(path)
    found = songs.agg(
        F.count("*").alias("songs"),
        F.count_distinct(F.lower("artist")).alias("artists"),
        F.count_distinct("popularity").alias("values"),
    ).first()
    if not found.songs or found["values"] == 1:
        raise NotEnough(
            f"The songs of {given.name} have no popularity, or all the same: it takes popularity from 0 to 100, which"
            " in the catalog comes from the tracks file of Kaggle's set."
        )
    if found.songs < NEED_SONGS or found.artists < NEED_ARTISTS:
        raise NotEnough(
            f"{given.name} has {found.songs} songs of {found.artists} artists with popularity: it takes at least"
            f" {NEED_SONGS} songs of {NEED_ARTISTS} artists."
        )
    left = given.counts["in"] - sum(n for name, n in given.counts.items() if name != "in")
    given.counts.update({"used": found.songs, "duplicates": left - found.songs})
    return songs


def _features(songs: DataFrame) -> tuple[list[str], list[str]]:
    """Return the numbers that enough songs have, audio first, and the genres."""
    names = [*AUDIO, *OTHERS]
    filled = songs.agg(F.count("*").alias("all"), *(F.count(name).alias(name) for name in names)).first()
    found = [name for name in names if filled[name] >= NEED_FILLED * filled["all"]]
    genres = popularity.frequent_genres(songs)
    if not found and not genres:
        raise NotEnough(
            "The songs have no features: it takes at least one of these columns, with values for half of the songs:"
            f" {', '.join(names)}, or genres."
        )
    return found, genres


def _out_of_fold(
    run: Run, name: str, ready: DataFrame, share: float
) -> tuple[DataFrame, list[RandomForestRegressionModel]]:
    """Predict each song by a model that has not seen its artist; also return the models, by fold."""
    parts, models = [], []
    for fold in range(FOLDS):
        training, held_out = split_by_artist(ready, fold)
        models.append(popularity.fit(popularity.sampled(training, share)))
        median = training.select(F.percentile("popularity", F.lit(0.5))).first()[0]
        parts.append(popularity.predicted(models[-1], held_out).withColumn(MEDIAN, F.lit(float(median))))
    path = run.work_path(f"predicted-{name}")
    reduce(DataFrame.unionByName, parts).write.mode("overwrite").parquet(path)
    return run.spark.read.parquet(path), models


def split_by_artist(ready: DataFrame, fold: int) -> tuple[DataFrame, DataFrame]:
    """Return the songs of the other folds and those of this one.

    Raises
    ------
    AssertionError
        An artist is on both sides, so the scores would be too good.
    """
    training, held_out = ready.where(F.col("fold") != fold), ready.where(F.col("fold") == fold)
    by = F.lower(F.trim("artist")).alias("by")
    both = training.select(by).join(held_out.select(by).distinct(), "by", "left_semi").limit(1).collect()
    if both:
        raise AssertionError(
            f"The artist {both[0].by!r} is in the training set and in the test set of fold {fold}."
        )
    return training, held_out


def _errors(predicted: DataFrame, data: str, split: str, features: str) -> list[dict[str, Any]]:
    """Return the rows of model_scores about predictions beside those of the median."""
    group = F.pmod(F.xxhash64(F.lower("artist")), F.lit(GROUPS)).alias("group")

    def total(name: str, power: int) -> Column:
        off = F.abs(F.col("popularity") - F.col(name)).cast("double")
        return F.sum(F.round(off**power, 6).cast(_EXACT)).cast("double")

    found = (
        predicted.groupBy(group)
        .agg(
            F.count("*").alias("count"),
            F.sum("popularity").alias("sum"),
            F.sum(F.col("popularity") ** 2).cast("double").alias("squares"),
            *(
                total(name, power).alias(f"{name}{power}")
                for name in ("predicted", MEDIAN)
                for power in (1, 2)
            ),
        )
        .orderBy("group")
        .collect()
    )
    count, summed = sum(row["count"] for row in found), sum(row["sum"] for row in found)
    variance: float = math.fsum(row.squares for row in found) - summed**2 / count

    def errors(name: str) -> list[Errors]:
        return [Errors(row[f"{name}1"], row["count"]) for row in found]

    def r2(name: str) -> float:
        squares: float = math.fsum(row[f"{name}2"] for row in found)
        return 1 - squares / variance

    margin = scores.margin(errors("predicted"), errors(MEDIAN))
    model = f"{MODEL}, {features}"
    values = {
        "mae": (scores.mean(errors("predicted")), scores.mean(errors(MEDIAN))),
        "r2": (r2("predicted"), r2(MEDIAN)),
        "margin": (margin.value, 0.0),
        "margin_low": (margin.low, 0.0),
        "margin_high": (margin.high, 0.0),
        "songs": (float(count), float(count)),
    }
    return [
        score(model, data, split, None, name, one, MEDIAN, other) for name, (one, other) in values.items()
    ]


def _later_years(run: Run, ready: DataFrame, share: float, data: str) -> list[dict[str, Any]]:
    """Score a model of older songs on the newest ones; of artists on both sides, only the older songs are used."""
    years = ready.where("year is not null").groupBy("year").count().collect()
    total, late, cut = sum(row["count"] for row in years), 0, None
    for row in sorted(years, key=lambda row: -row.year):
        late += row["count"]
        if late >= LATE_SHARE * total:
            cut = row.year
            break
    if cut is None or late == total:
        return []
    training, later = ready.where(F.col("year") < cut), ready.where(F.col("year") >= cut)
    by = F.lower(F.trim("artist"))
    new = later.join(training.select(by.alias("by")).distinct(), by == F.col("by"), "left_anti")
    if new.isEmpty():
        return []
    median = training.select(F.percentile("popularity", F.lit(0.5))).first()[0]
    path = run.work_path("predicted-later")
    found = popularity.predicted(popularity.fit(popularity.sampled(training, share)), new)
    found.withColumn(MEDIAN, F.lit(float(median))).write.mode("overwrite").parquet(path)
    return _errors(run.spark.read.parquet(path), data, f"{_BY_TIME} ({cut} on)", "all features")


def _importance(
    model: RandomForestRegressionModel, ready: DataFrame, names: list[str], data: str
) -> list[dict[str, Any]]:
    """Return how much the error grows if a feature is exchanged between songs that the model has not seen."""
    _, held_out = split_by_artist(ready, 0)
    count = held_out.count()
    some = popularity.sampled(held_out, min(1.0, MOST_PERMUTED / count))
    off = F.avg(F.abs(F.col("popularity") - F.col("predicted")).cast(_EXACT)).cast("double").alias("mae")
    before = popularity.predicted(model, some).select(off).first()[0]
    after = (
        popularity.predicted(model, popularity.permuted(some, len(names)))
        .groupBy("feature")
        .agg(off)
        .collect()
    )
    return [
        score(
            MODEL,
            data,
            _BY_ARTIST,
            None,
            f"importance of {names[row.feature]}",
            row.mae - before,
            "unchanged",
            0.0,
        )
        for row in sorted(after, key=lambda row: row.feature)
    ]


def _interval(predicted: DataFrame) -> tuple[float, float, float]:
    """Return the 80 % interval around a prediction, and how often the truth was in that of the other folds."""
    residual = F.round(F.col("popularity") - F.col("predicted"), 2).alias("residual")
    folds: dict[int, Counter[float]] = {fold: Counter() for fold in range(FOLDS)}
    for row in predicted.groupBy("fold", residual).count().collect():
        folds[row.fold][row.residual] = row["count"]
    inside = 0
    for fold, counted in folds.items():
        others = sum((one for other, one in folds.items() if other != fold), Counter[float]())
        low, high = scores.interval(others, LEVEL)
        inside += sum(count for value, count in counted.items() if low <= value <= high)
    every = sum(folds.values(), Counter[float]())
    return (*scores.interval(every, LEVEL), inside / every.total())


def _findings(rows: list[dict[str, Any]]) -> list[str]:
    by = {(row["model"], row["split"], row["metric"]): row for row in rows}
    said = []
    for model, split, metric in by:
        if metric != "mae":
            continue
        mae, r2, low, high = (by[model, split, name] for name in ("mae", "r2", "margin_low", "margin_high"))
        better = "better than" if low["value"] > 0 else "not surely better than"
        said.append(
            f"{model}, {split}: off by {mae['value']:.1f} points of popularity on average, {better} the median's"
            f" {mae['baseline_value']:.1f} (95 % interval of the difference {low['value']:.2f} to {high['value']:.2f});"
            f" R² {r2['value']:.3f}."
        )
    return said
