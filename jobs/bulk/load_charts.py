"""One run of the charts job: files of charts into the star schema of the warehouse."""

from __future__ import annotations

from typing import Any, Final

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from bulk import charts, records
from bulk.errors import RowsUnaccounted
from bulk.records import Input, Records, small_table
from bulk.regions import region_names
from bulk.run import REJECTS, Run, rejects_table
from bulk.sources import Source, look_at

FACT: Final = "fact_chart_entry"
DEFAULTS: Final = ("date", "region", "chart")
LAKE: Final = "(the lake)"  # in place of a file: the row came with an earlier run
UNREADABLE: Final = "file"
ROWS_A_TASK: Final = 1_000_000


def run(run: Run) -> dict[str, Any]:
    """Load the charts of the input into the warehouse.

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
    found = [source for source, _ in look_at(run.arguments.input, [charts.LAYOUT])]
    sources = [source for source in found if source.problem is None]
    read = records.read(run.spark, _given(run, sources), charts.typed, run.stage("read"))
    seen = run.write_one("seen", read.rows.select("day", "region", "chart").distinct(), "day", "region", "chart")
    facts = _stage_facts(run, sources, read, seen)
    summary = _accounted(found, read, facts)
    unreadable = small_table(
        run.spark,
        [{"source": source.name, "detail": source.problem} for source in found if source.problem],
        {"source": "string", "detail": "string"},
    )
    rejected = rejects_table(
        run,
        found,
        [
            _named(run, read.rejects, sources),
            _named(run, _conflicts(run), sources),
            unreadable.select(
                "source", F.lit(None).cast("bigint").alias("line"), F.lit(UNREADABLE).alias("reason"), "detail",
                F.lit(None).cast("string").alias("content"),
            ),
        ],
    )
    if rejected != summary["rejects"] + summary["replaced"]:
        raise RowsUnaccounted(summary["rejects"] + summary["replaced"], {"rejects": rejected})
    summary["tables"] = {FACT: {"rows": facts["kept"]}} | _stage_dimensions(run, read.rows, seen)
    # Dimensions first: no entry refers to a row that is not there yet.
    for table in summary["tables"]:
        if table != FACT:
            run.publish(table)
    run.publish(FACT, f"{FACT}/state=kept", divided_by="month")
    run.publish(REJECTS)
    return run.summarize(summary)


def _given(run: Run, sources: list[Source]) -> Input:
    known = [charts.known_of(source) for source in sources]
    defaults = dict(run.arguments.defaults)
    if region := defaults.get("region"):
        defaults["region"] = region_names().get(region.lower(), region)
    for facts in known:
        facts.update({name: value for name, value in defaults.items() if facts[name] is None})
    values = {name: (kind, [facts[name] for facts in known]) for name, kind in charts.FACTS.items()}
    return Input(sources, run.inputs(sources), list(charts.LAYOUT.columns), values)


def _stage_facts(run: Run, sources: list[Source], read: Records, seen: DataFrame) -> dict[str, int]:
    """Stage the months of charts that get rows, with what they had before; return how many rows became what."""
    rows = charts.rows_of(read.rows)
    months = {
        f"{FACT}/year={row.day // 10000}/chart={row.chart}/month-{row.day // 100}.parquet"
        for row in seen.select("chart", (F.col("day") - F.col("day") % 100).alias("day")).distinct().collect()
    }
    before = run.before(FACT, wanted=months.__contains__)
    if before is not None:
        known = before.select(
            F.lit(charts.IN_LAKE).alias("file"),
            F.floor(F.col("date_key") / 100).cast("int").alias("month"),
            *(name for name in rows.columns if name not in ("file", "month")),
        )
        rows = rows.unionByName(known)
    count = sum(counts["rows"] for counts in read.counts)
    judged = charts.entries(rows, tasks=max(2, count // ROWS_A_TASK))
    is_new = F.col("file") != charts.IN_LAKE
    watched = Observation()
    kept = judged.observe(
        watched,
        F.count_if(is_new).alias("new"),
        F.count_if(~is_new).alias("before"),
        F.count_if((F.col("state") == "kept") & is_new).alias("added"),
        F.count_if((F.col("state") == "duplicate") & is_new).alias("duplicates"),
        F.count_if((F.col("state") == "duplicate") & ~is_new).alias("before_twice"),
        F.count_if((F.col("state") == charts.CONFLICT) & is_new).alias("conflicts"),
        F.count_if((F.col("state") == charts.CONFLICT) & ~is_new).alias("replaced"),
    ).where(F.col("state") != "duplicate")
    table = charts.fact_chart_entry(kept)
    table.write.mode("overwrite").partitionBy("state", "year", "chart", "month").parquet(run.stage(f"out/{FACT}"))
    written = run.spark.read.schema(table.schema).parquet(run.stage(f"out/{FACT}"))
    counts = dict(watched.get) | {"kept": written.where(F.col("state") == "kept").count()}
    out = {name: counts[name] for name in ("kept", "duplicates", "before_twice", "conflicts", "replaced")}
    if count + counts["before"] != sum(out.values()):
        raise RowsUnaccounted(count + counts["before"], out)
    return counts


def _conflicts(run: Run) -> DataFrame:
    """Return the rows that another took the place of, as rejects."""
    path = run.stage(f"out/{FACT}")
    fields = "date_key int, region_key bigint, chart string, rank int, track_key bigint, streams bigint, trend string"
    rows = run.spark.read.schema(f"{fields}, state string").parquet(path).where(F.col("state") != "kept")
    return rows.select(
        F.split_part("state", F.lit("="), F.lit(2)).cast("int").alias("file"),
        F.lit(None).cast("bigint").alias("line"),
        F.lit(charts.CONFLICT).alias("reason"),
        F.lit("Another row has the same date, region, chart and rank.").alias("detail"),
        F.to_json(F.struct(*(name for name in rows.columns if name != "state"))).alias("content"),
    )


def _named(run: Run, rejects: DataFrame, sources: list[Source]) -> DataFrame:
    names = [{"file": number, "source": source.name} for number, source in enumerate(sources)]
    names.append({"file": charts.IN_LAKE, "source": LAKE})
    known = small_table(run.spark, names, {"file": "int", "source": "string"})
    return rejects.join(F.broadcast(known), "file").select("source", "line", "reason", "detail", "content")


def _stage_dimensions(run: Run, rows: DataFrame, seen: DataFrame) -> dict[str, dict[str, int]]:
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
    return {table: {"rows": frame.count()} for table, frame in staged.items()}


def _with_before(run: Run, table: str, new: DataFrame) -> DataFrame:
    """Add what a small dimension held before; its first column is its key."""
    before = run.before(table)
    both = new if before is None else before.select(*new.columns).unionByName(new)
    key, *others = new.columns
    return both.groupBy(key).agg(F.min(F.struct(*others)).alias("one")).select(key, "one.*")


def _accounted(found: list[Source], read: Records, facts: dict[str, int]) -> dict[str, Any]:
    """Return the numbers of the summary: rows in are rows out, rejects and duplicates."""
    unreadable = {source.name: source.problem for source in found if source.problem}
    reasons: dict[str, int] = {}
    for counts in read.counts:
        for reason, count in counts["rejects"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    if unreadable:
        reasons[UNREADABLE] = len(unreadable)
    if facts["conflicts"]:
        reasons[charts.CONFLICT] = facts["conflicts"]
    rejects = sum(reasons.values())
    rows_in = sum(counts["rows"] + sum(counts["rejects"].values()) for counts in read.counts) + len(unreadable)
    out = {"rows_out": facts["added"], "rejects": rejects, "duplicates": facts["duplicates"]}
    # A row that an equal one of the lake made superfluous is a duplicate too; it is the lake's that stays.
    if sum(out.values()) != rows_in:
        raise RowsUnaccounted(rows_in, out)
    readable = [source for source in found if source.problem is None]
    return {
        "rows_in": rows_in,
        **out,
        "rejects_by_reason": reasons,
        "replaced": facts["replaced"],
        "files": [
            {
                "name": source.name,
                "rows_in": counts["rows"] + sum(counts["rejects"].values()),
                "rejects": counts["rejects"],
                "header_lines": counts["heads"],
            }
            for source, counts in zip(readable, read.counts, strict=True)
        ]
        + [{"name": name, "rows_in": 1, "rejects": {UNREADABLE: 1}, "problem": text} for name, text in unreadable.items()],
    }
