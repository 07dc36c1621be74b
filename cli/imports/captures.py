"""What an imported raw object was made of, and how several captures of one list and time become one. Pure.

The result depends on the set of captures alone, not on their order. The entries are those of the most complete
capture, with pages of others that continue it at either end. Each field of the playlist object comes from the first
capture that has it, the most complete one first. Every capture stays in the object, unless another has all that it has.
"""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, get_args

from cli.imports.parts import embedded_page
from spotify_lake import keys
from spotify_lake.normalize.rows import Tables, normalize
from spotify_lake.raw import envelope
from spotify_lake.schema.playlists import PLAYLIST_ENTRIES, REJECTS
from spotify_lake.spotify.models import Contract

_PAGE_FIELDS = ("items", "tracks")

type Span = tuple[int, int]  # positions, counted from 0; the end is not included
type Placed = tuple[Span, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Capture:
    """One list at one time, as one dump has it.

    Attributes
    ----------
    head, pages, contract
        As in the raw envelope.
    fetched_at
        As in the raw envelope.
    """

    head: Mapping[str, Any]
    pages: tuple[Mapping[str, Any], ...]
    contract: Contract
    fetched_at: datetime

    @cached_property
    def as_json(self) -> dict[str, Any]:
        """What is kept of it in the raw object."""
        return {
            "contract": self.contract,
            "fetched_at": self.fetched_at.isoformat(),
            "playlist": self.head,
            "pages": list(self.pages),
        }

    @cached_property
    def text(self) -> str:
        """Its content as text: equal captures have equal texts."""
        return json.dumps(self.as_json, sort_keys=True)

    @cached_property
    def known(self) -> dict[str, Any]:
        """The fields of the playlist object that it has, without its page of entries."""
        fields = {name: value for name, value in self.head.items() if value is not None}
        for name in _PAGE_FIELDS:
            if isinstance(fields.get(name), dict):
                fields[name] = {key: value for key, value in fields[name].items() if key != "items"}
        return fields

    @cached_property
    def entry_pages(self) -> tuple[Mapping[str, Any], ...]:
        """Its pages of entries, wherever they are."""
        page = embedded_page(self.head) if self.contract == "embedded" else None
        return (page,) if page is not None else self.pages

    @cached_property
    def spans(self) -> list[Span]:
        """The positions of each page."""
        spans, end = [], 0
        for page in self.entry_pages:
            offset = page.get("offset")
            start = (
                offset if isinstance(offset, int) and not isinstance(offset, bool) and offset >= end else end
            )
            end = start + len(page["items"])
            spans.append((start, end))
        return spans

    @property
    def size(self) -> int:
        """Number of entries."""
        return sum(end - start for start, end in self.spans)

    @property
    def total(self) -> Any:
        """Length of the whole list, as the first page has it."""
        return self.entry_pages[0].get("total") if self.entry_pages else None

    def tables(self, playlist_id: str, moment: datetime) -> Tables:
        """Return the rows that the transform would make of it alone."""
        return normalize(envelope.decode(raw_object(playlist_id, moment, [self])))


def raw_object(playlist_id: str, moment: datetime, captures: Sequence[Capture]) -> bytes:
    """Return the bytes of an import's raw object; equal sets of captures give equal bytes.

    Parameters
    ----------
    playlist_id
        Of the list.
    moment
        Time of the captures, UTC.
    captures
        At least one.
    """
    ordered = _ordered(captures)
    head, pages, contract = _merged(ordered)
    snapshot_id = head.get("snapshot_id")
    writer = envelope.SnapshotWriter(
        playlist_id=playlist_id,
        snapshot_id=snapshot_id if isinstance(snapshot_id, str) else None,
        scheduled_at=keys.import_time(moment),
        fetched_at=max(capture.fetched_at for capture in captures),
        contract=contract,
        imported=True,
    )
    for page in pages:
        writer.add_page(page)
    return writer.finish(head, captures=[one.as_json for one in ordered] if len(ordered) > 1 else ())


def captures_in(data: bytes) -> list[Capture]:
    """Return the captures of a raw object; none if import did not write it."""
    try:
        content = json.loads(gzip.decompress(data))
        if content.get("imported") is not True:
            return []
        return [_capture(one) for one in content.get("captures") or [content]]
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        return []


def united(there: Iterable[Capture], new: Capture, playlist_id: str, moment: datetime) -> list[Capture]:
    """Add a capture to others of the same list and time; leave out those that have nothing that another lacks."""
    different = {one.text: one for one in (*there, new)}
    prints = {
        text: (fingerprint(one.tables(playlist_id, moment)), one.spans, one.total)
        for text, one in different.items()
    }
    kept: list[Capture] = []
    for one in _ordered(different.values()):
        if not any(prints[one.text] == prints[other.text] and _knows(other, one) for other in kept):
            kept.append(one)
    return kept


def fingerprint(tables: Tables) -> tuple[object, ...]:
    """Return what makes two snapshots of a list the same: its entries in order, whatever else was sent of them."""
    identity = 2  # playlist_id and scheduled_at
    rows = [row[identity:] for row in tables.rows[PLAYLIST_ENTRIES.name]]
    rejects = [row[identity : identity + 2] for row in tables.rows[REJECTS.name]]
    return (*rows, *rejects)


def _knows(one: Capture, other: Capture) -> bool:
    """Tell whether a capture has all that another knows of the playlist itself."""
    return all(one.known.get(name) == value for name, value in other.known.items())


def _capture(value: Mapping[str, Any]) -> Capture:
    if value["contract"] not in get_args(Contract.__value__):
        raise ValueError(value["contract"])
    return Capture(
        head=value["playlist"],
        pages=tuple(value["pages"]),
        contract=value["contract"],
        fetched_at=datetime.fromisoformat(value["fetched_at"]),
    )


def _ordered(captures: Iterable[Capture]) -> list[Capture]:
    """Put the most complete capture first; among equals the one that knows more, then by content."""
    return sorted(captures, key=lambda one: (-one.size, -len(one.known), one.text))


def _merged(
    ordered: Sequence[Capture],
) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]], Contract]:
    best = ordered[0]
    if len(ordered) == 1:
        return best.head, best.pages, best.contract
    pages = list(zip(best.spans, best.entry_pages, strict=True))
    for other in ordered[1:]:
        if best.total is None or other.total != best.total:
            continue
        fitting = zip(other.spans, other.entry_pages, strict=True)
        pages += [(span, page) for span, page in fitting if all(_apart(span, taken) for taken, _ in pages)]
    pages = _joined(pages, pages[0][0]) if pages else pages
    head: dict[str, Any] = {}
    for one in reversed(ordered):
        head |= one.known
    if best.contract == "embedded" and len(pages) == 1:
        fields = {name: value for name, value in head.items() if name not in _PAGE_FIELDS}
        return fields | {name: best.head[name] for name in _PAGE_FIELDS if name in best.head}, (), "embedded"
    contract: Contract = best.contract if best.contract != "embedded" else "tracks"
    return head, [page for _, page in pages], contract


def _joined(pages: Sequence[Placed], first: Span) -> list[Placed]:
    """Return the pages that follow each other without a gap, among them the first of the most complete capture."""
    run: list[Placed] = []
    for span, page in sorted(pages, key=lambda each: each[0]):
        if run and run[-1][0][1] != span[0]:
            if run[-1][0] >= first:
                break
            run = []
        run.append((span, page))
    return run


def _apart(one: Span, other: Span) -> bool:
    return one[1] <= other[0] or other[1] <= one[0]
