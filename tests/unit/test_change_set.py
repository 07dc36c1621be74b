"""A change set is made with its nested stacks, and people see what it would do before they agree."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli import answers, aws, change_set
from cli.change_set import ChangeSetError, apply, changes, check_stack, main, markdown, named_values, prepare
from tests.support.cloudformation import ARN, FakeCloudFormation, FakeS3

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


@pytest.mark.parametrize(
    "status, says",
    [
        (
            "ROLLBACK_COMPLETE",
            "aws cloudformation delete-stack --stack-name spotify-lake --region eu-central-1",
        ),
        ("DELETE_FAILED", "can only delete it"),
        ("UPDATE_IN_PROGRESS", "is being changed at this moment"),
        ("UPDATE_ROLLBACK_FAILED", "Continue update rollback"),
    ],
)
def test_a_stack_that_cannot_be_changed_says_what_to_do(status, says):
    cloudformation = FakeCloudFormation()
    cloudformation.stack = {"StackStatus": status}
    with pytest.raises(ChangeSetError, match=re.escape(says)):
        check_stack(cloudformation, "spotify-lake")


def test_a_stack_that_can_be_changed():
    cloudformation = FakeCloudFormation()
    assert check_stack(cloudformation, "spotify-lake") == cloudformation.stack
    for cloudformation.stack in (None, {"StackStatus": "REVIEW_IN_PROGRESS"}):
        assert check_stack(cloudformation, "spotify-lake") is None


# The steps that make runs


@pytest.fixture
def aws_account(monkeypatch, tmp_path):
    """An account whose CloudFormation is a fake, and no file of an earlier deployment."""
    monkeypatch.setattr(answers, "FILE", tmp_path / "deploy.toml")
    monkeypatch.setattr(aws, "caller", lambda session: ("123456789012", "arn:me"))
    for name in ("PACKAGED", "TABLE", "ARN"):
        monkeypatch.setattr(change_set, name, tmp_path / name)
    cloudformation, s3 = FakeCloudFormation(), FakeS3()
    fakes = {"cloudformation": cloudformation, "s3": s3}
    monkeypatch.setattr(boto3.Session, "client", lambda self, service: fakes[service])
    return cloudformation


@pytest.fixture
def built(monkeypatch):
    """The regions and buckets for which something was built."""
    calls = []

    def package(*where):
        calls.append(where)
        return PACKAGED

    monkeypatch.setattr(change_set, "package", package)
    return calls


def test_preparing_shows_the_changes_and_keeps_them_for_the_next_step(
    aws_account, built, capsys, monkeypatch
):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    aws_account.changes = {ARN: [change("Add", "Topic", "AWS::SNS::Topic")]}
    given = ["--role", "", "--bucket", "artifacts", "--parameters", "AlarmEmail=me@example.org"]
    assert main(["prepare", *given]) == 0
    assert built == [("eu-west-1", "artifacts")]
    assert "RoleARN" not in aws_account.made
    assert change_set.ARN.read_text() == f"{ARN}\n"
    assert change_set.TABLE.read_text() == capsys.readouterr().out
    assert "| Add | `Topic` |" in change_set.TABLE.read_text()


def test_without_changes_there_is_nothing_to_apply(aws_account, built, capsys):
    aws_account.reasons = {ARN: "No updates are to be performed."}
    assert main(["prepare"]) == 0
    assert capsys.readouterr().out == change_set.NOTHING
    assert change_set.ARN.read_text() == "\n"


@pytest.mark.parametrize(
    "parameters, says",
    [
        (
            'ScheduleExpression="cron(0 6 * * *)" AlarmEmail=me',
            ["Did you mean cron(0 6 * * ? *)?", "'me' is not an e-mail"],
        ),
        ("Nonsense", ["'Nonsense' is not one"]),
        ("AlarmMail=me@example.org", ["Did you mean AlarmEmail?"]),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_built(aws_account, built, capsys, parameters, says):
    assert main(["prepare", "--parameters", parameters]) == 1
    error = capsys.readouterr().err
    assert all(sentence in error for sentence in says)
    assert built == []


@pytest.mark.parametrize("step", [["prepare"], ["apply", ARN]])
@pytest.mark.parametrize(
    "missing, says",
    [
        ("AWS_ACCESS_KEY_ID", "There are no AWS credentials on this machine. Sign in with"),
        ("AWS_DEFAULT_REGION", "No AWS region is chosen. Set AWS_REGION to the lake's"),
    ],
)
def test_without_credentials_or_region_nothing_is_built(
    aws_account, built, capsys, monkeypatch, step, missing, says
):
    monkeypatch.delenv(missing)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY" if "KEY" in missing else "AWS_REGION", raising=False)
    assert main(step) == 1
    assert capsys.readouterr().err.startswith(says)
    assert built == []


def test_a_change_set_must_be_named(aws_account, capsys):
    assert main(["apply", ""]) == 1
    assert "`make change-set` prints its ARN" in capsys.readouterr().err


def test_a_build_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(change_set, "ROOT", Path("/nowhere"))
    with pytest.raises(ChangeSetError, match="The build or its upload failed: see above"):
        change_set.package("eu-west-1")
