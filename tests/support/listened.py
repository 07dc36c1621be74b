"""Plays for the tests of SQL: what was heard, the same as tables in DuckDB, and a plain matcher of sources."""

# ruff: noqa: DTZ001 - times without a zone are UTC, as in the tables

import datetime as dt
import hashlib
import itertools
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa

from spotify_lake.normalize.plays import PlayTables
from spotify_lake.schema.listening import LISTENING_TABLES, PLAY_FILES, PLAY_REJECTS, PLAYED_MONTH, PLAYS
from spotify_lake.schema.types import Table
from tests.support import lakes

ROUNDS = 6
REACH = dt.timedelta(seconds=60)
MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Play:
    """A row of `plays`."""

    source: str
    played_at: dt.datetime
    ms_played: int | None
    name: str | None = "Song"
    artist_name: str | None = "Artist"
    uri: str | None = None
    album_name: str | None = None
    show_name: str | None = None
    kind: str = "song"
    ordinal: int = 1
    heard_at: dt.datetime | None = None
    duration_ms: int | None = None
    platform: str | None = None
    country: str | None = None
    reason_start: str | None = None
    reason_end: str | None = None
    is_shuffled: bool | None = None
    is_skipped: bool | None = None
    is_offline: bool | None = None
    is_private: bool | None = None
    context_uri: str | None = None
    source_object: str = "raw/plays/export/a.json.gz"
    row: int = 1

    @property
    def play_id(self) -> str:
        what = self.uri or (self.name, self.artist_name, self.show_name)
        identity = (self.source, self.played_at, what, self.ms_played, self.ordinal)
        return hashlib.sha256(repr(identity).encode()).hexdigest()[:32]

    @property
    def song_id(self) -> str | None:
        prefix = "spotify:track:"
        return self.uri.removeprefix(prefix) if self.uri and self.uri.startswith(prefix) else None

    @property
    def names(self) -> tuple[str, str] | None:
        by = self.artist_name if self.show_name is None else self.show_name
        return None if by is None or self.name is None else (by.lower(), self.name.lower())

    @property
    def heard(self) -> dt.datetime:
        return self.heard_at or self.played_at

    def values(self) -> dict[str, Any]:
        """Return the row, with what follows from the rest."""
        found = {column: getattr(self, column, None) for column in PLAYS.column_names}
        found |= {"heard_at": self.heard, PLAYED_MONTH.name: f"{self.played_at:%Y-%m}"}
        return found | {"fields_known": sum(value is not None for value in found.values())}


def rows_of(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> duckdb.DuckDBPyConnection:
    """Return a database with these rows in the tables of plays; tables without rows are empty."""
    connection = duckdb.connect(config={"threads": 2})
    fill(connection, tables)
    return connection


def fill(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Create the tables of plays, or replace them."""
    for table in LISTENING_TABLES:
        rows = pa.Table.from_pylist(list(tables.get(table.name, ())), schema=arrow(table))
        connection.register("new_rows", rows)
        connection.execute(f"CREATE OR REPLACE TABLE {table.name} AS SELECT * FROM new_rows")  # noqa: S608
        connection.unregister("new_rows")


def as_rows(found: Iterable[PlayTables]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of normalized raw objects, by table."""
    rows: dict[str, list[dict[str, Any]]] = {"plays": [], "play_rejects": [], "play_files": []}
    for tables in found:
        for month, plays in tables.plays.items():
            rows["plays"] += [
                dict(zip(PLAYS.column_names, row, strict=True)) | {PLAYED_MONTH.name: month} for row in plays
            ]
        for table, listed in ((PLAY_REJECTS, tables.rejects), (PLAY_FILES, tables.files)):
            rows[table.name] += [dict(zip(table.column_names, row, strict=True)) for row in listed]
    return rows


def arrow(table: Table) -> pa.Schema:
    columns = (*table.columns, *([table.partition] if table.partition else []))
    return pa.schema([(column.name, lakes.ARROW_TYPES[column.type]) for column in columns])


# --- every play once ---


@dataclass(frozen=True)
class Heard:
    """A play of the view listening."""

    play: Play
    replaced_by: str | None
    listened_ms: int | None

    @property
    def is_counted(self) -> bool:
        return self.replaced_by is None


def united(plays: Iterable[Play]) -> list[Play]:
    """Return each play once: the row that says most, of several such the first by content."""
    found: dict[str, list[Play]] = defaultdict(list)
    for play in plays:
        found[play.play_id].append(play)
    return [min(copies, key=_standing) for copies in found.values()]


def _standing(play: Play) -> tuple[Any, ...]:
    known = play.values()
    texts: tuple[str, ...] = (
        "name",
        "artist_name",
        "album_name",
        "show_name",
        "platform",
        "country",
        "reason_start",
    )
    texts += ("reason_end", "is_shuffled", "is_skipped", "is_offline", "is_private", "offline_timestamp")
    content = [_text(known[name]) for name in (*texts, "duration_ms", "context_uri", "source_object", "row")]
    return -known["fields_known"], "/".join(content)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def same_song(one: Play, other: Play) -> bool:
    by_uri = one.uri is not None and one.uri == other.uri
    return by_uri or (one.names is not None and one.names == other.names)


def distance(poll: Play, other: Play) -> dt.timedelta:
    """From what the API told to the end or the start of a play of an export, whichever is nearer."""
    start = other.played_at - dt.timedelta(milliseconds=other.ms_played or 0)
    return min(abs(poll.played_at - other.played_at), abs(poll.played_at - start))


def nearest_first(pairs: Iterable[tuple[dt.timedelta, str, str]], rounds: int = ROUNDS) -> dict[str, str]:
    """Match one to one: in each round the pairs that come first for both. Returns higher by lower."""
    left = sorted(pairs)
    found: dict[str, str] = {}
    for _ in range(rounds):
        first_of: dict[str, tuple[dt.timedelta, str, str]] = {}
        for pair in left:
            for play in pair[1:]:
                first_of.setdefault(play, pair)
        chosen = [pair for pair in left if first_of[pair[1]] == first_of[pair[2]] == pair]
        found |= {lower: higher for _, higher, lower in chosen}
        taken = {play for _, *both in chosen for play in both}
        left = [pair for pair in left if not taken.intersection(pair[1:])]
    return found


def greedy(pairs: Iterable[tuple[dt.timedelta, str, str]]) -> dict[str, str]:
    """Match one to one, always the first pair whose plays are both free. Returns higher by lower."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for _, higher, lower in sorted(pairs):
        if not taken & {higher, lower}:
            found[lower] = higher
            taken |= {higher, lower}
    return found


def candidates(polls: Iterable[Play], others: Iterable[Play]) -> Iterator[tuple[dt.timedelta, str, str]]:
    """Yield distance, play of an export and play of the API for all that may be the same play."""
    listed = list(others)
    for poll in polls:
        for other in listed:
            if same_song(poll, other) and distance(poll, other) <= REACH:
                yield distance(poll, other), other.play_id, poll.play_id


def listening(plays: Iterable[Play]) -> list[Heard]:
    """Return what the view listening has, computed without SQL; compares all plays with all."""
    every = united(plays)
    of = {source: [p for p in every if p.source == source] for source in ("extended", "account", "api")}
    pairs = [
        (e.played_at - a.played_at, e.play_id, a.play_id)
        for a in of["account"]
        for e in of["extended"]
        if same_song(a, e)
        and a.ms_played == e.ms_played
        and dt.timedelta(0) <= e.played_at - a.played_at < MINUTE
    ]
    replaced = greedy(pairs)
    higher = [*of["extended"], *(play for play in of["account"] if play.play_id not in replaced)]
    replaced |= nearest_first(candidates(of["api"], higher))
    counted = sorted(
        (play for play in every if play.play_id not in replaced), key=lambda p: (p.played_at, p.play_id)
    )
    next_of = {one.play_id: other for one, other in itertools.pairwise(counted)}
    return [
        Heard(play, replaced.get(play.play_id), _listened(play, play.play_id in replaced, next_of))
        for play in every
    ]


def _listened(play: Play, is_replaced: bool, next_of: Mapping[str, Play]) -> int | None:
    if play.source != "api":
        return play.ms_played
    if is_replaced or play.duration_ms is None:
        return None
    return min(play.duration_ms, _gap(play, next_of)) if play.play_id in next_of else play.duration_ms


def _gap(play: Play, next_of: Mapping[str, Play]) -> int:
    return (next_of[play.play_id].played_at - play.played_at) // dt.timedelta(milliseconds=1)


def at(play: Play, **changes: Any) -> Play:
    """Return a play with changes."""
    return replace(play, **changes)


# --- a history ---

EXPORTED_UNTIL = dt.datetime(2026, 9, 20)
ACCOUNT_SINCE = dt.datetime(2025, 10, 1)
POLLED_SINCE = dt.datetime(2026, 8, 10)
SHOWS = (("episode", "Side Notes"), ("episode", "side notes"), ("chapter", "The Lists of Ada Fern"))
SYSTEMS = ("iOS 12.1 (iPhone8,4)", "ios", "OS X 10.13.6 [x86 8]", "Windows 10", "cast", None)


def history() -> list[Play]:
    """Return three years of plays as exports and polls tell them, of songs that partly are in the playlists."""
    chance = random.Random(15)
    whole = sorted(_lived(chance), key=lambda play: play.played_at)
    extended = [play for play in whole if play.played_at < EXPORTED_UNTIL]
    account = [
        Play(
            "account", play.played_at.replace(second=0), play.ms_played, play.name, play.artist_name, kind=play.kind,
            show_name=play.show_name,
        )
        for play in whole
        if play.played_at > ACCOUNT_SINCE and play.name and (play.played_at < EXPORTED_UNTIL or chance.random() < 0.5)
    ]  # fmt: skip
    polled = [
        Play(
            "api",
            play.played_at + dt.timedelta(seconds=chance.choice([0, 1, 1, -2])),
            None,
            *(play.name, play.artist_name, play.uri, play.album_name),
            duration_ms=chance.choice([None, 200_000, 200_000]),
        )
        for play in whole
        if play.played_at > POLLED_SINCE and play.kind == "song" and (play.ms_played or 0) > 30_000
    ]
    found = []
    for name, plays in (
        ("extended", extended),
        ("again", extended[:200]),
        ("account", account),
        ("polls", polled),
    ):
        found += [replace(play, source_object=name, row=row) for row, play in enumerate(plays, start=1)]
    return found


def _lived(chance: random.Random) -> Iterator[Play]:
    first = dt.datetime(2023, 9, 1)
    days = [first + dt.timedelta(days=number) for number in range(1140) if chance.random() < 0.3]
    for day in [*days, *(dt.datetime(year, 10, 14) for year in (2023, 2024, 2025, 2026))]:
        moment = day + dt.timedelta(seconds=chance.randrange(86_000))
        for _ in range(chance.randrange(1, 9)):
            milliseconds = chance.randrange(5_000, 240_000)
            silence = chance.choice([0, 1, 2, 600, 1_700, 1_900])
            moment += dt.timedelta(seconds=milliseconds // 1000 + 1 + silence)
            yield _play(chance, moment, milliseconds)


def _play(chance: random.Random, moment: dt.datetime, milliseconds: int) -> Play:
    draw = chance.random()
    same: dict[str, Any] = {
        "platform": chance.choice(SYSTEMS),
        "country": chance.choice(["DE", "DE", "PT", None]),
    }
    if draw < 0.06:
        kind, show = chance.choice(SHOWS)
        number = chance.randrange(9)
        uri = f"spotify:{kind}:{number}"
        return Play(
            "extended", moment, milliseconds, f"Part {number}", None, uri, show_name=show, kind=kind, **same
        )
    skipped = chance.choice([None, False, draw < 0.3])
    same |= {"is_skipped": skipped, "reason_end": chance.choice(["trackdone", "fwdbtn", "", None])}
    if draw < 0.08:
        return Play("extended", moment, milliseconds, None, None, "spotify:track:gone", **same)
    if draw < 0.25:
        number = chance.randrange(6)
        name = f"Lost {number}"
        return Play(
            "extended", moment, milliseconds, name, "Nobody", f"spotify:track:l{number}", "Nowhere", **same
        )
    song = chance.choice(lakes.SONGS[:25])
    artist = song.artists[0][1]
    album = song.album.name if song.album else None
    name, uri = song.name, song.uri
    if draw < 0.4:
        name, uri = name.upper(), f"{uri}relinked"
    kind = "video" if draw > 0.95 else "song"
    if draw > 0.9:
        same |= {"is_offline": True, "heard_at": moment - dt.timedelta(hours=chance.randrange(1, 60))}
    return Play("extended", moment, milliseconds, name, artist, uri, album, kind=kind, **same)


def files_of(plays: Iterable[Play]) -> list[dict[str, Any]]:
    """Return the rows of play_files for plays; each object of polls counts as one poll."""
    objects: dict[str, list[Play]] = defaultdict(list)
    for play in plays:
        objects[play.source_object].append(play)
    forms = {"extended": "audio", "account": "music", "api": "recent"}
    return [
        {
            "source_object": name,
            "source": rows[0].source,
            "form": forms[rows[0].source],
            "row_count": len(rows) + 2,
            "reject_count": 2,
            "first_played_at": min(play.played_at for play in rows),
            "last_played_at": max(play.played_at for play in rows),
        }
        for name, rows in objects.items()
    ]
