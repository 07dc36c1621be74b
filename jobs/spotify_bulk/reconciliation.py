"""Reconciliation: every input row must become a table row, a reject or a duplicate."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Final

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from spotify_bulk.errors import RowsUnaccounted
from spotify_bulk.records import PLACE, Records, small_frame
from spotify_bulk.run import Run
from spotify_bulk.sources import NO_HEADER, CsvFile

REJECTS: Final = "bulk_rejects"
IN_LAKE: Final = -1  # file number of a row that was already in the lake
LAKE: Final = "(the lake)"  # the name shown for it
# The state of a row. A conflict is also the reason of a reject.
KEPT: Final = "kept"
DUPLICATE: Final = "duplicate"
CONFLICT: Final = "conflict"

_COLUMNS: Final = ("source", "line", "reason", "detail", "content")


def add_existing(rows: DataFrame, existing: DataFrame | None) -> DataFrame:
    """Return the new rows together with those that the lake already has, whose ``file`` is IN_LAKE."""
    if existing is None:
        return rows
    names = [name for name in rows.columns if name != "file"]
    return rows.unionByName(existing.select(F.lit(IN_LAKE).alias("file"), *names))


def count_states(rows: DataFrame) -> tuple[DataFrame, Observation]:
    """Return the same rows and an observation that counts them once they have been written.

    Parameters
    ----------
    rows
        Rows with ``file`` and ``state``: KEPT, DUPLICATE or CONFLICT.

    Returns
    -------
    DataFrame
        The rows, observed.
    Observation
        ``existing`` rows of the lake, of which ``existing_duplicates`` and ``replaced`` ones are dropped. New rows
        that are ``added``, ``duplicates`` or ``conflicts``.
    """
    observation = Observation()
    is_new = F.col("file") != IN_LAKE

    def count(name: str, state: str, of: Any) -> Any:
        return F.count_if((F.col("state") == state) & of).alias(name)

    return rows.observe(
        observation,
        F.count_if(~is_new).alias("existing"),
        count("added", KEPT, is_new),
        count("duplicates", DUPLICATE, is_new),
        count("existing_duplicates", DUPLICATE, ~is_new),
        count("conflicts", CONFLICT, is_new),
        count("replaced", CONFLICT, ~is_new),
    ), observation


def with_file_addresses(run: Run, rejects: DataFrame, sources: Sequence[CsvFile]) -> DataFrame:
    """Return rejects with the full address of their file instead of its number.

    The name alone is not enough: a run loads one batch or all of them, and batches can have files of the same name.
    """
    addresses: list[dict[str, Any]] = [{"file": IN_LAKE, "source": LAKE}]
    addresses += [
        {"file": number, "source": run.arguments.input.uri(source.name)}
        for number, source in enumerate(sources)
    ]
    known = small_frame(rejects.sparkSession, addresses, {"file": "int", "source": "string"})
    return rejects.join(F.broadcast(known), "file").select(*_COLUMNS)


def conflict_rejects(found: Records, rows: DataFrame, lost: DataFrame, replaced: DataFrame) -> DataFrame:
    """Return rows that lost against another row as rejects.

    Parameters
    ----------
    found
        The records of the files.
    rows
        Their rows, with ``file``, PLACE and the columns of `lost`.
    lost
        The rows of the files that lost; of equal rows in a file only one.
    replaced
        The ``content`` of the rows of the lake that lost.
    """
    same = lost.select(*(F.col(name).alias(f"lost_{name}") for name in lost.columns))
    is_same = reduce(Column.__and__, (F.col(name).eqNullSafe(F.col(f"lost_{name}")) for name in lost.columns))
    first = (
        rows.join(same, is_same)
        .groupBy(*lost.columns)
        .agg(F.min(F.struct(*PLACE)).alias("place"))
        .select("file", "place.*")
    )
    in_lake = replaced.select(
        F.lit(IN_LAKE).alias("file"),
        F.lit(None).cast("bigint").alias("line"),
        "content",
    )
    rejects = found.with_lines(first).select("file", "line", "content").unionByName(in_lake)
    return rejects.withColumns(
        {
            "reason": F.lit(CONFLICT),
            "detail": F.lit("Another row with the same key has different values; that row was kept."),
        }
    )


def reconcile(
    run: Run,
    found: Sequence[CsvFile],
    counts: Mapping[str, Mapping[str, Any]],
    outcomes: Mapping[str, int],
    rejects: Sequence[DataFrame],
) -> dict[str, Any]:
    """Check that every row is accounted for, and stage the table of rejects.

    Parameters
    ----------
    run
        The run.
    found
        All files of the run; a file that cannot be read is itself a reject.
    counts
        The counts of records.read(), by the name of each readable file.
    outcomes
        How many rows were ``added`` to the lake or are ``duplicates`` or ``conflicts``, and how many rows of the
        lake were ``replaced``.
    rejects
        Rejects as returned by with_file_addresses().

    Returns
    -------
    dict
        The numbers for the run's summary.

    Raises
    ------
    RowsUnaccounted
        The numbers do not add up.
    """
    files = [_file_counts(source, counts) for source in found]
    reasons = Counter({CONFLICT: outcomes["conflicts"]} if outcomes["conflicts"] else {})
    for file in files:
        reasons.update(file["rejects"])
    rows_in = sum(file["rows_in"] for file in files)
    out = {"rows_out": outcomes["added"], "rejects": reasons.total(), "duplicates": outcomes["duplicates"]}
    if rows_in != sum(out.values()):
        raise RowsUnaccounted(rows_in, out)
    written, expected = _stage_rejects(run, found, rejects), out["rejects"] + outcomes["replaced"]
    if written != expected:
        raise RowsUnaccounted(expected, {"rejects": written})
    return {
        "rows_in": rows_in,
        **out,
        "replaced": outcomes["replaced"],
        "rejects_by_reason": dict(reasons),
        "files": files,
    }


def _file_counts(source: CsvFile, counts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if source.problem:
        return {"name": source.name, "rows_in": 1, "rejects": {source.reason: 1}, "problem": source.problem}
    count = counts[source.name]
    return {
        "name": source.name,
        "rows_in": count["rows"] + sum(count["rejects"].values()),
        "rejects": count["rejects"],
        "header_lines": count["header_lines"],
    }


def _stage_rejects(run: Run, found: Sequence[CsvFile], parts: Sequence[DataFrame]) -> int:
    """Stage this run's rejects with the earlier ones of other files; return the number of this run's."""
    problems = [
        {
            "source": run.arguments.input.uri(source.name),
            "line": source.header_line if source.reason == NO_HEADER else None,
            "reason": source.reason,
            "detail": source.problem,
            "content": next(iter(source.head), None),
        }
        for source in found
        if source.problem
    ]
    types = dict.fromkeys(_COLUMNS, "string") | {"line": "bigint"}
    unreadable = small_frame(run.spark, problems, types)
    new = run.stage_table(f"{REJECTS}-new", reduce(DataFrame.unionByName, parts, unreadable), *_COLUMNS)
    existing = run.read_existing(f"{REJECTS}/job={run.job}")
    merged = new
    if existing is not None:
        files = F.from_json(
            F.lit(json.dumps([run.arguments.input.uri(source.name) for source in found])), "array<string>"
        )
        reloaded = run.spark.range(1).select(F.explode(files).alias("source"))
        others = existing.join(F.broadcast(reloaded), "source", "left_anti").select(*_COLUMNS)
        # If the last run was killed after it published rejects, this run replaces the same row of the lake again. Its
        # content is null if that run has also published the tracks, without the one of that row.
        is_known = (F.col("source") != LAKE) | F.col("content").isNotNull()
        merged = others.unionByName(new.where(is_known)).distinct()
    run.stage_table(f"{REJECTS}/job={run.job}", merged, *_COLUMNS)
    count: int = new.count()
    return count
