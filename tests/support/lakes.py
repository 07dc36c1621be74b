"""A small lake for the tests of queries: what the playlists were, and the same as tables in DuckDB.

Expected answers are computed from the playlists, never from the tables.
"""

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa

from spotify_lake.schema.listening import LISTENING_TABLES
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION, Type
from spotify_lake.schema.warehouse import WAREHOUSE

TODAY = dt.date(2026, 10, 14)
SCHEMA = (
    {
        table.name: {column.name: str(column.type) for column in (*table.columns, PARTITION)}
        for table in TABLES
    }
    | {
        declared.table.name: {
            column.name: str(column.type)
            for column in (*declared.table.columns, *(partition.column for partition in declared.partitions))
        }
        for declared in WAREHOUSE
    }
    | {
        table.name: {
            column.name: str(column.type)
            for column in (*table.columns, *([table.partition] if table.partition else []))
        }
        for table in LISTENING_TABLES
    }
)
ARROW_TYPES = {
    Type.STRING: pa.string(),
    Type.STRINGS: pa.list_(pa.string()),
    Type.INT: pa.int32(),
    Type.BIGINT: pa.int64(),
    Type.DOUBLE: pa.float64(),
    Type.BOOLEAN: pa.bool_(),
    Type.DATE: pa.date32(),
    Type.TIMESTAMP: pa.timestamp("us"),
}


@dataclass(frozen=True)
class Album:
    id: str
    name: str
    released: dt.date | None
    tracks: int


@dataclass(frozen=True)
class Song:
    id: str
    name: str
    album: Album | None
    artists: tuple[tuple[str | None, str], ...]
    seconds: int | None
    is_explicit: bool | None
    rated: bool

    @property
    def uri(self) -> str:
        return f"spotify:track:{self.id}"

    @property
    def by(self) -> str:
        return ", ".join(name for _, name in self.artists)

    @property
    def artist_ids(self) -> list[str]:
        return [artist for artist, _ in self.artists if artist]

    def popularity(self, day: dt.date) -> int | None:
        return (sum(map(ord, self.id)) + day.day) % 101 if self.rated else None


LONG_AGO = dt.datetime.combine(dt.date(2026, 8, 1), dt.time(12))


@dataclass(frozen=True)
class Entry:
    kind: str
    uri: str | None
    name: str | None
    song: Song | None = None
    song_id: str | None = None
    added_by: str | None = "nadia"
    added_at: dt.datetime | None = LONG_AGO
    credits: tuple[str, ...] | None = None

    @property
    def identity(self) -> str | None:
        """Its URI, or its name and artists in words."""
        return self.uri or (self.name and f"{self.name} by {', '.join(self.credits or ())}")


@dataclass(frozen=True)
class Snapshot:
    """A playlist at one time; an entry that is None was rejected."""

    playlist: str
    name: str | None
    at: dt.datetime
    entries: tuple[Entry | None, ...]
    is_complete: bool | None = True
    first: int = 1  # position of the first entry
    is_imported: bool = False

    @property
    def day(self) -> dt.date:
        return self.at.date()

    def standing(self) -> Iterator[tuple[int, Entry]]:
        for position, entry in enumerate(self.entries, start=self.first):
            if entry is not None:
                yield position, entry

    def songs(self) -> Iterator[tuple[int, Song]]:
        for position, entry in self.standing():
            if entry.song:
                yield position, entry.song

    def firsts(self) -> dict[str, int]:
        """First position of each entry, by URI, or by name and artists where only those are known."""
        found: dict[str, int] = {}
        for position, entry in self.standing():
            if entry.identity:
                found.setdefault(entry.identity, position)
        return found

    def score(self, position: int) -> float:
        return (len(self.entries) + 1 - position) / len(self.entries)

    def quality(self) -> Iterator[tuple[str, bool, int, list[str]]]:
        """Rule, whether it is breaking, values checked, and keys of what violates it; rules of its own.

        As if popularity above 90 were too much and a release after today implausible.
        """
        songs = list(dict.fromkeys(song for _, song in self.songs()))
        popular = [song.id for song in songs if (song.popularity(self.day) or 0) > 90]
        albums = {song.album.id: song.album for song in songs if song.album}
        early = [id_ for id_, album in albums.items() if album.released and album.released > TODAY]
        if not self.is_complete:
            return
        yield "song_popularity", False, len(songs), popular
        yield "album_release_date", False, len(albums), early
        yield (
            "entry_position",
            True,
            len(self.entries),
            [str(n) for n, entry in enumerate(self.entries, start=1) if entry is None],
        )
        yield "entry_song", True, len(self.entries), []


def of(song: Song, **others: Any) -> Entry:
    return Entry("song", song.uri, song.name, song, song.id, **others)


def taken_down(song: Song) -> Entry:
    """What Spotify sends of a song that it no longer has: the id alone."""
    return Entry("unavailable", song.uri, None, None, song.id)


EPISODE = Entry("episode", "spotify:episode:e1", "A Talk", credits=("Knots",))
CHAPTER = Entry("chapter", "spotify:chapter:c1", "Chapter 1", credits=("A Book",))
NEWER = Entry("other", "spotify:hologram:h1", "Hologram", credits=())
FILE = Entry("local", "spotify:local:tape", "Tape", added_by=None, added_at=None, credits=("The Rowers",))
SAME_NAME = (
    Entry("local", None, "Tape", credits=("The Rowers", "Mira Sol")),
    Entry("local", None, "Tape", credits=()),
    Entry("local", None, "Tape"),  # written before the column was there
)
NOTHING = Entry("unavailable", None, None)
REJECT = None


def _songs() -> list[Song]:
    chance = random.Random(5)
    artists = [(f"ar{number:02}", f"Artist {number:02}") for number in range(9)]
    albums = [
        Album("al0", "Tomorrow", TODAY + dt.timedelta(days=3), 8),
        Album("al1", "Fresh", TODAY - dt.timedelta(days=30), 1),
        Album("al2", "Year", TODAY - dt.timedelta(days=365), 11),
        Album("al3", "Decade", TODAY - dt.timedelta(days=3650), 10),
        Album("al4", "Old", dt.date(1977, 1, 1), 9),
        Album("al5", "Undated", None, 5),
    ]
    songs = [
        Song(
            f"s{number:02}",
            f"Song {number:02}",
            chance.choice(albums),
            tuple(chance.sample(artists, chance.choice([1, 1, 2, 3]))),
            chance.randrange(90, 400),
            chance.random() < 0.4,
            chance.random() < 0.7,
        )
        for number in range(30)
    ]
    songs[3] = replace(songs[3], album=None)
    songs[4] = replace(songs[4], seconds=None, is_explicit=None)
    songs[5] = replace(songs[5], artists=((None, "Nobody's Band"), *songs[5].artists))
    return songs


SONGS = _songs()


def _at(day: dt.date, hour: int = 6) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour))


def _days(first: dt.date, last: dt.date, without: Iterable[dt.date] = ()) -> list[dt.date]:
    missing = set(without)
    days = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    return [day for day in days if day not in missing]


def _chart(chance: random.Random) -> Iterator[Snapshot]:
    """Songs enter, move, leave and return daily; three days are missing, and one has two snapshots."""
    missing = [dt.date(2026, 9, day) for day in (10, 11, 12)] + [dt.date(2026, 10, 2)]
    listed = SONGS[:12]
    for day in _days(dt.date(2026, 7, 20), TODAY, missing):
        for hour in (6, 18) if day == dt.date(2026, 10, 5) else (6,):
            gone = chance.sample(range(12), chance.choice([0, 1, 2]))
            fresh = chance.sample([song for song in SONGS if song not in listed], len(gone))
            for place, song in zip(gone, fresh, strict=True):
                listed[place] = song
            first, second = chance.sample(range(12), 2)
            listed[first], listed[second] = listed[second], listed[first]
            yield Snapshot("p-chart", "Chart", _at(day, hour), tuple(of(song) for song in listed))


def _mix(chance: random.Random) -> Iterator[Snapshot]:
    """Everything that is no plain song; a song that stands twice; renamed in October."""
    for number, day in enumerate(_days(dt.date(2026, 9, 1), TODAY)):
        songs = [of(song) for song in chance.sample(SONGS[:10], chance.randrange(3, 6))]
        entries: list[Entry | None] = [*songs, FILE, NOTHING, NOTHING, REJECT, songs[0]]
        if number % 3:
            entries += [EPISODE, CHAPTER]
        if number % 6:
            entries += [NEWER, SAME_NAME[number % 3]]
        if number % 4 == 0:
            entries[1] = taken_down(SONGS[1])
        if number % 5 == 0:
            entries.append(of(SONGS[20], added_by="sasha", added_at=_at(day, 3)))
        chance.shuffle(entries)
        name = "Mixed Bag" if day >= dt.date(2026, 10, 1) else "Mix"
        yield Snapshot("p-mix", name, _at(day), tuple(entries))


def _emptied() -> Iterator[Snapshot]:
    """Has nothing for three days, then two of its songs again."""
    for day in _days(dt.date(2026, 9, 20), TODAY):
        songs = SONGS[8:12]
        if dt.date(2026, 10, 8) <= day <= dt.date(2026, 10, 10):
            songs = []
        elif day > dt.date(2026, 10, 10):
            songs = SONGS[10:12]
        yield Snapshot("p-emptied", "Emptied", _at(day), tuple(of(song) for song in songs))


def _steady(playlist: str, name: str | None, days: list[dt.date], songs: list[Song]) -> Iterator[Snapshot]:
    for day in days:
        yield Snapshot(playlist, name, _at(day), tuple(of(song) for song in songs))


def _parts(playlist: str, days: list[dt.date], songs: list[Song]) -> Iterator[Snapshot]:
    for number, day in enumerate(days):
        entries = tuple(of(song) for song in songs[number % 2 :])
        yield Snapshot(playlist, "Part", _at(day, 20), entries, is_complete=False, first=101)


def _rare(playlist: str, name: str, days: list[dt.date]) -> Iterator[Snapshot]:
    """Taken weeks apart: some of these days are just inside what a query looks back to, some just outside."""
    for number, day in enumerate(days):
        songs = [*SONGS[24 - 3 * number : 28 - 2 * number]]
        yield Snapshot(playlist, name, _at(day), tuple(of(song) for song in songs))


def _streamed(chance: random.Random) -> Iterator[Snapshot]:
    """Taken every five minutes around midnight; songs come, go and return within minutes."""
    listed = SONGS[2:10]
    for number in range(14):
        moment = _at(dt.date(2026, 10, 12), 23) + dt.timedelta(minutes=25 + 5 * number)
        if number % 3:  # otherwise it stays as it was
            listed = [
                *chance.sample(SONGS[2:6], 3),
                SONGS[6],
                *chance.sample(SONGS[7:14], chance.randrange(2, 5)),
            ]
        yield Snapshot("p-stream", "Stream", moment, tuple(of(song) for song in listed))


def snapshots() -> list[Snapshot]:
    """Return all playlists, oldest snapshot first."""
    chance = random.Random(11)
    found = [
        *_chart(chance),
        *_mix(chance),
        *_emptied(),
        *_steady("p-ended", "Ended", _days(dt.date(2026, 8, 25), dt.date(2026, 10, 1)), SONGS[14:18]),
        *_steady("p-forgotten", "Forgotten", _days(dt.date(2026, 4, 20), dt.date(2026, 8, 30)), SONGS[18:21]),
        *_steady("p-new", None, _days(dt.date(2026, 10, 13), TODAY), SONGS[3:9]),
        *_rare("p-rare", "Rare", [dt.date(2026, 8, 25), dt.date(2026, 9, 9), dt.date(2026, 10, 12)]),
        *_rare("p-edge", "Edge", [dt.date(2026, 8, 27), dt.date(2026, 10, 3), dt.date(2026, 10, 9)]),
        *_rare("p-far", "Far", [dt.date(2026, 8, 26), dt.date(2026, 10, 3), dt.date(2026, 10, 9)]),
        *_streamed(chance),
        # Parts of lists, which nothing may compare: newest of all, among others, and of a playlist with nothing else.
        *_parts("p-chart", [TODAY, dt.date(2026, 10, 2)], SONGS[20:24]),
        *_parts("p-mix", [dt.date(2026, 10, 9)], SONGS[:1]),
        *_parts("p-parts", _days(dt.date(2026, 10, 1), TODAY), SONGS[:5]),
        # What a dump that does not say how long the list is, or files of before the column, have.
        *(
            replace(one, is_complete=None)
            for one in _steady("p-bare", "Bare", _days(dt.date(2026, 10, 8), TODAY), SONGS[:3])
        ),
        *_steady("p-drafts", "Drafts", _days(dt.date(2026, 10, 1), TODAY), []),
    ]
    return sorted(found, key=lambda snapshot: (snapshot.at, snapshot.playlist))


def tables(found: Iterable[Snapshot]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that the lake has of snapshots, by table."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMA}
    for snapshot in found:
        same = {"playlist_id": snapshot.playlist, "scheduled_at": snapshot.at, "snapshot_date": snapshot.day}
        rows["playlists"].append(
            same
            | {"fetched_at": snapshot.at, "name": snapshot.name, "entry_count": len(snapshot.entries)}
            | {
                "contract": "items",
                "owner_id": "nadia",
                "is_public": True,
                "is_complete": snapshot.is_complete,
                "is_imported": snapshot.is_imported,
            }
        )
        for rule, is_breaking, checked, keys in snapshot.quality():
            values = {"rule": rule, "is_breaking": is_breaking, "checked": checked, "violations": len(keys)}
            rows["quality"].append(same | values | {"example": keys[0] if keys else None})
        for position, entry in enumerate(snapshot.entries, start=snapshot.first):
            if entry is None:
                rejected = {"position": position, "reason": "undecodable", "detail": "odd", "payload": "{}"}
                rows["rejects"].append(same | rejected)
                continue
            values = {"position": position, "kind": entry.kind, "song_id": entry.song_id, "uri": entry.uri}
            values |= {"name": entry.name, "added_at": entry.added_at, "added_by_id": entry.added_by}
            values |= {"credits": None if entry.credits is None else list(entry.credits)}
            rows["playlist_entries"].append(same | values)
        for song in dict.fromkeys(song for _, song in snapshot.songs()):
            values = {"song_id": song.id, "name": song.name, "album_id": song.album and song.album.id}
            values |= {"artist_ids": [artist for artist, _ in song.artists]}
            values |= {"artist_names": [name for _, name in song.artists]}
            values |= {"duration_ms": song.seconds and song.seconds * 1000, "is_explicit": song.is_explicit}
            rows["songs"].append(same | values | {"popularity": song.popularity(snapshot.day)})
        for album in dict.fromkeys(song.album for _, song in snapshot.songs() if song.album):
            values = {"album_id": album.id, "name": album.name, "total_tracks": album.tracks}
            values |= {"release_date": album.released, "release_year": album.released and album.released.year}
            rows["albums"].append(same | values | {"album_type": "album"})
        for artist_id, name in dict.fromkeys(
            artist for _, song in snapshot.songs() for artist in song.artists
        ):
            if artist_id:
                rows["artists"].append(same | {"artist_id": artist_id, "name": name})
    return rows


def database(
    found: Iterable[Snapshot], warehouse: Mapping[str, list[dict[str, Any]]] | None = None
) -> duckdb.DuckDBPyConnection:
    """Return a database with the lake's tables; those of the warehouse are empty unless their rows are given."""
    connection = duckdb.connect()
    for name, rows in (tables(found) | dict(warehouse or {})).items():
        schema = pa.schema([(column, ARROW_TYPES[Type(kind)]) for column, kind in SCHEMA[name].items()])
        connection.register(f"{name}_rows", pa.Table.from_pylist(rows, schema=schema))
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {name}_rows")  # noqa: S608 - our own names
    return connection
