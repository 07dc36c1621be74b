"""Trends of genres: the charts joined with the artists of the catalog, the share of each genre by month, its rises.

A song's streams belong to its first artist, and an artist's in equal parts to the artist's genres. The test of a rise
asks whether many artists carry it: under the null hypothesis each artist's change could as well have the other sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spotify_bulk.records import small_frame
from spotify_bulk.run import Run
from spotify_bulk.scores import DIGITS, SEED, score

TABLE: Final = "genre_trends"
CHART: Final = "top200"
WORLD: Final = "global"
NEED_MONTHS: Final = 2
MOST_MONTHS: Final = 12  # compared with as many before
FLIPS: Final = 9_999
FALSE_DISCOVERIES: Final = 0.05


@dataclass
class Trends:
    """What was found: rows of the table, scores, and sentences for the summary."""

    rows: int = 0
    scores: list[dict[str, Any]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)


def stage(run: Run, objects: Mapping[str, Mapping[str, str]]) -> Trends:
    """Stage the table of genres by month, if charts and catalog allow it.

    Parameters
    ----------
    run
        The run.
    objects
        The names of the objects with chart entries, by chart and month.
    """
    artists, credited = run.read_existing("catalog_artists"), run.read_existing("bridge_track_artist")
    names = run.read_existing("dim_artist")
    months = sorted(objects.get(CHART, {}))
    if artists is None or credited is None or names is None:
        return Trends(
            sentences=["Genres: load the catalog with ./lake bulk kaggle2023 FILES to see their trends."]
        )
    wanted = set(months[-2 * MOST_MONTHS - 1 :])
    entries = (
        run.read_existing("fact_chart_entry", wanted={objects[CHART][month] for month in wanted}.__contains__)
        if wanted
        else None
    )
    regions = run.read_existing("dim_region")
    if entries is None or regions is None:
        return Trends(
            sentences=[
                f"Genres: load the daily chart {CHART} with ./lake bulk charts FILES to see their trends."
            ]
        )
    streams = _streams(entries, regions, credited)
    parts = _by_genre(streams, names, artists)
    path = run.work_path("genres")
    parts.write.mode("overwrite").parquet(path)
    cells = run.spark.read.schema(parts.schema).parquet(path).collect()
    rows, coverage = summarize(cells)
    if not rows:
        said = f"Genres: their trends need {NEED_MONTHS} months of {CHART} by artists whose genres the catalog has."
        return Trends(sentences=[said])
    types = {"month": "int", "genre": "string", "streams": "bigint"}
    types |= dict.fromkeys(("share", "growth", "change", "p_value"), "double")
    types |= {"is_rising": "boolean", "artists": "int", "coverage": "double"}
    count = run.stage_table(TABLE, small_frame(run.spark, rows, types), "month", "genre").count()
    rising = sorted({row["genre"] for row in rows if row["is_rising"]})
    data = f"{CHART} {min(months[-2 * MOST_MONTHS :])} to {months[-1]}"
    said = (
        f"Genres: {coverage:.0%} of the streams belong to artists of the catalog that have genres. Rising beyond"
        f" chance: {', '.join(rising[:5]) or 'none'}."
    )
    return Trends(count, [score("genre shares", data, "all", None, "coverage", coverage)], [said])


def _streams(entries: DataFrame, regions: DataFrame, credited: DataFrame) -> DataFrame:
    """Return the streams of each first artist in each month, worldwide; without Global those of all regions."""
    worldwide = [row.region_key for row in regions.where(F.col("region_code") == WORLD).collect()]
    chosen = entries.where(F.col("region_key").isin(worldwide))
    if not worldwide or chosen.isEmpty():
        chosen = entries
    first = credited.where(F.col("position") == 1).select("track_key", "artist_key")
    return (
        chosen.where(F.col("streams") > 0)
        .groupBy((F.col("date_key") / 100).cast("int").alias("month"), "track_key")
        .agg(F.sum("streams").alias("streams"))
        .join(first, "track_key", "left")
        .groupBy("month", "artist_key")
        .agg(F.sum("streams").alias("streams"))
    )


def _by_genre(streams: DataFrame, names: DataFrame, artists: DataFrame) -> DataFrame:
    """Return month, artist_key, genres and streams; of artists with the same name the one with most followers."""
    known = (
        artists.groupBy(F.lower("name").alias("lower"))
        .agg(F.max(F.struct(F.coalesce("followers", F.lit(0)), "artist_id", "genres")).alias("one"))
        .select("lower", "one.genres")
    )
    by_key = names.join(known, F.lower(names["name"]) == known["lower"]).select("artist_key", "genres")
    return streams.join(by_key, "artist_key", "left").select("month", "artist_key", "genres", "streams")


def summarize(cells: list[Any]) -> tuple[list[dict[str, Any]], float]:
    """Return the rows of the table, and the share of streams whose artist has genres.

    Parameters
    ----------
    cells
        Rows with month, artist_key (null without artist), genres and streams, in any order.
    """
    months = sorted({cell.month for cell in cells})
    span = min(MOST_MONTHS, len(months) // 2)
    if len(months) < NEED_MONTHS or not any(cell.genres for cell in cells):
        return [], 0.0
    months = months[-2 * span :]
    total = dict.fromkeys(months, 0)
    known = dict.fromkeys(months, 0)
    parts: dict[tuple[str, int], dict[int, float]] = {}
    for cell in sorted(cells, key=lambda one: (one.month, one.artist_key is None, one.artist_key or 0)):
        if cell.month not in total:
            continue
        total[cell.month] += cell.streams
        if cell.genres:
            known[cell.month] += cell.streams
            for genre in sorted(set(cell.genres)):
                one = parts.setdefault((genre, cell.artist_key), {})
                one[cell.month] = one.get(cell.month, 0.0) + cell.streams / len(set(cell.genres))
    early, late = months[:span], months[span:]
    changes: dict[str, list[float]] = {}
    shares: dict[str, dict[int, float]] = {}
    for (genre, _), by_month in parts.items():
        of_month = {month: by_month.get(month, 0.0) / total[month] for month in months}
        change = (
            sum(of_month[month] for month in late) / span - sum(of_month[month] for month in early) / span
        )
        changes.setdefault(genre, []).append(change)
        whole = shares.setdefault(genre, dict.fromkeys(months, 0.0))
        for month in months:
            whole[month] += of_month[month]
    p_values = {genre: sign_flip_test(values) for genre, values in sorted(changes.items())}
    rising = discoveries(p_values)
    rows = []
    for genre in sorted(shares):
        before = 0.0
        for month in months:
            share = shares[genre][month]
            rows.append(
                {
                    "month": month,
                    "genre": genre,
                    "streams": round(share * total[month]),
                    "share": round(share, DIGITS),
                    "growth": round(share / before - 1, DIGITS) if before else None,
                    "change": round(sum(changes[genre]), DIGITS),
                    "p_value": p_values[genre],
                    "is_rising": genre in rising,
                    "artists": len(changes[genre]),
                    "coverage": round(known[month] / total[month], DIGITS),
                }
            )
            before = share
    return rows, sum(known.values()) / sum(total.values())


def sign_flip_test(changes: list[float]) -> float:
    """Return how likely a rise at least as large would be if each artist's change had either sign."""
    values = np.array(changes)
    draw = np.random.default_rng(SEED)
    flipped = 0
    for _ in range(FLIPS // 1111):
        signs = draw.integers(0, 2, size=(1111, len(values)), dtype=np.int8) * 2 - 1
        flipped += int(np.count_nonzero((signs * values).sum(axis=1) >= values.sum() - 1e-12))
    return round((flipped + 1) / (FLIPS + 1), DIGITS)


def discoveries(p_values: Mapping[str, float]) -> set[str]:
    """Return the genres whose rise is accepted, with 5 % false ones among them (Benjamini and Hochberg)."""
    ordered = sorted(p_values.items(), key=lambda item: (item[1], item[0]))
    accepted = 0
    for number, (_, value) in enumerate(ordered, 1):
        if value <= FALSE_DISCOVERIES * number / len(ordered):
            accepted = number
    return {genre for genre, _ in ordered[:accepted]}
