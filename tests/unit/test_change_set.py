"""A change set is made with its nested stacks, and people see what it would do before they agree."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError, WaiterError

from tools.change_set import ChangeSetError, apply, changes, main, markdown, named_values, prepare

ARN = "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/deploy-1/0a1b"
NESTED_ARN = "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/deploy-1-CatalogStack-1/2c3d"
STACK_ARN = "arn:aws:cloudformation:eu-central-1:123456789012:stack/spotify-lake/0a1b"
NESTED_STACK_ARN = "arn:aws:cloudformation:eu-central-1:123456789012:stack/spotify-lake-CatalogStack-1/2c3d"
START = dt.datetime(2026, 11, 27, 6, tzinfo=dt.UTC)
PACKAGED = json.dumps(
    {
        "Parameters": {name: {"Type": "String"} for name in ("LakeName", "AlarmEmail", "AlarmSet")},
        "Resources": {
            "RawBucket": {"Type": "AWS::S3::Bucket"},
            "CommonLayer": {"Properties": {"ContentUri": "s3://artifacts/spotify-lake/0123"}},
        },
    }
)


class FakeS3:
    """Keeps what is uploaded."""

    class meta:
        endpoint_url: ClassVar = "https://s3.eu-central-1.amazonaws.com"

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self.objects[Bucket, Key] = Body


class FakeCloudFormation:
    """Answers from what a test sets; `reasons` are those of change sets that cannot be made, by ARN."""

    def __init__(self) -> None:
        self.stack: dict[str, Any] | None = {
            "StackStatus": "UPDATE_COMPLETE",
            "Parameters": [{"ParameterKey": name} for name in ("LakeName", "AlarmEmail", "Gone")],
        }
        self.reasons: dict[str, str] = {}
        self.changes: dict[str, list[dict[str, object]]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.after: dict[str, list[dict[str, Any]]] = {}
        self.made: dict[str, Any] = {}

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:
        if self.stack is None:
            message = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")
        return {"Stacks": [self.stack]}

    def create_change_set(self, **request: Any) -> dict[str, str]:
        self.made = request
        return {"Id": ARN}

    def describe_change_set(self, *, ChangeSetName: str) -> dict[str, Any]:
        return {"StatusReason": self.reasons[ChangeSetName]}

    def execute_change_set(self, *, StackName: str, ChangeSetName: str) -> None:
        self.events = {stack: [*self.after[stack], *self.events.get(stack, [])] for stack in self.after}

    def get_waiter(self, name: str) -> "FakeCloudFormation":
        return self

    def wait(self, **_: Any) -> None:
        if self.reasons or self.after:
            raise WaiterError("name", "reason", {})

    def get_paginator(self, operation: str) -> Any:
        fake = self

        class Paginator:
            def paginate(self, **which: str) -> Iterator[dict[str, Any]]:
                if operation == "describe_stack_events":
                    yield {"StackEvents": fake.events[which["StackName"]]}
                else:
                    for change in fake.changes[which["ChangeSetName"]]:
                        yield {"Changes": [{"Type": "Resource", "ResourceChange": change}]}

        return Paginator()


def event(minute: int, stack: str, name: str, status: str, reason: str, **more: str) -> dict[str, Any]:
    return {
        "Timestamp": START + dt.timedelta(minutes=minute),
        "StackId": stack,
        "LogicalResourceId": name,
        "ResourceType": "AWS::Glue::Table",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    } | more


def change(
    action: str, name: str, kind: str, replacement: str | None = None, *causes: str
) -> dict[str, object]:
    found: dict[str, object] = {
        "Action": action,
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Details": [{"Target": {"Attribute": "Properties", "Name": cause}} for cause in causes],
    }
    return found | ({"Replacement": replacement} if replacement else {})


def test_a_change_set_covers_nested_stacks_and_keeps_what_is_not_named():
    cloudformation, s3 = FakeCloudFormation(), FakeS3()
    parameters = {"AlarmEmail": "me@example.org"}
    assert prepare(cloudformation, s3, PACKAGED, "spotify-lake", parameters, "arn:role") == ARN
    made = cloudformation.made
    assert made["IncludeNestedStacks"] is True
    assert (made["StackName"], made["ChangeSetType"], made["RoleARN"]) == (
        "spotify-lake",
        "UPDATE",
        "arn:role",
    )
    # Neither AlarmSet, which is new and has a default, nor Gone, which the template no longer has.
    assert made["Parameters"] == [
        {"ParameterKey": "AlarmEmail", "ParameterValue": "me@example.org"},
        {"ParameterKey": "LakeName", "UsePreviousValue": True},
    ]
    [((bucket, key), body)] = s3.objects.items()
    assert body.decode() == PACKAGED
    assert (bucket, key.rpartition("/")[0]) == ("artifacts", "spotify-lake"), "beside the code"
    assert made["TemplateURL"] == f"https://s3.eu-central-1.amazonaws.com/{bucket}/{key}"


@pytest.mark.parametrize("stack", [None, {"StackStatus": "REVIEW_IN_PROGRESS", "Parameters": []}])
def test_a_lake_that_does_not_exist_is_created(stack):
    cloudformation = FakeCloudFormation()
    cloudformation.stack = stack
    prepare(cloudformation, FakeS3(), PACKAGED, "spotify-lake", {})
    assert (cloudformation.made["ChangeSetType"], cloudformation.made["Parameters"]) == ("CREATE", [])
    assert "RoleARN" not in cloudformation.made


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ],
)
def test_no_changes_are_no_change_set(reason):
    cloudformation = FakeCloudFormation()
    cloudformation.reasons = {ARN: reason}
    assert prepare(cloudformation, FakeS3(), PACKAGED, "spotify-lake", {}) is None


def test_a_nested_stack_that_is_rejected_says_why():
    cloudformation = FakeCloudFormation()
    cloudformation.reasons = {
        ARN: f"Nested change set {NESTED_ARN} was not successfully created: Currently in FAILED.",
        NESTED_ARN: "Parameters: [LakeName] must have values",
    }
    with pytest.raises(ChangeSetError) as raised:
        prepare(cloudformation, FakeS3(), PACKAGED, "spotify-lake", {})
    assert str(raised.value).splitlines() == [
        "CloudFormation rejects the change:",
        f"  {cloudformation.reasons[ARN]}",
        "  Parameters: [LakeName] must have values",
    ]


def test_a_parameter_that_the_template_lacks_is_refused():
    with pytest.raises(ChangeSetError, match="The template has no parameter AlarmMail"):
        prepare(FakeCloudFormation(), FakeS3(), PACKAGED, "spotify-lake", {"AlarmMail": "me@example.org"})


def test_parameters_may_have_blanks():
    assert named_values('A=1 Schedule="cron(0 4 * * ? *)" C=') == {
        "A": "1",
        "Schedule": "cron(0 4 * * ? *)",
        "C": "",
    }
    for wrong in ("A 1", 'A="1'):
        with pytest.raises(ChangeSetError, match="LAKE_PARAMETERS"):
            named_values(wrong)


def test_changes_in_nested_stacks_are_shown():
    cloudformation = FakeCloudFormation()
    cloudformation.changes = {
        ARN: [
            change("Modify", "CatalogStack", "AWS::CloudFormation::Stack", "False", "Parameters")
            | {"ChangeSetId": NESTED_ARN},
            change("Add", "Topic", "AWS::SNS::Topic"),
        ],
        NESTED_ARN: [change("Add", "PlaysTable", "AWS::Glue::Table")],
    }
    found = changes(cloudformation, "spotify-lake", ARN)
    assert [one["LogicalResourceId"] for one in found] == ["CatalogStack", "CatalogStack/PlaysTable", "Topic"]
    assert "|  | Add | `CatalogStack/PlaysTable` | AWS::Glue::Table |  |" in markdown(
        "spotify-lake", ARN, found
    )


def test_what_failed_in_a_nested_stack_is_told():
    cloudformation = FakeCloudFormation()
    nested = {"ResourceType": "AWS::CloudFormation::Stack", "PhysicalResourceId": NESTED_STACK_ARN}
    cloudformation.events = {
        "spotify-lake": [event(0, STACK_ARN, "Old", "CREATE_FAILED", "of an earlier deployment")]
    }
    cloudformation.after = {
        "spotify-lake": [
            event(3, STACK_ARN, "CatalogStack", "UPDATE_FAILED", "Embedded stack was not updated", **nested),
            event(1, STACK_ARN, "CatalogStack", "UPDATE_IN_PROGRESS", "", **nested),
        ],
        NESTED_STACK_ARN: [
            event(2, NESTED_STACK_ARN, "PlaysTable", "CREATE_FAILED", "Table already exists"),
            event(-9, NESTED_STACK_ARN, "SongsTable", "CREATE_FAILED", "of an earlier deployment"),
        ],
    }
    with pytest.raises(ChangeSetError) as raised:
        apply(cloudformation, "spotify-lake", ARN)
    assert str(raised.value).splitlines() == [
        "The stack is UPDATE_COMPLETE. What failed:",
        "  CatalogStack: Embedded stack was not updated",
        "    PlaysTable: Table already exists",
    ]


def test_what_loses_data_comes_first_and_is_marked():
    shown = markdown(
        "spotify-lake",
        ARN,
        [
            change("Modify", "ExtractFunction", "AWS::Lambda::Function", "False", "Timeout", "Code", "Code"),
            change("Add", "Stale", "AWS::CloudWatch::Alarm"),
            change("Remove", "Old", "AWS::CloudWatch::Alarm"),
            change("Modify", "RawBucket", "AWS::S3::Bucket", "True", "BucketName"),
            change("Modify", "WorkGroup", "AWS::Athena::WorkGroup", "Conditional", "Name"),
        ],
    )
    lines = shown.splitlines()
    assert lines[0] == "### 5 changes to spotify-lake"
    assert lines[4:9] == [
        "| ⚠ | Modify (replaces it) | `RawBucket` | AWS::S3::Bucket | BucketName |",
        "|  | Add | `Stale` | AWS::CloudWatch::Alarm |  |",
        "|  | Modify | `ExtractFunction` | AWS::Lambda::Function | Code, Timeout |",
        "|  | Modify (may replace it) | `WorkGroup` | AWS::Athena::WorkGroup | Name |",
        "|  | Remove | `Old` | AWS::CloudWatch::Alarm |  |",
    ]
    assert "⚠ removes or may replace something that holds data." in shown
    assert f"`{ARN}`" in shown


def test_without_a_loss_nothing_warns():
    assert "⚠" not in markdown(
        "spotify-lake", ARN, [change("Modify", "RawBucket", "AWS::S3::Bucket", "False", "Tags")]
    )


def test_a_template_that_is_not_there_is_told(tmp_path, capsys):
    assert main(["prepare", str(tmp_path / "missing.json")]) == 1
    assert "missing.json" in capsys.readouterr().err
