"""Converts a snapshot of the library into rows. Pure: no I/O, no clock, no AWS."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import Raw, Struct

from spotify_lake.raw.plays import LibraryKind, LibrarySnapshot
from spotify_lake.spotify.mending import UNDECODABLE, Mender, parsed_json
from spotify_lake.spotify.models import Artist, utc

type Row = tuple[object, ...]


class _Author(Struct, gc=False):
    name: str | None = None


class _Item(Struct, gc=False):
    id: str | None = None
    name: str | None = None
    artists: list[Artist | None] | None = None
    publisher: str | None = None
    show: _Author | None = None
    authors: list[_Author | None] | None = None


class _Added(Struct, gc=False):
    added_at: datetime | None = None


@dataclass(frozen=True)
class LibraryRows:
    """The rows of a snapshot of the library.

    Attributes
    ----------
    rows
        Of the table.
    unreadable
        Items without an id, such as `album 3`.
    """

    rows: Sequence[Row]
    unreadable: Sequence[str]


def normalize_library(snapshot: LibrarySnapshot) -> LibraryRows:
    """Convert a snapshot of the library into rows, one for each item; of equal items the first counts."""
    rows, unreadable = dict[tuple[str, str], Row](), list[str]()
    for kind, items in snapshot.items.items():
        for position, raw in enumerate(items, start=1):
            entry = _parsed(raw)
            item = _item(kind, entry)
            if item is None or not item.id:
                unreadable.append(f"{kind} {position}")
                continue
            added_at = Mender().decode(entry, _Added).added_at
            rows.setdefault(
                (kind, item.id),
                (
                    snapshot.scheduled_at,
                    kind,
                    item.id,
                    item.name or None,
                    _creators(kind, item),
                    added_at and utc(added_at),
                    position,
                ),
            )
    return LibraryRows(tuple(rows.values()), unreadable)


def _parsed(raw: Raw) -> dict[str, Any]:
    try:
        entry = parsed_json(bytes(raw).decode(errors="replace").encode())
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _item(kind: LibraryKind, entry: dict[str, Any]) -> _Item | None:
    """Return the item of an entry; artists come without an entry around them, and audiobooks may."""
    found = entry.get(kind, entry)
    try:
        return Mender().decode(found, _Item)
    except UNDECODABLE:
        return None


def _creators(kind: LibraryKind, item: _Item) -> list[str]:
    match kind:
        case "album":
            names = [artist.name for artist in item.artists or () if artist is not None]
        case "show":
            names = [item.publisher]
        case "episode":
            names = [item.show.name if item.show else None]
        case "audiobook":
            names = [author.name for author in item.authors or () if author is not None]
        case _:
            names = []
    return [name for name in names if name]
