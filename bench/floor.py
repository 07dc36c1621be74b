"""The least that has to be done to turn a raw object into the same Parquet files: decode, columns, files.

Nothing is checked and no kind of entry is told from another; of each song, album and artist one is taken.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from spotify_lake.schema.playlists import (
    ALBUMS,
    ARTISTS,
    PLAYLIST_ENTRIES,
    PLAYLISTS,
    QUALITY,
    REJECTS,
    SONGS,
    TABLES,
)
from spotify_lake.schema.types import Table
from spotify_lake.spotify.models import Content, Playlist, User
from spotify_lake.transform.parquet import arrow_schema

SCHEMAS: Final = {table.name: arrow_schema(table) for table in TABLES}


class Entry(msgspec.Struct, gc=False):
    """As much of an entry as the tables hold."""

    added_at: dt.datetime
    added_by: User
    item: Content | None = None
    track: Content | None = None


class Page(msgspec.Struct, gc=False):
    """A page of entries."""

    items: list[Entry]


class Envelope(msgspec.Struct, gc=False):
    """A raw object."""

    playlist_id: str
    snapshot_id: str
    scheduled_at: dt.datetime
    fetched_at: dt.datetime
    contract: str
    pages: list[Page]
    playlist: Playlist


def transform(data: bytes) -> dict[str, bytes]:
    """Turn the bytes of a raw object into Parquet files by table."""
    return {table.name: parquet(table, rows) for table, rows in tables(data).items()}


def tables(data: bytes) -> dict[Table, list[tuple[Any, ...]]]:
    """Turn the bytes of a raw object into rows."""
    raw = msgspec.json.decode(gzip.decompress(data), type=Envelope)
    same = (raw.playlist_id, raw.scheduled_at)
    entries = [entry for page in raw.pages for entry in page.items]
    contents: list[Any] = [entry.track or entry.item for entry in entries]
    songs = {song.id: song for song in contents}
    albums = {song.album.id: song.album for song in contents}
    artists = {artist.id: artist for song in contents for artist in song.artists}
    artists |= {artist.id: artist for album in albums.values() for artist in album.artists}
    head = raw.playlist
    return {
        PLAYLIST_ENTRIES: [
            (*same, position, "song", song.id, song.uri, song.name, entry.added_at, entry.added_by.id)
            for position, (entry, song) in enumerate(zip(entries, contents, strict=True), start=1)
        ],
        SONGS: [
            (
                *(*same, s.id, s.name, s.album.id, [a.id for a in s.artists], [a.name for a in s.artists]),
                *(s.duration_ms, s.explicit, s.external_ids.isrc, s.popularity, s.disc_number),
                *(s.track_number, s.external_urls.spotify),
            )
            for s in songs.values()
        ],
        ALBUMS: [
            (
                *(*same, a.id, a.name, a.album_type, [artist.id for artist in a.artists], NEW_YEAR, "day"),
                *(2020, a.total_tracks, a.label, a.popularity, a.images[0].url, a.external_urls.spotify),
            )
            for a in albums.values()
        ],
        ARTISTS: [
            (*same, a.id, a.name, a.genres, None, a.popularity, a.external_urls.spotify)
            for a in artists.values()
        ],
        REJECTS: [],
        QUALITY: [],
        PLAYLISTS: [
            (
                *(*same, raw.fetched_at, head.name, None, None, None, raw.snapshot_id, head.public),
                *(head.collaborative, None, len(entries), None, None, raw.contract),
            )
        ],
    }


NEW_YEAR: Final = dt.date(2020, 1, 1)


def parquet(table: Table, rows: Sequence[Iterable[object]]) -> bytes:
    """Return rows as a Parquet file."""
    schema = SCHEMAS[table.name]
    values = zip(*rows, strict=True) if rows else ((),) * len(schema)
    columns = [pa.array(column, type=field.type) for column, field in zip(values, schema, strict=True)]
    file = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), file, compression="zstd", version="2.6")
    return file.getvalue()
