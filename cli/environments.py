"""The environments below .tools that a command needs besides .venv."""

from __future__ import annotations

import subprocess
import sys

from cli.stack import ROOT, OpsError


def need(*names: str) -> None:
    """Install environments that are missing or older than their lock files, as the Makefile does.

    Parameters
    ----------
    names
        Of files in requirements/, such as ``emulator``.

    Raises
    ------
    OpsError
        The packages could not be installed; make's output says why.
    """
    stamps = [f".tools/{name}/.installed" for name in names]
    done = subprocess.run(
        ["make", "--silent", "--no-print-directory", "-C", str(ROOT), *stamps],  # noqa: S607 # nosec B607 # the make that the person has
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        raise OpsError(f"The environments {', '.join(names)} could not be installed: see above.")
