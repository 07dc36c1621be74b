"""An S3 that keeps nothing, in a process of its own: `python -m bench.s3_server FILE`.

It answers each GET with the file, each listing with two raw objects of the playlist, and each PUT with success. So a
function's own CPU time can be told from the server's. It prints its port.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from local.process import HOST
from spotify_lake import raw


@contextmanager
def s3_server(data: bytes) -> Iterator[str]:
    """Serve a raw object from another process; yield the endpoint."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        command = [sys.executable, "-m", "bench.s3_server", file.name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                port = server.stdout.readline() if server.stdout else ""
                yield f"http://{HOST}:{int(port)}"
            finally:
                server.terminate()


def main(file: str) -> None:
    """Serve until terminated."""
    data = Path(file).read_bytes()
    header = raw.Source("", data).header
    own = raw.key(header.playlist_id, header.scheduled_at)
    before = own.replace("T12", "T11")
    listing = "".join(
        f"<Contents><Key>{key}</Key><LastModified>{moment.isoformat()}Z</LastModified></Contents>"
        for key, moment in ((before, header.scheduled_at), (own, header.fetched_at))
    )
    listing = listing.replace("+00:00Z", "Z")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(
                f"<ListBucketResult>{listing}</ListBucketResult>".encode()
                if "list-type" in self.path
                else data
            )

        def do_PUT(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                while (size := int(self.rfile.readline(), 16)) > 0:
                    self.rfile.read(size + 2)
                while self.rfile.readline().strip():
                    continue
            else:
                self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"bench"')
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
