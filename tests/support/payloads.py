"""Builders of what Spotify sends, and of raw objects around it.

The shapes follow recorded responses of 2014 to 2026; the names are made up.
"""

import copy
import random
import string
from datetime import UTC, datetime
from typing import Any

from spotify_lake.raw import envelope
from spotify_lake.spotify import models

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BASE62 = string.digits + string.ascii_letters


def spotify_id(seed: object) -> str:
    """An id like Spotify's: 22 base-62 characters, the same for the same seed."""
    return "".join(random.Random(f"id {seed}").choices(BASE62, k=22))


def artist(name: str = "Mira Sol", /, **changes: Any) -> dict[str, Any]:
    artist_id = spotify_id(name)
    return {
        "external_urls": {"spotify": f"https://open.spotify.com/artist/{artist_id}"},
        "href": f"https://api.spotify.com/v1/artists/{artist_id}",
        "id": artist_id,
        "name": name,
        "type": "artist",
        "uri": f"spotify:artist:{artist_id}",
    } | changes


def album(name: str = "Harbor Lights", /, **changes: Any) -> dict[str, Any]:
    album_id = spotify_id(name)
    return {
        "album_type": "album",
        "artists": [artist()],
        "external_urls": {"spotify": f"https://open.spotify.com/album/{album_id}"},
        "id": album_id,
        "images": [
            {"height": 640, "url": f"https://i.scdn.co/image/{album_id}640", "width": 640},
            {"height": 64, "url": f"https://i.scdn.co/image/{album_id}64", "width": 64},
        ],
        "name": name,
        "release_date": "2017-05-26",
        "release_date_precision": "day",
        "total_tracks": 11,
        "type": "album",
    } | changes


def song(name: str = "Low Tide", /, **changes: Any) -> dict[str, Any]:
    song_id = spotify_id(name)
    return {
        "album": album(),
        "artists": [artist()],
        "disc_number": 1,
        "duration_ms": 207_959,
        # Booleans of the same names as an entry's keys, one level further down.
        "episode": False,
        "track": True,
        "explicit": False,
        "external_ids": {"isrc": "QZES71982312"},
        "external_urls": {"spotify": f"https://open.spotify.com/track/{song_id}"},
        "id": song_id,
        "is_local": False,
        "name": name,
        "track_number": 4,
        "type": "track",
        "uri": f"spotify:track:{song_id}",
    } | changes


def old_song(name: str = "Low Tide", /, **changes: Any) -> dict[str, Any]:
    """A song as apps of before 2026 get it."""
    return (
        song(
            name,
            available_markets=["AD", "AE", "AG"],
            popularity=63,
            album=album(available_markets=["AD"], label="Quay Records", popularity=52),
        )
        | changes
    )


def episode(name: str = "Episode 12: Rope", /, **changes: Any) -> dict[str, Any]:
    episode_id = spotify_id(name)
    return {
        "duration_ms": 1_800_000,
        "episode": True,
        "explicit": True,
        "id": episode_id,
        "name": name,
        "show": {"name": "Knots"},
        "track": False,
        "type": "episode",
        "uri": f"spotify:episode:{episode_id}",
    } | changes


def local_file(**changes: Any) -> dict[str, Any]:
    return {
        "album": {
            "album_type": None,
            "artists": [],
            "id": None,
            "images": [],
            "name": "Demos",
            "release_date": None,
        },
        "artists": [{"external_urls": {}, "href": None, "id": None, "name": "The Rowers", "type": "artist"}],
        "disc_number": 0,
        "duration_ms": 273_000,
        "external_ids": {},
        "id": None,
        "is_local": True,
        "name": "Boathouse (demo)",
        "popularity": 0,
        "track_number": 0,
        "type": "track",
        "uri": "spotify:local:The+Rowers:Demos:Boathouse+%28demo%29:273",
    } | changes


def ghost(**changes: Any) -> dict[str, Any]:
    """A song Spotify took down: the ids are left."""
    return (
        song(
            "ghost",
            name="",
            duration_ms=0,
            album=album("ghost", name="", release_date="0000", release_date_precision="year", images=[]),
            artists=[artist("ghost", name="")],
            external_ids={},
        )
        | changes
    )


def entry(content: dict[str, Any] | None = None, key: str = "item", **changes: Any) -> dict[str, Any]:
    """An entry of a playlist; `key` is `item` since 2026 and `track` before."""
    return {
        "added_at": "2026-03-01T18:22:09Z",
        "added_by": {"id": "nadia.k", "type": "user", "uri": "spotify:user:nadia.k"},
        "is_local": bool(content and content.get("is_local")),
        "primary_color": None,
        key: content,
        "video_thumbnail": {"url": None},
    } | changes


def page(entries: list[Any], offset: int = 0, total: int | None = None) -> dict[str, Any]:
    return {
        "href": "https://api.spotify.com/v1/playlists/x/items",
        "items": entries,
        "limit": 50,
        "next": None,
        "offset": offset,
        "previous": None,
        "total": len(entries) if total is None else total,
    }


def playlist(playlist_id: str = spotify_id("Road Trip"), **changes: Any) -> dict[str, Any]:
    return {
        "collaborative": False,
        "description": "Windows down.",
        "external_urls": {"spotify": f"https://open.spotify.com/playlist/{playlist_id}"},
        "id": playlist_id,
        "images": [{"height": 640, "url": f"https://i.scdn.co/image/{playlist_id}", "width": 640}],
        "name": "Road Trip",
        "owner": {"display_name": "Nadia", "id": "nadia.k", "type": "user"},
        "public": True,
        "snapshot_id": "AAAAAqEcxS92ddZ6R83Q8TWFhYshm18s",
        "type": "playlist",
        "uri": f"spotify:playlist:{playlist_id}",
    } | changes


def raw_object(
    *pages: list[Any] | dict[str, Any],
    playlist_object: dict[str, Any] | None = None,
    scheduled_at: datetime = NOON,
    contract: models.Contract = "items",
    fetched_at: datetime | None = None,
) -> bytes:
    """The bytes of a raw object with these pages (lists of entries, or whole pages)."""
    playlist_object = playlist() if playlist_object is None else playlist_object
    writer = envelope.SnapshotWriter(
        playlist_id=playlist_object.get("id") or spotify_id("Road Trip"),
        snapshot_id=playlist_object.get("snapshot_id"),
        scheduled_at=scheduled_at,
        fetched_at=fetched_at or scheduled_at.replace(second=3, microsecond=120_000),
        contract=contract,
    )
    for each in pages:
        writer.add_page(page(each) if isinstance(each, list) else each)
    return writer.finish(playlist_object)


def every_kind() -> list[Any]:
    """One entry of every kind a playlist can hold, in both contracts."""
    twice = song("Twice")
    return [
        entry(song()),
        entry(old_song("Older"), key="track"),
        entry(old_song("Both")) | {"track": old_song("Both")},
        entry(None),
        {"added_at": None, "added_by": None, "is_local": False},
        None,
        entry(local_file()),
        entry(episode()),
        entry(ghost()),
        entry(twice),
        entry(copy.deepcopy(twice), added_at="1970-01-01T00:00:00Z", added_by={"id": ""}),
        entry(song("Duet", artists=[artist("Mira Sol"), artist("Ben Oar"), {"id": None, "name": ""}])),
    ]
