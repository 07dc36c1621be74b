"""How the transform writes plays: order, conditions, and what it does when another invocation is faster."""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from spotify_lake import keys
from spotify_lake.errors import CuratedObjectBusy, RawObjectMissing, SnapshotUnreadable
from spotify_lake.observability import metrics
from spotify_lake.raw.store import RawObject
from spotify_lake.transform import listening
from spotify_lake.transform.listening import ATTEMPTS, ListeningWriter
from tests.support.plays import extended, pack, poll, recent

RAW, LAKE = "lake-raw", "lake-lake"
DAY = date(2026, 11, 20)
NOON, ONE = datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 20, 13, tzinfo=UTC)


class Buckets:
    """Both buckets in memory with the conditional writes of S3, which answers a role that may not list.

    `before_put` runs before each write.
    """

    class exceptions:
        ClientError = ClientError

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.puts: list[str] = []
        self.metadata: dict[str, dict[str, str]] = {}
        self.before_put: Callable[[str], None] = lambda _key: None
        self.forbids_head = False

    def get_paginator(self, name: str) -> "Buckets":
        assert name == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> list[Any]:
        assert (Bucket, Prefix) == (RAW, "raw/plays/api/2026-11-20/")
        found = sorted(key for bucket, key in self.objects if bucket == Bucket and key.startswith(Prefix))
        return [{"Contents": [{"Key": key}]} for key in found] or [{}]

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        if (Bucket, Key) not in self.objects:
            raise self._error(404)
        return {"Body": io.BytesIO(self.objects[Bucket, Key]), "Metadata": {}}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, str]:
        if self.forbids_head or (Bucket, Key) not in self.objects:
            raise self._error(403)
        return {"ETag": self._etag(Bucket, Key)}

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        Metadata: dict[str, str],
        IfMatch: str | None = None,
        IfNoneMatch: str | None = None,
    ) -> None:
        self.before_put(Key)
        exists = (Bucket, Key) in self.objects
        if IfNoneMatch and exists:
            raise self._error(412)
        if IfMatch and not exists:
            raise self._error(404)
        if IfMatch and self._etag(Bucket, Key) != IfMatch:
            raise self._error(412)
        self.objects[Bucket, Key] = Body
        self.puts.append(Key)
        self.metadata[Key] = Metadata

    def _etag(self, bucket: str, key: str) -> str:
        return str(hash(self.objects[bucket, key]))

    def _error(self, status: int) -> ClientError:
        return ClientError({"ResponseMetadata": {"HTTPStatusCode": status}}, "S3")  # type: ignore[typeddict-item]

    def curated(self) -> dict[str, bytes]:
        return {key: data for (bucket, key), data in self.objects.items() if bucket == LAKE}

    def rows(self, key: str) -> list[dict[str, Any]]:
        return pq.ParquetFile(io.BytesIO(self.objects[LAKE, key])).read().to_pylist()


@pytest.fixture
def buckets() -> Buckets:
    metrics.clear_metrics()
    return Buckets()


def put_poll(buckets: Buckets, at: datetime, *items: Any) -> str:
    key = keys.raw_poll_key(at)
    buckets.objects[RAW, key] = poll(at, items)
    return key


def transform(buckets: Buckets, key: str, correlation_id: str | None = None) -> bool:
    writer = ListeningWriter(buckets, LAKE)  # type: ignore[arg-type]
    return writer.transform(RawObject(RAW, key, None), buckets.objects[RAW, key], correlation_id)


def counted(name: str) -> float:
    return sum(sum(found["Value"]) for key, found in metrics.metric_set.items() if key == name)


FILES = "curated/play_files/api-2026-11-20.parquet"
REJECTS = "curated/play_rejects/api-2026-11-20.parquet"
NOVEMBER = "curated/plays/played_month=2026-11/api-2026-11-20.parquet"
OCTOBER = "curated/plays/played_month=2026-10/api-2026-11-20.parquet"


def test_an_export_gives_an_object_a_month_and_its_row_in_play_files_last(buckets: Buckets) -> None:
    packed = pack([extended(), extended(ts="2020-01-01T00:00:00Z"), extended(), 7])
    buckets.objects[RAW, packed.key] = packed.data
    assert transform(buckets, packed.key, "run-1")
    assert buckets.puts == [
        f"curated/plays/played_month=2020-01/{packed.digest}.parquet",
        f"curated/plays/played_month=2021-03/{packed.digest}.parquet",
        f"curated/play_rejects/{packed.digest}.parquet",
        f"curated/play_files/{packed.digest}.parquet",
    ]
    assert all(buckets.metadata[key] == {"correlation-id": "run-1"} for key in buckets.puts)
    assert (counted("PlaysIn"), counted("PlaysRejected"), counted("PlaysUnaccounted")) == (4, 1, 0)
    once = buckets.curated()
    transform(buckets, packed.key)
    assert buckets.curated() == once


def test_other_keys_are_left_to_the_playlists(buckets: Buckets) -> None:
    for key in (
        "raw/playlist_id=x/20261120T120000Z.json.gz",
        "raw/plays/export/x.json.gz",
        "raw/plays/api/x",
    ):
        buckets.objects[RAW, key] = b""
        assert not transform(buckets, key)
    assert not buckets.puts
    assert not metrics.metric_set


def test_a_damaged_object_changes_no_table(buckets: Buckets) -> None:
    packed = pack([extended()])
    buckets.objects[RAW, packed.key] = pack([extended(ms_played=1)]).data
    with pytest.raises(SnapshotUnreadable, match="belongs under"):
        transform(buckets, packed.key)
    assert not buckets.curated()


def test_the_polls_of_a_day_share_objects(buckets: Buckets) -> None:
    first = put_poll(buckets, NOON, recent(), recent("2026-10-31T23:00:00Z"))
    transform(buckets, first)
    assert set(buckets.curated()) == {FILES, REJECTS, NOVEMBER, OCTOBER}
    second = put_poll(buckets, ONE, recent(), recent("2026-11-20T12:30:00Z"))
    transform(buckets, second)
    assert [row["row"] for row in buckets.rows(NOVEMBER)] == [1, 2]
    assert [(row["source_object"], row["play_count"]) for row in buckets.rows(FILES)] == [
        (first, 2),
        (second, 1),
    ]
    once = buckets.curated()
    for key in (second, first, second):
        transform(buckets, key)
    assert buckets.curated() == once
    assert buckets.puts[-1] == FILES


@pytest.mark.parametrize("moment", [NOVEMBER, REJECTS, FILES])
def test_a_faster_invocation_is_not_overwritten(buckets: Buckets, moment: str) -> None:
    """Between its list and a write, another one turns a later poll into tables."""
    slow = put_poll(buckets, NOON, recent())

    def be_faster(key: str) -> None:
        if key == moment:
            buckets.before_put = lambda _key: None
            transform(buckets, put_poll(buckets, ONE, recent("2026-11-20T12:30:00Z"), None))

    buckets.before_put = be_faster
    transform(buckets, slow)
    raced = buckets.curated()
    assert len(buckets.rows(NOVEMBER)) == len(buckets.rows(FILES)) == 2
    assert len(buckets.rows(REJECTS)) == 1
    buckets.objects = {place: data for place, data in buckets.objects.items() if place[0] == RAW}
    transform(buckets, slow)
    assert buckets.curated() == raced, "as if nobody had been faster"


def test_a_poll_publishes_only_what_is_wrong_with_itself(buckets: Buckets) -> None:
    transform(buckets, put_poll(buckets, NOON, recent()))
    assert not metrics.metric_set, "each metric costs by the hour"
    transform(buckets, put_poll(buckets, ONE, None, 7))
    assert {name: counted(name) for name in metrics.metric_set} == {"PlaysRejected": 2}
    metrics.clear_metrics()
    transform(buckets, put_poll(buckets, ONE.replace(minute=30), recent()))
    assert not metrics.metric_set


def test_a_new_month_of_a_later_poll_is_written(buckets: Buckets) -> None:
    transform(buckets, put_poll(buckets, NOON, recent()))
    transform(buckets, put_poll(buckets, ONE, recent("2026-10-31T23:00:00Z")))
    assert len(buckets.rows(OCTOBER)) == len(buckets.rows(NOVEMBER)) == 1


def test_it_gives_up_while_others_keep_writing(buckets: Buckets) -> None:
    key = put_poll(buckets, NOON, recent())
    times = []

    def be_faster(curated: str) -> None:
        if curated == NOVEMBER:
            times.append(curated)
            buckets.objects[LAKE, NOVEMBER] = str(len(times)).encode()

    buckets.before_put = be_faster
    with pytest.raises(CuratedObjectBusy, match="api-2026-11-20"):
        transform(buckets, key)
    assert len(times) == ATTEMPTS
    assert not metrics.metric_set


def test_a_role_that_may_not_read_its_objects_is_noticed(buckets: Buckets) -> None:
    key = put_poll(buckets, NOON, recent())
    transform(buckets, key)
    buckets.forbids_head = True
    with pytest.raises(ClientError, match="S3"):
        transform(buckets, key)


def test_a_damaged_poll_of_the_day_costs_no_other(buckets: Buckets) -> None:
    good, damaged = put_poll(buckets, NOON, recent()), keys.raw_poll_key(ONE)
    buckets.objects[RAW, damaged] = b"no gzip"
    buckets.objects[RAW, "raw/plays/api/2026-11-20/notes.json.gz"] = b""
    transform(buckets, good)
    assert [row["source_object"] for row in buckets.rows(FILES)] == [good]
    with pytest.raises(SnapshotUnreadable):
        transform(buckets, damaged)


def test_a_poll_that_was_deleted_meanwhile_writes_nothing(buckets: Buckets) -> None:
    key = put_poll(buckets, NOON, recent())
    data = buckets.objects.pop((RAW, key))
    with pytest.raises(RawObjectMissing):
        ListeningWriter(buckets, LAKE).transform(RawObject(RAW, key, None), data, None)  # type: ignore[arg-type]
    assert not buckets.curated()


def test_plays_that_got_lost_are_counted(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    def lossy(export: Any) -> Any:
        found = normalize(export)
        found.plays["2021-03"].pop()
        return found

    normalize = listening.normalize_export
    monkeypatch.setattr(listening, "normalize_export", lossy)
    packed = pack([extended(), extended()])
    buckets.objects[RAW, packed.key] = packed.data
    transform(buckets, packed.key)
    assert counted("PlaysUnaccounted") == 1
    assert counted("EntriesUnaccounted") == 1, "its alarm is among the essential ones"
