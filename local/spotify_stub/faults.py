"""Faults on demand: which requests fail, how often and how."""

import re
import threading
from collections.abc import Mapping
from glob import translate
from typing import Any, Self
from urllib.parse import parse_qsl

import msgspec


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """A fault and the requests that it affects.

    Attributes
    ----------
    match
        Method and path, for example ``GET /v1/playlists/*/items``. ``*`` stands for one part of the path, ``**`` for
        any number of parts; the method may be ``*`` too. A query narrows it down:
        ``GET /v1/playlists/*/items?offset=50`` matches the second page only.
    times
        How many requests fail; None for all.
    skip
        How many matching requests succeed before.
    status, headers, body
        The answer instead of the real one. Without a body, Spotify's own for that status; a text is sent unchanged.
        Headers alone are added to the real answer.
    truncate
        Send half of the body with a matching Content-Length: JSON that ends in the middle.
    hang_up
        Send half of the body with the full Content-Length, then close the connection.
    empty
        Send the status and no body.
    reset
        Reset the connection without an answer.
    delay_s
        Seconds to wait before answering.
    slow_body_s
        Seconds over which the body is sent.
    advance_clock_s
        Seconds to add to the stub's clock before answering: playlists may change between two pages.
    """

    match: str
    times: int | None = 1
    skip: int = 0
    status: int | None = None
    headers: dict[str, str | int] = {}
    body: dict[str, Any] | list[Any] | str | None = None
    truncate: bool = False
    hang_up: bool = False
    empty: bool = False
    reset: bool = False
    delay_s: float = 0
    slow_body_s: float = 0
    advance_clock_s: float = 0

    @classmethod
    def from_json(cls, raw: object) -> Self:
        """Read a fault from decoded JSON.

        Raises
        ------
        ValueError
            The JSON is invalid; the message says why.
        """
        try:
            return msgspec.convert(raw, cls)
        except msgspec.ValidationError as error:
            raise ValueError(f"{raw!r} is not a fault: {error}.") from error

    def __post_init__(self) -> None:
        """Check what the type of `match` does not say."""
        if " /" not in self.match:
            raise ValueError(f'match {self.match!r} is not a method and a path, as in "GET /v1/me"')

    def fits(self, method: str, path: str, query: Mapping[str, str]) -> bool:
        """Return whether the fault affects a request."""
        wanted_method, _, target = self.match.partition(" ")
        wanted_path, _, wanted_query = target.partition("?")
        pattern = translate(wanted_path, recursive=True, include_hidden=True, seps="/")
        return (
            wanted_method in ("*", method)
            and re.match(pattern, path.rstrip("/") or "/") is not None
            and all(query.get(name) == value for name, value in parse_qsl(wanted_query))
        )


class Faults:
    """The current faults, shared by the threads of the server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def replace(self, faults: list[Fault]) -> None:
        """Replace all faults."""
        with self._lock:
            self._faults = faults

    def take(self, method: str, path: str, query: Mapping[str, str]) -> Fault | None:
        """Return the first fault that matches a request, and count it down."""
        with self._lock:
            for fault in self._faults:
                if fault.times == 0 or not fault.fits(method, path, query):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """Return the current faults; `times` and `skip` are the remaining numbers."""
        with self._lock:
            return [msgspec.to_builtins(fault) for fault in self._faults]
