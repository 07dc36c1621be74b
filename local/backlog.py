"""The snapshots that are in the raw bucket and not yet in the tables."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.errors import LaptopError
from spotify_lake import keys
from spotify_lake.log_lines import is_lasting
from spotify_lake.schema.listening import LIBRARY, LISTENING_TABLES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

QUIET_S = 3.0
STALL_S = 90.0
# These have no object for each snapshot of a playlist.
_OF_OTHERS = tuple(table.prefix for table in (*LISTENING_TABLES, LIBRARY))
# The log is looked at when nothing was finished for this time, and no more often.
LOOK_AT_LOG_S = 5.0


@dataclass(frozen=True)
class Backlog:
    """The progress of the transform.

    Attributes
    ----------
    raw, done
        Snapshots in the raw bucket, and those that are in every table.
    queued
        Messages that are waiting or being processed.
    """

    raw: int
    done: int
    queued: int

    @property
    def is_clear(self) -> bool:
        """Whether nothing is left to do."""
        return self.queued == 0 and self.done >= self.raw


def read(s3: S3Client, raw_bucket: str, lake_bucket: str, tables: Iterable[str], queued: int) -> Backlog:
    """Compare the raw bucket with the lake.

    Parameters
    ----------
    s3
        A client.
    raw_bucket, lake_bucket
        Names of the buckets.
    tables
        Locations of the tables in the Glue Data Catalog; only those that the transform fills from playlists count.
    queued
        Messages in the transform queue.
    """
    raw = {snapshot for key in keys_below(s3, raw_bucket, keys.RAW) if (snapshot := keys.in_raw_key(key))}
    written = tuple(
        prefix
        for location in tables
        if (prefix := location.removeprefix(f"s3://{lake_bucket}/")).startswith(keys.CURATED)
        and not prefix.startswith(_OF_OTHERS)
    )
    curated = Counter(
        keys.in_curated_key(key)
        for key in keys_below(s3, lake_bucket, keys.CURATED)
        if key.startswith(written)
    )
    done = sum(curated[snapshot] >= len(written) for snapshot in raw)
    return Backlog(len(raw), done, queued)


def wait_until_idle(
    look: Callable[[], Backlog],
    stall_s: float,
    progress: Callable[[Backlog], None],
    log: Path,
    errors: Callable[[], Sequence[str]] = tuple,
) -> Backlog:
    """Wait until every snapshot is in the tables, or until the queue has been empty for a while.

    Parameters
    ----------
    look
        Returns the current backlog.
    stall_s
        Longest time to wait for the next finished snapshot, in seconds.
    progress
        Called with the backlog about twice a second.
    log
        The log to name if nothing moves.
    errors
        Returns the errors that the function has logged since the wait began, oldest first.

    Returns
    -------
    Backlog
        The last one seen: clear, or without the snapshots that went to the dead-letter queue.

    Raises
    ------
    LaptopError
        Snapshots are waiting, and none was finished for `stall_s` seconds, or none can be.
    """
    finished, finished_at = -1, time.monotonic()
    looked_at, logged = float("-inf"), list[str]()
    quiet_since: float | None = None
    while True:
        backlog = look()
        progress(backlog)
        now = time.monotonic()
        if backlog.done > finished:
            finished, finished_at = backlog.done, now
        quiet_since = (quiet_since or now) if backlog.queued == 0 else None
        # Between its event and the message, a snapshot is in no queue for a moment.
        if backlog.is_clear or (quiet_since is not None and now - quiet_since > QUIET_S):
            return backlog
        idle_s = now - finished_at
        if idle_s > min(LOOK_AT_LOG_S, stall_s) and now - looked_at > LOOK_AT_LOG_S:
            logged, looked_at = [*errors()], now
        if idle_s > stall_s or is_lasting(logged):
            why = f" The last error it logged: {logged[-1].rstrip('.')}." if logged else ""
            raise LaptopError(
                f"{backlog.raw - backlog.done} of {backlog.raw} snapshots are waiting for the transform function, which"
                f" has finished none for {idle_s:.0f} s.{why} `./lake logs transform --laptop` shows its log.",
                log=log,
            )
        time.sleep(0.4)


def keys_below(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    """Return the keys of a bucket's objects that begin with `prefix`."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]
