"""An S3 that fails: a proxy before the emulator that the deployed functions are sent through."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.emulator import clean_environment, http_json, start_server
from local.process import HOST, BackgroundProcess
from local.stack import LaptopStack
from tests.support.deployed import function_settings

SERVER = Path(__file__).with_name("faulty_s3_server.py")
PORT = 19999
START_TIMEOUT_S = 30.0


class FaultyS3:
    """Microburst in front of the emulator. Without rules, it passes everything on.

    Parameters
    ----------
    stack
        The laptop stack.
    """

    def __init__(self, stack: LaptopStack) -> None:
        self._python = stack.root / ".tools" / "faults" / "bin" / "python"
        self._upstream = stack.endpoint
        self._process = BackgroundProcess("faults", stack.state_dir / "faults")
        self._url = ""

    @property
    def url(self) -> str:
        """Where it answers instead of S3."""
        return self._url

    def start(self) -> None:
        port = start_server(self._process, self._start_on, PORT, "/_microburst/health", START_TIMEOUT_S)
        self._url = f"http://{HOST}:{port}"

    def stop(self) -> None:
        self._process.stop()

    @contextmanager
    def rules(self, *rules: dict[str, Any]) -> Iterator[None]:
        """Fail as the rules say, for a while. Each is for S3; the first that fits a request counts."""
        self._ask("fired", method="DELETE")
        self._ask("rules", method="POST", body=[{"service": "s3"} | rule for rule in rules])
        try:
            yield
        finally:
            self._ask("rules", method="POST", body=[])

    def fired(self) -> list[dict[str, Any]]:
        """Return what it has failed since the rules were set."""
        events: list[dict[str, Any]] = self._ask("fired?limit=2000")
        return events

    def _ask(self, path: str, **request: Any) -> Any:
        return http_json(f"{self._url}/_microburst/{path}", **request)

    def _start_on(self, port: int) -> None:
        command = [str(self._python), str(SERVER), "--host", HOST, "--port", str(port)]
        env = clean_environment(os.environ)
        self._process.start([*command, "--upstream", self._upstream], env, cwd=self._process.directory)


@contextmanager
def between_functions_and_s3(stack: LaptopStack) -> Iterator[FaultyS3]:
    """Send what extract and transform ask of S3 through the proxy."""
    proxy = FaultyS3(stack)
    proxy.stop()  # what an interrupted session left
    proxy.start()
    try:
        through = {"AWS_ENDPOINT_URL_S3": proxy.url}
        with function_settings(stack, "extract", through), function_settings(stack, "transform", through):
            yield proxy
    finally:
        proxy.stop()
