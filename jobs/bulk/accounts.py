"""That every row is accounted for: rows in are rows out, rejects and duplicates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bulk.errors import RowsUnaccounted
from bulk.records import small_table
from bulk.run import Run
from bulk.sources import Source

REJECTS: Final = "bulk_rejects"
CONFLICT: Final = "conflict"
UNREADABLE: Final = "file"
IN_LAKE: Final = -1  # in place of a file's number: the row was in the lake before
LAKE: Final = "(the lake)"  # in place of a file's name

_COLUMNS: Final = ("source", "line", "reason", "detail", "content")


def named(rejects: DataFrame, sources: Sequence[Source]) -> DataFrame:
    """Return rejects with the name of their file in place of its number."""
    names: list[dict[str, Any]] = [{"file": IN_LAKE, "source": LAKE}]
    names += [{"file": number, "source": source.name} for number, source in enumerate(sources)]
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


def stage_rejects(run: Run, found: Sequence[Source], parts: Sequence[DataFrame]) -> int:
    """Stage the table of rejects: those of this run's files, and what it had of other files.

    Parameters
    ----------
    run
        The run.
    found
        All files of the run; a file that cannot be read is a reject itself.
    parts
        What named() returns.

    Returns
    -------
    int
        Rejects of this run.
    """
    problems = [{"source": source.name, "detail": source.problem} for source in found if source.problem]
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
        files = F.from_json(F.lit(json.dumps([source.name for source in found])), "array<string>")
        known = run.spark.range(1).select(F.explode(files).alias("source"))
        merged = before.join(F.broadcast(known), "source", "left_anti").select(*_COLUMNS).unionByName(new)
    run.write_one(f"{REJECTS}/job={run.job}", merged, *_COLUMNS)
    count: int = new.count()
    return count


def accounted(
    found: Sequence[Source], counts: Sequence[dict[str, Any]], *, added: int, duplicates: int, conflicts: int
) -> dict[str, Any]:
    """Return the numbers of a run's summary.

    Parameters
    ----------
    found
        All files.
    counts
        What records.read() counted, for each file that can be read.
    added, duplicates, conflicts
        What became of the rows: new in the lake, said already, or in conflict with another.

    Raises
    ------
    RowsUnaccounted
        They do not add up.
    """
    readable = [source for source in found if source.problem is None]
    files: list[dict[str, Any]] = [
        {
            "name": source.name,
            "rows_in": count["rows"] + sum(count["rejects"].values()),
            "rejects": count["rejects"],
            "header_lines": count["heads"],
        }
        for source, count in zip(readable, counts, strict=True)
    ]
    files += [
        {"name": source.name, "rows_in": 1, "rejects": {UNREADABLE: 1}, "problem": source.problem}
        for source in found
        if source.problem
    ]
    reasons = Counter({CONFLICT: conflicts} if conflicts else {})
    for file in files:
        reasons.update(file["rejects"])
    rows_in = sum(file["rows_in"] for file in files)
    out = {"rows_out": added, "rejects": reasons.total(), "duplicates": duplicates}
    if rows_in != sum(out.values()):
        raise RowsUnaccounted(rows_in, out)
    return {"rows_in": rows_in, **out, "rejects_by_reason": dict(reasons), "files": files}
