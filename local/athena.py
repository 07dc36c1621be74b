"""Ask the lake through the Athena API, as the console and every other client does.

The emulator runs queries on DuckDB and knows no views, so on the laptop a query is translated on the way.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlglot
from botocore.exceptions import ClientError
from sqlglot import exp

from local.errors import LaptopError
from queries import Statement
from queries import views as all_views
from spotify_lake.schema.playlists import PARTITION, PLAYLISTS

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_s3 import S3Client

FIRST_POLL_S = 0.05
LONGEST_POLL_S = 1.0

type Schema = Mapping[str, Mapping[str, str]]
type Value = str | int | float | bool | Decimal | dt.date | dt.datetime | None
type Row = tuple[Value, ...]


@dataclass(frozen=True)
class Column:
    """A column of a result, with its Athena type such as ``bigint``."""

    name: str
    type: str

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers."""
        return self.type in _NUMBERS


@dataclass(frozen=True)
class QueryResult:
    """The answer to one query.

    Attributes
    ----------
    columns, rows
        The table; each value has the Python type that fits its column, None for null.
    execution_id
        Athena's id of the execution.
    seconds
        Time from asking to having the last row.
    scanned_bytes
        What Athena says it read. The emulator reports the size of the answer here, so the number means
        something on AWS only.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    execution_id: str
    seconds: float
    scanned_bytes: int

    def records(self) -> list[dict[str, Value]]:
        """Return the rows as dictionaries by column name."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


def _as_it_is(sql: str) -> str:
    return sql


@dataclass(frozen=True)
class Answer:
    """The answer to one query, whose rows are still to be read: page by page, and once.

    Attributes
    ----------
    columns, execution_id, scanned_bytes
        As in `QueryResult`.
    pages
        Lists of rows.
    """

    columns: tuple[Column, ...]
    pages: Iterator[list[Row]]
    execution_id: str
    scanned_bytes: int


class Athena:
    """One workgroup and database.

    Parameters
    ----------
    client
        An Athena client.
    workgroup, database
        Where queries run; the workgroup says where results go.
    translate
        Called with each statement; returns what to send instead.
    """

    def __init__(
        self,
        client: AthenaClient,
        workgroup: str,
        database: str,
        translate: Callable[[str], str] = _as_it_is,
    ) -> None:
        self._client = client
        self._workgroup = workgroup
        self._database = database
        self._translate = translate

    def run(self, sql: str, timeout_s: float = 120.0) -> QueryResult:
        """Run one query and return its whole answer.

        Parameters
        ----------
        sql
            A statement in Athena's SQL.
        timeout_s
            Longest time to wait for the answer, in seconds.

        Raises
        ------
        LaptopError
            The query is refused, fails or takes too long; the message says why.
        """
        started = time.monotonic()
        answer = self.ask(sql, timeout_s)
        rows = tuple(row for page in answer.pages for row in page)
        seconds = time.monotonic() - started
        return QueryResult(answer.columns, rows, answer.execution_id, seconds, answer.scanned_bytes)

    def ask(self, sql: str, timeout_s: float = 120.0) -> Answer:
        """Run one query as `run` does; return an answer whose rows are read as they are taken from it."""
        statement = self._translate(sql)
        started = time.monotonic()
        try:
            execution_id = self._client.start_query_execution(
                QueryString=statement,
                QueryExecutionContext={"Database": self._database},
                WorkGroup=self._workgroup,
            )["QueryExecutionId"]
        except ClientError as error:
            raise LaptopError(f"Athena refused the query: {error.response['Error']['Message']}") from error
        scanned_bytes = self._wait(execution_id, started + timeout_s)
        columns, pages = self._read(execution_id)
        return Answer(columns, pages, execution_id, scanned_bytes)

    def _wait(self, execution_id: str, deadline: float) -> int:
        """Wait for the end of an execution and return the bytes it scanned."""
        pause_s = FIRST_POLL_S
        while True:
            execution = self._client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
            status = execution["Status"]
            match status["State"]:
                case "SUCCEEDED":
                    return execution.get("Statistics", {}).get("DataScannedInBytes", 0)
                case "FAILED" | "CANCELLED":
                    reason = explain(status.get("StateChangeReason") or "no reason was given")
                    raise LaptopError(f"The query failed: {reason}")
            if time.monotonic() > deadline:
                self._client.stop_query_execution(QueryExecutionId=execution_id)
                raise LaptopError("The query took too long and was cancelled. Ask for fewer days or columns.")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_POLL_S)

    def _read(self, execution_id: str) -> tuple[tuple[Column, ...], Iterator[list[Row]]]:
        paginator = self._client.get_paginator("get_query_results")
        results = (page["ResultSet"] for page in paginator.paginate(QueryExecutionId=execution_id))
        first = next(results, None)
        if first is None:
            return (), iter(())
        info = first.get("ResultSetMetadata", {}).get("ColumnInfo", [])
        columns = tuple(Column(column["Name"], column["Type"]) for column in info)
        converters = [_converter(column.type) for column in columns]
        # The answer to a SELECT starts with the column names; that to SHOW or DESCRIBE does not.
        header = [column.name for column in columns]

        def pages() -> Iterator[list[Row]]:
            for number, result in enumerate(itertools.chain([first], results)):
                texts = [
                    [datum.get("VarCharValue") for datum in row.get("Data", [])] for row in result["Rows"]
                ]
                if number == 0 and texts and texts[0] == header:
                    texts = texts[1:]
                yield [_typed(text, converters) for text in texts]

        return columns, pages()


def on_laptop(client: Callable[[Any], Any], workgroup: str, database: str, bucket: str) -> Athena:
    """Return the Athena of the laptop stack, which answers what AWS's would.

    Parameters
    ----------
    client
        Makes a boto3 client of the emulator for a service, by its name.
    workgroup, database
        As for `Athena`.
    bucket
        The lake bucket.
    """

    def translate(sql: str) -> str:
        pages = client("glue").get_paginator("get_tables").paginate(DatabaseName=database)
        schema = declared(table for page in pages for table in page["TableList"])
        return to_duckdb(sql, schema, all_views(), lake_day(client("s3"), bucket))

    return Athena(client("athena"), workgroup, database, translate)


def declared(tables: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the columns of each table of the Glue Data Catalog, partition keys last, with their types in Athena."""
    return {
        table["Name"]: {
            column["Name"]: column["Type"]
            for column in (*table["StorageDescriptor"]["Columns"], *table.get("PartitionKeys", []))
        }
        for table in tables
    }


def lake_day(s3: S3Client, bucket: str) -> dt.date:
    """Return the day of the newest snapshot; today if there is none.

    The demo's snapshots are of the same days whenever it runs. On the laptop this day is what `current_date` means,
    or "the last 30 days" would be empty.
    """
    folder = f"{PLAYLISTS.prefix}{PARTITION.name}="
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, Delimiter="/")
    days = [
        found["Prefix"].removeprefix(folder).rstrip("/")
        for page in pages
        for found in page.get("CommonPrefixes", [])
    ]
    return dt.date.fromisoformat(max(days)) if days else dt.datetime.now(dt.UTC).date()


def to_duckdb(
    sql: str,
    schema: Schema,
    views: Mapping[str, Statement] | None = None,
    today: dt.date | None = None,
) -> str:
    """Translate one statement of Athena's SQL to the SQL of the emulator's engine.

    Each table and view that is named becomes a common table expression: a table with the declared columns in their
    declared types, as Athena reads it, where the engine by itself would take both from the Parquet files; a view
    with its definition.

    Parameters
    ----------
    sql
        A query; or a statement that creates a table, which the emulator understands as it is.
    schema
        The tables of the database: their columns with the types of the Glue Data Catalog.
    views
        The views by name.
    today
        What `current_date` means; by default what the engine thinks.

    Raises
    ------
    LaptopError
        `sql` is none or not one statement, or names a table that does not exist.
    """
    statement = _parse(sql)
    if isinstance(statement, exp.Create):
        return sql
    if not isinstance(statement, exp.Query):
        raise LaptopError("The laptop stack answers queries: statements that start with SELECT or WITH.")
    definitions = _Definitions(schema, views or {})
    definitions.resolve(statement)
    definitions.add_to(statement)
    for unnest in list(statement.find_all(exp.Unnest)):
        _take_apart(unnest)
    for extreme in list(statement.find_all(exp.ArgMax, exp.ArgMin)):
        _keep_nulls(extreme)
    if today is not None:
        for current_date in list(statement.find_all(exp.CurrentDate)):
            current_date.replace(exp.cast(exp.Literal.string(today.isoformat()), "date"))
    return statement.sql(dialect="duckdb", comments=False)


def _parse(sql: str) -> exp.Expr:
    try:
        statements = [statement for statement in sqlglot.parse(sql, read="athena") if statement is not None]
    except sqlglot.errors.SqlglotError as error:
        raise LaptopError(f"This is not Athena's SQL: {explain(str(error))}") from error
    if len(statements) != 1:
        raise LaptopError("Athena runs one statement at a time.")
    return statements[0]


class _Definitions:
    """What a statement needs of the lake's tables and views, as common table expressions of other names.

    Parameters
    ----------
    schema, views
        As for `to_duckdb`.
    """

    def __init__(self, schema: Schema, views: Mapping[str, Statement]) -> None:
        self._schema = schema
        self._views = views
        self._queries: dict[str, exp.Query] = {}

    def resolve(self, query: exp.Query) -> None:
        """Let a query read from definitions instead of tables and views, and make those it needs."""
        own = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
        for table in list(query.find_all(exp.Table)):
            name = table.name.lower()
            if not isinstance(table.this, exp.Identifier) or (name in own and not table.db):
                continue
            if name not in self._queries:
                self._queries[name] = self._define(table.name, name)
            reference = exp.table_(_definition(name), alias=table.alias or name)
            if joins := table.args.get("joins"):
                reference.set("joins", joins)
            table.replace(reference)
        for column in query.find_all(exp.Column):
            column.set("db", None)  # spotify_lake.songs.name: the table is known as songs here
            column.set("catalog", None)

    def add_to(self, query: exp.Query) -> None:
        """Put the definitions before the query's own common table expressions, each after those it needs."""
        ctes = [
            exp.CTE(this=definition, alias=exp.TableAlias(this=exp.to_identifier(_definition(name))))
            for name, definition in self._queries.items()
        ]
        if own := query.args.get("with_"):
            own.set("expressions", [*ctes, *own.expressions])
        elif ctes:
            query.set("with_", exp.With(expressions=ctes))

    def _define(self, written: str, name: str) -> exp.Query:
        if name in self._schema:
            columns = [
                exp.cast(exp.column(column, quoted=True), athena_type, dialect="hive").as_(
                    column, quoted=True
                )
                for column, athena_type in self._schema[name].items()
            ]
            return exp.select(*columns).from_(exp.table_(name))
        if name not in self._views:
            raise LaptopError(no_such_table(written, self._schema, self._views))
        definition = _parse(self._views[name].sql)
        if not isinstance(definition, exp.Query):
            raise LaptopError(f"The view {name} is not a query.")
        self.resolve(definition)
        return definition


def _definition(name: str) -> str:
    return f"__{name}"


def _take_apart(unnest: exp.Unnest) -> None:
    """Replace UNNEST of several arrays side by side, which the engine takes only as columns of a SELECT."""
    alias = unnest.args.get("alias")
    if len(unnest.expressions) < 2 or alias is None or unnest.args.get("offset"):
        return
    columns = [
        exp.alias_(exp.Explode(this=array), name.name)
        for array, name in zip(unnest.expressions, alias.columns, strict=True)
    ]
    side_by_side = exp.Lateral(
        this=exp.select(*columns).subquery(), alias=exp.TableAlias(this=alias.this.copy())
    )
    unnest.replace(side_by_side)


def _keep_nulls(extreme: exp.AggFunc) -> None:
    """Let max_by(x, y) return the x of the largest y even if it is null, as Athena does."""
    if not extreme.args.get("count"):
        name = "arg_max_null" if isinstance(extreme, exp.ArgMax) else "arg_min_null"
        extreme.replace(exp.Anonymous(this=name, expressions=[extreme.this, extreme.expression]))


def no_such_table(name: str, tables: Iterable[str], views: Iterable[str] = ()) -> str:
    """Say that there is no table or view `name`, and which there are."""
    known = ", ".join(sorted(tables))
    others = ", ".join(sorted(views))
    return f"There is no table {name}. The tables are {known}{f'; the views {others}' if others else ''}."


def explain(reason: str) -> str:
    """Shorten an engine's error to what a person needs: no listing of the statement, no terminal codes."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", reason)
    text = re.split(r"\n\s*(?:LINE \d+:|Candidate|\n)", text, maxsplit=1)[0]
    return " ".join(re.sub(r"^[\w ]+ Error: ", "", text).split())


def _converter(athena_type: str) -> Callable[[str], Value]:
    return _CONVERTERS.get(athena_type, str)


def _typed(texts: Sequence[str | None], converters: Sequence[Callable[[str], Value]]) -> Row:
    return tuple(
        None if text is None else convert(text) for text, convert in zip(texts, converters, strict=True)
    )


def _boolean(text: str) -> bool:
    return text.lower() == "true"


def _timestamp(text: str) -> dt.datetime:
    """Read a timestamp. The lake's have no zone and are UTC; Athena would write one as `` UTC``."""
    moment = dt.datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


_CONVERTERS: dict[str, Callable[[str], Value]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "int", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "decimal": Decimal,
    "boolean": _boolean,
    "date": dt.date.fromisoformat,
    "timestamp": _timestamp,
    "timestamp with time zone": _timestamp,
}
_NUMBERS = frozenset(
    {"tinyint", "smallint", "integer", "int", "bigint", "float", "real", "double", "decimal"}
)
