"""The Spotify stub as a background process."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

from local.emulator import answers, clean_environment, http_json, start_server
from local.errors import LaptopError
from local.fingerprint import fingerprint
from local.process import HOST, BackgroundProcess
from local.spotify_stub import TOKEN_VARIABLE, Contract

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
        return fingerprint(self.root, ["local/spotify_stub", "local/loopback.py"], self.contract)

    def is_healthy(self, port: int, token: str) -> bool:
        """Return whether our process is running and answers on `port`."""
        return self.process.pid() is not None and answers(f"{url(port)}/_stub/health", token)

    def start(self, preferred_port: int) -> tuple[int, str]:
        """Start the stub on a free port and wait until it answers.

        Returns
        -------
        port : int
            Where it listens.
        token : str
            The bearer token of its control interface.

        Raises
        ------
        LaptopError
            It does not start.
        """
        token = secrets.token_hex(16)
        port = start_server(
            self.process,
            lambda port: self._start_on(port, token),
            preferred_port,
            "/_stub/health",
            START_TIMEOUT_S,
            token,
        )
        return port, token

    def stop(self) -> bool:
        """Stop the stub; return whether it was running."""
        return self.process.stop()

    def control(self, port: int | None, token: str | None, what: str, **request: Any) -> Any:
        """Send a request to the control interface, such as ``clock`` or ``requests``; return its answer.

        Raises
        ------
        LaptopError
            The stub does not answer.
        """
        try:
            return http_json(f"{url(port)}/_stub/{what}", token=token, **request)
        except (OSError, ValueError) as error:
            raise LaptopError(
                f"The Spotify stub does not answer ({error}). `./lake up` starts it again.",
                log=self.process.log_path,
            ) from error

    def _start_on(self, port: int, token: str) -> None:
        arguments = ["-m", "local.spotify_stub", "--port", str(port), "--contract", self.contract]
        # Other users can read the arguments of a process, but not its environment.
        environment = clean_environment(os.environ) | {TOKEN_VARIABLE: token}
        self.process.start([sys.executable, *arguments], environment, self.root)


def url(port: int | None) -> str:
    """Return the address of the stub on `port`."""
    return f"http://{HOST}:{port}"
