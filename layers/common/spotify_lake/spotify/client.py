"""The Web API as the lake needs it: whole playlists, whatever this app may do and however Spotify responds."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from itertools import chain, count
from typing import Any, Final, Literal

from spotify_lake.errors import (
    OutOfTime,
    PlaylistError,
    PlaylistForbidden,
    PlaylistNotFound,
    SpotifyRefused,
    SpotifyUnavailable,
)
from spotify_lake.spotify.calls import Refused
from spotify_lake.spotify.library import LibraryCaller, page_problem
from spotify_lake.spotify.mending import whole_number
from spotify_lake.spotify.models import Contract

MAX_READINGS: Final = 3  # of a playlist that changes while it is read
DETAILS_RESERVE_S: Final = 180.0  # details are requested only while more is left: playlists come first

SPOTIFY: Final = "spotify"  # the user who owns the playlists made by Spotify

type DetailKind = Literal["artists", "albums"]

_ENTRY_TYPES = ("track", "episode")
_PAGE_SIZES: dict[str, int] = {"items": 50, "tracks": 100, "listing": 50}
_DETAIL_BATCHES: dict[DetailKind, int] = {"artists": 50, "albums": 20}
_COPY_ADVICE = "Copy its songs into a playlist of your own and track that one."


@dataclass(frozen=True)
class ListedPlaylist:
    """A playlist as `GET /me/playlists` lists it.

    Attributes
    ----------
    id, name
        Of the playlist.
    snapshot_id
        Spotify's version of the list.
    owner_id
        Of the user who owns it.
    total
        Number of entries, if Spotify sends it.
    owner_name
        Display name of the user who owns it.
    """

    id: str
    name: str
    snapshot_id: str | None
    owner_id: str | None
    total: int | None
    owner_name: str | None = None

    @property
    def is_spotifys(self) -> bool:
        """Whether Spotify made the playlist; its snapshot_id then changes with every request."""
        return self.owner_id == SPOTIFY


@dataclass(frozen=True)
class Head:
    """A playlist object.

    Attributes
    ----------
    id
        Of the playlist.
    snapshot_id
        Spotify's version of the list.
    playlist
        The object as Spotify sent it.
    """

    id: str
    snapshot_id: str
    playlist: Mapping[str, Any]

    @property
    def embedded_page(self) -> Any:
        """The page of entries in the object, if it has one."""
        page = self.playlist.get("items")
        return self.playlist.get("tracks") if page is None else page

    @property
    def embedded(self) -> tuple[int, int] | None:
        """Number of entries in the object, and in the whole playlist; None if the object has no page of entries."""
        page = self.embedded_page
        if not isinstance(page, dict) or not isinstance(page.get("items"), list):
            return None
        total = whole_number(page.get("total"))
        return None if total is None else (len(page["items"]), total)

    @property
    def is_spotifys(self) -> bool:
        """Whether Spotify made the playlist; its snapshot_id then changes with every request."""
        return _owner_id(self.playlist) == SPOTIFY


class SpotifyClient(LibraryCaller):
    """Reads playlists in whatever way the app is allowed to."""

    _details_in_batches = True

    def me(self) -> str:
        """Return the id of the user who signed in."""

        def check(answer: dict[str, Any]) -> str | None:
            return None if isinstance(answer.get("id"), str) else "it has no user id"

        user_id: str = self._global_call("your user profile", self._spotify.current_user, check)["id"]
        return user_id

    def my_playlists(self, wanted: Collection[str] | None = None) -> list[ListedPlaylist]:
        """List the playlists that the user owns or follows, 50 with one request.

        Parameters
        ----------
        wanted
            Ids to find. The listing ends when they are found, or when it would take more requests than one for
            each id. None lists all.
        """
        found: dict[str, ListedPlaylist] = {}
        offset = 0
        for _ in count() if wanted is None else wanted:
            page = self._global_call(
                f"the list of your playlists from {offset} on",
                partial(self._spotify.current_user_playlists, limit=_PAGE_SIZES["listing"], offset=offset),
                _listing_problem,
            )
            # Spotify leaves out playlists that it cannot show, or sends null for them, so a page may be
            # short. Advancing by the number sent may list a playlist twice, but skips none.
            listed = (
                _listed(entry)
                for entry in page["items"]
                if isinstance(entry, dict) and _text(entry.get("id"))
            )
            found.update({playlist.id: playlist for playlist in listed})
            offset += len(page["items"])
            if not page["items"] or offset >= page["total"]:
                break
            if wanted is not None and found.keys() >= set(wanted):
                break
        return list(found.values())

    def playlist(self, playlist_id: str) -> Head:
        """Get a playlist's own fields, with the first page of its entries if Spotify embeds one.

        Raises
        ------
        PlaylistNotFound, PlaylistForbidden, PlaylistError
            Spotify does not show this playlist.
        """
        return Head(playlist_id, *self._head(playlist_id))

    def read(self, playlist_id: str, listed_version: str | None = None) -> "PlaylistReading":
        """Begin to read a whole playlist; see `PlaylistReading`.

        Parameters
        ----------
        playlist_id
            22 characters.
        listed_version
            The snapshot_id from `my_playlists`, which saves a request for it.

        Raises
        ------
        PlaylistNotFound, PlaylistForbidden, PlaylistError
            Spotify does not show this playlist to this app.
        """
        return PlaylistReading(
            self, playlist_id, listed_version or self._head(playlist_id, fields="snapshot_id")[0]
        )

    def open_entries(self, playlist_id: str) -> tuple[Contract, Iterator[dict[str, Any]]] | Head:
        """Find out by the first page in which way this app may read a playlist's entries.

        Returns
        -------
        tuple or Head
            The contract and the pages, of which the first is fetched already; or the playlist object if only that
            shows the entries, and shows all of them.

        Raises
        ------
        PlaylistNotFound, PlaylistForbidden, PlaylistError
            Spotify does not show this playlist to this app.
        """
        try:
            return "items", _started(self._pages(playlist_id, "items"))
        except Refused as refusal:
            head = self.playlist(playlist_id)
            if head.embedded and head.embedded[0] == head.embedded[1]:
                return head
            try:
                return "tracks", _started(self._pages(playlist_id, "tracks"))
            except Refused:
                why = (
                    f"this app gets only the first {head.embedded[0]} of its {head.embedded[1]} entries."
                    " Split it into playlists of at most 100 entries, or register the app anew."
                    if head.embedded
                    else f"it is not yours, nor are you one of its collaborators. {_COPY_ADVICE}"
                )
                raise PlaylistForbidden(head.id, why) from refusal

    def _pages(
        self, playlist_id: str, endpoint: Literal["items", "tracks"] = "items"
    ) -> Iterator[dict[str, Any]]:
        """Read a playlist's entries page by page, at least one page, until Spotify's total is reached.

        A refusal of the first page is raised as `Refused`: the caller may know another way.
        """
        offset, total, limit = 0, 1, _PAGE_SIZES[endpoint]
        while offset < total:
            what = f"playlist {playlist_id} from entry {offset} on"
            request = partial(self._entries, playlist_id, endpoint, limit, offset)
            try:
                page = self._call(what, request, partial(page_problem, offset=offset, limit=limit))
            except Refused as refusal:
                if offset == 0:
                    raise
                raise SpotifyUnavailable(
                    f"{what} was refused ({refusal}), the pages before were not"
                ) from refusal
            offset, total = offset + len(page["items"]), whole_number(page["total"]) or 0
            yield page

    def _entries(self, playlist_id: str, endpoint: str, limit: int, offset: int) -> Any:
        # spotipy's playlist_tracks requests /items since 2.26, and has no other method for /tracks.
        return self._spotify._get(  # noqa: SLF001
            f"playlists/{playlist_id}/{endpoint}",
            limit=limit,
            offset=offset,
            additional_types=",".join(_ENTRY_TYPES),
        )

    def _head(self, playlist_id: str, fields: str | None = None) -> tuple[str, dict[str, Any]]:
        """Get a playlist object, or some of its fields, and its snapshot_id."""

        def check(answer: dict[str, Any]) -> str | None:
            return (
                None
                if answer.get("snapshot_id") and isinstance(answer["snapshot_id"], str)
                else "no snapshot_id"
            )

        request = partial(self._spotify.playlist, playlist_id, fields=fields, additional_types=_ENTRY_TYPES)
        try:
            playlist = self._call(f"playlist {playlist_id}", request, check)
        except Refused as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                raise PlaylistNotFound(playlist_id) from refusal
            if refusal.status == HTTPStatus.FORBIDDEN:
                raise PlaylistForbidden(playlist_id, f"{refusal.message}. {_COPY_ADVICE}") from refusal
            raise PlaylistError(
                playlist_id,
                f"Spotify refuses to show playlist {playlist_id} ({refusal}). Check the id, or remove it from"
                " PlaylistIds.",
            ) from refusal
        return playlist["snapshot_id"], playlist

    def detail_batch(self, kind: DetailKind) -> int:
        """Return how many objects one request for details may ask for, as far as is known by now."""
        return _DETAIL_BATCHES[kind] if self._details_in_batches else 1

    def details(self, kind: DetailKind, ids: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        """Get full artists or albums with one request, which is not repeated if it fails.

        Parameters
        ----------
        kind
            `artists` or `albums`.
        ids
            At most `detail_batch(kind)`.

        Returns
        -------
        dict
            The objects by requested id, None for an id that Spotify does not know. It is empty if this app may
            not request several at once: `detail_batch` is 1 from then on.

        Raises
        ------
        OutOfTime
            The time left is reserved for the playlists.
        LakeError
            Spotify or the network fails the request.
        """
        left_s = self._time_left()
        if left_s < DETAILS_RESERVE_S:
            raise OutOfTime(left_s)
        # spotipy's own methods accept no more ids, and request /artists/?ids= with a stray slash.
        get = self._spotify._get  # noqa: SLF001
        what = f"{len(ids)} {kind}"
        try:
            if len(ids) > 1:
                check = partial(_batch_problem, kind=kind, size=len(ids))
                answer = self._call(what, partial(get, kind, ids=",".join(ids)), check, patient=False)
                return dict(zip(ids, answer[kind], strict=True))
            return {
                ids[0]: self._call(what, partial(get, f"{kind}/{ids[0]}"), _object_problem, patient=False)
            }
        except Refused as refusal:
            if len(ids) > 1:
                self._details_in_batches = False
                return {}
            if refusal.status == HTTPStatus.NOT_FOUND:
                return {ids[0]: None}
            raise SpotifyRefused(refusal.status, f"it does not show {kind} ({refusal.message})") from refusal


class PlaylistReading:
    """A playlist that is being read, as it was at one moment.

    Write the pages, then confirm the reading::

        while True:
            for page in reading.pages:
                ...
            if head := reading.confirm():
                break

    Attributes
    ----------
    snapshot_id
        The version of the list that the pages should show.
    contract
        How the entries are read. With `embedded` there are no pages: the entries are in the playlist object.
    pages
        The pages of entries as Spotify sent them. They can be iterated once.
    entries
        Number of entries read so far.
    """

    def __init__(self, client: SpotifyClient, playlist_id: str, snapshot_id: str) -> None:
        self._client = client
        self._playlist_id = playlist_id
        self._attempts = 0
        self._begin(snapshot_id)

    def confirm(self) -> Head | None:
        """Compare the playlist's version and size with what was read; pages that are left are read first.

        Returns
        -------
        Head or None
            The playlist object, if the pages show the list as it is now. None if the list has changed since: drop
            what was read, and start with the new `pages` and `snapshot_id`.

        Raises
        ------
        SpotifyUnavailable
            The list keeps changing, or Spotify sent more or fewer entries than it counts.
        """
        for _ in self.pages:
            pass
        head = self._embedded or self._client.playlist(self._playlist_id)
        if head.snapshot_id != self.snapshot_id and not head.is_spotifys:
            self._begin(head.snapshot_id)
            return None
        if self.entries != self._total:
            raise SpotifyUnavailable(
                f"playlist {self._playlist_id} has {self._total} entries, but {self.entries} came"
            )
        return head

    def _begin(self, snapshot_id: str) -> None:
        if self._attempts == MAX_READINGS:
            raise SpotifyUnavailable(
                f"playlist {self._playlist_id} changed each of the {MAX_READINGS} times it was read"
            )
        self._attempts += 1
        self.snapshot_id = snapshot_id
        self.entries = self._total = 0
        self._embedded: Head | None = None
        self.contract: Contract = "embedded"
        self.pages: Iterator[dict[str, Any]] = iter(())
        opened = self._client.open_entries(self._playlist_id)
        if isinstance(opened, Head):
            self._embedded, self.snapshot_id = opened, opened.snapshot_id
            self.entries, self._total = opened.embedded or (0, 0)
        else:
            self.contract, pages = opened
            self.pages = self._counted(pages)

    def _counted(self, pages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for page in pages:
            self.entries += len(page["items"])
            self._total = whole_number(page["total"]) or 0
            yield page


def _listing_problem(page: dict[str, Any]) -> str | None:
    if not isinstance(page.get("items"), list) or whole_number(page.get("total")) is None:
        return "it is not a page"
    if not page["items"] and page.get("next"):
        return "it is empty, but promises more"
    return None


def _object_problem(answer: dict[str, Any]) -> str | None:
    return None if isinstance(answer.get("id"), str) else "it has no id"


def _batch_problem(answer: dict[str, Any], *, kind: DetailKind, size: int) -> str | None:
    objects = answer.get(kind)
    if not isinstance(objects, list) or len(objects) != size:
        return f"it does not hold {size} {kind}"
    problems = (_object_problem(found) if isinstance(found, dict) else found for found in objects)
    return f"some {kind} are not objects with an id" if any(problems) else None


def _started(pages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Fetch the first page now, so that a refusal is raised before anything is written."""
    return chain([next(pages)], pages)


def _listed(entry: Mapping[str, Any]) -> ListedPlaylist:
    page = entry.get("tracks") if entry.get("items") is None else entry["items"]
    return ListedPlaylist(
        id=entry["id"],
        name=_text(entry.get("name")) or "",
        snapshot_id=_text(entry.get("snapshot_id")),
        owner_id=_owner_id(entry),
        total=whole_number(page.get("total")) if isinstance(page, dict) else None,
        owner_name=_of_owner(entry, "display_name"),
    )


def _owner_id(playlist: Mapping[str, Any]) -> str | None:
    return _of_owner(playlist, "id")


def _of_owner(playlist: Mapping[str, Any], field: str) -> str | None:
    owner = playlist.get("owner")
    return _text(owner.get(field)) if isinstance(owner, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
