"""Rebuild the tables of some days from the raw objects.

The command sends the events of raw objects to the transform queue again and waits. Each replaces its objects in the
tables with the same bytes, or with better ones after the transform was fixed, so running it twice or stopping half-way
is safe. The day of an imported file with plays is that of its import.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import batched, takewhile
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote_plus

import typer

from cli import dead_letters, objects
from cli.dead_letters import BATCH, QUEUES, Message
from cli.objects import ListeningObject
from cli.options import Laptop, Stack, day
from cli.playlists import with_names
from cli.stack import DEFAULT_STACK, Lake, OpsError, find
from cli.terminal import Progress, Terminal
from spotify_lake.keys import SnapshotId

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

EXAMPLES: Final = (
    "./lake replay --from 2026-11-01",
    "./lake replay --from 2026-11-01 --to 2026-11-30 --laptop",
    './lake replay --from 2026-11-01 --playlist "Top 100"',
)
type Replayed = SnapshotId | ListeningObject

# No more events than this wait in the queue at a time, so that a new snapshot need not wait for all of them: half a
# minute's work for the five transforms that run at a time by default, and three seconds' for fifty.
QUEUE_LIMIT: Final = 300
POLL_S: Final = 1.0
# Listing what is rebuilt takes longer the more there is; between two looks it rests this many times as long.
REST: Final = 9
# SQS's counts are up to a minute old, so a queue counts as empty only after this time.
SETTLING_S: Final = 60.0
PEEK_S: Final = 30  # how long a look at the dead letters hides them
SHOWN: Final = 20


@dataclass
class Outcome:
    """The result of a replay.

    Attributes
    ----------
    wanted
        The raw objects, oldest first. Of the polls of a day, the last one: it rebuilds the whole day.
    sent
        How many of them went into the queue.
    rebuilt
        Those whose tables have been written since.
    failed
        Those in the dead-message queue.
    """

    wanted: list[Replayed]
    sent: int = 0
    rebuilt: set[Replayed] = field(default_factory=set)
    failed: set[Replayed] = field(default_factory=set)

    @property
    def missing(self) -> list[Replayed]:
        """Those of which nothing is known."""
        return [one for one in self.wanted if one not in self.rebuilt and one not in self.failed]


def command(
    *,
    first: Annotated[date, typer.Option("--from", parser=day, metavar="YYYY-MM-DD", help="First day (UTC).")],
    last: Annotated[
        date | None,
        typer.Option("--to", parser=day, metavar="YYYY-MM-DD", help="Last day (default: today)."),
    ] = None,
    playlist: Annotated[
        str | None,
        typer.Option(
            metavar="PLAYLISTS",
            help="Names, ids, URIs or links, separated by commas (default: all playlists, plays and library).",
        ),
    ] = None,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    last = last or datetime.now(UTC).date()
    if last < first:
        raise typer.BadParameter(f"the last day, {last}, is before the first, {first}", param_hint="--to")
    lake = find(laptop=laptop, stack=stack)
    playlists = with_names(lake, playlist, datetime.now(UTC)) if playlist else None
    run(lake, Terminal(), first, last, playlists=playlists)


def run(
    lake: Lake,
    terminal: Terminal,
    first: date,
    last: date,
    *,
    playlists: Sequence[str] | None = None,
    queue_limit: int = QUEUE_LIMIT,
    settling_s: float = SETTLING_S,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Rebuild the tables of some days, and wait until that is done.

    Parameters
    ----------
    lake
        The lake.
    terminal
        Where progress is shown.
    first, last
        Dates of the raw objects (UTC), both included.
    playlists
        Ids, for their snapshots only; None for everything.
    queue_limit
        Maximum number of events that wait in the queue.
    settling_s
        Seconds for which the queue has to be empty before missing raw objects are given up.
    sleep, clock
        As in the module time.

    Returns
    -------
    Outcome
        With raw objects that failed, perhaps.

    Raises
    ------
    OpsError
        There is nothing to rebuild.
    """
    replay = _Replay(lake, first, last, playlists, sleep=sleep, clock=clock)
    outcome, days = replay.outcome, _span(first, last, playlists)
    if not outcome.wanted:
        raise OpsError(f"There are no raw objects of {days}, so there is nothing to rebuild.")
    terminal.heading(
        f"Rebuilding the tables of {_raw_objects(len(outcome.wanted))} of {days} in {lake.place}"
    )
    try:
        with terminal.progress("Rebuilt", len(outcome.wanted)) as progress:
            replay.send(progress, queue_limit)
            replay.wait(progress, settling_s)
    except KeyboardInterrupt:
        _say_interrupted(outcome, terminal)
        raise
    _say_outcome(outcome, lake, terminal)
    return outcome


class _Replay:
    """One replay at work."""

    def __init__(
        self,
        lake: Lake,
        first: date,
        last: date,
        playlists: Sequence[str] | None,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._s3: S3Client = lake.client("s3")
        self._sqs: SQSClient = lake.client("sqs")
        self._lake = lake
        self._days = first, last
        self._sleep = sleep
        self._clock = clock
        self._queue = lake.output("TransformQueueUrl")
        self.outcome = Outcome(_wanted(self._s3, lake.output("RawBucketName"), first, last, playlists))
        if not self.outcome.wanted:
            return
        self._before = self._written()
        self._next_look = clock()
        self._dead_letters = 0  # as of the last look
        self._old_messages = {message.message_id for message in self._read_dead_letters()}
        sleep(1.0)  # objects bear whole seconds: what is rewritten from here on has another time

    def send(self, progress: Progress, queue_limit: int) -> None:
        """Put the events into the queue, as many at a time as may wait there."""
        bucket = self._lake.output("RawBucketName")
        room = queue_limit - dead_letters.depth(self._sqs, self._queue).waiting
        for batch in batched(self.outcome.wanted, BATCH, strict=False):
            while room < len(batch):
                self._sleep(POLL_S)
                self._look(progress)
                room = queue_limit - dead_letters.depth(self._sqs, self._queue).waiting
            room -= len(batch)
            left = list(batch)
            while left:
                answer = self._sqs.send_message_batch(
                    QueueUrl=self._queue,
                    Entries=[
                        {"Id": str(number), "MessageBody": s3_event(bucket, one)}
                        for number, one in enumerate(left)
                    ],
                )
                self.outcome.sent += len(answer.get("Successful", []))
                left = [left[int(refused["Id"])] for refused in answer.get("Failed", [])]

    def wait(self, progress: Progress, settling_s: float) -> None:
        """Wait until each raw object is rebuilt or among the dead letters, or until the queue stays empty."""
        empty_since: float | None = None
        while True:
            self._look(progress)
            self._look_at_dead_letters()
            if not self.outcome.missing:
                return
            now = self._clock()
            is_empty = dead_letters.depth(self._sqs, self._queue).total == 0
            empty_since = (now if empty_since is None else empty_since) if is_empty else None
            if empty_since is not None and now - empty_since >= settling_s:
                return
            self._sleep(max(POLL_S, self._next_look - now))

    def _look(self, progress: Progress) -> None:
        """See which raw objects have been rebuilt, unless it is too early for another look."""
        begun = self._clock()
        if begun < self._next_look:
            return
        outcome, found = self.outcome, self._written()
        outcome.rebuilt = {
            one
            for one in outcome.wanted
            if (place := _done(one)) in found and found[place] != self._before.get(place)
        }
        progress.update(len(outcome.rebuilt), self._note())
        ended = self._clock()
        self._next_look = ended + REST * (ended - begun)

    def _note(self) -> str:
        outcome = self.outcome
        if outcome.sent < len(outcome.wanted):
            return f"{outcome.sent} sent"
        queue = dead_letters.depth(self._sqs, self._queue)
        if queue.waiting == 0 and queue.in_flight and outcome.missing:
            return f"{queue.in_flight} being worked on, or failed and waiting to be tried again"
        return ""

    def _written(self) -> dict[str, datetime]:
        bucket = self._lake.output("LakeBucketName")
        found = objects.written(self._s3, bucket, *self._days)
        if any(isinstance(one, ListeningObject) for one in self.outcome.wanted):
            found |= objects.listening_written(self._s3, bucket)
        return found

    def _look_at_dead_letters(self) -> None:
        """See which raw objects failed for good."""
        wanted = {one.raw_key: one for one in self.outcome.wanted}
        self.outcome.failed |= {
            wanted[message.subject]
            for message in self._read_dead_letters()
            if message.subject in wanted and message.message_id not in self._old_messages
        }
        # A message may be given up while its last try is still at work, and succeeds.
        self.outcome.failed -= self.outcome.rebuilt

    def _read_dead_letters(self) -> list[Message]:
        """Look at the dead letters, unless they are as many as at the last look."""
        queue = QUEUES[0]
        url = self._lake.output(queue.output)
        number = dead_letters.depth(self._sqs, url).waiting
        if number == self._dead_letters:
            return []
        self._dead_letters = number
        messages = dead_letters.receive(self._sqs, url, queue, hold_s=PEEK_S)
        dead_letters.release(self._sqs, url, messages)
        return messages


def s3_event(bucket: str, raw_object: Replayed) -> str:
    """Write the event that the raw bucket would send for an object."""
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Replay",
        "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(raw_object.raw_key, safe="/")}},
    }
    return json.dumps({"Records": [record]})


def _done(one: Replayed) -> str:
    """Return the key of the object that the transform writes last."""
    return one.done_key if isinstance(one, ListeningObject) else objects.done_key(one)


def _wanted(
    s3: S3Client, bucket: str, first: date, last: date, playlists: Sequence[str] | None
) -> list[Replayed]:
    since = datetime.combine(first, datetime.min.time(), UTC)
    until = datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
    found: list[Replayed] = [
        snapshot
        for playlist in playlists or objects.playlist_ids(s3, bucket)
        for snapshot in takewhile(
            lambda one: one.scheduled_at < until, objects.snapshots(s3, bucket, playlist, since)
        )
    ]
    if playlists is None:
        found += _listening(s3, bucket, since, until)
    return sorted(found, key=lambda one: (one.scheduled_at, one.raw_key))


def _listening(s3: S3Client, bucket: str, since: datetime, until: datetime) -> Iterator[ListeningObject]:
    yield from (one for one in objects.exports(s3, bucket) if since <= one.scheduled_at < until)
    for list_since in (objects.polls, objects.libraries):
        of_days = takewhile(lambda one: one.scheduled_at < until, list_since(s3, bucket, since.date()))
        yield from {one.done_key: one for one in of_days}.values()  # the last one of a day


def _say_interrupted(outcome: Outcome, terminal: Terminal) -> None:
    terminal.warn(
        f"Stopped: the tables of {len(outcome.rebuilt):,} of {_raw_objects(len(outcome.wanted))} were rebuilt."
        " Messages in the queue are still processed."
    )
    if outcome.sent < len(outcome.wanted):
        day = outcome.wanted[outcome.sent].scheduled_at.date()
        terminal.say(
            f"To continue, run the command again with --from {day}; starting over is as safe, and slower."
        )


def _say_outcome(outcome: Outcome, lake: Lake, terminal: Terminal) -> None:
    terminal.done(f"Tables of {len(outcome.rebuilt):,} of {_raw_objects(len(outcome.wanted))} rebuilt")
    if outcome.failed:
        failed, redrive = _raw_objects(len(outcome.failed)), lake.command("redrive")
        terminal.warn(f"{failed} failed and went to TransformDeadLetters (see `{redrive}`):")
        _list(sorted(outcome.failed, key=lambda one: one.raw_key), terminal)
    if outcome.missing:
        terminal.warn(
            f"{_raw_objects(len(outcome.missing))} did not reach the tables, although the queue is empty: they were"
            " removed meanwhile, or hold other content than their name says. The transform's log says why:"
            f" `{lake.command('logs transform')}`."
        )
        _list(outcome.missing, terminal)


def _list(raw_objects: Sequence[Replayed], terminal: Terminal) -> None:
    for one in raw_objects[:SHOWN]:
        terminal.say(f"  {one.raw_key}")
    if len(raw_objects) > SHOWN:
        terminal.say(f"  … and {len(raw_objects) - SHOWN} more")


def _span(first: date, last: date, playlists: Sequence[str] | None) -> str:
    days = str(first) if first == last else f"{first} to {last}"
    return days + (f", playlist {', '.join(playlists)}" if playlists else "")


def _raw_objects(number: int) -> str:
    return f"{number:,} raw object{'' if number == 1 else 's'}"
