"""Create the charts' tables in Redshift and load them.

Run it again after each run of the charts job. It needs a lake with Redshift: docs/redshift.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import batched
from typing import Any, Final

from cli import star_schema
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, OpsError, find
from cli.terminal import Terminal

EXAMPLES: Final = ("./lake redshift",)
STATEMENTS_A_CALL: Final = 40  # the Data API takes no more in one transaction
SECONDS_BETWEEN_LOOKS: Final = 1.0
_OVER: Final = {"FINISHED", "FAILED", "ABORTED"}
_ADVICE: Final = "Nothing was changed by it. docs/redshift.md says what to do."


class Database:
    """A database of a workgroup, as its administrator.

    Parameters
    ----------
    client
        boto3's client of the Redshift Data API.
    workgroup, database, secret_arn
        Where it is, and who asks.
    wait
        Waits for some seconds.
    """

    def __init__(
        self,
        client: Any,
        *,
        workgroup: str,
        database: str,
        secret_arn: str,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._where = {"WorkgroupName": workgroup, "Database": database, "SecretArn": secret_arn}
        self._wait = wait

    def run(self, statements: Sequence[str], doing: str) -> list[list[Any]]:
        """Run statements as one transaction, and return the rows of the last if it is a question.

        Parameters
        ----------
        statements
            At most `STATEMENTS_A_CALL`.
        doing
            What they are for, in a few words.

        Raises
        ------
        OpsError
            One failed, or was stopped; then none of them changed anything.
        """
        begun = self._client.batch_execute_statement(Sqls=list(statements), **self._where)["Id"]
        while (state := self._client.describe_statement(Id=begun))["Status"] not in _OVER:
            self._wait(SECONDS_BETWEEN_LOOKS)
        if state["Status"] != "FINISHED":
            raise OpsError(_failure(state, statements, doing))
        last = state["SubStatements"][-1]
        return self._rows(last["Id"]) if last.get("HasResultSet") else []

    def _rows(self, statement: str) -> list[list[Any]]:
        pages = self._client.get_paginator("get_statement_result").paginate(Id=statement)
        return [[_value(cell) for cell in record] for page in pages for record in page["Records"]]


def command(*, laptop: Laptop = False, stack: Stack = DEFAULT_STACK) -> None:
    """Run the command; see the module."""
    run(find(laptop=laptop, stack=stack), Terminal())


def run(lake: Lake, terminal: Terminal) -> None:
    """Make the tables that are missing and bring all of them to what the warehouse holds now.

    Raises
    ------
    OpsError
        The lake has no Redshift, its tables are of another version, or a statement failed.
    """
    if "RedshiftWorkgroupName" not in lake.outputs:
        raise OpsError(
            f"The stack {lake.place} has no Redshift. Deploy it on AWS with a RedshiftBaseCapacity above 0:"
            " docs/redshift.md says what that costs."
        )
    name = lake.output("RedshiftWorkgroupName")
    namespace = lake.client("redshift-serverless").get_namespace(namespaceName=name)["namespace"]
    database = Database(
        lake.client("redshift-data"),
        workgroup=name,
        database=namespace["dbName"],
        secret_arn=namespace["adminPasswordSecretArn"],
    )
    terminal.heading(f"Redshift of {lake.place}")
    for table, rows in load(database, lake.output("LakeBucketName")).items():
        terminal.done(f"{star_schema.SCHEMA}.{table}: {rows:,} rows")


def load(database: Database, bucket: str) -> dict[str, int]:
    """Make and load the star schema; return the number of rows of each table.

    Raises
    ------
    OpsError
        As `run`.
    """
    database.run(star_schema.definitions(), "making the tables")
    _check(database.run([star_schema.columns_statement()], "looking at the tables"))
    for some in batched(star_schema.comments(), STATEMENTS_A_CALL, strict=False):
        database.run(some, "describing the tables")
    return dict(database.run(star_schema.loading(bucket), "loading the tables"))


def _check(found: list[list[Any]]) -> None:
    wanted = star_schema.columns()
    for table, columns in wanted.items():
        there = [(column, kind) for name, column, kind in found if name == table]
        if there != columns:
            shown = ", ".join(f"{column} {kind}" for column, kind in there)
            raise OpsError(
                f"The table {star_schema.SCHEMA}.{table} in Redshift has other columns than this version loads:"
                f" {shown}. Drop it with DROP TABLE {star_schema.SCHEMA}.{table} CASCADE, and load again: all of it"
                " comes from the lake."
            )


def _failure(state: dict[str, Any], statements: Sequence[str], doing: str) -> str:
    subs = state.get("SubStatements", [])
    number = next((number for number, one in enumerate(subs) if one["Status"] == "FAILED"), None)
    reason = (
        (subs[number].get("Error") if number is not None else None) or state.get("Error") or "no reason given"
    )
    what = "was stopped" if state["Status"] == "ABORTED" else "failed"
    where = "" if number is None else f" at {statements[number].split(' (')[0][:120]}"
    return f"Redshift: {doing} {what}{where}: {' '.join(reason.split()).rstrip('.')}. {_ADVICE}"


def _value(cell: dict[str, Any]) -> Any:
    [(kind, value)] = cell.items()
    return None if kind == "isNull" else value
