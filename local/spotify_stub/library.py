"""What the owner has saved besides playlists: Liked Songs, albums, shows, episodes, audiobooks and followed artists."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Final

from local.spotify_stub import LIKED_SONGS_ID, Contract
from local.spotify_stub import playlists as lists
from local.spotify_stub.catalog import EPISODES, base62_id, catalog, number
from local.spotify_stub.objects import (
    Json,
    PageRequest,
    album_object,
    artist_object,
    images,
    links,
    page_object,
    track_object,
)
from local.spotify_stub.playlist_objects import episode_object, show_object

FIRST_SAVED: Final = date(2025, 10, 3)  # a Friday: an album is saved each week
FOLLOWED: Final = 55
AUDIOBOOKS: Final = {"Lists We Lived By": "Sasha Oplre", "The Last Mixtape": "Robin Jga"}


def liked_page(contract: Contract, day: date, page: PageRequest) -> Json:
    """Return a page of Liked Songs, the latest first."""
    return _page(
        lists.entries(LIKED_SONGS_ID, day),
        page,
        lambda entry: {"added_at": entry.added_at, "track": track_object(entry.key, contract, day)},
    )


def saved_page(kind: str, contract: Contract, day: date, page: PageRequest, base_url: str) -> Json:
    """Return a page of saved albums, shows, episodes or audiobooks, the latest first."""
    weeks = max(0, (day - FIRST_SAVED).days // 7 + 1)
    albums = sorted(catalog().albums.values(), key=lambda album: number("saved", album.id))[:weeks]

    def album(index: int) -> Json:
        added = FIRST_SAVED + timedelta(weeks=index)
        return {
            "added_at": f"{added}T18:30:00Z",
            "album": album_object(albums[index], contract, base_url),
        }

    saved: dict[str, Callable[[], list[Json]]] = {
        "albums": lambda: [album(index) for index in reversed(range(len(albums)))],
        "shows": lambda: [{"added_at": "2019-03-01T17:00:00Z", "show": show_object(contract)}],
        "episodes": lambda: [
            {"added_at": "2019-03-10T17:45:12Z", "episode": episode_object(one, contract)} for one in EPISODES
        ],
        "audiobooks": lambda: [
            {"added_at": "2024-01-06T09:00:00Z", "audiobook": _audiobook(title)} for title in AUDIOBOOKS
        ],
    }
    return _page(saved[kind](), page, lambda one: one)


def followed_artists(contract: Contract, day: date, page: PageRequest, after: str) -> Json:
    """Return the followed artists behind the one with the id `after`, with a cursor if there are more."""
    artists = sorted(catalog().artists.values(), key=lambda artist: number("followed", artist.id))[:FOLLOWED]
    ids = [artist.id for artist in artists]
    start = ids.index(after) + 1 if after in ids else 0
    part = artists[start : start + page.limit]
    has_more = start + page.limit < len(artists)
    cursor = part[-1].id if has_more else None
    found = {
        "href": f"{page.url}?type=artist&limit={page.limit}",
        "items": [artist_object(artist, contract, day) for artist in part],
        "limit": page.limit,
        "next": f"{page.url}?type=artist&after={cursor}&limit={page.limit}" if has_more else None,
        "cursors": {"after": cursor},
        "total": len(artists),
    }
    return {"artists": found}


def _page[Saved](saved: Sequence[Saved], page: PageRequest, item: Callable[[Saved], Json]) -> Json:
    part = saved[page.offset : page.offset + page.limit]
    return page_object(page, [item(one) for one in part], len(saved))


def _audiobook(title: str) -> Json:
    book_id = base62_id("audiobook", title)
    return {
        "authors": [{"name": AUDIOBOOKS[title]}],
        "narrators": [{"name": AUDIOBOOKS[title]}],
        "publisher": AUDIOBOOKS[title],
        "name": title,
        "description": "Made up for the stub.",
        "explicit": False,
        "images": images("audiobook", book_id, (640, "ab67616d0000b273")),
        "languages": ["en"],
        "total_chapters": 12,
        **links("audiobook", book_id),
    }
