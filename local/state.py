"""The file in which one command of the laptop stack leaves for the next what is running and deployed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from local import private


@dataclass
class State:
    """The processes that were started and the stack that was deployed.

    Attributes
    ----------
    emulator_id
        A new random id for each start of the emulator, whose memory holds everything that is deployed.
    access_key, secret_key
        The keys of the account's owner, new for each start of the emulator.
    stub_token
        The bearer token of the stub's control interface, new for each start of the stub.
    deployed
        Fingerprint of what was deployed to that emulator.
    """

    emulator_port: int | None = None
    emulator_version: str | None = None
    emulator_id: str | None = None
    access_key: str = ""
    secret_key: str = ""
    stub_port: int | None = None
    stub_version: str | None = None
    stub_token: str = ""
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
        draft = path.with_suffix(".draft")
        private.write(draft, f"{json.dumps(asdict(self), indent=2)}\n".encode())
        draft.replace(path)
