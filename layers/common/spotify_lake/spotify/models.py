"""The parts of Spotify's responses that become table columns, as typed structs.

One decoder reads both contracts: the entry's content is called `item` since 2026 and `track` before, and the
playlist's page `items` or `tracks`. The decoder skips fields that are not declared here without building them.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

type Contract = Literal["items", "tracks", "embedded"]  # how the entries of a playlist were read

# The tables store these as 32-bit and 64-bit integers.
Int = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
BigInt = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


def utc(moment: datetime) -> datetime:
    """Convert a time to UTC; a time without an offset is UTC, as Spotify's are.

    Raises
    ------
    ValueError
        In UTC it is outside the years 1 to 9999. The decoder reports it like a wrong type.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"the time {moment.isoformat()} has no equivalent in UTC") from error


class _Object(Struct, gc=False):
    """Part of a response. Responses are trees, so the garbage collector need not look for cycles in them.

    Without the garbage collector, decoding a long playlist takes about half the time.
    """


class Image(_Object):
    """A cover image."""

    url: str | None = None


class ExternalUrls(_Object):
    """Links of an object; `spotify` is the one to open.spotify.com."""

    spotify: str | None = None


class ExternalIds(_Object):
    """Identifiers outside Spotify."""

    isrc: str | None = None


class Followers(_Object):
    """Number of followers (old apps only)."""

    total: BigInt | None = None


class User(_Object):
    """The owner of a playlist, or who added an entry."""

    id: str | None = None
    display_name: str | None = None


class Artist(_Object):
    """An artist as credited on a song or album, or the full object."""

    id: str | None = None
    name: str | None = None
    genres: list[str] | None = None
    followers: Followers | None = None
    popularity: Int | None = None
    external_urls: ExternalUrls | None = None


class Album(_Object):
    """The album of a song, or the full object."""

    id: str | None = None
    name: str | None = None
    album_type: str | None = None
    artists: list[Artist | None] | None = None
    release_date: str | None = None
    total_tracks: Int | None = None
    label: str | None = None
    popularity: Int | None = None
    images: list[Image | None] | None = None
    external_urls: ExternalUrls | None = None


class Details(_Object):
    """Full objects of artists and albums by requested id; None for ids that Spotify does not know."""

    artists: dict[str, Artist | None] = {}
    albums: dict[str, Album | None] = {}


class Work(_Object):
    """The podcast of an episode, or the audiobook of a chapter."""

    name: str | None = None


class Content(_Object):
    """The content of a position: a song, an episode, a chapter, a local file or something newer."""

    type: str | None = None
    id: str | None = None
    uri: str | None = None
    name: str | None = None
    is_local: bool | None = None
    duration_ms: Int | None = None
    explicit: bool | None = None
    popularity: Int | None = None
    disc_number: Int | None = None
    track_number: Int | None = None
    album: Album | None = None
    artists: list[Artist | None] | None = None
    external_ids: ExternalIds | None = None
    external_urls: ExternalUrls | None = None
    show: Work | None = None
    audiobook: Work | None = None


class EntryError(ValueError):
    """An entry has the right shape but cannot become a row; the decoder reports it like a wrong type."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


type Kind = Literal["song", "episode", "chapter", "local", "unavailable", "other"]


class Entry(_Object):
    """One position of a playlist, in either contract."""

    added_at: datetime | None = None
    added_by: User | None = None
    is_local: bool | None = None
    item: Content | None = None
    track: Content | None = None

    def __post_init__(self) -> None:
        """Check that the entry can become a row, so that the decoder raises if it cannot."""
        content = self.content
        if content is not None:
            if content.type is not None:
                content.type = content.type.casefold()  # some client libraries store it capitalized
            if not content.id:
                content.id = _id_in(content)
                if not content.id and content.type in _SONG_TYPES and not self._local(content):
                    raise EntryError("song_without_id", "a song that is not a local file has no id")
        if self.added_at is not None:
            self.added_at = utc(self.added_at)

    @property
    def content(self) -> Content | None:
        """The content, whichever field holds it; None for an unavailable entry."""
        return self.track if self.item is None else self.item

    @property
    def kind(self) -> Kind:
        """The kind of the content.

        A song without name and length, of which Spotify sends an empty shell, is unavailable.
        """
        content = self.content
        if content is None:
            return "unavailable"
        if self._local(content):
            return "local"
        if content.type in _SONG_TYPES:
            return "song" if content.name or content.duration_ms else "unavailable"
        return _KINDS.get(content.type or "", "other")

    def _local(self, content: Content) -> bool:
        if self.is_local or content.is_local:
            return True
        return not content.id and (content.uri or "").startswith(_LOCAL_URI)


_SONG_TYPES = frozenset({"track", None, ""})
_KINDS: dict[str, Kind] = {"episode": "episode", "chapter": "chapter"}
_LOCAL_URI = "spotify:local:"
_URI = re.compile(r"spotify:(?P<type>[a-z]+):(?P<id>[0-9A-Za-z]+)")


def _id_in(content: Content) -> str | None:
    """Return the id in a content's URI, such as spotify:track:<id>."""
    found = _URI.fullmatch(content.uri or "")
    return found["id"] if found and found["type"] == (content.type or "track") else None


class PagePlace(_Object):
    """Where a page of entries stands in its list: entries before it, and entries of the whole list."""

    offset: Int | None = None
    total: Int | None = None


class Page(PagePlace, kw_only=True):
    """A page of entries."""

    items: list[Entry | None]


class Playlist(_Object):
    """The playlist object; its embedded page of entries is decoded only when needed."""

    name: str | None = None
    description: str | None = None
    owner: User | None = None
    public: bool | None = None
    collaborative: bool | None = None
    followers: Followers | None = None
    images: list[Image | None] | None = None
    external_urls: ExternalUrls | None = None
    items: msgspec.Raw = msgspec.Raw(b"null")
    tracks: msgspec.Raw = msgspec.Raw(b"null")
