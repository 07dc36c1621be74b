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
from typing import Final

import msgspec
from msgspec import Raw, Struct

from cli.imports.documents import Unreadable, decoded, documents_in
from spotify_lake.raw.plays import Form

# Files of exports have about 20,000 rows. The transform needs less than 2 kB for each, of 512 MB.
MAX_ROWS: Final = 100_000
MAX_FIELDS: Final = 40 * MAX_ROWS  # commas
LOOKED_AT: Final = 1_000  # rows, to recognize a file

_SIGN: Final = re.compile(rb'"(?:ms_played|msPlayed|master_metadata_\w+)"')
_ENVELOPE: Final = b'"plays_version"'
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_BOM: Final = b"\xef\xbb\xbf"
_GZIP: Final = b"\x1f\x8b"
_NAME: Final = re.compile(r"endsong|endvideo|streaming_?history_?", re.IGNORECASE)
# What else is in Spotify's exports: about payments, searches, devices and advertising.
_LEFT_ALONE: Final = re.compile(
    r"(?:inferences|payments|searchqueries|userdata|useraddress|identifiers|marquee|duonewfamily|yoursoundcapsule"
    r"|userprompts|podcastinteractivity\w*|read_?me\w*)\.(?:json|txt|html?|pdf)",
    re.IGNORECASE,
)
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
_WHOLE: Final = re.compile(r"(-?\d+)(?:\.0+)?")


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
    if data.startswith((_GZIP, *_UTF16)):
        data = decoded(data).encode("utf-8", "replace")
    data = data.removeprefix(_BOM).strip()
    if not data.startswith((b"[", b"{")):
        return _read_table(file_name, data)
    if data.startswith(b"{") and _ENVELOPE in data and (found := _read_raw_object(data)):
        return found
    if _SIGN.search(data) is None:
        is_empty = _NAME.search(file_name) and data.strip(b"[] \t\r\n") == b""
        return History(None, file_name) if is_empty else None
    return _read_rows(file_name, data)


def _read_rows(file_name: str, data: bytes) -> History | None:
    if data.count(b",") > MAX_FIELDS:
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
    return _LEFT_ALONE.fullmatch(name.rpartition("/")[2]) is not None


def may_be_left_alone(name: str) -> bool:
    """Tell the same of a file in which no playlist was found."""
    return _PERHAPS.fullmatch(name.rpartition("/")[2]) is not None


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
        documents, _, problems = documents_in(decoded(data))
    rows = [row for document in documents for row in (document if isinstance(document, list) else [document])]
    return [json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") for row in rows], problems


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
    try:
        first_line = data.partition(b"\n")[0].decode()
    except UnicodeDecodeError:
        return None
    delimiter = max(",;\t", key=first_line.count)
    header = [cell.strip() for cell in next(csv.reader([first_line], delimiter=delimiter), [])]
    form = _form_of(header)
    if form is None:
        return None
    if form == "audio" and not {"ts", "ms_played"} <= set(header):
        return None
    if data.count(b"\n") > MAX_ROWS:
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
        if any(cells):
            row = dict(zip(header, cells, strict=False))
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
        whole = _WHOLE.fullmatch(cell.strip())
        return int(whole[1]) if whole else None if _is_nothing(cell) else cell
    if name in _FLAGS:
        return None if _is_nothing(cell) else _WORDS.get(cell.strip().lower(), cell)
    return cell


def _is_nothing(cell: str) -> bool:
    return cell.strip().lower() in _NOTHING
