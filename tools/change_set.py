"""A change to the deployed stack in two steps: show what it would do, and carry it out.

`sam deploy --no-execute-changeset --output json` prepares a change set and says which. `python -m tools.change_set
show FILE` reads that answer and writes the changes as Markdown, `id FILE` its ARN alone, and `apply ARN` carries it
out and waits for the end.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import WaiterConfigTypeDef

NOTHING: Final = "The stack is already as this commit describes it: there is nothing to deploy.\n"
POLL: Final[WaiterConfigTypeDef] = {"Delay": 5, "MaxAttempts": 720}  # an hour
# What cannot be had back when it goes.
HOLDS_DATA: Final = frozenset(
    {"AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"}
)


class ChangeSetError(Exception):
    """A change set cannot be read or carried out; the sentence says why."""


def prepared(answer: str) -> str | None:
    """Return the ARN of the change set that `sam deploy` prepared; None if nothing would change.

    Parameters
    ----------
    answer
        What it printed with `--output json`: JSON objects, one a line.

    Raises
    ------
    ChangeSetError
        It says neither.
    """
    for line in reversed(answer.splitlines()):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        match said:
            case {"status": "changeset_created", "changeset_id": str(arn)}:
                return arn
            case {"status": "no_changes"}:
                return None
    raise ChangeSetError("sam deploy did not say which change set it prepared. What it said is above.")


def changes(cloudformation: CloudFormationClient, stack: str, arn: str) -> list[dict[str, Any]]:
    """Return what a change set would do to each resource."""
    pages = cloudformation.get_paginator("describe_change_set").paginate(StackName=stack, ChangeSetName=arn)
    return [dict(change["ResourceChange"]) for page in pages for change in page.get("Changes", [])]


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
    before = {event["EventId"] for event in _events(cloudformation, stack)}
    cloudformation.execute_change_set(StackName=stack, ChangeSetName=arn)
    try:
        if creates:
            cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig=poll)
        else:
            cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=poll)
    except WaiterError as error:
        reasons = [
            f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
            for event in _events(cloudformation, stack)
            if event["EventId"] not in before and event["ResourceStatus"].endswith("_FAILED")
        ]
        raise ChangeSetError(
            "\n".join([f"The stack is {_status(cloudformation, stack)}. What failed:", *reversed(reasons)])
        ) from error
    return _status(cloudformation, stack)


def _loses(change: dict[str, Any]) -> bool:
    gone = change["Action"] == "Remove" or change.get("Replacement") in {"True", "Conditional"}
    return gone and change["ResourceType"] in HOLDS_DATA


def _status(cloudformation: CloudFormationClient, stack: str) -> str:
    return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])


def _events(cloudformation: CloudFormationClient, stack: str) -> list[dict[str, Any]]:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    return [dict(event) for page in pages for event in page["StackEvents"]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.change_set", description=__doc__)
    parser.add_argument("command", choices=["show", "id", "apply"])
    parser.add_argument("what", help="what sam deploy printed (show, id), or the ARN of a change set (apply)")
    parser.add_argument("--stack", default="spotify-lake", help="name of the stack")
    options = parser.parse_args(arguments)
    try:
        if options.command == "apply":
            print(f"The stack is {apply(boto3.client('cloudformation'), options.stack, options.what)}.")
            return 0
        arn = prepared(Path(options.what).read_text())
        if options.command == "id":
            print(arn or "")
        elif arn is None:
            print(NOTHING)
        else:
            print(markdown(options.stack, arn, changes(boto3.client("cloudformation"), options.stack, arn)))
    except (ChangeSetError, BotoCoreError, ClientError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
