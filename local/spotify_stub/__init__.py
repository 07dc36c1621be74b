"""A Spotify Web API on 127.0.0.1 whose playlists change from day to day.

Start it with ``python -m local.spotify_stub --port 8700 --contract new``, or in a test with
`local.spotify_stub.server.serve`. The constants here are the credentials of a client and the owner's playlists. See
the README beside this file.
"""

from typing import Final, Literal

type Contract = Literal["new", "legacy"]
"""The Web API for apps registered since February 2026, or for older apps."""

type Visibility = Literal["together", "version first", "entries first"]
"""Whether a change of a playlist shows in its version and its entries together, or in one of them a day later."""

CLIENT_ID: Final = "c1" * 16
CLIENT_SECRET: Final = "5e" * 16
REFRESH_TOKEN: Final = "AQ" + "-stub-refresh" * 10
SCOPES: Final = (
    "playlist-read-private",
    "playlist-read-collaborative",
    "user-library-read",
    "user-follow-read",
    "user-read-recently-played",
)

TOKEN_VARIABLE: Final = "SPOTIFY_STUB_TOKEN"
"""The environment variable with the bearer token of the control interface, for ``python -m local.spotify_stub``."""

OWNER_ID: Final = "31k5xq7zv2mwh3o6cd4pt8yr1jga"
"""The user who signed in. They own every playlist in `PLAYLISTS`."""
OWNER_NAME: Final = "Robin"
OWNER_ACCOUNT_ID: Final = "kR7vQ2nXe9"

PLAYLISTS: Final[dict[str, str]] = {
    "Top 100": "3Zk9vTqLm2Rw8YxNc5HdPf",
    "Songs of a Lifetime": "5hQ2wKzXb7TnEo1VrJd9Gm",
    "Featuring": "1nYc6RfPq8LsTz4WuBk3Hx",
    "New on Friday": "6tBv0MjWd5KxQe7ZgNa2Yr",
    "Odds & Ends": "2xGp7HsJr4CmVb9LqTf1Kw",
    "Morning Ten": "4dLw1NzKy6PbXs8RtMh5Vc",
    "Drafts": "7aUe3SgTk9FqJw2CzDn6Bp",
}
"""Playlists of the owner: name to id. "Drafts" is private and empty."""

LIKED_SONGS_ID: Final = "lsPMiPrsPnp6g2jtCR3vgw"
"""The id that the lake gives the owner's Liked Songs. Spotify has none for them."""
COLLECTED: Final[dict[str, str]] = PLAYLISTS | {"Liked Songs": LIKED_SONGS_ID}
"""What a lake with the default settings collects: name to id."""

FOLLOWED_PLAYLIST_ID: Final = "0mRs4VxYh8QtKc2ZfLj7Nb"
"""A playlist of another user that the owner follows. The new contract denies access to its entries."""
SPOTIFY_MADE_PLAYLIST_ID: Final = "37i9dQZF1DX4stubMadeBy"
"""A playlist by Spotify that the owner follows. It is listed, but requests for it return 404."""
