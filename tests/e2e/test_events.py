"""Every sample event, invoked on the deployed functions as it lies in events/."""

import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

import pytest

from cli.commands import forget
from local.spotify_stub import COLLECTED, FOLLOWED_PLAYLIST_ID, PLAYLISTS, SPOTIFY_MADE_PLAYLIST_ID
from local.stack import LaptopStack
from spotify_lake.keys import RAW_POLLS
from tests.support import plays
from tests.support.deployed import function_settings, put_raw
from tests.support.operated import Person, as_lake

EVENTS = Path(__file__).parents[2] / "events"
TOP_100, MORNING_TEN = PLAYLISTS["Top 100"], PLAYLISTS["Morning Ten"]


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def scheduled(stack: LaptopStack) -> LaptopStack:
    """The stack after events/scheduled.json, which writes the objects that the other events name."""
    answer = stack.invoke("extract", event("scheduled"))
    assert answer.error is None, answer.message
    assert set(answer.payload["written"] + answer.payload["already_there"]) == set(COLLECTED.values())
    assert answer.payload["scheduled_at"] == "2026-11-20T06:00:00Z"
    stack.wait_until_idle()
    return stack


def curated_of_the_day(stack: LaptopStack) -> list[Any]:
    result = stack.athena(
        "select playlist_id, count(*) from playlist_entries "
        "where snapshot_date = date '2026-11-20' group by playlist_id order by playlist_id"
    )
    return list(result.rows)


def test_a_single_playlist(scheduled: LaptopStack) -> None:
    answer = scheduled.invoke("extract", event("single-playlist"))
    assert answer.payload == {
        "scheduled_at": "2026-11-20T06:00:00Z",
        "written": [],
        "already_there": [TOP_100],
        "unchanged": [],
        "failed": [],
    }


def test_a_poll_writes_plays_once(stack: LaptopStack) -> None:
    bucket = stack.outputs["RawBucketName"]

    def written() -> list[str]:
        found = stack.client("s3").list_objects_v2(Bucket=bucket, Prefix=RAW_POLLS).get("Contents", [])
        return [one["Key"] for one in found]

    stack.set_stub_clock(dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC))
    answer = stack.invoke("extract", event("plays"))
    assert answer.error is None, answer.message
    assert (answer.payload["plays"], answer.payload["new"] > 40) == (50, True)
    assert written() == [answer.payload["key"]]
    assert stack.invoke("extract", event("plays")).payload == {"plays": 50, "new": 0}
    assert written() == [answer.payload["key"]]
    assert stack.wait_until_idle().is_clear
    assert stack.dead_letters() == {}


def test_plays_are_forgotten_and_an_export_stays(stack: LaptopStack) -> None:
    """A poll wrote its plays, in raw and in the tables; then a person wants them gone."""
    packed = plays.pack([plays.extended()])
    put_raw(stack, packed.key, packed.data)
    stack.set_stub_clock(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC))
    assert stack.invoke("extract", event("plays")).payload["new"] > 0
    stack.wait_until_idle()
    rows = "select source, count(*) from plays group by source order by source"
    assert [row[0] for row in stack.athena(rows).rows] == ["api", "extended"]
    person = Person()
    forget.run(as_lake(stack), person, yes=True, settling_s=3)
    assert "a query finds no row of a poll in any table" in person.saw
    assert list(stack.athena(rows).rows) == [("extended", 1)]
    assert forget.stored(as_lake(stack)) == []


@pytest.mark.parametrize("name", ["s3-put", "s3-via-sqs", "s3-test-event"])
def test_the_transform_takes_each_form(scheduled: LaptopStack, name: str) -> None:
    before = curated_of_the_day(scheduled)
    answer = scheduled.invoke("transform", event(name))
    assert answer.error is None, answer.message
    assert answer.payload == {"batchItemFailures": []}
    assert curated_of_the_day(scheduled) == before


def test_only_the_bad_record_of_a_batch_fails(scheduled: LaptopStack) -> None:
    batch = event("sqs-batch-with-bad-record")
    answer = scheduled.invoke("transform", batch)
    assert answer.payload == {"batchItemFailures": [{"itemIdentifier": batch["Records"][1]["messageId"]}]}


@pytest.mark.parametrize(
    "function, bad, named",
    [
        ("extract", {"scheduled_at": "soon"}, "soon"),
        ("extract", {"playlist_ids": ["nonsense"]}, "nonsense"),
        ("extract", {"playlists": []}, "playlists"),
        ("extract", [1], "list"),
        ("transform", {}, "Records"),
        ("transform", {"Records": [{"s3": {}}]}, "bucket"),
    ],
)
def test_an_event_that_cannot_be_used_says_so(
    stack: LaptopStack, function: str, bad: Any, named: str
) -> None:
    answer = stack.invoke(function, bad)
    assert answer.error == "Unhandled"
    assert "The event is not valid" in answer.message
    assert named in answer.message


def test_a_schedule_without_a_filled_in_time_means_now(stack: LaptopStack) -> None:
    answer = stack.invoke(
        "extract", {"scheduled_at": "<aws.scheduler.scheduled-time>", "playlist_ids": [MORNING_TEN]}
    )
    assert answer.error is None, answer.message
    assert answer.payload["written"] == [MORNING_TEN]
    assert answer.payload["scheduled_at"] > "2026"


def test_a_playlist_that_is_not_yours_is_explained_and_the_others_go_on(stack: LaptopStack) -> None:
    answer = stack.invoke(
        "extract",
        {
            "scheduled_at": "2026-10-05T06:00:00Z",
            "playlist_ids": [FOLLOWED_PLAYLIST_ID, SPOTIFY_MADE_PLAYLIST_ID, MORNING_TEN],
        },
    )
    assert answer.error is None, answer.message
    assert answer.payload["written"] == [MORNING_TEN]
    failed = {failure["playlist_id"]: failure for failure in answer.payload["failed"]}
    assert "Copy its songs into a playlist of your own" in failed[FOLLOWED_PLAYLIST_ID]["message"]
    assert "closed to new apps" in failed[SPOTIFY_MADE_PLAYLIST_ID]["message"]
    assert not any(failure["retryable"] for failure in failed.values())


@pytest.mark.parametrize(
    "function, setting, value",
    [
        ("extract", "PLAYLIST_IDS", ""),
        ("extract", "PLAYLIST_IDS", "https://open.spotify.com/album/6rqhFgbbKwnb9MLmUQDhG6"),
        ("extract", "SPOTIFY_API_URL", "api.spotify.com"),
        ("transform", "LAKE_BUCKET", " "),
    ],
)
def test_a_bad_setting_fails_the_first_invocation_with_a_sentence(
    scheduled: LaptopStack, function: str, setting: str, value: str
) -> None:
    sample = {"extract": "single-playlist", "transform": "s3-put"}[function]
    with function_settings(scheduled, function, {setting: value}):
        answer = scheduled.invoke(function, event(sample))
    assert answer.error == "Unhandled"
    assert answer.message.startswith(f"Setting {setting}=")
    assert "Accepted:" in answer.message


def test_without_credentials_the_failed_run_is_kept_for_a_person(stack: LaptopStack) -> None:
    """An asynchronous run, as the schedule starts it, ends in the failure queue with its sentence."""
    secrets, secret_id = stack.client("secretsmanager"), stack.outputs["SpotifySecretArn"]
    stored = secrets.get_secret_value(SecretId=secret_id)["SecretString"]
    secrets.put_secret_value(SecretId=secret_id, SecretString='{"client_id": ""}')
    try:
        stack.client("lambda").invoke(
            FunctionName=stack.outputs["ExtractFunctionName"],
            InvocationType="Event",
            Payload=json.dumps(event("scheduled")),
        )
        message = wait_for_message(stack, "ExtractFailuresUrl")
    finally:
        secrets.put_secret_value(SecretId=secret_id, SecretString=stored)
    failure = json.loads(message)
    assert failure["requestPayload"] == event("scheduled")
    assert "No Spotify credentials" in failure["responsePayload"]["errorMessage"]
    assert "./lake login" in failure["responsePayload"]["errorMessage"]


def wait_for_message(stack: LaptopStack, queue: str) -> str:
    """Take one message from a queue, as soon as there is one."""
    sqs, url = stack.client("sqs"), stack.outputs[queue]
    deadline = time.monotonic() + 60
    while not (messages := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")):
        assert time.monotonic() < deadline, f"no message came to {queue}"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])
    body: str = messages[0]["Body"]
    return body
