"""Which snapshots are published, compared with which, and what happens when they cannot be."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from spotify_lake import keys
from spotify_lake.changes.publish import FRESH, Publisher
from spotify_lake.errors import ChangeNotPublished
from spotify_lake.normalize.rows import normalize
from spotify_lake.observability import metrics
from spotify_lake.raw import envelope
from spotify_lake.raw.store import RawObject
from tests.support import payloads
from tests.support.fakes import FakeS3

NOON, DAY = payloads.NOON, timedelta(days=1)
PLAYLIST = payloads.playlist()
FETCHED_AFTER = timedelta(seconds=3, microseconds=120_000)


class FakeEvents:
    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self.refusal: dict[str, Any] | None = None

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if self.failure:
            raise self.failure
        if self.refusal:
            return {"FailedEntryCount": 1, "Entries": [self.refusal]}
        self.entries += Entries
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    @property
    def published(self) -> list[tuple[str, str, list[str], list[str]]]:
        details = [json.loads(entry["Detail"]) for entry in self.entries]
        return [
            (
                detail["previous"]["scheduled_at"],
                detail["scheduled_at"],
                [one["name"] for one in detail["entered"]],
                [one["name"] for one in detail["left"]],
            )
            for detail in details
        ]


class Lake:
    def __init__(self) -> None:
        self.s3, self.events = FakeS3(), FakeEvents()
        self.publisher = Publisher(self.events, self.s3, "lake-changes", "lake")  # type: ignore[arg-type]

    def store(
        self,
        at: datetime,
        *songs: str,
        written: datetime | None = None,
        damaged: bool = False,
        total: int | None = None,
        content_at: datetime | None = None,
    ) -> None:
        page = payloads.page([payloads.entry(payloads.song(one)) for one in songs], total=total)
        body = payloads.raw_object(page, playlist_object=PLAYLIST, scheduled_at=content_at or at)
        self.s3.now = written or at
        self.s3.put_object(
            Bucket="raw",
            Key=keys.raw_key(PLAYLIST["id"], at),
            Body=b"no gzip" if damaged else body,
            IfNoneMatch="*",
        )

    def publish(self, at: datetime, written: datetime | None = None, *, own_event: bool = True) -> None:
        key = keys.raw_key(PLAYLIST["id"], at)
        tables = normalize(envelope.decode(self.s3.objects[key]))
        moment = (written or at + FETCHED_AFTER) if own_event else None
        self.publisher.publish(RawObject("raw", key, moment), tables, ["curated/x"])


@pytest.fixture
def lake() -> Lake:
    metrics.clear_metrics()
    return Lake()


A, B, C = NOON - DAY, NOON, NOON + DAY


def zulu(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_a_change_is_put_on_the_bus(lake: Lake) -> None:
    lake.store(A, "a", "b")
    lake.store(B, "b", "c")
    lake.publish(B)
    (entry,) = lake.events.entries
    assert (entry["EventBusName"], entry["Source"], entry["DetailType"]) == (
        "lake-changes",
        "spotify-lake",
        "Playlist Changed",
    )
    assert entry["Time"] == B + FETCHED_AFTER
    assert lake.events.published == [(zulu(A), zulu(B), ["c"], ["a"])]
    assert json.loads(entry["Detail"])["rows"]["keys"] == ["curated/x"]
    assert [key for key in metrics.metric_set if key == "ChangesAnnounced"]
    assert lake.s3.listings == 1, "one request finds the snapshot before"


def test_the_first_snapshot_and_unchanged_ones_are_no_change(lake: Lake) -> None:
    lake.store(A, "a")
    lake.publish(A)
    lake.store(B, "a")
    lake.publish(B)
    assert lake.events.published == []


def test_a_snapshot_before_a_gap_is_found(lake: Lake) -> None:
    lake.store(A - 60 * DAY, "a")
    lake.store(A - 40 * DAY, "b")
    lake.store(B, "c")
    lake.publish(B)
    assert lake.events.published == [(zulu(A - 40 * DAY), zulu(B), ["c"], ["b"])]


def test_a_second_delivery_says_the_same(lake: Lake) -> None:
    lake.store(A, "a")
    lake.store(B, "b")
    for _ in range(2):
        lake.publish(B)
    first, second = lake.events.entries
    assert first == second


def test_out_of_order_each_says_what_it_would_have_said_in_order(lake: Lake) -> None:
    lake.store(A, "a")
    lake.store(B, "b")
    lake.store(C, "c")
    lake.publish(C)
    lake.publish(B)
    assert lake.events.published == [(zulu(B), zulu(C), ["c"], ["b"]), (zulu(A), zulu(B), ["b"], ["a"])]


@pytest.mark.parametrize("order", ["in time", "delayed"])
def test_what_is_made_up_for_later_is_not_told_and_changes_nothing_for_the_others(
    lake: Lake, order: str
) -> None:
    lake.store(A, "a")
    lake.store(C, "c")
    if order == "in time":
        lake.publish(C)
    lake.store(B, "b", written=C + DAY / 2)
    lake.publish(B)
    if order == "delayed":
        lake.publish(C)
    assert lake.events.published == [(zulu(A), zulu(C), ["c"], ["a"])]
    lake.store(C + DAY, "d")
    lake.publish(C + DAY)
    assert lake.events.published[1:] == [(zulu(C), zulu(C + DAY), ["d"], ["c"])]


def test_a_replay_is_not_published(lake: Lake) -> None:
    lake.store(A, "a")
    lake.store(B, "b")
    lake.publish(B, own_event=False)
    assert lake.events.published == []
    assert lake.s3.listings == 0


@pytest.mark.parametrize(
    "late, published", [(FRESH - DAY / 1000, 1), (FRESH + DAY / 1000, 0), (100 * DAY, 0)]
)
def test_an_import_is_older_than_its_writing_and_is_not_published(
    lake: Lake, late: timedelta, published: int
) -> None:
    lake.store(A, "a")
    written = B + FETCHED_AFTER + late
    lake.store(B, "b", written=written)
    lake.publish(B, written)
    assert len(lake.events.published) == published


def test_a_message_that_waited_for_days_is_published(lake: Lake) -> None:
    """Its time is that of the writing; when it is worked on does not matter."""
    lake.store(A, "a")
    lake.store(B, "b")
    lake.s3.now = B + 13 * DAY
    lake.publish(B)
    assert len(lake.events.published) == 1


def test_a_damaged_snapshot_has_no_rows_and_is_passed_over(lake: Lake) -> None:
    lake.store(A - DAY, "a")
    lake.store(A, "b", damaged=True)
    lake.store(B, "c")
    lake.publish(B)
    assert lake.events.published == [(zulu(A - DAY), zulu(B), ["c"], ["a"])]


def test_parts_of_a_list_are_neither_published_nor_compared_with(lake: Lake) -> None:
    lake.store(A - DAY, "a", "b")
    lake.store(A, "a", total=2)
    lake.publish(A)
    assert lake.events.published == []
    lake.store(B, "a", "c")
    lake.publish(B)
    assert lake.events.published == [(zulu(A - DAY), zulu(B), ["c"], ["b"])]


def test_content_under_the_key_of_another_snapshot_is_passed_over(lake: Lake) -> None:
    lake.store(A - DAY, "a")
    lake.store(A, "b", content_at=A - 2 * DAY)
    lake.store(B, "c")
    lake.publish(B)
    assert lake.events.published == [(zulu(A - DAY), zulu(B), ["c"], ["a"])]


def test_an_object_under_another_name_is_not_published(lake: Lake) -> None:
    lake.store(A, "a")
    lake.store(B, "b")
    tables = normalize(envelope.decode(lake.s3.objects[keys.raw_key(PLAYLIST["id"], B)]))
    lake.publisher.publish(RawObject("raw", "raw/copy-of-it.json.gz", B), tables, [])
    assert lake.events.published == []


def test_other_playlists_are_not_compared_with(lake: Lake) -> None:
    lake.store(A, "a")
    other = payloads.raw_object([], playlist_object=payloads.playlist("z" * 22), scheduled_at=B - DAY / 2)
    lake.s3.put_object(Bucket="raw", Key=keys.raw_key("z" * 22, B - DAY / 2), Body=other, IfNoneMatch="*")
    lake.store(B, "b")
    lake.publish(B)
    assert lake.events.published == [(zulu(A), zulu(B), ["b"], ["a"])]


DENIED: Any = {
    "Error": {"Code": "AccessDeniedException", "Message": "not authorized to perform: events:PutEvents"}
}


@pytest.mark.parametrize(
    "failure, refusal, reason",
    [
        (ClientError(DENIED, "PutEvents"), None, "AccessDeniedException"),
        (EndpointConnectionError(endpoint_url="https://events"), None, "Could not connect"),
        (
            None,
            {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"},
            "ThrottlingException: Rate",
        ),
    ],
)
def test_what_eventbridge_does_not_take_is_tried_again(
    lake: Lake, failure: Exception | None, refusal: dict[str, Any] | None, reason: str
) -> None:
    lake.store(A, "a")
    lake.store(B, "b")
    lake.events.failure, lake.events.refusal = failure, refusal
    with pytest.raises(
        ChangeNotPublished, match=f"{PLAYLIST['id']}-20261120T120000Z .*lake-changes: .*{reason}"
    ) as raised:
        lake.publish(B)
    assert raised.value.retryable
    lake.events.failure = lake.events.refusal = None
    lake.publish(B)
    assert len(lake.events.published) == 1
