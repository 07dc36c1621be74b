"""How scripts and exporters name the fields of a song, an entry and a playlist, in any notation and language. Pure."""

import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final


@lru_cache(maxsize=8192)
def plain(name: str) -> str:
    """Return a field's name without case, accents and separators.

    Examples
    --------
    >>> plain("track_URI") == plain("trackUri") == plain("Track URI") == plain("Track-URI")
    True
    >>> plain("Künstlername(n)")
    'kunstlernamen'
    """
    return "".join(
        character for character in unicodedata.normalize("NFKD", name.casefold()) if character.isalnum()
    )


def names(*fields: str) -> tuple[str, ...]:
    """Return the plain forms of field names, in order and without repetitions."""
    return tuple(dict.fromkeys(map(plain, fields)))


# The localized names are the column headers that Exportify writes in the reader's language.
NAME: Final = names(
    "trackName", "episodeName", "chapterName", "localTrackName", "track", "title", "name", "song", "track_title",
    "song_name", "song_title", "Nom du titre", "Nombre de la canción", "Nome della traccia", "Nummernaam",
    "Nome da faixa", "Låtens namn", "Parça Adı", "トラック名",
)  # fmt: skip
ARTIST: Final = names(
    "artistName", "artist", "artists", "artist_names", "track_artists", "artist_name(s)", "artist(s)",
    "Künstlername(n)", "Nom(s) de l'artiste", "Nombre(s) del artista", "Nome dell'artista", "Naam van artiest",
    "Nome(s) do artista", "Artistens namn", "Sanatçı Adı", "アーティスト名",
)  # fmt: skip
SHOW: Final = names("showName", "show", "podcast", "podcast_name")
ALBUM: Final = names(
    "albumName", "album", "album_title", "Nom de l'album", "Nombre del álbum", "Nome dell'album", "Naam van album",
    "Nome do álbum", "Albumets namn", "Albüm Adı", "アルバム名",
)  # fmt: skip
LINK: Final = names(
    "trackUri", "episodeUri", "uri", "spotify_uri", "url", "track_url", "href", "link", "spotify_url", "spotify_link",
    "track_link", "track_href", "spotify_track_uri", "spotify_track_url", "external_url", "song_url", "song_uri",
    "URI du titre", "URI de la canción", "URI della traccia", "Nummer URI", "URI da faixa", "Låtens URI", "Parça URI",
    "トラックURI",
)  # fmt: skip
SONG_ID: Final = names("track_id", "spotify_id", "spotify_track_id", "episode_id", "song_id", "id")
DURATION: Final = names(
    "duration_ms", "track_duration_ms", "duration (ms)", "track duration (ms)", "duration", "Track-Dauer (ms)",
    "Durée du titre (ms)", "Duración de la canción (ms)", "Durata della traccia (ms)", "Nummerduur (ms)",
    "Duração da faixa (ms)", "Låtlängd (ms)", "Parça Süresi (ms)", "トラックの長さ（ミリ秒）",
)  # fmt: skip
ADDED_AT: Final = names(
    "added_at", "addedDate", "date_added", "added", "Hinzugefügt am", "Ajouté le", "Añadido en", "Aggiunto il",
    "Toegevoegd op", "Adicionado em", "Tillagd vid", "Eklenme Tarihi", "追加日時",
)  # fmt: skip
ADDED_BY: Final = names(
    "added_by", "Hinzugefügt von", "Ajouté par", "Añadido por", "Aggiunto da", "Toegevoegd door", "Adicionado por",
    "Tillagd av", "Ekleyen", "追加者",
)  # fmt: skip
ARTIST_LINK: Final = names(
    "artist_uri", "artist_id", "artist_url", "artist_uris", "artist uri(s)", "artist_ids", "Künstler-URI(s)",
    "URI(s) de l'artiste", "URI(s) del artista", "URI dell'artista", "Artiest-URI", "URI(s) do artista",
    "Artistens URI", "Sanatçı URI", "アーティストURI",
)  # fmt: skip
ALBUM_LINK: Final = names(
    "album_uri", "album_id", "album_url", "URI de l'album", "URI del álbum", "URI dell'album", "URI do álbum",
    "Albumets URI", "Albüm URI", "アルバムURI",
)  # fmt: skip
RELEASE_DATE: Final = names("album_release_date", "release_date")
PLAYLIST_ID: Final = names("playlist_id", "playlist_uri", "playlist_url", "playlist_link", "playlist_href")
PLAYLIST_NAME: Final = names("playlist_name", "playlist_title", "playlist")
TOTAL: Final = names(
    "total_tracks", "num_tracks", "track_count", "tracks_total", "tracks_count", "number_of_tracks", "total_items",
    "total",
)  # fmt: skip


def by_plain_name(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row that are there, by the plain names of their fields."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if value is not None:
            found.setdefault(plain(name), value)
    return found


def first(values: Mapping[str, Any], wanted: Iterable[str]) -> Any:
    """Return the first wanted value, by plain names; None if there is none."""
    return next((values[name] for name in wanted if name in values), None)


def first_text(values: Mapping[str, Any], wanted: Iterable[str]) -> str | None:
    """Return the first wanted value that is a text."""
    return next((values[name] for name in wanted if isinstance(values.get(name), str)), None)
