"""Names of files and folders: the playlist's id, time and title in them. Pure."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from cli.imports.parts import Part, Time
from cli.imports.shapes import is_spotify_id, looks_like_id, moment

FOLDERS_TO_READ: Final = 3  # how far up a folder's name may say when, and of which list, a file is

_WORDS = re.compile(r"[0-9A-Za-z]+")
_TOKENS = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{22}(?![0-9A-Za-z])")
_SUFFIXES = re.compile(r"(\.(json|jsonl|ndjson|gz|gzip|txt|har|csv|tsv|zip))+$", re.IGNORECASE)
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
_YEAR = re.compile(r"(?<![0-9A-Za-z])(?:19|20)\d\d(?:[-_.][01]\d)?(?![0-9A-Za-z])")
_COPY = re.compile(r" ?\(\d+\)(?=\.|$)")
_TRAILING_NUMBER = re.compile(r"[-_. ]\d+$")


def derived_id(text: str, folder: str = "") -> str:
    """Make an id of any text and the folder it was in: always the same, and in the form of Spotify's ids.

    Examples
    --------
    >>> derived_id("Liked Songs")
    'importLikedSon286f8b05'
    """
    words = "".join(word[0].upper() + word[1:] for word in _WORDS.findall(text))
    identity = f"{folder}/{text}" if folder else text
    digest = hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()
    start = f"import{words[:8]}"
    return start + digest[: 22 - len(start)]


def id_in_name(source: str) -> tuple[str, str] | None:
    """Find a playlist's id in the name of a file or of the folders around it; also say where."""
    for number, name in enumerate(_names(source)):
        where = "the folder's name" if number else "the file's name"
        if name.startswith("playlist_id=") and is_spotify_id(name.removeprefix("playlist_id=")):
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


def folder_title(folder: str) -> str:
    """Return the names of the nearest folders without times, years and copy numbers, such as `dumps/anna`.

    Backups of different days are then of the same place.
    """
    names = [name for name in re.split(r"[/\\]", folder) if name not in {"", ".", ".."}]
    titles = []
    for name in names:
        title = name
        for pattern in (*_TIMES_IN_NAMES, _YEAR, _COPY):
            title = pattern.sub("", title)
        titles.append(_SUFFIXES.sub("", title).strip(" -_."))
    return "/".join([title for title in titles if title][-FOLDERS_TO_READ:])


def _names(source: str) -> Iterator[str]:
    names = [name for name in re.split(r"[/\\]", source) if name not in {"", ".", ".."}]
    if names:
        yield _SUFFIXES.sub("", names[-1])
    yield from reversed(names[-1 - FOLDERS_TO_READ : -1])
