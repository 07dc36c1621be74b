"""The report's questions about plays, and the types of their rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import msgspec

from spotify_lake.athena import Athena, Question
from spotify_lake.report.queries import sql, text_of
from spotify_lake.schema.listening import PLAY_FILES

PERIODS: Final = (28, 183, 365)  # days; the last period of the page has no beginning
PASSES: Final = 11  # odd ones match, even ones drop what is taken: six rounds, as in the view listening
FOLDER: Final = PLAY_FILES.prefix  # holds an object as soon as there are plays
NO_MONTH: Final = "9999-12"

_DAY: Final = dt.timedelta(days=1)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class RangeRow(msgspec.Struct, frozen=True, tag_field="what", tag="range"):
    """The times of all plays, in seconds since 1970, and local days. None where there is no play, or no poll."""

    first: int | None
    last: int | None
    first_polled: int | None
    last_day: dt.date | None


class GapRow(msgspec.Struct, frozen=True, tag_field="what", tag="gap"):
    """A time in which plays may be missing between two polls: seconds since 1970, and the local days."""

    first: int
    last: int
    first_day: dt.date
    last_day: dt.date


class PlayRow(msgspec.Struct, frozen=True):
    """Sums of plays, by item and age in parallel lists; sql/plays.sql says what the items of each `what` are."""

    what: str
    kind: str | None
    song: str | None
    name: str | None
    artist: str | None
    album: str | None
    song_id: str | None
    first: int
    last: int
    items: list[int]
    ages: list[int]
    plays: list[int]
    milliseconds: list[int]
    estimated: list[int]
    starts: list[int]
    skips: list[int]


@dataclass(frozen=True)
class Plays:
    """The answers about plays.

    Attributes
    ----------
    zone
        Time zone of their days and hours.
    last
        The day from which periods count back.
    rows, gaps
        The answers.
    """

    zone: str
    last: dt.date
    rows: list[PlayRow]
    gaps: list[GapRow]


def files(zone: str) -> Question[RangeRow | GapRow]:
    """Query which times the plays cover, and the gaps between polls."""
    return Question("play_files", sql("play_files", zone=zone), RangeRow | GapRow)


def plays(found: RangeRow, zone: str) -> Question[PlayRow]:
    """Query what was heard. Months without plays are not read, as the first and the last play say."""
    last = found.last_day or _EPOCH.date()
    # A play of the API may be that of an export in the month before, and a play of an export ends later.
    polled = _month(found.first_polled, -_DAY)
    text = sql(
        "plays",
        zone=zone,
        copies=copies(f"\n    WHERE played_month >= '{_month(found.first)}'"),
        matches=matches(f" AND played_month >= '{polled}'"),
        polled=polled,
        **{f"recent_{age}": last - (days - 1) * _DAY for age, days in enumerate(PERIODS)},
    )
    return Question("plays", text, PlayRow)


def copies(months: str = "") -> str:
    """Return the common table expression `copies`: the rows of plays that meet a condition, with their content."""
    return text_of("play_copies", months=months)


def matches(near: str = "") -> str:
    """Return common table expressions from the plays of `united`, each play once, to `matched`.

    Parameters
    ----------
    near
        A further condition for the plays that are matched with plays of the API.
    """
    passes = [text_of("play_pass", number=n, before=n - 1) for n in range(1, PASSES + 1)]
    return text_of("play_matches", near=near, passes=",\n".join(passes), last_pass=PASSES)


def _month(seconds: int | None, later: dt.timedelta = dt.timedelta()) -> str:
    return NO_MONTH if seconds is None else f"{_EPOCH + dt.timedelta(seconds=seconds) + later:%Y-%m}"


def ask(athena: Athena, zone: str) -> Plays | None:
    """Ask the questions about plays; None if nothing was played.

    Raises
    ------
    QueryFailed
        A query failed.
    """
    found = athena.ask(files(zone))
    [covered] = [row for row in found if isinstance(row, RangeRow)]
    if covered.last_day is None:
        return None
    rows = athena.ask(plays(covered, zone))
    return Plays(zone, covered.last_day, rows, [row for row in found if isinstance(row, GapRow)])
