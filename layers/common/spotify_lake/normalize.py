"""A snapshot becomes rows of each table. Pure: no I/O, no clock, no AWS.

Every entry ends as one row of playlist_entries or as one reject with a reason.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final

from spotify_lake.raw import RejectedEntry, Snapshot
from spotify_lake.schema import ALBUMS, ARTISTS, PLAYLIST_ENTRIES, PLAYLISTS, REJECTS, SONGS
from spotify_lake.spotify.models import Album, Artist, Content, Entry, ExternalUrls, Image

type Row = tuple[object, ...]

# Lists made by Spotify itself carry this instead of a time.
_NOT_A_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NULL_ENTRY: Final = Entry()
_NO_ALBUM: Final = Album()
_NO_ARTIST: Final = Artist()
_RELEASE_DATE: Final = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_RELEASE_DATE_FORMS: Final = {4: ("year", "-01-01"), 7: ("month", "-01"), 10: ("day", "")}


@dataclass(frozen=True)
class Tables:
    """The rows that one snapshot contributes to each table.

    Attributes
    ----------
    playlist_id, scheduled_at
        Identify the snapshot.
    entry_count
        Entries in the snapshot, before any was rejected.
    rows
        Table name to rows; values in the order of the table's columns.
    """

    playlist_id: str
    scheduled_at: datetime
    entry_count: int
    rows: dict[str, Sequence[Row]]

    @property
    def unaccounted(self) -> int:
        """Entries that ended neither as a row nor as a reject; anything but 0 is a defect."""
        return self.entry_count - len(self.rows[PLAYLIST_ENTRIES.name]) - len(self.rows[REJECTS.name])


def normalize(snapshot: Snapshot) -> Tables:
    """Turn a snapshot into rows.

    Songs, albums and artists appear once each, as at their first position in the list.

    Parameters
    ----------
    snapshot
        As `raw.decode` returns it.

    Returns
    -------
    Tables
        Rows of all six tables; equal snapshots give equal rows in equal order.
    """
    same = (snapshot.playlist_id, snapshot.scheduled_at)
    details = snapshot.details
    entries: list[Row] = []
    rejects: list[Row] = []
    songs: dict[str, Row] = {}
    albums: dict[str, Row] = {}
    artists: dict[str, Row] = {}

    for position, entry in enumerate(snapshot.entries, start=1):
        if isinstance(entry, RejectedEntry):
            rejects.append((*same, position, entry.reason, entry.detail, entry.payload))
            continue
        entries.append((*same, position, *_entry_values(entry or _NULL_ENTRY)))
        if entry is None or entry.kind != "song" or entry.content is None:
            continue
        song, album = entry.content, entry.content.album
        if song.id and song.id not in songs:
            songs[song.id] = (*same, *_song_values(song))
        credited = _credited(song.artists)
        if album is not None and album.id:
            credited += _credited(album.artists)
            if album.id not in albums:
                albums[album.id] = (*same, *_album_values(album, details.albums.get(album.id) or _NO_ALBUM))
        for artist in credited:
            if artist.id and artist.id not in artists:
                artists[artist.id] = (
                    *same,
                    *_artist_values(artist, details.artists.get(artist.id) or _NO_ARTIST),
                )

    return Tables(
        playlist_id=snapshot.playlist_id,
        scheduled_at=snapshot.scheduled_at,
        entry_count=len(snapshot.entries),
        rows={
            PLAYLIST_ENTRIES.name: entries,
            SONGS.name: tuple(songs.values()),
            ALBUMS.name: tuple(albums.values()),
            ARTISTS.name: tuple(artists.values()),
            REJECTS.name: rejects,
            PLAYLISTS.name: [(*same, *_playlist_values(snapshot))],
        },
    )


def _playlist_values(snapshot: Snapshot) -> Row:
    playlist = snapshot.playlist
    return (
        snapshot.fetched_at,
        playlist.name,
        playlist.description or None,
        playlist.owner and playlist.owner.id,
        playlist.owner and playlist.owner.display_name,
        snapshot.snapshot_id,
        playlist.public,
        playlist.collaborative,
        playlist.followers and playlist.followers.total,
        len(snapshot.entries),
        _largest(playlist.images),
        _link(playlist.external_urls),
        snapshot.contract,
    )


def _entry_values(entry: Entry) -> Row:
    kind, content = entry.kind, entry.content or Content()
    return (
        kind,
        content.id if kind in {"song", "unavailable"} else None,
        content.uri,
        content.name or None,
        None if entry.added_at == _NOT_A_TIME else entry.added_at,
        (entry.added_by and entry.added_by.id) or None,
    )


def _song_values(song: Content) -> Row:
    artists = _credited(song.artists)
    return (
        song.id,
        song.name,
        (song.album and song.album.id) or None,
        [artist.id for artist in artists],
        [artist.name for artist in artists],
        song.duration_ms,
        song.explicit,
        (song.external_ids and song.external_ids.isrc) or None,
        song.popularity,
        song.disc_number,
        song.track_number,
        _link(song.external_urls),
    )


def _album_values(album: Album, details: Album) -> Row:
    release_date, precision = _release_date(album.release_date)
    return (
        album.id,
        album.name,
        album.album_type,
        None if album.artists is None else [artist.id for artist in _credited(album.artists)],
        release_date,
        precision,
        release_date and release_date.year,
        album.total_tracks,
        details.label if album.label is None else album.label,
        details.popularity if album.popularity is None else album.popularity,
        _largest(album.images),
        _link(album.external_urls),
    )


def _artist_values(artist: Artist, details: Artist) -> Row:
    followers = artist.followers or details.followers
    return (
        artist.id,
        artist.name,
        details.genres if artist.genres is None else artist.genres,
        followers and followers.total,
        details.popularity if artist.popularity is None else artist.popularity,
        _link(artist.external_urls),
    )


def _credited(artists: Iterable[Artist | None] | None) -> list[Artist]:
    """Drop the empty shells that Spotify sends for albums without artists."""
    return [artist for artist in artists or () if artist is not None and (artist.id or artist.name)]


def _largest(images: Sequence[Image | None] | None) -> str | None:
    """Spotify sorts images by size, the largest first."""
    return next((image.url for image in images or () if image is not None and image.url), None)


def _link(urls: ExternalUrls | None) -> str | None:
    return None if urls is None else urls.spotify


@lru_cache(maxsize=4096)
def _release_date(text: str | None) -> tuple[date | None, str | None]:
    """Read a date of day, month or year precision; `0000` and the like are no dates."""
    if not text or not _RELEASE_DATE.fullmatch(text):
        return None, None
    precision, rest = _RELEASE_DATE_FORMS[len(text)]
    try:
        return date.fromisoformat(text + rest), precision
    except ValueError:
        return None, None
