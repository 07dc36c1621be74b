"""What changed between two snapshots of a playlist, and the event that tells of it. Pure: no I/O, no clock, no AWS.

An entry is known by its URI and stands at its first position, as in the view playlist_changes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from spotify_lake.normalize import Tables
from spotify_lake.raw import compact_time, iso
from spotify_lake.schema import PLAYLIST_ENTRIES, PLAYLISTS, SONGS, Table

SOURCE: Final = "spotify-lake"
DETAIL_TYPE: Final = "Playlist Changed"
DETAIL_VERSION: Final = 1  # counted up when a consumer would have to change
# EventBridge, SNS and SQS take 256 KB with everything around it. Titles may be long, so both are needed.
LISTED: Final = 100
LISTED_BYTES: Final = 80_000  # of those that entered, and as many of those that left


@dataclass(frozen=True)
class Change:
    """An entry that entered, left or moved.

    Attributes
    ----------
    uri, name, song_id
        As in the table playlist_entries: as it stands now, or stood before it left.
    position, previous_position
        First position now and before; None where it was not in the list.
    """

    uri: str
    name: str | None
    song_id: str | None
    position: int | None
    previous_position: int | None


@dataclass(frozen=True)
class Changes:
    """All differences between two snapshots, in the order of their positions."""

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
        The rows that the view playlist_changes has of `now`, if `before` is the snapshot before it.
    """
    old, new = _first_stands(before), _first_stands(now)
    return Changes(
        entered=[_change(one, None) for uri, one in new.items() if uri not in old],
        left=[_change(None, one) for uri, one in old.items() if uri not in new],
        moved=[
            _change(one, old[uri])
            for uri, one in new.items()
            if uri in old and old[uri]["position"] != one["position"]
        ],
    )


def detail(before: Tables, now: Tables, changes: Changes, bucket: str, keys: Sequence[str]) -> dict[str, Any]:
    """Describe a change for others, within the size that EventBridge takes.

    Parameters
    ----------
    before, now
        Rows of the two snapshots.
    changes
        What `compare` found.
    bucket, keys
        Where the rows of `now` are.

    Returns
    -------
    dict
        The event's detail, as docs/events.md describes it. Equal snapshots give equal details.
    """
    playlist, previous = _playlist(now), _playlist(before)
    entered, left = (
        _listed(found, _artists(tables)) for found, tables in ((changes.entered, now), (changes.left, before))
    )
    return {
        "version": DETAIL_VERSION,
        "id": f"{now.playlist_id}-{compact_time(now.scheduled_at)}",
        "playlist": {"id": now.playlist_id, "name": playlist["name"], "url": playlist["url"]},
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


def _first_stands(tables: Tables) -> dict[str, Mapping[str, Any]]:
    """Return the first entry of each URI; rows come in the order of their positions."""
    stands: dict[str, Mapping[str, Any]] = {}
    for row in _rows(tables, PLAYLIST_ENTRIES):
        if row["uri"] is not None:
            stands.setdefault(row["uri"], row)
    return stands


def _change(now: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> Change:
    known = now or before or {}
    return Change(
        uri=known["uri"],
        name=known["name"],
        song_id=known["song_id"],
        position=now["position"] if now else None,
        previous_position=before["position"] if before else None,
    )


def _listed(changes: Sequence[Change], artists: Mapping[str, list[str | None]]) -> list[dict[str, Any]]:
    """Describe as many as an event may hold, the highest positions first."""
    listed: list[dict[str, Any]] = []
    left = LISTED_BYTES
    for change in changes[:LISTED]:
        place = (
            {"previous_position": change.previous_position}
            if change.position is None
            else {"position": change.position}
        )
        item = {
            "uri": change.uri,
            "name": change.name,
            "artists": artists.get(change.song_id or "", []),
            **place,
        }
        left -= len(to_json(item).encode()) + 1
        if left < 0:
            break
        listed.append(item)
    return listed


def to_json(value: Any) -> str:
    """Return the JSON of an event, short and with letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _artists(tables: Tables) -> dict[str, list[str | None]]:
    return {row["song_id"]: row["artist_names"] for row in _rows(tables, SONGS)}


def _playlist(tables: Tables) -> Mapping[str, Any]:
    (row,) = _rows(tables, PLAYLISTS)
    return row


def _rows(tables: Tables, table: Table) -> Iterable[Mapping[str, Any]]:
    return (dict(zip(table.column_names, row, strict=True)) for row in tables.rows[table.name])


def _sql(before: Tables, now: Tables) -> str:
    """Write the question that Athena answers with every change, in the lake's database."""
    moment = now.scheduled_at.astimezone(UTC)
    return (
        # Ids hold letters and digits only: raw.Header checks them.
        "SELECT change, position, previous_position, climbed, uri, name FROM playlist_changes"  # noqa: S608 # nosec B608
        f" WHERE playlist_id = '{now.playlist_id}'"
        f" AND snapshot_date = DATE '{moment.date()}'"
        f" AND previous_date = DATE '{before.scheduled_at.astimezone(UTC).date()}'"
        f" AND scheduled_at = TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S}'"
        " ORDER BY change, coalesce(position, previous_position)"
    )
