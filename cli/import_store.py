"""Writes imported snapshots to the raw bucket, merged with what was imported before."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cli import objects
from cli.imports.captures import Capture, captures_in, fingerprint, raw_object, united
from cli.imports.snapshots import ImportedSnapshot
from cli.stack import Lake, OpsError
from spotify_lake import keys
from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.keys import SnapshotId
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw import envelope, store
from spotify_lake.schema.playlists import PLAYLIST_ENTRIES

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

WRITTEN, MERGED, THERE = "written", "merged with what was imported before", "already there"
IMPORTED: Final = {WRITTEN, MERGED, THERE}  # what became of a snapshot that is in the raw bucket as an import
TRIES: Final = 5  # to write an object that others write at the same time


class Store:
    """The raw bucket, or an empty stand-in for a dry run.

    Parameters
    ----------
    lake
        Whose raw bucket; None for an empty one that is not there.
    dry_run
        Write nothing.
    """

    def __init__(self, lake: Lake | None, *, dry_run: bool) -> None:
        self._s3: S3Client | None = None if lake is None else lake.client("s3")
        self._bucket = "" if lake is None else lake.output("RawBucketName")
        self._dry_run = dry_run or lake is None
        self._pretended: dict[str, bytes] = {}  # what a dry run would have written

    def put(self, snapshot: ImportedSnapshot) -> str:
        """Write a snapshot, merged with what was imported before of the same list and time.

        Nothing that a run recorded is ever written over.

        Returns
        -------
        str
            ``written``, ``merged with what was imported before``, ``already there``, or the same in a dry run.

        Raises
        ------
        OpsError
            The key is taken by an object that import did not write, or a more complete capture of the same time has
            other entries, so that some of these are kept in raw but not shown.
        """
        if self._is_recorded(snapshot):
            return "already there, recorded by the lake itself"
        moment = snapshot.time.moment
        outcome, merged = self._unite(snapshot.playlist_id, moment, [snapshot.capture])
        _check_shown(snapshot, merged)
        return outcome if outcome == THERE or not self._dry_run else f"would be {outcome}"

    def move(self, former_id: str, playlist_id: str) -> list[SnapshotId]:
        """Write what was imported under another id again under a list's own.

        Nothing is deleted. The former objects keep their older version; the newest one has no entries and says that the
        list has some, so tables and views treat it as a part of a list and leave it out.

        Returns
        -------
        list of SnapshotId
            The snapshots under both ids.

        Raises
        ------
        OpsError
            As `put`.
        """
        moved = []
        for former in () if self._s3 is None else objects.snapshots(self._s3, self._bucket, former_id):
            data, etag = self._there(former.raw_key)
            captures = [] if data is None else captures_in(data)
            size = max((capture.size for capture in captures), default=0)
            if not size:
                continue
            moment = former.scheduled_at.replace(microsecond=0)
            self._unite(playlist_id, moment, captures)
            emptied = replace(captures[0], pages=({"items": [], "total": size},), contract="items")
            self._write(former.raw_key, raw_object(former_id, moment, [emptied]), etag)
            moved += [SnapshotId(former.scheduled_at, playlist_id), former]
        return moved

    def _unite(self, playlist_id: str, moment: datetime, captures: Sequence[Capture]) -> tuple[str, bytes]:
        """Write captures, united with those of the same list and time; return what became of them, and the object."""
        key = keys.raw_key(playlist_id, keys.import_time(moment))
        for _ in range(TRIES):
            data, etag = self._there(key)
            before = [] if data is None else captures_in(data)
            if data is not None and not before:
                raise OpsError(f"{key} is not an object that import wrote; nothing was written over it.")
            every = before
            for capture in captures:
                every = united(every, capture, playlist_id, moment)
            merged = raw_object(playlist_id, moment, every)
            if data is not None and gzip.decompress(merged) == gzip.decompress(data):
                return THERE, merged
            if self._write(key, merged, etag or None):
                return MERGED if before else WRITTEN, merged
        raise OpsError(f"Others are writing {key} at the same time. Import the file again.")

    def _is_recorded(self, snapshot: ImportedSnapshot) -> bool:
        """Tell whether a run recorded the same entries in the same second."""
        data, _ = self._there(snapshot.recorded_key)
        try:
            return data is not None and fingerprint(normalize(envelope.decode(data))) == fingerprint(
                snapshot.tables
            )
        except SnapshotUnreadable:
            return False

    def _there(self, key: str) -> tuple[bytes | None, str]:
        """Return an object and its ETag."""
        if key in self._pretended or self._s3 is None:
            return self._pretended.get(key), ""
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.NoSuchKey:
            return None, ""
        return found["Body"].read(), found["ETag"]

    def _write(self, key: str, body: bytes, etag: str | None) -> bool:
        """Write an object unless somebody else has done so since it was looked at."""
        if self._dry_run or self._s3 is None:
            self._pretended[key] = body
            return True
        if etag is None:
            return store.put(self._s3, self._bucket, key, body)
        return store.replace(self._s3, self._bucket, key, body, etag)


def _check_shown(snapshot: ImportedSnapshot, merged: bytes) -> None:
    """See that the entries of a snapshot are among those of the merged object, wherever they stand."""
    position = PLAYLIST_ENTRIES.column_names.index("position")
    mine, shown = (
        Counter(repr(row[position + 1 :]) for row in tables.rows[PLAYLIST_ENTRIES.name])
        for tables in (snapshot.tables, normalize(envelope.decode(merged)))
    )
    if missing := (mine - shown).total():
        raise OpsError(
            f"Another capture of playlist {snapshot.playlist_id} of {snapshot.time.moment:%Y-%m-%d %H:%M:%S} UTC is"
            f" more complete. This one is kept beside it in {snapshot.key}, but the tables do not show {missing:,}"
            " of its entries. Say another time with --at."
        )
