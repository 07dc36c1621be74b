"""Import Spotify's data export, or playlists you saved.

Both may have any form that you find them in. It reports what it understood of each file, waits until the tables have
it, and says how many rows are where. Of your listening history, private fields such as user names and IP addresses
never leave this machine. It exits with status 1 if a file or row could not be used or did not reach the tables.
"""

from __future__ import annotations

import glob
import os.path
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from botocore.exceptions import BotoCoreError, ClientError

from cli import import_summary, import_wait
from cli.aws import sentence
from cli.import_plays import Plays
from cli.import_report import Report
from cli.import_store import Store
from cli.import_wait import Imported
from cli.imports import archives, dumps, history, snapshots
from cli.imports.archives import SUFFIXES, Unpacked
from cli.imports.parts import Part, Time
from cli.imports.recognition import playlist_id_in
from cli.imports.shapes import is_spotify_id, moment
from cli.imports.snapshots import Defaults
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, OpsError, find
from cli.terminal import Terminal
from spotify_lake.errors import LakeError
from spotify_lake.extract.state import last_user

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXAMPLES: Final = (
    "./lake import my_spotify_data.zip",
    "./lake import dumps/ more.json --dry-run",
    "./lake import 'archive/**/*.json.gz' s3://bucket/prefix",
    "./lake import liked.json --at 2020-05-17T06:00:00Z",
)

RENAMED: Final = ".json."  # as in endsong_0.json.txt, which Windows makes of a renamed file
TOO_LARGE: Final = "It needs more memory than this machine has free: split it."


@dataclass(frozen=True)
class File:
    """A file to import: its name and how to get its content."""

    name: str
    read: Callable[[], bytes]


@dataclass
class Found:
    """The files that were asked for, the names that lead nowhere, and files in folders that are of other kinds."""

    files: list[File] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def parse_time(text: str) -> datetime:
    """Read the option --at."""
    found = moment(text)
    if found is None:
        raise typer.BadParameter(
            f"{text} is not a time since 2006 such as 2020-05-17T06:00:00Z or 2020-05-17."
        )
    if found > datetime.now(UTC):
        raise typer.BadParameter(f"{text} lies in the future.")
    return found


def parse_playlist(text: str) -> str:
    """Read the option --playlist: an id, URI or link."""
    playlist_id = playlist_id_in(text)
    if playlist_id is None or not is_spotify_id(playlist_id):
        raise typer.BadParameter(
            f"{text} is not a playlist. Give an id (22 letters and digits), a spotify:playlist:… URI or an"
            " open.spotify.com link."
        )
    return playlist_id


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES",
            help="Files, patterns, folders or s3:// prefixes: JSON, JSON lines, CSV, gzip, zip.",
        ),
    ],
    *,
    playlist: Annotated[
        str | None,
        typer.Option(
            parser=parse_playlist, metavar="ID", help="The list of files that do not say it themselves."
        ),
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_time, metavar="TIME", help="When files were made that do not say it themselves."
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Whose Liked Songs are in the files (default: who signed in)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing, only report.")] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not wait until the tables have the snapshots.")
    ] = False,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    terminal, lake = Terminal(), None
    try:
        lake = find(laptop=laptop, stack=stack)
    except (LakeError, BotoCoreError) as error:
        if not dry_run:
            raise
        why = str(error) if isinstance(error, LakeError) else sentence(error)
        terminal.warn(f"{why} A dry run only reports what the files hold, and continues without a lake.")
    defaults = Defaults(playlist_id=playlist, taken_at=at, user_id=user)
    run(lake, terminal, files, defaults, dry_run=dry_run, wait=None if no_wait else import_wait.wait)


def run(
    lake: Lake | None,
    terminal: Terminal,
    names: Sequence[str],
    defaults: Defaults = Defaults(),  # noqa: B008 (it is frozen)
    *,
    dry_run: bool = False,
    wait: Callable[[Lake, Terminal, Collection[Imported]], None] | None = None,
) -> None:
    """Import files and report what was understood of each.

    Parameters
    ----------
    lake
        The lake to import into; None only reports, without knowing what the lake already has.
    terminal
        Shows the report.
    names
        Paths, patterns, folders and s3:// addresses.
    defaults
        For files that do not say it themselves.
    dry_run
        Write nothing.
    wait
        Waits until the tables have the imported snapshots; None returns before.

    Raises
    ------
    OpsError
        At the end, if a file could not be used, or did not reach the tables; all others are imported by then.
    """
    if lake and not defaults.user_id:
        user_id = last_user(lake.client("s3"), lake.output("RawBucketName"))
        defaults = replace(defaults, user_id=user_id)
    target = Store(lake, dry_run=dry_run)
    found = find_files(names, lake)
    if not found.files and not found.missing:
        raise OpsError(f"There is nothing to import in {', '.join(names)}.")
    report = Report(terminal)
    for name in found.missing:
        report.refuse(
            name, "The folder has no files." if Path(name).is_dir() else "This file does not exist."
        )
    report.leave(found.skipped)
    with Plays(lake, terminal, report.refuse, dry_run=dry_run) as plays:
        try:
            for folder in _by_folder(found.files):
                _import_folder(folder, target, report, plays, defaults)
            plays.finish()
        except KeyboardInterrupt as error:
            error.add_note(
                "The files reported above are imported. Run the command again: nothing is imported twice."
            )
            raise
    files = len(found.files) + len(found.missing)
    report.add_up(files, lake, dry_run=dry_run, has_plays=plays.has_any)
    problems = [report.unusable(), *plays.add_up()]
    imported: list[Imported] = [*report.imported, *(file.stored for file in plays.files)]
    if dry_run or lake is None:
        problems.append(
            import_summary.show(terminal, import_summary.dry(plays.dry_tables), is_new=True, is_dry=True)
        )
    elif imported and wait is not None:
        try:
            wait(lake, terminal, imported)
        except OpsError as error:
            problems.append(str(error))
        problems.append(_say_plays(lake, terminal, plays))
    if any(problems):
        raise OpsError(" ".join(filter(None, problems)))


def _say_plays(lake: Lake, terminal: Terminal, plays: Plays) -> str:
    """Say what became of the plays, and what the lake has now; return what is wrong."""
    if not plays.files:
        return ""
    is_new = any(file.is_new for file in plays.files)
    problem = import_summary.show(terminal, import_summary.gather(lake, plays.files), is_new=is_new)
    import_summary.show_listening(lake, terminal, plays.files)
    return problem


def find_files(names: Iterable[str], lake: Lake | None) -> Found:
    """Find the files to import, on this machine and in S3.

    Parameters
    ----------
    names
        As in `run`.
    lake
        Gives access to S3.

    Raises
    ------
    OpsError
        An s3:// address without a lake.
    """
    found = Found()
    for name in names:
        before = len(found.files) + len(found.skipped)
        if name.startswith("s3://"):
            if lake is None:
                raise OpsError(f"{name} can only be read with a deployed lake's access to S3.")
            found.files.extend(_in_s3(lake.client("s3"), name))
        elif Path(name).is_dir():
            for path in sorted(Path(name).rglob("*")):
                parts = path.relative_to(name).parts
                if (
                    not path.is_file()
                    or archives.MACOS in parts
                    or any(part.startswith(".") for part in parts)
                ):
                    continue
                if path.name.lower().endswith(SUFFIXES) or RENAMED in path.name.lower():
                    found.files.append(_local(path))
                else:
                    found.skipped.append(str(path))
        elif Path(name).is_file():
            found.files.append(_local(Path(name)))
        else:
            matches = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207 (absolute too)
            found.files.extend(_local(path) for path in matches if path.is_file())
        if len(found.files) + len(found.skipped) == before:
            found.missing.append(name)
    found.files = list({file.name: file for file in found.files}.values())
    return found


def _local(path: Path) -> File:
    return File(str(path), path.read_bytes)


def _in_s3(s3: S3Client, address: str) -> Iterator[File]:
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Contents", []):
            key = one["Key"]
            if key == prefix or key.lower().endswith(SUFFIXES):
                yield File(f"s3://{bucket}/{key}", lambda key=key: _object(s3, bucket, key))  # type: ignore[misc]


def _object(s3: S3Client, bucket: str, key: str) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def _by_folder(files: Iterable[File]) -> Iterator[list[File]]:
    folders: dict[str, list[File]] = {}
    for file in files:
        folders.setdefault(file.name.rpartition("/")[0], []).append(file)
    yield from folders.values()


def _import_folder(
    files: Sequence[File], target: Store, report: Report, plays: Plays, defaults: Defaults
) -> None:
    for folder, parts in _read(files, report, plays).items():
        try:
            ready, mentioned, refused = snapshots.assemble(
                parts, defaults, folder=_absolute(folder), now=datetime.now(UTC)
            )
        except MemoryError:
            for name in dict.fromkeys(part.source for part in parts):
                report.refuse(name, TOO_LARGE)
            continue
        for snapshot in ready:
            try:
                if snapshot.former_id:
                    report.moved(snapshot, target.move(snapshot.former_id, snapshot.playlist_id))
                report.snapshot(snapshot, target.put(snapshot))
            except OpsError as error:
                for name in snapshot.sources:
                    report.refuse(name, str(error))
        report.mention(mentioned)
        for part, why in refused:
            report.refuse(part.source, why, part)


def _read(files: Sequence[File], report: Report, plays: Plays) -> dict[str, list[Part]]:
    """Read files; import the plays in them, and return the parts of playlists by folder."""
    readings: dict[str, dumps.Reading] = {}
    last_plays: dict[str, datetime] = {}  # of account data, by folder
    is_export = False
    with report.progress() as progress:
        for number, file in enumerate(files):
            try:
                data = file.read()
                within = archives.count(data)
                for done, one in enumerate(archives.unpack(file.name, data)):
                    progress.update(int(100 * (number + done / within) / len(files)), one.name)
                    is_export = is_export or history.is_of_export(one.name)
                    if (reading := _read_one(one, report, plays, last_plays)) is not None:
                        readings[one.name] = reading
            except (OSError, ClientError) as error:
                report.refuse(file.name, f"It could not be read: {error}.")
            except MemoryError:
                report.refuse(file.name, TOO_LARGE)
    parts: dict[str, list[Part]] = {}
    for name, reading in readings.items():
        if reading.is_unknown and is_export:  # Spotify's exports have files about everything
            report.leave([name])
            continue
        report.read(name, reading)
        folder = name.rpartition("/")[0]
        found: Iterable[Part] = reading.parts
        if history.is_library(name) and folder in last_plays:
            exported = Time(last_plays[folder], "the last play in the account data beside it")
            found = [part if part.taken else replace(part, changed=exported) for part in found]
        parts.setdefault(folder, []).extend(found)
    return parts


def _read_one(
    one: Unpacked, report: Report, plays: Plays, last_plays: dict[str, datetime]
) -> dumps.Reading | None:
    """Read a file; return what may be of playlists, if it is not something else."""
    if one.problem is not None:
        report.refuse(one.name, one.problem)
    elif one.is_other or history.is_left_alone(one.name):
        report.leave([one.name])
    elif found := history.read(one.name, one.data):
        plays.add(one.name, found)
        folder = one.name.rpartition("/")[0]
        if last := history.last_moment(found):
            last_plays[folder] = max(last, last_plays.get(folder, last))
    else:
        reading = dumps.read(one.name, one.data)
        if reading.parts or not history.may_be_left_alone(one.name):
            return reading
        report.leave([one.name])
    return None


def _absolute(folder: str) -> str:
    """Name a folder in the same way from wherever the command is run."""
    return folder if folder.startswith("s3://") else os.path.abspath(folder)  # noqa: PTH100 (also for archives)
