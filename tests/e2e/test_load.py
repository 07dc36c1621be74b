"""Many snapshots at a time: nothing is lost, nothing is doubled, and nothing waits for a replay."""

import datetime as dt
import itertools
import time
from contextlib import ExitStack

import pytest

from cli.commands import replay
from local.backlog import Backlog
from local.spotify_stub import COLLECTED
from local.stack import LaptopStack
from spotify_lake import keys
from tests.support import payloads
from tests.support.deployed import assert_undisturbed, event_source, put_raw, read, send, workers
from tests.support.operated import Person, as_lake

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

SNAPSHOTS = 500
CONCURRENCY = 10
STALL_S = 300


def test_five_hundred_snapshots_ten_at_a_time(stack: LaptopStack) -> None:
    """Half of the events come twice."""
    at = dt.datetime(2026, 4, 1, 6, tzinfo=dt.UTC)
    raw_keys = []
    with event_source(stack, ScalingConfig={"MaximumConcurrency": CONCURRENCY}):
        with event_source(stack, Enabled=False):  # all of them wait when the first is taken
            for number in range(SNAPSHOTS):
                about = payloads.playlist(payloads.spotify_id(f"load {number % 50}"))
                moment = at + dt.timedelta(days=number // 50)
                songs = [payloads.entry(payloads.song(f"{number}/{n}")) for n in range(number % 40)]
                body = payloads.raw_object(
                    [*payloads.every_kind(), *songs], playlist_object=about, scheduled_at=moment
                )
                raw_keys.append(keys.raw_key(about["id"], moment))
                put_raw(stack, raw_keys[-1], body)
            send(stack, *raw_keys[::2])
        most = 0

        def count_workers(_backlog: Backlog) -> None:
            nonlocal most
            most = max(most, len(workers(stack, "transform")))

        backlog = stack.wait_until_idle(STALL_S, count_workers)
    assert (backlog.raw, backlog.is_clear) == (SNAPSHOTS, True)
    assert most == CONCURRENCY
    assert stack.dead_letters() == {}
    assert_undisturbed(stack)


def test_a_replay_of_thirty_days_while_new_snapshots_arrive(stack: LaptopStack) -> None:
    days = [dt.datetime(2026, 3, day, 6, tzinfo=dt.UTC) for day in range(1, 31)]
    for day in days:
        assert stack.invoke_extract(day)["failed"] == []
    assert stack.wait_until_idle(STALL_S).is_clear
    spoil(stack)
    nobody_reads, new_days = ExitStack(), itertools.count(1)

    def meanwhile(seconds: float) -> None:
        """Take the snapshots of another day whenever the replay waits."""
        if (number := next(new_days)) <= 10:
            written = stack.invoke_extract(days[-1] + dt.timedelta(days=number))["written"]
            assert set(written) == set(COLLECTED.values())
        if number == 2:  # the queue is full of the replay's events, and it waits to send more
            nobody_reads.close()
        time.sleep(seconds)

    with nobody_reads:
        nobody_reads.enter_context(event_source(stack, Enabled=False))
        options = {"first": days[0].date(), "last": days[-1].date(), "settling_s": 5}
        outcome = replay.run(as_lake(stack), Person(), **options, sleep=meanwhile)
    assert next(new_days) > 2, "nothing arrived during the replay"
    assert (outcome.missing, outcome.failed) == ([], set())
    assert len(outcome.rebuilt) == len(days) * len(COLLECTED)
    assert stack.wait_until_idle(STALL_S).is_clear
    assert stack.dead_letters() == {}
    assert_undisturbed(stack)


def spoil(stack: LaptopStack) -> None:
    """Take away a third of the tables' objects of March, and give another third the content of others."""
    s3, bucket = stack.client("s3"), stack.outputs["LakeBucketName"]
    march = [(key, data) for key, data in read(stack, "LakeBucketName", "curated/") if "date=2026-03" in key]
    for number, (key, _) in enumerate(march):
        if number % 3 == 0:
            s3.delete_object(Bucket=bucket, Key=key)
        elif number % 3 == 1:
            s3.put_object(Bucket=bucket, Key=key, Body=march[number - 1][1])
