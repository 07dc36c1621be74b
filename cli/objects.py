"""What is stored in a lake's buckets: raw snapshots by playlist and time, and the tables made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from spotify_lake import keys
from spotify_lake.schema.playlists import PARTITION, PLAYLISTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef

RAW_PREFIX: Final = "raw/playlist_id="
# The transform writes this table last, so a snapshot that is in it is in all of them.
DONE_PREFIX: Final = f"{PLAYLISTS.prefix}{PARTITION.name}="

_TIME_FORMAT = "%Y%m%dT%H%M%SZ"
_RAW_KEY = re.compile(r"raw/playlist_id=(?P<playlist>[^/]+)/(?P<time>\d{8}T\d{6}Z)\.json\.gz")
_DONE_KEY = re.compile(re.escape(DONE_PREFIX) + r"[^/]+/(?P<playlist>[^/]+)-(?P<time>\d{8}T\d{6}Z)\.parquet")


@dataclass(frozen=True, order=True)
class Snapshot:
    """A playlist at one time.

    Attributes
    ----------
    scheduled_at
        UTC; names the snapshot.
    playlist_id
        Spotify id of the playlist.
    """

    scheduled_at: datetime
    playlist_id: str

    @property
    def raw_key(self) -> str:
        """Key of what Spotify sent."""
        return keys.raw_key(self.playlist_id, self.scheduled_at)

    @property
    def done_key(self) -> str:
        """Key of the object that the transform writes last."""
        time = keys.compact_time(self.scheduled_at)
        return f"{DONE_PREFIX}{self.scheduled_at.date()}/{self.playlist_id}-{time}.parquet"


def playlist_ids(s3: S3Client, bucket: str) -> list[str]:
    """Return the ids of the playlists that have raw snapshots."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=RAW_PREFIX, Delimiter="/")
    return [
        common["Prefix"].removeprefix(RAW_PREFIX).removesuffix("/")
        for page in pages
        for common in page.get("CommonPrefixes", [])
    ]


def snapshots(
    s3: S3Client, bucket: str, playlist_id: str, since: datetime | None = None
) -> Iterator[Snapshot]:
    """Yield a playlist's raw snapshots in order of time.

    Parameters
    ----------
    s3
        A boto3 client.
    bucket
        The raw bucket.
    playlist_id
        Of the playlist.
    since
        Of the first snapshot that is wanted; None for all.
    """
    prefix = f"{RAW_PREFIX}{playlist_id}/"
    # A time sorts before the same time with its file ending, so the snapshot at `since` itself is listed.
    start = prefix + keys.compact_time(since) if since else prefix
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=start)
    for item in _items(pages):
        if found := in_raw_key(item["Key"]):
            yield found


def in_raw_key(key: str) -> Snapshot | None:
    """Return the snapshot that a raw object's key names; None for a key of another form."""
    match = _RAW_KEY.fullmatch(key)
    return _snapshot(match) if match else None


def written(s3: S3Client, bucket: str, first: date, last: date) -> dict[Snapshot, datetime]:
    """Return when each snapshot of some days was last turned into tables.

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
        Bucket=bucket, Prefix=DONE_PREFIX, StartAfter=f"{DONE_PREFIX}{first}"
    )
    after = f"{DONE_PREFIX}{last + timedelta(days=1)}"
    found = {}
    for stored in takewhile(lambda item: item["Key"] < after, _items(pages)):
        if match := _DONE_KEY.fullmatch(stored["Key"]):
            found[_snapshot(match)] = stored["LastModified"]
    return found


def _items(pages: Iterable[ListObjectsV2OutputTypeDef]) -> Iterator[ObjectTypeDef]:
    for page in pages:
        yield from page.get("Contents", [])


def _snapshot(match: re.Match[str]) -> Snapshot:
    moment = datetime.strptime(match["time"], _TIME_FORMAT).replace(tzinfo=UTC)
    return Snapshot(moment, match["playlist"])
