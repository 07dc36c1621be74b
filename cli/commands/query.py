"""Run a query in Athena's SQL, or a saved question.

Without one, it lists the tables. `show tables` and `show columns in songs` (or `describe songs`) list what there is. A
table and Markdown show the first 1,000 rows unless --limit says otherwise; CSV and JSON have all rows.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import itertools
import re
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.columns import Columns
from rich.console import Console
from rich.text import Text

from cli.athena import connect
from cli.catalog import Relation, relations, sql_of
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, OpsError, find
from cli.terminal import Terminal
from queries import GROUPS, Statement, queries
from queries.display import show_result, write_csv, write_json, write_markdown
from spotify_lake.athena import QueryResult, ResultStream, Row
from spotify_lake.errors import LakeError, QueryFailed
from spotify_lake.printable import printable

EXAMPLES: Final = (
    "./lake query",
    './lake query "select name, entry_count from latest_playlists"',
    './lake query "show columns in songs" --laptop',
    "./lake query --list",
    "./lake query --ask top_artists --format csv",
)
SHOWN_ROWS: Final = 1000
TIMEOUT_S: Final = 120.0
# The emulator does not know these statements, and Athena's answer to them lacks the descriptions.
_LISTING = re.compile(
    r"\s*(?:show\s+tables|(?:describe|desc|show\s+columns\s+(?:in|from))\s+(?:\w+\.)?\"?(?P<table>\w+)\"?)?\s*;?\s*",
    re.IGNORECASE,
)
_LACKING_TABLE = re.compile(r"Table '?(?:[\w$-]+\.)*(?P<name>\w+)'? does not exist", re.IGNORECASE)
_LACKING_COLUMN = re.compile(r"Column '?(?:\w+\.)*(?P<name>\w+)'? cannot be resolved", re.IGNORECASE)


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"


_WRITERS: Final = {Format.CSV: write_csv, Format.JSON: write_json, Format.MARKDOWN: write_markdown}


def command(
    sql: Annotated[str, typer.Argument(help="The statement (default: list the tables).")] = "",
    *,
    ask: Annotated[str | None, typer.Option(metavar="NAME", help="Run this saved question.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the saved questions.")] = False,
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TABLE,
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="ROWS", help="Show this many rows; 0 for all.")
    ] = None,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    if (sql and ask) or (list_ and (sql or ask)):
        raise typer.BadParameter("give a statement, --ask or --list, and only one of them")
    terminal = Terminal()
    if list_:
        list_questions(terminal)
        return
    question = saved(ask) if ask else None
    if limit is None:
        limit = SHOWN_ROWS if form in {Format.TABLE, Format.MARKDOWN} else 0
    run(find(laptop=laptop, stack=stack), terminal, question or sql, form, limit)


def list_questions(terminal: Terminal) -> None:
    """Show the names of the saved questions, and what each asks."""
    for group, title in GROUPS.items():
        terminal.heading(title)
        for query in queries().values():
            if query.group == group:
                terminal.show(Text.assemble(f"  {query.name:<26}", (query.summary, "dim")))


def saved(name: str) -> Statement:
    """Return the saved question of a name.

    Raises
    ------
    OpsError
        There is none.
    """
    known = queries()
    if name in known:
        return known[name]
    raise OpsError(
        f"There is no saved question {name}.{_guess(name, known)} `./lake query --list` names them."
    )


def run(
    lake: Lake,
    terminal: Terminal,
    asked: str | Statement,
    form: Format = Format.TABLE,
    limit: int = SHOWN_ROWS,
) -> None:
    """Run one query, or list the tables, and show the answer.

    Parameters
    ----------
    lake, terminal
        Where it runs, and where the answer goes.
    asked
        A statement, or a saved question, whose text is shown too.
    form
        How the answer is written.
    limit
        The rows to show; 0 for all.

    Raises
    ------
    OpsError
        There is no table of the name whose columns are asked for.
    LakeError
        Athena rejects the query, or it fails; its notes have advice.
    """
    if isinstance(asked, Statement):
        notes = terminal.console if form is Format.TABLE else Console(stderr=True)
        notes.print(Text(f"{asked.summary}\n", style="bold"))
        sql = sql_of(lake, asked)
        notes.print(Text(f"{sql}\n", style="dim"), soft_wrap=True)
        asked = sql
    if listing := _LISTING.fullmatch(asked):
        _list(lake, terminal, listing["table"])
        return
    try:
        answer = connect(lake).stream(asked, TIMEOUT_S)
        result, is_cut = _first_rows(answer, limit)
    except LakeError as error:
        _advise(error, asked, lake)
        raise
    _show(terminal, result, form)
    rows = "1 row" if len(result.rows) == 1 else f"{len(result.rows):,} rows"
    more = ": there are more, --limit 0 shows all" if is_cut else ""
    note = Text(f"{'the first ' if is_cut else ''}{rows}{more}", style="yellow" if is_cut else "dim")
    if form is Format.TABLE:
        terminal.show(note)
    else:
        Console(stderr=True).print(note)


def _first_rows(answer: ResultStream, limit: int) -> tuple[QueryResult, bool]:
    """Read up to `limit` rows; the second value says whether there are more."""
    every: Iterable[Row] = itertools.chain.from_iterable(answer.pages)
    rows = tuple(itertools.islice(every, limit + 1) if limit else every)
    is_cut = bool(limit) and len(rows) > limit
    shown = rows[:limit] if is_cut else rows
    return QueryResult(answer.columns, shown, answer.execution_id, 0.0, answer.scanned_bytes), is_cut


def _show(terminal: Terminal, result: QueryResult, form: Format) -> None:
    if form in _WRITERS:
        written = io.StringIO()
        _WRITERS[form](written, result)
        text = written.getvalue()
        # A file or a program gets the data; a terminal must not obey it.
        sys.stdout.write(printable(text, keep="\n") if sys.stdout.isatty() else text)
        return
    console = terminal.console
    is_long = console.is_terminal and len(result.rows) + 6 > console.height
    with console.pager() if is_long else contextlib.nullcontext():
        show_result(console, result)


def _list(lake: Lake, terminal: Terminal, name: str | None) -> None:
    found = relations(lake)
    if name is not None:
        _list_columns(terminal, found, name)
        return
    for title, of_views in (("Tables", False), ("Views", True)):
        names = [one for one, relation in found.items() if relation.about.startswith("View.") == of_views]
        if names:
            terminal.heading(title)
            terminal.show(Columns(sorted(names), padding=(0, 2), column_first=True, equal=True))
            terminal.say()
    command = lake.command('query "show columns in songs"')
    terminal.show(Text(f"{command} shows the columns of one; --list shows the saved questions.", style="dim"))


def _list_columns(terminal: Terminal, found: dict[str, Relation], name: str) -> None:
    relation = found.get(name.lower())
    if relation is None:
        raise OpsError(
            f"There is no table or view {name}.{_guess(name, found)} There are {', '.join(sorted(found))}."
        )
    terminal.show(Text.assemble((name.lower(), "bold"), "  ", (relation.about, "dim")))
    for column, kind in relation.columns.items():
        terminal.show(Text.assemble(f"  {column:<24}", (kind, "cyan")))


def _advise(error: LakeError, sql: str, lake: Lake) -> None:
    """Add to an error of Athena what is likely meant."""
    text = str(error)
    if "Did you mean" in text:
        return
    if "written twice" not in text and sql.count("'") % 2:
        error.add_note("A quote inside a text is written twice: 'Don''t'.")
    table, column = _LACKING_TABLE.search(text), _LACKING_COLUMN.search(text)
    if not isinstance(error, QueryFailed) or not (table or column):
        return
    found = relations(lake)
    if table:
        guess = _guess(table["name"], found)
        error.add_note(f"{guess.strip()} `{lake.command('query')}` lists the tables.".strip())
    elif column:
        read = [found[word] for word in set(re.findall(r"\w+", sql.lower())) if word in found]
        if guess := _guess(column["name"], {one for relation in read for one in relation.columns}):
            error.add_note(guess.strip())
        if re.search(rf"\"{re.escape(column['name'])}\"", sql, re.IGNORECASE):
            error.add_note("Text stands in single quotes; double quotes are for names.")


def _guess(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""
