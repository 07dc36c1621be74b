"""Each check of `./lake doctor` passes only for what it has seen, and says what to do when it fails."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from cli import answers, checkup
from cli.checkup import Outcome, examine, examine_lake, permissions
from cli.stack import Lake
from spotify_lake.errors import QueryFailed, SignInExpired, SpotifyUnavailable
from spotify_lake.spotify.auth import AccessToken
from tests.support.operated import lake as command
from tests.support.template import load

NOW = datetime.now(UTC).replace(microsecond=0)
SECRET = {
    "client_id": "an-id",
    "client_secret": "a-client-secret",
    "refresh_token": "a-refresh-token",
    "authorized_at": (NOW - timedelta(days=10)).isoformat(),
}
QUEUES = {
    "TransformQueueUrl": "transform",
    "TransformDeadLettersUrl": "transform-dead-letters",
    "ExtractFailuresUrl": "extract-failures",
    "ScheduleDeadLettersUrl": "schedule-dead-letters",
    "ReportFailuresUrl": "report-failures",
}
PARAMETERS = {name: str(one["Default"]) for name, one in load()["Parameters"].items()}
GROUP = "/aws/lambda/spotify-lake-extract"
OF_A_LAKE = ["Permissions", "Sign-in", "Schedule", "Last run", "Queues", "Athena", "Alarm mail"]


def refusal(code, operation):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


class FakeLambda:
    """Functions with roles, and the quota of the account; `refused` is the error for its settings."""

    limit = 1000
    refused = None

    def get_function_configuration(self, *, FunctionName):
        return {
            "Role": f"arn:aws:iam::123456789012:role/{FunctionName}",
            "LoggingConfig": {"LogGroup": GROUP},
        }

    def get_account_settings(self):
        if self.refused:
            raise self.refused
        return {"AccountLimit": {"ConcurrentExecutions": self.limit}}


class FakeIam:
    """Allows everything but the actions in `denied`."""

    denied = ()
    refused = None

    def simulate_principal_policy(self, *, PolicySourceArn, ActionNames, ResourceArns):
        if self.refused:
            raise self.refused
        decision = "implicitDeny" if ActionNames[0] in self.denied else "allowed"
        return {"EvaluationResults": [{"EvalDecision": decision}]}


class FakeQuotas:
    def get_service_quota(self, *, ServiceCode, QuotaCode):
        assert (ServiceCode, QuotaCode) == ("lambda", "L-B99A9384")
        return {"Quota": {"Value": 10.0}}


class FakeAthena:
    """Answers the two questions; `fails` with an error."""

    fails = None

    def run(self, sql):
        if self.fails:
            raise self.fails
        return SimpleNamespace(rows=((1,),) if sql.startswith("SELECT 1") else ((1234,),))


class Patient:
    """A healthy lake on AWS, in which tests break something."""

    def __init__(self, monkeypatch):
        self.functions, self.iam, self.athena = FakeLambda(), FakeIam(), FakeAthena()
        self.token = AccessToken("token")
        sqs, sns = boto3.client("sqs"), boto3.client("sns")
        self.topic = sns.create_topic(Name="spotify-lake-alarms")["TopicArn"]
        secret = boto3.client("secretsmanager").create_secret(
            Name="spotify-lake/spotify", SecretString=json.dumps(SECRET)
        )
        self.schedule("ENABLED", boto3.client("scheduler").create_schedule)
        logs = boto3.client("logs")
        logs.create_log_group(logGroupName=GROUP)
        logs.create_log_stream(logGroupName=GROUP, logStreamName="1")
        fakes = {"lambda": self.functions, "iam": self.iam, "service-quotas": FakeQuotas()}
        clients = cache(boto3.client)
        self.lake = Lake(
            on_laptop=False,
            stack="spotify-lake",
            account="123456789012",
            region="us-east-1",
            outputs={
                "AlarmTopicArn": self.topic,
                "AthenaWorkGroupName": "spotify-lake",
                "DatabaseName": "spotify_lake",
                "EventBusName": "spotify-lake",
                "ExtractFunctionName": "spotify-lake-extract",
                "LakeBucketName": "lake",
                "RawBucketName": "raw",
                "ReportFunctionName": "spotify-lake-report",
                "ScheduleName": "spotify-lake-extract",
                "SpotifySecretArn": secret["ARN"],
                "TransformFunctionName": "spotify-lake-transform",
            }
            | {output: sqs.create_queue(QueueName=name)["QueueUrl"] for output, name in QUEUES.items()},
            parameters=PARAMETERS,
            client=lambda service: fakes.get(service) or clients(service),
        )
        monkeypatch.setattr(checkup, "connect", lambda _lake: self.athena)
        monkeypatch.setattr(checkup, "sign_in", self.sign_in)

    def sign_in(self, credentials, accounts_url):
        assert (credentials.client_id, accounts_url) == ("an-id", "https://accounts.spotify.com")
        if isinstance(self.token, Exception):
            raise self.token
        return self.token

    def keep_secret(self, **changes):
        value = {name: kept for name, kept in (SECRET | changes).items() if kept is not None}
        boto3.client("secretsmanager").put_secret_value(
            SecretId="spotify-lake/spotify", SecretString=json.dumps(value)
        )

    def with_parameters(self, **parameters):
        self.lake = replace(self.lake, parameters=PARAMETERS | parameters)

    def schedule(self, state, write=None):
        (write or boto3.client("scheduler").update_schedule)(
            Name="spotify-lake-extract",
            State=state,
            ScheduleExpression="cron(0 6 * * ? *)",
            ScheduleExpressionTimezone="Europe/Berlin",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:lambda:us-east-1:123456789012:function:x",
                "RoleArn": "arn:aws:iam::1:role/x",
            },
        )

    def log(self, *lines, at=NOW):
        moment = int(at.timestamp() * 1000)
        events = [
            {"timestamp": moment + number, "message": line if isinstance(line, str) else json.dumps(line)}
            for number, line in enumerate(lines)
        ]
        boto3.client("logs").put_log_events(logGroupName=GROUP, logStreamName="1", logEvents=events)

    def findings(self):
        found = {check.name: check.finding for check in examine_lake(self.lake, NOW)}
        assert list(found) == OF_A_LAKE
        everything = " ".join(finding.text for finding in found.values())
        assert not any(SECRET[name] in everything for name in ("client_secret", "refresh_token"))
        return found

    def finding(self, name):
        found = self.findings()[name]
        return found.outcome, found.text


@pytest.fixture
def patient(monkeypatch):
    with mock_aws():
        yield Patient(monkeypatch)


def run_line(message, run="r1", **more):
    return {"message": message, "level": "INFO", "function_request_id": run} | more


PASSED, FAILED, NOT_CHECKED = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_CHECKED


def test_a_healthy_lake(patient):
    patient.with_parameters(AlarmEmail="me@example.org")
    patient.log(
        run_line("Snapshot written", run="r0"),
        "START RequestId: r1",
        run_line("Snapshot written"),
        run_line("Snapshot written"),
        run_line("Unchanged since its last snapshot of the day"),
        '{"_aws": {}}',
    )
    boto3.client("sns").subscribe(TopicArn=patient.topic, Protocol="email", Endpoint="me@example.org")
    found = patient.findings()
    assert {name: finding.outcome for name, finding in found.items()} == dict.fromkeys(OF_A_LAKE, PASSED)
    assert found["Permissions"].text == "IAM allows 10 main actions of the functions (simulated)"
    assert found["Sign-in"].text.startswith("Spotify accepts it until 20")
    assert "cron(0 6 * * ? *), next on " in found["Schedule"].text
    assert found["Schedule"].text.endswith(" at 06:00, Europe/Berlin")
    assert found["Last run"].text == f"{NOW:%Y-%m-%d %H:%M} UTC: 1 unchanged, 2 written"
    assert found["Queues"].text == "no dead letters; 0 snapshots wait for the transform"
    assert found["Athena"].text == "SELECT 1 is 1; the table playlists has 1,234 rows of the last 30 days"
    assert found["Alarm mail"].text == "me@example.org has confirmed"


def test_actions_that_iam_denies(patient):
    patient.iam.denied = ("events:PutEvents",)
    outcome, text = patient.finding("Permissions")
    assert outcome is FAILED
    assert (
        "IAM denies events:PutEvents on arn:aws:events:us-east-1:123456789012:event-bus/spotify-lake by"
        " spotify-lake-transform" in text
    )


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_what_the_caller_may_not_look_at_is_not_checked(patient, code):
    patient.iam.refused = refusal(code, "SimulatePrincipalPolicy")
    assert patient.finding("Permissions") == (
        NOT_CHECKED,
        "not checked: your credentials do not permit SimulatePrincipalPolicy",
    )


def test_another_refusal_is_a_failure(patient):
    patient.iam.refused = refusal("ServiceFailure", "SimulatePrincipalPolicy")
    assert patient.finding("Permissions")[0] is FAILED


def test_what_the_emulator_lacks_is_not_checked_on_the_laptop_only(patient):
    patient.iam.refused = refusal("InvalidAction", "SimulatePrincipalPolicy")
    assert patient.finding("Permissions")[0] is FAILED
    patient.lake = replace(patient.lake, on_laptop=True)
    assert patient.finding("Permissions") == (
        NOT_CHECKED,
        "not checked: the emulator has no SimulatePrincipalPolicy",
    )


def test_aws_that_cannot_be_reached_is_a_failure(patient):
    patient.iam.refused = EndpointConnectionError(endpoint_url="https://iam.amazonaws.com")
    outcome, text = patient.finding("Permissions")
    assert (outcome, text.partition(":")[0]) == (FAILED, "AWS cannot be reached")


@pytest.mark.parametrize(
    "token, outcome, says",
    [
        (SignInExpired("revoked"), FAILED, "Spotify does not accept it"),
        (SpotifyUnavailable("502"), NOT_CHECKED, "not checked: Spotify does not answer just now"),
    ],
)
def test_a_sign_in_that_spotify_refuses(patient, token, outcome, says):
    patient.token = token
    found, text = patient.finding("Sign-in")
    assert found is outcome
    assert says in text


def test_a_secret_without_a_sign_in(patient):
    boto3.client("secretsmanager").put_secret_value(SecretId="spotify-lake/spotify", SecretString="{}")
    outcome, text = patient.finding("Sign-in")
    assert outcome is FAILED
    assert "`./lake login`" in text


def test_an_app_that_owns_nothing(patient):
    patient.keep_secret(refresh_token=None, authorized_at=None)
    outcome, text = patient.finding("Sign-in")
    assert outcome is FAILED
    assert "PlaylistIds has owned" in text
    patient.with_parameters(PlaylistIds="37i9dQZF1DXcBWIGoYBM5M")
    assert patient.finding("Sign-in") == (PASSED, "Spotify accepts it, for the app alone")


def test_a_sign_in_that_ends_soon(patient):
    patient.keep_secret(authorized_at=(NOW - timedelta(days=175)).isoformat())
    outcome, text = patient.finding("Sign-in")
    assert outcome is PASSED
    assert text.endswith(": run `./lake login` before that day")


def test_a_sign_in_that_lacks_a_permission_for_what_the_lake_collects(patient):
    patient.keep_secret(scopes="playlist-read-private playlist-read-collaborative user-library-read")
    assert patient.finding("Sign-in")[0] is PASSED
    patient.with_parameters(Library="on", ListeningSchedule="rate(30 minutes)")
    outcome, text = patient.finding("Sign-in")
    assert outcome is FAILED
    assert text.startswith("Spotify accepts it until ")
    assert text.endswith(
        ", but the sign-in does not permit reading the artists that you follow (user-follow-read); what you have"
        " played lately (user-read-recently-played), so that is left out: run `./lake login`"
    )


def test_a_new_refresh_token_is_kept(patient):
    patient.token = AccessToken("token", "another-token")
    assert patient.finding("Sign-in")[0] is PASSED
    stored = boto3.client("secretsmanager").get_secret_value(SecretId="spotify-lake/spotify")["SecretString"]
    assert json.loads(stored) == SECRET | {"refresh_token": "another-token"}


def test_a_schedule_that_was_switched_off(patient):
    patient.schedule("DISABLED")
    outcome, text = patient.finding("Schedule")
    assert outcome is FAILED
    assert "enable spotify-lake-extract there" in text
    patient.with_parameters(ScheduleState="DISABLED")
    assert patient.finding("Schedule")[0] is NOT_CHECKED


def test_a_schedule_that_is_gone(patient):
    boto3.client("scheduler").delete_schedule(Name="spotify-lake-extract")
    outcome, text = patient.finding("Schedule")
    assert outcome is FAILED
    assert "GetSchedule" in text


def test_a_lake_that_never_ran(patient):
    outcome, text = patient.finding("Last run")
    assert outcome is NOT_CHECKED
    assert "take the first snapshot" in text


def test_a_run_that_failed(patient):
    patient.log(run_line("Snapshot written", "r0"), run_line("It broke", level="ERROR"))
    assert patient.finding("Last run") == (
        FAILED,
        f"{NOW:%Y-%m-%d %H:%M} UTC: no snapshot, and an error: It broke",
    )


def test_a_run_of_long_ago(patient):
    patient.log(run_line("Snapshot written"), at=NOW - timedelta(hours=30))
    outcome, text = patient.finding("Last run")
    assert outcome is FAILED
    assert "more than 26 hours ago (StaleAfterHours)" in text
    patient.with_parameters(ScheduleState="DISABLED")
    assert patient.finding("Last run")[0] is PASSED


POLLS = [
    run_line("Plays polled", run="p1", new=1, plays=50),
    run_line("The plays are left to the next poll: x", run="p2", level="WARNING"),
    run_line("You did not permit it", run="p3", level="WARNING", error_name="PermissionMissing"),
]


@pytest.mark.parametrize("poll", POLLS)
def test_a_poll_of_plays_is_no_run(patient, poll):
    patient.log(run_line("Snapshot written"), at=NOW - timedelta(hours=30))
    patient.log(poll)
    outcome, text = patient.finding("Last run")
    assert outcome is FAILED
    assert "1 written, more than 26 hours ago (StaleAfterHours)" in text


def test_a_log_that_holds_polls_only(patient):
    patient.log(*POLLS)
    assert patient.finding("Last run") == (
        NOT_CHECKED,
        "not checked: the last 400 lines of the log are of polls: `./lake status` tells how old the data is",
    )


@pytest.mark.parametrize("output", [name for name in QUEUES if name != "TransformQueueUrl"])
def test_dead_letters(patient, output):
    boto3.client("sqs").send_message(QueueUrl=patient.lake.output(output), MessageBody="{}")
    outcome, text = patient.finding("Queues")
    assert outcome is FAILED
    assert text == f"dead letters: 1 in {output.removesuffix('Url')}. `./lake redrive` shows why"


def test_a_queue_that_is_gone(patient):
    boto3.client("sqs").delete_queue(QueueUrl=patient.lake.output("TransformQueueUrl"))
    assert patient.finding("Queues")[0] is FAILED


def test_athena_that_refuses(patient):
    patient.athena.fails = QueryFailed("Athena refused it: no access to the table")
    assert patient.finding("Athena") == (
        FAILED,
        "The query failed: Athena refused it: no access to the table",
    )


def test_alarm_mail(patient, monkeypatch):
    assert patient.finding("Alarm mail")[0] is NOT_CHECKED
    patient.with_parameters(AlarmEmail="me@example.org")
    outcome, text = patient.finding("Alarm mail")
    assert outcome is FAILED
    assert "is not subscribed to the topic" in text
    sns = patient.lake.client("sns")
    pending = {"SubscriptionArn": "PendingConfirmation", "Protocol": "email", "Endpoint": "me@example.org"}
    pages = SimpleNamespace(paginate=lambda TopicArn: [{"Subscriptions": [pending]}])
    monkeypatch.setattr(sns, "get_paginator", lambda _: pages)
    outcome, text = patient.finding("Alarm mail")
    assert outcome is FAILED
    assert "has not confirmed: open the link in the mail" in text


def test_the_simulated_actions_are_those_of_the_roles(patient):
    template = load()["Resources"]
    for output, needs in permissions(patient.lake).items():
        role = template[output.removesuffix("FunctionName") + "Role"]["Properties"]
        allowed = set()
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
            actions = statement.get("Action", [])
            allowed |= {actions} if isinstance(actions, str) else set(actions)
        assert {action for action, _ in needs} <= allowed


def test_every_output_that_is_looked_for_is_in_the_template():
    assert set(checkup.OUTPUTS) <= set(load()["Outputs"])


# The account


@pytest.fixture
def account(patient, monkeypatch, tmp_path):
    """The lake is found, in state `account.state`."""
    monkeypatch.setattr(answers, "FILE", tmp_path / "deploy.toml")
    account = SimpleNamespace(state="CREATE_COMPLETE", patient=patient)
    clients = patient.lake.client

    class FakeCloudFormation:
        def describe_stacks(self, *, StackName):
            return {"Stacks": [{"StackStatus": account.state}]}

    def client(service):
        return FakeCloudFormation() if service == "cloudformation" else clients(service)

    patient.lake = replace(patient.lake, client=client)
    monkeypatch.setattr(checkup, "find", lambda **_: patient.lake)
    return account


def checks():
    return {check.name: (check.finding.outcome, check.finding.text) for check in examine("spotify-lake", NOW)}


def test_the_account_of_a_healthy_lake(account):
    found = checks()
    assert found["Credentials"] == (
        PASSED,
        "account 123456789012, as arn:aws:sts::123456789012:user/moto",
    )
    assert found["Region"] == (PASSED, "us-east-1, from AWS_DEFAULT_REGION")
    assert found["Stack"][0] is PASSED
    assert found["Lambda quota"] == (PASSED, "1000 functions may run at once; the lake wants 8")
    assert list(found)[4:] == OF_A_LAKE


def test_a_quota_that_is_too_small(account):
    account.patient.functions.limit = 10
    account.patient.with_parameters(TransformConcurrency="20")
    outcome, text = checks()["Lambda quota"]
    assert outcome is FAILED
    assert "10 functions may run at once in this account, and the lake wants 23" in text


def test_the_quota_is_read_elsewhere_where_lambda_does_not_say(account):
    account.patient.functions.refused = refusal("AccessDeniedException", "GetAccountSettings")
    assert checks()["Lambda quota"] == (PASSED, "10 functions may run at once; the lake wants 8")


@pytest.mark.parametrize("state", ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS", "ROLLBACK_COMPLETE"])
def test_a_stack_that_is_not_well(account, state):
    account.state = state
    outcome, text = checks()["Stack"]
    assert outcome is FAILED
    assert f"is in state {state}" in text


def test_a_stack_of_an_older_version(account):
    lake = account.patient.lake
    account.patient.lake = replace(
        lake, outputs={name: value for name, value in lake.outputs.items() if name != "EventBusName"}
    )
    outcome, text = checks()["Stack"]
    assert outcome is FAILED
    assert "has no output EventBusName" in text


def test_without_credentials_the_rest_is_not_checked(account, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    found = checks()
    assert found.pop("Credentials")[1].startswith("There are no AWS credentials on this machine. Sign in")
    assert found.pop("Region")[0] is PASSED
    assert {outcome for outcome, _ in found.values()} == {NOT_CHECKED}


def test_credentials_that_aws_refuses(account, monkeypatch):
    def refuse(*_):
        raise refusal("ExpiredToken", "GetCallerIdentity")

    monkeypatch.setattr("cli.aws.caller", refuse)
    assert checks()["Credentials"][1].startswith("The sign-in to AWS has expired.")


def test_without_a_region_the_rest_is_not_checked(account, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    found = checks()
    assert found["Region"][0] is FAILED
    assert "Set AWS_REGION" in found["Region"][1]
    assert found["Stack"][0] is NOT_CHECKED


def test_the_command(account, capsys):
    account.patient.log(run_line("Snapshot written"))
    assert command("doctor") == 0
    out = capsys.readouterr().out
    assert "✓ Credentials   account 123456789012" in out
    assert "– Alarm mail    not checked: AlarmEmail is empty" in out
    assert "10 passed, 0 failed, 1 not checked." in out
    account.patient.schedule("DISABLED")
    assert command("doctor") == 1
    assert "✗ Schedule      cron(0 6 * * ? *) is switched off" in capsys.readouterr().out
