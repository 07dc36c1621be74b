"""Generate examples/dbt/models/sources.yml: the tables as sources of dbt, with the tests that the schema implies."""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from cli.commands.export import TABLES_TO_EXPORT
from queries import views
from spotify_lake import keys
from spotify_lake.normalize.quality import ALL_COLUMNS, RULES, Between, Reference, Rule
from spotify_lake.schema.listening import LIBRARY, LISTENING_TABLES
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION, Column, Table, Type

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "examples" / "dbt" / "models" / "sources.yml"
_HEAD: Final = (
    "# Written by `make schema` from the schema, the quality rules and the views: do not change it here.\n"
)
_SCHEDULED: Final = "scheduled_at"


def sources() -> str:
    """Return sources.yml: every table that `./lake export --tables` writes."""
    tables = {table.name: _table(table) for table in (*TABLES, *LISTENING_TABLES, LIBRARY)}
    view = views()
    described = [tables.get(name) or _view(name, view[name].summary, view) for name in TABLES_TO_EXPORT]
    source = {
        "name": "lake",
        "description": "The tables of Spotify Lake; docs/data-dictionary.md describes them too.",
        "database": "{{ 'awsdatacatalog' if target.type == 'athena' else target.database }}",
        "schema": "{{ env_var('LAKE_DATABASE', 'spotify_lake') }}",
        "config": {
            "meta": {"external_location": "{{ env_var('LAKE_EXPORT', '../../export') }}/{name}.parquet"}
        },
        "tables": described,
    }
    text: str = yaml.safe_dump(
        {"version": 2, "sources": [source]}, sort_keys=False, allow_unicode=True, width=120
    )
    return _HEAD + text


def _table(table: Table) -> dict[str, Any]:
    partitions = [PARTITION] if table.partition is PARTITION else [table.partition] if table.partition else []
    in_snapshot = _SCHEDULED in table.column_names
    key = [*((_SCHEDULED,) if in_snapshot and _SCHEDULED not in table.key else ()), *table.key]
    found: dict[str, Any] = {
        "name": table.name,
        "description": f"{table.description} One row: {table.grain}.",
    }
    if table.name == "playlists":
        found["config"] = {
            "loaded_at_field": _SCHEDULED,
            "freshness": {
                "error_after": {"count": stale_after_hours(), "period": "hour"},
                "filter": f"{keys.SNAPSHOT_DATE} >= current_date - interval '7' day",
            },
        }
    if len(key) > 1:
        found["data_tests"] = [{"unique_together": {"arguments": {"columns": key}}}]
    found["columns"] = [_column(table, column, key) for column in (*table.columns, *partitions)]
    return found


def _column(table: Table, column: Column, key: list[str]) -> dict[str, Any]:
    null = f" Null when {column.null_when}." if column.null_when else ""
    found: dict[str, Any] = {
        "name": column.name,
        "description": column.description + null,
        "data_type": str(column.type),
        # dbt writes the names of columns into SQL as they are unless told to quote them.
        **({"quote": True} if column.name == "row" else {}),
    }
    tests: list[Any] = [] if column.nullable else ["not_null"]
    if key == [column.name]:
        tests.append("unique")
    if column.values:
        tests.append({"accepted_values": {"arguments": {"values": list(column.values)}}})
    rules = [rule for rule in RULES if rule.table is table and rule.column in {column.name, ALL_COLUMNS}]
    tests += [test for rule in rules for test in _of_rule(rule, column)]
    if tests:
        found["data_tests"] = tests
    return found


def _of_rule(rule: Rule, column: Column) -> Iterator[dict[str, Any]]:
    """Yield the test of a quality rule; keys have theirs already, and what is unreadable is null in the tables."""
    match rule.check:
        case Reference(to, only):
            name = "list_relationships" if column.type is Type.STRINGS else "relationships"
            arguments: dict[str, Any] = {"to": f"source('lake', '{to.name}')", "field": to.key[-1]}
            config = {"where": f"{only[0]} = '{only[1]}'"} if only else {}
        case Between(low, high) if not isinstance(high, str):
            name, arguments = "between", {"low": _literal(low), "high": _literal(high)}
            config = {}
        case _:
            return
    config |= {} if rule.breaking else {"severity": "warn"}
    yield {name: {"name": rule.name, "arguments": arguments} | ({"config": config} if config else {})}


def _literal(value: int | date | datetime) -> str:
    return str(value) if isinstance(value, int) else json.dumps(value.isoformat())


def _view(name: str, summary: str, all_views: Any) -> dict[str, Any]:
    view = all_views[name]
    columns = [
        {"name": column, "description": meaning, "data_type": view.types[column]}
        for column, meaning in view.columns.items()
    ]
    return {"name": name, "description": f"{summary} One row: {view.row}.", "columns": columns}


def stale_after_hours() -> int:
    """Return the default of the template's parameter StaleAfterHours."""
    found = re.search(
        r"(?m)^  StaleAfterHours:\n(?:    .*\n)*?    Default: (\d+)$", (ROOT / "template.yaml").read_text()
    )
    if found is None:
        raise ValueError("template.yaml has no default of StaleAfterHours")
    return int(found[1])
