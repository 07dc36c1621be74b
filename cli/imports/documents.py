"""A file's bytes become JSON documents, from gzip, JSON lines and recorded HTTP responses."""

import json
import math
import re
from typing import Any, Final

from cli.imports import archives
from cli.imports.parts import Time
from cli.imports.shapes import moment

# What is decoded takes memory by the number of objects, lists and rows, not by bytes. 10,000 entries of a playlist have
# about 450,000 objects and lists.
MAX_OBJECTS: Final = 5_000_000
MAX_LINES: Final = 500_000


class Unreadable(Exception):
    """The bytes hold nothing that can be read; the message says why, in a sentence."""


def decoded(data: bytes) -> str:
    """Return the text in a file's bytes, gzipped or not; raises Unreadable if there is none."""
    try:
        data = archives.gunzip(data)
    except archives.Unusable as error:
        raise Unreadable(str(error)) from error
    if data[257:262] == b"ustar":
        raise Unreadable("It is a tar archive: unpack it and import the files in it.")
    if data.startswith(b"PK\x03\x04"):
        raise Unreadable("It is an archive inside an archive: unpack it first.")
    if not data.strip():
        raise Unreadable("It is empty.")
    if data.startswith((b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd")):
        raise Unreadable("It is compressed in another way than zip or gzip: unpack it first.")
    try:
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    is_json = text.lstrip("\ufeff \t\r\n").startswith(("{", "["))
    if text.count("{") + text.count("[") > MAX_OBJECTS or (not is_json and text.count("\n") > MAX_LINES):
        raise Unreadable("It holds more objects or lines than any playlist has: split it into smaller files.")
    return text


def documents_in(text: str) -> tuple[list[Any], Time | None, list[str]]:
    """Parse the JSON documents in a text; also return the time in an HTTP head, and what is not JSON."""
    taken = None
    if text.lstrip()[:5] == "HTTP/":
        taken = _http_date(text)
        body = re.search(r"^\s*[\[{]", text, re.MULTILINE)
        text = text[body.start() :] if body else ""
    text = text.strip().removeprefix("\ufeff")
    try:
        return [parsed(text)], taken, []
    except ValueError as error:
        whole = error
    documents, problems = _lines(text) or _sequence(text)
    if not documents:
        raise Unreadable(_no_json(text, whole))
    return documents, taken, problems


def _lines(text: str) -> tuple[list[Any], list[str]] | None:
    """One JSON document a line; None if it is not written like that."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if len(lines) < 2 or any(line[0] not in "{[" or line[-1] not in "}]" for _, line in lines[:-1]):
        return None
    documents, problems = [], []
    for number, line in lines:
        try:
            documents.append(parsed(line))
        except ValueError as error:
            problems.append(f"Its line {number} is not JSON ({error}) and was left out.")
    return (documents, problems) if len(problems) < len(documents) else None


def _sequence(text: str) -> tuple[list[Any], list[str]]:
    """JSON documents written one after another."""
    decoder = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)
    documents: list[Any] = []
    position = 0
    while position < len(text):
        try:
            document, position = decoder.raw_decode(text, position)
        except ValueError as error:
            return documents, [
                f"After {len(documents)} documents it is not JSON ({error}); the rest was left out."
            ]
        documents.append(document)
        while position < len(text) and text[position] in " \t\r\n,;":
            position += 1
    return documents, []


def parsed(text: str) -> Any:
    """Parse one JSON document; NaN and Infinity become None."""
    return json.loads(text, parse_constant=_no_number, parse_float=_finite)


def _no_number(_: str) -> None:
    """NaN and Infinity, which pandas writes for what is missing and JSON does not have."""


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _no_json(text: str, error: ValueError) -> str:
    if text.startswith("<"):
        return "It is a web page or XML, not JSON."
    if text[:1] not in "{[":
        return f"It is not JSON: it begins with {text.splitlines()[0][:40]!r}."
    if re.match(r"[\[{]\s*[{\[]*\s*'", text):
        return "It is written in Python's notation, not in JSON: save it again with json.dump."
    if isinstance(error, json.JSONDecodeError) and (
        error.pos >= len(text) - 1 or error.msg.startswith("Unterminated string")
    ):
        return f"It is cut short: the JSON is not complete at its end ({error})."
    return f"It is not JSON ({error})."


def _http_date(text: str) -> Time | None:
    found = re.search(r"^date:\s*(.+?)\s*$", text[:10_000], re.IGNORECASE | re.MULTILINE)
    sent = moment(found[1]) if found else None
    return Time(sent, "the response's Date header") if sent else None
