"""Runs the charts job: files of charts become a star schema in the warehouse."""

from __future__ import annotations

from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spotify_bulk import chart_tables, charts, reconciliation, records
from spotify_bulk.chart_kinds import CHARTS
from spotify_bulk.errors import BadArguments, RowsUnaccounted
from spotify_bulk.regions import region_names
from spotify_bulk.run import Run
from spotify_bulk.sources import CsvFile, inspect_files

FACT: Final = "fact_chart_entry"
# The folder that Spark writes entries without conflict_file to.
KEPT_ENTRIES: Final = f"{FACT}/conflict_file=__HIVE_DEFAULT_PARTITION__"
DEFAULTS: Final = ("date", "region", "chart")
ROWS_A_TASK: Final = 1_000_000


def load(run: Run) -> dict[str, Any]:
    """Load the chart files of the input into the warehouse; return the summary that is written there.

    Raises
    ------
    NothingToRead
        There is no CSV file.
    BadArguments
        The default chart does not exist.
    RowsUnaccounted
        Rows were lost. Nothing was published.
    """
    inspected, ignored = inspect_files(run.arguments.input, [charts.LAYOUT])
    found = [source for source, _ in inspected]
    sources = [source for source in found if source.problem is None]
    batch, unused = _batch(run, sources)
    read = records.read(run.spark, batch, charts.type_cells, run.work_path("read"))
    keys = ("day", "region", "chart")
    seen = run.stage_table("seen", read.rows.select(*keys).distinct(), *keys)
    rows = sum(count["rows"] for count in read.counts.values())
    months, known = _months(seen), run.read_existing("dim_track")
    entries, counts = _stage_entries(run, read.rows, rows, months, known)
    lost = entries.where(F.col("conflict_file").isNotNull()).withColumnRenamed("conflict_file", "file")
    has_lost = counts["conflicts"] + counts["replaced"] > 0
    parts = [read.rejects, _conflict_rejects(run, read, lost, known)] if has_lost else [read.rejects]
    rejects = [reconciliation.with_file_addresses(run, frame, sources) for frame in parts]
    summary = reconciliation.reconcile(run, found, read.counts, counts, rejects)
    kept = entries.where(F.col("conflict_file").isNull()).select("track_key", "date_key")
    others = run.read_existing(FACT, wanted=lambda name: name not in months)
    tracks = chart_tables.dim_track(read.rows, known)
    if has_lost:
        whole = kept if others is None else kept.unionByName(others.select("track_key", "date_key"))
        tracks = chart_tables.without_rejected(tracks, lost, whole)
    tables = {FACT: counts["kept"] + (0 if others is None else others.count())}
    tables |= _stage_dimensions(run, tracks, seen)
    # Publish the rejects first, because they hold the rows that facts replace, then the dimensions, so that no entry
    # refers to a missing row unless this run replaces it.
    for table in (reconciliation.REJECTS, *(table for table in tables if table != FACT)):
        run.publish(table)
    run.publish(FACT, KEPT_ENTRIES, last_partition_names_object=True)
    return run.write_summary(summary | {"left_alone": ignored, "unused_defaults": unused, "tables": tables})


def _batch(run: Run, sources: list[CsvFile]) -> tuple[records.Batch, list[str]]:
    """Return the files to read, and the names of the defaults that none of them needs."""
    inferred = [charts.infer_file_values(source) for source in sources]
    defaults = dict(run.arguments.defaults)
    if region := defaults.get("region"):
        if region.lower() not in region_names():
            raise BadArguments(
                f"--region: {region!r} is neither the code nor the name of a region with charts."
            )
        defaults["region"] = region_names()[region.lower()]
    if (chart := defaults.get("chart", "top200")) not in CHARTS:
        raise BadArguments(f"--chart: {chart!r} is not one of {', '.join(CHARTS)}.")
    unused = [
        name
        for name in defaults
        if not any(
            values[name] is None and _lacks(source, name)
            for source, values in zip(sources, inferred, strict=True)
        )
    ]
    for values in inferred:
        values.update({name: value for name, value in defaults.items() if values[name] is None})
        values["chart"] = values["chart"] or values["likely_chart"]
    file_values = {
        name: (type_, [values[name] for values in inferred]) for name, type_ in charts.FILE_VALUES.items()
    }
    return records.Batch(sources, run.input_paths(sources), charts.LAYOUT, file_values), unused


def _lacks(source: CsvFile, name: str) -> bool:
    """Return whether a file has no column for a value, or has empty cells there in its first records."""
    if charts.LAYOUT.parts(name, source.columns):
        return False
    return name not in source.columns or any(not cell.strip() for cell in source.sample[name])


def _months(seen: DataFrame) -> set[str]:
    """Return the names of the objects of the fact table that get new rows."""
    months = seen.select("chart", (F.col("day") - F.col("day") % 100).alias("day")).distinct()
    return {
        f"{FACT}/year={row.day // 10000}/chart={row.chart}/month-{row.day // 100}.parquet"
        for row in months.collect()
    }


def _stage_entries(
    run: Run, typed: DataFrame, count: int, months: set[str], known: DataFrame | None
) -> tuple[DataFrame, dict[str, int]]:
    """Stage the months of charts that get new rows, merged with their existing rows.

    Returns
    -------
    DataFrame
        The staged entries, kept and conflicting.
    dict
        How many rows were kept, added, replaced and so on.
    """
    existing = run.read_existing(FACT, wanted=months.__contains__)
    rows = reconciliation.add_existing(chart_tables.fact_rows(typed), existing)
    mangled = chart_tables.mangled_tracks(typed, known)
    classified = chart_tables.classify_entries(
        rows, max(2, count // ROWS_A_TASK), None if mangled.isEmpty() else mangled
    )
    observed, observation = reconciliation.count_states(classified)
    table = chart_tables.fact_chart_entry(observed.where(F.col("state") != reconciliation.DUPLICATE))
    path = run.work_path(f"out/{FACT}")
    table.write.mode("overwrite").partitionBy("conflict_file", "year", "chart", "month").parquet(path)
    written = run.spark.read.schema(table.schema).parquet(path)
    counts = dict(observation.get) | {"kept": written.where(F.col("conflict_file").isNull()).count()}
    out = {
        name: counts[name] for name in ("kept", "duplicates", "existing_duplicates", "conflicts", "replaced")
    }
    if count + counts["existing"] != sum(out.values()):
        raise RowsUnaccounted(count + counts["existing"], out)
    return written, counts


def _conflict_rejects(run: Run, read: records.Records, lost: DataFrame, known: DataFrame | None) -> DataFrame:
    """Return the entries that lost against others as rejects; `known` are the tracks in the lake."""
    new = lost.where(F.col("file") != reconciliation.IN_LAKE).drop("year", "chart", "month")
    replaced = lost.where(F.col("file") == reconciliation.IN_LAKE)
    regions = run.read_existing("dim_region")
    if regions is None or known is None:  # then there are no entries either
        content = replaced.select(F.lit(None).cast("string").alias("content"))
    else:
        content = chart_tables.as_json(replaced, known, regions)
    return reconciliation.conflict_rejects(
        read, chart_tables.fact_rows(read.rows, *records.PLACE), new, content
    )


def _stage_dimensions(run: Run, tracks: DataFrame, seen: DataFrame) -> dict[str, int]:
    tracks = run.stage_table("dim_track", tracks, "track_key")
    credits_ = chart_tables.bridge_track_artist(tracks)
    regions = chart_tables.dim_region(seen)
    days = chart_tables.dim_date(seen.withColumnRenamed("day", "date_key"))
    others = {
        "dim_artist": (chart_tables.dim_artist(credits_), "artist_key"),
        "bridge_track_artist": (credits_.drop("name", "last_date_key"), "track_key", "position"),
        "dim_region": (_merged(run, "dim_region", regions), "region_key"),
        "dim_chart": (_merged(run, "dim_chart", chart_tables.dim_chart(seen)), "chart_key"),
        "dim_date": (_merged(run, "dim_date", days), "date_key"),
    }
    staged = {"dim_track": tracks} | {
        table: run.stage_table(table, frame, *order) for table, (frame, *order) in others.items()
    }
    return {table: frame.count() for table, frame in staged.items()}


def _merged(run: Run, table: str, new: DataFrame) -> DataFrame:
    """Add the existing rows of a small dimension, whose first column is its key."""
    existing = run.read_existing(table)
    both = new if existing is None else existing.select(*new.columns).unionByName(new)
    key, *others = new.columns
    return both.groupBy(key).agg(F.min(F.struct(*others)).alias("one")).select(key, "one.*")
