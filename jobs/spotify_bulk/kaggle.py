"""Transforms Kaggle's "Spotify Dataset 2023" into tables: artists, albums, tracks and their join. Pure, like charts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from spotify_bulk import cells
from spotify_bulk.reconciliation import CONFLICT, DUPLICATE, KEPT
from spotify_bulk.records import TypeCells
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
class FileKind:
    """One kind of file in the data set: its layout, table, key columns and cell conversion."""

    layout: Layout
    table: str
    key: tuple[str, ...]
    type_cells: TypeCells


def _cell(name: str) -> Column:
    return F.col(f"cell.{name}")


def _with_values(frame: DataFrame, values: dict[str, Column], invalid: dict[str, Column]) -> DataFrame:
    typed = frame.withColumns(values)
    reason, detail = cells.first_invalid(invalid, _cell)
    return typed.withColumns({"reason": reason, "detail": detail})


def _invalid_id(name: str) -> Column:
    return ~F.coalesce(cells.text(_cell(name)).rlike(_ID), F.lit(False))


def _invalid_number(name: str, value: Column) -> Column:
    return cells.has_value(_cell(name)) & (value.isNull() | (value < 0))


def _popularity(name: str) -> Column:
    number = cells.whole_number(_cell(name))
    return F.when(number.between(0, 100), number).cast("int")


def _artists(frame: DataFrame, *, plain: bool) -> DataFrame:  # noqa: ARG001 (few rows: always the full notation)
    separate = F.array_compact(
        F.array(*(cells.text(_cell(f"genre_{number}")) for number in range(MOST_GENRES)))
    )
    popularity, followers = _popularity("artist_popularity"), cells.whole_number(_cell("followers"))
    genres = cells.text(_cell("artist_genres"))
    values = {
        "artist_id": cells.text(_cell("id")),
        "name": cells.text(_cell("name")),
        "popularity": popularity,
        "followers": followers,
        "genres": F.when(cells.has_value(_cell("artist_genres")), cells.string_list(genres)).otherwise(
            separate
        ),
    }
    invalid = {
        "id": _invalid_id("id"),
        "artist_popularity": _invalid_number("artist_popularity", popularity),
        "followers": _invalid_number("followers", followers),
        "artist_genres": cells.has_value(_cell("artist_genres")) & ~F.startswith(genres, F.lit("[")),
    }
    return _with_values(frame, values, invalid)


def _album_tracks(frame: DataFrame, *, plain: bool) -> DataFrame:  # noqa: ARG001
    separate = F.array_compact(
        F.array(*(cells.text(_cell(f"artist_{number}")) for number in range(MOST_ARTISTS)))
    )
    numbers = {
        "track_number": _as_int(cells.whole_number(_cell("track_number"))),
        "duration_ms": cells.whole_number(_cell("duration_ms")),
        "total_tracks": _as_int(cells.whole_number(_cell("total_tracks"))),
        "album_popularity": _popularity("album_popularity"),
    }
    written = F.trim(_cell("release_date"))
    # Old albums have only a month or a year, which spreadsheets and pandas turn into a number.
    short = F.regexp_extract(written, r"^(\d{4}(?:-\d{2})?)(?:\.0)?$", 1)
    released = F.coalesce(cells.any_date(written, F.lit(None).cast("boolean")), short.try_cast("date"))
    released = F.when(released.between(*PLAUSIBLE), released)
    listed = cells.text(_cell("artists"))
    values = {
        "track_id": cells.text(_cell("track_id")),
        "album_id": cells.text(_cell("album_id")),
        "artist_id": cells.text(_cell("artist_id")),
        "track_name": cells.text(_cell("track_name")),
        "artists": F.when(F.size(separate) > 0, separate).when(listed.isNotNull(), cells.string_list(listed)),
        "track_number": numbers["track_number"],
        "duration_ms": numbers["duration_ms"],
        "album_name": cells.text(_cell("album_name")),
        "album_type": F.lower(cells.text(_cell("album_type"))),
        "total_tracks": numbers["total_tracks"],
        "release_date": released,
        "label": cells.text(_cell("label")),
        "album_popularity": numbers["album_popularity"],
    }
    invalid = {name: _invalid_id(name) for name in ("track_id", "album_id", "artist_id")}
    invalid |= {name: _invalid_number(name, value) for name, value in numbers.items()}
    unknown = F.startswith(written, F.lit("0000"))  # as Spotify sends it
    invalid["release_date"] = cells.has_value(written) & ~unknown & released.isNull()
    return _with_values(frame, values, invalid)


def _tracks(frame: DataFrame, *, plain: bool) -> DataFrame:  # noqa: ARG001
    popularity, explicit = _popularity("track_popularity"), cells.boolean(_cell("explicit"))
    values = {
        "track_id": cells.text(_cell("id")),
        "popularity": popularity,
        "is_explicit": explicit,
    }
    invalid = {
        "id": _invalid_id("id"),
        "track_popularity": _invalid_number("track_popularity", popularity),
        "explicit": cells.has_value(_cell("explicit")) & explicit.isNull(),
    }
    return _with_values(frame, values, invalid)


def _features(frame: DataFrame, *, plain: bool) -> DataFrame:  # noqa: ARG001
    measures = {name: cells.decimal(_cell(name)) for name in FEATURES}
    numbers = {name: _as_int(cells.whole_number(_cell(name))) for name in FEATURE_NUMBERS}
    values = {"track_id": cells.text(_cell("id"))} | measures | numbers
    invalid = {"id": _invalid_id("id")} | {
        name: cells.has_value(_cell(name)) & value.isNull() for name, value in (measures | numbers).items()
    }
    return _with_values(frame, values, invalid)


def _as_int(number: Column) -> Column:
    return F.when(F.abs(number) < 2**31, number).cast("int")


def _same_names(*names: str) -> dict[str, tuple[str | tuple[str, ...], ...]]:
    return {name: (name,) for name in names}


KINDS: Final = (
    FileKind(
        Layout(
            "artists",
            {"id": ("id", "artist_id"), "name": ("name", "artist_name")}
            | _same_names("artist_popularity", "artist_genres", "followers")
            | _same_names(*(f"genre_{number}" for number in range(MOST_GENRES))),
            (("id",), ("name",), ("followers", "artist_genres", "artist_popularity")),
        ),
        "catalog_artists",
        ("artist_id",),
        _artists,
    ),
    FileKind(
        Layout(
            "albums",
            _same_names(
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
    FileKind(
        Layout(
            "tracks",
            {"id": ("id", "track_id")} | _same_names("track_popularity", "explicit"),
            (("id",), ("track_popularity",)),
        ),
        "catalog_tracks",
        ("track_id",),
        _tracks,
    ),
    FileKind(
        Layout(
            "features",
            {"id": ("id", "track_id")} | _same_names(*FEATURES, *FEATURE_NUMBERS),
            (("id",), ("danceability",)),
        ),
        "catalog_features",
        ("track_id",),
        _features,
    ),
)  # fmt: skip


def classify_rows(rows: DataFrame, key: tuple[str, ...]) -> DataFrame:
    """Choose one row for each key, regardless of their order, and mark the others.

    Parameters
    ----------
    rows
        Rows with ``file``, the file's number, or IN_LAKE for rows of the lake.
    key
        The columns that identify a row.

    Returns
    -------
    DataFrame
        The rows with ``state``: KEPT, DUPLICATE (equal to another row) or CONFLICT.
    """
    content = [name for name in rows.columns if name not in ("file", *key)]
    same_key = Window.partitionBy(*key).orderBy(*(F.desc_nulls_last(name) for name in content), F.asc("file"))
    values = F.struct(*content)
    state = (
        F.when(F.row_number().over(same_key) == 1, KEPT)
        .when(F.lag(values).over(same_key).eqNullSafe(values), DUPLICATE)
        .otherwise(CONFLICT)
    )
    return rows.withColumn("state", state)


def albums(album_tracks: DataFrame) -> DataFrame:
    """Return the albums that the album tracks belong to."""
    columns = ("album_name", "album_type", "release_date", "label", "total_tracks", "album_popularity")
    one = album_tracks.groupBy("album_id").agg(F.max(F.struct(*columns)).alias("one"))
    return one.select("album_id", "one.*", _decade(F.col("one.release_date")).alias("release_decade"))


def track_catalog(
    album_tracks: DataFrame, artists: DataFrame, tracks: DataFrame, features: DataFrame
) -> DataFrame:
    """Return the album tracks whose artist and track are in the set, joined with both and with any features."""
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
    """Return the rows without a match in the joins: kind, id, what is missing, and the content as JSON."""
    has_artist = artists.select("artist_id", F.lit(True).alias("has_artist"))
    has_track = tracks.select("track_id", F.lit(True).alias("has_track"))
    found = album_tracks.join(has_artist, "artist_id", "left").join(has_track, "track_id", "left")
    missing = F.concat_ws(
        ", ", F.when(F.col("has_artist").isNull(), "artist"), F.when(F.col("has_track").isNull(), "track")
    )
    content: Callable[[DataFrame], Column] = lambda frame: F.to_json(F.struct(*frame.columns))  # noqa: E731
    parts = [
        found.where(missing != "").select(
            F.lit("album track").alias("kind"),
            F.concat_ws("/", "album_id", "track_id", "artist_id").alias("id"),
            missing.alias("lacks"),
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
