"""Microburst, started in its own environment: as it is, but for three things that the tests need.

Requests arrive as they were signed. By itself it names the emulator in the header Host and writes `=` for `%3D` in a
path; the signature covers both, and the emulator checks it. To sign anew would make all requests those of one user,
no longer those of the functions' roles.

A connection can break before the answer. By itself it breaks off in the middle of a body, and the answer to a write
has none.

A rule's `resource` is part of an object's address, /bucket/key. By itself it is part of the bucket's name.
"""

import sys
from typing import Any
from urllib.parse import unquote

from aiohttp import ClientSession, web
from microburst import detection, forward
from microburst.cli import main
from yarl import URL

_outbound_headers = forward.Upstream._outbound_headers
_stream_to_client = forward._stream_to_client


def _headers_as_signed(upstream: forward.Upstream, request: web.Request) -> dict[str, str]:
    return _outbound_headers(upstream, request) | {"host": request.headers["Host"]}


def _path_as_signed(_session: ClientSession, url: str) -> URL:
    return URL(url, encoded=True)


async def _answer(
    request: web.Request, status: int, headers: Any, fault: forward.ResponseFault | None, chunks: Any
) -> web.StreamResponse:
    if fault is None or fault.abort_bytes != 0:
        return await _stream_to_client(request, status, headers, fault, chunks)
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _address(_service: str | None, _operation: str | None, path: str, _body: bytes | None) -> str:
    return unquote(path)


if __name__ == "__main__":
    forward.Upstream._outbound_headers = _headers_as_signed
    forward._stream_to_client = _answer
    ClientSession._build_url = _path_as_signed
    detection.resource_hint = _address
    sys.exit(main())
