"""The front of the laptop's AWS emulator: it lets only signed requests of this start's own keys through.

The emulator itself answers everybody who reaches its port, web pages too, and takes several keys for the account's
owner without checking a signature. The front runs in the emulator's process, as ASGI middleware around its application.
It needs nothing that is not in the emulator's environment already, but for the translation of SQL
(`local.front.athena`).
"""

import hashlib
from typing import Final

# What SQL that is DuckDB's already begins with, as `./lake query` sends it.
TRANSLATED: Final = "/* translated */ "


def health_token(secret_key: str) -> str:
    """Return the bearer token that opens the emulator's health, and nothing else.

    It is sent to whoever listens on the port, perhaps before the emulator does, so it does not reveal the key.
    """
    return hashlib.sha256(f"health {secret_key}".encode()).hexdigest()
