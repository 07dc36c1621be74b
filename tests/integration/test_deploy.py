"""`./lake deploy` asks little, checks everything it can, and changes nothing without a yes."""

import io
import json

import boto3
import botocore.exceptions as aws_errors
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from rich.console import Console

from cli import answers, change_set
from cli.change_set import ChangeSetError
from cli.commands import deploy
from cli.commands.deploy import Options
from cli.stack import OpsError
from cli.terminal import Terminal
from tests.support.cloudformation import ARN, FakeCloudFormation
from tests.support.operated import lake as command

ACCOUNT = "123456789012"
STACK_ID = f"arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/spotify-lake/0a1b"
PLAYLIST = "37i9dQZF1DXcBWIGoYBM5M"
PACKAGED = {
    "Parameters": change_set.declared(),
    "Resources": {"CommonLayer": {"Properties": {"ContentUri": "s3://artifacts/spotify-lake/0123"}}},
}
OPTIONS = Options(stack="spotify-lake", region=None, parameters={}, role=None, bucket=None, yes=False)


class Deployment:
    """A person with an account of AWS and no region; what was built and applied."""

    def __init__(self, file):
        self.file = file
        self.cloudformation = FakeCloudFormation()
        self.cloudformation.stack = None
        self.cloudformation.changes = {
            ARN: [{"Action": "Add", "LogicalResourceId": "Topic", "ResourceType": "AWS::SNS::Topic"}]
        }
        self.built = []
        self.applied = []
        self.output = io.StringIO()
        self.asked = []

    def run(self, *replies, can_ask=True, **options):
        left = list(replies)

        def read(prompt):
            self.asked.append(prompt)
            if not left:
                raise EOFError
            return left.pop(0)

        terminal = Terminal(Console(file=self.output, width=200), read=read)
        deploy.run(
            Options(**vars(OPTIONS) | options), terminal, can_ask, package=self.package, apply=self.apply
        )
        assert left == [], "asked less than expected"

    def package(self, region, bucket):
        self.built.append((region, bucket))
        return json.dumps(PACKAGED)

    def apply(self, cloudformation, stack, arn):
        self.applied.append(arn)
        self.becomes("CREATE_COMPLETE")
        return "CREATE_COMPLETE"

    def becomes(self, status, **parameters):
        parameters = {"LakeName": "spotify-lake", "AlarmEmail": "me@example.org"} | parameters
        self.cloudformation.stack = {
            "StackName": "spotify-lake",
            "StackId": STACK_ID,
            "StackStatus": status,
            "Outputs": [{"OutputKey": "ExtractFunctionName", "OutputValue": "spotify-lake-extract"}],
            "Parameters": [{"ParameterKey": n, "ParameterValue": v} for n, v in parameters.items()],
        }

    @property
    def saw(self):
        return " ".join(self.output.getvalue().split())

    @property
    def sent(self):
        """The values that CloudFormation got."""
        return {
            one["ParameterKey"]: one["ParameterValue"]
            for one in self.cloudformation.made["Parameters"]
            if "ParameterValue" in one
        }


@pytest.fixture
def person(monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setattr(answers, "FILE", tmp_path / "deploy.toml")
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="artifacts")
        person = Deployment(tmp_path / "deploy.toml")
        real = boto3.Session.client

        def client(self, service, **settings):
            return person.cloudformation if service == "cloudformation" else real(self, service, **settings)

        monkeypatch.setattr(boto3.Session, "client", client)
        yield person


def test_three_questions_and_a_yes(person):
    person.run("eu-central-1", "me@example.org", "", "yes")
    assert [prompt.partition(",")[0] for prompt in person.asked] == [
        "Region of AWS",
        "E-mail address for alarms",
        "Playlists: owned",
        "Apply these changes to spotify-lake (account 123456789012",
    ]
    assert person.built == [("eu-central-1", None)]
    assert person.sent == {"AlarmEmail": "me@example.org", "PlaylistIds": "owned,liked"}
    assert person.applied == [ARN]
    assert "| Add | `Topic` | AWS::SNS::Topic" in person.saw
    assert person.saw.endswith(
        "What to do next"
        " 1. Confirm the mail from AWS Notifications to me@example.org: without that, no alarm reaches you."
        " 2. `./lake login` signs the lake in to Spotify."
        " 3. Take the first snapshot, or wait for the schedule: `aws lambda invoke --invocation-type Event"
        " --function-name spotify-lake-extract --region eu-central-1 /dev/stdout`"
        " 4. `./lake views` creates the views."
        " 5. `./lake doctor` checks that everything works; docs/first-deployment.md explains each check."
    )


def test_answers_are_proposed_the_next_time(person):
    person.run("eu-central-1", "none", PLAYLIST, "yes")
    assert answers.read("spotify-lake") == {
        "region": "eu-central-1",
        "AlarmEmail": "",
        "PlaylistIds": PLAYLIST,
    }
    person.file.write_text(
        person.file.read_text() + 'ScheduleExpression = "cron(0 4 * * ? *)"\nReportDays = 30\n'
    )
    person.asked.clear()
    person.run("", "", "", "y")
    assert [prompt.rpartition("[")[2] for prompt in person.asked[:3]] == [
        "eu-central-1]: ",
        "none]: ",
        f"{PLAYLIST}]: ",
    ]
    assert person.sent == {
        "AlarmEmail": "",
        "PlaylistIds": PLAYLIST,
        "ScheduleExpression": "cron(0 4 * * ? *)",
        "ReportDays": "30",
    }


def test_values_of_a_lake_that_sam_deployed_are_proposed(person):
    person.becomes("UPDATE_COMPLETE", AlarmEmail="old@example.org", PlaylistIds=PLAYLIST)
    person.run("", "", "yes", region="eu-central-1")
    assert person.sent == {"AlarmEmail": "old@example.org", "PlaylistIds": PLAYLIST}
    assert "What to do next" not in person.saw
    assert "`./lake doctor` checks that everything works." in person.saw


def test_the_region_of_the_environment_is_not_asked_for(person, monkeypatch):
    answers.keep("spotify-lake", {"region": "eu-central-1"})
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    person.run("me@example.org", "", "yes")
    assert person.built == [("us-east-1", None)]
    assert "Region us-east-1, from AWS_REGION" in person.saw
    assert "The last deployment of spotify-lake went to eu-central-1." in person.saw


def test_a_wrong_answer_is_explained_and_asked_again(person):
    person.run("eu-centrl-1", "eu-central-1", "me@example", "me@example.org", "Top 50", "owned", "yes")
    for says in ("Did you mean eu-central-1?", "'me@example' is not an e-mail", "'Top 50' is not a playlist"):
        assert says in person.saw
    assert person.sent == {"AlarmEmail": "me@example.org", "PlaylistIds": "owned"}


@pytest.mark.parametrize("answer", ["", "no", "nope"])
def test_without_a_yes_nothing_is_applied(person, answer):
    person.run("eu-central-1", "none", "", answer)
    assert person.applied == []
    assert f"Nothing was changed. To apply it later: make apply-change-set CHANGE_SET={ARN}" in person.saw


def test_without_credentials_nothing_is_asked(person, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(aws_errors.NoCredentialsError):
        person.run()
    assert (person.asked, person.built) == ([], [])


def test_credentials_that_aws_does_not_accept_are_told_before_anything_is_asked(person, monkeypatch):
    def refuse(*_):
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "GetCallerIdentity")

    monkeypatch.setattr("cli.aws.caller", refuse)
    with pytest.raises(ClientError):
        person.run()
    assert person.asked == []


@pytest.mark.parametrize(
    "kept, says",
    [
        ('ScheduleExpression = "cron(0 6 * * *)"', "Did you mean cron(0 6 * * ? *)?"),
        ('ReportSchedule = "cron(0 25 * * ? *)"', "which takes 0-23"),
        ('ScheduleExpression = "rate(1 days)"', "rate(1 day)"),
        ('ScheduleExpression = "rate(0 minutes)"', "at least 1"),
        ('ScheduleTimezone = "Europe/Berln"', "Did you mean Europe/Berlin?"),
        ('FirstSnapshotDate = "2026-02-31"', "not a day of the calendar"),
        ('AlarmMail = "me@example.org"', "Did you mean AlarmEmail?"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_built(person, kept, says):
    person.file.write_text(f"[spotify-lake]\n{kept}\n")
    with pytest.raises(ChangeSetError) as raised:
        person.run("eu-central-1", "none", "")
    assert says in str(raised.value)
    assert person.built == []
    assert person.file.read_text() == f"[spotify-lake]\n{kept}\n"


@pytest.mark.parametrize(
    "text, says",
    [
        ("[spotify-lake\n", "deploy.toml cannot be read"),
        ("spotify-lake = 1\n", "spotify-lake is not a table"),
        ("[spotify-lake]\nAlarmEmail = true\n", "AlarmEmail of spotify-lake is neither"),
    ],
)
def test_a_file_that_cannot_be_read_is_not_overwritten(person, text, says):
    person.file.write_text(text)
    with pytest.raises(answers.AnswersUnreadable, match=says):
        person.run("eu-central-1", "none", "", "yes")
    assert person.file.read_text() == text


def test_other_stacks_keep_their_answers(person):
    answers.keep("other-lake", {"region": "eu-west-1", "AlarmEmail": 'a"b\\c@example.org'})
    person.run("eu-central-1", "none", "", "yes")
    assert answers.read("other-lake") == {"region": "eu-west-1", "AlarmEmail": 'a"b\\c@example.org'}


def test_without_a_terminal_it_says_what_is_missing(person):
    with pytest.raises(OpsError) as raised:
        person.run(can_ask=False)
    assert 'region = "eu-central-1"; AlarmEmail = "me@example.org"; PlaylistIds = "owned,liked"' in str(
        raised.value
    )
    given = {"AlarmEmail": "", "PlaylistIds": "owned"}
    with pytest.raises(OpsError, match="Add --yes"):
        person.run(can_ask=False, region="eu-central-1", parameters=given)
    assert (person.asked, person.built) == ([], [])
    person.run(can_ask=False, region="eu-central-1", parameters=given, yes=True)
    assert person.asked == []
    assert person.applied == [ARN]
    # What was given is known from now on.
    person.run(can_ask=False, yes=True)
    assert person.sent == given


def test_the_command_without_a_terminal(person, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert command("deploy") == 1
    assert "Nobody is at the terminal to answer." in " ".join(capsys.readouterr().err.split())
    assert command("deploy", "--yes", "--region", "eu-central-1", "--parameters", "Nonsense") == 1
    assert "'Nonsense' is not one" in " ".join(capsys.readouterr().out.split())


def test_a_failed_first_deployment_must_be_deleted_first(person):
    person.becomes("ROLLBACK_COMPLETE")
    with pytest.raises(ChangeSetError, match="aws cloudformation delete-stack --stack-name spotify-lake"):
        person.run("eu-central-1")
    assert person.built == []


def test_a_deployment_that_fails_leads_to_the_docs(person, monkeypatch):
    def fail(*_):
        raise ChangeSetError("The stack is ROLLBACK_COMPLETE. What failed:\n  RawBucket: exists")

    monkeypatch.setattr(person, "apply", fail)
    with pytest.raises(ChangeSetError, match=r"RawBucket: exists\ndocs/first-deployment.md"):
        person.run("eu-central-1", "none", "", "yes")


def test_a_bucket_of_an_earlier_lake_is_found_before_cloudformation_fails(person):
    where = {"LocationConstraint": "eu-central-1"}
    bucket = f"spotify-lake-raw-{ACCOUNT}-eu-central-1"
    boto3.client("s3", region_name="eu-central-1").create_bucket(
        Bucket=bucket, CreateBucketConfiguration=where
    )
    with pytest.raises(OpsError, match=f"The bucket {bucket} exists already"):
        person.run("eu-central-1", "none", "")
    assert person.built == []
    person.run("none", "", "yes", region="eu-central-1", parameters={"LakeName": "my-lake"})
    assert person.sent["LakeName"] == "my-lake"


def test_without_changes_there_is_nothing_to_agree_to(person):
    person.cloudformation.reasons = {ARN: "No updates are to be performed."}
    person.run("eu-central-1", "none", "")
    assert "there is nothing to deploy" in person.saw
