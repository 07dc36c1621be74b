"""Which days of which tables a query reads.

DuckDB plans each query after its translation from Athena's SQL. The plan lists the days that remain after the query's
conditions on `snapshot_date`, separately for each reference to a table. Filters that DuckDB finds only while a query
runs are not counted.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

from local.sql_dialect import to_duckdb
from queries import views
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION, Table
from spotify_lake.transform.parquet import arrow_schema

LAST_DAY: Final = dt.date(2026, 12, 31)
MARK: Final = "__"  # between the names of table and column in plans
SCHEMA: Final = {
    table.name: {column.name: str(column.type) for column in (*table.columns, PARTITION)} for table in TABLES
}


@dataclass(frozen=True)
class Scan:
    """One reference to a table in a plan, and the days it reads."""

    table: str
    days: frozenset[dt.date]


class Planner:
    """Plans queries of playlists on a lake that has every day up to `LAST_DAY`.

    Parameters
    ----------
    folder
        For an empty Parquet file of each table and day, which is enough to plan with.
    days
        How many days the lake has.
    """

    def __init__(self, folder: Path, days: int) -> None:
        self.days = [LAST_DAY - dt.timedelta(days=number) for number in reversed(range(days))]
        self._connection = duckdb.connect()
        # These would merge scans, double them, or answer from the statistics of the empty files.
        self._connection.execute(
            "SET disabled_optimizers = 'common_subplan,empty_result_pullup,statistics_propagation,window_self_join'"
        )
        for table in TABLES:
            self._add(table, folder / table.name)

    def _add(self, table: Table, folder: Path) -> None:
        # Plans name columns without their table, so each column carries its table's name.
        prefix = f"{table.name}{MARK}"
        schema = arrow_schema(table)
        empty = io.BytesIO()
        pq.write_table(schema.empty_table().rename_columns([prefix + name for name in schema.names]), empty)
        for day in self.days:
            path = folder / f"{prefix}{PARTITION.name}={day}" / "empty.parquet"
            path.parent.mkdir(parents=True)
            path.write_bytes(empty.getvalue())
        columns = ", ".join(f'{prefix}{name} AS "{name}"' for name in SCHEMA[table.name])
        self._connection.execute(
            f"CREATE VIEW {table.name} AS SELECT {columns} FROM read_parquet("  # noqa: S608 # nosec B608 # ours
            f"'{folder}/**/*.parquet', hive_partitioning = true, hive_types = {{'{prefix}{PARTITION.name}': DATE}})"
        )

    def scans(self, sql: str) -> list[Scan]:
        """Return what a query reads. Raises ValueError if its plan has filters that this cannot read."""
        statement = sqlglot.parse_one(to_duckdb(sql, SCHEMA, views(), LAST_DAY), read="duckdb")
        for cte in statement.find_all(exp.CTE):
            cte.args["materialized"] = False  # Athena too plans each reference by itself
        explain = f"EXPLAIN (FORMAT JSON) {statement.sql(dialect='duckdb')}"
        plan = self._connection.execute(explain).fetchall()[0][1]
        return [scan for node in json.loads(plan) for scan in self._of_plan(node)]

    def _of_plan(self, node: dict[str, Any]) -> Iterator[Scan]:
        details = node["extra_info"]
        if details.get("Function") == "READ_PARQUET":
            (name,) = set(re.findall(rf"\b([a-z_]+?){MARK}\w+", json.dumps(details)))
            days = self._matching(name, details.get("File Filters", []))
            every = len(self.days)
            if days and f"{len(days)}/{every}" != details.get("Scanning Files", f"{every}/{every}"):
                raise ValueError(f"The days that this scan reads are unclear: {details}")
            yield Scan(name, days)
        for child in node["children"]:
            yield from self._of_plan(child)

    def _matching(self, table: str, filters: str | list[str]) -> frozenset[dt.date]:
        """Return the days whose files remain after the filters of a scan."""
        conditions = " AND ".join([filters] if isinstance(filters, str) else filters) or "true"
        conditions = conditions.replace(")(", ") AND (")
        column = f"{table}{MARK}{PARTITION.name}"
        sql = f"SELECT {column} FROM (SELECT unnest($days) AS {column}) WHERE {conditions}"  # noqa: S608 # nosec B608
        return frozenset(day for (day,) in self._connection.execute(sql, {"days": self.days}).fetchall())


def reads(sql: str, table: str) -> int:
    """Return how often Athena reads a table for a query: it plans each reference to a common table expression anew.

    Parameters
    ----------
    sql
        A query in Athena's SQL. Views that it names are not looked into.
    table
        Name of the table.
    """
    statement = sqlglot.parse_one(sql, read="athena")
    parts = {cte.alias: cte.pop().this for cte in list(statement.find_all(exp.CTE))}

    def within(query: exp.Expr) -> int:
        names = [found.name for found in query.find_all(exp.Table)]
        return sum(within(parts[name]) if name in parts else name == table for name in names)

    return within(statement)
