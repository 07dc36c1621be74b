"""The Athena client: starts queries, waits for them and reads their results."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin, get_type_hints

import msgspec

from spotify_lake.errors import QueryFailed

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

FIRST_POLL_S: Final = 0.05
LONGEST_POLL_S: Final = 0.25

type Value = str | int | float | bool | Decimal | dt.date | dt.datetime | None
type Row = tuple[Value, ...]
type _Texts = list[str | None]


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
    """The result of a query.

    Attributes
    ----------
    columns, rows
        The table. Each value has the Python type of its column; nulls are None.
    execution_id
        Athena's id of the execution.
    seconds
        Time from the start of the query to the last row.
    scanned_bytes
        The bytes read, according to Athena. The emulator reports the size of the result instead.
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


@dataclass(frozen=True)
class ResultStream:
    """The result of a query, read page by page and once.

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


@dataclass(frozen=True)
class Question[T: msgspec.Struct]:
    """A query with typed rows.

    Attributes
    ----------
    name
        For logs and errors.
    sql
        A SELECT whose columns are named as the fields of `row`. Lists are JSON text: ``CAST(… AS JSON)``.
    row
        The type of a row, or a union of types that one column distinguishes: the `tag_field`.
    """

    name: str
    sql: str
    row: type[T] | UnionType


def _unchanged(sql: str) -> str:
    return sql


def _unlimited() -> float:
    return float("inf")


class Athena:
    """A workgroup and database.

    Parameters
    ----------
    client
        An Athena client.
    workgroup, database
        Where queries run; the workgroup determines where results go.
    translate
        Called with each statement; returns the statement to send.
    time_left
        Returns the seconds until the results of questions are useless.
    """

    def __init__(
        self,
        client: AthenaClient,
        workgroup: str,
        database: str,
        *,
        translate: Callable[[str], str] = _unchanged,
        time_left: Callable[[], float] = _unlimited,
    ) -> None:
        self._client = client
        self._workgroup = workgroup
        self._database = database
        self._translate = translate
        self._time_left = time_left

    def run(self, sql: str, timeout_s: float = 120.0) -> QueryResult:
        """Run one query and return its whole result.

        Parameters
        ----------
        sql
            A statement in Athena's SQL.
        timeout_s
            Longest time to wait for the result, in seconds.

        Raises
        ------
        QueryFailed
            Athena refuses the query, it fails or it takes too long.
        """
        started = time.monotonic()
        stream = self.stream(sql, timeout_s)
        rows = tuple(row for page in stream.pages for row in page)
        seconds = time.monotonic() - started
        return QueryResult(stream.columns, rows, stream.execution_id, seconds, stream.scanned_bytes)

    def stream(self, sql: str, timeout_s: float = 120.0) -> ResultStream:
        """Run one query as `run` does; the rows are read when the caller takes them."""
        deadline = time.monotonic() + timeout_s
        execution_id = self._start(sql)
        scanned_bytes = self._wait(execution_id, lambda: deadline - time.monotonic())
        columns, pages = self._read(execution_id)
        converters = [_CONVERTERS.get(column.type, str) for column in columns]
        typed = ([_converted(texts, converters) for texts in page] for page in pages)
        return ResultStream(columns, typed, execution_id, scanned_bytes)

    def ask[T: msgspec.Struct](self, question: Question[T]) -> list[T]:
        """Return the typed rows of a question; raises as `run` does."""
        return self.start(question)()

    def start[T: msgspec.Struct](self, question: Question[T]) -> Callable[[], list[T]]:
        """Start a question, so that several run at once; the returned function waits for its rows.

        Raises
        ------
        QueryFailed
            As for `run`; here or in the returned function.
        """
        execution_id = self._start(question.sql, question.name)

        def rows() -> list[T]:
            self._wait(execution_id, self._time_left, question.name)
            columns, pages = self._read(execution_id)
            names = [column.name for column in columns]
            return list(decode(question.row, names, itertools.chain.from_iterable(pages)))

        return rows

    def _start(self, sql: str, name: str | None = None) -> str:
        try:
            return self._client.start_query_execution(
                QueryString=self._translate(sql),
                QueryExecutionContext={"Database": self._database},
                WorkGroup=self._workgroup,
            )["QueryExecutionId"]
        except self._client.exceptions.ClientError as error:
            raise QueryFailed(f"Athena refused it: {error.response['Error']['Message']}", name) from error

    def _wait(self, execution_id: str, time_left: Callable[[], float], name: str | None = None) -> int:
        """Wait for the end of an execution and return the bytes it scanned."""
        pause_s = FIRST_POLL_S
        while True:
            execution = self._client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
            status = execution["Status"]
            match status["State"]:
                case "SUCCEEDED":
                    return execution.get("Statistics", {}).get("DataScannedInBytes", 0)
                case "FAILED" | "CANCELLED":
                    raise QueryFailed(
                        explain(status.get("StateChangeReason") or "Athena gives no reason"), name
                    )
            if time_left() <= 0:
                self._client.stop_query_execution(QueryExecutionId=execution_id)
                raise QueryFailed("it took too long and was cancelled. Ask for fewer days or columns.", name)
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_POLL_S)

    def _read(self, execution_id: str) -> tuple[tuple[Column, ...], Iterator[list[_Texts]]]:
        """Return the columns, and the rows as texts, page by page."""
        paginator = self._client.get_paginator("get_query_results")
        results = (page["ResultSet"] for page in paginator.paginate(QueryExecutionId=execution_id))
        first = next(results, None)
        if first is None:
            return (), iter(())
        info = first.get("ResultSetMetadata", {}).get("ColumnInfo", [])
        columns = tuple(Column(column["Name"], column["Type"]) for column in info)
        # The result of a SELECT starts with the column names; that of SHOW or DESCRIBE does not.
        header = [column.name for column in columns]

        def pages() -> Iterator[list[_Texts]]:
            for number, result in enumerate(itertools.chain([first], results)):
                rows = [
                    [datum.get("VarCharValue") for datum in row.get("Data", [])] for row in result["Rows"]
                ]
                yield rows[1:] if number == 0 and rows and rows[0] == header else rows

        return columns, pages()


def decode[T: msgspec.Struct](
    row: type[T] | UnionType, columns: Sequence[str], records: Iterable[Sequence[str | None]]
) -> Iterator[T]:
    """Convert the texts of a result into typed rows.

    Parameters
    ----------
    row
        The type of a row, as in `Question`.
    columns
        Names of the columns.
    records
        Their texts, None for null.
    """
    types = get_args(row) or (row,)
    lists = {name for kind in types for name, hint in get_type_hints(kind).items() if _is_list(hint)}
    for record in records:
        fields: dict[str, Any] = {
            name: msgspec.json.decode(text) if text is not None and name in lists else text
            for name, text in zip(columns, record, strict=True)
        }
        yield msgspec.convert(fields, row, strict=False)


def explain(reason: str) -> str:
    """Shorten an engine's error: without the listing of the statement and without terminal codes."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", reason)
    text = re.split(r"\n\s*(?:LINE \d+:|Candidate|\n)", text, maxsplit=1)[0]
    return " ".join(re.sub(r"^[\w ]+ Error: ", "", text).split())


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is list or any(_is_list(part) for part in get_args(hint))


def _converted(texts: Sequence[str | None], converters: Sequence[Callable[[str], Value]]) -> Row:
    return tuple(
        None if text is None else convert(text) for text, convert in zip(texts, converters, strict=True)
    )


def _boolean(text: str) -> bool:
    return text.lower() == "true"


def _timestamp(text: str) -> dt.datetime:
    """Read a timestamp. The lake's have no zone and are UTC; Athena writes a UTC zone as `` UTC``."""
    moment = dt.datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


_CONVERTERS: Final[dict[str, Callable[[str], Value]]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "int", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "decimal": Decimal,
    "boolean": _boolean,
    "date": dt.date.fromisoformat,
    "timestamp": _timestamp,
    "timestamp with time zone": _timestamp,
}
_NUMBERS: Final = frozenset(
    {"tinyint", "smallint", "integer", "int", "bigint", "float", "real", "double", "decimal"}
)
