"""The raw objects of plays and of the library: writing and reading their bytes. Pure: no I/O, no clock.

Each is one gzipped JSON object. A file of an export is stored without private and unknown fields, under the hash of
what is stored: the same file, from whatever zip, is the same object. A poll and a snapshot of the library hold what
Spotify sent.
"""

import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from spotify_lake import keys
from spotify_lake.errors import SnapshotMisplaced, SnapshotUnreadable
from spotify_lake.raw.envelope import gunzip
from spotify_lake.spotify.mending import UNDECODABLE, parsed_json
from spotify_lake.spotify.models import utc

type ExportSource = Literal["extended", "account"]
type Form = Literal["audio", "video", "music", "podcast", "audiobook"]
type LibraryKind = Literal["album", "show", "episode", "audiobook", "followed_artist"]

VERSION: Final = 1
SOURCE_OF: Final[Mapping[str, ExportSource]] = {
    "audio": "extended",
    "video": "extended",
    "music": "account",
    "podcast": "account",
    "audiobook": "account",
}
ALLOWED: Final[Mapping[ExportSource, frozenset[str]]] = {
    "extended": frozenset(
        {
            "ts",
            "platform",
            "ms_played",
            "conn_country",
            "master_metadata_track_name",
            "master_metadata_album_artist_name",
            "master_metadata_album_album_name",
            "spotify_track_uri",
            "episode_name",
            "episode_show_name",
            "spotify_episode_uri",
            "audiobook_title",
            "audiobook_uri",
            "audiobook_chapter_uri",
            "audiobook_chapter_title",
            "reason_start",
            "reason_end",
            "shuffle",
            "skipped",
            "offline",
            "offline_timestamp",
            "incognito_mode",
        }
    ),
    "account": frozenset(
        {
            "endTime",
            "msPlayed",
            "artistName",
            "trackName",
            "podcastName",
            "episodeName",
            "authorName",
            "audiobookName",
            "chapterName",
        }
    ),
}
# Dropped silently. Any other field that is not allowed is dropped too, but counted and named.
PRIVATE: Final = frozenset(
    {
        "username",
        "ip_addr",
        "ip_addr_decrypted",
        "user_agent_decrypted",
        "city",
        "region",
        "metro_code",
        "longitude",
        "latitude",
    }
)

_Time = Annotated[datetime, Meta(tz=True)]
_ROW: Final = msgspec.json.Decoder()
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_EMPTY: Final[Mapping[type, bytes]] = {list: b"[]", str: b'""'}
# Every escape is matched, so that the second half of a pair or of a backslash is not taken for another.
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


@dataclass(frozen=True)
class PackedExport:
    """A file of an export, ready to be stored.

    Attributes
    ----------
    digest
        Of its content; `keys.raw_export_key` makes the key from it.
    data
        The bytes of the raw object.
    row_count
        Rows of the file.
    unknown_fields
        Names of fields that are not stored although they are not known to be private, with the number of their rows.
    usernames
        User names in the rows, for comparing files; they are never stored.
    """

    digest: str
    data: bytes
    row_count: int
    unknown_fields: Mapping[str, int]
    usernames: frozenset[str]

    @property
    def key(self) -> str:
        """Key of the raw object."""
        return keys.raw_export_key(self.digest)


class _Version(Struct):
    plays_version: Any = None
    library_version: Any = None


class _ExportEnvelope(Struct):
    form: Form
    file_name: str
    imported_at: _Time
    rows: Raw
    source: ExportSource
    unknown_fields: dict[str, int] = {}


class _Page(Struct):
    items: list[Raw]


class _PollEnvelope(Struct):
    fetched_at: _Time
    page: _Page


class _LibraryEnvelope(Struct):
    scheduled_at: _Time
    fetched_at: _Time
    pages: dict[LibraryKind, list[_Page]]


@dataclass(frozen=True)
class Export:
    """A file of an export as it is stored.

    Attributes
    ----------
    digest
        The one in its key.
    source, form
        The kind of file.
    file_name, imported_at
        Of its first import.
    unknown_fields
        Names of fields that were not stored, sorted.
    rows
        The JSON of each row.
    """

    digest: str
    source: ExportSource
    form: Form
    file_name: str
    imported_at: datetime
    unknown_fields: Sequence[str]
    rows: Sequence[Raw]


@dataclass(frozen=True)
class Poll:
    """An answer with the last plays.

    Attributes
    ----------
    key
        Of the raw object.
    fetched_at
        UTC, whole seconds.
    rows
        The JSON of each play.
    """

    key: str
    fetched_at: datetime
    rows: Sequence[Raw]


@dataclass(frozen=True)
class LibrarySnapshot:
    """The library at one time (UTC): the JSON of each item, by kind and in Spotify's order."""

    scheduled_at: datetime
    items: Mapping[LibraryKind, Sequence[Raw]]


def pack_export(
    form: Form, file_name: str, rows: Iterable[bytes | Raw], imported_at: datetime
) -> PackedExport:
    """Make the raw object of an export's file.

    Parameters
    ----------
    form
        The kind of its rows.
    file_name
        Name of the file, without its folder.
    rows
        The JSON of each row, in the file's order. Values keep their text. An object keeps its listed fields, except
        those that hold an object or a list: these count as unknown. A row that is a list or a text becomes an empty
        one, because it may hold private fields too.
    imported_at
        Time of the import: no play can be later. The digest does not depend on it.

    Raises
    ------
    msgspec.DecodeError
        A row is not JSON.
    """
    source, packed = SOURCE_OF[form], list[bytes]()
    allowed = ALLOWED[source]
    unknown, usernames = Counter[str](), set[str]()
    for row in rows:
        text = bytes(row).strip()
        try:
            value = _ROW.decode(text)
        except UNDECODABLE:
            text = _mended(text)
            value = _value(text)
        if not isinstance(value, dict):
            packed.append(_EMPTY.get(type(value), text))
            continue
        fields = _FIELDS.decode(text)
        kept = {}
        for name, field in fields.items():
            if name in allowed and not isinstance(value[name], dict | list):
                kept[name] = field
            elif name not in PRIVATE:
                unknown[name] += 1
        if isinstance(username := value.get("username"), str):
            usernames.add(username)
        packed.append(msgspec.json.encode(kept))
    content = b"[" + b",".join(packed) + b"]"
    unknown_fields = dict(sorted(unknown.items()))
    data = _pack(
        {
            "plays_version": VERSION,
            "source": source,
            "form": form,
            "file_name": file_name,
            "imported_at": keys.iso(imported_at.replace(microsecond=0)),
            "unknown_fields": unknown_fields,
            "rows": Raw(content),
        }
    )
    return PackedExport(_digest(form, content), data, len(packed), unknown_fields, frozenset(usernames))


def _value(text: bytes) -> Any:
    """Parse a row; Python parses it if msgspec cannot represent one of its numbers."""
    try:
        return _ROW.decode(text)
    except msgspec.ValidationError:
        return parsed_json(text)


def unpack_export(data: bytes, key: str) -> Export:
    """Read the raw object of an export's file.

    Raises
    ------
    SnapshotUnreadable
        It is damaged, or from a later version.
    SnapshotMisplaced
        Its content does not have the digest in its key.
    """
    envelope = _unpack(data, _ExportEnvelope, "plays_version")
    if envelope.source != SOURCE_OF[envelope.form]:
        raise SnapshotUnreadable(f"{envelope.source} has no files of the form {envelope.form}")
    content = bytes(envelope.rows)
    digest = _digest(envelope.form, content)
    if key != keys.raw_export_key(digest):
        raise SnapshotMisplaced(keys.raw_export_key(digest))
    return Export(
        digest=digest,
        source=envelope.source,
        form=envelope.form,
        file_name=envelope.file_name,
        imported_at=utc(envelope.imported_at),
        unknown_fields=sorted(envelope.unknown_fields),
        rows=_decode(content, list[Raw], "its rows are damaged"),
    )


def pack_poll(fetched_at: datetime, page: bytes) -> bytes:
    """Make the raw object of a poll.

    Parameters
    ----------
    fetched_at
        UTC, whole seconds: the time in the key.
    page
        Spotify's answer.
    """
    return _pack(
        {"plays_version": VERSION, "source": "api", "fetched_at": keys.iso(fetched_at), "page": Raw(page)}
    )


def unpack_poll(data: bytes, key: str) -> Poll:
    """Read the raw object of a poll; raises as `unpack_export` does."""
    envelope = _unpack(data, _PollEnvelope, "plays_version")
    fetched_at = utc(envelope.fetched_at)
    if key != keys.raw_poll_key(fetched_at):
        raise SnapshotMisplaced(keys.raw_poll_key(fetched_at))
    return Poll(key, fetched_at, envelope.page.items)


def pack_library(
    scheduled_at: datetime, fetched_at: datetime, pages: Mapping[LibraryKind, Sequence[Mapping[str, Any]]]
) -> bytes:
    """Make the raw object of a snapshot of the library.

    Parameters
    ----------
    scheduled_at
        UTC, whole seconds: the time in the key.
    fetched_at
        When Spotify sent it, UTC.
    pages
        Spotify's answers of each kind, in order; for followed artists, the content of the answers' field `artists`.
    """
    return _pack(
        {
            "library_version": VERSION,
            "scheduled_at": keys.iso(scheduled_at),
            "fetched_at": keys.iso(fetched_at),
            "pages": pages,
        }
    )


def unpack_library(data: bytes, key: str) -> LibrarySnapshot:
    """Read the raw object of a snapshot of the library; raises as `unpack_export` does."""
    envelope = _unpack(data, _LibraryEnvelope, "library_version")
    scheduled_at = utc(envelope.scheduled_at)
    if key != keys.raw_library_key(scheduled_at):
        raise SnapshotMisplaced(keys.raw_library_key(scheduled_at))
    return LibrarySnapshot(
        scheduled_at,
        {kind: [item for page in pages for item in page.items] for kind, pages in envelope.pages.items()},
    )


def _digest(form: Form, content: bytes) -> str:
    return hashlib.sha256(form.encode() + b"\n" + content).hexdigest()


def _pack(envelope: Mapping[str, Any]) -> bytes:
    # No time stamp: equal content gives equal bytes. Level 9 takes four times as long and saves 5 %.
    return gzip.compress(msgspec.json.encode(envelope), compresslevel=6, mtime=0)


def _unpack[Envelope: Struct](data: bytes, envelope: type[Envelope], version: str) -> Envelope:
    text = gunzip(data)
    found = getattr(_decode(text, _Version, "it is damaged"), version)
    if found != VERSION:
        raise SnapshotUnreadable(f"unknown version {found!r:.80} of its format; this code reads {VERSION}")
    return _decode(text, envelope, "it is damaged")


def _decode[Content](text: bytes, form: type[Content], problem: str) -> Content:
    try:
        return msgspec.json.decode(text, type=form)
    except UNDECODABLE:
        text = _mended(text)
    try:
        return msgspec.json.decode(text, type=form)
    except UNDECODABLE as error:
        raise SnapshotUnreadable(f"{problem} ({error})") from error


def _mended(text: bytes) -> bytes:
    """Replace what UTF-8 cannot represent: invalid bytes, and escaped surrogates that have no partner."""
    return _ESCAPE.sub(_as_pair, text.decode(errors="replace")).encode()


def _as_pair(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape["lone"] else escape[0]
