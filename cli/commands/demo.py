"""Fill a lake on this laptop with 30 days of playlists and plays.

The emulator starts and the stack is deployed first, unless both are there already. Then an export with three years of
plays is imported and the days are extracted. Afterwards it runs five queries. Playlists and plays are made up.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from cli import environments
from cli.commands import import_
from cli.options import day
from cli.stack import find, need_room, run_demo
from cli.terminal import SafeConsole, Terminal
from spotify_lake.errors import LakeError

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
    run_demo(Terminal().console, _import, last_day)


def _import(files: Sequence[Path]) -> None:
    """Import files as `./lake import` does; what it reports is shown only if it fails."""
    report = io.StringIO()
    try:
        import_.run(find(laptop=True), Terminal(SafeConsole(file=report)), [str(file) for file in files])
    except LakeError as error:
        for line in report.getvalue().splitlines():
            error.add_note(line)
        raise
