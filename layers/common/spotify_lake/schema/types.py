"""The parts of a schema: types, columns and tables."""

from dataclasses import dataclass
from enum import StrEnum

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
    """One column: its name, type, meaning and an example; `null_when` says when it has no value."""

    name: str
    type: Type
    description: str
    example: str
    null_when: str | None = None

    @property
    def nullable(self) -> bool:
        """Whether the column may hold nulls."""
        return self.null_when is not None


@dataclass(frozen=True)
class Table:
    """One table: what a row is, and which columns identify it within one snapshot of a playlist.

    `folder` holds its objects; a folder with another name holds a later version of the table.
    """

    name: str
    grain: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    folder: str = ""

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
