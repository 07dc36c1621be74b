"""``make redrive``: shows what is in the dead-letter queues, then moves it back to where it failed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Final

from botocore.exceptions import ClientError

from cli import dead_letters
from cli import stack as lakes
from cli.dead_letters import QUEUES, Letter, Queue
from cli.stack import Lake, OpsError
from cli.terminal import Terminal

SHOWN: Final = 20  # things that failed, of each queue
LOG_PAGES: Final = 20  # of the transform's errors, to find out why
YES: Final = {"y", "yes"}


@dataclass(frozen=True)
class Options:
    """What to move.

    Attributes
    ----------
    queues
        Names of the dead-letter queues to look at.
    sure
        Move without asking.
    """

    queues: Sequence[str] = tuple(queue.name for queue in QUEUES)
    sure: bool = False


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


def run(lake: Lake, terminal: Terminal, options: Options) -> None:
    """Show the dead letters of a lake, ask, and move them back.

    Parameters
    ----------
    lake
        The lake.
    terminal
        The person to ask.
    options
        Which queues, and whether to ask.

    Raises
    ------
    OpsError
        There is nobody to ask. Nothing was moved.
    """
    sqs = lake.client("sqs")
    in_hand: dict[Queue, list[Letter]] = {}
    try:
        for queue in QUEUES:
            if queue.name in options.queues:
                letters = in_hand[queue] = dead_letters.receive(sqs, lake.output(queue.output), queue)
                found = causes(letters)
                if not queue.is_for_function and found:
                    keys = {cause.subject for cause in found}
                    reasons = _reasons(lake, keys, found[0].since, terminal)
                    found = [replace(cause, why=reasons.get(cause.subject, "")) for cause in found]
                _show(queue, found, terminal)
                _mention_others(lake, queue, letters, terminal)
        movable = sum(letter.is_clear for letters in in_hand.values() for letter in letters)
        if movable and (options.sure or _is_wanted(movable, terminal)):
            for queue, letters in in_hand.items():
                _move(lake, queue, letters, terminal)
    finally:
        for queue, letters in in_hand.items():
            dead_letters.release(sqs, lake.output(queue.output), letters)


def causes(letters: Sequence[Letter]) -> list[Cause]:
    """Gather messages about the same thing, those of the longest standing first."""
    together: dict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        together[letter.subject].append(letter)
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
        terminal.warn(f"The transform's log does not tell why: {lakes.sentence(error)}")
    return reasons


def _error(line: str) -> str:
    """Return the sentence of a log line; nothing if it is no error."""
    try:
        fields = json.loads(line)
    except ValueError:
        return ""
    return (
        str(fields.get("message", "")) if isinstance(fields, dict) and fields.get("level") == "ERROR" else ""
    )


def _mention_others(lake: Lake, queue: Queue, letters: Sequence[Letter], terminal: Terminal) -> None:
    """Say what cannot be moved."""
    if not all(letter.is_clear for letter in letters):
        terminal.warn(
            "What is no event of this lake stays there: delete it by hand once you know what it is."
        )
    hidden = dead_letters.depth(lake.client("sqs"), lake.output(queue.output)).total - len(letters)
    if hidden > 0:
        terminal.warn(
            f"{_messages(hidden)} more in {queue.name} cannot be seen just now: somebody else looks at them, for up to"
            f" {dead_letters.HOLD_S // 60} minutes."
        )


def _is_wanted(number: int, terminal: Terminal) -> bool:
    terminal.say(
        "\nMove them back once the cause is mended: what failed is then tried again, which harms nothing."
    )
    try:
        answer = terminal.ask(f"Move {_messages(number)} back? (yes/no)", default="no")
    except OpsError as error:
        raise OpsError(f"{error} YES=1 moves them without asking. Nothing was moved.") from error
    if answer.lower() in YES:
        return True
    terminal.say("Nothing was moved.")
    return False


def _move(lake: Lake, queue: Queue, letters: list[Letter], terminal: Terminal) -> None:
    """Move what is understood, and leave the others in `letters`."""
    clear = [letter for letter in letters if letter.is_clear]
    if not clear:
        return
    moved: set[str] = set()
    try:
        for gone in _moving(lake, queue, clear):
            moved.update(letter.message_id for letter in gone)
    finally:
        letters[:] = [letter for letter in letters if letter.message_id not in moved]
    if queue.is_for_function:
        terminal.done(f"{queue.name}: {len(moved)} started again; what fails again comes back within minutes")
    else:
        terminal.done(f"{queue.name}: {_messages(len(moved))} moved back to the transform queue")
    if stayed := len(clear) - len(moved):
        terminal.warn(f"{_messages(stayed)} could not be moved and stayed in {queue.name}: try again.")


def _moving(lake: Lake, queue: Queue, letters: Sequence[Letter]) -> Iterator[list[Letter]]:
    sqs, source, target = lake.client("sqs"), lake.output(queue.output), lake.output(queue.target)
    if queue.is_for_function:
        return dead_letters.start_again(sqs, lake.client("lambda"), source, target, letters)
    return dead_letters.send_back(sqs, source, target, letters)


def _messages(number: int) -> str:
    return f"{number:,} message{'' if number == 1 else 's'}"
