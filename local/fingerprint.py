"""Digests of files, by which a later command sees that something has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def fingerprint(root: Path, names: Iterable[str], *extra: str) -> str:
    """Return a digest of the content and paths of files.

    Parameters
    ----------
    root
        Directory that contains `names`.
    names
        Files and directories below `root`. A directory stands for all files in it, except compiled Python and
        hidden files; a missing name for an empty directory.
    extra
        More text to include in the digest.
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
