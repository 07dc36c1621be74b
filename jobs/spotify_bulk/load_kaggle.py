"""Runs the job for Kaggle's "Spotify Dataset 2023": its four kinds of files become tables in the warehouse."""

from __future__ import annotations

from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spotify_bulk import kaggle, reconciliation
from spotify_bulk.kaggle import KINDS, FileKind
from spotify_bulk.records import PLACE, Batch, Records, read
from spotify_bulk.run import Run
from spotify_bulk.sources import inspect_files

CATALOG: Final = "track_catalog"


def load(run: Run) -> dict[str, Any]:
    """Load the files of the input into the warehouse; return the summary that is written there.

    Any of the four kinds of files can be missing.

    Raises
    ------
    NothingToRead
        There is no CSV file.
    RowsUnaccounted
        Rows were lost. Nothing was published.
    """
    inspected, ignored = inspect_files(run.arguments.input, [kind.layout for kind in KINDS])
    counts: dict[str, dict[str, Any]] = {}
    totals = dict.fromkeys(("added", "duplicates", "conflicts", "replaced"), 0)
    rejects: list[DataFrame] = []
    tables: dict[str, DataFrame] = {}
    for kind in KINDS:
        matching = [source for source, layout in inspected if layout is kind.layout and not source.problem]
        batch = Batch(matching, run.input_paths(matching), kind.layout, {})
        found = read(run.spark, batch, kind.type_cells, run.work_path(f"read/{kind.table}"))
        counts |= found.counts
        tables[kind.table], conflicts, outcomes = _stage_kind(run, kind, found)
        rejects += [
            reconciliation.with_file_addresses(run, frame, matching)
            for frame in (found.rejects, conflicts)
            if frame is not None
        ]
        totals = {name: total + outcomes[name] for name, total in totals.items()}
    files = [source for source, _ in inspected]
    summary = reconciliation.reconcile(run, files, counts, totals, rejects)
    rows = _stage_derived(run, tables)
    # Publish the rejects first, because they hold the rows that the tables replace.
    for table in (reconciliation.REJECTS, *rows):
        run.publish(table)
    return run.write_summary(summary | {"left_alone": ignored, "tables": rows})


def _stage_kind(
    run: Run, kind: FileKind, found: Records
) -> tuple[DataFrame, DataFrame | None, dict[str, int]]:
    """Stage the table of one kind of file, merged with its existing rows; return it, its conflicts and its counts."""
    rows = reconciliation.add_existing(found.rows.drop(*PLACE), run.read_existing(kind.table))
    observed, observation = reconciliation.count_states(kaggle.classify_rows(rows, kind.key))
    path = run.work_path(f"classified/{kind.table}")
    observed.write.mode("overwrite").partitionBy("state").parquet(path)
    classified = run.spark.read.schema(observed.schema).parquet(path)
    lost, kept = (
        classified.where(F.col("state") == state).drop("state")
        for state in (reconciliation.CONFLICT, reconciliation.KEPT)
    )
    table = run.stage_table(kind.table, kept.drop("file"), *kind.key)
    counts = observation.get
    if counts["conflicts"] + counts["replaced"] == 0:
        return table, None, counts
    is_new = F.col("file") != reconciliation.IN_LAKE
    replaced = lost.where(~is_new).drop("file").select(F.to_json(F.struct("*")).alias("content"))
    return table, reconciliation.conflict_rejects(found, found.rows, lost.where(is_new), replaced), counts


def _stage_derived(run: Run, tables: dict[str, DataFrame]) -> dict[str, int]:
    artists, album_tracks, tracks, features = (tables[kind.table] for kind in KINDS)
    catalog = kaggle.track_catalog(album_tracks, artists, tracks, features)
    staged = {
        "catalog_albums": run.stage_table("catalog_albums", kaggle.albums(album_tracks), "album_id"),
        "catalog_unmatched": run.stage_table(
            "catalog_unmatched", kaggle.unmatched(album_tracks, artists, tracks, features), "kind", "id"
        ),
    }
    path = run.work_path(f"out/{CATALOG}")
    ordered = catalog.repartition("release_decade").sortWithinPartitions(
        "release_decade", "track_id", "album_id", "artist_id"
    )
    ordered.write.mode("overwrite").partitionBy("release_decade").parquet(path)
    written = run.spark.read.schema(ordered.schema).parquet(path)
    # Nothing is ever deleted, so a decade that lost its last row is overwritten with an empty object.
    existing = {
        item.name.split("=")[1].split("/")[0]
        for item in run.arguments.warehouse.find(f"{CATALOG}/release_decade=")
    }
    present = {row.release_decade for row in written.select("release_decade").distinct().collect()}
    for decade in sorted(existing - present):
        empty = catalog.limit(0).drop("release_decade").repartition(1)
        empty.write.mode("overwrite").parquet(f"{path}/release_decade={decade}")
    return {name: frame.count() for name, frame in (tables | staged).items()} | {CATALOG: written.count()}
