"""What the beginning of a CSV file tells: encoding, delimiter, header, and what stands before it."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final

from spotify_bulk.errors import NothingToRead
from spotify_bulk.places import Found, Place

HEAD_BYTES: Final = 256 * 1024
SUFFIXES: Final = (".csv", ".tsv", ".txt")
DELIMITERS: Final = (",", ";", "\t", "|")
HEADER_WITHIN_LINES: Final = 30
READERS: Final = 16
CHUNK_BYTES: Final = 1024 * 1024

WINDOWS: Final = "windows-1252"

_GZIP: Final = b"\x1f\x8b"
_ARCHIVES: Final = {
    b"PK\x03\x04": "a ZIP archive or a workbook",
    b"PK\x05\x06": "an empty ZIP archive",
    b"PAR1": "a Parquet file",
    b"7z\xbc\xaf": "a 7z archive",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    _GZIP: "compressed with gzip twice",
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
    sampled
        Columns whose first values say something of the whole file.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    required: tuple[tuple[str, ...], ...]
    sampled: tuple[str, ...] = ()

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
    gzipped
        It is compressed, whatever its name says.
    backslashes
        Quotes inside a cell have a backslash before them, where others double them.
    columns
        Which column of the layout stands at each position; empty without a header.
    header
        The header's cells, lower case.
    head
        The lines up to the header, as they are.
    problem
        Why its content cannot be read at all, else None.
    sample
        Different values that the first records have in the layout's sampled columns.
    """

    name: str
    size: int
    gzipped: bool = False
    charset: str = "utf-8"
    delimiter: str = ","
    backslashes: bool = False
    columns: tuple[str | None, ...] = ()
    header: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    problem: str | None = None
    sample: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)


def look_at(place: Place, layouts: Sequence[Layout]) -> tuple[list[tuple[Source, Layout | None]], list[str]]:
    """Look at every CSV file of a place: at its beginning, and if it is compressed, whether it is whole.

    Returns
    -------
    list
        Each file by name, with the layout its header fits, or None.
    list
        Names of the files that are left alone: hidden ones, markers, and what has another suffix.

    Raises
    ------
    NothingToRead
        There is none.
    """
    everything = place.find()
    files = [item for item in everything if _is_data(item.name)]
    left_alone = [item.name for item in everything if not _is_data(item.name)]
    if not files:
        raise NothingToRead(place.uri(), left_alone)

    def one(item: Found) -> tuple[Source, Layout | None]:
        with place.open(item.name) as content:
            source, layout = sniff(item, content.read(HEAD_BYTES), layouts)
        if source.gzipped and not source.problem:
            with place.open(item.name) as content:
                source = replace(source, problem=_damage(content))
        return source, layout

    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(one, files)), left_alone


def _is_data(name: str) -> bool:
    """Tell data from what lies beside it: ``._charts.csv``, ``__MACOSX/``, ``_READY``; Spark skips them too."""
    hidden = any(part.startswith((".", "_")) for part in name.split("/"))
    return not hidden and name.lower().removesuffix(".gz").endswith(SUFFIXES)


def _damage(content: BinaryIO) -> str | None:
    """Return why a compressed file cannot be read to its end, or None: Spark would give up the whole run."""
    try:
        with gzip.GzipFile(fileobj=content) as plain:
            while plain.read(CHUNK_BYTES):
                pass
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return f"It is damaged or was not copied to its end, put it there again: {error}."
    return None


def sniff(item: Found, head: bytes, layouts: Sequence[Layout]) -> tuple[Source, Layout | None]:
    """Tell what a file is from its first bytes."""
    source = Source(item.name, item.size, gzipped=head.startswith(_GZIP))
    if source.gzipped:
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
        except zlib.error as error:
            return replace(source, problem=f"It is damaged: {error}."), None
    wide = next((charset for mark, charset in _UTF16.items() if head.startswith(mark)), None)
    source = replace(source, charset=wide or _charset(head))
    text = head.decode(source.charset, errors="replace").removeprefix("\ufeff")
    if problem := _no_text(head, text):
        return replace(source, problem=problem), None
    lines = _lines(text, complete=len(head) < HEAD_BYTES and item.size <= HEAD_BYTES)
    for number, line in enumerate(lines[:HEADER_WITHIN_LINES]):
        for delimiter in DELIMITERS:
            cells = _cells(line, delimiter)
            for layout in layouts:
                if columns := layout.match(cells):
                    after = lines[number + 1 :]
                    return replace(
                        source,
                        delimiter=delimiter,
                        backslashes=_backslashes(after, delimiter),
                        columns=columns,
                        header=tuple(cell.strip().lower() for cell in cells),
                        head=tuple(line for line in lines[: number + 1] if line.strip()),
                        sample=_sample(after, delimiter, columns, layout.sampled),
                    ), layout
    return source, None


def _no_text(head: bytes, text: str) -> str | None:
    """Return why no file can begin like this, or None."""
    for magic, kind in _ARCHIVES.items():
        if head.startswith(magic):
            return f"It is {kind}, not text: unpack it first."
    if "\0" in text:
        return "It is not text: it holds zero bytes. Save it as UTF-8."
    return None if text.strip() else "It is empty."


def as_utf8(content: BinaryIO, source: Source) -> bytes:
    """Return the content of a UTF-16 file, which cannot be read by lines, in UTF-8."""
    body = content.read()
    plain = gzip.decompress(body) if source.gzipped else body
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


def _backslashes(lines: Sequence[str], delimiter: str) -> bool:
    r"""Tell whether a cell in quotes holds ``\"`` where neither the cell nor a doubled quote ends."""
    inside = re.compile(rf'(?:^|{re.escape(delimiter)})"[^"]*\\"[^"{re.escape(delimiter)}]')
    return any('\\"' in line and inside.search(line) for line in lines)


def _sample(
    lines: Sequence[str], delimiter: str, columns: Sequence[str | None], wanted: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return the different values of some columns, from records of one line."""
    positions = {name: columns.index(name) for name in wanted if name in columns}
    records = (_cells(line, delimiter) for line in lines) if positions else ()
    whole = [cells for cells in records if len(cells) == len(columns)]
    return {
        name: tuple(dict.fromkeys(cells[position] for cells in whole)) for name, position in positions.items()
    }


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # a cell longer than the module takes
        return []
