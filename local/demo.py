"""The demo: runs 30 days of playlists and three years of plays through the lake, and asks it five questions."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
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

from local import made_up_export, private
from local.backlog import keys_below
from local.display import bar, sparkline
from local.errors import LaptopError
from queries import queries
from queries.display import cell
from spotify_lake import keys
from spotify_lake.athena import QueryResult
from spotify_lake.printable import printable
from spotify_lake.schema.listening import PLAY_FILES

if TYPE_CHECKING:
    from rich.console import Console

    from local.display import Steps
    from local.stack import LaptopStack
    from spotify_lake.athena import Value

DAYS = 30
# Late in the day, so that yesterday's snapshot counts as fresh (StaleAfterHours) all day long.
TAKEN_AT = dt.time(23, tzinfo=dt.UTC)

MOST_FAILURES_SHOWN = 5
ARTISTS_SHOWN = 5
BAR_WIDTH = 16  # characters, shared by the measures of a row


def run(
    stack: LaptopStack,
    console: Console,
    steps: Steps,
    import_files: Callable[[Sequence[Path]], None],
    last_day: dt.date | None = None,
) -> None:
    """Deploy, fill and query the laptop stack.

    Snapshots that are already in the lake stay: running the demo again on the same day adds nothing, and a day later
    it adds one day.

    Parameters
    ----------
    stack, console, steps
        What to fill, and where to show it.
    import_files
        Imports archives of Spotify's data export, and does not wait for the transform.
    last_day
        The last of the 30 days; by default yesterday (UTC).

    Raises
    ------
    LaptopError
        `last_day` is not over yet, or a step fails.
    """
    started = time.monotonic()
    newest = yesterday()
    last_day = last_day or newest
    if last_day > newest:
        raise LaptopError(
            f"The last day of the demo can be {newest} (yesterday, UTC) or earlier, not {last_day}."
        )
    console.print("\n[bold]Spotify Lake on this laptop[/]\n")
    try:
        if not stack.up():
            steps.done("Found the laptop stack running and up to date", time.monotonic() - started)
        # Before the days: the transform works on the plays while these are extracted.
        with steps(
            f"Importing plays since {made_up_export.listener(last_day).first:%Y}, as ./lake import does"
        ):
            import_files(made_up_export.write(stack.state_dir / "export", last_day))
        added = fill(stack, console, steps, moments(last_day))
    except KeyboardInterrupt as error:
        error.add_note("What is in the lake on this laptop stays there, until `./lake down` deletes it.")
        raise
    check(stack)
    page = write_report(stack, steps)
    show(stack, console)
    news = f"{added} new snapshots" if added else "no new snapshots, as every day was already in the lake"
    console.print(f"\n[green]Done[/] in {time.monotonic() - started:.0f} s: {news}.", highlight=False)
    show_next_steps(console, page)


def write_report(stack: LaptopStack, steps: Steps) -> Path:
    """Have the deployed function write the report, and save the page where a browser can open it.

    Raises
    ------
    LaptopError
        The function fails.
    """
    with steps("Writing the report with the deployed function"):
        path = stack.state_dir / "report" / "index.html"
        page = stack.report()
        private.write(path, page)
    return path


def yesterday() -> dt.date:
    """Return the last day that is over, in UTC."""
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)


def moments(last_day: dt.date) -> list[dt.datetime]:
    """Return the scheduled times of the demo's snapshots, oldest first."""
    last = dt.datetime.combine(last_day, TAKEN_AT)
    return [last - dt.timedelta(days=before) for before in reversed(range(DAYS))]


def fill(stack: LaptopStack, console: Console, steps: Steps, moments: Sequence[dt.datetime]) -> int:
    """Take the snapshots of some moments, one after the other, and wait for the transform.

    Returns
    -------
    int
        Snapshots written; those of an earlier run are kept and not counted.

    Raises
    ------
    LaptopError
        The extract function fails or skips playlists, or the transform gets stuck.
    """
    started = time.monotonic()
    added = 0
    extracting_days = f"Extracting {len(moments)} days ({moments[0]:%Y-%m-%d} to {moments[-1]:%Y-%m-%d})"
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
        extracting = progress.add_task("Extract: days", total=len(moments), note="")
        transforming = progress.add_task("Transform: snapshots", total=None, note="")
        for moment in moments:
            progress.update(extracting, note=f"{moment:%B %-d}")
            result = stack.invoke_extract(moment)
            _refuse_failures(result, moment)
            added += len(result["written"])
            progress.update(extracting, advance=1)
            if result["written"] and not progress.disable:
                backlog = stack.backlog()
                progress.update(transforming, completed=backlog.done, total=backlog.raw)
        extracted = time.monotonic()
        stack.wait_until_idle(
            progress=lambda backlog: progress.update(transforming, completed=backlog.done, total=backlog.raw)
        )
    if added:
        steps.done(extracting_days, extracted - started)
        steps.done("Waiting for the transform function to fill the tables", time.monotonic() - extracted)
    else:
        steps.done(f"{extracting_days}: already in the lake", extracted - started)
    return added


def _refuse_failures(result: dict[str, Any], moment: dt.datetime) -> None:
    failed = result["failed"]
    if failed:
        lines = [f"{item['playlist_id']}: {item['message']}" for item in failed[:MOST_FAILURES_SHOWN]]
        raise LaptopError(
            f"{len(failed)} playlists were not extracted for {moment:%Y-%m-%d}. "
            "`./lake logs extract --laptop` shows why.",
            excerpt=lines,
        )


def check(stack: LaptopStack) -> None:
    """Check that every snapshot reached the tables.

    Raises
    ------
    LaptopError
        A dead-letter queue holds messages, or snapshots are missing from the tables.
    """
    dead = stack.dead_letters()
    if dead:
        queues = ", ".join(f"{count} in {name}" for name, count in dead.items())
        raise LaptopError(f"Dead-letter queues hold messages: {queues}. `./lake logs --laptop` shows why.")
    backlog = stack.backlog()
    if not backlog.is_clear:
        raise LaptopError(
            f"{backlog.raw - backlog.done} of {backlog.raw} snapshots are not in the tables, "
            "and no queue holds them. `./lake logs transform --laptop` shows why."
        )
    if missing := _exports(stack) - _tabled(stack):
        raise LaptopError(
            f"{len(missing)} imported files with plays are not in the tables, and no queue holds them. "
            "`./lake logs transform --laptop` shows why."
        )


def _exports(stack: LaptopStack) -> set[str]:
    """Return the digests of the imported files with plays."""
    found = map(
        keys.in_raw_export_key,
        keys_below(stack.client("s3"), stack.outputs["RawBucketName"], keys.RAW_EXPORTS),
    )
    return {digest for digest in found if digest}


def _tabled(stack: LaptopStack) -> set[str]:
    """Return the names of the objects that the transform writes last."""
    return {
        Path(key).stem
        for key in keys_below(stack.client("s3"), stack.outputs["LakeBucketName"], PLAY_FILES.prefix)
    }


def show(stack: LaptopStack, console: Console) -> None:
    """Show what the lake holds, and ask it five questions."""
    console.print()
    console.print(_contents(stack))
    console.print(_rejects(stack), highlight=False)
    console.print(_plays(stack), highlight=False)
    console.print(
        "[green]Dead-letter queues are empty.[/] [dim]Every snapshot is in the tables.[/]", highlight=False
    )
    console.print(
        "[dim]The songs are real (TidyTuesday 2020-01-21, CC0); the playlists and plays are made up.[/]",
        highlight=False,
    )
    questions = queries()
    for name, lay_out in (
        ("top_artists", _with_bars("appearances")),
        ("albums_by_tracks", _with_bars("tracks")),
        ("song_position", _journey),
        ("entered_and_left", _with_bars("entered", "gone")),
        ("artists_heard_most", _artists),
    ):
        query = questions[name]
        result = stack.athena(query.sql)
        console.print(f"\n[bold]{escape(query.summary)}[/]  [dim]queries/{query.file}[/]", highlight=False)
        console.print(Padding(lay_out(result), (0, 0, 0, 2)))


def _contents(stack: LaptopStack) -> Table:
    """Count the rows of each table of snapshots, in one query."""
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
        return "[green]No rejects.[/] [dim]Every playlist entry is in the tables.[/]"
    reasons = ", ".join(f"{entries} {reason}" for reason, entries in result.rows)
    return (
        f"[yellow]Rejects:[/] {escape(reasons)} [dim](kept with reason and payload in the table rejects)[/]"
    )


def _plays(stack: LaptopStack) -> str:
    result = stack.athena(
        "SELECT count(*) AS files, sum(play_count) AS plays, sum(reject_count) AS rejects,"
        " min(first_played_at) AS first_day, max(last_played_at) AS last_day FROM play_files"
    )
    [found] = result.records()
    if not found["files"]:
        return "[dim]No plays.[/]"
    return (
        f"[green]{found['plays']:,} plays[/] from {found['first_day']:%Y-%m-%d} to {found['last_day']:%Y-%m-%d},"
        f" {found['rejects']} rejects. [dim]{found['files']} files overlap; the view listening has each play once.[/]"
    )


def _artists(result: QueryResult) -> Table:
    """Draw bars for the hours of the first few artists."""
    shown = ("artist", "hours", "plays", "songs")
    columns = [column for column in result.columns if column.name in shown]
    rows = [tuple(record[name] for name in shown) for record in result.records()[:ARTISTS_SHOWN]]
    first = QueryResult(
        tuple(columns), tuple(rows), result.execution_id, result.seconds, result.scanned_bytes
    )
    return _with_bars("hours")(first)


def _with_bars(*measures: str) -> Callable[[QueryResult], Table]:
    """Return a layout that draws a bar beside each number of the given columns."""

    def lay_out(result: QueryResult) -> Table:
        records = result.records()
        largest = max((_number(record[name]) for record in records for name in measures), default=0)
        width = BAR_WIDTH // len(measures)
        view = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column in result.columns:
            right = column.is_number and column.name not in measures
            # In a narrow terminal only texts are truncated.
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
    """Draw a song's position from day to day."""
    records = result.records()
    present = [record for record in records if record["position"] is not None]
    if not present:
        return Text("No song has changed its position yet.")
    positions = [None if r["position"] is None else _number(r["position"]) for r in records]
    best = min(present, key=lambda record: _number(record["position"]))
    first, last = records[0], records[-1]
    song = present[-1]
    return Group(
        Text.assemble(
            (printable(str(song["song"])), "bold"),
            printable(f" by {song['artists']}, in “{song['playlist']}”"),
        ),
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
    """Show where the report is and which commands to try next."""
    console.print("\nThe report is a web page. Open it in a browser:")
    console.print(Text(f"  {page}", style="cyan"), soft_wrap=True)
    console.print()
    for command, effect in (
        ('./lake query --laptop "select name from latest_songs limit 9"', "ask the lake yourself"),
        ("./lake query --laptop --ask year_in_review", "see each year of the plays in a row"),
        ("./lake logs --laptop", "show what the functions logged"),
        ("./lake down", "stop it and delete its data"),
        ("README.md", "deploy the same template to AWS"),
    ):
        console.print(Text.assemble((f"{command:<62}", "bold"), effect))
    console.print()
