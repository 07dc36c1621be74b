"""The Spotify stub as a background process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from local.deploy import fingerprint
from local.emulator import answers, clean_environment, http_json, start_server
from local.errors import LaptopError
from local.process import HOST, BackgroundProcess
from local.spotify_stub import Contract

START_TIMEOUT_S = 20.0


class Stub:
    """The Spotify stub of one laptop stack.

    Parameters
    ----------
    root
        The repository.
    directory
        Where its lock and log are.
    contract
        The Web API it serves: ``new`` or ``legacy``.
    """

    def __init__(self, root: Path, directory: Path, contract: Contract) -> None:
        self.root = root
        self.contract = contract
        self.process = BackgroundProcess("stub", directory)

    def version(self) -> str:
        """Return a fingerprint of the stub's code and contract."""
        return fingerprint(self.root, ["local/spotify_stub"], self.contract)

    def is_healthy(self, port: int) -> bool:
        """Return whether our process is running and answers on `port`."""
        return self.process.pid() is not None and answers(f"{url(port)}/_stub/health")

    def start(self, preferred_port: int) -> int:
        """Start the stub on a free port, wait until it answers, and return the port.

        Raises
        ------
        LaptopError
            It does not start.
        """
        return start_server(self.process, self._start_on, preferred_port, "/_stub/health", START_TIMEOUT_S)

    def stop(self) -> bool:
        """Stop the stub; return whether it was running."""
        return self.process.stop()

    def control(self, port: int | None, what: str, **request: Any) -> Any:
        """Send a request to the control interface, such as ``clock`` or ``requests``; return its answer.

        Raises
        ------
        LaptopError
            The stub does not answer.
        """
        try:
            return http_json(f"{url(port)}/_stub/{what}", **request)
        except (OSError, ValueError) as error:
            raise LaptopError(
                f"The Spotify stub does not answer ({error}). `./lake up` starts it again.",
                log=self.process.log_path,
            ) from error

    def _start_on(self, port: int) -> None:
        arguments = ["-m", "local.spotify_stub", "--port", str(port), "--contract", self.contract]
        self.process.start([sys.executable, *arguments], clean_environment(os.environ), self.root)


def url(port: int | None) -> str:
    """Return the address of the stub on `port`."""
    return f"http://{HOST}:{port}"
