"""What the beginning of a CSV file tells: encoding, delimiter, header, and what stands before it."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from bulk.errors import NothingToRead
from bulk.places import Found, Place

HEAD_BYTES: Final = 256 * 1024
SUFFIXES: Final = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt")
DELIMITERS: Final = (",", ";", "\t", "|")
HEADER_WITHIN_LINES: Final = 30
READERS: Final = 16

WINDOWS: Final = "windows-1252"

_ARCHIVES: Final = {
    b"PK\x03\x04": "a ZIP archive",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "compressed with gzip",
}
_UTF16: Final = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Layout:
    """What the files of one kind hold.

    Attributes
    ----------
    name
        What to call such a file.
    columns
        Each column that is read, with the names it may have in a header: lower case, words joined by ``_``.
    required
        Groups of columns; a header has at least one of each group.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    required: tuple[tuple[str, ...], ...]

    def match(self, cells: Sequence[str]) -> tuple[str | None, ...] | None:
        """Return which column each cell of a header names, or None if this is no header."""
        names = [re.sub(r"[^0-9a-z]+", "_", cell.strip().lower()).strip("_") for cell in cells]
        found: list[str | None] = [None] * len(names)
        for column, accepted in self.columns.items():
            positions = [names.index(name) for name in accepted if name in names]
            free = [position for position in positions if found[position] is None]
            if free:
                found[free[0]] = column
        complete = all(any(column in found for column in group) for group in self.required)
        return tuple(found) if complete else None


@dataclass(frozen=True)
class Source:
    """A file, as its beginning shows it.

    Attributes
    ----------
    name
        Below the input.
    size
        In bytes.
    columns
        Which column of the layout stands at each position; empty without a header.
    header
        The header's cells, lower case.
    head
        The lines up to the header, as they are.
    problem
        Why its content cannot be read at all, else None.
    sample
        The first records after the header.
    """

    name: str
    size: int
    charset: str = "utf-8"
    delimiter: str = ","
    columns: tuple[str | None, ...] = ()
    header: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    problem: str | None = None
    sample: tuple[tuple[str, ...], ...] = field(default=(), repr=False)

    def values(self, column: str) -> list[str]:
        """Return the cells of a column in the sample."""
        if column not in self.columns:
            return []
        position = self.columns.index(column)
        return [record[position] for record in self.sample if len(record) == len(self.columns)]


def look_at(
    place: Place, layouts: Sequence[Layout], wanted: Callable[[str], bool] = lambda _name: True
) -> list[tuple[Source, Layout | None]]:
    """Look at the beginning of every CSV file of a place.

    Returns
    -------
    list
        Each file by name, with the layout its header fits, or None.

    Raises
    ------
    NothingToRead
        There is none.
    """
    files = [item for item in place.find() if item.name.lower().endswith(SUFFIXES) and wanted(item.name)]
    if not files:
        raise NothingToRead(place.uri())
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(lambda item: sniff(item, place.read(item.name, HEAD_BYTES), layouts), files))


def sniff(item: Found, head: bytes, layouts: Sequence[Layout]) -> tuple[Source, Layout | None]:
    """Tell what a file is from its first bytes."""
    if item.name.lower().endswith(".gz"):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
        except zlib.error as error:
            return Source(item.name, item.size, problem=f"It is not compressed with gzip: {error}."), None
    for magic, kind in _ARCHIVES.items():
        if head.startswith(magic):
            return Source(item.name, item.size, problem=f"It is {kind}, not text: unpack it first."), None
    charset = next((name for mark, name in _UTF16.items() if head.startswith(mark)), None) or _charset(head)
    if charset != "utf-16" and b"\0" in head:
        return Source(item.name, item.size, problem="It is not text: it holds zero bytes."), None
    text = head.decode(charset, errors="replace").removeprefix("\ufeff")
    lines = _lines(text, complete=len(head) < HEAD_BYTES and item.size <= HEAD_BYTES)
    for number, line in enumerate(lines[:HEADER_WITHIN_LINES]):
        for delimiter in DELIMITERS:
            cells = next(csv.reader([line], delimiter=delimiter), [])
            for layout in layouts:
                if columns := layout.match(cells):
                    records = csv.reader(io.StringIO("\n".join(lines[number + 1 :])), delimiter=delimiter)
                    return Source(
                        name=item.name,
                        size=item.size,
                        charset=charset,
                        delimiter=delimiter,
                        columns=columns,
                        header=tuple(cell.strip().lower() for cell in cells),
                        head=tuple(lines[: number + 1]),
                        sample=tuple(tuple(record) for record in records),
                    ), layout
    return Source(item.name, item.size, charset=charset), None


def as_utf8(body: bytes, name: str) -> bytes:
    """Return the content of a UTF-16 file, which cannot be read by lines, in UTF-8."""
    plain = gzip.decompress(body) if name.lower().endswith(".gz") else body
    return plain.decode("utf-16", errors="replace").removeprefix("\ufeff").encode()


def _charset(head: bytes) -> str:
    """Return UTF-8, or Windows-1252 for text that has more bytes of it than characters of UTF-8."""
    text = head.decode(errors="replace").rstrip("\ufffd")  # the last character may be cut off
    wrong = text.count("\ufffd")
    right = sum(character > "\x7f" for character in text) - wrong
    return WINDOWS if wrong > right else "utf-8"


def _lines(text: str, *, complete: bool) -> list[str]:
    lines = re.split(r"\r\n|\n|\r", text)
    return lines if complete else lines[:-1]
