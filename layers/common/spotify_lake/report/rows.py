"""Rows of the page's data, encoded as JSON arrays because there are thousands of them.

The page also contains the column names of each kind of row, once, and its script reads rows by these names. The fields
of the classes are therefore the only place where columns are declared.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Final

import msgspec

SHORTEST_RUN: Final = 3

# Values, in which a run of equal ones may be a pair (value, length).
type Runs = list[int | tuple[int, int]]


class Row(msgspec.Struct, array_like=True, frozen=True):
    """Base class: each subclass is a kind of row."""


def columns() -> dict[str, tuple[str, ...]]:
    """Return the column names of each kind of row, keyed by class name."""
    kinds = sorted(Row.__subclasses__(), key=lambda kind: kind.__name__)
    return {kind.__name__: kind.__struct_fields__ for kind in kinds}


def runs(values: Iterable[int]) -> Runs:
    """Replace a value that occurs three or more times in a row with a pair.

    >>> runs([5, 5, 5, 5, 4, 4, 9])
    [(5, 4), 4, 4, 9]
    """
    written: Runs = []
    for value, group in groupby(values):
        times = sum(1 for _ in group)
        written.extend([(value, times)] if times >= SHORTEST_RUN else [value] * times)
    return written
