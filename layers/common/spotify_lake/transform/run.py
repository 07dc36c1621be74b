"""Turns the raw objects of an S3 event into curated objects: reads, normalizes, writes, publishes."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.metrics import MetricUnit

from spotify_lake.errors import EventError, RawObjectMissing, RawObjectUnreadable, SnapshotUnreadable
from spotify_lake.normalize.rows import Tables, normalize
from spotify_lake.observability import logger, metrics
from spotify_lake.raw import envelope
from spotify_lake.raw.store import CORRELATION_ID, RawObject
from spotify_lake.schema.playlists import REJECTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


type Write = Callable[[Tables, str | None], Sequence[str]]
type Publish = Callable[[RawObject, Tables, Sequence[str]], None]
type WriteListening = Callable[[RawObject, bytes, str | None], bool]


def is_sqs_batch(event: Mapping[str, Any]) -> bool:
    """Return whether an event is an SQS batch; otherwise it is a plain S3 event notification."""
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
        As S3 sends it: `Records`, or the `s3:TestEvent` that follows the setup of a notification.

    Yields
    ------
    RawObject
        One for each record, its key decoded; none for a test event.

    Raises
    ------
    EventError
        The event is neither.
    """
    match event:
        case {"Event": "s3:TestEvent"}:
            logger.info("S3 test event: the notification works")
        case {"Records": [*records]}:
            yield from map(_raw_object, records)
        case _:
            raise EventError("it is not an S3 event notification: it has no list of Records")


def _raw_object(record: object) -> RawObject:
    match record:
        case {"s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}, **rest}:
            return RawObject(bucket, unquote_plus(key), _time(rest.get("eventTime")))
    raise EventError("a record does not name an S3 bucket and object key")


def _time(value: object) -> datetime | None:
    """Read the time of an S3 event; None if it has none, as in the events of a replay."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def parse_body(body: str) -> Mapping[str, Any]:
    """Read the S3 event in the body of an SQS message; raises EventError if there is none."""
    try:
        event = json.loads(body)
    except ValueError as error:
        raise EventError(f"the message body is not JSON ({error})") from error
    if not isinstance(event, dict):
        raise EventError("the message body is not a JSON object")
    return event


def transform(
    event: Mapping[str, Any],
    s3: "S3Client",
    write: Write,
    publish: Publish,
    write_listening: WriteListening,
) -> None:
    """Turn every raw object that an S3 event names into curated objects.

    Parameters
    ----------
    event
        An S3 event notification.
    s3
        A client that may read the raw bucket.
    write
        Stores the tables of one snapshot, given the id of the run that took it; returns the keys of the objects.
    publish
        Reports a changed playlist, given its raw object, its tables and their keys.
    write_listening
        Stores the tables of a raw object, given its bytes and the id of its run, if its key is that of plays or of the
        library; returns whether it is.

    Raises
    ------
    EventError
        The event is not an S3 event notification.
    RawObjectUnreadable
        A raw object is damaged. An object that no longer exists is logged and counted, not raised.
    ChangeNotPublished
        The event bus did not take a change. The tables are written; a second try writes the same bytes.
    CuratedObjectBusy
        Other invocations kept writing the objects of the same day.
    """
    for raw_object in raw_objects(event):
        logger.set_correlation_id(None)
        try:
            body, correlation_id = _read(raw_object, s3)
            logger.set_correlation_id(correlation_id)
            if write_listening(raw_object, body, correlation_id):
                continue
            tables = normalize(envelope.decode(body, raw_object.key))
        except RawObjectMissing as error:
            logger.warning(str(error))
            metrics.add_metric("RawObjectsMissing", MetricUnit.Count, 1)
            continue
        except SnapshotUnreadable as error:
            metrics.add_metric("RawObjectsUnreadable", MetricUnit.Count, 1)
            raise RawObjectUnreadable(raw_object.bucket, raw_object.key, error.cause) from error
        table_keys = write(tables, correlation_id)
        publish(raw_object, tables, table_keys)
        _report(raw_object, tables)


def _report(raw_object: RawObject, tables: Tables) -> None:
    """Publish the metrics of a transformed snapshot and log it."""
    rejects = len(tables.rows[REJECTS.name])
    metrics.add_metric("SnapshotsTransformed", MetricUnit.Count, 1)
    metrics.add_metric("EntriesIn", MetricUnit.Count, tables.entry_count)
    metrics.add_metric("EntriesRejected", MetricUnit.Count, rejects)
    # One value for each snapshot: in a sum over all entries, one fully rejected list would disappear.
    percent = 100 * rejects / tables.entry_count if tables.entry_count else 0
    metrics.add_metric("RejectsPercent", MetricUnit.Percent, percent)
    metrics.add_metric("EntriesUnaccounted", MetricUnit.Count, tables.unaccounted)
    metrics.add_metric("QualityViolations", MetricUnit.Count, sum(tables.violations.values()))
    logger.info(
        "Transformed a snapshot",
        playlist_id=tables.playlist_id,
        scheduled_at=tables.scheduled_at.isoformat(),
        raw_key=raw_object.key,
        entries=tables.entry_count,
        rejects=rejects,
        violations=tables.violations,
    )


def _read(raw_object: RawObject, s3: "S3Client") -> tuple[bytes, str | None]:
    """Return the bytes of a raw object, and the id of the run that wrote it."""
    try:
        found = s3.get_object(Bucket=raw_object.bucket, Key=raw_object.key)
        return found["Body"].read(), found["Metadata"].get(CORRELATION_ID)
    except s3.exceptions.NoSuchKey as error:
        raise RawObjectMissing(raw_object.bucket, raw_object.key) from error
