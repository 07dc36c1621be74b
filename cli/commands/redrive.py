"""Show the dead letters and move them back to where they failed.

It asks before it moves anything.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated, Final

import typer
from botocore.exceptions import ClientError

from cli import aws, dead_letters
from cli.dead_letters import QUEUES, Message, Queue
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, OpsError, find
from cli.terminal import Terminal

EXAMPLES: Final = ("./lake redrive", "./lake redrive --queue ExtractFailures --yes")
SHOWN: Final = 20  # things that failed, of each queue
LOG_PAGES: Final = 20  # of the transform's errors, to find out why
YES: Final = {"y", "yes"}


QueueName = StrEnum("QueueName", [(queue.name, queue.name) for queue in QUEUES])  # type: ignore[misc]


@dataclass(frozen=True)
class Cause:
    """Messages about the same thing.

    Attributes
    ----------
    subject, why
        What failed, and its newest error.
    times
        How many messages say so.
    since
        When the first came, UTC.
    """

    subject: str
    why: str
    times: int
    since: datetime


def command(
    *,
    queue: Annotated[
        QueueName | None,
        typer.Option(metavar="QUEUE", help=f"Only this one of {', '.join(queue.name for queue in QUEUES)}."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Move the messages without asking.")] = False,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    run(find(laptop=laptop, stack=stack), Terminal(), only=queue, yes=yes)


def run(lake: Lake, terminal: Terminal, *, only: str | None = None, yes: bool = False) -> None:
    """Show the dead letters of a lake, ask, and move them back.

    Parameters
    ----------
    lake
        The lake.
    terminal
        The person to ask.
    only
        Name of the one queue to look at.
    yes
        Move without asking.

    Raises
    ------
    OpsError
        There is nobody to ask. Nothing was moved.
    """
    sqs = lake.client("sqs")
    received: dict[Queue, list[Message]] = {}
    try:
        for queue in QUEUES:
            if only in (None, queue.name):
                messages = received[queue] = dead_letters.receive(sqs, lake.output(queue.output), queue)
                found = causes(messages)
                if not queue.is_for_function and found:
                    keys = {cause.subject for cause in found}
                    reasons = _reasons(lake, keys, found[0].since, terminal)
                    found = [replace(cause, why=reasons.get(cause.subject, "")) for cause in found]
                _show(queue, found, terminal)
                _mention_others(lake, queue, messages, terminal)
        movable = sum(message.is_clear for messages in received.values() for message in messages)
        if movable and (yes or _is_wanted(movable, terminal)):
            for queue, messages in received.items():
                _move(lake, queue, messages, terminal)
    finally:
        for queue, messages in received.items():
            dead_letters.release(sqs, lake.output(queue.output), messages)


def causes(messages: Sequence[Message]) -> list[Cause]:
    """Group messages about the same subject, oldest first."""
    together: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        together[message.subject].append(message)
    found = [
        Cause(
            subject=subject,
            why=max(same, key=lambda one: one.since).why,
            times=len(same),
            since=min(one.since for one in same),
        )
        for subject, same in together.items()
    ]
    return sorted(found, key=lambda cause: (cause.since, cause.subject))


def _show(queue: Queue, found: Sequence[Cause], terminal: Terminal) -> None:
    if not found:
        terminal.done(f"{queue.name} is empty")
        return
    terminal.warn(f"{queue.name}: {_messages(sum(cause.times for cause in found))}")
    for cause in found[:SHOWN]:
        times = f", {cause.times} times" if cause.times > 1 else ""
        terminal.detail(f"{cause.subject}  (since {cause.since:%Y-%m-%d %H:%M} UTC{times})")
        if cause.why:
            terminal.detail(cause.why, depth=2)
    if len(found) > SHOWN:
        terminal.detail(f"… and {len(found) - SHOWN} more")


def _reasons(lake: Lake, keys: Collection[str], since: datetime, terminal: Terminal) -> dict[str, str]:
    """Look in the transform's log for the newest error about each object."""
    logs, group = lake.client("logs"), f"/aws/lambda/{lake.output('TransformFunctionName')}"
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=int(since.timestamp() * 1000), filterPattern='{ $.level = "ERROR" }'
    )
    reasons: dict[str, str] = {}
    try:
        for page in islice(pages, LOG_PAGES):
            for event in page["events"]:
                text = _error(event["message"])
                reasons.update(dict.fromkeys((key for key in keys if key in text), text))
    except ClientError as error:
        terminal.warn(f"The transform's log could not be read: {aws.sentence(error)}")
    return reasons


def _error(line: str) -> str:
    """Return the message of a log line that is an error; otherwise nothing."""
    try:
        fields = json.loads(line)
    except ValueError:
        return ""
    return (
        str(fields.get("message", "")) if isinstance(fields, dict) and fields.get("level") == "ERROR" else ""
    )


def _mention_others(lake: Lake, queue: Queue, messages: Sequence[Message], terminal: Terminal) -> None:
    """Say what cannot be moved."""
    if not all(message.is_clear for message in messages):
        terminal.warn(
            "Messages that are not events of this lake stay there: delete them by hand once you know what they are."
        )
    hidden = dead_letters.depth(lake.client("sqs"), lake.output(queue.output)).total - len(messages)
    if hidden > 0:
        terminal.warn(
            f"{_messages(hidden)} more in {queue.name} cannot be read now: somebody else has received them, for up to"
            f" {dead_letters.HOLD_S // 60} minutes."
        )


def _is_wanted(number: int, terminal: Terminal) -> bool:
    terminal.say("\nMove them back once the cause is fixed: then they are retried, which is safe.")
    try:
        answer = terminal.ask(f"Move {_messages(number)} back? (yes/no)", default="no")
    except OpsError as error:
        raise OpsError(f"{error} Use --yes to move them without asking. Nothing was moved.") from error
    if answer.lower() in YES:
        return True
    terminal.say("Nothing was moved.")
    return False


def _move(lake: Lake, queue: Queue, messages: list[Message], terminal: Terminal) -> None:
    """Move what is understood, and leave the others in `messages`."""
    clear = [message for message in messages if message.is_clear]
    if not clear:
        return
    moved: set[str] = set()
    try:
        for gone in _moving(lake, queue, clear):
            moved.update(message.message_id for message in gone)
    finally:
        messages[:] = [message for message in messages if message.message_id not in moved]
    if queue.is_for_function:
        terminal.done(f"{queue.name}: {len(moved)} started again; what fails again comes back within minutes")
    else:
        terminal.done(f"{queue.name}: {_messages(len(moved))} moved back to the transform queue")
    if stayed := len(clear) - len(moved):
        terminal.warn(f"{_messages(stayed)} could not be moved and stayed in {queue.name}: try again.")


def _moving(lake: Lake, queue: Queue, messages: Sequence[Message]) -> Iterator[list[Message]]:
    sqs, source, target = lake.client("sqs"), lake.output(queue.output), lake.output(queue.target)
    if queue.is_for_function:
        return dead_letters.start_again(sqs, lake.client("lambda"), source, target, messages)
    return dead_letters.send_back(sqs, source, target, messages)


def _messages(number: int) -> str:
    return f"{number:,} message{'' if number == 1 else 's'}"
