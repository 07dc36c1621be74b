"""`./lake forget plays --source api`, against moto: everything of the polls goes, and nothing else."""

import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from cli.commands import forget
from cli.stack import Lake, OpsError
from cli.terminal import Terminal
from spotify_lake import keys
from spotify_lake.raw.store import RawObject
from spotify_lake.schema.listening import LISTENING_TABLES
from spotify_lake.transform import run as transforming
from spotify_lake.transform.listening import ListeningWriter
from tests.support import plays
from tests.support.operated import lake as command

DAYS = [datetime(2026, 10, 31, 23, 30, tzinfo=UTC), datetime(2026, 11, 20, 6, tzinfo=UTC)]
FOREIGN = ("raw/playlist_id=x/20261120T060000Z.json.gz", "state/extract.json", "state/plays.json.bak")


class Clock:
    """Time passes while somebody sleeps; `meanwhile` is what others do, one for each sleep."""

    def __init__(self, *meanwhile, pace=1):
        self.now = 0.0
        self.pace = pace
        self.meanwhile = list(meanwhile)

    def sleep(self, seconds):
        self.now += seconds * self.pace
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def __call__(self):
        return self.now


class Athena:
    """Counts the rows of polls in the Parquet objects that are there, as the query does."""

    def __init__(self, lake):
        self.lake = lake

    def run(self, sql):
        assert sql == forget.LEFT
        found = [one for one in forget.stored(self.lake) if keys.is_of_polls(one.key)]
        return SimpleNamespace(rows=((len(found),),))


@pytest.fixture
def lake(monkeypatch):
    """A lake with plays of an export and of polls, in raw and in the tables, and with older versions in raw."""
    with mock_aws():
        s3, sqs, scheduler = boto3.client("s3"), boto3.client("sqs"), boto3.client("scheduler")
        for bucket in ("raw", "lake"):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
        scheduler.create_schedule(
            Name="spotify-lake-plays",
            Description="Asks for the last plays.",
            State="ENABLED",
            ScheduleExpression="rate(30 minutes)",
            ScheduleExpressionTimezone="Europe/Berlin",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:lambda:us-east-1:123456789012:function:extract",
                "RoleArn": "arn:aws:iam::123456789012:role/schedule",
                "Input": '{"plays": true}',
                "RetryPolicy": {"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 1800},
            },
        )
        found = Lake(
            on_laptop=False,
            stack="spotify-lake",
            account="123456789012",
            region="us-east-1",
            outputs={
                "RawBucketName": "raw",
                "LakeBucketName": "lake",
                "TransformQueueUrl": sqs.create_queue(QueueName="transform")["QueueUrl"],
                "ExtractFailuresUrl": sqs.create_queue(QueueName="failures")["QueueUrl"],
                "ScheduleDeadLettersUrl": sqs.create_queue(QueueName="undelivered")["QueueUrl"],
                "PlaysScheduleName": "spotify-lake-plays",
                "DatabaseName": "spotify_lake",
            },
            parameters={"ListeningSchedule": "rate(30 minutes)"},
            client=cache(boto3.client),
        )
        monkeypatch.setattr(forget, "connect", Athena)
        monkeypatch.setattr(forget, "find", lambda **_: found)
        packed = plays.pack([plays.extended(), 7])
        transform(found, packed.key, packed.data)
        for moment in DAYS:
            poll(found, moment)
        s3.put_object(Bucket="raw", Key=keys.PLAYS_STATE, Body=b"{}")
        s3.put_object(Bucket="raw", Key=keys.PLAYS_STATE, Body=b'{"plays":[]}')
        s3.delete_object(
            Bucket="raw", Key=keys.raw_poll_key(DAYS[0])
        )  # by hand: a delete marker and the old version
        for key in FOREIGN:
            s3.put_object(Bucket="raw", Key=key, Body=gzip.compress(b"{}"))
        yield found


def transform(lake, key, data):
    s3 = lake.client("s3")
    s3.put_object(Bucket="raw", Key=key, Body=data)
    assert ListeningWriter(s3, "lake").transform(RawObject("raw", key, None), data, None)


def poll(lake, moment):
    data = plays.poll(moment, [plays.recent(f"{moment:%Y-%m-%dT%H:%M}:01Z"), 7])
    transform(lake, keys.raw_poll_key(moment), data)


def everything(lake):
    return {
        (bucket, one["Key"])
        for bucket in ("raw", "lake")
        for page in lake.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket)
        for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    }


def of_the_api(lake):
    return {(bucket, key) for bucket, key in everything(lake) if "/api" in key or key == keys.PLAYS_STATE}


def run(lake, *answers, clock=None, yes=False, settling_s: float | None = 10.0):
    answers, output = list(answers), io.StringIO()

    def read(_prompt):
        if not answers:
            raise EOFError
        return answers.pop(0)

    clock = clock or Clock()
    terminal = Terminal(Console(file=output, width=300), read=read)
    forget.run(lake, terminal, yes=yes, settling_s=settling_s, sleep=clock.sleep, clock=clock)
    return output.getvalue()


def state(lake):
    return lake.client("scheduler").get_schedule(Name="spotify-lake-plays")


def test_everything_of_the_polls_goes_and_nothing_else(lake):
    before = everything(lake)
    gone = of_the_api(lake)
    # A raw object and a marker, another raw object, two versions of the state; each day has an object in each table.
    assert len({key for _, key in gone}) == 2 + 1 + 2 * len(LISTENING_TABLES)
    saw = run(lake, "yes")
    assert everything(lake) == before - gone
    assert {key for _, key in everything(lake)} >= set(FOREIGN)
    for words in (
        "Polls                  2, 2026-10-31 to 2026-11-20",
        "Raw objects and state  5 objects, all versions counted",
        "Objects of tables      6 objects",
        "Schedule               enabled, spotify-lake-plays",
        "11 objects deleted, every version; a query finds no row of a poll in any table",
    ):
        assert words in saw


def test_the_schedule_is_switched_off_and_otherwise_stays(lake):
    before = state(lake)
    saw = run(lake, yes=True)
    after = state(lake)
    assert (before["State"], after["State"]) == ("ENABLED", "DISABLED")
    same = ("ScheduleExpression", "ScheduleExpressionTimezone", "Target", "Description", "FlexibleTimeWindow")
    assert [after[name] for name in same] == [before[name] for name in same]
    assert "ListeningSchedule is still rate(30 minutes)" in saw


def test_it_waits_for_the_last_time_that_lambda_starts_a_failed_poll_again(lake):
    clock = Clock(pace=20)
    run(lake, yes=True, clock=clock, settling_s=None)
    # The scheduler's minute, three polls of a minute, Lambda's pauses of one and two minutes.
    assert clock.now >= 60 + 3 * 60 + 60 + 120
    before = clock.now
    run(lake, yes=True, clock=clock, settling_s=None)
    assert clock.now - before >= 7 * 60, "it was switched off just now"


def test_a_schedule_that_has_been_off_needs_only_the_time_of_one_poll(lake, monkeypatch):
    off = {"State": "DISABLED", "LastModificationDate": datetime.now(UTC) - timedelta(days=1)}
    monkeypatch.setattr(forget, "_schedule", lambda _lake: off)
    clock = Clock(pace=5)
    run(lake, yes=True, clock=clock, settling_s=None)
    assert 60 < clock.now < 120


def test_failed_polls_are_not_there_to_be_redriven(lake):
    """Nor are runs of playlists lost, or what nobody understands."""
    sqs = lake.client("sqs")
    poll_event = {"plays": True, "scheduled_at": "2026-11-20T06:00:00Z"}
    playlists = {"scheduled_at": "2026-11-20T06:00:00Z"}
    failures, undelivered = (lake.output(f"{name}Url") for name in ("ExtractFailures", "ScheduleDeadLetters"))
    for event in (poll_event, playlists, *[poll_event] * 11):
        sqs.send_message(QueueUrl=failures, MessageBody=json.dumps({"requestPayload": event}))
    for body in (json.dumps(poll_event), json.dumps(playlists), "?"):
        sqs.send_message(QueueUrl=undelivered, MessageBody=body)
    saw = run(lake, yes=True)
    assert "The dead letters of 13 failed polls are deleted" in saw
    left = {
        message["Body"]
        for url in (failures, undelivered)
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    }
    assert left == {json.dumps({"requestPayload": playlists}), json.dumps(playlists), "?"}
    assert "dead letters of" not in run(lake, yes=True)


def test_a_redriven_event_of_a_deleted_poll_brings_nothing_back(lake):
    run(lake, yes=True)
    before = everything(lake)
    s3 = lake.client("s3")
    records = [
        {
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "raw"}, "object": {"key": keys.raw_poll_key(at)}},
        }
        for at in DAYS
    ]
    writer = ListeningWriter(s3, "lake")
    transforming.transform({"Records": records}, s3, unexpected, unexpected, writer.transform)
    assert everything(lake) == before


def unexpected(*_arguments):
    raise AssertionError("no playlist is in the event")


@pytest.mark.parametrize("answer", ["no", ""])
def test_no_is_no(lake, answer):
    before = everything(lake)
    assert "Nothing was deleted." in run(lake, answer)
    assert everything(lake) == before
    assert state(lake)["State"] == "ENABLED"


def test_a_script_without_yes_deletes_nothing(lake):
    before = everything(lake)
    with pytest.raises(OpsError, match=r"Use --yes to delete without asking\. Nothing was deleted\."):
        run(lake)
    assert everything(lake) == before
    assert state(lake)["State"] == "ENABLED"


def test_a_poll_that_ends_after_the_deletion_is_deleted_too(lake):
    late = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)

    def poll_ends():
        lake.client("s3").put_object(Bucket="raw", Key=keys.PLAYS_STATE, Body=b'{"plays":["x"]}')
        poll(lake, late)

    saw = run(lake, yes=True, clock=Clock(lambda: None, lambda: None, poll_ends))
    assert of_the_api(lake) == set()
    assert "16 objects deleted" in saw  # five more: raw, state, and one in each table


def test_nothing_is_deleted_before_the_queue_is_empty(lake):
    sqs, url = lake.client("sqs"), lake.output("TransformQueueUrl")
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    [waiting] = sqs.receive_message(QueueUrl=url)["Messages"]  # a transform is at work on it
    there = []

    def look():
        there.append(len(of_the_api(lake)))

    def finish():
        look()
        sqs.delete_message(QueueUrl=url, ReceiptHandle=waiting["ReceiptHandle"])

    all_of_it = len(of_the_api(lake))
    run(lake, yes=True, clock=Clock(look, look, finish, look))
    assert there == [all_of_it, all_of_it, all_of_it, 0]


def test_a_queue_that_never_empties_is_reported(lake):
    lake.client("sqs").send_message(QueueUrl=lake.output("TransformQueueUrl"), MessageBody="{}")
    with pytest.raises(OpsError, match=r"still not empty.* 0 objects were deleted\. The polls stay off"):
        run(lake, yes=True)
    assert state(lake)["State"] == "DISABLED"


def test_rows_that_a_query_still_finds_are_an_error(lake, monkeypatch):
    rows = SimpleNamespace(run=lambda _sql: SimpleNamespace(rows=((3,),)))
    monkeypatch.setattr(forget, "connect", lambda _lake: rows)
    with pytest.raises(OpsError, match="A query still finds 3 rows of polls"):
        run(lake, yes=True)


def test_a_refused_deletion_is_reported(lake, monkeypatch):
    refusal = {"Errors": [{"Key": "raw/plays/api/x", "Message": "Access Denied"}]}
    monkeypatch.setattr(lake.client("s3"), "delete_objects", lambda **_: refusal)
    with pytest.raises(
        OpsError, match=r"s3://lake/raw/plays/api/x: Access Denied\. You need s3:DeleteObjectVersion"
    ):
        run(lake, yes=True)


@pytest.mark.parametrize("source", ["extended", "account", "API"])
def test_other_sources_are_refused(lake, source, capsys):
    before = everything(lake)
    assert command("forget", "plays", "--source", source, "--yes") == 1
    assert "Only the plays from the Web API can be forgotten, with --source api" in capsys.readouterr().err
    assert everything(lake) == before


@pytest.mark.parametrize("arguments", [("plays",), ("playlists", "--source", "api"), ("--source", "api")])
def test_what_to_forget_has_to_be_named(arguments, capsys):
    assert command("forget", *arguments) == 2
    capsys.readouterr()


def test_forgetting_twice_finds_nothing(lake):
    run(lake, yes=True)
    saw = run(lake, yes=True)
    assert "Schedule               disabled" in saw
    assert "0 objects deleted" in saw
