"""What tests do to the deployed laptop stack, and what its tables must hold afterwards."""

import datetime as dt
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import psutil
import pyarrow.parquet as pq
import pytest

from local import sql_dialect
from local.stack import LaptopStack
from spotify_lake import keys as lake_keys
from spotify_lake.errors import RawObjectUnreadable
from spotify_lake.normalize.rows import Tables
from spotify_lake.schema.playlists import TABLES
from spotify_lake.transform import run as transform
from spotify_lake.transform.listening import ListeningWriter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

type Rows = list[dict[str, Any]]


def eventually(condition: Callable[[], object], timeout_s: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


def put_raw(stack: LaptopStack, key: str, data: bytes) -> None:
    stack.client("s3").put_object(Bucket=stack.outputs["RawBucketName"], Key=key, Body=data)


def s3_event(stack: LaptopStack, *keys: str) -> dict[str, Any]:
    """The event of S3 for raw objects; the keys are taken as they are."""
    bucket = {"name": stack.outputs["RawBucketName"]}
    return {
        "Records": [
            {"eventSource": "aws:s3", "s3": {"bucket": bucket, "object": {"key": key}}} for key in keys
        ]
    }


def send(stack: LaptopStack, *keys: str) -> None:
    """Put the event of raw objects into the transform queue, each in a message of its own."""
    for key in keys:
        stack.client("sqs").send_message(
            QueueUrl=stack.outputs["TransformQueueUrl"], MessageBody=json.dumps(s3_event(stack, key))
        )


@contextmanager
def current_date(day: dt.date) -> Iterator[None]:
    """Make `current_date` in queries mean `day`: the views look back from today, and the tests' days are fixed."""
    with mock.patch.object(sql_dialect, "to_duckdb", partial(sql_dialect.to_duckdb, today=day)):
        yield


# --- the tables, by content ---


def read(stack: LaptopStack, bucket: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Every object below a prefix of the bucket that an output names."""
    s3, name = stack.client("s3"), stack.outputs[bucket]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix):
        for found in page.get("Contents", []):
            yield found["Key"], s3.get_object(Bucket=name, Key=found["Key"])["Body"].read()


def stored(stack: LaptopStack) -> dict[str, Rows]:
    """The rows of every Parquet object of the lake, by key."""
    return {
        key: pq.ParquetFile(io.BytesIO(data)).read().to_pylist()
        for key, data in read(stack, "LakeBucketName", "curated/")
    }


class KeptWrites:
    """An S3 client that keeps what it should write."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.written: dict[str, bytes] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> None:
        self.written[Key] = Body


def undisturbed(stack: LaptopStack) -> dict[str, Rows]:
    """The rows that the raw objects of the lake give in a transform that nothing goes wrong with, by key.

    It runs in this process and writes nowhere. What cannot be read gives none.
    """
    found: list[Tables] = []
    client = stack.client("s3")
    kept = KeptWrites(client)
    listening = ListeningWriter(cast("S3Client", kept), stack.outputs["LakeBucketName"])

    def keep(tables: Tables, *_: object) -> list[str]:
        found.append(tables)
        return []

    for key, _ in read(stack, "RawBucketName", "raw/"):
        with suppress(RawObjectUnreadable):
            transform.transform(s3_event(stack, key), client, keep, lambda *_: None, listening.transform)
    plays = {key: pq.ParquetFile(io.BytesIO(data)).read().to_pylist() for key, data in kept.written.items()}
    return plays | {
        lake_keys.curated_key(table.prefix, each.playlist_id, each.scheduled_at): list(each.records(table))
        for each in found
        for table in TABLES
    }


def assert_undisturbed(stack: LaptopStack) -> None:
    """The lake holds what an undisturbed run makes of its raw objects: every object, every row, nothing else."""
    have, expected = stored(stack), undisturbed(stack)
    assert expected, "there are no raw objects, so this would show nothing"
    assert set(have) - set(expected) == set(), "objects that no snapshot gives"
    assert set(expected) - set(have) == set(), "objects that are missing"
    assert [key for key in expected if have[key] != expected[key]] == [], "objects with other rows"


# --- changing what is deployed, for a while ---


@contextmanager
def function_settings(
    stack: LaptopStack, function: str, environment: dict[str, str] | None = None, **changes: Any
) -> Iterator[None]:
    """Another configuration of a deployed function, such as Timeout; `environment` is added to its own."""
    stack.wait_until_idle()  # what fails now would stay hidden in the queue for twelve minutes
    client, name = stack.client("lambda"), stack.outputs[f"{function.capitalize()}FunctionName"]
    found = client.get_function_configuration(FunctionName=name)
    deployed = {setting: found[setting] for setting in ("Environment", *changes)}
    added = {"Variables": deployed["Environment"]["Variables"] | (environment or {})}
    client.update_function_configuration(FunctionName=name, **changes | {"Environment": added})
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, **deployed)


@contextmanager
def quick_retries(
    stack: LaptopStack, *, tries: int | None = None, hidden_s: int = 1, at_a_time: int = 1
) -> Iterator[None]:
    """Try failed messages of the transform queue again soon. Five tries, as deployed, would take an hour.

    Parameters
    ----------
    stack
        The stack.
    tries
        How often a message is tried; by default, as deployed.
    hidden_s
        Seconds after which a message comes again. If it is still being worked on then, it comes twice.
    at_a_time
        Messages worked on at the same time. With one, none comes twice, however slow the machine is.
    """
    stack.wait_until_idle()
    sqs, queue = stack.client("sqs"), stack.outputs["TransformQueueUrl"]
    names = ["VisibilityTimeout", "RedrivePolicy"]
    deployed = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    changed = deployed | {"VisibilityTimeout": str(hidden_s)}
    if tries is not None:
        policy = json.loads(deployed["RedrivePolicy"]) | {"maxReceiveCount": tries}
        changed["RedrivePolicy"] = json.dumps(policy)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=changed)
    try:
        with concurrency(stack, at_a_time):
            yield
    finally:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=deployed)


@contextmanager
def concurrency(stack: LaptopStack, number: int) -> Iterator[None]:
    """Run at most as many transforms at the same time."""
    functions, which = stack.client("lambda"), {"FunctionName": stack.outputs["TransformFunctionName"]}
    before = functions.get_function_concurrency(**which).get("ReservedConcurrentExecutions")
    functions.put_function_concurrency(**which, ReservedConcurrentExecutions=number)
    try:
        yield
    finally:
        if before is None:
            functions.delete_function_concurrency(**which)
        else:
            functions.put_function_concurrency(**which, ReservedConcurrentExecutions=before)


@contextmanager
def event_source(stack: LaptopStack, **changes: Any) -> Iterator[None]:
    """Another configuration of the connection between the transform queue and its function."""
    client, name = stack.client("lambda"), stack.outputs["TransformFunctionName"]
    [deployed] = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    client.update_event_source_mapping(UUID=deployed["UUID"], **changes)
    before = {"Enabled": deployed["State"] == "Enabled"} | {
        name: deployed[name] for name in changes if name in deployed
    }
    try:
        yield
    finally:
        client.update_event_source_mapping(UUID=deployed["UUID"], **before)


def workers(stack: LaptopStack, function: str) -> list[psutil.Process]:
    """The processes in which the emulator runs a function: what on AWS are its execution environments."""
    pid = stack.emulator.process.pid()
    if pid is None:
        pytest.fail("the emulator does not run")
    name = stack.outputs[f"{function.capitalize()}FunctionName"]
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            if f"ministack-lambda-{name}-" in process.cwd():
                found.append(process)
    return found


# --- roles ---


def role_name(stack: LaptopStack, function: str) -> str:
    """The physical name of a role, which is in the stack itself or in a nested one."""
    cloudformation = stack.client("cloudformation")
    found = cloudformation.describe_stack_resources(StackName="spotify-lake")["StackResources"]
    nested = [
        one["PhysicalResourceId"] for one in found if one["ResourceType"] == "AWS::CloudFormation::Stack"
    ]
    for inside in nested:
        found += cloudformation.describe_stack_resources(StackName=inside)["StackResources"]
    [name] = [
        one["PhysicalResourceId"]
        for one in found
        if one["LogicalResourceId"] == f"{function.capitalize()}Role"
    ]
    return name


def policy(stack: LaptopStack, function: str) -> dict[str, Any]:
    answer = stack.client("iam").get_role_policy(RoleName=role_name(stack, function), PolicyName=function)
    document: dict[str, Any] = answer["PolicyDocument"]
    return document


@contextmanager
def without(stack: LaptopStack, function: str, sid: str) -> Iterator[None]:
    """Take a statement away from a function's role for a while."""
    stack.wait_until_idle()  # what fails now would stay hidden in the queue for twelve minutes
    iam, role = stack.client("iam"), role_name(stack, function)
    document = iam.get_role_policy(RoleName=role, PolicyName=function)["PolicyDocument"]
    less = document | {"Statement": [each for each in document["Statement"] if each["Sid"] != sid]}
    assert len(less["Statement"]) == len(document["Statement"]) - 1
    iam.put_role_policy(RoleName=role, PolicyName=function, PolicyDocument=json.dumps(less))
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=function, PolicyDocument=json.dumps(document))
