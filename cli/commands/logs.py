"""Show what the functions logged, newest lines last."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, find
from cli.terminal import Terminal
from spotify_lake.printable import printable

EXAMPLES: Final = ("./lake logs", "./lake logs transform --lines 200", "./lake logs extract --laptop")
LINES: Final = 60
STREAMS: Final = 10  # newest ones of each function: as many as ran side by side
EVENTS_A_CALL: Final = 10_000  # CloudWatch returns no more

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
# Lines that the Lambda service writes around each invocation.
_PLATFORM_NOISE = re.compile(r"(?:START|END) RequestId: ")
_REPORT = re.compile(r"REPORT RequestId: \S+\s+Duration: (?P<duration>[\d.]+ ms)")


class Function(StrEnum):
    """The functions of a lake."""

    EXTRACT = "extract"
    TRANSFORM = "transform"
    REPORT = "report"
    ARRIVAL = "arrival"


def command(
    function: Annotated[Function | None, typer.Argument(help="Only this function (default: all).")] = None,
    *,
    lines: Annotated[int, typer.Option(min=1, help="How many lines.")] = LINES,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    run(find(laptop=laptop, stack=stack), Terminal(), function, lines)


def run(lake: Lake, terminal: Terminal, only: Function | None = None, number: int = LINES) -> None:
    """Show the newest log lines of the functions.

    Parameters
    ----------
    lake
        The lake.
    terminal
        Where to show them.
    only
        The one function to show.
    number
        How many lines to show.
    """
    if only is Function.ARRIVAL:
        lake.need_bulk_jobs()
    every = [one for one in Function if lake.has_bulk_jobs or one is not Function.ARRIVAL]
    chosen = [only] if only else every
    lines = [
        (time, function, line)
        for function in chosen
        for time, message in newest_events(lake, function, number)
        for line in message.splitlines()
        if line and not _PLATFORM_NOISE.match(line)
    ]
    lines.sort(key=lambda item: item[0])
    if not lines:
        terminal.say("The functions have not logged anything yet.")
    for time, function, line in lines[-number:]:
        terminal.console.print(log_line(time, function, line), soft_wrap=True)


def newest_events(lake: Lake, function: Function, number: int) -> Iterator[tuple[datetime, str]]:
    """Yield the newest events of a function's log, at least `number` if there are as many, in any order."""
    name = lake.output(f"{function.capitalize()}FunctionName")
    settings = lake.client("lambda").get_function_configuration(FunctionName=name)
    group = settings.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
    logs = lake.client("logs")
    try:
        streams = logs.describe_log_streams(
            logGroupName=group, orderBy="LastEventTime", descending=True, limit=STREAMS
        )["logStreams"]
    except logs.exceptions.ResourceNotFoundException:
        return
    for stream in streams:
        events = logs.get_log_events(
            logGroupName=group,
            logStreamName=stream["logStreamName"],
            # An invocation adds lines that are not shown.
            limit=min(4 * number, EVENTS_A_CALL),
            startFromHead=False,
        )["events"]
        for event in events:
            yield datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"].rstrip()


def log_line(time: datetime, function: str, line: str) -> Text:
    """Format one line of a function's log for the terminal; lines that are not JSON are not changed."""
    head = (f"{time:%H:%M:%S} ", "dim"), (f"{function:<10}", "cyan")
    if report := _REPORT.match(line):
        return Text.assemble(*head, (f"finished after {report['duration']}", "dim"))
    try:
        fields = json.loads(line)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return Text.assemble(*head, (printable(line), "dim"))
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
        *head,
        (printable(f"{level:<8} "), style or "dim"),
        (printable(text), style),
        (f"  {_pairs(extras)}", "dim"),
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
    pairs = (
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in fields.items()
    )
    return printable(" ".join(pairs))
