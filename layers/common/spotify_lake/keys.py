"""Every S3 key of the lake and its pattern. Pure: no AWS, no clock.

The raw bucket holds `raw/` (what Spotify sent; below `raw/imported/` what people brought) and `state/` (hints that can
be rebuilt from it). The lake bucket
holds `curated/` (tables), `staging/` (bulk files that arrive), `datawarehouse/` (their tables), `jobs/` (code for
Glue) and `report/`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

RAW: Final = "raw/"
RAW_PLAYLISTS: Final = f"{RAW}playlist_id="
IMPORTED_PLAYLISTS: Final = f"{RAW}imported/playlist_id="
CURATED: Final = "curated/"
SNAPSHOT_DATE: Final = "snapshot_date"  # the partition column of the tables

EXTRACT_STATE: Final = "state/extract.json"
ATTEMPTS: Final = "state/attempts/"  # when each invocation was first tried, by its request id
KNOWN_DETAILS: Final = "state/details/known.jsonl.gz"

STAGING: Final = "staging/"
READY: Final = "_READY"  # put into a batch's folder once it is complete
STARTED: Final = "_STARTED"  # put there when a run has taken the batch
JOB_CODE: Final = "jobs/"  # where the template tells Glue to look for it
WAREHOUSE: Final = "datawarehouse/"

REPORT: Final = "report/"
REPORT_INDEX: Final = f"{REPORT}index.html"

_TIME: Final = r"(?P<time>[0-9]{8}T[0-9]{6}Z)"
_RAW_PLAYLIST: Final = re.compile(
    rf"{RAW}(?P<imported>imported/)?playlist_id=(?P<playlist>[0-9A-Za-z]{{1,64}})/{_TIME}\.json\.gz"
)
_CURATED: Final = re.compile(
    rf"{CURATED}.+/{SNAPSHOT_DATE}=[^/]+/(?P<playlist>[0-9A-Za-z]{{1,64}})-{_TIME}(?P<imported>-imported)?\.parquet"
)


# Runs have whole seconds. Imports lie a millisecond later, so no snapshot of a run ever has the same time.
_AFTER_RUNS: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, order=True)
class SnapshotId:
    """The identity of a snapshot: a playlist at one scheduled time.

    Attributes
    ----------
    scheduled_at
        UTC; whole seconds for a run, `import_time` for an import.
    playlist_id
        Spotify id of the playlist.
    """

    scheduled_at: datetime
    playlist_id: str

    @property
    def raw_key(self) -> str:
        """Key of the raw object."""
        return raw_key(self.playlist_id, self.scheduled_at)

    @property
    def is_imported(self) -> bool:
        """Whether a person imported it; otherwise a run recorded it."""
        return is_import_time(self.scheduled_at)


def import_time(moment: datetime) -> datetime:
    """Return the scheduled time of an import of this second, which no run can have."""
    return moment.replace(microsecond=0) + _AFTER_RUNS


def is_import_time(moment: datetime) -> bool:
    """Tell the scheduled time of an import from that of a run."""
    return moment.microsecond != 0


def iso(moment: datetime) -> str:
    """Format a time in UTC, for example 2026-11-20T06:00:00Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def compact_time(moment: datetime) -> str:
    """Format a time for object keys, for example 20261120T060000Z."""
    # Not strftime: on some systems its %Y has fewer than four digits for early years.
    return re.sub("[-:]", "", iso(moment.replace(microsecond=0)))


def raw_prefix(playlist_id: str) -> str:
    """Return the prefix of the raw objects that runs wrote of a playlist; below it, keys sort by time."""
    return f"{RAW_PLAYLISTS}{playlist_id}/"


def imported_prefix(playlist_id: str) -> str:
    """Return the prefix of a playlist's imported raw objects; below it, keys sort by time."""
    return f"{IMPORTED_PLAYLISTS}{playlist_id}/"


def raw_key(playlist_id: str, scheduled_at: datetime) -> str:
    """Return the key of a snapshot's raw object."""
    prefix = imported_prefix(playlist_id) if is_import_time(scheduled_at) else raw_prefix(playlist_id)
    return f"{prefix}{compact_time(scheduled_at)}.json.gz"


def in_raw_key(key: str) -> SnapshotId | None:
    """Return the snapshot that the key of a raw object names; None for any other key."""
    return _snapshot_id(_RAW_PLAYLIST.fullmatch(key))


def names_another(key: str, playlist_id: str, scheduled_at: datetime) -> bool:
    """Return whether the key of a raw object names another snapshot than this one. A key may also name none."""
    return in_raw_key(key) is not None and key != raw_key(playlist_id, scheduled_at)


def partition_prefix(table_prefix: str, day: date | str = "") -> str:
    """Return the prefix of a table's partition, or of all its partitions if `day` is left out."""
    return f"{table_prefix}{SNAPSHOT_DATE}={day}{'/' if day else ''}"


def curated_key(table_prefix: str, playlist_id: str, scheduled_at: datetime) -> str:
    """Return the key of the Parquet object with a snapshot's rows of one table."""
    day = scheduled_at.astimezone(UTC).date()
    imported = "-imported" if is_import_time(scheduled_at) else ""
    return (
        f"{partition_prefix(table_prefix, day)}{playlist_id}-{compact_time(scheduled_at)}{imported}.parquet"
    )


def in_curated_key(key: str) -> SnapshotId | None:
    """Return the snapshot that the key of a curated object names; None for any other key."""
    return _snapshot_id(_CURATED.fullmatch(key))


def staging_prefix(data_set: str) -> str:
    """Return the prefix below which files of a bulk data set arrive."""
    return f"{STAGING}{data_set}/"


def run_summary(data_set: str) -> str:
    """Return the key of the summary that the latest run of a data set's job wrote."""
    return f"{WAREHOUSE}_runs/{data_set}/latest.json"


def _snapshot_id(match: re.Match[str] | None) -> SnapshotId | None:
    if match is None:
        return None
    try:
        moment = datetime.strptime(match["time"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None  # digits that are not a time
    return SnapshotId(import_time(moment) if match["imported"] else moment, match["playlist"])
