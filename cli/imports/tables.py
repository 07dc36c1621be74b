"""Reads CSV files of playlists, as Exportify, TuneMyMusic and spreadsheets write them. Pure."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any, Final

from cli.imports import fields

_DELIMITERS = ",;\t|"
_LIMIT: Final = 10_000_000  # characters of a cell
_NEEDED: Final = "such as “Track URI”"
_SONG_LINK = re.compile(r"spotify:(track|episode|local):|open\.spotify\.com/\S*(track|episode)/")
# Columns that name songs, where `uri`, `url` or `id` alone could be of anything.
_SONGS = frozenset({*fields.LINK, *fields.SONG_ID} - {"id", "uri", "url", "href", "link", "externalurl"})
_HISTORY = frozenset({"playedat", "msplayed"})
_RANKS = frozenset({"rank", "position", "currentrank"})
_CHART = frozenset({"streams", "region", "chart", "peakrank"})


class NotAPlaylist(Exception):
    """The text is CSV, but not of a playlist; the message says so in a sentence."""


def rows_in(text: str, source: str) -> list[dict[str, Any]] | None:
    """Read the rows of a playlist written as CSV.

    Parameters
    ----------
    text
        Content of the file.
    source
        Its name.

    Returns
    -------
    list of dict or None
        The filled cells of each row by their column's header; None if the text is not CSV.

    Raises
    ------
    NotAPlaylist
        It is CSV, but nothing in its header leads to songs.
    """
    text = text.lstrip("\ufeff")
    if text.lstrip()[:1] in {"{", "[", "<"} or text.lstrip().startswith("HTTP/"):
        return None
    is_named_so = re.search(r"\.[ct]sv(\.gz)?$", source, re.IGNORECASE) is not None
    if text[:4].lower() == "sep=":  # for Excel
        text = text.partition("\n")[2]
    headers = {delimiter: _header(text, delimiter) for delimiter in _DELIMITERS}
    leads = {delimiter: _leads_to_songs(header, text) for delimiter, header in headers.items()}
    delimiter = max(_DELIMITERS, key=lambda one: (leads[one], len(headers[one])))
    header = headers[delimiter]
    if not leads[delimiter]:
        if not is_named_so and (len(header) < 3 or not all(header)):
            return None
        shown = ", ".join(name[:40] for name in header[:8]) + (", …" if header[8:] else "")
        if {fields.plain(cell) for cell in header} & _HISTORY:
            raise NotAPlaylist(
                "It is CSV of plays, but not with the columns of Spotify's data export, such as ts and ms_played, or"
                f" endTime and msPlayed. It has {shown}."
            )
        raise NotAPlaylist(
            "It is CSV, but not a playlist: that has a column with the songs' URI, link or Spotify id,"
            f" {_NEEDED}, and this one has {shown or 'none'}."
        )
    cells = _cells(text, delimiter)
    return [_row(header, row) for row in cells[1:] if any(cell.strip() for cell in row)]


def _header(text: str, delimiter: str) -> list[str]:
    first_line = next((line for line in text.splitlines() if line.strip()), "")
    try:
        row = next(csv.reader([first_line], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in row]


def _leads_to_songs(header: Sequence[str], text: str) -> bool:
    """Tell whether columns hold songs: a link or id of each, or at least name and artist."""
    names = {fields.plain(cell) for cell in header}
    if names & _HISTORY or (names & _RANKS and names & _CHART):
        return False
    if names & _SONGS or (names & {*fields.LINK} and _SONG_LINK.search(text)):
        return True
    return bool(names & {*fields.NAME}) and bool(names & {*fields.ARTIST, *fields.SHOW})


def _cells(text: str, delimiter: str) -> list[list[str]]:
    """Split the text; quotes inside of quotes are doubled, or follow a backslash."""
    csv.field_size_limit(_LIMIT)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        pass
    escaped = re.sub(r'\\"', '""', text)
    try:
        return list(csv.reader(io.StringIO(escaped, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise NotAPlaylist(f"It is CSV that is damaged ({error}).") from error


def _row(header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        name or f"column {number}": cell
        for number, (name, cell) in enumerate(zip(header, cells, strict=False), start=1)
        if cell != ""
    }
    more = [cell for cell in cells[len(header) :] if cell != ""]
    return row | ({"more cells": more} if more else {})
