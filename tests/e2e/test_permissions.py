"""The roles, as the emulator enforces them: what is granted is needed, and nothing beyond it is allowed.

What a function does itself is tried by invoking it. What the Lambda service does in its name (taking messages
from the queue, delivering failed events, writing logs) the emulator does without asking the role, and it says 404
of a missing object to everybody; these are tried by acting with the role's own credentials. Four statements are not
tried: everybody may ask where a bucket is, the emulator compares WriteLogs with the ARN of the log group, AWS with
that of the streams in it, it takes the database of SeeDefaultDatabase for a table, and it lets everybody pass a role to
the scheduler, so that only its evaluation of the policies can be asked which roles may be.
"""

import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.spotify_stub import PLAYLISTS
from local.stack import LaptopStack
from spotify_lake import keys
from tests.support import payloads, plays
from tests.support.deployed import policy, role_name, without

PLAYLIST_ID = PLAYLISTS["Morning Ten"]
PLAYLIST = payloads.playlist(payloads.spotify_id("permissions"))
CHANGED = payloads.playlist(payloads.spotify_id("announced"))
OBJECT_KEY = keys.raw_key(PLAYLIST["id"], payloads.NOON)
POLL_KEY = keys.raw_poll_key(payloads.NOON)
DAYS = itertools.count()  # another snapshot each time
ROLES = ("extract", "transform", "report", "arrival", "job")
DENIED = ("AccessDenied", "Forbidden", "not authorized")


def extract_new_snapshot(stack: LaptopStack) -> Any:
    moment = dt.datetime(2026, 10, 10, tzinfo=dt.UTC) + dt.timedelta(days=next(DAYS))
    return stack.invoke("extract", {"scheduled_at": moment.isoformat(), "playlist_ids": [PLAYLIST_ID]})


def continue_later(stack: LaptopStack) -> Any:
    """Run into the quota; the schedule for the rest is taken away again."""
    quota = {"match": "GET /v1/**", "status": 429, "body": {"error": {"reason": "QUOTA_EXCEEDED"}}}
    stack.control_stub("faults", method="PUT", body=[quota])
    try:
        answer = extract_new_snapshot(stack)
    finally:
        stack.control_stub("faults", method="DELETE")
    if answer.error is None:
        stack.client("scheduler").delete_schedule(
            GroupName="spotify-lake-continuations", Name=answer.payload["continued_by"]
        )
    return answer


def transform_again(stack: LaptopStack, key: str = OBJECT_KEY) -> Any:
    s3_object = {"bucket": {"name": stack.outputs["RawBucketName"]}, "object": {"key": key}}
    return stack.invoke("transform", {"Records": [{"eventSource": "aws:s3", "s3": s3_object}]})


def transform_poll_again(stack: LaptopStack) -> Any:
    return transform_again(stack, POLL_KEY)


def announce_change(stack: LaptopStack) -> Any:
    """Have a snapshot transformed that S3 says was just written, and that differs from the one before."""
    moments = (dt.datetime(2026, 10, 10, 5, minute, tzinfo=dt.UTC) for minute in (0, 5))
    for moment, entries in zip(moments, ([], payloads.every_kind()), strict=True):
        body = payloads.raw_object(entries, playlist_object=CHANGED, scheduled_at=moment)
        key = keys.raw_key(CHANGED["id"], moment)
        stack.client("s3").put_object(Bucket=stack.outputs["RawBucketName"], Key=key, Body=body)
    s3_object = {"bucket": {"name": stack.outputs["RawBucketName"]}, "object": {"key": key}}
    record = {"eventSource": "aws:s3", "eventTime": moment.isoformat(), "s3": s3_object}
    return stack.invoke("transform", {"Records": [record]})


def write_report(stack: LaptopStack) -> Any:
    return stack.invoke("report", {})


def start_job(stack: LaptopStack) -> Any:
    """Have a batch taken by a run that the emulator pretends."""
    s3, bucket = stack.client("s3"), stack.outputs["LakeBucketName"]
    # Without a marker, so that no event has the function take it before this invocation does.
    batch = f"staging/charts/permissions-{next(DAYS)}"
    s3.put_object(Bucket=bucket, Key=f"{batch}/x.csv", Body=b"")
    return stack.invoke("arrival", {"detail-type": "Scheduled Event", "detail": {}})


def start_marked_job(stack: LaptopStack) -> Any:
    """Have the function look for markers while one waits, unless its event was faster."""
    s3, bucket = stack.client("s3"), stack.outputs["LakeBucketName"]
    s3.put_object(Bucket=bucket, Key=f"staging/charts/permissions-{next(DAYS)}/_READY", Body=b"")
    return stack.invoke("arrival", {})


def end_job(stack: LaptopStack) -> Any:
    summary = {"run": "r", "rows_in": 1, "rows_out": 1, "rejects": 0, "duplicates": 0}
    stack.client("s3").put_object(
        Bucket=stack.outputs["LakeBucketName"],
        Key="datawarehouse/_runs/charts/latest.json",
        Body=json.dumps(summary).encode(),
    )
    detail = {"jobName": stack.outputs["ChartsJobName"], "state": "SUCCEEDED"}
    return stack.invoke("arrival", {"detail-type": "Glue Job State Change", "detail": detail})


NEEDED: dict[tuple[str, str], Callable[[LaptopStack], Any]] = {
    ("extract", "WriteSnapshots"): extract_new_snapshot,
    ("extract", "SeeWhetherSnapshotExists"): extract_new_snapshot,
    ("extract", "RememberPlaylists"): extract_new_snapshot,
    ("extract", "ReadSpotifyCredentials"): extract_new_snapshot,
    ("extract", "PlanContinuations"): continue_later,
    ("transform", "ReadSnapshots"): transform_again,
    ("transform", "WriteTables"): transform_again,
    ("transform", "ReplaceDaysOfPlays"): transform_poll_again,
    ("transform", "AnnounceChanges"): announce_change,
    ("transform", "TellMissingFromForbidden"): announce_change,
    ("report", "AskAthena"): write_report,
    ("report", "WriteReport"): write_report,
    ("arrival", "FindFiles"): start_job,
    ("arrival", "BringCode"): start_job,
    ("arrival", "StartJobs"): start_job,
    ("arrival", "MarkBatches"): start_job,
    ("arrival", "ReadMarkers"): start_marked_job,
    ("arrival", "ReadSummaries"): end_job,
}


@pytest.fixture(scope="module")
def ready(stack: LaptopStack) -> LaptopStack:
    """The stack with one snapshot that was transformed while nothing was missing."""
    stack.set_stub_clock(dt.datetime(2026, 10, 10, tzinfo=dt.UTC))
    body = payloads.raw_object(payloads.every_kind(), playlist_object=PLAYLIST)
    polled = plays.poll(payloads.NOON, [plays.recent()])
    for key, data in ((OBJECT_KEY, body), (POLL_KEY, polled)):
        stack.client("s3").put_object(Bucket=stack.outputs["RawBucketName"], Key=key, Body=data)
    assert stack.wait_until_idle().is_clear
    return stack


@pytest.mark.parametrize("function, sid", NEEDED)
def test_a_function_fails_without_any_of_its_statements(ready: LaptopStack, function: str, sid: str) -> None:
    use = NEEDED[function, sid]
    with without(ready, function, sid):
        answer = use(ready)
        assert answer.error == "Unhandled", "it works without the statement"
        assert any(word in answer.message for word in DENIED), answer.message
    answer = use(ready)
    assert answer.error is None, answer.message


def session_of(stack: LaptopStack, function: str) -> Callable[[str], Any]:
    """Clients that act with the rights of a function's role."""
    arn = stack.client("iam").get_role(RoleName=role_name(stack, function))["Role"]["Arn"]
    credentials = stack.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    session = boto3.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        region_name="us-east-1",
    )
    return cache(lambda service: session.client(service, endpoint_url=stack.endpoint))  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def acting(stack: LaptopStack) -> Callable[[str], Callable[[str], Any]]:
    """Clients by function and service; they are made once, which takes longer than the request."""
    return cache(partial(session_of, stack))


def read_tables(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    key = next(iter(objects(stack, "curated/")))
    act("s3").get_object(Bucket=stack.outputs["LakeBucketName"], Key=key)["Body"].read()


def list_lake(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    act("s3").list_objects_v2(Bucket=stack.outputs["LakeBucketName"], Prefix="curated/", MaxKeys=1)


def keep_answer(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    place = {"Bucket": stack.outputs["LakeBucketName"], "Key": "athena-results/from-a-test.csv"}
    act("s3").put_object(**place, Body=b"")
    act("s3").get_object(**place)["Body"].read()


def read_catalog(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    act("glue").get_table(DatabaseName=stack.outputs["DatabaseName"], Name="songs")


def report_failed_report(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    report_failure(stack, act, "ReportFailuresUrl")


def objects(stack: LaptopStack, prefix: str) -> list[str]:
    bucket = stack.outputs["LakeBucketName"]
    return [
        found["Key"] for found in stack.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    ]


def receive(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    act("sqs").receive_message(QueueUrl=stack.outputs["TransformQueueUrl"])


def report_failure(stack: LaptopStack, act: Callable[[str], Any], output: str = "ExtractFailuresUrl") -> None:
    queue = stack.outputs[output]
    act("sqs").send_message(QueueUrl=queue, MessageBody="from a test")
    sqs = stack.client("sqs")
    for message in sqs.receive_message(QueueUrl=queue).get("Messages", []):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def list_raw(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    act("s3").list_objects_v2(Bucket=stack.outputs["RawBucketName"], MaxKeys=1)


def keep_token(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    """Store what is stored: a function that cannot keep a new token says so, and goes on."""
    secret_id = stack.outputs["SpotifySecretArn"]
    stored = stack.client("secretsmanager").get_secret_value(SecretId=secret_id)["SecretString"]
    act("secretsmanager").put_secret_value(SecretId=secret_id, SecretString=stored)


def keep_details(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    """Store details and read them again: a function that cannot says so, and goes on without."""
    details = {"Bucket": stack.outputs["RawBucketName"], "Key": "state/details/from-a-test"}
    act("s3").put_object(Body=b"", **details)
    act("s3").get_object(**details)


def tell_failure(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    act("sns").publish(TopicArn=stack.outputs["AlarmTopicArn"], Message="from a test")


def in_lake(key: str) -> Callable[[LaptopStack, Callable[[str], Any]], None]:
    """Reading an object that the owner has put."""

    def read(stack: LaptopStack, act: Callable[[str], Any]) -> None:
        place = {"Bucket": stack.outputs["LakeBucketName"], "Key": key}
        stack.client("s3").put_object(Body=b"", **place)
        act("s3").get_object(**place)

    return read


def keep_table(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    place = {"Bucket": stack.outputs["LakeBucketName"], "Key": "datawarehouse/dim_date/from-a-test"}
    act("s3").put_object(Body=b"", **place)
    act("s3").get_object(**place)
    stack.client("s3").delete_object(**place)


def work(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    place = {"Bucket": stack.outputs["LakeBucketName"], "Key": "intermediate/charts/from-a-test"}
    act("s3").put_object(Body=b"", **place)
    act("s3").get_object(**place)
    act("s3").delete_object(**place)


def list_staging(stack: LaptopStack, act: Callable[[str], Any]) -> None:
    act("s3").list_objects_v2(Bucket=stack.outputs["LakeBucketName"], Prefix="staging/charts/")


NEEDED_BY_THE_SERVICE: dict[tuple[str, str], Callable[[LaptopStack, Callable[[str], Any]], None]] = {
    ("extract", "TellMissingFromForbidden"): list_raw,
    ("extract", "KeepRotatedRefreshToken"): keep_token,
    ("extract", "KeepDetails"): keep_details,
    ("extract", "ReportFailedRuns"): report_failure,
    ("transform", "TellMissingFromForbidden"): list_raw,
    ("transform", "TakeFromQueue"): receive,
    # The emulator's Athena reads and writes without asking the role.
    ("report", "ReadCatalog"): read_catalog,
    ("report", "ReadTables"): read_tables,
    ("report", "FindTables"): list_lake,
    ("report", "KeepAnswers"): keep_answer,
    ("report", "ReportFailedRuns"): report_failed_report,
    ("arrival", "ReportFailedRuns"): tell_failure,
    # Glue runs with this role, and the laptop's Spark does; see tests/e2e/test_bulk.py.
    ("job", "ReadCode"): in_lake("jobs/from-a-test.py"),
    ("job", "ReadFiles"): in_lake("staging/charts/from-a-test.csv"),
    ("job", "KeepWarehouse"): keep_table,
    ("job", "Work"): work,
    ("job", "ListFiles"): list_staging,
}


@pytest.mark.parametrize("function, sid", NEEDED_BY_THE_SERVICE)
def test_the_role_alone_fails_without_any_of_its_statements(
    ready: LaptopStack, acting: Callable[[str], Callable[[str], Any]], function: str, sid: str
) -> None:
    stack = ready
    use, act = NEEDED_BY_THE_SERVICE[function, sid], acting(function)
    use(stack, act)
    with without(stack, function, sid), pytest.raises(ClientError, match=r"AccessDenied|AuthorizationError"):
        use(stack, act)


def test_every_statement_is_tried(stack: LaptopStack) -> None:
    for function in ROLES:
        sids = {statement["Sid"] for statement in policy(stack, function)["Statement"]}
        untried = {"WriteLogs", "LetSchedulerStartExtract", "LocateLake", "SeeDefaultDatabase"}
        assert sids - untried == {sid for name, sid in [*NEEDED, *NEEDED_BY_THE_SERVICE] if name == function}


FORBIDDEN = {
    "extract": {
        "read the lake": ("s3", "get_object", {"Bucket": "LakeBucketName", "Key": "curated/songs/x"}),
        "list the lake": ("s3", "list_objects_v2", {"Bucket": "LakeBucketName"}),
        "write the lake": (
            "s3",
            "put_object",
            {"Bucket": "LakeBucketName", "Key": "curated/songs/x", "Body": b""},
        ),
        "write beside raw": (
            "s3",
            "put_object",
            {"Bucket": "RawBucketName", "Key": "elsewhere/x", "Body": b""},
        ),
        "delete a snapshot": ("s3", "delete_object", {"Bucket": "RawBucketName", "Key": "raw/x"}),
        "read an import": (
            "s3",
            "get_object",
            {"Bucket": "RawBucketName", "Key": "raw/imported/playlist_id=x/y"},
        ),
        "write an import": (
            "s3",
            "put_object",
            {"Bucket": "RawBucketName", "Key": "raw/imported/playlist_id=x/y", "Body": b""},
        ),
        "delete the secret": ("secretsmanager", "delete_secret", {"SecretId": "SpotifySecretArn"}),
        "change another secret": (
            "secretsmanager",
            "put_secret_value",
            {"SecretId": "spotify-lake/other", "SecretString": "x"},
        ),
        "read another secret": (
            "secretsmanager",
            "get_secret_value",
            {"SecretId": "spotify-lake/other"},
        ),
        "write another bucket": (
            "s3",
            "put_object",
            {"Bucket": "not-this-lake", "Key": "raw/x", "Body": b""},
        ),
        "delete the state": ("s3", "delete_object", {"Bucket": "RawBucketName", "Key": "state/extract.json"}),
        "give itself more": (
            "iam",
            "put_role_policy",
            {"RoleName": "any", "PolicyName": "more", "PolicyDocument": "{}"},
        ),
        "take from the queue": ("sqs", "receive_message", {"QueueUrl": "TransformQueueUrl"}),
        "end the daily runs": ("scheduler", "delete_schedule", {"Name": "ScheduleName"}),
        "start itself": ("lambda", "invoke", {"FunctionName": "ExtractFunctionName"}),
        "ask Athena": (
            "athena",
            "start_query_execution",
            {"QueryString": "select 1", "WorkGroup": "AthenaWorkGroupName"},
        ),
    },
    "transform": {
        "write raw": ("s3", "put_object", {"Bucket": "RawBucketName", "Key": "raw/x", "Body": b""}),
        "delete a snapshot": ("s3", "delete_object", {"Bucket": "RawBucketName", "Key": "raw/x"}),
        "delete a table's object": (
            "s3",
            "delete_object",
            {"Bucket": "LakeBucketName", "Key": "curated/songs/x"},
        ),
        "read the lake": ("s3", "get_object", {"Bucket": "LakeBucketName", "Key": "curated/songs/x"}),
        "read exported plays": (
            "s3",
            "get_object",
            {"Bucket": "LakeBucketName", "Key": "curated/plays/played_month=2026-11/x.parquet"},
        ),
        "list the lake": ("s3", "list_objects_v2", {"Bucket": "LakeBucketName"}),
        "write query results": (
            "s3",
            "put_object",
            {"Bucket": "LakeBucketName", "Key": "athena-results/x", "Body": b""},
        ),
        "read the secret": ("secretsmanager", "get_secret_value", {"SecretId": "SpotifySecretArn"}),
        "change the catalog": ("glue", "delete_table", {"DatabaseName": "DatabaseName", "Name": "songs"}),
        "read the state": ("s3", "get_object", {"Bucket": "RawBucketName", "Key": "state/extract.json"}),
        "read another bucket": ("s3", "get_object", {"Bucket": "not-this-lake", "Key": "x"}),
        "write the report": (
            "s3",
            "put_object",
            {"Bucket": "LakeBucketName", "Key": "report/index.html", "Body": b""},
        ),
        "take dead letters": ("sqs", "receive_message", {"QueueUrl": "TransformDeadLettersUrl"}),
        "start the extract": ("lambda", "invoke", {"FunctionName": "ExtractFunctionName"}),
    },
    "report": {
        "read raw": ("s3", "get_object", {"Bucket": "RawBucketName", "Key": "raw/x"}),
        "list raw": ("s3", "list_objects_v2", {"Bucket": "RawBucketName"}),
        "write a table": (
            "s3",
            "put_object",
            {"Bucket": "LakeBucketName", "Key": "curated/songs/x", "Body": b""},
        ),
        "delete a table's object": (
            "s3",
            "delete_object",
            {"Bucket": "LakeBucketName", "Key": "curated/songs/x"},
        ),
        "read another bucket": ("s3", "get_object", {"Bucket": "not-this-lake", "Key": "x"}),
        "read another database": ("glue", "get_table", {"DatabaseName": "other", "Name": "songs"}),
        "take failed runs": ("sqs", "receive_message", {"QueueUrl": "ReportFailuresUrl"}),
        "start the extract": ("lambda", "invoke", {"FunctionName": "ExtractFunctionName"}),
        "delete a report": ("s3", "delete_object", {"Bucket": "LakeBucketName", "Key": "report/index.html"}),
        "read the secret": ("secretsmanager", "get_secret_value", {"SecretId": "SpotifySecretArn"}),
        "change the catalog": ("glue", "delete_table", {"DatabaseName": "DatabaseName", "Name": "songs"}),
        "use another workgroup": (
            "athena",
            "start_query_execution",
            {"QueryString": "select 1", "WorkGroup": "primary"},
        ),
    },
    "arrival": {
        "read a file": ("s3", "get_object", {"Bucket": "LakeBucketName", "Key": "staging/charts/x.csv"}),
        "replace a file": (
            "s3",
            "put_object",
            {"Bucket": "LakeBucketName", "Key": "staging/charts/x.csv", "Body": b""},
        ),
        "delete a marker": (
            "s3",
            "delete_object",
            {"Bucket": "LakeBucketName", "Key": "staging/charts/_READY"},
        ),
        "write a table": (
            "s3",
            "put_object",
            {"Bucket": "LakeBucketName", "Key": "datawarehouse/dim_date/x", "Body": b""},
        ),
        "list tables": ("s3", "list_objects_v2", {"Bucket": "LakeBucketName", "Prefix": "curated/"}),
        "start another job": ("glue", "start_job_run", {"JobName": "another"}),
        "change a job": ("glue", "delete_job", {"JobName": "ChartsJobName"}),
        "read raw": ("s3", "get_object", {"Bucket": "RawBucketName", "Key": "raw/x"}),
        "read the secret": ("secretsmanager", "get_secret_value", {"SecretId": "SpotifySecretArn"}),
    },
    "job": {
        "change a file": (
            "s3",
            "put_object",
            {"Bucket": "LakeBucketName", "Key": "staging/charts/x.csv", "Body": b""},
        ),
        "delete a file": ("s3", "delete_object", {"Bucket": "LakeBucketName", "Key": "staging/charts/x.csv"}),
        "delete a table": (
            "s3",
            "delete_object",
            {"Bucket": "LakeBucketName", "Key": "datawarehouse/dim_date/x"},
        ),
        "write a snapshot's table": (
            "s3",
            "put_object",
            {"Bucket": "LakeBucketName", "Key": "curated/songs/x", "Body": b""},
        ),
        "change its code": (
            "s3",
            "put_object",
            {"Bucket": "LakeBucketName", "Key": "jobs/charts.py", "Body": b""},
        ),
        "read raw": ("s3", "get_object", {"Bucket": "RawBucketName", "Key": "raw/x"}),
        "read the secret": ("secretsmanager", "get_secret_value", {"SecretId": "SpotifySecretArn"}),
    },
}


@pytest.fixture(scope="module", autouse=True)
def other_bucket(stack: LaptopStack) -> Iterator[None]:
    """A bucket of somebody else in the account: one that is missing would be refused for that."""
    s3 = stack.client("s3")
    s3.create_bucket(Bucket="not-this-lake")
    yield
    s3.delete_bucket(Bucket="not-this-lake")


@pytest.mark.parametrize(
    "function, deed", [(function, deed) for function, deeds in FORBIDDEN.items() for deed in deeds]
)
def test_a_function_may_not(
    stack: LaptopStack, acting: Callable[[str], Callable[[str], Any]], function: str, deed: str
) -> None:
    service, operation, arguments = FORBIDDEN[function][deed]
    arguments = {name: stack.outputs.get(str(value), value) for name, value in arguments.items()}
    with pytest.raises(ClientError) as refusal:
        getattr(acting(function)(service), operation)(**arguments)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 403}
    assert "AccessDenied" in refusal.value.response["Error"]["Code"]


def test_extract_can_pass_the_schedules_role_and_no_other(stack: LaptopStack) -> None:
    """By the emulator's evaluation of the policies, to which it brings no service that a role is passed to."""
    iam, passable = stack.client("iam"), {}
    roles = {role["RoleName"]: role["Arn"] for role in iam.list_roles()["Roles"]}
    assert len(roles) >= 6
    for function in ROLES:
        document = policy(stack, function)
        for statement in document["Statement"]:
            statement.pop("Condition", None)
        for name, arn in roles.items():
            [result] = iam.simulate_custom_policy(
                PolicyInputList=[json.dumps(document)], ActionNames=["iam:PassRole"], ResourceArns=[arn]
            )["EvaluationResults"]
            if result["EvalDecision"] == "allowed":
                passable[function, name] = arn
    assert list(passable) == [("extract", role_name(stack, "schedule"))]
