"""The report's queries: the files in `sql/` with their parameters filled in, and the type of each result row.

A query costs as much as the objects it reads, one per snapshot and table. Each query therefore restricts the days it
reads and reads each table once. The SQL stays within what Athena and the laptop stack's engine have in common, because
it is not translated. Lists are returned as JSON text. Only `_dates` and `_texts` produce quoted values.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from string import Template
from typing import Final

import msgspec

from spotify_lake.athena import Question

DAILY: Final = 92  # number of recent days that are shown in full; before that, one snapshot a week
NEWS: Final = 31  # number of days in the list of recent changes
LISTED: Final = 200  # entries per playlist that are listed with their positions over time
LEADERS: Final = 16  # songs with the most time in the top ten: overall, and again in the recent days
GONE: Final = 150  # entries that left recently
ARTISTS: Final = 40  # per playlist
ARTISTS_OVERALL: Final = 100
MOST_DATES: Final = 60  # on which artists are counted
MOST_BYTES: Final = 262_144  # of a query, in UTF-8: Athena refuses longer ones

_SQL = Path(__file__).parent / "sql"
# Stands for an empty list, which SQL does not allow; no snapshot has this date.
_NO_DATE = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Window:
    """The days that the page covers, both ends included."""

    first: dt.date
    last: dt.date

    @classmethod
    def of(cls, snapshots: Iterable[SnapshotRow]) -> Window:
        """Return the window from the first snapshot to the last."""
        dates = {row.snapshot_date for row in snapshots}
        return cls(min(dates), max(dates))

    @property
    def recent(self) -> dt.date:
        """The first of the recent days that are shown in full."""
        return max(self.first, self.last - dt.timedelta(days=DAILY - 1))

    def number(self, day: dt.date) -> int:
        """Return the number of a day; the first day is 0."""
        return (day - self.first).days


class SnapshotRow(msgspec.Struct, frozen=True, tag_field="what", tag="snapshot"):
    """A snapshot of a playlist.

    `entered` counts entries that are not in the previous snapshot, `leaving` those that are not in the next.
    `playlist` (its name) and the fields after it are set only for the last snapshot.
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

    `position` is None if the entry is no longer in the playlist. `added_at` is in seconds since 1970, and `days` are
    days since 1970-01-01.
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
    positions: list[int] | None


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
    """Query the snapshots and the positions of the songs in them."""
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
    """Query how many songs each artist had in the playlists on the given dates."""
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
    """Query all songs of some dates, and selected songs of older dates: as many as one query can name."""
    days = {"dates": _dates(dates), "older_dates": _dates(older_dates)}
    room = MOST_BYTES - len(sql("songs", **days, older_songs="").encode())
    return Question("songs", sql("songs", **days, older_songs=_texts(older_songs, room)), SongRow)


def sql(name: str, **values: object) -> str:
    """Return a query from its file with the values filled in, without comments. Values are not escaped."""
    return "\n".join(
        line for line in text_of(name, **values).splitlines() if not line.lstrip().startswith("--")
    )


def text_of(name: str, **values: object) -> str:
    """Return the text of a file with the values filled in. Values are not escaped."""
    return Template((_SQL / f"{name}.sql").read_text()).substitute(values).strip()


def _dates(dates: Iterable[dt.date]) -> str:
    return ", ".join(f"DATE '{date:%Y-%m-%d}'" for date in sorted(set(dates)) or [_NO_DATE])


def _texts(texts: Iterable[str], most_bytes: int) -> str:
    """Quote texts, as many of them as fit."""
    quoted = ["'{}'".format(text.replace("'", "''")) for text in sorted(set(texts))]
    sizes = accumulate(len(text.encode()) + len(", ") for text in quoted)
    fitting = [text for text, size in zip(quoted, sizes, strict=True) if size <= most_bytes]
    return ", ".join(fitting or ["''"])
