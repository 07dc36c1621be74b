"""Detects encoding, delimiter and header of a CSV file from its first bytes."""

from __future__ import annotations

import csv
import gzip
import itertools
import re
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final

from spotify_bulk.errors import NothingToRead
from spotify_bulk.storage import Storage, StoredFile

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
# Reasons of the reject that stands for a whole file.
UNREADABLE: Final = "file"
NO_HEADER: Final = "header"
_SHOWN_NAMES: Final = 5
_SHOWN_COLUMNS: Final = 20
_SHOWN_CHARACTERS: Final = 40


@dataclass(frozen=True)
class Layout:
    """The columns of one kind of file.

    Attributes
    ----------
    name
        The kind of file.
    columns
        Each column that is read, with its accepted header names: lower case, words joined by ``_``. Several names
        together, such as ``("year", "month", "day")``, mean that the column is spread over as many cells.
    required
        Groups of columns; a header must have at least one column of each group.
    sampled
        Columns whose first values are kept, to decide something about the whole file.
    """

    name: str
    columns: Mapping[str, tuple[str | tuple[str, ...], ...]]
    required: tuple[tuple[str, ...], ...]
    sampled: tuple[str, ...] = ()

    def match(self, cells: Sequence[str]) -> tuple[str | None, ...] | None:
        """Return the column that each header cell names, or None if the line is not a header."""
        found = self.recognize(cells)
        return None if self.missing(found) else found

    def recognize(self, cells: Sequence[str]) -> tuple[str | None, ...]:
        """Return the column, or the part of one, that each header cell names, if any."""
        names = [re.sub(r"[^0-9a-z]+", "_", cell.strip().lower()).strip("_") for cell in cells]
        found: list[str | None] = [None] * len(names)
        for column, accepted in self.columns.items():
            for name in accepted:
                meant = {name: column} if isinstance(name, str) else dict(zip(name, name, strict=True))
                if all(part in names and found[names.index(part)] is None for part in meant):
                    for part, meaning in meant.items():
                        found[names.index(part)] = meaning
                    break
        return tuple(found)

    def missing(self, found: Sequence[str | None]) -> list[tuple[str, ...]]:
        """Return the required groups of which no column was found."""
        return [group for group in self.required if not any(column in found for column in group)]

    def parts(self, column: str, found: Sequence[str | None]) -> tuple[str, ...]:
        """Return the parts that a column is spread over in a file with these columns; nothing for other columns."""
        spread = (name for name in self.columns[column] if not isinstance(name, str))
        return next((parts for parts in spread if column not in found and set(parts) <= set(found)), ())


@dataclass(frozen=True)
class CsvFile:
    """A CSV file and what its first bytes say about it.

    Attributes
    ----------
    name
        Name relative to the input.
    size
        Size in bytes.
    gzipped
        Whether the content is compressed, regardless of the name.
    backslashes
        Whether quotes inside a cell are escaped with a backslash instead of being doubled.
    quoted_whole
        Whether each line is one quoted cell that contains the cells.
    columns
        The layout's column, or a part of one, at each position; empty if there is no header.
    header
        The header's cells in lower case.
    head
        The lines up to and including the header, unchanged.
    problem
        Why the file cannot be read, or None.
    reason
        Of the reject that stands for the file if it cannot be read: UNREADABLE or NO_HEADER.
    header_line
        The number of the last line of `head`.
    sample
        Distinct values of the layout's sampled columns in the first records.
    """

    name: str
    size: int
    gzipped: bool = False
    charset: str = "utf-8"
    delimiter: str = ","
    backslashes: bool = False
    quoted_whole: bool = False
    columns: tuple[str | None, ...] = ()
    header: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    problem: str | None = None
    reason: str = UNREADABLE
    header_line: int | None = None
    sample: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)


def inspect_files(
    storage: Storage, layouts: Sequence[Layout]
) -> tuple[list[tuple[CsvFile, Layout | None]], list[str]]:
    """Inspect the first bytes of every CSV file, and check that compressed files are complete.

    Returns
    -------
    list
        Each file, sorted by name, with the layout that its header matches, or None.
    list
        Names of ignored files: hidden ones, markers, and those with another suffix.

    Raises
    ------
    NothingToRead
        There is no CSV file.
    """
    stored = storage.find()
    files = [item for item in stored if _is_data(item.name)]
    ignored = [item.name for item in stored if not _is_data(item.name)]
    if not files:
        raise NothingToRead(storage.uri(), ignored)

    def inspect(item: StoredFile) -> tuple[CsvFile, Layout | None]:
        with storage.open(item.name) as content:
            source, layout = detect(item, content.read(HEAD_BYTES), layouts)
        if source.gzipped and not source.problem:
            with storage.open(item.name) as content:
                source = replace(source, problem=_damage(content))
        return source, layout

    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(inspect, files)), ignored


def _is_data(name: str) -> bool:
    """Return whether a file is data, unlike ``._charts.csv``, ``__MACOSX/`` or ``_READY``, which Spark skips too."""
    hidden = any(part.startswith((".", "_")) for part in name.split("/"))
    return not hidden and name.lower().removesuffix(".gz").endswith(SUFFIXES)


def _damage(content: BinaryIO) -> str | None:
    """Return why a compressed file cannot be decompressed, or None; Spark would fail the whole run."""
    try:
        with gzip.GzipFile(fileobj=content) as plain:
            while plain.read(CHUNK_BYTES):
                pass
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return f"The file is damaged or incomplete, upload it again: {error}."
    return None


def detect(item: StoredFile, head: bytes, layouts: Sequence[Layout]) -> tuple[CsvFile, Layout | None]:
    """Return the file's properties and the layout it matches from its first bytes; None if it has a problem."""
    source = CsvFile(item.name, item.size, gzipped=head.startswith(_GZIP))
    if source.gzipped:
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
        except zlib.error as error:
            return replace(source, problem=f"The file is damaged: {error}."), None
    utf16 = next((charset for mark, charset in _UTF16.items() if head.startswith(mark)), None)
    source = replace(source, charset=utf16 or _charset(head))
    text = head.decode(source.charset, errors="replace").removeprefix("\ufeff")
    if problem := _unreadable(head, text):
        return replace(source, problem=problem), None
    lines = _lines(text, complete=len(head) < HEAD_BYTES and item.size <= HEAD_BYTES)
    for number, whole in enumerate(lines[:HEADER_WITHIN_LINES]):
        for line, delimiter in itertools.product(dict.fromkeys((whole, unquote_line(whole))), DELIMITERS):
            cells = _cells(line, delimiter)
            for layout in layouts:
                if columns := layout.match(cells):
                    read = lines if line is whole else [unquote_line(line) for line in lines]
                    after = read[number + 1 :]
                    return replace(
                        source,
                        delimiter=delimiter,
                        backslashes=_backslashes(after, delimiter),
                        quoted_whole=line is not whole,
                        columns=columns,
                        header=tuple(cell.strip().lower() for cell in cells),
                        head=tuple(line for line in read[: number + 1] if line.strip()),
                        header_line=number + 1,
                        sample=_sample(after, delimiter, columns, layout.sampled),
                    ), layout
    return _without_header(source, lines, layouts), None


def _without_header(source: CsvFile, lines: Sequence[str], layouts: Sequence[Layout]) -> CsvFile:
    """Return the file with the problem that no line is a header, and what the most similar line lacks."""
    *_, number, cells, layout = max(
        (
            (len(set(layout.recognize(cells)) - {None}), len(cells), -number, cells, layout)
            for number, line in enumerate(lines[:HEADER_WITHIN_LINES])
            if line.strip()
            for cells in (_cells(unquote_line(line), delimiter) for delimiter in DELIMITERS)
            for layout in layouts
        ),
        key=lambda candidate: candidate[:3],
        default=(0, 0, 0, [], layouts[0]),
    )
    lacks = " and ".join(_named(layout, group) for group in layout.missing(layout.recognize(cells)))
    shown = ", ".join(cell.strip()[:_SHOWN_CHARACTERS] for cell in cells[:_SHOWN_COLUMNS])
    more = " and more" if len(cells) > _SHOWN_COLUMNS else ""
    problem = f"Line {1 - number} has no column for {lacks}. Its columns are: {shown or 'none'}{more}."
    return replace(
        source, problem=problem, reason=NO_HEADER, header_line=1 - number, head=(lines[-number][:HEAD_BYTES],)
    )


def _named(layout: Layout, group: tuple[str, ...]) -> str:
    """Return the columns of a group, with some of the header names that are accepted for them."""
    accepted = [name for column in group for name in layout.columns[column] if isinstance(name, str)]
    others = [name.replace("_", " ") for name in accepted if name not in group][:_SHOWN_NAMES]
    return " or ".join(column.replace("_", " ") for column in group) + (
        f" (also called {', '.join(others)}, …)" if others else ""
    )


def unquote_line(line: str) -> str:
    """Return the content of a line that is one quoted cell: ``"1,""One, two"",Ann"``; any other line unchanged."""
    inner = line[1:-1].replace('""', "")
    if len(line) < 2 or not (line.startswith('"') and line.endswith('"')) or '"' in inner:
        return line
    return line[1:-1].replace('""', '"')


def _unreadable(head: bytes, text: str) -> str | None:
    """Return why a file with this start cannot be read, or None."""
    for magic, kind in _ARCHIVES.items():
        if head.startswith(magic):
            return f"The file is {kind}, not text: unpack it first."
    if "\0" in text:
        return "The file is not text: it contains zero bytes. Save it as UTF-8."
    return None if text.strip() else "The file is empty."


def as_utf8(content: BinaryIO, source: CsvFile) -> bytes:
    """Return the content of a UTF-16 file in UTF-8, which Spark can split into lines."""
    body = content.read()
    plain = gzip.decompress(body) if source.gzipped else body
    return plain.decode("utf-16", errors="replace").removeprefix("\ufeff").encode()


def _charset(head: bytes) -> str:
    """Return UTF-8, or Windows-1252 if there are more invalid UTF-8 sequences than valid non-ASCII characters."""
    text = head.decode(errors="replace").rstrip("\ufffd")  # the last character may be cut off
    invalid = text.count("\ufffd")
    valid = sum(character > "\x7f" for character in text) - invalid
    return WINDOWS if invalid > valid else "utf-8"


def _lines(text: str, *, complete: bool) -> list[str]:
    lines = re.split(r"\r\n|\n|\r", text)
    return lines if complete else lines[:-1]


def _backslashes(lines: Sequence[str], delimiter: str) -> bool:
    r"""Return whether a quoted cell contains ``\"`` in its middle, so that it escapes the quote."""
    inside = re.compile(rf'(?:^|{re.escape(delimiter)})"[^"]*\\"[^"{re.escape(delimiter)}]')
    return any('\\"' in line and inside.search(line) for line in lines)


def _sample(
    lines: Sequence[str], delimiter: str, columns: Sequence[str | None], wanted: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return the distinct values of some columns, using only records of one line."""
    positions = {name: columns.index(name) for name in wanted if name in columns}
    records = (_cells(line, delimiter) for line in lines) if positions else ()
    complete = [cells for cells in records if len(cells) == len(columns)]
    return {
        name: tuple(dict.fromkeys(cells[position] for cells in complete))
        for name, position in positions.items()
    }


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # a cell is longer than the csv module allows
        return []
