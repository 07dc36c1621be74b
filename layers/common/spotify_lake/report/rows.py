"""Rows of the page's data: arrays in its JSON, because there are thousands of them.

The names of their columns are sent with the page, once for each kind of row, and its script reads rows by these names.
The fields of a kind of row are therefore the one place that says what its columns are.
"""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, array_like=True, frozen=True):
    """One row; each subclass is a kind of row."""


def columns() -> dict[str, tuple[str, ...]]:
    """Return the names of the columns of each kind of row, by the name of its class."""
    kinds = sorted(Row.__subclasses__(), key=lambda kind: kind.__name__)
    return {kind.__name__: kind.__struct_fields__ for kind in kinds}
