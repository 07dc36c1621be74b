"""What the owner plays: a pure function of time, with every oddity of Spotify's list of recent plays.

Plays turn up late, twice, out of order, without milliseconds and with fields missing. On some evenings the owner skips
so fast that more plays end between two polls than Spotify shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode

from local.spotify_stub import PLAYLISTS, Contract
from local.spotify_stub.catalog import Song, catalog, number
from local.spotify_stub.objects import Json, links, track_object

MOST_SHOWN: Final = 50
DAYS_BACK: Final = 5  # a day has twelve plays at least
SESSIONS: Final = ((7, 6), (12, 6), (18, 14), (21, 10))  # hour (UTC), and songs at most
SKIPPING: Final = (10, 23, 90, 29)  # on one day of so many, at this hour, so many plays of so many seconds
LATE: Final = timedelta(minutes=50)


@dataclass(frozen=True, slots=True)
class Play:
    """A play as Spotify's list has it.

    Attributes
    ----------
    ended_at
        When it ended, UTC.
    shown_at
        From when on the list has it.
    song
        What was played.
    seed
        Decides about its oddities.
    """

    ended_at: datetime
    shown_at: datetime
    song: Song
    seed: int

    def has(self, oddity: str, one_in: int) -> bool:
        """Return whether the play has an oddity that one of so many has."""
        return number(oddity, self.seed) % one_in == 0

    @property
    def order(self) -> datetime:
        """Its place in the list: some stand behind their successor."""
        return self.ended_at - timedelta(minutes=4 if self.has("out of order", 17) else 0)


@lru_cache(maxsize=64)
def plays_of(day: date) -> tuple[Play, ...]:
    """Return the plays of sessions that begin on a day (UTC), in the order in which they end."""
    return tuple(_plays(day))


def recent_plays(now: datetime, contract: Contract, base_url: str, limit: int) -> Json:
    """Return the list of recent plays, the newest first.

    Parameters
    ----------
    now
        UTC.
    contract
        Decides about the fields of songs.
    base_url
        Of the server, for the link to more plays. There never are any.
    limit
        At most `MOST_SHOWN`.
    """
    days = [now.date() - timedelta(days=back) for back in range(DAYS_BACK)]
    shown = [play for day in days for play in plays_of(day) if play.shown_at <= now]
    doubled = [play for play in shown for _ in range(2 if play.has("doubled", 29) else 1)]
    newest = sorted(doubled, key=lambda play: (play.order, play.song.id), reverse=True)[:limit]
    items = [
        _item(play, contract, 100 if index and newest[index - 1] is play else 0)
        for index, play in enumerate(newest)
    ]
    before, after = (int(1000 * play.ended_at.timestamp()) for play in (newest[-1], newest[0]))
    query = urlencode({"before": before, "limit": limit})
    url = f"{base_url}/v1/me/player/recently-played"
    return {
        "items": items,
        "next": f"{url}?{query}",
        "cursors": {"after": str(after), "before": str(before)},
        "limit": limit,
        "href": f"{url}?{urlencode({'limit': limit})}",
    }


def _plays(day: date) -> Iterator[Play]:
    songs, ordinal = catalog().recordings, day.toordinal()
    for hour, most in SESSIONS:
        seed = number("session", ordinal, hour)
        moment = _at(day, hour) + timedelta(minutes=seed % 40)
        for turn in range(most // 2 + seed % (most // 2 + 1)):
            song = songs[number("heard", seed, turn) % (len(songs) // 4)]
            moment += timedelta(milliseconds=song.duration_ms)
            yield _play(moment, song)
    one_in, hour, plays, seconds = SKIPPING
    if ordinal % one_in == 0:
        for turn in range(plays):
            song = songs[number("skipped", ordinal, turn) % len(songs)]
            yield _play(_at(day, hour) + timedelta(seconds=seconds * turn, milliseconds=250), song)


def _play(ended_at: datetime, song: Song) -> Play:
    # The milliseconds leave room for those that a doubled play has more.
    ended_at = ended_at.replace(microsecond=ended_at.microsecond // 1000 % 900 * 1000)
    seed = number("play", ended_at, song.id)
    play = Play(ended_at, ended_at, song, seed)
    return Play(ended_at, ended_at + LATE, song, seed) if play.has("late", 23) else play


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def _item(play: Play, contract: Contract, later_ms: int) -> Json:
    ended_at = play.ended_at + timedelta(milliseconds=later_ms)
    precision = "seconds" if play.has("whole seconds", 13) else "milliseconds"
    track = track_object(play.song.id, contract, play.ended_at.date())
    if play.has("few fields", 19):
        track = {name: track[name] for name in ("name", "uri", "artists")}
    elif play.has("names only", 31):
        track = {"name": track["name"], "artists": [{"name": artist.name} for artist in play.song.artists]}
    context = None
    if play.seed % 5:
        context = links("playlist", list(PLAYLISTS.values())[play.seed % len(PLAYLISTS)])
        del context["id"]
    return {
        "track": track,
        "played_at": ended_at.isoformat(timespec=precision).replace("+00:00", "Z"),
        "context": context,
    }
