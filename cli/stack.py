"""A deployed lake: where it is, the outputs and parameters of its stack, and clients for its services.

This is the only module of the commands that imports `local`, and only inside the functions for the lake on this laptop:
commands for a lake on AWS start without the emulator's and the SQL translation's libraries.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli import aws
from spotify_lake.errors import LakeError

if TYPE_CHECKING:
    from datetime import date

    from mypy_boto3_cloudformation.type_defs import StackTypeDef
    from rich.console import Console

    from local.display import Steps
    from local.stack import LaptopStack
    from spotify_lake.athena import Athena

DEFAULT_STACK: Final = "spotify-lake"

# A function may run for a quarter of an hour, and an invocation that is sent again would run it again.
_PATIENT = Config(read_timeout=900, retries={"total_max_attempts": 1})
ROOT: Final = Path(__file__).resolve().parent.parent
# What `make demo` puts into a fresh clone besides .venv, which comes first; measured, and rounded up.
ROOM_MB: Final = {
    ".tools/sam/.installed": 250,
    ".tools/emulator/.installed": 200,
    ".aws-sam/local": 520,
    ".local/state.json": 580,
}


class OpsError(LakeError):
    """A command cannot be run; the message says why and what to do."""


@dataclass(frozen=True)
class Lake:
    """A deployed stack.

    Attributes
    ----------
    on_laptop
        Whether it is the lake on this laptop; otherwise it is on AWS.
    stack
        Name of the CloudFormation stack.
    account, region
        Where it is.
    outputs, parameters
        Of the stack, by name.
    client
        Makes a boto3 client for a service, by its name.
    """

    on_laptop: bool
    stack: str
    account: str
    region: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    client: Callable[[str], Any]

    @property
    def place(self) -> str:
        """The lake in a few words."""
        where = "this laptop" if self.on_laptop else f"AWS account {self.account}, {self.region}"
        return f"{self.stack} ({where})"

    @property
    def has_bulk_jobs(self) -> bool:
        """Whether the jobs of the bulk data sets were deployed."""
        return self.parameters.get("BulkJobs") != "false"

    def need_bulk_jobs(self) -> None:
        """Check that the jobs of the bulk data sets were deployed; raises OpsError if not."""
        if not self.has_bulk_jobs:
            raise OpsError(
                f"{self.place} has no jobs for bulk data sets: it was deployed with BulkJobs=false. Where Glue 6.0 is"
                " available, deploy it with BulkJobs=true, then run this command again."
            )

    def command(self, words: str) -> str:
        """Return a command with its arguments as a person types it for this lake."""
        options = ["--laptop"] if self.on_laptop else []
        options += [f"--stack {self.stack}"] if self.stack != DEFAULT_STACK else []
        return " ".join(["./lake", words, *options])

    def output(self, name: str) -> str:
        """Return an output of the stack.

        Raises
        ------
        OpsError
            The stack has none of that name.
        """
        return self._value("output", self.outputs, name)

    def parameter(self, name: str) -> str:
        """Return a parameter of the stack; raises OpsError as `output` does."""
        return self._value("parameter", self.parameters, name)

    def _value(self, kind: str, values: Mapping[str, str], name: str) -> str:
        try:
            return values[name]
        except KeyError:
            raise OpsError(
                f"The stack {self.place} has no {kind} {name}: it is not a Spotify Lake, or was deployed from an older"
                " version. Deploy it again, or name another stack with --stack NAME."
            ) from None


def find(*, laptop: bool = False, stack: str = DEFAULT_STACK, region: str | None = None) -> Lake:
    """Find a deployed lake.

    Parameters
    ----------
    laptop
        Find it in the emulator on this laptop, and remove every AWS setting from this process's environment. By
        default it is found with AWS's default credentials and region; see `cli.aws`.
    stack
        Name of the CloudFormation stack.
    region
        Look there, whatever the environment says.

    Raises
    ------
    OpsError
        There is no such stack, or it is not deployed completely.
    LakeError
        The emulator is not running.
    botocore.exceptions.BotoCoreError
        There are no credentials, or no region.
    """
    make_client, region = _laptop() if laptop else _aws(stack, region)
    try:
        found = make_client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if aws.code(error) != "ValidationError":
            raise
        place = "on this laptop" if laptop else f"in {region}"
        raise OpsError(
            f"There is no stack {stack} {place}. {_deploy(laptop=laptop)}, or name another one with --stack NAME."
        ) from error
    return _lake(found, region, make_client, laptop=laptop)


def _aws(stack: str, region: str | None = None) -> tuple[Callable[[str], Any], str]:
    try:
        session = aws.session(stack, region)
    except BotoCoreError as error:
        if not _runs_on_laptop():
            raise
        typed = shlex.join(["./lake", *sys.argv[1:], "--laptop"])
        raise OpsError(
            f"The lake on this laptop is running, and no lake on AWS is chosen. For the one on this laptop, run"
            f" `{typed}`. {aws.sentence(error)}"
        ) from None
    return _any_client(session), session.region_name


def _any_client(session: Any) -> Callable[[str], Any]:
    def make_client(service: str) -> Any:
        return session.client(service, config=_PATIENT) if service == "lambda" else session.client(service)

    return make_client


def _laptop() -> tuple[Callable[[str], Any], str]:
    stack = _running_laptop()
    return stack.client, stack.client("cloudformation").meta.region_name


def _deploy(*, laptop: bool) -> str:
    return "Run `./lake up`" if laptop else "Deploy it with `make deploy`"


def _lake(found: StackTypeDef, region: str, make_client: Callable[[str], Any], *, laptop: bool) -> Lake:
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    if not outputs:
        raise OpsError(
            f"The stack {found['StackName']} is in state {found['StackStatus']} and has no outputs: it is not deployed"
            f" completely. {_deploy(laptop=laptop)}, then this command again."
        )
    return Lake(
        on_laptop=laptop,
        stack=found["StackName"],
        account=found["StackId"].split(":")[4],
        region=region,
        outputs=outputs,
        parameters={one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])},
        client=make_client,
    )


# --- The lake on this laptop -----------------------------------------------------------------


def start_laptop(console: Console) -> tuple[dict[str, str], dict[str, str]]:
    """Start the emulator on this laptop and deploy the stack to it.

    Returns
    -------
    addresses : dict of str
        What runs where, by name.
    environment : dict of str
        The environment variables that point AWS tools at the emulator.
    """
    stack = _laptop_stack(console)
    stack.up()
    outputs = stack.outputs
    addresses = {
        "AWS emulator": stack.endpoint,
        "Spotify stub": stack.stub_url,
        "Raw bucket": outputs["RawBucketName"],
        "Lake bucket": outputs["LakeBucketName"],
        "Athena": f"workgroup {outputs['AthenaWorkGroupName']}, database {outputs['DatabaseName']}",
        "Logs": str(stack.state_dir),
    }
    return addresses, stack.environment


def laptop_environment() -> dict[str, str]:
    """Return the variables that point AWS tools at the emulator on this laptop, with the keys of its start."""
    return _running_laptop().environment


def write_private(path: Path, data: bytes) -> None:
    """Write a file below .local that only its owner may read."""
    from local import private

    private.write(path, data)


def stop_laptop() -> bool:
    """Stop everything that runs on this laptop; return whether anything did."""
    return _laptop_stack().down()


def laptop_athena(lake: Lake) -> Athena:
    """Return the Athena of the lake on this laptop, which knows the views and Athena's SQL."""
    from local.sql_dialect import on_laptop

    return on_laptop(lake.client, lake.output("AthenaWorkGroupName"), lake.output("DatabaseName"))


def need_java() -> None:
    """Check that this laptop has a Java for local Spark; raises LakeError if not."""
    from local import spark

    spark.need_java(os.environ)


def laptop_run(data_set: str, run_id: str) -> str | None:
    """Return how a run of a bulk job ended on this laptop, in Glue's words; None if local Spark never ran it."""
    from local.bulk import run_state

    return run_state(_laptop_stack().state_dir, data_set, run_id)


def run_on_spark(data_set: str, run_id: str) -> dict[str, Any]:
    """Run the Glue job of a bulk data set on local Spark, in place of Glue; return its summary."""
    from local.bulk import run_job

    return run_job(_running_laptop(), data_set, run_id)


def run_demo(console: Console, import_files: Callable[[Sequence[Path]], None], last_day: date | None) -> None:
    """Deploy the stack on this laptop, fill it with 30 days of playlists and years of plays, and query it."""
    from local import demo

    demo.run(_laptop_stack(console), console, _steps(console), import_files, last_day)


def run_bulk_demo(console: Console) -> None:
    """Load both bulk data sets with Spark on this laptop."""
    from local import bulk

    bulk.demo(_laptop_stack(console), console, _steps(console))


def laptop_trouble(error: BaseException) -> str | None:
    """Say what on this machine a failure comes from: a full disk, or an emulator that has stopped; None if neither."""
    from local import trouble
    from local.process import BackgroundProcess

    folder = ROOT / ".local"
    return trouble.explain(error, folder, BackgroundProcess("emulator", folder / "emulator"))


def need_room() -> None:
    """Check that this laptop's disk has room for what is missing to deploy and fill a lake; raises LakeError if not."""
    from local import trouble

    trouble.need(ROOT, sum(megabytes for path, megabytes in ROOM_MB.items() if not (ROOT / path).exists()))


def _running_laptop() -> LaptopStack:
    stack = _laptop_stack()
    stack.attach()
    return stack


def _runs_on_laptop() -> bool:
    """Return whether a lake is deployed and running on this laptop; without one, `local` is not imported."""
    if not (ROOT / ".local" / "state.json").exists():
        return False
    try:
        _running_laptop()
    except LakeError:
        return False
    return True


def _laptop_stack(console: Console | None = None) -> LaptopStack:
    """Return the stack on this laptop, running or not; its steps are shown on the console."""
    from local.emulator import leave_aws
    from local.stack import LaptopStack

    leave_aws(os.environ)
    folder = ROOT / ".local"
    return LaptopStack(ROOT, folder, step=_steps(console)) if console else LaptopStack(ROOT, folder)


def _steps(console: Console) -> Steps:
    from local.display import Steps

    return Steps(console)
