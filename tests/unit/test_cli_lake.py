"""Finding a deployed lake, and what is said when it is not there."""

import boto3
import botocore.exceptions as aws
import pytest
from botocore.stub import Stubber

from cli import answers
from cli import aws as aws_access
from cli import stack as lakes
from cli.aws import sentence
from cli.stack import OpsError, find
from local.errors import LaptopError

STACK_ID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/my-lake/0f1e"


class FakeSession:
    """A boto3 session whose CloudFormation answers as it is told."""

    def __init__(self):
        self.region_name = "eu-central-1"
        self.cloudformation = boto3.client("cloudformation", region_name="eu-central-1")
        self.stub = Stubber(self.cloudformation)
        self.stub.activate()

    def get_credentials(self):
        return "some"

    def client(self, service):
        return self.cloudformation if service == "cloudformation" else f"{service} in {self.region_name}"

    def describes(self, status="CREATE_COMPLETE", outputs=None, stack="my-lake"):
        found = {
            "StackName": stack,
            "StackId": STACK_ID,
            "CreationTime": "2026-11-20T06:00:00Z",
            "StackStatus": status,
            "Outputs": [{"OutputKey": name, "OutputValue": value} for name, value in (outputs or {}).items()],
            "Parameters": [{"ParameterKey": "LakeName", "ParameterValue": "my-lake"}],
        }
        self.stub.add_response("describe_stacks", {"Stacks": [found]}, {"StackName": stack})


@pytest.fixture
def session(monkeypatch):
    session = FakeSession()
    monkeypatch.setattr(boto3, "Session", lambda region_name=None: session)
    return session


def refusal(code, message="No.", operation="DescribeStacks"):
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, operation)


def test_a_lake_on_aws(session):
    session.describes(outputs={"SpotifySecretArn": "arn:secret"})
    lake = find(stack="my-lake")

    assert lake.place == "my-lake (AWS account 123456789012, eu-central-1)"
    assert lake.output("SpotifySecretArn") == "arn:secret"
    assert lake.parameter("LakeName") == "my-lake"
    assert lake.client("s3") == "s3 in eu-central-1"
    session.stub.assert_no_pending_responses()


def test_a_stack_that_is_another_or_older(session):
    session.describes(outputs={"BucketName": "mine"})
    lake = find(stack="my-lake")

    with pytest.raises(OpsError, match=r"my-lake .* has no output SpotifySecretArn.*Deploy it again"):
        lake.output("SpotifySecretArn")
    with pytest.raises(OpsError, match="has no parameter ScheduleState"):
        lake.parameter("ScheduleState")


def test_there_is_no_such_stack(session):
    session.stub.add_client_error("describe_stacks", "ValidationError", "Stack with id x does not exist")

    with pytest.raises(
        OpsError, match=r"no stack spotify-lake in eu-central-1\. Deploy it with `make deploy`"
    ):
        find()


def test_a_stack_whose_creation_failed(session):
    session.describes(status="ROLLBACK_COMPLETE")

    with pytest.raises(OpsError, match=r"state ROLLBACK_COMPLETE .* Deploy it with `make deploy`"):
        find(stack="my-lake")


def test_other_refusals_of_cloudformation_pass_through(session):
    session.stub.add_client_error("describe_stacks", "AccessDenied", "User may not")

    with pytest.raises(aws.ClientError):
        find()


@pytest.fixture(autouse=True)
def no_laptop(monkeypatch, tmp_path):
    """The lake on this laptop does not run, even if it does."""
    monkeypatch.setattr(lakes, "ROOT", tmp_path)


@pytest.fixture
def no_region(monkeypatch, tmp_path):
    """Neither the environment nor an earlier deployment names a region."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setattr(answers, "FILE", tmp_path / "deploy.toml")


def test_no_region(no_region):
    with pytest.raises(aws.NoRegionError) as raised:
        find()
    assert "Set AWS_REGION" in sentence(raised.value)


def test_the_region_is_found_in_the_order_of_the_command_line_tools(no_region, monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-north-1\n")
    answers.keep("spotify-lake", {"region": "eu-west-3"})

    def found(explicit=None):
        chosen = aws_access.region("spotify-lake", explicit)
        assert aws_access.session("spotify-lake", explicit).client("s3").meta.region_name == chosen.name
        return chosen.name, chosen.source

    assert found() == ("eu-west-3", "deploy.toml")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert found() == ("eu-north-1", "the AWS profile")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert found() == ("eu-west-2", "AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert found() == ("eu-west-1", "AWS_REGION")
    assert found("sa-east-1") == ("sa-east-1", "--region")
    make_client, region = lakes._aws("spotify-lake")
    assert region == make_client("s3").meta.region_name == "eu-west-1"


@pytest.mark.usefixtures("no_laptop")
def test_no_credentials(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(aws.NoCredentialsError) as raised:
        find()
    assert sentence(raised.value).startswith("There are no AWS credentials on this machine.")


@pytest.mark.parametrize(
    "error, said",
    [
        (refusal("ExpiredToken"), "The sign-in to AWS has expired."),
        (aws.UnauthorizedSSOTokenError(), "The sign-in to AWS has expired."),
        (aws.TokenRetrievalError(provider="sso", error_msg="gone"), "The sign-in to AWS has expired."),
        (refusal("InvalidClientTokenId"), "AWS does not accept the credentials on this machine"),
        (
            refusal("AccessDeniedException", "User: x is not authorized.", "PutSecretValue"),
            "AWS does not permit PutSecretValue: User: x is not authorized.",
        ),
        (refusal("Throttling", "Slow down"), "AWS refused DescribeStacks (Throttling): Slow down."),
        (aws.ProfileNotFound(profile="work"), "The config profile (work) could not be found. Choose"),
        (aws.EndpointConnectionError(endpoint_url="https://x"), "AWS cannot be reached: Could not connect"),
        (aws.DataNotFoundError(data_path="x"), "AWS rejected the request: Unable to load data for: x."),
    ],
)
def test_what_aws_refuses_is_said_in_a_sentence(error, said):
    assert sentence(error).startswith(said)


class FakeLaptop:
    """A laptop stack; `problem` is what attaching says."""

    problem = None

    def __init__(self, root, state_dir):
        self.session = FakeSession()
        self.session.describes(outputs={"SpotifySecretArn": "arn:secret"}, stack="spotify-lake")

    def attach(self):
        if self.problem:
            raise LaptopError(self.problem)

    def client(self, service):
        return self.session.client(service)


@pytest.fixture
def laptop(monkeypatch):
    left = []
    monkeypatch.setattr("local.emulator.leave_aws", left.append)
    monkeypatch.setattr("local.stack.LaptopStack", FakeLaptop)
    return left


def test_the_lake_on_the_laptop(laptop):
    lake = find(laptop=True)

    assert lake.place == "spotify-lake (this laptop)"
    assert lake.output("SpotifySecretArn") == "arn:secret"
    assert laptop, "AWS settings stay in the environment"


def test_the_laptop_stack_does_not_run(laptop, monkeypatch):
    monkeypatch.setattr(
        FakeLaptop, "problem", "The laptop stack is not running. Start it with `./lake demo`."
    )

    with pytest.raises(LaptopError, match="is not running"):
        find(laptop=True)


@pytest.mark.parametrize(
    "region, credentials, lacks",
    [(None, "some", "No AWS region is chosen"), ("eu-central-1", None, "no AWS credentials on this machine")],
)
def test_the_running_lake_on_this_laptop_is_offered(
    no_region, session, monkeypatch, tmp_path, region, credentials, lacks
):
    session.region_name = region
    session.get_credentials = lambda: credentials
    monkeypatch.setattr(lakes, "_running_laptop", lambda: None)
    monkeypatch.setattr("sys.argv", ["lake", "query", "select 1"])
    with pytest.raises(aws.BotoCoreError):
        find()
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "state.json").touch()
    with pytest.raises(OpsError, match=rf"run `\./lake query 'select 1' --laptop`\. .*{lacks}"):
        find()

    def stopped():
        raise LaptopError("The laptop stack is not running.")

    monkeypatch.setattr(lakes, "_running_laptop", stopped)
    with pytest.raises(aws.BotoCoreError):
        find()
