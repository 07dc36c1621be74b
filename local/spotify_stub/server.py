"""The HTTP server around `local.spotify_stub.service`: a clock, a log of requests, and faults on demand."""

import contextlib
import hmac
import json
import os
import secrets
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any, Final, Self, override
from urllib.parse import parse_qsl, urlsplit

from local import loopback
from local.spotify_stub import Contract
from local.spotify_stub.faults import Fault, Faults
from local.spotify_stub.service import Request, Response, WebApi, error_body

HOST: Final = "127.0.0.1"
CONTROL_PREFIX: Final = "/_stub/"
MAX_LOG: Final = 100_000
TRICKLES: Final = 20
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, for 0 seconds: closing sends RST."""


class Clock:
    """The stub's clock: it shows the real time until it is set, and stands still from then on."""

    def __init__(self, now: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._now = now

    def now(self) -> datetime:
        """Return the time, in UTC."""
        with self._lock:
            return self._now or datetime.now(UTC)

    def set(self, now: datetime | None) -> None:
        """Set the time; None returns to the real time."""
        with self._lock:
            self._now = now.astimezone(UTC) if now else None

    def advance(self, seconds: float) -> None:
        """Move the clock; it stands still from then on."""
        with self._lock:
            self._now = (self._now or datetime.now(UTC)) + timedelta(seconds=seconds)


class StubServer(ThreadingMixIn, TCPServer):
    """A running stub; leaving its context or calling `stop` ends it.

    Parameters
    ----------
    port
        On 127.0.0.1; 0 picks a free one.
    contract
        ``new`` or ``legacy``.
    now
        The time at which the clock stops; None for the real time.
    token
        The bearer token of the control interface; None makes one.

    Raises
    ------
    OSError
        The port is taken.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, port: int, contract: Contract, now: datetime | None = None, token: str | None = None
    ) -> None:
        self.contract: Contract = contract
        self.token = token or secrets.token_hex(16)
        self.api = WebApi(contract)
        self.clock = Clock(now)
        self.faults = Faults()
        self.stopping = threading.Event()
        self._requests: deque[dict[str, Any]] = deque(maxlen=MAX_LOG)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._count = 0
        self._thread: threading.Thread | None = None
        super().__init__((HOST, port), Handler)

    @property
    def url(self) -> str:
        """The address of the server, without /v1."""
        return f"http://{HOST}:{self.server_address[1]}"

    def start(self) -> None:
        """Serve in a new thread."""
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.05,), name="spotify-stub", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and close the open connections."""
        self.stopping.set()
        if self._thread:
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # the client has closed it
                    connection.shutdown(socket.SHUT_RDWR)

    def requests(self) -> list[dict[str, Any]]:
        """Return all requests: method, path, query and status (None if there was no answer)."""
        with self._lock:
            return list(self._requests)

    def clear_requests(self) -> None:
        """Delete the log of requests."""
        with self._lock:
            self._requests.clear()

    def log(self, method: str, path: str, query: dict[str, str], status: int | None) -> None:
        """Log a request and the status of its answer."""
        with self._lock:
            self._requests.append({"method": method, "path": path, "query": query, "status": status})

    def next_number(self) -> int:
        """Count a request; return the number of earlier ones."""
        with self._lock:
            self._count += 1
            return self._count - 1

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error on stderr, unless the client has closed the connection."""
        if not self.stopping.is_set() and not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @override
    def __enter__(self) -> Self:
        return self

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Handler(BaseHTTPRequestHandler):
    """A connection: handles the requests of one client in turn."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: StubServer

    def do_GET(self) -> None:
        """Handle a request with any method."""
        target = urlsplit(self.path)
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        refused = self._refusal(target.path)
        if refused is not None:
            self._send(403, json.dumps(error_body(403, refused)).encode())
        elif target.path.startswith(CONTROL_PREFIX):
            status, answer = self._control(target.path.removeprefix(CONTROL_PREFIX), body)
            self._send(status, json.dumps(answer).encode())
        else:
            self._web_api(target.path, query, body)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET  # noqa: N815 - names that BaseHTTPRequestHandler looks for

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing here; /_stub/requests returns the requests."""

    def _refusal(self, path: str) -> str | None:
        """Return why a request is refused: it is a web page's, or uses the control interface without the token."""
        headers = {
            name.lower(): ",".join(self.headers.get_all(name) or ())
            for name in self.headers.keys()  # noqa: SIM118 - a message, not a dict
        }
        if not path.startswith(CONTROL_PREFIX):
            return loopback.refusal(headers)
        expected = f"Bearer {self.server.token}"
        if hmac.compare_digest(headers.get("authorization", "").encode(), expected.encode()):
            return loopback.refusal(headers)
        return "The control interface needs the token that was made when the stub started."

    def _web_api(self, path: str, query: dict[str, str], body: bytes) -> None:
        server = self.server
        fault = server.faults.take(self.command, path, query) or Fault(match="* /**")
        if fault.advance_clock_s:
            server.clock.advance(fault.advance_clock_s)
        server.stopping.wait(fault.delay_s)
        if fault.reset:
            server.log(self.command, path, query, None)
            self._reset()
            return
        if fault.status is None:
            request = Request(
                method=self.command,
                path=path,
                query=query,
                form=dict(parse_qsl(body.decode(errors="replace"))),
                authorization=self.headers.get("Authorization", ""),
                base_url=f"http://{self.headers.get('Host', server.url.removeprefix('http://'))}",
                now=server.clock.now(),
                unix_time=time.time(),
                number=server.next_number(),
            )
            response = server.api.respond(request)
        else:
            response = Response(fault.status, error_body(fault.status))
        server.log(self.command, path, query, response.status)
        content = response.body if fault.body is None else fault.body
        payload = (
            content
            if isinstance(content, str)
            else json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        )
        self._send(response.status, payload.encode(), {**response.headers, **fault.headers}, fault)

    def _control(self, what: str, body: bytes) -> tuple[int, Any]:
        """Handle a request to the control interface."""
        server = self.server
        actions: dict[tuple[str, str], Callable[[], Any]] = {
            ("GET", "health"): lambda: None,
            ("GET", "clock"): lambda: None,
            ("PUT", "clock"): lambda: server.clock.set(_read_now(json.loads(body))),
            ("GET", "faults"): server.faults.as_json,
            ("PUT", "faults"): lambda: server.faults.replace(_read_faults(json.loads(body))),
            ("DELETE", "faults"): lambda: server.faults.replace([]),
            ("GET", "requests"): server.requests,
            ("DELETE", "requests"): server.clear_requests,
        }
        if (self.command, what) not in actions:
            return 404, error_body(404, f"The stub does not support {self.command} {CONTROL_PREFIX}{what}.")
        try:
            answer = actions[self.command, what]()
        except ValueError as error:
            return 400, error_body(400, str(error))
        if answer is None:
            answer = {"status": "ok", "contract": server.contract, "now": _rfc3339(server.clock.now())}
        return 200, answer

    def _send(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str | int] | None = None,
        fault: Fault | None = None,
    ) -> None:
        fault = fault or Fault(match="* /**")
        if fault.empty:
            body = b""
        elif fault.truncate:
            body = body[: len(body) // 2]
        phrase = HTTPStatus(status).phrase if status in HTTPStatus else "Unknown"
        all_headers: dict[str, str | int] = {
            "Content-Type": "application/json; charset=utf-8",
            "Cache-Control": "private, max-age=0",
            "Date": self.date_time_string(),
            "Content-Length": str(len(body)),
            **(headers or {}),
        }
        lines = [
            f"HTTP/1.1 {status} {phrase}",
            *(f"{name}: {value}" for name, value in all_headers.items()),
            "",
            "",
        ]
        head = "\r\n".join(lines).encode("latin-1")
        if fault.hang_up:
            body = body[: len(body) // 2]
            self.close_connection = True
        if self.command == "HEAD":
            body = b""
        if not fault.slow_body_s:
            self.wfile.write(head + body)
            return
        self.wfile.write(head)
        step = max(1, -(-len(body) // TRICKLES))
        parts = [body[start : start + step] for start in range(0, len(body), step)]
        for part in parts:
            self.server.stopping.wait(fault.slow_body_s / len(parts))
            self.wfile.write(part)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        os.close(self.connection.detach())


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def read_moment(text: object) -> datetime:
    """Read a point in time such as ``2026-11-01T06:00:00Z``.

    Raises
    ------
    ValueError
        The text is not a time, or has no time zone.
    """
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{text!r} is not a time with a time zone, such as 2026-11-01T06:00:00Z.")
    return moment


def _read_now(raw: object) -> datetime | None:
    if not isinstance(raw, dict) or "now" not in raw:
        raise ValueError(
            'The clock expects {"now": "2026-11-01T06:00:00Z"}, or {"now": null} for the real time.'
        )
    return None if raw["now"] is None else read_moment(raw["now"])


def _read_faults(raw: object) -> list[Fault]:
    if not isinstance(raw, list):
        raise ValueError("Faults must be a list of objects, each with a match.")  # noqa: TRY004 - answered with 400
    return [Fault.from_json(one) for one in raw]


def serve(port: int = 0, contract: Contract = "new", now: datetime | None = None) -> StubServer:
    """Start a stub in a thread: ``with serve() as stub: … stub.url``.

    See `StubServer` for the parameters.
    """
    server = StubServer(port, contract, now)
    server.start()
    return server
