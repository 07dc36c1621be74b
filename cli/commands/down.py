"""Stop everything that runs on this laptop and delete its data."""

from __future__ import annotations

from typing import Final

from cli.stack import stop_laptop
from cli.terminal import Terminal

EXAMPLES: Final = ("./lake down",)


def command() -> None:
    """Run the command; see the module."""
    if stop_laptop():
        Terminal().say(
            "Stopped, and its data is deleted; `./lake demo` creates it again. `make clean` also removes what was"
            " installed and built (about 1.5 GB)."
        )
    else:
        Terminal().say("The laptop stack is not running.")
