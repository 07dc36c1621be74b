"""The Web API as the lake needs it: whole playlists, whatever the app may do and however Spotify answers.

Every condition that Spotify or the network can cause leaves this module as one of the classes in `errors`.
"""

import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from itertools import chain, count
from typing import Any, Final, Literal, Protocol

import msgspec
import requests
import spotipy

from spotify_lake.errors import (
    OutOfTime,
    PlaylistError,
    PlaylistForbidden,
    PlaylistNotFound,
    QuotaExceeded,
    RateLimited,
    SpotifyRefused,
    SpotifyUnavailable,
)
from spotify_lake.spotify.auth import (
    DEFAULT_RETRY_AFTER_S,
    REQUEST_TIMEOUT_S,
    Credentials,
    failed_response,
    retry_after_s,
    sign_in,
)
from spotify_lake.spotify.models import Contract
from spotify_lake.spotify.session import PromptSession

RESERVE_S: Final = 10.0  # kept back from the time left, to store what was read and to end in order
LONGEST_WAIT_S: Final = 60.0  # a longer Retry-After is not sat out: a rate limit's window is 30 s
MAX_LIMIT_WAITS: Final = 5  # per request
FAULT_PAUSES_S: Final = (0.5, 1.0, 2.0)  # before each further try of a request that ended in a fault
MAX_READINGS: Final = 3  # of a playlist that changes while it is read
DETAILS_RESERVE_S: Final = 180.0  # details are asked for only while more is left: playlists come first
DEFAULT_QUOTA_WAIT_S: Final = 24 * 3600.0  # the quota's window, when a 429 does not say

SPOTIFY: Final = "spotify"  # the user who owns what Spotify makes

type DetailKind = Literal["artists", "albums"]
type _Check = Callable[[dict[str, Any]], str | None]  # what is wrong with an answer

_ENTRY_TYPES = ("track", "episode")
_PAGE_SIZES: dict[str, int] = {"items": 50, "tracks": 100, "listing": 50}
_DETAIL_BATCHES: dict[DetailKind, int] = {"artists": 50, "albums": 20}
_QUOTA_REASON = "QUOTA_EXCEEDED"
# Conditions of the app or of the sign-in that Spotify reports with 403, whatever is asked for.
_REFUSALS = {
    re.compile("premium", re.IGNORECASE): (
        "The owner of the app needs Spotify Premium, which every app in development mode requires: renew the"
        " subscription, then start the run again."
    ),
    re.compile("registered", re.IGNORECASE): (
        "The user who signed in is not on the app's list: add them under User Management in Spotify's"
        " developer dashboard."
    ),
    re.compile("scope", re.IGNORECASE): (
        "The sign-in lacks a permission: run `./lake login` and accept all of them."
    ),
}
_COPY_ADVICE = "Copy its songs into a playlist of your own and track that one."


class _Refused(Exception):
    """A 4xx that concerns only what was asked for."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status}: {message}")


class _Unauthorized(Exception):
    """401: the access token is not, or no longer, accepted."""


class PageSink(Protocol):
    """Takes the pages of a playlist one by one."""

    def add_page(self, page: Mapping[str, Any]) -> None:
        """Take the next page."""


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
        Number of entries, if Spotify says.
    """

    id: str
    name: str
    snapshot_id: str | None
    owner_id: str | None
    total: int | None

    @property
    def is_spotifys(self) -> bool:
        """Whether Spotify made the list; its snapshot_id then changes with every request."""
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
    def embedded(self) -> tuple[int, int] | None:
        """How many entries the object carries, and how many the playlist has; None if it carries no page."""
        page = self.playlist.get("items")
        if page is None:
            page = self.playlist.get("tracks")
        if not isinstance(page, dict) or not isinstance(page.get("items"), list):
            return None
        total = page.get("total")
        return (len(page["items"]), total) if isinstance(total, int) else None

    @property
    def is_spotifys(self) -> bool:
        """Whether Spotify made the list; its snapshot_id then changes with every request."""
        return _owner_id(self.playlist) == SPOTIFY


@dataclass(frozen=True)
class Reading[Sink: PageSink]:
    """A playlist that was read completely.

    Attributes
    ----------
    sink
        What took the pages.
    head
        The playlist object.
    entries
        Number of entries; Spotify's own count says the same.
    contract
        How they were read.
    """

    sink: Sink
    head: Head
    entries: int
    contract: Contract


class SpotifyClient:
    """Reads playlists through spotipy, in whatever way the app is allowed to.

    A request is sent again after a fault, after a short rate limit and, with a new sign-in, after a 401;
    never when the time left does not suffice. All waiting is done here: neither urllib3 nor spotipy retries.

    Parameters
    ----------
    credentials
        To sign in with, at the first request.
    api_url, accounts_url
        Base URLs of the Web API and of the accounts service.
    time_left
        Returns the seconds until the function is stopped.
    keep_refresh_token
        Called with the old and the new refresh token when Spotify replaces it, so that it can be stored.
    sleep
        Waits for a number of seconds.
    session
        To send requests with.

    Attributes
    ----------
    requests
        Number of requests sent so far, those to sign in included.
    rate_limits, quotas_exceeded
        Number of answers with 429, of either kind.
    rotated_refresh_token
        A refresh token that Spotify sent to replace the stored one, if any.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        api_url: str,
        accounts_url: str,
        time_left: Callable[[], float],
        keep_refresh_token: Callable[[str, str], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        session: requests.Session | None = None,
    ) -> None:
        self.requests = 0
        self.rate_limits = 0
        self.quotas_exceeded = 0
        self.rotated_refresh_token: str | None = None
        self._credentials = credentials
        self._accounts_url = accounts_url
        self._time_left = time_left
        self._keep_refresh_token = keep_refresh_token
        self._sleep = sleep
        self._session = session or PromptSession()
        self._signed_in = False
        self._details_in_batches = True
        self._spotify = spotipy.Spotify(requests_session=self._session)
        self._spotify.prefix = f"{api_url}/v1/"

    @property
    def sign_in_fingerprint(self) -> str:
        """The same for as long as the sign-in is, and telling nothing of it."""
        token = f"{self._credentials.client_id} {self._credentials.refresh_token}"
        return hashlib.sha256(token.encode()).hexdigest()[:16]

    @property
    def acts_for_user(self) -> bool:
        """Whether a user signed in; without, only public playlists of known id can be read."""
        return self._credentials.refresh_token is not None

    def me(self) -> str:
        """Return the id of the user who signed in."""

        def check(answer: dict[str, Any]) -> str | None:
            return None if isinstance(answer.get("id"), str) else "it holds no user id"

        user_id: str = self._global_call("your user profile", self._spotify.current_user, check)["id"]
        return user_id

    def check_time(self) -> None:
        """Raise OutOfTime if nothing more should be begun."""
        self._timeout_s()

    def my_playlists(self, wanted: Collection[str] | None = None) -> list[ListedPlaylist]:
        """List the playlists that the user owns or follows, 50 with one request.

        Parameters
        ----------
        wanted
            Ids to find. The list ends when they are found, or when looking further would take more requests
            than asking for each of them. None lists all.
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
            # short. Going on by what was sent may list a playlist twice, but leaves none out.
            listed = (
                _listed(entry) for entry in page["items"] if isinstance(entry, dict) and entry.get("id")
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

    def _pages(
        self, playlist_id: str, endpoint: Literal["items", "tracks"] = "items"
    ) -> Iterator[dict[str, Any]]:
        """Read a playlist's entries page by page, at least one page, until Spotify's total is reached.

        A refusal of the first page is raised as it is: the caller may know another way.
        """
        offset, total, limit = 0, 1, _PAGE_SIZES[endpoint]
        while offset < total:
            what = f"playlist {playlist_id} from entry {offset} on"
            request = partial(self._entries, playlist_id, endpoint, limit, offset)
            try:
                page = self._call(what, request, partial(_page_problem, offset=offset, limit=limit))
            except _Refused as refusal:
                if offset == 0:
                    raise
                raise SpotifyUnavailable(
                    f"{what} was refused ({refusal}), the pages before were not"
                ) from refusal
            offset, total = offset + len(page["items"]), page["total"]
            yield page

    def fetch[Sink: PageSink](
        self, playlist_id: str, begin: Callable[[str, Contract], Sink], listed_version: str | None = None
    ) -> Reading[Sink]:
        """Read a whole playlist, as it was at one moment.

        The playlist object comes last: its snapshot_id shows whether the list kept still since the version
        that is known from before.

        Parameters
        ----------
        playlist_id
            22 characters.
        begin
            Makes the sink for the pages; called once for each reading, with the snapshot_id and the way the
            entries are read. A sink is dropped when the list turns out to have changed meanwhile.
        listed_version
            The snapshot_id as `my_playlists` lists it, which saves asking for it.

        Returns
        -------
        Reading
            With the playlist object, and the sink that holds every entry. For the contract `embedded` the
            sink got no page: the entries are in the playlist object.

        Raises
        ------
        PlaylistNotFound, PlaylistForbidden, PlaylistError
            Spotify does not show this playlist to this app.
        SpotifyUnavailable
            Also when the list does not keep still, or Spotify sends more or fewer entries than it counts.
        """
        version = listed_version or self._head(playlist_id, fields="snapshot_id")[0]
        for _ in range(MAX_READINGS):
            opened = self._open(playlist_id)
            if isinstance(opened, Head):
                sink = begin(opened.snapshot_id, "embedded")
                return Reading(sink, opened, opened.embedded[0] if opened.embedded else 0, "embedded")
            contract, pages = opened
            sink = begin(version, contract)
            entries = total = 0
            for page in pages:
                sink.add_page(page)
                entries, total = entries + len(page["items"]), page["total"]
            head = self.playlist(playlist_id)
            if head.is_spotifys or head.snapshot_id == version:
                if entries != total:
                    raise SpotifyUnavailable(
                        f"playlist {playlist_id} has {total} entries, but {entries} came"
                    )
                return Reading(sink, head, entries, contract)
            version = head.snapshot_id
        raise SpotifyUnavailable(
            f"playlist {playlist_id} changed each of the {MAX_READINGS} times it was read"
        )

    def detail_batch(self, kind: DetailKind) -> int:
        """Return how many objects one request for details may ask for, as far as is known."""
        return _DETAIL_BATCHES[kind] if self._details_in_batches else 1

    def details(self, kind: DetailKind, ids: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        """Get artists or albums in full, with one request that is not sent again if it fails.

        Parameters
        ----------
        kind
            `artists` or `albums`.
        ids
            At most `detail_batch(kind)`.

        Returns
        -------
        dict
            The objects by the ids asked for, None for an id that Spotify does not know. It is empty if this
            app may not ask for several at a time: `detail_batch` is 1 from then on.

        Raises
        ------
        OutOfTime
            The time left belongs to the playlists.
        LakeError
            Whatever Spotify answers instead.
        """
        left_s = self._time_left()
        if left_s < DETAILS_RESERVE_S:
            raise OutOfTime(left_s)
        # spotipy's own methods take no more than these do, and ask /artists/?ids= with a stray slash.
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
        except _Refused as refusal:
            if len(ids) > 1:
                self._details_in_batches = False
                return {}
            if refusal.status == HTTPStatus.NOT_FOUND:
                return {ids[0]: None}
            raise SpotifyRefused(refusal.status, f"it does not show {kind} ({refusal.message})") from refusal

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
        except _Refused as refusal:
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

    def _open(self, playlist_id: str) -> tuple[Contract, Iterator[dict[str, Any]]] | Head:
        """Find out which way of reading the entries is open to this app, by the first page.

        Returns the pages, or the playlist object if only that one shows the entries, and shows them all.
        """
        try:
            return "items", _started(self._pages(playlist_id, "items"))
        except _Refused as refusal:
            head = self.playlist(playlist_id)
            if head.embedded and head.embedded[0] == head.embedded[1]:
                return head
            try:
                return "tracks", _started(self._pages(playlist_id, "tracks"))
            except _Refused:
                why = (
                    f"this app gets only the first {head.embedded[0]} of its {head.embedded[1]} entries."
                    " Split it into playlists of at most 100 entries, or register the app anew."
                    if head.embedded
                    else f"it is not yours, nor are you one of its collaborators. {_COPY_ADVICE}"
                )
                raise PlaylistForbidden(head.id, why) from refusal

    def _entries(self, playlist_id: str, endpoint: str, limit: int, offset: int) -> Any:
        # spotipy's playlist_tracks asks /items since 2.26, and it has no other way to reach /tracks.
        return self._spotify._get(  # noqa: SLF001
            f"playlists/{playlist_id}/{endpoint}",
            limit=limit,
            offset=offset,
            additional_types=",".join(_ENTRY_TYPES),
        )

    def _global_call(self, what: str, request: Callable[[], Any], check: _Check) -> dict[str, Any]:
        """Send a request that concerns no playlist: a refusal concerns the whole run."""
        try:
            return self._call(what, request, check)
        except _Refused as refusal:
            raise SpotifyRefused(
                refusal.status,
                f"it does not show {what} ({refusal.message}). Run `./lake login` to sign in again.",
            ) from refusal

    def _call(
        self, what: str, request: Callable[[], Any], check: _Check, *, patient: bool = True
    ) -> dict[str, Any]:
        """Send a request until it is answered, within the limits that the class describes.

        Not being patient, it waits for nothing: only a 401 makes it try again.
        """
        pauses = iter(FAULT_PAUSES_S)
        waits = 0
        signed_in_again = False
        while True:
            try:
                return self._attempt(what, request, check)
            except SpotifyUnavailable:
                if not patient or not self._pause(next(pauses, None)):
                    raise
            except QuotaExceeded:
                self.quotas_exceeded += 1
                raise
            except RateLimited as limit:
                self.rate_limits += 1
                waits += 1
                if not patient or waits > MAX_LIMIT_WAITS or not self._pause(limit.retry_after_s):
                    raise
            except _Unauthorized as error:
                if signed_in_again:
                    raise SpotifyRefused(
                        HTTPStatus.UNAUTHORIZED,
                        f"it hands out access tokens but does not accept them for {what}. Run `./lake login` to"
                        " sign in again.",
                    ) from error
                signed_in_again = True
                self._signed_in = False

    def _pause(self, seconds: float | None) -> bool:
        """Wait, if there is a wait to do and time for it."""
        if seconds is None or seconds > LONGEST_WAIT_S or seconds + RESERVE_S > self._time_left():
            return False
        self._sleep(seconds)
        return True

    def _attempt(self, what: str, request: Callable[[], Any], check: _Check) -> dict[str, Any]:
        """Send a request once, signed in, and turn whatever goes wrong into a condition."""
        if not self._signed_in:
            self._sign_in()
        self._spotify.requests_timeout = self._timeout_s()
        self.requests += 1
        try:
            answer = request()
        except requests.RequestException as error:
            raise SpotifyUnavailable(
                f"the connection failed while reading {what} ({type(error).__name__})"
            ) from error
        except (spotipy.SpotifyException, AttributeError) as error:
            response = failed_response(error)
            if response is None:
                raise
            raise _condition(what, response) from error
        # spotipy returns None for an answer that is cut short or no JSON.
        problem = check(answer) if isinstance(answer, dict) else "it is cut short or no JSON object"
        if problem:
            raise SpotifyUnavailable(f"the answer for {what} is unusable: {problem}")
        return dict(answer)

    def _sign_in(self) -> None:
        timeout_s = self._timeout_s()
        self.requests += 1
        token = sign_in(self._credentials, self._accounts_url, session=self._session, timeout_s=timeout_s)
        if token.rotated_refresh_token:
            self.rotated_refresh_token = token.rotated_refresh_token
            if self._keep_refresh_token and self._credentials.refresh_token:
                self._keep_refresh_token(self._credentials.refresh_token, token.rotated_refresh_token)
            self._credentials = msgspec.structs.replace(
                self._credentials, refresh_token=token.rotated_refresh_token
            )
        self._spotify.set_auth(token.value)
        self._signed_in = True

    def _timeout_s(self) -> float:
        left_s = self._time_left()
        if left_s <= RESERVE_S:
            raise OutOfTime(left_s)
        return min(REQUEST_TIMEOUT_S, left_s - RESERVE_S)


def _condition(what: str, response: requests.Response) -> Exception:
    """Name the condition that a 4xx or 5xx answer stands for."""
    status = response.status_code
    message, reason = _error_body(response)
    if status == HTTPStatus.UNAUTHORIZED:
        return _Unauthorized(message)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        if reason == _QUOTA_REASON:
            return QuotaExceeded(retry_after_s(response) or DEFAULT_QUOTA_WAIT_S)
        return RateLimited(retry_after_s(response) or DEFAULT_RETRY_AFTER_S)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SpotifyUnavailable(f"the answer for {what} is {status} ({message})")
    if status == HTTPStatus.FORBIDDEN:
        for pattern, advice in _REFUSALS.items():
            if pattern.search(message):
                return SpotifyRefused(status, f"{message}. {advice}")
    return _Refused(status, message)


def _error_body(response: requests.Response) -> tuple[str, str | None]:
    """Read message and reason of an error answer, of whatever shape."""
    try:
        body = response.json()
    except ValueError:
        body = response.text
    error = body.get("error", body) if isinstance(body, dict) else body
    reason = None
    if isinstance(error, dict):
        reason = error.get("reason") or (body.get("reason") if isinstance(body, dict) else None)
        error = error.get("message")
    text = " ".join(str(error or response.reason or "no reason given").split())
    return text[:200].rstrip("."), reason if isinstance(reason, str) else None


def _listing_problem(page: dict[str, Any]) -> str | None:
    if not isinstance(page.get("items"), list) or not isinstance(page.get("total"), int):
        return "it is no page"
    if not page["items"] and page.get("next"):
        return "it is empty, but says that more follow"
    return None


def _object_problem(answer: dict[str, Any]) -> str | None:
    return None if isinstance(answer.get("id"), str) else "it holds no id"


def _batch_problem(answer: dict[str, Any], *, kind: DetailKind, size: int) -> str | None:
    objects = answer.get(kind)
    if not isinstance(objects, list) or len(objects) != size:
        return f"it holds no {size} {kind}"
    problems = (_object_problem(found) if isinstance(found, dict) else found for found in objects)
    return f"{kind} are no objects with an id" if any(problems) else None


def _page_problem(page: dict[str, Any], *, offset: int, limit: int) -> str | None:
    """Say what is wrong with a page of entries: each must be full, except for the last."""
    entries, total, served_limit = page.get("items"), page.get("total"), page.get("limit")
    if not isinstance(entries, list) or not isinstance(total, int):
        return "it is no page of entries"
    served_offset = page.get("offset")
    if isinstance(served_offset, int) and served_offset != offset:
        return f"it starts at entry {served_offset}"
    if isinstance(served_limit, int) and 0 < served_limit < limit:
        limit = served_limit
    due = max(0, min(limit, total - offset))
    return f"it holds {len(entries)} of {due} entries" if len(entries) < due else None


def _started(pages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Fetch the first page now, so that a refusal shows before anything is written."""
    return chain([next(pages)], pages)


def _listed(entry: Mapping[str, Any]) -> ListedPlaylist:
    page = entry.get("tracks") if entry.get("items") is None else entry["items"]
    return ListedPlaylist(
        id=entry["id"],
        name=entry.get("name") or "",
        snapshot_id=entry.get("snapshot_id"),
        owner_id=_owner_id(entry),
        total=page.get("total") if isinstance(page, dict) else None,
    )


def _owner_id(playlist: Mapping[str, Any]) -> str | None:
    owner = playlist.get("owner")
    return owner.get("id") if isinstance(owner, dict) else None
