"""Rows of the page's data, encoded as JSON arrays because there are thousands of them.

The page also contains the column names of each kind of row, once, and its script reads rows by these names. The fields
of the classes are therefore the only place where columns are declared.
"""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, array_like=True, frozen=True):
    """Base class: each subclass is a kind of row."""


def columns() -> dict[str, tuple[str, ...]]:
    """Return the column names of each kind of row, keyed by class name."""
    kinds = sorted(Row.__subclasses__(), key=lambda kind: kind.__name__)
    return {kind.__name__: kind.__struct_fields__ for kind in kinds}
