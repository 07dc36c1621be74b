"""The file in which one command of the laptop stack leaves for the next what is running and deployed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass
class State:
    """The processes that were started and the stack that was deployed.

    Attributes
    ----------
    emulator_id
        A new random id for each start of the emulator, whose memory holds everything that is deployed.
    deployed
        Fingerprint of what was deployed to that emulator.
    """

    emulator_port: int | None = None
    emulator_version: str | None = None
    emulator_id: str | None = None
    stub_port: int | None = None
    stub_version: str | None = None
    deployed: str | None = None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the state; a missing or unreadable file gives an empty state."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return cls()

    def save(self, path: Path) -> None:
        """Write the state atomically, so an interruption never leaves half a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(path)
