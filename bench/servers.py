"""Fake servers in their own processes, which keeps their CPU time and memory out of the measurements.

`python -m bench.servers s3 FILE` answers each GET with the file, each listing with two raw objects of the playlist, and
each PUT with success. `python -m bench.servers spotify ENTRIES` is Spotify with one playlist. Both print their port.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.payloads import PAGE, pages
from local.process import HOST
from spotify_lake import keys
from spotify_lake.raw import envelope


@contextmanager
def s3(data: bytes) -> Iterator[str]:
    """Serve a raw object from another process; yield the endpoint."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with _serving("s3", file.name) as endpoint:
            yield endpoint


@contextmanager
def spotify(entries: int) -> Iterator[str]:
    """Serve a playlist of that many entries, of the legacy contract, from another process; yield the endpoint."""
    with _serving("spotify", str(entries)) as endpoint:
        yield endpoint


@contextmanager
def _serving(*arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.servers", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = server.stdout.readline() if server.stdout else ""
            yield f"http://{HOST}:{int(port)}"
        finally:
            server.terminate()


def _s3(file: str) -> Callable[[str], bytes]:
    data = Path(file).read_bytes()
    header = envelope.Source("", data).header
    own = keys.raw_key(header.playlist_id, header.scheduled_at)
    listing = "".join(
        f"<Contents><Key>{key}</Key><LastModified>{moment:%Y-%m-%dT%H:%M:%S}.000Z</LastModified></Contents>"
        for key, moment in ((own.replace("T12", "T11"), header.scheduled_at), (own, header.fetched_at))
    )

    def answer(path: str) -> bytes:
        return f"<ListBucketResult>{listing}</ListBucketResult>".encode() if "list-type" in path else data

    return answer


def _spotify(entries: str) -> Callable[[str], bytes]:
    found = [json.dumps(page).encode() for page in pages(int(entries), "legacy")]
    head = {"id": "bench", "snapshot_id": "version", "owner": {"id": "bench"}, "name": "Bench"}

    def answer(path: str) -> bytes:
        url = urlsplit(path)
        if url.path == "/api/token":
            return json.dumps({"access_token": "token", "token_type": "Bearer", "expires_in": 3600}).encode()
        if url.path.endswith("/tracks"):
            return found[int(parse_qs(url.query)["offset"][0]) // PAGE["legacy"]]
        return json.dumps(head).encode()

    return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: Callable[[str], bytes]

    def do_GET(self) -> None:
        if urlsplit(self.path).path.endswith("/items"):  # as some apps with the legacy contract see
            self._send(403, json.dumps({"error": {"status": 403, "message": "Forbidden"}}).encode())
        else:
            self._send(200, type(self).answer(self.path))

    def do_PUT(self) -> None:
        self._take_body()
        self._send(200, b"")

    def do_POST(self) -> None:
        self._take_body()
        self._send(200, type(self).answer(self.path))

    def _take_body(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while (size := int(self.rfile.readline(), 16)) > 0:
                self.rfile.read(size + 2)
            while self.rfile.readline().strip():
                continue
        else:
            self.rfile.read(int(self.headers["Content-Length"]))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"bench"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


def main(kind: str, argument: str) -> None:
    """Serve until terminated."""
    answer = {"s3": _s3, "spotify": _spotify}[kind](argument)
    handler = type("Handler", (_Handler,), {"answer": staticmethod(answer)})
    server = ThreadingHTTPServer((HOST, 0), handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
