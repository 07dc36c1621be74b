"""A change to the deployed stack in two steps: prepare it and show what it would do, then carry it out.

Everything that can be checked here is checked first: the sign-in to AWS, the region, the parameters, the state of the
stack. `sam package` then uploads the build and writes a template, of which a change set is made, nested stacks
included. `sam deploy` is not used for this because its change sets leave nested stacks out.

`./lake deploy` does it all; `make change-set` and `make apply-change-set` run this module, one step each.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import yaml
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from cli import aws, parameters
from cli.stack import DEFAULT_STACK, ROOT
from spotify_lake.errors import LakeError
from spotify_lake.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        ParameterTypeDef,
        StackTypeDef,
        WaiterConfigTypeDef,
    )
    from mypy_boto3_s3 import S3Client

NOTHING: Final = "The stack already matches this commit: there is nothing to deploy.\n"
NO_CHANGES: Final = ("The submitted information didn't contain changes", "No updates are to be performed")
POLL: Final[WaiterConfigTypeDef] = {"Delay": 5, "MaxAttempts": 720}  # an hour
STACK_TYPE: Final = "AWS::CloudFormation::Stack"
# What cannot be had back when it goes.
HOLDS_DATA: Final = frozenset(
    {"AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"}
)


PACKAGED: Final = ROOT / ".aws-sam" / "packaged.json"
TABLE: Final = ROOT / ".aws-sam" / "change-set.md"
ARN: Final = ROOT / ".aws-sam" / "change-set.arn"
# A make around this must not reach into the one that is started here.
_OF_MAKE: Final = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}


class ChangeSetError(Exception):
    """A change set cannot be made or carried out; the sentence says why."""


class _Template(yaml.CSafeLoader):
    """Reads CloudFormation's short tags as plain values."""


_Template.add_multi_constructor("!", lambda _loader, _tag, node: getattr(node, "value", None))


def declared() -> dict[str, dict[str, Any]]:
    """Return the parameters of template.yaml by name, as it declares them."""
    template = yaml.load((ROOT / "template.yaml").read_text(), _Template)  # noqa: S506 # nosec B506 # a SafeLoader
    found: dict[str, dict[str, Any]] = template["Parameters"]
    return found


def check_parameters(values: Mapping[str, str]) -> None:
    """Check values of parameters without AWS.

    Raises
    ------
    ChangeSetError
        Some cannot work; the message names them all, with what to give instead.
    """
    if found := parameters.problems(values, declared()):
        raise ChangeSetError("\n".join(found))


def check_stack(cloudformation: CloudFormationClient, stack: str) -> StackTypeDef | None:
    """Return the stack, or None if it has never been created.

    Raises
    ------
    ChangeSetError
        It is in a state in which CloudFormation does not change it.
    """
    found = _find(cloudformation, stack)
    status = found["StackStatus"] if found else ""
    region = cloudformation.meta.region_name
    if status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}:
        raise ChangeSetError(
            f"The stack {stack} is in state {status}: it was not created or removed completely, and CloudFormation can"
            f" only delete it. Run `aws cloudformation delete-stack --stack-name {stack} --region {region}`, wait until"
            " it is gone, and deploy again. docs/first-deployment.md says how to find the cause."
        )
    if status.endswith("_IN_PROGRESS"):
        raise ChangeSetError(
            f"The stack {stack} is being changed at this moment ({status}). Wait until that has ended, and try again."
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        raise ChangeSetError(
            f"The stack {stack} is in state {status}: CloudFormation could not take back the last update. In its"
            " console, choose Stack actions, Continue update rollback, and deploy again."
        )
    return found


def package(region: str, bucket: str | None = None) -> str:
    """Build the functions, upload them and return the template with their addresses.

    Parameters
    ----------
    region
        Where to upload to.
    bucket
        Where to upload to; by default SAM's own bucket.

    Raises
    ------
    ChangeSetError
        The build or the upload failed; their output says why.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    environment |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "ARTIFACTS_BUCKET": bucket or ""}
    sys.stdout.flush()
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(ROOT), "package"],  # noqa: S607 # nosec B607 # the make that the person has
        env=environment,
        check=False,
    )
    if done.returncode:
        raise ChangeSetError("The build or its upload failed: see above. The stack was not changed.")
    return PACKAGED.read_text()


def prepare(
    cloudformation: CloudFormationClient,
    s3: S3Client,
    packaged: str,
    stack: str,
    parameters: Mapping[str, str],
    role: str | None = None,
    poll: WaiterConfigTypeDef = POLL,
) -> str | None:
    """Make a change set of a packaged template; return its ARN, or None if nothing would change.

    Parameters
    ----------
    cloudformation, s3
        Clients for the account and region of the stack.
    packaged
        The template that `sam package --use-json` wrote.
    stack
        Name of the stack, which is created if it does not exist.
    parameters
        Values by name. Other parameters keep their values, or get the template's defaults.
    role
        ARN of the role that CloudFormation works with.
    poll
        How often and how long to look whether the change set is ready.

    Raises
    ------
    ChangeSetError
        The template lacks a parameter, or CloudFormation rejects the change set.
    """
    template = json.loads(packaged)
    if unknown := sorted(parameters.keys() - template["Parameters"].keys()):
        raise ChangeSetError(f"The template has no parameter {', '.join(unknown)}.")
    found = _find(cloudformation, stack)
    before = {one["ParameterKey"] for one in found.get("Parameters", [])} if found else set()
    given: list[ParameterTypeDef] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
    ]
    given += [
        {"ParameterKey": name, "UsePreviousValue": True}
        for name in template["Parameters"]
        if name in before and name not in parameters
    ]
    request: CreateChangeSetInputTypeDef = {
        "StackName": stack,
        "ChangeSetName": f"deploy-{dt.datetime.now(dt.UTC):%Y%m%d%H%M%S}",
        "ChangeSetType": "UPDATE" if found else "CREATE",
        "TemplateURL": _upload(s3, packaged, template),
        "Parameters": given,
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        "IncludeNestedStacks": True,
    }
    if role:
        request["RoleARN"] = role
    arn = cloudformation.create_change_set(**request)["Id"]
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(
            StackName=stack, ChangeSetName=arn, WaiterConfig=poll
        )
    except WaiterError as error:
        reasons = list(_reasons(cloudformation, arn))
        if reasons[-1].startswith(NO_CHANGES):
            return None
        raise ChangeSetError("\n  ".join(["CloudFormation rejects the change:", *reasons])) from error
    return arn


def changes(cloudformation: CloudFormationClient, stack: str, arn: str) -> list[dict[str, Any]]:
    """Return what a change set would do to each resource; those of nested stacks are named NestedStack/Resource."""
    return _changes(cloudformation, {"StackName": stack, "ChangeSetName": arn}, within="")


def _changes(
    cloudformation: CloudFormationClient, which: dict[str, Any], within: str
) -> list[dict[str, Any]]:
    found = []
    for page in cloudformation.get_paginator("describe_change_set").paginate(**which):
        for entry in page.get("Changes", []):
            change: dict[str, Any] = dict(entry.get("ResourceChange", {}))
            name = change["LogicalResourceId"] = f"{within}{change['LogicalResourceId']}"
            found.append(change)
            if nested := change.get("ChangeSetId"):
                found += _changes(cloudformation, {"ChangeSetName": nested}, within=f"{name}/")
    return found


def markdown(stack: str, arn: str, found: Iterable[dict[str, Any]]) -> str:
    """Return the changes as a Markdown table, those that lose something first.

    Parameters
    ----------
    stack, arn
        Name of the stack, and the change set's ARN.
    found
        As `changes` returns them.
    """
    found = sorted(
        found, key=lambda change: (not _loses(change), change["Action"], change["LogicalResourceId"])
    )
    lines = [
        f"### {len(found)} changes to {stack}",
        "",
        "| | what | resource | type | because of |",
        "|---|---|---|---|---|",
    ]
    for change in found:
        what = change["Action"]
        if change.get("Replacement") in {"True", "Conditional"}:
            what += " (replaces it)" if change["Replacement"] == "True" else " (may replace it)"
        causes = sorted(
            {
                detail["Target"].get("Name", detail["Target"]["Attribute"])
                for detail in change.get("Details", [])
            }
        )
        lines.append(
            f"| {'⚠' if _loses(change) else ''} | {what} | `{change['LogicalResourceId']}` "
            f"| {change['ResourceType']} | {', '.join(causes)} |"
        )
    if any(map(_loses, found)):
        lines += ["", "⚠ removes or may replace something that holds data. Buckets are kept all the same."]
    return "\n".join([*lines, "", f"Change set: `{arn}`", ""])


def apply(
    cloudformation: CloudFormationClient, stack: str, arn: str, poll: WaiterConfigTypeDef = POLL
) -> str:
    """Carry out a change set, wait for the end, and return the state of the stack.

    Raises
    ------
    ChangeSetError
        The stack could not be changed; CloudFormation took back what it had done.
    """
    creates = _status(cloudformation, stack) == "REVIEW_IN_PROGRESS"
    before = max(event["Timestamp"] for event in _events(cloudformation, stack))
    cloudformation.execute_change_set(StackName=stack, ChangeSetName=arn)
    try:
        if creates:
            cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig=poll)
        else:
            cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=poll)
    except WaiterError as error:
        failures = _failures(cloudformation, stack, before)
        raise ChangeSetError(
            "\n".join([f"The stack is {_status(cloudformation, stack)}. What failed:", *failures])
        ) from error
    return _status(cloudformation, stack)


def _upload(s3: S3Client, packaged: str, template: Mapping[str, Any]) -> str:
    """Put the template beside the code that `sam package` uploaded; return its address."""
    uris = [resource.get("Properties", {}).get("ContentUri") for resource in template["Resources"].values()]
    beside = next(uri for uri in uris if uri)  # the template has layers
    bucket, _, key = beside.removeprefix("s3://").partition("/")
    folder = key.rpartition("/")[0]
    key = f"{folder}/{hashlib.sha256(packaged.encode()).hexdigest()}.template".lstrip("/")
    s3.put_object(Bucket=bucket, Key=key, Body=packaged.encode())
    return f"{s3.meta.endpoint_url}/{bucket}/{key}"


def _reasons(cloudformation: CloudFormationClient, arn: str) -> Iterator[str]:
    """Why a change set could not be made; for a nested one that failed, also its own reason."""
    reason = cloudformation.describe_change_set(ChangeSetName=arn).get("StatusReason", "no reason is given")
    yield reason
    if nested := re.search(r"arn:\S+:changeSet/\S+", reason):
        yield from _reasons(cloudformation, nested[0])


def _failures(cloudformation: CloudFormationClient, stack: str, before: dt.datetime) -> list[str]:
    """What failed in a stack and its nested stacks since a moment, oldest first."""
    found = []
    for event in reversed(_events(cloudformation, stack)):
        if event["Timestamp"] <= before or not event["ResourceStatus"].endswith("_FAILED"):
            continue
        found.append(f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}")
        nested = event.get("PhysicalResourceId")
        if event["ResourceType"] == STACK_TYPE and nested and nested != event["StackId"]:
            found += [f"  {line}" for line in _failures(cloudformation, nested, before)]
    return found


def _loses(change: dict[str, Any]) -> bool:
    gone = change["Action"] == "Remove" or change.get("Replacement") in {"True", "Conditional"}
    return gone and change["ResourceType"] in HOLDS_DATA


def _find(cloudformation: CloudFormationClient, stack: str) -> StackTypeDef | None:
    """Return the stack, or None if it has never been created."""
    try:
        [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return None if found["StackStatus"] == "REVIEW_IN_PROGRESS" else found


def _status(cloudformation: CloudFormationClient, stack: str) -> str:
    return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])


def _events(cloudformation: CloudFormationClient, stack: str) -> list[dict[str, Any]]:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    return [dict(event) for page in pages for event in page["StackEvents"]]


def named_values(text: str) -> dict[str, str]:
    """Read `Name=value Other="value with blanks"`.

    Raises
    ------
    ChangeSetError
        A word has no equals sign, or a quote is not closed.
    """
    try:
        words = [word.partition("=") for word in shlex.split(text)]
    except ValueError as error:
        raise ChangeSetError(f"LAKE_PARAMETERS cannot be read: {error}.") from error
    if wrong := [name for name, equals, _ in words if not equals]:
        raise ChangeSetError(f"LAKE_PARAMETERS must be Name=value pairs; {wrong[0]!r} is not one.")
    return {name: value for name, _, value in words}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the steps; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cli.change_set", description=__doc__)
    parser.add_argument("--stack", default=DEFAULT_STACK, help="name of the stack")
    steps = parser.add_subparsers(dest="step", required=True)
    preparing = steps.add_parser("prepare")
    preparing.add_argument("--parameters", default="", help="Name=value …")
    preparing.add_argument("--role", help="ARN of the role that CloudFormation works with")
    preparing.add_argument("--bucket", help="where to upload the build (default: SAM's own bucket)")
    steps.add_parser("apply").add_argument("arn", help="of the change set")
    options = parser.parse_args(arguments)
    try:
        if options.step == "prepare":
            _prepare_and_show(options)
        else:
            _apply_and_show(options)
    except (BotoCoreError, ClientError) as error:
        return _fail(aws.sentence(error))
    except (ChangeSetError, LakeError, OSError) as error:
        return _fail(str(error))
    return 0


def _prepare_and_show(options: argparse.Namespace) -> None:
    session = aws.session(options.stack)
    aws.caller(session)
    values = named_values(options.parameters)
    check_parameters(values)
    cloudformation = session.client("cloudformation")
    check_stack(cloudformation, options.stack)
    packaged = package(session.region_name, options.bucket)
    arn = prepare(cloudformation, session.client("s3"), packaged, options.stack, values, options.role or None)
    found = changes(cloudformation, options.stack, arn) if arn else []
    text = markdown(options.stack, arn, found) if arn else NOTHING
    ARN.write_text(f"{arn or ''}\n")
    TABLE.write_text(text)
    sys.stdout.write(printable(text, "\n"))


def _apply_and_show(options: argparse.Namespace) -> None:
    session = aws.session(options.stack)
    if not options.arn:
        raise ChangeSetError("Say which change set: `make change-set` prints its ARN at the end.")
    sys.stdout.write(f"The stack is {apply(session.client('cloudformation'), options.stack, options.arn)}.\n")


def _fail(text: str) -> int:
    sys.stderr.write(f"{printable(text, chr(10))}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
