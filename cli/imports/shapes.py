"""Recognizes the objects in a dump, also songs that are not in the form of the API. Pure."""

import email.utils
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote_plus

EARLIEST: Final = datetime(2006, 4, 1, tzinfo=UTC)  # Spotify was founded then, so no dump is older

_BASE62 = re.compile(r"[0-9A-Za-z]+")
_SONG_LINK = re.compile(
    r"(?:spotify:|open\.spotify\.com/(?:intl-[\w-]+/)?|/v1/)(?P<type>track|episode)s?[:/](?P<id>[0-9A-Za-z]+)"
)
_LOCAL_LINK = re.compile(r"spotify:local:(?P<artist>[^:]*):(?P<album>[^:]*):(?P<name>[^:]*):(?P<seconds>\d*)")
_OTHER_URI = re.compile(r"spotify:(?P<type>album|artist|show|audiobook)[:/]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
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
    (frozenset({"played_at"}), "listening history"),
    (frozenset({"msPlayed"}), "listening history"),
    (frozenset({"ms_played"}), "listening history"),
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


def looks_like_id(text: str) -> bool:
    """Return whether a word is one of Spotify's ids: 22 base-62 characters that are not an ordinary word."""
    if len(text) != 22 or not _BASE62.fullmatch(text):
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
        other = "listening history"
    if other is None and "added_at" in value and len(value) == 2:
        other = next((words for field, words in _SAVED.items() if isinstance(value.get(field), dict)), None)
    if value.keys() == {"snapshot_id"}:
        other = "Spotify's answer to a change of a playlist"
    if other is None and "danceability" in value and not any(field in value for field in _NAME_FIELDS):
        other = "audio features"
    return other or next((words for fields, words in _SIGNS if fields <= value.keys()), None)


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
    if {"localTrack", "episode"} <= value.keys() or _is_saved_episode(value):
        return True
    for field in ("item", "track"):
        if isinstance(value.get(field), dict):
            return True
    known = {"added_at", "added_by", "is_local", "primary_color", "video_thumbnail"} & value.keys()
    if "track" in value or "item" in value:
        return bool(known) and value.get("track") is None and value.get("item") is None
    return "added_at" in value and len(known) >= 2 and value.keys() <= known


def _is_saved_episode(value: Mapping[str, Any]) -> bool:
    return value.keys() == {"added_at", "episode"} and isinstance(value["episode"], dict)


def is_song_link(text: str) -> bool:
    """Tell whether a text is the URI or address of a song or episode."""
    return bool(_SONG_LINK.match(text.removeprefix("https://")) or _LOCAL_LINK.match(text))


def is_song(value: object) -> bool:
    """Return whether an object is a song or episode, as the API sends it or as a row that a script made of it."""
    if not isinstance(value, dict) or other_object(value) is not None:
        return False
    if type_of(value) in {"track", "episode"}:
        return True
    uri = value.get("uri") or value.get("trackUri") or value.get("track_uri")
    if isinstance(uri, str) and (_SONG_LINK.match(uri) or _LOCAL_LINK.match(uri)):
        return True
    name = _first_text(value, _NAME_FIELDS)
    artist = any(value.get(field) for field in _ARTIST_FIELDS)
    return bool(name is not None and artist and "playlist" not in (type_of(value) or ""))


def row_kind(rows: Sequence[Any]) -> str | None:
    """Say what a list is made of, if that belongs into a playlist: the whole list then counts."""
    if any(is_entry(row) for row in rows):
        return "entries"
    if any(is_song(row) for row in rows):
        return "songs"
    return None


# --- Entries that are not as the API sends them ----------------------------------------------

_NAME_FIELDS = ("trackName", "track_name", "episodeName", "track", "title", "name", "song")
_ARTIST_FIELDS = ("artistName", "artist_name", "artist", "artists", "artist_names", "showName", "show")
_ALBUM_FIELDS = ("albumName", "album_name", "album")
_URI_FIELDS = (
    "trackUri",
    "track_uri",
    "episodeUri",
    "uri",
    "spotify_uri",
    "url",
    "track_url",
    "href",
    "link",
)
_SONG_ID_FIELDS = ("track_id", "trackId", "spotify_id", "spotifyId", "id")
_DURATION_FIELDS = ("duration_ms", "durationMs", "duration")
_ADDED_FIELDS = ("added_at", "addedAt", "addedDate", "date_added", "dateAdded")


def as_entry(value: Any) -> Any:
    """Put one row of a list into the form of an entry; one that has it already is returned unchanged."""
    if not isinstance(value, dict):
        return value
    if not is_entry(value):
        if not is_song(value):
            return value
        wrapped: dict[str, Any] = {"track": value}
        if value.get("added_at") is not None:
            wrapped["added_at"] = value["added_at"]
        if _with_id(value) is not value:
            wrapped |= {"track": _with_id(value), "imported": value}
        if not _is_api_song(value):
            wrapped = {"added_at": _first(value, _ADDED_FIELDS), "track": _song(value), "imported": value}
        return _dated(wrapped)
    if _is_saved_episode(value):
        return _dated({**value, "track": value["episode"]})
    if {"localTrack", "episode"} <= value.keys():
        content = next(
            (value[key] for key in ("track", "episode", "localTrack", "audiobook") if value.get(key)), None
        )
        song = _song(content) if isinstance(content, dict) else None
        return _dated({"added_at": _first(value, _ADDED_FIELDS), "track": song, "imported": value})
    songs = {field: value[field] for field in ("item", "track") if isinstance(value.get(field), dict)}
    changed = {
        field: _with_id(song) if _is_api_song(song) else _song(song)
        for field, song in songs.items()
        if not _is_api_song(song) or _with_id(song) is not song
    }
    return _dated({**value, **changed, "imported": value} if changed else value)


def _dated(entry: dict[str, Any]) -> dict[str, Any]:
    """Write the time of adding as the API does, if it is a time in another notation."""
    added_at = entry.get("added_at")
    if added_at is None or (isinstance(added_at, str) and _RFC3339.fullmatch(added_at)):
        return entry
    found = moment(added_at)
    if found is None and added_at != "":
        return entry
    text = found.isoformat().replace("+00:00", "Z") if found else None
    return {**entry, "added_at": text, "imported": entry.get("imported", {"added_at": added_at})}


def _is_api_song(song: Mapping[str, Any]) -> bool:
    """Tell whether a song's parts have the API's types; if not, somebody made a flat row of it."""
    if not {"type", "uri", "id", "name", "duration_ms", "is_local"} & song.keys():
        return not any(field in song for field in (*_NAME_FIELDS, *_ARTIST_FIELDS, *_URI_FIELDS))
    artists = song.get("artists")
    return (
        not isinstance(song.get("album"), str)
        and not isinstance(song.get("artist"), str)
        and not any(
            field in song for field in ("trackName", "track_name", "artistName", "artist_name", "trackUri")
        )
        and not isinstance(song.get("track"), str)
        and not isinstance(artists, str)
        and not (isinstance(artists, list) and any(isinstance(artist, str) for artist in artists))
    )


def _with_id(song: dict[str, Any]) -> dict[str, Any]:
    """A song that was fetched without its id, but with a link to itself, gets the id of the link."""
    if song.get("id"):
        return song
    urls = song.get("external_urls")
    links = [song.get("uri"), song.get("href"), urls.get("spotify") if isinstance(urls, dict) else None]
    found = next(filter(None, (_SONG_LINK.search(link) for link in links if isinstance(link, str))), None)
    return song if found is None else {**song, "id": found["id"]}


def _song(row: Mapping[str, Any]) -> dict[str, Any]:
    """Make a song object of a flat row: names and links instead of objects."""
    uris = [row[field] for field in _URI_FIELDS if isinstance(row.get(field), str)]
    link = next(filter(None, map(_SONG_LINK.search, uris)), None)
    local = next(filter(None, map(_LOCAL_LINK.match, uris)), None)
    if local is not None:
        return _local_song(local)
    song_id = link["id"] if link else _first_text(row, _SONG_ID_FIELDS)
    kind = link["type"] if link else "episode" if "episodeName" in row else "track"
    artists = _first(row, _ARTIST_FIELDS)
    album = _first(row, _ALBUM_FIELDS)
    duration = _first(row, _DURATION_FIELDS)
    song: dict[str, Any] = {
        "type": kind,
        "id": song_id,
        "uri": f"spotify:{kind}:{song_id}" if song_id else None,
        "name": _first_text(row, _NAME_FIELDS),
        "artists": [
            artist if isinstance(artist, dict) else {"id": _id_of(row, "artist"), "name": str(artist)}
            for artist in (artists if isinstance(artists, list) else [artists])
            if artist is not None
        ],
        "album": {"id": _id_of(row, "album"), "name": album} if isinstance(album, str) else album,
        "duration_ms": number_of(duration),
    }
    same = (
        "explicit",
        "popularity",
        "track_number",
        "disc_number",
        "external_ids",
        "external_urls",
        "is_local",
    )
    return song | {field: row[field] for field in same if field in row}


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


def _id_of(row: Mapping[str, Any], what: str) -> str | None:
    """The id of a flat row's album or artist, if there is a link to it."""
    uri = row.get(f"{what}_uri") or row.get(f"{what}Uri") or row.get(f"{what}_id") or row.get(f"{what}Id")
    return uri.rsplit(":", 1)[-1] if isinstance(uri, str) and uri else None


def _first(row: Mapping[str, Any], fields: Sequence[str]) -> Any:
    return next((row[field] for field in fields if row.get(field) is not None), None)


def _first_text(row: Mapping[str, Any], fields: Sequence[str]) -> str | None:
    return next((row[field] for field in fields if isinstance(row.get(field), str)), None)


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


# --- Other notations of names ----------------------------------------------------------------


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
