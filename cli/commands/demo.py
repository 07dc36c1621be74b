"""Fill a lake on this laptop with 30 days of playlists.

The emulator starts and the stack is deployed first, unless both are there already. Afterwards it runs four queries.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

import typer

from cli import environments
from cli.options import day
from cli.stack import need_room, run_demo
from cli.terminal import Terminal

EXAMPLES: Final = ("./lake demo", "./lake demo --last-day 2026-09-30")


def command(
    *,
    last_day: Annotated[
        date | None,
        typer.Option(parser=day, metavar="YYYY-MM-DD", help="Last of the 30 days (default: yesterday, UTC)."),
    ] = None,
) -> None:
    """Run the command; see the module."""
    need_room()
    environments.need("sam", "emulator")
    run_demo(Terminal().console, last_day)
