"""Parts of playlists, as dumps hold them, become snapshots for the raw bucket: which list, when, which pages. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from cli.imports.captures import Capture, raw_object
from cli.imports.dumps import SAVED_EPISODES, SAVED_SONGS
from cli.imports.entries import missing_field
from cli.imports.names import derived_id, folder_title, id_in_name, time_in_name, title_of
from cli.imports.parts import Part, Time
from cli.imports.shapes import is_spotify_id, moment, number_of
from spotify_lake import keys
from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.normalize.rows import Tables, normalize
from spotify_lake.raw import envelope
from spotify_lake.schema.playlists import REJECTS
from spotify_lake.spotify import models

SAME_CAPTURE: Final = timedelta(hours=1)  # the pages of one list are fetched in less


class CannotImport(Exception):
    """A part cannot become a snapshot; the message says why and what to do."""


@dataclass(frozen=True)
class Defaults:
    """Playlist and time of files that do not say them.

    Attributes
    ----------
    playlist_id
        The list that they belong to.
    taken_at
        When they were made.
    user_id
        Whose Liked Songs they have.
    """

    playlist_id: str | None = None
    taken_at: datetime | None = None
    user_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImportedSnapshot:
    """One list at one time, ready for the raw bucket.

    Attributes
    ----------
    sources
        Names of the files it is made of.
    what
        The kind of thing they were recognized as.
    playlist_id, id_from
        The list, and how that is known.
    time
        Scheduled time, and how it is known.
    fetched_at
        When Spotify was read, if that is known exactly.
    head, pages, contract
        As in the raw envelope.
    first
        Position of the first entry in the list, counted from 1.
    total
        Length of the whole list, if known.
    notes
        Notes for the user, in sentences.
    former_id
        Another id under which the same list may have been imported before.
    """

    sources: tuple[str, ...]
    what: str
    playlist_id: str
    id_from: str
    time: Time
    head: Mapping[str, Any]
    pages: tuple[Mapping[str, Any], ...]
    contract: models.Contract
    fetched_at: datetime | None = None
    first: int = 1
    total: int | None = None
    notes: tuple[str, ...] = ()
    former_id: str | None = None

    @property
    def name(self) -> str | None:
        """The list's title."""
        name = self.head.get("name")
        return name if isinstance(name, str) and name else None

    @property
    def key(self) -> str:
        """Key of its raw object."""
        return keys.raw_key(self.playlist_id, keys.import_time(self.time.moment))

    @property
    def recorded_key(self) -> str:
        """Key that a run's snapshot of the same second has."""
        return keys.raw_key(self.playlist_id, self.time.moment)

    @cached_property
    def capture(self) -> Capture:
        """What goes into its raw object."""
        return Capture(
            head=self.head,
            pages=self.pages,
            contract=self.contract,
            fetched_at=self.fetched_at or self.time.moment,
        )

    @cached_property
    def body(self) -> bytes:
        """The bytes of its raw object; equal snapshots have equal bytes."""
        return raw_object(self.playlist_id, self.time.moment, [self.capture])

    @cached_property
    def tables(self) -> Tables:
        """The rows that the transform will make of it; raises SnapshotUnreadable if it could not."""
        return normalize(envelope.decode(self.body))

    @property
    def is_partial(self) -> bool:
        """Whether the list is known to be longer."""
        return self.total is not None and self.tables.entry_count < self.total


def assemble(
    parts: Iterable[Part], defaults: Defaults, *, folder: str = "", now: datetime | None = None
) -> tuple[list[ImportedSnapshot], list[Part], list[tuple[Part, str]]]:
    """Make snapshots of what was found in the files of one folder.

    Pages of one list are joined where each begins at the entry after the one before it; the same entries found
    twice are taken once.

    Parameters
    ----------
    parts
        As `dumps.read` finds them.
    defaults
        For parts that do not say it themselves.
    folder
        Where the files are. Lists without an id are told apart by their name and by this, without its times.
    now
        UTC; what is from later is refused.

    Returns
    -------
    snapshots : list of ImportedSnapshot
        In the order of the files. Every entry of every part is in one of them, or in a refused part.
    mentioned : list of Part
        Playlists of which the files hold no entries.
    refused : list of tuple of Part and str
        Parts that cannot become a snapshot, and why.
    """
    snapshots: list[ImportedSnapshot] = []
    mentioned: list[Part] = []
    refused: list[tuple[Part, str]] = []
    for group in _groups(parts, defaults, folder_title(folder)):
        chains = list(_chains([part for part in group.parts if part.entries]))
        without = [part for part in group.parts if not part.entries]
        empty = [part for part in without if part.entries is not None and not part.total]
        if empty and not chains:
            # A list that is known to be empty is a snapshot, too.
            chains = [_Chain(empty[:1], empty[1:])]
            without = [part for part in without if part.total]
        head = next((part for part in without if part.head), None)
        needed = False
        for chain in chains:
            headless = head is not None and not any(part.head for part in chain.parts)
            needed = needed or headless
            try:
                snapshot = _snapshot(group, chain, head if headless else None, defaults)
                snapshots.append(_checked(snapshot, chain.entries, now))
            except CannotImport as error:
                refused.extend((part, str(error)) for part in (*chain.parts, *chain.duplicates))
        mentioned.extend(part for part in without if part is not head or not needed)
    return snapshots, mentioned, refused


# --- Which list ------------------------------------------------------------------------------


@dataclass
class _Group:
    """Parts of one list, from one folder and one time."""

    identity: "_Identity"
    named_time: Time | None
    parts: list[Part]

    def takes(self, part: Part, named_time: Time | None) -> bool:
        """Tell whether a part may be of the same capture."""
        mine = self.parts[0].taken
        return _close(mine, part.taken) and _close(self.named_time, named_time)


@dataclass(frozen=True)
class _Identity:
    """A list's id and how it is known.

    `text` is what it was made up from, if it was; `former` the id that is made up while the user is not known.
    """

    playlist_id: str
    source: str
    text: str | None = None
    former: str | None = None


def _groups(parts: Iterable[Part], defaults: Defaults, folder: str) -> list[_Group]:
    groups: list[_Group] = []
    by_list: dict[str, list[_Group]] = {}
    unnumbered: Counter[tuple[str, str]] = Counter()
    for part in parts:
        identity = _identity(part, defaults, folder)
        if identity.text is not None and part.entries and part.offset is None and part.taken is None:
            # Two lists of the same name in one file are two lists.
            unnumbered[part.source, identity.playlist_id] += 1
            number = unnumbered[part.source, identity.playlist_id]
            if number > 1:
                text = f"{identity.text} {number}"
                source = f"{identity.source}, number {number} of it"
                identity = _Identity(derived_id(text, folder), source, text)
        named_time = time_in_name(part.source)
        same_list = by_list.setdefault(identity.playlist_id, [])
        group = next((group for group in same_list if group.takes(part, named_time)), None)
        if group is None:
            group = _Group(identity, named_time, [])
            same_list.append(group)
            groups.append(group)
        group.parts.append(part)
    return groups


def _close(one: Time | None, other: Time | None) -> bool:
    return one is None or other is None or abs(one.moment - other.moment) <= SAME_CAPTURE


def _identity(part: Part, defaults: Defaults, folder: str) -> _Identity:
    """Find out which list a part belongs to."""
    if is_spotify_id(part.playlist_id):
        return _Identity(str(part.playlist_id), part.id_from)
    if part.playlist_id:
        return _Identity(derived_id(part.playlist_id), f"{part.id_from}, where it is {part.playlist_id!r}")
    if defaults.playlist_id:
        return _Identity(defaults.playlist_id, "--playlist")
    if part.origin == SAVED_SONGS and defaults.user_id:
        source, former = f"Liked Songs of {defaults.user_id}", derived_id(SAVED_SONGS, folder)
        return _Identity(keys.liked_songs_id(defaults.user_id), source, former=former)
    found = id_in_name(part.source) if part.origin not in {SAVED_SONGS, SAVED_EPISODES} else None
    if found is not None:
        return _Identity(*found)
    text = part.origin or title_of(part)
    source = f"made up from the {"list's" if part.origin else "file's"} name “{text}”"
    return _Identity(derived_id(text, folder), source + (f" and the folder {folder}" if folder else ""), text)


# --- Which pages -----------------------------------------------------------------------------


class _Chain:
    """Parts whose entries follow each other."""

    def __init__(self, parts: list[Part], duplicates: Iterable[Part] = ()) -> None:
        self.parts = parts
        self.duplicates = list(duplicates)

    @cached_property
    def entries(self) -> list[Any]:
        return [entry for part in self.parts for entry in part.entries or ()]

    @property
    def first(self) -> int:
        return self.parts[0].offset or 0

    @property
    def total(self) -> int | None:
        return max((part.total for part in self.parts if part.total is not None), default=None)

    def has(self, part: Part) -> bool:
        """Whether a part's entries are here already, at the same positions."""
        entries = part.entries or []
        start = (part.offset or 0) - self.first
        if start < 0 or start + len(entries) > len(self.entries):
            return False
        here = self.entries[start : start + len(entries)]
        return list(map(_entry_identity, entries)) == list(map(_entry_identity, here))


def _chains(parts: list[Part]) -> Iterator[_Chain]:
    """Join parts that follow each other, the longest chain first; each part ends in one chain."""
    left = list(parts)
    while left:
        first = min(part.offset or 0 for part in left)
        starts = [part for part in left if (part.offset or 0) == first]
        chain = max((_follow(start, left) for start in starts), key=_completeness)
        members = {id(part) for part in chain.parts}
        left = [part for part in left if id(part) not in members]
        chain.duplicates = [part for part in left if chain.has(part)]
        duplicates = {id(part) for part in chain.duplicates}
        left = [part for part in left if id(part) not in duplicates]
        yield chain


def _follow(start: Part, parts: Sequence[Part]) -> _Chain:
    chain = [start]
    end = (start.offset or 0) + len(start.entries or ())
    while True:
        following = next(
            (
                part
                for part in parts
                if part.offset == end
                and end > 0
                and (part.total is None or start.total is None or part.total == start.total)
            ),
            None,
        )
        if following is None:
            return _Chain(chain)
        chain.append(following)
        end += len(following.entries or ())


def _completeness(chain: _Chain) -> tuple[int, int, bool]:
    """The most entries; among equals the fewest parts, and a playlist object before a bare page."""
    return len(chain.entries), -len(chain.parts), bool(chain.parts[0].head)


def _entry_identity(entry: Any) -> tuple[object, ...]:
    if not isinstance(entry, dict):
        return (repr(entry),)
    content = entry.get("track") if entry.get("item") is None else entry["item"]
    if not isinstance(content, dict):
        return (repr(content), entry.get("added_at"))
    return (content.get("uri") or content.get("id") or content.get("name"), entry.get("added_at"))


# --- When ------------------------------------------------------------------------------------


def _time(group: _Group, chain: _Chain, defaults: Defaults) -> tuple[Time, tuple[str, ...]]:
    """Find out when a list was as the chain has it; also what a person should know about that."""
    newest = _newest(chain.entries)
    taken = [part.taken for part in chain.parts if part.taken is not None]
    if taken:
        return max(taken, key=lambda time: time.moment), ()
    if defaults.taken_at is not None:
        return Time(defaults.taken_at, "--at"), ()
    notes: tuple[str, ...] = ()
    if group.named_time is not None:
        # A date may be local and without a time of day.
        if newest is None or newest.moment <= group.named_time.moment + timedelta(hours=36):
            return group.named_time, ()
        date = group.named_time.moment.date()
        notes = (f"Not {date}, as {group.named_time.source} says: entries were added after that.",)
    known = [part.changed for part in chain.parts if part.changed is not None]
    known += [newest] if newest is not None else []
    if not known:
        raise CannotImport(
            f"Nothing says when the list was {'like this' if chain.entries else 'empty'}: neither the file, nor its"
            " name, nor the entries' added_at. Say it with --at 2020-05-17T06:00:00Z."
        )
    return max(known, key=lambda time: time.moment), notes


def _newest(entries: Iterable[Any]) -> Time | None:
    times = (moment(entry.get("added_at")) for entry in entries if isinstance(entry, dict))
    newest = max((time for time in times if time is not None), default=None)
    return None if newest is None else Time(newest, "the newest added_at")


# --- Putting it together ---------------------------------------------------------------------


def _snapshot(group: _Group, chain: _Chain, head: Part | None, defaults: Defaults) -> ImportedSnapshot:
    time, notes = _time(group, chain, defaults)
    heads = (*chain.parts, *chain.duplicates, head)
    own = next((part for part in heads if part is not None and part.head), None)
    alone = len(chain.parts) == 1
    if alone and chain.parts[0].contract == "embedded":
        playlist: Mapping[str, Any] = chain.parts[0].head
        pages: tuple[Mapping[str, Any], ...] = ()
        contract: models.Contract = "embedded"
    else:
        playlist = own.head if own is not None else {}
        pages = tuple(page for part in chain.parts for page in _pages(part))
        contract = "items" if any(part.contract == "items" for part in chain.parts) else "tracks"
    if not playlist.get("name") and group.identity.text is not None:
        playlist = {**playlist, "name": group.identity.text}
    if chain.duplicates:
        names = ", ".join(sorted({part.source for part in chain.duplicates}))
        notes += (f"The same entries are in {names}, and were taken once.",)
    total = _known_total(chain, head)
    if contract != "embedded":
        pages = _numbered(pages, chain.first, total)
    return ImportedSnapshot(
        sources=tuple(
            dict.fromkeys(part.source for part in (*chain.parts, *chain.duplicates, head) if part is not None)
        ),
        what=chain.parts[0].what if alone else f"{len(chain.parts)} pages of one list",
        playlist_id=group.identity.playlist_id,
        id_from=group.identity.source,
        time=time,
        fetched_at=chain.parts[0].fetched_at,
        head=playlist,
        pages=pages,
        contract=contract,
        first=chain.first + 1,
        total=total,
        notes=notes,
        former_id=group.identity.former,
    )


def _known_total(chain: _Chain, head: Part | None) -> int | None:
    """Return the length of the whole list: as its pages have it, or else the playlist object beside them."""
    beside = None if head is None else head.total
    return beside if chain.total is None and beside and beside >= len(chain.entries) else chain.total


def _numbered(
    pages: tuple[Mapping[str, Any], ...], first: int, total: int | None
) -> tuple[Mapping[str, Any], ...]:
    """Write into pages where they begin and how long the list is, if they do not say it and it is known."""
    found, start = [], first
    for page in pages:
        known: dict[str, Any] = {}
        if number_of(page.get("offset")) is None and start:
            known["offset"] = start
        if number_of(page.get("total")) is None and total is not None:
            known["total"] = total
        found.append({**page, **known} if known else page)
        start += len(page["items"])
    return tuple(found)


def _pages(part: Part) -> tuple[Mapping[str, Any], ...]:
    if part.contract != "embedded":
        return part.pages
    page = part.head.get("tracks") if part.head.get("items") is None else part.head["items"]
    return (page,) if isinstance(page, dict) else ()


def _checked(snapshot: ImportedSnapshot, entries: Sequence[Any], now: datetime | None) -> ImportedSnapshot:
    """See that it is not from the future, that the transform will understand it, and that no entry is lost."""
    latest = max(snapshot.time.moment, snapshot.fetched_at or snapshot.time.moment)
    if now is not None and latest > now:
        raise CannotImport(
            f"Its time, {latest:%Y-%m-%d %H:%M:%S} UTC ({snapshot.time.source}), lies in the future. Correct it there,"
            " or if the file does not say it itself, with --at."
        )
    try:
        tables = snapshot.tables
    except SnapshotUnreadable as error:
        raise CannotImport(f"The transform could not read it: {error.cause}.") from error
    except RecursionError as error:
        raise CannotImport("Its JSON is nested too deeply.") from error
    if tables.entry_count != len(entries) or tables.unaccounted:
        raise CannotImport(
            f"Of {len(entries)} entries {tables.entry_count} would arrive and {tables.unaccounted} of them in no"
            " table. That is a defect of this program; nothing was written."
        )
    rejects = list(tables.records(REJECTS))
    if rejects and len(rejects) == len(entries):
        raise CannotImport(_all_rejected(rejects, entries))
    return snapshot


def _all_rejected(rejects: Sequence[Mapping[str, Any]], entries: Sequence[Any]) -> str:
    reason = rejects[0]["reason"]
    if reason == "song_without_id":
        return f"No entry has a Spotify id, URI or link (22 letters and digits): {missing_field(entries)}."
    return f"Every entry would be rejected, the first as {reason}: {rejects[0]['detail']}."
