"""The permissions that a deployed lake needs from its user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spotify_lake.settings import parse_playlist_ids
from spotify_lake.spotify.scopes import needed_scopes

if TYPE_CHECKING:
    from cli.stack import Lake


def scopes_of(lake: Lake) -> dict[str, str]:
    """Return the scopes that a lake needs with its parameters, each with what it is for."""
    return needed_scopes(
        parse_playlist_ids(lake.parameter("PlaylistIds")),
        # A stack of an earlier version has neither.
        plays=bool(lake.parameters.get("ListeningSchedule")),
        library=lake.parameters.get("Library") == "on",
    )
