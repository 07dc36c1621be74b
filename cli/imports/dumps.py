"""What people have kept of their playlists: a file's bytes become parts of playlists. Pure, no I/O, no clock.

A file may hold what Spotify's Web API sent in any year (playlist objects, pages, bare lists), the same inside
what scripts and client libraries put around it, or what Spotify's account-data export holds. Whatever is
recognized becomes a `Part`; entries stay as they are, unless their form is not the API's: then they are put
into that form and what they were is kept beside it under ``imported``.
"""

import base64
import gzip
import io
import json
import math
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from cli.imports.shapes import (
    as_entry,
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
    type_of,
    unflattened,
    written_moment,
)
from spotify_lake.spotify.models import Contract, Playlist

SAVED_SONGS: Final = "Liked Songs"
SAVED_EPISODES: Final = "Your Episodes"

_PLAYLIST_LINK = re.compile(
    r"(?:spotify:(?:user:[^:]+:)?playlist:|open\.spotify\.com/(?:[^?#]*/)?playlist/|/v1/(?:users/[^/]+/)?playlists/)"
    r"(?P<id>[^/?#:\s]+)"
)
_STARRED_LINK = re.compile(r"(?:/users/|spotify:user:)(?P<user>[^/:]+)[/:]starred\b")
_SAVED_EPISODES_LINK = re.compile(r"/v1/me/episodes\b")
_SAVED_LINK = re.compile(r"/v1/me/tracks\b")
_LINK_FIELDS = ("uri", "href", "url", "link", "next", "previous", "playlist_uri", "playlist_url")
_ID_FIELDS = ("playlist_id", "playlistId", "playlist_uri", "playlistUri", "playlist_url", "playlistUrl")
# When a file says itself when it was made, in the fields that scripts and recorders use for it.
_TIME_FIELDS = (
    "scheduled_at fetched_at captured_at exported_at exportedAt export_date exportDate exported backup_date backupDate"
    " backed_up_at generated_at generatedAt generated_on retrieved_at retrievedAt downloaded_at crawled_at scraped_at"
    " snapshot_at snapshot_date startedDateTime recorded_at timestamp date Date"
).split()
_CHANGE_FIELDS = ("lastModifiedDate", "modified_at", "last_modified", "lastModified", "updated_at")
# Keys around a list that say nothing about which list it is.
_PLAIN_KEYS = frozenset(
    "tracks items data body playlist playlists results result response content contents pages page songs list entries"
    " track item text string json payload value rows records log http_interactions interactions objects all".split()
)
# What a page without playlist entries belongs to, by its address.
_PAGES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"/search\b"), "search results"),
    (re.compile(r"/albums/[^/]+/tracks"), "the songs of an album"),
    (re.compile(r"/me/top/"), "your top songs"),
    (re.compile(r"/recently-played"), "listening history"),
    (re.compile(r"/shows/[^/]+/episodes"), "the episodes of a podcast"),
    (re.compile(r"/audiobooks/[^/]+/chapters"), "the chapters of an audiobook"),
)
_PLAYLIST_FIELDS = frozenset(Playlist.__struct_fields__)
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
class Time:
    """A moment and where it was found, in words."""

    moment: datetime
    source: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What one place of a file holds of one playlist.

    Attributes
    ----------
    source
        Name of the file.
    what
        What it was recognized as, in words.
    head
        The playlist object, or as much of one as is known; empty for a bare list.
    pages
        Pages of entries; empty when the entries are in `head` (contract ``embedded``) or not in the file.
    contract
        As in the raw envelope.
    playlist_id, id_from
        As the file has it, and where it stood.
    origin
        What identifies the list where no id does: its name, or whose list it is.
    offset, total
        Position of the first entry, counted from 0, and the length of the whole list, if the file says so.
    taken
        When the content was fetched, if the file says so.
    changed
        When the list was last changed, if the file says so.
    fetched_at
        The exact time of fetching, if the file is a raw snapshot.
    """

    source: str
    what: str
    head: Mapping[str, Any]
    pages: tuple[Mapping[str, Any], ...] = ()
    contract: Contract = "tracks"
    playlist_id: str | None = None
    id_from: str = ""
    origin: str | None = None
    offset: int | None = None
    total: int | None = None
    taken: Time | None = None
    changed: Time | None = None
    fetched_at: datetime | None = None

    @cached_property
    def entries(self) -> list[Any] | None:
        """The entries; None when the file only tells of the list."""
        if self.contract == "embedded":
            page = _embedded_page(self.head)
            return None if page is None else list(page["items"])
        return [entry for page in self.pages for entry in page["items"]] if self.pages else None


@dataclass(frozen=True)
class Reading:
    """What a file holds.

    Attributes
    ----------
    parts
        What belongs to playlists, in the order of the file.
    others
        What was recognized and is no playlist, in words.
    problems
        What could not be read, one sentence each.
    """

    parts: tuple[Part, ...] = ()
    others: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def unpack(source: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Take the files out of a zip archive; any other file is passed on as it is.

    Parameters
    ----------
    source
        Name of the file.
    data
        Its bytes.

    Yields
    ------
    tuple of str and bytes
        Name (of a file in an archive: with the archive's name before it) and content.
    """
    if not data.startswith(b"PK\x03\x04"):
        yield source, data
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                if not member.is_dir() and "json" in member.filename.lower():
                    yield f"{source}/{member.filename}", archive.read(member)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError):
        yield source, data


def read(source: str, data: bytes) -> Reading:
    """Find out what a file holds.

    Parameters
    ----------
    source
        Name of the file, for messages and as a last resort to tell lists apart.
    data
        JSON, several JSON documents after each other or one a line, or a recorded HTTP response; gzipped or not.

    Returns
    -------
    Reading
        Every entry of the file is in its parts, or a problem or another thing says what is not.
    """
    try:
        documents, taken, problems = _documents(_text(data))
        context = _Context(source=source, taken=taken)
        reader = _recognize(documents, context)
        if not reader.parts and has_foreign_names(documents):
            reader = _recognize([snake_case(document) for document in documents], context)
    except _Unreadable as error:
        return Reading(problems=(str(error),))
    except RecursionError:
        return Reading(problems=("Its JSON is nested too deeply.",))
    if not reader.parts and not reader.others and not problems:
        problems.append(
            "It is JSON, but nothing in it looks like a playlist, entries of one, or songs"
            + _fields(documents)
        )
    return Reading(
        tuple(reader.parts), tuple(_count(*other) for other in reader.others.items()), tuple(problems)
    )


# --- From bytes to JSON ----------------------------------------------------------------------


class _Unreadable(Exception):
    """The bytes are no JSON."""


def _text(data: bytes) -> str:
    for _ in range(2):  # some tools compress what is already compressed
        if not data.startswith(b"\x1f\x8b"):
            break
        try:
            data = gzip.decompress(data)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _Unreadable(f"Its gzip data is cut short or damaged ({error}).") from error
    if data[257:262] == b"ustar":
        raise _Unreadable("It is a tar archive: unpack it and import the files in it.")
    if data.startswith(b"PK\x03\x04"):
        raise _Unreadable("It is a zip archive that is damaged or locked.")
    if not data.strip():
        raise _Unreadable("It is empty.")
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _documents(text: str) -> tuple[list[Any], Time | None, list[str]]:
    """Parse the JSON documents in a text; also return when an HTTP head says it was sent, and what is no JSON."""
    taken = None
    if text.lstrip()[:5] == "HTTP/":
        taken = _http_date(text)
        body = re.search(r"^\s*[\[{]", text, re.MULTILINE)
        text = text[body.start() :] if body else ""
    text = text.strip().removeprefix("\ufeff")
    try:
        return [_json(text)], taken, []
    except ValueError as error:
        whole = error
    documents, problems = _lines(text) or _sequence(text)
    if not documents:
        raise _Unreadable(_no_json(text, whole))
    return documents, taken, problems


def _lines(text: str) -> tuple[list[Any], list[str]] | None:
    """One JSON document a line; None if it is not written like that."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if len(lines) < 2 or any(line[0] not in "{[" or line[-1] not in "}]" for _, line in lines[:-1]):
        return None
    documents, problems = [], []
    for number, line in lines:
        try:
            documents.append(_json(line))
        except ValueError as error:
            problems.append(f"Its line {number} is no JSON ({error}) and was left out.")
    return (documents, problems) if len(problems) < len(documents) else None


def _sequence(text: str) -> tuple[list[Any], list[str]]:
    """JSON documents written one after another."""
    decoder = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)
    documents: list[Any] = []
    position = 0
    while position < len(text):
        try:
            document, position = decoder.raw_decode(text, position)
        except ValueError as error:
            return documents, [
                f"After {len(documents)} documents it is no JSON ({error}); the rest was left out."
            ]
        documents.append(document)
        while position < len(text) and text[position] in " \t\r\n,;":
            position += 1
    return documents, []


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=_no_number, parse_float=_finite)


def _no_number(_: str) -> None:
    """NaN and Infinity, which pandas writes for what is missing and JSON does not have."""


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _no_json(text: str, error: ValueError) -> str:
    if text.startswith("<"):
        return "It is a web page or XML, not JSON."
    if text[:1] not in "{[":
        return f"It is no JSON: it begins with {text.splitlines()[0][:40]!r}."
    if re.match(r"[\[{]\s*[{\[]*\s*'", text):
        return "It is written in Python's notation, not in JSON: save it again with json.dump."
    if isinstance(error, json.JSONDecodeError) and (
        error.pos >= len(text) - 1 or error.msg.startswith("Unterminated string")
    ):
        return f"It is cut short: the JSON is not complete at its end ({error})."
    return f"It is no JSON ({error})."


def _http_date(text: str) -> Time | None:
    found = re.search(r"^date:\s*(.+?)\s*$", text[:10_000], re.IGNORECASE | re.MULTILINE)
    sent = moment(found[1]) if found else None
    return Time(sent, "the response's Date header") if sent else None


def _fields(documents: Sequence[Any]) -> str:
    names = list(documents[0]) if isinstance(documents[0], dict) else []
    if not names:
        return "."
    return f" (its fields: {', '.join(str(name)[:40] for name in names[:6])}{', …' if names[6:] else ''})."


# --- From JSON to parts ----------------------------------------------------------------------


@dataclass(frozen=True)
class _Context:
    """What the things around a value say about it."""

    source: str
    taken: Time | None = None
    playlist_id: str | None = None
    id_from: str = ""
    origin: str | None = None

    def inside(self, wrapper: Mapping[str, Any]) -> "_Context":
        found = self
        taken = _time_field(wrapper, _TIME_FIELDS)
        if taken is not None:
            found = replace(found, taken=taken)
        for field in _ID_FIELDS:
            playlist_id = playlist_id_in(wrapper.get(field))
            if playlist_id:
                found = replace(found, playlist_id=playlist_id, id_from=f"the field {field}")
                break
        return found

    def at(self, key: str) -> "_Context":
        if key in _PLAIN_KEYS or key.isdigit():
            return self
        if looks_like_id(key):
            return replace(self, playlist_id=key, id_from="the key it stands under")
        link = _PLAYLIST_LINK.search(key)
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
            self.visit(_json(text), context)
        except ValueError:
            self.others["a text"] += 1

    def _visit_list(self, values: list[Any], context: _Context) -> None:
        rows = [unflattened(value) for value in values]
        what = row_kind(rows)
        if what is not None:
            self._add_list({"items": rows}, context, f"a bare list of {what}")
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
        elif _is_playlist(value):
            self._add_playlist(value, context)
        elif _is_page(value):
            self._visit_page(value, context)
        elif is_entry(value):
            self._add_list({"items": [value]}, context, "a single entry")
        elif is_song(value):
            self.others["a single song"] += 1
        else:
            self._visit_wrapper(value, context.inside(value))

    def _visit_wrapper(self, value: dict[str, Any], context: _Context) -> None:
        number_of_parts = len(self.parts)
        if _BANNED & value.keys():  # YourLibrary.json of the account-data export
            context = replace(context, origin=SAVED_SONGS)
        for key, child in value.items():
            if key in _BANNED:
                self.others["a list of what you have banned"] += 1
            elif isinstance(child, dict | list | str):
                self.visit(child, context.at(key))
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

    def _visit_page(self, page: dict[str, Any], context: _Context) -> None:
        rows = [unflattened(value) for value in page["items"]]
        what = row_kind(rows)
        address = next((page[field] for field in _LINK_FIELDS if isinstance(page.get(field), str)), "")
        other = next((words for pattern, words in _PAGES if pattern.search(address)), None)
        known = _PLAYLIST_LINK.search(address) or _SAVED_LINK.search(address) or _STARRED_LINK.search(address)
        if what != "entries" and other is not None:
            self.others[other] += 1
        elif what is not None or (known and not any(rows)):
            self._add_list({**page, "items": rows}, context, f"a page of {what or 'entries'}")
        elif not rows:
            self.others["an empty page"] += 1
        else:
            for value in rows:
                self.visit(value, context)

    def _add_list(self, page: dict[str, Any], context: _Context, what: str) -> None:
        links = [page[field] for field in _LINK_FIELDS if isinstance(page.get(field), str)]
        playlist_id, id_from = _linked_id(page)
        if playlist_id is None:
            playlist_id, id_from = context.playlist_id, context.id_from
        saved = any(_SAVED_LINK.search(link) for link in links)
        episodes = any(_SAVED_EPISODES_LINK.search(link) for link in links)
        starred = next(filter(None, map(_STARRED_LINK.search, links)), None)
        origin = SAVED_SONGS if saved else SAVED_EPISODES if episodes else context.origin
        if starred and playlist_id is None:
            origin = f"Starred by {unquote(starred['user'])}"
        contract: Contract = "items" if _is_new_contract(page["items"], links) else "tracks"
        entries = [as_entry(value) for value in page["items"]]
        self.parts.append(
            Part(
                source=context.source,
                what="a page of saved songs" if saved else what,
                head={},
                pages=({**page, "items": entries},),
                contract=contract,
                playlist_id=playlist_id,
                id_from=id_from,
                origin=origin,
                offset=number_of(page.get("offset")),
                total=number_of(page.get("total")),
                taken=_time_field(page, _TIME_FIELDS) or context.taken,
            )
        )

    def _add_playlist(self, value: dict[str, Any], context: _Context) -> None:
        if _has_unknown_entries(value):
            self.others["a playlist whose entries are in a form that is not known"] += 1
            return
        playlist_id, id_from = _own_id(value)
        name = value.get("name") or value.get("title")
        starred = next(
            filter(None, (_STARRED_LINK.search(str(value.get(key))) for key in ("uri", "href"))), None
        )
        if playlist_id is None and starred is not None:
            name = name or f"Starred by {unquote(starred['user'])}"
        if playlist_id is None:
            playlist_id, id_from = context.playlist_id, context.id_from
        head, pages, contract, what = _body(value)
        first = pages[0] if pages else (_embedded_page(value) or {})
        self.parts.append(
            Part(
                source=context.source,
                what=what,
                head=_tidy_head(head),
                pages=pages,
                contract=contract,
                playlist_id=playlist_id,
                id_from=id_from,
                origin=str(name) if name else context.origin,
                offset=number_of(first.get("offset")),
                total=_total(value, first),
                taken=_time_field(value, _TIME_FIELDS) or context.taken,
                changed=_time_field(value, _CHANGE_FIELDS) or _snapshot_time(value.get("snapshot_id")),
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
                head=_tidy_head(head if isinstance(head, dict) else {})
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


def _number_pages(parts: list[Part], start: int, rows: Sequence[Any]) -> None:
    """Pages that a script put into one list stand in their order, even if they do not say their offsets."""
    found = parts[start:]
    anonymous = all(part.offset is None and part.head == {} and part.playlist_id is None for part in found)
    if len(found) < 2 or len(found) != len(rows) or not anonymous:
        return
    offset = 0
    for number, part in enumerate(found):
        parts[start + number] = replace(part, offset=offset)
        offset += len(part.entries or ())


# --- Recognizing objects ---------------------------------------------------------------------


def _is_playlist(value: Mapping[str, Any]) -> bool:
    if type_of(value) == "playlist" or "snapshot_id" in value or {"collaborative", "owner"} <= value.keys():
        return True
    if type_of(value) in {"track", "episode"}:
        return False
    uri = value.get("uri")
    if isinstance(uri, str) and (_PLAYLIST_LINK.match(uri) or _STARRED_LINK.match(uri)):
        return True
    named = any(
        value.get(field) is not None for field in ("name", "title", "id", "pid", "owner", "description")
    )
    if not named:
        return False
    summary = value.get("tracks")
    if isinstance(summary, dict) and summary.keys() == {"href", "total"}:
        return True
    return (
        any(_rows_of(value.get(field)) is not None for field in ("items", "tracks")) and "limit" not in value
    )


def _is_page(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("items"), list)


def _rows_of(body: Any) -> list[Any] | None:
    """The rows in what stands under a playlist's `tracks` or `items`: a page, a list, or a list of pages."""
    if isinstance(body, dict):
        body = body.get("items")
    if not isinstance(body, list):
        return None
    if body and all(isinstance(page, dict) and isinstance(page.get("items"), list) for page in body):
        body = [row for page in body for row in page["items"]]
    rows = [unflattened(row) for row in body]
    return rows if not any(rows) or row_kind(rows) else None


def _has_unknown_entries(value: Mapping[str, Any]) -> bool:
    """Tell whether there are rows where entries belong that are none: links only, or the web player's form."""
    bodies = [value.get(field) for field in ("items", "tracks", "content")]
    rows = [body.get("items") if isinstance(body, dict) else body for body in bodies]
    return any(isinstance(each, list) and each for each in rows) and all(
        _rows_of(body) is None for body in bodies
    )


def _body(value: dict[str, Any]) -> tuple[dict[str, Any], tuple[dict[str, Any], ...], Contract, str]:
    """Split a playlist object into itself and its pages of entries.

    As long as the object is as Spotify sends it, it is left whole and its contract is ``embedded``.
    """
    for field in ("items", "tracks"):
        body = value.get(field)
        rows = _rows_of(body)
        if rows is None:
            continue
        if isinstance(body, dict):
            entries = [as_entry(row) for row in rows]
            untouched = all(new is old for new, old in zip(entries, body["items"], strict=True))
            if untouched and _embedded_page(value) is body:
                return value, (), "embedded", "a playlist object"
            pages = [{**body, "items": entries}]
        elif body and all(isinstance(page, dict) and isinstance(page.get("items"), list) for page in body):
            pages = [
                {**page, "items": [as_entry(unflattened(row)) for row in page["items"]]} for page in body
            ]
        else:
            pages = [{"items": [as_entry(row) for row in rows]}]
        head = {key: child for key, child in value.items() if key != field}
        what = "a playlist of the account-data export" if "lastModifiedDate" in value else "a playlist object"
        contract: Contract = "items" if _is_new_contract(rows, []) else "tracks"
        return head, tuple(pages), contract, what
    return value, (), "tracks", "a playlist object without its entries"


def _embedded_page(head: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The page that readers of raw find in a playlist object."""
    page = head.get("tracks") if head.get("items") is None else head["items"]
    return page if isinstance(page, dict) and isinstance(page.get("items"), list) else None


def _is_new_contract(rows: Sequence[Any], links: Sequence[str]) -> bool:
    if any(re.search(r"/playlists/[^/]+/items\b", link) for link in links):
        return True
    entries = [row for row in rows if isinstance(row, dict)]
    return any("item" in row for row in entries) and not any("track" in row for row in entries)


def _own_id(value: Mapping[str, Any]) -> tuple[str | None, str]:
    own = value.get("id")
    if isinstance(own, str) and own.strip():
        return playlist_id_in(own), "the playlist object"
    linked, id_from = _linked_id(value)
    if linked is not None:
        return linked, id_from
    for field in ("tracks", "items"):
        if isinstance(value.get(field), dict):
            linked, id_from = _linked_id(value[field])
            if linked is not None:
                return linked, id_from
    if isinstance(value.get("pid"), int):
        return f"pid{value['pid']}", "its pid"
    return None, ""


def _linked_id(value: Mapping[str, Any]) -> tuple[str | None, str]:
    links = [(field, value.get(field)) for field in _LINK_FIELDS]
    urls = value.get("external_urls")
    if isinstance(urls, dict):
        links.append(("external_urls", urls.get("spotify")))
    for field, link in links:
        match = _PLAYLIST_LINK.search(link) if isinstance(link, str) else None
        if match:
            return unquote(match["id"]), f"its {field}"
    return None, ""


def playlist_id_in(value: object) -> str | None:
    """Read a playlist's id, URI or link; whatever else a text holds is taken for an id."""
    if not isinstance(value, str) or not value.strip():
        return None
    match = _PLAYLIST_LINK.search(value)
    return unquote(match["id"]) if match else value.strip()


def _total(value: Mapping[str, Any], page: Mapping[str, Any]) -> int | None:
    summaries = [value.get(field) for field in ("items", "tracks")]
    candidates = [page.get("total")]
    candidates += [summary.get("total") if isinstance(summary, dict) else summary for summary in summaries]
    candidates += [value.get(field) for field in ("total_tracks", "num_tracks", "track_count", "trackCount")]
    return next((number for number in map(number_of, candidates) if number is not None), None)


def _time_field(value: Mapping[str, Any], fields: Sequence[str]) -> Time | None:
    for field in fields:
        found = moment(value.get(field))
        if found is not None:
            return Time(found, f"its field {field}")
    headers, info = value.get("headers"), value.get("info")
    for inner, words in ((headers, "the response's Date header"), (info, None)):
        if isinstance(inner, dict) and inner is not value:
            for field in fields:
                values = inner.get(field) or inner.get(field.lower())
                found = moment(values[0] if isinstance(values, list) and values else values)
                if found is not None:
                    return Time(found, words or f"its field {field}")
    return None


def _count(words: str, number: int) -> str:
    if number == 1:
        return words
    return f"{number} {_MANY[words]}" if words in _MANY else f"{words} ({number} times)"


def _snapshot_time(snapshot_id: object) -> Time | None:
    """Lists made by Spotify itself carry the second of their last change in their snapshot_id."""
    if not isinstance(snapshot_id, str):
        return None
    try:
        text = base64.b64decode(snapshot_id + "=" * (-len(snapshot_id) % 4)).decode("ascii")
    except ValueError:
        return None
    changed = moment(text.partition(",")[0])
    return Time(changed, "its snapshot_id") if changed else None


def _tidy_head(head: Mapping[str, Any]) -> dict[str, Any]:
    """Take the fields whose type is not the API's out of a playlist object, and keep them under `imported`."""
    tidy = dict(head)
    if isinstance(tidy.get("numberOfFollowers"), int) and "followers" not in tidy:
        tidy["followers"] = {"total": tidy["numberOfFollowers"]}
    odd = {field: tidy.pop(field) for field in list(tidy) if not fits_playlist(field, tidy[field])}
    return tidy | ({"imported": odd} if odd else {})


def fits_playlist(field: str, value: Any) -> bool:
    """Tell whether a playlist object's field can be decoded."""
    if field not in _PLAYLIST_FIELDS or value is None:
        return True
    try:
        text = json.dumps({field: value}, ensure_ascii=False).encode("utf-8", "replace")
        msgspec.json.decode(text, type=Playlist)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
