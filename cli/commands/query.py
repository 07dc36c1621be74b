"""Run a query in Athena's SQL; without one, list the tables."""

from __future__ import annotations

import re
from typing import Annotated, Final

import typer
from rich.text import Text

from cli.athena import connect
from cli.catalog import relations
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, OpsError, find
from cli.terminal import Terminal
from queries.display import show_result

EXAMPLES: Final = (
    "./lake query",
    './lake query "select name, entry_count from latest_playlists"',
    './lake query "describe songs" --laptop',
)
# The emulator does not know these statements, and Athena's answer to them lacks the descriptions.
_LISTING = re.compile(r"\s*(?:show\s+tables|describe\s+(?P<table>\w+))?\s*;?\s*", re.IGNORECASE)


def command(
    sql: Annotated[str, typer.Argument(help="The statement (default: list tables and columns).")] = "",
    *,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    run(find(laptop=laptop, stack=stack), Terminal(), sql)


def run(lake: Lake, terminal: Terminal, sql: str) -> None:
    """Run one query, or list the tables, and show the answer.

    Raises
    ------
    OpsError
        There is no table of the name that `describe` asks for.
    LakeError
        Athena rejects the query, or it fails.
    """
    if listing := _LISTING.fullmatch(sql):
        _list_tables(lake, terminal, listing["table"])
        return
    result = connect(lake).run(sql)
    show_result(terminal.console, result)
    rows = "1 row" if len(result.rows) == 1 else f"{len(result.rows):,} rows"
    terminal.show(Text(f"{rows} in {result.seconds:.2f} s", style="dim"))


def _list_tables(lake: Lake, terminal: Terminal, name: str | None) -> None:
    found = relations(lake)
    if name is not None and name.lower() not in found:
        raise OpsError(f"There is no table or view {name}. There are {', '.join(sorted(found))}.")
    for shown in found if name is None else [name.lower()]:
        terminal.show(Text.assemble("\n", (shown, "bold"), "  ", (found[shown].about, "dim")))
        for column, kind in found[shown].columns.items():
            terminal.show(Text.assemble(f"  {column:<24}", (kind, "cyan")))
