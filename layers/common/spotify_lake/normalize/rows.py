"""Converts a snapshot into rows of each table. Pure: no I/O, no clock, no AWS.

Every entry becomes one row of playlist_entries or one reject with a reason.
"""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final

from spotify_lake.normalize import quality
from spotify_lake.normalize.quality import Finding
from spotify_lake.raw.envelope import RejectedEntry, Snapshot
from spotify_lake.schema.playlists import (
    ALBUMS,
    ARTISTS,
    PLAYLIST_ENTRIES,
    PLAYLISTS,
    QUALITY,
    REJECTS,
    SONGS,
)
from spotify_lake.schema.types import Table
from spotify_lake.spotify.models import Album, Artist, Content, Entry, ExternalUrls, Image, Kind

type Row = tuple[object, ...]

# Spotify's own playlists have this instead of a time.
_NOT_A_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NULL_ENTRY: Final = Entry()
_NO_CONTENT: Final = Content()
_SONGS: Final = frozenset({"song", "unavailable"})  # kinds with a song's id
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
        Entries in the snapshot, including rejected ones.
    rows
        Table name to rows; values in the order of the table's columns. `records` gives them by name.
    """

    playlist_id: str
    scheduled_at: datetime
    entry_count: int
    rows: dict[str, Sequence[Row]]

    @property
    def unaccounted(self) -> int:
        """Entries that became neither a row nor a reject; any number but 0 is a defect."""
        return self.entry_count - len(self.rows[PLAYLIST_ENTRIES.name]) - len(self.rows[REJECTS.name])

    @property
    def violations(self) -> dict[str, int]:
        """Number of violations by quality rule, for the rules that the snapshot violates."""
        return {row["rule"]: row["violations"] for row in self.records(QUALITY) if row["violations"]}

    @property
    def is_partial(self) -> bool:
        """Whether the snapshot is known to lack entries of the list."""
        return self.playlist["is_complete"] is False

    @property
    def playlist(self) -> dict[str, Any]:
        """The row of `playlists` by column name."""
        (record,) = self.records(PLAYLISTS)
        return record

    def records(self, table: Table) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table as dictionaries by column name."""
        names = table.column_names
        return (dict(zip(names, row, strict=True)) for row in self.rows[table.name])


def normalize(snapshot: Snapshot) -> Tables:
    """Turn a snapshot into rows.

    Songs, albums and artists appear once each, with the values from their first position in the list. Entries whose
    rows violate a breaking quality rule are rejected; the others give the same rows as without them.

    Parameters
    ----------
    snapshot
        From `envelope.decode`.

    Returns
    -------
    Tables
        Rows of every table; equal snapshots give equal rows in equal order.

    Raises
    ------
    SnapshotUnreadable
        An entry to be rejected cannot be read in full.
    """
    tables, findings = _checked(snapshot)
    while rejected := _rejected(snapshot, findings):
        positions = enumerate(snapshot.entries, start=snapshot.first_position)
        entries = [rejected.get(position, entry) for position, entry in positions]
        snapshot = replace(snapshot, entries=entries)
        tables, now = _checked(snapshot)
        findings = [after.after(before) for before, after in zip(findings, now, strict=True)]
    same = (snapshot.playlist_id, snapshot.scheduled_at)
    tables.rows[QUALITY.name] = [(*same, *_quality_values(finding)) for finding in findings]
    return tables


def _checked(snapshot: Snapshot) -> tuple[Tables, list[Finding]]:
    tables = _tables(snapshot)
    taken_at = max(snapshot.scheduled_at, snapshot.fetched_at)
    last_position = snapshot.first_position - 1 + tables.entry_count
    return tables, quality.check(tables.rows, last_position, taken_at, snapshot.unreadable)


def _rejected(snapshot: Snapshot, findings: Iterable[Finding]) -> dict[int, RejectedEntry]:
    """Return the entries, by position, that violate breaking rules and are not rejects yet."""
    broken: dict[tuple[str, object], tuple[Finding, quality.Value]] = {}
    for finding in findings:
        for violation in finding.violations if finding.rule.breaking else ():
            broken.setdefault((finding.rule.table.name, violation.key), (finding, violation))
    if not broken:
        return {}
    found: dict[int, RejectedEntry] = {}
    sent = snapshot.as_sent()
    for position, entry in enumerate(snapshot.entries, start=snapshot.first_position):
        if isinstance(entry, RejectedEntry):
            continue
        for row in ((PLAYLIST_ENTRIES.name, position), *_rows_of(entry or _NULL_ENTRY)):
            if row in broken:
                finding, violation = broken[row]
                detail = finding.describe(violation)
                payload = sent[position - snapshot.first_position]
                found[position] = RejectedEntry(finding.rule.name, detail, payload)
                break
    return found


def _rows_of(entry: Entry) -> Iterator[tuple[str, object]]:
    """Yield table and key of the songs, albums and artists of an entry."""
    song = entry.content
    if song is None or entry.kind != "song":
        return
    yield SONGS.name, song.id
    artists = _credited(song.artists)
    if song.album is not None:
        yield ALBUMS.name, song.album.id
        artists += _credited(song.album.artists)
    yield from ((ARTISTS.name, artist.id) for artist in artists)


def _tables(snapshot: Snapshot) -> Tables:
    """Return the rows of every table but `quality`."""
    same = (snapshot.playlist_id, snapshot.scheduled_at)
    details = snapshot.details
    entries: list[Row] = []
    rejects: list[Row] = []
    songs: dict[str, Row] = {}
    albums: dict[str, Row] = {}
    artists: dict[str, Row] = {}

    for position, entry in enumerate(snapshot.entries, start=snapshot.first_position):
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


def _quality_values(finding: Finding) -> Row:
    rule, violations = finding.rule, finding.violations
    return (
        rule.name,
        rule.table.name,
        rule.column,
        rule.breaking,
        finding.checked,
        len(violations),
        str(violations[0].key) if violations else None,
    )


def _playlist_values(snapshot: Snapshot) -> Row:
    playlist = snapshot.playlist
    return (
        snapshot.fetched_at,
        playlist.name,
        html.unescape(playlist.description) or None if playlist.description else None,
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
        snapshot.is_complete,
        snapshot.is_imported,
    )


def _entry_values(entry: Entry) -> Row:
    kind, content = entry.kind, entry.content or _NO_CONTENT
    is_song = kind in _SONGS
    return (
        kind,
        content.id or None if is_song else None,
        content.uri or _uri(kind, content),
        content.name or None,
        None if entry.added_at == _NOT_A_TIME else entry.added_at,
        (entry.added_by and entry.added_by.id) or None,
        None if is_song else _credits(content),
    )


def _uri(kind: Kind, content: Content) -> str | None:
    """Return the URI that follows from an entry's type and id, which some dumps leave out."""
    return f"spotify:{content.type or 'track'}:{content.id}" if content.id and kind != "local" else None


def _credits(content: Content) -> list[str]:
    """Return whom or what an entry that is not in `songs` belongs to."""
    works = [work.name for work in (content.show, content.audiobook) if work is not None]
    return [name for name in (*works, *(artist.name for artist in _credited(content.artists))) if name]


def _song_values(song: Content) -> Row:
    artists = _credited(song.artists)
    return (
        song.id,
        song.name,
        (song.album and song.album.id) or None,
        [artist.id or None for artist in artists],
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
        None if album.artists is None else [artist.id or None for artist in _credited(album.artists)],
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
    """Drop the empty artists that Spotify sends for albums without any."""
    return [artist for artist in artists or () if artist is not None and (artist.id or artist.name)]


def _largest(images: Sequence[Image | None] | None) -> str | None:
    """Return the first image: Spotify sorts them by size, the largest first."""
    return next((image.url for image in images or () if image is not None and image.url), None)


def _link(urls: ExternalUrls | None) -> str | None:
    return None if urls is None else urls.spotify


@lru_cache(maxsize=4096)
def _release_date(text: str | None) -> tuple[date | None, str | None]:
    """Read a date of day, month or year precision; None for `0000` and other invalid dates."""
    if not text or not _RELEASE_DATE.fullmatch(text):
        return None, None
    precision, rest = _RELEASE_DATE_FORMS[len(text)]
    try:
        return date.fromisoformat(text + rest), precision
    except ValueError:
        return None, None
