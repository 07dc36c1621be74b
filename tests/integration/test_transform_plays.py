"""Plays and the library from event to Parquet bytes, on moto's S3."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from functions.transform import app
from spotify_lake import keys
from spotify_lake.raw import plays, store
from spotify_lake.schema.listening import LIBRARY, PLAY_FILES, PLAY_REJECTS, PLAYS
from spotify_lake.transform.parquet import arrow_schema
from tests.support.plays import extended, pack, poll, recent, tables

RAW, LAKE = "lake-raw", "lake-lake"
CONTEXT = SimpleNamespace(
    function_name="lake-transform",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:lake-transform",
    aws_request_id="52fdfc07-2182-154f-163f-5f0f9a621d72",
)
HOURS = [datetime(2026, 11, 20, hour, tzinfo=UTC) for hour in (10, 11, 12)]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("LAKE_BUCKET", LAKE)
    monkeypatch.setenv("EVENT_BUS", "lake-changes")
    app.clients.cache_clear()
    with mock_aws():
        client = boto3.client("s3")
        for bucket in (RAW, LAKE):
            client.create_bucket(Bucket=bucket)
        yield client


def contents(s3: Any) -> dict[str, bytes]:
    found = [found["Key"] for found in s3.list_objects_v2(Bucket=LAKE).get("Contents", [])]
    return {key: s3.get_object(Bucket=LAKE, Key=key)["Body"].read() for key in found}


def transform(*keys: str) -> None:
    messages = [
        {
            "eventSource": "aws:sqs",
            "messageId": key,
            "body": json.dumps({"Records": [{"s3": {"bucket": {"name": RAW}, "object": {"key": key}}}]}),
        }
        for key in keys
    ]
    assert app.handler({"Records": messages}, CONTEXT) == {"batchItemFailures": []}


def test_an_export_in_the_tables(s3: Any) -> None:
    rows = [extended(), extended(ts="2020-01-01T00:00:00Z"), extended(ts="1970-01-01T00:00:00Z"), extended()]
    packed = pack(rows)
    assert store.put(s3, RAW, packed.key, packed.data, "import-1")
    transform(packed.key)
    written, expected = contents(s3), tables(rows)
    found = {
        f"curated/plays/played_month=2020-01/{packed.digest}.parquet": (PLAYS, expected.plays["2020-01"]),
        f"curated/plays/played_month=2021-03/{packed.digest}.parquet": (PLAYS, expected.plays["2021-03"]),
        f"curated/play_rejects/{packed.digest}.parquet": (PLAY_REJECTS, expected.rejects),
        f"curated/play_files/{packed.digest}.parquet": (PLAY_FILES, expected.files),
    }
    assert set(written) == set(found)
    for key, (table, table_rows) in found.items():
        file = pq.ParquetFile(io.BytesIO(written[key]))
        assert file.schema_arrow.equals(arrow_schema(table), check_metadata=False)
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"
        assert [tuple(row.values()) for row in file.read().to_pylist()] == list(table_rows)
        assert s3.head_object(Bucket=LAKE, Key=key)["Metadata"] == {"correlation-id": "import-1"}
    transform(packed.key, packed.key)
    assert contents(s3) == written


def test_polls_of_one_day_in_any_order_give_the_same_bytes(s3: Any) -> None:
    pages = [[recent()], [recent(), recent("2026-10-31T23:59:59Z")], [recent("2026-11-20T11:00:00Z"), None]]
    names = [keys.raw_poll_key(hour) for hour in HOURS]
    results = []
    for order in permutations(range(3)):
        for number in order:
            store.put(s3, RAW, names[number], poll(HOURS[number], pages[number]))
            transform(names[number])
        transform(*reversed(names))
        results.append(contents(s3))
        for bucket, key in [(LAKE, key) for key in results[-1]] + [(RAW, name) for name in names]:
            s3.delete_object(Bucket=bucket, Key=key)
    assert all(found == results[0] for found in results)
    assert set(results[0]) == {
        "curated/plays/played_month=2026-10/api-2026-11-20.parquet",
        "curated/plays/played_month=2026-11/api-2026-11-20.parquet",
        "curated/play_rejects/api-2026-11-20.parquet",
        "curated/play_files/api-2026-11-20.parquet",
    }
    files = pq.read_table(io.BytesIO(results[0]["curated/play_files/api-2026-11-20.parquet"])).to_pylist()
    counts = [[row[f"{name}_count"] for name in ("row", "play", "repeated", "reject")] for row in files]
    assert counts == [[1, 1, 0, 0], [2, 1, 1, 0], [2, 1, 0, 1]]


def test_a_library_in_its_table(s3: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pages: Any = {"album": [{"items": [{"added_at": "2026-03-01T18:22:09Z", "album": {"id": "x"}}, None]}]}
    key = keys.raw_library_key(HOURS[0])
    store.put(s3, RAW, key, plays.pack_library(HOURS[0], HOURS[1], pages))
    transform(key)
    written = contents(s3)
    assert set(written) == {"curated/library/snapshot_date=2026-11-20/library-20261120T100000Z.parquet"}
    file = pq.ParquetFile(io.BytesIO(*written.values()))
    assert file.schema_arrow.equals(arrow_schema(LIBRARY), check_metadata=False)
    assert [row["item_id"] for row in file.read().to_pylist()] == ["x"]
    assert '"LibraryItemsUnreadable":[1.0]' in capsys.readouterr().out.replace(" ", "")


def test_an_object_whose_content_is_another_goes_to_the_dead_letters(s3: Any) -> None:
    packed = pack([extended()])
    s3.put_object(Bucket=RAW, Key=packed.key, Body=pack([extended(ms_played=1)]).data)
    with pytest.raises(app.LakeError, match=rf"{packed.key} cannot be read.*belongs under.*dead-letter"):
        transform(packed.key)
    assert contents(s3) == {}
