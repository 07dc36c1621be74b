"""The ASGI middleware that refuses requests before the emulator sees them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import parse_qs, quote

from local import loopback

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type App = Callable[[Scope, Receive, Send], Awaitable[None]]

# The emulator's own interfaces, which need no signature: reset, configuration, messages that were sent, and so on.
ADMIN_PREFIXES = ("/_ministack", "/_localstack", "/_aws")
# Those that the laptop stack uses, with the token.
OPEN_TO_TOKEN = frozenset({("GET", "/_ministack/health"), ("GET", "/_ministack/ready")})


@dataclass(frozen=True)
class Request:
    """The parts of a request that a signature covers.

    Attributes
    ----------
    path
        As sent, with its percent-encoding.
    query
        The values of each parameter.
    query_string
        As sent.
    headers
        By name in lower case; those that were sent several times are joined by commas.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    query_string: str
    headers: Mapping[str, str]


type Authenticate = Callable[[Request, Callable[[], Awaitable[bytes]]], Awaitable[str | None]]


class Gate:
    """The front around an ASGI application.

    Parameters
    ----------
    app
        The emulator.
    token
        The bearer token for the paths in OPEN_TO_TOKEN.
    authenticate
        Returns the sentence that refuses a request, or None if its signature is right. Its second argument reads the
        body.
    """

    def __init__(self, app: App, token: str, authenticate: Authenticate) -> None:
        self._app = app
        self._token = token.encode()
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing in the lake uses WebSockets
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        request = _read(scope)
        body = _Body(receive)
        refused = loopback.refusal(request.headers)
        if refused is None:
            if scope["path"].startswith(ADMIN_PREFIXES):
                refused = self._admin_refusal(request.method, scope["path"], request.headers)
            else:
                refused = await self._authenticate(request, body.read)
        if refused is None:
            await self._app(scope, body.receive, send)
        else:
            await _refuse(refused, request, send)

    def _admin_refusal(self, method: str, path: str, headers: Mapping[str, str]) -> str | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        known = scheme == "Bearer" and hmac.compare_digest(token.encode(), self._token)
        if known and (method, path) in OPEN_TO_TOKEN:
            return None
        return f"The emulator's own path {path} is closed on the laptop stack."


class _Body:
    """The body of a request, which can be read before the application reads it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._received: list[Message] = []

    async def read(self) -> bytes:
        """Return the whole body, or as much as came before the client left."""
        while not self._received or self._received[-1].get("more_body"):
            self._received.append(await self._receive())
        return b"".join(message.get("body", b"") for message in self._received)

    async def receive(self) -> Message:
        """Receive the messages for the application: those that were read, and then the others."""
        return self._received.pop(0) if self._received else await self._receive()


def _read(scope: Scope) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), _text(raw_value)
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    query_string = _text(scope.get("query_string", b""))
    return Request(
        method=scope["method"],
        path=(scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1"),
        query=parse_qs(query_string, keep_blank_values=True),
        query_string=query_string,
        headers=headers,
    )


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


async def _refuse(sentence: str, request: Request, send: Send) -> None:
    """Answer 403 in the format of the client's protocol, so that SDKs show the sentence."""
    authorization, sent = (request.headers.get(name, "") for name in ("authorization", "content-type"))
    if "/aws4_request" in authorization and "/s3/" not in authorization and "form-urlencoded" not in sent:
        kind, text = "application/json", json.dumps({"__type": "AccessDenied", "message": sentence})
    else:
        error = f"<Error><Code>AccessDenied</Code><Message>{escape(sentence)}</Message></Error>"
        kind, text = "application/xml", f"<ErrorResponse>{error}</ErrorResponse>"
    body = text.encode()
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else body})
