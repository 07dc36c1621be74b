"""Delete the plays that polls of the Web API brought.

It shows what it would delete, asks, switches the polls off, deletes every version, and checks that nothing is left.
Polls that failed are deleted too, so that nothing starts them again. What you imported from an export stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import batched
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import dead_letters
from cli.athena import connect
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, OpsError, find
from cli.terminal import Terminal
from spotify_lake import keys
from spotify_lake.extract.plays import LONGEST_S
from spotify_lake.schema.listening import LISTENING_TABLES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXAMPLES: Final = ("./lake forget plays --source api", "./lake forget plays --source api --yes")
YES: Final = {"y", "yes"}
API: Final = "api"
EXTRACT: Final = "ExtractFunctionName"
BATCH: Final = 1000  # objects S3 deletes in one request
LOOK_S: Final = 2.0
# Nothing may turn up for this long: a poll ends within a minute, and SQS's counts are up to a minute old.
SETTLING_S: Final = LONGEST_S + 15
# Lambda starts a poll that failed again after one minute, and after two more; the scheduler may be a minute late.
RETRIED_S: Final = 60 + LONGEST_S + 60 + LONGEST_S + 120 + SETTLING_S
GIVE_UP_S: Final = 1800.0  # a run takes at most a quarter of an hour, and so may a transform that is retried
# Counts the rows from this source in every table.
LEFT: Final = (
    f"SELECT count(*) FROM (SELECT source_object FROM plays WHERE source = '{API}'"  # noqa: S608 # nosec B608 # constants
    f" UNION ALL SELECT source_object FROM play_files WHERE source = '{API}'"
    f" UNION ALL SELECT source_object FROM play_rejects WHERE source_object LIKE '{keys.RAW_POLLS}%')"
)

What = StrEnum("What", [("PLAYS", "plays")])


@dataclass(frozen=True, order=True)
class Version:
    """A version of an object, or a delete marker, whose size is 0."""

    bucket: str
    key: str
    version_id: str
    size: int = field(compare=False, default=0)


def command(
    *,
    what: Annotated[What, typer.Argument(metavar="plays", help="What to forget: plays.")],  # noqa: ARG001
    source: Annotated[str, typer.Option(metavar="api", help="Where it came from: api, the polls of plays.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    if source != API:
        raise OpsError(
            f"Only the plays from the Web API can be forgotten, with --source {API}; not those of {source!r}. An"
            " export is your own data: delete its objects by hand if you want them gone, as the runbook says."
        )
    run(find(laptop=laptop, stack=stack), Terminal(), yes=yes)


def run(
    lake: Lake,
    terminal: Terminal,
    *,
    yes: bool = False,
    settling_s: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Delete the plays from the API, after asking, and check that none is left.

    Parameters
    ----------
    lake, terminal
        The lake, and the person to ask.
    yes
        Delete without asking.
    settling_s
        Seconds for which nothing may turn up and the queue must be empty; None takes as many as it needs.
    sleep, clock
        As in the module time.

    Raises
    ------
    OpsError
        There is nobody to ask, or plays are left.
    """
    _show(lake, terminal, stored(lake))
    if not yes and not _is_wanted(terminal):
        return
    needed_s = _switch_off(lake, terminal)
    gone = _Forgetting(lake, needed_s if settling_s is None else settling_s, sleep, clock).run(terminal)
    _drop_failed_polls(lake, terminal)
    left = connect(lake).run(LEFT).rows[0][0]
    if left:
        raise OpsError(
            f"A query still finds {left} rows of polls in plays, play_files or play_rejects, although none of their"
            " objects is left. Their column source_object says which polls they are from; copies of the tables'"
            " objects that somebody made below curated/ have to be deleted by hand."
        )
    terminal.done(
        f"{_objects(len(gone))} deleted, every version; a query finds no row of a poll in any table"
    )
    terminal.say(
        f"The page of the last report may still show them: `{lake.command('report')}` rewrites it. Answers to"
        " queries that Athena stored expire within 7 days."
    )


def stored(lake: Lake) -> list[Version]:
    """Return every version and delete marker of what polls wrote, and of the tables' objects made from it."""
    s3, raw, curated = lake.client("s3"), lake.output("RawBucketName"), lake.output("LakeBucketName")
    return [
        *_versions(s3, raw, keys.RAW_POLLS),
        *(one for one in _versions(s3, raw, keys.PLAYS_STATE) if one.key == keys.PLAYS_STATE),
        *(
            one
            for table in LISTENING_TABLES
            for one in _versions(s3, curated, table.prefix)
            if keys.is_of_polls(one.key)
        ),
    ]


def _versions(s3: S3Client, bucket: str, prefix: str) -> Iterator[Version]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Versions", []):
            yield Version(bucket, one["Key"], one["VersionId"], one["Size"])
        for marker in page.get("DeleteMarkers", []):
            yield Version(bucket, marker["Key"], marker["VersionId"])


class _Forgetting:
    """Deletes until nothing turns up any more: a poll or a transform that is under way may still write."""

    def __init__(
        self, lake: Lake, settling_s: float, sleep: Callable[[float], None], clock: Callable[[], float]
    ) -> None:
        self._lake = lake
        self._settling_s = settling_s
        self._sleep = sleep
        self._clock = clock

    def run(self, terminal: Terminal) -> list[Version]:
        """Wait for the queue, delete, and look again until it stays quiet; return what was deleted."""
        gone = list[Version]()
        begun = self._clock()
        quiet_since: float | None = None
        terminal.say(
            f"Waiting until the transform queue is empty; then nothing may turn up for {self._settling_s:.0f} s."
        )
        while quiet_since is None or self._clock() - quiet_since < self._settling_s:
            if self._clock() - begun > GIVE_UP_S:
                raise OpsError(
                    f"The transform queue is still not empty, or polls still write, after {GIVE_UP_S / 60:.0f} minutes;"
                    f" {_objects(len(gone))} were deleted. The polls stay off. See `{self._lake.command('status')}`,"
                    " and run this command again."
                )
            is_busy = bool(self._depth())
            found = [] if is_busy else stored(self._lake)
            _delete(self._lake.client("s3"), found)
            gone += found
            now = self._clock()
            if is_busy or found:
                quiet_since = None
            elif quiet_since is None:
                quiet_since = now
            self._sleep(LOOK_S)
        return gone

    def _depth(self) -> int:
        return dead_letters.depth(self._lake.client("sqs"), self._lake.output("TransformQueueUrl")).total


def _delete(s3: S3Client, versions: Sequence[Version]) -> None:
    """Delete versions for good; raises OpsError if S3 refuses one."""
    for bucket in sorted({one.bucket for one in versions}):
        of_bucket = [one for one in versions if one.bucket == bucket]
        for batch in batched(of_bucket, BATCH, strict=False):
            answer = s3.delete_objects(
                Bucket=bucket,
                Delete={
                    "Objects": [{"Key": one.key, "VersionId": one.version_id} for one in batch],
                    "Quiet": True,
                },
            )
            if errors := answer.get("Errors"):
                first = errors[0]
                raise OpsError(
                    f"S3 did not delete {_objects(len(errors))}, such as s3://{bucket}/{first.get('Key')}:"
                    f" {first.get('Message', first.get('Code', 'no reason given'))}. You need s3:DeleteObjectVersion on"
                    " both buckets. Run this command again."
                )


def _show(lake: Lake, terminal: Terminal, versions: Sequence[Version]) -> None:
    """Show what would be deleted."""
    terminal.heading(f"Plays from the Web API in {lake.place}")
    polls = sorted({found for one in versions if (found := keys.in_raw_poll_key(one.key))})
    of_tables = [one for one in versions if keys.is_of_polls(one.key)]
    size = sum(one.size for one in versions)
    for name, value in (
        ("Polls", f"{len(polls):,}{_span(polls)}"),
        ("Raw objects and state", f"{_objects(len(versions) - len(of_tables))}, all versions counted"),
        ("Objects of tables", _objects(len(of_tables))),
        ("Size", f"{size / 1e6:,.1f} MB"),
        ("Schedule", f"{_schedule(lake)['State'].lower()}, {lake.output('PlaysScheduleName')}"),
        ("Failed polls", "their dead letters"),
    ):
        terminal.detail(f"{name:<23}{value}")


def _is_wanted(terminal: Terminal) -> bool:
    terminal.say(
        "\nPlays that only polls have seen are lost for good: exports do not bring all of them back."
    )
    try:
        answer = terminal.ask("Switch the polls off and delete all of this? (yes/no)", default="no")
    except OpsError as error:
        raise OpsError(f"{error} Use --yes to delete without asking. Nothing was deleted.") from error
    if answer.lower() in YES:
        return True
    terminal.say("Nothing was deleted.")
    return False


def _drop_failed_polls(lake: Lake, terminal: Terminal) -> None:
    """Delete the dead letters of polls: whoever redrives one would poll again."""
    sqs, dropped = lake.client("sqs"), 0
    for queue in dead_letters.QUEUES:
        if queue.target != EXTRACT:
            continue
        url = lake.output(queue.output)
        messages = dead_letters.receive(sqs, url, queue)
        polls = [one for one in messages if isinstance(one.event, dict) and one.event.get("plays")]
        for batch in batched(polls, dead_letters.BATCH, strict=False):
            dead_letters.delete(sqs, url, batch)
        dead_letters.release(sqs, url, [one for one in messages if one not in polls])
        dropped += len(polls)
    if dropped:
        what = "a failed poll" if dropped == 1 else f"{dropped:,} failed polls"
        terminal.done(f"The dead letters of {what} are deleted: a redrive would have brought plays back")


def _switch_off(lake: Lake, terminal: Terminal) -> float:
    """Disable the schedule of the polls; return the seconds until no poll can be under way any more."""
    schedule = _schedule(lake)
    changed = schedule.get("LastModificationDate")
    off_s = (datetime.now(UTC) - changed).total_seconds() if changed else 0.0
    settling_s = SETTLING_S
    if schedule["State"] != "DISABLED" or off_s < RETRIED_S:
        settling_s = RETRIED_S
    if schedule["State"] != "DISABLED":
        answer_only = {"Arn", "CreationDate", "LastModificationDate", "ResponseMetadata"}
        settings = {name: value for name, value in schedule.items() if name not in answer_only}
        lake.client("scheduler").update_schedule(**settings | {"State": "DISABLED"})
        terminal.done(f"The schedule {schedule['Name']} is off: no poll starts any more")
    if expression := lake.parameters.get("ListeningSchedule"):
        terminal.warn(
            f"The stack's parameter ListeningSchedule is still {expression}: a later deploy may switch the polls on"
            " again. To keep them off, set ListeningSchedule to nothing in the next deployment."
        )
    return settling_s


def _schedule(lake: Lake) -> dict[str, Any]:
    found: dict[str, Any] = lake.client("scheduler").get_schedule(Name=lake.output("PlaysScheduleName"))
    return found


def _span(polls: Sequence[datetime]) -> str:
    return f", {polls[0]:%Y-%m-%d} to {polls[-1]:%Y-%m-%d}" if polls else ""


def _objects(number: int) -> str:
    return f"{number:,} object{'' if number == 1 else 's'}"
