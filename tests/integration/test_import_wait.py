"""`./lake import` waits for the tables, counts what is in them, and stops as soon as nothing more can come."""

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws
from rich.console import Console

from cli import import_wait
from cli.commands import import_ as importing
from cli.import_wait import Imported, wait
from cli.objects import ListeningObject
from cli.stack import Lake, OpsError
from cli.terminal import Terminal
from spotify_lake import keys
from spotify_lake.keys import SnapshotId
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw import envelope
from spotify_lake.schema.listening import PLAY_FILES
from spotify_lake.schema.playlists import TABLES
from tests.support import payloads
from tests.support.dumps import as_json, entries, playlist

LOG = "/aws/lambda/transform"
DENIED = {
    "level": "ERROR",
    "message": "s3://raw/x failed",
    "exception": "Trace\nClientError: AccessDenied: no.",
}


class Functions:
    """Lambda, which says where the transform logs."""

    def get_function_configuration(self, **_request: Any) -> dict[str, Any]:
        return {"LoggingConfig": {"LogGroup": LOG}}


class World:
    """A lake whose transform works when `sleep` is called: `script` has what happens, second by second."""

    def __init__(self, *, on_laptop: bool = False) -> None:
        self.s3, self.sqs, self.logs = (boto3.client(name) for name in ("s3", "sqs", "logs"))
        for bucket in ("raw", "lake"):
            self.s3.create_bucket(Bucket=bucket)
        self.queue, self.dead = (self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("q", "dead"))
        self.logs.create_log_group(logGroupName=LOG)
        self.logs.create_log_stream(logGroupName=LOG, logStreamName="s")
        clients = {"s3": self.s3, "sqs": self.sqs, "logs": self.logs, "lambda": Functions()}
        self.lake = Lake(
            on_laptop=on_laptop,
            stack="spotify-lake",
            account="123456789012",
            region="us-east-1",
            outputs={
                "RawBucketName": "raw",
                "LakeBucketName": "lake",
                "TransformQueueUrl": self.queue,
                "TransformDeadLettersUrl": self.dead,
                "TransformFunctionName": "transform",
            },
            parameters={"FirstSnapshotDate": "2006-01-01"},
            client=lambda service: clients[service],
        )
        self.output = io.StringIO()
        self.terminal = Terminal(Console(file=self.output, width=200))
        self.seconds = 0.0
        self.script: dict[int, Callable[[], object]] = {}

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if step := self.script.pop(int(self.seconds), None):
            step()

    def wait(self, *imported: Imported) -> str:
        """What is said; a failure is its last line."""
        try:
            wait(self.lake, self.terminal, imported, sleep=self.sleep, clock=lambda: self.seconds)
        except OpsError as error:
            self.output.write(f"FAILED: {error}")
        return self.output.getvalue()

    def transform(self, snapshot: SnapshotId) -> None:
        """Write the tables of a raw object."""
        body = self.s3.get_object(Bucket="raw", Key=snapshot.raw_key)["Body"].read()
        for name, rows in normalize(envelope.decode(body)).rows.items():
            table = next(table for table in TABLES if table.name == name)
            file = io.BytesIO()
            pq.write_table(pa.table({"row": list(range(len(rows)))}), file)
            key = keys.curated_key(table.prefix, snapshot.playlist_id, snapshot.scheduled_at)
            self.s3.put_object(Bucket="lake", Key=key, Body=file.getvalue())

    def log(self, **fields: Any) -> None:
        event = {"timestamp": int(datetime.now(UTC).timestamp() * 1000), "message": json.dumps(fields)}
        self.logs.put_log_events(logGroupName=LOG, logStreamName="s", logEvents=[event])


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


def imported(world: World, number: int = 1, songs: int = 3) -> list[SnapshotId]:
    """Raw objects of imports: three songs, and an entry that becomes a reject."""
    found = []
    for day in range(number):
        at = keys.import_time(datetime(2020, 5, 17, 6, tzinfo=UTC) + timedelta(days=day))
        items = [payloads.entry(payloads.song(f"{day} {song}")) for song in range(songs)]
        body = payloads.raw_object(
            [*items, {"item": {"type": 7}}],
            playlist_object=payloads.playlist(id=payloads.spotify_id("Old")),
            scheduled_at=at,
        )
        found.append(SnapshotId(at, payloads.spotify_id("Old")))
        world.s3.put_object(Bucket="raw", Key=found[-1].raw_key, Body=body)
    return found


def test_a_quick_transform_is_not_waited_for_a_whole_second(world: World) -> None:
    [snapshot] = imported(world)
    world.script = {0: lambda: world.transform(snapshot)}
    assert "FAILED" not in world.wait(snapshot)
    assert world.seconds == 0.125


def test_it_ends_with_the_rows_of_each_table_of_exactly_these_snapshots(world: World) -> None:
    first, second, other = imported(world, 3)
    world.transform(other)
    world.script = {2: lambda: world.transform(first), 4: lambda: world.transform(second)}
    said = world.wait(first, second)
    assert 4 <= world.seconds < 6
    assert "✓ 2 snapshots with 8 entries are in the tables:" in said
    rows = dict(line.split()[:2] for line in said.splitlines() if line.endswith(" rows"))
    assert rows == {
        "playlists": "2",
        "playlist_entries": "6",
        "songs": "6",
        "albums": "2",
        "artists": "2",
        "rejects": "2",
        "quality": rows["quality"],
    }


def test_files_with_plays_are_waited_for_too(world: World) -> None:
    [snapshot] = imported(world)
    first, second = (
        ListeningObject(
            datetime(2026, 11, 20, tzinfo=UTC),
            keys.raw_export_key(digest * 64),
            keys.plays_key(PLAY_FILES.prefix, digest * 64),
        )
        for digest in "ab"
    )
    for one in (first, second):
        world.s3.put_object(Bucket="raw", Key=one.raw_key, Body=b"")
    world.transform(snapshot)
    world.script = {4: lambda: world.s3.put_object(Bucket="lake", Key=first.done_key, Body=b"")}
    assert "FAILED" not in world.wait(snapshot, first)
    assert 4 <= world.seconds < 6
    said = world.wait(second)
    assert "FAILED: 1 of 1 files of listening history are not in the tables: no queue holds them." in said
    assert "`./lake replay --from 2026-11-20` rebuilds them." in said
    assert "1 of 2 snapshots and files of listening history are not in the tables" in world.wait(
        snapshot, second
    )


def test_tables_that_are_older_than_the_raw_object_do_not_count(world: World) -> None:
    """A capture was merged into what was imported before: its tables are still those of before."""
    [one] = imported(world)
    world.transform(one)
    imported(world)  # perhaps in the same second
    world.sqs.send_message(QueueUrl=world.queue, MessageBody="the event of the merged object")

    def transform() -> None:
        world.transform(one)
        world.sqs.purge_queue(QueueUrl=world.queue)

    world.script = {3: transform}
    assert "1 snapshot with 4 entries" in world.wait(one)
    assert world.seconds >= 3


def test_a_missing_permission_ends_the_wait_with_the_error(world: World) -> None:
    first, second = imported(world, 2)
    world.transform(first)
    world.log(level="ERROR", message="something else")
    world.log(**DENIED)
    world.script = {
        1: lambda: world.sqs.send_message(QueueUrl=world.queue, MessageBody="tried again and again")
    }
    said = world.wait(first, second)
    assert world.seconds < 10
    assert "✓ 1 snapshot with 4 entries are in the tables" in said
    assert said.endswith(
        "FAILED: 1 of 2 snapshots are not in the tables: the transform function fails. The last error it logged:"
        " s3://raw/x failed: ClientError: AccessDenied: no. `./lake logs transform` shows the log. What was imported"
        " stays in raw."
    )


def test_a_dead_letter_ends_the_wait(world: World) -> None:
    [one] = imported(world)
    event = {"Records": [{"s3": {"bucket": {"name": "raw"}, "object": {"key": one.raw_key}}}]}
    world.sqs.send_message(QueueUrl=world.queue, MessageBody="of another snapshot")
    world.script = {
        7: lambda: world.sqs.send_message(QueueUrl=world.dead, MessageBody=json.dumps(event)),
        8: lambda: world.log(level="ERROR", message="It cannot be read."),
    }
    said = world.wait(one)
    assert world.seconds < 15
    assert (
        "FAILED: 1 of 1 snapshots are not in the tables: 1 went to TransformDeadLetters (`./lake redrive` shows them)."
        " The last error it logged: It cannot be read." in said
    )


def test_an_empty_queue_ends_the_wait_and_a_replay_is_named(world: World) -> None:
    [one] = imported(world)
    said = world.wait(one)
    assert world.seconds < import_wait.SETTLING_S + 15
    assert "no queue holds them." in said
    assert "`./lake replay --from 2020-05-17` rebuilds them." in said


def test_a_transform_that_does_nothing_is_not_waited_for_forever(world: World) -> None:
    [one] = imported(world)
    world.sqs.send_message(QueueUrl=world.queue, MessageBody="nobody takes it")
    said = world.wait(one)
    assert import_wait.STALL_S <= world.seconds < import_wait.STALL_S + 15
    assert "the function has finished none for 18" in said


def test_ctrl_c_says_that_the_rest_needs_no_command(world: World) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    first, second = imported(world, 2)
    world.transform(first)
    world.script = {2: interrupt}
    with pytest.raises(KeyboardInterrupt) as stopped:
        world.wait(first, second)
    assert stopped.value.__notes__ == [
        "1 of 2 snapshots are in the tables; the rest gets there without this command, and `./lake status` shows when."
    ]


def test_the_command_waits_for_what_it_imported_and_fails_if_that_is_in_vain(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "trip.json").write_bytes(as_json(playlist(entries(2), "Road Trip")))
    waited: list[set[SnapshotId]] = []

    def in_vain(_lake: Lake, _terminal: Terminal, snapshots: Any) -> None:
        waited.append(set(snapshots))
        raise OpsError("In vain.")

    one = SnapshotId(keys.import_time(datetime(2019, 5, 2, 10, tzinfo=UTC)), payloads.spotify_id("Road Trip"))
    names = [str(tmp_path), str(tmp_path / "nowhere.json")]
    with pytest.raises(OpsError) as failed:
        importing.run(world.lake, world.terminal, names, wait=in_vain)
    assert str(failed.value) == "1 file could not be used, or not all of it: see ✗ and ! above. In vain."
    with pytest.raises(OpsError, match=r"^In vain\.$"):
        importing.run(world.lake, world.terminal, names[:1], wait=in_vain)  # already there
    importing.run(world.lake, world.terminal, names[:1], wait=in_vain, dry_run=True)
    assert waited == [{one}, {one}]
