"""The demo: a month of playlists through the deployed functions, and four questions to the lake."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from local.display import bar, cell, sparkline
from local.errors import LaptopError
from queries import queries

if TYPE_CHECKING:
    from rich.console import Console

    from local.athena import QueryResult, Value
    from local.display import Steps
    from local.stack import LaptopStack

# Always the same days: another run of the demo finds its snapshots and changes nothing.
FIRST_DAY = dt.date(2026, 9, 1)
DAYS = 30
TAKEN_AT = dt.time(6, tzinfo=dt.UTC)

MOST_FAILURES_SHOWN = 5
BAR_WIDTH = 16  # characters, shared by the measures of a row


def run(stack: LaptopStack, console: Console, steps: Steps) -> None:
    """Deploy, fill and query the laptop stack.

    Raises
    ------
    LaptopError
        Something does not work; the message says what.
    """
    started = time.monotonic()
    console.print("\n[bold]Spotify Lake on this laptop[/]\n")
    if not stack.up():
        steps.done("Found the laptop stack running and up to date", time.monotonic() - started)
    added = fill(stack, console, steps)
    check(stack)
    page = write_report(stack, steps)
    show(stack, console)
    news = f"{added} snapshots are new" if added else "nothing is new: every snapshot was there already"
    console.print(f"\n[green]Done[/] in {time.monotonic() - started:.0f} s; {news}.", highlight=False)
    show_next_steps(console, page)


def write_report(stack: LaptopStack, steps: Steps) -> Path:
    """Write the report with the deployed function, and save the page where a browser can open it.

    Raises
    ------
    LaptopError
        The function fails.
    """
    with steps("Writing the report with the deployed function"):
        path = stack.state_dir / "report" / "index.html"
        page = stack.report()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page)
    return path


def moments() -> Iterator[dt.datetime]:
    """Yield the scheduled times of the demo's snapshots."""
    for number in range(DAYS):
        yield dt.datetime.combine(FIRST_DAY + dt.timedelta(days=number), TAKEN_AT)


def fill(stack: LaptopStack, console: Console, steps: Steps) -> int:
    """Extract every day of the demo, one after the other, and wait for the transform.

    Returns
    -------
    int
        Snapshots that were written; those of an earlier run stay as they are.

    Raises
    ------
    LaptopError
        The extract function fails or leaves playlists out, or the transform gets stuck.
    """
    started = time.monotonic()
    added = 0
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("[dim]{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        extracting = progress.add_task("Extract: days", total=DAYS, note="")
        transforming = progress.add_task("Transform: snapshots", total=None, note="")
        for moment in moments():
            progress.update(extracting, note=f"{moment:%B %-d}")
            result = stack.invoke_extract(moment)
            _refuse_failures(result, moment)
            added += len(result["written"])
            progress.update(extracting, advance=1)
            if result["written"]:
                backlog = stack.backlog()
                progress.update(transforming, completed=backlog.done, total=backlog.raw)
        extracted = time.monotonic()
        stack.wait_until_idle(
            progress=lambda backlog: progress.update(transforming, completed=backlog.done, total=backlog.raw)
        )
    if added:
        steps.done(f"Extracting {DAYS} days of playlists with the deployed function", extracted - started)
        steps.done("Waiting for the transform function to make tables of them", time.monotonic() - extracted)
    else:
        steps.done(f"Extracting {DAYS} days of playlists: all there from an earlier run", extracted - started)
    return added


def _refuse_failures(result: dict[str, Any], moment: dt.datetime) -> None:
    failed = result["failed"]
    if failed:
        lines = [f"{item['playlist_id']}: {item['message']}" for item in failed[:MOST_FAILURES_SHOWN]]
        raise LaptopError(
            f"{len(failed)} playlists were not extracted for {moment:%Y-%m-%d}. "
            "See `make logs FUNCTION=extract`.",
            excerpt=lines,
        )


def check(stack: LaptopStack) -> None:
    """Make sure that nothing was lost on the way.

    Raises
    ------
    LaptopError
        A dead-letter queue holds messages, or snapshots have no tables.
    """
    dead = stack.dead_letters()
    if dead:
        queues = ", ".join(f"{count} in {name}" for name, count in dead.items())
        raise LaptopError(f"Messages ended in dead-letter queues: {queues}. `make logs` tells why.")
    backlog = stack.backlog()
    if not backlog.is_clear:
        raise LaptopError(
            f"{backlog.raw - backlog.done} of {backlog.raw} snapshots have not become tables, "
            "and no queue holds them. `make logs FUNCTION=transform` tells more."
        )


def show(stack: LaptopStack, console: Console) -> None:
    """Ask the lake what it holds, and the four questions."""
    console.print()
    console.print(_contents(stack))
    console.print(_rejects(stack), highlight=False)
    console.print(
        "[green]Dead-letter queues are empty.[/] [dim]Every snapshot became tables.[/]", highlight=False
    )
    console.print(
        "[dim]The songs are real (TidyTuesday 2020-01-21, CC0); the playlists and their history are made up.[/]",
        highlight=False,
    )
    questions = queries()
    for name, lay_out in (
        ("top_artists", _with_bars("appearances")),
        ("albums_by_tracks", _with_bars("tracks")),
        ("song_position", _journey),
        ("entered_and_left", _with_bars("entered", "gone")),
    ):
        query = questions[name]
        result = stack.athena(query.sql)
        console.print(f"\n[bold]{escape(query.summary)}[/]  [dim]queries/{query.file}[/]", highlight=False)
        console.print(Padding(lay_out(result), (0, 0, 0, 2)))


def _contents(stack: LaptopStack) -> Table:
    """Rows of each table of snapshots, asked in one query."""
    of_snapshots = [table for table in stack.tables() if _is_of_snapshots(table)]
    tables = sorted(table["Name"] for table in of_snapshots)
    counts = stack.athena(
        " UNION ALL ".join(
            f"SELECT '{name}' AS name, count(*) AS n, "  # noqa: S608 # nosec B608 # names of the catalog
            f"count(DISTINCT snapshot_date) AS days FROM {name}"
            for name in tables
        )
    )
    by_name = {record["name"]: record for record in counts.records()}
    view = Table(title="In the lake", title_justify="left", title_style="bold")
    view.add_column("table")
    view.add_column("one row per", style="dim")
    view.add_column("rows", justify="right")
    view.add_column("days", justify="right")
    for table in of_snapshots:
        record = by_name[table["Name"]]
        grain = table.get("Description", "").rpartition("One row: ")[2].rstrip(".")
        view.add_row(table["Name"], grain, f"{record['n']:,}", str(record["days"]))
    return view


def _is_of_snapshots(table: dict[str, Any]) -> bool:
    return any(key["Name"] == "snapshot_date" for key in table.get("PartitionKeys", []))


def _rejects(stack: LaptopStack) -> str:
    result = stack.athena(
        "SELECT reason, count(*) AS entries FROM rejects GROUP BY reason ORDER BY entries DESC, reason"
    )
    if not result.rows:
        return "[green]No rejects.[/] [dim]Every playlist entry became a row.[/]"
    reasons = ", ".join(f"{entries} {reason}" for reason, entries in result.rows)
    return (
        f"[yellow]Rejects:[/] {escape(reasons)} [dim](kept with reason and payload in the table rejects)[/]"
    )


def _with_bars(*measures: str) -> Callable[[QueryResult], Table]:
    """Return a layout that draws the given columns as bars beside their numbers, in one column each."""

    def lay_out(result: QueryResult) -> Table:
        records = result.records()
        largest = max((_number(record[name]) for record in records for name in measures), default=0)
        width = BAR_WIDTH // len(measures)
        view = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column in result.columns:
            right = column.is_number and column.name not in measures
            # Where it gets narrow, long names are cut, and nothing else.
            view.add_column(
                column.name, justify="right" if right else "left", no_wrap=column.type != "varchar"
            )
        for record in records:
            view.add_row(
                *(
                    _measure(_number(value), largest, width) if name in measures else cell(value)
                    for name, value in record.items()
                )
            )
        return view

    return lay_out


def _measure(value: float, largest: float, width: int) -> Text:
    return Text.assemble(
        f"{value:>{len(f'{largest:.0f}')}.0f} ", (f"{bar(value, largest, width):<{width}}", "cyan")
    )


def _journey(result: QueryResult) -> Group | Text:
    """Draw where a song stood from day to day."""
    records = result.records()
    present = [record for record in records if record["position"] is not None]
    if not present:
        return Text("No song has moved yet.")
    positions = [None if r["position"] is None else _number(r["position"]) for r in records]
    best = min(present, key=lambda record: _number(record["position"]))
    first, last = records[0], records[-1]
    song = present[-1]
    return Group(
        Text.assemble((str(song["song"]), "bold"), f" by {song['artists']}, in “{song['playlist']}”"),
        Text.assemble(
            (f"{first['day']}  {_place(first['position']):>4} ", "dim"),
            (sparkline(positions, low_is_high=True), "cyan"),
            (f" {_place(last['position']):<4}  {last['day']}", "dim"),
        ),
        Text(
            f"Best: {_place(best['position'])} on {best['day']}. In the list on {len(present)} of {len(records)} days."
        ),
    )


def _place(position: Value) -> str:
    return "out" if position is None else f"#{position}"


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float | Decimal) else 0.0


def show_next_steps(console: Console, page: Path) -> None:
    """Say what one can do now."""
    console.print("\nThe report is a web page; open it in a browser:")
    console.print(Text(f"  {page}", style="cyan"), soft_wrap=True)
    console.print()
    for command, effect in (
        ('make query SQL="SELECT name FROM songs LIMIT 9"', "ask the lake yourself"),
        ("make logs", "see what the functions did"),
        ("make down", "stop it (its data goes too)"),
        ("README.md", "deploy the same template to AWS"),
    ):
        console.print(Text.assemble((f"{command:<49}", "bold"), effect))
    console.print()
