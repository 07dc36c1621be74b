"""Builds the template with `sam build` and deploys it to the emulator with `sam deploy`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from local import private
from local.emulator import NO_AWS_SETTINGS, REGION, clean_environment
from local.errors import LaptopError
from local.fingerprint import fingerprint
from local.process import exclusive, shared

if TYPE_CHECKING:
    from typing import IO

    from mypy_boto3_cloudformation import CloudFormationClient

# The sources of everything that is built and deployed.
SOURCES = ("template.yaml", "samconfig.toml", "requirements/sam.txt", "layers", "functions", "jobs", "stacks")
CONFIG_ENV = "local"
STABLE_TIMEOUT_S = 180.0
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
    """Paths of the programs that the laptop stack uses.

    Attributes
    ----------
    emulator_python
        Python interpreter of the emulator's environment.
    sam
        The SAM command-line tool.
    path
        Directories that come first in PATH: those of python3.13, with which sam builds, and of uv.
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


@dataclass(frozen=True)
class SamSettings:
    """The settings of samconfig.toml for the laptop stack, with absolute directories."""

    stack_name: str
    build_dir: Path
    cache_dir: Path

    @classmethod
    def read(cls, path: Path) -> SamSettings:
        """Read the ``local`` environment of samconfig.toml.

        Raises
        ------
        LaptopError
            A setting is missing.
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
        Paths of the programs.
    log_dir
        Directory for the output of sam.
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
        self._refusal = f"Another command is still building or deploying from {build_dir}. Try again later."

    def source_fingerprint(self) -> str:
        """Return a digest of everything that is built and deployed."""
        return fingerprint(self.root, SOURCES)

    def is_built(self) -> bool:
        """Return whether the artifacts match the current sources."""
        marked = self._template.exists() and self._built_from.exists()
        return marked and self._built_from.read_text() == self.source_fingerprint()

    def build(self) -> None:
        """Build functions and layers for this machine, reusing what has not changed.

        Raises
        ------
        LaptopError
            sam is missing, another build is running here, or this one fails.
        """
        with exclusive(self._lock, self._refusal, BUILD_PATIENCE_S) as lock:
            source = self.source_fingerprint()
            if self.is_built():
                return  # another command built it while this one waited for the lock
            # An interrupted build may leave half an artifact in the cache, so without the mark the cache is cleared.
            if not self._built_from.exists():
                shutil.rmtree(self.settings.build_dir, ignore_errors=True)
                shutil.rmtree(self.settings.cache_dir, ignore_errors=True)
            self._built_from.unlink(missing_ok=True)
            failure = "The functions and layers could not be built."
            self._run_sam(["build"], self._build_environment(), self.build_log, failure, lock)
            self._pack_layers()
            self._built_from.write_text(source)

    def deploy(self, emulator: Mapping[str, str], parameters: Mapping[str, str]) -> None:
        """Deploy the built template to the emulator.

        Parameters
        ----------
        emulator
            The variables that point AWS tools at it.
        parameters
            Parameters of the template.

        Raises
        ------
        LaptopError
            The deployment fails; the excerpt has the relevant lines of sam's output.
        """
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        environment = self._environment(clean_environment(os.environ) | dict(emulator))
        failure = "The stack could not be deployed to the emulator."
        with shared(self._lock, self._refusal, BUILD_PATIENCE_S) as lock:
            arguments = ["deploy", "--parameter-overrides", *overrides]
            self._run_sam(arguments, environment, self.deploy_log, failure, lock)

    def wait_until_stable(self, cloudformation: CloudFormationClient) -> bool:
        """Wait until no deployment of the stack is in progress; return whether the stack exists.

        Raises
        ------
        StackBroken
            The stack can be neither created nor updated.
        """
        deadline = time.monotonic() + STABLE_TIMEOUT_S
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

    def _pack_layers(self) -> None:
        """Pack the layers beside their folders, and name the archives in the template.

        `sam deploy` uploads an archive as it is. It would pack a folder itself, again for each stack, and more slowly.
        """
        template = self._template.read_text()
        for name in re.findall(r"^ +ContentUri: (\w+)$", template, re.MULTILINE):
            folder = self._template.with_name(name)
            pack(folder, folder.with_suffix(".zip"))
        self._template.write_text(re.sub(r"(?m)^( +ContentUri: \w+)$", r"\1.zip", template))

    def _build_environment(self) -> dict[str, str]:
        """Return the user's environment without AWS settings; the build needs its proxies and package index."""
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
            raise LaptopError(f"{self.tools.sam} is missing. `./lake up` installs it.")
        command = [str(self.tools.sam), *arguments, "--config-env", CONFIG_ENV]
        private.directory(log_path.parent)
        with private.open_file(log_path, "wb") as log:
            status = run_to_the_end(command, env, self.root, log, lock)
        if status != 0:
            excerpt = telling_lines(log_path.read_text(errors="replace"))
            raise LaptopError(failure, log=log_path, excerpt=excerpt)


def pack(folder: Path, archive: Path) -> None:
    """Write the files of a folder into an archive; the same files give the same bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = path.stat().st_mode << 16
                packed.writestr(entry, path.read_bytes())


def run_to_the_end(
    command: Sequence[str], env: Mapping[str, str], cwd: Path, log: IO[bytes], lock: int
) -> int:
    """Run a command and return its exit status; if interrupted, stop it and everything it started.

    The command inherits the file descriptor `lock`, so if this process is killed, the lock is held until the command
    ends.
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
    """Return the lines of a tool's output that look like errors, or else its last lines.

    Parameters
    ----------
    output
        What the tool printed.
    limit
        The maximum number of lines.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    telling = list(dict.fromkeys(line for line in lines if _TELLING.search(line)))
    return (telling or lines)[-limit:]
