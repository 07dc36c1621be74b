"""Waits until the transform has put imports into the tables, and counts the rows of snapshots there."""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cli import dead_letters, objects
from cli.commands.logs import Function, newest_events
from cli.dead_letters import QUEUES
from cli.objects import ListeningObject
from cli.stack import Lake, OpsError, laptop_trouble
from spotify_lake import keys
from spotify_lake.keys import SnapshotId
from spotify_lake.log_lines import errors_in, is_lasting
from spotify_lake.raw import store
from spotify_lake.schema.playlists import PLAYLIST_ENTRIES, REJECTS, TABLES

if TYPE_CHECKING:
    from cli.terminal import Terminal
    from spotify_lake.schema.types import Table

READERS: Final = 8
POLL_S: Final = 1.0
FIRST_POLL_S: Final = 0.125  # a few snapshots are in the tables before a second has passed
# The function's log and the dead letters are looked at when nothing was finished for this time, and no more often.
LOOK_S: Final = 5.0
STALL_S: Final = 180.0
PEEK_S: Final = 30  # how long a look at the dead letters hides them
# SQS's counts on AWS are up to a minute old, so a queue counts as empty only after this time.
SETTLING_S: Final = 60.0
LAPTOP_SETTLING_S: Final = 6.0
LOG_LINES: Final = 200


type Imported = SnapshotId | ListeningObject  # the latter is a file with plays


@dataclass
class _Wait:
    """One wait: what is still missing, and what became of the rest."""

    pending: set[Imported]
    done: set[Imported] = field(default_factory=set)
    failed: set[Imported] = field(default_factory=set)
    errors: Sequence[str] = ()


def wait(
    lake: Lake,
    terminal: Terminal,
    imported: Collection[Imported],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until every table has some imports, and say how many rows of snapshots are in each.

    Parameters
    ----------
    lake
        The lake.
    terminal
        Shows progress and the numbers.
    imported
        The snapshots and files with plays that are in the raw bucket.
    sleep, clock
        As in the module time.

    Raises
    ------
    OpsError
        Some did not reach the tables, and will not without help; the sentence says why.
    """
    importlib.import_module("pyarrow.parquet")  # takes as long as the transform, which is at work meanwhile
    state = _Wait(set(imported))
    why = ""
    try:
        with terminal.progress("In the tables", len(imported)) as progress:
            why = _until_done(lake, state, lambda note: progress.update(len(state.done), note), sleep, clock)
    except KeyboardInterrupt as error:
        error.add_note(
            f"{len(state.done):,} of {len(imported):,} {_words(imported)} are in the tables; the rest gets there"
            f" without this command, and `{lake.command('status')}` shows when."
        )
        raise
    snapshots = [one for one in state.done if isinstance(one, SnapshotId)]
    if snapshots:
        _say_rows(lake, terminal, snapshots)
    if why:
        raise OpsError(why)


def _until_done(
    lake: Lake,
    state: _Wait,
    show: Callable[[str], None],
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> str:
    """Look until all are done; return why not, if some cannot be."""
    s3, raw = lake.client("s3"), lake.output("RawBucketName")
    begun, total = datetime.now(UTC) - timedelta(seconds=2), len(state.pending)
    with ThreadPoolExecutor(READERS) as readers:
        written = dict(
            zip(
                state.pending,
                readers.map(lambda one: store.written_at(s3, raw, one.raw_key), state.pending),
                strict=True,
            )
        )
        finished_at = looked_at = clock()
        empty_since: float | None = None
        pause_s = FIRST_POLL_S
        while True:
            found = _done(lake, readers, state.pending, written)
            now = clock()
            if found:
                finished_at, empty_since = now, None
            state.done |= found
            state.pending -= found
            show("")
            if not state.pending:
                return _failure(lake, state, total, "") if state.failed else ""
            idle = now - finished_at
            if idle >= LOOK_S and now - looked_at >= LOOK_S:
                looked_at = now
                _look_at_dead_letters(lake, state, written)
                state.errors = errors_in(
                    line for at, line in newest_events(lake, Function.TRANSFORM, LOG_LINES) if at >= begun
                )
                queue = dead_letters.depth(lake.client("sqs"), lake.output("TransformQueueUrl"))
                empty_since = (now if empty_since is None else empty_since) if queue.total == 0 else None
                settled = LAPTOP_SETTLING_S if lake.on_laptop else SETTLING_S
                if not state.pending:
                    return _failure(lake, state, total, "")
                if empty_since is not None and now - empty_since >= settled:
                    return _failure(lake, state, total, "no queue holds them")
                if lake.on_laptop and (trouble := laptop_trouble(OpsError(" ".join(state.errors)))):
                    return trouble
                if is_lasting(state.errors):
                    return _failure(lake, state, total, "the transform function fails")
                if idle >= STALL_S:
                    return _failure(lake, state, total, f"the function has finished none for {idle:.0f} s")
                show(f"{queue.in_flight:,} being worked on or tried again")
            sleep(pause_s)
            pause_s = min(2 * pause_s, POLL_S)


def _failure(lake: Lake, state: _Wait, total: int, why: str) -> str:
    """Say which snapshots did not reach the tables, why, and what to do."""
    missing = len(state.pending) + len(state.failed)
    said = [
        f"{missing:,} of {total:,} {_words(state.done | state.pending | state.failed)} are not in the tables"
    ]
    if state.failed:
        said.append(
            f"{len(state.failed):,} went to TransformDeadLetters (`{lake.command('redrive')}` shows them)"
        )
    if state.pending and why:
        said.append(why)
    sentence = f"{': '.join([said[0], ', '.join(said[1:])]) if said[1:] else said[0]}."
    if state.errors:
        sentence += f" The last error it logged: {state.errors[-1].rstrip('.')}."
    if state.pending and why == "no queue holds them":
        words = f"replay --from {min(one.scheduled_at for one in state.pending).date()}"
        sentence += f" `{lake.command(words)}` rebuilds them."
    return f"{sentence} `{lake.command('logs transform')}` shows the log. What was imported stays in raw."


def _done(
    lake: Lake,
    readers: ThreadPoolExecutor,
    pending: Collection[Imported],
    written: Mapping[Imported, datetime | None],
) -> set[Imported]:
    """Return the imports whose tables have been written since their raw objects."""
    s3, bucket = lake.client("s3"), lake.output("LakeBucketName")
    ordered = list(pending)
    times = dict(
        zip(
            ordered,
            readers.map(lambda one: store.written_at(s3, bucket, _done_key(one)), ordered),
            strict=True,
        )
    )
    found = {one for one, at in times.items() if at is not None and at >= (written[one] or at)}
    # Objects bear whole seconds. Those of the same second may be of an earlier version while messages wait.
    unsure = {one for one in found if times[one] == written[one]}
    if unsure and dead_letters.depth(lake.client("sqs"), lake.output("TransformQueueUrl")).total:
        found -= unsure
    return found


def _look_at_dead_letters(lake: Lake, state: _Wait, written: Mapping[Imported, datetime | None]) -> None:
    """Move the pending snapshots that failed for good; messages about older versions do not count."""
    sqs, queue = lake.client("sqs"), QUEUES[0]
    url = lake.output(queue.output)
    if not dead_letters.depth(sqs, url).waiting:
        return
    messages = dead_letters.receive(sqs, url, queue, hold_s=PEEK_S)
    dead_letters.release(sqs, url, messages)
    since = {message.subject: message.since for message in messages}
    for one in list(state.pending):
        at = written[one]
        if one.raw_key in since and (at is None or since[one.raw_key] >= at - timedelta(seconds=1)):
            state.pending.discard(one)
            state.failed.add(one)


def _say_rows(lake: Lake, terminal: Terminal, snapshots: Collection[SnapshotId]) -> None:
    """Count the rows of some snapshots in the tables, and show the numbers."""
    s3, bucket = lake.client("s3"), lake.output("LakeBucketName")

    def count(pair: tuple[Table, SnapshotId]) -> int:
        table, one = pair
        key = keys.curated_key(table.prefix, one.playlist_id, one.scheduled_at)
        data = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return objects.count_rows(data)

    wanted = [(table, one) for one in snapshots for table in TABLES]
    rows: Counter[str] = Counter()
    with ThreadPoolExecutor(READERS) as readers:
        for (table, _), number in zip(wanted, readers.map(count, wanted), strict=True):
            rows[table.name] += number
    entries = rows[PLAYLIST_ENTRIES.name] + rows[REJECTS.name]
    terminal.done(
        f"{len(snapshots):,} snapshot{'' if len(snapshots) == 1 else 's'} with {entries:,}"
        f" {'entry' if entries == 1 else 'entries'} are in the tables:"
    )
    for table in TABLES:
        terminal.detail(f"{table.name:<18} {rows[table.name]:>9,} rows")


def _done_key(one: Imported) -> str:
    return one.done_key if isinstance(one, ListeningObject) else objects.done_key(one)


def _words(imported: Collection[Imported]) -> str:
    """Name what was imported."""
    snapshots = sum(isinstance(one, SnapshotId) for one in imported)
    if snapshots == len(imported):
        return "snapshots"
    return "snapshots and files of listening history" if snapshots else "files of listening history"
