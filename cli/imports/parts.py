"""A part of a playlist: an object, a page or a bare list in a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from spotify_lake.spotify.models import Contract


@dataclass(frozen=True)
class Time:
    """A moment and where it was found, in words."""

    moment: datetime
    source: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A playlist object, a page or a bare list found in a file.

    Attributes
    ----------
    source
        Name of the file.
    what
        The kind of thing it was recognized as, in words.
    head
        The playlist object, or as much of one as is known; empty for a bare list.
    pages
        Pages of entries; empty when the entries are in `head` (contract ``embedded``) or not in the file.
    contract
        As in the raw envelope.
    playlist_id, id_from
        The id in the file, and where it was found.
    origin
        Identifies the list if it has no id: its name, or whose list it is.
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
        """The entries; None if the file only describes the list."""
        if self.contract == "embedded":
            page = embedded_page(self.head)
            return None if page is None else list(page["items"])
        return [entry for page in self.pages for entry in page["items"]] if self.pages else None


def embedded_page(head: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The page that readers of raw find in a playlist object."""
    page = head.get("tracks") if head.get("items") is None else head["items"]
    return page if isinstance(page, dict) and isinstance(page.get("items"), list) else None
