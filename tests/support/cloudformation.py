"""A CloudFormation and an S3 that remember what they were asked for."""

from collections.abc import Iterator
from typing import Any, ClassVar

from botocore.exceptions import ClientError, WaiterError

ARN = "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/deploy-1/0a1b"


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

    class meta:
        region_name: ClassVar = "eu-central-1"

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
