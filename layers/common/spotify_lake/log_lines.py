"""Finds the errors among the lines of a function's log, and those that no retry changes. Pure."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

# A missing permission, code that cannot be loaded, or no room.
_LASTING: Final = re.compile(r"AccessDenied|not authorized|ImportModuleError|No module named")
_DISK_FULL: Final = re.compile(r"No space left on device|Disk quota exceeded|ENOSPC|EDQUOT")
_ERROR_LEVELS: Final = {"ERROR", "CRITICAL"}


def errors_in(lines: Iterable[str]) -> list[str]:
    """Return the errors among the lines of a function's log, each as a sentence."""
    found = []
    for line in lines:
        try:
            fields = json.loads(line)
        except ValueError:
            if line.startswith("[ERROR]"):
                found.append(" ".join(line.removeprefix("[ERROR]").split()))
            continue
        if isinstance(fields, dict) and fields.get("level") in _ERROR_LEVELS:
            message = str(fields.get("message", ""))
            exception = str(fields.get("exception") or "").strip().splitlines()
            found.append(f"{message}: {exception[-1]}" if exception else message)
    return found


def is_lasting(errors: Sequence[str]) -> bool:
    """Return whether one of some errors stays, however often the function tries again."""
    return any(map(_LASTING.search, errors)) or is_disk_full(errors)


def is_disk_full(errors: Iterable[str]) -> bool:
    """Return whether one of some errors, or lines of any log, says that the disk is full."""
    return any(map(_DISK_FULL.search, errors))
