"""What the objects in a dump are: songs, entries, tables of them, or other things. Pure."""

import email.utils
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from cli.imports import fields

PLAYS: Final = "listening history that is no file of Spotify's data export"
EARLIEST: Final = datetime(2006, 4, 1, tzinfo=UTC)  # Spotify was founded then, so no dump is older

_SPOTIFY_ID = re.compile(r"[0-9A-Za-z]{22}")
SONG_LINK = re.compile(
    r"(?:spotify:|open\.spotify\.com/(?:intl-[\w-]+/)?|/v1/)(?P<type>track|episode|chapter)s?[:/]"
    r"(?P<id>[0-9A-Za-z]{22})(?![0-9A-Za-z])"
)
LOCAL_LINK = re.compile(r"spotify:local:(?P<artist>[^:]*):(?P<album>[^:]*):(?P<name>[^:]*):(?P<seconds>\d*)")
_OTHER_URI = re.compile(r"spotify:(?P<type>album|artist|show|audiobook)[:/]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TYPES = {
    "album": "an album",
    "artist": "an artist",
    "user": "a user's profile",
    "show": "a podcast",
    "audiobook": "an audiobook",
    "chapter": "a chapter of an audiobook",
    "audio_features": "audio features",
}
# Fields that give away what an object is, where it has no type; the first that fits.
_SIGNS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"access_token"}), "an access token, which you should keep to yourself"),
    (frozenset({"seeds", "tracks"}), "recommendations"),
    (frozenset({"played_at"}), PLAYS),
    (frozenset({"msPlayed"}), PLAYS),
    (frozenset({"ms_played"}), PLAYS),
    (frozenset({"is_playing"}), "what is playing"),
    (frozenset({"currently_playing", "queue"}), "the play queue"),
    (frozenset({"bars", "beats"}), "an audio analysis"),
    (frozenset({"album_type"}), "an album"),
    (frozenset({"volume_percent"}), "a playback device"),
    (frozenset({"icons", "href"}), "a category"),
    (frozenset({"genres", "followers"}), "an artist"),
)
_SAVED = {
    "album": "a saved album",
    "show": "a saved podcast",
    "audiobook": "a saved audiobook",
}


def moment(value: object) -> datetime | None:
    """Read a time in any of the usual notations: ISO 8601, HTTP, seconds or milliseconds since 1970.

    Returns
    -------
    datetime or None
        In UTC, whole seconds; None if it is not a time between Spotify's foundation and 2100.
    """
    found: datetime | None = None
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{10}|\d{13}", value.strip()):
            value = int(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and 1e9 <= value < 1e13:
            found = datetime.fromtimestamp(value / 1000 if value >= 1e11 else value, UTC)
        elif isinstance(value, str) and len(value) >= 8:
            found = written_moment(value.strip())
        if found is None:
            return None
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError, OSError):
        return None
    return found if EARLIEST <= found < datetime(2100, 1, 1, tzinfo=UTC) else None


def written_moment(text: str) -> datetime:
    """Read a time as ISO 8601 or HTTP write it; raises ValueError if it is none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return email.utils.parsedate_to_datetime(text)


def number_of(value: object) -> int | None:
    """Return a count or position if that is what the value is."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def is_spotify_id(value: object) -> bool:
    """Tell whether a value has the form of Spotify's ids: 22 base-62 characters. Anything else is a text."""
    return isinstance(value, str) and _SPOTIFY_ID.fullmatch(value) is not None


def looks_like_id(text: str) -> bool:
    """Tell whether a word of a file's name is one of Spotify's ids, and not an ordinary word as long as one."""
    if not is_spotify_id(text):
        return False
    return any(c.isdigit() for c in text) or sum(c.isupper() for c in text) >= 5 <= sum(
        c.islower() for c in text
    )


def other_object(value: Mapping[str, Any]) -> str | None:
    """Name what is surely no playlist."""
    error = _error(value)
    if error is not None:
        return f"an error that Spotify answered ({error[:120]})"
    kind = type_of(value)
    if kind in {"playlist", "track", "episode"}:
        return None
    uri = value.get("uri")
    match = _OTHER_URI.match(uri) if isinstance(uri, str) else None
    other = _TYPES.get(kind or "") or (_TYPES[match["type"]] if match else None)
    if other is None and any(field.startswith("master_metadata_") for field in value):
        other = PLAYS
    if other is None and "added_at" in value and len(value) == 2:
        other = next((words for field, words in _SAVED.items() if isinstance(value.get(field), dict)), None)
    if value.keys() == {"snapshot_id"}:
        other = "Spotify's answer to a change of a playlist"
    if (
        other is None
        and "danceability" in value
        and fields.first(fields.by_plain_name(value), fields.NAME) is None
    ):
        other = "audio features"
    return other or next((words for signs, words in _SIGNS if signs <= value.keys()), None)


def _error(value: Mapping[str, Any]) -> str | None:
    error = value.get("error")
    if isinstance(error, dict) and {"status", "message"} & error.keys():
        return f"{error.get('status', '')}: {error.get('message', '')}".strip(": ")
    if isinstance(error, str) and len(value) <= 3:
        return str(value.get("error_description") or error)
    return None


def type_of(value: Mapping[str, Any]) -> str | None:
    """Return an object's type; some libraries write it with a capital."""
    kind = value.get("type")
    return kind.casefold() if isinstance(kind, str) else None


def is_entry(value: object) -> bool:
    """Tell an entry of a playlist, or of the saved songs, from a song: there is something around the song."""
    if not isinstance(value, dict) or "played_at" in value or "is_playing" in value:
        return False
    if {"localTrack", "episode"} <= value.keys() or is_saved_episode(value):
        return True
    for field in ("item", "track"):
        if isinstance(value.get(field), dict):
            return True
    known = {"added_at", "added_by", "is_local", "primary_color", "video_thumbnail"} & value.keys()
    if "track" in value or "item" in value:
        return bool(known) and value.get("track") is None and value.get("item") is None
    return "added_at" in value and len(known) >= 2 and value.keys() <= known


def is_saved_episode(value: Mapping[str, Any]) -> bool:
    """Tell an entry of the saved episodes."""
    return value.keys() == {"added_at", "episode"} and isinstance(value["episode"], dict)


def is_song_link(text: str) -> bool:
    """Tell whether a text is the URI or address of a song or episode."""
    return bool(SONG_LINK.match(text.removeprefix("https://")) or LOCAL_LINK.match(text))


def is_song(value: object) -> bool:
    """Return whether an object is a song or episode, as the API sends it or as a row that a script made of it."""
    if not isinstance(value, dict) or other_object(value) is not None:
        return False
    if type_of(value) in {"track", "episode"}:
        return True
    values = fields.by_plain_name(value)
    links = (values[name] for name in fields.LINK if isinstance(values.get(name), str))
    if any(SONG_LINK.search(link) or LOCAL_LINK.match(link) for link in links):
        return True
    name = fields.first_text(values, fields.NAME)
    credited = fields.first(values, (*fields.ARTIST, *fields.SHOW))
    return bool(name is not None and credited and "playlist" not in (type_of(value) or ""))


def row_kind(rows: Sequence[Any]) -> str | None:
    """Say what a list is made of, if that belongs into a playlist: the whole list then counts."""
    if any(is_entry(row) for row in rows):
        return "entries"
    if any(is_song(row) for row in rows):
        return "songs"
    return None


# --- Tables and other notations of names -----------------------------------------------------


def unflattened(row: Any) -> Any:
    """Undo the dotted column names of pandas' json_normalize and R's jsonlite (`track.album.name`)."""
    if not isinstance(row, dict) or not any(
        key.startswith(("track.", "item.", "album.", "artists.")) for key in row
    ):
        return row
    nested: dict[str, Any] = {}
    for key, value in row.items():
        *path, last = key.split(".")
        inner: Any = nested
        for step in path:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                return row
        inner[last] = value
    return nested


def table_rows(value: Mapping[str, Any]) -> list[Any] | None:
    """The rows of a table as pandas' to_json writes it: by column, by index, or split."""
    columns, data = value.get("columns"), value.get("data")
    if isinstance(columns, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        return [dict(zip(map(str, columns), row, strict=False)) for row in data]
    if value and all(key.isdigit() for key in value) and all(isinstance(row, dict) for row in value.values()):
        return list(value.values())
    indexes = [column.keys() for column in value.values() if isinstance(column, dict)]
    if (
        len(indexes) < 2
        or len(indexes) != len(value)
        or not indexes[0]
        or any(keys != indexes[0] for keys in indexes)
    ):
        return None
    if not all(index.isdigit() for index in indexes[0]):
        return None
    return [{column: cells[index] for column, cells in value.items()} for index in indexes[0]]


def has_foreign_names(value: Any) -> bool:
    """Tell whether objects' fields are named as C#, Java and JavaScript do: AddedAt, addedAt."""
    if isinstance(value, list):
        return any(map(has_foreign_names, value[:50]))
    if not isinstance(value, dict):
        return False
    return any(key != _snake(key) for key in value) or any(map(has_foreign_names, value.values()))


def snake_case(value: Any) -> Any:
    """Rename every field to the notation of Spotify's API."""
    if isinstance(value, list):
        return [snake_case(child) for child in value]
    if isinstance(value, dict):
        return {_snake(key): snake_case(child) for key, child in value.items()}
    return value


def _snake(name: str) -> str:
    return _CAMEL.sub("_", name).lower()
