"""The stored credentials for Spotify: reading them, renewing the refresh token, and when the user's consent ends.

Nothing here imports spotipy: `./lake status` reads them too, and has to start quickly.
"""

import calendar
import logging
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from spotify_lake.errors import CredentialsMissing
from spotify_lake.observability import count, logger

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

VALID_MONTHS: Final = 6  # of a refresh token, counted from the user's consent
WARNING_DAYS: Final = 21  # before a sign-in ends

_NO_VALUE_CODES = {
    "ResourceNotFoundException": "the secret does not exist or has no value yet",
    "InvalidRequestException": "the secret is marked for deletion, which `./lake login` takes back",
}

# These loggers write tokens and secrets at DEBUG: spotipy the Authorization header, botocore the secret's
# value as received and the headers of its own requests. spotipy also logs every refused request as an
# error, even those that only probe what the app may do; refusals that matter become a LakeError.
_QUIET_LOGGERS = {
    "spotipy.client": logging.CRITICAL,
    "spotipy.oauth2": logging.CRITICAL,
    "spotipy.util": logging.CRITICAL,
    "spotipy.cache_handler": logging.CRITICAL,
    "botocore.auth": logging.INFO,
    "botocore.endpoint": logging.INFO,
    "botocore.hooks": logging.INFO,
    "botocore.httpsession": logging.INFO,
    "botocore.parsers": logging.INFO,
}


class _AtLeast(logging.Filter):
    # Unlike a level, a filter stays in force when somebody sets these loggers or the root logger to DEBUG.
    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= self._level


for _name, _level in _QUIET_LOGGERS.items():
    logging.getLogger(_name).addFilter(_AtLeast(_level))


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The value of the Spotify secret.

    Attributes
    ----------
    client_id, client_secret
        Of the app in Spotify's developer dashboard.
    refresh_token
        From the user's consent; without one the app signs in as itself and reads public playlists only.
    scopes
        Granted by the user, separated by blanks.
    authorized_at
        When the user consented; the refresh token dies six months later.
    """

    client_id: str
    client_secret: str
    refresh_token: str | None = None
    scopes: str = ""
    authorized_at: datetime | None = None

    def __post_init__(self) -> None:
        """Reject values that an HTTP header cannot carry; the message does not contain the value."""
        for name in ("client_id", "client_secret", "refresh_token"):
            value = getattr(self, name)
            if value is not None and not is_token(value):
                problem = "is empty" if not value.strip() else "contains blanks or other invalid characters"
                raise ValueError(f"the field {name} {problem}")

    def __repr__(self) -> str:
        return f"Credentials(refresh_token={'no' if self.refresh_token is None else 'yes'}, …)"


def read_credentials(secretsmanager: "SecretsManagerClient", secret_id: str) -> Credentials:
    """Read the Spotify credentials from their secret.

    Parameters
    ----------
    secretsmanager
        A boto3 client.
    secret_id
        Name or ARN.

    Raises
    ------
    CredentialsMissing
        The secret has no value, or its value does not contain credentials.
    botocore.exceptions.ClientError
        Secrets Manager refuses, for example because a permission is missing.
    """
    try:
        text = secretsmanager.get_secret_value(SecretId=secret_id).get("SecretString")
    except ClientError as error:
        problem = _NO_VALUE_CODES.get(error.response["Error"]["Code"])
        if problem is None:
            raise
        raise CredentialsMissing(secret_id, problem) from error
    if text is None:
        raise CredentialsMissing(secret_id, "its value is binary, not JSON text")
    if not text.strip():
        raise CredentialsMissing(secret_id, "its value is empty")
    # msgspec's messages name the field and the types, never the value.
    try:
        return msgspec.json.decode(text, type=Credentials)
    except msgspec.ValidationError as error:
        raise CredentialsMissing(secret_id, f"its JSON does not fit ({error})") from None
    except msgspec.DecodeError as error:
        raise CredentialsMissing(secret_id, f"its value is not JSON ({error})") from None


def store_refresh_token(secretsmanager: "SecretsManagerClient", secret_id: str, old: str, new: str) -> None:
    """Store a new refresh token from Spotify in the secret; the other fields stay.

    If a person signed in meanwhile, their token is newer than both, and nothing is stored. A failure is logged, not
    raised: the run itself can continue.

    Parameters
    ----------
    secretsmanager
        A boto3 client.
    secret_id
        Name or ARN.
    old, new
        The token that was sent to Spotify, and the one in the response.
    """
    try:
        text = secretsmanager.get_secret_value(SecretId=secret_id)["SecretString"]
        stored = msgspec.json.decode(text, type=dict[str, Any])
        if stored.get("refresh_token") != old:
            logger.info(
                "The secret holds another sign-in by now, so Spotify's new refresh token is not stored"
            )
            return
        value = msgspec.json.encode(stored | {"refresh_token": new}).decode()
        secretsmanager.put_secret_value(SecretId=secret_id, SecretString=value)
    except (ClientError, BotoCoreError) as error:
        count("RefreshTokenNotStored")
        logger.error(
            "Spotify replaced the refresh token, and the new one could not be stored in secret %s (%s)."
            " If a later run reports that the sign-in is no longer accepted, run `./lake login`.",
            secret_id,
            type(error).__name__,
        )
        return
    logger.info("Spotify replaced the refresh token; the new one is stored")


def sign_in_ends(authorized_at: datetime) -> date:
    """Return the day on which Spotify stops accepting the refresh token of a consent."""
    months = authorized_at.month - 1 + VALID_MONTHS
    year, month = authorized_at.year + months // 12, months % 12 + 1
    return date(year, month, min(authorized_at.day, calendar.monthrange(year, month)[1]))


def publish_days_left(credentials: Credentials, now: datetime) -> None:
    """Publish how many days are left of the user's sign-in, if known, and warn when few are left."""
    if credentials.refresh_token is None or credentials.authorized_at is None:
        return
    end = sign_in_ends(credentials.authorized_at)
    days = max(0, (end - now.astimezone(UTC).date()).days)
    count("SignInDaysLeft", days)
    if days <= WARNING_DAYS:
        logger.warning(
            "Spotify ends the sign-in on %s (days left: %d), however often it is used. Run `./lake login` before"
            " that day.",
            end,
            days,
        )


def is_token(value: str) -> bool:
    """Return whether an HTTP header can carry the value: visible ASCII without blanks."""
    return bool(value) and all("!" <= character <= "~" for character in value)
