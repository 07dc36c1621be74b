"""The exception of the laptop stack: a message for people, and where to read more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spotify_lake.errors import LakeError


class LaptopError(LakeError):
    """An error that the user can understand and fix.

    Parameters
    ----------
    message
        What happened and what to do, in full sentences.
    log
        The log file with the details.
    excerpt
        The relevant lines of that log.
    """

    def __init__(self, message: str, *, log: Path | None = None, excerpt: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = log
        self.excerpt = tuple(excerpt)
        for line in self.excerpt:
            self.add_note(line)
        if log is not None:
            self.add_note(f"Log: {log}")
