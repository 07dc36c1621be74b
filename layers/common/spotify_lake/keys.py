"""Every S3 key of the lake and its pattern. Pure: no AWS, no clock.

The raw bucket holds `raw/` (what Spotify sent; below `raw/imported/` what people brought) and `state/` (hints that can
be rebuilt from it). The lake bucket
holds `curated/` (tables), `staging/` (bulk files that arrive), `datawarehouse/` (their tables), `jobs/` (code for
Glue) and `report/`.
"""

import hashlib
import re
import string
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

RAW: Final = "raw/"
RAW_PLAYLISTS: Final = f"{RAW}playlist_id="
IMPORTED_PLAYLISTS: Final = f"{RAW}imported/playlist_id="
RAW_EXPORTS: Final = f"{RAW}plays/export/"
RAW_POLLS: Final = f"{RAW}plays/api/"
RAW_LIBRARY: Final = f"{RAW}library/"
CURATED: Final = "curated/"
SNAPSHOT_DATE: Final = "snapshot_date"  # the partition column of the playlists' tables
PLAYED_MONTH: Final = "played_month"  # the partition column of plays

EXTRACT_STATE: Final = "state/extract.json"
PLAYS_STATE: Final = "state/plays.json"
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
_RAW_EXPORT: Final = re.compile(rf"{RAW_EXPORTS}(?P<digest>[0-9a-f]{{64}})\.json\.gz")
_RAW_POLL: Final = re.compile(rf"{RAW_POLLS}[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}/{_TIME}\.json\.gz")
_OF_POLLS: Final = re.compile(
    rf"{CURATED}[a-z_]+/(?:{PLAYED_MONTH}=[^/]+/)?api-[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}\.parquet"
)
_RAW_LIBRARY: Final = re.compile(rf"{RAW_LIBRARY}{_TIME}\.json\.gz")


_BASE62: Final = string.digits + string.ascii_lowercase + string.ascii_uppercase
_ID_LENGTH: Final = 22  # of Spotify's ids

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


def liked_songs_id(user_id: str) -> str:
    """Return the playlist id of a user's Liked Songs: Spotify gives them none, so it is derived from the user's id."""
    value = int.from_bytes(hashlib.sha256(user_id.encode()).digest())
    digits = []
    for _ in range(_ID_LENGTH):
        value, digit = divmod(value, len(_BASE62))
        digits.append(_BASE62[digit])
    return "".join(digits)


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


def raw_export_key(digest: str) -> str:
    """Return the key of the raw object with the plays of an export's file; `digest` is the SHA-256 of what it holds."""
    return f"{RAW_EXPORTS}{digest}.json.gz"


def in_raw_export_key(key: str) -> str | None:
    """Return the digest in the key of an export's raw object; None for any other key."""
    match = _RAW_EXPORT.fullmatch(key)
    return match["digest"] if match else None


def raw_polls_prefix(day: date) -> str:
    """Return the prefix of the raw objects of a UTC day's polls; below it, keys sort by time."""
    return f"{RAW_POLLS}{day}/"


def raw_poll_key(polled_at: datetime) -> str:
    """Return the key of the raw object of a poll for plays."""
    return f"{raw_polls_prefix(polled_at.astimezone(UTC).date())}{compact_time(polled_at)}.json.gz"


def in_raw_poll_key(key: str) -> datetime | None:
    """Return the time in the key of a poll's raw object, UTC; None for any other key."""
    match = _RAW_POLL.fullmatch(key)
    moment = _moment(match["time"]) if match else None
    return moment if moment and key == raw_poll_key(moment) else None


def raw_library_key(scheduled_at: datetime) -> str:
    """Return the key of the raw object of a snapshot of the library."""
    return f"{RAW_LIBRARY}{compact_time(scheduled_at)}.json.gz"


def raw_library_prefix(day: date) -> str:
    """Return the prefix of the raw objects of a UTC day's snapshots of the library."""
    return f"{RAW_LIBRARY}{day:%Y%m%d}"


def in_raw_library_key(key: str) -> datetime | None:
    """Return the time in the key of a library's raw object, UTC; None for any other key."""
    match = _RAW_LIBRARY.fullmatch(key)
    return _moment(match["time"]) if match else None


def polls_name(day: date) -> str:
    """Return the name of the curated objects of a UTC day's polls, without the ending."""
    return f"api-{day}"


def is_of_polls(key: str) -> bool:
    """Return whether the key is that of a curated object of the polls of a day."""
    return _OF_POLLS.fullmatch(key) is not None


def plays_key(table_prefix: str, name: str, month: str = "") -> str:
    """Return the key of a curated object with plays.

    Parameters
    ----------
    table_prefix
        Of the table.
    name
        The digest of an export's file, or `polls_name`.
    month
        UTC, such as 2026-11, for a table that is partitioned by month.
    """
    return f"{table_prefix}{f'{PLAYED_MONTH}={month}/' if month else ''}{name}.parquet"


def staging_prefix(data_set: str) -> str:
    """Return the prefix below which files of a bulk data set arrive."""
    return f"{STAGING}{data_set}/"


def run_summary(data_set: str) -> str:
    """Return the key of the summary that the latest run of a data set's job wrote."""
    return f"{WAREHOUSE}_runs/{data_set}/latest.json"


def _snapshot_id(match: re.Match[str] | None) -> SnapshotId | None:
    if match is None:
        return None
    moment = _moment(match["time"])
    if moment is None:
        return None
    return SnapshotId(import_time(moment) if match["imported"] else moment, match["playlist"])


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None  # digits that are not a time
