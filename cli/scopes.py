"""The permissions that a deployed lake needs from its user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spotify_lake.settings import parse_playlist_ids
from spotify_lake.spotify.scopes import needed_scopes

if TYPE_CHECKING:
    from cli.stack import Lake
    from spotify_lake.spotify.credentials import Credentials


def scopes_of(lake: Lake) -> dict[str, str]:
    """Return the scopes that a lake needs with its parameters, each with what it is for."""
    return needed_scopes(
        parse_playlist_ids(lake.parameter("PlaylistIds")),
        # A stack of an earlier version has neither.
        plays=bool(lake.parameters.get("ListeningSchedule")),
        library=lake.parameters.get("Library") == "on",
    )


def what_is_not_permitted(lake: Lake, credentials: Credentials) -> str:
    """Name what a lake is to collect and its sign-in does not permit, with the scopes; empty if nothing.

    Parameters
    ----------
    lake
        Its parameters say what it collects.
    credentials
        The sign-in. The scopes of one that was stored in other ways than by `./lake login` are not known.
    """
    granted = credentials.scopes.split()
    if credentials.refresh_token is not None and not granted:
        return ""
    optional = [(scope, what) for scope, what in scopes_of(lake).items() if scope.startswith("user-")]
    missing = "; ".join(f"{what} ({scope})" for scope, what in optional if scope not in granted)
    return missing and f"the sign-in does not permit reading {missing}, so that is left out"
