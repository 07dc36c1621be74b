"""Run the stub: ``python -m local.spotify_stub --port 8700 --contract new``."""

import argparse
import contextlib
import os
import sys
from datetime import datetime

from local.spotify_stub import TOKEN_VARIABLE
from local.spotify_stub.server import HOST, StubServer, read_moment


def main(argv: list[str] | None = None) -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m local.spotify_stub",
        description="A Spotify Web API on 127.0.0.1 whose playlists change from day to day.",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port to listen on (default: a free one, printed)"
    )
    parser.add_argument(
        "--contract",
        choices=("new", "legacy"),
        default="new",
        help="the Web API for apps registered since February 2026, or for older apps (default: new)",
    )
    parser.add_argument(
        "--now",
        type=_moment,
        help="time at which the clock stops, such as 2026-11-01T06:00:00Z (default: the real time)",
    )
    options = parser.parse_args(argv)
    try:
        token = os.environ.get(TOKEN_VARIABLE)
        server = StubServer(options.port, options.contract, options.now, token)
    except OSError as error:
        sys.stderr.write(
            f"Cannot listen on {HOST}:{options.port}: {error.strerror}. Choose another --port.\n"
        )
        return 1
    with contextlib.suppress(KeyboardInterrupt), server:
        sys.stdout.write(f"Spotify stub, {options.contract} contract: {server.url}\n")
        if token is None:
            sys.stdout.write(f"Token of its control interface: {server.token}\n")
        sys.stdout.flush()
        server.serve_forever()
    return 0


def _moment(text: str) -> datetime:
    try:
        return read_moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    raise SystemExit(main())
