"""A made-up person's streaming history, in the exact form of Spotify's exports. Pure, and the same for the same seed.

The songs are those of the stub. Days have sessions, favorites change with the years, and some songs run on repeat. The
oddities of real exports are in it unless they are switched off: private sessions, plays offline that were synchronized
a year later, videos, podcasts, audiobooks, songs that vanished or have another URI now, equal rows, and rows that
differ in their milliseconds alone.
"""

from __future__ import annotations

import datetime as dt
import random
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from local.spotify_stub.catalog import SHOW_NAME, Song, base62_id, catalog

type Row = dict[str, Any]

ROWS_PER_FILE: Final = 20_000
PLATFORM_CHANGE: Final = dt.datetime(2023, 10, 1)  # noqa: DTZ001 - as all times here before they are written, UTC
SKIPS_KNOWN_SINCE: Final = dt.datetime(2022, 1, 1)  # noqa: DTZ001
PRIVATE: Final = {
    "username": "robin-made-up",
    "ip_addr_decrypted": "203.0.113.7",
    "user_agent_decrypted": "unknown",
}
AUDIOBOOK: Final = "The Lists of Ada Fern"
SHOWS: Final = (SHOW_NAME, "Side Notes", "Liner Talk")

_SECOND: Final = dt.timedelta(seconds=1)
_FAVORITES: Final = 300  # songs that a year revolves around
_DRIFT: Final = 70  # of them that are new each year
_HOURS: Final = (
    *(1,) * 6,
    4,
    9,
    8,
    5,
    4,
    4,
    6,
    5,
    4,
    5,
    7,
    9,
    10,
    9,
    8,
    7,
    5,
    3,
)  # weight of each hour of the day
_OLD_PLATFORMS: Final = ("iOS 12.1 (iPhone8,4)", "OS X 10.13.6 [x86 8]", "WebPlayer (websocket RFC6455)")
_PLATFORMS: Final = ("ios", "osx", "web_player", "cast")
_UNEXPECTED: Final = ("", "unexpected-exit-while-paused", "logout")


@dataclass(frozen=True)
class Listener:
    """Whose history it is.

    Attributes
    ----------
    plays
        Rows of the whole history, about evenly spread over the days.
    first, last
        The first day and the last one, UTC.
    seed
        Of everything that is random.
    is_odd
        Whether the history has the oddities of real exports.
    """

    plays: int = 33_000
    first: dt.date = dt.date(2023, 11, 20)
    last: dt.date = dt.date(2026, 11, 19)
    seed: int = 15
    is_odd: bool = True


def history(listener: Listener) -> Iterator[tuple[str, Row]]:
    """Yield each row of the extended history, oldest first, with its form: ``audio`` or ``video``."""
    chance = random.Random(listener.seed)  # nosec B311 # # made up, and always the same
    person = _Person(listener, chance)
    days = (listener.last - listener.first).days + 1
    made = 0
    for number in range(days):
        due = listener.plays * (number + 1) // days - made
        rows = person.day(listener.first + dt.timedelta(days=number), due)
        made += due
        yield from rows


def extended_files(rows: Iterable[tuple[str, Row]]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the files of an extended history with their names: audio as soon as one is full, the video file last."""
    audio: list[Row] = []
    video: list[Row] = []
    number = 0
    for form, row in rows:
        (video if form == "video" else audio).append(row)
        if len(audio) == ROWS_PER_FILE:
            yield f"Streaming_History_Audio_{_years(audio)}_{number}.json", audio
            audio, number = [], number + 1
    if audio:
        yield f"Streaming_History_Audio_{_years(audio)}_{number}.json", audio
    if video:
        yield f"Streaming_History_Video_{_years(video)}.json", video


def account_files(rows: Iterable[tuple[str, Row]], since: dt.date) -> Mapping[str, list[Row]]:
    """Return the files of account data that tell the same plays since a day, by name."""
    found: dict[str, list[Row]] = {"StreamingHistory_music_0.json": [], "StreamingHistory_podcast_0.json": []}
    for _, row in rows:
        if row["ts"] < since.isoformat():
            continue
        same = {"endTime": row["ts"][:16].replace("T", " ")}
        if row["master_metadata_track_name"] is not None:
            names = {
                "artistName": row["master_metadata_album_artist_name"],
                "trackName": row["master_metadata_track_name"],
            }
            found["StreamingHistory_music_0.json"].append(same | names | {"msPlayed": row["ms_played"]})
        elif row["episode_name"] is not None:
            names = {"podcastName": row["episode_show_name"], "episodeName": row["episode_name"]}
            found["StreamingHistory_podcast_0.json"].append(same | names | {"msPlayed": row["ms_played"]})
    return {name: listed for name, listed in found.items() if listed}


def _years(rows: list[Row]) -> str:
    first, last = rows[0]["ts"][:4], rows[-1]["ts"][:4]
    return first if first == last else f"{first}-{last}"


class _Person:
    """Makes one day of plays after the other."""

    def __init__(self, listener: Listener, chance: random.Random) -> None:
        self._is_odd = listener.is_odd
        self._chance = chance
        self._first_year = listener.first.year
        known = catalog()
        self._songs = list(known.recordings)
        chance.shuffle(self._songs)
        self._albums = {album.id: album.name for album in known.albums.values()}
        # A few songs are heard often, most of them seldom.
        self._weights = list(accumulate(1 / (rank + 3) for rank in range(_FAVORITES)))
        self._hours = list(accumulate(_HOURS))
        self._last = dt.datetime.combine(listener.last, dt.time(23, 59, 59), dt.UTC)
        self._before: Row | None = None  # the play before, of the same day

    def day(self, day: dt.date, count: int) -> list[tuple[str, Row]]:
        """Return a day's plays in the order of their ends."""
        chance = self._chance
        self._before = None
        found: list[tuple[str, Row]] = []
        while len(found) < count:
            hour = bisect_left(self._hours, chance.random() * self._hours[-1])
            begin = dt.datetime.combine(day, dt.time(hour, chance.randrange(60), chance.randrange(60)))
            found += self._session(begin, min(count - len(found), chance.randrange(4, 30)))
        found.sort(key=lambda play: str(play[1]["ts"]))
        return found

    def _session(self, begin: dt.datetime, count: int) -> Iterator[tuple[str, Row]]:
        chance = self._chance
        draw = chance.random()
        if self._is_odd and draw < 0.06:
            yield from self._talk(begin, min(count, 3), is_book=draw < 0.02)
            count -= min(count, 3)
        is_loop = draw > 0.97
        at = {
            "shuffle": draw > 0.5,
            "incognito_mode": self._is_odd and 0.1 < draw < 0.11,
            "offline": self._is_odd and 0.2 < draw < 0.22,
            "conn_country": "PT" if begin.month == 8 else "DE",
            "platform": self._platform(begin),
        }
        end, song = begin, self._song(begin.year)
        reason = "clickrow"
        for _ in range(count):
            if not is_loop:
                song = self._song(begin.year)
            is_skipped = not is_loop and chance.random() < 0.18
            milliseconds = chance.randrange(song.duration_ms // 4) if is_skipped else song.duration_ms
            end += _SECOND * (milliseconds // 1000 + chance.randrange(3))
            row = self._row(end, milliseconds, at)
            row["reason_start"] = reason
            row["reason_end"] = reason = "fwdbtn" if is_skipped else "trackdone"
            row["skipped"] = is_skipped if end >= SKIPS_KNOWN_SINCE else None
            self._name(row, song)
            yield from self._oddly(row) if self._is_odd else (("audio", row),)

    def _oddly(self, row: Row) -> Iterator[tuple[str, Row]]:
        """Yield a play as real exports have some; the number of rows stays."""
        chance = self._chance
        draw = chance.random()
        if draw < 0.005:
            row["ms_played"] += 1_000_000  # more than the song is long
        elif draw < 0.01:
            row["reason_end"] = chance.choice(_UNEXPECTED)
        elif draw < 0.015:
            row["spotify_track_uri"] = f"spotify:track:{base62_id('relinked', row['spotify_track_uri'])}"
        elif draw < 0.017:
            for name in ("track_name", "album_artist_name", "album_album_name"):
                row[f"master_metadata_{name}"] = None  # it vanished, and its URI is all that is left
        elif draw < 0.027:
            yield "video", row
            return
        elif draw < 0.029 and self._before is not None:
            row = self._before | ({"ms_played": 0} if draw < 0.028 else {})  # the same moment twice
        if row["offline"]:
            heard = dt.datetime.fromisoformat(row["ts"])
            seconds = int(heard.timestamp())
            row["offline_timestamp"] = seconds * 1000 + 7 if draw < 0.5 else seconds
            # The network saw the play later: after an hour, or more than a year.
            later = heard + (dt.timedelta(days=395) if draw < 0.1 else dt.timedelta(hours=1))
            row["ts"] = (later if later <= self._last else heard).isoformat().replace("+00:00", "Z")
        self._before = row
        yield "audio", row

    def _talk(self, begin: dt.datetime, count: int, *, is_book: bool) -> Iterator[tuple[str, Row]]:
        chance = self._chance
        at = {"shuffle": False, "incognito_mode": False, "offline": False, "conn_country": "DE"}
        at["platform"] = self._platform(begin)
        number = chance.randrange(1, 400)
        show = SHOWS[number % len(SHOWS)]
        for end in (begin + dt.timedelta(minutes=20 * (part + 1)) for part in range(count)):
            row = self._row(end, chance.randrange(300_000, 1_200_000), at)
            row |= {"reason_start": "clickrow", "reason_end": "endplay", "skipped": False}
            if is_book:
                row |= {
                    "audiobook_title": AUDIOBOOK,
                    "audiobook_uri": f"spotify:show:{base62_id('audiobook', AUDIOBOOK)}",
                    "audiobook_chapter_uri": f"spotify:episode:{base62_id('chapter', number % 30)}",
                    "audiobook_chapter_title": f"Chapter {number % 30 + 1}",
                }
            else:
                row |= {
                    "episode_name": f"{show} #{number}",
                    "episode_show_name": show,
                    "spotify_episode_uri": f"spotify:episode:{base62_id(show, number)}",
                }
            yield "audio", row

    def _song(self, year: int) -> Song:
        # Favorites of a year: a window that moves along the songs.
        rank = bisect_left(self._weights, self._chance.random() * self._weights[-1])
        return self._songs[((year - self._first_year) * _DRIFT + rank) % len(self._songs)]

    def _platform(self, moment: dt.datetime) -> str:
        return self._chance.choice(_OLD_PLATFORMS if moment < PLATFORM_CHANGE else _PLATFORMS)

    def _row(self, end: dt.datetime, milliseconds: int, at: Mapping[str, Any]) -> Row:
        return {
            "ts": f"{end.isoformat()}Z",
            **PRIVATE,
            "platform": at["platform"],
            "ms_played": milliseconds,
            "conn_country": at["conn_country"],
            "master_metadata_track_name": None,
            "master_metadata_album_artist_name": None,
            "master_metadata_album_album_name": None,
            "spotify_track_uri": None,
            "episode_name": None,
            "episode_show_name": None,
            "spotify_episode_uri": None,
            "audiobook_title": None,
            "audiobook_uri": None,
            "audiobook_chapter_uri": None,
            "audiobook_chapter_title": None,
            "reason_start": None,
            "reason_end": None,
            "shuffle": at["shuffle"],
            "skipped": None,
            "offline": at["offline"],
            "offline_timestamp": None,
            "incognito_mode": at["incognito_mode"],
        }

    def _name(self, row: Row, song: Song) -> None:
        row["master_metadata_track_name"] = song.name
        row["master_metadata_album_artist_name"] = song.artists[0].name
        row["master_metadata_album_album_name"] = self._albums[song.album_id]
        row["spotify_track_uri"] = f"spotify:track:{song.id}"
