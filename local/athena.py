"""Ask the lake through the Athena API, as the console and every other client does.

The emulator runs queries on DuckDB, so a query is written in Athena's SQL and translated on the way.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlglot
from botocore.exceptions import ClientError
from sqlglot import exp

from local.errors import LaptopError

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

FIRST_POLL_S = 0.05
LONGEST_POLL_S = 1.0

type Schema = Mapping[str, Mapping[str, str]]
type Value = str | int | float | bool | Decimal | dt.date | dt.datetime | None


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
    rows: tuple[tuple[Value, ...], ...]
    execution_id: str
    seconds: float
    scanned_bytes: int

    def records(self) -> list[dict[str, Value]]:
        """Return the rows as dictionaries by column name."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


class Athena:
    """One workgroup and database.

    Parameters
    ----------
    client
        An Athena client.
    workgroup, database
        Where queries run; the workgroup says where results go.
    schema
        The tables of the database: their columns with the types of the Glue Data Catalog.
    """

    def __init__(self, client: AthenaClient, workgroup: str, database: str, schema: Schema) -> None:
        self._client = client
        self._workgroup = workgroup
        self._database = database
        self._schema = schema

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
        statement = to_duckdb(sql, self._schema)
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
        columns, rows = self._read(execution_id)
        return QueryResult(columns, rows, execution_id, time.monotonic() - started, scanned_bytes)

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

    def _read(self, execution_id: str) -> tuple[tuple[Column, ...], tuple[tuple[Value, ...], ...]]:
        columns: tuple[Column, ...] = ()
        rows: list[tuple[Value, ...]] = []
        first = True
        for page in self._client.get_paginator("get_query_results").paginate(QueryExecutionId=execution_id):
            result = page["ResultSet"]
            if first:
                info = result.get("ResultSetMetadata", {}).get("ColumnInfo", [])
                columns = tuple(Column(column["Name"], column["Type"]) for column in info)
            converters = [_converter(column.type) for column in columns]
            texts = [[datum.get("VarCharValue") for datum in row.get("Data", [])] for row in result["Rows"]]
            # The answer to a SELECT starts with the column names; that to SHOW or DESCRIBE does not.
            if first and texts and texts[0] == [column.name for column in columns]:
                texts = texts[1:]
            first = False
            rows.extend(_typed(text, converters) for text in texts)
        return columns, tuple(rows)


def to_duckdb(sql: str, schema: Schema) -> str:
    """Translate one statement of Athena's SQL to the SQL of the emulator's engine.

    Each table becomes a subquery with the declared columns in their declared types, as Athena reads it; the
    engine by itself would take columns and types from the Parquet files.

    Parameters
    ----------
    sql
        A query; or a statement that creates a table, which the emulator understands as it is.
    schema
        The tables of the database: their columns with the types of the Glue Data Catalog.

    Raises
    ------
    LaptopError
        `sql` is none or not one statement, or names a table that does not exist.
    """
    try:
        statements = [statement for statement in sqlglot.parse(sql, read="athena") if statement is not None]
    except sqlglot.errors.SqlglotError as error:
        raise LaptopError(f"This is not Athena's SQL: {explain(str(error))}") from error
    if len(statements) != 1:
        raise LaptopError("Athena runs one statement at a time.")
    statement = statements[0]
    if isinstance(statement, exp.Create):
        return sql
    if not isinstance(statement, exp.Query):
        raise LaptopError("The laptop stack answers queries: statements that start with SELECT or WITH.")
    _declare_tables(statement, schema)
    return statement.sql(dialect="duckdb", comments=False)


def _declare_tables(query: exp.Query, schema: Schema) -> None:
    views = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    for table in list(query.find_all(exp.Table)):
        name = table.name.lower()
        if not isinstance(table.this, exp.Identifier) or (name in views and not table.db):
            continue
        if name not in schema:
            raise LaptopError(no_such_table(table.name, schema))
        columns = [
            exp.cast(exp.column(column, quoted=True), athena_type, dialect="hive").as_(column, quoted=True)
            for column, athena_type in schema[name].items()
        ]
        declared = exp.select(*columns).from_(exp.table_(name)).subquery(table.alias or name)
        if joins := table.args.get("joins"):
            declared.set("joins", joins)
        table.replace(declared)
    for column in query.find_all(exp.Column):
        column.set("db", None)  # spotify_lake.songs.name: the subquery is known as songs
        column.set("catalog", None)


def no_such_table(name: str, tables: Iterable[str]) -> str:
    """Say that there is no table `name`, and which there are."""
    return f"There is no table {name}. The tables are {', '.join(sorted(tables))}."


def explain(reason: str) -> str:
    """Shorten an engine's error to what a person needs: no listing of the statement, no terminal codes."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", reason)
    text = re.split(r"\n\s*(?:LINE \d+:|Candidate|\n)", text, maxsplit=1)[0]
    return " ".join(re.sub(r"^[\w ]+ Error: ", "", text).split())


def _converter(athena_type: str) -> Callable[[str], Value]:
    return _CONVERTERS.get(athena_type, str)


def _typed(texts: Sequence[str | None], converters: Sequence[Callable[[str], Value]]) -> tuple[Value, ...]:
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
