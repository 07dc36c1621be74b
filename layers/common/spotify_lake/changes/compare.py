"""Compares two snapshots of a playlist and describes the changes as an event. Pure: no I/O, no clock, no AWS.

An entry is identified by the song's id, else its URI, else its name and the artists' names, and counts at its first
position, as in the view playlist_changes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from spotify_lake.keys import compact_time, iso
from spotify_lake.normalize.rows import Tables
from spotify_lake.printable import printable
from spotify_lake.schema.playlists import PLAYLIST_ENTRIES, SONGS

SOURCE: Final = "spotify-lake"
DETAIL_TYPE: Final = "Playlist Changed"
DETAIL_VERSION: Final = 1  # increased when consumers would have to change
# EventBridge, SNS and SQS accept 256 KB in all. Titles may be long, so both limits are needed.
LISTED: Final = 100
LISTED_BYTES: Final = 80_000  # of those that entered, and the same of those that left


@dataclass(frozen=True)
class Change:
    """An entry that entered, left or moved.

    Attributes
    ----------
    uri, name, song_id, credits
        As in the table playlist_entries, from the later snapshot that has the entry.
    position, previous_position
        First position now and before; None if it was not in the list.
    """

    uri: str | None
    name: str | None
    song_id: str | None
    credits: list[str] | None
    position: int | None
    previous_position: int | None


@dataclass(frozen=True)
class Changes:
    """All differences between two snapshots, in the order of positions."""

    entered: Sequence[Change]
    left: Sequence[Change]
    moved: Sequence[Change]

    def __bool__(self) -> bool:
        return bool(self.entered or self.left or self.moved)


def compare(before: Tables, now: Tables) -> Changes:
    """Find what entered, left and moved.

    Parameters
    ----------
    before, now
        Rows of two snapshots of the same playlist.

    Returns
    -------
    Changes
        The rows of `now` in the view playlist_changes, if `before` is the previous snapshot.
    """
    old, new = _first_entries(before), _first_entries(now)
    return Changes(
        entered=[_change(one, None) for key, one in new.items() if key not in old],
        left=[_change(None, one) for key, one in old.items() if key not in new],
        moved=[
            _change(one, old[key])
            for key, one in new.items()
            if key in old and old[key]["position"] != one["position"]
        ],
    )


def detail(before: Tables, now: Tables, changes: Changes, bucket: str, keys: Sequence[str]) -> dict[str, Any]:
    """Describe a change within the size that EventBridge accepts.

    Parameters
    ----------
    before, now
        Rows of the two snapshots.
    changes
        From `compare`.
    bucket, keys
        Where the rows of `now` are stored.

    Returns
    -------
    dict
        The event's detail, as docs/events.md describes it. Equal snapshots give equal details.
    """
    playlist, previous = now.playlist, before.playlist
    entered, left = (
        _listed(found, _artists(tables)) for found, tables in ((changes.entered, now), (changes.left, before))
    )
    return {
        "version": DETAIL_VERSION,
        "id": f"{now.playlist_id}-{compact_time(now.scheduled_at)}",
        "playlist": {
            "id": now.playlist_id,
            "name": playlist["name"],
            "label": printable(playlist["name"] or now.playlist_id),
            "url": playlist["url"],
        },
        "snapshot_id": playlist["snapshot_id"],
        "scheduled_at": iso(now.scheduled_at),
        "fetched_at": iso(playlist["fetched_at"]),
        "previous": {"snapshot_id": previous["snapshot_id"], "scheduled_at": iso(before.scheduled_at)},
        "counts": {
            "entries": now.entry_count,
            "entered": len(changes.entered),
            "left": len(changes.left),
            "moved": len(changes.moved),
        },
        "entered": entered,
        "left": left,
        "lists_all": len(entered) == len(changes.entered) and len(left) == len(changes.left),
        "rows": {"bucket": bucket, "keys": list(keys), "sql": _sql(before, now)},
    }


def _first_entries(tables: Tables) -> dict[str, Mapping[str, Any]]:
    """Return each entry at its first position; rows come in the order of positions."""
    first: dict[str, Mapping[str, Any]] = {}
    for row in tables.records(PLAYLIST_ENTRIES):
        key = row["song_id"] or row["uri"] or _named(row)
        if key is not None:
            first.setdefault(key, row)
    return first


def _named(row: Mapping[str, Any]) -> str | None:
    """Identify an entry of which only the name is known, and perhaps the artists."""
    return row["name"] and f"{row['name']} by {', '.join(row['credits'] or ())}"


def _change(now: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> Change:
    known = now or before or {}
    return Change(
        uri=known["uri"],
        name=known["name"],
        song_id=known["song_id"],
        credits=known["credits"],
        position=now["position"] if now else None,
        previous_position=before["position"] if before else None,
    )


def _listed(changes: Sequence[Change], artists: Mapping[str, list[str | None]]) -> list[dict[str, Any]]:
    """Describe as many changes as an event may hold, the first positions first."""
    listed: list[dict[str, Any]] = []
    left = LISTED_BYTES
    for change in changes[:LISTED]:
        positions = (
            {"previous_position": change.previous_position}
            if change.position is None
            else {"position": change.position}
        )
        item = {
            "uri": change.uri,
            "name": change.name,
            "artists": artists.get(change.song_id or "", change.credits or []),
            **positions,
        }
        left -= len(to_json(item).encode()) + 1
        if left < 0:
            break
        listed.append(item)
    return listed


def to_json(value: Any) -> str:
    """Return the compact JSON of an event, with letters beyond ASCII unescaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _artists(tables: Tables) -> dict[str, list[str | None]]:
    return {row["song_id"]: row["artist_names"] for row in tables.records(SONGS)}


def _sql(before: Tables, now: Tables) -> str:
    """Write the query that returns every change from the lake's database."""
    moment = now.scheduled_at.astimezone(UTC)
    return (
        # Ids hold letters and digits only: envelope.Header checks them.
        "SELECT change, position, previous_position, climbed, uri, name FROM playlist_changes"  # noqa: S608 # nosec B608
        f" WHERE playlist_id = '{now.playlist_id}'"
        f" AND snapshot_date = DATE '{moment.date()}'"
        f" AND previous_date = DATE '{before.scheduled_at.astimezone(UTC).date()}'"
        f" AND scheduled_at = TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S}'"
        " ORDER BY change, coalesce(position, previous_position)"
    )
