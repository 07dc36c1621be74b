"""Each role may do what its code calls and what AWS's services do in its name, and nothing else.

The calls are read from the code: of every module that an entry point imports, directly or not. What awswrangler calls
is recorded in tests/integration/test_transform_function.py.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore import xform_name

from tests.support.deployment import as_list, policies
from tests.support.template import ROOT

# Folders in which a package is found, and the entry points of each role.
PACKAGES = {"spotify_lake": ROOT / "layers" / "common", "spotify_bulk": ROOT / "jobs"}
CODE = {
    "ExtractRole": ["functions/extract/app.py"],
    "TransformRole": ["functions/transform/app.py"],
    "ReportRole": ["functions/report/app.py"],
    "ArrivalRole": ["functions/arrival/app.py"],
    "JobRole": ["jobs/charts.py", "jobs/kaggle2023.py", "jobs/forecast.py", "jobs/popularity.py"],
}
# What the call of a client's method takes, by what the code calls the client.
CALLS = {
    ("athena", "start_query_execution"): {"athena:StartQueryExecution"},
    ("athena", "get_query_execution"): {"athena:GetQueryExecution"},
    ("athena", "get_query_results"): {"athena:GetQueryResults"},
    ("athena", "stop_query_execution"): {"athena:StopQueryExecution"},
    ("events", "put_events"): {"events:PutEvents"},
    ("glue", "start_job_run"): {"glue:StartJobRun"},
    ("s3", "copy"): {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
    ("s3", "download_file"): {"s3:GetObject"},
    ("s3", "get_object"): {"s3:GetObject"},
    ("s3", "head_object"): {"s3:GetObject"},
    ("s3", "list_objects_v2"): {"s3:ListBucket"},
    ("s3", "put_object"): {"s3:PutObject"},
    ("s3", "upload_file"): {"s3:PutObject", "s3:AbortMultipartUpload"},
    ("scheduler", "create_schedule"): {"scheduler:CreateSchedule", "iam:PassRole"},
    ("secretsmanager", "get_secret_value"): {"secretsmanager:GetSecretValue"},
    ("secretsmanager", "put_secret_value"): {"secretsmanager:PutSecretValue"},
}
# Of whoever deploys, by the method of CloudFormation's client.
DEPLOYING = {
    "create_change_set": {"cloudformation:CreateChangeSet", "iam:PassRole"},
    "change_set_create_complete": {"cloudformation:DescribeChangeSet"},
    "describe_change_set": {"cloudformation:DescribeChangeSet"},
    "describe_stack_events": {"cloudformation:DescribeStackEvents"},
    "describe_stacks": {"cloudformation:DescribeStacks"},
    "execute_change_set": {"cloudformation:ExecuteChangeSet"},
    "stack_create_complete": {"cloudformation:DescribeStacks"},
    "stack_update_complete": {"cloudformation:DescribeStacks"},
}
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
KEY = {"kms:Decrypt", "kms:GenerateDataKey"}
# What no code of ours calls, by who does it in the role's name, or why it is needed.
BY_SERVICES = {
    "ExtractRole": {
        "Lambda's logs": LOGS,
        "Lambda's event about a failed run": {"sqs:SendMessage"},
        "404 instead of 403 for a missing object": {"s3:ListBucket"},
        "the key": KEY,
    },
    "TransformRole": {
        "Lambda's logs": LOGS,
        "awswrangler's objects": {"s3:PutObject"},
        "Lambda's poll of the queue": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
        "the key": KEY,
    },
    "ReportRole": {
        "Lambda's logs": LOGS,
        "Lambda's event about a failed run": {"sqs:SendMessage"},
        "Athena's look into the catalog": {
            "glue:GetDatabase",
            "glue:GetTable",
            "glue:GetTables",
            "glue:GetPartition",
            "glue:GetPartitions",
        },
        "Athena's reading and writing": {
            "s3:GetObject",
            "s3:PutObject",
            "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts",
            "s3:ListBucketMultipartUploads",
            "s3:GetBucketLocation",
        },
        "the key": KEY,
    },
    "ArrivalRole": {
        "Lambda's logs": LOGS,
        "Lambda's event about a failed run": {"sns:Publish"},
        "the key": KEY,
    },
    "JobRole": {
        "Glue's logs": LOGS | {"logs:CreateLogGroup"},
        "Spark's files on S3": {
            "s3:DeleteObject",
            "s3:ListBucketMultipartUploads",
            "s3:GetBucketLocation",
        },
        "the key": KEY,
    },
}
# Clients that their module calls otherwise than by the service.
CLIENTS = {"athena.py": {"client": "athena"}}
AMBIGUOUS = {"copy", "publish"}  # methods of other things than clients too


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


def imports(path: Path) -> Iterator[str]:
    """Yield the modules and names that a file imports, anywhere in it."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, path
            yield from (f"{node.module}.{one.name}" for one in node.names)


def file_of(name: str) -> Path | None:
    """Return the file of a module of ours, or of the module that has a name."""
    root = PACKAGES.get(name.partition(".")[0])
    while root is not None and name:
        path = root / name.replace(".", "/")
        for found in (path.with_suffix(".py"), path / "__init__.py"):
            if found.exists():
                return found
        name = name.rpartition(".")[0]
    return None


def reached(entry: Path) -> set[Path]:
    """Return the files that run with an entry point."""
    found, waiting = set(), [entry]
    while waiting:
        path = waiting.pop()
        found.add(path)
        waiting += [one for one in map(file_of, imports(path)) if one and one not in found]
    return found


def every_operation() -> set[str]:
    """Return the methods of all clients that the code could make."""
    session = boto3.Session()._session
    return {
        xform_name(operation)
        for service in (
            "athena",
            "cloudformation",
            "events",
            "glue",
            "logs",
            "s3",
            "scheduler",
            "secretsmanager",
            "sns",
            "sqs",
        )
        for operation in session.get_service_model(service).operation_names
    } | {"upload_file", "download_file", "upload_fileobj", "download_fileobj", "copy"}


EVERY_OPERATION = every_operation()


def calls_in(path: Path) -> Iterator[tuple[str, str]]:
    """Yield service and method of the calls of clients in a file."""
    for node in nodes(path):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        method = node.func.attr
        client = ast.unparse(node.func.value).rpartition(".")[2].lstrip("_")
        service = CLIENTS.get(path.name, {}).get(client, client)
        if method in ("get_paginator", "get_waiter"):
            yield service, str(ast.literal_eval(node.args[0]))
        elif method in EVERY_OPERATION and not (method in AMBIGUOUS and service not in {"s3", "sns"}):
            yield service, method


@pytest.mark.parametrize("role", CODE)
def test_a_role_allows_what_its_code_and_services_do_and_nothing_else(role: str) -> None:
    [policy] = [one for one in policies() if one.owner == role]
    granted = {action for one in policy.statements for action in as_list(one["Action"])}
    files = {path for entry in CODE[role] for path in reached(ROOT / entry)}
    calls = {call for path in files for call in calls_in(path)}
    assert calls <= CALLS.keys(), f"say in CALLS what these take: {calls - CALLS.keys()}"
    by_code = {action for call in calls for action in CALLS[call]}
    by_services = set().union(*BY_SERVICES[role].values())
    assert by_code - granted == set(), "the code calls what the role may not do"
    assert granted - by_code - by_services == set(), "nobody needs these"
    assert by_services - granted == set(), "a service needs these"


def test_no_call_is_listed_that_nobody_makes() -> None:
    files = {path for entries in CODE.values() for entry in entries for path in reached(ROOT / entry)}
    assert {call for path in files for call in calls_in(path)} == CALLS.keys()


def test_every_function_and_job_has_its_role_here() -> None:
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "functions").glob("*/app.py")}
    found |= {str(path.relative_to(ROOT)) for path in (ROOT / "jobs").glob("*.py")}
    assert found == {entry for entries in CODE.values() for entry in entries}


def test_whoever_deploys_may_do_what_the_tool_does() -> None:
    """`sam package` uploads, and `sam deploy`, for those who use it, asks for the template's summary."""
    granted = {
        action
        for policy in policies()
        if policy.owner in ("PreviewPolicy", "ApplyPolicy")
        for one in policy.statements
        for action in as_list(one["Action"])
    }
    calls = {
        method for service, method in calls_in(ROOT / "cli" / "change_set.py") if service == "cloudformation"
    }
    assert calls == DEPLOYING.keys()
    by_sam = {"s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetBucketLocation"}
    by_sam |= {"cloudformation:GetTemplateSummary"}
    assert granted == set().union(by_sam, *(DEPLOYING[one] for one in calls))
