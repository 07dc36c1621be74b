"""Compares the raw objects of plays and of the library with the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cli import objects
from cli.objects import ListeningObject
from cli.playlists import READERS, RECENT
from cli.stack import Lake
from spotify_lake.raw import store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_COUNTS = ("row_count", "play_count", "repeated_count", "reject_count")


@dataclass(frozen=True)
class Listening:
    """The raw objects of plays and of the library, and what the tables have of them.

    Attributes
    ----------
    exports, polls, libraries
        Their numbers; of polls and of snapshots of the library, those of the last days (`RECENT`).
    missing
        Those that the tables lack.
    uncounted
        Keys of raw objects whose rows the tables do not account for.
    plays, rejects
        Rows of the others in plays and in play_rejects.
    """

    exports: int
    polls: int
    libraries: int
    missing: Sequence[ListeningObject]
    uncounted: Sequence[str]
    plays: int
    rejects: int

    @property
    def first_missing(self) -> date:
        """Day from which a replay rebuilds what is missing."""
        return min(one.scheduled_at for one in self.missing).date()


def gather(lake: Lake, now: datetime) -> Listening:
    """Look for each raw object in play_files or library.

    Parameters
    ----------
    lake
        The lake.
    now
        UTC.
    """
    s3, raw, curated = lake.client("s3"), lake.output("RawBucketName"), lake.output("LakeBucketName")
    since = (now - RECENT).date()
    exports, polls = list(objects.exports(s3, raw)), list(objects.polls(s3, raw, since))
    libraries = list(objects.libraries(s3, raw, since))
    plays = [*exports, *polls]
    with ThreadPoolExecutor(READERS) as readers:
        files = _by_raw_key(
            readers.map(lambda key: _files(s3, curated, key), sorted({one.done_key for one in plays}))
        )
    written = objects.listening_written(s3, curated) if libraries else {}
    found = [files[one.raw_key] for one in plays if one.raw_key in files]
    return Listening(
        exports=len(exports),
        polls=len(polls),
        libraries=len(libraries),
        missing=[one for one in plays if one.raw_key not in files]
        + [one for one in libraries if one.done_key not in written],
        uncounted=[row["source_object"] for row in found if not _is_counted(row)],
        plays=sum(row["play_count"] for row in found),
        rejects=sum(row["reject_count"] for row in found),
    )


def _is_counted(row: Mapping[str, Any]) -> bool:
    rows, plays, repeated, rejects = (row[name] for name in _COUNTS)
    return bool(rows == plays + repeated + rejects)


def _by_raw_key(tables: Iterable[Sequence[Mapping[str, Any]]]) -> dict[str, Mapping[str, Any]]:
    return {row["source_object"]: row for rows in tables for row in rows}


def _files(s3: S3Client, bucket: str, key: str) -> Sequence[Mapping[str, Any]]:
    """Read an object of play_files; nothing if there is none or it cannot be read."""
    body = store.get(s3, bucket, key)
    if body is None:
        return ()
    try:
        return objects.read_rows(body, ["source_object", *_COUNTS])
    except pa.ArrowInvalid:
        return ()
