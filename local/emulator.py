"""The AWS emulator (MiniStack) as a background process, isolated from the user's AWS settings and from others.

It answers only requests that carry the keys made at its start, or keys that it issued itself: see `local.front`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from local import private
from local.errors import LaptopError
from local.fingerprint import fingerprint
from local.front import health_token
from local.process import HOST, BackgroundProcess, find_port

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"
# What the front and the emulator's environment are made of, beside the lock file.
FRONT_SOURCES = (
    "local/front",
    "local/loopback.py",
    "local/private.py",
    "local/sql_dialect.py",
    "local/trino",
)
START_TIMEOUT_S = 60.0
START_ATTEMPTS = 3

# The variables that programs of the laptop stack inherit. AWS profiles and endpoints, proxies and Python settings of
# the user are not among them.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TERM")

NO_AWS_SETTINGS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

# For servers on this machine: no proxies and no redirects, and no TLS, whose certificates take long to load.
_opener = urllib.request.OpenerDirector()
for _handler in (
    urllib.request.HTTPHandler(),
    urllib.request.HTTPDefaultErrorHandler(),
    urllib.request.HTTPErrorProcessor(),
):
    _opener.add_handler(_handler)


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for programs of the laptop stack, without AWS settings and proxies."""
    kept = {name: environ[name] for name in _INHERITED if name in environ}
    return kept | NO_AWS_SETTINGS | {"PYTHONUNBUFFERED": "1"}


def leave_aws(environ: MutableMapping[str, str]) -> None:
    """Remove all AWS settings from `environ`, and exempt servers on this machine from proxies."""
    for name in [name for name in environ if name.startswith("AWS_")]:
        del environ[name]
    environ.update(NO_AWS_SETTINGS)
    for name in ("no_proxy", "NO_PROXY"):
        environ[name] = ",".join(filter(None, [environ.get(name), HOST, "localhost"]))


@dataclass(frozen=True)
class Keys:
    """The access key of the account's owner on one start of the emulator."""

    access_key: str
    secret_key: str

    @classmethod
    def random(cls) -> Self:
        """Make keys that nobody can guess."""
        return cls(f"AKIA{secrets.token_hex(16).upper()}", secrets.token_hex(32))


def client_environment(endpoint: str, keys: Keys) -> dict[str, str]:
    """Return the variables that point an AWS SDK or command-line tool at the emulator."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",  # which Polars, and others of Rust's libraries, ask for
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }


def http_json(
    url: str, *, method: str = "GET", body: Any = None, token: str | None = None, timeout_s: float = 5.0
) -> Any:
    """Send a request to a server on this machine, bypassing proxies, and return the decoded JSON answer, if any.

    A `token` goes into the header Authorization.

    Raises
    ------
    OSError
        Nothing answers, or the answer is an HTTP error.
    ValueError
        The answer is not JSON.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    with _opener.open(request, timeout=timeout_s) as response:
        answer = response.read()
    return json.loads(answer) if answer else None


def start_server(
    process: BackgroundProcess,
    start_on: Callable[[int], None],
    port: int,
    health: str,
    timeout_s: float,
    token: str | None = None,
) -> int:
    """Start a server on `port` or a free one above it, wait until it answers, and return the port.

    Parameters
    ----------
    process
        The server.
    start_on
        Starts the server on the given port.
    port
        The preferred port.
    health
        Path that answers once the server is up.
    timeout_s
        Longest time to wait for that, in seconds.
    token
        The bearer token for that path, if it needs one.

    Raises
    ------
    LaptopError
        The server does not start.
    """
    for _ in range(START_ATTEMPTS):
        port = find_port(port)
        start_on(port)
        if _wait_until_up(process, f"http://{HOST}:{port}{health}", timeout_s, token):
            return port
        if process.pid() is not None:
            process.stop()
            break
        port += 1  # another program has taken the port in the meantime
    raise LaptopError(
        f"The {process.name} did not start on port {port}.", log=process.log_path, excerpt=process.log_tail()
    )


def _wait_until_up(process: BackgroundProcess, health_url: str, timeout_s: float, token: str | None) -> bool:
    """Wait until `health_url` answers; return False if the process ends or the time runs out first."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if answers(health_url, token):
            return True
        if process.pid() is None:
            return False
        time.sleep(0.1)
    return False


def answers(url: str, token: str | None = None) -> bool:
    """Return whether a server on this machine answers `url` with success."""
    try:
        http_json(url, token=token, timeout_s=3.0)
    except (OSError, ValueError):
        return False
    return True


class Emulator:
    """The emulator of one laptop stack.

    Parameters
    ----------
    root
        The repository.
    python
        The Python interpreter of the emulator's virtual environment.
    directory
        Directory of its lock, log and temporary files.
    preferred_port
        The preferred port; the next free one is used if it is taken.
    """

    def __init__(self, root: Path, python: Path, directory: Path, preferred_port: int = 4566) -> None:
        self.root = root
        self.python = python
        self.directory = directory
        self.preferred_port = preferred_port
        self.process = BackgroundProcess("emulator", directory)

    def version(self) -> str:
        """Return a fingerprint of the emulator: its locked packages and its front."""
        return fingerprint(self.root, ["requirements/emulator.txt", *FRONT_SOURCES])

    def is_healthy(self, port: int, keys: Keys) -> bool:
        """Return whether our process is running and answers on `port` with IAM enforced."""
        if self.process.pid() is None:
            return False
        try:
            health = http_json(f"http://{HOST}:{port}/_ministack/health", token=health_token(keys.secret_key))
        except (OSError, ValueError):
            return False
        return isinstance(health, dict) and health.get("auth") == "enabled"

    def start(self, keys: Keys) -> int:
        """Start the emulator on a free port, wait until it answers, and return the port.

        Parameters
        ----------
        keys
            The keys of the account's owner.

        Raises
        ------
        LaptopError
            Its environment is missing, or it does not start.
        """
        if not self.python.exists():
            raise LaptopError(f"{self.python} is missing. `./lake up` installs it.")
        return start_server(
            self.process,
            lambda port: self._start_on(port, keys),
            self.preferred_port,
            "/_ministack/ready",
            START_TIMEOUT_S,
            health_token(keys.secret_key),
        )

    def stop(self) -> bool:
        """Stop the emulator and its Lambda workers and delete its files; return whether it was running."""
        was_running = self.process.stop()
        for name in ("tmp", "state", "s3"):
            shutil.rmtree(self.directory / name, ignore_errors=True)
        return was_running

    def _start_on(self, port: int, keys: Keys) -> None:
        for name in ("tmp", "state", "s3"):
            shutil.rmtree(self.directory / name, ignore_errors=True)
            private.directory(self.directory / name)
        env = clean_environment(os.environ) | {
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            "TZ": "UTC",  # as on Lambda and Athena
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LAMBDA_EXECUTOR": "local",
            # The emulator removes containers when it starts, so it must not find a container runtime.
            "DOCKER_HOST": f"unix://{self.directory / 'no-docker.sock'}",
            "TMPDIR": str(self.directory / "tmp"),
            "STATE_DIR": str(self.directory / "state"),
            "S3_DATA_DIR": str(self.directory / "s3"),
        }
        self.process.start([str(self.python), "-m", "local.front"], env, cwd=self.root)
