"""The star schema of the charts in Amazon Redshift: SQL that makes and fills it, from the warehouse's own tables.

What Redshift needs beyond `schema.warehouse` follows from it. Entries, tracks and their artists lie together by
`track_key`, the other tables are small and lie everywhere; each table is sorted by its key; a column that is the key of
another table refers to it. Partition columns are left out: they are not in the Parquet objects, and `date_key` and
`chart_key` say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from spotify_lake import keys
from spotify_lake.schema.types import Column, Table, Type
from spotify_lake.schema.warehouse import CHARTS

SCHEMA: Final = "charts"
DISTRIBUTED_BY: Final = "track_key"
# Bytes, of which UTF-8 takes up to four a character. COPY refuses a longer text and cannot cut it off, so what people
# write gets all there is; what comes from a list of words or is an id gets less, and sorts and joins in less memory.
LONGEST_BYTES: Final = 65_535
WORD_BYTES: Final = 256
WORDS: Final = {"chart", "period", "region_code", "track_id", "trend"}
_TYPES: Final = {Type.INT: "INTEGER", Type.BIGINT: "BIGINT", Type.DATE: "DATE"}
# As Redshift's own catalog spells the types.
_CATALOG_TYPES: Final = {
    Type.STRING: "character varying",
    Type.INT: "integer",
    Type.BIGINT: "bigint",
    Type.DATE: "date",
}

# Those with a key of one column first: the others refer to them.
TABLES: Final = tuple(sorted((one.table for one in CHARTS), key=lambda table: len(table.key)))
_OWNER: Final = {table.key[0]: table.name for table in TABLES if len(table.key) == 1}


def references(table: Table) -> dict[str, str]:
    """Return the columns of a table that are keys of others, each with the other's name."""
    return {name: _OWNER[name] for name in table.column_names if _OWNER.get(name, table.name) != table.name}


def definitions() -> list[str]:
    """Return the statements that make the schema and those of its tables that are missing."""
    return [f"CREATE SCHEMA IF NOT EXISTS {_name(SCHEMA)}", *map(_create, TABLES)]


def comments() -> list[str]:
    """Return the statements that describe tables and columns."""
    found = []
    for table in TABLES:
        found.append(f"COMMENT ON TABLE {_target(table)} IS {_text(table.description)}")
        for column in table.columns:
            meaning = (
                f"{column.description} Null: {column.null_when}." if column.null_when else column.description
            )
            found.append(f"COMMENT ON COLUMN {_target(table)}.{_name(column.name)} IS {_text(meaning)}")
    return found


def columns_statement() -> str:
    """Return the question which columns the tables have: table, column and type, in order."""
    return (
        "SELECT table_name, column_name, data_type FROM svv_columns"  # noqa: S608 # nosec B608 # a name of ours
        f" WHERE table_schema = {_text(SCHEMA)} ORDER BY table_name, ordinal_position"
    )


def columns() -> dict[str, list[tuple[str, str]]]:
    """Return what `columns_statement` answers when the tables are as they should be."""
    return {
        table.name: [(column.name, _CATALOG_TYPES[column.type]) for column in table.columns]
        for table in TABLES
    }


def loading(bucket: str) -> list[str]:
    """Return the statements of one load, which must be one transaction.

    Each table is copied to a staging table, and only new or different rows are merged. Rows that the warehouse no
    longer has, such as an artist that a track is no longer credited to, are deleted. Entries are copied before what
    they refer to, as the jobs publish them after it. The last statement answers with the number of rows of each table.

    Parameters
    ----------
    bucket
        The lake's bucket.
    """
    up = tuple(reversed(TABLES))
    return [
        *(f"CREATE TEMP TABLE {_staged(table)} (LIKE {_target(table)})" for table in TABLES),
        *(_copy(table, bucket) for table in up),
        *_key_check(),
        *(_delete_gone(table) for table in up),
        *(_drop_unchanged(table) for table in TABLES),
        *(_merge(table) for table in TABLES),
        " UNION ALL ".join(
            f"SELECT {_text(table.name)} AS table_name, COUNT(*) AS row_count FROM {_target(table)}"  # noqa: S608 # nosec B608 # names of ours
            for table in TABLES
        ),
    ]


def _create(table: Table) -> str:
    parts = [
        *(
            f"{_name(column.name)} {_type(column)}{'' if column.nullable else ' NOT NULL'}"
            for column in table.columns
        ),
        f"PRIMARY KEY ({_names(table.key)})",
        *(
            f"FOREIGN KEY ({_name(column)}) REFERENCES {_name(SCHEMA)}.{_name(other)} ({_name(column)})"
            for column, other in references(table).items()
        ),
    ]
    together = DISTRIBUTED_BY in table.column_names
    distribution = f"DISTKEY ({_name(DISTRIBUTED_BY)})" if together else "DISTSTYLE ALL"
    return (
        f"CREATE TABLE IF NOT EXISTS {_target(table)} ({', '.join(parts)})"
        f" {distribution} COMPOUND SORTKEY ({_names(table.key)})"
    )


def _copy(table: Table, bucket: str) -> str:
    folder = _text(f"s3://{bucket}/{keys.WAREHOUSE}{table.name}/")
    return f"COPY {_staged(table)} FROM {folder} IAM_ROLE default FORMAT AS PARQUET"


def _key_check() -> list[str]:
    """Return what fails at a key that came twice.

    Redshift enforces no key, but NOT NULL, and its error names the column, which is called as the table.
    """
    columns = ", ".join(f"{_name(table.name)} BOOLEAN NOT NULL" for table in TABLES)
    once = ", ".join(
        f"(SELECT CASE WHEN COUNT(*) = 0 THEN TRUE END FROM (SELECT 1 AS one FROM {_staged(table)}"  # noqa: S608 # nosec B608 # names of ours
        f" GROUP BY {_names(table.key)} HAVING COUNT(*) > 1) AS twice)"
        for table in TABLES
    )
    return [
        f"CREATE TEMP TABLE {_name('every_key_once')} ({columns})",
        f"INSERT INTO {_name('every_key_once')} SELECT {once}",  # nosec B608 # names of ours
    ]


def _delete_gone(table: Table) -> str:
    return (
        f"DELETE FROM {_target(table)} WHERE NOT EXISTS"  # noqa: S608 # nosec B608 # names of ours
        f" (SELECT 1 FROM {_staged(table)} WHERE {_same_key(table)})"
    )


def _drop_unchanged(table: Table) -> str:
    same = []
    for column in _values(table):
        new, old = f"{_staged(table)}.{_name(column.name)}", f"{_target(table)}.{_name(column.name)}"
        same.append(
            f"({new} = {old} OR ({new} IS NULL AND {old} IS NULL))" if column.nullable else f"{new} = {old}"
        )
    return (
        f"DELETE FROM {_staged(table)} USING {_target(table)}"  # noqa: S608 # nosec B608 # names of ours
        f" WHERE {' AND '.join([_same_key(table), *same])}"
    )


def _merge(table: Table) -> str:
    changes = ", ".join(f"{_name(one.name)} = {_staged(table)}.{_name(one.name)}" for one in _values(table))
    new = ", ".join(f"{_staged(table)}.{_name(name)}" for name in table.column_names)
    return (
        f"MERGE INTO {_target(table)} USING {_staged(table)} ON {_same_key(table)}"  # noqa: S608 # nosec B608 # names of ours
        f" WHEN MATCHED THEN UPDATE SET {changes}"
        f" WHEN NOT MATCHED THEN INSERT ({_names(table.column_names)}) VALUES ({new})"
    )


def _same_key(table: Table) -> str:
    return " AND ".join(
        f"{_staged(table)}.{_name(name)} = {_target(table)}.{_name(name)}" for name in table.key
    )


def _values(table: Table) -> list[Column]:
    return [column for column in table.columns if column.name not in table.key]


def _type(column: Column) -> str:
    if column.type is Type.STRING:
        return f"VARCHAR({WORD_BYTES if column.name in WORDS else LONGEST_BYTES})"
    return _TYPES[column.type]


def _target(table: Table) -> str:
    return f"{_name(SCHEMA)}.{_name(table.name)}"


def _staged(table: Table) -> str:
    return _name(f"staged_{table.name}")


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(_name, names))


def _name(name: str) -> str:
    return f'"{name}"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
