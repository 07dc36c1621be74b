"""Show freshness, queues, dead letters, sign-in, jobs and alarms.

It changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli import listening, playlists
from cli.commands.logs import Function, newest_events
from cli.dead_letters import QUEUES, depth
from cli.options import Laptop, Stack
from cli.playlists import Playlists, PlaylistStatus
from cli.schedule import next_run
from cli.scopes import what_is_not_permitted
from cli.stack import DEFAULT_STACK, Lake, find, laptop_run
from cli.terminal import Terminal
from spotify_lake import keys
from spotify_lake.bulk import arrival, staging
from spotify_lake.errors import CredentialsMissing
from spotify_lake.extract.continuation import Rest
from spotify_lake.keys import SnapshotId
from spotify_lake.printable import printable
from spotify_lake.settings import OWNED, parse_playlist_ids
from spotify_lake.spotify.credentials import WARNING_DAYS, read_credentials, sign_in_ends

EXAMPLES: Final = ("./lake status", "./lake status --laptop")
SHOWN_PLAYLISTS: Final = 5
# Errors of a run that say that Spotify does not accept the sign-in, and what a run logs once it was accepted.
_REFUSED: Final = {"SignInExpired", "CredentialsMissing"}
_ACCEPTED: Final = re.compile(
    r"Snapshot written|Snapshot is already there|Unchanged since its last|playlists are owned by the user|Plays polled"
)
# What a poll logs when it ends.
POLLED: Final = re.compile(r"Plays polled|The plays are left to the next poll|The poll failed")
LOG_LINES: Final = 200


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
    found, stale_after = (
        playlists.gather(lake, now),
        timedelta(hours=float(lake.parameter("StaleAfterHours"))),
    )
    return Status(
        place=lake.place,
        now=now,
        stale_after=stale_after,
        playlists=found.each,
        lines=[
            _freshness(found.each, now, stale_after),
            _tables(lake, found),
            *_listening(lake, now),
            _schedule(lake, now),
            _sign_in(lake, now),
            *_permissions(lake),
            *_plays(lake, now),
            _transform_queue(lake),
            _dead_letters(lake),
            _crawler(lake, now),
            *_continuations(lake, found.each),
            *_bulk(lake, now),
            _alarms(lake),
        ],
    )


def render(status: Status) -> RenderableType:
    """Turn a status into tables for a person."""
    table = Table(title=f"{status.place}, {status.now:%Y-%m-%d %H:%M} UTC", title_justify="left")
    table.add_column("Playlist", overflow="fold")
    table.add_column("Newest snapshot (UTC)", no_wrap=True)
    table.add_column("Age", justify="right", no_wrap=True)
    table.add_column("Entries", justify="right")
    table.add_column("In the tables")
    for one in status.playlists:
        age = status.now - one.newest if one.newest else None
        stale = age is None or (age > status.stale_after and not one.is_imported)
        table.add_row(
            Text(printable(one.name or one.playlist_id)),
            f"{one.newest:%Y-%m-%d %H:%M}{' imported' if one.is_imported else ''}"
            if one.newest
            else "none yet",
            Text(age_in_words(age) if age is not None else "", style="yellow" if stale else "green"),
            "" if one.entries is None else f"{one.entries:,}",
            ("yes" if one.in_tables else Text(one.problem or "not yet", style="yellow"))
            if one.newest
            else "",
        )
    if not status.playlists:
        table.add_row("no snapshot yet", "", "", "", "")
    facts = Table.grid(padding=(0, 2))
    marks = {True: Text("✓", style="green"), False: Text("!", style="bold yellow"), None: Text(" ")}
    for line in status.lines:
        facts.add_row(marks[line.is_good], line.name, Text(printable(line.text)))
    return Group(table, Text(), facts)


def age_in_words(age: timedelta) -> str:
    """Say how long something is ago, in its largest unit."""
    minutes = age.total_seconds() / 60
    if minutes < 0:
        return "in the future"
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 72 * 60 else f"{minutes / 60 / 24:.0f} d"


def _freshness(playlists: list[PlaylistStatus], now: datetime, stale_after: timedelta) -> Line:
    newest = max((one.newest for one in playlists if one.newest and not one.is_imported), default=None)
    if newest is None:
        return Line("Freshness", "no snapshot yet", is_good=False)
    age = now - newest
    is_good = age <= stale_after
    hours = f"{stale_after.total_seconds() / 3600:.0f}"
    advice = "" if is_good else f"; more than {hours} h (StaleAfterHours): see Stale in docs/runbook.md"
    return Line("Freshness", f"newest snapshot {age_in_words(age)} old{advice}", is_good=is_good)


def _tables(lake: Lake, found: Playlists) -> Line:
    """Say whether every table has every recent snapshot, and the newest ones whole."""
    days = playlists.RECENT.days
    if not found.recent:
        return Line("Tables", f"no snapshot of the last {days} days to compare")
    lacking = {name: snapshots for name, snapshots in found.lacking.items() if snapshots}
    missing = set[SnapshotId]().union(*lacking.values())
    whole = f"{len(found.recent):,} snapshots of the last {days} days"
    if missing:
        tables = ", ".join(f"{name} {len(snapshots):,}" for name, snapshots in lacking.items())
        text = f"{len(missing):,} of {whole} are not in every table (missing in {tables})"
        advice = []
        if rest := missing.difference(found.unreadable):
            words = f"replay --from {min(rest).scheduled_at.date()}"
            advice.append(f"`{lake.command(words)}` rebuilds {'the others' if found.unreadable else 'them'}")
        if found.unreadable:
            advice.insert(
                0,
                f"{len(found.unreadable):,} cannot be rebuilt, as the raw object cannot be read, for example"
                f" {found.unreadable[-1].raw_key}: see A raw object cannot be read in docs/runbook.md",
            )
        return Line("Tables", f"{text}: {'; '.join(advice)}", is_good=False)
    if odd := [one for one in found.each if one.problem]:
        names = ", ".join(f"{one.name or one.playlist_id}: {one.problem}" for one in odd[:SHOWN_PLAYLISTS])
        return Line(
            "Tables", f"the newest snapshot is not right ({names}): see docs/runbook.md", is_good=False
        )
    return Line(
        "Tables", f"{whole} are in every table, the newest of each playlist with all entries", is_good=True
    )


def _listening(lake: Lake, now: datetime) -> list[Line]:
    """Say whether the tables have every file of an export and every recent poll; nothing without any."""
    found = listening.gather(lake, now)
    days = playlists.RECENT.days
    parts = (
        _number(found.exports, "file of an export", "files of exports"),
        _number(found.polls, f"poll of the last {days} days", f"polls of the last {days} days"),
        _number(found.libraries, "snapshot of the library", "snapshots of the library"),
    )
    whole = ", ".join(filter(None, parts))
    if not whole:
        return []
    if found.missing:
        words = f"replay --from {found.first_missing}"
        text = f"{len(found.missing):,} of these are not in the tables: {whole}. `{lake.command(words)}` rebuilds them"
        return [Line("Listening", text, is_good=False)]
    if found.uncounted:
        names = ", ".join(found.uncounted[:SHOWN_PLAYLISTS])
        text = f"rows are missing in the tables ({names}): see EntriesLost in docs/runbook.md"
        return [Line("Listening", text, is_good=False)]
    rows = _number(found.plays, "play", "plays"), _number(found.rejects, "rejected row", "rejected rows")
    text = f"in the tables: {whole}; {', '.join(filter(None, rows)) or 'no plays'}"
    return [Line("Listening", text, is_good=True)]


def _number(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}" if number else ""


def _schedule(lake: Lake, now: datetime) -> Line:
    expression, timezone = lake.parameter("ScheduleExpression"), lake.parameter("ScheduleTimezone")
    if lake.parameter("ScheduleState") != "ENABLED":
        return Line("Daily run", f"disabled (ScheduleState); the schedule is {expression}, {timezone}")
    due = next_run(expression, timezone, now)
    text = f"next at {due:%Y-%m-%d %H:%M} {timezone}" if due else f"{expression}, {timezone}"
    return Line("Daily run", text, is_good=True)


def _sign_in(lake: Lake, now: datetime) -> Line:
    login = lake.command("login")
    try:
        credentials = read_credentials(lake.client("secretsmanager"), lake.output("SpotifySecretArn"))
    except CredentialsMissing as error:
        return Line("Sign-in", str(error).replace("`./lake login`", f"`{login}`"), is_good=False)
    if credentials.refresh_token is None and OWNED in parse_playlist_ids(lake.parameter("PlaylistIds")):
        text = (
            "as the app only, which owns no playlists: every run fails, because PlaylistIds has `owned`. Run"
            f" `{login}`, or name playlists in PlaylistIds"
        )
        return Line("Sign-in", text, is_good=False)
    used_at, refusal = _last_use(lake, credentials.authorized_at)
    if refusal:
        return Line(
            "Sign-in", f"refused at {used_at:%Y-%m-%d %H:%M} UTC: {refusal} Run `{login}`", is_good=False
        )
    used = f"; last accepted {used_at:%Y-%m-%d %H:%M} UTC" if used_at else "; no run has used it yet"
    is_good = True if used_at else None
    if credentials.refresh_token is None:
        return Line("Sign-in", f"as the app only, which does not expire{used}", is_good)
    return _days_left(credentials.authorized_at, now, login, used)


def _permissions(lake: Lake) -> list[Line]:
    """Name what the lake is to collect and the sign-in does not permit."""
    try:
        credentials = read_credentials(lake.client("secretsmanager"), lake.output("SpotifySecretArn"))
    except CredentialsMissing:
        return []
    missing = what_is_not_permitted(lake, credentials)
    text = f"{missing}: run `{lake.command('login')}`"
    return [Line("Permissions", text, is_good=False)] if missing else []


def _plays(lake: Lake, now: datetime) -> list[Line]:
    """Say how the last poll of plays ended, if there is a schedule for them; from the log of the function."""
    expression = lake.parameters.get("ListeningSchedule")
    if not expression:
        return []
    for at, line in sorted(newest_events(lake, Function.EXTRACT, LOG_LINES), reverse=True):
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        message = str(fields.get("message", "")) if isinstance(fields, dict) else ""
        if not POLLED.match(message):
            continue
        ago = f"{age_in_words(now - at)} ago"
        if message != "Plays polled":
            return [Line("Plays", f"last poll {ago}: {message}", is_good=False)]
        text = f"last poll {ago}: {fields.get('new')} new of {fields.get('plays')}"
        return [Line("Plays", text, is_good=True)]
    return [Line("Plays", f"no poll yet; the schedule is {expression}")]


def _days_left(authorized_at: datetime | None, now: datetime, login: str, used: str) -> Line:
    """Say how long a user's consent is valid; it is good only if a run has used it."""
    if authorized_at is None:
        return Line("Sign-in", f"of unknown age; Spotify ends it six months after the consent{used}")
    end = sign_in_ends(authorized_at)
    left = (end - now.date()).days
    if left <= 0:
        return Line("Sign-in", f"ended on {end}: run `{login}`", is_good=False)
    if left <= WARNING_DAYS:
        return Line("Sign-in", f"{left} days left, until {end}: run `{login}`", is_good=False)
    return Line("Sign-in", f"{left} days left, until {end}{used}", True if "accepted" in used else None)


def _last_use(lake: Lake, since: datetime | None) -> tuple[datetime | None, str]:
    """Return when a run last signed in, and Spotify's refusal if it was refused; from the log of the function.

    Parameters
    ----------
    lake
        The lake.
    since
        When the user consented; earlier lines are about another sign-in.
    """
    used_at, refusal = None, ""
    events = sorted(newest_events(lake, Function.EXTRACT, LOG_LINES), key=lambda event: event[0])
    for at, line in events:
        if since is not None and at < since:
            continue
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        message = str(fields.get("message", "")) if isinstance(fields, dict) else ""
        if isinstance(fields, dict) and (
            fields.get("error_name") in _REFUSED or "the app's sign-in was not accepted" in message
        ):
            used_at, refusal = at, message.removeprefix("The run stopped: ")
        elif _ACCEPTED.search(message):
            used_at, refusal = at, ""
    return used_at, refusal


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


def _continuations(lake: Lake, each: Sequence[PlaylistStatus]) -> list[Line]:
    """List the runs that a schedule resumes later; none for a lake without such schedules."""
    scheduler, group = lake.client("scheduler"), f"{lake.parameter('LakeName')}-continuations"
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group)
    names = {one.playlist_id: one.name or one.playlist_id for one in each}
    try:
        planned = [
            _continuation(scheduler.get_schedule(GroupName=group, Name=schedule["Name"]), names)
            for page in pages
            for schedule in page["Schedules"]
        ]
    except scheduler.exceptions.ResourceNotFoundException:
        return []
    return [Line("Continuations", "; ".join(planned) if planned else "none planned")]


def _continuation(schedule: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Say which run a schedule resumes, when, and with which playlists."""
    at = schedule["ScheduleExpression"].removeprefix("at(").removesuffix(")").replace("T", " ")
    try:
        rest = msgspec.json.decode(schedule["Target"]["Input"], type=Rest)
    except (KeyError, msgspec.MsgspecError):
        return f"{schedule['Name']} at {at} UTC"
    shown = [names.get(one, one) for one in rest.parts[:SHOWN_PLAYLISTS]]
    more = len(rest.parts) - len(shown)
    listed = (
        "all playlists" if OWNED in rest.playlist_ids else ", ".join(shown) + f" and {more} more" * bool(more)
    )
    return f"the run of {rest.scheduled_at} resumes at {at} UTC with {listed}"


def _bulk(lake: Lake, now: datetime) -> list[Line]:
    """Report the last run and the waiting batches of each bulk data set and model that was ever run."""
    if not lake.has_bulk_jobs:
        return [Line("Bulk jobs", "left out (BulkJobs is false)")]
    glue, lines = lake.client("glue"), []
    for data_set in arrival.JOBS:
        job = staging.job_name(lake.output("ChartsJobName"), data_set)
        root = f"{keys.STAGING}{data_set}/"
        try:
            runs = glue.get_job_runs(JobName=job, MaxResults=1)["JobRuns"]
        except glue.exceptions.EntityNotFoundException:
            lines.append(Line(f"Job {data_set}", "not in this lake yet: deploy it again"))
            continue
        files = dict(arrival.objects(lake.client("s3"), lake.output("LakeBucketName"), root))
        waiting = len(arrival.due(files, data_set, with_unmarked=False))
        said = [f"{waiting} {'batch waits' if waiting == 1 else 'batches wait'}"] if waiting else []
        is_good = None
        if runs:
            # The emulator on the laptop reports every run as succeeded without running it.
            state = laptop_run(data_set, runs[0]["Id"]) if lake.on_laptop else runs[0]["JobRunState"]
            ended = state.lower() if state else "never ran on this laptop's Spark and loaded nothing"
            is_good = None if state in arrival.UNFINISHED else state == "SUCCEEDED"
            why = runs[0].get("ErrorMessage") if is_good is False else None
            outcome = f": {why}" if why else ""
            if is_good and data_set in arrival.MODELS:
                outcome = f", published {_published(lake, data_set)}"
            said.insert(0, f"last run {ended}, {age_in_words(now - runs[0]['StartedOn'])} ago{outcome}")
        if said:
            lines.append(Line(f"Job {data_set}", "; ".join(said), is_good))
    return lines


def _published(lake: Lake, model: str) -> str:
    """Say what the last run of a model published, such as the naive forecast in place of the model's."""
    summary = staging.latest_summary(lake.client("s3"), lake.output("LakeBucketName"), model)
    return " and ".join(summary["published"])


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
