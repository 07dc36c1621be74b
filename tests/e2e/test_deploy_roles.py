"""Who may change the deployed stack: one role prepares a change, another carries out what was prepared.

The roles come from stacks/github-oidc.yaml and are tried with their own credentials, got with a token like GitHub's.
Not proved here: that a token is really GitHub's, since the emulator looks at no signature; that changes are prepared
with CloudFormation's role only, which the emulator does not tell the policy; and that this role suffices, whose
permissions the emulator does not ask for (tests/unit/test_deploy_roles.py compares them with what the template needs).
"""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from cli.change_set import apply, changes, markdown
from local.stack import LaptopStack
from tests.support.template import ROOT

STACK = "spotify-lake-deployers"
PROVIDER = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com"
REPOSITORY = "repo:octocat/spotify-lake"
WITH_IDS = "octocat@583231/spotify-lake@1296269"
ENVIRONMENTS = {"PreviewRoleArn": "aws-preview", "DeployRoleArn": "aws"}
WITH_EXECUTION_ROLE = """\
            Condition:
              StringEquals: { cloudformation:RoleArn: !GetAtt ExecutionRole.Arn }
"""
POLL = {"Delay": 1, "MaxAttempts": 60}


@pytest.fixture(scope="module")
def deployers(stack: LaptopStack) -> Iterator[dict[str, str]]:
    """The outputs of the stack with the roles."""
    cloudformation = stack.client("cloudformation")
    template = (ROOT / "stacks" / "github-oidc.yaml").read_text()
    # The emulator refuses a template that names this type, even one that makes nothing of it.
    template = template.replace("AWS::IAM::OIDCProvider", "AWS::CloudFormation::WaitConditionHandle")
    # It does not tell policies which role a change set is made with.
    assert WITH_EXECUTION_ROLE in template
    template = template.replace(WITH_EXECUTION_ROLE, "")
    parameters = {
        "Repository": "octocat/spotify-lake",
        "RepositoryWithIds": WITH_IDS,
        "ProviderArn": PROVIDER,
    }
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=template,
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig=POLL)
    [made] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    try:
        yield {one["OutputKey"]: one["OutputValue"] for one in made["Outputs"]}
    finally:
        cloudformation.delete_stack(StackName=STACK)


def token(subject: str, audience: str = "sts.amazonaws.com") -> str:
    """What GitHub gives a job, but without its signature, which the emulator does not look at."""
    claims = {"iss": "https://token.actions.githubusercontent.com", "sub": subject, "aud": audience}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in ({"alg": "RS256"}, claims)]
    return ".".join([*(part.decode().rstrip("=") for part in parts), "signature"])


def assume(stack: LaptopStack, role: str, of: str) -> dict[str, str]:
    sts = stack.client("sts")
    # AWS takes this request without a signature. The laptop's front takes none without, since the emulator believes
    # every token.
    sts.meta.events.register_first("choose-signer.sts.AssumeRoleWithWebIdentity", lambda **_: "v4")
    answer = sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="test", WebIdentityToken=of)
    return dict(answer["Credentials"])


@pytest.fixture(scope="module")
def acting(stack: LaptopStack, deployers: dict[str, str]) -> Callable[[str], Any]:
    """CloudFormation as one of the roles, by a token of its environment."""

    def act(output: str) -> Any:
        credentials = assume(
            stack, deployers[output], token(f"{REPOSITORY}:environment:{ENVIRONMENTS[output]}")
        )
        session = boto3.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name="us-east-1",
        )
        return session.client("cloudformation", endpoint_url=stack.endpoint)

    return act


def prepare(cloudformation: Any, name: str, days: str, role: str | None) -> str:
    """Prepare a change of one parameter, and return the ARN of the change set."""
    [found] = cloudformation.describe_stacks(StackName="spotify-lake")["Stacks"]
    kept = [
        {"ParameterKey": one["ParameterKey"], "UsePreviousValue": True}
        for one in found["Parameters"]
        if one["ParameterKey"] != "LogRetentionDays"
    ]
    answer = cloudformation.create_change_set(
        StackName="spotify-lake",
        ChangeSetName=name,
        UsePreviousTemplate=True,
        Parameters=[*kept, {"ParameterKey": "LogRetentionDays", "ParameterValue": days}],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        IncludeNestedStacks=True,
        **({"RoleARN": role} if role else {}),
    )
    cloudformation.get_waiter("change_set_create_complete").wait(
        StackName="spotify-lake", ChangeSetName=name, WaiterConfig=POLL
    )
    return str(answer["Id"])


def retention(stack: LaptopStack) -> set[int]:
    """Of the log groups in the stack and of those in its nested stack."""
    logs = stack.client("logs")
    groups = [
        group
        for prefix in ("/aws/lambda/spotify-lake-", "/aws-glue/spotify-lake/")
        for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    ]
    assert len(groups) == 6
    return {group["retentionInDays"] for group in groups}


def test_what_one_role_prepares_another_carries_out(
    stack: LaptopStack, deployers: dict[str, str], acting: Callable[[str], Any]
) -> None:
    preview, deploy = acting("PreviewRoleArn"), acting("DeployRoleArn")
    role = deployers["ExecutionRoleArn"]
    before = retention(stack)
    arn = prepare(preview, "more-logs", "60", role)
    shown = markdown("spotify-lake", arn, changes(preview, "spotify-lake", arn))
    for group in ("ExtractLogGroup", "TransformLogGroup", "ReportLogGroup"):
        assert f"| `{group}` | AWS::Logs::LogGroup |" in shown
    assert "| `BulkStack` | AWS::CloudFormation::Stack |" in shown
    with pytest.raises(ClientError, match="AccessDenied"):
        preview.execute_change_set(StackName="spotify-lake", ChangeSetName=arn)
    with pytest.raises(ClientError, match="AccessDenied"):
        prepare(deploy, "other-change", "90", role)
    assert retention(stack) == before == {30}
    assert apply(deploy, "spotify-lake", arn, POLL) == "UPDATE_COMPLETE"
    assert retention(stack) == {60}
    nested = stack.client("cloudformation").describe_stack_resource(
        StackName="spotify-lake", LogicalResourceId="BulkStack"
    )["StackResourceDetail"]["PhysicalResourceId"]
    assert deploy.describe_stack_events(StackName=nested)["StackEvents"]
    with pytest.raises(ClientError, match="AccessDenied"):
        deploy.describe_stack_events(StackName=STACK)
    arn = prepare(preview, "as-before", "30", role)
    assert apply(deploy, "spotify-lake", arn, POLL) == "UPDATE_COMPLETE"
    assert retention(stack) == before


@pytest.mark.parametrize(
    "subject, audience",
    [
        (f"{REPOSITORY}:environment:aws-preview", "sts.amazonaws.com"),
        (f"{REPOSITORY}:ref:refs/heads/main", "sts.amazonaws.com"),
        (f"{REPOSITORY}:pull_request", "sts.amazonaws.com"),
        ("repo:mallory/spotify-lake:environment:aws", "sts.amazonaws.com"),
        ("repo:octocat/spotify-lake-2:environment:aws", "sts.amazonaws.com"),
        (f"repo:{WITH_IDS}:environment:aws-preview", "sts.amazonaws.com"),
        ("repo:octocat@583232/spotify-lake@1296269:environment:aws", "sts.amazonaws.com"),
        ("repo:octocat@583231/spotify-lake@1296270:environment:aws", "sts.amazonaws.com"),
        (f"{REPOSITORY}:environment:aws", "https://github.com/octocat"),
    ],
)
def test_other_tokens_do_not_get_the_role_that_carries_out(
    stack: LaptopStack, deployers: dict[str, str], subject: str, audience: str
) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        assume(stack, deployers["DeployRoleArn"], token(subject, audience))


@pytest.mark.parametrize("repository", ["octocat/spotify-lake", WITH_IDS])
def test_a_token_names_the_repository_with_or_without_numbers(
    stack: LaptopStack, deployers: dict[str, str], repository: str
) -> None:
    for role, environment in ENVIRONMENTS.items():
        assert assume(stack, deployers[role], token(f"repo:{repository}:environment:{environment}"))


def test_the_roles_are_beyond_the_reach_of_the_role_that_changes_roles(
    stack: LaptopStack, deployers: dict[str, str]
) -> None:
    """By the emulator's evaluation of the policies of `ExecutionRole`, with the default names."""
    iam = stack.client("iam")
    name = deployers["ExecutionRoleArn"].rpartition("/")[2]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    documents = [
        iam.get_policy_version(
            PolicyArn=one["PolicyArn"],
            VersionId=iam.get_policy(PolicyArn=one["PolicyArn"])["Policy"]["DefaultVersionId"],
        )["PolicyVersion"]["Document"]
        for one in attached
    ]
    roles = [deployers[output] for output in ("ExecutionRoleArn", "PreviewRoleArn", "DeployRoleArn")]
    results = iam.simulate_custom_policy(
        PolicyInputList=[json.dumps(one) for one in documents],
        ActionNames=["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole"],
        ResourceArns=roles,
    )["EvaluationResults"]
    assert len(results) >= 3
    assert {one["EvalDecision"] for one in results} == {"explicitDeny"}


@pytest.mark.parametrize("role", ["PreviewRoleArn", "DeployRoleArn"])
def test_neither_touches_other_stacks_or_goes_around_change_sets(
    acting: Callable[[str], Any], role: str
) -> None:
    cloudformation = acting(role)
    for refused in (
        lambda: cloudformation.delete_stack(StackName="spotify-lake"),
        lambda: cloudformation.update_stack(StackName="spotify-lake", UsePreviousTemplate=True),
        lambda: cloudformation.describe_stacks(StackName=STACK),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()
