"""That every row is accounted for: rows in are rows out, rejects and duplicates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spotify_bulk.errors import RowsUnaccounted
from spotify_bulk.records import small_table
from spotify_bulk.run import Run
from spotify_bulk.sources import Source

REJECTS: Final = "bulk_rejects"
CONFLICT: Final = "conflict"
UNREADABLE: Final = "file"
IN_LAKE: Final = -1  # in place of a file's number: the row was in the lake before
LAKE: Final = "(the lake)"  # in place of a file's name

_COLUMNS: Final = ("source", "line", "reason", "detail", "content")


def named(run: Run, rejects: DataFrame, sources: Sequence[Source]) -> DataFrame:
    """Return rejects with the address of their file in place of its number.

    Batches have files of the same name, and a run loads one batch or all of them.
    """
    names: list[dict[str, Any]] = [{"file": IN_LAKE, "source": LAKE}]
    names += [
        {"file": number, "source": run.arguments.input.uri(source.name)}
        for number, source in enumerate(sources)
    ]
    known = small_table(rejects.sparkSession, names, {"file": "int", "source": "string"})
    return rejects.join(F.broadcast(known), "file").select(*_COLUMNS)


def conflicts(rows: DataFrame) -> DataFrame:
    """Return rows that another took the place of, as rejects: all columns but ``file`` are their content."""
    return rows.select(
        "file",
        F.lit(None).cast("bigint").alias("line"),
        F.lit(CONFLICT).alias("reason"),
        F.lit("Another row has the same key and says something else; that one was kept.").alias("detail"),
        F.to_json(F.struct(*(name for name in rows.columns if name != "file"))).alias("content"),
    )


def settle(
    run: Run,
    found: Sequence[Source],
    counts: Mapping[str, Mapping[str, Any]],
    became: Mapping[str, int],
    rejects: Sequence[DataFrame],
) -> dict[str, Any]:
    """Check that all rows are accounted for, and stage the table of rejects.

    Parameters
    ----------
    run
        The run.
    found
        All files of the run; a file that cannot be read is a reject itself.
    counts
        What records.read() counted, by the name of each file that can be read.
    became
        How many rows were ``added`` to the lake, are ``duplicates`` or ``conflicts``, and how many of the lake
        were ``replaced``.
    rejects
        What named() returns.

    Returns
    -------
    dict
        The numbers of the run's summary.

    Raises
    ------
    RowsUnaccounted
        They do not add up.
    """
    files = [_account(source, counts) for source in found]
    reasons = Counter({CONFLICT: became["conflicts"]} if became["conflicts"] else {})
    for file in files:
        reasons.update(file["rejects"])
    rows_in = sum(file["rows_in"] for file in files)
    out = {"rows_out": became["added"], "rejects": reasons.total(), "duplicates": became["duplicates"]}
    if rows_in != sum(out.values()):
        raise RowsUnaccounted(rows_in, out)
    written, expected = _stage_rejects(run, found, rejects), out["rejects"] + became["replaced"]
    if written != expected:
        raise RowsUnaccounted(expected, {"rejects": written})
    return {
        "rows_in": rows_in,
        **out,
        "replaced": became["replaced"],
        "rejects_by_reason": dict(reasons),
        "files": files,
    }


def _account(source: Source, counts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if source.problem:
        return {"name": source.name, "rows_in": 1, "rejects": {UNREADABLE: 1}, "problem": source.problem}
    count = counts[source.name]
    return {
        "name": source.name,
        "rows_in": count["rows"] + sum(count["rejects"].values()),
        "rejects": count["rejects"],
        "header_lines": count["heads"],
    }


def _stage_rejects(run: Run, found: Sequence[Source], parts: Sequence[DataFrame]) -> int:
    """Stage those of this run's files and what the table had of others; return how many this run has."""
    problems = [
        {"source": run.arguments.input.uri(source.name), "detail": source.problem}
        for source in found
        if source.problem
    ]
    unreadable = small_table(run.spark, problems, {"source": "string", "detail": "string"}).select(
        "source",
        F.lit(None).cast("bigint").alias("line"),
        F.lit(UNREADABLE).alias("reason"),
        "detail",
        F.lit(None).cast("string").alias("content"),
    )
    new = run.write_one(f"{REJECTS}-new", reduce(DataFrame.unionByName, parts, unreadable), *_COLUMNS)
    before = run.before(f"{REJECTS}/job={run.job}")
    merged = new
    if before is not None:
        files = F.from_json(
            F.lit(json.dumps([run.arguments.input.uri(source.name) for source in found])), "array<string>"
        )
        known = run.spark.range(1).select(F.explode(files).alias("source"))
        others = before.join(F.broadcast(known), "source", "left_anti").select(*_COLUMNS)
        # A row of the lake is replaced again after a run that was killed before it published that.
        merged = others.unionByName(new).distinct()
    run.write_one(f"{REJECTS}/job={run.job}", merged, *_COLUMNS)
    count: int = new.count()
    return count
