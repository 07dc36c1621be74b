"""Parts of playlists, as dumps hold them, become snapshots for the raw bucket: which list, when, which pages. Pure."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from cli.imports.dumps import SAVED_SONGS, Part, Time
from cli.imports.shapes import looks_like_id, moment
from spotify_lake import keys
from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.normalize.rows import Tables, normalize
from spotify_lake.raw import envelope
from spotify_lake.schema.playlists import PLAYLIST_ENTRIES, REJECTS
from spotify_lake.spotify import models

SAME_CAPTURE: Final = timedelta(hours=1)  # the pages of one list are fetched in less
FOLDERS_TO_READ: Final = 3  # how far up a folder's name may say when, and of which list, a file is

_SAFE_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_WORDS = re.compile(r"[0-9A-Za-z]+")
_TOKENS = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{22}(?![0-9A-Za-z])")
_SUFFIXES = re.compile(r"(\.(json|jsonl|ndjson|gz|gzip|txt|har))+$", re.IGNORECASE)
_CLOCK = r"(?P<h>[0-2]\d)[:h_.-]?(?P<m>[0-5]\d)(?:[:m_.-]?(?P<s>[0-5]\d))?s?(?:[.,]\d+)?Z?"
_TIMES_IN_NAMES = tuple(
    re.compile(rf"(?<![0-9A-Za-z]){pattern}(?![0-9])")
    for pattern in (
        rf"(?P<date>20\d\d-?[01]\d-?[0-3]\d)[T_ -]?{_CLOCK}",
        r"(?P<date>20\d\d[-_.][01]\d[-_.][0-3]\d)",
        r"(?P<date>20\d\d[01]\d[0-3]\d)",
        r"(?P<epoch>1\d{12}|1\d{9})",
    )
)
_PAGE_NUMBER = re.compile(
    r"[-_. ]*(?:page|pages|part|offset|chunk|batch|items|tracks)[-_. ]*\d+", re.IGNORECASE
)
_TRAILING_NUMBER = re.compile(r"[-_. ]\d+$")


class CannotImport(Exception):
    """A part cannot become a snapshot; the message says why and what to do."""


@dataclass(frozen=True)
class Options:
    """What the person says about the files.

    Attributes
    ----------
    playlist_id
        The list that files belong to whose content does not say it.
    taken_at
        When the files were made whose content does not say it.
    """

    playlist_id: str | None = None
    taken_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One list at one time, ready for the raw bucket.

    Attributes
    ----------
    sources
        Names of the files it is made of.
    what
        What they were recognized as.
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
        What a person should know about it, in sentences.
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

    @property
    def name(self) -> str | None:
        """The list's title."""
        name = self.head.get("name")
        return name if isinstance(name, str) and name else None

    @property
    def key(self) -> str:
        """Key of its raw object."""
        return keys.raw_key(self.playlist_id, self.time.moment)

    @cached_property
    def body(self) -> bytes:
        """The bytes of its raw object; equal snapshots have equal bytes."""
        snapshot_id = self.head.get("snapshot_id")
        writer = envelope.SnapshotWriter(
            playlist_id=self.playlist_id,
            snapshot_id=snapshot_id if isinstance(snapshot_id, str) else None,
            scheduled_at=self.time.moment,
            fetched_at=self.fetched_at or self.time.moment,
            contract=self.contract,
        )
        for page in self.pages:
            writer.add_page(page)
        return writer.finish(self.head)

    @cached_property
    def tables(self) -> Tables:
        """The rows that the transform will make of it; raises SnapshotUnreadable if it could not."""
        return normalize(envelope.decode(self.body))

    @property
    def is_partial(self) -> bool:
        """Whether the list is known to be longer."""
        return self.total is not None and self.tables.entry_count < self.total

    def later(self) -> "Snapshot":
        """Return the same snapshot, one second later."""
        return replace(self, time=replace(self.time, moment=self.time.moment + timedelta(seconds=1)))


def fingerprint(tables: Tables) -> tuple[object, ...]:
    """Return what makes two snapshots of a list the same: its entries in order, whatever else was sent of them."""
    identity = 2  # playlist_id and scheduled_at
    rows = [row[identity:] for row in tables.rows[PLAYLIST_ENTRIES.name]]
    rejects = [row[identity : identity + 2] for row in tables.rows[REJECTS.name]]
    return (*rows, *rejects)


def assemble(
    parts: Iterable[Part], options: Options
) -> tuple[list[Snapshot], list[Part], list[tuple[Part, str]]]:
    """Make snapshots of what was found in the files of one folder.

    Pages of one list are joined where each begins at the entry after the one before it; the same entries found
    twice are taken once.

    Parameters
    ----------
    parts
        As `dumps.read` finds them.
    options
        What the person said.

    Returns
    -------
    snapshots : list of Snapshot
        In the order of the files. Every entry of every part is in one of them, or in a refused part.
    mentioned : list of Part
        Playlists of which the files hold no entries.
    refused : list of tuple of Part and str
        What cannot become a snapshot, and why.
    """
    snapshots: list[Snapshot] = []
    mentioned: list[Part] = []
    refused: list[tuple[Part, str]] = []
    for group in _groups(parts, options):
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
                snapshots.append(_snapshot(group, chain, head if headless else None, options))
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
    """A list's id and how it is known; `text` is what it was made up from, if it was."""

    playlist_id: str
    source: str
    text: str | None = None


def _groups(parts: Iterable[Part], options: Options) -> list[_Group]:
    groups: list[_Group] = []
    by_list: dict[str, list[_Group]] = {}
    unnumbered: Counter[tuple[str, str]] = Counter()
    for part in parts:
        identity = _identity(part, options)
        if identity.text is not None and part.entries and part.offset is None and part.taken is None:
            # Two lists of the same name in one file are two lists.
            unnumbered[part.source, identity.playlist_id] += 1
            number = unnumbered[part.source, identity.playlist_id]
            if number > 1:
                text = f"{identity.text} {number}"
                identity = _Identity(derived_id(text), f"{identity.source}, number {number} of it", text)
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


def _identity(part: Part, options: Options) -> _Identity:
    """Find out which list a part belongs to."""
    if part.playlist_id:
        safe = is_safe_id(part.playlist_id)
        return _Identity(
            part.playlist_id if safe else derived_id(part.playlist_id),
            part.id_from if safe else f"{part.id_from}, where it is {part.playlist_id!r}",
        )
    if options.playlist_id:
        return _Identity(options.playlist_id, "PLAYLIST")
    found = id_in_name(part.source) if part.origin != SAVED_SONGS else None
    if found is not None:
        return _Identity(*found)
    text = part.origin or title_of(part)
    whose = "list's" if part.origin else "file's"
    return _Identity(derived_id(text), f"made up from the {whose} name “{text}”", text)


def is_safe_id(text: str) -> bool:
    """Tell whether an id can stand in the keys of objects."""
    return _SAFE_ID.fullmatch(text) is not None


def derived_id(text: str) -> str:
    """Make an id of any text: always the same, as long as Spotify's, and fit for keys.

    Examples
    --------
    >>> derived_id("Liked Songs")
    'importLikedSon286f8b05'
    """
    words = "".join(word[0].upper() + word[1:] for word in _WORDS.findall(text))
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    start = f"import{words[:8]}"
    return start + digest[: 22 - len(start)]


def id_in_name(source: str) -> tuple[str, str] | None:
    """Find a playlist's id in the name of a file or of the folders around it; also say where."""
    for number, name in enumerate(_names(source)):
        where = "the folder's name" if number else "the file's name"
        if name.startswith("playlist_id=") and _SAFE_ID.fullmatch(name.removeprefix("playlist_id=")):
            return name.removeprefix("playlist_id="), where
        found = next(filter(looks_like_id, _TOKENS.findall(name)), None)
        if found is not None:
            return found, where
    return None


def time_in_name(source: str) -> Time | None:
    """Find a time in the name of a file or of the folders around it.

    A date alone counts as its first second; numbers of 10 and 13 digits are seconds and milliseconds since 1970.
    """
    for number, name in enumerate(_names(source)):
        without_ids = _TOKENS.sub(lambda token: "x" if looks_like_id(token[0]) else token[0], name)
        for pattern in _TIMES_IN_NAMES:
            for match in pattern.finditer(without_ids):
                found = _matched_time(match.groupdict())
                if found is not None:
                    return Time(found, "the folder's name" if number else "the file's name")
    return None


def _matched_time(parts: Mapping[str, str | None]) -> datetime | None:
    if parts.get("epoch"):
        return moment(parts["epoch"])
    date = re.sub(r"\D", "", parts["date"] or "")
    return moment(f"{date}T{parts.get('h') or '00'}{parts.get('m') or '00'}{parts.get('s') or '00'}Z")


def title_of(part: Part) -> str:
    """Return what is left of a file's name without time, page number and endings."""
    name = next(_names(part.source), part.source)
    for pattern in _TIMES_IN_NAMES:
        name = pattern.sub("", name)
    name = _PAGE_NUMBER.sub("", name)
    if part.offset is not None:
        name = _TRAILING_NUMBER.sub("", name)
    return name.strip(" -_.") or part.source


def _names(source: str) -> Iterator[str]:
    names = [name for name in re.split(r"[/\\]", source) if name not in {"", ".", ".."}]
    if names:
        yield _SUFFIXES.sub("", names[-1])
    yield from reversed(names[-1 - FOLDERS_TO_READ : -1])


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


def _time(group: _Group, chain: _Chain, options: Options) -> tuple[Time, tuple[str, ...]]:
    """Find out when a list was as the chain has it; also what a person should know about that."""
    newest = _newest(chain.entries)
    taken = [part.taken for part in chain.parts if part.taken is not None]
    if taken:
        return max(taken, key=lambda time: time.moment), ()
    if options.taken_at is not None:
        return Time(options.taken_at, "AT"), ()
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
            " name, nor the entries' added_at. Say it with AT=2020-05-17T06:00:00Z."
        )
    return max(known, key=lambda time: time.moment), notes


def _newest(entries: Iterable[Any]) -> Time | None:
    times = (moment(entry.get("added_at")) for entry in entries if isinstance(entry, dict))
    newest = max((time for time in times if time is not None), default=None)
    return None if newest is None else Time(newest, "the newest added_at")


# --- Putting it together ---------------------------------------------------------------------


def _snapshot(group: _Group, chain: _Chain, head: Part | None, options: Options) -> Snapshot:
    time, notes = _time(group, chain, options)
    own = next((part for part in (*chain.parts, head) if part is not None and part.head), None)
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
    snapshot = Snapshot(
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
        total=chain.total,
        notes=notes,
    )
    return _checked(snapshot, chain.entries)


def _pages(part: Part) -> tuple[Mapping[str, Any], ...]:
    if part.contract != "embedded":
        return part.pages
    page = part.head.get("tracks") if part.head.get("items") is None else part.head["items"]
    return (page,) if isinstance(page, dict) else ()


def _checked(snapshot: Snapshot, entries: Sequence[Any]) -> Snapshot:
    """See that the transform will understand it and that no entry is lost on the way."""
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
    return snapshot
