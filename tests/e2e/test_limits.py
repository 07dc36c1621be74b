"""Spotify's limits, against what is deployed: the run ends soon, and the rest comes by a schedule."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.spotify_stub import COLLECTED, PLAYLISTS
from local.stack import LaptopStack
from spotify_lake import keys
from spotify_lake.raw import store
from tests.support.deployed import eventually

DAY = dt.datetime(2026, 8, 3, 6, tzinfo=dt.UTC)
GROUP = "spotify-lake-continuations"
QUOTA = {
    "match": "GET /v1/playlists/*/items",
    "skip": 3,
    "status": 429,
    "headers": {"Retry-After": "86400"},
    "body": {"error": {"status": 429, "message": "Quota exceeded", "reason": "QUOTA_EXCEEDED"}},
}


@pytest.fixture
def limited(stack: LaptopStack) -> Iterator[LaptopStack]:
    """The stack, with a Spotify whose quota ends in the middle of a run; afterwards as it was."""
    stack.set_stub_clock(DAY)
    set_faults(stack, QUOTA)
    yield stack
    set_faults(stack)
    scheduler = stack.client("scheduler")
    for name in planned(stack):
        scheduler.delete_schedule(GroupName=GROUP, Name=name)


def set_faults(stack: LaptopStack, *faults: dict[str, Any]) -> None:
    stack.control_stub("faults", method="PUT", body=[*faults])


def planned(stack: LaptopStack) -> list[str]:
    found = stack.client("scheduler").list_schedules(GroupName=GROUP)["Schedules"]
    return [schedule["Name"] for schedule in found]


def snapshots(stack: LaptopStack) -> set[str]:
    """Playlists with a snapshot of the day."""
    s3, bucket = stack.client("s3"), stack.outputs["RawBucketName"]
    return {id_ for id_ in PLAYLISTS.values() if store.exists(s3, bucket, keys.raw_key(id_, DAY))}


def test_a_quota_in_the_middle_of_a_run_is_waited_out_by_a_schedule(limited: LaptopStack) -> None:
    event = {"scheduled_at": "2026-08-03T06:00:00Z", "playlist_ids": list(PLAYLISTS.values())}
    answer = limited.invoke("extract", event)
    assert answer.error is None, answer.message
    done = snapshots(limited)
    assert 0 < len(done) < len(PLAYLISTS)
    assert planned(limited) == [answer.payload["continued_by"]]

    set_faults(limited, QUOTA | {"skip": 0})  # the same event comes again
    again = limited.invoke("extract", event)
    assert planned(limited) == [again.payload["continued_by"]] == [answer.payload["continued_by"]]

    set_faults(limited)
    scheduler, [name] = limited.client("scheduler"), planned(limited)
    schedule = scheduler.get_schedule(GroupName=GROUP, Name=name)
    at = dt.datetime.strptime(schedule["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=dt.UTC)
    assert dt.timedelta(hours=23) < at - dt.datetime.now(dt.UTC) < dt.timedelta(hours=25)
    assert set(json.loads(schedule["Target"]["Input"])["playlist_ids"]) == set(PLAYLISTS.values()) - done

    # The day passes.
    scheduler.update_schedule(
        GroupName=GROUP,
        Name=name,
        ScheduleExpression=f"at({at - dt.timedelta(days=2):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow=schedule["FlexibleTimeWindow"],
        ActionAfterCompletion=schedule["ActionAfterCompletion"],
        Target=schedule["Target"],
    )
    eventually(lambda: snapshots(limited) == set(PLAYLISTS.values()))
    assert limited.wait_until_idle().is_clear
    found = limited.athena(
        "select playlist_id, count(*) from playlists where snapshot_date = date '2026-08-03' group by playlist_id"
    )
    assert dict(found.rows) == dict.fromkeys(PLAYLISTS.values(), 1)
    eventually(lambda: not planned(limited))
    assert limited.dead_letters() == {}


def test_unchanged_playlists_cost_three_requests(stack: LaptopStack) -> None:
    before, morning, next_morning = (dt.datetime(2026, 8, day, 6, tzinfo=dt.UTC) for day in (4, 5, 6))
    assert set(stack.invoke_extract(before)["written"]) == set(COLLECTED.values())
    # Two runs have to read the same before a third copies it.
    run = stack.invoke("extract", {"scheduled_at": morning.isoformat()}).payload
    assert set(run["written"]) == set(COLLECTED.values())
    stack.control_stub("requests", method="DELETE")
    run = stack.invoke("extract", {"scheduled_at": next_morning.isoformat()}).payload
    assert set(run["written"]) == set(COLLECTED.values())
    assert [request["path"].rstrip("/") for request in stack.stub_requests()] == [
        "/api/token",
        "/v1/me/playlists",
        "/v1/me/tracks",
    ]
    assert stack.wait_until_idle().is_clear
    found = stack.athena(
        """
        select scheduled_at, count(*), count(distinct playlist_id), count(distinct song_id)
        from playlist_entries where snapshot_date in (date '2026-08-05', date '2026-08-06') group by scheduled_at
        """
    )
    first, second = found.rows
    assert first[0] != second[0]
    assert first[1:] == second[1:]
    assert stack.dead_letters() == {}
