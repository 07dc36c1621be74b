"""Reads the files of Spotify's data export that hold plays. Pure, no I/O, no clock.

Files are recognized by the fields of their rows; only whether they are videos is in the name. Rows stay JSON text:
`raw.plays.pack_export` drops what is private.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from cli.imports.documents import Unreadable, decoded, documents_in
from cli.imports.shapes import moment, table_rows
from spotify_lake.raw.plays import Form

# Files of exports have about 20,000 rows; people join them. The transform needs less than 2 kB for each row of an
# object, of 512 MB.
MAX_ROWS: Final = 500_000
ROWS_PER_OBJECT: Final = 100_000
MAX_FIELDS: Final = 40  # commas for each row
LOOKED_AT: Final = 1_000  # rows, to recognize a file
MAX_CELL: Final = 10_000_000  # characters of CSV
HEADER: Final = 2**16  # bytes in which a CSV file's header ends

_SIGN: Final = re.compile(rb'"(?:ms_played|msPlayed|master_metadata_\w+)"')
_EMPTY: Final = re.compile(rb"\[\s*\]")
_NOT_FIRST: Final = "It is not JSON: something stands before its rows."
_ENVELOPE: Final = b'"plays_version"'
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")  # with a mark; without one, every other byte of JSON is 0
_BOM: Final = b"\xef\xbb\xbf"
_GZIP: Final = b"\x1f\x8b"
_NAME: Final = re.compile(r"endsong|endvideo|streaming_?history_?", re.IGNORECASE)
# Other files of Spotify's exports: payments, searches, devices and advertising.
_LEFT_ALONE: Final = re.compile(
    r"(?:inferences|payments|searchqueries|userdata|useraddress|identifiers|marquee|duonewfamily|yoursoundcapsule"
    r"|userattributes|userprompts|familyplan|playlistinabottle|podcastinteractivity\w*|read_?me\w*)\.(?:json|txt|html?|pdf)",
    re.IGNORECASE,
)
_LOG: Final = re.compile(r"(?:^|/)(?:spotify )?technical log information/", re.IGNORECASE)  # the third export
# Other files may have these names too, so they are left alone only if no playlist is in them.
_PERHAPS: Final = re.compile(
    r"(?:follow|identity|messages|messagedata|voiceinput|carthing|klarna|accountactivity|wrapped\d*)\.json",
    re.IGNORECASE,
)
_EXPORT: Final = re.compile(
    r"(?:^|/)(?:playlist\d+\.json|yourlibrary\.json|(?:spotify )?(?:account data|extended streaming history)/|mydata/)",
    re.IGNORECASE,
)
_NUMBERS: Final = frozenset({"ms_played", "msPlayed", "offline_timestamp"})
_FLAGS: Final = frozenset({"shuffle", "skipped", "offline", "incognito_mode"})
_WORDS: Final = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
_NOTHING: Final = frozenset({"", "na", "nan", "null", "none", "<na>"})
_LONGEST_NUMBER: Final = 30  # digits
_LINE_END: Final = re.compile(rb"\r\n?|\n")
_SONG_ID: Final = re.compile(r"[0-9A-Za-z]{22}")
# Names that published tables of plays give to columns of the extended history.
_SHORT_NAMES: Final = {
    "track_name": "master_metadata_track_name",
    "artist_name": "master_metadata_album_artist_name",
    "album_name": "master_metadata_album_album_name",
}


@dataclass(frozen=True)
class History:
    """A file with plays, or one that should hold some.

    Attributes
    ----------
    form
        What its rows are; None if there are none.
    file_name
        Name of the file, without its folder.
    rows
        The JSON of each row.
    imported_at
        When another lake imported it, if the file is a raw object of that lake.
    problems
        What could not be read, one sentence each.
    """

    form: Form | None
    file_name: str
    rows: Sequence[bytes | Raw] = ()
    imported_at: datetime | None = None
    problems: tuple[str, ...] = ()

    def pieces(self) -> Iterator[Sequence[bytes | Raw]]:
        """Yield the rows of each raw object: few enough for the transform, and equal rows together."""
        begin = 0
        while begin < len(self.rows):
            end = begin + ROWS_PER_OBJECT
            while end < len(self.rows) and _time_of(self.rows[end]) == _time_of(self.rows[end - 1]):
                end += 1
            yield self.rows[begin:end]
            begin = end


class _Timed(Struct):
    ts: Raw = Raw()
    endTime: Raw = Raw()  # noqa: N815 - as in the export


class _Ended(Struct):
    endTime: str  # noqa: N815 - as in the export


class _Envelope(Struct):
    form: Form
    file_name: str
    imported_at: datetime
    rows: list[Raw]


def read(name: str, data: bytes) -> History | None:
    """Read a file with plays.

    Parameters
    ----------
    name
        Of the file, with its folder.
    data
        JSON, JSON lines or CSV, gzipped or not.

    Returns
    -------
    History or None
        None if the file is something else.
    """
    file_name = name.rpartition("/")[2]
    try:
        return _read(file_name, data)
    except Unreadable as error:
        return History(None, file_name, problems=(str(error),)) if _NAME.search(file_name) else None
    except RecursionError:
        return History(None, file_name, problems=("Its JSON is nested too deeply.",))


def _read(file_name: str, data: bytes) -> History | None:
    if data.startswith((_GZIP, *_UTF16)) or b"\0" in data[:4]:
        data = decoded(data).encode("utf-8", "replace")
    table = data.removeprefix(_BOM).strip(b"\r\n")  # a tab is an empty cell
    data = table.strip()
    if not data.startswith((b"[", b"{")):
        found = _read_table(file_name, table)
        has_rows = found is None and _SIGN.search(data)
        return History(None, file_name, problems=(_NOT_FIRST,)) if has_rows else found
    if data.startswith(b"{") and _ENVELOPE in data and (found := _read_raw_object(data)):
        return found
    if _SIGN.search(data) is None:
        is_empty = _NAME.search(file_name) and _EMPTY.fullmatch(data)
        return History(None, file_name) if is_empty else None
    return _read_rows(file_name, data)


def _read_rows(file_name: str, data: bytes) -> History | None:
    objects = data.count(b"{")
    if objects > MAX_ROWS or data.count(b",") > MAX_FIELDS * (objects + LOOKED_AT):
        return _too_many(file_name)
    rows, problems = _rows(data)
    form = _form(rows, file_name)
    if form is None:
        return None
    return (
        _too_many(file_name)
        if len(rows) > MAX_ROWS
        else History(form, file_name, rows, None, tuple(problems))
    )


def is_left_alone(name: str) -> bool:
    """Tell whether a file is one of an export that holds neither plays nor playlists, by its name."""
    return bool(_LOG.search(name) or _LEFT_ALONE.fullmatch(name.rpartition("/")[2]))


def may_be_left_alone(name: str) -> bool:
    """Tell the same of a file in which no playlist was found."""
    return _PERHAPS.fullmatch(name.rpartition("/")[2]) is not None


def last_moment(found: History) -> datetime | None:
    """Return when the last play of a file of account data ended, UTC: the export was made soon after."""
    if found.form not in {"music", "podcast", "audiobook"}:
        return None
    times = (moment(row.endTime) for row in map(_account_row, found.rows) if row is not None)
    return max(filter(None, times), default=None)


def _account_row(row: bytes | Raw) -> _Ended | None:
    try:
        return msgspec.json.decode(row, type=_Ended)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def is_library(name: str) -> bool:
    """Tell whether a file is the library of an export, which does not say when it was like that."""
    return name.rpartition("/")[2].lower() == "yourlibrary.json"


def is_of_export(name: str) -> bool:
    """Tell whether a file is one of Spotify's data export, by its name and folders."""
    return bool(_EXPORT.search(name) or _NAME.match(name.rpartition("/")[2])) or is_left_alone(name)


def _too_many(file_name: str) -> History:
    problem = (
        f"It holds more than {MAX_ROWS:,} rows, as no file of an export does: split it into smaller files."
    )
    return History(None, file_name, problems=(problem,))


def _rows(data: bytes) -> tuple[Sequence[bytes | Raw], Sequence[str]]:
    """Split a file into rows: of one array, or one document after another."""
    try:
        return msgspec.json.decode(data, type=list[Raw]), ()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = decoded(data)
    try:
        documents, _, problems = documents_in(text)
        rows = [row for document in documents for row in _rows_of(document)]
    except Unreadable as error:
        rows, problems = _rows_before_damage(text, error)
    return [json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") for row in rows], problems


def _rows_of(document: Any) -> Iterable[Any]:
    if isinstance(document, list):
        return document
    table = table_rows(document) if isinstance(document, dict) else None
    return [document] if table is None else table


def _rows_before_damage(text: str, error: Unreadable) -> tuple[list[Any], list[str]]:
    """Read the rows of an array that is cut short or damaged, as far as that goes.

    Commas too many, and control characters in names, are no damage.

    Raises
    ------
    Unreadable
        There is no row before the damage.
    """
    decoder = json.JSONDecoder(strict=False)
    text = text.lstrip("\ufeff \t\r\n")
    rows, position = [], _next_row(text, 1) if text.startswith("[") else len(text)
    while position < len(text) and text[position] != "]":
        try:
            row, end = decoder.raw_decode(text, position)
        except ValueError:
            break
        rows.append(row)
        position = _next_row(text, end)
    if not rows:
        raise error
    if text[position:].strip() == "]":
        return rows, []
    return rows, [f"{error} The rows before that are imported: {len(rows):,}."]


def _next_row(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n,":
        position += 1
    return position


def _time_of(row: bytes | Raw) -> _Timed | None:
    try:
        return msgspec.json.decode(row, type=_Timed)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _form(rows: Iterable[bytes | Raw], file_name: str) -> Form | None:
    """Return what most of the first rows are."""
    found = Counter[Form]()
    for number, row in enumerate(rows):
        if number == LOOKED_AT:
            break
        try:
            fields = msgspec.json.decode(row, type=dict[str, Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        form = _form_of(fields.keys())
        if form is not None:
            found[form] += 1
    if not found:
        return None
    form = found.most_common(1)[0][0]
    return "video" if form == "audio" and "video" in file_name.lower() else form


def _form_of(fields: Iterable[str]) -> Form | None:
    names = set(fields)
    if {"ts", "ms_played"} <= names or any(name.startswith("master_metadata_") for name in names):
        return "audio"
    if not {"endTime", "msPlayed"} <= names:
        return None
    if names & {"audiobookName", "authorName", "chapterName"}:
        return "audiobook"
    return "podcast" if names & {"podcastName", "episodeName"} else "music"


def _read_raw_object(data: bytes) -> History | None:
    """Read the raw object of an export's file, of this lake or another."""
    try:
        found = msgspec.json.decode(data, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    at = found.imported_at
    return History(found.form, found.file_name, found.rows, at if at.tzinfo else at.replace(tzinfo=UTC))


# --- CSV ------------------------------------------------------------------------------------


def _read_table(file_name: str, data: bytes) -> History | None:
    """Read the rows of an export that a tool has written as CSV; None if its columns are others."""
    csv.field_size_limit(MAX_CELL)
    if data[:4].lower() == b"sep=":  # for Excel
        data = data.partition(b"\n")[2]
    try:
        first_line = _LINE_END.split(data[:HEADER], maxsplit=1)[0].decode()
        delimiter = max(",;\t|", key=first_line.count)
        header = [cell.strip() for cell in next(csv.reader([first_line], delimiter=delimiter), [])]
    except (UnicodeDecodeError, csv.Error):
        return None
    if {"ts", "ms_played"} <= set(header):
        header = [
            name if _SHORT_NAMES.get(name) in header else _SHORT_NAMES.get(name, name) for name in header
        ]
    form = _form_of(header)
    if form is None:
        return None
    if form == "audio" and not {"ts", "ms_played"} <= set(header):
        return None
    if data.count(b"\n") + data.count(b"\r") > 2 * MAX_ROWS:
        return _too_many(file_name)
    reader = csv.reader(io.StringIO(decoded(data), newline=""), delimiter=delimiter)
    next(reader)
    rows, problems = list[bytes](), list[str]()
    try:
        rows.extend(_table_rows(reader, header))
    except csv.Error as error:
        problems.append(f"Its CSV is damaged ({error}); the rest was left out.")
    if form == "audio" and "video" in file_name.lower():
        form = "video"
    return History(form, file_name, rows, problems=tuple(problems))


def _table_rows(reader: Iterator[list[str]], header: Sequence[str]) -> Iterator[bytes]:
    """Yield the JSON of each row: cells become values of the export's types."""
    for cells in reader:
        if any(cells[len(header) :]):
            yield b"[]"  # nobody knows which cell is which: no object, and a reject
        elif any(cells):
            row = {
                name: cell for name, cell in zip(header, cells, strict=False) if name
            }  # an index has no name
            # What stands for a missing URI, such as R's NA, stands for a missing text too.
            missing = {cell for name, cell in row.items() if name.endswith("_uri") and _is_nothing(cell)}
            yield msgspec.json.encode(
                {
                    name: None if cell in missing or not cell else _value(name, cell)
                    for name, cell in row.items()
                }
            )


def _value(name: str, cell: str) -> int | bool | str | None:
    """Return a cell's value; what is neither a number nor a truth value where one should be stays a text."""
    if name in _NUMBERS:
        return None if _is_nothing(cell) else _whole_number(cell)
    if name in _FLAGS:
        return None if _is_nothing(cell) else _WORDS.get(cell.strip().lower(), cell)
    return f"spotify:track:{cell}" if name == "spotify_track_uri" and _SONG_ID.fullmatch(cell) else cell


def _whole_number(cell: str) -> int | str:
    """Read a whole number, also in the form 1e+05 or 7.0; any other cell stays a text."""
    try:
        number = Decimal(cell.strip())
    except InvalidOperation:
        return cell
    is_whole = (
        number.is_finite() and number.adjusted() < _LONGEST_NUMBER and number == number.to_integral_value()
    )
    return int(number) if is_whole else cell


def _is_nothing(cell: str) -> bool:
    return cell.strip().lower() in _NOTHING
