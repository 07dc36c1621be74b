"""Builders of what people keep: Spotify's answers as scripts, client libraries and exports leave them behind."""

import gzip
import json
from typing import Any

from tests.support import payloads

USER = "nadia.k"


def songs(number: int, *, start: int = 0, **changes: Any) -> list[dict[str, Any]]:
    return [payloads.song(f"Song {start + index}", **changes) for index in range(number)]


def entries(number: int, *, start: int = 0, key: str = "item", **changes: Any) -> list[dict[str, Any]]:
    return [
        payloads.entry(song, key=key, **({"added_at": f"2019-05-{1 + index % 28:02}T10:00:00Z"} | changes))
        for index, song in enumerate(songs(number, start=start), start=start)
    ]


def page(
    rows: list[Any],
    playlist_id: str | None = None,
    *,
    offset: int = 0,
    total: int | None = None,
    way: str = "items",
) -> dict[str, Any]:
    address = "https://api.spotify.com/v1/me/tracks"
    if playlist_id is not None:
        address = f"https://api.spotify.com/v1/playlists/{playlist_id}/{way}"
    return payloads.page(rows, offset, total) | {"href": f"{address}?offset={offset}&limit=50"}


def playlist(
    rows: list[Any], name: str = "Road Trip", *, key: str = "tracks", **changes: Any
) -> dict[str, Any]:
    """A full playlist object with its first page."""
    playlist_id = payloads.spotify_id(name)
    return payloads.playlist(playlist_id, name=name) | {key: page(rows, playlist_id, way=key)} | changes


def summary(name: str, total: int) -> dict[str, Any]:
    """A playlist object as lists of playlists have it: without entries."""
    playlist_id = payloads.spotify_id(name)
    href = f"https://api.spotify.com/v1/users/{USER}/playlists/{playlist_id}/tracks"
    return payloads.playlist(playlist_id, name=name) | {"tracks": {"href": href, "total": total}}


def export_playlist(*names: str, title: str = "Evening", **changes: Any) -> dict[str, Any]:
    """A playlist of Spotify's account-data export."""
    return {
        "name": title,
        "lastModifiedDate": "2022-10-09",
        "collaborators": [],
        "items": [
            {
                "track": {
                    "trackName": name,
                    "artistName": "Mira Sol",
                    "albumName": "Harbor Lights",
                    "trackUri": f"spotify:track:{payloads.spotify_id(name)}",
                },
                "episode": None,
                "localTrack": None,
                "addedDate": "2022-06-22",
            }
            for name in names
        ],
        "description": None,
        "numberOfFollowers": 3,
    } | changes


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def zipped(value: Any) -> bytes:
    return gzip.compress(as_json(value))
