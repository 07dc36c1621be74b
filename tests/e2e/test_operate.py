"""What an operator relies on: alarms that reach somebody, dead letters that go back, tables that can be rebuilt."""

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cli import objects
from cli.commands import redrive, replay, status
from cli.dead_letters import depth
from local.spotify_stub import FOLLOWED_PLAYLIST_ID, PLAYLISTS
from local.stack import LaptopStack
from spotify_lake import keys
from spotify_lake.keys import SnapshotId
from spotify_lake.raw import store
from spotify_lake.schema.playlists import TABLES
from tests.support import payloads
from tests.support.deployed import assert_undisturbed, event_source, eventually, put_raw, quick_retries
from tests.support.operated import Person, as_lake

DAYS = [dt.datetime(2026, 7, day, 6, tzinfo=dt.UTC) for day in (1, 2)]
PLAYLIST_IDS = [PLAYLISTS[name] for name in ("Top 100", "Odds & Ends", "Morning Ten", "Drafts")]
ALARM_TIMEOUT_S = 60


# --- alarms ---


@pytest.fixture(scope="module")
def inbox(stack: LaptopStack) -> str:
    """A queue that hears the topic of the alarms."""
    sqs, topic = stack.client("sqs"), stack.outputs["AlarmTopicArn"]
    url: str = sqs.create_queue(QueueName="alarms-of-a-test")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    let_topic_send = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [let_topic_send]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    stack.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url


def alarm(stack: LaptopStack, name: str) -> dict[str, Any]:
    """A deployed alarm, by the end of its name."""
    [found] = stack.client("cloudwatch").describe_alarms(AlarmNames=[f"spotify-lake-{name}"])["MetricAlarms"]
    return dict(found)


def wait_for_alarm(stack: LaptopStack, inbox: str, name: str) -> str:
    """Wait until an alarm sounds in the queue; return its description."""
    sqs, deadline = stack.client("sqs"), time.monotonic() + ALARM_TIMEOUT_S
    while time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=inbox, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"])
            told = json.loads(json.loads(message["Body"])["Message"])
            if told["AlarmName"] == f"spotify-lake-{name}":
                assert told["NewStateValue"] == "ALARM"
                return str(told["AlarmDescription"])
    raise AssertionError(f"the alarm {name} did not reach the queue")


def log_lines(stack: LaptopStack, function: str) -> list[str]:
    return [line for _, line in stack.log_events(function, 1_000_000)]


def publish(stack: LaptopStack, function: str, already: int, metric: str) -> list[float]:
    """Put what a function wrote into its log as CloudWatch does by itself, which the emulator does not.

    Returns the values of one metric; other metrics are left out, and so are the lines that were there `already`.
    """
    values: list[float] = []
    for line in log_lines(stack, function)[already:]:
        fields = json.loads(line) if line.startswith("{") else {}
        for group in fields.get("_aws", {}).get("CloudWatchMetrics", []):
            if metric not in {one["Name"] for one in group["Metrics"]}:
                continue
            [names] = group["Dimensions"]
            data = fields[metric] if isinstance(fields[metric], list) else [fields[metric]]
            stack.client("cloudwatch").put_metric_data(
                Namespace=group["Namespace"],
                MetricData=[
                    {
                        "MetricName": metric,
                        "Dimensions": [{"Name": name, "Value": fields[name]} for name in names],
                        "Values": data,
                    }
                ],
            )
            values += data
    return values


def a_playlist_of_another(stack: LaptopStack) -> None:
    event = {"scheduled_at": "2026-07-03T06:00:00Z", "playlist_ids": [FOLLOWED_PLAYLIST_ID]}
    assert stack.invoke("extract", event).error is None


def a_playlist_of_nonsense(stack: LaptopStack) -> None:
    playlist = payloads.playlist(payloads.spotify_id("nonsense"))
    moment = dt.datetime(2026, 7, 3, 6, tzinfo=dt.UTC)
    entries = [payloads.entry(payloads.song()), {"item": {"type": "track", "id": 7}}]
    body = payloads.raw_object(entries, playlist_object=playlist, scheduled_at=moment)
    put_raw(stack, keys.raw_key(playlist["id"], moment), body)
    stack.wait_until_idle()


def a_sign_in_of_long_ago(stack: LaptopStack) -> None:
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=170)
    with secret(stack, lambda stored: json.dumps(stored | {"authorized_at": long_ago.isoformat()})):
        event = {"scheduled_at": "2026-07-03T07:00:00Z", "playlist_ids": [PLAYLISTS["Drafts"]]}
        assert stack.invoke("extract", event).error is None


@pytest.mark.parametrize(
    "name, function, cause",
    [
        ("playlists-failing", "extract", a_playlist_of_another),
        ("too-many-rejects", "transform", a_playlist_of_nonsense),
        ("sign-in-ending", "extract", a_sign_in_of_long_ago),
    ],
)
def test_an_alarm_sounds_and_says_what_to_read(
    stack: LaptopStack, inbox: str, name: str, function: str, cause: Callable[[LaptopStack], None]
) -> None:
    watched = alarm(stack, name)
    assert watched["StateValue"] != "ALARM"
    assert watched["Dimensions"] == [{"Name": "service", "Value": function}]
    already = len(log_lines(stack, function))
    cause(stack)
    assert publish(stack, function, already, watched["MetricName"]), "the function did not count it"
    assert alarm(stack, name)["StateValue"] == "ALARM"
    assert "docs/runbook.md" in wait_for_alarm(stack, inbox, name)
    assert (
        name
        in {line.name: line.text for line in status.gather(as_lake(stack), dt.datetime.now(dt.UTC)).lines}[
            "Alarms"
        ]
    )


def test_a_lake_is_stale_until_a_message_reaches_the_queue(stack: LaptopStack) -> None:
    """The emulator publishes no metrics of queues and looks at one value, so this puts one; tests/unit/test_alarms.py
    has the hours before there is any."""
    watched = alarm(stack, "stale")
    assert watched["Dimensions"] == [{"Name": "QueueName", "Value": "spotify-lake-transform"}]
    assert (watched["TreatMissingData"], watched["Period"] * watched["EvaluationPeriods"]) == (
        "notBreaching",
        26 * 3600,
    )
    for sent, state in ((0.0, "ALARM"), (1.0, "OK")):
        stack.client("cloudwatch").put_metric_data(
            Namespace=watched["Namespace"],
            MetricData=[
                {"MetricName": watched["MetricName"], "Dimensions": watched["Dimensions"], "Value": sent}
            ],
        )
        assert alarm(stack, "stale")["StateValue"] == state


@pytest.mark.parametrize(
    "rule, kind, detail",
    [
        ("crawler-failed", "Glue Crawler State Change", {"crawlerName": "spotify-lake", "state": "Failed"}),
        (
            "crawler-failed",
            "Glue Crawler State Change",
            {"crawlerName": "spotify-lake-recovery", "state": "Failed"},
        ),
        ("job-failed", "Glue Job State Change", {"jobName": "spotify-lake-charts", "state": "TIMEOUT"}),
    ],
)
def test_failures_of_glue_match_their_rule(
    stack: LaptopStack, rule: str, kind: str, detail: dict[str, str]
) -> None:
    """The emulator's Glue sends no events and takes none in its name, so the deployed pattern is asked."""
    events = stack.client("events")
    deployed = events.describe_rule(Name=f"spotify-lake-{rule}")
    assert deployed["State"] == "ENABLED"

    def matches(**changes: str) -> bool:
        event = {
            "id": "1",
            "source": "aws.glue",
            "detail-type": kind,
            "account": "000000000000",
            "time": "2026-11-20T06:00:00Z",
            "region": "us-east-1",
            "resources": [],
            "detail": detail | changes,
        }
        pattern = deployed["EventPattern"]
        return bool(events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"])

    assert matches()
    assert not matches(state="Succeeded")
    assert not matches(crawlerName="another", jobName="another")
    assert not matches(crawlerName='spotify-lake-"', jobName='spotify-lake-"')


# --- dead letters and replay ---


def curated(stack: LaptopStack) -> dict[str, str]:
    """Key to ETag, which is a digest of the content, of the objects of the days of this module."""
    pages = (
        stack.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=stack.outputs["LakeBucketName"], Prefix="curated/")
    )
    days = {f"snapshot_date={day.date()}" for day in DAYS}
    return {
        found["Key"]: found["ETag"]
        for page in pages
        for found in page.get("Contents", [])
        if found["Key"].split("/")[2] in days
    }


@contextmanager
def secret(stack: LaptopStack, change: Callable[[dict[str, Any]], str]) -> Iterator[None]:
    """Another value of the secret for a while."""
    secrets, secret_id = stack.client("secretsmanager"), stack.outputs["SpotifySecretArn"]
    stored = secrets.get_secret_value(SecretId=secret_id)["SecretString"]
    secrets.put_secret_value(SecretId=secret_id, SecretString=change(json.loads(stored)))
    try:
        yield
    finally:
        secrets.put_secret_value(SecretId=secret_id, SecretString=stored)


@contextmanager
def no_retries(stack: LaptopStack) -> Iterator[None]:
    """A run that fails is not started again."""
    functions = stack.client("lambda")
    which = {"FunctionName": stack.outputs["ExtractFunctionName"], "Qualifier": "$LATEST"}
    found = functions.get_function_event_invoke_config(**which)
    deployed = {name: found[name] for name in ("MaximumRetryAttempts", "DestinationConfig")}
    functions.put_function_event_invoke_config(**which, **deployed | {"MaximumRetryAttempts": 0})
    try:
        yield
    finally:
        functions.put_function_event_invoke_config(**which, **deployed)


@pytest.fixture(scope="module")
def filled(stack: LaptopStack) -> LaptopStack:
    """The stack with some days of some playlists."""
    for day in DAYS:
        result = stack.invoke_extract(day, PLAYLIST_IDS)
        assert result["failed"] == []
    assert stack.wait_until_idle().queued == 0
    assert len(curated(stack)) == len(DAYS) * len(PLAYLIST_IDS) * len(TABLES)
    return stack


def options(**changes: Any) -> dict[str, Any]:
    return {"first": DAYS[0].date(), "last": DAYS[-1].date(), "settling_s": 5, **changes}


def test_replay_heals_what_is_gone_and_changes_no_other_byte(filled: LaptopStack) -> None:
    before = curated(filled)
    s3, bucket = filled.client("s3"), filled.outputs["LakeBucketName"]
    for key in list(before)[::5]:
        s3.delete_object(Bucket=bucket, Key=key)
    assert curated(filled) != before
    person = Person()
    outcome = replay.run(as_lake(filled), person, **options())
    assert outcome.missing == []
    assert "Tables of 8 of 8 raw objects rebuilt" in person.saw
    assert curated(filled) == before
    assert_undisturbed(filled)


def test_a_replay_that_is_interrupted_can_be_repeated(filled: LaptopStack) -> None:
    before = curated(filled)
    for key in before:
        filled.client("s3").delete_object(Bucket=filled.outputs["LakeBucketName"], Key=key)
    begun = []

    def interrupted(_seconds: float) -> None:
        if begun:  # the events are in the queue, and nobody reads it: the replay has to wait
            raise KeyboardInterrupt
        begun.append(True)

    person = Person()
    with event_source(filled, Enabled=False), pytest.raises(KeyboardInterrupt):
        replay.run(as_lake(filled), person, **options(), sleep=interrupted)
    assert "Stopped: " in person.saw
    assert replay.run(as_lake(filled), Person(), **options()).missing == []
    filled.wait_until_idle()
    assert curated(filled) == before


def test_replay_tells_what_went_to_the_dead_letters_and_redrive_heals_it(
    filled: LaptopStack, inbox: str
) -> None:
    before = curated(filled)
    s3, bucket, key = (
        filled.client("s3"),
        filled.outputs["RawBucketName"],
        keys.raw_key(PLAYLIST_IDS[0], DAYS[0]),
    )
    good = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with quick_retries(filled, tries=1):
        put_raw(filled, key, good[:-100])
        eventually(lambda: "TransformDeadLetters" in filled.dead_letters())
        person = Person()
        only = {"first": DAYS[0].date(), "last": DAYS[0].date(), "playlists": [PLAYLIST_IDS[0]]}
        outcome = replay.run(as_lake(filled), person, **only)
        assert [one.raw_key for one in outcome.failed] == [key]
        assert outcome.rebuilt == set()
        assert (
            f"failed and went to TransformDeadLetters (see `./lake redrive --laptop`):\n  {key}" in person.saw
        )
        assert curated(filled) == before, "what failed left the tables as they were"

        waiting = depth(filled.client("sqs"), filled.outputs["TransformDeadLettersUrl"]).waiting
        filled.client("cloudwatch").put_metric_data(
            Namespace="AWS/SQS",
            MetricData=[
                {
                    "MetricName": "ApproximateNumberOfMessagesVisible",
                    "Dimensions": alarm(filled, "transform-dead-letters")["Dimensions"],
                    "Value": waiting,
                }
            ],
        )
        wait_for_alarm(filled, inbox, "transform-dead-letters")

    put_raw(filled, key, good)
    person = Person()
    redrive.run(as_lake(filled), person, yes=True)
    assert f"{key}  (since " in person.saw
    assert ", 2 times)" in person.saw
    assert "truncated or damaged" in person.saw, "the log says why"
    filled.wait_until_idle()
    assert filled.dead_letters() == {}
    assert curated(filled) == before
    assert_undisturbed(filled)


def test_a_run_that_failed_for_its_sign_in_is_started_again(filled: LaptopStack) -> None:
    moment = dt.datetime(2026, 7, 4, 6, tzinfo=dt.UTC)
    event = {"scheduled_at": "2026-07-04T06:00:00Z", "playlist_ids": [PLAYLISTS["Morning Ten"]]}
    refused = {
        "match": "POST /api/token",
        "times": None,
        "status": 400,
        "body": {"error": "invalid_grant", "error_description": "Refresh token revoked"},
    }
    filled.control_stub("faults", method="PUT", body=[refused])
    try:
        with no_retries(filled):
            filled.client("lambda").invoke(
                FunctionName=filled.outputs["ExtractFunctionName"],
                InvocationType="Event",
                Payload=json.dumps(event),
            )
            eventually(lambda: filled.dead_letters() == {"ExtractFailures": 1})
    finally:
        filled.control_stub("faults", method="PUT", body=[])
    person = Person()
    redrive.run(as_lake(filled), person, only="ExtractFailures", yes=True)
    assert "run of 2026-07-04T06:00:00Z, 1 playlists" in person.saw
    assert "Run `./lake login`" in person.saw
    key = keys.raw_key(PLAYLISTS["Morning Ten"], moment)
    eventually(lambda: store.exists(filled.client("s3"), filled.outputs["RawBucketName"], key))
    assert filled.dead_letters() == {}


# --- what goes wrong in the middle ---


@contextmanager
def without_permission_for(stack: LaptopStack, table: str) -> Iterator[None]:
    """The transform stops at the write of one table."""
    resources = stack.client("cloudformation").describe_stack_resources(StackName="spotify-lake")[
        "StackResources"
    ]
    [role] = [one["PhysicalResourceId"] for one in resources if one["LogicalResourceId"] == "TransformRole"]
    arn = f"arn:aws:s3:::{stack.outputs['LakeBucketName']}/curated/{table}/*"
    deny = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam = stack.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="in-a-test", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="in-a-test")


def test_a_transform_that_is_cut_off_and_tried_again_leaves_the_same_tables(
    filled: LaptopStack,
) -> None:
    filled.wait_until_idle()
    before = curated(filled)
    playlist, day = PLAYLISTS["Top 100"], DAYS[0]
    own = [key for key in before if playlist in key and f"{day:%Y-%m-%d}" in key]
    assert len(own) == len(TABLES)
    s3, bucket = filled.client("s3"), filled.outputs["LakeBucketName"]
    for key in own:
        s3.delete_object(Bucket=bucket, Key=key)
    snapshot = SnapshotId(day, playlist)
    with quick_retries(filled, tries=1), without_permission_for(filled, "albums"):
        filled.client("sqs").send_message(
            QueueUrl=filled.outputs["TransformQueueUrl"],
            MessageBody=replay.s3_event(filled.outputs["RawBucketName"], snapshot),
        )
        eventually(lambda: "TransformDeadLetters" in filled.dead_letters())
        assert objects.done_key(snapshot) not in curated(filled), (
            "a snapshot without all its tables is not there"
        )
    redrive.run(as_lake(filled), Person(), yes=True)
    filled.wait_until_idle()
    assert curated(filled) == before
    assert_undisturbed(filled)


@pytest.mark.parametrize("value", ["", "{", '{"client_id": "x"}'])
def test_a_secret_that_holds_no_credentials_is_named(stack: LaptopStack, value: str) -> None:
    with secret(stack, lambda _: value or " "):
        answer = stack.invoke("extract", {"playlist_ids": PLAYLIST_IDS})
    assert answer.error == "Unhandled"
    assert answer.message.startswith("No Spotify credentials in secret ")
    assert "./lake login" in answer.message
    assert stack.invoke("extract", {"playlist_ids": PLAYLIST_IDS}).error is None, (
        "with it, the run is as ever"
    )
    assert stack.wait_until_idle().queued == 0
    assert_undisturbed(stack)


def test_a_secret_that_is_marked_for_deletion_is_named_and_comes_back(stack: LaptopStack) -> None:
    stack.client("secretsmanager").delete_secret(
        SecretId=stack.outputs["SpotifySecretArn"], RecoveryWindowInDays=7
    )
    assert_runs_after_up_only(stack)


@pytest.mark.long
def test_a_secret_that_is_gone_for_good_is_named_and_comes_back(stack: LaptopStack) -> None:
    secrets, secret_id = stack.client("secretsmanager"), stack.outputs["SpotifySecretArn"]
    secrets.delete_secret(SecretId=secret_id, ForceDeleteWithoutRecovery=True)
    assert_runs_after_up_only(stack)

    # On AWS, where no secret can take its place: the runbook's deployments under another name and its own.
    template = stack.client("cloudformation").get_template(
        StackName="spotify-lake", TemplateStage="Processed"
    )["TemplateBody"]
    secret = template["Resources"]["SpotifySecret"]["Properties"]
    name = secret["Name"]
    secret["Name"] = json.loads(json.dumps(name).replace("/spotify", "/spotify-again"))
    assert secret["Name"] != name
    deploy(stack, template)
    secret["Name"] = name
    deploy(stack, template)
    secrets.delete_secret(SecretId=secret_id.rpartition(":secret:")[2], ForceDeleteWithoutRecovery=True)
    assert_runs_after_up_only(stack)
    assert stack.outputs["SpotifySecretArn"] != secret_id


def assert_runs_after_up_only(stack: LaptopStack) -> None:
    """Check that the lake lacks its sign-in, and that `up` brings it back."""
    answer = stack.invoke("extract", {"playlist_ids": PLAYLIST_IDS})
    assert answer.message.startswith("No Spotify credentials in secret ")
    stack.up()
    answer = stack.invoke("extract", {"playlist_ids": PLAYLIST_IDS})
    assert answer.error is None, answer.message
    assert stack.wait_until_idle().queued == 0
    assert_undisturbed(stack)


def test_a_lost_catalog_comes_back_by_deploying_without_the_tables_and_with_them(filled: LaptopStack) -> None:
    before, declared = answers(filled), columns(filled)
    for table in filled.tables():
        filled.client("glue").delete_table(DatabaseName=filled.outputs["DatabaseName"], Name=table["Name"])
    template = filled.client("cloudformation").get_template(
        StackName="spotify-lake", TemplateStage="Processed"
    )
    whole = template["TemplateBody"]
    kept = {name: one for name, one in whole["Resources"].items() if name != "CatalogStack"}
    deploy(filled, whole | {"Resources": kept})
    assert filled.tables() == []
    deploy(filled, whole)
    assert columns(filled) == declared
    assert answers(filled) == before
    assert_undisturbed(filled)


def answers(stack: LaptopStack) -> dict[str, list[str]]:
    """Every row of every table, as Athena finds them."""
    found = {}
    for table in TABLES:
        question = f"select * from {table.name} where snapshot_date <= date '2026-07-31'"  # noqa: S608
        rows = stack.athena(question).rows
        found[table.name] = sorted(map(repr, rows))
    assert all(found[name] for name in ("playlists", "playlist_entries", "songs", "albums", "artists"))
    return found


def columns(stack: LaptopStack) -> dict[str, Any]:
    """Columns of each declared table."""
    return {table["Name"]: table["StorageDescriptor"]["Columns"] for table in stack.tables()}


def deploy(stack: LaptopStack, template: dict[str, Any]) -> None:
    """Update the stack to a template, with the parameters as they are."""
    stacks, bucket = stack.client("cloudformation"), stack.outputs["LakeBucketName"]
    stack.client("s3").put_object(Bucket=bucket, Key="template.json", Body=json.dumps(template).encode())
    [found] = stacks.describe_stacks(StackName="spotify-lake")["Stacks"]
    stacks.update_stack(
        StackName="spotify-lake",
        TemplateURL=f"https://s3.us-east-1.amazonaws.com/{bucket}/template.json",
        Parameters=[
            {"ParameterKey": one["ParameterKey"], "UsePreviousValue": True} for one in found["Parameters"]
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    waiter = stacks.get_waiter("stack_update_complete")
    waiter.wait(StackName="spotify-lake", WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    stack.client("s3").delete_object(Bucket=bucket, Key="template.json")
