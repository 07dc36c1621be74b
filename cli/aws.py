"""The AWS account and region that commands use, and what is said when AWS refuses something.

Credentials are found as the AWS CLI finds them. The region is, in this order: the option --region of `./lake deploy`,
AWS_REGION, AWS_DEFAULT_REGION, the region of the profile, and the one that `make deploy` was last told.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

import boto3
import botocore.exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError

from cli import answers

# Where credentials are checked while no region is chosen.
ANY_REGION: Final = "us-east-1"
_VARIABLES: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
_SIGN_IN: Final = (
    "Sign in with `aws login`, `aws sso login` or `aws configure`, or set AWS_PROFILE. For the lake on this"
    " laptop, add --laptop to the `./lake` command."
)
_EXPIRED: Final = f"The sign-in to AWS has expired. {_SIGN_IN}"
_EXPIRED_CODES: Final = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN_KEY_CODES: Final = {
    "AuthFailure",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
# Errors on this machine or on the way to AWS; the first that fits.
_SENTENCES: Final[tuple[tuple[tuple[type[BotoCoreError], ...], str], ...]] = (
    (
        (aws.NoCredentialsError, aws.PartialCredentialsError),
        f"There are no AWS credentials on this machine. {_SIGN_IN}",
    ),
    ((aws.LoginError, aws.SSOError, aws.TokenRetrievalError), _EXPIRED),
    (
        (aws.ProfileNotFound,),
        "{error}. Choose one that `aws configure list-profiles` shows, in AWS_PROFILE.",
    ),
    (
        (aws.NoRegionError,),
        (
            "No AWS region is chosen. Set AWS_REGION to the lake's, as in `export AWS_REGION=eu-central-1`, or the"
            " region of your profile with `aws configure`."
        ),
    ),
    (
        (aws.ConnectionError, aws.HTTPClientError),
        "AWS cannot be reached: {error}. Check the network, AWS_REGION and proxies.",
    ),
    ((BotoCoreError,), "AWS rejected the request: {error}."),
)


@dataclass(frozen=True)
class Region:
    """A region, and where its name comes from, in words."""

    name: str
    source: str


def region(stack: str, explicit: str | None = None) -> Region | None:
    """Return the region to use for a stack, or None if none is chosen.

    Parameters
    ----------
    stack
        Name of the CloudFormation stack.
    explicit
        What the person gave as an option.

    Raises
    ------
    botocore.exceptions.ProfileNotFound
        AWS_PROFILE names none.
    LakeError
        deploy.toml cannot be read.
    """
    if explicit:
        return Region(explicit, "--region")
    for name in _VARIABLES:
        if os.environ.get(name):
            return Region(os.environ[name], name)
    if of_profile := boto3.Session().region_name:
        return Region(of_profile, "the AWS profile")
    if kept := answers.read(stack).get(answers.REGION):
        return Region(kept, answers.FILE.name)
    return None


def credentials() -> None:
    """Check that this machine has credentials of AWS, without asking AWS about them.

    Raises
    ------
    botocore.exceptions.BotoCoreError
        It has none, or they cannot be read.
    """
    if boto3.Session().get_credentials() is None:
        raise aws.NoCredentialsError


def session(stack: str, explicit: str | None = None) -> boto3.Session:
    """Return a session with credentials, in the region to use for a stack.

    Parameters
    ----------
    stack, explicit
        As for `region`.

    Raises
    ------
    botocore.exceptions.BotoCoreError
        There are no credentials, or there is no region.
    """
    credentials()
    chosen = region(stack, explicit)
    if chosen is None:
        raise aws.NoRegionError
    return boto3.Session(region_name=chosen.name)


def caller(in_session: Any, region_name: str | None = None) -> tuple[str, str]:
    """Ask AWS who the credentials belong to; return the account and the ARN of the user or role.

    Raises
    ------
    botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError
        AWS does not accept the credentials, or cannot be reached.
    """
    found = in_session.client("sts", region_name=region_name).get_caller_identity()
    return found["Account"], found["Arn"]


def sentence(error: BotoCoreError | ClientError) -> str:
    """Say for a person what AWS, or the way there, refused, and what to do."""
    if isinstance(error, ClientError):
        return _refusal(error)
    text = next(text for kinds, text in _SENTENCES if isinstance(error, kinds))
    return text.format(error=str(error).rstrip("."))


def code(error: ClientError) -> str:
    """Return the code of an error that AWS answered."""
    return error.response["Error"].get("Code", "Unknown")


def _refusal(error: ClientError) -> str:
    message = error.response["Error"].get("Message", "no reason given").rstrip(".")
    if code(error) in _EXPIRED_CODES:
        return _EXPIRED
    if code(error) in _UNKNOWN_KEY_CODES:
        return (
            f"AWS does not accept the credentials on this machine ({code(error)}), or the region is one that the"
            f" account has not enabled. {_SIGN_IN}"
        )
    if "AccessDenied" in code(error):
        return f"AWS does not permit {error.operation_name}: {message}."
    return f"AWS refused {error.operation_name} ({code(error)}): {message}."
