"""Signs the lake on this laptop in to the Spotify stub, as `./lake login` does with Spotify."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from local import spotify_stub

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CREDENTIALS = {
    "client_id": spotify_stub.CLIENT_ID,
    "client_secret": spotify_stub.CLIENT_SECRET,
    "refresh_token": spotify_stub.REFRESH_TOKEN,
    "scopes": " ".join(spotify_stub.SCOPES),
}
ACTIONS = ("secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue")

type Step = Callable[[str], AbstractContextManager[object]]


def store(
    secrets: SecretsManagerClient,
    secret_id: str,
    step: Step,
    grant: Callable[[dict[str, object]], None],
) -> None:
    """Store the stub's credentials in the lake's secret, also if somebody has deleted it.

    Parameters
    ----------
    secrets
        A client.
    secret_id
        ARN of the secret, as the deployed stack knows it.
    step
        Shows a text while something is done.
    grant
        Gives the extract function's role the right that a policy statement describes.
    """
    missing = secrets.exceptions.ResourceNotFoundException
    try:
        stored = json.loads(secrets.get_secret_value(SecretId=secret_id)["SecretString"])
    except secrets.exceptions.InvalidRequestException:  # marked for deletion
        secrets.restore_secret(SecretId=secret_id)
        stored = {}
    except (missing, KeyError, ValueError):
        stored = {}
    if {name: stored.get(name) for name in CREDENTIALS} == CREDENTIALS:
        return
    with step("Storing the stub's credentials in the secret"):
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        value = json.dumps(CREDENTIALS | {"authorized_at": now})
        try:
            secrets.put_secret_value(SecretId=secret_id, SecretString=value)
        except missing:
            # The emulator finds a secret by the beginning of its ARN: this one answers for the one that is gone. The
            # role has rights on the ARN of that one only.
            secrets.create_secret(Name=secret_id.rpartition(":secret:")[2], SecretString=value)
            grant({"Effect": "Allow", "Action": list(ACTIONS), "Resource": f"{secret_id}-*"})
