"""Spotify's JSON objects in either contract: pages, users, artists, albums and tracks.

The new contract (apps registered since February 2026) lacks popularity, markets, followers and labels; the legacy
contract has them. Links inside objects point to Spotify's own host, as in real data; only the links between pages
lead back to the stub.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

from local.spotify_stub import OWNER_ACCOUNT_ID, OWNER_ID, OWNER_NAME, Contract
from local.spotify_stub import playlists as lists
from local.spotify_stub.catalog import Album, Artist, Song, catalog, hex_digits, number

type Json = dict[str, Any]

API: Final = "https://api.spotify.com/v1"
WEB: Final = "https://open.spotify.com"
IMAGES: Final = "https://i.scdn.co/image"

MARKETS: Final = (
    "AD AE AG AL AM AO AR AT AU AZ BA BB BD BE BF BG BH BI BJ BN BO BR BS BT BW BY BZ CA CD CG CH CI CL CM "
    "CO CR CV CW CY CZ DE DJ DK DM DO DZ EC EE EG ES ET FI FJ FM FR GA GB GD GE GH GM GN GQ GR GT GW GY HK "
    "HN HR HT HU ID IE IL IN IQ IS IT JM JO JP KE KG KH KI KM KN KR KW KZ LA LB LC LI LK LR LS LT LU LV LY "
    "MA MC MD ME MG MH MK ML MN MO MR MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NR NZ OM PA PE PG PH PK PL "
    "PR PS PT PW PY QA RO RS RW SA SB SC SE SG SI SK SL SM SN SR ST SV SZ TD TG TH TJ TL TN TO TR TT TV TW "
    "TZ UA UG US UY UZ VC VE VN VU WS XK ZA ZM ZW"
).split()


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is asked for.

    Attributes
    ----------
    url
        Address of the list on this server, without a query.
    limit, offset
        How many, starting where.
    additional_types
        Kinds besides tracks that the client understands; without "episode", the item of an episode is null.
    others
        Query parameters to repeat in the links to the previous and next page.
    """

    url: str
    limit: int
    offset: int = 0
    additional_types: frozenset[str] = frozenset()
    others: dict[str, str] = field(default_factory=dict)

    def link(self, offset: int) -> str:
        """Return the address of the page that starts at `offset`."""
        return f"{self.url}?{urlencode({'offset': offset, 'limit': self.limit, **self.others})}"


def page_object(request: PageRequest, part: Sequence[Json | None], total: int) -> Json:
    """Return a page with links to the previous and the next one."""
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


def links(kind: str, object_id: str) -> Json:
    """Return the id and addresses that every object has."""
    return {
        "external_urls": {"spotify": f"{WEB}/{kind}/{object_id}"},
        "href": f"{API}/{kind}s/{object_id}",
        "id": object_id,
        "type": kind,
        "uri": f"spotify:{kind}:{object_id}",
    }


def images(kind: str, object_id: str, *size_codes: tuple[int, str]) -> list[Json]:
    """Return the pictures of an object in several sizes."""
    digits = hex_digits(24, kind, object_id)
    return [{"url": f"{IMAGES}/{code}{digits}", "height": size, "width": size} for size, code in size_codes]


def without_old_fields(item: Json, contract: Contract, *names: str) -> Json:
    """Leave out the named fields unless the contract is ``legacy``."""
    return item if contract == "legacy" else {key: value for key, value in item.items() if key not in names}


# Users


def user_object(user: lists.User, *, with_name: bool = True) -> Json:
    """Return a user as in a playlist (with the display name) or in an entry (without)."""
    reference = links("user", user.id)
    return {"display_name": user.name, **reference} if with_name else reference


def me_object(contract: Contract) -> Json:
    """Return the signed-in user's profile."""
    profile = user_object(lists.User(OWNER_ID, OWNER_NAME))
    profile |= {"account_id": OWNER_ACCOUNT_ID, "images": [], "followers": {"href": None, "total": 12}}
    return without_old_fields(profile, contract, "followers")


# Artists, albums, tracks


def artist_reference(artist: Artist) -> Json:
    """Return an artist as it appears inside tracks and albums."""
    return {"name": artist.name, **links("artist", artist.id)}


def artist_object(artist: Artist, contract: Contract, day: date) -> Json:
    """Return the full object of an artist."""
    followers = artist.followers + day.toordinal() * (artist.followers // 1_000_000)
    full = artist_reference(artist) | {
        "followers": {"href": None, "total": followers},
        "genres": list(artist.genres),
        "images": images(
            "artist",
            artist.id,
            (640, "ab6761610000e5eb"),
            (320, "ab67616100005174"),
            (160, "ab6761610000f178"),
        ),
        "popularity": artist.popularity,
    }
    return without_old_fields(full, contract, "followers", "genres", "popularity")


def album_reference(album: Album, contract: Contract) -> Json:
    """Return an album as it appears inside tracks."""
    reference = {
        "available_markets": MARKETS,
        **links("album", album.id),
        "album_type": album.kind,
        "images": images(
            "album", album.id, (640, "ab67616d0000b273"), (300, "ab67616d00001e02"), (64, "ab67616d00004851")
        ),
        "name": album.name,
        "release_date": album.release_date,
        "release_date_precision": album.release_date_precision,
        "artists": [artist_reference(artist) for artist in album.artists],
        "total_tracks": album.total_tracks,
    }
    return without_old_fields(reference, contract, "available_markets")


def album_object(album: Album, contract: Contract, base_url: str) -> Json:
    """Return the full object of an album. Its page of tracks lists the songs that are in the catalog."""
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
    return without_old_fields(full, contract, "label", "popularity")


def _track_of_album(song: Song, contract: Contract) -> Json:
    track = {
        "artists": [artist_reference(artist) for artist in song.artists],
        "available_markets": MARKETS,
        "disc_number": 1,
        "duration_ms": song.duration_ms,
        "explicit": song.is_explicit,
        **links("track", song.id),
        "name": song.name,
        "preview_url": None,
        "track_number": song.track_number,
        "is_local": False,
    }
    return without_old_fields(track, contract, "available_markets")


@lru_cache(maxsize=8192)
def track_object(song_id: str, contract: Contract, day: date) -> Json:
    """Return the full object of a track. The object is cached: do not change it.

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
