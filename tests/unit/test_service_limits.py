"""Names, policies and templates fit what AWS takes, for the longest parameters in the region with the longest name.

The limits are those of the services' API references and quotas pages in November 2026.
"""

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from spotify_lake import keys
from spotify_lake.changes.publish import SOURCE
from spotify_lake.extract.continuation import MAX_CONTINUATIONS, Rest
from tests.support.deployment import STACKS, Lake, policies, template
from tests.support.template import ROOT

# The others are without the Internet, and so without Spotify.
PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-eusc")


def longest_region() -> str:
    session = botocore.session.get_session()
    regions = {
        region
        for partition in session.get_available_partitions()
        if partition in PARTITIONS
        for service in ("s3", "lambda", "glue")
        for region in session.get_available_regions(service, partition)
    }
    return max(sorted(regions), key=len)


def longest_parameters() -> dict[str, str]:
    """As many characters as each parameter takes, or its largest number; others keep what `Lake` says."""
    declared = {**template("github-oidc")["Parameters"], **template("template")["Parameters"]}
    numbers = {name: str(one["MaxValue"]) for name, one in declared.items() if "MaxValue" in one}
    return numbers | {
        name: "x" * int(one["MaxLength"]) for name, one in declared.items() if "MaxLength" in one
    }


LONGEST = Lake(
    longest_parameters(),
    stack="x" * int(template("github-oidc")["Parameters"]["StackName"]["MaxLength"]),
    region=longest_region(),
    partition=max(PARTITIONS, key=len),
)
NAME_LIMITS = {
    "AWS::Athena::NamedQuery": (128, r".+"),
    "AWS::Athena::WorkGroup": (128, r"[\w.-]+"),
    "AWS::CloudWatch::Alarm": (255, r".+"),
    "AWS::CloudWatch::Dashboard": (255, r"[\w-]+"),
    "AWS::Events::EventBus": (256, r"[\w./-]+"),
    "AWS::Events::Rule": (64, r"[\w.-]+"),
    "AWS::Glue::Crawler": (255, r".+"),
    "AWS::Glue::Database": (255, r"[a-z0-9_]+"),
    "AWS::Glue::Job": (255, r".+"),
    "AWS::Glue::Table": (255, r"[a-z0-9_]+"),
    "AWS::IAM::ManagedPolicy": (128, r"[\w+=,.@-]+"),
    "AWS::IAM::Role": (64, r"[\w+=,.@-]+"),
    "AWS::KMS::Alias": (256, r"alias/[\w/-]+"),
    "AWS::Logs::LogGroup": (512, r"[\w./#-]+"),
    "AWS::QuickSight::Analysis": (512, r"[\w-]+"),
    "AWS::QuickSight::Dashboard": (512, r"[\w-]+"),
    "AWS::QuickSight::DataSet": (512, r"[\w-]+"),
    "AWS::QuickSight::DataSource": (512, r"[\w-]+"),
    "AWS::RedshiftServerless::Namespace": (64, r"[a-z0-9-]{3,}"),
    "AWS::RedshiftServerless::Workgroup": (64, r"[a-z0-9-]{3,}"),
    "AWS::S3::Bucket": (63, r"[a-z0-9][a-z0-9-]+[a-z0-9]"),
    "AWS::SNS::Topic": (256, r"[\w-]+"),
    "AWS::SQS::Queue": (80, r"[\w-]+"),
    "AWS::Scheduler::ScheduleGroup": (64, r"[\w.-]+"),
    "AWS::SecretsManager::Secret": (512, r"[\w/+=.@-]+"),
    "AWS::Serverless::Function": (64, r"[\w-]+"),
    "AWS::Serverless::LayerVersion": (140, r"[\w-]+"),
    # Of what SAM makes of a function's events.
    "EventBridgeRule": (64, r"[\w.-]+"),
    "Schedule": (64, r"[\w.-]+"),
    "ScheduleV2": (64, r"[\w.-]+"),
}
# Types whose names CloudFormation makes, or that have none.
NAMELESS = {
    "AWS::CloudFormation::Stack",
    "AWS::IAM::OIDCProvider",
    "AWS::KMS::Key",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "SQS",
}
# What may describe a thing, by the type of the thing.
DESCRIPTION_LIMITS = {
    "AWS::Athena::NamedQuery": 1024,
    "AWS::Athena::WorkGroup": 1024,
    "AWS::CloudWatch::Alarm": 1024,
    "AWS::Events::EventBus": 512,
    "AWS::Events::Rule": 512,
    "AWS::Glue::Crawler": 2048,
    "AWS::Glue::Job": 2048,
    "AWS::IAM::ManagedPolicy": 1000,
    "AWS::IAM::Role": 1000,
    "AWS::KMS::Key": 8192,
    "AWS::SecretsManager::Secret": 2048,
    "AWS::Serverless::Function": 256,
    "AWS::Serverless::LayerVersion": 256,
    "Schedule": 512,
    "ScheduleV2": 512,
}


def things() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Template, id, type and properties of each resource and of each event of a function."""
    for of in ("template", *STACKS):
        for name, resource in template(of)["Resources"].items():
            yield of, name, resource["Type"], resource.get("Properties", {})
            if resource["Type"] == "AWS::Serverless::Function":
                for event, one in resource["Properties"].get("Events", {}).items():
                    yield of, f"{name}{event}", one["Type"], one["Properties"]


def name_of(lake: Lake, of: str, logical_id: str, kind: str, properties: dict[str, Any]) -> str:
    if kind == "AWS::Glue::Table":
        return str(lake.fill(of, properties["TableInput"]["Name"]))
    if kind in ("EventBridgeRule", "Schedule", "ScheduleV2", "AWS::Athena::NamedQuery"):
        return str(lake.fill(of, properties.get("RuleName", properties.get("Name"))))
    return lake.name(of, logical_id)


@pytest.mark.parametrize(
    "of, logical_id, kind, properties", [pytest.param(*one, id=f"{one[0]}-{one[1]}") for one in things()]
)
def test_every_name_fits(of: str, logical_id: str, kind: str, properties: dict[str, Any]) -> None:
    # CloudFormation cuts the names that it makes itself.
    if kind in NAMELESS or (of == "change-mails" and "Name" not in properties):
        return
    limit, form = NAME_LIMITS[kind]
    name = name_of(LONGEST, of, logical_id, kind, properties)
    assert len(name) <= limit, f"{name} has {len(name)} characters; {kind} takes {limit}"
    assert re.fullmatch(form, name), name


def test_the_longest_region_is_one_that_is_known() -> None:
    """A longer name makes buckets of the longest lakes too long."""
    assert len(LONGEST.region) == len("ap-northeast-1")
    assert len(LONGEST.name("template", "LakeBucket")) == 63


@pytest.mark.parametrize(
    "of, logical_id, kind, properties", [pytest.param(*one, id=f"{one[0]}-{one[1]}") for one in things()]
)
def test_every_description_fits(of: str, logical_id: str, kind: str, properties: dict[str, Any]) -> None:
    text = properties.get("AlarmDescription", properties.get("Description"))
    if text is not None:
        assert len(str(LONGEST.fill(of, text))) <= DESCRIPTION_LIMITS[kind]


def characters(document: Any) -> int:
    """What IAM counts: no blanks."""
    return len(re.sub(r"\s", "", json.dumps(document)))


@pytest.mark.parametrize("policy", [pytest.param(one, id=str(one)) for one in policies(LONGEST)])
def test_every_policy_fits(policy: Any) -> None:
    # A key's 32 KB and a bucket's 20 KB are the most; a topic's and a queue's are more than these need.
    limit = {"managed": 6144, "role": 10240, "resource": 20480}[policy.kind]
    assert characters(policy.document) <= limit


def test_every_role_has_one_inline_policy_so_that_its_size_is_the_sum() -> None:
    for of, name, kind, properties in things():
        if kind == "AWS::IAM::Role":
            assert len(properties.get("Policies", [])) <= 1, f"{of}.{name}"
            assert len(properties.get("ManagedPolicyArns", [])) <= 10
            assert characters(LONGEST.fill(of, properties["AssumeRolePolicyDocument"])) <= 2048


@pytest.mark.parametrize("of", ["template", *STACKS])
def test_every_template_fits(of: str) -> None:
    path = ROOT / "template.yaml" if of == "template" else ROOT / "stacks" / f"{of}.yaml"
    assert path.stat().st_size <= 1_000_000, "what CloudFormation takes from S3"
    if of in ("change-mails", "github-oidc", "key"):
        assert path.stat().st_size <= 51_200, "what `aws cloudformation deploy` sends without a bucket"
    for part, limit in (("Parameters", 200), ("Outputs", 200), ("Resources", 500), ("Mappings", 200)):
        found = template(of).get(part, {})
        assert len(found) <= limit
        assert all(len(name) <= 255 for name in found)
    for parameter in template(of).get("Parameters", {}).values():
        assert len(parameter.get("Description", "")) <= 4000
        assert int(parameter.get("MaxLength", 0)) <= 4096
    assert len(template(of)["Description"].encode()) <= 1024


def test_the_environment_of_every_function_fits() -> None:
    """Lambda takes 4 KB of names and values; other characters than ASCII would take more each."""
    shared = template("template")["Globals"]["Function"]["Environment"]["Variables"]
    for of, name, kind, properties in things():
        if kind == "AWS::Serverless::Function":
            variables = LONGEST.fill(of, shared | properties["Environment"]["Variables"])
            assert len(json.dumps(variables)) <= 4096, name


def test_the_names_that_the_code_makes_fit() -> None:
    run = Rest(
        scheduled_at="2026-11-20T06:00:00Z",
        continuation=MAX_CONTINUATIONS,
        playlist_ids=["x" * 22] * 1000,
        correlation_id="x" * 64,
    )
    assert len(run.name) <= 64
    assert re.fullmatch(r"[\w.-]+", run.name)
    moment = dt.datetime(2026, 11, 20, 6, microsecond=1, tzinfo=dt.UTC)
    table = max((f"curated/{name}/" for name in ("playlist_entries", "playlists")), key=len)
    for key in (keys.raw_key("x" * 22, moment), keys.curated_key(table, "x" * 22, moment)):
        assert len(key.encode()) <= 1024
    assert len(SOURCE) <= 256


@pytest.mark.parametrize("of", STACKS)
def test_athena_takes_every_saved_query(of: str) -> None:
    for resource in template(of)["Resources"].values():
        if resource["Type"] == "AWS::Athena::NamedQuery":
            assert len(LONGEST.fill(of, resource["Properties"]["QueryString"]).encode()) <= 262_144


def test_no_alarm_looks_further_back_than_cloudwatch_does() -> None:
    """A day, or seven days with periods of an hour and more."""
    for of, name, kind, properties in things():
        if kind == "AWS::CloudWatch::Alarm":
            alarm = LONGEST.fill(of, properties)
            stats = [one["MetricStat"] for one in alarm.get("Metrics", []) if "MetricStat" in one] or [alarm]
            [period] = {int(stat["Period"]) for stat in stats}
            assert period * int(alarm["EvaluationPeriods"]) <= (604_800 if period >= 3600 else 86_400), name
