"""The checks of `./lake doctor`: each looks at one thing, and says what it saw or why it did not look.

A check passes only for what it has looked at. The order is that in which a first deployment can fail.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from cli import aws
from cli.athena import connect
from cli.commands.logs import Function, newest_events
from cli.commands.status import POLLED
from cli.dead_letters import QUEUES, depth
from cli.schedule import next_run
from cli.scopes import what_is_not_permitted
from cli.stack import Lake, find
from spotify_lake.errors import CredentialsMissing, LakeError
from spotify_lake.settings import OWNED, parse_playlist_ids
from spotify_lake.spotify.auth import sign_in
from spotify_lake.spotify.credentials import WARNING_DAYS, read_credentials, sign_in_ends, store_refresh_token

if TYPE_CHECKING:
    from spotify_lake.spotify.credentials import Credentials

# Functions besides the transforms that may run at the same time.
OTHER_FUNCTIONS: Final = 3
CONCURRENT_EXECUTIONS: Final = ("lambda", "L-B99A9384")  # in Service Quotas
LOG_LINES: Final = 400
GOOD_STATES: Final = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "IMPORT_COMPLETE"}
)
_DENIED: Final = re.compile(r"AccessDenied|AuthorizationError|UnauthorizedOperation|NotAuthorized")
# Error codes of the emulator for operations that it does not have.
_NOT_THERE: Final = frozenset(
    {"InvalidAction", "NotImplemented", "UnknownOperationException", "UnsupportedOperation", "501"}
)
_DONE: Final = {
    "Snapshot written": "written",
    "Snapshot is already there": "already there",
    "Another run wrote the snapshot first": "already there",
    "Unchanged since its last snapshot of the day": "unchanged",
}


class Outcome(Enum):
    """How a check ended."""

    PASSED = "✓"
    FAILED = "✗"
    NOT_CHECKED = "–"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    outcome
        How it ended.
    text
        What was seen and, unless it passed, what to do.
    """

    outcome: Outcome
    text: str


@dataclass(frozen=True)
class Check:
    """A check with its name, which is what it looks at."""

    name: str
    finding: Finding


def passed(text: str) -> Finding:
    """Return the finding of a check that passed."""
    return Finding(Outcome.PASSED, text)


def failed(text: str) -> Finding:
    """Return the finding of a check that failed."""
    return Finding(Outcome.FAILED, text)


def not_checked(why: str) -> Finding:
    """Return the finding of a check that could not look."""
    return Finding(Outcome.NOT_CHECKED, f"not checked: {why}")


def examine(stack: str, now: datetime, *, laptop: bool = False) -> Iterator[Check]:
    """Examine a lake and what it depends on, and yield each check as it ends.

    Parameters
    ----------
    stack
        Name of the CloudFormation stack.
    now
        UTC.
    laptop
        The lake on this laptop instead of AWS.
    """
    usable = True
    for name, look in (("Credentials", _credentials), ("Region", partial(_region, stack))):
        finding = not_checked("the lake on this laptop needs no AWS account") if laptop else _safely(look)
        usable = usable and finding.outcome is not Outcome.FAILED
        yield Check(name, finding)
    if usable:
        finding, lake = _stack(stack, laptop=laptop)
    else:
        finding, lake = not_checked("that needs credentials and a region"), None
    yield Check("Stack", finding)
    if laptop or not usable:
        why = "the lake on this laptop has none" if laptop else "that needs credentials and a region"
        yield Check("Lambda quota", not_checked(why))
    else:
        yield Check("Lambda quota", _safely(partial(_quota, stack, lake)))
    yield from examine_lake(lake, now)


def examine_lake(lake: Lake | None, now: datetime) -> Iterator[Check]:
    """Examine a deployed lake; without one, nothing is checked."""
    for name, check in OF_A_LAKE.items():
        if lake is None:
            yield Check(name, not_checked("there is no lake to look at"))
        else:
            yield Check(name, _safely(partial(check, lake, now), on_laptop=lake.on_laptop))


def _safely(look: Callable[[], Finding], *, on_laptop: bool = False) -> Finding:
    """Run a check. A call that AWS denies or the emulator lacks is "not checked"; any other error is a failure."""
    try:
        return look()
    except ClientError as error:
        if _DENIED.search(aws.code(error)):
            return not_checked(f"your credentials do not permit {error.operation_name}")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if on_laptop and (aws.code(error) in _NOT_THERE or status == 501):
            return not_checked(f"the emulator has no {error.operation_name}")
        return failed(aws.sentence(error))
    except BotoCoreError as error:
        return failed(aws.sentence(error))
    except LakeError as error:
        return failed(str(error))


def _credentials() -> Finding:
    aws.credentials()
    region = boto3.Session().region_name
    account, arn = aws.caller(boto3.Session(), region or aws.ANY_REGION)
    return passed(f"account {account}, as {arn}")


def _region(stack: str) -> Finding:
    chosen = aws.region(stack)
    if chosen is None:
        raise NoRegionError
    return passed(f"{chosen.name}, from {chosen.source}")


def _stack(stack: str, *, laptop: bool) -> tuple[Finding, Lake | None]:
    try:
        lake = find(laptop=laptop, stack=stack)
        [found] = lake.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        return failed(aws.sentence(error)), None
    except LakeError as error:
        return failed(str(error)), None
    missing = [name for name in OUTPUTS if name not in lake.outputs]
    state = found["StackStatus"]
    if missing:
        return (
            failed(f"{lake.place} has no output {', '.join(missing)}: deploy it again with `make deploy`"),
            None,
        )
    if state not in GOOD_STATES:
        return failed(
            f"{lake.place} is in state {state}: the events of the stack in the CloudFormation console say why;"
            " docs/first-deployment.md says what to do"
        ), lake
    return passed(f"{lake.place}, {state}, {len(lake.outputs)} outputs"), lake


def _quota(stack: str, lake: Lake | None) -> Finding:
    client = lake.client if lake else aws.session(stack).client
    service, quota = CONCURRENT_EXECUTIONS
    try:
        limit = client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    except ClientError:
        answer = client("service-quotas").get_service_quota(ServiceCode=service, QuotaCode=quota)
        limit = int(answer["Quota"]["Value"])
    transforms = int(lake.parameter("TransformConcurrency")) if lake else 5
    if limit < transforms + OTHER_FUNCTIONS:
        return failed(
            f"{limit} functions may run at once in this account, and the lake wants {transforms + OTHER_FUNCTIONS}: ask"
            " for more in Service Quotas (AWS Lambda, Concurrent executions), or lower TransformConcurrency"
        )
    return passed(f"{limit} functions may run at once; the lake wants {transforms + OTHER_FUNCTIONS}")


def _sign_in(lake: Lake, now: datetime) -> Finding:
    """Sign in at Spotify as a run would. The message never contains the secret."""
    secrets, secret_id = lake.client("secretsmanager"), lake.output("SpotifySecretArn")
    login = lake.command("login")
    try:
        credentials = read_credentials(secrets, secret_id)
    except CredentialsMissing as error:
        return failed(f"{error}".replace("`./lake login`", f"`{login}`"))
    if credentials.refresh_token is None and OWNED in parse_playlist_ids(lake.parameter("PlaylistIds")):
        return failed(
            f"the app alone owns no playlists, and PlaylistIds has {OWNED}: run `{login}`, or name playlists"
        )
    try:
        token = sign_in(credentials, lake.parameter("SpotifyAccountsUrl"))
    except LakeError as error:
        if error.retryable:
            return not_checked(f"Spotify does not answer just now ({error})")
        return failed(f"Spotify does not accept it: {error}")
    if token.rotated_refresh_token and credentials.refresh_token:
        store_refresh_token(secrets, secret_id, credentials.refresh_token, token.rotated_refresh_token)
    accepted = f"Spotify accepts it{_until(credentials, now, login)}"
    if missing := what_is_not_permitted(lake, credentials):
        return failed(f"{accepted}, but {missing}: run `{login}`")
    return passed(accepted)


def _until(credentials: Credentials, now: datetime, login: str) -> str:
    if credentials.refresh_token is None:
        return ", for the app alone"
    if credentials.authorized_at is None:
        return ""
    end = sign_in_ends(credentials.authorized_at)
    soon = (end - now.date()).days <= WARNING_DAYS
    return f" until {end}{f': run `{login}` before that day' if soon else ''}"


def _schedule(lake: Lake, now: datetime) -> Finding:
    if lake.parameter("ScheduleState") != "ENABLED":
        return not_checked("the lake was deployed without its daily run (ScheduleState)")
    found = lake.client("scheduler").get_schedule(Name=lake.output("ScheduleName"))
    expression, zone = found["ScheduleExpression"], found.get("ScheduleExpressionTimezone", "UTC")
    if found["State"] != "ENABLED":
        return failed(
            f"{expression} is switched off in EventBridge Scheduler: enable {lake.output('ScheduleName')} there"
        )
    due = next_run(expression, zone, now)
    return passed(f"{expression}, {f'next on {due:%Y-%m-%d at %H:%M}, ' if due else ''}{zone}")


def _last_run(lake: Lake, now: datetime) -> Finding:
    """Read what the newest run of the extract function logged, ignoring polls of plays."""
    runs: dict[str, list[tuple[datetime, dict[str, Any]]]] = {}
    for at, text in newest_events(lake, Function.EXTRACT, LOG_LINES):
        try:
            fields = json.loads(text)
        except ValueError:
            continue
        if isinstance(fields, dict) and "function_request_id" in fields:
            runs.setdefault(fields["function_request_id"], []).append((at, fields))
    if not runs:
        return not_checked("no run has logged anything yet: take the first snapshot")
    found = [lines for lines in runs.values() if not _is_of_a_poll([fields for _, fields in lines])]
    if not found:
        return not_checked(
            f"the last {LOG_LINES} lines of the log are of polls: `{lake.command('status')}` tells how old the data is"
        )
    newest = max(found, key=lambda lines: max(at for at, _ in lines))
    at, of_run = (
        max(at for at, _ in newest),
        [fields for _, fields in sorted(newest, key=lambda line: line[0])],
    )
    done = Counter(_DONE[text] for fields in of_run if (text := str(fields.get("message"))) in _DONE)
    did = ", ".join(f"{number} {what}" for what, number in sorted(done.items())) or "no snapshot"
    when = f"{at:%Y-%m-%d %H:%M} UTC: {did}"
    if errors := [str(fields.get("message")) for fields in of_run if fields.get("level") == "ERROR"]:
        return failed(f"{when}, and an error: {errors[-1]}")
    hours = float(lake.parameter("StaleAfterHours"))
    if lake.parameter("ScheduleState") == "ENABLED" and now - at > timedelta(hours=hours):
        return failed(
            f"{when}, more than {hours:.0f} hours ago (StaleAfterHours): see Stale in docs/runbook.md"
        )
    return passed(when)


def _is_of_a_poll(lines: list[dict[str, Any]]) -> bool:
    """Return whether the lines are those of a poll; one that lacks its permission logs nothing else."""
    return any(POLLED.match(str(line.get("message"))) for line in lines) or all(
        line.get("error_name") == "PermissionMissing" for line in lines
    )


def _queues(lake: Lake, _now: datetime) -> Finding:
    sqs = lake.client("sqs")
    waiting = depth(sqs, lake.output("TransformQueueUrl")).total
    dead = {queue.name: depth(sqs, lake.output(queue.output)).total for queue in QUEUES}
    if full := ", ".join(f"{number} in {name}" for name, number in dead.items() if number):
        return failed(f"dead letters: {full}. `{lake.command('redrive')}` shows why")
    return passed(f"no dead letters; {waiting} snapshots wait for the transform")


def _alarm_mail(lake: Lake, _now: datetime) -> Finding:
    email = lake.parameter("AlarmEmail")
    if not email:
        return not_checked("AlarmEmail is empty, so no alarm is mailed: `make deploy` asks for an address")
    pages = lake.client("sns").get_paginator("list_subscriptions_by_topic")
    found = [
        one["SubscriptionArn"]
        for page in pages.paginate(TopicArn=lake.output("AlarmTopicArn"))
        for one in page["Subscriptions"]
        if one["Protocol"] == "email" and one["Endpoint"] == email
    ]
    if any(arn.startswith("arn:") for arn in found):
        return passed(f"{email} has confirmed")
    if found:
        return failed(f"{email} has not confirmed: open the link in the mail from AWS Notifications")
    return failed(
        f"{email} is not subscribed to the topic, or was unsubscribed: subscribe it in the SNS console, topic"
        f" {lake.output('AlarmTopicArn').rpartition(':')[2]}"
    )


def permissions(lake: Lake) -> dict[str, list[tuple[str, str]]]:
    """Return the main actions of the functions: pairs of action and resource, by the function's output."""
    partition, where = lake.output("SpotifySecretArn").split(":")[1], f"{lake.region}:{lake.account}"
    raw, curated = (
        f"arn:{partition}:s3:::{lake.output(name)}" for name in ("RawBucketName", "LakeBucketName")
    )
    queue = lake.output("TransformQueueUrl").rpartition("/")[2]
    bus = f"arn:{partition}:events:{where}:event-bus/{lake.output('EventBusName')}"
    workgroup = f"arn:{partition}:athena:{where}:workgroup/{lake.output('AthenaWorkGroupName')}"
    return {
        "ExtractFunctionName": [
            ("secretsmanager:GetSecretValue", lake.output("SpotifySecretArn")),
            ("s3:PutObject", f"{raw}/raw/playlist_id=doctor/object"),
            ("s3:ListBucket", raw),
        ],
        "TransformFunctionName": [
            ("sqs:ReceiveMessage", f"arn:{partition}:sqs:{where}:{queue}"),
            ("s3:GetObject", f"{raw}/raw/playlist_id=doctor/object"),
            ("s3:PutObject", f"{curated}/curated/songs/object"),
            ("events:PutEvents", bus),
        ],
        "ReportFunctionName": [
            ("athena:StartQueryExecution", workgroup),
            ("s3:GetObject", f"{curated}/curated/songs/object"),
            ("s3:PutObject", f"{curated}/report/object"),
        ],
    }


def _permissions(lake: Lake, _now: datetime) -> Finding:
    """Ask IAM whether the roles of the functions may do what the functions do."""
    iam, functions, tried = lake.client("iam"), lake.client("lambda"), 0
    denied = []
    for output, needs in permissions(lake).items():
        name = lake.output(output)
        role = functions.get_function_configuration(FunctionName=name)["Role"]
        for action, resource in needs:
            answer = iam.simulate_principal_policy(
                PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource]
            )
            tried += 1
            if answer["EvaluationResults"][0]["EvalDecision"] != "allowed":
                denied.append(f"{action} on {resource} by {name}")
    if denied:
        return failed(
            f"IAM denies {'; '.join(denied)}: a permissions boundary or an organization's policy may be in the way"
        )
    return passed(f"IAM allows {tried} main actions of the functions (simulated)")


def _athena(lake: Lake, _now: datetime) -> Finding:
    athena = connect(lake)
    [[one]] = athena.run("SELECT 1 AS one").rows
    [[number]] = athena.run(
        "SELECT count(*) AS number FROM playlists WHERE snapshot_date >= current_date - interval '30' day"
    ).rows
    plural = "" if number == 1 else "s"
    if one != 1:
        return failed(f"Athena answers {one} to SELECT 1")
    return passed(f"SELECT 1 is 1; the table playlists has {number:,} row{plural} of the last 30 days")


OF_A_LAKE: Final[Mapping[str, Callable[[Lake, datetime], Finding]]] = {
    "Permissions": _permissions,
    "Sign-in": _sign_in,
    "Schedule": _schedule,
    "Last run": _last_run,
    "Queues": _queues,
    "Athena": _athena,
    "Alarm mail": _alarm_mail,
}
OUTPUTS: Final = (
    "AlarmTopicArn",
    "AthenaWorkGroupName",
    "DatabaseName",
    "EventBusName",
    "ExtractFunctionName",
    "LakeBucketName",
    "RawBucketName",
    "ReportFunctionName",
    "ScheduleName",
    "SpotifySecretArn",
    "TransformFunctionName",
    "TransformQueueUrl",
    *(queue.output for queue in QUEUES),
)
