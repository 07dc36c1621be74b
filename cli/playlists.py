"""The playlists of a deployed lake: their newest snapshots, and whether the tables have them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from cli import objects
from cli.stack import OpsError
from spotify_lake import keys
from spotify_lake.errors import SettingsError, SnapshotUnreadable
from spotify_lake.keys import SnapshotId
from spotify_lake.raw import envelope, store
from spotify_lake.schema.playlists import PLAYLIST_ENTRIES, REJECTS, TABLES
from spotify_lake.settings import LIKED, LIKED_SONGS, OWNED, parse_playlist_ids

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from cli.stack import Lake

# Snapshots of this time are compared with every table; of older ones only a playlist's newest.
RECENT: Final = timedelta(days=45)
READERS: Final = 8
EXAMINED: Final = 40  # raw objects that are read because a table lacks them


@dataclass(frozen=True)
class PlaylistStatus:
    """Freshness of a playlist.

    Attributes
    ----------
    playlist_id
        Of the playlist.
    newest
        Time of its newest snapshot, UTC; None without any.
    name, entries
        As in its newest row of the table playlists; None without any.
    in_tables
        Whether every table has the newest snapshot, and as many entries as the raw object.
    problem
        What is wrong with that, other than that the transform has not begun.
    is_imported
        Whether the newest snapshot is an import; so it is only if no run has recorded one.
    """

    playlist_id: str
    newest: datetime | None
    name: str | None = None
    entries: int | None = None
    in_tables: bool = False
    problem: str = ""
    is_imported: bool = False


@dataclass(frozen=True)
class Playlists:
    """All playlists of a lake.

    Attributes
    ----------
    each
        Those with snapshots, and those that the settings name; the stalest first.
    recent
        The raw snapshots of the last days (`RECENT`).
    lacking
        By table, those of them that it lacks.
    unreadable
        Of the newest snapshots that a table lacks (`EXAMINED`), those whose raw objects cannot be read.
    """

    each: list[PlaylistStatus]
    recent: set[SnapshotId]
    lacking: Mapping[str, set[SnapshotId]]
    unreadable: Sequence[SnapshotId]


def gather(lake: Lake, now: datetime) -> Playlists:
    """Compare the raw snapshots of each playlist with every table.

    Parameters
    ----------
    lake
        The lake.
    now
        UTC.
    """
    s3, raw_bucket, lake_bucket = (
        lake.client("s3"),
        lake.output("RawBucketName"),
        lake.output("LakeBucketName"),
    )
    wanted = parse_playlist_ids(lake.parameter("PlaylistIds"))
    named = [one for one in wanted if one not in (OWNED, LIKED)]
    known = dict.fromkeys([*named, *objects.playlist_ids(s3, raw_bucket)])
    since = now - RECENT
    with ThreadPoolExecutor(READERS) as readers:
        stored = dict(
            zip(
                (table.name for table in TABLES),
                readers.map(
                    lambda table: objects.stored(s3, lake_bucket, table.prefix, since.date()), TABLES
                ),
                strict=True,
            )
        )
        raw = readers.map(lambda one: list(objects.snapshots(s3, raw_bucket, one, since)), known)
        found = dict(zip(known, raw, strict=True))
        recent = {snapshot for snapshots in found.values() for snapshot in snapshots}
        lacking = {name: recent - there for name, there in stored.items()}
        examined = sorted(set[SnapshotId]().union(*lacking.values()))[-EXAMINED:]
        problems = readers.map(lambda one: _unreadable(s3, raw_bucket, one), examined)
        unreadable = [one for one, problem in zip(examined, problems, strict=True) if problem]
        each = list(
            readers.map(lambda one: _playlist(s3, raw_bucket, lake_bucket, one, stored), found.items())
        )
    each.sort(key=lambda one: (one.newest is not None, one.newest or now, one.name or ""))
    return Playlists(each, recent, lacking, unreadable)


def with_names(lake: Lake, text: str, now: datetime) -> Sequence[str] | None:
    """Return the ids of playlists that a person names.

    Parameters
    ----------
    lake
        The lake.
    text
        Ids, URIs, links or names, separated by commas; `liked` for Liked Songs, `owned` for all.
    now
        UTC.

    Returns
    -------
    sequence of str
        The ids; None for all playlists.

    Raises
    ------
    OpsError
        No playlist of the lake has such a name, or several have it.
    """
    try:
        found = parse_playlist_ids(text)
    except SettingsError:
        found = (LIKED,)  # names have to be looked up, as this word has to be
    if OWNED in found:
        return None
    if LIKED not in found:
        return found
    each = gather(lake, now).each
    parts = [text.strip()]
    if not any(_has_name(one, parts[0]) for one in each):  # a name may contain a comma
        parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(dict.fromkeys(_with_name(each, part) for part in parts))


def _with_name(each: Sequence[PlaylistStatus], part: str) -> str:
    try:
        [one] = parse_playlist_ids(part)
        if one not in (OWNED, LIKED):
            return one
    except SettingsError:
        pass
    if part == LIKED:
        part = LIKED_SONGS
    found = [one.playlist_id for one in each if _has_name(one, part)]
    if len(found) == 1:
        return found[0]
    if found:
        raise OpsError(f"Several playlists are called {part}: {', '.join(found)}. Give the id.")
    names = ", ".join(sorted(one.name for one in each if one.name))
    raise OpsError(f"No playlist of the lake is called {part}. There are {names or 'none with a name'}.")


def _has_name(one: PlaylistStatus, name: str) -> bool:
    return one.name is not None and one.name.strip().casefold() == name.casefold()


def _playlist(
    s3: S3Client,
    raw_bucket: str,
    lake_bucket: str,
    raw: tuple[str, Sequence[SnapshotId]],
    stored: Mapping[str, set[SnapshotId]],
) -> PlaylistStatus:
    playlist_id, recent = raw
    recorded = [one for one in recent if not one.is_imported]
    if not recorded:
        known = list(objects.snapshots(s3, raw_bucket, playlist_id))
        recorded = [one for one in known if not one.is_imported] or known
    if not recorded:
        return PlaylistStatus(playlist_id, None)
    newest = max(recorded)
    rows = [one for one in stored[objects.DONE_TABLE.name] if one.playlist_id == playlist_id]
    row = _row(s3, lake_bucket, max(rows, default=newest))
    name, entries = (row["name"], row["entry_count"]) if row else (None, None)
    if newest in recent:
        lacks = [table for table, there in stored.items() if newest not in there]
    else:
        lacks = [one.name for one in TABLES if not store.exists(s3, lake_bucket, _key(one.prefix, newest))]
    if lacks:
        problem = "" if len(lacks) == len(TABLES) else f"not in {', '.join(lacks)}"
    else:
        problem = _difference(s3, raw_bucket, lake_bucket, newest, row)
    problem = problem or (_unreadable(s3, raw_bucket, newest) if lacks else "")
    return PlaylistStatus(
        playlist_id,
        newest.scheduled_at,
        name,
        entries,
        not lacks and not problem,
        problem,
        newest.is_imported,
    )


def _unreadable(s3: S3Client, bucket: str, snapshot: SnapshotId) -> str:
    """Say that a raw object cannot be read, if so."""
    return "" if isinstance(_entries(s3, bucket, snapshot), int) else "the raw object cannot be read"


def _difference(
    s3: S3Client, raw_bucket: str, lake_bucket: str, snapshot: SnapshotId, row: Mapping[str, Any] | None
) -> str:
    """Compare the entries of a raw object with those in the tables; return what differs."""
    sent = _entries(s3, raw_bucket, snapshot)
    if sent is None:
        return "the raw object cannot be read"
    try:
        rows = sum(
            pq.read_metadata(io.BytesIO(_get(s3, lake_bucket, _key(table.prefix, snapshot)))).num_rows
            for table in (PLAYLIST_ENTRIES, REJECTS)
        )
    except pa.ArrowInvalid:
        return "a table's object cannot be read"
    counted = row["entry_count"] if row else None
    return "" if rows == counted == sent else f"{rows:,} of {sent:,} entries"


def _entries(s3: S3Client, bucket: str, snapshot: SnapshotId) -> int | None:
    """Return the number of entries of a raw object; None if it cannot be read."""
    try:
        return len(envelope.decode(_get(s3, bucket, snapshot.raw_key), snapshot.raw_key).entries)
    except SnapshotUnreadable:
        return None


def _row(s3: S3Client, bucket: str, snapshot: SnapshotId) -> dict[str, Any] | None:
    """Read the row of the table playlists that a snapshot became; None if it did not yet."""
    body = store.get(s3, bucket, objects.done_key(snapshot))
    if body is None:
        return None
    try:
        rows = objects.read_rows(body, ["name", "entry_count"])
    except pa.ArrowInvalid:
        return None
    return rows[0] if rows else None


def _get(s3: S3Client, bucket: str, key: str) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def _key(table_prefix: str, snapshot: SnapshotId) -> str:
    return keys.curated_key(table_prefix, snapshot.playlist_id, snapshot.scheduled_at)
