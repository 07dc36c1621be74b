import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError

from spotify_lake import keys
from spotify_lake.errors import ChangeNotPublished, EventError, RawObjectUnreadable
from spotify_lake.normalize.rows import Tables, normalize
from spotify_lake.observability import logger, metrics
from spotify_lake.raw import envelope
from spotify_lake.transform import run as transform
from tests.support import payloads
from tests.support.fakes import Log

BUCKET = "lake-raw"
WITH_RUN = {"raw/with-run-1", "raw/with-run-2"}
ODD_KEY = "raw/playlist_id=a b+c=d/ü é.json.gz"


def no_plays(*_: Any) -> bool:
    return False


class FakeS3:
    """Objects in memory, read as boto3 reads them."""

    class exceptions:
        NoSuchKey = type("NoSuchKey", (ClientError,), {})

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        assert Bucket == BUCKET
        if Key not in self.objects:
            raise self.exceptions.NoSuchKey({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        metadata = {"correlation-id": f"run of {Key}"} if Key in WITH_RUN else {}
        return {"Body": io.BytesIO(self.objects[Key]), "Metadata": metadata}


def s3_event(*keys: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "s3": {"bucket": {"name": BUCKET}, "object": {"key": quote_plus(key, safe="/")}},
            }
            for key in keys
        ]
    }


@pytest.fixture
def run() -> Callable[..., list[Tables]]:
    def run(event: dict[str, Any], **objects: bytes) -> list[Tables]:
        written: list[Tables] = []

        def write(tables: Tables, _correlation_id: str | None) -> list[str]:
            written.append(tables)
            return [f"curated/{len(written)}"]

        transform.transform(event, FakeS3(objects), write, lambda *_: None, no_plays)  # type: ignore[arg-type]
        return written

    metrics.clear_metrics()
    return run


def counted(name: str) -> float:
    return sum(sum(found["Value"]) for key, found in metrics.metric_set.items() if key == name)


GOOD = payloads.raw_object(payloads.every_kind())


def test_the_rows_of_each_object_are_written(run: Callable[..., list[Tables]]) -> None:
    assert run(s3_event("a", "b"), a=GOOD, b=GOOD) == [normalize(envelope.decode(GOOD))] * 2
    assert counted("SnapshotsTransformed") == 2
    assert counted("EntriesIn") == 2 * len(payloads.every_kind())
    assert counted("EntriesUnaccounted") == 0


@pytest.mark.parametrize(
    "time, written_at",
    [
        ({}, None),
        ({"eventTime": "2026-11-20T06:00:04.871Z"}, datetime(2026, 11, 20, 6, 0, 4, 871_000, tzinfo=UTC)),
        ({"eventTime": "2026-11-20T06:00:04"}, None),
        ({"eventTime": "yesterday"}, None),
        ({"eventTime": 7}, None),
    ],
)
def test_a_change_is_published_after_the_tables_are_written(
    time: dict[str, Any], written_at: datetime | None
) -> None:
    steps: list[Any] = []

    def write(tables: Tables, _correlation_id: str | None) -> list[str]:
        steps.append(tables)
        return ["curated/x"]

    event = s3_event("a")
    event["Records"][0] |= time
    transform.transform(event, FakeS3({"a": GOOD}), write, lambda *about: steps.append(about), no_plays)  # type: ignore[arg-type]
    tables = normalize(envelope.decode(GOOD))
    assert steps == [tables, ((BUCKET, "a", written_at), tables, ["curated/x"])]


def test_a_failure_to_publish_fails_the_message(run: Callable[..., list[Tables]]) -> None:
    def publish(*_: Any) -> None:
        raise ChangeNotPublished("x", "bus", "no")

    with pytest.raises(ChangeNotPublished):
        transform.transform(s3_event("a"), FakeS3({"a": GOOD}), lambda *_: [], publish, no_plays)  # type: ignore[arg-type]


def test_keys_are_decoded_once(run: Callable[..., list[Tables]]) -> None:
    for key in (ODD_KEY, "raw/100%25.json.gz"):
        assert len(run(s3_event(key), **{key: GOOD})) == 1


def test_an_object_under_the_key_of_another_snapshot_writes_nothing(run: Callable[..., list[Tables]]) -> None:
    """It would overwrite the tables of the snapshot that it claims to be."""
    own = keys.raw_key(payloads.playlist()["id"], payloads.NOON)
    for key in (
        keys.raw_key(payloads.spotify_id("another"), payloads.NOON),
        keys.raw_key(payloads.playlist()["id"], payloads.NOON + timedelta(days=1)),
    ):
        with pytest.raises(RawObjectUnreadable, match=f"{key}.*belongs under {own}.*dead-letter"):
            run(s3_event(key), **{key: GOOD})
    assert counted("RawObjectsUnreadable") == 2
    assert counted("SnapshotsTransformed") == 0
    assert len(run(s3_event(own), **{own: GOOD})) == 1


def test_entries_that_got_lost_are_counted(
    run: Callable[..., list[Tables]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lossy(snapshot: envelope.Snapshot) -> Tables:
        tables = normalize(snapshot)
        tables.rows["playlist_entries"] = tables.rows["playlist_entries"][2:]
        return tables

    monkeypatch.setattr(transform, "normalize", lossy)
    run(s3_event("a"), a=GOOD)
    assert counted("EntriesUnaccounted") == 2


def test_rejects_are_counted(run: Callable[..., list[Tables]]) -> None:
    run(s3_event("a"), a=payloads.raw_object([payloads.entry(None), 7, "x"]))
    assert (counted("EntriesIn"), counted("EntriesRejected")) == (3, 2)


def test_an_object_that_is_gone_is_counted_and_the_next_is_done(
    run: Callable[..., list[Tables]], caplog: pytest.LogCaptureFixture
) -> None:
    assert len(run(s3_event("gone", "a"), a=GOOD)) == 1
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "s3://lake-raw/gone does not exist" in warning.getMessage()
    assert counted("RawObjectsMissing") == 1


def test_a_damaged_object_is_named_with_its_cause(run: Callable[..., list[Tables]]) -> None:
    with pytest.raises(RawObjectUnreadable, match=r"s3://lake-raw/bad .*not gzip.*dead-letter queue"):
        run(s3_event("bad"), bad=b"{}")
    assert counted("RawObjectsUnreadable") == 1


def test_a_test_event_is_no_work(run: Callable[..., list[Tables]]) -> None:
    assert run({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}) == []


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": None},
        {"Event": "s3:OtherEvent"},
        {"Records": {}},
        {"Records": [{}]},
        {"Records": [None]},
        {"Records": [{"s3": []}]},
    ],
)
def test_an_event_of_another_form_is_refused(run: Callable[..., list[Tables]], event: dict[str, Any]) -> None:
    with pytest.raises(EventError, match="events/"):
        run(event)


@pytest.mark.parametrize("body", ["", "not json", "[]", '"text"'])
def test_a_message_body_must_be_a_json_object(body: str) -> None:
    with pytest.raises(EventError):
        transform.parse_body(body)


def test_a_message_body_is_an_s3_event() -> None:
    event = s3_event(ODD_KEY)
    assert list(transform.raw_objects(transform.parse_body(json.dumps(event)))) == [(BUCKET, ODD_KEY, None)]


@pytest.mark.parametrize(
    "event, expected",
    [
        ({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}, True),
        (s3_event("a"), False),
        ({"Records": []}, False),
        ({"Records": [7]}, False),
        ({}, False),
        ({"Event": "s3:TestEvent"}, False),
    ],
)
def test_an_sqs_batch_is_told_from_an_s3_event(event: dict[str, Any], expected: bool) -> None:
    assert transform.is_sqs_batch(event) is expected


def test_every_line_and_object_names_the_run_that_took_the_snapshot(log: Log) -> None:
    written_for: list[str | None] = []

    def write(_tables: Tables, correlation_id: str | None) -> list[str]:
        written_for.append(correlation_id)
        return []

    objects = {"raw/with-run-1": GOOD, "raw/imported": GOOD, "raw/with-run-2": b"damaged"}
    event = s3_event(*objects)
    with pytest.raises(RawObjectUnreadable):
        transform.transform(event, FakeS3(objects), write, lambda *_: None, no_plays)  # type: ignore[arg-type]
    assert written_for == ["run of raw/with-run-1", None]
    lines = {line["raw_key"]: line for line in log()}
    assert lines["raw/with-run-1"]["correlation_id"] == "run of raw/with-run-1"
    assert "correlation_id" not in lines["raw/imported"]
    assert logger.get_correlation_id() == "run of raw/with-run-2", "for the line that tells of the failure"
