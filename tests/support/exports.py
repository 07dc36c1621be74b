"""Spotify's data export with everything that is odd about real ones: files, zips, CSV. Deterministic."""

import csv
import datetime as dt
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

from local import made_up_listening
from local.made_up_listening import Listener
from tests.support.dumps import export_playlist
from tests.support.plays import extended, nothing

EXTENDED = "Spotify Extended Streaming History"
ACCOUNT = "Spotify Account Data"
# What must never be stored or shown, of local.made_up_listening and tests.support.plays.
PRIVATE = (
    made_up_listening.PRIVATE["username"],
    made_up_listening.PRIVATE["ip_addr_decrypted"],
    *("somebody", "Mozilla/5.0", "Smalltown", "someone@example.com", "Fake Street"),
)
FIRST, LAST = dt.date(2025, 9, 1), dt.date(2026, 11, 19)
SONG = "spotify:track:11dFghVXANMlKmJXsNCbNl"
# Rows that are no plays, with the reasons.
REJECTED: tuple[tuple[Any, str], ...] = (
    (extended(ts="1970-01-01T00:00:00Z"), "impossible_time"),
    (extended(ts="2099-01-01T00:00:00Z"), "impossible_time"),
    (extended(ts=None), "no_time"),
    (extended(ts="yesterday"), "no_time"),
    (extended(ms_played=-1), "impossible_milliseconds"),
    (extended(ms_played=10**12), "impossible_milliseconds"),
    (extended(ms_played=None), "no_milliseconds"),
    (nothing(), "nothing_played"),
    (None, "no_object"),
    (7, "no_object"),
)
# Rows that are odd, and plays all the same.
ODD: tuple[dict[str, Any], ...] = (
    nothing(ts="2026-01-01T00:00:01Z", spotify_track_uri=SONG),
    extended(ts="2026-01-01T00:00:02Z", spotify_track_uri=None),
    extended(ts="2026-01-01T00:00:03Z", device_id="x7", genre={"name": "pop"}),
    extended(ts="2026-01-01T00:00:04Z", ms_played=0),
    extended(ts="2026-01-01T00:00:05Z", offline=True, offline_timestamp=1_700_000_000),
    extended(ts="2026-01-01T00:00:05Z", offline=True, offline_timestamp=1_700_000_000),
    extended(ts="2026-01-01T00:00:06Z", master_metadata_track_name="Smörgåsbord “ü” 🎵"),
    extended(ts="2026-01-01T00:00:07Z", ms_played=86_400_000, incognito_mode=True),
)
# Files beside those that count.
OTHERS: dict[str, bytes] = {
    f"{ACCOUNT}/Userdata.json": b'{"email": "someone@example.com", "username": "somebody"}',
    f"{ACCOUNT}/Payments.json": b'{"payment_method": "Fake Street 1"}',
    f"{ACCOUNT}/Inferences.json": b'{"inferences": ["1P_Custom_x"]}',
    f"{ACCOUNT}/SearchQueries.json": b'[{"platform": "IPHONE", "searchQuery": "x"}]',
    f"{ACCOUNT}/Follow.json": b'{"followerCount": 3, "followingUsersCount": 1}',
    f"{ACCOUNT}/Wrapped2025.json": b'{"topTracks": {"numUniqueTracks": 7, "msPlayed": 9}}',
    f"{ACCOUNT}/SomethingNew.json": b'{"somebody": {"likes": ["x"]}}',
    f"{ACCOUNT}/Read_Me_First.pdf": b"%PDF",
    f"__MACOSX/{ACCOUNT}/._Userdata.json": b"\0\5\26\7",
}


def history(plays: int = 3_000, *, seed: int = 15, first: dt.date = FIRST) -> dict[str, list[Any]]:
    """Return the files of an extended history with odd rows, by name."""
    rows = made_up_listening.history(Listener(plays=plays, first=first, last=LAST, seed=seed))
    found: dict[str, list[Any]] = dict(made_up_listening.extended_files(rows))
    same = {"username": made_up_listening.PRIVATE["username"]}
    odd = [*ODD, *(row for row, _ in REJECTED)]
    found["Streaming_History_Audio_2026_7.json"] = [
        row | same if isinstance(row, dict) else row for row in odd
    ]
    return found


def account(plays: int = 3_000, *, seed: int = 15) -> dict[str, list[Any]]:
    """Return the files of the account data that has the last of the same plays."""
    rows = made_up_listening.history(Listener(plays=plays, first=FIRST, last=LAST, seed=seed))
    book = {
        "endTime": "2026-02-03 04:05",
        "authorName": "A. Fern",
        "audiobookName": "Lists",
        "msPlayed": 60000,
    }
    files: dict[str, list[Any]] = dict(made_up_listening.account_files(rows, dt.date(2026, 3, 1)))
    return files | {"StreamingHistory_audiobook_0.json": [book], "StreamingHistory_podcast_1.json": []}


def as_files(folder: str, files: Mapping[str, Any]) -> dict[str, bytes]:
    """Return files as their bytes, in a folder."""
    return {f"{folder}/{name}": json.dumps(rows, ensure_ascii=False).encode() for name, rows in files.items()}


def my_spotify_data() -> dict[str, bytes]:
    """Return all files of an account-data zip: plays, playlists, library and what is left alone."""
    playlists = {"playlists": [export_playlist("Low Tide", "Duet", title="Exported")]}
    songs = [{"artist": "Carly Rae Jepsen", "album": "Emotion", "track": "Cut To The Feeling", "uri": SONG}]
    library = {"tracks": songs, "albums": [], "shows": [], "bannedTracks": [], "bannedArtists": []}
    return {
        **as_files(ACCOUNT, account()),
        f"{ACCOUNT}/Playlist1.json": json.dumps(playlists).encode(),
        f"{ACCOUNT}/YourLibrary.json": json.dumps(library).encode(),
        **OTHERS,
    }


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a zip archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def as_csv(rows: Iterable[Mapping[str, Any]], *, style: str = "plain") -> bytes:
    """Return rows as a tool writes them.

    The styles are plain, pandas (with an index and True), tabs (the same with tabs), r (with NA and TRUE) and excel.
    """
    rows, is_indexed = list(rows), style in {"pandas", "r", "tabs"}
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter={"excel": ";", "tabs": "\t"}.get(style, ","))
    writer.writerow([*([""] if is_indexed else []), *rows[0]])
    for number, row in enumerate(rows):
        cells = [_cell(value, style) for value in row.values()]
        writer.writerow([*([number] if is_indexed else []), *cells])
    return text.getvalue().encode("utf-8-sig" if style == "excel" else "utf-8")


def _cell(value: Any, style: str) -> Any:
    if value is None:
        return "NA" if style == "r" else ""
    if isinstance(value, bool):
        return str(value) if style == "pandas" else str(value).upper() if style == "r" else str(value).lower()
    return f"{value}.0" if style == "pandas" and isinstance(value, int) and value == 0 else value
