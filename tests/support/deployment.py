"""template.yaml and its stacks as CloudFormation fills them in, for one lake with everything switched on.

Tests of names, limits and permissions look at the values that AWS would see, not at functions such as `!Sub`.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.template import ROOT, load

ACCOUNT, REGION = "123456789012", "eu-central-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/01234567-89ab-cdef-0123-456789abcdef"
STACK_GUID = "01234567-89ab-cdef-0123-456789abcdef"
SUFFIX = "1ABCDEFGHIJKL"  # 13 characters, as CloudFormation appends to the names it makes
ROLE_NAME_LENGTH = 64

# The property that names a resource, and its ARN after the account.
_NAMED = {
    "AWS::S3::Bucket": ("BucketName", "s3", "{}"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "iam", "policy/{}"),
    "AWS::IAM::Role": ("RoleName", "iam", "role{}"),
    "AWS::Glue::Database": ("DatabaseInput", "glue", "database/{}"),
    "AWS::CloudWatch::Dashboard": ("DashboardName", "cloudwatch", "dashboard/{}"),
    "AWS::Athena::WorkGroup": ("Name", "athena", "workgroup/{}"),
    "AWS::CloudWatch::Alarm": ("AlarmName", "cloudwatch", "alarm:{}"),
    "AWS::Events::EventBus": ("Name", "events", "event-bus/{}"),
    "AWS::Events::Rule": ("Name", "events", "rule/{}"),
    "AWS::Glue::Crawler": ("Name", "glue", "crawler/{}"),
    "AWS::Glue::Job": ("Name", "glue", "job/{}"),
    "AWS::KMS::Alias": ("AliasName", "kms", "{}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs", "log-group:{}:*"),
    "AWS::QuickSight::Analysis": ("AnalysisId", "quicksight", "analysis/{}"),
    "AWS::QuickSight::Dashboard": ("DashboardId", "quicksight", "dashboard/{}"),
    "AWS::QuickSight::DataSet": ("DataSetId", "quicksight", "dataset/{}"),
    "AWS::QuickSight::DataSource": ("DataSourceId", "quicksight", "datasource/{}"),
    "AWS::RedshiftServerless::Namespace": ("NamespaceName", "redshift-serverless", "namespace/{}"),
    "AWS::RedshiftServerless::Workgroup": ("WorkgroupName", "redshift-serverless", "workgroup/{}"),
    "AWS::SNS::Topic": ("TopicName", "sns", "{}"),
    "AWS::SQS::Queue": ("QueueName", "sqs", "{}"),
    "AWS::Scheduler::ScheduleGroup": ("Name", "scheduler", "schedule-group/{}"),
    "AWS::SecretsManager::Secret": ("Name", "secretsmanager", "secret:{}-AbCdEf"),
    "AWS::Serverless::Function": ("FunctionName", "lambda", "function:{}"),
    "AWS::Serverless::LayerVersion": ("LayerName", "lambda", "layer:{}:1"),
}
_NO_VALUE = object()


@functools.cache
def template(name: str) -> dict[str, Any]:
    """Return template.yaml ("template") or stacks/<name>.yaml."""
    return load(ROOT / "template.yaml" if name == "template" else ROOT / "stacks" / f"{name}.yaml")


STACKS = sorted(path.stem for path in Path(ROOT / "stacks").glob("*.yaml"))


def generated_role_name(stack: str, logical_id: str) -> str:
    """Return the name that CloudFormation makes for a role that has none, as short as it may get.

    Of 64 characters, 13 are its own and two are hyphens. No document says how it cuts the rest; its library for
    resource types gives the stack's name at least half of it (`fairSplit` in IdentifierUtils.java of the
    cloudformation-cli-java-plugin).
    """
    room = ROLE_NAME_LENGTH - len(SUFFIX) - 2
    if len(stack) + len(logical_id) > room:
        stack, logical_id = stack[: room // 2], logical_id[: room // 2]
    return f"{stack}-{logical_id}-{SUFFIX}"


@dataclass(frozen=True)
class Lake:
    """One deployment: what the parameters are, and what follows from it."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    stack: str = "spotify-lake"
    region: str = REGION
    partition: str = "aws"

    def names(self, of: str) -> dict[str, str]:
        """Return the parameters of a template, as the root stack passes them on."""
        given = {
            "KmsKeyArn": KEY,
            "PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/spotify-lake-boundary",
            "QuickSightPrincipal": f"arn:aws:quicksight:us-east-1:{ACCOUNT}:user/default/me",
            "RedshiftBaseCapacity": "8",
            "AlarmEmail": "me@example.org",
            "BulkSchedule": "cron(0 3 * * ? *)",
            "CrawlerSchedule": "cron(0 4 * * ? *)",
            "Repository": "octocat/spotify-lake",
            "RepositoryWithIds": "octocat@583231/spotify-lake@1296269",
            "StackName": self.stack,
        } | dict(self.parameters)
        declared = template(of).get("Parameters", {})
        if of != "template":
            for one in template("template")["Resources"].values():
                if one.get("Properties", {}).get("TemplateURL") == f"stacks/{of}.yaml":
                    passed = one["Properties"]["Parameters"]
                    assert passed.keys() == declared.keys(), of
                    return {name: self.fill("template", value) for name, value in passed.items()}
        return {name: given.get(name, str(one.get("Default", ""))) for name, one in declared.items()}

    def stack_name(self, of: str) -> str:
        """Return the name of the stack that is made of a template."""
        for logical_id, one in template("template")["Resources"].items():
            if one.get("Properties", {}).get("TemplateURL") == f"stacks/{of}.yaml":
                return f"{self.stack}-{logical_id}-{SUFFIX}"
        return self.stack

    def name(self, of: str, logical_id: str) -> str:
        """Return the name of a resource."""
        resource = template(of)["Resources"][logical_id]
        kind, properties = resource["Type"], resource.get("Properties", {})
        given = properties.get(_NAMED[kind][0]) if kind in _NAMED else None
        if given is not None:
            return str(self.fill(of, given["Name"] if kind == "AWS::Glue::Database" else given))
        if kind == "AWS::IAM::Role":
            return generated_role_name(self.stack_name(of), logical_id)
        return f"{self.stack_name(of)}-{logical_id}-{SUFFIX}"

    def arn(self, of: str, logical_id: str) -> str:
        """Return the ARN of a resource."""
        resource = template(of)["Resources"][logical_id]
        kind, name = resource["Type"], self.name(of, logical_id)
        if kind == "AWS::KMS::Key":
            return KEY
        if kind == "AWS::IAM::OIDCProvider":
            return f"arn:{self.partition}:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
        _, service, form = _NAMED[kind]
        if kind == "AWS::IAM::Role":
            name = resource["Properties"].get("Path", "/") + name
        region = "" if service in ("iam", "s3") or kind == "AWS::CloudWatch::Dashboard" else self.region
        account = "" if service == "s3" else ACCOUNT
        return f"arn:{self.partition}:{service}:{region}:{account}:{form.format(name)}"

    def fill(self, of: str, value: Any) -> Any:
        """Return a value of a template without functions; every condition holds."""
        if isinstance(value, list):
            return [one for one in (self.fill(of, one) for one in value) if one is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            function = getattr(self, f"_{name.removeprefix('Fn::').lower()}", None)
            if name[0].isupper() and function is not None:
                return function(of, argument)
        filled = ((name, self.fill(of, one)) for name, one in value.items())
        return {name: one for name, one in filled if one is not _NO_VALUE}

    def _sub(self, of: str, text: str) -> str:
        filled = re.sub(r"\$\{([^!}]+)\}", lambda found: str(self._ref_or_attribute(of, found[1])), text)
        return filled.replace("${!", "${")

    def _if(self, of: str, argument: list[Any]) -> Any:
        return self.fill(of, argument[1])

    def _join(self, of: str, argument: list[Any]) -> str:
        return str(argument[0]).join(self.fill(of, argument[1]))

    def _select(self, of: str, argument: list[Any]) -> Any:
        return self.fill(of, argument[1])[int(argument[0])]

    def _split(self, of: str, argument: list[Any]) -> list[str]:
        return str(self.fill(of, argument[1])).split(argument[0])

    def _findinmap(self, of: str, argument: list[Any]) -> Any:
        name, first, second = (self.fill(of, one) for one in argument)
        return template(of)["Mappings"][name][first][second]

    def _ref_or_attribute(self, of: str, name: str) -> Any:
        return self._getatt(of, name) if "." in name else self._ref(of, name)

    def _ref(self, of: str, name: str) -> Any:
        pseudo = {
            "AWS::Partition": self.partition,
            "AWS::AccountId": ACCOUNT,
            "AWS::Region": self.region,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": _NO_VALUE,
            "AWS::StackName": self.stack_name(of),
            "AWS::StackId": (
                f"arn:{self.partition}:cloudformation:{self.region}:{ACCOUNT}:stack/{self.stack_name(of)}/{STACK_GUID}"
            ),
        }
        if name in pseudo:
            return pseudo[name]
        if name in template(of).get("Parameters", {}):
            return self.names(of)[name]
        if name not in template(of)["Resources"]:  # what SAM makes of a function's event
            return f"{self.names(of)['LakeName']}-{name}"
        kind = template(of)["Resources"][name]["Type"]
        by_arn = {"AWS::SNS::Topic", "AWS::IAM::ManagedPolicy", "AWS::SecretsManager::Secret"}
        return self.arn(of, name) if kind in by_arn else self.name(of, name)

    def _getatt(self, of: str, path: str) -> str:
        name, _, attribute = path.partition(".")
        if attribute in ("Arn", "Id"):
            return self.arn(of, name)
        if attribute.startswith("Outputs."):
            return f"{name}.{attribute}"
        raise LookupError(f"no template asks for this attribute yet: {path}")


@dataclass(frozen=True)
class Policy:
    """A policy of a template with values filled in."""

    template: str
    owner: str
    kind: str  # "role", "managed" or "resource"
    document: dict[str, Any]

    @property
    def statements(self) -> list[dict[str, Any]]:
        """Its statements."""
        return list(self.document["Statement"])

    def __str__(self) -> str:
        return f"{self.template}.{self.owner}"


def policies(lake: Lake | None = None) -> Iterator[Policy]:
    """Yield every policy in template.yaml and all stacks, except those that say who may take a role."""
    lake = lake or Lake()
    for of in ("template", *STACKS):
        for name, resource in template(of)["Resources"].items():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::IAM::Role":
                for policy in properties.get("Policies", []):
                    yield Policy(of, name, "role", lake.fill(of, policy["PolicyDocument"]))
            elif resource["Type"] == "AWS::IAM::ManagedPolicy":
                yield Policy(of, name, "managed", lake.fill(of, properties["PolicyDocument"]))
            else:
                for key in ("PolicyDocument", "KeyPolicy"):
                    if key in properties:
                        yield Policy(of, name, "resource", lake.fill(of, properties[key]))


def as_list(value: Any) -> list[Any]:
    """Return a list of one for anything else."""
    return value if isinstance(value, list) else [value]
