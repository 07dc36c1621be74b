"""A user's Liked Songs, read as if they were a playlist. Spotify gives them neither an id nor a version."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from spotify_lake.errors import SpotifyUnavailable
from spotify_lake.settings import LIKED_SONGS
from spotify_lake.spotify.client import Head, ListedPlaylist, SpotifyClient
from spotify_lake.spotify.library import MAX_READINGS, PAGE_SIZE, Page
from spotify_lake.spotify.mending import whole_number
from spotify_lake.spotify.models import Contract

URL: Final = "https://open.spotify.com/collection/tracks"


class LikedReading:
    """Liked Songs that are being read, as they were at one moment; used like `client.PlaylistReading`.

    Their version is a digest of how many there are and of the first page: a song that is liked comes first, one that
    is removed changes the number.

    Parameters
    ----------
    client
        Reads them. The first page is read at once.
    playlist_id
        Their id: `keys.liked_songs_id`.
    user_id, user_name
        Who likes them. The name is not known before the user's playlists have been listed.

    Attributes
    ----------
    snapshot_id, contract, pages, entries
        As in `client.PlaylistReading`.
    """

    contract: Contract = "tracks"

    def __init__(
        self, client: SpotifyClient, playlist_id: str, user_id: str, user_name: str | None = None
    ) -> None:
        self._client = client
        self._playlist_id = playlist_id
        self._user_id = user_id
        self._owner = {"id": user_id} | ({"display_name": user_name} if user_name else {})
        self._attempts = 0
        self._begin(client.saved_page("song", 0))

    @property
    def listed(self) -> ListedPlaylist:
        """The list as far as its first page shows it."""
        return ListedPlaylist(self._playlist_id, LIKED_SONGS, self.snapshot_id, self._user_id, self._total)

    def confirm(self) -> Head | None:
        """Compare version and number with what was read; pages that are left are read first.

        Returns
        -------
        Head or None
            A playlist object. None if the list has changed since: drop what was read, and start with the new `pages`.

        Raises
        ------
        SpotifyUnavailable
            The list keeps changing, or Spotify sent more or fewer songs than it counts.
        """
        for _ in self.pages:
            pass
        if self.entries > PAGE_SIZE:
            first = self._client.saved_page("song", 0)
            if _version(first) != self.snapshot_id:
                self._begin(first)
                return None
        if self.entries != self._total:
            raise SpotifyUnavailable(f"there are {self._total} liked songs, but {self.entries} came")
        playlist: Mapping[str, Any] = {
            "id": self._playlist_id,
            "name": LIKED_SONGS,
            "owner": self._owner,
            "public": False,
            "collaborative": False,
            "external_urls": {"spotify": URL},
        }
        return Head(self._playlist_id, self.snapshot_id, playlist)

    def _begin(self, first: Page) -> None:
        if self._attempts == MAX_READINGS:
            raise SpotifyUnavailable(
                f"your Liked Songs changed each of the {MAX_READINGS} times they were read"
            )
        self._attempts += 1
        self.snapshot_id = _version(first)
        self.entries, self._total = 0, whole_number(first["total"]) or 0
        self.pages: Iterator[Page] = self._read(first)

    def _read(self, page: Page) -> Iterator[Page]:
        while True:
            self.entries += len(page["items"])
            self._total = whole_number(page["total"]) or 0
            yield page
            if not page["items"] or self.entries >= self._total:
                return
            page = self._client.saved_page("song", self.entries)


def _version(first: Page) -> str:
    songs = []
    for entry in first["items"]:
        song = entry.get("track") if isinstance(entry, dict) else None
        added_at = entry.get("added_at") if isinstance(entry, dict) else None
        songs.append([added_at, song.get("uri") if isinstance(song, dict) else None])
    text = json.dumps([whole_number(first["total"]), songs])
    return f"liked-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
