"""Whoever deploys may do what the templates need, and nothing can exceed the boundary.

`NEEDED` says for each resource type which permissions making, changing and removing it takes, and where. A type that
is new in a template has to be added here and in stacks/github-oidc.yaml. What CloudFormation's own registry says of
each type is in tests/support/handler_permissions.json.
"""

import fnmatch
import json
import re
from typing import Any

import pytest
import yaml

from tests.support.deployment import ACCOUNT, KEY, REGION, STACKS, Lake, as_list, policies, template
from tests.support.template import ROOT, load, resources

LAKE = Lake()
TEMPLATE = load()
RESOURCES = resources()
DEPLOY = load(ROOT / "stacks" / "github-oidc.yaml")
POLICIES = {str(policy): policy for policy in policies(LAKE)}


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def managed(*names: str) -> list[dict[str, Any]]:
    return [one for name in names for one in POLICIES[f"github-oidc.{name}"].statements]


def allowed(policy: list[dict[str, Any]], action: str, resource: str, passed_to: str = "") -> bool:
    """Whether a policy allows an action; `passed_to` is the service that a role is passed to."""

    def covers(one: dict[str, Any]) -> bool:
        within = any(fnmatch.fnmatchcase(action, allows) for allows in as_list(one["Action"]))
        return within and any(fnmatch.fnmatchcase(resource, where) for where in as_list(one["Resource"]))

    exempt = passed_to == "cloudformation.amazonaws.com"  # the condition of the only statement that denies
    denied = any(covers(one) for one in policy if one["Effect"] == "Deny") and not exempt
    return not denied and any(covers(one) for one in policy if one["Effect"] == "Allow")


CODE = f"arn:aws:s3:::spotify-lake-code-{ACCOUNT}-{REGION}/spotify-lake/0a1b"
FUNCTION, ROLE = (
    arn("lambda", "function:spotify-lake-extract"),
    f"arn:aws:iam::{ACCOUNT}:role/spotify-lake-X-1",
)
EXECUTION_ROLE = LAKE.arn("github-oidc", "ExecutionRole")
CATALOG = [
    arn("glue", "catalog"),
    arn("glue", "database/spotify_lake"),
    arn("glue", "table/spotify_lake/songs"),
]
SAM = "aws:transform/Serverless-2016-10-31"
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
        ("cloudformation", [arn("cloudformation", "x").replace(f"{ACCOUNT}:x", SAM)], "CreateChangeSet"),
        ("s3", [CODE], "GetObject"),
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
            "CreateCrawler UpdateCrawler DeleteCrawler GetCrawler StopCrawler",
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
            [arn("secretsmanager", "secret:spotify-lake/spotify-0a1b-AbCdEf")],
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
        ("s3", [CODE], "GetObject"),
        ("kms", [KEY], "CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey"),
    ],
    "AWS::Serverless::LayerVersion": [
        (
            "lambda",
            [arn("lambda", "layer:spotify-lake-common"), arn("lambda", "layer:spotify-lake-pandas")],
            "PublishLayerVersion",
        ),
        ("lambda", [arn("lambda", "layer:spotify-lake-common:7")], "GetLayerVersion DeleteLayerVersion"),
        ("s3", [CODE], "GetObject"),
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
EXECUTION = managed("StoragePolicy", "ComputePolicy", "RolesPolicy", "QuickSightPolicy", "RedshiftPolicy")


def test_the_role_has_these_policies():
    attached = DEPLOY["Resources"]["ExecutionRole"]["Properties"]["ManagedPolicyArns"]
    parts = [one["Ref"] for one in attached]
    assert managed(*parts) == EXECUTION
    assert len(parts) <= 10, "IAM attaches ten managed policies to a role"


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_cloudformation_may_make_change_and_remove_every_resource(kind):
    assert kind in NEEDED, f"{kind} is new: add it here and what it takes to stacks/github-oidc.yaml"
    for service, places, actions in NEEDED[kind]:
        for action in actions.split():
            refused = [place for place in places if not allowed(EXECUTION, f"{service}:{action}", place)]
            assert not refused, f"{service}:{action} on {refused}"


def test_no_type_is_listed_that_is_gone():
    assert NEEDED.keys() <= TYPES


# What SAM makes of a function and its events.
MADE_BY_SAM = {
    "AWS::Serverless::Function": [
        "AWS::Lambda::Function",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
        "AWS::Scheduler::Schedule",
        "AWS::Events::Rule",
    ],
    "AWS::Serverless::LayerVersion": ["AWS::Lambda::LayerVersion"],
}
HANDLERS = json.loads((ROOT / "tests" / "support" / "handler_permissions.json").read_text())["handlers"]
# What the registry lists and the role does not get.
LEFT_OUT = {
    "settings that no bucket here has, or that S3 does not authorize by this name": (
        r"s3:(Put|Create|Delete|Update)\w*(Accelerate|Analytics|Abac|CORS|Cors|Logging|ObjectLock|Replication|Website"
        r"|Tiering|Inventory|Metrics|Metadata\w*)(Table)?(Configuration)?|s3tables:\w+|s3:Put(Bucket|Object)Acl"
        r"|s3:DeleteBucket(Encryption|Lifecycle)"
    ),
    "objects are data: the role neither reads nor writes nor removes them": (
        r"s3:(PutObject|DeleteObject|AbortMultipartUpload|ListBucketMultipartUploads|ListMultipartUploadParts)"
    ),
    "the secret's value, which no template sets": r"secretsmanager:GetSecretValue",
    "copies of secrets in other regions": r"secretsmanager:(Replicate|Remove)\w+",
    "the boundary stays on every role, and no role has managed policies": (
        r"iam:(DeleteRolePermissionsBoundary|AttachRolePolicy|DetachRolePolicy)"
    ),
    "settings that no function here has: networks, file systems, signing, limits, versions": (
        r"ec2:DescribeNetworkInterfaces|elasticfilesystem:\w+|s3files:\w+"
        r"|lambda:(Put|Delete)Function(CodeSigning|Concurrency|Recursion|Scaling)\w*|lambda:GetCodeSigningConfig"
        r"|lambda:(PassCapacityProvider|PublishVersion|PutRuntimeManagementConfig)"
    ),
    "settings that no log group or topic here has": (
        r"firehose:\w+|s3:REST.PUT.OBJECT|logs:CreateLogDelivery|sns:PutDataProtectionPolicy"
        r"|logs:(Put|Delete)(DataProtection|Index|Resource)Policy"
        r"|logs:Put(BearerTokenAuthentication|LogGroupDeletionProtection)"
    ),
    "policies and keys of event buses; this one has neither": (
        r"events:(Put|Remove)Permission|kms:(ReEncrypt\w*|GenerateDataKeyWithoutPlaintext)"
    ),
    "databases of other systems": r"glue:\w+Connection",
    "folders, templates, themes, links and refresh rules of QuickSight": (
        r"quicksight:((Create|Delete)FolderMembership|Describe(Template|Theme)|UpdateDashboardLinks"
        r"|(Put|Delete)DataSetRefreshProperties)"
    ),
    "snapshots, copies in other regions and sharing of Redshift": (
        r"redshift-serverless:(Restore\w+|(Create|Update|Delete)SnapshotCopyConfiguration)"
        r"|redshift:(Put|Delete)ResourcePolicy"
    ),
    "making, tagging and removing keys": (
        r"kms:(CancelKeyDeletion|ScheduleKeyDeletion|GenerateDataKeyPair|ListGrants|RevokeGrant|(Tag|Untag)Resource)"
    ),
    "policies and protection of nested stacks": (
        r"cloudformation:(SetStackPolicy|UpdateTerminationProtection)"
    ),
}


def handled(kind: str) -> set[str]:
    """The actions that the registry lists for a type."""
    return {
        f"{service}:{action}"
        for made in MADE_BY_SAM.get(kind, [kind])
        for service, actions in HANDLERS[made].items()
        for action in actions.split()
    }


# The registry has no handlers of this type.
@pytest.mark.parametrize("kind", sorted(TYPES - {"AWS::Glue::Table"}))
def test_the_role_has_what_the_handlers_of_cloudformation_ask_for(kind):
    granted = {action for one in EXECUTION for action in as_list(one["Action"]) if one["Effect"] == "Allow"}
    left_out = re.compile("|".join(LEFT_OUT.values()))
    missing = {one for one in handled(kind) - granted if not left_out.fullmatch(one)}
    assert not missing, f"{kind}: grant them in stacks/github-oidc.yaml, or say in LEFT_OUT why not"


@pytest.mark.parametrize("why", LEFT_OUT)
def test_nothing_is_left_out_that_no_handler_asks_for(why):
    asked = {one for kind in TYPES - {"AWS::Glue::Table"} for one in handled(kind)}
    found = {one for one in asked if re.fullmatch(LEFT_OUT[why], one)}
    granted = {action for one in EXECUTION for action in as_list(one["Action"]) if one["Effect"] == "Allow"}
    assert found
    assert not found & granted


# The action with which a resource of a type begins.
PROBES = {
    "AWS::S3::Bucket": "s3:CreateBucket",
    "AWS::SQS::Queue": "sqs:CreateQueue",
    "AWS::SNS::Topic": "sns:CreateTopic",
    "AWS::SecretsManager::Secret": "secretsmanager:CreateSecret",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup",
    "AWS::Serverless::Function": "lambda:CreateFunction",
    "AWS::IAM::Role": "iam:CreateRole",
    "AWS::Events::EventBus": "events:CreateEventBus",
    "AWS::Scheduler::ScheduleGroup": "scheduler:CreateScheduleGroup",
    "AWS::Athena::WorkGroup": "athena:CreateWorkGroup",
    "AWS::Glue::Job": "glue:CreateJob",
    "AWS::Glue::Crawler": "glue:UpdateCrawler",
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm",
    "AWS::QuickSight::DataSource": "quicksight:UpdateDataSource",
    "AWS::QuickSight::DataSet": "quicksight:UpdateDataSet",
}
# The longest names that the parameters allow, and the shortest.
LONGEST = Lake(
    {name: "x" * TEMPLATE["Parameters"][name]["MaxLength"] for name in ("LakeName", "DatabaseName")},
    stack="x" * DEPLOY["Parameters"]["StackName"]["MaxLength"],
    region="ap-northeast-1",
)
SHORTEST = Lake({"LakeName": "abc", "DatabaseName": "d"}, stack="s", region="sa-east-1")


@pytest.mark.parametrize("lake", [LAKE, LONGEST, SHORTEST], ids=["default", "longest", "shortest"])
def test_the_names_of_resources_are_within_reach(lake):
    """The policies go by names: a resource that is called otherwise could not be deployed."""
    found = {str(policy): policy for policy in policies(lake)}
    names = ("StoragePolicy", "ComputePolicy", "RolesPolicy", "QuickSightPolicy", "RedshiftPolicy")
    execution = [one for name in names for one in found[f"github-oidc.{name}"].statements]
    for of in ("template", *STACKS):
        if f"{of}.yaml" in APART:
            continue
        for name, resource in template(of)["Resources"].items():
            if resource["Type"] in PROBES:
                where = lake.arn(of, name)
                assert allowed(execution, PROBES[resource["Type"]], where), where
            if resource["Type"] == "AWS::IAM::Role":
                assert allowed(execution, "iam:PassRole", lake.arn(of, name))


def roles() -> list[Any]:
    return [
        pytest.param(one, id=f"{policy}-{one['Sid']}")
        for policy in POLICIES.values()
        if policy.kind == "role"
        for one in policy.statements
    ]


@pytest.mark.parametrize("statement", roles())
def test_the_boundary_leaves_every_role_what_it_has(statement):
    boundary = managed("Boundary")
    for action in as_list(statement["Action"]):
        for where in as_list(statement["Resource"]):
            if ":000000000000:" in where:
                continue  # for the emulator of the laptop stack, where roles have no boundary
            assert allowed(boundary, action, where), f"{action} on {where}"


def test_every_role_takes_the_boundary():
    taken = {
        f"{of}.{name}": str(one["Properties"].get("PermissionsBoundary")).replace("Fn::", "")
        for of in ("template", *STACKS)
        for name, one in template(of)["Resources"].items()
        if one["Type"] == "AWS::IAM::Role" and of != "github-oidc"
    }
    assert len(taken) >= 9
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
        ("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:spotify-lake/spotify-0a1b-AbCdEf")),
        ("s3:GetObject", f"arn:aws:s3:::spotify-lake-raw-{ACCOUNT}-{REGION}/raw/x"),
        ("s3:DeleteObject", f"arn:aws:s3:::spotify-lake-raw-{ACCOUNT}-{REGION}/raw/x"),
        ("s3:CreateBucket", "arn:aws:s3:::other"),
        ("lambda:InvokeFunction", FUNCTION),
        ("lambda:UpdateFunctionCode", arn("lambda", "function:other")),
        ("kms:ScheduleKeyDeletion", KEY),
        ("iam:PutRolePolicy", EXECUTION_ROLE),
        ("iam:UpdateAssumeRolePolicy", EXECUTION_ROLE),
        ("iam:UpdateAssumeRolePolicy", LAKE.arn("github-oidc", "DeployRole")),
        ("iam:PutRolePolicy", LAKE.arn("github-oidc", "PreviewRole")),
        ("iam:DeleteRole", LAKE.arn("github-oidc", "DeployRole")),
        ("iam:PassRole", LAKE.arn("github-oidc", "DeployRole")),
        ("sts:AssumeRole", EXECUTION_ROLE),
        ("iam:CreatePolicyVersion", LAKE.arn("github-oidc", "RolesPolicy")),
        ("s3:PutObject", CODE),
        ("cloudformation:DeleteStack", arn("cloudformation", "stack/spotify-lake-key/0a1b")),
        ("cloudformation:UpdateStack", arn("cloudformation", "stack/spotify-lake-deployers/0a1b")),
    ],
)
def test_cloudformation_may_not(action, resource):
    assert not allowed(EXECUTION, action, resource)


@pytest.mark.parametrize("stack", ["spotify-lake", "deployers", "d", "deployers-x"])
def test_no_name_of_a_stack_brings_the_deployers_into_its_reach(stack):
    """Without the statement that denies: the path has a slash where a stack's name ends in a hyphen."""
    found = {str(policy): policy for policy in policies(Lake(stack=stack))}
    allows = [one for one in found["github-oidc.RolesPolicy"].statements if one["Effect"] == "Allow"]
    for role in ("ExecutionRole", "PreviewRole", "DeployRole"):
        assert not allowed(allows, "iam:PutRolePolicy", LAKE.arn("github-oidc", role))


def test_a_nested_stack_gets_the_role_of_its_parent():
    """As CloudFormation asks: AccessDenied for iam:PassRole on the stack's own role was seen with nested stacks."""
    assert allowed(EXECUTION, "iam:PassRole", EXECUTION_ROLE, passed_to="cloudformation.amazonaws.com")
    assert not allowed(EXECUTION, "iam:PassRole", EXECUTION_ROLE, passed_to="lambda.amazonaws.com")
    [one] = [one for one in EXECUTION if one["Sid"] == "HandItselfToNestedStacks"]
    assert one["Condition"] == {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
    [deny] = [one for one in EXECUTION if one["Effect"] == "Deny"]
    assert deny["Condition"] == {"StringNotEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}


def test_cloudformation_may_take_the_role_whatever_it_says_of_itself():
    """No document says that it names its account; a condition on it could shut it out."""
    [trust] = DEPLOY["Resources"]["ExecutionRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust == {
        "Effect": "Allow",
        "Principal": {"Service": "cloudformation.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }


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
            boundary = LAKE.arn("github-oidc", "Boundary")
            assert one["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": boundary}}


def test_all_policies_are_narrow():
    """A statement on every resource is for actions that know none: tests/unit/test_policies.py compares."""
    policies = [name for name, one in DEPLOY["Resources"].items() if one["Type"] == "AWS::IAM::ManagedPolicy"]
    for name in policies:
        for one in managed(name):
            if one["Effect"] == "Allow":
                assert [action for action in as_list(one["Action"]) if "*" in action] == []
                everywhere = {"QueueToFunction", "WithoutResources", "PasswordAndNetwork"}
                assert "*" not in as_list(one["Resource"]) or one["Sid"] in everywhere
    [mapping] = [one for one in EXECUTION if one["Sid"] == "QueueToFunction"]
    assert "lambda:FunctionArn" in mapping["Condition"]["ArnLike"]


@pytest.mark.parametrize(
    "role, environment", [("PreviewRole", "PreviewEnvironment"), ("DeployRole", "DeployEnvironment")]
)
def test_only_an_environment_of_the_repository_takes_a_role(role, environment):
    [trust] = DEPLOY["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": [
                {"Sub": f"repo:${{Repository}}:environment:${{{environment}}}"},
                {
                    "If": [
                        "HasIds",
                        {"Sub": f"repo:${{RepositoryWithIds}}:environment:${{{environment}}}"},
                        {"Ref": "AWS::NoValue"},
                    ]
                },
            ],
        }
    }


@pytest.mark.parametrize("repository", ["octocat@583231/spotify-lake@1296269", "a-b@1/c.d_e@2", ""])
def test_a_repository_is_named_with_the_numbers_of_github(repository):
    assert re.search(DEPLOY["Parameters"]["RepositoryWithIds"]["AllowedPattern"], repository)


@pytest.mark.parametrize(
    "repository",
    [
        "octocat/spotify-lake",
        "octocat@*/spotify-lake@*",
        "octocat@1/spotify-lake",
        "octocat@1/x@2:environment:aws",
    ],
)
def test_no_pattern_passes_for_a_repository(repository):
    """StringEquals takes an asterisk as it is, and nobody should find that out after the deployment."""
    assert not re.search(DEPLOY["Parameters"]["RepositoryWithIds"]["AllowedPattern"], repository)


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
