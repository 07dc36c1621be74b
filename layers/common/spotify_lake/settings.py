"""Settings of the functions, read once from the environment into typed structs."""

import re
from collections.abc import Mapping
from typing import Final, Self
from urllib.parse import urlsplit

import msgspec

from spotify_lake.errors import SettingsError

OWNED: Final = "owned"
LIKED: Final = "liked"
LIKED_SONGS: Final = "Liked Songs"  # their name
PLAYLIST_FORMS: Final = (
    "a comma-separated list of `owned` (every playlist you own), `liked` (your Liked Songs), 22-character playlist"
    " ids, spotify:playlist:… URIs and open.spotify.com/playlist/… links"
)
MAX_DETAIL_CALLS: Final = 1000  # about three minutes of a run
# Playlist ids are 22 base-62 characters; links may carry a locale (/intl-de/) and a ?si=… tail.
_PLAYLIST = re.compile(
    r"(?:spotify:(?:user:[^:,\s]+:)?playlist:"
    r"|(?:https?://)?open\.spotify\.com/(?:intl-[a-zA-Z-]+/)?(?:user/[^/,\s]+/)?playlist/)?"
    r"(?P<id>[0-9A-Za-z]{22})/?(?:[?#][^,\s]*)?"
)

type PlaylistSelection = tuple[str, ...]  # ids, and the words OWNED and LIKED


def parse_playlist_ids(text: str) -> PlaylistSelection:
    """Read the `PLAYLIST_IDS` setting.

    Parameters
    ----------
    text
        `owned`, `liked`, and playlist ids, URIs or links, separated by commas.

    Returns
    -------
    PlaylistSelection
        The words and the 22-character ids in the order given, each once.

    Raises
    ------
    SettingsError
        The text is empty, or a part of it is not a playlist.
    """
    pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
    if not pieces:
        raise SettingsError("PLAYLIST_IDS", text, "names no playlist", PLAYLIST_FORMS)
    ids: dict[str, None] = {}
    for piece in pieces:
        if piece in (OWNED, LIKED):
            ids[piece] = None
            continue
        match = _PLAYLIST.fullmatch(piece)
        if match is None:
            raise SettingsError("PLAYLIST_IDS", piece, "is not a playlist id, URI or link", PLAYLIST_FORMS)
        ids[match["id"]] = None
    return tuple(ids)


class ExtractSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the extract function.

    Attributes
    ----------
    raw_bucket
        Bucket of the raw snapshots.
    playlists
        Which to extract.
    secret_id
        Name or ARN of the secret with the Spotify credentials.
    spotify_api_url, spotify_accounts_url
        Base URLs without path or trailing slash.
    schedule_group, schedule_role_arn, schedule_dead_letters_arn
        For the one-off schedules that resume a run.
    detail_calls_per_run
        The most requests a run may send for details of artists and albums; 0 for no details.
    library
        Whether the daily run takes a snapshot of the library.
    """

    raw_bucket: str
    playlists: PlaylistSelection
    secret_id: str
    spotify_api_url: str
    spotify_accounts_url: str
    schedule_group: str
    schedule_role_arn: str
    schedule_dead_letters_arn: str
    detail_calls_per_run: int = 0
    library: bool = False

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from `environ`; raises SettingsError for the first invalid one."""
        return cls(
            raw_bucket=_required(environ, "RAW_BUCKET", "the name of the raw bucket"),
            playlists=parse_playlist_ids(_required(environ, "PLAYLIST_IDS", PLAYLIST_FORMS)),
            secret_id=_required(environ, "SPOTIFY_SECRET_ID", "the name or ARN of a secret"),
            spotify_api_url=_base_url(environ, "SPOTIFY_API_URL"),
            spotify_accounts_url=_base_url(environ, "SPOTIFY_ACCOUNTS_URL"),
            schedule_group=_required(environ, "SCHEDULE_GROUP", "the name of a schedule group"),
            schedule_role_arn=_required(environ, "SCHEDULE_ROLE_ARN", "the ARN of a role"),
            schedule_dead_letters_arn=_required(environ, "SCHEDULE_DEAD_LETTERS_ARN", "the ARN of a queue"),
            detail_calls_per_run=_number(environ, "DETAIL_CALLS_PER_RUN", 0, MAX_DETAIL_CALLS, default="0"),
            library=_is_on(environ, "LIBRARY"),
        )


class TransformSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the transform function.

    Attributes
    ----------
    lake_bucket
        Bucket of the curated tables.
    event_bus
        Receives the events about changed playlists.
    """

    lake_bucket: str
    event_bus: str

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from `environ`; raises SettingsError for the first invalid one."""
        return cls(
            lake_bucket=_required(environ, "LAKE_BUCKET", "the name of the lake bucket"),
            event_bus=_required(environ, "EVENT_BUS", "the name of an event bus"),
        )


class ReportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the report function.

    Attributes
    ----------
    lake_bucket
        Bucket of the tables and of the page.
    database, workgroup
        Where Athena runs the queries.
    days
        How far back the page looks, counted from the newest snapshot.
    zone
        Time zone of the days and hours of plays.
    """

    lake_bucket: str
    database: str
    workgroup: str
    days: int
    zone: str

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from `environ`; raises SettingsError for the first invalid one."""
        return cls(
            lake_bucket=_required(environ, "LAKE_BUCKET", "the name of the lake bucket"),
            database=_required(environ, "DATABASE", "the name of the database in Athena"),
            workgroup=_required(environ, "WORKGROUP", "the name of an Athena workgroup"),
            days=_number(environ, "REPORT_DAYS", 7, 3660),
            zone=_time_zone(environ, "TIME_ZONE"),
        )


class ArrivalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the arrival function.

    Attributes
    ----------
    lake_bucket
        Bucket of staging, warehouse and the jobs' code.
    lake_name
        The prefix of the names of the jobs.
    """

    lake_bucket: str
    lake_name: str

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from `environ`; raises SettingsError for the first invalid one."""
        return cls(
            lake_bucket=_required(environ, "LAKE_BUCKET", "the name of the lake bucket"),
            lake_name=_required(environ, "LAKE_NAME", "the name of the lake"),
        )


def _required(environ: Mapping[str, str], name: str, accepted: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise SettingsError(name, value, "is missing or empty", accepted)
    return value


def _base_url(environ: Mapping[str, str], name: str) -> str:
    accepted = "a base URL such as https://api.spotify.com"
    value = _required(environ, name, accepted).rstrip("/")
    try:
        url = urlsplit(value)
        usable = (
            url.scheme in {"http", "https"}
            and bool(url.hostname)
            and not (url.path or url.query or url.fragment)
        )
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(name, value, "is not a base URL", accepted)
    return value


def _time_zone(environ: Mapping[str, str], name: str) -> str:
    accepted = "a name from the time zone database, such as UTC or Europe/Berlin"
    value = _required(environ, name, accepted)
    if not re.fullmatch(r"[A-Za-z]+([_/+-][A-Za-z0-9]+)*", value):
        raise SettingsError(name, value, "is not the name of a time zone", accepted)
    return value


def _is_on(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip() or "off"
    if value not in {"on", "off"}:
        raise SettingsError(name, value, "is neither on nor off", "`on` or `off`")
    return value == "on"


def _number(environ: Mapping[str, str], name: str, least: int, most: int, default: str = "") -> int:
    accepted = f"a whole number from {least} to {most}"
    value = _required({name: default} | dict(environ), name, accepted)
    if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
        raise SettingsError(name, value, "is out of range or not a whole number", accepted)
    return int(value)
