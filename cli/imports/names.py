"""Names of files and folders: the playlist's id, time and title in them. Pure."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from cli.imports.parts import Part, Time
from cli.imports.shapes import looks_like_id, moment

FOLDERS_TO_READ: Final = 3  # how far up a folder's name may say when, and of which list, a file is

_SAFE_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_WORDS = re.compile(r"[0-9A-Za-z]+")
_TOKENS = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{22}(?![0-9A-Za-z])")
_SUFFIXES = re.compile(r"(\.(json|jsonl|ndjson|gz|gzip|txt|har))+$", re.IGNORECASE)
_CLOCK = r"(?P<h>[0-2]\d)[:h_.-]?(?P<m>[0-5]\d)(?:[:m_.-]?(?P<s>[0-5]\d))?s?(?:[.,]\d+)?Z?"
_TIMES_IN_NAMES = tuple(
    re.compile(rf"(?<![0-9A-Za-z]){pattern}(?![0-9])")
    for pattern in (
        rf"(?P<date>20\d\d-?[01]\d-?[0-3]\d)[T_ -]?{_CLOCK}",
        r"(?P<date>20\d\d[-_.][01]\d[-_.][0-3]\d)",
        r"(?P<date>20\d\d[01]\d[0-3]\d)",
        r"(?P<epoch>1\d{12}|1\d{9})",
    )
)
_PAGE_NUMBER = re.compile(
    r"[-_. ]*(?:page|pages|part|offset|chunk|batch|items|tracks)[-_. ]*\d+", re.IGNORECASE
)
_TRAILING_NUMBER = re.compile(r"[-_. ]\d+$")


def is_safe_id(text: str) -> bool:
    """Return whether an id can be part of an object's key."""
    return _SAFE_ID.fullmatch(text) is not None


def derived_id(text: str) -> str:
    """Make an id of any text: always the same, as long as Spotify's, and fit for keys.

    Examples
    --------
    >>> derived_id("Liked Songs")
    'importLikedSon286f8b05'
    """
    words = "".join(word[0].upper() + word[1:] for word in _WORDS.findall(text))
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    start = f"import{words[:8]}"
    return start + digest[: 22 - len(start)]


def id_in_name(source: str) -> tuple[str, str] | None:
    """Find a playlist's id in the name of a file or of the folders around it; also say where."""
    for number, name in enumerate(_names(source)):
        where = "the folder's name" if number else "the file's name"
        if name.startswith("playlist_id=") and _SAFE_ID.fullmatch(name.removeprefix("playlist_id=")):
            return name.removeprefix("playlist_id="), where
        found = next(filter(looks_like_id, _TOKENS.findall(name)), None)
        if found is not None:
            return found, where
    return None


def time_in_name(source: str) -> Time | None:
    """Find a time in the name of a file or of the folders around it.

    A date alone counts as its first second; numbers of 10 and 13 digits are seconds and milliseconds since 1970.
    """
    for number, name in enumerate(_names(source)):
        without_ids = _TOKENS.sub(lambda token: "x" if looks_like_id(token[0]) else token[0], name)
        for pattern in _TIMES_IN_NAMES:
            for match in pattern.finditer(without_ids):
                found = _matched_time(match.groupdict())
                if found is not None:
                    return Time(found, "the folder's name" if number else "the file's name")
    return None


def _matched_time(parts: Mapping[str, str | None]) -> datetime | None:
    if parts.get("epoch"):
        return moment(parts["epoch"])
    date = re.sub(r"\D", "", parts["date"] or "")
    return moment(f"{date}T{parts.get('h') or '00'}{parts.get('m') or '00'}{parts.get('s') or '00'}Z")


def title_of(part: Part) -> str:
    """Return what is left of a file's name without time, page number and endings."""
    name = next(_names(part.source), part.source)
    for pattern in _TIMES_IN_NAMES:
        name = pattern.sub("", name)
    name = _PAGE_NUMBER.sub("", name)
    if part.offset is not None:
        name = _TRAILING_NUMBER.sub("", name)
    return name.strip(" -_.") or part.source


def _names(source: str) -> Iterator[str]:
    names = [name for name in re.split(r"[/\\]", source) if name not in {"", ".", ".."}]
    if names:
        yield _SUFFIXES.sub("", names[-1])
    yield from reversed(names[-1 - FOLDERS_TO_READ : -1])
