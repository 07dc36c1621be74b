"""One run of the job for Kaggle's "Spotify Dataset 2023"."""

from __future__ import annotations

from typing import Any, Final

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from spotify_bulk import kaggle, records
from spotify_bulk.accounts import CONFLICT, IN_LAKE, REJECTS, conflicts, named, settle
from spotify_bulk.kaggle import KINDS, Kind
from spotify_bulk.records import Input
from spotify_bulk.run import Run
from spotify_bulk.sources import Source, look_at

CATALOG: Final = "track_catalog"


def load(run: Run) -> dict[str, Any]:
    """Load the files of the input into the warehouse; some of the four kinds may be missing.

    Returns
    -------
    dict
        The summary, as it stands in the warehouse too.

    Raises
    ------
    NothingToRead
        There is no CSV file.
    RowsUnaccounted
        Rows are missing in the end; then nothing was published.
    """
    looked_at, left_alone = look_at(run.arguments.input, [kind.layout for kind in KINDS])
    found = [source for source, _ in looked_at]
    counts: dict[str, dict[str, Any]] = {}
    totals = dict.fromkeys(("added", "duplicates", "conflicts", "replaced"), 0)
    rejects: list[DataFrame] = []
    tables: dict[str, DataFrame] = {}
    for number, kind in enumerate(KINDS):
        # Files that fit no layout have no header: the first kind takes them in, as rejects.
        fitting = [
            source
            for source, layout in looked_at
            if source.problem is None and (layout is kind.layout or (layout is None and number == 0))
        ]
        tables[kind.table] = _stage_kind(run, kind, fitting, counts, totals, rejects)
    summary = settle(run, found, counts, totals, rejects)
    rows = _stage_derived(run, tables)
    # Rejects first: they hold what the tables replace.
    for table in (REJECTS, *rows):
        run.publish(table)
    return run.summarize(summary | {"left_alone": left_alone, "tables": rows})


def _stage_kind(
    run: Run,
    kind: Kind,
    sources: list[Source],
    counts: dict[str, dict[str, Any]],
    totals: dict[str, int],
    rejects: list[DataFrame],
) -> DataFrame:
    """Stage the table of one kind of file, with what it held before; add to the numbers and rejects of the run."""
    given = Input(sources, run.inputs(sources), list(kind.layout.columns), {})
    read = records.read(run.spark, given, kind.typed, run.stage(f"read/{kind.table}"))
    counts |= {source.name: count for source, count in zip(sources, read.counts, strict=True)}
    rows, before = read.rows, run.before(kind.table)
    if before is not None:
        rows = rows.unionByName(
            before.select(*(name for name in rows.columns if name != "file"), F.lit(IN_LAKE).alias("file"))
        )
    is_new = F.col("file") != IN_LAKE
    state = F.col("state")
    watched = Observation()
    judged = kaggle.judged(rows, kind.key).observe(
        watched,
        F.count("*").alias("rows"),
        F.count_if((state == "kept") & is_new).alias("added"),
        F.count_if((state == "duplicate") & is_new).alias("duplicates"),
        F.count_if((state == CONFLICT) & is_new).alias("conflicts"),
        F.count_if((state == CONFLICT) & ~is_new).alias("replaced"),
    )
    staged = run.stage(f"judged/{kind.table}")
    judged.write.mode("overwrite").partitionBy("state").parquet(staged)
    for name in totals:
        totals[name] += watched.get[name]
    again = run.spark.read.schema(judged.schema).parquet(staged)
    lost = again.where(state == CONFLICT).drop("state")
    rejects += [named(run, read.rejects, sources), named(run, conflicts(lost), sources)]
    return run.write_one(kind.table, again.where(state == "kept").drop("state", "file"), *kind.key)


def _stage_derived(run: Run, tables: dict[str, DataFrame]) -> dict[str, int]:
    artists, album_tracks, tracks, features = (tables[kind.table] for kind in KINDS)
    catalog = kaggle.track_catalog(album_tracks, artists, tracks, features)
    # A decade that lost its last row is written too, empty: nothing is deleted.
    decades = {
        item.name.split("=")[1].split("/")[0]
        for item in run.arguments.warehouse.find(f"{CATALOG}/release_decade=")
    }
    staged = {
        "catalog_albums": run.write_one("catalog_albums", kaggle.albums(album_tracks), "album_id"),
        "catalog_unmatched": run.write_one(
            "catalog_unmatched", kaggle.unmatched(album_tracks, artists, tracks, features), "kind", "id"
        ),
    }
    path = run.stage(f"out/{CATALOG}")
    ordered = catalog.repartition("release_decade").sortWithinPartitions(
        "release_decade", "track_id", "album_id", "artist_id"
    )
    ordered.write.mode("overwrite").partitionBy("release_decade").parquet(path)
    written = run.spark.read.schema(ordered.schema).parquet(path)
    present = {row.release_decade for row in written.select("release_decade").distinct().collect()}
    for decade in sorted(decades - present):
        empty = catalog.limit(0).drop("release_decade").repartition(1)
        empty.write.mode("overwrite").parquet(f"{path}/release_decade={decade}")
    return {name: frame.count() for name, frame in (tables | staged).items()} | {CATALOG: written.count()}
