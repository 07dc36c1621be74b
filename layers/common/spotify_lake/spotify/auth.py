"""Signing in to Spotify: the stored credentials, and an access token for them.

Nothing here prompts a person; the error says who has to sign in.
"""

import calendar
import logging
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
import requests
from botocore.exceptions import BotoCoreError, ClientError
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.exceptions import SpotifyOauthError
from spotipy.oauth2 import SpotifyClientCredentials, SpotifyOAuth

from spotify_lake.errors import (
    CredentialsMissing,
    LakeError,
    RateLimited,
    SignInExpired,
    SpotifyRefused,
    SpotifyUnavailable,
)
from spotify_lake.observability import count, logger
from spotify_lake.spotify.session import PromptSession, Redirected

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

REQUEST_TIMEOUT_S: Final = 10.0
VALID_MONTHS: Final = 6  # of a refresh token, counted from the user's consent
WARNING_DAYS: Final = 21  # before a sign-in ends
DEFAULT_RETRY_AFTER_S: Final = (
    8.0  # for a 429 without Retry-After; a few of these waits outlast the 30 s window
)

# spotipy requires one, but only the consent in the browser uses it.
_UNUSED_REDIRECT_URI = "http://127.0.0.1/callback"
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
            if value is not None and not _is_token(value):
                problem = "is empty" if not value.strip() else "contains blanks or other invalid characters"
                raise ValueError(f"the field {name} {problem}")

    def __repr__(self) -> str:
        return f"Credentials(refresh_token={'no' if self.refresh_token is None else 'yes'}, …)"


@dataclass(frozen=True)
class AccessToken:
    """The result of a sign-in.

    Attributes
    ----------
    value
        The bearer token.
    rotated_refresh_token
        A refresh token that replaces the stored one; Spotify rarely sends one.
    """

    value: str = field(repr=False)
    rotated_refresh_token: str | None = field(default=None, repr=False)


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


def sign_in(
    credentials: Credentials,
    accounts_url: str,
    *,
    session: requests.Session | None = None,
    timeout_s: float = REQUEST_TIMEOUT_S,
) -> AccessToken:
    """Get an access token with one request to Spotify's token endpoint.

    Parameters
    ----------
    credentials
        With a refresh token the token acts for the user, without one for the app alone.
    accounts_url
        Base URL of Spotify's accounts service.
    session
        To send the request with; a new one by default. Retries are up to the caller.
    timeout_s
        To connect, and for the whole response.

    Raises
    ------
    SignInExpired
        The refresh token is expired or revoked.
    SpotifyRefused
        Spotify does not know the app, or does not allow this sign-in.
    RateLimited, SpotifyUnavailable
        A later attempt may succeed.
    """
    answer = MemoryCacheHandler()
    options: dict[str, Any] = {
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "requests_session": session or PromptSession(),
        "requests_timeout": timeout_s,
        "cache_handler": answer,
    }
    # Both managers leave the response in the cache. Neither's method for the "current" token is used: with
    # narrower scopes or without an expiry time, spotipy would open an interactive prompt.
    manager: SpotifyClientCredentials | SpotifyOAuth
    if credentials.refresh_token is None:
        manager = SpotifyClientCredentials(**options)
        ask = partial(manager.get_access_token, as_dict=False, check_cache=False)
    else:
        manager = SpotifyOAuth(redirect_uri=_UNUSED_REDIRECT_URI, open_browser=False, **options)
        ask = partial(manager.refresh_access_token, credentials.refresh_token)
    manager.OAUTH_TOKEN_URL = f"{accounts_url}/api/token"
    try:
        ask()
    except (requests.RequestException, SpotifyOauthError, AttributeError, KeyError, TypeError) as error:
        raise _sign_in_error(error, accounts_url) from error
    return _access_token(answer.get_cached_token(), credentials)


def failed_response(error: BaseException) -> requests.Response | None:
    """Find the HTTP response behind an exception that spotipy raised while it handled that response.

    spotipy's own exceptions drop the status of a refused sign-in, and an error body of an unexpected shape
    ends as an AttributeError.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, requests.HTTPError):
            return cause.response
        cause = cause.__context__
    return None


def retry_after_s(response: requests.Response) -> float | None:
    """Read the Retry-After header of a response, in seconds; None if it is missing or not a number."""
    text = response.headers.get("Retry-After", "").strip()
    return float(text) if text.isascii() and text.isdigit() else None


def _sign_in_error(error: Exception, accounts_url: str) -> LakeError:
    response = failed_response(error)
    if response is None:
        return SpotifyUnavailable(_without_response(error, accounts_url))
    status = response.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(retry_after_s(response) or DEFAULT_RETRY_AFTER_S)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SpotifyUnavailable(f"the sign-in at {accounts_url} returned {status}")
    try:
        body = response.json()
    except ValueError:
        body = None
    code, description = (
        (body.get("error"), body.get("error_description")) if isinstance(body, dict) else (None, None)
    )
    detail = ": ".join(str(part) for part in (code, description) if part) or "no reason given"
    if code == "invalid_grant":
        return SignInExpired(detail)
    return SpotifyRefused(
        status,
        f"the app's sign-in was not accepted ({detail}). Compare the client id and secret with Spotify's"
        " developer dashboard, then run `./lake login`.",
    )


def _without_response(error: Exception, accounts_url: str) -> str:
    if isinstance(error, Redirected):
        return f"{error}; it came from the sign-in at {accounts_url}"
    if isinstance(error, requests.RequestException) and not isinstance(error, ValueError):
        return f"the connection to {accounts_url} failed ({type(error).__name__})"
    return f"the sign-in at {accounts_url} returned no token"


def _access_token(answer: object, credentials: Credentials) -> AccessToken:
    value = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(value, str) or not _is_token(value):
        raise SpotifyUnavailable("the sign-in returned no usable access token")
    new = answer.get("refresh_token")
    rotated = isinstance(new, str) and _is_token(new) and new != credentials.refresh_token
    return AccessToken(value, new if rotated else None)


def _is_token(value: str) -> bool:
    """Return whether an HTTP header can carry the value: visible ASCII without blanks."""
    return bool(value) and all("!" <= character <= "~" for character in value)
