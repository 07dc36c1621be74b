"""Background processes of the laptop stack: one command starts them, later commands find and stop them.

A process holds an exclusive lock on ``<directory>/<name>.lock`` from its start until its end, however it ends. A free
lock means that the process is not running, so a recorded pid is never used after the operating system has given the
number to another process. Works on Linux and macOS.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from local import private
from local.errors import LaptopError

if TYPE_CHECKING:
    from typing import IO

HOST = "127.0.0.1"
PORTS_TRIED = 100
STOP_GRACE_S = 5.0
PROBE_PATIENCE_S = 2.0

# The shell writes its own pid and then replaces itself with the program, so the pid is on disk before the program
# runs, even if the parent is interrupted right after the start.
_LAUNCHER = 'printf %s "$$" >"$0" && exec "$@"'


def port_is_free(port: int) -> bool:
    """Return whether a server can listen on `port` of this machine's loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if probe.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def find_port(preferred: int) -> int:
    """Return `preferred`, or the next free port above it.

    Raises
    ------
    LaptopError
        None of the ports tried is free.
    """
    candidates = range(preferred, min(preferred + PORTS_TRIED, 65536))
    for port in candidates:
        if port_is_free(port):
            return port
    raise LaptopError(
        f"No free port between {candidates.start} and {candidates.stop - 1} on {HOST}. "
        "Stop one of the programs that listen there, then run this command again."
    )


def exclusive(path: Path, refusal: str, patience_s: float = 0.0) -> contextlib.AbstractContextManager[int]:
    """Hold the lock file `path` alone; its value is the file descriptor.

    A child process that inherits the descriptor also holds the lock until it ends.

    Raises
    ------
    LaptopError
        Another command still holds it after `patience_s` seconds; the message is `refusal`.
    """
    return _held(path, refusal, patience_s, fcntl.LOCK_EX)


def shared(path: Path, refusal: str, patience_s: float = 0.0) -> contextlib.AbstractContextManager[int]:
    """Hold the lock file `path` together with others that share it, while nobody holds it alone; see `exclusive`."""
    return _held(path, refusal, patience_s, fcntl.LOCK_SH)


@contextlib.contextmanager
def _held(path: Path, refusal: str, patience_s: float, kind: int) -> Iterator[int]:
    private.directory(path.parent)
    with private.open_file(path, "a") as lock:
        if not _lock_within(lock, patience_s, kind):
            raise LaptopError(refusal)
        yield lock.fileno()


def _lock_within(lock: IO[str], patience_s: float, kind: int = fcntl.LOCK_EX) -> bool:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True


class BackgroundProcess:
    """A named background process with its lock, pid and log in `directory`."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.log_path = directory / f"{name}.log"
        self._lock_path = directory / f"{name}.lock"
        self._pid_path = directory / f"{name}.pid"
        self._child: subprocess.Popen[bytes] | None = None

    def pid(self) -> int | None:
        """Return the process id if the process is running, else None."""
        if not self._lock_path.exists():
            return None
        with self._lock_path.open("a") as lock:
            try:
                # A shared lock: two commands that check at the same time must not mistake each other for the process.
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return self._read_pid()
        return None

    def start(self, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        """Start `command` detached from this terminal, with the environment `env` only.

        Raises
        ------
        LaptopError
            The process is already running.
        """
        private.directory(self.directory)
        with (
            private.open_file(self._lock_path, "a") as lock,
            private.open_file(self.log_path, "wb") as log,
        ):
            if not _lock_within(lock, PROBE_PATIENCE_S):
                raise LaptopError(f"The {self.name} is already running (process {self._read_pid()}).")
            self._pid_path.unlink(missing_ok=True)
            self._child = subprocess.Popen(
                ["/bin/sh", "-c", _LAUNCHER, str(self._pid_path), *command],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
                umask=private.UMASK,
            )

    def stop(self) -> bool:
        """Stop the process and everything it started; return whether it was running."""
        pid = self.pid()
        if pid is None:
            self._reap()
            return False
        self._signal_group(pid, signal.SIGTERM)
        if not self._gone_within(STOP_GRACE_S):
            self._signal_group(pid, signal.SIGKILL)
            if not self._gone_within(STOP_GRACE_S):
                raise LaptopError(f"The {self.name} (process {pid}) cannot be stopped.", log=self.log_path)
        self._signal_group(pid, signal.SIGKILL)  # its child processes, which are in the same group
        self._reap()
        self._pid_path.unlink(missing_ok=True)
        return True

    def log_tail(self, lines: int = 15) -> list[str]:
        """Return the last lines of the process's log."""
        return self.log_since(0)[-lines:]

    def log_size(self) -> int:
        """Return the size of the process's log, in bytes."""
        return self.log_path.stat().st_size if self.log_path.exists() else 0

    def log_since(self, size: int) -> list[str]:
        """Return the lines that the process has logged since its log had this size."""
        if not self.log_path.exists():
            return []
        with self.log_path.open("rb") as log:
            log.seek(size)
            return log.read().decode(errors="replace").splitlines()

    def _read_pid(self) -> int | None:
        """Read the pid, which the new process writes just after the lock is taken."""
        deadline = time.monotonic() + PROBE_PATIENCE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, ValueError):
                return int(self._pid_path.read_text())
            time.sleep(0.02)
        return None

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._child is not None:
                self._child.poll()
            if self.pid() is None:
                return True
            time.sleep(0.05)
        return False

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait(timeout=STOP_GRACE_S)
            self._child = None

    @staticmethod
    def _signal_group(pid: int, number: signal.Signals) -> None:
        # macOS answers EPERM instead of ESRCH for a group whose last members are about to be reaped.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)
