"""The songs, albums and artists on the page, each stored once. Other rows refer to them by index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from spotify_lake.report.queries import SongRow, StandingRow
from spotify_lake.report.rows import Row

_ID = re.compile(r"[0-9A-Za-z]{22}")
# Spotify's image hosts, such as i.scdn.co, mosaic.scdn.co and image-cdn-ak.spotifycdn.com; neither user nor port.
_IMAGE = re.compile(r"https://(?:[a-z0-9-]+\.)+(?:scdn\.co|spotifycdn\.com)/[0-9A-Za-z/._~%?=&-]*")


class Album(Row, frozen=True):
    """An album. `id` and `image` are None if they cannot be links."""

    id: str | None
    name: str | None
    year: int | None
    image: str | None


class Artist(Row, frozen=True):
    """An artist. `id` is None if it cannot be a link."""

    id: str | None
    name: str | None


class Song(Row, frozen=True):
    """A song, podcast episode or other entry. `artists` and `album` are indexes."""

    id: str | None
    name: str | None
    kind: str
    artists: list[int]
    album: int | None
    seconds: int | None
    explicit: int
    popularity: int | None


@dataclass
class Catalog:
    """Collects songs, albums and artists, each once, in the order in which they are first used."""

    rows: Mapping[str, SongRow]
    songs: list[Song] = field(default_factory=list)
    albums: list[Album] = field(default_factory=list)
    artists: list[Artist] = field(default_factory=list)
    _indexes: dict[tuple[str, str | None], int] = field(default_factory=dict)

    def song(self, standing: StandingRow) -> int:
        """Return the index of an entry."""
        key = ("song", standing.entry)
        if key not in self._indexes:
            row = self.rows.get(standing.entry)
            if row is None:
                is_song = standing.kind == "song" and _ID.fullmatch(standing.entry)
                entry_id = standing.entry if is_song else None
                song = Song(entry_id, standing.name, standing.kind, [], None, None, 0, None)
            else:
                credited = zip(row.artist_ids, row.artist_names, strict=False)
                song = Song(
                    linkable(row.song_id),
                    row.name or standing.name,
                    standing.kind,
                    [self.artist(artist_id, name) for artist_id, name in credited],
                    self.album(row),
                    None if row.duration_ms is None else round(row.duration_ms / 1000),
                    int(row.is_explicit is True),
                    row.popularity,
                )
            self._indexes[key] = len(self.songs)
            self.songs.append(song)
        return self._indexes[key]

    def album(self, row: SongRow) -> int | None:
        """Return the index of a song's album; None if it has none."""
        if row.album_id is None:
            return None
        key = ("album", row.album_id)
        if key not in self._indexes:
            self._indexes[key] = len(self.albums)
            album_id = linkable(row.album_id)
            self.albums.append(Album(album_id, row.album, row.release_year, image_link(row.image_url)))
        return self._indexes[key]

    def artist(self, artist_id: str | None, name: str | None) -> int:
        """Return the index of an artist."""
        key = ("artist", artist_id or name)
        if key not in self._indexes:
            self._indexes[key] = len(self.artists)
            self.artists.append(Artist(linkable(artist_id), name))
        return self._indexes[key]


def linkable(spotify_id: str | None) -> str | None:
    """Return the id if it can be part of a link."""
    return spotify_id if spotify_id and _ID.fullmatch(spotify_id) else None


def image_link(url: str | None) -> str | None:
    """Return the address if it is on one of Spotify's image hosts."""
    return url if url is not None and _IMAGE.fullmatch(url) else None
