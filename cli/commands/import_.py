"""Import dumps of playlists, in any form you may have them.

It reports what it understood of each file, waits until the tables have it, and says how many rows are where. It exits
with status 1 if a file could not be used or did not reach the tables.
"""

from __future__ import annotations

import glob
import os.path
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from botocore.exceptions import BotoCoreError, ClientError

from cli import import_wait
from cli.aws import sentence
from cli.import_store import IMPORTED, Store
from cli.imports import archives, dumps, snapshots
from cli.imports.archives import SUFFIXES
from cli.imports.parts import Part
from cli.imports.recognition import playlist_id_in
from cli.imports.shapes import is_spotify_id, moment
from cli.imports.snapshots import Defaults, ImportedSnapshot
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, OpsError, find
from cli.terminal import Terminal
from spotify_lake import keys
from spotify_lake.errors import LakeError
from spotify_lake.extract.state import last_user
from spotify_lake.keys import SnapshotId
from spotify_lake.schema.playlists import KINDS, PLAYLIST_ENTRIES, REJECTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXAMPLES: Final = (
    "./lake import dumps/ more.json --dry-run",
    "./lake import 'archive/**/*.json.gz' s3://bucket/prefix",
    "./lake import liked.json --at 2020-05-17T06:00:00Z",
)

TOO_LARGE: Final = "It needs more memory than this machine has free: split it."

_KIND = PLAYLIST_ENTRIES.column_names.index("kind")
_REASON = REJECTS.column_names.index("reason")
_KIND_WORDS = {
    "song": ("song", "songs"),
    "episode": ("episode", "episodes"),
    "chapter": ("chapter", "chapters"),
    "local": ("local file", "local files"),
    "unavailable": ("unavailable", "unavailable"),
    "other": ("of another type", "of other types"),
}


@dataclass(frozen=True)
class File:
    """A file to import: its name and how to get its content."""

    name: str
    read: Callable[[], bytes]


@dataclass
class Found:
    """The files that were asked for, the names that lead nowhere, and how many files in folders are of other kinds."""

    files: list[File] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    skipped: int = 0


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
    wait: Callable[[Lake, Terminal, Collection[SnapshotId]], None] | None = None,
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
        report.refuse(name, "There is no such file.")
    try:
        for folder in _by_folder(found.files):
            _import_folder(folder, target, report, defaults)
    except KeyboardInterrupt as error:
        error.add_note("What is reported above is imported, and is not imported twice.")
        raise
    report.add_up(len(found.files) + len(found.missing), found.skipped, lake, dry_run=dry_run)
    problems = [report.unusable()]
    if lake is not None and report.imported and wait is not None and not dry_run:
        try:
            wait(lake, terminal, report.imported)
        except OpsError as error:
            problems.append(str(error))
    if any(problems):
        raise OpsError(" ".join(filter(None, problems)))


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
        before = len(found.files) + found.skipped
        if name.startswith("s3://"):
            if lake is None:
                raise OpsError(f"{name} can only be read with a deployed lake's access to S3.")
            found.files.extend(_in_s3(lake.client("s3"), name))
        elif Path(name).is_dir():
            for path in sorted(Path(name).rglob("*")):
                if not path.is_file() or any(part.startswith(".") for part in path.relative_to(name).parts):
                    continue
                if path.name.lower().endswith(SUFFIXES):
                    found.files.append(_local(path))
                else:
                    found.skipped += 1
        elif Path(name).is_file():
            found.files.append(_local(Path(name)))
        else:
            matches = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207 (absolute too)
            found.files.extend(_local(path) for path in matches if path.is_file())
        if len(found.files) + found.skipped == before:
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


def _import_folder(files: Iterable[File], target: Store, report: Report, defaults: Defaults) -> None:
    for folder, parts in _read(files, report).items():
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
                report.snapshot(snapshot, target.put(snapshot))
            except OpsError as error:
                for name in snapshot.sources:
                    report.refuse(name, str(error))
        report.mention(mentioned)
        for part, why in refused:
            report.refuse(part.source, why, part)


def _read(files: Iterable[File], report: Report) -> dict[str, list[Part]]:
    """Read files; return the parts in them by folder."""
    parts: dict[str, list[Part]] = {}
    for file in files:
        try:
            for one in archives.unpack(file.name, file.read()):
                if one.problem is not None:
                    report.refuse(one.name, one.problem)
                    continue
                reading = dumps.read(one.name, one.data)
                report.read(one.name, reading)
                parts.setdefault(one.name.rpartition("/")[0], []).extend(reading.parts)
        except (OSError, ClientError) as error:
            report.refuse(file.name, f"It could not be read: {error}.")
        except MemoryError:
            report.refuse(file.name, TOO_LARGE)
    return parts


def _absolute(folder: str) -> str:
    """Name a folder in the same way from wherever the command is run."""
    return folder if folder.startswith("s3://") else os.path.abspath(folder)  # noqa: PTH100 (also for archives)


# --- The report -----------------------------------------------------------------------------


class Report:
    """Reports file by file what was understood, and adds it up.

    Parameters
    ----------
    terminal
        Where to.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._unusable: set[str] = set()
        self._used: set[str] = set()  # files, and ids of playlists, with a snapshot
        self._mentioned: dict[str, list[Part]] = {}
        self._outcomes: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._rejects = 0
        self._oldest: date | None = None
        self.imported: set[SnapshotId] = set()  # those that are in the raw bucket because of an import

    def read(self, name: str, reading: dumps.Reading) -> None:
        """Report what of a file is not a playlist, or cannot be read."""
        others = ", ".join(reading.others)
        for problem in reading.problems:
            self.refuse(name, problem)
        if others and not reading.parts:
            self.refuse(name, f"It holds {others}, and nothing that can be imported.")
        elif others:
            self._terminal.warn(f"{name}: skipped, because it is not a playlist: {others}.")

    def refuse(self, name: str, why: str, part: Part | None = None) -> None:
        """Report why a file, or a part of it, cannot be used."""
        self._unusable.add(name)
        about = ""
        if part is not None:
            title = f" “{part.head['name']}”" if isinstance(part.head.get("name"), str) else ""
            about = (
                f"Understood as {part.what}{title}, {_count(len(part.entries or ()), 'entry', 'entries')}. "
            )
        self._terminal.fail(f"{name}: {about}{why}")

    def mention(self, parts: Iterable[Part]) -> None:
        """Report playlists of which the files hold no entries."""
        by_file: dict[str, list[Part]] = {}
        for part in parts:
            by_file.setdefault(part.source, []).append(part)
        self._mentioned |= by_file
        for name, found in by_file.items():
            total = sum(part.total or 0 for part in found)
            what = (
                _count(len(found), "playlist") + " without entries"
                if any(part.head for part in found)
                else "an empty page"
            )
            self._terminal.warn(
                f"{name}: {what} (0 of {total:,} known). No snapshot is made of that, it would look like an emptied"
                " playlist: import the entries' pages."
            )
            self._outcomes["nothing to import"] += 1

    def snapshot(self, snapshot: ImportedSnapshot, outcome: str) -> None:
        """Report one snapshot."""
        tables = snapshot.tables
        kinds = Counter(str(row[_KIND]) for row in tables.rows[PLAYLIST_ENTRIES.name])
        reasons = Counter(str(row[_REASON]) for row in tables.rows[REJECTS.name])
        self._kinds += kinds
        self._rejects += reasons.total()
        self._outcomes[outcome] += 1
        if outcome in IMPORTED:
            self.imported.add(SnapshotId(keys.import_time(snapshot.time.moment), snapshot.playlist_id))
        self._used |= {*snapshot.sources, snapshot.playlist_id}
        day = snapshot.time.moment.date()
        self._oldest = min(day, self._oldest or day)
        title = f" “{snapshot.name}”" if snapshot.name else ""
        self._terminal.done(f"{_names(snapshot.sources)}: {snapshot.what}{title}")
        self._terminal.detail(f"playlist {snapshot.playlist_id} ({snapshot.id_from})")
        self._terminal.detail(
            f"time     {snapshot.time.moment:%Y-%m-%d %H:%M:%S} UTC ({snapshot.time.source})"
        )
        words = [f"{kinds[kind]:,} {_KIND_WORDS[kind][kinds[kind] != 1]}" for kind in KINDS if kinds[kind]]
        words += [f"{number:,} rejected as {reason}" for reason, number in sorted(reasons.items())]
        self._terminal.detail(f"entries  {_completeness(snapshot)}{': ' if words else ''}{', '.join(words)}")
        self._terminal.detail(f"raw      {snapshot.key} {outcome}")
        for note in snapshot.notes:
            self._terminal.detail(f"note     {note}")

    def add_up(self, files: int, skipped: int, lake: Lake | None, *, dry_run: bool) -> None:
        """Report the sums."""
        outcomes = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(self._outcomes.items()))
        total = self._kinds.total() + self._rejects
        self._terminal.say(
            f"\n{_count(files, 'file')}: {outcomes or 'no snapshot'}; {_count(total, 'entry', 'entries')},"
            f" {self._rejects:,} of them rejected"
            + (f"; {_count(skipped, 'file')} of other kinds left out" if skipped else "")
            + "."
        )
        if self._oldest is not None and lake is not None:
            self._report_query_range(self._oldest, lake, dry_run=dry_run)

    def unusable(self) -> str:
        """Say how many files could not be used; nothing if all could."""
        self._unusable |= {
            name
            for name, parts in self._mentioned.items()
            if self._used.isdisjoint([name, *(part.playlist_id for part in parts)])
        }
        if not self._unusable:
            return ""
        return (
            f"{_count(len(self._unusable), 'file')} could not be used, or not all of it: see ✗ and ! above."
        )

    def _report_query_range(self, oldest: date, lake: Lake, *, dry_run: bool) -> None:
        first = lake.parameter("FirstSnapshotDate")
        # The laptop's Athena reads all there is.
        if not lake.on_laptop and oldest.isoformat() < first:
            self._terminal.warn(
                f"Queries see snapshots since {first} (FirstSnapshotDate), and the oldest of these is of {oldest}."
                f" To see them all, run `make deploy LAKE_PARAMETERS=FirstSnapshotDate={oldest}`."
            )
        if not dry_run and any(outcome.startswith(("written", "merged")) for outcome in self._outcomes):
            self._terminal.say(f"The transform of {lake.place} puts them into the tables.")


def _completeness(snapshot: ImportedSnapshot) -> str:
    number = snapshot.tables.entry_count
    if snapshot.is_partial:
        where = f", from number {snapshot.first:,} on" if snapshot.first > 1 else ""
        return f"{number:,} of {snapshot.total:,}{where} (part of a longer list)"
    return (
        f"all {number:,}" if snapshot.total is not None else f"{number:,} (whether that is all, nothing says)"
    )


def _names(sources: Sequence[str]) -> str:
    if len(sources) <= 3:
        return " + ".join(sources)
    return f"{sources[0]} + {len(sources) - 2} files + {sources[-1]}"


def _count(number: int, one: str, several: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"
