"""The parts of a schema: types, columns and tables."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from spotify_lake import keys


class Type(StrEnum):
    """Column types, spelled as Athena and Glue spell them. Timestamps are microseconds in UTC."""

    STRING = "string"
    INT = "int"
    BIGINT = "bigint"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    STRINGS = "array<string>"


@dataclass(frozen=True)
class Column:
    """One column: its name, type, meaning and an example; `null_when` says when it has no value.

    `values` are all that a column of few fixed values may have; otherwise it is empty.
    """

    name: str
    type: Type
    description: str
    example: str
    null_when: str | None = None
    values: tuple[str, ...] = ()

    @property
    def nullable(self) -> bool:
        """Whether the column may hold nulls."""
        return self.null_when is not None


PARTITION: Final = Column(
    keys.SNAPSHOT_DATE, Type.DATE, "UTC date of scheduled_at; the partition of the table.", "2026-11-20"
)


@dataclass(frozen=True)
class Table:
    """One table: what a row is, and which columns identify it (for playlists within one snapshot).

    `folder` holds its objects; a folder with another name holds a later version of the table. A table without
    `partition` has all of them directly in that folder.
    """

    name: str
    grain: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    folder: str = ""
    partition: Column | None = PARTITION

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in order, without the partition column."""
        return tuple(column.name for column in self.columns)

    def index(self, column: str) -> int:
        """Return the position of a column's value in a row."""
        return self.column_names.index(column)

    @property
    def prefix(self) -> str:
        """Prefix of the keys of its objects."""
        return f"{keys.CURATED}{self.folder or self.name}/"
