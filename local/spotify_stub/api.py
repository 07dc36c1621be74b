"""Spotify's JSON objects, in either contract.

The new contract (apps registered since February 2026) names ``items`` and ``item`` and lacks popularity, markets,
followers and labels. The legacy contract has these, and both names of what was renamed: ``tracks`` and ``items``,
``track`` and ``item``. Links inside objects point to Spotify's own host, as everywhere in real data; only the links
between pages lead back to the stub.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from local.spotify_stub import OWNER_ACCOUNT_ID, OWNER_ID, OWNER_NAME, SPOTIFY_MADE_PLAYLIST_ID, Contract
from local.spotify_stub import playlists as lists
from local.spotify_stub.catalog import (
    EPISODES,
    LOCAL_FILES,
    SHOW_NAME,
    VARIOUS_ARTISTS,
    Album,
    Artist,
    Episode,
    LocalFile,
    Song,
    base62_id,
    catalog,
    hex_digits,
    number,
)

type Json = dict[str, Any]

API: Final = "https://api.spotify.com/v1"
WEB: Final = "https://open.spotify.com"
IMAGES: Final = "https://i.scdn.co/image"
EMBEDDED_LIMIT: Final = 100
"""How many entries come inside a playlist object: more than /items accepts as a limit."""

MARKET_CODES: Final = (
    "AD AE AG AL AM AO AR AT AU AZ BA BB BD BE BF BG BH BI BJ BN BO BR BS BT BW BY BZ CA CD CG CH CI CL CM "
    "CO CR CV CW CY CZ DE DJ DK DM DO DZ EC EE EG ES ET FI FJ FM FR GA GB GD GE GH GM GN GQ GR GT GW GY HK "
    "HN HR HT HU ID IE IL IN IQ IS IT JM JO JP KE KG KH KI KM KN KR KW KZ LA LB LC LI LK LR LS LT LU LV LY "
    "MA MC MD ME MG MH MK ML MN MO MR MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NR NZ OM PA PE PG PH PK PL "
    "PR PS PT PW PY QA RO RS RW SA SB SC SE SG SI SK SL SM SN SR ST SV SZ TD TG TH TJ TL TN TO TR TT TV TW "
    "TZ UA UG US UY UZ VC VE VN VU WS XK ZA ZM ZW "
)
MARKETS: Final = MARKET_CODES.split()


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is asked for.

    Attributes
    ----------
    url
        Address of the list without a query, on the server that is asked.
    limit, offset
        How many, starting where.
    additional_types
        Kinds besides tracks that the client understands; an episode comes as a null item if "episode" is not here.
    others
        Query parameters to repeat in the links to the neighboring pages.
    """

    url: str
    limit: int
    offset: int = 0
    additional_types: frozenset[str] = frozenset()
    others: dict[str, str] = field(default_factory=dict)

    def link(self, offset: int) -> str:
        """Return the address of the page that starts at an offset."""
        return f"{self.url}?{urlencode({'offset': offset, 'limit': self.limit, **self.others})}"


def page_object(request: PageRequest, part: Sequence[Json | None], total: int) -> Json:
    """Return a page with links to its neighbors."""
    end = request.offset + request.limit
    return {
        "href": request.link(request.offset),
        "items": list(part),
        "limit": request.limit,
        "next": request.link(end) if end < total else None,
        "offset": request.offset,
        "previous": request.link(max(0, request.offset - request.limit)) if request.offset > 0 else None,
        "total": total,
    }


def _links(kind: str, object_id: str) -> Json:
    return {
        "external_urls": {"spotify": f"{WEB}/{kind}/{object_id}"},
        "href": f"{API}/{kind}s/{object_id}",
        "id": object_id,
        "type": kind,
        "uri": f"spotify:{kind}:{object_id}",
    }


def _images(kind: str, object_id: str, *size_codes: tuple[int, str]) -> list[Json]:
    digits = hex_digits(24, kind, object_id)
    return [{"url": f"{IMAGES}/{code}{digits}", "height": size, "width": size} for size, code in size_codes]


def _without_old_fields(item: Json, contract: Contract, *names: str) -> Json:
    return item if contract == "legacy" else {key: value for key, value in item.items() if key not in names}


# Users


def user_object(user: lists.User, *, with_name: bool = True) -> Json:
    """Return a user as playlists (with the display name) and entries (without) refer to them."""
    reference = {
        "external_urls": {"spotify": f"{WEB}/user/{user.id}"},
        "href": f"{API}/users/{user.id}",
        "id": user.id,
        "type": "user",
        "uri": f"spotify:user:{user.id}",
    }
    return {"display_name": user.name, **reference} if with_name else reference


def me_object(contract: Contract) -> Json:
    """Return the signed-in user's profile."""
    profile = user_object(lists.User(OWNER_ID, OWNER_NAME))
    profile |= {"account_id": OWNER_ACCOUNT_ID, "images": [], "followers": {"href": None, "total": 12}}
    return _without_old_fields(profile, contract, "followers")


# Artists, albums, tracks


def artist_reference(artist: Artist) -> Json:
    """Return an artist as tracks and albums refer to them."""
    return {"name": artist.name, **_links("artist", artist.id)}


def artist_object(artist: Artist, contract: Contract, day: date) -> Json:
    """Return an artist in full."""
    followers = artist.followers + day.toordinal() * (artist.followers // 1_000_000)
    full = artist_reference(artist) | {
        "followers": {"href": None, "total": followers},
        "genres": list(artist.genres) if contract == "legacy" else [],
        "images": _images(
            "artist",
            artist.id,
            (640, "ab6761610000e5eb"),
            (320, "ab67616100005174"),
            (160, "ab6761610000f178"),
        ),
        "popularity": artist.popularity,
    }
    return _without_old_fields(full, contract, "followers", "popularity")


def album_reference(album: Album, contract: Contract) -> Json:
    """Return an album as tracks refer to it."""
    reference = {
        "available_markets": MARKETS,
        **_links("album", album.id),
        "album_type": album.kind,
        "images": _images(
            "album", album.id, (640, "ab67616d0000b273"), (300, "ab67616d00001e02"), (64, "ab67616d00004851")
        ),
        "name": album.name,
        "release_date": album.release_date,
        "release_date_precision": album.release_date_precision,
        "artists": [artist_reference(artist) for artist in album.artists],
        "total_tracks": album.total_tracks,
    }
    return _without_old_fields(reference, contract, "available_markets")


def album_object(album: Album, contract: Contract, base_url: str) -> Json:
    """Return an album in full. Its page of tracks has those songs that the catalog knows."""
    label = f"{album.artists[0].name} Recordings"
    songs = sorted(
        (catalog().songs[song_id] for song_id in album.song_ids), key=lambda song: song.track_number
    )
    tracks = [_track_of_album(song, contract) for song in songs]
    full = album_reference(album, contract) | {
        "tracks": page_object(
            PageRequest(f"{base_url}/v1/albums/{album.id}/tracks", 50), tracks, len(tracks)
        ),
        "copyrights": [{"text": f"{album.release_date[:4]} {label}", "type": kind} for kind in "CP"],
        "external_ids": {"upc": f"{number('upc', album.id) % 10**12:012d}"},
        "genres": [],
        "label": label,
        "popularity": album.popularity,
    }
    return _without_old_fields(full, contract, "label", "popularity")


def _track_of_album(song: Song, contract: Contract) -> Json:
    track = {
        "artists": [artist_reference(artist) for artist in song.artists],
        "available_markets": MARKETS,
        "disc_number": 1,
        "duration_ms": song.duration_ms,
        "explicit": song.is_explicit,
        **_links("track", song.id),
        "name": song.name,
        "preview_url": None,
        "track_number": song.track_number,
        "is_local": False,
    }
    return _without_old_fields(track, contract, "available_markets")


@lru_cache(maxsize=8192)
def track_object(song_id: str, contract: Contract, day: date) -> Json:
    """Return a track in full. The object is shared: do not change it.

    Raises
    ------
    KeyError
        If the catalog has no such song.
    """
    song = catalog().songs[song_id]
    return _track_of_album(song, contract) | {
        "album": album_reference(catalog().albums[song.album_id], contract),
        "external_ids": {"isrc": song.isrc},
        **({"popularity": lists.popularity(song, day)} if contract == "legacy" else {}),
    }


# What a playlist can hold


def _song_item(entry: lists.Entry, contract: Contract, day: date) -> Json:
    return {"episode": False, "track": True, **track_object(entry.key, contract, day)}


def _episode_item(entry: lists.Entry, contract: Contract, _: date) -> Json:
    episode: Episode = EPISODES[entry.key]
    sizes = ((640, "ab6765630000ba8a"), (300, "ab67656300005f1f"), (64, "ab6765630000f68d"))
    show_id = base62_id("show", SHOW_NAME)
    about = "Made up for the stub: a podcast about lists of songs."
    show = {
        "available_markets": MARKETS,
        "copyrights": [],
        "description": about,
        "explicit": False,
        **_links("show", show_id),
        "html_description": about,
        "images": _images("show", show_id, *sizes),
        "is_externally_hosted": False,
        "languages": ["en"],
        "media_type": "audio",
        "name": SHOW_NAME,
        "publisher": "Sasha",
        "total_episodes": len(EPISODES),
    }
    return {
        "audio_preview_url": None,
        "description": about,
        "duration_ms": episode.duration_ms,
        "episode": True,
        "explicit": False,
        **_links("episode", episode.id),
        "html_description": about,
        "images": _images("episode", episode.id, *sizes),
        "is_externally_hosted": False,
        "is_playable": True,
        "language": "en",
        "languages": ["en"],
        "name": episode.name,
        "release_date": episode.released,
        "release_date_precision": "day",
        "resume_point": {"fully_played": False, "resume_position_ms": 0},
        "show": _without_old_fields(show, contract, "available_markets"),
        "track": False,
    }


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
        "album": _without_old_fields(album, contract, "available_markets"),
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
    return _without_old_fields(track, contract, "available_markets", "popularity")


def _ghost_item(entry: lists.Entry, contract: Contract, _: date) -> Json:
    """Return a track whose record is gone: no names, no length, release date "0000"."""
    various = next(artist for artist in catalog().artists.values() if artist.name == VARIOUS_ARTISTS)
    album = {
        "available_markets": [],
        **_links("album", base62_id("ghost album", entry.key)),
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
        "album": _without_old_fields(album, contract, "available_markets"),
        "artists": [artist_reference(various) | {"name": ""}],
        "disc_number": 1,
        "track_number": 1,
        "duration_ms": 0,
        "external_ids": {},
        **_links("track", base62_id("ghost", entry.key)),
        "name": "",
        "popularity": 0,
        "is_local": False,
    }
    return _without_old_fields(track, contract, "available_markets", "popularity")


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
        What is at the position.
    contract
        ``legacy`` has the item twice, as ``track`` and as ``item``.
    day
        The day for values that move, such as popularity.
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


def playlist_summary(playlist: lists.Playlist, contract: Contract, day: date, request_number: int) -> Json:
    """Return a playlist as /me/playlists lists it: its version and size, without entries.

    Parameters
    ----------
    playlist, contract, day
        What, in which form, when.
    request_number
        Sets the version of playlists made by Spotify, which is another one on every request.
    """
    if playlist.id == SPOTIFY_MADE_PLAYLIST_ID:
        version = lists.snapshot_id_of_request(playlist.id, request_number)
    else:
        version = lists.snapshot_id(playlist.id, day)
    total = len(lists.entries(playlist.id, day))
    image = {"height": None, "url": f"{IMAGES}/ab67616d00001e02{hex_digits(24, playlist.id)}", "width": None}
    keys = ("tracks", "items") if contract == "legacy" else ("items",)
    return {
        "collaborative": playlist.is_collaborative,
        "description": playlist.description,
        **_links("playlist", playlist.id),
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
    base_url: str,
    others: dict[str, str],
    *,
    with_entries: bool,
) -> Json:
    """Return a playlist in full.

    Parameters
    ----------
    playlist, contract, day
        What, in which form, when.
    base_url
        Where the links between pages lead, without /v1.
    others
        Query parameters to repeat in these links.
    with_entries
        Whether the client may see the entries; the first 100 are embedded.
    """
    full = playlist_summary(playlist, contract, day, 0)
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


def playlists_page(contract: Contract, day: date, request: PageRequest, request_number: int) -> Json:
    """Return one page of the playlists that the signed-in user owns or follows."""
    everything = list(lists.playlists().values())
    part = everything[request.offset : request.offset + request.limit]
    return page_object(
        request,
        [playlist_summary(playlist, contract, day, request_number) for playlist in part],
        len(everything),
    )


# The fields parameter

type Selection = dict[str, Selection | None]

FIELD_TOKEN: Final = re.compile(r"!?\w+|\S")
END: Final = ""


def parse_fields(text: str) -> Selection:
    """Parse a ``fields`` parameter such as ``total,items(added_at,item(name,!href))``.

    Returns
    -------
    dict
        Names to what is selected below them: None for everything. A name that starts with ``!`` is left out.

    Raises
    ------
    ValueError
        If brackets, commas and names do not fit together.
    """
    tokens = [*FIELD_TOKEN.findall(text), END]
    try:
        selection = _parse_level(tokens)
        _take(tokens, END)
    except ValueError as error:
        raise ValueError(f"The fields {text!r} are not a list such as total,items(added_at).") from error
    return selection


def _parse_level(tokens: list[str]) -> Selection:
    selection: Selection = {}
    while True:
        name = _take_name(tokens)
        below = _parse_below(tokens)
        earlier = selection.get(name)
        selection[name] = earlier | below if earlier and below else below
        if tokens[0] != ",":
            return selection
        _take(tokens, ",")


def _parse_below(tokens: list[str]) -> Selection | None:
    if tokens[0] == ".":
        _take(tokens, ".")
        return {_take_name(tokens): _parse_below(tokens)}
    if tokens[0] == "(":
        _take(tokens, "(")
        selection = _parse_level(tokens)
        _take(tokens, ")")
        return selection
    return None


def _take_name(tokens: list[str]) -> str:
    if not re.fullmatch(r"!?\w+", tokens[0]):
        raise ValueError(tokens)
    return tokens.pop(0)


def _take(tokens: list[str], expected: str) -> None:
    if tokens[0] != expected:
        raise ValueError(tokens)
    tokens.pop(0)


def select_fields(value: Any, selection: Selection) -> Any:
    """Return a JSON value with the selected fields only; what is selected but not there is left out."""
    if isinstance(value, list):
        return [select_fields(one, selection) for one in value]
    if not isinstance(value, dict):
        return value
    wanted = {name: below for name, below in selection.items() if not name.startswith("!")}
    unwanted = {name[1:] for name in selection if name.startswith("!")}
    names = [name for name in value if name not in unwanted and (name in wanted or not wanted)]
    return {
        name: value[name] if (below := wanted.get(name)) is None else select_fields(value[name], below)
        for name in names
    }
