"""Takes an envelope apart that cannot be decoded as a whole, so that one bad entry costs no other. Pure: no I/O."""

from collections.abc import Iterator
from typing import Any, Final

from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.spotify.mending import parsed_json

NO_ENTRIES: Final = "neither its pages nor the playlist object have entries"


def parse(text: bytes) -> dict[str, Any]:
    """Return an envelope as plain JSON; raises SnapshotUnreadable if it is not a JSON object."""
    try:
        envelope = parsed_json(text)
    except (ValueError, RecursionError) as error:
        raise SnapshotUnreadable(f"it is not JSON ({error})") from error
    if not isinstance(envelope, dict):
        raise SnapshotUnreadable("the JSON is not an object")
    return envelope


def take_pages(envelope: dict[str, Any]) -> object:
    """Remove all entries from an envelope, where one could prevent decoding the rest; return the pages in use."""
    pages, playlist = envelope.pop("pages", None), envelope.get("playlist")
    if not isinstance(playlist, dict):
        return pages
    embedded = [
        page for page in (playlist.pop("items", None), playlist.pop("tracks", None)) if page is not None
    ]
    if envelope.get("contract") != "embedded":
        return pages
    if not embedded:
        raise SnapshotUnreadable(NO_ENTRIES)
    return embedded[:1]


def items(pages: object) -> Iterator[object]:
    """Yield the entries of pages that may hold anything."""
    if not isinstance(pages, list):
        raise SnapshotUnreadable("its pages are not a list")
    for number, page in enumerate(pages, start=1):
        found = page.get("items") if isinstance(page, dict) else None
        if not isinstance(found, list):
            raise SnapshotUnreadable(f"its page {number} has no list of entries")
        yield from found
