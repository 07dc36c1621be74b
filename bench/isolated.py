"""Runs Python as Lambda does: with the built layers and the runtime's boto3, and no other packages."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from local.deploy import Deployment, Tools

ROOT: Final = Path(__file__).resolve().parents[1]
LAYERS: Final = ("CommonLayer", "PandasLayer")
RUNTIME: Final = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
# ru_maxrss is the last resort: on Linux it starts with what the parent had at the time of the fork.
_REPORT: Final = """
import re as _re, resource as _resource, sys as _sys
_usage = _resource.getrusage(_resource.RUSAGE_SELF)
try:
    with open("/proc/self/status") as _status:
        _peak_kb = int(_re.search(r"VmHWM:\\s+(\\d+)", _status.read())[1])
except FileNotFoundError:
    _peak_kb = _usage.ru_maxrss / 1024  # bytes on a Mac
_sys.stderr.write(f"\\n{_usage.ru_utime + _usage.ru_stime} {_peak_kb}")
"""


@dataclass(frozen=True)
class Used:
    """CPU seconds and peak resident memory (MB) of a Python process, and what it printed."""

    cpu_s: float
    peak_mb: float
    output: str


@cache
def build() -> Path:
    """Build the layers for this machine if necessary; return their folder."""
    deployment = Deployment(ROOT, Tools.below(ROOT), ROOT / ".local" / "bench")
    if not deployment.is_built():
        deployment.build()
    return deployment.settings.build_dir


class LambdaPython:
    """Python with layers and runtime.

    Parameters
    ----------
    folders
        Folders to import from.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._path = [str(folder) for folder in folders]

    def run(self, code: str, path: Sequence[Path | str] = (), **environ: str) -> Used:
        """Run Python code to its end; return what it used.

        Parameters
        ----------
        code
            Statements.
        path
            Further folders to import from.
        environ
            Further environment variables.
        """
        search = os.pathsep.join([*map(str, path), *self._path])
        # Lambda can write neither into a layer nor into its runtime.
        env = {"PYTHONPATH": search, "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.defpath} | environ
        command = [sys.executable, "-S", "-c", code + _REPORT]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
        if done.returncode:
            raise RuntimeError(f"This Python code failed:\n{code}\n{done.stderr}")
        cpu_s, peak_kb = done.stderr.rsplit("\n", 1)[1].split()
        return Used(float(cpu_s), float(peak_kb) / 1024, done.stdout)


@contextmanager
def lambda_python(*, compiled: bool = True) -> Iterator[LambdaPython]:
    """Provide what a function finds on Lambda, for as long as the context lasts.

    Parameters
    ----------
    compiled
        Whether the layers contain compiled modules, as in a normal build.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        layers = [build() / layer / "python" for layer in LAYERS]
        if not compiled:
            without = shutil.ignore_patterns("__pycache__")
            layers = [
                shutil.copytree(layer, Path(folder) / layer.parent.name, ignore=without) for layer in layers
            ]
        yield LambdaPython([*layers, Path(_runtime().name)])


@cache
def _runtime() -> tempfile.TemporaryDirectory[str]:
    """Copy the runtime's packages, compiled as on Lambda; deleted when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="bench-")
    [packages] = (ROOT / ".tools" / "emulator" / "lib").glob("python3.*/site-packages")
    for package in RUNTIME:
        copy = shutil.copytree if (packages / package).is_dir() else shutil.copy
        copy(packages / package, Path(folder.name) / package)
    compileall.compile_dir(folder.name, quiet=2)
    return folder
