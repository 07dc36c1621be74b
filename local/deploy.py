"""Build the template with the real `sam build` and deploy it with the real `sam deploy`, to the emulator."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from local.emulator import NO_AWS_SETTINGS, REGION, clean_environment, client_environment
from local.errors import LaptopError
from local.process import exclusive

if TYPE_CHECKING:
    from typing import IO

    from mypy_boto3_cloudformation import CloudFormationClient

# Everything that decides what is built and deployed.
SOURCES = ("template.yaml", "samconfig.toml", "requirements/sam.txt", "layers", "functions", "jobs", "stacks")
CONFIG_ENV = "local"
SETTLE_TIMEOUT_S = 180.0
BUILD_PATIENCE_S = 300.0
END_GRACE_S = 5.0
EXCERPT_LINES = 12

# States from which CloudFormation can update a stack, or create it.
_DEPLOYABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"})
_ABSENT = frozenset({"REVIEW_IN_PROGRESS", "DELETE_COMPLETE"})

_TELLING = re.compile(
    r"\berror\b|exception|failed|failure|denied|invalid|not found|missing|no such|unable", re.IGNORECASE
)


class StackBroken(Exception):
    """The stack is in a state from which it cannot be updated."""


@dataclass(frozen=True)
class Tools:
    """Where the programs of the laptop stack are.

    Attributes
    ----------
    emulator_python
        Interpreter of the emulator's own environment.
    sam
        The SAM command-line tool.
    path
        Directories to search first: the one with python3.13, which sam builds with, and that of uv.
    """

    emulator_python: Path
    sam: Path
    path: tuple[Path, ...]

    @classmethod
    def below(cls, root: Path) -> Tools:
        """Return the tools that the Makefile installs below `root`."""
        tools = root / ".tools"
        return cls(
            emulator_python=tools / "emulator" / "bin" / "python",
            sam=tools / "sam" / "bin" / "sam",
            path=(root / ".venv" / "bin", tools / "uv" / "bin"),
        )


def fingerprint(root: Path, names: Iterable[str], *extra: str) -> str:
    """Return a digest of the content and paths of files.

    Parameters
    ----------
    root
        Directory the names start from.
    names
        Files and directories below `root`; directories count with all files below them, except compiled
        Python and hidden files. A name that does not exist counts as empty.
    extra
        Further text that must make a difference.
    """
    digest = hashlib.sha256()
    for name in names:
        for path in _files(root / name):
            digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    for text in extra:
        digest.update(f"\0{text}".encode())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.is_file()
        and not any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(path).parts)
    )


@dataclass(frozen=True)
class SamSettings:
    """What samconfig.toml says about the laptop stack; the directories are absolute."""

    stack_name: str
    build_dir: Path
    cache_dir: Path

    @classmethod
    def read(cls, path: Path) -> SamSettings:
        """Read the ``local`` environment of samconfig.toml.

        Raises
        ------
        LaptopError
            The file does not say what is needed.
        """
        commands = tomllib.loads(path.read_text()).get(CONFIG_ENV, {})
        build = commands.get("build", {}).get("parameters", {})
        deploy = commands.get("deploy", {}).get("parameters", {})
        try:
            return cls(
                deploy["stack_name"], path.parent / build["build_dir"], path.parent / build["cache_dir"]
            )
        except KeyError as error:
            raise LaptopError(f"{path.name} lacks {error} for the environment {CONFIG_ENV!r}.") from error


class Deployment:
    """The stack of this repository on the emulator.

    Parameters
    ----------
    root
        The repository.
    tools
        Where its programs are.
    log_dir
        Where the output of sam goes.
    """

    def __init__(self, root: Path, tools: Tools, log_dir: Path) -> None:
        self.root = root
        self.tools = tools
        self.settings = SamSettings.read(root / "samconfig.toml")
        self.build_log = log_dir / "sam-build.log"
        self.deploy_log = log_dir / "sam-deploy.log"
        build_dir = self.settings.build_dir
        self._template = build_dir / "template.yaml"
        self._built_from = build_dir.with_name(f"{build_dir.name}.built-from")
        self._lock = build_dir.with_name(f"{build_dir.name}.lock")

    def source_fingerprint(self) -> str:
        """Return a digest of everything that is built and deployed."""
        return fingerprint(self.root, SOURCES)

    def is_built(self) -> bool:
        """Tell whether the artifacts are those of the sources as they are now."""
        marked = self._template.exists() and self._built_from.exists()
        return marked and self._built_from.read_text() == self.source_fingerprint()

    def build(self) -> None:
        """Build functions and layers for this machine, reusing what has not changed.

        Raises
        ------
        LaptopError
            sam is missing, another build is going on here, or this one fails.
        """
        with self._alone() as lock:
            source = self.source_fingerprint()
            if self.is_built():
                return  # by the command that had the lock before
            # An interrupted build may leave half an artifact in the cache: without the mark, nothing is kept.
            if not self._built_from.exists():
                shutil.rmtree(self.settings.build_dir, ignore_errors=True)
                shutil.rmtree(self.settings.cache_dir, ignore_errors=True)
            self._built_from.unlink(missing_ok=True)
            failure = "Functions and layers could not be built."
            self._run_sam(["build"], self._build_environment(), self.build_log, failure, lock)
            self._built_from.write_text(source)

    def deploy(self, endpoint: str, parameters: Mapping[str, str]) -> None:
        """Deploy the built template to the emulator at `endpoint`.

        Raises
        ------
        LaptopError
            The deployment fails; the telling lines of sam's output are the excerpt.
        """
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        environment = self._environment(clean_environment(os.environ) | client_environment(endpoint))
        failure = "The stack could not be deployed to the emulator."
        with self._alone() as lock:
            arguments = ["deploy", "--parameter-overrides", *overrides]
            self._run_sam(arguments, environment, self.deploy_log, failure, lock)

    def settle(self, cloudformation: CloudFormationClient) -> bool:
        """Wait until no change to the stack is going on; return whether the stack exists.

        Raises
        ------
        StackBroken
            It can be neither created nor updated.
        """
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while True:
            status = self._status(cloudformation)
            if status is None or status in _ABSENT:
                return False
            if status in _DEPLOYABLE:
                return True
            if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
                raise StackBroken(status)
            time.sleep(0.5)

    def outputs(self, cloudformation: CloudFormationClient) -> dict[str, str]:
        """Return the outputs of the stack by name."""
        stack = cloudformation.describe_stacks(StackName=self.settings.stack_name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def _status(self, cloudformation: CloudFormationClient) -> str | None:
        try:
            return cloudformation.describe_stacks(StackName=self.settings.stack_name)["Stacks"][0][
                "StackStatus"
            ]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":  # there is no such stack
                return None
            raise

    def _alone(self) -> contextlib.AbstractContextManager[int]:
        refusal = f"Another command still builds or deploys from {self.settings.build_dir}. Try again later."
        return exclusive(self._lock, refusal, patience_s=BUILD_PATIENCE_S)

    def _build_environment(self) -> dict[str, str]:
        """Return the user's environment, whose proxies and package index the build needs, less its AWS part."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AWS_") and name not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
        }
        return self._environment(
            kept | NO_AWS_SETTINGS | {"AWS_DEFAULT_REGION": REGION, "LAKE_BUILD": "host"}
        )

    def _environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        path = os.pathsep.join([*map(str, self.tools.path), environ.get("PATH", os.defpath)])
        return {**environ, "PATH": path, "SAM_CLI_TELEMETRY": "0"}

    def _run_sam(
        self, arguments: Sequence[str], env: Mapping[str, str], log_path: Path, failure: str, lock: int
    ) -> None:
        if not self.tools.sam.exists():
            raise LaptopError(f"{self.tools.sam} is missing. `make up` installs it.")
        command = [str(self.tools.sam), *arguments, "--config-env", CONFIG_ENV]
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("wb") as log:
            status = run_to_the_end(command, env, self.root, log, lock)
        if status != 0:
            excerpt = telling_lines(log_path.read_text(errors="replace"))
            raise LaptopError(failure, log=log_path, excerpt=excerpt)


def run_to_the_end(
    command: Sequence[str], env: Mapping[str, str], cwd: Path, log: IO[bytes], lock: int
) -> int:
    """Run a command and return its exit status; when interrupted, end it and everything it started.

    The command inherits the file descriptor `lock`: should this process be killed, the lock is held until the
    command has ended.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=(lock,),
    )
    try:
        return process.wait()
    except BaseException:
        _end_group(process)
        raise


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_GRACE_S)


def telling_lines(output: str, limit: int = EXCERPT_LINES) -> list[str]:
    """Pick the lines of a tool's output that say what went wrong, or its last ones.

    Parameters
    ----------
    output
        What the tool printed.
    limit
        The most lines to return.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    telling = list(dict.fromkeys(line for line in lines if _TELLING.search(line)))
    return (telling or lines)[-limit:]
