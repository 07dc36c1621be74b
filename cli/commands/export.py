"""Write views, tables and answers to queries as CSV and Parquet.

Without names it writes every view of the playlists; with --tables what dbt, the notebook and the other examples read:
every table of playlists and plays, and the view listening. Name views of charts one by one: they have millions of rows.
The CSV files are for spreadsheets: they begin with a byte order mark, times are UTC in whole seconds, and texts that a
spreadsheet would run as formulas have an apostrophe before them. --raw writes everything unchanged, for programs.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import typer

from cli.athena import connect
from cli.catalog import column_types, sql_of, tables
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, OpsError, find
from cli.terminal import Progress, Terminal
from queries import queries, used_by, views
from queries.display import without_formulas
from spotify_lake.schema.listening import LIBRARY, LISTENING_TABLES
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.warehouse import WAREHOUSE

if TYPE_CHECKING:
    from cli.terminal import Progress
    from spotify_lake.athena import Athena, Column, Row

EXAMPLES: Final = (
    "./lake export",
    "./lake export latest_songs artist_gains --out answers",
    "./lake export --tables --laptop",
)
DEFAULT_FOLDER: Final = Path("export")
TABLES_TO_EXPORT: Final = (*(table.name for table in (*TABLES, *LISTENING_TABLES, LIBRARY)), "listening")
TIMEOUT_S: Final = 1800.0  # how long Athena itself lets a query run
BATCH_ROWS: Final = 100_000

_ARROW_TYPES: Final = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "int"), pa.int32()),
    "bigint": pa.int64(),
    **dict.fromkeys(("float", "real", "double"), pa.float64()),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    **dict.fromkeys(("timestamp", "timestamp with time zone"), pa.timestamp("us", tz="UTC")),
}
_SPREADSHEET_TIME: Final = pa.timestamp("s")
_STRINGS: Final = "array<string>"


@dataclass(frozen=True)
class Written:
    """What was written for one name."""

    rows: int
    paths: tuple[Path, ...]


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAMES", help="Views, tables or files of queries/ (default: every view)."),
    ] = None,
    *,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the files.")] = DEFAULT_FOLDER,
    every_table: Annotated[
        bool, typer.Option("--tables", help="Write the tables, as the examples read them.")
    ] = False,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Write texts and times to CSV unchanged, for programs, not spreadsheets."),
    ] = False,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    chosen = [*(names or []), *(TABLES_TO_EXPORT if every_table else ())]
    run(find(laptop=laptop, stack=stack), Terminal(), chosen, out, raw=raw)


def run(lake: Lake, terminal: Terminal, names: Sequence[str], folder: Path, *, raw: bool = False) -> None:
    """Write each of `names` as `<name>.csv` and `<name>.parquet`.

    Parameters
    ----------
    lake
        The lake to query.
    terminal
        Shows progress.
    names
        Views, tables and queries; none for every view of the playlists, not of plays or charts.
    folder
        Created if it does not exist. Existing files are replaced once the new ones are complete.
    raw
        As in `export`.

    Raises
    ------
    OpsError
        A name is unknown, or the folder cannot be written to.
    QueryFailed
        Athena refuses a query, or one fails.
    """
    athena = connect(lake)
    sources = _sources(lake)
    bulk = [one.table.name for one in WAREHOUSE]
    others = [*bulk, *(table.name for table in LISTENING_TABLES)]
    of_playlists = [name for name, view in views().items() if not used_by(view.sql, others)]
    chosen = list(dict.fromkeys(names)) or of_playlists
    if unknown := [name for name in chosen if name not in sources]:
        raise OpsError(
            f"There is nothing called {', '.join(unknown)}. There are {', '.join(sorted(sources))}."
        )
    sources |= {name: Source(sql_of(lake, query)) for name, query in queries().items() if name in chosen}
    terminal.heading(f"Exporting from {lake.place} to {folder}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with terminal.progress("Exporting", len(chosen)) as progress:
            for number, name in enumerate(chosen):
                report = functools.partial(_report, progress, number, name)
                written = export(athena, sources[name], folder / name, report, raw=raw)
                sizes = ", ".join(f"{path.name} {_size(path.stat().st_size)}" for path in written.paths)
                terminal.done(f"{name}: {written.rows:,} rows in {sizes}")
    except KeyboardInterrupt as error:
        error.add_note(f"What is named above is complete in {folder}; nothing else was changed there.")
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise OpsError(
            f"{folder} cannot be written to: {error.strerror or error}. Name another folder with --out."
        ) from error


def _report(progress: Progress, number: int, name: str, rows: int) -> None:
    progress.update(number, f"{name}: {rows:,} rows so far")


@dataclass(frozen=True)
class Source:
    """Something to export.

    Attributes
    ----------
    sql
        The query that has it.
    lists
        Its columns that are lists of text; their values come as JSON, since Athena's own text of them is ambiguous.
    """

    sql: str
    lists: frozenset[str] = frozenset()


def _sources(lake: Lake) -> dict[str, Source]:
    """Return everything that can be exported, by name."""
    ours = {table.name for table in (*TABLES, *LISTENING_TABLES, LIBRARY, *(one.table for one in WAREHOUSE))}
    stored = {table["Name"]: column_types(table) for table in tables(lake) if table["Name"] in ours}
    relations = stored | {name: dict(view.types) for name, view in views().items()}
    return {name: _relation(name, types) for name, types in relations.items()} | {
        name: Source(query.sql) for name, query in queries().items()
    }


def _relation(name: str, types: Mapping[str, str]) -> Source:
    lists = frozenset(column for column, kind in types.items() if kind == _STRINGS)
    columns = ", ".join(
        f'json_format(CAST("{column}" AS JSON)) AS "{column}"' if column in lists else f'"{column}"'
        for column in types
    )
    return Source(f"SELECT {columns} FROM {name}", lists)  # noqa: S608 # nosec B608 # names of the catalog


def export(
    athena: Athena, source: Source, stem: Path, progress: Callable[[int], object], *, raw: bool = False
) -> Written:
    """Ask for one source and write it as CSV and Parquet.

    Parameters
    ----------
    athena
        Runs the query.
    source
        What to export.
    stem
        Path of the files without their endings.
    progress
        Called with the number of rows written so far.
    raw
        Write the CSV file for programs: without a byte order mark, with texts unchanged, and times to the microsecond.

    Returns
    -------
    Written
        What was written. In the CSV file lists are JSON, times are UTC, and a null is empty where an empty text is
        `""`. For a spreadsheet it begins with a byte order mark, without which Excel misreads letters beyond ASCII;
        times have whole seconds and no zone; formulas have an apostrophe before them. The Parquet file has every value
        unchanged.
    """
    answer = athena.stream(source.sql, TIMEOUT_S)
    schema = pa.schema([_field(column, source) for column in answer.columns])
    flat = pa.schema([_field(column, None, raw=raw) for column in answer.columns])
    paths = stem.with_suffix(".csv"), stem.with_suffix(".parquet")
    rows = 0
    with (
        _replacing(*paths) as (csv_draft, parquet_draft),
        csv_draft.open("wb") as csv_file,
        _csv_writer(csv_file, flat, raw=raw) as csv,
        pa.parquet.ParquetWriter(parquet_draft, schema, compression="zstd") as parquet,
    ):
        for batch in _batches(answer.pages):
            columns = list(zip(*batch, strict=True))
            csv.write(_table(columns if raw else _as_texts(columns, answer.columns), flat))
            parquet.write(_table(columns, schema))
            rows += len(batch)
            progress(rows)
    return Written(rows, paths)


def _as_texts(values: Sequence[Sequence[Any]], columns: Sequence[Column]) -> list[Sequence[Any]]:
    """Return the values of columns, with an apostrophe before each text that begins like a formula."""
    return [
        found if column.is_number else [_as_text(value) for value in found]
        for found, column in zip(values, columns, strict=True)
    ]


def _as_text(value: Any) -> Any:
    return without_formulas(value) if isinstance(value, str) else value


def _csv_writer(file: BinaryIO, schema: pa.Schema, *, raw: bool) -> pa.csv.CSVWriter:
    if not raw:
        file.write(codecs.BOM_UTF8)
    return pa.csv.CSVWriter(file, schema)


def _field(column: Column, source: Source | None, *, raw: bool = True) -> pa.Field:
    if source is not None and column.name in source.lists:
        return pa.field(column.name, pa.list_(pa.string()))
    kind = _ARROW_TYPES.get(column.type, pa.string())
    if pa.types.is_timestamp(kind) and not raw:
        kind = _SPREADSHEET_TIME
    return pa.field(column.name, kind)


def _table(columns: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    return pa.table([_array(*pair) for pair in zip(columns, schema.types, strict=True)], schema=schema)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_list(kind):
        values = [None if value is None else json.loads(value) for value in values]
    elif pa.types.is_string(kind):
        values = [None if value is None else str(value) for value in values]
    if kind == _SPREADSHEET_TIME:
        exact = pa.array(values, pa.timestamp("us", tz="UTC"))
        return exact.cast(pa.timestamp("s", tz="UTC"), safe=False).cast(kind)
    return pa.array(values, kind)


def _batches(pages: Iterable[list[Row]]) -> Iterator[list[Row]]:
    """Gather the small pages that Athena sends into batches worth a row group."""
    batch: list[Row] = []
    for page in pages:
        batch += page
        if len(batch) >= BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


@contextlib.contextmanager
def _replacing(*paths: Path) -> Iterator[list[Path]]:
    """Give a draft for each path; the drafts take their places only if all goes well."""
    drafts = [path.with_name(f".{path.name}.draft") for path in paths]
    try:
        yield drafts
        for draft, path in zip(drafts, paths, strict=True):
            draft.replace(path)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 10_000 else f"{count / 1000:,.0f} kB"
