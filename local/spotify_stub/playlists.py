"""The playlists and their entries on any given day.

Everything here is a pure function of the playlist and the day (UTC), without state or clock. Playlists change at
midnight, so an entry that is new on a day has that midnight as its `Entry.added_at`.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, time
from functools import cache, lru_cache
from typing import Any, Final, Literal

from local.spotify_stub import (
    FOLLOWED_PLAYLIST_ID,
    LIKED_SONGS_ID,
    OWNER_ID,
    OWNER_NAME,
    PLAYLISTS,
    SPOTIFY_MADE_PLAYLIST_ID,
)
from local.spotify_stub.catalog import EPISODES, LOCAL_FILES, Song, catalog, number

type Kind = Literal["song", "episode", "local", "unavailable", "missing", "ghost", "nameless"]

MONDAY, THURSDAY, FRIDAY, SUNDAY = 0, 3, 4, 6
DAYS_A_WEEK: Final = 7

CHART_POOL: Final = 400
CHART_SIZE: Final = 100
SPOTIFY_ADDED_AT: Final = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class User:
    """A user who owns playlists or adds to them."""

    id: str
    name: str


OWNER: Final = User(OWNER_ID, OWNER_NAME)
FRIEND: Final = User("31m2d7hq5xw4nb6zkc3tvy8oplre", "Sasha")
SPOTIFY: Final = User("spotify", "Spotify")


@dataclass(frozen=True, slots=True)
class Entry:
    """One position of a playlist on one day.

    Attributes
    ----------
    kind
        ``song``, ``episode``, ``local`` for a local file, or a defect: ``unavailable`` has a null item, ``missing`` no
        item at all, ``ghost`` an item without name, length and date, ``nameless`` one without artists.
    key
        The id of the song or episode, the title of the local file, or a number for the other kinds.
    added_at
        RFC 3339, or None as for very old entries.
    added_by
        User id; may be empty, or None if Spotify sends no user.
    """

    kind: Kind
    key: str
    added_at: str | None
    added_by: str | None = OWNER.id


@dataclass(frozen=True, slots=True)
class Playlist:
    """The properties of a playlist that never change."""

    id: str
    name: str
    description: str
    owner: User
    contents: Callable[[date], list[Entry]]
    is_public: bool = True
    is_collaborative: bool = False
    has_image: bool = True
    covers: Callable[[date], int] = lambda _: 0  # how many times it got another cover until a day


@cache
def playlists() -> dict[str, Playlist]:
    """Return the playlists that the owner owns or follows, in Spotify's order."""
    owned = [
        _owned("Top 100", "What everybody plays, every day.", _top_100),
        _owned("Songs of a Lifetime", "A few come and go each Friday.", _songs_of_a_lifetime),
        _owned(
            "Featuring",
            "Songs that took more than one. Sasha &amp; I add to it on Mondays and Thursdays.",
            _featuring,
            is_collaborative=True,
        ),
        _owned("New on Friday", "", _new_on_friday),
        _owned("Odds & Ends", "Files, podcasts and things that are gone.", _odds_and_ends),
        _owned("Morning Ten", "Never change a winning team.", _morning_ten),
        _owned("Drafts", "", lambda _: [], is_public=False, has_image=False),
    ]
    followed = [
        Playlist(FOLLOWED_PLAYLIST_ID, "Kitchen Radio", "Sasha cooks.", FRIEND, _kitchen_radio),
        Playlist(SPOTIFY_MADE_PLAYLIST_ID, "Today's Big Ones", "Made by Spotify.", SPOTIFY, _made_by_spotify),
    ]
    return {playlist.id: playlist for playlist in owned + followed}


def _owned(name: str, description: str, contents: Callable[[date], list[Entry]], **options: Any) -> Playlist:
    return Playlist(PLAYLISTS[name], name, description, OWNER, contents, **options)


@lru_cache(maxsize=1024)
def entries(playlist_id: str, day: date) -> tuple[Entry, ...]:
    """Return the entries of a playlist on a day, in order.

    Parameters
    ----------
    playlist_id
        One of `playlists`, or LIKED_SONGS_ID.
    day
        Any day; in UTC.

    Raises
    ------
    KeyError
        The playlist does not exist.
    """
    if playlist_id == LIKED_SONGS_ID:
        return tuple(_liked_songs(day))
    return tuple(playlists()[playlist_id].contents(day))


@lru_cache(maxsize=1024)
def snapshot_id(playlist_id: str, day: date) -> str:
    """Return the version of a playlist on a day: another one for other entries, and for another cover."""
    covers = playlists()[playlist_id].covers(day)
    return _version(playlist_id, covers, *map(astuple, entries(playlist_id, day)))


def snapshot_id_of_request(playlist_id: str, request_number: int) -> str:
    """Return a version that differs on every request, as with playlists made by Spotify."""
    return _version(playlist_id, request_number)


def popularity(song: Song, day: date) -> int:
    """Return a song's popularity on a day, 0 to 100: it drifts up and down around the value in the data."""
    seed = number("popularity", song.id)
    period = 40 + seed % 60
    swing = 2 + (seed >> 8) % 7
    phase = (day.toordinal() + (seed >> 16)) % period
    drift = swing - 4 * swing * abs(2 * phase - period) // (2 * period) if song.popularity else 0
    return min(100, max(0, song.popularity + drift))


def _version(*parts: object) -> str:
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return base64.b64encode(b"\0\0\0" + digest[:21]).decode()


def _midnight(ordinal: int) -> str:
    return datetime.combine(date.fromordinal(ordinal), time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# A chart: each song has waves that rise to a peak and fade; the hottest songs of a day are the playlist.


def _heat(song: Song, ordinal: int) -> int:
    """Return how hot a song is on a day; 0 between its waves, which last 30 to 99 days."""
    seed = number("wave", song.id)
    period = 140 + seed % 90
    length = 30 + (seed >> 8) % 70
    age = (ordinal + (seed >> 16)) % period
    if age >= length:
        return 0
    peak = length // 4
    shape = 1000 * (age + 1) // (peak + 1) if age <= peak else 1000 * (length - age) // (length - peak)
    strength = 40 + song.popularity + (seed >> 40) % 60
    mood = 94 + number("mood", song.id, ordinal) % 13
    return 1 + shape * strength * mood // 100


@lru_cache(maxsize=1024)
def _ranking(ordinal: int) -> dict[str, int]:
    """Return the ids of the songs on the chart of a day, hottest first, each with its heat."""
    heats = {song.id: _heat(song, ordinal) for song in catalog().recordings[:CHART_POOL]}
    hottest = sorted(heats, key=lambda song_id: (-heats[song_id], song_id))[:CHART_SIZE]
    return {song_id: heats[song_id] for song_id in hottest if heats[song_id]}


def _top_100(day: date) -> list[Entry]:
    today = day.toordinal()
    chart = []
    for song_id in _ranking(today):
        entered = today
        while song_id in _ranking(entered - 1):
            entered -= 1
        chart.append(Entry("song", song_id, _midnight(entered)))
    return chart


# A playlist that is edited on certain weekdays. Each of its slots holds a song for a number of edits, then the next of
# its songs, or none for a while. New songs go to the end of the playlist.


def _edits_until(ordinal: int, weekdays: tuple[int, ...]) -> int:
    weeks, weekday = divmod(ordinal - 1, DAYS_A_WEEK)
    return weeks * len(weekdays) + sum(edited <= weekday for edited in weekdays)


def _day_of_edit(edit: int, weekdays: tuple[int, ...]) -> int:
    weeks, number_in_week = divmod(edit - 1, len(weekdays))
    return weeks * DAYS_A_WEEK + weekdays[number_in_week] + 1


def _edited(
    name: str,
    songs: list[Song],
    day: date,
    *,
    slots: int,
    weekdays: tuple[int, ...],
    stays: tuple[int, int],
    one_gap_in: int = 20,
    editors: tuple[User, ...] = (OWNER,),
) -> list[Entry]:
    edits = _edits_until(day.toordinal(), weekdays)
    shortest, longest = stays
    pool = sorted(songs, key=lambda song: number(name, song.id))
    songs_a_slot = len(pool) // slots
    taken = []
    for slot in range(slots):
        seed = number(name, "place", slot)
        stay = shortest + seed % (longest - shortest + 1)
        phase = (seed >> 16) % stay
        turn = (edits + phase) // stay
        if number(name, "gap", slot, turn) % one_gap_in:
            taken.append((turn * stay - phase, slot, pool[slot + slots * (turn % songs_a_slot)].id))
    return [
        Entry("song", song_id, _midnight(_day_of_edit(edit, weekdays)), editors[slot % len(editors)].id)
        for edit, slot, song_id in sorted(taken)
    ]


def _songs_of_a_lifetime(day: date) -> list[Entry]:
    songs = [song for song in catalog().recordings if song.released < "2019"]
    return _edited("lifetime", songs, day, slots=290, weekdays=(FRIDAY,), stays=(25, 120))


def _featuring(day: date) -> list[Entry]:
    songs = [song for song in catalog().recordings if len(song.artists) > 1]
    return _edited(
        "featuring",
        songs,
        day,
        slots=64,
        weekdays=(MONDAY, THURSDAY),
        stays=(6, 30),
        editors=(OWNER, OWNER, FRIEND),
    )


def _new_on_friday(day: date) -> list[Entry]:
    songs = [song for song in catalog().recordings if song.released >= "2019"]
    return _edited("new on friday", songs, day, slots=52, weekdays=(FRIDAY,), stays=(1, 4))


def _liked_songs(day: date) -> list[Entry]:
    """Return the songs that the owner likes, the latest first."""
    songs = [song for song in catalog().recordings if song.genre in ("pop", "rock")]
    return _edited("liked", songs, day, slots=90, weekdays=(MONDAY, FRIDAY), stays=(30, 200))[::-1]


def _kitchen_radio(day: date) -> list[Entry]:
    songs = [song for song in catalog().recordings if song.genre in ("latin", "rock")]
    return _edited("kitchen", songs, day, slots=40, weekdays=(SUNDAY,), stays=(4, 20), editors=(FRIEND,))


def _made_by_spotify(day: date) -> list[Entry]:
    return [Entry("song", song_id, SPOTIFY_ADDED_AT, "") for song_id in list(_ranking(day.toordinal()))[:50]]


def _morning_ten(_: date) -> list[Entry]:
    songs = [song for song in catalog().recordings if song.released < "2010"][:10]
    return [
        Entry("song", song.id, f"2019-05-{12 + index:02}T06:{4 * index:02}:37Z")
        for index, song in enumerate(songs)
    ]


def _odds_and_ends(day: date) -> list[Entry]:
    """Edited on Sundays, with unusual entries among the songs; two songs are in it twice."""
    songs = [
        song for song in catalog().recordings if song.genre in ("r&b", "rock") or len(song.released) == 7
    ]
    edited = _edited("odds", songs, day, slots=32, weekdays=(SUNDAY,), stays=(3, 20))
    episodes = [Entry("episode", episode_id, "2019-03-10T17:45:12Z") for episode_id in EPISODES]
    files = [Entry("local", title, "2013-01-19T21:31:09Z") for title in LOCAL_FILES]
    odd = [
        files[0],
        Entry("unavailable", "1", "2016-10-11T13:44:40Z", ""),
        episodes[0],
        Entry("ghost", "1", "2021-01-24T12:43:16Z"),
        edited[0],
        Entry("missing", "1", "2016-10-11T13:44:40Z"),
        episodes[1],
        files[1],
        Entry("song", _relinked(day).id, None, None),
        edited[1],
        Entry("nameless", "1", "2018-06-02T09:10:11Z"),
        Entry("unavailable", "2", "2017-02-14T20:00:00Z", ""),
        episodes[2],
        Entry("song", songs[0].id, SPOTIFY_ADDED_AT, ""),
    ]
    mixed = list(edited)
    for index, entry in enumerate(odd):
        mixed.insert(3 * index + 2, entry)
    return mixed


def _relinked(day: date) -> Song:
    """Return a recording that has two ids; every fourth Sunday it changes to the other one."""
    versions = catalog().versions[0]
    return versions[_edits_until(day.toordinal(), (SUNDAY,)) // 4 % len(versions)]
