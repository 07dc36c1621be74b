"""What the report asks: the queries in `sql/`, with their days filled in, and what a row of each answer is.

What a query costs is the objects it reads, one a snapshot and table, so each names the days it needs, and each table
once. They keep to what Athena's SQL and that of the laptop stack's engine have in common, because nothing translates
them on the way. Lists come as JSON text; what stands in quotes is put there by `_dates` and `_texts` alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

import msgspec

from spotify_lake.athena import Question

DAILY: Final = 92  # days of which the page shows every one; before that, one snapshot a week
NEWS: Final = 31  # days of which the page lists what entered and left
LISTED: Final = 200  # entries of a playlist that the page lists, with their positions over time
LEADERS: Final = 16  # songs that were longest among the first ten; of all days, and again of the recent ones
GONE: Final = 150  # entries that left lately
ARTISTS: Final = 40  # of a playlist
ARTISTS_OVERALL: Final = 100
MOST_DATES: Final = 60  # at which artists are counted
MOST_OLDER_SONGS: Final = 4000  # named one by one in a query, which may have 262,144 characters

_SQL = Path(__file__).parent / "sql"
# Matches nothing, but is a list in both dialects.
_NO_DATE = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Window:
    """The days that the page is about, both included."""

    first: dt.date
    last: dt.date

    @classmethod
    def of(cls, snapshots: Iterable[SnapshotRow]) -> Window:
        """Return the days from the first of some snapshots to the last."""
        dates = {row.snapshot_date for row in snapshots}
        return cls(min(dates), max(dates))

    @property
    def recent(self) -> dt.date:
        """The first of the days of which the page shows every one."""
        return max(self.first, self.last - dt.timedelta(days=DAILY - 1))

    def number(self, day: dt.date) -> int:
        """Count a day from the first one, which is 0."""
        return (day - self.first).days


class SnapshotRow(msgspec.Struct, frozen=True, tag_field="what", tag="snapshot"):
    """A snapshot of a playlist: what entered with it, and what was in it but not in the next.

    `playlist` is its name; this and what follows are known of the last snapshot only.
    """

    playlist_id: str
    snapshot_date: dt.date
    entry_count: int
    entered: int
    leaving: int
    playlist: str | None
    description: str | None
    owner: str | None
    image_url: str | None
    followers: int | None


class StandingRow(msgspec.Struct, frozen=True, tag_field="what", tag="standing"):
    """An entry of a playlist over time.

    `position` is None when it is no longer in the list; `added_at` is in seconds since 1970, `days` are counted from
    1970-01-01.
    """

    playlist_id: str
    entry: str
    kind: str
    name: str | None
    added_at: int | None
    days_in_list: int
    best: int
    first_seen: dt.date
    last_seen: dt.date
    position: int | None
    is_leader: bool
    days: list[int] | None
    places: list[int] | None


class ArtistRow(msgspec.Struct, frozen=True):
    """An artist's songs in a playlist, or in all of them, over time."""

    playlist_id: str | None
    artist_id: str
    name: str | None
    days: list[int]
    songs: list[int]


class SongRow(msgspec.Struct, frozen=True):
    """A song and its album."""

    song_id: str
    name: str | None
    artist_ids: list[str | None]
    artist_names: list[str | None]
    duration_ms: int | None
    is_explicit: bool | None
    popularity: int | None
    album_id: str | None
    album: str | None
    release_year: int | None
    image_url: str | None


def histories(window: Window) -> Question[SnapshotRow | StandingRow]:
    """Ask which snapshots there are, and where the songs stood in them."""
    text = sql(
        "histories",
        first=window.first,
        last=window.last,
        recent=window.recent,
        leaders=LEADERS,
        gone=GONE,
        listed=LISTED,
    )
    return Question("histories", text, SnapshotRow | StandingRow)


def artists(window: Window, dates: Iterable[dt.date]) -> Question[ArtistRow]:
    """Ask how many songs each artist had in the lists on some dates."""
    text = sql(
        "artists",
        first=window.first,
        last=window.last,
        dates=_dates(dates),
        overall=ARTISTS_OVERALL,
        each=ARTISTS,
    )
    return Question("artists", text, ArtistRow)


def songs(
    dates: Iterable[dt.date], older_dates: Iterable[dt.date], older_songs: Iterable[str]
) -> Question[SongRow]:
    """Ask for the songs of some dates, and for those of a list on older dates."""
    text = sql(
        "songs",
        dates=_dates(dates),
        older_dates=_dates(older_dates),
        older_songs=_texts(list(older_songs)[:MOST_OLDER_SONGS]),
    )
    return Question("songs", text, SongRow)


def sql(name: str, **values: object) -> str:
    """Return the query of a file with its values filled in, which must be safe where they stand."""
    text = (_SQL / f"{name}.sql").read_text()
    without_comments = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return Template(without_comments).substitute(values)


def _dates(dates: Iterable[dt.date]) -> str:
    return ", ".join(f"DATE '{date:%Y-%m-%d}'" for date in sorted(set(dates)) or [_NO_DATE])


def _texts(texts: Iterable[str]) -> str:
    return ", ".join("'{}'".format(text.replace("'", "''")) for text in sorted(set(texts)) or [""])
