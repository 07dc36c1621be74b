"""Ask Athena and get rows of one type, several questions at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin, get_type_hints

import msgspec

from spotify_lake.errors import QueryFailed

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

FIRST_POLL_S: Final = 0.1
LONGEST_POLL_S: Final = 2.0


@dataclass(frozen=True)
class Question[Row: msgspec.Struct]:
    """One query.

    Attributes
    ----------
    name
        For logs and errors.
    sql
        A SELECT whose columns are named as the fields of `row`. A list comes as JSON text: ``CAST(… AS JSON)``.
    row
        What a row becomes: a type, or a union of types that a column tells apart, whose name is their `tag_field`.
    """

    name: str
    sql: str
    row: type[Row] | UnionType


class Athena:
    """One workgroup and database.

    Parameters
    ----------
    client
        An Athena client.
    workgroup, database
        Where queries run; the workgroup says where results go.
    time_left
        Seconds until answers are of no use any more.
    """

    def __init__(
        self, client: AthenaClient, workgroup: str, database: str, time_left: Callable[[], float]
    ) -> None:
        self._client = client
        self._workgroup = workgroup
        self._database = database
        self._time_left = time_left

    def ask[Row: msgspec.Struct](self, question: Question[Row]) -> list[Row]:
        """Return the whole answer to one question; raises as `start` does."""
        return self.start(question)()

    def start[Row: msgspec.Struct](self, question: Question[Row]) -> Callable[[], list[Row]]:
        """Let Athena begin, and return what waits for the answer.

        Raises
        ------
        QueryFailed
            Athena refuses the query, it fails, or it takes too long; here or in what is returned.
        """
        try:
            execution_id = self._client.start_query_execution(
                QueryString=question.sql,
                QueryExecutionContext={"Database": self._database},
                WorkGroup=self._workgroup,
            )["QueryExecutionId"]
        except self._client.exceptions.InvalidRequestException as error:
            raise QueryFailed(question.name, str(error)) from error

        def answer() -> list[Row]:
            self._wait(question.name, execution_id)
            return list(self._rows(question, execution_id))

        return answer

    def _wait(self, name: str, execution_id: str) -> None:
        pause_s = FIRST_POLL_S
        while True:
            execution = self._client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
            status = execution["Status"]
            match status["State"]:
                case "SUCCEEDED":
                    return
                case "FAILED" | "CANCELLED":
                    raise QueryFailed(name, status.get("StateChangeReason") or "Athena gives no reason")
            if self._time_left() <= 0:
                self._client.stop_query_execution(QueryExecutionId=execution_id)
                raise QueryFailed(name, "it took longer than the function may run")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_POLL_S)

    def _rows[Row: msgspec.Struct](self, question: Question[Row], execution_id: str) -> Iterator[Row]:
        pages = self._client.get_paginator("get_query_results").paginate(QueryExecutionId=execution_id)
        header = True
        columns: list[str] = []
        for page in pages:
            records = page["ResultSet"]["Rows"]
            if header:  # the first row of the first page names the columns
                columns = [datum.get("VarCharValue", "") for datum in records[0]["Data"]]
                records = records[1:]
                header = False
            yield from decode(
                question.row, columns, ([datum.get("VarCharValue") for datum in r["Data"]] for r in records)
            )


def decode[Row: msgspec.Struct](
    row: type[Row] | UnionType, columns: Sequence[str], records: Iterable[Sequence[str | None]]
) -> Iterator[Row]:
    """Turn the texts that Athena answers with into typed rows.

    Parameters
    ----------
    row
        What a record becomes.
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


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is list or any(_is_list(part) for part in get_args(hint))
