"""A client of the Athena API: runs queries and reads their results."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from local.errors import LaptopError

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

FIRST_POLL_S = 0.05
LONGEST_POLL_S = 1.0

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
