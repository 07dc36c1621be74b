"""Takes an envelope apart that cannot be decoded as a whole, so that one bad entry costs no other. Pure: no I/O."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.spotify.mending import Mender, parsed_json
from spotify_lake.spotify.models import Album, Artist, Details

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


def decode_details(details: Any, mender: Mender) -> Details:
    """Read the details one by one; what is not an object is left out, as if it had never been requested."""
    return Details(
        artists=_decodable(details, "artists", Artist, mender),
        albums=_decodable(details, "albums", Album, mender),
    )


def _decodable[Detail: Struct](
    details: Any, kind: str, form: type[Detail], mender: Mender
) -> dict[str, Detail | None]:
    objects = details.get(kind) if isinstance(details, dict) else None
    return {
        object_id: mender.decode(value, form, f"details.{kind}.{object_id}")
        for object_id, value in (objects.items() if isinstance(objects, dict) else ())
        if isinstance(value, dict)
    }
