"""Spotify's JSON objects of playlists and of what is in them, in either contract.

The new contract calls the entries ``items`` and their content ``item``. The legacy contract has both the new and the
old names: ``tracks`` and ``items``, ``track`` and ``item``.
"""

from datetime import date
from typing import Final
from urllib.parse import quote_plus

from local.spotify_stub import SPOTIFY_MADE_PLAYLIST_ID, Contract
from local.spotify_stub import playlists as lists
from local.spotify_stub.catalog import (
    EPISODES,
    LOCAL_FILES,
    SHOW_NAME,
    VARIOUS_ARTISTS,
    Episode,
    LocalFile,
    base62_id,
    catalog,
    hex_digits,
    number,
)
from local.spotify_stub.objects import (
    API,
    IMAGES,
    MARKETS,
    Json,
    PageRequest,
    artist_reference,
    images,
    links,
    page_object,
    track_object,
    user_object,
    without_old_fields,
)

EMBEDDED_LIMIT: Final = 100
"""How many entries a playlist object contains: more than /items accepts as a limit."""

# The items of a playlist, by kind


def _song_item(entry: lists.Entry, contract: Contract, day: date) -> Json:
    return {"episode": False, "track": True, **track_object(entry.key, contract, day)}


_SHOW_IMAGES: Final = ((640, "ab6765630000ba8a"), (300, "ab67656300005f1f"), (64, "ab6765630000f68d"))
_ABOUT: Final = "Made up for the stub: a podcast about lists of songs."


def show_object(contract: Contract) -> Json:
    """Return the one show that there is."""
    show_id = base62_id("show", SHOW_NAME)
    show = {
        "available_markets": MARKETS,
        "copyrights": [],
        "description": _ABOUT,
        "explicit": False,
        **links("show", show_id),
        "html_description": _ABOUT,
        "images": images("show", show_id, *_SHOW_IMAGES),
        "is_externally_hosted": False,
        "languages": ["en"],
        "media_type": "audio",
        "name": SHOW_NAME,
        "publisher": "Sasha",
        "total_episodes": len(EPISODES),
    }
    return without_old_fields(show, contract, "available_markets")


def episode_object(episode_id: str, contract: Contract) -> Json:
    """Return the full object of an episode."""
    episode: Episode = EPISODES[episode_id]
    return {
        "audio_preview_url": None,
        "description": _ABOUT,
        "duration_ms": episode.duration_ms,
        "explicit": False,
        **links("episode", episode.id),
        "html_description": _ABOUT,
        "images": images("episode", episode.id, *_SHOW_IMAGES),
        "is_externally_hosted": False,
        "is_playable": True,
        "language": "en",
        "languages": ["en"],
        "name": episode.name,
        "release_date": episode.released,
        "release_date_precision": "day",
        "resume_point": {"fully_played": False, "resume_position_ms": 0},
        "show": show_object(contract),
    }


def _episode_item(entry: lists.Entry, contract: Contract, _: date) -> Json:
    return {"episode": True, "track": False, **episode_object(entry.key, contract)}


def _local_item(entry: lists.Entry, contract: Contract, _: date) -> Json:
    file: LocalFile = LOCAL_FILES[entry.key]
    nothing: Json = {"external_urls": {}, "href": None, "id": None, "uri": None}
    tags = (file.artist, file.album, file.title, str(file.duration_s))
    album: Json = {
        "album_type": None,
        "available_markets": [],
        **nothing,
        "images": [],
        "name": file.album,
        "release_date": None,
        "release_date_precision": None,
        "type": "album",
        "artists": [],
    }
    track = {
        "album": without_old_fields(album, contract, "available_markets"),
        "artists": [{**nothing, "name": file.artist, "type": "artist"}],
        "available_markets": [],
        "explicit": False,
        "preview_url": None,
        "type": "track",
        "disc_number": 0,
        "external_ids": {},
        **nothing,
        "uri": "spotify:local:" + ":".join(map(quote_plus, tags)),
        "duration_ms": file.duration_s * 1000,
        "name": file.title,
        "popularity": 0,
        "track_number": 0,
        "is_local": True,
    }
    return without_old_fields(track, contract, "available_markets", "popularity")


def _ghost_item(entry: lists.Entry, contract: Contract, _: date) -> Json:
    """Return a track that Spotify has deleted: no names, no length, release date "0000"."""
    various = next(artist for artist in catalog().artists.values() if artist.name == VARIOUS_ARTISTS)
    album = {
        "available_markets": [],
        **links("album", base62_id("ghost album", entry.key)),
        "album_type": "single",
        "images": [],
        "name": "",
        "release_date": "0000",
        "release_date_precision": "year",
        "artists": [artist_reference(various)],
        "total_tracks": 1,
    }
    track = {
        "preview_url": None,
        "available_markets": [],
        "explicit": False,
        "episode": False,
        "track": True,
        "album": without_old_fields(album, contract, "available_markets"),
        "artists": [artist_reference(various) | {"name": ""}],
        "disc_number": 1,
        "track_number": 1,
        "duration_ms": 0,
        "external_ids": {},
        **links("track", base62_id("ghost", entry.key)),
        "name": "",
        "popularity": 0,
        "is_local": False,
    }
    return without_old_fields(track, contract, "available_markets", "popularity")


def _nameless_item(_: lists.Entry, contract: Contract, day: date) -> Json:
    """Return a song whose artist has neither id nor name, and whose album has no artists."""
    song = catalog().recordings[-1]
    track = _song_item(lists.Entry("song", song.id, None), contract, day)
    nobody: Json = {"external_urls": {}, "href": None, "id": None, "name": "", "type": "artist", "uri": None}
    return track | {"artists": [nobody], "album": track["album"] | {"artists": []}}


ITEMS: Final = {
    "song": _song_item,
    "episode": _episode_item,
    "local": _local_item,
    "ghost": _ghost_item,
    "nameless": _nameless_item,
}


def entry_object(entry: lists.Entry, contract: Contract, day: date, additional_types: frozenset[str]) -> Json:
    """Return one entry of a playlist.

    Parameters
    ----------
    entry
        The entry.
    contract
        ``legacy`` has the item twice, as ``track`` and as ``item``.
    day
        The day for values that change, such as popularity.
    additional_types
        An episode's item is null unless "episode" is among them.
    """
    named = entry.kind != "missing"
    shown = entry.kind in ITEMS and (entry.kind != "episode" or "episode" in additional_types)
    item = ITEMS[entry.kind](entry, contract, day) if shown else None
    keys = ("track", "item") if contract == "legacy" else ("item",)
    return {
        "added_at": entry.added_at,
        "added_by": None
        if entry.added_by is None
        else user_object(lists.User(entry.added_by, ""), with_name=False),
        "is_local": entry.kind == "local",
        "primary_color": None,
        **(dict.fromkeys(keys, item) if named else {}),
        "video_thumbnail": {"url": None},
    }


def entries_page(playlist_id: str, contract: Contract, day: date, request: PageRequest) -> Json:
    """Return one page of a playlist's entries on a day."""
    entries = lists.entries(playlist_id, day)
    part = entries[request.offset : request.offset + request.limit]
    objects = [entry_object(entry, contract, day, request.additional_types) for entry in part]
    return page_object(request, objects, len(entries))


# Playlists


def playlist_summary(
    playlist: lists.Playlist, contract: Contract, day: date, version_day: date, request_number: int
) -> Json:
    """Return a playlist as in /me/playlists: its version and size, without entries.

    Parameters
    ----------
    playlist, contract, day
        Which playlist, in which contract, on which day.
    version_day
        The day whose version is shown.
    request_number
        Decides the version of playlists made by Spotify, which differs on every request.
    """
    if playlist.id == SPOTIFY_MADE_PLAYLIST_ID:
        version = lists.snapshot_id_of_request(playlist.id, request_number)
    else:
        version = lists.snapshot_id(playlist.id, version_day)
    total = len(lists.entries(playlist.id, day))
    cover = hex_digits(24, playlist.id, *filter(None, [playlist.covers(version_day)]))
    image = {"height": None, "url": f"{IMAGES}/ab67616d00001e02{cover}", "width": None}
    keys = ("tracks", "items") if contract == "legacy" else ("items",)
    return {
        "collaborative": playlist.is_collaborative,
        "description": playlist.description,
        **links("playlist", playlist.id),
        "images": [image] if playlist.has_image else None,
        "name": playlist.name,
        "owner": user_object(playlist.owner),
        "primary_color": None,
        "public": playlist.is_public,
        "snapshot_id": version,
        **{key: {"href": f"{API}/playlists/{playlist.id}/{key}", "total": total} for key in keys},
    }


def playlist_object(
    playlist: lists.Playlist,
    contract: Contract,
    day: date,
    version_day: date,
    base_url: str,
    others: dict[str, str],
    *,
    with_entries: bool,
) -> Json:
    """Return the full object of a playlist.

    Parameters
    ----------
    playlist, contract, day
        Which playlist, in which contract, on which day.
    version_day
        The day whose version is shown.
    base_url
        Address of this server for the links between pages, without /v1.
    others
        Query parameters to repeat in these links.
    with_entries
        Whether the client may read the entries; the first 100 are included.
    """
    full = playlist_summary(playlist, contract, day, version_day, 0)
    types = frozenset(others.get("additional_types", "track").split(","))
    for key in ("tracks", "items"):
        if key not in full:
            continue
        if not with_entries:
            del full[key]
            continue
        url = f"{base_url}/v1/playlists/{playlist.id}/{key}"
        request = PageRequest(url, EMBEDDED_LIMIT, additional_types=types, others=others)
        full[key] = entries_page(playlist.id, contract, day, request)
    if contract == "legacy":
        full["followers"] = {"href": None, "total": number("followers", playlist.id) % 50}
    return full


def playlists_page(
    contract: Contract, day: date, version_day: date, request: PageRequest, request_number: int
) -> Json:
    """Return one page of the playlists that the signed-in user owns or follows."""
    everything = list(lists.playlists().values())
    part = everything[request.offset : request.offset + request.limit]
    return page_object(
        request,
        [playlist_summary(playlist, contract, day, version_day, request_number) for playlist in part],
        len(everything),
    )
