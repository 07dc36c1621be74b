"""One run of the charts job: files of charts into the star schema of the warehouse."""

from __future__ import annotations

from typing import Any, Final

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from spotify_bulk import charts, records
from spotify_bulk.accounts import CONFLICT, IN_LAKE, REJECTS, conflicts, named, settle
from spotify_bulk.errors import BadArguments, RowsUnaccounted
from spotify_bulk.records import Input
from spotify_bulk.regions import region_names
from spotify_bulk.run import Run
from spotify_bulk.sources import Source, look_at

FACT: Final = "fact_chart_entry"
DEFAULTS: Final = ("date", "region", "chart")
ROWS_A_TASK: Final = 1_000_000


def load(run: Run) -> dict[str, Any]:
    """Load the charts of the input into the warehouse.

    Returns
    -------
    dict
        The summary, as it stands in the warehouse too.

    Raises
    ------
    NothingToRead
        There is no CSV file.
    BadArguments
        No chart is called like the default.
    RowsUnaccounted
        Rows are missing in the end; then nothing was published.
    """
    looked_at, left_alone = look_at(run.arguments.input, [charts.LAYOUT])
    found = [source for source, _ in looked_at]
    sources = [source for source in found if source.problem is None]
    read = records.read(run.spark, _given(run, sources), charts.typed, run.stage("read"))
    seen = run.write_one(
        "seen", read.rows.select("day", "region", "chart").distinct(), "day", "region", "chart"
    )
    rows = sum(count["rows"] for count in read.counts)
    facts = _stage_facts(run, read.rows, rows, seen)
    counts = {source.name: count for source, count in zip(sources, read.counts, strict=True)}
    rejects = [named(run, read.rejects, sources), named(run, _conflicts(run), sources)]
    summary = settle(run, found, counts, facts, rejects)
    tables = _stage_dimensions(run, read.rows, seen)
    # Rejects first: they hold what facts replace. Dimensions next: no entry refers to a row that is not there yet.
    for table in (REJECTS, *tables):
        run.publish(table)
    run.publish(FACT, f"{FACT}/state=kept", divided_by_last=True)
    return run.summarize(summary | {"left_alone": left_alone, "tables": {FACT: facts["kept"]} | tables})


def _given(run: Run, sources: list[Source]) -> Input:
    known = [charts.known_of(source) for source in sources]
    defaults = dict(run.arguments.defaults)
    if region := defaults.get("region"):
        defaults["region"] = region_names().get(region.lower(), region)
    if (chart := defaults.get("chart", "top200")) not in charts.CHARTS:
        raise BadArguments(f"--chart: {chart!r} is none of {', '.join(charts.CHARTS)}.")
    for facts in known:
        facts.update({name: value for name, value in defaults.items() if facts[name] is None})
    values = {name: (kind, [facts[name] for facts in known]) for name, kind in charts.FACTS.items()}
    return Input(sources, run.inputs(sources), list(charts.LAYOUT.columns), values)


def _stage_facts(run: Run, typed: DataFrame, count: int, seen: DataFrame) -> dict[str, int]:
    """Stage the months of charts that get rows, with what they had before; return how many rows became what."""
    rows = charts.rows_of(typed)
    months = {
        f"{FACT}/year={row.day // 10000}/chart={row.chart}/month-{row.day // 100}.parquet"
        for row in seen.select("chart", (F.col("day") - F.col("day") % 100).alias("day")).distinct().collect()
    }
    before = run.before(FACT, wanted=months.__contains__)
    if before is not None:
        known = before.select(
            F.lit(IN_LAKE).alias("file"),
            *(name for name in rows.columns if name != "file"),
        )
        rows = rows.unionByName(known)
    judged = charts.entries(rows, tasks=max(2, count // ROWS_A_TASK))
    is_new = F.col("file") != IN_LAKE
    watched = Observation()
    kept = judged.observe(
        watched,
        F.count_if(is_new).alias("new"),
        F.count_if(~is_new).alias("before"),
        F.count_if((F.col("state") == "kept") & is_new).alias("added"),
        F.count_if((F.col("state") == "duplicate") & is_new).alias("duplicates"),
        F.count_if((F.col("state") == "duplicate") & ~is_new).alias("before_twice"),
        F.count_if((F.col("state") == CONFLICT) & is_new).alias("conflicts"),
        F.count_if((F.col("state") == CONFLICT) & ~is_new).alias("replaced"),
    ).where(F.col("state") != "duplicate")
    table = charts.fact_chart_entry(kept)
    table.write.mode("overwrite").partitionBy("state", "year", "chart", "month").parquet(
        run.stage(f"out/{FACT}")
    )
    written = run.spark.read.schema(table.schema).parquet(run.stage(f"out/{FACT}"))
    counts = dict(watched.get) | {"kept": written.where(F.col("state") == "kept").count()}
    out = {name: counts[name] for name in ("kept", "duplicates", "before_twice", "conflicts", "replaced")}
    if count + counts["before"] != sum(out.values()):
        raise RowsUnaccounted(count + counts["before"], out)
    return counts


def _conflicts(run: Run) -> DataFrame:
    fields = "date_key int, region_key bigint, chart string, rank int, track_key bigint, streams bigint, trend string"
    rows = run.spark.read.schema(f"{fields}, state string").parquet(run.stage(f"out/{FACT}"))
    lost = rows.where(F.col("state") != "kept")
    return conflicts(
        lost.withColumn("file", F.split_part("state", F.lit("="), F.lit(2)).cast("int")).drop("state")
    )


def _stage_dimensions(run: Run, rows: DataFrame, seen: DataFrame) -> dict[str, int]:
    tracks = run.write_one("dim_track", charts.dim_track(rows, run.before("dim_track")), "track_key")
    credits_ = charts.bridge_track_artist(tracks)
    regions = charts.dim_region(seen)
    days = charts.dim_date(seen.withColumnRenamed("day", "date_key"))
    others = {
        "dim_artist": (charts.dim_artist(credits_), "artist_key"),
        "bridge_track_artist": (credits_.drop("name", "last_date_key"), "track_key", "position"),
        "dim_region": (_with_before(run, "dim_region", regions), "region_key"),
        "dim_chart": (_with_before(run, "dim_chart", charts.dim_chart(seen)), "chart_key"),
        "dim_date": (_with_before(run, "dim_date", days), "date_key"),
    }
    staged = {"dim_track": tracks} | {
        table: run.write_one(table, frame, *order) for table, (frame, *order) in others.items()
    }
    return {table: frame.count() for table, frame in staged.items()}


def _with_before(run: Run, table: str, new: DataFrame) -> DataFrame:
    """Add what a small dimension held before; its first column is its key."""
    before = run.before(table)
    both = new if before is None else before.select(*new.columns).unionByName(new)
    key, *others = new.columns
    return both.groupBy(key).agg(F.min(F.struct(*others)).alias("one")).select(key, "one.*")
