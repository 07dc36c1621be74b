"""Publishes changed playlists: an event on the lake's own EventBridge bus once the tables are written.

An event depends only on the raw bucket as it was when the snapshot was written there, whenever and in whatever order
the snapshots are transformed. A second delivery publishes the same event again.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from spotify_lake import keys
from spotify_lake.changes.compare import DETAIL_TYPE, SOURCE, compare, detail, to_json
from spotify_lake.errors import ChangeNotPublished, SnapshotUnreadable
from spotify_lake.normalize.rows import Tables, normalize
from spotify_lake.observability import count, logger
from spotify_lake.raw import envelope, store
from spotify_lake.raw.store import RawObject

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client

# The extract function writes what Spotify has just sent, within one run. Imported snapshots are older.
FRESH: Final = timedelta(hours=1)
# The search for the previous snapshot starts here, and covers all of them only if it finds none: a day, and an hour
# for daylight saving time.
NEAR: Final = timedelta(hours=25)


class Publisher:
    """Puts an event on the bus for each snapshot that differs from the one before it.

    Parameters
    ----------
    events, s3
        boto3 clients.
    bus
        Name of the event bus.
    lake_bucket
        Bucket of the tables, for the links in the event.
    """

    def __init__(self, events: "EventBridgeClient", s3: "S3Client", bus: str, lake_bucket: str) -> None:
        self._events = events
        self._s3 = s3
        self._bus = bus
        self._lake_bucket = lake_bucket

    def publish(self, raw_object: RawObject, tables: Tables, table_keys: Sequence[str]) -> None:
        """Publish the change that a snapshot shows, if it is new and something changed.

        It is new if S3 itself reports that it was written just after Spotify sent it, and no snapshot with a later
        time existed then. A replay, an import or a snapshot that was filled in later is not new. Parts of a list are
        not compared.

        Parameters
        ----------
        raw_object
            The snapshot.
        tables
            Its rows, already written.
        table_keys
            Where they are in the lake bucket.

        Raises
        ------
        ChangeNotPublished
            EventBridge does not take the event.
        """
        written_at, fetched_at = raw_object.written_at, tables.playlist["fetched_at"]
        is_fresh = written_at is not None and abs(written_at - fetched_at) <= FRESH
        if not is_fresh or tables.is_partial or tables.playlist["is_imported"]:
            return
        before = self._before(raw_object, tables)
        if before is None:
            return
        changes = compare(before, tables)
        if not changes:
            return
        content = detail(before, tables, changes, self._lake_bucket, table_keys)
        self._put(content, fetched_at)
        count("ChangesAnnounced")
        logger.info(
            "Published a change",
            playlist_id=tables.playlist_id,
            scheduled_at=content["scheduled_at"],
            previous=content["previous"]["scheduled_at"],
            **content["counts"],
        )

    def _before(self, raw_object: RawObject, tables: Tables) -> Tables | None:
        """Read the snapshot that was the newest when this one was written; None if there was none, or a later one."""
        bucket, key, _ = raw_object
        near = keys.raw_key(tables.playlist_id, tables.scheduled_at - NEAR)
        for start in (near, keys.raw_prefix(tables.playlist_id)):
            found = dict(self._written(bucket, tables.playlist_id, start))
            own = found.get(key)
            if own is None or any(other > key and at < own for other, at in found.items()):
                return None
            earlier = sorted(
                (other for other, at in found.items() if other < key and at <= own), reverse=True
            )
            for other in earlier:
                if before := self._read(bucket, other):
                    return before
        return None

    def _written(self, bucket: str, playlist_id: str, start: str) -> Iterator[tuple[str, datetime]]:
        """Yield the keys of a playlist's raw objects after `start`, and when each was written."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=keys.raw_prefix(playlist_id), StartAfter=start
        )
        found = chain.from_iterable(page.get("Contents", []) for page in pages)
        return ((one["Key"], one["LastModified"]) for one in found)

    def _read(self, bucket: str, key: str) -> Tables | None:
        """Read another snapshot; None if it cannot be compared: a part of a list, gone, or damaged."""
        data = store.get(self._s3, bucket, key)
        try:
            tables = normalize(envelope.decode(data, key)) if data else None
        except SnapshotUnreadable as error:
            logger.warning("The previous snapshot cannot be compared: %s", error, raw_key=key)
            return None
        return None if tables and tables.is_partial else tables

    def _put(self, content: dict[str, Any], time: datetime) -> None:
        try:
            answer = self._events.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus,
                        "Source": SOURCE,
                        "DetailType": DETAIL_TYPE,
                        "Time": time,
                        "Detail": to_json(content),
                    }
                ]
            )
        except (ClientError, BotoCoreError) as error:
            raise ChangeNotPublished(content["id"], self._bus, str(error)) from error
        if answer["FailedEntryCount"]:
            (entry,) = answer["Entries"]
            reason = f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
            raise ChangeNotPublished(content["id"], self._bus, reason)
