"""Show freshness, queues, dead letters, sign-in, jobs and alarms.

It changes nothing.
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli import objects
from cli.dead_letters import QUEUES, depth
from cli.options import Laptop, Stack
from cli.schedule import next_run
from cli.stack import DEFAULT_STACK, Lake, find, laptop_run
from cli.terminal import Terminal
from spotify_lake import keys
from spotify_lake.bulk import arrival
from spotify_lake.errors import CredentialsMissing
from spotify_lake.keys import SnapshotId
from spotify_lake.settings import OWNED, parse_playlist_ids
from spotify_lake.spotify.auth import WARNING_DAYS, read_credentials, sign_in_ends

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXAMPLES: Final = ("./lake status", "./lake status --laptop")
# Searched first for a playlist's newest snapshot; only older ones need a listing of all of them.
RECENT: Final = timedelta(days=45)
READERS: Final = 8


@dataclass(frozen=True)
class PlaylistStatus:
    """Freshness of a playlist.

    Attributes
    ----------
    playlist_id
        Of the playlist.
    newest
        Time of its newest snapshot, UTC; None without any.
    name, entries
        As in that snapshot's row of the table playlists; None while that is missing.
    in_tables
        Whether the transform has finished that snapshot.
    """

    playlist_id: str
    newest: datetime | None
    name: str | None = None
    entries: int | None = None
    in_tables: bool = False


@dataclass(frozen=True)
class Line:
    """One fact about the lake.

    Attributes
    ----------
    name, text
        Subject and statement.
    is_good
        False if it needs attention; None if it is neither good nor bad.
    """

    name: str
    text: str
    is_good: bool | None = None


@dataclass(frozen=True)
class Status:
    """A lake at one moment.

    Attributes
    ----------
    place
        Which lake.
    now
        The moment, UTC.
    stale_after
        Age from which a playlist's newest snapshot is too old.
    playlists
        Those with snapshots, and those that the settings name.
    lines
        Everything else.
    """

    place: str
    now: datetime
    stale_after: timedelta
    playlists: list[PlaylistStatus]
    lines: list[Line]


def command(*, laptop: Laptop = False, stack: Stack = DEFAULT_STACK) -> None:
    """Run the command; see the module."""
    Terminal().show(render(gather(find(laptop=laptop, stack=stack), datetime.now(UTC))))


def gather(lake: Lake, now: datetime) -> Status:
    """Collect the state of a lake, without changing anything.

    Parameters
    ----------
    lake
        The lake.
    now
        UTC.
    """
    playlists, stale_after = _playlists(lake, now), timedelta(hours=float(lake.parameter("StaleAfterHours")))
    return Status(
        place=lake.place,
        now=now,
        stale_after=stale_after,
        playlists=playlists,
        lines=[
            _freshness(playlists, now, stale_after),
            _schedule(lake, now),
            _sign_in(lake, now),
            _transform_queue(lake),
            _dead_letters(lake),
            _crawler(lake, now),
            *_continuations(lake),
            *_bulk(lake, now),
            _alarms(lake),
        ],
    )


def render(status: Status) -> RenderableType:
    """Turn a status into tables for a person."""
    playlists = Table(title=f"{status.place}, {status.now:%Y-%m-%d %H:%M} UTC", title_justify="left")
    playlists.add_column("Playlist", overflow="fold")
    playlists.add_column("Newest snapshot (UTC)", no_wrap=True)
    playlists.add_column("Age", justify="right", no_wrap=True)
    playlists.add_column("Entries", justify="right")
    playlists.add_column("In the tables")
    for one in status.playlists:
        age = status.now - one.newest if one.newest else None
        stale = age is None or age > status.stale_after
        playlists.add_row(
            Text(one.name or one.playlist_id),
            f"{one.newest:%Y-%m-%d %H:%M}" if one.newest else "none yet",
            Text(age_in_words(age) if age is not None else "", style="yellow" if stale else "green"),
            "" if one.entries is None else f"{one.entries:,}",
            ("yes" if one.in_tables else Text("not yet", style="yellow")) if one.newest else "",
        )
    if not status.playlists:
        playlists.add_row("no snapshot yet", "", "", "", "")
    facts = Table.grid(padding=(0, 2))
    marks = {True: Text("✓", style="green"), False: Text("!", style="bold yellow"), None: Text(" ")}
    for line in status.lines:
        facts.add_row(marks[line.is_good], line.name, Text(line.text))
    return Group(playlists, Text(), facts)


def age_in_words(age: timedelta) -> str:
    """Say how long something is ago, in its largest unit."""
    minutes = age.total_seconds() / 60
    if minutes < 0:
        return "in the future"
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 72 * 60 else f"{minutes / 60 / 24:.0f} d"


def _playlists(lake: Lake, now: datetime) -> list[PlaylistStatus]:
    s3, bucket = lake.client("s3"), lake.output("RawBucketName")
    wanted = parse_playlist_ids(lake.parameter("PlaylistIds"))
    known = dict.fromkeys([*(wanted if wanted != OWNED else ()), *objects.playlist_ids(s3, bucket)])
    with ThreadPoolExecutor(READERS) as readers:
        found = list(readers.map(lambda playlist_id: _playlist(lake, s3, playlist_id, now), known))
    return sorted(found, key=lambda one: (one.newest is not None, one.newest or now, one.name or ""))


def _playlist(lake: Lake, s3: S3Client, playlist_id: str, now: datetime) -> PlaylistStatus:
    newest = _newest(s3, lake.output("RawBucketName"), playlist_id, now)
    if newest is None:
        return PlaylistStatus(playlist_id, None)
    row = _row(s3, lake.output("LakeBucketName"), newest)
    if row is None:
        return PlaylistStatus(playlist_id, newest.scheduled_at)
    return PlaylistStatus(
        playlist_id, newest.scheduled_at, name=row["name"], entries=row["entry_count"], in_tables=True
    )


def _newest(s3: S3Client, bucket: str, playlist_id: str, now: datetime) -> SnapshotId | None:
    for since in (now - RECENT, None):
        if found := list(objects.snapshots(s3, bucket, playlist_id, since)):
            return found[-1]
    return None


def _row(s3: S3Client, bucket: str, snapshot: SnapshotId) -> dict[str, Any] | None:
    """Read the row of the table playlists that a snapshot became; None if it did not yet."""
    try:
        body = s3.get_object(Bucket=bucket, Key=objects.done_key(snapshot))["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(body), columns=["name", "entry_count"]).to_pylist()
    return rows[0]


def _freshness(playlists: list[PlaylistStatus], now: datetime, stale_after: timedelta) -> Line:
    newest = max((one.newest for one in playlists if one.newest), default=None)
    if newest is None:
        return Line("Freshness", "no snapshot yet", is_good=False)
    age = now - newest
    is_good = age <= stale_after
    hours = f"{stale_after.total_seconds() / 3600:.0f}"
    advice = "" if is_good else f"; more than {hours} h (StaleAfterHours): see Stale in docs/runbook.md"
    return Line("Freshness", f"newest snapshot {age_in_words(age)} old{advice}", is_good=is_good)


def _schedule(lake: Lake, now: datetime) -> Line:
    expression, timezone = lake.parameter("ScheduleExpression"), lake.parameter("ScheduleTimezone")
    if lake.parameter("ScheduleState") != "ENABLED":
        return Line("Daily run", f"disabled (ScheduleState); the schedule is {expression}, {timezone}")
    due = next_run(expression, timezone, now)
    text = f"next at {due:%Y-%m-%d %H:%M} {timezone}" if due else f"{expression}, {timezone}"
    return Line("Daily run", text, is_good=True)


def _sign_in(lake: Lake, now: datetime) -> Line:
    try:
        credentials = read_credentials(lake.client("secretsmanager"), lake.output("SpotifySecretArn"))
    except CredentialsMissing as error:
        return Line("Sign-in", str(error), is_good=False)
    if credentials.refresh_token is None:
        return Line("Sign-in", "as the app only, which does not expire", is_good=True)
    if credentials.authorized_at is None:
        return Line("Sign-in", "of unknown age; Spotify ends it six months after the consent")
    end = sign_in_ends(credentials.authorized_at)
    left = (end - now.date()).days
    if left <= 0:
        return Line("Sign-in", f"ended on {end}: run `{lake.command('login')}`", is_good=False)
    advice = f": run `{lake.command('login')}`" if left <= WARNING_DAYS else ""
    return Line("Sign-in", f"{left} days left, until {end}{advice}", is_good=left > WARNING_DAYS)


def _transform_queue(lake: Lake) -> Line:
    queue = depth(lake.client("sqs"), lake.output("TransformQueueUrl"))
    return Line("Transform queue", f"{queue.waiting} waiting, {queue.in_flight} being processed or retried")


def _dead_letters(lake: Lake) -> Line:
    sqs = lake.client("sqs")
    counts = {queue.name: depth(sqs, lake.output(queue.output)).total for queue in QUEUES}
    full = ", ".join(f"{count} in {name}" for name, count in counts.items() if count)
    text = f"{full}: `{lake.command('redrive')}` shows them" if full else "none"
    return Line("Dead letters", text, is_good=not full)


def _crawler(lake: Lake, now: datetime) -> Line:
    last = lake.client("glue").get_crawler(Name=lake.output("CrawlerName"))["Crawler"].get("LastCrawl")
    if not last or "Status" not in last:
        return Line("Crawler", "has not run yet")
    status = last["Status"].lower()
    ago = f", {age_in_words(now - last['StartTime'])} ago" if "StartTime" in last else ""
    why = f": {last['ErrorMessage']}" if last.get("ErrorMessage") else ""
    return Line("Crawler", f"last run {status}{ago}{why}", is_good=status == "succeeded")


def _continuations(lake: Lake) -> list[Line]:
    """List the runs that a schedule resumes later; none for a lake without such schedules."""
    scheduler, group = lake.client("scheduler"), f"{lake.parameter('LakeName')}-continuations"
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group)
    try:
        planned = [schedule["Name"] for page in pages for schedule in page["Schedules"]]
    except scheduler.exceptions.ResourceNotFoundException:
        return []
    text = f"planned: {', '.join(planned)}" if planned else "none planned"
    return [Line("Continuations", text)]


def _bulk(lake: Lake, now: datetime) -> list[Line]:
    """Report the last run and the waiting batches of each bulk data set that was ever loaded."""
    lines = []
    for data_set in arrival.DATA_SETS:
        job, root = lake.output(f"{data_set.capitalize()}JobName"), f"{keys.STAGING}{data_set}/"
        runs = lake.client("glue").get_job_runs(JobName=job, MaxResults=1)["JobRuns"]
        files = dict(arrival.objects(lake.client("s3"), lake.output("LakeBucketName"), root))
        waiting = len(arrival.due(files, data_set, with_unmarked=False))
        said = [f"{waiting} {'batch waits' if waiting == 1 else 'batches wait'}"] if waiting else []
        is_good = None
        if runs:
            # The emulator on the laptop reports every run as succeeded without running it.
            state = laptop_run(data_set, runs[0]["Id"]) if lake.on_laptop else runs[0]["JobRunState"]
            ended = state.lower() if state else "never ran on this laptop's Spark and loaded nothing"
            said.insert(0, f"last run {ended}, {age_in_words(now - runs[0]['StartedOn'])} ago")
            is_good = None if state in arrival.UNFINISHED else state == "SUCCEEDED"
        if said:
            lines.append(Line(f"Job {data_set}", "; ".join(said), is_good))
    return lines


def _alarms(lake: Lake) -> Line:
    prefix, topic = f"{lake.parameter('LakeName')}-", lake.output("AlarmTopicArn")
    pages = (
        lake.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=prefix, StateValue="ALARM")
    )
    # The names of another lake may begin in the same way.
    found = [alarm for page in pages for alarm in page["MetricAlarms"] if topic in alarm["AlarmActions"]]
    names = ", ".join(alarm["AlarmName"].removeprefix(prefix) for alarm in found)
    return Line("Alarms", f"{names}: see docs/runbook.md" if names else "none", is_good=not names)
