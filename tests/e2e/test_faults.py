"""Nothing is lost or doubled, whatever fails: after each fault, the tables are those of an undisturbed run."""

import datetime as dt
import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

import psutil
import pytest

from cli.commands import redrive, replay
from local.spotify_stub import COLLECTED, PLAYLISTS
from local.stack import LaptopStack
from spotify_lake import keys
from spotify_lake.schema.playlists import TABLES
from tests.support import payloads, plays
from tests.support.deployed import (
    assert_undisturbed,
    event_source,
    eventually,
    function_settings,
    put_raw,
    quick_retries,
    read,
    send,
    workers,
)
from tests.support.faulty_s3 import FaultyS3, between_functions_and_s3
from tests.support.operated import Person, as_lake

MOMENT = dt.datetime(2026, 5, 1, 6, tzinfo=dt.UTC)
LATE_MS, FOREVER_MS = 15_000, 600_000
MEBIBYTE = 2**20
NAMES = [table.name for table in TABLES]
PLAYLIST_IDS = [PLAYLISTS[name] for name in ("Top 100", "Odds & Ends", "Morning Ten", "Drafts")]

_numbers = itertools.count()


@pytest.fixture(scope="module")
def s3(stack: LaptopStack) -> Iterator[FaultyS3]:
    """What the functions take for S3."""
    with between_functions_and_s3(stack) as proxy:
        put(stack, snapshot())  # starts a process, which takes a while
        assert stack.wait_until_idle().is_clear
        with quick_retries(stack):
            yield proxy


class Snapshot(NamedTuple):
    """A raw object."""

    playlist_id: str
    body: bytes

    @property
    def key(self) -> str:
        return keys.raw_key(self.playlist_id, MOMENT)

    def put_of(self, table: str) -> dict[str, str]:
        """What in a rule says: the write of its object of a table."""
        address = f"/curated/{table}/snapshot_date={MOMENT:%Y-%m-%d}/{self.playlist_id}-"
        return {"operation": "PutObject", "resource": address}


def snapshot(entries: int = 30) -> Snapshot:
    """A playlist that there was none like before."""
    number = next(_numbers)
    about = payloads.playlist(payloads.spotify_id(f"fault {number}"))
    songs = []
    for n in range(entries):
        album, artists = payloads.album(f"album {n % 7}"), [payloads.artist(f"artist {n % 11}")]
        songs.append(payloads.entry(payloads.song(f"{number}/{n}", album=album, artists=artists)))
    body = payloads.raw_object([*payloads.every_kind(), *songs], playlist_object=about, scheduled_at=MOMENT)
    return Snapshot(about["id"], body)


def put(stack: LaptopStack, *snapshots: Snapshot) -> None:
    for one in snapshots:
        put_raw(stack, one.key, one.body)


def tables_of(stack: LaptopStack, one: Snapshot) -> set[str]:
    """Tables that have an object of a snapshot."""
    return {key.split("/")[1] for key in versions(stack) if one.playlist_id in key}


def versions(stack: LaptopStack) -> dict[str, dt.datetime]:
    """When each object of the tables was written."""
    s3, bucket = stack.client("s3"), stack.outputs["LakeBucketName"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="curated/")
    return {found["Key"]: found["LastModified"] for page in pages for found in page.get("Contents", [])}


def kill_workers(stack: LaptopStack) -> None:
    for worker in workers(stack, "transform"):
        worker.kill()


@contextmanager
def memory_limit(stack: LaptopStack, mebibytes: int) -> Iterator[list[int]]:
    """Kill transforms that take more memory, as Lambda does and the emulator does not.

    Yields
    ------
    list of int
        The processes killed so far.
    """
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            for worker in workers(stack, "transform"):
                watch_one(worker)

    def watch_one(worker: psutil.Process) -> None:
        with suppress(psutil.NoSuchProcess):
            if worker.pid not in killed and worker.memory_info().rss > mebibytes * MEBIBYTE:
                worker.kill()
                killed.append(worker.pid)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


# --- the process ends in the middle ---


@pytest.mark.parametrize(
    "table", ["albums", *(pytest.param(name, marks=pytest.mark.long) for name in NAMES if name != "albums")]
)
def test_killed_between_the_writes_of_two_tables(stack: LaptopStack, s3: FaultyS3, table: str) -> None:
    one = snapshot()
    with ExitStack() as no_retry, s3.rules(one.put_of(table) | {"timeout_ms": FOREVER_MS}):
        put(stack, one)
        eventually(s3.fired)
        no_retry.enter_context(event_source(stack, Enabled=False))
        kill_workers(stack)
        assert tables_of(stack, one) == set(NAMES[: NAMES.index(table)])
        assert "playlists" not in tables_of(stack, one), "a snapshot that is not complete is not there"
    assert stack.wait_until_idle().is_clear
    assert_undisturbed(stack)


@pytest.mark.long
def test_killed_during_a_write_that_arrives_after_that_of_the_retry(stack: LaptopStack, s3: FaultyS3) -> None:
    """The dead process has sent its object, but S3 takes it long after; on a slow machine, before the retry's."""
    one, written = snapshot(), set[dt.datetime]()

    def look(*_: object) -> bool:
        """See when the table was written; whether it was twice."""
        found = versions(stack).items()
        written.update(at for key, at in found if one.put_of("albums")["resource"] in f"/{key}")
        return len(written) == 2

    taken_whole = {
        "request": {"cut_upload": {"after_bytes": 2**30}}
    }  # never reached, but reads the object first
    with s3.rules(one.put_of("albums") | taken_whole | {"latency": LATE_MS, "times": 1}):
        put(stack, one)
        eventually(s3.fired)
        kill_workers(stack)
        assert stack.wait_until_idle(progress=look).is_clear
        assert_undisturbed(stack)
        eventually(look)
    assert_undisturbed(stack)


def test_polls_of_one_day_at_once_and_one_killed_between_list_and_write(
    stack: LaptopStack, s3: FaultyS3
) -> None:
    """And a replay of everything gives the same bytes."""
    packed = plays.pack([plays.extended(ts=f"2021-0{month}-04T05:06:07Z") for month in (1, 2, 3)] + [7])
    moments = [MOMENT + dt.timedelta(minutes=30 * number) for number in range(6)]
    yesterday = plays.recent("2026-04-30T22:10:00Z")
    # Each answer has the plays before it, too; one is in the month before.
    pages = [
        [plays.recent(f"{moment:%Y-%m-%dT%H:%M}:01Z") for moment in moments[:number]] + [yesterday]
        for number in range(1, 7)
    ]
    first_write = {"operation": "PutObject", "resource": "/curated/plays/played_month=2026-04/api-2026-05-01"}
    with (
        quick_retries(stack, hidden_s=10, at_a_time=2),
        s3.rules(first_write | {"timeout_ms": FOREVER_MS, "times": 1}),
    ):
        for moment, page in zip(moments, pages, strict=True):
            put_raw(stack, keys.raw_poll_key(moment), plays.poll(moment, page))
        eventually(s3.fired)
        put_raw(stack, packed.key, packed.data)
        kill_workers(stack)
    assert stack.wait_until_idle().is_clear
    assert_undisturbed(stack)
    before = dict(read(stack, "LakeBucketName", "curated/play"))
    assert {key for key in before if "api-" in key} == {
        "curated/plays/played_month=2026-04/api-2026-05-01.parquet",
        "curated/plays/played_month=2026-05/api-2026-05-01.parquet",
        "curated/play_rejects/api-2026-05-01.parquet",
        "curated/play_files/api-2026-05-01.parquet",
    }
    today = dt.datetime.now(dt.UTC).date()
    outcome = replay.run(as_lake(stack), Person(), MOMENT.date(), today, settling_s=5)
    assert {packed.key, keys.raw_poll_key(moments[-1])} <= {one.raw_key for one in outcome.rebuilt}
    assert outcome.missing == []
    assert dict(read(stack, "LakeBucketName", "curated/play")) == before


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"request": {"cut_upload": {"after_frac": 0.5}}}, id="half-of-the-object-is-sent"),
        pytest.param({"response": {"abort_bytes": 0}}, id="the-answer-does-not-arrive"),
        pytest.param({"reset": True}, id="nothing-is-sent"),
    ],
)
def test_a_connection_that_breaks_during_a_write(stack: LaptopStack, s3: FaultyS3, fault) -> None:
    with s3.rules({"operation": "PutObject", "sequence": {"fail": 1, "pass": 2}} | fault):
        put(stack, snapshot())
        assert stack.wait_until_idle().is_clear
        assert len(s3.fired()) >= len(TABLES) / 3
    assert_undisturbed(stack)


@pytest.mark.long
def test_a_connection_that_breaks_while_reading(stack: LaptopStack, s3: FaultyS3) -> None:
    one = snapshot()
    with s3.rules(
        {"operation": "GetObject", "resource": one.key, "times": 1, "response": {"abort_frac": 0.5}}
    ):
        put(stack, one)
        assert stack.wait_until_idle().is_clear
        assert len(s3.fired()) == 1
    assert stack.dead_letters() == {}
    assert_undisturbed(stack)


@pytest.mark.long
def test_out_of_time(stack: LaptopStack, s3: FaultyS3) -> None:
    one = snapshot()
    already = len(stack.log_events("transform", 1_000_000))
    with (
        function_settings(stack, "transform", Timeout=3),
        s3.rules(one.put_of("albums") | {"timeout_ms": FOREVER_MS}),
    ):
        put(stack, one)
        eventually(
            lambda: any(
                "Task timed out" in line for _, line in stack.log_events("transform", 1_000_000)[already:]
            )
        )
    assert stack.wait_until_idle().is_clear
    assert_undisturbed(stack)


@pytest.mark.long
def test_out_of_memory(stack: LaptopStack, s3: FaultyS3) -> None:
    """One snapshot needs more than there is; the others are not concerned."""
    huge = snapshot(entries=40_000)
    roomy = max(worker.memory_info().rss for worker in workers(stack, "transform")) // MEBIBYTE + 64
    with (
        quick_retries(stack, tries=2),
        function_settings(stack, "transform", MemorySize=roomy),
        memory_limit(stack, roomy) as killed,
    ):
        put(stack, huge, *(snapshot() for _ in range(3)))
        eventually(lambda: stack.dead_letters() == {"TransformDeadLetters": 1}, timeout_s=120)
        stack.wait_until_idle()
        assert len(killed) == 2
        assert stack.dead_letters() == {"TransformDeadLetters": 1}
        assert not tables_of(stack, huge)
    redrive.run(as_lake(stack), Person(), yes=True)
    assert stack.wait_until_idle().is_clear
    assert_undisturbed(stack)


# --- S3 has trouble ---


@pytest.mark.long
def test_s3_is_overloaded_and_slow(stack: LaptopStack, s3: FaultyS3) -> None:
    """A third of all requests is turned away, and the others take their time: extract and transform go on."""
    slow_down = {"sequence": {"fail": 1, "pass": 2}, "error": {"code": "SlowDown", "status": 503}}
    with s3.rules(slow_down, {"latency": {"min": 20, "max": 150}}):
        for day in (1, 2):
            result = stack.invoke_extract(MOMENT + dt.timedelta(days=day), PLAYLIST_IDS)
            assert set(result["written"]) == set(PLAYLIST_IDS)
            assert result["failed"] == []
        assert stack.wait_until_idle().is_clear
        assert sum("SlowDown" in event["action"] for event in s3.fired()) > 20
    assert stack.dead_letters() == {}
    assert_undisturbed(stack)


@pytest.mark.long
def test_s3_is_down_until_the_messages_are_dead_letters(stack: LaptopStack, s3: FaultyS3) -> None:
    with quick_retries(stack, tries=2):
        with s3.rules({"error": {"code": "ServiceUnavailable", "status": 503}}):
            put(stack, snapshot())
            eventually(lambda: stack.dead_letters() == {"TransformDeadLetters": 1}, timeout_s=200)
        redrive.run(as_lake(stack), Person(), yes=True)
        assert stack.wait_until_idle().is_clear
    assert stack.dead_letters() == {}
    assert_undisturbed(stack)


def test_a_raw_object_is_stored_but_the_answer_is_lost(stack: LaptopStack, s3: FaultyS3) -> None:
    """The repeated write finds the object there. It is this run's own, and the run says so."""
    raw_put = {"operation": "PutObject", "resource": "/raw/"}
    with s3.rules(raw_put | {"times": 1, "response": {"abort_bytes": 0}}):
        result = stack.invoke_extract(MOMENT + dt.timedelta(days=3), PLAYLIST_IDS[:1])
        assert len(s3.fired()) == 1
    assert (result["written"], result["already_there"]) == (PLAYLIST_IDS[:1], [])
    assert stack.wait_until_idle().is_clear
    assert_undisturbed(stack)


# --- raw objects and state ---


def test_an_object_deleted_before_its_event_arrives(stack: LaptopStack) -> None:
    gone, kept = snapshot(), snapshot()
    with event_source(stack, Enabled=False):
        put(stack, gone)
        stack.client("s3").delete_object(Bucket=stack.outputs["RawBucketName"], Key=gone.key)
        put(stack, kept)
        eventually(lambda: stack.queue_length("TransformQueueUrl") == 2)
        already = len(stack.log_events("transform", 1_000_000))
    assert stack.wait_until_idle().is_clear
    assert stack.dead_letters() == {}
    told = [line for _, line in stack.log_events("transform", 1_000_000)[already:] if gone.key in line]
    assert told, "the log says which object is missing"
    assert not tables_of(stack, gone)
    assert_undisturbed(stack)


def test_the_events_of_many_snapshots_twice_and_in_reverse(stack: LaptopStack) -> None:
    found = [snapshot() for _ in range(12)]
    with event_source(stack, Enabled=False):
        put(stack, *found)
        stack.client("sqs").purge_queue(QueueUrl=stack.outputs["TransformQueueUrl"])
        send(stack, *(one.key for one in [*reversed(found), *found[::2]]))
    assert stack.wait_until_idle().is_clear
    assert_undisturbed(stack)


def test_the_state_of_the_extraction_is_lost(stack: LaptopStack) -> None:
    """It is made again from copies in raw: nothing is fetched that is there, and nothing is written twice."""
    morning, noon, evening = (dt.datetime(2026, 5, 7, hour, tzinfo=dt.UTC) for hour in (6, 12, 18))
    stack.set_stub_clock(morning)
    for days in (2, 1, 0):  # two runs read the same; the third copies it
        moment = morning - dt.timedelta(days=days)
        run = stack.invoke("extract", {"scheduled_at": moment.isoformat()}).payload
        assert set(run["written"]) == set(COLLECTED.values())
    bucket = stack.outputs["RawBucketName"]
    kept = {key for key, _ in read(stack, "RawBucketName", "state/")}
    assert keys.EXTRACT_STATE in kept
    for key in kept:
        stack.client("s3").delete_object(Bucket=bucket, Key=key)

    assert requests_of(stack, noon) == ["/api/token", "/v1/me", "/v1/me/playlists", "/v1/me/tracks"]
    assert requests_of(stack, evening) == [
        "/api/token",
        "/v1/me/playlists",
        "/v1/me/tracks",
    ], "the state is there again"
    assert set(stack.invoke_extract(morning)["already_there"]) == set(COLLECTED.values())
    assert stack.wait_until_idle().is_clear
    of_the_day = [key for key, _ in read(stack, "RawBucketName", "raw/") if "/20260507T" in key]
    assert len(of_the_day) == len(COLLECTED)
    assert_undisturbed(stack)


def requests_of(stack: LaptopStack, moment: dt.datetime) -> list[str]:
    """What a run asks Spotify that finds every playlist in raw as it is."""
    stack.control_stub("requests", method="DELETE")
    assert set(stack.invoke_extract(moment)["unchanged"]) == set(COLLECTED.values())
    return [request["path"].rstrip("/") for request in stack.stub_requests()]
