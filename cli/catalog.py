"""The tables and views of a deployed lake, from the Glue Data Catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from queries import TIME_ZONE, Statement, views

if TYPE_CHECKING:
    from cli.stack import Lake


@dataclass(frozen=True)
class Relation:
    """A table or view.

    Attributes
    ----------
    about
        Its description.
    columns
        Its columns and their types.
    """

    about: str
    columns: Mapping[str, str]


def tables(lake: Lake) -> Iterator[Mapping[str, Any]]:
    """Yield the tables that the Glue Data Catalog holds; on AWS these include the views that were created."""
    pages = lake.client("glue").get_paginator("get_tables").paginate(DatabaseName=lake.output("DatabaseName"))
    for page in pages:
        yield from page["TableList"]


def column_types(table: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns of a table of the catalog and their types, partition keys last."""
    columns = [*table["StorageDescriptor"]["Columns"], *table.get("PartitionKeys", [])]
    return {column["Name"]: column["Type"] for column in columns}


def sql_of(lake: Lake, question: Statement) -> str:
    """Return the SQL of a saved question, in the time zone of the lake's schedule."""
    is_local = TIME_ZONE in question.sql
    return question.in_time_zone(lake.parameter("ScheduleTimezone")) if is_local else question.sql


def relations(lake: Lake) -> dict[str, Relation]:
    """Return the tables of a lake and its views by name; on the laptop every view always exists."""
    found = {
        table["Name"]: Relation(table.get("Description", ""), column_types(table)) for table in tables(lake)
    }
    for name, view in views().items():
        if lake.on_laptop or name in found:
            found[name] = Relation(f"View. {view.summary}", view.types)
    return found
