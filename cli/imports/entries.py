"""Puts songs and rows that are not written as the API writes them into the form of its entries. Pure.

What was there before is kept beside an entry under ``imported``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_plus

from cli.imports import fields
from cli.imports.shapes import (
    LOCAL_LINK,
    SONG_LINK,
    is_entry,
    is_saved_episode,
    is_song,
    is_spotify_id,
    moment,
    number_of,
    type_of,
)

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_URI_OF_NONE = re.compile(r"spotify:(track|episode|chapter):")
_PART_LINK = re.compile(r"(?:artist|album|show|user)s?[:/](?P<id>[^/?#:\s]+)")
_MINUTES = re.compile(r"(?:(?P<h>\d+):)?(?P<m>\d{1,2}):(?P<s>\d\d)")
# Names that only flat rows have, in plain form.
_FLAT = frozenset(
    {*fields.NAME, *fields.ARTIST, *fields.ALBUM, *fields.LINK}
    - {"name", "track", "artists", "album", "uri", "url", "href", "link"}
) | {"show", "artisturi", "albumuri", "artistid", "albumid"}
_API_FIELDS = frozenset({"type", "uri", "id", "name", "duration_ms", "is_local", "url"})
_NUMBERS = {
    "popularity": ("popularity", "popularite", "popularidad", "popularita", "popularidade", "beliebtheit"),
    "disc_number": ("discnumber",),
    "track_number": ("tracknumber",),
}


def as_entry(value: Any) -> Any:
    """Put one row of a list into the form of an entry; what is in that form already is returned as it is."""
    if not isinstance(value, dict):
        return value
    if not is_entry(value):
        return _from_song(value) if is_song(value) else value
    if is_saved_episode(value):
        return _dated({**value, "track": _completed(value["episode"])})
    if {"localTrack", "episode"} <= value.keys():  # of the account-data export
        content = next(
            (value[key] for key in ("track", "episode", "localTrack", "audiobook") if value.get(key)), None
        )
        song = _song(fields.by_plain_name(content)) if isinstance(content, dict) else None
        added_at = fields.first(fields.by_plain_name(value), fields.ADDED_AT)
        return _dated({"added_at": added_at, "track": song, "imported": value})
    songs = {field: value[field] for field in ("item", "track") if isinstance(value.get(field), dict)}
    changed = {field: _in_api_form(song) for field, song in songs.items()}
    if all(changed[field] is song for field, song in songs.items()):
        return _dated(value)
    return _dated({**value, **changed, "imported": value})


def _from_song(value: dict[str, Any]) -> dict[str, Any]:
    values = fields.by_plain_name(value)
    entry: dict[str, Any] = {"track": _in_api_form(value)}
    added_at, added_by = fields.first(values, fields.ADDED_AT), fields.first(values, fields.ADDED_BY)
    if added_at is not None:
        entry["added_at"] = added_at
    if isinstance(added_by, dict):
        entry["added_by"] = added_by
    elif isinstance(added_by, str):
        entry["added_by"] = {"id": _id_in(added_by) or added_by}
    return _dated(entry if entry["track"] is value else {**entry, "imported": value})


def _dated(entry: dict[str, Any]) -> dict[str, Any]:
    """Write the time of adding as the API does, or leave it out if it is no time; it costs no entry."""
    added_at = entry.get("added_at")
    if added_at is None or (isinstance(added_at, str) and _RFC3339.fullmatch(added_at)):
        return entry
    found = moment(added_at)
    text = found.isoformat().replace("+00:00", "Z") if found else None
    return {**entry, "added_at": text, "imported": entry.get("imported", {"added_at": added_at})}


def _in_api_form(song: dict[str, Any]) -> dict[str, Any]:
    return _completed(song) if _is_api_song(song) else _song(fields.by_plain_name(song))


def _is_api_song(song: Mapping[str, Any]) -> bool:
    """Tell whether a song's parts have the API's types; if not, somebody made a flat row of it."""
    flat = {fields.plain(name) for name, value in song.items() if isinstance(value, str | int | list)} & _FLAT
    if flat:
        return False
    if not _API_FIELDS & song.keys():
        return not {"album", "artists", "track"} & song.keys()
    artists = song.get("artists")
    return (
        not any(isinstance(song.get(field), str) for field in ("album", "artists", "track"))
        and not (isinstance(artists, list) and any(isinstance(artist, str) for artist in artists))
        and not isinstance(song.get("id"), int)
    )


# --- Songs in the API's form that lack something -----------------------------------------------


def _completed(song: dict[str, Any]) -> dict[str, Any]:
    """Fill in what follows from the rest: the id from links, the URI from kind and id, the same for credits.

    An id that cannot be one of Spotify's is taken out; a song without any other becomes a reject.
    """
    links = [song.get(field) for field in ("uri", "href", "url", "link")]
    urls = song.get("external_urls")
    links.append(urls.get("spotify") if isinstance(urls, dict) else None)
    link = next(filter(None, (SONG_LINK.search(link) for link in links if isinstance(link, str))), None)
    changes: dict[str, Any] = {}
    song_id = song.get("id") or None
    if song_id is not None and not is_spotify_id(song_id):
        changes["id"] = song_id = None
    if song_id is None and link is not None and not song.get("is_local"):
        changes["id"] = song_id = link["id"]
    kind = type_of(song) or (link["type"] if link else "track")
    if type_of(song) is None and kind != "track":
        changes["type"] = kind
    if song_id is None and link is None and _URI_OF_NONE.match(str(song.get("uri"))):
        changes["uri"] = None
    if song_id is not None and not song.get("uri") and not song.get("is_local"):
        changes["uri"] = f"spotify:{kind}:{song_id}"
    changes |= _completed_credits(song)
    album = song.get("album")
    if isinstance(album, dict):
        inner = _identified(album) | _completed_credits(album)
        changes |= {"album": {**album, **inner}} if inner else {}
    return {**song, **changes} if changes else song


def _completed_credits(value: Mapping[str, Any]) -> dict[str, Any]:
    artists = value.get("artists")
    if not isinstance(artists, list):
        return {}
    known = [{**one, **_identified(one)} if isinstance(one, dict) else one for one in artists]
    return {"artists": known} if known != artists else {}


def _identified(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an artist or album lacks: its id from its links, or no id where it cannot be one."""
    if is_spotify_id(value.get("id")):
        return {}
    urls = value.get("external_urls")
    links = [value.get("uri"), value.get("href"), value.get("url"), value.get("id")]
    links.append(urls.get("spotify") if isinstance(urls, dict) else None)
    found = next(filter(None, (_id_in(link) for link in links if isinstance(link, str))), None)
    return {"id": found} if found or value.get("id") else {}


def _id_in(text: str) -> str | None:
    """Return the id in a link to an artist, album or user, or the text itself if it is one."""
    match = _PART_LINK.search(text)
    found = match["id"] if match else text
    return found if is_spotify_id(found) or (match and match[0].startswith("user")) else None


# --- Flat rows ---------------------------------------------------------------------------------


def _song(row: Mapping[str, Any]) -> dict[str, Any]:
    """Make a song object of a flat row, by plain names: names and links instead of objects."""
    links = [row[name] for name in (*fields.LINK, *fields.SONG_ID) if isinstance(row.get(name), str)]
    local = next(filter(None, map(LOCAL_LINK.match, links)), None)
    if local is not None:
        return _local_song(local)
    link = next(filter(None, map(SONG_LINK.search, links)), None)
    own = (row[name] for name in fields.SONG_ID if is_spotify_id(row.get(name)))
    song_id = link["id"] if link else next(own, None)
    show = fields.first(row, fields.SHOW)
    kind = type_of(row) if type_of(row) in {"track", "episode", "chapter"} else None
    if kind is None:
        is_episode = "episodename" in row or (show is not None and fields.first(row, fields.ARTIST) is None)
        kind = link["type"] if link else "episode" if is_episode else "track"
    song: dict[str, Any] = {
        "type": kind,
        "id": song_id,
        "uri": f"spotify:{kind}:{song_id}" if song_id else None,
        "name": fields.first_text(row, fields.NAME),
        "artists": _artists(row),
        "album": _album(row),
        "duration_ms": _milliseconds(fields.first(row, fields.DURATION)),
    }
    if show is not None:
        song["show"] = show if isinstance(show, dict) else {"name": str(show)}
    for name, columns in _NUMBERS.items():
        number = fields.first(row, columns)
        if number is not None:
            song[name] = int(number) if isinstance(number, str) and number.isdecimal() else number
    explicit = row.get("explicit")
    if explicit is not None:
        song["explicit"] = {"true": True, "false": False}.get(str(explicit).casefold(), explicit)
    if isinstance(row.get("isrc"), str):
        song["external_ids"] = {"isrc": row["isrc"]}
    same = {"external_ids": "externalids", "external_urls": "externalurls", "is_local": "islocal"}
    return song | {field: row[name] for field, name in same.items() if name in row}


def _local_song(uri: re.Match[str]) -> dict[str, Any]:
    artist, album, name = (unquote_plus(uri[part]) for part in ("artist", "album", "name"))
    return {
        "type": "track",
        "id": None,
        "uri": uri[0],
        "is_local": True,
        "name": name,
        "artists": [{"id": None, "name": artist}],
        "album": {"id": None, "name": album},
        "duration_ms": number_of(int(uri["seconds"] or 0) * 1000),
    }


def _artists(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The credits of a flat row. A text holds several only where it separates them, or as many links say so."""
    found, linked = fields.first(row, fields.ARTIST), fields.first(row, fields.ARTIST_LINK)
    ids = [_id_in(link.strip()) for link in re.split(r"[,;]", linked)] if isinstance(linked, str) else []
    if isinstance(linked, list):
        ids = [_id_in(link) if isinstance(link, str) else None for link in linked]
    if isinstance(found, str):
        found = _separated(found, len(ids))
    several = found if isinstance(found, list) else [found]
    if len(ids) != len(several):
        ids = [None] * len(several)
    return [
        {**artist, **_identified(artist)}
        if isinstance(artist, dict)
        else {"id": artist_id, "name": str(artist)}
        for artist, artist_id in zip(several, ids, strict=True)
        if artist is not None
    ]


def _separated(text: str, number: int) -> Sequence[str]:
    for separator in (";", ", ", ","):
        several = [name.strip() for name in text.split(separator)]
        if len(several) == number or (separator == ";" and len(several) > 1 and number == 0):
            return several
    return [text]


def _album(row: Mapping[str, Any]) -> Any:
    album, linked = fields.first(row, fields.ALBUM), fields.first(row, fields.ALBUM_LINK)
    if isinstance(album, dict):
        return {**album, **_identified(album)}
    if not isinstance(album, str):
        return album
    made: dict[str, Any] = {"id": _id_in(linked) if isinstance(linked, str) else None, "name": album}
    released = fields.first_text(row, fields.RELEASE_DATE)
    return made | ({"release_date": released} if released else {})


def _milliseconds(value: object) -> int | None:
    """Read a length: a number, or minutes and seconds."""
    if isinstance(value, str):
        clock = _MINUTES.fullmatch(value.strip())
        if clock:
            seconds = int(clock["h"] or 0) * 3600 + int(clock["m"]) * 60 + int(clock["s"])
            return number_of(seconds * 1000)
        if value.strip().isdecimal():
            return number_of(int(value))
    return number_of(value)


def missing_field(entries: Iterable[Any]) -> str:
    """Say what the first of entries without an id has where its id should be, and what its fields are."""
    for entry in entries:
        row = entry.get("imported", entry) if isinstance(entry, dict) else entry
        if not isinstance(row, dict):
            continue
        inner = next((row[key] for key in ("item", "track") if isinstance(row.get(key), dict)), row)
        wanted = {*fields.LINK, *fields.SONG_ID}
        there = {name: value for name, value in inner.items() if fields.plain(name) in wanted and value}
        shown = ", ".join(f"{name} is {str(value)[:60]!r}" for name, value in list(there.items())[:3])
        if shown:
            return f"the first one's {shown}, which no song on Spotify has"
        return f"the first one's fields are {', '.join(str(name)[:40] for name in list(inner)[:8]) or 'none'}"
    return "they are not even objects"
