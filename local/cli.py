"""The commands of the laptop stack: ``python -m local demo``, ``up``, ``down``, ``query``, ``logs``, ``status``."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from local import bulk, demo
from local.display import Steps, show_error, show_result
from local.emulator import client_environment, leave_aws
from local.errors import LaptopError
from local.sql_dialect import declared, no_such_table
from local.stack import LaptopStack
from queries import views

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

FUNCTIONS = ("extract", "transform", "report", "arrival")
LOG_LINES = 60
INTERRUPTED = 130  # what shells report for Ctrl-C

_LEVEL_STYLES = {"ERROR": "bold red", "CRITICAL": "bold red", "WARNING": "yellow", "DEBUG": "dim"}
# Fields that Powertools adds to every line, left out here.
_LOG_BOILERPLATE = frozenset(
    {
        "level",
        "location",
        "message",
        "timestamp",
        "service",
        "cold_start",
        "function_name",
        "function_memory_size",
        "function_arn",
        "function_request_id",
        "xray_trace_id",
        "exception",
        "exception_name",
        "stack_trace",
    }
)


# The emulator does not support these statements; the Glue Data Catalog has the answer.
_LISTING = re.compile(r"\s*(?:show\s+tables|describe\s+(?P<table>\w+))?\s*;?\s*", re.IGNORECASE)
# Lines that the Lambda service writes around each invocation.
_PLATFORM_NOISE = re.compile(r"(?:START|END) RequestId: ")
_REPORT = re.compile(r"REPORT RequestId: \S+\s+Duration: (?P<duration>[\d.]+ ms)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = _parser().parse_args(argv)
    root = Path(__file__).resolve().parent.parent
    console = Console()
    errors = Console(stderr=True)
    leave_aws(os.environ)
    signal.signal(signal.SIGTERM, _interrupt)
    steps = Steps(console)
    stack: LaptopStack | None = None
    try:
        stack = LaptopStack(root, root / ".local", step=steps)
        arguments.command(stack, console, steps, arguments)
    except LaptopError as error:
        show_error(errors, error)
        return 1
    except (BotoCoreError, ClientError) as error:
        log = stack.emulator.process.log_path if stack else None
        show_error(errors, LaptopError(f"The emulator rejected a request: {error}", log=log))
        return 1
    except KeyboardInterrupt:
        errors.print(
            "\nInterrupted. Run the same command again to continue, or `make down` to stop everything."
        )
        return INTERRUPTED
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="Spotify Lake on this machine: the same template, deployed to an emulator.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, command: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    filled = add("demo", _demo, "Deploy the stack, fill it with 30 days of playlists and query it.")
    filled.add_argument(
        "--last-day",
        type=_day,
        metavar="YYYY-MM-DD",
        help="the last of the 30 days (default: yesterday, UTC)",
    )
    add(
        "bulk-demo",
        _bulk_demo,
        "Generate both bulk data sets, load them with Spark on this machine and query them.",
    )
    add("up", _up, "Start the emulator and deploy the stack, without data.")
    add("down", _down, "Stop everything and delete the data.")
    query = add("query", _query, "Run one query in Athena's SQL; without one, list tables and columns.")
    query.add_argument("sql", nargs="?", default="", help="the statement")
    logs = add("logs", _logs, "Show the functions' logs, newest last.")
    logs.add_argument(
        "function",
        nargs="?",
        default=os.environ.get("FUNCTION", ""),
        help=f"one of {', '.join(FUNCTIONS)} (default: all, or the variable FUNCTION)",
    )
    logs.add_argument("--lines", type=int, default=LOG_LINES, help=f"number of lines (default: {LOG_LINES})")
    add("status", _status, "Show addresses, backlog and dead letters.")
    return parser


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2026-09-30") from None


def _demo(stack: LaptopStack, console: Console, steps: Steps, arguments: argparse.Namespace) -> None:
    demo.run(stack, console, steps, arguments.last_day)


def _bulk_demo(stack: LaptopStack, console: Console, steps: Steps, _arguments: argparse.Namespace) -> None:
    bulk.demo(stack, console, steps)


def _up(stack: LaptopStack, console: Console, _steps: Steps, _arguments: argparse.Namespace) -> None:
    stack.up()
    _show_where(stack, console)
    console.print("\nTo point the AWS command-line tool or an SDK at it:")
    for name, value in client_environment(stack.endpoint).items():
        console.print(Text(f"  export {name}={value}"))
    console.print("\n`make demo` fills it with data.")


def _down(stack: LaptopStack, console: Console, _steps: Steps, _arguments: argparse.Namespace) -> None:
    if stack.down():
        console.print("Stopped. Its data was in memory and is deleted; `make demo` creates it again.")
    else:
        console.print("The laptop stack is not running.")


def _query(stack: LaptopStack, console: Console, _steps: Steps, arguments: argparse.Namespace) -> None:
    stack.attach()
    if listing := _LISTING.fullmatch(arguments.sql):
        _show_tables(stack, console, listing["table"])
        return
    result = stack.athena(arguments.sql)
    show_result(console, result)
    rows = "1 row" if len(result.rows) == 1 else f"{len(result.rows):,} rows"
    console.print(f"[dim]{rows} in {result.seconds:.2f} s[/]", highlight=False)


def _show_tables(stack: LaptopStack, console: Console, name: str | None) -> None:
    """Show the table or view `name`, or all of them."""
    tables = {table["Name"]: table.get("Description", "") for table in stack.tables()}
    columns = declared(stack.tables()) | {view: found.types for view, found in views().items()}
    about = tables | {view: f"View. {found.summary}" for view, found in views().items()}
    if name is not None and name.lower() not in about:
        raise LaptopError(no_such_table(name, tables, views()))
    for shown in about if name is None else [name.lower()]:
        console.print(f"\n[bold]{escape(shown)}[/]  [dim]{escape(about[shown])}[/]")
        for column, kind in columns[shown].items():
            console.print(Text.assemble(f"  {column:<24}", (kind, "cyan")))


def _logs(stack: LaptopStack, console: Console, _steps: Steps, arguments: argparse.Namespace) -> None:
    if arguments.function not in ("", *FUNCTIONS):
        raise LaptopError(
            f"There is no function {arguments.function!r}. FUNCTION is one of {', '.join(FUNCTIONS)}."
        )
    stack.attach()
    chosen = [arguments.function] if arguments.function else FUNCTIONS
    lines = [
        (time, name, line)
        for name in chosen
        for time, message in stack.log_events(name, 4 * arguments.lines)
        for line in message.splitlines()
        if line and not _PLATFORM_NOISE.match(line)
    ]
    lines.sort(key=lambda item: item[0])
    if not lines:
        console.print("The functions have not logged anything yet. `make demo` runs them.")
    for time, name, line in lines[-arguments.lines :]:
        console.print(log_line(time, name, line), soft_wrap=True)


def log_line(time: dt.datetime, function: str, line: str) -> Text:
    """Format one line of a function's log for the terminal; lines that are not JSON are not changed."""
    head = (f"{time:%H:%M:%S} ", "dim"), (f"{function:<10}", "cyan")
    if report := _REPORT.match(line):
        return Text.assemble(*head, (f"finished after {report['duration']}", "dim"))
    try:
        fields = json.loads(line)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return Text.assemble(*head, (line, "dim"))
    if "_aws" in fields:
        return Text.assemble(*head, ("metrics  ", "dim"), (_pairs(_metrics(fields)), "dim"))
    level = str(fields.get("level", ""))
    style = _LEVEL_STYLES.get(level, "")
    extras = {name: value for name, value in fields.items() if name not in _LOG_BOILERPLATE}
    message = fields.get("message", "")
    text = message if isinstance(message, str) else json.dumps(message)
    if fields.get("exception"):
        text += f": {str(fields['exception']).splitlines()[-1]}"
    return Text.assemble(
        *head, (f"{level:<8} ", style or "dim"), (text, style), (f"  {_pairs(extras)}", "dim")
    )


def _metrics(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics of a log line in CloudWatch's embedded metric format."""
    names = [
        metric["Name"]
        for group in fields["_aws"].get("CloudWatchMetrics", [])
        for metric in group.get("Metrics", [])
    ]
    return {name: sum(value) if isinstance(value := fields.get(name), list) else value for name in names}


def _pairs(fields: dict[str, Any]) -> str:
    return " ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in fields.items()
    )


def _status(stack: LaptopStack, console: Console, _steps: Steps, _arguments: argparse.Namespace) -> None:
    stack.attach()
    _show_where(stack, console)
    backlog = stack.backlog()
    console.print(
        f"Snapshots     {backlog.done} of {backlog.raw} are in the tables, {backlog.queued} messages are queued"
    )
    dead = stack.dead_letters()
    console.print(
        f"Dead letters  {', '.join(f'{count} in {name}' for name, count in dead.items()) or 'none'}"
    )


def _show_where(stack: LaptopStack, console: Console) -> None:
    outputs = stack.outputs
    for name, value in (
        ("AWS emulator", stack.endpoint),
        ("Spotify stub", stack.stub_url),
        ("Raw bucket", outputs["RawBucketName"]),
        ("Lake bucket", outputs["LakeBucketName"]),
        ("Athena", f"workgroup {outputs['AthenaWorkGroupName']}, database {outputs['DatabaseName']}"),
        ("Logs", str(stack.state_dir)),
    ):
        console.print(Text(f"{name:<13} {value}"), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
