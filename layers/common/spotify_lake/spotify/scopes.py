"""The permissions of a sign-in: which parts of the lake need which, and what for."""

from collections.abc import Collection
from typing import Final

from spotify_lake.settings import LIKED

LIBRARY_READ: Final = "user-library-read"
FOLLOW_READ: Final = "user-follow-read"
RECENTLY_PLAYED: Final = "user-read-recently-played"


def needed_scopes(playlists: Collection[str], *, plays: bool, library: bool) -> dict[str, str]:
    """Return the scopes that a lake needs, each with what it is for.

    Parameters
    ----------
    playlists
        The parameter PlaylistIds, as `settings.parse_playlist_ids` reads it.
    plays
        Whether the lake polls plays (ListeningSchedule).
    library
        Whether it takes snapshots of the library (Library).
    """
    scopes = {
        "playlist-read-private": "your private playlists",
        "playlist-read-collaborative": "playlists that you edit with others",
    }
    saved = ["your Liked Songs"] if LIKED in playlists else []
    saved += ["the albums, shows, episodes and audiobooks that you saved"] if library else []
    if saved:
        scopes[LIBRARY_READ] = " and ".join(saved)
    if library:
        scopes[FOLLOW_READ] = "the artists that you follow"
    if plays:
        scopes[RECENTLY_PLAYED] = "what you have played lately"
    return scopes
