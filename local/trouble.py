"""What on this machine makes commands of the laptop stack fail: a full disk, or an emulator that has stopped."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Final

from botocore import exceptions as aws

from local.errors import LaptopError
from local.process import BackgroundProcess
from spotify_lake.log_lines import is_disk_full

MEGABYTE: Final = 1_000_000
FULL_MB: Final = 20  # with less, whatever failed will fail again
FULL_CODES: Final = {errno.ENOSPC, errno.EDQUOT}
NO_ANSWER: Final = (aws.ConnectionError, aws.HTTPClientError)


def free_mb(path: Path) -> int:
    """Return the free space, in megabytes, where a file or folder is or would be."""
    there = next(one for one in (path, *path.absolute().parents) if one.exists())
    return shutil.disk_usage(there).free // MEGABYTE


def need(path: Path, megabytes: int) -> None:
    """Check that there is room for what a command is about to write.

    Raises
    ------
    LaptopError
        There is less.
    """
    if (free := free_mb(path)) < megabytes:
        raise LaptopError(
            f"The disk is too full: this needs about {megabytes:,} MB below {path}, and {free:,} MB are free."
            " Make room, then run the command again."
        )


def is_full_for(folder: Path) -> bool:
    """Return whether there is too little room for anything."""
    return free_mb(folder) < FULL_MB


def disk_is_full(folder: Path) -> str:
    """Say that the disk is full, and what to do."""
    return (
        f"The disk is full: {free_mb(folder):,} MB are free for {folder}. Make room (`./lake down` deletes the lake on"
        " this laptop), then run the command again."
    )


def explain(error: BaseException, folder: Path, emulator: BackgroundProcess) -> str | None:
    """Say what on this machine a failure comes from.

    Parameters
    ----------
    error
        What a command failed with.
    folder
        Where the laptop stack writes.
    emulator
        The emulator.

    Returns
    -------
    str or None
        A sentence; None if the machine is not to blame.
    """
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    texts = [text for each in chain for text in (str(each), *getattr(each, "__notes__", ()))]
    is_full = any(isinstance(each, OSError) and each.errno in FULL_CODES for each in chain)
    if is_full or is_disk_full(texts) or is_full_for(folder):
        return disk_is_full(folder)
    if any(isinstance(each, NO_ANSWER) for each in chain):
        if emulator.pid() is None:
            return (
                "The AWS emulator on this laptop has stopped, and its data is lost. Run `./lake up` to start it again,"
                f" or `./lake demo` to fill it, too. Its log: {emulator.log_path}"
            )
        return f"The AWS emulator on this laptop does not answer. Its log: {emulator.log_path}"
    return None
