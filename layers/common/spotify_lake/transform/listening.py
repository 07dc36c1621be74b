"""Writes the tables of plays and of the library.

A file of an export gives its own objects, so writing it again replaces them with the same bytes. The polls of a day
share objects, which are made anew from all of them: written only over the version that was there before the polls were
listed, and made again if another invocation was faster.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spotify_lake import keys
from spotify_lake.errors import CuratedObjectBusy, RawObjectMissing, RawObjectUnreadable, SnapshotUnreadable
from spotify_lake.normalize.library import normalize_library
from spotify_lake.normalize.plays import PlayTables, normalize_export, normalize_polls
from spotify_lake.observability import count, logger
from spotify_lake.raw.plays import Poll, unpack_export, unpack_library, unpack_poll
from spotify_lake.raw.store import CORRELATION_ID, RawObject, get, status
from spotify_lake.schema.listening import LIBRARY, PLAY_FILES, PLAY_REJECTS, PLAYS
from spotify_lake.transform.parquet import to_parquet

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS: Final = 10  # each fails only because another invocation has written


class _Object(NamedTuple):
    """A curated object, ready to be written."""

    key: str
    data: bytes


class ListeningWriter:
    """Turns raw objects of plays and of the library into curated objects.

    Parameters
    ----------
    s3
        A client that may list and read the raw objects, and read and write the curated ones.
    bucket
        The lake bucket.
    """

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def transform(self, raw_object: RawObject, data: bytes, correlation_id: str | None) -> bool:
        """Write the tables of a raw object; return False if its key is not that of plays or of the library.

        Parameters
        ----------
        raw_object, data
            Where it is, and its bytes.
        correlation_id
            Id of the run that wrote it, for the objects' metadata; their content does not depend on it.

        Raises
        ------
        SnapshotUnreadable
            The object is damaged, or its key names another content. No table has changed.
        RawObjectMissing
            It was deleted meanwhile.
        CuratedObjectBusy
            Other invocations kept writing the same day.
        """
        metadata = {CORRELATION_ID: correlation_id} if correlation_id else {}
        if keys.in_raw_export_key(raw_object.key):
            tables = normalize_export(unpack_export(data, raw_object.key))
            for one in _objects(tables):
                self._put(one, metadata)
            _report(raw_object, tables, is_export=True)
        elif polled_at := keys.in_raw_poll_key(raw_object.key):
            tables = self._write_polls(raw_object, data, polled_at.date(), metadata)
            _report(raw_object, tables, is_export=False)
        elif keys.in_raw_library_key(raw_object.key):
            self._write_library(raw_object, data, metadata)
        else:
            return False
        return True

    def _write_library(self, raw_object: RawObject, data: bytes, metadata: Mapping[str, str]) -> None:
        snapshot = unpack_library(data, raw_object.key)
        library = normalize_library(snapshot)
        key = keys.curated_key(LIBRARY.prefix, LIBRARY.name, snapshot.scheduled_at)
        self._put(_Object(key, to_parquet(library.rows, LIBRARY)), metadata)
        if library.unreadable:
            count("LibraryItemsUnreadable", len(library.unreadable))
        logger.info(
            "Transformed a snapshot of the library",
            raw_key=raw_object.key,
            items=len(library.rows),
            unreadable=library.unreadable,
        )

    def _write_polls(
        self, raw_object: RawObject, data: bytes, day: date, metadata: Mapping[str, str]
    ) -> PlayTables:
        """Write the objects of a day from all polls of it that exist and can be read."""
        polls: dict[str, Poll | None] = {raw_object.key: unpack_poll(data, raw_object.key)}
        versions: dict[str, str] = {}
        for _ in range(ATTEMPTS):
            listed = list(self._list_polls(raw_object.bucket, day))
            if raw_object.key not in listed:
                raise RawObjectMissing(raw_object.bucket, raw_object.key)
            for key in listed:
                if key not in polls:
                    polls[key] = self._read_poll(raw_object.bucket, key)
            tables = normalize_polls(day, [poll for key in listed if (poll := polls[key])])
            objects = list(_objects(tables))
            refused = next(
                (one for one in objects if not self._put_over(one, versions.get(one.key), metadata)), None
            )
            if refused is None:
                return tables
            # Whoever wrote these versions listed the polls before; the next list has all of theirs.
            versions = {
                one.key: version
                for one in objects
                if (version := self._version(one.key, exists=one is refused)) is not None
            }
        raise CuratedObjectBusy(keys.polls_name(day), ATTEMPTS)

    def _list_polls(self, bucket: str, day: date) -> Iterator[str]:
        lister = self._s3.get_paginator("list_objects_v2")
        for page in lister.paginate(Bucket=bucket, Prefix=keys.raw_polls_prefix(day)):
            for found in page.get("Contents", []):
                if keys.in_raw_poll_key(found["Key"]):
                    yield found["Key"]

    def _read_poll(self, bucket: str, key: str) -> Poll | None:
        """Read another poll of the day; None if it cannot be read, which its own message reports."""
        data = get(self._s3, bucket, key)
        try:
            return unpack_poll(data, key) if data is not None else None
        except SnapshotUnreadable as error:
            logger.warning(str(RawObjectUnreadable(bucket, key, error.cause)))
            return None

    def _version(self, key: str, *, exists: bool) -> str | None:
        """Return an object's ETag; None if there is none. The role may not list the lake, so S3 answers 403 then."""
        try:
            return self._s3.head_object(Bucket=self._bucket, Key=key)["ETag"]
        except self._s3.exceptions.ClientError as error:
            if exists or status(error) not in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
                raise
            return None

    def _put_over(self, one: _Object, version: str | None, metadata: Mapping[str, str]) -> bool:
        """Write an object over the version with this ETag, or as the first; return False if there is another."""
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        try:
            self._put(one, metadata, **condition)
        except self._s3.exceptions.ClientError as error:
            if status(error) in {HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
                return False
            raise
        return True

    def _put(self, one: _Object, metadata: Mapping[str, str], **condition: Any) -> None:
        self._s3.put_object(
            Bucket=self._bucket, Key=one.key, Body=one.data, Metadata=dict(metadata), **condition
        )


def _objects(tables: PlayTables) -> Iterator[_Object]:
    """Yield the objects of the plays, that of play_files last: what is in it is in all tables."""
    for month, rows in sorted(tables.plays.items()):
        yield _Object(keys.plays_key(PLAYS.prefix, tables.name, month), to_parquet(rows, PLAYS))
    yield _Object(keys.plays_key(PLAY_REJECTS.prefix, tables.name), to_parquet(tables.rejects, PLAY_REJECTS))
    yield _Object(keys.plays_key(PLAY_FILES.prefix, tables.name), to_parquet(tables.files, PLAY_FILES))


def _report(raw_object: RawObject, tables: PlayTables, *, is_export: bool) -> None:
    """Publish the metrics of transformed plays and log them.

    A metric costs by the hour in which it is published, so a poll publishes only what is wrong.
    """
    rejects = sum(row[0] == raw_object.key for row in tables.rejects)  # not those of earlier polls
    if is_export:
        count("PlaysIn", tables.row_count)
    if is_export or rejects:
        count("PlaysRejected", rejects)
    if is_export or tables.unaccounted:
        count("PlaysUnaccounted", tables.unaccounted)
    if tables.unaccounted:
        count("EntriesUnaccounted", tables.unaccounted)  # its alarm watches plays too
    logger.info(
        "Transformed plays",
        raw_key=raw_object.key,
        rows=tables.row_count,
        repeated=tables.repeated_count,
        rejects=len(tables.rejects),
        unaccounted=tables.unaccounted,
    )
