"""What an operator does: status, redrive and replay, against moto."""

import contextlib
import io
import itertools
import json
import re
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from urllib.parse import quote_plus

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws
from rich.console import Console

from cli import objects, playlists
from cli.commands import redrive, replay, status
from cli.playlists import PlaylistStatus
from cli.stack import Lake, OpsError
from cli.terminal import Terminal
from spotify_lake import keys
from spotify_lake.bulk import arrival
from spotify_lake.keys import SnapshotId
from spotify_lake.raw.plays import pack_library
from spotify_lake.raw.store import RawObject
from spotify_lake.schema.playlists import TABLES
from spotify_lake.transform.listening import ListeningWriter
from tests.support import hostile, payloads, plays
from tests.support.operated import lake as command

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
TOP, QUIET = payloads.spotify_id("top"), payloads.spotify_id("quiet")
PARAMETERS = {
    "LakeName": "spotify-lake",
    "PlaylistIds": "owned",
    "ScheduleExpression": "cron(0 6 * * ? *)",
    "ScheduleTimezone": "UTC",
    "ScheduleState": "ENABLED",
    "StaleAfterHours": "26",
}
SECRET = {
    "client_id": "id",
    "client_secret": "secret",
    "refresh_token": "token",
    "authorized_at": "2026-11-20T06:00:00Z",
}
QUEUES = {
    "TransformQueueUrl": "transform",
    "TransformDeadLettersUrl": "transform-dead-letters",
    "ExtractFailuresUrl": "extract-failures",
    "ScheduleDeadLettersUrl": "schedule-dead-letters",
    "ReportFailuresUrl": "report-failures",
}


class FakeLambda:
    """Remembers the events it was started with; `refuses` as many of them."""

    def __init__(self):
        self.events = []
        self.functions = []
        self.refuses = False

    def invoke(self, *, FunctionName, InvocationType, Payload):
        assert InvocationType == "Event"
        self.functions.append(FunctionName)
        if self.refuses:
            raise ConnectionError("no answer")
        self.events.append(json.loads(Payload))

    def get_function_configuration(self, *, FunctionName):
        assert FunctionName == "spotify-lake-extract"
        return {"LoggingConfig": {"LogGroup": "/aws/lambda/extract"}}


@pytest.fixture
def lake():
    """A deployed lake without data."""
    with mock_aws():
        s3, sqs = boto3.client("s3"), boto3.client("sqs")
        for bucket in ("raw", "lake"):
            s3.create_bucket(Bucket=bucket)
        outputs = {
            output: sqs.create_queue(QueueName=f"spotify-lake-{name}")["QueueUrl"]
            for output, name in QUEUES.items()
        }
        secrets, glue = boto3.client("secretsmanager"), boto3.client("glue")
        secret = secrets.create_secret(Name="spotify-lake/spotify", SecretString=json.dumps(SECRET))
        glue.create_database(DatabaseInput={"Name": "spotify_lake"})
        glue.create_crawler(
            Name="spotify-lake",
            Role="role",
            DatabaseName="spotify_lake",
            Targets={"S3Targets": [{"Path": "s3://lake/curated/songs/"}]},
        )
        for job in arrival.JOBS:
            glue.create_job(Name=f"spotify-lake-{job}", Role="role", Command={"Name": "glueetl"})
        boto3.client("scheduler").create_schedule_group(Name="spotify-lake-continuations")
        boto3.client("logs").create_log_group(logGroupName="/aws/lambda/spotify-lake-transform")
        functions = FakeLambda()
        yield Lake(
            on_laptop=False,
            stack="spotify-lake",
            account="123456789012",
            region="us-east-1",
            outputs=outputs
            | {
                "RawBucketName": "raw",
                "LakeBucketName": "lake",
                "SpotifySecretArn": secret["ARN"],
                "CrawlerName": "spotify-lake",
                "ChartsJobName": "spotify-lake-charts",
                "Kaggle2023JobName": "spotify-lake-kaggle2023",
                "ExtractFunctionName": "spotify-lake-extract",
                "TransformFunctionName": "spotify-lake-transform",
                "ReportFunctionName": "spotify-lake-report",
                "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:spotify-lake-alarms",
            },
            parameters=dict(PARAMETERS),
            client=cache(lambda service: functions if service == "lambda" else boto3.client(service)),
        )


class Person:
    """Sits at the terminal, and answers as given."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.output = io.StringIO()
        self.terminal = Terminal(Console(file=self.output, width=200), read=self.read)

    def read(self, prompt):
        if not self.answers:
            raise EOFError
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def saw(self):
        return self.output.getvalue()


def put_raw(lake, *snapshots):
    for snapshot in snapshots:
        lake.client("s3").put_object(Bucket="raw", Key=snapshot.raw_key, Body=b"raw")


def transform(lake, snapshot, name="A list"):
    table = pa.table({"name": [name], "entry_count": pa.array([7], pa.int32()), "url": ["u"]})
    body = io.BytesIO()
    pq.write_table(table, body)
    lake.client("s3").put_object(Bucket="lake", Key=objects.done_key(snapshot), Body=body.getvalue())


def put_whole(lake, snapshot, name="A list", entries=7, without=()):
    """Put a raw object and what the transform makes of it, without some tables."""
    s3 = lake.client("s3")
    items = [payloads.entry(payloads.song(f"t{number}")) for number in range(entries)]
    body = payloads.raw_object(
        items, playlist_object=payloads.playlist(id=snapshot.playlist_id), scheduled_at=snapshot.scheduled_at
    )
    s3.put_object(Bucket="raw", Key=snapshot.raw_key, Body=body)
    for table in TABLES:
        if table.name not in without:
            rows = {"playlist_entries": entries, "rejects": 0}.get(table.name, 1)
            file = io.BytesIO()
            pq.write_table(pa.table({"name": [name] * rows, "entry_count": pa.array([entries] * rows)}), file)
            key = keys.curated_key(table.prefix, snapshot.playlist_id, snapshot.scheduled_at)
            s3.put_object(Bucket="lake", Key=key, Body=file.getvalue())


def log(lake, *lines):
    """Have the extract function log lines: seconds before now, message and other fields."""
    logs, group = lake.client("logs"), "/aws/lambda/extract"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = datetime.now(UTC)
    events = [
        {
            "timestamp": int((now - timedelta(seconds=ago)).timestamp() * 1000),
            "message": json.dumps({"message": message, **fields}),
        }
        for ago, message, fields in lines
    ]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def messages(lake, output):
    sqs, url, found = lake.client("sqs"), lake.output(output), []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in batch]
    return found


def send(lake, output, body, **attributes):
    lake.client("sqs").send_message(
        QueueUrl=lake.output(output),
        MessageBody=body if isinstance(body, str) else json.dumps(body),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def days(playlist, first, number):
    return [SnapshotId(first + timedelta(days=n), playlist) for n in range(number)]


class TestStatus:
    def lines(self, lake):
        return {line.name: line for line in status.gather(lake, NOW).lines}

    def test_a_healthy_lake(self, lake):
        today = SnapshotId(NOW.replace(hour=6, minute=0), TOP)
        for one in [*days(TOP, today.scheduled_at - timedelta(days=3), 3), today]:
            put_whole(lake, one, "Top 100")
        log(lake, (60, "Snapshot written", {}))
        found = status.gather(lake, NOW)
        assert found.playlists == [PlaylistStatus(TOP, today.scheduled_at, "Top 100", 7, in_tables=True)]
        lines = {line.name: line for line in found.lines}
        assert lines["Freshness"].text.startswith("newest snapshot ")
        assert lines["Tables"].text == (
            "4 snapshots of the last 45 days are in every table, the newest of each playlist with all entries"
        )
        assert lines["Daily run"].text == "next at 2026-11-22 06:00 UTC"
        assert lines["Sign-in"].text.startswith("180 days left, until 2027-05-20; last accepted ")
        assert lines["Dead letters"].text == "none"
        assert lines["Crawler"].text == "has not run yet"
        assert lines["Continuations"].text == "none planned"
        assert lines["Alarms"].text == "none"
        assert not [line for line in found.lines if line.is_good is False]
        assert {name for name, line in lines.items() if line.is_good} >= {"Freshness", "Tables", "Sign-in"}

        shown = io.StringIO()
        Console(file=shown, width=100).print(status.render(found))
        assert "Top 100" in shown.getvalue()
        assert "4 h" in shown.getvalue()

    def test_a_lake_from_before_a_job(self, lake):
        lake.client("glue").delete_job(JobName="spotify-lake-forecast")
        line = self.lines(lake)["Job forecast"]
        assert (line.text, line.is_good) == ("not in this lake yet: deploy it again", None)

    @pytest.mark.parametrize("table", [table.name for table in TABLES])
    def test_an_object_that_is_missing_in_any_table(self, lake, table):
        """The tables say yes only if each of them was looked at."""
        first, second = days(TOP, NOW - timedelta(days=2), 2)
        put_whole(lake, first, without=[table])
        put_whole(lake, second)
        found = status.gather(lake, NOW)
        [line] = [line for line in found.lines if line.name == "Tables"]
        assert line.is_good is False
        assert line.text == (
            f"1 of 2 snapshots of the last 45 days are not in every table (missing in {table} 1):"
            " `./lake replay --from 2026-11-19` rebuilds them"
        )
        assert found.playlists[0].in_tables

        put_whole(lake, first)
        put_whole(lake, replace(second, playlist_id=QUIET), without=[table])
        [quiet] = [one for one in status.gather(lake, NOW).playlists if one.playlist_id == QUIET]
        assert (quiet.in_tables, quiet.problem) == (False, f"not in {table}")

    def test_entries_that_are_missing_in_the_tables(self, lake):
        one = SnapshotId(NOW, TOP)
        put_whole(lake, one, "Top 100", entries=3)
        table = pa.table({"name": ["x"] * 2})
        file = io.BytesIO()
        pq.write_table(table, file)
        key = keys.curated_key("curated/playlist_entries/", TOP, NOW)
        lake.client("s3").put_object(Bucket="lake", Key=key, Body=file.getvalue())
        assert status.gather(lake, NOW).playlists == [
            PlaylistStatus(TOP, NOW, "Top 100", 3, in_tables=False, problem="2 of 3 entries")
        ]
        assert self.lines(lake)["Tables"].text.startswith(
            "the newest snapshot is not right (Top 100: 2 of 3 entries)"
        )

    def test_a_raw_object_that_cannot_be_read_leaves_the_playlist_its_name(self, lake):
        before, now = days(TOP, NOW - timedelta(days=1), 2)
        put_whole(lake, before, "Top 100")
        put_raw(lake, now)
        assert status.gather(lake, NOW).playlists == [
            PlaylistStatus(TOP, NOW, "Top 100", 7, in_tables=False, problem="the raw object cannot be read")
        ]

    def test_no_replay_is_suggested_for_a_raw_object_that_cannot_be_read(self, lake):
        damaged, misplaced, behind, last = days(TOP, NOW - timedelta(days=3), 4)
        put_raw(lake, damaged)
        put_whole(lake, last)
        whole = "of 2 snapshots of the last 45 days are not in every table"
        every = ", ".join(f"{table.name} 1" for table in TABLES)
        assert self.lines(lake)["Tables"].text == (
            f"1 {whole} (missing in {every}): 1 cannot be rebuilt, as the raw object cannot be read, for example"
            f" {damaged.raw_key}: see A raw object cannot be read in docs/runbook.md"
        )
        s3 = lake.client("s3")
        body = s3.get_object(Bucket="raw", Key=last.raw_key)["Body"].read()
        s3.put_object(Bucket="raw", Key=misplaced.raw_key, Body=body)
        put_whole(lake, behind, without=["songs"])
        text = self.lines(lake)["Tables"].text
        assert (
            f"2 cannot be rebuilt, as the raw object cannot be read, for example {misplaced.raw_key}" in text
        )
        assert text.endswith(f"`./lake replay --from {behind.scheduled_at.date()}` rebuilds the others")

    def test_a_lake_without_anything(self, lake):
        found = status.gather(lake, NOW)
        assert found.playlists == []
        shown = io.StringIO()
        Console(file=shown, width=100).print(status.render(found))
        assert "no snapshot yet" in shown.getvalue()

    def test_an_import_makes_no_lake_fresh(self, lake):
        recorded = SnapshotId(NOW - timedelta(days=5), TOP)
        imports = [
            SnapshotId(keys.import_time(NOW - timedelta(hours=1)), playlist) for playlist in (TOP, QUIET)
        ]
        put_raw(lake, recorded, *imports)
        transform(lake, imports[1], "Old list")
        found = status.gather(lake, NOW)
        assert [(one.playlist_id, one.newest, one.is_imported) for one in found.playlists] == [
            (TOP, recorded.scheduled_at, False),
            (QUIET, imports[1].scheduled_at, True),
        ]
        (freshness,) = [line for line in found.lines if line.name == "Freshness"]
        assert (freshness.is_good, "5 d old" in freshness.text) == (False, True)

    def test_playlists_that_lag_come_first(self, lake):
        lake.parameters["PlaylistIds"] = f"{TOP},{payloads.spotify_id('never')}"
        old = SnapshotId(NOW - timedelta(days=400), QUIET)
        fresh = SnapshotId(NOW - timedelta(hours=4), TOP)
        put_whole(lake, old)
        put_whole(lake, fresh, without=[table.name for table in TABLES])
        assert [
            (one.playlist_id, one.newest, one.in_tables) for one in status.gather(lake, NOW).playlists
        ] == [
            (payloads.spotify_id("never"), None, False),
            (QUIET, old.scheduled_at, True),
            (TOP, fresh.scheduled_at, False),
        ]

    @pytest.mark.parametrize(
        "secret, is_good, text",
        [
            (None, False, "No Spotify credentials"),
            (
                {"authorized_at": "2026-06-01T00:00:00Z"},
                False,
                "10 days left, until 2026-12-01: run `./lake login`",
            ),
            ({"authorized_at": "2026-01-01T00:00:00Z"}, False, "ended on 2026-07-01: run `./lake login`"),
            ({"refresh_token": None}, False, "as the app only, which owns no playlists: every run fails"),
            ({"authorized_at": None}, None, "of unknown age"),
            ({}, None, "180 days left, until 2027-05-20; no run has used it yet"),
        ],
    )
    def test_the_sign_in(self, lake, secret, is_good, text):
        value = "{}" if secret is None else json.dumps(SECRET | secret)
        lake.client("secretsmanager").put_secret_value(
            SecretId=lake.output("SpotifySecretArn"), SecretString=value
        )
        line = self.lines(lake)["Sign-in"]
        assert line.is_good is is_good
        assert line.text.startswith(text)

    def test_an_app_only_sign_in_for_named_playlists_is_fine(self, lake):
        lake.parameters["PlaylistIds"] = TOP
        secret = json.dumps(SECRET | {"refresh_token": None, "authorized_at": None})
        lake.client("secretsmanager").put_secret_value(
            SecretId=lake.output("SpotifySecretArn"), SecretString=secret
        )
        log(lake, (60, "Snapshot written", {}))
        line = self.lines(lake)["Sign-in"]
        assert line.text.startswith("as the app only, which does not expire; last accepted ")
        assert line.is_good

    @pytest.mark.parametrize(
        "error_name, message",
        [
            ("SignInExpired", "Spotify no longer accepts the sign-in (invalid_grant)."),
            ("SpotifyRefused", "Spotify refused: the app's sign-in was not accepted (invalid_client)."),
        ],
    )
    def test_the_last_sign_in_is_what_counts(self, lake, error_name, message):
        refused = (f"The run stopped: {message}", {"error_name": error_name})
        log(lake, (120, "Snapshot written", {}), (60, *refused))
        line = self.lines(lake)["Sign-in"]
        assert line.is_good is False
        assert line.text.endswith(f"UTC: {message} Run `./lake login`")

    def test_a_refusal_before_the_last_consent_is_history(self, lake):
        refused = ("The run stopped: no.", {"error_name": "SignInExpired"})
        log(lake, (120, *refused), (60, "Snapshot written", {}))
        assert self.lines(lake)["Sign-in"].is_good
        secret = SECRET | {"authorized_at": (datetime.now(UTC) - timedelta(seconds=30)).isoformat()}
        lake.client("secretsmanager").put_secret_value(
            SecretId=lake.output("SpotifySecretArn"), SecretString=json.dumps(secret)
        )
        assert "no run has used it yet" in self.lines(lake)["Sign-in"].text

    @pytest.mark.parametrize(
        "parameters, scopes, missing",
        [
            ({}, "playlist-read-private", None),
            ({"PlaylistIds": "owned,liked", "Library": "on", "ListeningSchedule": "rate(1 hour)"}, "", None),
            (
                {"PlaylistIds": "owned,liked"},
                "playlist-read-private",
                r"your Liked Songs \(user-library-read\)",
            ),
            (
                {"ListeningSchedule": "rate(1 hour)"},
                "user-library-read",
                r"lately \(user-read-recently-played\)",
            ),
            ({"Library": "on"}, "user-library-read", r"the artists that you follow \(user-follow-read\)"),
        ],
    )
    def test_permissions(self, lake, parameters, scopes, missing):
        lake.parameters.update(parameters)
        lake.client("secretsmanager").put_secret_value(
            SecretId=lake.output("SpotifySecretArn"), SecretString=json.dumps(SECRET | {"scopes": scopes})
        )
        line = self.lines(lake).get("Permissions")
        if missing is None:
            assert line is None
        else:
            assert re.search(missing, line.text)
            assert "run `./lake login`" in line.text
            assert line.is_good is False

    def test_polls(self, lake):
        assert "Plays" not in self.lines(lake)
        lake.parameters["ListeningSchedule"] = "rate(30 minutes)"
        assert self.lines(lake)["Plays"].text == "no poll yet; the schedule is rate(30 minutes)"
        log(
            lake,
            (7300, "The plays are left to the next poll: x.", {}),
            (3650, "Plays polled", {"new": 3, "plays": 50}),
        )
        line = self.lines(lake)["Plays"]
        assert line.text.endswith(" ago: 3 new of 50")
        assert line.is_good

    def test_a_poll_that_was_turned_away_is_told(self, lake):
        lake.parameters["ListeningSchedule"] = "rate(30 minutes)"
        message = "The plays are left to the next poll: The app's Spotify quota is used up."
        log(lake, (7300, "Plays polled", {"new": 3, "plays": 50}), (60, message, {}))
        line = self.lines(lake)["Plays"]
        assert line.text.endswith(message)
        assert line.is_good is False

    def test_what_is_wrong_is_told(self, lake):
        send(lake, "TransformQueueUrl", "{}")
        send(lake, "ExtractFailuresUrl", "{}")
        send(lake, "ExtractFailuresUrl", "{}")
        alarm = {
            "Namespace": "n",
            "MetricName": "m",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0.0,
            "ComparisonOperator": "GreaterThanThreshold",
        }
        cloudwatch = lake.client("cloudwatch")
        for name, topic in (("stale", lake.output("AlarmTopicArn")), ("two-stale", "arn:of:another-lake")):
            cloudwatch.put_metric_alarm(AlarmName=f"spotify-lake-{name}", AlarmActions=[topic], **alarm)
            cloudwatch.set_alarm_state(
                AlarmName=f"spotify-lake-{name}", StateValue="ALARM", StateReason="a test"
            )
        lake.client("scheduler").create_schedule(
            Name="20261121T060000Z-1-0123456789abcdef",
            GroupName="spotify-lake-continuations",
            ScheduleExpression="at(2026-11-21T12:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
                "RoleArn": "arn:aws:iam::123456789012:role/r",
                "Input": json.dumps(
                    {"scheduled_at": "2026-11-21T06:00:00Z", "continuation": 1, "playlist_ids": [TOP, QUIET]}
                ),
            },
        )
        lines = self.lines(lake)
        assert lines["Transform queue"].text.startswith("1 waiting")
        assert lines["Dead letters"].text == "2 in ExtractFailures: `./lake redrive` shows them"
        assert lines["Alarms"].text == "stale: see docs/runbook.md"
        assert lines["Continuations"].text == (
            f"the run of 2026-11-21T06:00:00Z resumes at 2026-11-21 12:00:00 UTC with {TOP}, {QUIET}"
        )
        assert lines["Freshness"].text == "no snapshot yet"
        wrong = [name for name, line in lines.items() if line.is_good is False]
        assert wrong == ["Freshness", "Dead letters", "Alarms"]

    def test_looking_changes_nothing(self, lake):
        send(lake, "TransformDeadLettersUrl", "x")
        status.gather(lake, NOW)
        assert messages(lake, "TransformDeadLettersUrl") == ["x"]


RAW = SnapshotId(NOW, TOP)
RUN = {"scheduled_at": "2026-11-21T06:00:00Z"}
FAILED_RUN = {
    "requestContext": {"condition": "RetriesExhausted"},
    "requestPayload": RUN,
    "responsePayload": {
        "errorType": "SignInExpired",
        "errorMessage": "Spotify no longer accepts the sign-in.",
    },
}


class TestNames:
    def test_playlists_are_named_by_name_id_or_link(self, lake):
        put_whole(lake, SnapshotId(NOW, TOP), "Top, 100")
        put_whole(lake, SnapshotId(NOW, QUIET), "Quiet")
        assert playlists.with_names(lake, "top, 100", NOW) == (TOP,)
        assert playlists.with_names(lake, f"Quiet, spotify:playlist:{TOP}", NOW) == (QUIET, TOP)
        assert playlists.with_names(lake, TOP, NOW) == (TOP,)
        assert playlists.with_names(lake, "owned", NOW) is None
        with pytest.raises(
            OpsError, match=r"No playlist of the lake is called Loud. There are Quiet, Top, 100"
        ):
            playlists.with_names(lake, "Loud", NOW)

    def test_a_name_of_several_playlists_is_not_enough(self, lake):
        put_whole(lake, SnapshotId(NOW, TOP), "Mix")
        put_whole(lake, SnapshotId(NOW, QUIET), "Mix")
        with pytest.raises(OpsError, match=rf"Several playlists are called Mix: .*{TOP}.*Give the id"):
            playlists.with_names(lake, "Mix", NOW)


def test_a_hostile_name_is_shown_by_every_command_and_obeyed_by_none(lake):
    put_raw(lake, RAW)
    transform(lake, RAW, hostile.NAME)
    key = f"raw/playlist_id={hostile.NAME}/x.json.gz"
    record = {"s3": {"bucket": {"name": "raw"}, "object": {"key": quote_plus(key)}}}
    send(lake, "TransformDeadLettersUrl", {"Records": [record]})
    send(lake, "ExtractFailuresUrl", FAILED_RUN | {"responsePayload": {"errorMessage": hostile.NAME}})
    send(lake, "ScheduleDeadLettersUrl", "hostile \u202e\x85")
    person = Person("no")
    person.terminal.show(status.render(status.gather(lake, NOW)))
    redrive.run(lake, person.terminal)
    assert hostile.obeyed(person.saw) == set()
    assert person.saw.count(hostile.VISIBLE[:20]) == 3, "in status, in the key, in the error"


class TestRedrive:
    def test_shows_what_failed_how_often_since_when_and_why(self, lake):
        logs, group = lake.client("logs"), "/aws/lambda/spotify-lake-transform"
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        line = {
            "level": "ERROR",
            "message": f"The raw object s3://raw/{RAW.raw_key} cannot be read: it is not gzip",
        }
        for _ in range(2):
            send(lake, "TransformDeadLettersUrl", replay.s3_event("raw", RAW))
        stamp = int(datetime.now(UTC).timestamp() * 1000)
        events = [{"timestamp": stamp, "message": text} for text in ("REPORT", json.dumps(line))]
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
        send(lake, "ExtractFailuresUrl", FAILED_RUN)
        person = Person("no")
        redrive.run(lake, person.terminal)
        assert f"{RAW.raw_key}  (since {datetime.now(UTC):%Y-%m-%d}" in person.saw
        assert "2 times)" in person.saw
        assert "it is not gzip" in person.saw
        assert "run of 2026-11-21T06:00:00Z" in person.saw
        assert "Spotify no longer accepts the sign-in." in person.saw
        assert "ScheduleDeadLetters is empty" in person.saw
        assert "Nothing was moved." in person.saw

    @pytest.mark.parametrize("answer", ["no", "", "what?", EOFError(), KeyboardInterrupt()])
    def test_without_a_yes_everything_stays_and_can_be_seen_again(self, lake, answer):
        send(lake, "TransformDeadLettersUrl", replay.s3_event("raw", RAW))
        person = Person(answer)
        with contextlib.suppress(OpsError, KeyboardInterrupt):
            redrive.run(lake, person.terminal)
        assert messages(lake, "TransformDeadLettersUrl") == [replay.s3_event("raw", RAW)]
        assert messages(lake, "TransformQueueUrl") == []

    def test_moves_everything_as_it_is(self, lake):
        bodies = {replay.s3_event("raw", one) for one in days(TOP, NOW, 23)}
        for body in bodies:
            send(lake, "TransformDeadLettersUrl", body, origin="a test")
        person = Person("yes")
        redrive.run(lake, person.terminal)
        assert "23 messages moved back to the transform queue" in person.saw
        assert "… and 3 more" in person.saw
        assert set(messages(lake, "TransformQueueUrl")) == bodies
        assert messages(lake, "TransformDeadLettersUrl") == []

    def test_starts_runs_with_the_event_that_was_kept(self, lake):
        send(lake, "ExtractFailuresUrl", FAILED_RUN)
        send(
            lake,
            "ScheduleDeadLettersUrl",
            RUN | {"playlist_ids": [TOP]},
            ERROR_CODE="X",
            ERROR_MESSAGE="gone",
        )
        continued = json.dumps(RUN | {"continuation": 10})
        send(lake, "ScheduleDeadLettersUrl", {"FunctionName": "f", "Payload": continued})
        person = Person()
        redrive.run(lake, person.terminal, yes=True)
        assert set(lake.client("lambda").functions) == {"spotify-lake-extract"}
        assert lake.client("lambda").events[0] == RUN
        assert {json.dumps(event) for event in lake.client("lambda").events[1:]} == {
            json.dumps(RUN | {"playlist_ids": [TOP]}),
            json.dumps(RUN),
        }
        assert "run of 2026-11-21T06:00:00Z, 1 playlists" in person.saw
        assert "X: gone" in person.saw
        assert messages(lake, "ExtractFailuresUrl") == messages(lake, "ScheduleDeadLettersUrl") == []

    def test_the_report_is_written_again(self, lake):
        send(lake, "ReportFailuresUrl", FAILED_RUN | {"requestPayload": {}})
        send(lake, "ReportFailuresUrl", {}, ERROR_CODE="X", ERROR_MESSAGE="gone")
        redrive.run(lake, Person().terminal, yes=True)
        assert lake.client("lambda").events == [{}, {}]
        assert lake.client("lambda").functions == ["spotify-lake-report"] * 2

    def test_nothing_is_deleted_that_was_not_taken(self, lake):
        send(lake, "ExtractFailuresUrl", FAILED_RUN)
        lake.client("lambda").refuses = True
        with pytest.raises(ConnectionError):
            redrive.run(lake, Person().terminal, yes=True)
        assert [json.loads(body) for body in messages(lake, "ExtractFailuresUrl")] == [FAILED_RUN]

    def test_messages_that_the_queue_refuses_stay(self, lake):
        good, bad = replay.s3_event("raw", RAW), replay.s3_event("raw", SnapshotId(NOW, QUIET))
        for body in (good, bad):
            send(lake, "TransformDeadLettersUrl", body)
        refusing = Refusing(lake.client("sqs"), bad)
        lake = redirected(lake, sqs=refusing)
        person = Person()
        redrive.run(lake, person.terminal, yes=True)
        assert "1 message could not be moved and stayed in TransformDeadLetters: try again." in person.saw
        assert messages(lake, "TransformQueueUrl") == [good]
        assert messages(lake, "TransformDeadLettersUrl") == [bad]

    def test_what_is_no_event_of_the_lake_stays(self, lake):
        send(lake, "ExtractFailuresUrl", "hello")
        send(lake, "ScheduleDeadLettersUrl", [1])
        person = Person()
        redrive.run(lake, person.terminal, yes=True)
        assert "not a failed run: hello" in person.saw
        assert "stay there: delete them by hand" in person.saw
        assert lake.client("lambda").events == []
        assert messages(lake, "ExtractFailuresUrl") == ["hello"]

    def test_one_queue_alone(self, lake):
        send(lake, "TransformDeadLettersUrl", replay.s3_event("raw", RAW))
        send(lake, "ExtractFailuresUrl", FAILED_RUN)
        redrive.run(lake, Person().terminal, only="ExtractFailures", yes=True)
        assert lake.client("lambda").events == [RUN]
        assert len(messages(lake, "TransformDeadLettersUrl")) == 1

    def test_messages_in_other_hands_are_mentioned(self, lake):
        send(lake, "TransformDeadLettersUrl", replay.s3_event("raw", RAW))
        lake.client("sqs").receive_message(
            QueueUrl=lake.output("TransformDeadLettersUrl"), VisibilityTimeout=60
        )
        person = Person()
        redrive.run(lake, person.terminal)
        assert "1 message more in TransformDeadLetters cannot be read now" in person.saw


class Refusing:
    """An SQS client whose queue does not take one body."""

    def __init__(self, sqs, body):
        self._sqs = sqs
        self._body = body

    def __getattr__(self, name):
        return getattr(self._sqs, name)

    def send_message_batch(self, QueueUrl, Entries):
        answer = self._sqs.send_message_batch(
            QueueUrl=QueueUrl, Entries=[one for one in Entries if one["MessageBody"] != self._body]
        )
        refused = [{"Id": one["Id"], "Code": "x"} for one in Entries if one["MessageBody"] == self._body]
        return answer | {"Failed": refused}


def redirected(lake, **clients):
    return Lake(
        **{
            name: getattr(lake, name)
            for name in ("on_laptop", "stack", "account", "region", "outputs", "parameters")
        },
        client=lambda service: clients.get(service) or lake.client(service),
    )


class Transform:
    """Stands in for the transform function: works while the replay sleeps, a few messages at a time."""

    def __init__(self, lake, *, poison=(), a_time=10):
        self.lake = lake
        self.poison = {one.raw_key for one in poison}
        self.a_time = a_time
        self.now = 0.0
        self.longest = 0
        self.handled = []
        self.interrupt_at = None

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        sqs, url = self.lake.client("sqs"), self.lake.output("TransformQueueUrl")
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        self.longest = max(self.longest, int(attributes["Attributes"]["ApproximateNumberOfMessages"]))
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=self.a_time).get("Messages", []):
            key = json.loads(message["Body"])["Records"][0]["s3"]["object"]["key"].replace("%3D", "=")
            self.handled.append(key)
            if key in self.poison:
                send(self.lake, "TransformDeadLettersUrl", message["Body"])
            else:
                snapshot = keys.in_raw_key(key)
                transform(self.lake, snapshot) if snapshot else transform_plays(self.lake, key)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if self.interrupt_at is not None and len(self.handled) >= self.interrupt_at:
            raise KeyboardInterrupt


def options(**changes):
    return {"first": date(2026, 11, 1), "last": date(2026, 11, 12)} | changes


FIRST = datetime(2026, 11, 1, 6, tzinfo=UTC)


class TestReplay:
    def replay(self, lake, worker, person=None, **changes):
        person = person or Person()
        return replay.run(lake, person.terminal, **options(**changes), sleep=worker.sleep, clock=worker.clock)

    def test_rebuilds_each_snapshot_of_the_days_and_no_other(self, lake):
        wanted = days(TOP, FIRST, 12) + days(QUIET, FIRST, 12)
        late = SnapshotId(datetime(2026, 11, 12, 23, 59, 59, tzinfo=UTC), TOP)
        put_raw(lake, *wanted, late)
        put_raw(lake, SnapshotId(FIRST - timedelta(days=1), TOP), SnapshotId(FIRST + timedelta(days=12), TOP))
        lake.client("s3").put_object(Bucket="raw", Key=f"raw/playlist_id={TOP}/odd name.json.gz", Body=b"")
        worker, person = Transform(lake), Person()
        outcome = self.replay(lake, worker, person)
        assert sorted(worker.handled) == sorted(one.raw_key for one in [*wanted, late])
        assert outcome.rebuilt == {*wanted, late}
        assert outcome.missing == []
        assert "Tables of 25 of 25 raw objects rebuilt" in person.saw
        oldest_first = [one.scheduled_at for one in outcome.wanted]
        assert oldest_first == sorted(oldest_first)

    def test_imports_are_rebuilt_too(self, lake):
        wanted = days(TOP, FIRST, 2)
        imported = [SnapshotId(keys.import_time(one.scheduled_at), TOP) for one in wanted]
        only_imported = SnapshotId(keys.import_time(FIRST), QUIET)
        put_raw(lake, *wanted, *imported, only_imported)
        worker = Transform(lake)
        outcome = self.replay(lake, worker)
        assert outcome.rebuilt == {*wanted, *imported, only_imported}
        assert f"raw/imported/playlist_id={QUIET}/20261101T060000Z.json.gz" in worker.handled

    def test_never_fills_the_queue(self, lake):
        put_raw(lake, *days(TOP, FIRST, 12), *days(QUIET, FIRST, 12))
        worker = Transform(lake, a_time=3)
        assert len(self.replay(lake, worker, queue_limit=12).rebuilt) == 24
        assert worker.longest <= 12

    def test_looking_at_what_is_rebuilt_takes_a_tenth_of_the_time(self, lake, monkeypatch):
        """Each look at a large lake lists thousands of objects, which on the laptop slows the transform down."""
        put_raw(lake, *days(TOP, FIRST, 12), *days(QUIET, FIRST, 12))
        worker, looks, look = Transform(lake, a_time=2), [], objects.written

        def slow_look(*arguments):
            looks.append(worker.now)
            worker.now += 2.0
            return look(*arguments)

        monkeypatch.setattr(objects, "written", slow_look)
        assert len(self.replay(lake, worker, queue_limit=12).rebuilt) == 24
        assert len(looks) > 2
        assert min(later - earlier for earlier, later in itertools.pairwise(looks[1:])) >= 20.0

    def test_one_playlist_and_some_days(self, lake):
        put_raw(lake, *days(TOP, FIRST, 12), *days(QUIET, FIRST, 12))
        worker = Transform(lake)
        outcome = self.replay(
            lake, worker, first=date(2026, 11, 3), last=date(2026, 11, 4), playlists=[QUIET]
        )
        assert outcome.rebuilt == set(days(QUIET, FIRST, 12)[2:4])

    def test_what_was_there_before_does_not_count(self, lake):
        snapshots = days(TOP, FIRST, 3)
        put_raw(lake, *snapshots)
        for snapshot in snapshots:
            transform(lake, snapshot)
        worker = Transform(lake)
        wait_in_earnest = [True]

        def sleep(seconds):
            if wait_in_earnest:  # once, since the objects' times have whole seconds
                time.sleep(seconds)
                wait_in_earnest.clear()
            worker.sleep(seconds)

        outcome = replay.run(lake, Person().terminal, **options(), sleep=sleep, clock=worker.clock)
        assert outcome.rebuilt == set(snapshots)
        assert len(worker.handled) == 3

    def test_names_what_went_to_the_dead_letters(self, lake):
        good, bad = days(TOP, FIRST, 5), SnapshotId(FIRST, QUIET)
        put_raw(lake, *good, bad)
        person = Person()
        outcome = self.replay(lake, Transform(lake, poison=[bad]), person)
        assert outcome.failed == {bad}
        assert "Tables of 5 of 6 raw objects rebuilt" in person.saw
        assert "1 raw object failed and went to TransformDeadLetters" in person.saw
        assert bad.raw_key in person.saw
        assert len(messages(lake, "TransformDeadLettersUrl")) == 1, "they can be seen and redriven"

    def test_gives_up_on_what_neither_comes_out_nor_fails(self, lake):
        put_raw(lake, *days(TOP, FIRST, 2))
        worker, person = Transform(lake), Person()
        lost = days(TOP, FIRST, 2)[1]
        transform_one = worker.sleep

        def sleep(seconds):
            transform_one(seconds)
            lake.client("s3").delete_object(Bucket="lake", Key=objects.done_key(lost))

        outcome = replay.run(lake, person.terminal, **options(settling_s=5), sleep=sleep, clock=worker.clock)
        assert outcome.missing == [lost]
        assert "1 raw object did not reach the tables" in person.saw
        assert worker.now < 20

    def test_interrupted_and_repeated_is_as_good_as_done_at_once(self, lake):
        wanted = days(TOP, FIRST, 12) + days(QUIET, FIRST, 12)
        put_raw(lake, *wanted)
        worker, person = Transform(lake, a_time=3), Person()
        worker.interrupt_at = 6
        with pytest.raises(KeyboardInterrupt):
            self.replay(lake, worker, person, queue_limit=10)
        assert "Stopped: " in person.saw
        [day] = [line.split("--from ")[1][:10] for line in person.saw.splitlines() if "--from " in line]
        again = Transform(lake)
        outcome = self.replay(lake, again, first=date.fromisoformat(day))
        assert outcome.missing == []
        assert set(worker.handled) | set(again.handled) == {one.raw_key for one in wanted}

    def test_without_snapshots_there_is_nothing_to_do(self, lake):
        with pytest.raises(OpsError, match="no raw objects of 2026-11-01 to 2026-11-12"):
            self.replay(lake, Transform(lake))


def put_plays(lake, *raw):
    for key, body in raw:
        lake.client("s3").put_object(Bucket="raw", Key=key, Body=body)


def transform_plays(lake, key):
    """Do what the transform does with plays and the library."""
    s3 = lake.client("s3")
    body = s3.get_object(Bucket="raw", Key=key)["Body"].read()
    assert ListeningWriter(s3, "lake").transform(RawObject("raw", key, None), body, None)


POLLED = [datetime(2026, 11, 10, hour, tzinfo=UTC) for hour in (8, 9)]
POLLS = [
    (keys.raw_poll_key(moment), plays.poll(moment, [plays.recent(f"{moment:%Y-%m-%dT%H}:00:00Z")]))
    for moment in POLLED
]
SAVED = (keys.raw_library_key(POLLED[0]), pack_library(POLLED[0], POLLED[0], {}))


def exported(*rows):
    packed = plays.pack(rows)
    return packed.key, packed.data


class TestListening:
    def line(self, lake, now=NOW):
        return next((line for line in status.gather(lake, now).lines if line.name == "Listening"), None)

    def test_status_without_plays_does_not_mention_them(self, lake):
        assert self.line(lake) is None

    def test_status_counts_what_is_in_the_tables(self, lake):
        raw = [exported(plays.extended(), 7), *POLLS, SAVED]
        put_plays(lake, *raw)
        for key, _ in raw:
            transform_plays(lake, key)
        assert self.line(lake).text == (
            "in the tables: 1 file of an export, 2 polls of the last 45 days, 1 snapshot of the library;"
            " 3 plays, 1 rejected row"
        )
        assert self.line(lake).is_good

    @pytest.mark.parametrize(
        "raw", [exported(plays.extended()), POLLS[1], SAVED], ids=["export", "poll", "library"]
    )
    def test_status_misses_what_is_not_in_the_tables(self, lake, raw):
        put_plays(lake, POLLS[0])
        transform_plays(lake, POLLS[0][0])
        put_plays(lake, raw)
        line = self.line(lake, datetime.now(UTC) if "export" in raw[0] else NOW)
        assert line.is_good is False
        assert line.text.startswith("1 of ")
        assert "`./lake replay --from " in line.text
        if "export" not in raw[0]:
            assert "--from 2026-11-10`" in line.text

    def test_status_compares_the_counts(self, lake):
        key, body = exported(plays.extended())
        put_plays(lake, (key, body))
        transform_plays(lake, key)
        s3, done = lake.client("s3"), next(objects.exports(lake.client("s3"), "raw")).done_key
        table = pq.read_table(io.BytesIO(s3.get_object(Bucket="lake", Key=done)["Body"].read()))
        table = table.set_column(
            table.column_names.index("play_count"), "play_count", pa.array([0], pa.int32())
        )
        wrong = io.BytesIO()
        pq.write_table(table, wrong)
        s3.put_object(Bucket="lake", Key=done, Body=wrong.getvalue())
        assert self.line(lake).is_good is False
        assert key in self.line(lake).text

    def test_replay_rebuilds_plays_and_the_library_too(self, lake):
        today = datetime.now(UTC).date()
        export = exported(plays.extended())
        before = keys.raw_poll_key(POLLED[0] - timedelta(days=1)), b""
        put_plays(lake, export, *POLLS, SAVED, before)
        put_raw(lake, SnapshotId(POLLED[0], TOP))
        worker = Transform(lake)
        outcome = replay.run(
            lake,
            Person().terminal,
            **options(first=POLLED[0].date(), last=today),
            sleep=worker.sleep,
            clock=worker.clock,
        )
        assert outcome.missing == []
        assert {one.raw_key for one in outcome.rebuilt} == {
            export[0],
            POLLS[1][0],  # it rebuilds the whole day
            SAVED[0],
            SnapshotId(POLLED[0], TOP).raw_key,
        }
        rows = lake.client("s3").get_object(Bucket="lake", Key="curated/play_files/api-2026-11-10.parquet")
        assert pq.read_table(io.BytesIO(rows["Body"].read())).num_rows == 2

    def test_replay_of_days_and_of_playlists_leaves_the_rest_alone(self, lake):
        put_plays(lake, exported(plays.extended()), *POLLS, SAVED)
        put_raw(lake, SnapshotId(POLLED[0], TOP))
        worker = Transform(lake)
        for changes in ({"first": POLLED[0].date(), "playlists": [TOP]}, {"last": POLLED[0].date()}):
            replay.run(lake, Person().terminal, **options(**changes), sleep=worker.sleep, clock=worker.clock)
        assert worker.handled == [
            SnapshotId(POLLED[0], TOP).raw_key,
            *sorted([SAVED[0], SnapshotId(POLLED[0], TOP).raw_key]),
            POLLS[1][0],
        ]


class TestCommands:
    @pytest.fixture(autouse=True)
    def found(self, lake, monkeypatch):
        for module in (status, redrive, replay):
            monkeypatch.setattr(module, "find", lambda **_: lake)

    def test_status(self, lake, capsys):
        assert command("status") == 0
        assert "spotify-lake (AWS account 123456789012, us-east-1)" in capsys.readouterr().out

    def test_redrive(self, lake, capsys):
        send(lake, "ExtractFailuresUrl", FAILED_RUN)
        assert command("redrive", "--yes", "--queue", "ExtractFailures") == 0
        assert lake.client("lambda").events == [RUN]

    @pytest.mark.parametrize(
        "arguments, status, sentence",
        [
            (["--from", "2026-11-02", "--to", "2026-11-01"], 2, "is before the first"),
            (["--from", "2026-11-02", "--to", "2026-11-02"], 1, "no raw objects of 2026-11-02"),
            (["--from", "2026-11-02", "--playlist", "nonsense"], 1, "nonsense"),
        ],
    )
    def test_replay_that_cannot_be(self, lake, capsys, arguments, status, sentence):
        assert command("replay", *arguments) == status
        assert sentence in " ".join(capsys.readouterr().err.split())

    def test_a_bad_date(self, lake, capsys):
        assert command("replay", "--from", "yesterday") == 2
        assert "yesterday is not a day such as 2026-11-01" in capsys.readouterr().err
