"""Runs the charts job: files of charts become a star schema in the warehouse."""

from __future__ import annotations

from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spotify_bulk import charts, reconciliation, records
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
    read = records.read(run.spark, _batch(run, sources), charts.type_cells, run.work_path("read"))
    keys = ("day", "region", "chart")
    seen = run.stage_table("seen", read.rows.select(*keys).distinct(), *keys)
    rows = sum(count["rows"] for count in read.counts.values())
    entries, counts = _stage_entries(run, read.rows, rows, seen)
    rejects = [
        reconciliation.with_file_addresses(run, frame, sources)
        for frame in (read.rejects, reconciliation.conflict_rejects(_conflicts(entries)))
    ]
    summary = reconciliation.reconcile(run, found, read.counts, counts, rejects)
    tables = _stage_dimensions(run, read.rows, seen)
    # Publish the rejects first, because they hold the rows that facts replace, then the dimensions, so that no entry
    # refers to a missing row.
    for table in (reconciliation.REJECTS, *tables):
        run.publish(table)
    run.publish(FACT, KEPT_ENTRIES, last_partition_names_object=True)
    return run.write_summary(summary | {"left_alone": ignored, "tables": {FACT: counts["kept"]} | tables})


def _batch(run: Run, sources: list[CsvFile]) -> records.Batch:
    inferred = [charts.infer_file_values(source) for source in sources]
    defaults = dict(run.arguments.defaults)
    if region := defaults.get("region"):
        defaults["region"] = region_names().get(region.lower(), region)
    if (chart := defaults.get("chart", "top200")) not in CHARTS:
        raise BadArguments(f"--chart: {chart!r} is not one of {', '.join(CHARTS)}.")
    for values in inferred:
        values.update({name: value for name, value in defaults.items() if values[name] is None})
    file_values = {
        name: (type_, [values[name] for values in inferred]) for name, type_ in charts.FILE_VALUES.items()
    }
    return records.Batch(sources, run.input_paths(sources), list(charts.LAYOUT.columns), file_values)


def _stage_entries(
    run: Run, typed: DataFrame, count: int, seen: DataFrame
) -> tuple[DataFrame, dict[str, int]]:
    """Stage the months of charts that get new rows, merged with their existing rows.

    Returns
    -------
    DataFrame
        The staged entries, kept and conflicting.
    dict
        How many rows were kept, added, replaced and so on.
    """
    months = {
        f"{FACT}/year={row.day // 10000}/chart={row.chart}/month-{row.day // 100}.parquet"
        for row in seen.select("chart", (F.col("day") - F.col("day") % 100).alias("day")).distinct().collect()
    }
    existing = run.read_existing(FACT, wanted=months.__contains__)
    rows = reconciliation.add_existing(charts.fact_rows(typed), existing)
    classified = charts.classify_entries(rows, tasks=max(2, count // ROWS_A_TASK))
    observed, observation = reconciliation.count_states(classified)
    table = charts.fact_chart_entry(observed.where(F.col("state") != reconciliation.DUPLICATE))
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


def _conflicts(entries: DataFrame) -> DataFrame:
    lost = entries.where(F.col("conflict_file").isNotNull()).withColumnRenamed("conflict_file", "file")
    # Year and month are text in the rejects of earlier runs too.
    year, month = (F.col(name).cast("string").alias(name) for name in ("year", "month"))
    return lost.select(
        "file", "date_key", "region_key", "rank", "track_key", "streams", "trend", year, "chart", month
    )


def _stage_dimensions(run: Run, rows: DataFrame, seen: DataFrame) -> dict[str, int]:
    tracks = run.stage_table("dim_track", charts.dim_track(rows, run.read_existing("dim_track")), "track_key")
    credits_ = charts.bridge_track_artist(tracks)
    regions = charts.dim_region(seen)
    days = charts.dim_date(seen.withColumnRenamed("day", "date_key"))
    others = {
        "dim_artist": (charts.dim_artist(credits_), "artist_key"),
        "bridge_track_artist": (credits_.drop("name", "last_date_key"), "track_key", "position"),
        "dim_region": (_merged(run, "dim_region", regions), "region_key"),
        "dim_chart": (_merged(run, "dim_chart", charts.dim_chart(seen)), "chart_key"),
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
