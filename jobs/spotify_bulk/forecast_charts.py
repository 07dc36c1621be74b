"""Runs the forecast job: reads a chart's last days from the warehouse, scores the methods, publishes the better one."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spotify_bulk import forecast as fc
from spotify_bulk import genre_trends, scores
from spotify_bulk.card import model_card, write_card
from spotify_bulk.errors import NotEnough, RowsUnaccounted
from spotify_bulk.records import small_frame
from spotify_bulk.run import Run
from spotify_bulk.scores import DIGITS, Errors, score

FACT: Final = "fact_chart_entry"
FORECASTS, SCORES = "chart_forecasts", "model_scores"
CHARTS: Final = ("top200", "top50")  # daily, with streams
BLOCKS: Final = 4  # of origins: the model is fitted anew for each, and intervals come from the blocks before
ORIGINS: Final = BLOCKS * fc.WEEK
TRAINING_DAYS: Final = 4 * fc.WEEK
NEED_DAYS: Final = fc.MEMORY + TRAINING_DAYS + ORIGINS + fc.WEEK
MOST_DAYS: Final = 26 * fc.WEEK
MOST_MONTHS: Final = 7  # that they lie in
NEED_SONGS: Final = 20
NEED_REGIONS: Final = 2
LEVEL: Final = 0.8  # of the intervals
_RESIDUAL_DIGITS: Final = 4
_EPOCH: Final = dt.date(1970, 1, 1)
_OBJECT: Final = re.compile(rf"{FACT}/year=\d+/chart=(?P<chart>\w+)/month-(?P<month>\d+)\.parquet")
_ORDER: Final = ("region_key", "track_key", "origin", "horizon")


@dataclass
class Window:
    """The days of a chart that a forecast is made from.

    Attributes
    ----------
    first, days
        First day, since 1970-01-01, and number of days.
    since
        The first day used of each region, by its key; regions that are not used are missing.
    counts
        What became of the entries: ``in``, ``used``, ``duplicates``, and the reasons of those that were left out.
    """

    chart: str
    first: int
    days: int
    since: dict[int, int]
    counts: Counter[str]

    @property
    def last(self) -> dt.date:
        """The last day, on which the forecast is made."""
        return _EPOCH + dt.timedelta(days=self.first + self.days - 1)


@dataclass
class Result:
    """The forecast of one chart: its rows' number, its scores and what to say about it."""

    chart: str
    counts: Counter[str]
    method: str
    sentence: str
    scores: list[dict[str, Any]] = field(default_factory=list)
    rows: int = 0


def load(run: Run) -> dict[str, Any]:
    """Forecast the daily charts in the warehouse and publish forecasts, scores and the trends of genres.

    Raises
    ------
    NotEnough
        No chart can be forecast. Nothing was published.
    """
    objects: dict[str, dict[str, str]] = defaultdict(dict)
    for item in run.arguments.warehouse.find(f"{FACT}/"):
        if match := _OBJECT.fullmatch(item.name):
            objects[match["chart"]][match["month"]] = item.name
    results, problems = [], []
    for chart in CHARTS:
        if chart not in objects:
            continue
        newest = [objects[chart][month] for month in sorted(objects[chart])[-MOST_MONTHS:]]
        try:
            results.append(_forecast(run, chart, newest))
        except NotEnough as error:
            problems.append(str(error))
    if not results:
        raise NotEnough(
            " ".join(problems)
            or f"There is no daily chart with streams in the warehouse: load {' or '.join(CHARTS)} with ./lake bulk"
            " charts FILES first."
        )
    genres = genre_trends.stage(run, objects)
    rows = [row for result in results for row in result.scores] + genres.scores
    findings = [*(result.sentence for result in results), *problems, *genres.sentences]
    data = ", ".join(f"{result.chart}, {result.counts['used']:,} entries" for result in results)
    write_card(run, model_card("Forecast of the charts", data, findings, rows, {}))
    publish_scores(run, rows)
    tables = {FORECASTS: sum(result.rows for result in results), SCORES: len(rows)}
    run.publish(FORECASTS, last_partition_names_object=True)
    if genres.rows:
        run.publish(genre_trends.TABLE)
        tables[genre_trends.TABLE] = genres.rows
    counts = sum((result.counts for result in results), Counter[str]())
    return run.write_summary(
        accounted(counts)
        | {
            "tables": tables,
            "findings": findings,
            "published": [f"the {result.method} forecast of {result.chart}" for result in results],
        }
    )


def accounted(counts: Counter[str]) -> dict[str, Any]:
    """Return the numbers of rows for a summary.

    Raises
    ------
    RowsUnaccounted
        They do not add up.
    """
    reasons = {
        name: n for name, n in sorted(counts.items()) if n and name not in ("in", "used", "duplicates")
    }
    out = {"rows_out": counts["used"], "rejects": sum(reasons.values()), "duplicates": counts["duplicates"]}
    if counts["in"] != sum(out.values()):
        raise RowsUnaccounted(counts["in"], out)
    return {"rows_in": counts["in"], **out, "rejects_by_reason": reasons, "files": []}


def publish_scores(run: Run, rows: Sequence[dict[str, Any]]) -> None:
    """Write the scores of a run, which replace those of the job's last run."""
    types = dict.fromkeys(("model", "data", "split"), "string") | {"horizon": "int", "metric": "string"}
    types |= {"value": "double", "baseline": "string", "baseline_value": "double"}
    frame = small_frame(run.spark, rows, types)
    run.stage_table(f"{SCORES}/job={run.job}", frame, "data", "model", "split", "metric", "horizon")
    run.publish(SCORES)


def _forecast(run: Run, chart: str, objects: Sequence[str]) -> Result:
    stored: Any = run.read_existing(FACT, wanted=set(objects).__contains__)
    entries = stored.select(
        "region_key",
        "track_key",
        "rank",
        "streams",
        F.unix_date(F.to_date(F.col("date_key").cast("string"), "yyyyMMdd")).alias("day"),
    )
    window = _window(chart, entries)
    used = small_frame(
        run.spark,
        [{"region_key": key, "since": since} for key, since in window.since.items()],
        {"region_key": "bigint", "since": "int"},
    )
    chosen = entries.join(F.broadcast(used), "region_key").where(
        (F.col("day") >= F.col("since")) & (F.col("streams") > 0)
    )
    songs = _staged(run, f"{chart}/songs", fc.series(chosen, window.first, window.days))
    counted = songs.select(F.sum(F.size(F.array_compact("levels")))).first()[0]
    if counted != window.counts["used"]:
        raise RowsUnaccounted(window.counts["used"], {"in series": counted})
    moved = _staged(run, f"{chart}/moves", fc.moves(songs))
    scale = _scale(songs, window)
    last = window.days - 1
    first_origin = last - fc.WEEK - ORIGINS + 1
    share = min(1.0, fc.MOST_TRAINING_ROWS / (counted * fc.WEEK))
    candidates = fc.sampled(fc.forecasts_to_make(songs, fc.MEMORY, last - 1), share)
    training = _staged(
        run,
        f"{chart}/training",
        fc.with_features(candidates, moved, window.first).where("actual is not null"),
    )
    tested = _staged(
        run,
        f"{chart}/tested",
        fc.with_features(
            fc.forecasts_to_make(songs, first_origin, last - fc.WEEK), moved, window.first
        ).where("actual is not null"),
    )
    parts = []
    for block in range(BLOCKS):
        start = first_origin + block * fc.WEEK
        # On the day `start`, what came true until then is known.
        model = fc.fit(training.where(F.col("origin") + F.col("horizon") <= start))
        parts.append(fc.predicted(model, tested.where(F.col("origin").between(start, start + fc.WEEK - 1))))
    judged = _staged(run, f"{chart}/judged", reduce(DataFrame.unionByName, parts))
    best, margin, rows = _scores(window, judged, scale)
    method = fc.MODEL if margin.is_above_zero else best
    residuals = _residuals(judged, method)
    rows += _coverage(window, residuals, method, first_origin)
    rows += _rank_errors(window, judged, method)
    made = fc.with_features(fc.forecasts_to_make(songs, last, last), moved, window.first)
    if method == fc.MODEL:
        made = fc.predicted(fc.fit(training), made)
    count = _stage_forecasts(run, window, made, method, residuals)
    return Result(chart, window.counts, method, _sentence(window, method, best, margin), rows, count)


def _staged(run: Run, name: str, frame: DataFrame) -> DataFrame:
    path = run.work_path(name)
    frame.write.mode("overwrite").parquet(path)
    return run.spark.read.schema(frame.schema).parquet(path)


def _window(chart: str, entries: DataFrame) -> Window:
    """Choose the regions and days to use, and account for the others."""
    days = (
        entries.groupBy("region_key", "day")
        .agg(
            F.count("*").alias("entries"),
            F.count_if(F.col("streams") > 0).alias("streamed"),
            F.count_distinct(F.when(F.col("streams") > 0, F.col("track_key"))).alias("songs"),
        )
        .collect()
    )
    counts = Counter({"in": sum(day.entries for day in days)})
    counts["no streams"] = sum(day.entries - day.streamed for day in days)
    songs: dict[int, dict[int, Any]] = defaultdict(dict)
    for day in days:
        if day.songs:
            songs[day.region_key][day.day] = day
    if not songs:
        raise NotEnough(f"{chart} has no streams, or all are zero: a forecast needs streams above zero.")
    last = max(max(known) for known in songs.values())
    since, why = {}, Counter[str]()
    for region, known in songs.items():
        first = last
        while first - 1 in known and last - first + 1 < MOST_DAYS:
            first -= 1
        is_short = last not in known or last - first + 1 < NEED_DAYS
        reason = "too few days" if is_short else "too few songs" if known[last].songs < NEED_SONGS else None
        why[reason or "used"] += 1
        for day, found in known.items():
            outcome = reason or (
                "used" if day >= first else "before a gap" if day > last - MOST_DAYS else "older"
            )
            counts["used" if outcome == "used" else outcome] += (
                found.songs if outcome == "used" else found.streamed
            )
            counts["duplicates"] += found.streamed - found.songs if outcome == "used" else 0
        if reason is None:
            since[region] = first
    if len(since) < NEED_REGIONS:
        raise NotEnough(_lacking(chart, last, songs, why))
    first = min(since.values())
    return Window(chart, first, last - first + 1, since, counts)


def _lacking(chart: str, last: int, songs: dict[int, dict[int, Any]], why: Counter[str]) -> str:
    """Say what a chart lacks for a forecast."""
    day = _EPOCH + dt.timedelta(days=last)
    need = (
        f"A forecast needs at least {NEED_REGIONS} regions (Global is one) with a chart on each of the last"
        f" {NEED_DAYS} days and {NEED_SONGS} songs on the last day, which is {day} for {chart}."
    )
    found = f" {why['used']} of its {len(songs)} {'regions has' if len(songs) > 1 else 'region has'} that"
    found += f": {why['too few days']} with too few days, {why['too few songs']} with too few songs."
    every = {one for known in songs.values() for one in known}
    gaps = [one for one in range(max(min(every), last - NEED_DAYS + 1), last) if one not in every]
    missing = ", ".join(f"{_EPOCH + dt.timedelta(days=one)}" for one in gaps[:3])
    return f"{need}{found}" + (
        f" No region has {missing}{' and others' if len(gaps) > 3 else ''}." if gaps else ""
    )


def _scale(songs: DataFrame, window: Window) -> float:
    """Return the mean absolute change of levels from one day to the next, before the first origin."""
    days = window.days - fc.WEEK - ORIGINS
    change = F.transform(
        F.slice("levels", 1, days), lambda level, day: F.abs(level - F.get("levels", (day - 1).cast("int")))
    )
    whole = F.round(F.col("change") * 10**DIGITS).cast("bigint")
    total, count = (
        songs.select(F.explode(change).alias("change")).agg(F.sum(whole), F.count("change")).first()
    )
    if not total:
        raise NotEnough(
            f"The streams in {window.chart} never change from one day to the next, so there is nothing to forecast:"
            " check the files."
        )
    return float(total / count / 10**DIGITS)


def _errors(judged: DataFrame) -> dict[str, dict[tuple[int, int], Errors]]:
    """Return the errors of each method by origin and horizon."""
    kinds = [
        F.sum(F.round(F.abs(F.col(f"`{method}`") - F.col("actual")) * 10**DIGITS).cast("bigint")).alias(
            method
        )
        for method in fc.METHODS
    ]
    found = judged.groupBy("origin", "horizon").agg(F.count("*").alias("count"), *kinds).collect()
    return {
        method: {
            (row.origin, row.horizon): Errors(row[method] / 10**DIGITS, row["count"])
            for row in sorted(found, key=lambda row: (row.origin, row.horizon))
        }
        for method in fc.METHODS
    }


def _scores(
    window: Window, judged: DataFrame, scale: float
) -> tuple[str, scores.Margin, list[dict[str, Any]]]:
    """Return the best baseline, the model's margin over it, and the rows of model_scores."""
    found = _errors(judged)
    overall = {method: scores.mean(list(cells.values())) / scale for method, cells in found.items()}
    best = min(fc.BASELINES, key=lambda name: (overall[name], name))
    origins = sorted({origin for origin, _ in found[best]})

    def by_origin(method: str) -> list[Errors]:
        parts = [[one for (when, _), one in found[method].items() if when == origin] for origin in origins]
        return [
            Errors(sum(one.total for one in part) / scale, sum(one.count for one in part)) for part in parts
        ]

    margin = scores.margin(by_origin(fc.MODEL), by_origin(best), block=fc.WEEK)
    about = (f"{window.chart} to {window.last}", f"{len(origins)} rolling origins")
    rows = []
    for method, cells in found.items():
        for horizon in (None, *fc.HORIZONS):

            def at(which: dict[tuple[int, int], Errors], horizon: int | None = horizon) -> float:
                return scores.mean([one for (_, ahead), one in which.items() if horizon in (None, ahead)])

            value, other = at(cells), at(found[best])
            rows.append(score(method, *about, horizon, "mase", value / scale, best, other / scale))
            rows.append(score(method, *about, horizon, "log_mae", value, best, other))
    for name, value in (("margin", margin.value), ("margin_low", margin.low), ("margin_high", margin.high)):
        rows.append(score(fc.MODEL, *about, None, name, value, best, 0.0))
    return best, margin, rows


def _residuals(judged: DataFrame, method: str) -> dict[tuple[int, int], dict[float, int]]:
    """Return how often each residual of a method occurred, by origin and horizon."""
    residual = F.round(F.col("actual") - F.col(f"`{method}`"), _RESIDUAL_DIGITS).alias("residual")
    found: dict[tuple[int, int], dict[float, int]] = defaultdict(dict)
    for row in judged.groupBy("origin", "horizon", residual).count().collect():
        found[row.origin, row.horizon][row.residual] = row["count"]
    return found


def _pooled(residuals: dict[tuple[int, int], dict[float, int]], horizon: int, before: int) -> Counter[float]:
    """Return the residuals at a horizon that had come true by the day `before`."""
    pooled = Counter[float]()
    for (origin, ahead), counted in residuals.items():
        if ahead == horizon and origin + ahead <= before:
            pooled.update(counted)
    return pooled


def _coverage(
    window: Window, residuals: dict[tuple[int, int], dict[float, int]], method: str, first_origin: int
) -> list[dict[str, Any]]:
    """Return how often the truth lay in intervals from the residuals known at the time; the first block has none."""
    about = (f"{window.chart} to {window.last}", f"{ORIGINS - fc.WEEK} rolling origins")
    inside, total = Counter[int | None](), Counter[int | None]()
    for horizon in fc.HORIZONS:
        for origin in range(first_origin + fc.WEEK, first_origin + ORIGINS):
            low, high = scores.interval(_pooled(residuals, horizon, origin), LEVEL)
            for residual, count in residuals[origin, horizon].items():
                for key in (horizon, None):
                    total[key] += count
                    inside[key] += count if low <= residual <= high else 0
    return [
        score(method, *about, horizon, "coverage", inside[horizon] / total[horizon], "nominal", LEVEL)
        for horizon in (None, *fc.HORIZONS)
    ]


def _rank_errors(window: Window, judged: DataFrame, method: str) -> list[dict[str, Any]]:
    """Return by how many ranks the forecast order and today's ranks were off."""
    over = "partition by region_key, origin, horizon"
    ranked = judged.selectExpr(
        "horizon",
        f"abs(rank() over ({over} order by `{method}` desc) - rank() over ({over} order by actual desc)) as off",
        f"abs(rank() over ({over} order by rank_now) - rank() over ({over} order by actual desc)) as stays",
    )
    about = (f"{window.chart} to {window.last}", f"{ORIGINS} rolling origins")
    found = ranked.groupBy("horizon").agg(F.avg("off").alias("off"), F.avg("stays").alias("stays")).collect()
    return [
        score(method, *about, row.horizon, "rank_mae", row.off, "rank of today", row.stays)
        for row in sorted(found)
    ]


def _stage_forecasts(
    run: Run,
    window: Window,
    made: DataFrame,
    method: str,
    residuals: dict[tuple[int, int], dict[float, int]],
) -> int:
    bounds = []
    for horizon in fc.HORIZONS:
        low, high = scores.interval(_pooled(residuals, horizon, window.days), LEVEL)
        bounds.append({"horizon": horizon, "low": low, "high": high})
    known = small_frame(run.spark, bounds, {"horizon": "int", "low": "double", "high": "double"})
    streams = {
        name: F.greatest(F.lit(0), F.round(F.expm1(F.col(f"`{method}`") + shift)).cast("bigint"))
        for name, shift in (
            ("streams", F.lit(0.0)),
            ("streams_low", F.least("low", F.lit(0.0))),
            ("streams_high", F.greatest("high", F.lit(0.0))),
        )
    }
    levels = made.join(F.broadcast(known), "horizon").withColumns(streams)
    day = F.date_add(F.lit(window.last), F.col("horizon"))
    # Among today's songs: how many others are forecast above this song, and above the ends of its interval.
    every = F.expr("collect_list(streams) over (partition by region_key, horizon)")
    ranks = {
        alias: F.expr(f"cast(size(filter(every, one -> one > {name})) - int(streams > {name}) + 1 as int)")
        for alias, name in (("rank", "streams"), ("rank_best", "streams_high"), ("rank_worst", "streams_low"))
    }
    ranked = (
        levels.withColumn("every", every)
        .withColumns(ranks)
        .select(
            F.lit(int(f"{window.last:%Y%m%d}")).alias("made_key"),
            F.date_format(day, "yyyyMMdd").cast("int").alias("date_key"),
            "horizon",
            "region_key",
            "track_key",
            F.lit(method).alias("method"),
            *streams,
            *ranks,
        )
    )
    path = f"{FORECASTS}/chart={window.chart}/made={window.last:%Y%m%d}"
    count: int = run.stage_table(path, ranked, "region_key", "horizon", "rank", "track_key").count()
    return count


def _sentence(window: Window, method: str, best: str, margin: scores.Margin) -> str:
    where = f"{window.chart}, forecast on {window.last}"
    if method == fc.MODEL:
        return (
            f"{where}: the forest's forecast is published. Its scaled error is {margin.value:.3f} below that of the"
            f" best simple method ({best}); 95 % interval {margin.low:.3f} to {margin.high:.3f}."
        )
    return (
        f"{where}: the {best} forecast is published, because the random forest does not beat it for certain: margin"
        f" {margin.value:.3f}, 95 % interval {margin.low:.3f} to {margin.high:.3f}."
    )
