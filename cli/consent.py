"""A user's consent: the link to Spotify's page, the answer that comes back, and the tokens for it.

This is OAuth's authorization code flow with a redirect to this machine.
"""

from __future__ import annotations

import hmac
import html
import queue
import secrets
import sys
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final, override
from urllib.parse import parse_qsl

import requests
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyOAuth

from cli.stack import Lake, OpsError
from spotify_lake.errors import SpotifyUnavailable
from spotify_lake.settings import parse_playlist_ids
from spotify_lake.spotify.auth import REQUEST_TIMEOUT_S, Credentials
from spotify_lake.spotify.scopes import needed_scopes
from spotify_lake.spotify.session import PromptSession, Redirected

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

HOST: Final = "127.0.0.1"  # Spotify takes this, and no longer localhost
CALLBACK_PATH: Final = "/callback"
IDLE_CONNECTION_S: Final = 10.0  # browsers open connections ahead of use


class ConsentRefused(OpsError):
    """The user, or Spotify in their name, did not consent."""


class NotTheAnswer(OpsError):
    """An address that Spotify did not send this browser to: anyone can ask for it, so it decides nothing."""


class NoAnswer(NotTheAnswer):
    """An address that is not what Spotify redirects to."""


class AnswerOfAnother(NotTheAnswer):
    """An answer to a question that was not asked here."""


@dataclass(frozen=True)
class Grant:
    """What a user agreed to.

    Attributes
    ----------
    refresh_token
        Acts for the user from now on.
    scopes
        What it may do.
    """

    refresh_token: str = field(repr=False)
    scopes: frozenset[str]


class Consent:
    """A request for one user's consent, and the answer.

    Parameters
    ----------
    credentials
        Of the app that asks.
    accounts_url
        Base URL of Spotify's accounts service.
    redirect_uri
        Where Spotify sends the browser with the answer; the app's settings must name it, exactly so.
    scopes
        What to ask for.

    Attributes
    ----------
    link
        The page on which the user answers.
    """

    def __init__(
        self, credentials: Credentials, accounts_url: str, redirect_uri: str, scopes: Collection[str]
    ) -> None:
        self._scopes = " ".join(scopes)
        self._credentials = credentials
        self._token_url = f"{accounts_url}/api/token"
        self._redirect_uri = redirect_uri
        self._state = secrets.token_urlsafe(24)
        page = SpotifyOAuth(
            credentials.client_id,
            credentials.client_secret,
            redirect_uri,
            state=self._state,
            scope=self._scopes,
            cache_handler=MemoryCacheHandler(),
            # Without it, whoever agreed once is sent back at once, with the account the browser happens to know.
            show_dialog=True,
            open_browser=False,
        )
        page.OAUTH_AUTHORIZE_URL = f"{accounts_url}/authorize"
        self.link: str = page.get_authorize_url()

    def read(self, address: str) -> str:
        """Take the code out of the address to which Spotify redirected.

        Raises
        ------
        NoAnswer
            It carries no answer at all.
        AnswerOfAnother
            It answers another question than this one.
        ConsentRefused
            The user refused, or Spotify did.
        """
        query = dict(parse_qsl(address.strip().partition("?")[2].partition("#")[0]))
        if "state" not in query or not {"code", "error"} & query.keys():
            raise NoAnswer(
                "That is not the address Spotify leads back to: it begins with"
                f" {self._redirect_uri}?code=… and also holds state=…"
            )
        if not hmac.compare_digest(query["state"].encode(), self._state.encode()):
            raise AnswerOfAnother(
                "The answer that came back belongs to another sign-in (its state is not the one sent). Close"
                " older Spotify pages in the browser and open the link in the terminal."
            )
        if "error" in query:
            reason = query["error"]
            raise ConsentRefused(
                "On Spotify's page the app was not permitted to read playlists. Without that the lake has nothing"
                " to collect: run `./lake login` again and agree."
                if reason == "access_denied"
                else f"Spotify did not sign you in ({reason}). Run `./lake login` again."
            )
        return query["code"]

    def redeem(self, code: str) -> Grant:
        """Exchange the code for a refresh token. A code can be redeemed once, within minutes.

        Raises
        ------
        ConsentRefused
            Spotify does not accept the code.
        SpotifyUnavailable
            Spotify does not answer, or not with tokens.
        """
        # spotipy's own exchange would replace the scopes that were granted by those that were asked for.
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect_uri}
        app = (self._credentials.client_id, self._credentials.client_secret)
        try:
            response = PromptSession().post(self._token_url, form, auth=app, timeout=REQUEST_TIMEOUT_S)
        except Redirected as error:
            raise SpotifyUnavailable(f"{error}; it came from {self._token_url}") from error
        except requests.RequestException as error:
            raise SpotifyUnavailable(f"the connection failed ({type(error).__name__})") from error
        try:
            body = response.json()
        except ValueError:
            body = None
        body = body if isinstance(body, dict) else {}
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise SpotifyUnavailable(f"the code was answered with {response.status_code}")
        if not response.ok:
            reason = body.get("error_description") or body.get("error") or "no reason given"
            raise ConsentRefused(
                f"Spotify did not accept the code it had sent ({response.status_code}, {reason}): a code works"
                " once, for a few minutes. Run `./lake login` again."
            )
        refresh_token = body.get("refresh_token")
        if not isinstance(refresh_token, str) or not refresh_token:
            raise SpotifyUnavailable("the code was answered without a refresh token")
        # OAuth lets a server leave out the scopes if it granted what was asked for.
        return Grant(refresh_token, frozenset(str(body.get("scope") or self._scopes).split()))


class CallbackServer(ThreadingMixIn, TCPServer):
    """Listens on this machine for the browser that Spotify sends back. Use it as a context.

    Parameters
    ----------
    port
        On 127.0.0.1; 0 picks a free one.

    Raises
    ------
    OpsError
        Another program listens there.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.read: Callable[[str], str] | None = None
        self.answers: queue.SimpleQueue[str | OpsError] = queue.SimpleQueue()
        try:
            super().__init__((HOST, port), _Callback)
        except OSError as error:
            raise OpsError(
                f"Port {port} of this machine is taken ({error.strerror}). Choose another, for example"
                f" `./lake login --port {port + 1}`, and enter the redirect URI with that port in Spotify's"
                " dashboard."
            ) from error

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has gone before its answer: it can ask again."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def redirect_uri(self) -> str:
        """Where Spotify has to send the browser."""
        return redirect_uri(self.server_address[1])

    def wait(self, read: Callable[[str], str], timeout_s: float) -> str:
        """Wait for the browser that Spotify sends; other requests get an answer and change nothing.

        Parameters
        ----------
        read
            Takes the code out of the address the browser asks for, or raises an OpsError.
        timeout_s
            How long to wait.

        Raises
        ------
        OpsError
            What `read` raised, unless it is NotTheAnswer; or nobody came.
        """
        self.read = read
        threading.Thread(target=self.serve_forever, args=(0.05,), name="callback", daemon=True).start()
        try:
            answer = self.answers.get(timeout=timeout_s)
        except queue.Empty:
            raise OpsError(
                f"Spotify's page was not answered within {timeout_s / 60:.0f} minutes. Run `./lake login` again; add"
                " --no-browser if the browser runs on another machine."
            ) from None
        finally:
            self.shutdown()
        if isinstance(answer, OpsError):
            raise answer
        return answer


def scopes_of(lake: Lake) -> dict[str, str]:
    """Return the scopes that a lake needs with its parameters, each with what it is for."""
    return needed_scopes(
        parse_playlist_ids(lake.parameter("PlaylistIds")),
        # A stack of an earlier version has neither.
        plays=bool(lake.parameters.get("ListeningSchedule")),
        library=lake.parameters.get("Library") == "on",
    )


def what_is_not_permitted(lake: Lake, credentials: Credentials) -> str:
    """Name what a lake is to collect and its sign-in does not permit, with the scopes; empty if nothing.

    Parameters
    ----------
    lake
        Its parameters say what it collects.
    credentials
        The sign-in. The scopes of one that was stored in other ways than by `./lake login` are not known.
    """
    granted = credentials.scopes.split()
    if credentials.refresh_token is not None and not granted:
        return ""
    optional = [(scope, what) for scope, what in scopes_of(lake).items() if scope.startswith("user-")]
    missing = "; ".join(f"{what} ({scope})" for scope, what in optional if scope not in granted)
    return missing and f"the sign-in does not permit reading {missing}, so that is left out"


def redirect_uri(port: int) -> str:
    """Return the redirect URI for a port of this machine."""
    return f"http://{HOST}:{port}{CALLBACK_PATH}"


class _Callback(BaseHTTPRequestHandler):
    """One request of a browser."""

    server: CallbackServer
    timeout = IDLE_CONNECTION_S

    def do_GET(self) -> None:
        """Answer with a page, then hand over what the address says if it is Spotify's answer."""
        if self.path.partition("?")[0] != CALLBACK_PATH or self.server.read is None:
            self._send(HTTPStatus.NOT_FOUND, "Nothing here", "Spotify Lake waits at another address.")
            return
        answer: str | OpsError
        try:
            answer = self.server.read(self.path)
        except NotTheAnswer as error:
            self._send(HTTPStatus.BAD_REQUEST, "Not signed in", str(error))
            return
        except OpsError as error:
            answer = error
            self._send(HTTPStatus.BAD_REQUEST, "Not signed in", str(error))
        else:
            self._send(
                HTTPStatus.OK,
                "Spotify has answered",
                "You can close this page. The terminal shows the next steps.",
            )
        self.server.answers.put(answer)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: the address holds the code."""

    def _send(self, status: HTTPStatus, title: str, text: str) -> None:
        page = _PAGE.format(title=html.escape(title), text=html.escape(text)).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(page)),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "Connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page)


_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title} - Spotify Lake</title>
<style>
  :root {{ color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif }}
  body {{ max-width: 32rem; margin: 20vh auto; padding: 0 1rem }}
</style>
<h1>{title}</h1>
<p>{text}</p>
</html>
"""
