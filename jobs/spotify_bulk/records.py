"""Reads CSV files into records and accounts for every line.

Spark reads a CSV file with line breaks inside fields in a single task. This module reads the files line by line, in
parallel. Only lines that are not a complete record are examined together: those with an odd number of quotes, and
those whose number of cells differs from the header's.
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

from spotify_bulk.cells import unquoted
from spotify_bulk.errors import LinesUnaccounted
from spotify_bulk.sources import WINDOWS, CsvFile, Layout

# Reasons of rejects that are found before cells are converted.
BAD_ENCODING: Final = "encoding"
WRONG_COLUMNS: Final = "columns"
LOOSE_QUOTE: Final = "quotes"

_FILE_SCHEME: Final = "^file:/+"
# Replaces line breaks inside a record during parsing, so that one outside of quotes is detected.
_BREAK: Final = "\x1e"
_ROW, _REJECT, _HEADER = "row", "reject", "header_line"
_FRAGMENT, _RETRY = "fragment", "retry"  # for a second pass: joined with its neighbors, or alone
_CORRUPT: Final = "_bad"
_PARTITIONS: Final = "spark.sql.files.minPartitionNum"
# Where the first line of a row is, how many lines it has, and its text if it took a second pass.
PLACE: Final = ("block", "id", "span", "value")


class TypeCells(Protocol):
    """Converts cells to typed columns; see read()."""

    def __call__(self, frame: DataFrame, *, plain: bool) -> DataFrame:
        """Return the frame with the table's columns, ``reason`` and ``detail``."""


@dataclass(frozen=True)
class Batch:
    """Files of one data set that are read together.

    Attributes
    ----------
    sources
        The files; a file's number is its position.
    paths
        The address of each, for Spark.
    layout
        The columns that a row can have.
    file_values
        Values that apply to all rows of a file, by name: the SQL type, and one value for each file.
    """

    sources: Sequence[CsvFile]
    paths: Sequence[str]
    layout: Layout
    file_values: Mapping[str, tuple[str, Sequence[Any]]]


@dataclass(frozen=True)
class Records:
    """The result for all lines.

    Attributes
    ----------
    rows
        The valid rows: ``file``, PLACE and the typed columns.
    rejects
        The others: ``file``, ``line``, ``reason``, ``detail``, ``content``.
    counts
        By file name: ``header_lines``, ``rows``, and ``rejects`` by reason.
    starts
        The number that gives a line's number when added to its ``id``, by ``file`` and ``block``.
    given
        The files.
    """

    rows: DataFrame
    rejects: DataFrame
    counts: dict[str, dict[str, Any]]
    starts: DataFrame
    given: Batch

    def with_lines(self, rows: DataFrame) -> DataFrame:
        """Return rows with ``file`` and PLACE and the additional columns ``line`` and ``content``, as in the file.

        The lines are read again, because a run that keeps the text of every row takes longer.
        """
        spark, numbers = rows.sparkSession, [row["file"] for row in rows.select("file").distinct().collect()]
        groups = [group for group in _groups(self.given) if set(group) & set(numbers)]
        lines = _union([_lines(spark, self.given, group) for group in groups or [[]]])
        text = lines.select("file", "block", "id", F.col("value").alias("text"))
        # Spark gives the same lines the same ids each time.
        found = text.join(rows, ["file", "block", "id"])
        return found.join(F.broadcast(self.starts), ["file", "block"]).select(
            *rows.columns,
            (F.col("start") + F.col("id")).alias("line"),
            _content(F.coalesce("value", "text")).alias("content"),
        )


def read(spark: SparkSession, given: Batch, type_cells: TypeCells, work_path: str) -> Records:
    """Read CSV files.

    Parameters
    ----------
    spark
        The session.
    given
        The files.
    type_cells
        Takes a frame with two structs: ``cell``, all columns of `given` as text, and ``file_value``. Adds the table's
        columns, and ``reason`` and ``detail``: why a row is invalid, or null. With ``plain`` it may refuse cells that
        are not in the usual notation; those rows come again without ``plain``.
    work_path
        Address for intermediate results. The returned frames read from there, so each file is read only once.

    Raises
    ------
    LinesUnaccounted
        Lines were lost, which is a bug.
    """
    if spark.conf.get(_PARTITIONS, None) is None:
        # Lines get the same ids whenever they are read, even if AWS Glue adds workers in between.
        spark.conf.set(_PARTITIONS, str(spark.sparkContext.defaultParallelism))
    frames, second_passes, seen = [], [], 0
    for number, group in enumerate(_groups(given) or [[]]):  # without files, all frames are empty
        observed = Observation()
        staged = _stage(_first_pass(spark, given, group, type_cells, observed), f"{work_path}/lines-{number}")
        frames.append(staged)
        seen += observed.get["lines"]
        unfinished = staged.where(F.col("kind").isin(_FRAGMENT, _RETRY))
        if not unfinished.isEmpty():
            split = _split_lines(_join_fragments(unfinished, given, group), given, group, last=True)
            second_pass = _classify(split, type_cells, last=True)
            second_passes.append(_stage(second_pass, f"{work_path}/second-pass-{number}"))
    lines = _union(frames)
    records = _union([lines.where(~F.col("kind").isin(_FRAGMENT, _RETRY)), *second_passes])
    tally = _tally(lines)
    second_tally = _tally(_union(second_passes)) if second_passes else []
    starts = _starts(spark, tally)
    return Records(
        rows=records.where(F.col("kind") == _ROW).drop("kind", "reason", "detail"),
        rejects=_rejects(records, starts),
        counts=_counts([*tally, *second_tally], given.sources, seen),
        starts=starts,
        given=given,
    )


def _groups(given: Batch) -> list[list[int]]:
    """Return groups of file numbers; the files of a group have the same format and are read together."""

    def file_format(number: int) -> tuple[str, str, bool, bool, tuple[str, ...]]:
        source = given.sources[number]
        columns = tuple(column or "" for column in source.columns)
        return source.charset, source.delimiter, source.backslashes, source.quoted_whole, columns

    numbers = sorted(range(len(given.sources)), key=file_format)
    return [list(group) for _, group in groupby(numbers, key=file_format)]


def _first_pass(
    spark: SparkSession, given: Batch, group: Sequence[int], type_cells: TypeCells, observed: Observation
) -> DataFrame:
    """Classify each line on its own, and observe the number of ``lines``."""
    split = _split_lines(_lines(spark, given, group), given, group, last=False)
    # Spark compiles the code before and after an observation separately. Together it would be too long for the JVM.
    return _classify(split.observe(observed, F.count("*").alias("lines")), type_cells, last=False)


def _lines(spark: SparkSession, given: Batch, group: Sequence[int]) -> DataFrame:
    """Return the position and text of each line: ``file``, ``file_value``, ``block``, ``id``, ``span``, ``value``."""
    if not group:
        types = {"file": "int", "block": "bigint", "id": "bigint", "span": "int", "value": "string"}
        values = (F.lit(None).cast(type_).alias(name) for name, (type_, _) in given.file_values.items())
        file_value = F.struct(F.lit(None).alias("none"), *values).alias("file_value")
        return spark.range(0).select(
            file_value, *(F.lit(None).cast(type_).alias(name) for name, type_ in types.items())
        )
    text = spark.read.text([given.paths[number] for number in group])
    # Spark escapes paths, so look up its name for each file.
    escaped = {unquote(urlsplit(path).path): re.sub(_FILE_SCHEME, "/", path) for path in text.inputFiles()}
    paths = {number: escaped[unquote(urlsplit(given.paths[number]).path)] for number in group}
    value, source = F.col("value"), given.sources[group[0]]
    if source.charset == WINDOWS:
        decoded = F.decode(value.cast("binary"), WINDOWS)
        # Concatenated files can mix both encodings, and some bytes are invalid in either.
        as_is = F.is_valid_utf8(value) | F.contains(decoded, F.lit("\ufffd"))
        value = F.when(as_is, value).otherwise(decoded)
    if source.quoted_whole:
        value = unquoted(value)
    if source.backslashes:
        doubled = F.regexp_replace(value, r'(?<!\\)((?:\\\\)*)\\"', '$1""')
        value = F.replace(doubled, F.lit(r"\\"), F.lit("\\"))
    lines = text.select(
        value.alias("value"),
        F.monotonically_increasing_id().alias("id"),
        F.col("_metadata.file_block_start").alias("block"),
        F.lit(1).alias("span"),
        # Spark writes either file:/ or file:///.
        F.regexp_replace("_metadata.file_path", _FILE_SCHEME, "/").alias("path"),
    )
    return _add_file_values(lines, given, paths)


def _add_file_values(lines: DataFrame, given: Batch, paths: Mapping[int, str]) -> DataFrame:
    """Add ``file`` and ``file_value`` by ``path``; for a single file they are constants."""
    known = [
        {"path": path, "file": number}
        | {name: values[number] for name, (_, values) in given.file_values.items()}
        for number, path in paths.items()
    ]
    types = {"path": "string", "file": "int"} | {
        name: type_ for name, (type_, _) in given.file_values.items()
    }
    if len(known) == 1:
        lines = lines.withColumns({name: F.lit(known[0][name]).cast(type_) for name, type_ in types.items()})
    else:
        lines = lines.join(F.broadcast(small_frame(lines.sparkSession, known, types)), "path")
    return lines.select(
        "file",
        F.struct(F.lit(None).alias("none"), *given.file_values).alias("file_value"),
        "block",
        "id",
        "span",
        "value",
    )


def small_frame(
    spark: SparkSession, rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]
) -> DataFrame:
    """Return a frame of a few rows without starting a Python worker, as createDataFrame would."""
    fields = ", ".join(f"{name} {type_}" for name, type_ in types.items())
    content = F.from_json(F.lit(json.dumps(rows, default=str)), f"array<struct<{fields}>>")
    return spark.range(1).select(F.inline(content))


def _split_lines(lines: DataFrame, given: Batch, group: Sequence[int], *, last: bool) -> DataFrame:
    """Split lines into cells: add ``cell``, all columns of `given` as text, and ``defect``."""
    sources = [given.sources[number] for number in group]
    columns = sources[0].columns if sources else ()
    cells = [f"c{position}" for position in range(len(columns))]
    not_text = ~F.is_valid_utf8(F.col("value")) | F.contains(F.col("value"), F.lit("\0"))
    defect = F.when(not_text, BAD_ENCODING)
    if last:
        lines = lines.withColumns({"as_read": F.col("value"), "value": unquoted(F.col("value"))})
    if columns:
        wrong_count = F.col(f"cells.{_CORRUPT}").isNotNull()
        odd = F.col("quoted") & _has_odd_quotes()
        loose = odd & F.exists(
            F.array(*(F.col(f"cells.{cell}") for cell in cells)),
            lambda cell: F.startswith(cell, F.lit('"')) | F.endswith(cell, F.lit('"')),
        )
        defect = defect.when(wrong_count, WRONG_COLUMNS).when(loose if last else odd, LOOSE_QUOTE)
        lines = _parse_cells(lines, sources[0])
    else:  # without files
        lines = lines.withColumn("cells", F.struct(F.lit(None).cast("string").alias(_CORRUPT)))
    # Concatenated files can have byte order marks in the middle.
    header_lines = sorted(
        {mark + line for source in sources for line in source.head for mark in ("", "\ufeff")}
    )
    blank = F.trim("value") == ""
    defect = (
        F.when(F.col("value").isin(header_lines) | (blank & F.lit(last)), _HEADER)
        .when(blank, WRONG_COLUMNS)
        .otherwise(defect)
    )
    present = {column: F.col(f"cells.c{position}") for position, column in enumerate(columns) if column}
    cell = [_cell(column, present, given.layout, last=last).alias(column) for column in given.layout.columns]
    split = lines.withColumn("defect", defect).withColumn("cell", F.struct(*cell)).drop("cells", "quoted")
    return split.withColumn("value", F.col("as_read")).drop("as_read") if last else split


def _cell(column: str, present: Mapping[str, Column], layout: Layout, *, last: bool) -> Column:
    """Return the text of a column, whose parts are joined by hyphens, as in 2019-03-29."""
    if parts := layout.parts(column, list(present)):
        texts = (F.regexp_replace(F.trim(present[part]), r"\.0$", "") for part in parts)
        padded = (F.when(F.length(text) == 1, F.concat(F.lit("0"), text)).otherwise(text) for text in texts)
        return F.nullif(F.concat_ws("-", *padded), F.lit(""))
    if column not in present:
        return F.lit(None).cast("string")
    return F.replace(present[column], F.lit(_BREAK), F.lit("\n")) if last else present[column]


def _classify(split: DataFrame, type_cells: TypeCells, *, last: bool) -> DataFrame:
    """Add the ``kind`` of each line: row, reject or header; before the `last` pass also fragment or retry."""
    classified = type_cells(split, plain=not last).drop("cell", "file_value")
    kind = (
        F.when(F.col("defect") == _HEADER, _HEADER)
        .when(F.col("defect").isin(WRONG_COLUMNS, LOOSE_QUOTE) & F.lit(not last), _FRAGMENT)
        .when(F.col("defect").isNotNull(), _REJECT)
        .when(F.col("reason").isNotNull(), _REJECT if last else _RETRY)
        .otherwise(_ROW)
    )
    return classified.withColumns(
        {
            "kind": kind,
            "reason": F.coalesce("defect", "reason"),
            "detail": F.when(F.col("defect").isNull(), F.col("detail")),
            "value": F.when(F.coalesce("defect", "reason").isNotNull() | F.lit(last), F.col("value")),
        }
    ).drop("defect")


def _has_odd_quotes() -> Column:
    """Return whether a line has an odd number of quotes, so that one is open at its end."""
    return F.size(F.split("value", '"')) % 2 == 0


def _ends_inside_quotes(value: Column, delimiter: str, *, inside: bool) -> Column:
    """Return whether a quote is open at the end of a text that starts outside or `inside` quotes.

    A quote opens only at the start of a cell: ``7" Single`` does not open one.
    """
    parts = F.split(F.replace(value, F.lit('""'), F.lit("")), '"')
    start = F.struct(F.lit(inside).alias("inside"), F.element_at(parts, 1).alias("before"))

    def quote(state: Column, after: Column) -> Column:
        opens = (state["before"] == "") | F.endswith(state["before"], F.lit(delimiter))
        return F.struct((~state["inside"] & opens).alias("inside"), after.alias("before"))

    return F.aggregate(F.slice(parts, 2, F.size(parts)), start, quote)["inside"]


def _parse_cells(lines: DataFrame, source: CsvFile) -> DataFrame:
    """Add ``quoted``, and ``cells``: a struct of the cells, with _CORRUPT set if there are too many or too few."""
    width = len(source.columns)
    cells = ", ".join(f"c{position} string" for position in range(width))
    options = {
        "sep": source.delimiter,
        "quote": '"',
        "escape": '"',
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": _CORRUPT,
    }
    # Most lines have no quotes. Splitting them takes a third of the time of parsing them.
    parts = F.col("parts")
    plain = F.struct(
        *(
            F.nullif(F.get(parts, F.lit(position)), F.lit("")).alias(f"c{position}")
            for position in range(width)
        ),
        F.when(F.size(parts) != width, F.col("value")).alias(_CORRUPT),
    )
    quoted = F.col("quoted")
    parsed = F.from_csv("value", f"{cells}, {_CORRUPT} string", options)
    return (
        lines.withColumn("quoted", F.contains("value", F.lit('"')))
        .withColumn("parts", F.when(~quoted, F.split("value", re.escape(source.delimiter))))
        .withColumn("cells", F.when(quoted, parsed).otherwise(plain))
        .drop("parts")
    )


def _stage(frame: DataFrame, path: str) -> DataFrame:
    # Intermediate files are soon dropped, so speed matters more than size.
    fast = {"compression": "snappy", "parquet.enable.dictionary": "false"}
    frame.write.mode("overwrite").options(**fast).partitionBy("kind").parquet(path)
    return frame.sparkSession.read.schema(frame.schema).parquet(path)


def _join_fragments(lines: DataFrame, given: Batch, group: Sequence[int]) -> DataFrame:
    """Join adjacent fragments that form a record; keep the other lines.

    All lines of a record with line breaks are fragments, and adjacent. A record starts where no quote is open. If that
    does not yield a valid record, each line stays on its own.
    """
    source = given.sources[group[0]]
    order = Window.partitionBy("file").orderBy("block", "id")
    gap = (F.lag("block").over(order) == F.col("block")) & (F.lag("id").over(order) != F.col("id") - 1)
    in_island = Window.partitionBy("file", "island").orderBy("block", "id")
    before = in_island.rowsBetween(Window.unboundedPreceding, -1)
    # Whether a quote is open after a line depends on whether one is open before it. Most lines keep that state, some
    # toggle it, and the others end in the same state either way.
    outside, inside = (
        _ends_inside_quotes(F.col("value"), source.delimiter, inside=state) for state in (False, True)
    )
    toggles = F.coalesce(F.sum((outside & ~inside).cast("int")).over(before), F.lit(0))
    fixed = F.when(outside == inside, (outside.cast("int") + F.col("toggles")) % 2)
    line = F.struct("block", "id", "value")
    joined = (
        lines.where(F.col("kind") == _FRAGMENT)
        .withColumn("gap", F.coalesce(gap, F.lit(False)).cast("int"))
        .withColumn("island", F.sum("gap").over(order))
        .withColumn("toggles", toggles)
        .withColumn("fixed", F.coalesce(F.last(fixed, ignorenulls=True).over(before), F.lit(0)))
        .withColumn("begins", F.when((F.col("fixed") + F.col("toggles")) % 2 == 0, 1).otherwise(0))
        .withColumn("record", F.sum("begins").over(in_island))
        .groupBy("file", "island", "record")
        .agg(F.array_sort(F.collect_list(line)).alias("lines"))
        .withColumn("value", F.array_join("lines.value", _BREAK))
    )
    joined = _parse_cells(joined, source)
    closed = ~_ends_inside_quotes(F.col("value"), source.delimiter, inside=False)
    is_record = F.col(f"cells.{_CORRUPT}").isNull() & ((F.size("lines") == 1) | closed)
    first = F.element_at("lines", 1)
    spanning = joined.select(
        "file",
        first["block"].alias("block"),
        first["id"].alias("id"),
        F.size("lines").alias("span"),
        "value",
        is_record.alias("is_record"),
        "lines",
    )
    single = (
        spanning.where(~F.col("is_record")).select("file", F.inline("lines")).withColumn("span", F.lit(1))
    )
    retries = lines.where(F.col("kind") == _RETRY).select("file", "block", "id", "span", "value")
    records = _union([spanning.where("is_record").drop("is_record", "lines"), single, retries])
    return _add_file_values(
        records.withColumn("path", F.col("file").cast("string")).drop("file"),
        given,
        {n: str(n) for n in group},
    )


def _tally(lines: DataFrame) -> list[Row]:
    """Count the staged lines by file, block, kind and reason."""
    grouped = lines.groupBy("file", "block", "kind", "reason").agg(
        F.count("*").alias("records"), F.sum("span").alias("lines"), F.min("id").alias("first")
    )
    return list(grouped.collect())


def _starts(spark: SparkSession, tally: Sequence[Row]) -> DataFrame:
    """Return what gives a line's number when added to its id, from the `tally` of the first pass."""
    lengths, first = Counter[tuple[int, int]](), dict[tuple[int, int], int]()
    for row in tally:
        position = row["file"], row["block"]
        lengths[position] += row["records"]
        first[position] = min(row["first"], first.get(position, row["first"]))
    starts, before = [], Counter[int]()
    for file, block in sorted(lengths):
        # Line ids are consecutive within a block.
        starts.append({"file": file, "block": block, "start": before[file] - first[file, block] + 1})
        before[file] += lengths[file, block]
    return small_frame(spark, starts, {"file": "int", "block": "bigint", "start": "bigint"})


def _rejects(records: DataFrame, starts: DataFrame) -> DataFrame:
    """Return the rejects with the number of their first line."""
    return (
        records.where(F.col("kind") == _REJECT)
        .join(F.broadcast(starts), ["file", "block"])
        .select(
            "file",
            (F.col("start") + F.col("id")).alias("line"),
            "reason",
            "detail",
            _content(F.col("value")).alias("content"),
        )
    )


def _content(value: Column) -> Column:
    """Return the text of a record as it is shown in a reject."""
    return F.make_valid_utf8(F.replace(value, F.lit(_BREAK), F.lit("\n")))


def _counts(tally: Sequence[Row], sources: Sequence[CsvFile], seen: int) -> dict[str, dict[str, Any]]:
    counts: list[dict[str, Any]] = [{"header_lines": 0, "rows": 0, "rejects": Counter()} for _ in sources]
    found = 0
    for row in tally:
        if row["kind"] in (_FRAGMENT, _RETRY):
            continue  # counted by their result of the second pass
        found += row["lines"]
        count = counts[row["file"]]
        if row["kind"] == _REJECT:
            count["rejects"][row["reason"]] += row["records"]
        else:
            count["rows" if row["kind"] == _ROW else "header_lines"] += row["records"]
    if found != seen:
        raise LinesUnaccounted(seen, found)
    return {source.name: count for source, count in zip(sources, counts, strict=True)}


def _union(frames: Sequence[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionByName, frames)
