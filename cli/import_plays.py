"""Writes the files of an export that hold plays to the raw bucket."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from cli.aws import sentence
from cli.import_report import counted, names_of
from cli.imports.moments import Moments, moments_of, of_two_people
from cli.objects import ListeningObject
from cli.stack import Lake
from spotify_lake import keys
from spotify_lake.normalize.plays import PlayTables, normalize_export
from spotify_lake.raw import plays, store
from spotify_lake.schema.listening import PLAY_FILES

if TYPE_CHECKING:
    from msgspec import Raw

    from cli.imports.history import History
    from cli.terminal import Terminal
    from spotify_lake.raw.plays import Form, PackedExport

UPLOADS: Final = 8  # at a time
WAITING: Final = 16  # packed files in memory
TRIES: Final = 5  # to write an object that others write at the same time

WRITTEN, THERE, WOULD = "written", "already there", "would be written"
_FORMS: Final[Mapping[Form, str]] = {
    "audio": "extended streaming history",
    "video": "extended streaming history, videos",
    "music": "account data, music",
    "podcast": "account data, podcasts",
    "audiobook": "account data, audiobooks",
}


@dataclass(frozen=True)
class ImportedFile:
    """A file with plays that is in the raw bucket, or would be.

    Attributes
    ----------
    name
        Of the file, with its folder or archive.
    digest
        Of its content.
    is_new
        Whether this import wrote it.
    written_at
        When the raw object was written, UTC.
    """

    name: str
    digest: str
    is_new: bool
    written_at: datetime

    @property
    def stored(self) -> ListeningObject:
        """Where its raw object is, and the last object that the transform makes of it."""
        done = keys.plays_key(PLAY_FILES.prefix, self.digest)
        return ListeningObject(self.written_at, keys.raw_export_key(self.digest), done)


class Plays:
    """The plays of an import: packs and uploads one file after another, several at a time.

    Parameters
    ----------
    lake
        Its raw bucket gets the files; None only reports.
    terminal
        Shows each file.
    refuse
        Called with the name of a file and why it cannot be used.
    dry_run
        Write nothing.
    """

    def __init__(
        self, lake: Lake | None, terminal: Terminal, refuse: Callable[[str, str], None], *, dry_run: bool
    ) -> None:
        self._s3 = None if lake is None else lake.client("s3")
        self._bucket = "" if lake is None else lake.output("RawBucketName")
        self._terminal = terminal
        self._refuse = refuse
        self._dry_run = dry_run or lake is None
        self._pool = ThreadPoolExecutor(UPLOADS)
        self._waiting: deque[tuple[str, PackedExport, Form, Future[ImportedFile]]] = deque()
        self._names: dict[str, str] = {}  # of the first file with a digest
        self._users: defaultdict[str, list[str]] = defaultdict(
            list
        )  # names of files; user names are never shown
        self._moments: dict[str, Moments] = {}
        self._outcomes: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._rows = 0
        self.files: list[ImportedFile] = []
        self.dry_tables: list[PlayTables] = []  # what a dry run would have made, without the plays

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)

    def add(self, name: str, history: History) -> None:
        """Import a file, and report what cannot be read."""
        for problem in history.problems:
            self._refuse(name, problem)
        if history.form is None or not history.rows:
            if not history.problems:
                self._terminal.done(f"{name}: no plays")
                self._outcomes["empty"] += 1
            return
        pieces = list(history.pieces())
        for number, rows in enumerate(pieces, start=1):
            part = f"{name} (part {number} of {len(pieces)})" if len(pieces) > 1 else name
            self._add(part, history, history.form, rows)

    def _add(self, name: str, history: History, form: Form, rows: Sequence[bytes | Raw]) -> None:
        """Import the rows of one raw object."""
        now = datetime.now(UTC)
        try:
            packed = plays.pack_export(form, history.file_name, rows, history.imported_at or now)
        except msgspec.DecodeError as error:
            self._refuse(name, f"It is not JSON ({error}).")
            return
        self._unknown.update(packed.unknown_fields)
        for user in {user.casefold() for user in packed.usernames}:
            self._users[user].append(name)
        if packed.digest in self._names:
            self._outcomes["twice"] += 1
            self._terminal.done(f"{name}: the same plays as {self._names[packed.digest]}")
            return
        self._names[packed.digest] = name
        self._rows += packed.row_count
        if not packed.usernames and form == "audio":
            self._moments[name] = moments_of(rows)
        if self._dry_run:
            tables = normalize_export(plays.unpack_export(packed.data, packed.key))
            self.dry_tables.append(replace(tables, plays={}))  # these would fill the memory
        store_it = functools.partial(self._store, name, history.file_name, packed, form, now)
        self._waiting.append((name, packed, form, self._pool.submit(store_it)))
        self._report(keep=WAITING)

    @property
    def has_any(self) -> bool:
        """Whether there was any file with plays."""
        return bool(self._outcomes)

    def finish(self) -> None:
        """Wait for the uploads."""
        self._report(keep=0)

    def _report(self, keep: int) -> None:
        """Report uploaded files in their order, until at most `keep` uploads are under way."""
        while self._waiting and (len(self._waiting) > keep or self._waiting[0][-1].done()):
            name, packed, form, upload = self._waiting.popleft()
            try:
                file = upload.result()
            except (ClientError, BotoCoreError) as error:
                self._refuse(name, f"It could not be written to the raw bucket: {sentence(error)}")
                continue
            self.files.append(file)
            outcome = (WOULD if self._dry_run else WRITTEN) if file.is_new else THERE
            self._outcomes[outcome] += 1
            rows = counted(packed.row_count, "row")
            self._terminal.done(f"{name}: {rows} of listening history ({_FORMS[form]}), {outcome}")

    def _store(
        self, name: str, file_name: str, packed: PackedExport, form: Form, now: datetime
    ) -> ImportedFile:
        """Write a file to the raw bucket unless it is there."""
        if self._s3 is None:
            return ImportedFile(name, packed.digest, is_new=True, written_at=now)
        for left in reversed(range(TRIES)):
            written_at = store.written_at(self._s3, self._bucket, packed.key)
            if written_at is not None:
                return ImportedFile(name, packed.digest, is_new=False, written_at=written_at)
            about = {"kind": form, "file-name": quote(file_name)}  # metadata is ASCII
            try:
                if self._dry_run or store.put(self._s3, self._bucket, packed.key, packed.data, about=about):
                    break
            except ClientError as error:
                if not left or store.status(error) != 409:  # another import is writing it
                    raise
        return ImportedFile(name, packed.digest, is_new=True, written_at=now)

    def add_up(self) -> Sequence[str]:
        """Report the sums; return what is wrong with the files taken together, in sentences."""
        if not self._outcomes:
            return ()
        outcomes = ", ".join(f"{number:,} {words}" for words, number in sorted(self._outcomes.items()))
        files = counted(self._outcomes.total(), "file")
        self._terminal.say(
            f"Listening history: {files} ({outcomes}) with {counted(self._rows, 'row')}."
            " Private fields such as user names and IP addresses were left out before anything was written."
        )
        if self._unknown:
            fields = ", ".join(f"{name} ({counted(n, 'row')})" for name, n in sorted(self._unknown.items()))
            self._terminal.warn(f"Fields that this version does not know were left out, too: {fields}.")
        problem = self._several_people()
        if problem:
            self._terminal.fail(problem)
        return [problem] if problem else []

    def _several_people(self) -> str:
        """Return a sentence if files are of several accounts, without naming the accounts; else nothing."""
        if len(self._users) > 1:
            each = "; ".join(
                f"{_letter(number)}: {names_of(names)}" for number, names in enumerate(self._users.values())
            )
            what = f"These are the plays of {len(self._users)} accounts ({each})."
        elif pair := of_two_people(self._moments):
            what = f"{pair[0]} and {pair[1]} seem to be of two accounts: they have other plays at the same moments."
        else:
            return ""
        done = "would be" if self._dry_run else "are"
        return f"{what} All {done} imported and counted as one person's: give each person a lake (`--stack`)."


def _letter(number: int) -> str:
    return f"account {ascii_uppercase[number]}" if number < len(ascii_uppercase) else f"account {number + 1}"
