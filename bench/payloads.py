"""Raw snapshots of any size, as Spotify would send them, made from the stub's real songs.

The stub's catalog has some 1,200 songs. A longer playlist repeats it; each repetition gives songs and albums new ids,
and every other one gives artists new ids too, since an artist has several songs in a long list.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, Final

from local.spotify_stub import Contract, playlists
from local.spotify_stub.catalog import base62_id, catalog, hex_digits
from local.spotify_stub.objects import PageRequest, page_object
from local.spotify_stub.playlist_objects import entry_object
from spotify_lake.raw import envelope

NOON: Final = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
SEED: Final = 7
ENTRIES: Final = 100  # of a playlist that changes
NEW_A_DAY: Final = 3  # entries replaced on a day on which a playlist changes
MOVES_A_DAY: Final = 10
PAGE: Final = {"new": 50, "legacy": 100}  # largest number of entries on a page
_PREVIEWS: Final = "https://p.scdn.co/mp3-preview"
_ID: Final = re.compile(r"\b[0-9A-Za-z]{22}\b")


def raw_object(
    entries: int, contract: Contract, playlist: int = 0, scheduled_at: dt.datetime = NOON
) -> bytes:
    """Return the bytes of a raw object.

    Parameters
    ----------
    entries
        Songs in the playlist, all different.
    contract
        `legacy` with markets and popularity, about 4.6 kB an entry, or `new`.
    playlist
        A number that decides id, name and songs.
    scheduled_at
        UTC.
    """
    playlist_id = base62_id("bench playlist", playlist)
    writer = envelope.SnapshotWriter(
        playlist_id=playlist_id,
        snapshot_id=base62_id(playlist_id, scheduled_at),
        scheduled_at=scheduled_at,
        fetched_at=scheduled_at + dt.timedelta(seconds=3),
        contract="items" if contract == "new" else "tracks",
    )
    for page in pages(entries, contract, playlist):
        writer.add_page(page)
    head = {"id": playlist_id, "name": f"Playlist {playlist}", "public": True, "collaborative": False}
    return writer.finish(head | {"owner": {"id": "bench", "display_name": "Bench"}})


def pages(entries: int, contract: Contract, playlist: int = 0) -> Iterator[dict[str, Any]]:
    """Yield a playlist's pages of entries."""
    first = playlist * 37
    for offset in range(0, entries, PAGE[contract]):
        numbers = range(offset, min(offset + PAGE[contract], entries))
        request = PageRequest("https://api.spotify.com/v1/playlists/x/items", PAGE[contract], offset)
        yield page_object(request, [_entry(first + number, contract) for number in numbers], entries)


def _entry(number: int, contract: Contract) -> dict[str, Any]:
    """Return an entry with a song that no other number has."""
    songs = _songs()
    copy, place = divmod(number, len(songs))
    song = catalog().songs[songs[place]]
    artists = {artist.id for artist in song.artists}
    day = NOON.date()
    listed = playlists.Entry(
        "song",
        song.id,
        f"2026-{1 + number % 9:02}-{1 + number % 28:02}T08:30:{number % 60:02}Z",
        added_by="nadia.kowalska.1987",
    )
    sent = entry_object(listed, contract, day, frozenset())
    if contract == "legacy":  # as before 2026: without the new name, with a preview
        sent = {key: value for key, value in sent.items() if key != "item"} | {
            "video_thumbnail": {"url": None}
        }
        digits = hex_digits(40, song.id)
        sent["track"] = sent["track"] | {"preview_url": f"{_PREVIEWS}/{digits}?cid={digits[:32]}"}
    text = json.dumps(sent)

    def other_id(found: re.Match[str]) -> str:
        old = found[0]
        return base62_id(old, copy // 2 if old in artists else copy) if copy else old

    entry: dict[str, Any] = json.loads(_ID.sub(other_id, text))
    return entry


def history(playlist: int, days: int, songs: Iterator[str], changed: float = 1) -> Iterator[list[str]]:
    """Yield the songs of a playlist day by day.

    Parameters
    ----------
    playlist, days
        Its number, and how many days.
    songs
        Songs to start with and to add, without end; those that are in the playlist are passed over.
    changed
        Share of the days on which some songs are replaced and others move.
    """
    chance = random.Random(f"{SEED} {playlist}")  # noqa: S311 # nosec B311 # need no secrecy
    listed = list(islice(songs, ENTRIES))
    for _ in range(days):
        if chance.random() < changed:
            for _ in range(NEW_A_DAY):
                listed[chance.randrange(ENTRIES)] = next(song for song in songs if song not in listed)
            for _ in range(MOVES_A_DAY):
                listed.insert(chance.randrange(ENTRIES), listed.pop(chance.randrange(ENTRIES)))
        yield list(listed)


@cache
def _songs() -> list[str]:
    return sorted(catalog().songs)
