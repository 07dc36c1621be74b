"""Files that only the user who runs the laptop stack may read: its keys, its logs and what it stores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

UMASK = 0o077
"""Takes all permissions of groups and others from what a program creates."""


def directory(path: Path) -> Path:
    """Make a directory, and those above it that are missing, accessible to its owner only; return it."""
    for missing in reversed([one for one in (path, *path.parents) if not one.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    return path


def open_file(path: Path, mode: str) -> IO[Any]:
    """Open a file, and let only its owner read it, even if it was there before."""
    file = open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115 - Path.open takes no opener; the caller closes it
    os.fchmod(file.fileno(), 0o600)
    return file


def write(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, in a directory that only its owner may enter."""
    directory(path.parent)
    with open_file(path, "wb") as file:
        file.write(data)
