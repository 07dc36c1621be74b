"""From an S3 event to curated objects: reads raw, normalizes, writes, counts."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import unquote_plus

from aws_lambda_powertools.metrics import MetricUnit

from spotify_lake.errors import EventError, RawObjectMissing, RawObjectUnreadable, SnapshotUnreadable
from spotify_lake.normalize.rows import Tables, normalize
from spotify_lake.observability import logger, metrics
from spotify_lake.raw import envelope, store
from spotify_lake.schema.playlists import REJECTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


# Takes a raw object's bucket, key and time of writing, its rows, and the keys of their objects.
class Write(Protocol):
    """What stores the tables of one snapshot."""

    def __call__(self, tables: Tables, *, correlation_id: str | None) -> Sequence[str]:
        """Write them, and return the keys of the objects."""
        ...


type Announce = Callable[[str, str, datetime | None, Tables, Sequence[str]], None]


class RawObject(NamedTuple):
    """Where a raw object is, and when it was written, if the event is S3's own."""

    bucket: str
    key: str
    written_at: datetime | None


def is_sqs_batch(event: Mapping[str, Any]) -> bool:
    """Tell an SQS batch from a plain S3 event notification."""
    match event:
        case {"Records": [{"eventSource": "aws:sqs"}, *_]}:
            return True
        case _:
            return False


def raw_objects(event: Mapping[str, Any]) -> Iterator[RawObject]:
    """Read an S3 event notification.

    Parameters
    ----------
    event
        As S3 sends it: `Records`, or the `s3:TestEvent` that S3 sends when a notification is set up.

    Yields
    ------
    RawObject
        One for each record, its key decoded; none for a test event.

    Raises
    ------
    EventError
        It is neither.
    """
    if event.get("Event") == "s3:TestEvent":
        logger.info("S3 test event: the notification works, there is nothing to transform")
        return
    records = event.get("Records")
    if not isinstance(records, list):
        raise EventError("it is no S3 event notification, it has no list of Records")
    for record in records:
        try:
            bucket, key = record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]
        except (KeyError, TypeError) as error:
            raise EventError("a record does not name an S3 bucket and object key") from error
        yield RawObject(bucket, unquote_plus(key), _time(record.get("eventTime")))


def _time(value: object) -> datetime | None:
    """Read the time that S3 puts into its events; None if there is none, as in the events of a replay."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def parse_body(body: str) -> Mapping[str, Any]:
    """Read the S3 event in the body of an SQS message; raises EventError when it is none."""
    try:
        event = json.loads(body)
    except ValueError as error:
        raise EventError(f"the message body is no JSON ({error})") from error
    if not isinstance(event, dict):
        raise EventError("the message body is no JSON object")
    return event


def transform(event: Mapping[str, Any], s3: "S3Client", write: Write, announce: Announce) -> None:
    """Turn every raw object that an S3 event names into curated objects.

    Parameters
    ----------
    event
        An S3 event notification.
    s3
        Client that may read the raw bucket.
    write
        Stores the tables of one snapshot and returns the keys of its objects.
    announce
        Tells others of a changed playlist, once its tables are written.

    Raises
    ------
    EventError
        The event is no S3 event notification.
    RawObjectUnreadable
        A raw object is damaged. An object that is gone is logged and counted, not raised.
    ChangeNotAnnounced
        Others could not be told. The tables are written, and doing it all again changes no byte of them.
    """
    for raw_object in raw_objects(event):
        logger.set_correlation_id(None)
        try:
            _transform_object(raw_object, s3, write, announce)
        except RawObjectMissing as error:
            logger.warning(str(error))
            metrics.add_metric("RawObjectsMissing", MetricUnit.Count, 1)


def _transform_object(raw_object: RawObject, s3: "S3Client", write: Write, announce: Announce) -> None:
    bucket, key, written_at = raw_object
    try:
        body, correlation_id = _read(raw_object, s3)
        logger.set_correlation_id(correlation_id)
        tables = normalize(envelope.decode(body))
    except SnapshotUnreadable as error:
        metrics.add_metric("RawObjectsUnreadable", MetricUnit.Count, 1)
        raise RawObjectUnreadable(bucket, key, error.cause) from error
    announce(bucket, key, written_at, tables, write(tables, correlation_id=correlation_id))
    rejects = len(tables.rows[REJECTS.name])
    metrics.add_metric("SnapshotsTransformed", MetricUnit.Count, 1)
    metrics.add_metric("EntriesIn", MetricUnit.Count, tables.entry_count)
    metrics.add_metric("EntriesRejected", MetricUnit.Count, rejects)
    # Of each snapshot: among many entries, one list that is rejected as a whole would not be seen.
    percent = 100 * rejects / tables.entry_count if tables.entry_count else 0
    metrics.add_metric("RejectsPercent", MetricUnit.Percent, percent)
    metrics.add_metric("EntriesUnaccounted", MetricUnit.Count, tables.unaccounted)
    metrics.add_metric("QualityViolations", MetricUnit.Count, sum(tables.violations.values()))
    logger.info(
        "Transformed a snapshot",
        playlist_id=tables.playlist_id,
        scheduled_at=tables.scheduled_at.isoformat(),
        raw_key=key,
        entries=tables.entry_count,
        rejects=rejects,
        violations=tables.violations,
    )


def _read(raw_object: RawObject, s3: "S3Client") -> tuple[bytes, str | None]:
    """Return the bytes of a raw object, and the id of the run that wrote it."""
    try:
        found = s3.get_object(Bucket=raw_object.bucket, Key=raw_object.key)
        return found["Body"].read(), found["Metadata"].get(store.CORRELATION_ID)
    except s3.exceptions.NoSuchKey as error:
        raise RawObjectMissing(raw_object.bucket, raw_object.key) from error
