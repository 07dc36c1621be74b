"""A deployed lake: where it is, what its stack says about it, and clients to talk to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import boto3
import botocore.exceptions as aws
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.emulator import leave_aws
from local.errors import LaptopError
from local.stack import LaptopStack
from spotify_lake.errors import LakeError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

type Target = Literal["aws", "laptop"]
TARGETS: Final[tuple[Target, ...]] = ("aws", "laptop")
DEFAULT_STACK: Final = "spotify-lake"

# A function may run for a quarter of an hour, and an invocation that is sent again would run it again.
_PATIENT = Config(read_timeout=900, retries={"total_max_attempts": 1})
_ROOT = Path(__file__).resolve().parent.parent
_SIGN_IN_TO_AWS = (
    "Sign in with `aws login`, `aws sso login` or `aws configure`, or set AWS_PROFILE. For the lake on this"
    " laptop, add TARGET=laptop."
)
_EXPIRED = f"The sign-in to AWS has expired. {_SIGN_IN_TO_AWS}"
_EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN_KEY_CODES = {
    "AuthFailure",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
# What goes wrong on this machine or on the way; the first that fits.
_SENTENCES: tuple[tuple[tuple[type[BotoCoreError], ...], str], ...] = (
    (
        (aws.NoCredentialsError, aws.PartialCredentialsError),
        f"There are no AWS credentials on this machine. {_SIGN_IN_TO_AWS}",
    ),
    ((aws.LoginError, aws.SSOError, aws.TokenRetrievalError), _EXPIRED),
    (
        (aws.ProfileNotFound,),
        "{error}. Choose one that `aws configure list-profiles` shows, in AWS_PROFILE.",
    ),
    (
        (aws.NoRegionError,),
        "No AWS region is chosen. Set AWS_REGION to the one that the lake is deployed in.",
    ),
    (
        (aws.ConnectionError, aws.HTTPClientError),
        "AWS cannot be reached: {error}. Check the network, AWS_REGION and proxies.",
    ),
    ((BotoCoreError,), "AWS did not do as asked: {error}."),
)


class OpsError(LakeError):
    """A command cannot be carried out; the sentence says why and what to do."""


@dataclass(frozen=True)
class Lake:
    """A deployed stack.

    Attributes
    ----------
    target
        ``aws`` or ``laptop``.
    stack
        Name of the CloudFormation stack.
    account, region
        Where it is.
    outputs, parameters
        Of the stack, by name.
    client
        Makes a boto3 client for a service, by its name.
    """

    target: Target
    stack: str
    account: str
    region: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    client: Callable[[str], Any]

    @property
    def place(self) -> str:
        """The lake in a few words."""
        where = "this laptop" if self.target == "laptop" else f"AWS account {self.account}, {self.region}"
        return f"{self.stack} ({where})"

    def command(self, task: str) -> str:
        """Return a task as one types it for this lake."""
        which = ["TARGET=laptop"] if self.target == "laptop" else []
        which += [f"STACK={self.stack}"] if self.stack != DEFAULT_STACK else []
        return " ".join(["make", task, *which])

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
                f"The stack {self.place} has no {kind} {name}: it is no Spotify Lake, or was deployed from an"
                " older version. Deploy it again, or name another one with STACK=…"
            ) from None


def find(target: Target = "aws", stack: str = DEFAULT_STACK) -> Lake:
    """Find a deployed lake.

    Parameters
    ----------
    target
        ``aws`` uses the default credentials and region, as the AWS command-line tool does; ``laptop`` the laptop
        stack that runs, and takes every AWS setting out of this process's environment.
    stack
        Name of the CloudFormation stack.

    Raises
    ------
    OpsError
        There are no credentials, no region, no such stack, or it is not deployed completely.
    """
    make_client, region = _laptop() if target == "laptop" else _aws()
    try:
        found = make_client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if _code(error) != "ValidationError":
            raise
        advice = "Run `make up`" if target == "laptop" else "Deploy it with `make deploy`"
        place = "on this laptop" if target == "laptop" else f"in {region}"
        raise OpsError(
            f"There is no stack {stack} {place}. {advice}, or name another one with STACK=…"
        ) from error
    return _lake(target, found, region, make_client)


def sentence(error: BotoCoreError | ClientError) -> str:
    """Say for a person what AWS, or the way there, refused, and what to do."""
    if isinstance(error, ClientError):
        return _refusal(error)
    text = next(text for kinds, text in _SENTENCES if isinstance(error, kinds))
    return text.format(error=str(error).rstrip("."))


def _refusal(error: ClientError) -> str:
    code = _code(error)
    message = error.response["Error"].get("Message", "no reason given").rstrip(".")
    if code in _EXPIRED_CODES:
        return _EXPIRED
    if code in _UNKNOWN_KEY_CODES:
        return f"AWS does not accept the credentials on this machine ({code}). {_SIGN_IN_TO_AWS}"
    if "AccessDenied" in code:
        return f"AWS does not permit {error.operation_name}: {message}."
    return f"AWS refused {error.operation_name} ({code}): {message}."


def _code(error: ClientError) -> str:
    return error.response["Error"].get("Code", "Unknown")


def _aws() -> tuple[Callable[[str], Any], str]:
    # As the AWS and SAM command-line tools do; boto3 alone does not look at AWS_REGION.
    session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
    if session.region_name is None:
        raise aws.NoRegionError
    if session.get_credentials() is None:
        raise aws.NoCredentialsError
    return _any_client(session), session.region_name


def _any_client(session: Any) -> Callable[[str], Any]:
    def make_client(service: str) -> Any:
        return session.client(service, config=_PATIENT) if service == "lambda" else session.client(service)

    return make_client


def laptop() -> LaptopStack:
    """Find the stack that runs on this laptop.

    Raises
    ------
    OpsError
        None does.
    """
    leave_aws(os.environ)
    found = LaptopStack(_ROOT, _ROOT / ".local")
    try:
        found.attach()
    except LaptopError as error:
        raise OpsError(str(error)) from error
    return found


def _laptop() -> tuple[Callable[[str], Any], str]:
    found = laptop()
    return found.client, found.client("cloudformation").meta.region_name


def _lake(target: Target, found: StackTypeDef, region: str, make_client: Callable[[str], Any]) -> Lake:
    status = found["StackStatus"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    if not outputs:
        raise OpsError(
            f"The stack {found['StackName']} is in state {status} and has no outputs: it is not deployed completely."
            f" Run `make {'up' if target == 'laptop' else 'deploy'}`, then this command again."
        )
    return Lake(
        target=target,
        stack=found["StackName"],
        account=found["StackId"].split(":")[4],
        region=region,
        outputs=outputs,
        parameters={one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])},
        client=make_client,
    )
