"""Sending requests to the Web API: sign-in, waiting, and a named condition for everything that goes wrong.

Every condition that Spotify or the network can cause leaves this module as one of the classes in `errors`, or as
`Refused` if it concerns only what was requested.
"""

import hashlib
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import msgspec
import requests
import spotipy

from spotify_lake.errors import (
    InsufficientScope,
    OutOfTime,
    QuotaExceeded,
    RateLimited,
    SpotifyRefused,
    SpotifyUnavailable,
)
from spotify_lake.spotify.auth import (
    DEFAULT_RETRY_AFTER_S,
    REQUEST_TIMEOUT_S,
    failed_response,
    retry_after_s,
    sign_in,
)
from spotify_lake.spotify.credentials import Credentials
from spotify_lake.spotify.session import PromptSession

RESERVE_S: Final = 10.0  # kept from the time left, to store what was read and to end in order
LONGEST_WAIT_S: Final = 60.0  # a longer Retry-After ends the run: a rate limit's window is 30 s
MAX_LIMIT_WAITS: Final = 5  # per request
FAULT_PAUSES_S: Final = (0.5, 1.0, 2.0)  # before each retry of a request that ended in a fault
DEFAULT_QUOTA_WAIT_S: Final = 24 * 3600.0  # the quota's window, for a 429 without Retry-After

type Check = Callable[[dict[str, Any]], str | None]  # returns what is wrong with a response, if anything

_QUOTA_REASON = "QUOTA_EXCEEDED"
# Conditions of the app or of the sign-in that Spotify reports with 403, whatever is asked for.
_REFUSALS: Final[dict[re.Pattern[str], tuple[type[SpotifyRefused], str]]] = {
    re.compile("premium", re.IGNORECASE): (
        SpotifyRefused,
        (
            "The owner of the app needs Spotify Premium, which every app in development mode requires: renew the"
            " subscription, then start the run again."
        ),
    ),
    re.compile("registered", re.IGNORECASE): (
        SpotifyRefused,
        (
            "The user who signed in is not on the app's list: add them under User Management in Spotify's"
            " developer dashboard."
        ),
    ),
    re.compile("scope", re.IGNORECASE): (
        InsufficientScope,
        "The sign-in lacks a permission: run `./lake login` and accept all of them.",
    ),
}


class Refused(Exception):
    """A 4xx that concerns only what was requested."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status}: {message}")


class _Unauthorized(Exception):
    """401: the access token is not, or no longer, accepted."""


class Caller:
    """Sends requests through spotipy.

    A request is repeated after a fault, after a short rate limit and, with a new sign-in, after a 401; never when the
    time left is too short. All waiting happens here: neither urllib3 nor spotipy retries.

    Parameters
    ----------
    credentials
        To sign in with, at the first request.
    api_url, accounts_url
        Base URLs of the Web API and of the accounts service.
    time_left
        Returns the seconds until the function is stopped.
    keep_refresh_token
        Called with the old and the new refresh token when Spotify replaces it, so that it can be stored.
    sleep
        Waits for a number of seconds.
    session
        To send requests with.

    Attributes
    ----------
    requests
        Number of requests sent so far, including those to sign in.
    rate_limits, quotas_exceeded
        Number of 429 responses, of either kind.
    rotated_refresh_token
        A refresh token that Spotify sent to replace the stored one, if any.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        api_url: str,
        accounts_url: str,
        time_left: Callable[[], float],
        keep_refresh_token: Callable[[str, str], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        session: requests.Session | None = None,
    ) -> None:
        self.requests = 0
        self.rate_limits = 0
        self.quotas_exceeded = 0
        self.rotated_refresh_token: str | None = None
        self._credentials = credentials
        self._accounts_url = accounts_url
        self._time_left = time_left
        self._keep_refresh_token = keep_refresh_token
        self._sleep = sleep
        self._session = session or PromptSession()
        self._signed_in = False
        self._spotify = spotipy.Spotify(requests_session=self._session)
        self._spotify.prefix = f"{api_url}/v1/"

    @property
    def sign_in_fingerprint(self) -> str:
        """Identifies the sign-in without revealing it."""
        token = f"{self._credentials.client_id} {self._credentials.refresh_token}"
        return hashlib.sha256(token.encode()).hexdigest()[:16]

    @property
    def acts_for_user(self) -> bool:
        """Whether a user signed in; without one, only public playlists with known ids can be read."""
        return self._credentials.refresh_token is not None

    def permits(self, scope: str) -> bool:
        """Return whether the sign-in may include a scope; the scopes of some sign-ins are not known."""
        scopes = self._credentials.scopes.split()
        return self.acts_for_user and (not scopes or scope in scopes)

    def check_time(self) -> None:
        """Raise OutOfTime if too little time is left to begin anything."""
        self._timeout_s()

    def _global_call(self, what: str, request: Callable[[], Any], check: Check) -> dict[str, Any]:
        """Send a request that is not about one playlist: a refusal ends the whole run."""
        try:
            return self._call(what, request, check)
        except Refused as refusal:
            raise SpotifyRefused(
                refusal.status,
                f"it does not show {what} ({refusal.message}). Run `./lake login` to sign in again.",
            ) from refusal

    def _call(
        self, what: str, request: Callable[[], Any], check: Check, *, patient: bool = True
    ) -> dict[str, Any]:
        """Send a request until it succeeds, within the limits that the class describes.

        If it is not `patient`, it never waits: only a 401 makes it try again.
        """
        pauses = iter(FAULT_PAUSES_S)
        waits = 0
        signed_in_again = False
        while True:
            try:
                return self._attempt(what, request, check)
            except SpotifyUnavailable:
                if not patient or not self._pause(next(pauses, None)):
                    raise
            except QuotaExceeded:
                self.quotas_exceeded += 1
                raise
            except RateLimited as limit:
                self.rate_limits += 1
                waits += 1
                if not patient or waits > MAX_LIMIT_WAITS or not self._pause(limit.retry_after_s):
                    raise
            except _Unauthorized as error:
                if signed_in_again:
                    raise SpotifyRefused(
                        HTTPStatus.UNAUTHORIZED,
                        f"it issues access tokens but does not accept them for {what}. Run `./lake login` to"
                        " sign in again.",
                    ) from error
                signed_in_again = True
                self._signed_in = False

    def _pause(self, seconds: float | None) -> bool:
        """Wait if there is time for it; return whether it waited."""
        if seconds is None or seconds > LONGEST_WAIT_S or seconds + RESERVE_S > self._time_left():
            return False
        self._sleep(seconds)
        return True

    def _attempt(self, what: str, request: Callable[[], Any], check: Check) -> dict[str, Any]:
        """Sign in if needed, send a request once, and raise a named condition for whatever goes wrong."""
        if not self._signed_in:
            self._sign_in()
        self._spotify.requests_timeout = self._timeout_s()
        self.requests += 1
        try:
            answer = request()
        except requests.RequestException as error:
            raise SpotifyUnavailable(
                f"the connection failed while reading {what} ({type(error).__name__})"
            ) from error
        except (spotipy.SpotifyException, AttributeError) as error:
            response = failed_response(error)
            if response is None:
                raise
            raise _condition(what, response) from error
        # spotipy returns None for a response that is cut short or not JSON.
        problem = check(answer) if isinstance(answer, dict) else "it is cut short or not a JSON object"
        if problem:
            raise SpotifyUnavailable(f"the response for {what} is unusable: {problem}")
        return dict(answer)

    def _sign_in(self) -> None:
        timeout_s = self._timeout_s()
        self.requests += 1
        token = sign_in(self._credentials, self._accounts_url, session=self._session, timeout_s=timeout_s)
        if token.rotated_refresh_token:
            self.rotated_refresh_token = token.rotated_refresh_token
            if self._keep_refresh_token and self._credentials.refresh_token:
                self._keep_refresh_token(self._credentials.refresh_token, token.rotated_refresh_token)
            self._credentials = msgspec.structs.replace(
                self._credentials, refresh_token=token.rotated_refresh_token
            )
        self._spotify.set_auth(token.value)
        self._signed_in = True

    def _timeout_s(self) -> float:
        left_s = self._time_left()
        if left_s <= RESERVE_S:
            raise OutOfTime(left_s)
        return min(REQUEST_TIMEOUT_S, left_s - RESERVE_S)


def _condition(what: str, response: requests.Response) -> Exception:
    """Return the exception for a 4xx or 5xx response."""
    status = response.status_code
    message, reason = _error_body(response)
    if status == HTTPStatus.UNAUTHORIZED:
        return _Unauthorized(message)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        if reason == _QUOTA_REASON:
            return QuotaExceeded(retry_after_s(response) or DEFAULT_QUOTA_WAIT_S)
        return RateLimited(retry_after_s(response) or DEFAULT_RETRY_AFTER_S)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SpotifyUnavailable(f"the response for {what} is {status} ({message})")
    if status == HTTPStatus.FORBIDDEN:
        for pattern, (condition, advice) in _REFUSALS.items():
            if pattern.search(message):
                return condition(status, f"{message}. {advice}")
    return Refused(status, message)


def _error_body(response: requests.Response) -> tuple[str, str | None]:
    """Read message and reason of an error response, whatever its shape."""
    try:
        body = response.json()
    except ValueError:
        body = response.text
    error = body.get("error", body) if isinstance(body, dict) else body
    reason = None
    if isinstance(error, dict):
        reason = error.get("reason") or (body.get("reason") if isinstance(body, dict) else None)
        error = error.get("message")
    text = " ".join(str(error or response.reason or "no reason given").split())
    return text[:200].rstrip("."), reason if isinstance(reason, str) else None
