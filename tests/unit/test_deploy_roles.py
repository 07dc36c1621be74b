"""Whoever deploys may do what the templates need, and nothing can exceed the boundary.

`NEEDED` says for each resource type which permissions making, changing and removing it takes, and where. A type that
is new in a template has to be added here and in stacks/github-oidc.yaml.
"""

import fnmatch
import json
import re
from typing import Any

import pytest
import yaml

from tests.support.template import ROOT, load, resources

ACCOUNT, REGION = "123456789012", "eu-central-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/01234567-89ab-cdef-0123-456789abcdef"
TEMPLATE = load()
RESOURCES = resources()
DEPLOY = load(ROOT / "stacks" / "github-oidc.yaml")
NAMES = {
    "AWS::Partition": "aws",
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
    "KmsKeyArn": KEY,
    "StackName": "spotify-lake",
} | {name: str(TEMPLATE["Parameters"][name]["Default"]) for name in ("LakeName", "DatabaseName")}


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


# The service, what its names begin with, and the property that has the rest.
NAMED = {
    "AWS::Events::EventBus": ("events", "event-bus/", "Name"),
    "AWS::SNS::Topic": ("sns", "", "TopicName"),
    "AWS::SQS::Queue": ("sqs", "", "QueueName"),
    "AWS::Serverless::Function": ("lambda", "function:", "FunctionName"),
}


def arns_of_template() -> dict[str, str]:
    """Names of the template's resources to their ARNs, for what roles refer to."""
    found = {}
    for name, resource in RESOURCES.items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::S3::Bucket":
                found[name] = "arn:aws:s3:::" + fill(properties["BucketName"])
            case "AWS::SecretsManager::Secret":
                found[name] = arn("secretsmanager", f"secret:{fill(properties['Name'])}-AbCdEf")
            case "AWS::Logs::LogGroup":
                found[name] = arn("logs", f"log-group:{fill(properties['LogGroupName'])}:*")
            case "AWS::IAM::Role":
                found[name] = f"arn:aws:iam::{ACCOUNT}:role/spotify-lake-{name}-AbCdEf"
            case kind if kind in NAMED:
                service, begin, named = NAMED[kind]
                found[name] = arn(service, begin + fill(properties[named]))
            case "AWS::Scheduler::ScheduleGroup" | "AWS::Athena::WorkGroup" | "AWS::Glue::Job":
                found[name] = fill(properties["Name"])
    return found


def fill(value: Any, more: dict[str, str] | None = None) -> str:
    """A value of a template as CloudFormation would fill it in."""
    names = NAMES | (more or {})
    match value:
        case {"Sub": str(text)} | {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: names[found[1].split(".")[0]], text)
        case {"Ref": str(name)}:
            return names[name]
        case {"GetAtt": str(name)}:
            return names[name.split(".")[0]]
    return str(value)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy when there is a key."""
    return [one.get("If", one.get("Fn::If", [None, one]))[1] for one in document["Statement"]]


def managed(*policies: str) -> list[dict[str, Any]]:
    return [
        one
        for name in policies
        for one in statements(DEPLOY["Resources"][name]["Properties"]["PolicyDocument"])
    ]


ARTIFACTS = {"Artifacts": "arn:aws:s3:::spotify-lake-artifacts"}


def allowed(policy: list[dict[str, Any]], action: str, resource: str) -> bool:
    return any(
        action in as_list(one["Action"])
        and any(fnmatch.fnmatchcase(resource, fill(where, ARTIFACTS)) for where in as_list(one["Resource"]))
        for one in policy
        if one["Effect"] == "Allow"
    )


FUNCTION, ROLE = (
    arn("lambda", "function:spotify-lake-extract"),
    f"arn:aws:iam::{ACCOUNT}:role/spotify-lake-X-1",
)
CATALOG = [
    arn("glue", "catalog"),
    arn("glue", "database/spotify_lake"),
    arn("glue", "table/spotify_lake/songs"),
]
NEEDED: dict[str, list[tuple[str, list[str], str]]] = {
    "AWS::Athena::NamedQuery": [
        (
            "athena",
            [arn("athena", "workgroup/spotify-lake")],
            "CreateNamedQuery DeleteNamedQuery GetNamedQuery",
        )
    ],
    "AWS::Athena::WorkGroup": [
        (
            "athena",
            [arn("athena", "workgroup/spotify-lake")],
            "CreateWorkGroup UpdateWorkGroup DeleteWorkGroup GetWorkGroup TagResource ListTagsForResource",
        )
    ],
    "AWS::CloudFormation::Stack": [
        (
            "cloudformation",
            [
                arn("cloudformation", f"stack/spotify-lake-{name}-1ABC/0a1b")
                for name, one in TEMPLATE["Resources"].items()
                if one["Type"] == "AWS::CloudFormation::Stack"
            ],
            (
                "CreateStack UpdateStack DeleteStack DescribeStacks "
                "CreateChangeSet DescribeChangeSet ExecuteChangeSet DeleteChangeSet"
            ),
        ),
        ("s3", ["arn:aws:s3:::spotify-lake-artifacts/spotify-lake/1.template"], "GetObject"),
    ],
    "AWS::CloudWatch::Alarm": [
        (
            "cloudwatch",
            [arn("cloudwatch", "alarm:spotify-lake-stale")],
            "PutMetricAlarm DeleteAlarms DescribeAlarms",
        )
    ],
    "AWS::Events::EventBus": [
        (
            "events",
            [arn("events", "event-bus/spotify-lake-changes")],
            "CreateEventBus UpdateEventBus DeleteEventBus DescribeEventBus",
        )
    ],
    "AWS::QuickSight::Analysis": [
        (
            "quicksight",
            [arn("quicksight", "analysis/spotify-lake")],
            "CreateAnalysis UpdateAnalysis DeleteAnalysis DescribeAnalysis UpdateAnalysisPermissions",
        )
    ],
    "AWS::QuickSight::Dashboard": [
        (
            "quicksight",
            [arn("quicksight", "dashboard/spotify-lake")],
            "CreateDashboard UpdateDashboard DeleteDashboard DescribeDashboard UpdateDashboardPermissions",
        )
    ],
    "AWS::QuickSight::DataSet": [
        (
            "quicksight",
            [arn("quicksight", "dataset/spotify-lake-latest_songs")],
            "CreateDataSet UpdateDataSet DeleteDataSet DescribeDataSet PassDataSet UpdateDataSetPermissions",
        )
    ],
    "AWS::QuickSight::DataSource": [
        (
            "quicksight",
            [arn("quicksight", "datasource/spotify-lake")],
            "CreateDataSource UpdateDataSource DeleteDataSource DescribeDataSource PassDataSource",
        ),
        ("iam", [ROLE], "PassRole"),
    ],
    "AWS::CloudWatch::Dashboard": [
        (
            "cloudwatch",
            [f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/spotify-lake"],
            "PutDashboard DeleteDashboards GetDashboard",
        )
    ],
    "AWS::Events::Rule": [
        (
            "events",
            [arn("events", "rule/spotify-lake-crawler-failed")],
            "PutRule DeleteRule DescribeRule PutTargets RemoveTargets ListTargetsByRule",
        )
    ],
    "AWS::Glue::Crawler": [
        (
            "glue",
            [arn("glue", "crawler/spotify-lake"), arn("glue", "crawler/spotify-lake-recovery")],
            "CreateCrawler UpdateCrawler DeleteCrawler GetCrawler",
        ),
        ("iam", [ROLE], "PassRole"),
    ],
    "AWS::Glue::Database": [
        (
            "glue",
            [*CATALOG[:2], arn("glue", "database/spotify_lake_recovery")],
            "CreateDatabase UpdateDatabase DeleteDatabase GetDatabase",
        )
    ],
    "AWS::Glue::Job": [
        ("glue", [arn("glue", "job/spotify-lake-charts")], "CreateJob UpdateJob DeleteJob GetJob"),
        ("iam", [ROLE], "PassRole"),
    ],
    "AWS::Glue::Table": [("glue", CATALOG, "CreateTable UpdateTable DeleteTable GetTable")],
    "AWS::IAM::Role": [
        (
            "iam",
            [ROLE],
            (
                "CreateRole DeleteRole GetRole UpdateRole UpdateAssumeRolePolicy PutRolePolicy DeleteRolePolicy "
                "GetRolePolicy ListRolePolicies ListAttachedRolePolicies PutRolePermissionsBoundary TagRole UntagRole"
            ),
        )
    ],
    "AWS::Logs::LogGroup": [
        (
            "logs",
            [
                arn("logs", "log-group:/aws/lambda/spotify-lake-extract"),
                arn("logs", "log-group:/aws-glue/spotify-lake/output"),
            ],
            (
                "CreateLogGroup DeleteLogGroup DescribeLogGroups PutRetentionPolicy DeleteRetentionPolicy "
                "AssociateKmsKey DisassociateKmsKey ListTagsForResource TagResource UntagResource"
            ),
        )
    ],
    "AWS::RedshiftServerless::Namespace": [
        (
            "redshift-serverless",
            [arn("redshift-serverless", "namespace/0a1b")],
            "CreateNamespace UpdateNamespace DeleteNamespace GetNamespace",
        ),
        # What it takes for an administrator whose password Redshift keeps.
        (
            "secretsmanager",
            [arn("secretsmanager", "secret:redshift!spotify-lake-lake_admin-AbCdEf")],
            "CreateSecret UpdateSecret DeleteSecret DescribeSecret RotateSecret TagResource",
        ),
        ("secretsmanager", ["*"], "GetRandomPassword"),
        ("iam", [ROLE], "PassRole"),
        ("kms", [KEY], "CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey"),
    ],
    "AWS::RedshiftServerless::Workgroup": [
        (
            "redshift-serverless",
            [arn("redshift-serverless", "workgroup/0a1b")],
            "CreateWorkgroup UpdateWorkgroup DeleteWorkgroup GetWorkgroup",
        ),
        (
            "ec2",
            ["*"],
            "DescribeSubnets DescribeSecurityGroups DescribeVpcAttribute DescribeAvailabilityZones",
        ),
        (
            "iam",
            [
                f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/redshift.amazonaws.com/AWSServiceRoleForRedshift"
            ],
            "CreateServiceLinkedRole",
        ),
    ],
    "AWS::S3::Bucket": [
        (
            "s3",
            [f"arn:aws:s3:::spotify-lake-{which}-{ACCOUNT}-{REGION}" for which in ("raw", "lake")],
            (
                "CreateBucket DeleteBucket ListBucket PutBucketVersioning PutEncryptionConfiguration "
                "PutLifecycleConfiguration PutBucketNotification PutBucketPublicAccessBlock PutBucketOwnershipControls "
                "GetBucketVersioning GetEncryptionConfiguration GetLifecycleConfiguration GetBucketNotification "
                "GetBucketPublicAccessBlock GetBucketOwnershipControls PutBucketTagging GetBucketTagging"
            ),
        )
    ],
    "AWS::S3::BucketPolicy": [
        (
            "s3",
            [f"arn:aws:s3:::spotify-lake-raw-{ACCOUNT}-{REGION}"],
            "GetBucketPolicy PutBucketPolicy DeleteBucketPolicy",
        )
    ],
    "AWS::SNS::Subscription": [
        (
            "sns",
            [arn("sns", "spotify-lake-alarms")],
            "Subscribe ListSubscriptionsByTopic",
        ),
        ("sns", [arn("sns", "spotify-lake-alarms:0a1b")], "Unsubscribe GetSubscriptionAttributes"),
    ],
    "AWS::SNS::Topic": [
        (
            "sns",
            [arn("sns", "spotify-lake-alarms")],
            "CreateTopic DeleteTopic GetTopicAttributes SetTopicAttributes ListTagsForResource",
        )
    ],
    "AWS::SNS::TopicPolicy": [("sns", [arn("sns", "spotify-lake-alarms")], "SetTopicAttributes")],
    "AWS::SQS::Queue": [
        (
            "sqs",
            [arn("sqs", "spotify-lake-transform-dead-letters")],
            "CreateQueue DeleteQueue GetQueueUrl GetQueueAttributes SetQueueAttributes ListQueueTags",
        )
    ],
    "AWS::SQS::QueuePolicy": [("sqs", [arn("sqs", "spotify-lake-transform")], "SetQueueAttributes")],
    "AWS::Scheduler::ScheduleGroup": [
        (
            "scheduler",
            [arn("scheduler", "schedule-group/spotify-lake-continuations")],
            "CreateScheduleGroup DeleteScheduleGroup GetScheduleGroup ListTagsForResource",
        ),
        ("scheduler", [arn("scheduler", "schedule/spotify-lake-continuations/x")], "DeleteSchedule"),
    ],
    "AWS::SecretsManager::Secret": [
        (
            "secretsmanager",
            [arn("secretsmanager", "secret:spotify-lake/spotify-AbCdEf")],
            "CreateSecret DeleteSecret DescribeSecret UpdateSecret TagResource UntagResource",
        )
    ],
    # With what SAM makes of it: the function, its failure destination, its queue's mapping, its schedule and rules.
    "AWS::Serverless::Function": [
        (
            "lambda",
            [FUNCTION],
            (
                "CreateFunction DeleteFunction GetFunction UpdateFunctionCode UpdateFunctionConfiguration ListTags "
                "TagResource UntagResource PutFunctionEventInvokeConfig UpdateFunctionEventInvokeConfig "
                "DeleteFunctionEventInvokeConfig GetFunctionEventInvokeConfig CreateEventSourceMapping "
                "UpdateEventSourceMapping DeleteEventSourceMapping GetEventSourceMapping AddPermission RemovePermission"
            ),
        ),
        (
            "events",
            [arn("events", "rule/spotify-lake-staging-ready")],
            "PutRule DeleteRule DescribeRule PutTargets RemoveTargets",
        ),
        (
            "lambda",
            [arn("lambda", "layer:spotify-lake-common:7"), arn("lambda", "layer:spotify-lake-pandas:7")],
            "GetLayerVersion",
        ),
        (
            "scheduler",
            [arn("scheduler", "schedule/default/spotify-lake-extract")],
            "CreateSchedule UpdateSchedule DeleteSchedule GetSchedule",
        ),
        ("iam", [ROLE], "PassRole"),
        ("s3", ["arn:aws:s3:::spotify-lake-artifacts/spotify-lake/0a1b"], "GetObject"),
        ("kms", [KEY], "CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey"),
    ],
    "AWS::Serverless::LayerVersion": [
        (
            "lambda",
            [arn("lambda", "layer:spotify-lake-common"), arn("lambda", "layer:spotify-lake-pandas")],
            "PublishLayerVersion",
        ),
        ("lambda", [arn("lambda", "layer:spotify-lake-common:7")], "GetLayerVersion DeleteLayerVersion"),
        ("s3", ["arn:aws:s3:::spotify-lake-artifacts/spotify-lake/0a1b"], "GetObject"),
    ],
}
# What is deployed beside the lake, by somebody who may make keys and roles.
APART = {"change-mails.yaml", "github-oidc.yaml", "key.yaml"}
TYPES = {
    resource["Type"]
    for path in [ROOT / "template.yaml", *(ROOT / "stacks").glob("*.yaml")]
    if path.name not in APART
    for resource in load(path)["Resources"].values()
}
EXECUTION = managed("StoragePolicy", "ComputePolicy", "QuickSightPolicy", "RedshiftPolicy")


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_cloudformation_may_make_change_and_remove_every_resource(kind):
    assert kind in NEEDED, f"{kind} is new: add it here and what it takes to stacks/github-oidc.yaml"
    for service, places, actions in NEEDED[kind]:
        for action in actions.split():
            refused = [place for place in places if not allowed(EXECUTION, f"{service}:{action}", place)]
            assert not refused, f"{service}:{action} on {refused}"


def test_no_type_is_listed_that_is_gone():
    assert NEEDED.keys() <= TYPES


@pytest.mark.parametrize("name", [name for name in RESOURCES if name in arns_of_template()])
def test_the_names_of_resources_are_within_reach(name):
    """The policies go by names: a resource that is called otherwise could not be deployed."""
    where = arns_of_template()[name]
    probe = {
        "AWS::S3::Bucket": "s3:CreateBucket",
        "AWS::SQS::Queue": "sqs:CreateQueue",
        "AWS::SecretsManager::Secret": "secretsmanager:CreateSecret",
        "AWS::Logs::LogGroup": "logs:CreateLogGroup",
        "AWS::Serverless::Function": "lambda:CreateFunction",
        "AWS::IAM::Role": "iam:CreateRole",
    }.get(RESOURCES[name]["Type"])
    assert probe is None or allowed(EXECUTION, probe, where)


ALL_RESOURCES = RESOURCES | {
    f"{stack}.{name}": one
    for stack in ("quicksight", "redshift")
    for name, one in load(ROOT / "stacks" / f"{stack}.yaml")["Resources"].items()
}
PASSED_ON = {"WorkGroupName": "spotify-lake", "LakeBucketName": f"spotify-lake-lake-{ACCOUNT}-{REGION}"}


def roles() -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, one)
        for name, resource in ALL_RESOURCES.items()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in resource["Properties"]["Policies"]
        for one in statements(policy["PolicyDocument"])
    ]


@pytest.mark.parametrize(
    "role, statement", [pytest.param(*one, id=f"{one[0]}-{one[1]['Sid']}") for one in roles()]
)
def test_the_boundary_leaves_every_role_what_it_has(role, statement):
    boundary = managed("Boundary")
    for action in as_list(statement["Action"]):
        for resource in as_list(statement["Resource"]):
            where = fill(resource, arns_of_template() | PASSED_ON)
            if ":000000000000:" in where:
                continue  # for the emulator of the laptop stack, where roles have no boundary
            assert allowed(boundary, action, where), f"{action} on {where}"


def test_every_role_takes_the_boundary():
    taken = {
        name: str(one["Properties"].get("PermissionsBoundary")).replace("Fn::If", "If")
        for name, one in ALL_RESOURCES.items()
        if one["Type"] == "AWS::IAM::Role"
    }
    boundary = {"If": ["HasBoundary", {"Ref": "PermissionsBoundaryArn"}, {"Ref": "AWS::NoValue"}]}
    assert taken == dict.fromkeys(taken, str(boundary))


@pytest.mark.parametrize(
    "action, resource",
    [
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/spotify-lake"),
        ("iam:AttachRolePolicy", ROLE),
        ("iam:DeleteRolePermissionsBoundary", ROLE),
        ("iam:CreatePolicyVersion", f"arn:aws:iam::{ACCOUNT}:policy/spotify-lake-boundary"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:spotify-lake/spotify-AbCdEf")),
        ("s3:GetObject", f"arn:aws:s3:::spotify-lake-raw-{ACCOUNT}-{REGION}/raw/x"),
        ("s3:DeleteObject", f"arn:aws:s3:::spotify-lake-raw-{ACCOUNT}-{REGION}/raw/x"),
        ("s3:CreateBucket", "arn:aws:s3:::other"),
        ("lambda:InvokeFunction", FUNCTION),
        ("lambda:UpdateFunctionCode", arn("lambda", "function:other")),
        ("kms:ScheduleKeyDeletion", KEY),
        ("cloudformation:DeleteStack", arn("cloudformation", "stack/spotify-lake-key/0a1b")),
        ("cloudformation:UpdateStack", arn("cloudformation", "stack/spotify-lake-deployers/0a1b")),
    ],
)
def test_cloudformation_may_not(action, resource):
    assert not allowed(EXECUTION, action, resource)


NESTED_STACK = arn("cloudformation", "stack/spotify-lake-CatalogStack-1ABC/0a1b")
APART_STACK = arn("cloudformation", "stack/spotify-lake-deployers/0a1b")


@pytest.mark.parametrize(
    "policy, actions",
    [
        ("PreviewPolicy", "CreateChangeSet DescribeChangeSet DescribeStacks"),
        ("ApplyPolicy", "DescribeChangeSet DescribeStacks DescribeStackEvents"),
    ],
)
def test_changes_inside_nested_stacks_can_be_seen(policy, actions):
    for action in actions.split():
        assert allowed(managed(policy), f"cloudformation:{action}", NESTED_STACK)
        assert not allowed(managed(policy), f"cloudformation:{action}", APART_STACK)


def test_a_change_is_carried_out_from_the_root_only():
    execute = "cloudformation:ExecuteChangeSet"
    assert allowed(managed("ApplyPolicy"), execute, arn("cloudformation", "stack/spotify-lake/0a1b"))
    assert not allowed(managed("ApplyPolicy"), execute, NESTED_STACK)
    assert not allowed(managed("PreviewPolicy"), execute, NESTED_STACK)


def test_roles_are_given_permissions_only_within_the_boundary():
    for one in EXECUTION:
        if {"iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"} & set(
            as_list(one["Action"])
        ):
            assert one["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": {"Ref": "Boundary"}}}


# The service authorization reference knows no resource for these.
WITHOUT_RESOURCES = {
    "secretsmanager:GetRandomPassword",
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAddresses",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcAttribute",
    "ec2:DescribeVpcs",
}


def test_all_policies_are_narrow():
    policies = [name for name, one in DEPLOY["Resources"].items() if one["Type"] == "AWS::IAM::ManagedPolicy"]
    for name in policies:
        for one in managed(name):
            assert [action for action in as_list(one["Action"]) if "*" in action] == []
            if "*" in as_list(one["Resource"]) and not WITHOUT_RESOURCES.issuperset(as_list(one["Action"])):
                assert one["Sid"] == "QueueToFunction"
                assert "lambda:FunctionArn" in one["Condition"]["ArnLike"]


@pytest.mark.parametrize(
    "name", [name for name, one in DEPLOY["Resources"].items() if one["Type"] == "AWS::IAM::ManagedPolicy"]
)
def test_a_policy_fits_into_what_iam_stores(name):
    """6,144 characters without blanks, counted here with the names that the defaults give."""
    names = ARTIFACTS | {
        "ExecutionRole": ROLE,
        "Boundary": f"arn:aws:iam::{ACCOUNT}:policy/spotify-lake-boundary",
    }

    def filled(value: Any) -> Any:
        match value:
            case {"Sub": _} | {"Ref": _} | {"GetAtt": _}:
                return fill(value, names)
            case dict():
                return {key: filled(one) for key, one in value.items()}
            case list():
                return [filled(one) for one in value]
        return value

    document = json.dumps({"Version": "2012-10-17", "Statement": filled(managed(name))})
    assert len(re.sub(r"\s", "", document)) < 6144


@pytest.mark.parametrize(
    "role, environment", [("PreviewRole", "PreviewEnvironment"), ("DeployRole", "DeployEnvironment")]
)
def test_only_an_environment_of_the_repository_takes_a_role(role, environment):
    [trust] = DEPLOY["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": {
                "Sub": f"repo:${{Repository}}:environment:${{{environment}}}"
            },
        }
    }


def test_the_workflow_uses_the_roles_in_their_environments():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
    jobs = workflow["jobs"]
    parameters = DEPLOY["Parameters"]
    assert jobs["preview"]["environment"] == parameters["PreviewEnvironment"]["Default"]
    assert jobs["deploy"]["environment"] == parameters["DeployEnvironment"]["Default"]
    assert jobs["deploy"]["needs"] == "preview"
    assert workflow["permissions"] == {"contents": "read"}
    for job, variable in (("preview", "AWS_PREVIEW_ROLE_ARN"), ("deploy", "AWS_DEPLOY_ROLE_ARN")):
        assert jobs[job]["permissions"] == {"contents": "read", "id-token": "write"}
        [login] = [step for step in jobs[job]["steps"] if "configure-aws-credentials" in step.get("uses", "")]
        assert login["with"]["role-to-assume"] == f"${{{{ vars.{variable} }}}}"
    described = " ".join(output["Description"] for output in DEPLOY["Outputs"].values())
    used = set(re.findall(r"vars\.(AWS_\w+)", str(workflow))) - {"AWS_REGION"}
    assert used == set(re.findall(r"variable (AWS_\w+)", described))
