"""The quality rules as data, and the check of a snapshot's rows against them. Pure.

A breaking rule protects what queries rely on: keys, references between tables, lengths that are summed up. An entry
whose row violates one becomes a reject. Other rules find implausible values; violations are counted and the rows stay.
The transform, the table `quality` and docs/data-dictionary.md follow `RULES`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import Any, Final, NamedTuple

from spotify_lake.schema.playlists import ALBUMS, ARTISTS, PLAYLIST_ENTRIES, PLAYLISTS, SONGS
from spotify_lake.schema.types import Table, Type
from spotify_lake.spotify.mending import UnreadableField

type Rows = Mapping[str, Sequence[tuple[Any, ...]]]

ALL_COLUMNS: Final = "*"

_DAY_MS: Final = 24 * 60 * 60 * 1000
_CLOCKS: Final = timedelta(days=1)  # maximum difference between two clocks, or of a time without its zone
_ANNOUNCED: Final = timedelta(days=2 * 366)  # how long before its release an album may be announced
_SPOTIFY_FOUNDED: Final = datetime(2006, 1, 1, tzinfo=UTC)
_FIRST_RECORDING: Final = date(1860, 1, 1)
_PEOPLE: Final = 10_000_000_000


class Limit(StrEnum):
    """An upper bound that depends on the snapshot, in words."""

    LAST_POSITION = "the position of the last entry"
    TAKEN = "a day after the snapshot"
    ANNOUNCED = "two years after the snapshot"


@dataclass(frozen=True)
class Unique:
    """No other row of the snapshot has the same value."""


@dataclass(frozen=True)
class Reference:
    """Each value is the key of a row of `to` in the same snapshot; `only` restricts it to rows with that value."""

    to: Table
    only: tuple[str, str] | None = None


@dataclass(frozen=True)
class Between:
    """Each value lies between the bounds, both included."""

    low: int | date | datetime
    high: int | date | datetime | Limit


@dataclass(frozen=True)
class Readable:
    """Each value has the type that it should have; unreadable ones have become null."""


type Check = Unique | Reference | Between | Readable


@dataclass(frozen=True)
class Rule:
    """A condition for the values of one column; nulls always satisfy it.

    Attributes
    ----------
    name
        In the table `quality`; of a breaking rule also a reason in the table `rejects`.
    table, column
        The column it checks. With `*` it checks all that an entry or playlist consists of, albums and artists too.
    check
        The condition.
    breaking
        Whether the entries with a violation become rejects.
    """

    name: str
    table: Table
    column: str
    check: Check
    breaking: bool = False

    @property
    def meaning(self) -> str:
        """The condition in words."""
        match self.check:
            case Unique():
                return "is in one row only"
            case Reference(to, only):
                where = f", if {only[0]} is `{only[1]}`" if only else ""
                return f"is the key of a row of {to.name}{where}"
            case Between(low, high):
                return f"is from {_text(low)} to {_text(high)}"
            case Readable():
                return "has the type that it should have; if not, it is null"


RULES: Final = (
    *(
        Rule(f"{table.name}_unique", table, table.key[-1], Unique(), breaking=True)
        for table in (PLAYLIST_ENTRIES, SONGS, ALBUMS, ARTISTS)
    ),
    Rule("entry_position", PLAYLIST_ENTRIES, "position", Between(1, Limit.LAST_POSITION), breaking=True),
    Rule("entry_song", PLAYLIST_ENTRIES, "song_id", Reference(SONGS, only=("kind", "song")), breaking=True),
    Rule("song_album", SONGS, "album_id", Reference(ALBUMS), breaking=True),
    Rule("song_artists", SONGS, "artist_ids", Reference(ARTISTS), breaking=True),
    Rule("album_artists", ALBUMS, "artist_ids", Reference(ARTISTS), breaking=True),
    Rule("song_duration", SONGS, "duration_ms", Between(0, _DAY_MS - 1), breaking=True),
    Rule("entry_readable", PLAYLIST_ENTRIES, ALL_COLUMNS, Readable()),
    Rule("playlist_readable", PLAYLISTS, ALL_COLUMNS, Readable()),
    Rule("song_has_length", SONGS, "duration_ms", Between(1, _DAY_MS - 1)),
    Rule("song_popularity", SONGS, "popularity", Between(0, 100)),
    Rule("album_popularity", ALBUMS, "popularity", Between(0, 100)),
    Rule("artist_popularity", ARTISTS, "popularity", Between(0, 100)),
    Rule("artist_followers", ARTISTS, "followers", Between(0, _PEOPLE)),
    Rule("playlist_followers", PLAYLISTS, "followers", Between(0, _PEOPLE)),
    Rule("entry_added_at", PLAYLIST_ENTRIES, "added_at", Between(_SPOTIFY_FOUNDED, Limit.TAKEN)),
    Rule("album_release_date", ALBUMS, "release_date", Between(_FIRST_RECORDING, Limit.ANNOUNCED)),
)


class Value(NamedTuple):
    """A value of a row, with the row's key within the snapshot."""

    key: Any
    value: Any


@dataclass(frozen=True)
class Finding:
    """The result of one rule for a snapshot: how many values were checked, and which violate it."""

    rule: Rule
    checked: int
    violations: tuple[Value, ...]

    def describe(self, violation: Value) -> str:
        """Describe a violation in one line."""
        rule = self.rule
        return f"{rule.table.name}.{rule.column} is {_text(violation.value):.200}; it must be one that {rule.meaning}"

    def after(self, earlier: "Finding") -> "Finding":
        """Combine this with the finding from before the violating entries were rejected."""
        if not self.rule.breaking:
            return self
        return Finding(self.rule, earlier.checked, earlier.violations + self.violations)


def check(
    rows: Rows, last_position: int, taken_at: datetime, unreadable: Sequence[UnreadableField] = ()
) -> list[Finding]:
    """Check the rows of one snapshot.

    Parameters
    ----------
    rows
        Table name to rows.
    last_position
        Position of the last entry, rejected ones included.
    taken_at
        Time of the snapshot, UTC.
    unreadable
        Fields that are null because they cannot be read.

    Returns
    -------
    list of Finding
        One for each rule, in the order of `RULES`.
    """
    limits = {
        Limit.LAST_POSITION: last_position,
        Limit.TAKEN: _later(taken_at, _CLOCKS),
        Limit.ANNOUNCED: _later(taken_at, _ANNOUNCED).date(),
    }
    return [
        _read(rule, rows, unreadable) if isinstance(rule.check, Readable) else _find(rule, rows, limits)
        for rule in RULES
    ]


def _read(rule: Rule, rows: Rows, unreadable: Sequence[UnreadableField]) -> Finding:
    of_entries = rule.table is PLAYLIST_ENTRIES
    violations = (
        Value(" ".join(filter(None, (str(field.position or ""), field.path, field.value))), field.value)
        for field in unreadable
        if (field.position is not None) == of_entries
    )
    return Finding(rule, len(rows[rule.table.name]), tuple(violations))


def _find(rule: Rule, rows: Rows, limits: Mapping[Limit, Any]) -> Finding:
    key, at = rule.table.index(rule.table.key[-1]), rule.table.index(rule.column)
    own, is_list = rows[rule.table.name], rule.table.columns[at].type is Type.STRINGS
    if isinstance(rule.check, Reference) and rule.check.only:
        name, only = rule.check.only
        where = rule.table.index(name)
        own = [row for row in own if row[where] == only]
    values = [row[at] for row in own]
    if is_list:
        values = list(chain.from_iterable(filter(None, values)))
    if None in values:
        values = [value for value in values if value is not None]
    bad = _bad(rule.check, values, rows, limits)
    violations = (
        Value(row[key], value)
        for row in (own if bad else ())
        for value in (row[at] or () if is_list else (row[at],))
        if value in bad
    )
    return Finding(rule, len(values), tuple(violations))


def _bad(check: Check, values: Sequence[Any], rows: Rows, limits: Mapping[Limit, Any]) -> set[Any]:
    """Return the invalid values. There are hardly ever any, so the column is compared as a whole first."""
    match check:
        case Unique():
            if len(set(values)) < len(values):
                return {value for value, number in Counter(values).items() if number > 1}
        case Reference(to):
            key = to.index(to.key[-1])
            return set(values).difference([row[key] for row in rows[to.name]])
        case Between(low, high):
            highest: Any = limits[high] if isinstance(high, Limit) else high
            if values and not (low <= min(values) and max(values) <= highest):
                return {value for value in values if not low <= value <= highest}
    return set()


def _later(moment: datetime, by: timedelta) -> datetime:
    """Add to a time; the result is capped at the end of the year 9999."""
    return min(moment, datetime.max.replace(tzinfo=UTC) - by) + by


def _text(value: object) -> str:
    return (
        value.isoformat()
        if isinstance(value, date)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )
