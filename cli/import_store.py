"""Writes imported snapshots to the raw bucket, merged with what was imported before."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import TYPE_CHECKING, Final

from cli.imports.captures import captures_in, fingerprint, raw_object, united
from cli.imports.snapshots import ImportedSnapshot
from cli.stack import Lake, OpsError
from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw import envelope, store
from spotify_lake.schema.playlists import PLAYLIST_ENTRIES

if TYPE_CHECKING:
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
        for _ in range(TRIES):
            data, etag = self._there(snapshot.key)
            if data is None:
                if self._write(snapshot.key, snapshot.body, None):
                    return "would be written" if self._dry_run else WRITTEN
                continue
            before = captures_in(data)
            if not before:
                raise OpsError(
                    f"{snapshot.key} is not an object that import wrote; nothing was written over it."
                )
            captures = united(before, snapshot.capture, snapshot.playlist_id, snapshot.time.moment)
            merged = raw_object(snapshot.playlist_id, snapshot.time.moment, captures)
            is_there = gzip.decompress(merged) == gzip.decompress(data)
            if is_there or self._write(snapshot.key, merged, etag):
                _check_shown(snapshot, merged)
                if is_there:
                    return THERE
                return f"{'would be ' if self._dry_run else ''}{MERGED}"
        raise OpsError(f"Others are writing {snapshot.key} at the same time. Import the file again.")

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
