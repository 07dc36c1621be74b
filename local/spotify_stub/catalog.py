"""The songs, albums, artists, episodes and local files of the stub.

Titles, artists, albums, release dates, durations and popularity are real: ``songs.csv`` is derived from
TidyTuesday's ``spotify_songs.csv`` of 2020-01-21 (CC0). The data that it lacks (artist ids, ISRC, explicit flags,
track numbers, album sizes, labels, followers) are invented here, and always the same for the same name.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Final

SONGS_FILE: Final = Path(__file__).with_name("songs.csv")
ARTIST_SEPARATOR: Final = ";"
COLUMNS: Final = (
    "song_id",
    "name",
    "artists",
    "album_id",
    "album",
    "release_date",
    "duration_ms",
    "popularity",
    "genre",
)

ID_LENGTH: Final = 22
BASE62: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
VARIOUS_ARTISTS: Final = "Various Artists"
PRECISIONS: Final = {len("1981"): "year", len("1981-12"): "month", len("1981-12-01"): "day"}
MOST_MAIN_ARTISTS: Final = 2


def number(*parts: object) -> int:
    """Return a 64-bit hash of the parts: the stub's only source of pseudo-randomness."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def base62_id(*parts: object) -> str:
    """Return an id of 22 base-62 characters, like Spotify's, derived from the parts."""
    value = number(*parts) << 64 | number("more", *parts)
    digits = []
    for _ in range(ID_LENGTH):
        value, digit = divmod(value, len(BASE62))
        digits.append(BASE62[digit])
    return "".join(digits)


def hex_digits(count: int, *parts: object) -> str:
    """Return `count` hexadecimal digits derived from the parts."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=(count + 1) // 2).hexdigest()[:count]


@dataclass(frozen=True, slots=True)
class Artist:
    """An artist, identified by name."""

    id: str
    name: str
    genres: tuple[str, ...]
    popularity: int
    followers: int


@dataclass(frozen=True, slots=True)
class Album:
    """An album with its songs in the catalog, which may be fewer than its tracks."""

    id: str
    name: str
    kind: str
    artists: tuple[Artist, ...]
    release_date: str
    total_tracks: int
    song_ids: tuple[str, ...]
    popularity: int

    @property
    def release_date_precision(self) -> str:
        """``year``, ``month`` or ``day``."""
        return PRECISIONS[len(self.release_date)]


@dataclass(frozen=True, slots=True)
class Song:
    """A song on one album. Songs with the same `isrc` are the same recording."""

    id: str
    name: str
    artists: tuple[Artist, ...]
    album_id: str
    duration_ms: int
    is_explicit: bool
    isrc: str
    track_number: int
    popularity: int
    genre: str
    released: str


@dataclass(frozen=True, slots=True)
class Episode:
    """A podcast episode; invented."""

    id: str
    name: str
    released: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on the owner's device, of which Spotify knows the tags only; invented."""

    title: str
    artist: str
    album: str
    duration_s: int


SHOW_NAME: Final = "The Long Playlist"
EPISODES: Final = {
    episode.id: episode
    for episode in (
        Episode(base62_id("episode", 1), "1. Why We Make Lists", "2019-02-04", 1_843_200),
        Episode(base62_id("episode", 2), "2. The Mixtape Years", "2019-02-18", 2_104_960),
        Episode(base62_id("episode", 3), "3. Side B", "2019-03-04", 1_996_800),
    )
}
LOCAL_FILES: Final = {
    file.title: file
    for file in (
        LocalFile("Demo 3 (kitchen)", "Robin & the Neighbors", "Demos: 2011/12", 187),
        LocalFile("Untitled – take 2", "", "", 64),
    )
}


@dataclass(frozen=True)
class Catalog:
    """All songs, albums and artists by id."""

    songs: dict[str, Song]
    albums: dict[str, Album]
    artists: dict[str, Artist]

    @cached_property
    def recordings(self) -> list[Song]:
        """One song for each recording, the most popular first."""
        by_isrc: dict[str, Song] = {}
        for song in sorted(self.songs.values(), key=lambda song: (-song.popularity, song.id)):
            by_isrc.setdefault(song.isrc, song)
        return list(by_isrc.values())

    @cached_property
    def versions(self) -> list[tuple[Song, ...]]:
        """The songs of each recording that has more than one."""
        by_isrc: dict[str, list[Song]] = defaultdict(list)
        for song in self.songs.values():
            by_isrc[song.isrc].append(song)
        return sorted(
            (tuple(songs) for songs in by_isrc.values() if len(songs) > 1), key=lambda songs: songs[0].id
        )


@cache
def catalog() -> Catalog:
    """Read ``songs.csv`` and derive albums and artists from it."""
    with SONGS_FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_artist: dict[str, list[dict[str, str]]] = defaultdict(list)
    by_album: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_album[row["album_id"]].append(row)
        for name in row["artists"].split(ARTIST_SEPARATOR):
            by_artist[name].append(row)
    artists = {name: _artist(name, known_by) for name, known_by in by_artist.items()}
    artists.setdefault(VARIOUS_ARTISTS, _artist(VARIOUS_ARTISTS, []))
    albums: dict[str, Album] = {}
    songs: dict[str, Song] = {}
    for album_id, tracks in by_album.items():
        albums[album_id] = album = _album(tracks, artists)
        for song in _songs(tracks, album, artists):
            songs[song.id] = song
    return Catalog(songs, albums, {artist.id: artist for artist in artists.values()})


def _artist(name: str, rows: list[dict[str, str]]) -> Artist:
    popularity = max((int(row["popularity"]) for row in rows), default=0)
    genres = tuple(sorted({row["genre"] for row in rows})) if number("genres", name) % 2 else ()
    followers = popularity**3 * (5 + number("followers", name) % 40)
    return Artist(base62_id("artist", name), name, genres, popularity, followers)


def _album(rows: list[dict[str, str]], artists: dict[str, Artist]) -> Album:
    first = rows[0]
    main_artists = list(dict.fromkeys(row["artists"].split(ARTIST_SEPARATOR)[0] for row in rows))
    if len(main_artists) > MOST_MAIN_ARTISTS:
        main_artists = [VARIOUS_ARTISTS]
    is_single = len(rows) == 1 and first["album"].casefold()[:8] == first["name"].casefold()[:8]
    if is_single:
        kind, total_tracks = "single", 1
    else:
        kind = "compilation" if main_artists == [VARIOUS_ARTISTS] else "album"
        total_tracks = max(10, len(rows) + 2) + number("tracks", first["album_id"]) % 8
    return Album(
        id=first["album_id"],
        name=first["album"],
        kind=kind,
        artists=tuple(artists[name] for name in main_artists),
        release_date=first["release_date"],
        total_tracks=total_tracks,
        song_ids=tuple(row["song_id"] for row in rows),
        popularity=sum(int(row["popularity"]) for row in rows) // len(rows),
    )


def _songs(rows: list[dict[str, str]], album: Album, artists: dict[str, Artist]) -> Iterable[Song]:
    free = list(range(1, album.total_tracks + 1))
    for row in rows:
        names = row["artists"].split(ARTIST_SEPARATOR)
        yield Song(
            id=row["song_id"],
            name=row["name"],
            artists=tuple(artists[name] for name in names),
            album_id=album.id,
            duration_ms=int(row["duration_ms"]),
            is_explicit=number("explicit", row["song_id"]) % 10 < (6 if row["genre"] == "rap" else 1),
            isrc=_isrc(number("isrc", row["name"].casefold(), names[0])),
            track_number=free.pop(number("track", row["song_id"]) % len(free)),
            popularity=int(row["popularity"]),
            genre=row["genre"],
            released=album.release_date,
        )


def _isrc(recording: int) -> str:
    country = ("US", "GB", "SE", "DE", "NL", "ES")[recording % 6]
    registrant = "".join(chr(ord("A") + (recording >> shift) % 26) for shift in (8, 13, 18))
    return f"{country}{registrant}{10 + recording % 9}{(recording >> 32) % 100_000:05d}"
