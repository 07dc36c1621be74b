"""Makes the rows of exports and polls that tests use."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from spotify_lake.normalize.plays import PlayTables, normalize_export, normalize_polls
from spotify_lake.raw import plays
from spotify_lake.raw.plays import Form, PackedExport
from spotify_lake.schema.listening import PLAY_FILES, PLAY_REJECTS, PLAYS

IMPORTED = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRIVATE_VALUES = ("somebody", "203.0.113.7", "Mozilla/5.0", "Smalltown", "50.1", "8.6")


def extended(**changes: Any) -> dict[str, Any]:
    """A row of the extended history, private fields included."""
    return {
        "ts": "2021-03-04T05:06:07Z",
        "username": "somebody",
        "platform": "ios",
        "ms_played": 207959,
        "conn_country": "DE",
        "ip_addr_decrypted": "203.0.113.7",
        "user_agent_decrypted": "Mozilla/5.0",
        "city": "Smalltown",
        "latitude": 50.1,
        "longitude": 8.6,
        "master_metadata_track_name": "Cut To The Feeling",
        "master_metadata_album_artist_name": "Carly Rae Jepsen",
        "master_metadata_album_album_name": "Emotion",
        "spotify_track_uri": "spotify:track:11dFghVXANMlKmJXsNCbNl",
        "episode_name": None,
        "episode_show_name": None,
        "spotify_episode_uri": None,
        "reason_start": "trackdone",
        "reason_end": "fwdbtn",
        "shuffle": True,
        "skipped": None,
        "offline": False,
        "offline_timestamp": 0,
        "incognito_mode": False,
        **changes,
    }


def nothing(**changes: Any) -> dict[str, Any]:
    """A row of the extended history that names nothing, unless `changes` do."""
    names = dict.fromkeys(name for name in extended() if name.startswith(("master_", "spotify_")))
    return extended(**names | changes)


def recent(played_at: str = "2026-11-20T05:06:07.123Z", **changes: Any) -> dict[str, Any]:
    """A play in an answer of the Web API; `changes` are those of the track."""
    track = {
        "type": "track",
        "id": "11dFghVXANMlKmJXsNCbNl",
        "uri": "spotify:track:11dFghVXANMlKmJXsNCbNl",
        "name": "Cut To The Feeling",
        "duration_ms": 207959,
        "artists": [{"id": "6sFIWsNpZYqfjUpaCgueju", "name": "Carly Rae Jepsen"}],
        "album": {"id": "0tGPJ0bkWOUmH7MEOR77qc", "name": "Emotion"},
    }
    return {"track": track | changes, "played_at": played_at, "context": None}


def pack(rows: Iterable[Any], form: Form = "audio", file_name: str = "endsong_0.json") -> PackedExport:
    """Pack rows as a file of an export."""
    return plays.pack_export(form, file_name, (json.dumps(row).encode() for row in rows), IMPORTED)


def tables(rows: Iterable[Any], form: Form = "audio") -> PlayTables:
    """Return what the rows of a file become."""
    packed = pack(rows, form)
    return normalize_export(plays.unpack_export(packed.data, packed.key))


def poll(fetched_at: datetime, items: Iterable[Any]) -> bytes:
    """Return the raw object of a poll."""
    return plays.pack_poll(fetched_at, json.dumps({"items": list(items)}).encode())


def polled(*polls: tuple[datetime, Iterable[Any]]) -> PlayTables:
    """Return what the polls of a day become."""
    read = [plays.unpack_poll(poll(at, items), plays.keys.raw_poll_key(at)) for at, items in polls]
    return normalize_polls(polls[0][0].date(), read)


def played(found: PlayTables) -> list[dict[str, Any]]:
    """Return the rows of plays by name."""
    rows = [row for _, rows in sorted(found.plays.items()) for row in rows]
    return [dict(zip(PLAYS.column_names, row, strict=True)) for row in rows]


def rejects(found: PlayTables) -> list[dict[str, Any]]:
    """Return the rows of play_rejects by name."""
    return [dict(zip(PLAY_REJECTS.column_names, row, strict=True)) for row in found.rejects]


def files(found: PlayTables) -> list[dict[str, Any]]:
    """Return the rows of play_files by name."""
    return [dict(zip(PLAY_FILES.column_names, row, strict=True)) for row in found.files]
