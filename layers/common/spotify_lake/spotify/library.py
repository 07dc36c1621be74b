"""What a user has saved and played: lists that belong to no playlist and need a permission of their own."""

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple

from spotify_lake.errors import InsufficientScope, PartRefused, PermissionMissing, SpotifyUnavailable
from spotify_lake.spotify.calls import Caller, Check, Refused
from spotify_lake.spotify.mending import whole_number
from spotify_lake.spotify.scopes import FOLLOW_READ, LIBRARY_READ, RECENTLY_PLAYED

RECENT_PLAYS: Final = 50  # Spotify keeps no more
PAGE_SIZE: Final = 50
MAX_READINGS: Final = 3  # of a list that changes while it is read

type SavedKind = Literal["song", "album", "show", "episode", "audiobook"]
type Page = Mapping[str, Any]


class _Part(NamedTuple):
    """Something that a user may permit: what it is, the scope, and how to do without."""

    what: str
    scope: str
    otherwise: str


_LIBRARY_OFF = "set Library to `off`"
_PLAYS = _Part("what you played", RECENTLY_PLAYED, "empty ListeningSchedule")
_FOLLOWED = _Part("the artists you follow", FOLLOW_READ, _LIBRARY_OFF)
_SAVED: Final[dict[SavedKind, tuple[str, _Part]]] = {
    "song": ("me/tracks", _Part("your Liked Songs", LIBRARY_READ, "take `liked` out of PlaylistIds")),
    "album": ("me/albums", _Part("your albums", LIBRARY_READ, _LIBRARY_OFF)),
    "show": ("me/shows", _Part("your shows", LIBRARY_READ, _LIBRARY_OFF)),
    "episode": ("me/episodes", _Part("your episodes", LIBRARY_READ, _LIBRARY_OFF)),
    "audiobook": ("me/audiobooks", _Part("your audiobooks", LIBRARY_READ, _LIBRARY_OFF)),
}


class LibraryCaller(Caller):
    """Reads what the user saved and played.

    Its methods raise PermissionMissing if no user signed in or without the permission, and PartRefused if Spotify does
    not show it all the same.
    """

    def recent_plays(self) -> Page:
        """Return the last plays, newest first, as Spotify sent them."""
        # Not with a cursor: a play may turn up late, before plays that are known.
        return self._permitted(_PLAYS, "me/player/recently-played", _items_problem, limit=RECENT_PLAYS)

    def check_permission(self, kind: SavedKind) -> None:
        """Raise PermissionMissing if it is certain that the user did not permit reading this."""
        _, part = _SAVED[kind]
        if not self.permits(part.scope):
            raise PermissionMissing(*part)

    def saved_page(self, kind: SavedKind, offset: int) -> Page:
        """Return a page of the songs, albums and so on that the user saved, the latest first.

        Parameters
        ----------
        kind
            What to list.
        offset
            How many to skip. The page is full unless it is the last.
        """
        path, part = _SAVED[kind]
        return self._permitted(
            part, path, partial(page_problem, offset=offset, limit=PAGE_SIZE), limit=PAGE_SIZE, offset=offset
        )

    def saved(self, kind: SavedKind) -> list[Page] | None:
        """Return all pages of what the user saved; None if Spotify does not offer the kind in their country.

        Raises
        ------
        SpotifyUnavailable
            The list keeps changing.
        """
        for _ in range(MAX_READINGS):
            pages, offset, total = list[Page](), 0, 1
            while offset < total:
                try:
                    page = self.saved_page(kind, offset)
                except PartRefused as refusal:
                    if refusal.status == HTTPStatus.NOT_FOUND:
                        return None
                    raise
                pages.append(page)
                offset, total = offset + len(page["items"]), whole_number(page["total"]) or 0
            if len({whole_number(page["total"]) for page in pages}) == 1:
                return pages
        raise SpotifyUnavailable(
            f"{_SAVED[kind][1].what} changed each of the {MAX_READINGS} times they were read"
        )

    def followed_artists(self) -> list[Page]:
        """Return all pages of the artists that the user follows."""
        pages, after = list[Page](), dict[str, str]()
        while True:
            answer = self._permitted(
                _FOLLOWED, "me/following", _followed_problem, type="artist", limit=PAGE_SIZE, **after
            )
            page: Page = answer["artists"]
            pages.append(page)
            cursors = page.get("cursors")
            cursor = cursors.get("after") if isinstance(cursors, dict) else None
            if not page["items"] or not isinstance(cursor, str):
                return pages
            if after.get("after") == cursor:
                raise SpotifyUnavailable("the list of the artists you follow does not end")
            after = {"after": cursor}

    def _permitted(self, part: _Part, path: str, check: Check, **query: Any) -> dict[str, Any]:
        if not self.permits(part.scope):
            raise PermissionMissing(*part)
        try:
            return self._call(part.what, partial(self._spotify._get, path, **query), check)  # noqa: SLF001
        except InsufficientScope as error:
            raise PermissionMissing(*part) from error
        except Refused as refusal:
            raise PartRefused(refusal.status, part.what, refusal.message) from refusal


def page_problem(page: dict[str, Any], *, offset: int, limit: int) -> str | None:
    """Return what is wrong with a page of a list: each must be full, except for the last."""
    entries = page.get("items")
    total, served_offset, served_limit = (
        whole_number(page.get(name)) for name in ("total", "offset", "limit")
    )
    if not isinstance(entries, list) or total is None:
        return "it is not a page of entries"
    if served_offset is not None and served_offset != offset:
        return f"it starts at entry {served_offset}"
    if served_limit is not None and 0 < served_limit < limit:
        limit = served_limit
    due = max(0, min(limit, total - offset))
    return f"it holds {len(entries)} of {due} entries" if len(entries) < due else None


def _items_problem(answer: dict[str, Any]) -> str | None:
    return None if isinstance(answer.get("items"), list) else "it has no items"


def _followed_problem(answer: dict[str, Any]) -> str | None:
    page = answer.get("artists")
    return _items_problem(page) if isinstance(page, dict) else "it has no artists"
