"""The result of invoking a function of the laptop stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Invocation:
    """The result of invoking a function.

    Attributes
    ----------
    payload
        The returned value, or the description of the error.
    error
        The kind of error, such as ``Unhandled``, if it raised or timed out, else None.
    """

    payload: Any
    error: str | None

    @property
    def message(self) -> str:
        """The error as a sentence."""
        if isinstance(self.payload, dict) and "errorMessage" in self.payload:
            return str(self.payload["errorMessage"])
        return str(self.payload)
