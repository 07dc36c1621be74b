"""The envelope of a raw object: writing and reading its bytes. Pure: no I/O, no clock.

One gzipped JSON object for each playlist and scheduled time holds everything Spotify sent. It is written once and
never changed, and everything else can be rebuilt from it.
"""

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from spotify_lake import keys
from spotify_lake.errors import SnapshotMisplaced, SnapshotUnreadable
from spotify_lake.raw import pieces
from spotify_lake.spotify.mending import UNDECODABLE, Mender, UnreadableField, storable_json
from spotify_lake.spotify.models import (
    Contract,
    Details,
    Entry,
    EntryError,
    Page,
    PagePlace,
    Playlist,
    utc,
)

ENVELOPE_VERSION: Final = 1
type DetailObjects = Mapping[str, Mapping[str, bytes]]  # of `artists` and `albums`: JSON by id

_GZIP = 16  # zlib's code for a gzip header
_MAX_POSITION = 2**31 - 1  # the tables store positions as 32-bit integers
_Time = Annotated[datetime, Meta(tz=True)]


class Origin(Struct, frozen=True):
    """Where the content of a copied snapshot was first written.

    Attributes
    ----------
    key
        Of the raw object.
    fetched_at
        When Spotify sent the content.
    """

    key: str
    fetched_at: _Time


class Header(Struct, omit_defaults=True):
    """The envelope without what Spotify sent; `Snapshot` describes the fields."""

    envelope_version: int
    playlist_id: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,64}\Z")]
    snapshot_id: str | None
    scheduled_at: _Time
    fetched_at: _Time
    contract: Contract
    copied_from: Origin | None = None
    imported: bool = False


class _Header(Header, kw_only=True):
    """The envelope without its entries."""

    playlist: Playlist

    def __post_init__(self) -> None:
        self.scheduled_at = utc(self.scheduled_at)
        self.fetched_at = utc(self.fetched_at)


class _Envelope(_Header, kw_only=True):
    pages: list[Page]
    details: Details | None = None


class _PageAsSent(Struct):
    items: list[msgspec.Raw]


class _EnvelopeAsSent(Struct):
    playlist: Playlist
    pages: list[_PageAsSent] = []


@dataclass(frozen=True)
class RejectedEntry:
    """An entry that cannot become a row.

    Attributes
    ----------
    reason
        One of the reasons that the rejects table documents.
    detail
        What the decoder found, with the path to the field.
    payload
        The entry as JSON.
    """

    reason: str
    detail: str
    payload: str


@dataclass(frozen=True)
class Snapshot:
    """One playlist at one time, decoded.

    Attributes
    ----------
    playlist_id
        Spotify id of the playlist.
    snapshot_id
        Spotify's version of the list, if known.
    scheduled_at, fetched_at
        UTC. The snapshot shows the playlist as it was at the latter.
    contract
        How the entries were read.
    copied_from
        The origin of the content, if the list had not changed and the snapshot is a copy.
    playlist
        The playlist's own fields.
    entries
        Every position in order; None for a null entry.
    first_position
        Position of the first entry: 1, unless the snapshot holds a later part of the list.
    total
        Entries of the whole list, if its pages say so.
    details
        Details of the artists and albums that the lake had.
    unreadable
        Fields that are null because their values cannot be read.
    data
        The bytes of the raw object.
    is_imported
        Whether a person imported it. Only what a run recorded counts as what Spotify sent.
    """

    playlist_id: str
    snapshot_id: str | None
    scheduled_at: datetime
    fetched_at: datetime
    contract: Contract
    copied_from: Origin | None
    playlist: Playlist
    entries: list[Entry | RejectedEntry | None]
    first_position: int = 1
    total: int | None = None
    details: Details = field(default_factory=Details)
    unreadable: tuple[UnreadableField, ...] = ()
    data: bytes = field(default=b"", repr=False, compare=False)
    is_imported: bool = False

    @property
    def is_complete(self) -> bool | None:
        """Whether the snapshot holds the whole list; None if nothing says how long that is."""
        if self.first_position > 1:
            return False
        return None if self.total is None else len(self.entries) >= self.total

    def as_sent(self) -> list[str]:
        """Return the JSON of every position in order, as Spotify sent it.

        Raises
        ------
        SnapshotUnreadable
            An entry is nested too deeply to be read in full.
        """
        text = gunzip(self.data)
        try:
            envelope = msgspec.json.decode(text, type=_EnvelopeAsSent)
            pages = envelope.pages
            if self.contract == "embedded":
                pages = [msgspec.json.decode(_embedded(envelope.playlist), type=_PageAsSent)]
        except UNDECODABLE:
            return [storable_json(item) for item in pieces.items(pieces.take_pages(pieces.parse(text)))]
        return [bytes(item).decode(errors="replace") for page in pages for item in page.items]


class SnapshotWriter:
    """Builds the bytes of a raw object page by page, so that only one page is in memory unpacked.

    The object consists of two gzip members, which every reader joins: the envelope's own fields, and what Spotify
    sent. The second can be copied into another snapshot without unpacking it.

    Parameters
    ----------
    playlist_id, snapshot_id, scheduled_at, fetched_at, contract
        As in `Snapshot`.
    imported
        Mark it as an import.
    """

    def __init__(
        self,
        *,
        playlist_id: str,
        snapshot_id: str | None,
        scheduled_at: datetime,
        fetched_at: datetime,
        contract: Contract,
        imported: bool = False,
    ) -> None:
        # Gzip without time stamp and file name: equal content gives equal bytes. Unlike a GzipFile, it may be
        # dropped unfinished, which happens when a playlist changes while it is read.
        self._gzip = zlib.compressobj(wbits=zlib.MAX_WBITS | _GZIP)
        self._written = bytearray()
        self._pages = 0
        self._header = Header(
            ENVELOPE_VERSION, playlist_id, snapshot_id, scheduled_at, fetched_at, contract, imported=imported
        )
        self._write(b'"pages":[')

    def add_page(self, page: Mapping[str, Any]) -> None:
        """Append a page of entries as Spotify sent it."""
        self._write((b"," if self._pages else b"") + _to_json(page))
        self._pages += 1

    def finish(
        self,
        playlist: Mapping[str, Any],
        details: DetailObjects | None = None,
        captures: Sequence[Mapping[str, Any]] = (),
    ) -> bytes:
        """Close the envelope and return the object's bytes.

        Parameters
        ----------
        playlist
            The playlist object as Spotify sent it.
        details
            The details of `artists` and `albums`.
        captures
            What the content was merged from, if an import merged it. The decoder skips it.
        """
        self._write(b'],"playlist":' + _to_json(playlist))
        self._write((b',"captures":' + _to_json(captures) if captures else b"") + b"}")
        self._written += self._gzip.flush()
        return _header_member(self._header, details or {}) + self._written

    def _write(self, data: bytes) -> None:
        self._written += self._gzip.compress(data)


class Source:
    """A raw object whose content can be copied into another snapshot.

    Parameters
    ----------
    key
        Of the object.
    data
        Its bytes.

    Attributes
    ----------
    key
        Of the object.
    header
        Its envelope.

    Raises
    ------
    SnapshotUnreadable
        It is not a snapshot, it is damaged, or its envelope and content share a gzip member.
    """

    def __init__(self, key: str, data: bytes) -> None:
        self.key = key
        unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | _GZIP)
        try:
            text = unzip.decompress(data)
        except zlib.error as error:
            raise SnapshotUnreadable(f"it is not gzip ({error})") from error
        self._content = unzip.unused_data
        if not self._content or not text.endswith(b","):
            raise SnapshotUnreadable(
                "it does not consist of a member with the envelope and one with the content"
            )
        try:
            self.header = msgspec.json.decode(text[:-1] + b"}", type=Header)
        except msgspec.MsgspecError as error:
            raise SnapshotUnreadable(f"its envelope is damaged ({error})") from error
        _check_version(self.header.envelope_version)
        gunzip(self._content)  # checks the checksum: damaged content must not be copied

    @property
    def origin(self) -> Origin:
        """Where the content was first written."""
        return self.header.copied_from or Origin(self.key, self.header.fetched_at)

    def entries(self) -> list[Entry | RejectedEntry | None]:
        """Return every position of the playlist, as `decode` does."""
        return decode(_header_member(self.header, {}) + self._content).entries

    def copy(self, scheduled_at: datetime, fetched_at: datetime, details: DetailObjects) -> bytes:
        """Return the bytes of a raw object with the same content for another scheduled time.

        Parameters
        ----------
        scheduled_at
            UTC.
        fetched_at
            When Spotify reported that the list has not changed, UTC.
        details
            The details of its artists and albums known by now.
        """
        header = msgspec.structs.replace(
            self.header, scheduled_at=scheduled_at, fetched_at=fetched_at, copied_from=self.origin
        )
        return _header_member(header, details) + self._content


def decode(data: bytes, key: str | None = None) -> Snapshot:
    """Read the bytes of a raw object.

    The envelope is decoded as a whole. Only if that fails, entries are decoded one by one: a field that cannot be read
    becomes null, an entry that cannot be identified becomes a `RejectedEntry`, and the others are kept.

    Parameters
    ----------
    data
        Gzipped JSON, as `SnapshotWriter` makes it.
    key
        Of the object, if the content has to agree with it.

    Returns
    -------
    Snapshot
        With one element in `entries` for every entry of the object.

    Raises
    ------
    SnapshotUnreadable
        Not gzip, truncated, not JSON, an unknown envelope version, or no entries where they belong.
    SnapshotMisplaced
        The key names another snapshot.
    """
    text, mender = gunzip(data), Mender()
    try:
        envelope = msgspec.json.decode(text, type=_Envelope)
        pages = envelope.pages
        if envelope.contract == "embedded":
            pages = [msgspec.json.decode(_embedded(envelope.playlist), type=Page)]
        entries: list[Entry | RejectedEntry | None] = [entry for page in pages for entry in page.items]
        header: _Header = envelope
        places: Sequence[PagePlace] = pages
        details = envelope.details or Details()
    except UNDECODABLE:
        header, places, entries, details = _decode_piecewise(text, mender)
    _check_version(header.envelope_version)
    if key is not None and keys.names_another(key, header.playlist_id, header.scheduled_at):
        raise SnapshotMisplaced(keys.raw_key(header.playlist_id, header.scheduled_at))
    first_position, total = _extent(places, len(entries))
    return Snapshot(
        playlist_id=header.playlist_id,
        snapshot_id=header.snapshot_id,
        scheduled_at=header.scheduled_at,
        fetched_at=header.fetched_at,
        contract=header.contract,
        copied_from=header.copied_from,
        playlist=header.playlist,
        entries=entries,
        first_position=first_position,
        total=total,
        details=details,
        unreadable=tuple(mender.found),
        data=data,
        is_imported=header.imported,
    )


def _extent(places: Sequence[PagePlace], count: int) -> tuple[int, int | None]:
    """Return the position of the first entry, and the number of entries of the whole list."""
    total = max((place.total for place in places if place.total is not None), default=None)
    first = max(0, places[0].offset or 0) if places else 0
    # Some dumps have all entries on one page that kept the offset of the last.
    if first + count > (_MAX_POSITION if total is None else total):
        first = 0
    return first + 1, total


def _header_member(header: Header, details: DetailObjects) -> bytes:
    """Write the first member: the envelope up to the content from Spotify."""
    objects = {
        kind: {object_id: msgspec.Raw(value) for object_id, value in known.items()}
        for kind, known in details.items()
        if known
    }
    text = _to_json(msgspec.to_builtins(header))[:-1]
    if objects:
        text += b',"details":' + msgspec.json.encode(objects)
    return gzip.compress(text + b",", mtime=0)


def _to_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def gunzip(data: bytes) -> bytes:
    """Return the content of a raw object; raises SnapshotUnreadable if it is not gzip, or damaged."""
    try:
        return gzip.decompress(data)
    except gzip.BadGzipFile as error:
        raise SnapshotUnreadable(f"it is not gzip ({error})") from error
    except (EOFError, zlib.error) as error:
        raise SnapshotUnreadable(f"the gzip data is truncated or damaged ({error})") from error


def _embedded(playlist: Playlist) -> bytes:
    for page in map(bytes, (playlist.items, playlist.tracks)):
        if page != b"null":
            return page
    raise SnapshotUnreadable(pieces.NO_ENTRIES)


def _check_version(version: object) -> None:
    if version != ENVELOPE_VERSION:
        raise SnapshotUnreadable(
            f"unknown envelope version {version!r:.80}; this code reads {ENVELOPE_VERSION}"
        )


def _decode_piecewise(
    text: bytes, mender: Mender
) -> tuple[_Header, list[PagePlace], list[Entry | RejectedEntry | None], Details]:
    envelope = pieces.parse(text)
    _check_version(envelope.get("envelope_version"))
    pages, details = pieces.take_pages(envelope), envelope.pop("details", None)
    envelope["playlist"] = mender.mend(envelope.get("playlist"), Playlist, "playlist")
    try:
        header = msgspec.json.decode(storable_json(envelope), type=_Header)
    except UNDECODABLE as error:
        raise SnapshotUnreadable(f"its envelope is damaged ({error})") from error
    items = list(pieces.items(pages))
    places = [
        mender.decode(page, PagePlace, f"pages[{number}]")
        for number, page in enumerate(pages if isinstance(pages, list) else ())
    ]
    first, _ = _extent(places, len(items))
    entries = [_decode_entry(item, position, mender) for position, item in enumerate(items, start=first)]
    return header, places, entries, mender.details(details)


def _decode_entry(item: object, position: int, mender: Mender) -> Entry | RejectedEntry | None:
    payload = storable_json(item)
    try:
        return msgspec.json.decode(payload, type=Entry | None)
    except UNDECODABLE:
        found = len(mender.found)
    try:
        return mender.decode(item, Entry, position=position)
    except UNDECODABLE as error:
        del mender.found[found:]  # the reject has the entry as it was
        reason = error.__cause__.reason if isinstance(error.__cause__, EntryError) else "undecodable"
        return RejectedEntry(reason=reason, detail=str(error), payload=payload)
