"""Reports file by file what `./lake import` understood, and adds it up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING, Final

from cli.import_store import IMPORTED
from spotify_lake import keys
from spotify_lake.keys import SnapshotId
from spotify_lake.schema.playlists import KINDS, PLAYLIST_ENTRIES, REJECTS

if TYPE_CHECKING:
    from cli.imports import dumps
    from cli.imports.parts import Part
    from cli.imports.snapshots import ImportedSnapshot
    from cli.stack import Lake
    from cli.terminal import Progress, Terminal

LEFT_SHOWN: Final = 12  # names of files that were left alone

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
        self._left: list[str] = []
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

    def progress(self) -> AbstractContextManager[Progress]:
        """Show how much of the files has been read, in percent."""
        return self._terminal.progress("Read, in percent", 100)

    def leave(self, names: Iterable[str]) -> None:
        """Take note of files that are not imported, and need not be."""
        self._left += names

    def refuse(self, name: str, why: str, part: Part | None = None) -> None:
        """Report why a file, or a part of it, cannot be used."""
        self._unusable.add(name)
        about = ""
        if part is not None:
            title = f" “{part.head['name']}”" if isinstance(part.head.get("name"), str) else ""
            about = (
                f"Understood as {part.what}{title}, {counted(len(part.entries or ()), 'entry', 'entries')}. "
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
                counted(len(found), "playlist") + " without entries"
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
        self._terminal.done(f"{names_of(snapshot.sources)}: {snapshot.what}{title}")
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

    def moved(self, snapshot: ImportedSnapshot, moved: Sequence[SnapshotId]) -> None:
        """Report snapshots that are under another id now, and those that this leaves empty."""
        if not moved:
            return
        self.imported |= set(moved)
        before = counted(len(moved) // 2, "snapshot")
        self._terminal.done(
            f"Liked Songs: what was imported before under the made-up id {snapshot.former_id} ({before}) goes under"
            f" {snapshot.playlist_id}"
        )

    def add_up(self, files: int, lake: Lake | None, *, dry_run: bool, has_plays: bool) -> None:
        """Report the sums.

        Parameters
        ----------
        files
            Number of the files.
        lake, dry_run
            As for the command.
        has_plays
            Whether there is listening history, which is added up elsewhere.
        """
        parts = []
        if self._outcomes or not has_plays:
            outcomes = ", ".join(
                f"{number:,} {outcome}" for outcome, number in sorted(self._outcomes.items())
            )
            total = self._kinds.total() + self._rejects
            entries = f"{counted(total, 'entry', 'entries')}, {self._rejects:,} of them rejected"
            parts += [outcomes or "no snapshot", entries]
        if has_plays:
            parts.append("listening history")
        if self._left:
            parts.append(f"{counted(len(self._left), 'file')} of other kinds left out")
        sums = "; ".join(parts)
        self._terminal.say(f"\n{counted(files, 'file')}: {sums}.")
        if self._left:
            more = f" and {len(self._left) - LEFT_SHOWN:,} more" if len(self._left) > LEFT_SHOWN else ""
            self._terminal.detail(f"left out: {', '.join(self._left[:LEFT_SHOWN])}{more}")
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
            f"{counted(len(self._unusable), 'file')} could not be used, or not all of it: see ✗ and ! above."
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


def names_of(sources: Sequence[str]) -> str:
    """Name some files."""
    if len(sources) <= 3:
        return " + ".join(sources)
    return f"{sources[0]} + {len(sources) - 2} files + {sources[-1]}"


def counted(number: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"
