"""Deploy the lake to AWS or change it, after showing the changes.

It asks for the region if none is set, the address for alarms and the playlists. It keeps the answers in deploy.toml,
which may hold any parameter in docs/settings.md, and proposes them the next time. It checks everything it can before
it asks AWS to change anything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import boto3
import typer
from botocore.exceptions import ClientError

from cli import answers, aws, change_set, parameters
from cli.change_set import ChangeSetError
from cli.options import Stack
from cli.stack import DEFAULT_STACK, OpsError, find
from cli.terminal import Terminal
from spotify_lake.printable import printable
from spotify_lake.settings import LIKED, OWNED

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

    from cli.stack import Lake

EXAMPLES: Final = ("./lake deploy", "./lake deploy --yes --parameters 'AlarmEmail=me@example.org'")
NO_EMAIL: Final = "none"
EVERYTHING: Final = f"{OWNED},{LIKED}"
_YES: Final = {"y", "yes"}


@dataclass(frozen=True)
class Options:
    """The options of the command.

    Attributes
    ----------
    stack
        Name of the CloudFormation stack.
    region
        Where to deploy, or None.
    parameters
        Values by name.
    role, bucket
        As for `cli.change_set.prepare` and `cli.change_set.package`.
    yes
        Apply the changes without asking.
    """

    stack: str
    region: str | None
    parameters: Mapping[str, str]
    role: str | None
    bucket: str | None
    yes: bool


def command(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Apply the changes without asking.")] = False,
    values: Annotated[
        str,
        typer.Option(
            "--parameters",
            envvar="LAKE_PARAMETERS",
            metavar="'NAME=VALUE …'",
            help="Instead of questions; kept.",
        ),
    ] = "",
    region: Annotated[
        str | None, typer.Option(metavar="NAME", help="Instead of the one that is set.")
    ] = None,
    role: Annotated[
        str, typer.Option(envvar="EXECUTION_ROLE", metavar="ARN", help="That CloudFormation works with.")
    ] = "",
    bucket: Annotated[
        str, typer.Option(envvar="ARTIFACTS_BUCKET", metavar="NAME", help="For the build (default: SAM's).")
    ] = "",
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    terminal = Terminal()
    try:
        given = change_set.named_values(values)
        run(Options(stack, region, given, role or None, bucket or None, yes), terminal, sys.stdin.isatty())
    except ChangeSetError as error:
        terminal.fail_all(str(error))
        raise typer.Exit(1) from error


def run(
    options: Options,
    terminal: Terminal,
    can_ask: bool,
    package: Callable[[str, str | None], str] = change_set.package,
    apply: Callable[[Any, str, str], str] = change_set.apply,
) -> None:
    """Deploy or change a lake.

    Parameters
    ----------
    options
        The options of the command.
    terminal
        Asks and reports.
    can_ask
        Whether someone can answer questions; if not, every answer must be known.
    package, apply
        As in `cli.change_set`.

    Raises
    ------
    ChangeSetError, LakeError
        The stack was not or could not be changed; the message says why.
    botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError
        There are no credentials, or AWS refuses something.
    """
    aws.credentials()
    chosen = aws.region(options.stack, options.region)
    account, arn = aws.caller(boto3.Session(), chosen.name if chosen else aws.ANY_REGION)
    terminal.done(f"Signed in to AWS account {account} as {arn}")
    kept = answers.read(options.stack)
    declared = change_set.declared()
    if not can_ask:
        _need_everything(options, chosen, kept)
    region = _region(terminal, chosen, may_ask=can_ask and not options.yes)
    _warn_of_another_region(terminal, chosen, kept, options.stack)
    session = boto3.Session(region_name=region)
    cloudformation = session.client("cloudformation")
    found = change_set.check_stack(cloudformation, options.stack)
    values = _values(options, kept, found, declared, terminal)
    change_set.check_parameters(values)
    if found is None:
        _check_leftovers(
            session, account, {name: str(one["Default"]) for name, one in declared.items()} | values
        )
    if answers.keep(options.stack, {answers.REGION: region} | values):
        terminal.done(f"Saved in {answers.FILE.name} for the next time")

    terminal.heading("\nBuilding and uploading, which takes minutes the first time")
    packaged = package(region, options.bucket)
    terminal.heading("\nPreparing the changes")
    prepared = change_set.prepare(
        cloudformation, session.client("s3"), packaged, options.stack, values, options.role
    )
    if prepared is None:
        terminal.say(change_set.NOTHING.strip())
        return
    changes = change_set.changes(cloudformation, options.stack, prepared)
    _show(terminal, change_set.markdown(options.stack, prepared, changes))
    if not options.yes and not _agrees(terminal, options.stack, account, region):
        terminal.say(f"Nothing was changed. To apply it later: make apply-change-set CHANGE_SET={prepared}")
        return
    terminal.heading("Applying the changes, which takes some minutes")
    try:
        status = apply(cloudformation, options.stack, prepared)
    except ChangeSetError as error:
        raise ChangeSetError(f"{error}\ndocs/first-deployment.md says what to do.") from error
    terminal.done(f"The stack {options.stack} is {status}")
    _say_what_is_next(terminal, find(stack=options.stack, region=options.region), is_new=found is None)


def _need_everything(options: Options, chosen: aws.Region | None, kept: Mapping[str, str]) -> None:
    """Check that no question is open; raises OpsError if one is."""
    known = {*kept, *options.parameters}
    lacking = [] if chosen else [f'{answers.REGION} = "eu-central-1"']
    lacking += [] if "AlarmEmail" in known else ['AlarmEmail = "me@example.org"']
    lacking += [] if "PlaylistIds" in known else [f'PlaylistIds = "{EVERYTHING}"']
    if lacking:
        raise OpsError(
            f"Nobody is at the terminal to answer. Write what is missing into {answers.FILE.name}, with your values,"
            f" below [{options.stack}]: {'; '.join(lacking)}. Or set AWS_REGION, and give --parameters."
        )
    if not options.yes:
        raise OpsError("Nobody is at the terminal to agree to the changes. Add --yes to apply them unseen.")


def _region(terminal: Terminal, chosen: aws.Region | None, *, may_ask: bool) -> str:
    """Return the region; asks for it if neither an option nor the AWS settings name one."""
    known = boto3.Session().get_available_regions("cloudformation")
    if chosen and not (may_ask and chosen.source == answers.FILE.name):
        if wrong := parameters.region_problem(chosen.name, known):
            raise OpsError(f"{wrong} It comes from {chosen.source}.")
        terminal.done(f"Region {chosen.name}, from {chosen.source}")
        return chosen.name
    while True:
        region = terminal.ask("Region of AWS, such as eu-central-1", chosen.name if chosen else None)
        wrong = parameters.region_problem(region, known)
        if wrong is None:
            return region
        terminal.warn(wrong)


def _warn_of_another_region(
    terminal: Terminal, chosen: aws.Region | None, kept: Mapping[str, str], stack: str
) -> None:
    last = kept.get(answers.REGION)
    if chosen and last and last != chosen.name:
        terminal.warn(
            f"The last deployment of {stack} went to {last}. This one goes to {chosen.name}: that is another lake."
        )


def _values(
    options: Options,
    kept: Mapping[str, str],
    found: StackTypeDef | None,
    declared: Mapping[str, Mapping[str, Any]],
    terminal: Terminal,
) -> dict[str, str]:
    """Return the values from the options, deploy.toml and answers.

    Other parameters keep their value in the stack, or get the template's default.
    """
    values = {name: value for name, value in kept.items() if name != answers.REGION} | dict(
        options.parameters
    )
    parameters_now = found.get("Parameters", []) if found else []
    deployed = {one["ParameterKey"]: one.get("ParameterValue", "") for one in parameters_now}
    questions = {
        "AlarmEmail": f"E-mail address for alarms, or {NO_EMAIL}",
        "PlaylistIds": f"Playlists: {EVERYTHING} for all you own and your Liked Songs, or links, separated by commas",
    }
    for name, question in questions.items():
        if name in options.parameters or (name in values and options.yes):
            continue
        default = values.get(name, deployed.get(name))
        if default is None and name == "PlaylistIds":
            default = EVERYTHING
        if default == "" and name == "AlarmEmail":
            default = NO_EMAIL
        while True:
            answer = terminal.ask(question, default)
            values[name] = "" if name == "AlarmEmail" and answer.lower() == NO_EMAIL else answer
            wrong = parameters.problem(name, values[name], declared)
            if wrong is None:
                break
            terminal.warn(wrong)
            default = None if answer == default else default
    return values


def _check_leftovers(session: Any, account: str, values: Mapping[str, str]) -> None:
    """Check that no earlier lake left buckets with the names of the new ones.

    Raises
    ------
    OpsError
        One did; CloudFormation would notice only after minutes, and roll back.
    """
    name, region = values["LakeName"], session.region_name
    s3 = session.client("s3")
    for part in ("raw", "lake"):
        bucket = f"{name}-{part}-{account}-{region}"
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError:
            continue  # it does not exist, or may not be seen
        raise OpsError(
            f"The bucket {bucket} exists already, from an earlier lake called {name}. If you do not need its data,"
            " empty and delete it (docs/deploy.md, Removing it), or give the new lake another name:"
            " `make deploy LAKE_PARAMETERS=LakeName=my-lake`."
        )


def _show(terminal: Terminal, text: str) -> None:
    from rich.markdown import Markdown  # noqa: PLC0415 (takes long to import)

    terminal.show(Markdown(printable(text, "\n"))) if terminal.console.is_terminal else terminal.say(text)


def _agrees(terminal: Terminal, stack: str, account: str, region: str) -> bool:
    question = f"Apply these changes to {stack} (account {account}, {region})? (yes/no)"
    return terminal.ask(question, default="no").lower() in _YES


def _say_what_is_next(terminal: Terminal, lake: Lake, *, is_new: bool) -> None:
    doctor = lake.command("doctor")
    if not is_new:
        terminal.say(f"\n`{doctor}` checks that everything works.")
        return
    email = lake.parameter("AlarmEmail")
    mail = f"Confirm the mail from AWS Notifications to {email}: without that, no alarm reaches you."
    login = f"`{lake.command('login')}` signs the lake in to Spotify."
    first_run = (
        f"aws lambda invoke --invocation-type Event --function-name {lake.output('ExtractFunctionName')}"
        f" --region {lake.region} /dev/stdout"
    )
    steps = ([mail] if email else []) + [
        login,
        f"Take the first snapshot, or wait for the schedule: `{first_run}`",
        f"`{lake.command('views')}` creates the views.",
        f"`{doctor}` checks that everything works; docs/first-deployment.md explains each check.",
    ]
    terminal.heading("\nWhat to do next")
    for number, step in enumerate(steps, start=1):
        terminal.detail(f"{number}. {step}")
