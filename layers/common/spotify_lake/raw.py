"""The raw snapshot: its envelope, its place in the bucket, writing and reading it.

Raw is the record. One gzipped JSON object per playlist and scheduled time holds everything Spotify sent;
it is written once and never changed, and everything else can be rebuilt from it.
"""

import gzip
import io
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.spotify.models import Entry, EntryError, Page, Playlist, utc

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ENVELOPE_VERSION: Final = 1
type Contract = Literal["items", "tracks", "embedded"]

# json.loads pairs surrogates where it can; whatever is left cannot be stored as UTF-8.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_Time = Annotated[datetime, Meta(tz=True)]


class _Header(Struct):
    """The envelope without its entries."""

    envelope_version: int
    playlist_id: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,64}\Z")]
    snapshot_id: str | None
    scheduled_at: _Time
    fetched_at: _Time
    contract: Literal["items", "tracks", "embedded"]
    playlist: Playlist

    def __post_init__(self) -> None:
        self.scheduled_at = utc(self.scheduled_at)
        self.fetched_at = utc(self.fetched_at)


class _Envelope(_Header):
    pages: list[Page]


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
    """One playlist as it was at one time, decoded.

    Attributes
    ----------
    playlist_id
        Spotify id of the playlist.
    snapshot_id
        Spotify's version of the list, if known.
    scheduled_at, fetched_at
        UTC.
    contract
        How the entries were read.
    playlist
        The playlist's own fields.
    entries
        Every position in order; None for a null entry.
    """

    playlist_id: str
    snapshot_id: str | None
    scheduled_at: datetime
    fetched_at: datetime
    contract: Contract
    playlist: Playlist
    entries: list[Entry | RejectedEntry | None]


def compact_time(moment: datetime) -> str:
    """Format a time as in object keys, for example 20261120T060000Z."""
    # Not strftime: its %Y has fewer than four digits for early years, on some systems.
    return re.sub("[-:]", "", _iso(moment.replace(microsecond=0)))


def key(playlist_id: str, scheduled_at: datetime) -> str:
    """Return the object key of a playlist's snapshot."""
    return f"raw/playlist_id={playlist_id}/{compact_time(scheduled_at)}.json.gz"


class SnapshotWriter:
    """Builds the bytes of a raw object page by page, so that only one page is in memory unpacked.

    Parameters
    ----------
    playlist_id, snapshot_id, scheduled_at, fetched_at, contract
        As in `Snapshot`.
    playlist
        The playlist object as Spotify sent it.
    """

    def __init__(
        self,
        *,
        playlist_id: str,
        snapshot_id: str | None,
        scheduled_at: datetime,
        fetched_at: datetime,
        contract: Contract,
        playlist: Mapping[str, Any],
    ) -> None:
        self._buffer = io.BytesIO()
        # Without a time stamp and file name, equal content is equal bytes.
        self._gzip = gzip.GzipFile(filename="", mode="wb", fileobj=self._buffer, mtime=0)
        self._pages = 0
        header = _to_json(
            {
                "envelope_version": ENVELOPE_VERSION,
                "playlist_id": playlist_id,
                "snapshot_id": snapshot_id,
                "scheduled_at": _iso(scheduled_at),
                "fetched_at": _iso(fetched_at),
                "contract": contract,
                "playlist": playlist,
            }
        )
        self._gzip.write(header[:-1] + b',"pages":[')

    def add_page(self, page: Mapping[str, Any]) -> None:
        """Append a page of entries as Spotify sent it."""
        self._gzip.write((b"," if self._pages else b"") + _to_json(page))
        self._pages += 1

    def finish(self) -> bytes:
        """Close the envelope and return the object's bytes; call it once."""
        self._gzip.write(b"]}")
        self._gzip.close()
        return self._buffer.getvalue()


def decode(data: bytes) -> Snapshot:
    """Read the bytes of a raw object.

    The whole envelope is decoded in one go. Only when that fails is it taken apart, so that one bad entry
    becomes one `RejectedEntry` and the others are kept.

    Parameters
    ----------
    data
        Gzipped JSON, as `SnapshotWriter` makes it.

    Returns
    -------
    Snapshot
        With one element in `entries` for every entry of the object.

    Raises
    ------
    SnapshotUnreadable
        Not gzip, cut short, no JSON, an unknown envelope version, or no entries where they belong.
    """
    text = _gunzip(data)
    try:
        envelope = msgspec.json.decode(text, type=_Envelope)
        pages = envelope.pages
        if envelope.contract == "embedded":
            pages = [msgspec.json.decode(_embedded(envelope.playlist), type=Page)]
        entries: list[Entry | RejectedEntry | None] = [entry for page in pages for entry in page.items]
        header: _Header = envelope
    except _UNDECODABLE:
        header, entries = _decode_piecewise(text)
    _check_version(header.envelope_version)
    return Snapshot(
        playlist_id=header.playlist_id,
        snapshot_id=header.snapshot_id,
        scheduled_at=header.scheduled_at,
        fetched_at=header.fetched_at,
        contract=header.contract,
        playlist=header.playlist,
        entries=entries,
    )


def exists(s3: "S3Client", bucket: str, object_key: str) -> bool:
    """Tell whether an object is there, with one HEAD request."""
    try:
        s3.head_object(Bucket=bucket, Key=object_key)
    except s3.exceptions.ClientError as error:
        if _status(error) == HTTPStatus.NOT_FOUND:
            return False
        raise
    return True


def put(s3: "S3Client", bucket: str, object_key: str, body: bytes) -> bool:
    """Write a raw object unless there is one already.

    Returns
    -------
    bool
        False when an object with this key was there first; it is left as it is.
    """
    try:
        s3.put_object(
            Bucket=bucket, Key=object_key, Body=body, ContentType="application/gzip", IfNoneMatch="*"
        )
    except s3.exceptions.ClientError as error:
        # 409: another writer's conditional PUT of the same key is under way, and it may yet fail.
        if _status(error) == HTTPStatus.PRECONDITION_FAILED:
            return False
        raise
    return True


def _status(error: Any) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _to_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _gunzip(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except gzip.BadGzipFile as error:
        raise SnapshotUnreadable(f"it is not gzip ({error})") from error
    except (EOFError, zlib.error) as error:
        raise SnapshotUnreadable(f"the gzip data is cut short or damaged ({error})") from error


def _embedded(playlist: Playlist) -> bytes:
    for page in map(bytes, (playlist.items, playlist.tracks)):
        if page != b"null":
            return page
    raise SnapshotUnreadable("neither pages nor the playlist object hold entries")


def _check_version(version: object) -> None:
    if version != ENVELOPE_VERSION:
        raise SnapshotUnreadable(
            f"unknown envelope version {version!r:.80}; this code reads {ENVELOPE_VERSION}"
        )


def _decode_piecewise(text: bytes) -> tuple[_Header, list[Entry | RejectedEntry | None]]:
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SnapshotUnreadable(f"it is no JSON ({error})") from error
    if not isinstance(envelope, dict):
        raise SnapshotUnreadable("the JSON is no object")
    _check_version(envelope.get("envelope_version"))
    pages = envelope.pop("pages", None)
    try:
        header = msgspec.json.decode(_storable_json(envelope), type=_Header)
    except _UNDECODABLE as error:
        raise SnapshotUnreadable(f"its envelope is damaged ({error})") from error
    if header.contract == "embedded":
        pages = [json.loads(_embedded(header.playlist))]
    if not isinstance(pages, list):
        raise SnapshotUnreadable("its pages are no list")
    entries: list[Entry | RejectedEntry | None] = []
    for number, page in enumerate(pages, start=1):
        items = page.get("items") if isinstance(page, dict) else None
        if not isinstance(items, list):
            raise SnapshotUnreadable(f"its page {number} holds no list of entries")
        entries.extend(_decode_entry(item) for item in items)
    return header, entries


def _decode_entry(item: object) -> Entry | RejectedEntry | None:
    payload = _storable_json(item)
    try:
        return msgspec.json.decode(payload, type=Entry | None)
    except _UNDECODABLE as error:
        reason = error.__cause__.reason if isinstance(error.__cause__, EntryError) else "undecodable"
        return RejectedEntry(reason=reason, detail=str(error), payload=payload)


def _storable_json(value: object) -> str:
    """Serialize to JSON that UTF-8 can hold: a lone surrogate becomes the replacement character."""
    return _LONE_SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False, separators=(",", ":")))
