"""Reads the files in which people have saved playlists: bytes become parts of playlists. Pure, no I/O, no clock.

A file may hold what Spotify's Web API sent in any year (playlist objects, pages, bare lists), the same inside
what scripts and client libraries put around it, or what Spotify's account-data export holds. Whatever is
recognized becomes a `Part`; entries stay as they are, unless their form is not the API's: then they are put
into that form and what they were is kept beside it under ``imported``.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import unquote

from cli.imports import fields, tables
from cli.imports.documents import Unreadable, decoded, documents_in, parsed
from cli.imports.entries import as_entry
from cli.imports.parts import Part, Time, embedded_page
from cli.imports.recognition import (
    CHANGE_FIELDS,
    LINK_FIELDS,
    PLAYLIST_LINK,
    STARRED_LINK,
    TIME_FIELDS,
    has_unknown_entries,
    is_new_contract,
    is_playlist,
    linked_id,
    own_id,
    playlist_id_in,
    row_playlist,
    split_playlist,
    tidy_head,
    time_field,
    time_in_snapshot_id,
    total_of,
)
from cli.imports.shapes import (
    PLAYS,
    has_foreign_names,
    is_entry,
    is_song,
    is_song_link,
    looks_like_id,
    moment,
    number_of,
    other_object,
    row_kind,
    snake_case,
    table_rows,
    unflattened,
    written_moment,
)
from spotify_lake.spotify.models import Contract

SAVED_SONGS: Final = "Liked Songs"
SAVED_EPISODES: Final = "Your Episodes"

_SAVED_EPISODES_LINK = re.compile(r"/v1/me/episodes\b")
_SAVED_LINK = re.compile(r"/v1/me/tracks\b")
# Keys around a list that say nothing about which list it is.
_PLAIN_KEYS = frozenset(
    "tracks items data body playlist playlists results result response content contents pages page songs list entries"
    " track item text string json payload value rows records log http_interactions interactions objects all".split()
)
# Kinds of pages that hold no playlist entries, by their address.
_PAGES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"/search\b"), "search results"),
    (re.compile(r"/albums/[^/]+/tracks"), "the songs of an album"),
    (re.compile(r"/me/top/"), "your top songs"),
    (re.compile(r"/recently-played"), PLAYS),
    (re.compile(r"/shows/[^/]+/episodes"), "the episodes of a podcast"),
    (re.compile(r"/audiobooks/[^/]+/chapters"), "the chapters of an audiobook"),
)
_BANNED = frozenset({"bannedTracks", "bannedArtists"})
_MANY = {
    "an album": "albums",
    "an artist": "artists",
    "a saved album": "saved albums",
    "a podcast": "podcasts",
    "a saved podcast": "saved podcasts",
    "a saved audiobook": "saved audiobooks",
    "an audiobook": "audiobooks",
    "a chapter of an audiobook": "chapters of audiobooks",
    "a user's profile": "users' profiles",
    "a category": "categories",
    "a playback device": "playback devices",
    "a single song": "single songs",
    "an access token, which you should keep to yourself": "access tokens, which you should keep to yourself",
}


@dataclass(frozen=True)
class Reading:
    """The content of a file.

    Attributes
    ----------
    parts
        Parts of playlists, in the order of the file.
    others
        Other things that were recognized, in words.
    problems
        Things that could not be read, one sentence each.
    is_unknown
        Whether it is JSON in which nothing was recognized.
    """

    parts: tuple[Part, ...] = ()
    others: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    is_unknown: bool = False


def read(source: str, data: bytes) -> Reading:
    """Recognize the content of a file.

    Parameters
    ----------
    source
        Name of the file, for messages and as a last resort to distinguish lists.
    data
        JSON, several JSON documents after each other or one a line, or a recorded HTTP response; gzipped or not.

    Returns
    -------
    Reading
        Every entry of the file is in its parts, or a problem or another thing says what is not.
    """
    try:
        text = decoded(data)
        rows = tables.rows_in(text, source)
        if rows is not None:
            return _read_rows(rows, source)
        documents, taken, problems = documents_in(text)
        context = _Context(source=source, taken=taken)
        reader = _recognize(documents, context)
        if not reader.parts and has_foreign_names(documents):
            reader = _recognize([snake_case(document) for document in documents], context)
    except (Unreadable, tables.NotAPlaylist) as error:
        return Reading(problems=(str(error),))
    except RecursionError:
        return Reading(problems=("Its JSON is nested too deeply.",))
    is_unknown = not reader.parts and not reader.others and not problems
    if is_unknown:
        problems.append(
            "It is JSON, but nothing in it looks like a playlist, entries of one, or songs"
            + _fields(documents)
        )
    others = tuple(_count(*other) for other in reader.others.items())
    return Reading(tuple(reader.parts), others, tuple(problems), is_unknown)


def _read_rows(rows: list[dict[str, Any]], source: str) -> Reading:
    """Read the rows of a CSV file: all of them belong to playlists."""
    reader = _Reader()
    reader.add_list({"items": rows}, _Context(source=source), "CSV rows")
    return Reading(tuple(reader.parts), problems=() if rows else ("It is CSV with a header and no rows.",))


def _fields(documents: Sequence[Any]) -> str:
    names = list(documents[0]) if isinstance(documents[0], dict) else []
    if not names:
        return "."
    return f" (its fields: {', '.join(str(name)[:40] for name in names[:6])}{', …' if names[6:] else ''})."


@dataclass(frozen=True)
class _Context:
    """What the surroundings of a value say about it."""

    source: str
    taken: Time | None = None
    playlist_id: str | None = None
    id_from: str = ""
    origin: str | None = None

    def inside(self, wrapper: Mapping[str, Any]) -> "_Context":
        found = self
        taken = time_field(wrapper, TIME_FIELDS)
        if taken is not None:
            found = replace(found, taken=taken)
        for field, value in wrapper.items():
            playlist_id = playlist_id_in(value) if fields.plain(field) in fields.PLAYLIST_ID else None
            if playlist_id:
                found = replace(found, playlist_id=playlist_id, id_from=f"the field {field}")
                break
        return found

    def at(self, key: str) -> "_Context":
        if key in _PLAIN_KEYS or key.isdigit():
            return self
        if looks_like_id(key):
            return replace(self, playlist_id=key, id_from="the key it stands under")
        link = PLAYLIST_LINK.search(key)
        if link:
            return replace(self, playlist_id=link["id"], id_from="the key it stands under")
        return replace(self, origin=key)


def _recognize(documents: list[Any], context: _Context) -> "_Reader":
    reader = _Reader()
    reader.visit(documents if len(documents) > 1 else documents[0], context)
    return reader


class _Reader:
    """Walks through JSON and collects what it recognizes."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.others: Counter[str] = Counter()

    def visit(self, value: Any, context: _Context) -> None:
        if isinstance(value, str):
            if value[:1] in {"{", "["} or value.lstrip()[:1] in {"{", "["}:
                self._visit_text(value, context)
        elif isinstance(value, list):
            self._visit_list(value, context)
        elif isinstance(value, dict):
            rows = table_rows(value)
            if rows is None:
                self._visit_object(value, context)
            else:
                self._visit_list(rows, context)

    def _visit_text(self, text: str, context: _Context) -> None:
        """Recorders keep a response's body as text."""
        try:
            self.visit(parsed(text), context)
        except ValueError:
            self.others["a text"] += 1

    def _visit_list(self, values: list[Any], context: _Context) -> None:
        rows = [unflattened(value) for value in values]
        what = row_kind(rows)
        if what is not None:
            self.add_list({"items": rows}, context, f"a bare list of {what}")
            return
        if values and all(isinstance(value, str) and is_song_link(value) for value in values):
            self.others["a list of links to songs, without their names"] += 1
            return
        number_of_parts = len(self.parts)
        for value in rows:
            self.visit(value, context)
        _number_pages(self.parts, number_of_parts, rows)

    def _visit_object(self, value: dict[str, Any], context: _Context) -> None:
        if "envelope_version" in value and isinstance(value.get("pages"), list):
            self._add_raw_object(value, context)
            return
        other = other_object(value)
        if other is not None:
            self.others[other] += 1
        elif is_playlist(value):
            self._add_playlist(value, context)
        elif _is_page(value):
            self._visit_page(value, context)
        elif is_entry(value):
            self.add_list({"items": [value]}, context, "a single entry")
        elif is_song(value):
            self.others["a single song"] += 1
        else:
            self._visit_wrapper(value, context.inside(value))

    def _visit_wrapper(self, value: dict[str, Any], context: _Context) -> None:
        number_of_parts = len(self.parts)
        is_library = bool(_BANNED & value.keys())  # YourLibrary.json of the account-data export
        if is_library:
            context = replace(context, origin=SAVED_SONGS)
        for key, child in value.items():
            if key in _BANNED:
                self.others["a list of what you have banned"] += 1
            elif isinstance(child, dict | list | str):
                inner = (
                    replace(context, origin=SAVED_EPISODES)
                    if is_library and key == "episodes"
                    else context.at(key)
                )
                self.visit(child, inner)
        # A playlist object beside a list without any name says whose entries they are.
        found = self.parts[number_of_parts:]
        ids = {part.playlist_id for part in found if part.playlist_id}
        if len(ids) == 1:
            self.parts[number_of_parts:] = [
                part
                if part.playlist_id or part.origin
                else replace(part, playlist_id=next(iter(ids)), id_from="the playlist object beside it")
                for part in found
            ]
        bare = [
            part for part in found if part.entries and part.total is None and not (part.head or part.origin)
        ]
        if len(found) == 1 and bare:
            self.parts[number_of_parts] = _described(found[0], value)

    def _visit_page(self, page: dict[str, Any], context: _Context) -> None:
        rows = [unflattened(value) for value in page["items"]]
        what = row_kind(rows)
        address = next((page[field] for field in LINK_FIELDS if isinstance(page.get(field), str)), "")
        other = next((words for pattern, words in _PAGES if pattern.search(address)), None)
        known = PLAYLIST_LINK.search(address) or _SAVED_LINK.search(address) or STARRED_LINK.search(address)
        if what != "entries" and other is not None:
            self.others[other] += 1
        elif what is not None or (known and not any(rows)):
            self.add_list({**page, "items": rows}, context, f"a page of {what or 'entries'}")
        elif not rows:
            self.others["an empty page"] += 1
        else:
            for value in rows:
                self.visit(value, context)

    def add_list(self, page: dict[str, Any], context: _Context, what: str) -> None:
        """Take the rows of a page or list; rows that say whose they are go to their own lists."""
        owners = [row_playlist(row) for row in page["items"]]
        if not any(playlist_id or name for playlist_id, name in owners):
            self._add_rows(page, context, what)
            return
        for owner in dict.fromkeys(owners):
            playlist_id, name = owner
            rows = [row for row, own in zip(page["items"], owners, strict=True) if own == owner]
            inner = context
            if playlist_id or name:
                id_from = "the rows' playlist id" if playlist_id else ""
                inner = replace(context, playlist_id=playlist_id, id_from=id_from, origin=name or playlist_id)
            self._add_rows({"items": rows}, inner, what, {"name": name} if name else {})

    def _add_rows(
        self, page: dict[str, Any], context: _Context, what: str, head: Mapping[str, Any] | None = None
    ) -> None:
        links = [page[field] for field in LINK_FIELDS if isinstance(page.get(field), str)]
        playlist_id, id_from = linked_id(page)
        if playlist_id is None:
            playlist_id, id_from = context.playlist_id, context.id_from
        saved = any(_SAVED_LINK.search(link) for link in links)
        episodes = any(_SAVED_EPISODES_LINK.search(link) for link in links)
        starred = next(filter(None, map(STARRED_LINK.search, links)), None)
        origin = SAVED_SONGS if saved else SAVED_EPISODES if episodes else context.origin
        if starred and playlist_id is None:
            origin = f"Starred by {unquote(starred['user'])}"
        contract: Contract = "items" if is_new_contract(page["items"], links) else "tracks"
        entries = [as_entry(value) for value in page["items"]]
        self.parts.append(
            Part(
                source=context.source,
                what="a page of saved songs" if saved else what,
                head=head or {},
                pages=({**page, "items": entries},),
                contract=contract,
                playlist_id=playlist_id,
                id_from=id_from,
                origin=origin,
                offset=number_of(page.get("offset")),
                total=number_of(page.get("total")),
                taken=time_field(page, TIME_FIELDS) or context.taken,
            )
        )

    def _add_playlist(self, value: dict[str, Any], context: _Context) -> None:
        if has_unknown_entries(value):
            self.others["a playlist whose entries are in a form that is not known"] += 1
            return
        playlist_id, id_from = own_id(value)
        name = value.get("name") or value.get("title")
        starred = next(
            filter(None, (STARRED_LINK.search(str(value.get(key))) for key in ("uri", "href"))), None
        )
        if playlist_id is None and starred is not None:
            name = name or f"Starred by {unquote(starred['user'])}"
        if playlist_id is None:
            playlist_id, id_from = context.playlist_id, context.id_from
        head, pages, contract, what = split_playlist(value)
        first = pages[0] if pages else (embedded_page(value) or {})
        self.parts.append(
            Part(
                source=context.source,
                what=what,
                head=tidy_head(head),
                pages=pages,
                contract=contract,
                playlist_id=playlist_id,
                id_from=id_from,
                origin=str(name) if name else context.origin,
                offset=number_of(first.get("offset")),
                total=total_of(value, first),
                taken=time_field(value, TIME_FIELDS) or context.taken,
                changed=time_field(value, CHANGE_FIELDS) or time_in_snapshot_id(value.get("snapshot_id")),
            )
        )

    def _add_raw_object(self, envelope: dict[str, Any], context: _Context) -> None:
        """A snapshot of a Spotify Lake, this one or another."""
        head = envelope.get("playlist")
        pages = envelope["pages"]
        scheduled_at = moment(envelope.get("scheduled_at"))
        embedded = envelope.get("contract") == "embedded"
        fetched_at = moment(envelope.get("fetched_at")) and written_moment(envelope["fetched_at"])
        self.parts.append(
            Part(
                source=context.source,
                what="a raw snapshot of a Spotify Lake",
                head=tidy_head(head if isinstance(head, dict) else {})
                | (
                    {"snapshot_id": envelope["snapshot_id"]}
                    if isinstance(envelope.get("snapshot_id"), str)
                    else {}
                ),
                pages=()
                if embedded
                else tuple(
                    page for page in pages if isinstance(page, dict) and isinstance(page.get("items"), list)
                ),
                contract="embedded"
                if embedded
                else "items"
                if envelope.get("contract") == "items"
                else "tracks",
                playlist_id=playlist_id_in(envelope.get("playlist_id")),
                id_from="the envelope",
                taken=Time(scheduled_at, "the envelope") if scheduled_at else context.taken,
                fetched_at=fetched_at if fetched_at and fetched_at.tzinfo else None,
            )
        )


def _described(part: Part, wrapper: Mapping[str, Any]) -> Part:
    """Read what a wrapper, or an object in it, says of the only list in it: its length and its name."""
    described = [fields.by_plain_name(wrapper)]
    for key, child in wrapper.items():
        values = fields.by_plain_name(child) if isinstance(child, dict) and not _is_page(child) else {}
        if key == "playlist" or any(name in values for name in fields.TOTAL):
            described.append(values)
    numbers = (number_of(each[name]) for each in described for name in fields.TOTAL if name in each)
    total = next((number for number in numbers if number is not None), None)
    if total is not None and total >= len(part.entries or ()):
        part = replace(part, total=total)
    titles = (fields.first_text(each, ("name", "title", *fields.PLAYLIST_NAME)) for each in described)
    name = next(filter(None, titles), None)
    return replace(part, head={"name": name}, origin=None if part.playlist_id else name) if name else part


def _number_pages(parts: list[Part], start: int, rows: Sequence[Any]) -> None:
    """Number the pages that a script put into one list: they are in order, even without offsets."""
    found = parts[start:]
    anonymous = all(part.offset is None and part.head == {} and part.playlist_id is None for part in found)
    if len(found) < 2 or len(found) != len(rows) or not anonymous:
        return
    offset = 0
    for number, part in enumerate(found):
        parts[start + number] = replace(part, offset=offset)
        offset += len(part.entries or ())


def _is_page(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("items"), list)


def _count(words: str, number: int) -> str:
    if number == 1:
        return words
    return f"{number} {_MANY[words]}" if words in _MANY else f"{words} ({number} times)"
