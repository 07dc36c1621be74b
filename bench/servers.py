"""Fake servers in their own processes, which keeps their CPU time and memory out of the measurements."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.payloads import PAGE, pages
from local.process import HOST
from spotify_lake import keys
from spotify_lake.raw import envelope

type Answer = Callable[[str], bytes]  # of a path


def s3(data: bytes) -> AbstractContextManager[str]:
    """Serve a raw object from another process; the context is the endpoint.

    Each GET is answered with the object, each listing with two raw objects of its playlist, each PUT with success.
    """
    return _serving(_s3, data)


def sink() -> AbstractContextManager[str]:
    """Serve an S3 that takes every object, from another process; the context is the endpoint."""
    return _serving(_nothing, None)


def spotify(entries: int) -> AbstractContextManager[str]:
    """Serve a playlist of that many entries, of the legacy contract, from another process; yield the endpoint."""
    return _serving(_spotify, entries)


@contextmanager
def _serving[Content](answers: Callable[[Content], Answer], content: Content) -> Iterator[str]:
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    server = processes.Process(target=_serve, args=(answers, content, there), daemon=True)
    server.start()
    try:
        yield f"http://{HOST}:{here.recv()}"
    finally:
        server.terminate()
        server.join()


def _serve[Content](answers: Callable[[Content], Answer], content: Content, there: Connection) -> None:
    handler = type("Handler", (_Handler,), {"answer": staticmethod(answers(content))})
    server = ThreadingHTTPServer((HOST, 0), handler)
    there.send(server.server_port)
    server.serve_forever()


def _s3(data: bytes) -> Answer:
    header = envelope.Source("", data).header
    own = keys.raw_key(header.playlist_id, header.scheduled_at)
    listing = "".join(
        f"<Contents><Key>{key}</Key><LastModified>{moment:%Y-%m-%dT%H:%M:%S}.000Z</LastModified></Contents>"
        for key, moment in ((own.replace("T12", "T11"), header.scheduled_at), (own, header.fetched_at))
    )
    listed = f"<ListBucketResult>{listing}</ListBucketResult>".encode()
    return lambda path: listed if "list-type" in path else data


def _nothing(_content: None) -> Answer:
    return lambda _path: b""


def _spotify(entries: int) -> Answer:
    found = [json.dumps(page).encode() for page in pages(entries, "legacy")]
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
    answer: Answer

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
