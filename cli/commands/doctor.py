"""Check everything a lake needs, one line each, with what to do.

✓ means that a check looked and passed. The command signs in to Spotify and runs two queries in Athena. It shows no
secret and changes nothing, except that it stores a new refresh token if Spotify replaces it. Without a lake, the checks
of the account still run.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import typer
from rich.text import Text

from cli.checkup import Check, Outcome, examine
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK
from cli.terminal import Terminal
from spotify_lake.printable import printable

EXAMPLES: Final = ("./lake doctor", "./lake doctor --laptop")
NAME_WIDTH: Final = 13
_STYLES: Final = {Outcome.PASSED: "green", Outcome.FAILED: "bold red", Outcome.NOT_CHECKED: "yellow"}


def command(*, laptop: Laptop = False, stack: Stack = DEFAULT_STACK) -> None:
    """Run the command; see the module."""
    terminal, outcomes = Terminal(), []
    for check in examine(stack, datetime.now(UTC), laptop=laptop):
        terminal.console.print(_line(check), soft_wrap=True)
        outcomes.append(check.finding.outcome)
    counts = {outcome: outcomes.count(outcome) for outcome in Outcome}
    terminal.say(
        f"\n{counts[Outcome.PASSED]} passed, {counts[Outcome.FAILED]} failed,"
        f" {counts[Outcome.NOT_CHECKED]} not checked. docs/first-deployment.md explains each check."
    )
    if counts[Outcome.FAILED]:
        raise typer.Exit(1)


def _line(check: Check) -> Text:
    outcome = check.finding.outcome
    return Text.assemble(
        (f"{outcome.value} ", _STYLES[outcome]),
        f"{check.name:<{NAME_WIDTH}} ",
        printable(check.finding.text),
    )
