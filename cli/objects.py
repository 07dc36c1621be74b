"""Lists what is stored in a lake's buckets: raw objects, and those of them that are in the tables."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from spotify_lake import keys
from spotify_lake.keys import SnapshotId
from spotify_lake.schema.listening import LIBRARY, PLAY_FILES
from spotify_lake.schema.playlists import PLAYLISTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef

# The transform writes this table last, so a snapshot that is in it is in all of them.
DONE_TABLE: Final = PLAYLISTS


@dataclass(frozen=True)
class ListeningObject:
    """A raw object with plays or a snapshot of the library.

    Attributes
    ----------
    scheduled_at
        Time of the poll or snapshot, or when a file of an export was written; UTC.
    raw_key
        Of the raw object.
    done_key
        Of the object that the transform writes last.
    """

    scheduled_at: datetime
    raw_key: str
    done_key: str


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


def written(s3: S3Client, bucket: str, first: date, last: date) -> dict[str, datetime]:
    """Return when the last object of each snapshot of some days was written, by key.

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
        found[stored["Key"]] = stored["LastModified"]
    return found


def exports(s3: S3Client, bucket: str) -> Iterator[ListeningObject]:
    """Yield the files of exports."""
    for item in _below_prefix(s3, bucket, keys.RAW_EXPORTS):
        if digest := keys.in_raw_export_key(item["Key"]):
            done = keys.plays_key(PLAY_FILES.prefix, digest)
            yield ListeningObject(item["LastModified"].astimezone(UTC), item["Key"], done)


def polls(s3: S3Client, bucket: str, first: date) -> Iterator[ListeningObject]:
    """Yield the polls since a day, in order of time."""
    for item in _below_prefix(s3, bucket, keys.RAW_POLLS, str(first)):
        if polled_at := keys.in_raw_poll_key(item["Key"]):
            done = keys.plays_key(PLAY_FILES.prefix, keys.polls_name(polled_at.date()))
            yield ListeningObject(polled_at, item["Key"], done)


def libraries(s3: S3Client, bucket: str, first: date) -> Iterator[ListeningObject]:
    """Yield the snapshots of the library since a day, in order of time."""
    for item in _below_prefix(s3, bucket, keys.RAW_LIBRARY, f"{first:%Y%m%d}"):
        if moment := keys.in_raw_library_key(item["Key"]):
            yield ListeningObject(moment, item["Key"], keys.curated_key(LIBRARY.prefix, LIBRARY.name, moment))


def listening_written(s3: S3Client, bucket: str) -> dict[str, datetime]:
    """Return when each last object of plays and of the library in the tables was written, by key."""
    return {
        item["Key"]: item["LastModified"]
        for prefix in (PLAY_FILES.prefix, LIBRARY.prefix)
        for item in _below_prefix(s3, bucket, prefix)
    }


def _below_prefix(s3: S3Client, bucket: str, prefix: str, start: str = "") -> Iterator[ObjectTypeDef]:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, StartAfter=prefix + start
    )
    return _items(pages)


def _items(pages: Iterable[ListObjectsV2OutputTypeDef]) -> Iterator[ObjectTypeDef]:
    for page in pages:
        yield from page.get("Contents", [])


def read_rows(body: bytes, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Read columns of a Parquet object; raises pyarrow.ArrowInvalid if it is damaged.

    `pyarrow.parquet.read_table` would import pandas, which takes longer than everything else here.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 (takes long to import)

    rows: list[dict[str, Any]] = pq.ParquetFile(io.BytesIO(body)).read(columns).to_pylist()
    return rows


def count_rows(body: bytes) -> int:
    """Count the rows of a Parquet object; raises pyarrow.ArrowInvalid if it is damaged."""
    import pyarrow.parquet as pq  # noqa: PLC0415 (takes long to import)

    return int(pq.read_metadata(io.BytesIO(body)).num_rows)
