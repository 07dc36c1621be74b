"""The transform function from event to Parquet bytes, on moto's S3."""

import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta, timezone
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import boto3
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from functions.transform import app
from spotify_lake import keys
from spotify_lake.errors import RawObjectUnreadable
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw import envelope, store
from spotify_lake.schema.playlists import SONGS, TABLES
from spotify_lake.transform import parquet as lake
from tests.support import payloads

RAW, LAKE, BUS = "lake-raw", "lake-lake", "lake-changes"
CONTEXT = SimpleNamespace(
    function_name="lake-transform",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:lake-transform",
    aws_request_id="52fdfc07-2182-154f-163f-5f0f9a621d72",
)
PLAYLIST_ID = payloads.playlist()["id"]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("LAKE_BUCKET", LAKE)
    monkeypatch.setenv("EVENT_BUS", BUS)
    app.clients.cache_clear()
    with mock_aws():
        client = boto3.client("s3")
        for bucket in (RAW, LAKE):
            client.create_bucket(Bucket=bucket)
        yield client


@pytest.fixture
def contents(s3: Any) -> Callable[[], dict[str, bytes]]:
    def contents() -> dict[str, bytes]:
        found = [found["Key"] for found in s3.list_objects_v2(Bucket=LAKE).get("Contents", [])]
        return {key: s3.get_object(Bucket=LAKE, Key=key)["Body"].read() for key in found}

    return contents


def put(s3: Any, body: bytes, key: str | None = None) -> dict[str, Any]:
    """Store a raw object and return its S3 event record."""
    key = key or keys.raw_key(PLAYLIST_ID, payloads.NOON)
    s3.put_object(Bucket=RAW, Key=key, Body=body)
    return {
        "eventSource": "aws:s3",
        "s3": {"bucket": {"name": RAW}, "object": {"key": quote_plus(key, safe="/")}},
    }


def sqs_batch(*records: dict[str, Any] | str) -> dict[str, Any]:
    bodies = [record if isinstance(record, str) else json.dumps({"Records": [record]}) for record in records]
    return {
        "Records": [
            {"eventSource": "aws:sqs", "messageId": f"message-{number}", "body": body}
            for number, body in enumerate(bodies)
        ]
    }


def test_each_table_gets_one_object_with_exactly_its_schema(s3: Any, contents: Any) -> None:
    record = put(s3, payloads.raw_object(payloads.every_kind()))
    assert app.handler({"Records": [record]}, CONTEXT) == {"batchItemFailures": []}
    written = contents()
    assert set(written) == {
        f"curated/{table.name}/snapshot_date=2026-11-20/{PLAYLIST_ID}-20261120T120000Z.parquet"
        for table in TABLES
    }
    for table in TABLES:
        file = pq.ParquetFile(io.BytesIO(written[keys.curated_key(table.prefix, PLAYLIST_ID, payloads.NOON)]))
        assert file.schema_arrow.equals(lake.arrow_schema(table), check_metadata=False)
        assert file.metadata.num_row_groups <= 1
        if file.metadata.num_rows:
            assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_the_playlists_row_is_written_last_and_keys_are_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(
        lake.wr.s3, "upload", lambda _file, path, **call: calls.append({"path": path, **call})
    )
    session = boto3.Session()
    written = lake.write(
        normalize(envelope.decode(payloads.raw_object(payloads.every_kind()))), LAKE, session
    )
    assert [call["path"] for call in calls] == [f"s3://{LAKE}/{key}" for key in written]
    assert written == [keys.curated_key(table.prefix, PLAYLIST_ID, payloads.NOON) for table in TABLES]
    assert written[-1].startswith("curated/playlists/")
    assert all(call["boto3_session"] is session for call in calls)


def test_dates_in_keys_are_utc() -> None:
    late = payloads.NOON.replace(hour=23).astimezone(timezone(timedelta(hours=2)))
    key = f"curated/songs/snapshot_date=2026-11-20/{PLAYLIST_ID}-20261120T230000Z.parquet"
    assert keys.curated_key(SONGS.prefix, PLAYLIST_ID, late) == key


@pytest.mark.parametrize(
    "entries", [[], [None], [7], [payloads.entry(payloads.song(album=None, artists=None))]]
)
def test_the_schema_does_not_depend_on_the_data(s3: Any, contents: Any, entries: list[Any]) -> None:
    bare = {"id": PLAYLIST_ID}
    app.handler({"Records": [put(s3, payloads.raw_object(entries, playlist_object=bare))]}, CONTEXT)
    for table in TABLES:
        file = pq.ParquetFile(
            io.BytesIO(contents()[keys.curated_key(table.prefix, PLAYLIST_ID, payloads.NOON)])
        )
        assert file.schema_arrow.equals(lake.arrow_schema(table), check_metadata=False)
        for number, column in enumerate(table.columns):
            parquet = file.schema.column(number)
            if column.type == "timestamp":
                assert parquet.physical_type == "INT64"
                assert json.loads(parquet.logical_type.to_json())["timeUnit"] == "microseconds"
                assert json.loads(parquet.logical_type.to_json())["isAdjustedToUTC"] is True


def test_values_survive_the_way_to_parquet(s3: Any, contents: Any) -> None:
    data = payloads.raw_object(payloads.every_kind())
    app.handler({"Records": [put(s3, data)]}, CONTEXT)
    expected = normalize(envelope.decode(data))
    for table in TABLES:
        found = pq.read_table(
            io.BytesIO(contents()[keys.curated_key(table.prefix, PLAYLIST_ID, payloads.NOON)])
        ).to_pylist()
        assert [tuple(row.values()) for row in found] == list(expected.rows[table.name])


def test_doing_it_twice_changes_no_byte_and_adds_no_key(s3: Any, contents: Any) -> None:
    record = put(s3, payloads.raw_object(payloads.every_kind()))
    app.handler({"Records": [record]}, CONTEXT)
    once = contents()
    app.clients.cache_clear()
    app.handler(sqs_batch(record, record), CONTEXT)
    assert contents() == once


def test_the_order_of_objects_does_not_matter(s3: Any, contents: Any) -> None:
    records = [
        put(
            s3,
            payloads.raw_object(payloads.every_kind()[number:], scheduled_at=moment),
            keys.raw_key(PLAYLIST_ID, moment),
        )
        for number, moment in enumerate(payloads.NOON + timedelta(hours=9 * n) for n in range(4))
    ]
    app.handler(sqs_batch(*records), CONTEXT)
    forwards = contents()
    for key in forwards:
        s3.delete_object(Bucket=LAKE, Key=key)
    app.handler(sqs_batch(*reversed(records)), CONTEXT)
    assert contents() == forwards
    assert len(forwards) == 4 * len(TABLES)


def test_only_the_bad_messages_of_a_batch_fail(s3: Any, contents: Any) -> None:
    good = put(s3, payloads.raw_object([payloads.entry(payloads.song())]))
    damaged = put(s3, b"not gzip", "raw/playlist_id=x/damaged.json.gz")
    gone = put(s3, b"", "raw/playlist_id=x/gone.json.gz")
    s3.delete_object(Bucket=RAW, Key="raw/playlist_id=x/gone.json.gz")
    test_event = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})
    batch = sqs_batch(damaged, good, "no json", gone, test_event)
    assert app.handler(batch, CONTEXT) == {
        "batchItemFailures": [{"itemIdentifier": "message-0"}, {"itemIdentifier": "message-2"}]
    }
    assert len(contents()) == len(TABLES)


def test_the_log_names_bucket_key_and_cause(s3: Any, caplog: pytest.LogCaptureFixture) -> None:
    good = put(s3, payloads.raw_object([]))
    app.handler(sqs_batch(put(s3, b"{}", "raw/damaged.json.gz"), good), CONTEXT)
    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "s3://lake-raw/raw/damaged.json.gz" in error.getMessage()
    assert "not gzip" in error.getMessage()
    assert not error.exc_info, "a known condition needs no traceback"
    (done,) = [record for record in caplog.records if record.getMessage() == "Transformed a snapshot"]
    assert done.raw_key == keys.raw_key(PLAYLIST_ID, payloads.NOON)


def test_the_cause_of_a_surprise_is_logged_with_its_traceback(
    s3: Any, caplog: pytest.LogCaptureFixture
) -> None:
    good = put(s3, payloads.raw_object([]))
    elsewhere = {"eventSource": "aws:s3", "s3": {"bucket": {"name": "elsewhere"}, "object": {"key": "a"}}}
    app.handler(sqs_batch(good, elsewhere), CONTEXT)
    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "NoSuchBucket" in error.getMessage()
    assert error.exc_info
    assert error.message_id == "message-1"


def test_each_invocation_publishes_its_metrics_and_is_named_in_the_log(
    s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    app.handler({"Records": [put(s3, payloads.raw_object([None, 7]))]}, CONTEXT)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (published,) = [line for line in lines if "_aws" in line]
    assert published["EntriesIn"] == [2.0]
    assert published["EntriesRejected"] == [1.0]
    assert app.logger.get_current_keys()["function_request_id"] == CONTEXT.aws_request_id


def test_when_every_message_fails_the_invocation_does(s3: Any) -> None:
    with pytest.raises(RawObjectUnreadable, match="cannot be read"):
        app.handler(sqs_batch(put(s3, b"not gzip", "raw/damaged.json.gz")), CONTEXT)


def test_the_objects_of_a_snapshot_are_written_by_one_client(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = boto3.Session.client

    def count(self: Any, service: str, *args: Any, **options: Any) -> Any:
        made.append(service)
        return make(self, service, *args, **options)

    monkeypatch.setattr(boto3.Session, "client", count)
    app.handler({"Records": [put(s3, payloads.raw_object([payloads.entry()]))]}, CONTEXT)
    assert sorted(made) == ["events", "s3"]


def test_odd_keys_work(s3: Any, contents: Any) -> None:
    for key in ("raw/a b.json.gz", "raw/a+b=c.json.gz", "raw/ünï 100%.json.gz"):
        app.handler({"Records": [put(s3, payloads.raw_object([]), key)]}, CONTEXT)
    assert len(contents()) == len(TABLES), "the content names the snapshot, whatever its key"


def test_a_missing_bucket_is_an_error_not_a_missing_object(s3: Any) -> None:
    record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": "elsewhere"}, "object": {"key": "a"}}}
    with pytest.raises(Exception, match="NoSuchBucket"):
        app.handler({"Records": [record]}, CONTEXT)


def test_the_run_that_took_the_snapshot_is_in_the_metadata_and_nowhere_else(
    s3: Any, contents: Callable[[], dict[str, bytes]]
) -> None:
    key, body = keys.raw_key(PLAYLIST_ID, payloads.NOON), payloads.raw_object(payloads.every_kind())
    record = put(s3, body)
    app.handler({"Records": [record]}, CONTEXT)
    before = contents()
    s3.delete_object(Bucket=RAW, Key=key)
    assert store.put(s3, RAW, key, body, "run-7")
    app.handler({"Records": [record]}, CONTEXT)
    assert contents() == before
    found = {key: s3.head_object(Bucket=LAKE, Key=key)["Metadata"] for key in before}
    assert set(map(str, found.values())) == {"{'correlation-id': 'run-7'}"}


def test_awswrangler_only_puts_objects(s3: Any) -> None:
    """For the role's permissions; a multipart upload, of more than 5 MB, takes s3:PutObject as well."""
    session = lake.Session()
    called: list[str] = []
    session.events.register("provide-client-params.s3", lambda model, **_: called.append(model.name))
    tables = normalize(envelope.decode(payloads.raw_object(payloads.every_kind())))
    written = lake.write(tables, LAKE, session)
    assert called == ["PutObject"] * len(written)
    assert len(written) == len(TABLES)
