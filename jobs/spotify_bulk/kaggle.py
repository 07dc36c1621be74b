"""Kaggle's "Spotify Dataset 2023" as tables: artists, albums, tracks, and all of it joined. Pure, as charts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from spotify_bulk import cells
from spotify_bulk.accounts import CONFLICT
from spotify_bulk.records import Typed
from spotify_bulk.sources import Layout

MOST_GENRES, MOST_ARTISTS = 7, 12
FEATURES: Final = (
    "danceability", "energy", "loudness", "speechiness", "acousticness", "instrumentalness", "liveness", "valence",
    "tempo",
)  # fmt: skip
FEATURE_NUMBERS: Final = ("key", "mode", "time_signature")
NO_DECADE: Final = "unknown"
PLAUSIBLE: Final = (date(1860, 1, 1), date(2100, 1, 1))  # sound has been recorded since 1860
_ID: Final = "^[0-9A-Za-z]{22}$"


@dataclass(frozen=True)
class Kind:
    """One of the files of the set: its layout, its table, what identifies a row, and how cells get types."""

    layout: Layout
    table: str
    key: tuple[str, ...]
    typed: Typed


def _cell(name: str) -> Column:
    return F.col(f"cell.{name}")


def _finished(frame: DataFrame, values: dict[str, Column], wrong: dict[str, Column]) -> DataFrame:
    typed = frame.withColumns(values)
    reason, detail = cells.first_wrong(wrong, _cell)
    return typed.withColumns({"reason": reason, "detail": detail})


def _no_id(name: str) -> Column:
    return ~F.coalesce(cells.text(_cell(name)).rlike(_ID), F.lit(False))


def _no_number(name: str, value: Column) -> Column:
    return cells.is_given(_cell(name)) & (value.isNull() | (value < 0))


def _popularity(name: str) -> Column:
    number = cells.whole(_cell(name))
    return F.when(number.between(0, 100), number).cast("int")


def _artists(frame: DataFrame, *, plain: bool) -> DataFrame:  # noqa: ARG001 (few rows: always in full)
    separate = F.array_compact(
        F.array(*(cells.text(_cell(f"genre_{number}")) for number in range(MOST_GENRES)))
    )
    popularity, followers = _popularity("artist_popularity"), cells.whole(_cell("followers"))
    written = cells.text(_cell("artist_genres"))
    values = {
        "artist_id": cells.text(_cell("id")),
        "name": cells.text(_cell("name")),
        "popularity": popularity,
        "followers": followers,
        "genres": F.when(cells.is_given(_cell("artist_genres")), cells.words(written)).otherwise(separate),
    }
    wrong = {
        "id": _no_id("id"),
        "artist_popularity": _no_number("artist_popularity", popularity),
        "followers": _no_number("followers", followers),
        "artist_genres": cells.is_given(_cell("artist_genres")) & ~F.startswith(written, F.lit("[")),
    }
    return _finished(frame, values, wrong)


def _album_tracks(frame: DataFrame, *, plain: bool) -> DataFrame:  # noqa: ARG001
    separate = F.array_compact(
        F.array(*(cells.text(_cell(f"artist_{number}")) for number in range(MOST_ARTISTS)))
    )
    numbers = {
        "track_number": _small(cells.whole(_cell("track_number"))),
        "duration_ms": cells.whole(_cell("duration_ms")),
        "total_tracks": _small(cells.whole(_cell("total_tracks"))),
        "album_popularity": _popularity("album_popularity"),
    }
    written = F.trim(_cell("release_date"))
    # Old albums have a month or a year only, which spreadsheets and pandas make a number of.
    short = F.regexp_extract(written, r"^(\d{4}(?:-\d{2})?)(?:\.0)?$", 1)
    released = F.coalesce(cells.day(written, F.lit(None).cast("boolean")), short.try_cast("date"))
    released = F.when(released.between(*PLAUSIBLE), released)
    listed = cells.text(_cell("artists"))
    values = {
        "track_id": cells.text(_cell("track_id")),
        "album_id": cells.text(_cell("album_id")),
        "artist_id": cells.text(_cell("artist_id")),
        "track_name": cells.text(_cell("track_name")),
        "artists": F.when(F.size(separate) > 0, separate).when(listed.isNotNull(), cells.words(listed)),
        "track_number": numbers["track_number"],
        "duration_ms": numbers["duration_ms"],
        "album_name": cells.text(_cell("album_name")),
        "album_type": F.lower(cells.text(_cell("album_type"))),
        "total_tracks": numbers["total_tracks"],
        "release_date": released,
        "label": cells.text(_cell("label")),
        "album_popularity": numbers["album_popularity"],
    }
    wrong = {name: _no_id(name) for name in ("track_id", "album_id", "artist_id")}
    wrong |= {name: _no_number(name, value) for name, value in numbers.items()}
    unknown = F.startswith(written, F.lit("0000"))  # so says Spotify
    wrong["release_date"] = cells.is_given(written) & ~unknown & released.isNull()
    return _finished(frame, values, wrong)


def _tracks(frame: DataFrame, *, plain: bool) -> DataFrame:  # noqa: ARG001
    popularity, explicit = _popularity("track_popularity"), cells.truth(_cell("explicit"))
    values = {
        "track_id": cells.text(_cell("id")),
        "popularity": popularity,
        "is_explicit": explicit,
    }
    wrong = {
        "id": _no_id("id"),
        "track_popularity": _no_number("track_popularity", popularity),
        "explicit": cells.is_given(_cell("explicit")) & explicit.isNull(),
    }
    return _finished(frame, values, wrong)


def _features(frame: DataFrame, *, plain: bool) -> DataFrame:  # noqa: ARG001
    measures = {name: cells.decimal(_cell(name)) for name in FEATURES}
    numbers = {name: _small(cells.whole(_cell(name))) for name in FEATURE_NUMBERS}
    values = {"track_id": cells.text(_cell("id"))} | measures | numbers
    wrong = {"id": _no_id("id")} | {
        name: cells.is_given(_cell(name)) & value.isNull() for name, value in (measures | numbers).items()
    }
    return _finished(frame, values, wrong)


def _small(number: Column) -> Column:
    return F.when(F.abs(number) < 2**31, number).cast("int")


def _same(*names: str) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in names}


KINDS: Final = (
    Kind(
        Layout(
            "artists",
            {"id": ("id", "artist_id"), "name": ("name", "artist_name")}
            | _same("artist_popularity", "artist_genres", "followers")
            | _same(*(f"genre_{number}" for number in range(MOST_GENRES))),
            (("id",), ("name",), ("followers", "artist_genres", "artist_popularity")),
        ),
        "catalog_artists",
        ("artist_id",),
        _artists,
    ),
    Kind(
        Layout(
            "albums",
            _same(
                "track_name", "track_id", "track_number", "duration_ms", "album_type", "artists", "total_tracks",
                "album_name", "release_date", "label", "album_popularity", "album_id", "artist_id",
                *(f"artist_{number}" for number in range(MOST_ARTISTS)),
            ),
            (("track_id",), ("album_id",), ("artist_id",)),
        ),
        "catalog_album_tracks",
        ("track_id", "album_id", "artist_id"),
        _album_tracks,
    ),
    Kind(
        Layout(
            "tracks",
            {"id": ("id", "track_id")} | _same("track_popularity", "explicit"),
            (("id",), ("track_popularity",)),
        ),
        "catalog_tracks",
        ("track_id",),
        _tracks,
    ),
    Kind(
        Layout(
            "features", {"id": ("id", "track_id")} | _same(*FEATURES, *FEATURE_NUMBERS), (("id",), ("danceability",))
        ),
        "catalog_features",
        ("track_id",),
        _features,
    ),
)  # fmt: skip


def judged(rows: DataFrame, key: tuple[str, ...]) -> DataFrame:
    """Say which rows to keep: one for each key, whatever order they come in.

    Parameters
    ----------
    rows
        With ``file``: a number, lower for rows of the lake.
    key
        What identifies a row.

    Returns
    -------
    DataFrame
        With ``state``: ``kept``, ``duplicate`` (says the same as another) or ``conflict``.
    """
    content = [name for name in rows.columns if name not in ("file", *key)]
    one = Window.partitionBy(*key).orderBy(*(F.desc_nulls_last(name) for name in content), F.asc("file"))
    said = F.struct(*content)
    state = (
        F.when(F.row_number().over(one) == 1, "kept")
        .when(F.lag(said).over(one).eqNullSafe(said), "duplicate")
        .otherwise(CONFLICT)
    )
    return rows.withColumn("state", state)


def albums(album_tracks: DataFrame) -> DataFrame:
    """Return the albums of their tracks."""
    columns = ("album_name", "album_type", "release_date", "label", "total_tracks", "album_popularity")
    one = album_tracks.groupBy("album_id").agg(F.max(F.struct(*columns)).alias("one"))
    return one.select("album_id", "one.*", _decade(F.col("one.release_date")).alias("release_decade"))


def track_catalog(
    album_tracks: DataFrame, artists: DataFrame, tracks: DataFrame, features: DataFrame
) -> DataFrame:
    """Return every track of an album with its artist, where the set has all three, and its features if it has them."""
    by_artist = artists.withColumnsRenamed({"name": "artist_name", "popularity": "artist_popularity"})
    by_track = tracks.withColumnRenamed("popularity", "track_popularity")
    return (
        album_tracks.join(by_artist, "artist_id")
        .join(by_track, "track_id")
        .join(features, "track_id", "left")
        .withColumn("release_decade", _decade(F.col("release_date")))
    )


def unmatched(
    album_tracks: DataFrame, artists: DataFrame, tracks: DataFrame, features: DataFrame
) -> DataFrame:
    """Return the rows that the joins leave over: what each is, what it lacks, and all it says."""
    has_artist = artists.select("artist_id", F.lit(True).alias("has_artist"))
    has_track = tracks.select("track_id", F.lit(True).alias("has_track"))
    found = album_tracks.join(has_artist, "artist_id", "left").join(has_track, "track_id", "left")
    lacking = F.concat_ws(
        ", ", F.when(F.col("has_artist").isNull(), "artist"), F.when(F.col("has_track").isNull(), "track")
    )
    content: Callable[[DataFrame], Column] = lambda frame: F.to_json(F.struct(*frame.columns))  # noqa: E731
    parts = [
        found.where(lacking != "").select(
            F.lit("album track").alias("kind"),
            F.concat_ws("/", "album_id", "track_id", "artist_id").alias("id"),
            lacking.alias("lacks"),
            content(album_tracks).alias("content"),
        )
    ]
    for kind, frame, key in (
        ("artist", artists, "artist_id"),
        ("track", tracks, "track_id"),
        ("features", features, "track_id"),
    ):
        alone = frame.join(album_tracks.select(key).distinct(), key, "left_anti")
        parts.append(
            alone.select(
                F.lit(kind).alias("kind"),
                F.col(key).alias("id"),
                F.lit("album").alias("lacks"),
                content(frame).alias("content"),
            )
        )
    first, *others = parts
    for other in others:
        first = first.unionByName(other)
    return first


def _decade(released: Column) -> Column:
    decade: Any = (F.floor(F.year(released) / 10) * 10).cast("string")
    return F.coalesce(decade, F.lit(NO_DECADE))
