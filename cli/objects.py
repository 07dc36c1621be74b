"""Lists what is stored in a lake's buckets: raw snapshots, and the snapshots that are in the tables."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from spotify_lake import keys
from spotify_lake.keys import SnapshotId
from spotify_lake.schema.playlists import PLAYLISTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef

# The transform writes this table last, so a snapshot that is in it is in all of them.
DONE_TABLE: Final = PLAYLISTS


def done_key(snapshot: SnapshotId) -> str:
    """Return the key of the object that the transform writes last."""
    return keys.curated_key(DONE_TABLE.prefix, snapshot.playlist_id, snapshot.scheduled_at)


def playlist_ids(s3: S3Client, bucket: str) -> list[str]:
    """Return the ids of the playlists that have raw snapshots, recorded or imported, in order."""
    lister = s3.get_paginator("list_objects_v2")
    return sorted(
        {
            common["Prefix"].removeprefix(prefix).removesuffix("/")
            for prefix in (keys.RAW_PLAYLISTS, keys.IMPORTED_PLAYLISTS)
            for page in lister.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
            for common in page.get("CommonPrefixes", [])
        }
    )


def snapshots(
    s3: S3Client, bucket: str, playlist_id: str, since: datetime | None = None
) -> Iterator[SnapshotId]:
    """Yield a playlist's raw snapshots, recorded and imported ones, in order of time.

    Parameters
    ----------
    s3
        A boto3 client.
    bucket
        The raw bucket.
    playlist_id
        Of the playlist.
    since
        Time of the first snapshot; None for all.
    """
    prefixes = keys.raw_prefix(playlist_id), keys.imported_prefix(playlist_id)
    return heapq.merge(*(_below(s3, bucket, prefix, since) for prefix in prefixes))


def _below(s3: S3Client, bucket: str, prefix: str, since: datetime | None) -> Iterator[SnapshotId]:
    # A time sorts before the same time with its file ending, so the snapshot at `since` itself is listed.
    start = prefix + keys.compact_time(since) if since else prefix
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=start)
    for item in _items(pages):
        if found := keys.in_raw_key(item["Key"]):
            yield found


def stored(s3: S3Client, bucket: str, table_prefix: str, first: date) -> set[SnapshotId]:
    """Return the snapshots that a table has since a day.

    Parameters
    ----------
    s3
        A boto3 client.
    bucket
        The lake bucket.
    table_prefix
        Of the table's keys.
    first
        Date of the first snapshots.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket,
        Prefix=keys.partition_prefix(table_prefix),
        StartAfter=keys.partition_prefix(table_prefix, first),
    )
    return {found for item in _items(pages) if (found := keys.in_curated_key(item["Key"]))}


def written(s3: S3Client, bucket: str, first: date, last: date) -> dict[SnapshotId, datetime]:
    """Return when the tables of each snapshot of some days were last written.

    Parameters
    ----------
    s3
        A boto3 client.
    bucket
        The lake bucket.
    first, last
        Dates of the snapshots, both included.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket,
        Prefix=keys.partition_prefix(DONE_TABLE.prefix),
        StartAfter=keys.partition_prefix(DONE_TABLE.prefix, first),
    )
    end = keys.partition_prefix(DONE_TABLE.prefix, last + timedelta(days=1))
    found = {}
    for stored in takewhile(lambda item: item["Key"] < end, _items(pages)):
        if snapshot := keys.in_curated_key(stored["Key"]):
            found[snapshot] = stored["LastModified"]
    return found


def _items(pages: Iterable[ListObjectsV2OutputTypeDef]) -> Iterator[ObjectTypeDef]:
    for page in pages:
        yield from page.get("Contents", [])
