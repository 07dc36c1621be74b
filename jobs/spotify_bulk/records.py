"""CSV files to records, with every line accounted for.

Spark reads a CSV file whose fields hold line breaks in one task only. Here the files are read by lines, in as many
tasks as they are long, and only lines that are no whole record by themselves are looked at together: those with an
odd number of quotes, and those with another number of cells than the header.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from pyspark.sql import Column, DataFrame, Observation, Row, SparkSession, Window
from pyspark.sql import functions as F

from spotify_bulk.errors import LinesUnaccounted
from spotify_bulk.sources import WINDOWS, Source

# What a reject's reason can be before its values are looked at.
BAD_ENCODING: Final = "encoding"
WRONG_COLUMNS: Final = "columns"
LOOSE_QUOTE: Final = "quotes"
NO_HEADER: Final = "header"

_FILE_SCHEME: Final = "^file:/+"
# Stands for the line breaks inside a record while it is parsed, so that one outside of quotes is noticed.
_BREAK: Final = "\x1e"
_ROW, _REJECT, _HEAD = "row", "reject", "head"
_PIECE, _AGAIN = "piece", "again"  # to be looked at once more, together or alone
_BAD: Final = "_bad"


class Typed(Protocol):
    """Gives cells their types; see read()."""

    def __call__(self, frame: DataFrame, *, plain: bool) -> DataFrame:
        """Return the frame with the columns of the table, ``reason`` and ``detail``."""


@dataclass(frozen=True)
class Input:
    """Files of one data set that are read together.

    Attributes
    ----------
    sources
        The files; their position is their number.
    paths
        Where Spark finds each.
    columns
        All columns that a row may have.
    facts
        What is known of each file besides: SQL type, and one value a file, by name.
    """

    sources: Sequence[Source]
    paths: Sequence[str]
    columns: Sequence[str]
    facts: Mapping[str, tuple[str, Sequence[Any]]]


@dataclass(frozen=True)
class Records:
    """What became of all lines.

    Attributes
    ----------
    rows
        The good ones: ``file`` and what `typed` made of each.
    rejects
        The others: ``file``, ``line``, ``reason``, ``detail``, ``content``.
    counts
        A mapping a file: ``heads``, ``rows`` and ``rejects``, the last by reason.
    """

    rows: DataFrame
    rejects: DataFrame
    counts: list[dict[str, Any]]


def read(spark: SparkSession, given: Input, typed: Typed, stage: str) -> Records:
    """Read CSV files.

    Parameters
    ----------
    spark
        The session.
    given
        The files.
    typed
        Takes a frame with the structs ``cell``, all columns of `given` as text, and ``fact``. Adds the columns of the
        table, and ``reason`` and ``detail``: why a row cannot be used, or null. With ``plain`` it may refuse what is
        not in the usual notation; it sees it again without.
    stage
        Address below which intermediate results go. What is returned reads from there, so that each file is
        read once.

    Raises
    ------
    LinesUnaccounted
        Lines were lost on the way: a defect.
    """
    frames, pieces, seen = [], [], 0
    for number, group in enumerate(_groups(given) or [[]]):  # without a file, all frames are empty
        observed = Observation()
        staged = _staged(_first_look(spark, given, group, typed, observed), f"{stage}/lines-{number}")
        frames.append(staged)
        seen += observed.get["lines"]
        loose = staged.where(F.col("kind").isin(_PIECE, _AGAIN))
        if not loose.isEmpty():
            mended = _apart(_records(loose, given, group), given, group, last=True)
            pieces.append(_staged(_judged(mended, typed, last=True), f"{stage}/mended-{number}"))
    lines = _union(frames)
    records = _union([lines.where(~F.col("kind").isin(_PIECE, _AGAIN)), *pieces])
    tally = _tally(lines)
    counts = _counts([*tally, *(_tally(_union(pieces)) if pieces else [])], len(given.sources), seen)
    return Records(
        rows=records.where(F.col("kind") == _ROW).drop(
            "kind", "block", "id", "span", "reason", "detail", "value"
        ),
        rejects=_rejects(records, tally),
        counts=counts,
    )


def _groups(given: Input) -> list[list[int]]:
    """Return the numbers of the files that can be read in one go, for each go."""

    def likeness(number: int) -> tuple[str, str, bool, tuple[str, ...]]:
        source = given.sources[number]
        columns = tuple(column or "" for column in source.columns)
        return source.charset, source.delimiter, source.backslashes, columns

    numbers = sorted(range(len(given.sources)), key=likeness)
    return [list(group) for _, group in groupby(numbers, key=likeness)]


def _first_look(
    spark: SparkSession, given: Input, group: Sequence[int], typed: Typed, observed: Observation
) -> DataFrame:
    """Return what can be said of each line by itself, and observe the number of ``lines``."""
    apart = _apart(_lines(spark, given, group), given, group, last=False)
    # Spark compiles what comes before and after this by itself. Together, it would be too long for the JVM.
    return _judged(apart.observe(observed, F.count("*").alias("lines")), typed, last=False)


def _lines(spark: SparkSession, given: Input, group: Sequence[int]) -> DataFrame:
    """Return ``file``, ``fact``, ``block``, ``id`` and ``value`` of each line: where it stands, and its text."""
    if not group:
        kinds = {"file": "int", "block": "bigint", "id": "bigint", "span": "int", "value": "string"}
        facts = (F.lit(None).cast(kind).alias(name) for name, (kind, _) in given.facts.items())
        fact = F.struct(F.lit(None).alias("none"), *facts).alias("fact")
        return spark.range(0).select(
            fact, *(F.lit(None).cast(kind).alias(name) for name, kind in kinds.items())
        )
    text = spark.read.text([given.paths[number] for number in group])
    # Spark escapes paths; what it calls a file is found out by asking it.
    named = {unquote(urlsplit(path).path): re.sub(_FILE_SCHEME, "/", path) for path in text.inputFiles()}
    paths = {number: named[unquote(urlsplit(given.paths[number]).path)] for number in group}
    value, like = F.col("value"), given.sources[group[0]]
    if like.charset == WINDOWS:  # UTF-16 has become UTF-8
        decoded = F.decode(value.cast("binary"), WINDOWS)
        # Files that were put together from others have lines of both; and some bytes mean nothing in either.
        as_is = F.is_valid_utf8(value) | F.contains(decoded, F.lit("\ufffd"))
        value = F.when(as_is, value).otherwise(decoded)
    if like.backslashes:
        doubled = F.regexp_replace(value, r'(?<!\\)((?:\\\\)*)\\"', '$1""')
        value = F.replace(doubled, F.lit(r"\\"), F.lit("\\"))
    lines = text.select(
        value.alias("value"),
        F.monotonically_increasing_id().alias("id"),
        F.col("_metadata.file_block_start").alias("block"),
        F.lit(1).alias("span"),
        # Spark writes file:/ here and file:/// there.
        F.regexp_replace("_metadata.file_path", _FILE_SCHEME, "/").alias("path"),
    )
    return _with_facts(lines, given, paths)


def _with_facts(lines: DataFrame, given: Input, paths: Mapping[int, str]) -> DataFrame:
    """Add ``file`` and ``fact`` by ``path``; of one file only, they are constants."""
    known = [
        {"path": path, "file": number} | {name: values[number] for name, (_, values) in given.facts.items()}
        for number, path in paths.items()
    ]
    kinds = {"path": "string", "file": "int"} | {name: kind for name, (kind, _) in given.facts.items()}
    if len(known) == 1:
        lines = lines.withColumns({name: F.lit(known[0][name]).cast(kind) for name, kind in kinds.items()})
    else:
        lines = lines.join(F.broadcast(small_table(lines.sparkSession, known, kinds)), "path")
    return lines.select(
        "file",
        F.struct(F.lit(None).alias("none"), *given.facts).alias("fact"),
        "block",
        "id",
        "span",
        "value",
    )


def small_table(
    spark: SparkSession, rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]
) -> DataFrame:
    """Return a frame of a few rows, made without a Python worker, which createDataFrame would start."""
    fields = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    content = F.from_json(F.lit(json.dumps(rows, default=str)), f"array<struct<{fields}>>")
    return spark.range(1).select(F.inline(content))


def _apart(lines: DataFrame, given: Input, group: Sequence[int], *, last: bool) -> DataFrame:
    """Take lines apart: add ``cell``, all columns of `given` as text, and ``defect``."""
    sources = [given.sources[number] for number in group]
    columns = sources[0].columns if sources else ()
    cells = [f"c{position}" for position in range(len(columns))]
    no_text = ~F.is_valid_utf8(F.col("value")) | F.contains(F.col("value"), F.lit("\0"))
    defect = F.when(no_text, BAD_ENCODING)
    if columns:
        wrong = F.col(f"cells.{_BAD}").isNotNull()
        odd = F.col("quoted") & _odd()
        loose = odd & F.exists(
            F.array(*(F.col(f"cells.{cell}") for cell in cells)),
            lambda cell: F.startswith(cell, F.lit('"')) | F.endswith(cell, F.lit('"')),
        )
        defect = defect.when(wrong, WRONG_COLUMNS).when(loose if last else odd, LOOSE_QUOTE)
        lines = _parsed(lines, sources[0])
    else:
        defect = defect.otherwise(NO_HEADER)
        lines = lines.withColumn("cells", F.struct(F.lit(None).cast("string").alias(_BAD)))
    # Where files were put together, a byte order mark may stand in the middle.
    heads = sorted({mark + line for source in sources for line in source.head for mark in ("", "\ufeff")})
    blank = F.trim("value") == ""
    defect = (
        F.when(F.col("value").isin(heads) | (blank & F.lit(last)), _HEAD)
        .when(blank, WRONG_COLUMNS)
        .otherwise(defect)
    )
    present = {column: f"cells.c{position}" for position, column in enumerate(columns) if column}
    cell = [
        F.replace(F.col(present[column]), F.lit(_BREAK), F.lit("\n")).alias(column)
        if last and column in present
        else F.col(present[column]).alias(column)
        if column in present
        else F.lit(None).cast("string").alias(column)
        for column in given.columns
    ]
    return lines.withColumn("defect", defect).withColumn("cell", F.struct(*cell)).drop("cells", "quoted")


def _judged(apart: DataFrame, typed: Typed, *, last: bool) -> DataFrame:
    """Say of each line what it is: a row, a reject, the head, or unless `last` a piece."""
    judged = typed(apart, plain=not last).drop("cell", "fact")
    kind = (
        F.when(F.col("defect") == _HEAD, _HEAD)
        .when(F.col("defect").isin(WRONG_COLUMNS, LOOSE_QUOTE) & F.lit(not last), _PIECE)
        .when(F.col("defect").isNotNull(), _REJECT)
        .when(F.col("reason").isNotNull(), _REJECT if last else _AGAIN)
        .otherwise(_ROW)
    )
    return judged.withColumns(
        {
            "kind": kind,
            "reason": F.coalesce("defect", "reason"),
            "detail": F.when(F.col("defect").isNull(), F.col("detail")),
            "value": F.when(F.coalesce("defect", "reason").isNotNull(), F.col("value")),
        }
    ).drop("defect")


def _odd() -> Column:
    """Tell whether a line has an odd number of quotes, so that one is open at its end."""
    return F.size(F.split("value", '"')) % 2 == 0


def _open(value: Column, delimiter: str, *, inside: bool) -> Column:
    """Tell whether a quote is open at the end of a text, if none is, or one is, at its beginning.

    Only at the beginning of a cell does a quote open one: ``7" Single`` does not.
    """
    parts = F.split(F.replace(value, F.lit('""'), F.lit("")), '"')
    start = F.struct(F.lit(inside).alias("inside"), F.element_at(parts, 1).alias("before"))

    def quote(state: Column, after: Column) -> Column:
        opens = (state["before"] == "") | F.endswith(state["before"], F.lit(delimiter))
        return F.struct((~state["inside"] & opens).alias("inside"), after.alias("before"))

    return F.aggregate(F.slice(parts, 2, F.size(parts)), start, quote)["inside"]


def _parsed(lines: DataFrame, source: Source) -> DataFrame:
    """Add ``quoted``, and ``cells``: a struct of the cells of ``value``, with _BAD for too many or too few."""
    width = len(source.columns)
    cells = ", ".join(f"c{position} string" for position in range(width))
    options = {
        "sep": source.delimiter,
        "quote": '"',
        "escape": '"',
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": _BAD,
    }
    # Most lines have no quotes. To split those takes a third of the time of parsing them.
    parts = F.col("parts")
    plain = F.struct(
        *(
            F.nullif(F.get(parts, F.lit(position)), F.lit("")).alias(f"c{position}")
            for position in range(width)
        ),
        F.when(F.size(parts) != width, F.col("value")).alias(_BAD),
    )
    quoted = F.col("quoted")
    parsed = F.from_csv("value", f"{cells}, {_BAD} string", options)
    return (
        lines.withColumn("quoted", F.contains("value", F.lit('"')))
        .withColumn("parts", F.when(~quoted, F.split("value", re.escape(source.delimiter))))
        .withColumn("cells", F.when(quoted, parsed).otherwise(plain))
        .drop("parts")
    )


def _staged(frame: DataFrame, path: str) -> DataFrame:
    # Read again soon and then gone: speed counts for more than size.
    fast = {"compression": "snappy", "parquet.enable.dictionary": "false"}
    frame.write.mode("overwrite").options(**fast).partitionBy("kind").parquet(path)
    return frame.sparkSession.read.schema(frame.schema).parquet(path)


def _records(pieces: DataFrame, given: Input, group: Sequence[int]) -> DataFrame:
    """Join pieces that stand below each other where they make a record; keep the other lines.

    The lines of a record with line breaks are pieces, all of them, and stand next to each other. It begins where no
    quote is open. Where that does not yield a record, each line is one by itself.
    """
    source = given.sources[group[0]]
    order = Window.partitionBy("file").orderBy("block", "id")
    apart = (F.lag("block").over(order) == F.col("block")) & (F.lag("id").over(order) != F.col("id") - 1)
    in_island = Window.partitionBy("file", "island").orderBy("block", "id")
    before = in_island.rowsBetween(Window.unboundedPreceding, -1)
    # Whether a quote is open behind a line depends on whether one is before it. Most lines keep that as it is; some
    # turn it over, and behind the others it is the same in both cases.
    outside, inside = (_open(F.col("value"), source.delimiter, inside=known) for known in (False, True))
    turns = F.coalesce(F.sum((outside & ~inside).cast("int")).over(before), F.lit(0))
    settled = F.when(outside == inside, (outside.cast("int") + F.col("turns")) % 2)
    line = F.struct("block", "id", "value")
    joined = (
        pieces.where(F.col("kind") == _PIECE)
        .withColumn("apart", F.coalesce(apart, F.lit(False)).cast("int"))
        .withColumn("island", F.sum("apart").over(order))
        .withColumn("turns", turns)
        .withColumn("settled", F.coalesce(F.last(settled, ignorenulls=True).over(before), F.lit(0)))
        .withColumn("begins", F.when((F.col("settled") + F.col("turns")) % 2 == 0, 1).otherwise(0))
        .withColumn("record", F.sum("begins").over(in_island))
        .groupBy("file", "island", "record")
        .agg(F.array_sort(F.collect_list(line)).alias("lines"))
        .withColumn("value", F.array_join("lines.value", _BREAK))
    )
    joined = _parsed(joined, source)
    closed = ~_open(F.col("value"), source.delimiter, inside=False)
    whole = F.col(f"cells.{_BAD}").isNull() & ((F.size("lines") == 1) | closed)
    first = F.element_at("lines", 1)
    spanning = joined.select(
        "file",
        first["block"].alias("block"),
        first["id"].alias("id"),
        F.size("lines").alias("span"),
        "value",
        whole.alias("whole"),
        "lines",
    )
    single = spanning.where(~F.col("whole")).select("file", F.inline("lines")).withColumn("span", F.lit(1))
    again = pieces.where(F.col("kind") == _AGAIN).select("file", "block", "id", "span", "value")
    records = _union([spanning.where("whole").drop("whole", "lines"), single, again])
    return _with_facts(
        records.withColumn("path", F.col("file").cast("string")).drop("file"),
        given,
        {n: str(n) for n in group},
    )


def _tally(lines: DataFrame) -> list[Row]:
    """Count what is staged by file, block, kind and reason."""
    grouped = lines.groupBy("file", "block", "kind", "reason").agg(
        F.count("*").alias("records"), F.sum("span").alias("lines"), F.min("id").alias("first")
    )
    return list(grouped.collect())


def _rejects(records: DataFrame, tally: Sequence[Row]) -> DataFrame:
    """Return the rejects with the number of the line where each begins; `tally` is that of all lines."""
    lengths, first = Counter[tuple[int, int]](), dict[tuple[int, int], int]()
    for row in tally:
        place = row["file"], row["block"]
        lengths[place] += row["records"]
        first[place] = min(row["first"], first.get(place, row["first"]))
    starts, before = [], Counter[int]()
    for file, block in sorted(lengths):
        # A line's id counts up within its block.
        starts.append({"file": file, "block": block, "start": before[file] - first[file, block] + 1})
        before[file] += lengths[file, block]
    known = small_table(records.sparkSession, starts, {"file": "int", "block": "bigint", "start": "bigint"})
    return (
        records.where(F.col("kind") == _REJECT)
        .join(F.broadcast(known), ["file", "block"])
        .select(
            "file",
            (F.col("start") + F.col("id")).alias("line"),
            "reason",
            "detail",
            F.make_valid_utf8(F.replace("value", F.lit(_BREAK), F.lit("\n"))).alias("content"),
        )
    )


def _counts(tally: Sequence[Row], files: int, seen: int) -> list[dict[str, Any]]:
    counts: list[dict[str, Any]] = [{"heads": 0, "rows": 0, "rejects": Counter()} for _ in range(files)]
    found = 0
    for row in tally:
        if row["kind"] in (_PIECE, _AGAIN):
            continue  # counted as what was made of them
        found += row["lines"]
        count = counts[row["file"]]
        if row["kind"] == _REJECT:
            count["rejects"][row["reason"]] += row["records"]
        else:
            count["rows" if row["kind"] == _ROW else "heads"] += row["records"]
    if found != seen:
        raise LinesUnaccounted(seen, found)
    return counts


def _union(frames: Sequence[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionByName, frames)
