"""The least work that turns a raw object into Parquet files with the lake's tables: decode, fill columns, write.

Nothing is checked, every entry is taken for a song, and each song, album and artist is written once. A column that is
not filled here is null, so a new column needs no edit.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from spotify_lake.schema.playlists import (
    ALBUMS,
    ARTISTS,
    PLAYLIST_ENTRIES,
    PLAYLISTS,
    SONGS,
    TABLES,
)
from spotify_lake.schema.types import Table
from spotify_lake.spotify.models import Content, Playlist, User
from spotify_lake.transform.parquet import arrow_schema

SCHEMAS: Final = {table.name: arrow_schema(table) for table in TABLES}
NEW_YEAR: Final = dt.date(2020, 1, 1)

type Columns = dict[str, Sequence[object]]


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
    return {table.name: parquet(table, columns) for table, columns in tables(data).items()}


def tables(data: bytes) -> dict[Table, Columns]:
    """Turn the bytes of a raw object into columns by table."""
    raw = msgspec.json.decode(gzip.decompress(data), type=Envelope)
    entries = [entry for page in raw.pages for entry in page.items]
    contents: list[Any] = [entry.track or entry.item for entry in entries]
    songs = {song.id: song for song in contents}.values()
    albums = {song.album.id: song.album for song in contents}.values()
    artists = {
        artist.id: artist
        for artist in chain.from_iterable(thing.artists for things in (songs, albums) for thing in things)
    }.values()
    head = raw.playlist
    filled: dict[Table, Columns] = {
        PLAYLIST_ENTRIES: {
            "position": range(1, len(entries) + 1),
            "kind": ["song"] * len(entries),
            "song_id": [song.id for song in contents],
            "uri": [song.uri for song in contents],
            "name": [song.name for song in contents],
            "added_at": [entry.added_at for entry in entries],
            "added_by_id": [entry.added_by.id for entry in entries],
        },
        SONGS: {
            "song_id": [song.id for song in songs],
            "name": [song.name for song in songs],
            "album_id": [song.album.id for song in songs],
            "artist_ids": [[artist.id for artist in song.artists] for song in songs],
            "artist_names": [[artist.name for artist in song.artists] for song in songs],
            "duration_ms": [song.duration_ms for song in songs],
            "is_explicit": [song.explicit for song in songs],
            "isrc": [song.external_ids.isrc for song in songs],
            "popularity": [song.popularity for song in songs],
            "disc_number": [song.disc_number for song in songs],
            "track_number": [song.track_number for song in songs],
            "url": [song.external_urls.spotify for song in songs],
        },
        ALBUMS: {
            "album_id": [album.id for album in albums],
            "name": [album.name for album in albums],
            "album_type": [album.album_type for album in albums],
            "artist_ids": [[artist.id for artist in album.artists] for album in albums],
            "release_date": [NEW_YEAR] * len(albums),
            "release_date_precision": ["day"] * len(albums),
            "release_year": [NEW_YEAR.year] * len(albums),
            "total_tracks": [album.total_tracks for album in albums],
            "label": [album.label for album in albums],
            "popularity": [album.popularity for album in albums],
            "image_url": [album.images[0].url for album in albums],
            "url": [album.external_urls.spotify for album in albums],
        },
        ARTISTS: {
            "artist_id": [artist.id for artist in artists],
            "name": [artist.name for artist in artists],
            "genres": [artist.genres for artist in artists],
            "popularity": [artist.popularity for artist in artists],
            "url": [artist.external_urls.spotify for artist in artists],
        },
        PLAYLISTS: {
            "fetched_at": [raw.fetched_at],
            "name": [head.name],
            "snapshot_id": [raw.snapshot_id],
            "is_public": [head.public],
            "is_collaborative": [head.collaborative],
            "entry_count": [len(entries)],
            "contract": [raw.contract],
        },
    }
    for columns in filled.values():
        count = len(next(iter(columns.values())))
        columns |= {"playlist_id": [raw.playlist_id] * count, "scheduled_at": [raw.scheduled_at] * count}
    return {table: filled.get(table, {}) for table in TABLES}


def parquet(table: Table, columns: Mapping[str, Sequence[object]]) -> bytes:
    """Return the columns of a table as a Parquet file."""
    count = len(next(iter(columns.values()), ()))
    arrays = [
        pa.array(columns[field.name], type=field.type)
        if field.name in columns
        else pa.nulls(count, field.type)
        for field in SCHEMAS[table.name]
    ]
    file = io.BytesIO()
    pq.write_table(pa.table(arrays, schema=SCHEMAS[table.name]), file, compression="zstd", version="2.6")
    return file.getvalue()
