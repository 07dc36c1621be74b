"""Converts raw objects of plays into rows. Pure: no I/O, no clock, no AWS.

Every row of a raw object becomes one row of plays or one of play_rejects. Polls overlap, so a play that an earlier poll
of the day, or the same poll, already has is counted and dropped.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from spotify_lake import keys
from spotify_lake.raw.plays import Export, Poll
from spotify_lake.spotify.mending import UNDECODABLE, Mender, parsed_json
from spotify_lake.spotify.models import Album, Artist, BigInt, Int, utc

type Row = tuple[object, ...]

FOUNDED: Final = datetime(2006, 4, 1, tzinfo=UTC)  # when Spotify was founded; no play can be earlier
LONGEST_MS: Final = 7 * 24 * 60 * 60 * 1000  # a stream on repeat may run for days
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCKS: Final = timedelta(days=1)  # maximum difference between two clocks
_OFFLINE: Final = timedelta(days=3 * 366)  # how late a play without a connection may be reported
_MILLISECONDS: Final = 100_000_000_000  # smaller times are in seconds
_SHORTEST_TIME: Final = len("2016-01-31 17:05")
SONG_ID_LENGTH: Final = 22
_SONG_URI: Final = re.compile(rf"spotify:track:[0-9A-Za-z]{{{SONG_ID_LENGTH}}}")
_URI_TYPE: Final = re.compile(r"spotify:([a-z]+):")
_KINDS: Final = {"track": "song", "episode": "episode", "chapter": "chapter", "audiobook": "chapter"}
_NO_ALBUM: Final = Album()


class _Extended(Struct, gc=False):
    """A row of the extended streaming history."""

    ts: str | None = None
    ms_played: BigInt | None = None
    platform: str | None = None
    conn_country: str | None = None
    master_metadata_track_name: str | None = None
    master_metadata_album_artist_name: str | None = None
    master_metadata_album_album_name: str | None = None
    spotify_track_uri: str | None = None
    episode_name: str | None = None
    episode_show_name: str | None = None
    spotify_episode_uri: str | None = None
    audiobook_title: str | None = None
    audiobook_uri: str | None = None
    audiobook_chapter_uri: str | None = None
    audiobook_chapter_title: str | None = None
    reason_start: str | None = None
    reason_end: str | None = None
    shuffle: bool | None = None
    skipped: bool | None = None
    offline: bool | None = None
    offline_timestamp: BigInt | None = None
    incognito_mode: bool | None = None


class _Account(Struct, gc=False, rename="camel"):
    """A row of the account data."""

    end_time: str | None = None
    ms_played: BigInt | None = None
    artist_name: str | None = None
    track_name: str | None = None
    podcast_name: str | None = None
    episode_name: str | None = None
    author_name: str | None = None
    audiobook_name: str | None = None
    chapter_name: str | None = None


class _Track(Struct, gc=False):
    type: str | None = None
    id: str | None = None
    uri: str | None = None
    name: str | None = None
    duration_ms: Int | None = None
    artists: list[Artist | None] | None = None
    album: Album | None = None


_NO_TRACK: Final = _Track()


class _Context(Struct, gc=False):
    uri: str | None = None


class _Recent(Struct, gc=False):
    """A play in an answer of the Web API."""

    played_at: str | None = None
    track: _Track | None = None
    context: _Context | None = None


class _Played(NamedTuple):
    """A row of any source, its columns in the order of plays; `schema.listening` describes them."""

    time: str | None
    kind: str
    ms_played: int | None
    uri: str | None
    name: str | None
    artist_name: str | None
    album_name: str | None
    show_name: str | None
    duration_ms: int | None = None
    context_uri: str | None = None
    platform: str | None = None
    country: str | None = None
    reason_start: str | None = None
    reason_end: str | None = None
    is_shuffled: bool | None = None
    is_skipped: bool | None = None
    is_offline: bool | None = None
    is_private: bool | None = None
    offline_timestamp: int | None = None


_MS_PLAYED: Final = _Played._fields.index("ms_played")
_NAME: Final = _Played._fields.index("name")


class _Reader[Model: Struct](NamedTuple):
    """How the rows of a source are read."""

    model: type[Model]
    played: Callable[[Model], _Played]
    time: str  # names of fields, for the details of rejects
    milliseconds: str | None


class _Valid(NamedTuple):
    """A row that is a play; `identity` lacks the ordinal."""

    number: int
    played: _Played
    played_at: datetime
    identity: tuple[object, ...]


class _RejectedRow(Exception):
    """A row that is not a play."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(detail)


@dataclass(frozen=True)
class PlayTables:
    """The rows of one file of an export, or of the polls of one day.

    Attributes
    ----------
    name
        The name of its objects, for `keys.plays_key`.
    row_count
        Rows of the raw objects.
    repeated_count
        Rows of polls whose play an earlier poll of the day, or the same poll, already has.
    plays
        Rows of plays by month.
    rejects, files
        Rows of play_rejects and play_files.
    """

    name: str
    row_count: int
    repeated_count: int
    plays: Mapping[str, Sequence[Row]]
    rejects: Sequence[Row]
    files: Sequence[Row]

    @property
    def unaccounted(self) -> int:
        """Rows that became neither a play nor a reject and repeat none; any number but 0 is a defect."""
        plays = sum(map(len, self.plays.values()))
        return self.row_count - plays - self.repeated_count - len(self.rejects)


def normalize_export(export: Export) -> PlayTables:
    """Convert a file of an export into rows.

    A play is identified by its source, time, what was played, ms_played and an ordinal, which counts equal rows. The
    same play therefore has the same id in every file, and all equal rows of one file are kept.
    """
    key, reader = keys.raw_export_key(export.digest), _READERS[export.source]
    plays, rejects, times = defaultdict[str, list[Row]](list), list[Row](), list[datetime]()
    equal = Counter[tuple[object, ...]]()
    for row in _valid(export.source, key, export.rows, reader, export.imported_at, rejects):
        equal[row.identity] += 1
        values = _play(row, export.source, equal[row.identity], key, is_video=export.form == "video")
        plays[_month(row.played_at)].append(values)
        times.append(row.played_at)
    counts = (len(export.rows), len(times), 0, len(rejects))
    file = (key, export.source, export.form, export.file_name, None, *counts)
    files = [(*file, list(export.unknown_fields), *_span(times))]
    return PlayTables(export.digest, len(export.rows), 0, plays, rejects, files)


def normalize_polls(day: date, polls: Iterable[Poll]) -> PlayTables:
    """Convert the polls of one UTC day into rows.

    A play is identified by its time in whole seconds and what was played, because answers repeat plays with different
    milliseconds. The first answer that has it counts.
    """
    plays, rejects, files = defaultdict[str, list[Row]](list), list[Row](), list[Row]()
    row_count, repeated_count, known = 0, 0, set[tuple[object, ...]]()
    for poll in sorted(polls, key=lambda poll: poll.key):
        own_rejects, times, repeated = list[Row](), list[datetime](), 0
        for row in _valid("api", poll.key, poll.rows, _READERS["api"], poll.fetched_at, own_rejects):
            times.append(row.played_at)
            if row.identity in known:
                repeated += 1
                continue
            known.add(row.identity)
            plays[_month(row.played_at)].append(_play(row, "api", 1, poll.key))
        counts = (len(poll.rows), len(times) - repeated, repeated, len(own_rejects))
        files.append((poll.key, "api", "recent", None, poll.fetched_at, *counts, [], *_span(times)))
        rejects += own_rejects
        row_count += len(poll.rows)
        repeated_count += repeated
    return PlayTables(keys.polls_name(day), row_count, repeated_count, plays, rejects, files)


def _valid[Model: Struct](
    source: str,
    key: str,
    rows: Sequence[Raw],
    reader: _Reader[Model],
    known_at: datetime,
    rejects: list[Row],
) -> Iterator[_Valid]:
    """Yield the plays of a raw object, and add its other rows to the rejects."""
    decoder = msgspec.json.Decoder(reader.model)
    for number, raw in enumerate(rows, start=1):
        try:
            try:
                content = decoder.decode(raw)
            except UNDECODABLE:
                content = _mended(raw, reader.model)
            played = reader.played(content)
            played_at = _played_at(played, raw, reader, known_at)
        except _RejectedRow as reject:
            rejects.append((key, number, reject.reason, reject.detail, _text(raw)))
            continue
        what = played.uri or (played.name, played.artist_name, played.album_name, played.show_name)
        moment = played_at if source != "api" else played_at.replace(microsecond=0)
        yield _Valid(number, played, played_at, (source, keys.iso(moment), what, played.ms_played))


def _mended[Model: Struct](raw: Raw, model: type[Model]) -> Model:
    """Read a row with an unreadable field, which becomes null."""
    try:
        return Mender().decode(parsed_json(_text(raw).encode()), model)
    except (*UNDECODABLE, ValueError) as error:
        raise _RejectedRow("no_object", "the row is not an object") from error


def _played_at(played: _Played, raw: Raw, reader: _Reader[Any], known_at: datetime) -> datetime:
    """Return when a row was played; raises _RejectedRow if the row is not a play."""
    moment = _time(played.time)
    if moment is None:
        raise _RejectedRow("no_time", _shown(raw, reader.time))
    if not FOUNDED <= moment <= known_at + _CLOCKS:
        raise _RejectedRow("impossible_time", _shown(raw, reader.time))
    if reader.milliseconds is not None:
        if played.ms_played is None:
            raise _RejectedRow("no_milliseconds", _shown(raw, reader.milliseconds))
        if not 0 <= played.ms_played <= LONGEST_MS:
            raise _RejectedRow("impossible_milliseconds", _shown(raw, reader.milliseconds))
    if not any((played.uri, played.name, played.artist_name, played.album_name, played.show_name)):
        raise _RejectedRow("nothing_played", "it has neither a name nor a URI")
    return moment


@lru_cache(maxsize=4096)
def _time(text: str | None) -> datetime | None:
    """Read a time; without an offset it is UTC. A date alone is not a time."""
    text = (text or "").strip().removesuffix("UTC").rstrip()
    if len(text) < _SHORTEST_TIME:
        return None
    try:
        return utc(datetime.fromisoformat(text))
    except ValueError:
        return None


def _play(row: _Valid, source: str, ordinal: int, key: str, *, is_video: bool = False) -> Row:
    played = row.played
    kind = "video" if is_video and played.kind == "song" else played.kind
    is_song = played.kind == "song" and played.uri and _SONG_URI.fullmatch(played.uri)
    optional = (
        *played[_MS_PLAYED:_NAME],
        played.uri[-SONG_ID_LENGTH:] if is_song and played.uri else None,
        *played[_NAME:],
    )
    return (
        sha256(msgspec.json.encode((*row.identity, ordinal))).hexdigest()[:32],
        source,
        kind,
        ordinal,
        row.played_at,
        _heard_at(row.played_at, played),
        *optional,
        len(optional) - optional.count(None),
        key,
        row.number,
    )


def _heard_at(played_at: datetime, played: _Played) -> datetime:
    """Return when a play was heard, because plays without a connection are reported later."""
    if not played.is_offline or not played.offline_timestamp:
        return played_at
    stamp = played.offline_timestamp
    milliseconds = stamp if stamp >= _MILLISECONDS else stamp * 1000
    if not 0 < milliseconds < _MILLISECONDS * 1000:
        return played_at
    heard_at = _EPOCH + timedelta(milliseconds=milliseconds)
    is_plausible = heard_at >= FOUNDED and played_at - _OFFLINE <= heard_at <= played_at + _CLOCKS
    return heard_at if is_plausible else played_at


def _extended(row: _Extended) -> _Played:
    own_uri = row.spotify_track_uri or row.spotify_episode_uri
    uri = own_uri or row.audiobook_chapter_uri or row.audiobook_uri
    song = row.spotify_track_uri or row.master_metadata_track_name
    episode = row.spotify_episode_uri or row.episode_name or row.episode_show_name
    chapter = row.audiobook_chapter_title or row.audiobook_title or uri
    return _Played(
        time=row.ts,
        kind=_kind(own_uri, song, episode, chapter),  # a chapter may have the URI of an episode
        ms_played=row.ms_played,
        uri=uri or None,
        name=row.master_metadata_track_name or row.episode_name or row.audiobook_chapter_title or None,
        artist_name=row.master_metadata_album_artist_name or None,
        album_name=row.master_metadata_album_album_name or None,
        show_name=row.episode_show_name or row.audiobook_title or None,
        platform=row.platform or None,
        country=row.conn_country or None,
        reason_start=row.reason_start or None,
        reason_end=row.reason_end or None,
        is_shuffled=row.shuffle,
        is_skipped=row.skipped,
        is_offline=row.offline,
        is_private=row.incognito_mode,
        offline_timestamp=row.offline_timestamp,
    )


def _account(row: _Account) -> _Played:
    return _Played(
        time=row.end_time,
        kind=_kind(
            None, row.track_name, row.episode_name or row.podcast_name, row.chapter_name or row.audiobook_name
        ),
        ms_played=row.ms_played,
        uri=None,
        name=row.track_name or row.episode_name or row.chapter_name or None,
        artist_name=row.artist_name or row.author_name or None,
        album_name=None,
        show_name=row.podcast_name or row.audiobook_name or None,
    )


def _recent(row: _Recent) -> _Played:
    track = row.track or _NO_TRACK
    album = track.album or _NO_ALBUM
    artists = [artist.name for artist in track.artists or () if artist is not None and artist.name]
    uri = track.uri or (f"spotify:{track.type or 'track'}:{track.id}" if track.id else None)
    return _Played(
        time=row.played_at,
        kind=_kind(uri, track.name, None, None),
        ms_played=None,
        uri=uri,
        name=track.name or None,
        artist_name=artists[0] if artists else None,
        album_name=album.name or None,
        show_name=None,
        duration_ms=track.duration_ms,
        context_uri=(row.context and row.context.uri) or None,
    )


def _kind(uri: str | None, song: str | None, episode: str | None, chapter: str | None) -> str:
    """Return the kind that the URI names; else the one whose field has a value."""
    found = _URI_TYPE.match(uri) if uri else None
    if found and found[1] in _KINDS:
        return _KINDS[found[1]]
    return "song" if song else "episode" if episode else "chapter" if chapter else "other"


def _month(moment: datetime) -> str:
    return f"{moment.year}-{moment.month:02}"


def _span(times: Sequence[datetime]) -> tuple[datetime | None, datetime | None]:
    return min(times, default=None), max(times, default=None)


def _text(raw: Raw) -> str:
    return bytes(raw).decode(errors="replace")


def _shown(raw: Raw, field: str) -> str:
    """Describe the value of a row's field."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, Raw])
    except UNDECODABLE:
        fields = {}
    value = fields.get(field)
    return f"it has no {field}" if value is None else f"{field} is {_text(value).strip('"'):.100}"


_READERS: Final[Mapping[str, _Reader[Any]]] = {
    "extended": _Reader(_Extended, _extended, "ts", "ms_played"),
    "account": _Reader(_Account, _account, "endTime", "msPlayed"),
    "api": _Reader(_Recent, _recent, "played_at", None),
}
