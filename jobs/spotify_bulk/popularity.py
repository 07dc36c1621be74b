"""Predicts the popularity of songs from what is known when they come out: features, folds, forests. Pure.

A feature may be used only if it is known at release and does not name the artist. The numbers that Spotify counts
from the same plays as the popularity, and everything that identifies an artist, are left out; see LEFT_OUT.
"""

from __future__ import annotations

from typing import Final

from pyspark.ml.functions import array_to_vector
from pyspark.ml.regression import RandomForestRegressionModel, RandomForestRegressor
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spotify_bulk.kaggle import FEATURE_NUMBERS, FEATURES
from spotify_bulk.scores import DIGITS, SEED

AUDIO: Final = (*FEATURES, *FEATURE_NUMBERS, "duration_ms")
GENRES: Final = 12  # the most frequent ones; a feature each
OTHERS: Final = ("is_explicit", "year")
LEFT_OUT: Final = {
    "artist_popularity": "Spotify computes it from the popularity of the artist's songs, the target among them.",
    "album_popularity": "Spotify computes it from the popularity of the album's songs, the target among them.",
    "followers": "Counted when the popularity was, years after most releases; a result of success.",
    "artist_id, artist_name": "An artist's mean repeats the target: its R² of 0.59 vanishes for new artists.",
    "album_id, album_name": "Songs of one album share artist and success.",
    "track_id, track_name": "They identify the song.",
    "label": "Thousands of names, many with a single artist.",
    "total_tracks, track_number": "They are known, but mark editions such as deluxe albums, which follow success.",
    "playlist_name, playlist_subgenre": "Songs were chosen for playlists because they were popular.",
    "release_decade": "The year says more.",
}
FOLDS: Final = 5
TREES, DEPTH, LEAST_ROWS = 20, 9, 20
MOST_TRAINING_ROWS: Final = 100_000
_PLACES: Final = 1_000_000


def fold_of(artist: Column) -> Column:
    """Return the fold of an artist: all songs of one are in the same, whatever the spelling."""
    return F.pmod(F.xxhash64(F.lower(F.trim(artist)), F.lit(SEED)), F.lit(FOLDS)).cast("int")


def distinct_songs(songs: DataFrame) -> DataFrame:
    """Return one row for each song, that with the highest popularity: the same recording has many ids.

    A song without a name is one of its own.
    """
    name = F.coalesce(F.lower("track_name"), F.concat(F.lit("#"), "song_id"))
    best = F.struct(
        "popularity", "song_id", *[one for one in songs.columns if one not in ("popularity", "song_id")]
    )
    chosen = songs.groupBy(F.lower("artist").alias("by"), name.alias("name")).agg(F.max(best).alias("one"))
    return chosen.select("one.*")


def frequent_genres(songs: DataFrame) -> list[str]:
    """Return the genres of most songs, at most GENRES."""
    counted = songs.select(F.explode("genres").alias("genre")).groupBy("genre").count().collect()
    ordered = sorted(counted, key=lambda row: (-row["count"], row.genre))
    return [row.genre for row in ordered[:GENRES]]


def with_features(songs: DataFrame, names: list[str], genres: list[str]) -> DataFrame:
    """Return the songs with the array `features`: of each name, and whether it has each of the genres.

    A missing number becomes -1, which trees can tell from the others; loudness is negative and gets -100.
    """
    values = [
        F.coalesce(F.col(name).cast("double"), F.lit(-100.0 if name == "loudness" else -1.0))
        for name in names
    ]
    tags = [F.coalesce(F.array_contains("genres", genre), F.lit(False)).cast("double") for genre in genres]
    return songs.withColumn("features", F.array(*values, *tags))


def fit(training: DataFrame) -> RandomForestRegressionModel:
    """Fit a forest; one partition in a fixed order makes the same model from the same rows."""
    rows = training.select("song_id", "popularity", array_to_vector("features").alias("vector"))
    forest = RandomForestRegressor(
        featuresCol="vector",
        labelCol="popularity",
        predictionCol="predicted",
        numTrees=TREES,
        maxDepth=DEPTH,
        minInstancesPerNode=LEAST_ROWS,
        featureSubsetStrategy="onethird",
        seed=SEED,
    )
    return forest.fit(rows.coalesce(1).sortWithinPartitions("song_id"))


def predicted(model: RandomForestRegressionModel, songs: DataFrame) -> DataFrame:
    """Return the songs with `predicted`."""
    found = model.transform(songs.withColumn("vector", array_to_vector("features"))).drop("vector")
    return found.withColumn("predicted", F.round("predicted", DIGITS))


def sampled(songs: DataFrame, share: float) -> DataFrame:
    """Return about that share of the songs, always the same ones."""
    place = F.pmod(F.xxhash64("song_id", F.lit(SEED)), F.lit(_PLACES))
    return songs.where(place < F.lit(round(share * _PLACES)))


def permuted(songs: DataFrame, features: int) -> DataFrame:
    """Return each song once for each feature, in `feature`, with that of another song in its place.

    The songs are ordered by a hash, and each gets the value of the next: a permutation that repeats.
    """
    numbered = songs.selectExpr(
        "*",
        f"row_number() over (order by xxhash64(song_id, {SEED}), song_id) as number",
        "count(*) over () as size",
    )
    others = numbered.select(
        (F.col("number") % F.col("size") + 1).alias("number"), F.col("features").alias("other")
    )
    every = F.explode(F.sequence(F.lit(0), F.lit(features - 1))).alias("feature")
    one = numbered.join(others, "number").select("*", every)
    changed = F.transform(
        "features",
        lambda value, place: F.when(place == F.col("feature"), F.get("other", place)).otherwise(value),
    )
    return one.withColumn("features", changed).drop("other", "number", "size")
