"""Signing in to Spotify: an access token for the stored credentials.

Nothing here prompts a person; the error says who has to sign in.
"""

from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import requests
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.exceptions import SpotifyOauthError
from spotipy.oauth2 import SpotifyClientCredentials, SpotifyOAuth

from spotify_lake.errors import (
    LakeError,
    RateLimited,
    SignInExpired,
    SpotifyRefused,
    SpotifyUnavailable,
)
from spotify_lake.spotify.credentials import Credentials, is_token
from spotify_lake.spotify.session import PromptSession, Redirected

REQUEST_TIMEOUT_S: Final = 10.0
DEFAULT_RETRY_AFTER_S: Final = (
    8.0  # for a 429 without Retry-After; a few of these waits outlast the 30 s window
)

# spotipy requires one, but only the consent in the browser uses it.
_UNUSED_REDIRECT_URI = "http://127.0.0.1/callback"


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
    if not isinstance(answer, dict) or not isinstance(value, str) or not is_token(value):
        raise SpotifyUnavailable("the sign-in returned no usable access token")
    new = answer.get("refresh_token")
    rotated = isinstance(new, str) and is_token(new) and new != credentials.refresh_token
    return AccessToken(value, new if rotated else None)
