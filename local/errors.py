"""The one exception of the laptop stack: a sentence for a person, and where to read more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class LaptopError(Exception):
    """Something that a person can understand and put right.

    Parameters
    ----------
    message
        What happened and what to do, in whole sentences.
    log
        The log file that holds the details.
    excerpt
        The telling lines of that log.
    """

    def __init__(self, message: str, *, log: Path | None = None, excerpt: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = log
        self.excerpt = tuple(excerpt)
