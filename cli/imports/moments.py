"""Compares the moments of two files' plays: one person hears one thing at a time. Pure."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations
from typing import Final

import msgspec
from msgspec import Raw, Struct

OVERLAP_S: Final = 30  # of two plays at the same moment; a device may report an end a little late
FEWEST: Final = 10  # such plays, and at least this part of those in the time that both files cover:
SHARE: Final = 0.03
NEIGHBORS: Final = 4  # later plays that are compared with one


class _Row(Struct):
    ts: str
    ms_played: int
    offline: bool | None = None


@dataclass
class Moments:
    """When the plays of a file ended and how long they were, in order; those without a connection are left out.

    Attributes
    ----------
    ends
        Seconds since 1970.
    lengths
        Seconds.
    """

    ends: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("q"))


def moments_of(rows: Iterable[bytes | Raw]) -> Moments:
    """Return the moments of the rows of an extended history; other rows are left out."""
    found = list[tuple[int, int]]()
    decoder = msgspec.json.Decoder(_Row)
    for row in rows:
        try:
            play = decoder.decode(row)
            end = datetime.fromisoformat(play.ts)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
            continue
        if play.offline or not 0 <= play.ms_played < 86_400_000:
            continue
        found.append(
            (int((end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp()), play.ms_played // 1000)
        )
    found.sort()
    return Moments(array("q", (end for end, _ in found)), array("q", (length for _, length in found)))


def of_two_people(files: Mapping[str, Moments]) -> tuple[str, str] | None:
    """Return the names of two files whose plays cannot be one person's; None if there are none."""
    for (first, one), (second, other) in combinations(files.items(), 2):
        if _conflict(one, other):
            return first, second
    return None


def _conflict(one: Moments, other: Moments) -> bool:
    if not one.ends or not other.ends:
        return False
    begin, end = max(one.ends[0], other.ends[0]), min(one.ends[-1], other.ends[-1])
    few, many = sorted((_between(one, begin, end), _between(other, begin, end)), key=len)
    if len(few) < FEWEST or set(few) & set(many):  # equal plays: two downloads of one account
        return False
    ends = [end for end, _ in many]
    conflicts = sum(_is_within(play, many, bisect_left(ends, play[0] - play[1])) for play in few)
    return conflicts >= FEWEST and conflicts >= SHARE * len(few)


def _between(moments: Moments, begin: int, end: int) -> list[tuple[int, int]]:
    first, last = bisect_left(moments.ends, begin), bisect_left(moments.ends, end + 1)
    return list(zip(moments.ends[first:last], moments.lengths[first:last], strict=True))


def _is_within(play: tuple[int, int], others: list[tuple[int, int]], at: int) -> bool:
    """Tell whether a play runs at the same time as one of those that end after it began, from `at` on."""
    end, length = play
    return any(
        min(end, other_end) - max(end - length, other_end - other_length) >= OVERLAP_S
        for other_end, other_length in others[at : at + NEIGHBORS]
    )
