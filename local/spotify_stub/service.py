"""Spotify's answers to requests: routes, sign-in, permissions and errors, without sockets or a clock."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode, urlsplit

from local.spotify_stub import (
    CLIENT_ID,
    CLIENT_SECRET,
    OWNER_ID,
    REFRESH_TOKEN,
    SCOPES,
    SPOTIFY_MADE_PLAYLIST_ID,
    Contract,
    Visibility,
)
from local.spotify_stub import playlists as lists
from local.spotify_stub.catalog import catalog
from local.spotify_stub.fields import Selection, parse_fields, select_fields
from local.spotify_stub.library import followed_artists, liked_page, saved_page
from local.spotify_stub.listening import MOST_SHOWN, recent_plays
from local.spotify_stub.objects import Json, PageRequest, album_object, artist_object, me_object, track_object
from local.spotify_stub.playlist_objects import entries_page, playlist_object, playlists_page

TOKEN_LIFETIME_S: Final = 3600
CODE_LIFETIME_S: Final = 600
GRANT_PARAMETER: Final = "stub_grant"
"""A query parameter of /authorize in the stub only: the scopes that the user grants; if empty, the user refuses."""
DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 50
LEGACY_TRACKS_LIMIT: Final = 100
MESSAGES: Final = {
    401: "The access token expired",
    404: "Resource not found",
    429: "API rate limit exceeded",
}
MAX_IDS: Final = {"albums": 20, "artists": 50, "tracks": 50}


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the Web API or to the token endpoint.

    Attributes
    ----------
    method, path, query, form
        As received; `form` is the decoded body.
    authorization
        The Authorization header, or empty.
    base_url
        The address by which the client reached the server, without /v1.
    now
        The time (UTC) whose playlists and plays are returned.
    unix_time
        The real time in seconds since 1970, for the lifetime of tokens.
    number
        The number of earlier requests.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    authorization: str = ""
    base_url: str = "http://127.0.0.1"
    now: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    unix_time: float = 0
    number: int = 0

    @property
    def day(self) -> date:
        """The day (UTC) whose playlists are returned."""
        return self.now.date()


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `body` is sent as JSON."""

    status: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Authorization:
    """The grant behind a code from /authorize."""

    redirect_uri: str
    scopes: str
    expires_at: float


@dataclass(eq=False)
class OAuthError(Exception):
    """An error of the accounts service, sent with status 400."""

    error: str
    description: str


@dataclass(eq=False)
class SpotifyError(Exception):
    """An error of the Web API."""

    status: int
    message: str


def error_body(status: int, message: str = "") -> Json:
    """Return the body of an error of the Web API."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus else "Unknown"
    return {"error": {"status": status, "message": message or MESSAGES.get(status, phrase)}}


def access_token(*, for_user: bool, expires_at: float) -> str:
    """Return an access token. It contains its expiry and a signature, so it survives a restart of the stub.

    Parameters
    ----------
    for_user
        True for a token of the owner, False for the client credentials flow.
    expires_at
        Real seconds since 1970.
    """
    claim = f"{'user' if for_user else 'client'}.{int(expires_at)}"
    signature = hmac.new(CLIENT_SECRET.encode(), claim.encode(), hashlib.sha256).hexdigest()
    return "BQ" + base64.urlsafe_b64encode(f"{claim}.{signature}".encode()).decode().rstrip("=")


def is_user_token(token: str, unix_time: float) -> bool:
    """Check an access token; return whether it is for a user.

    Raises
    ------
    SpotifyError
        401: the token is invalid or has expired.
    """
    try:
        encoded = token.removeprefix("BQ")
        claim = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        who, expires_at, _ = claim.split(".")
        for_user = who == "user"
        expected = access_token(for_user=for_user, expires_at=int(expires_at))
    except (binascii.Error, ValueError) as error:
        raise SpotifyError(401, "Invalid access token") from error
    if not hmac.compare_digest(token.encode(), expected.encode()):
        raise SpotifyError(401, "Invalid access token")
    if unix_time >= int(expires_at):
        raise SpotifyError(401, MESSAGES[401])
    return for_user


class WebApi:
    """Spotify's Web API and accounts service in one of the two contracts."""

    def __init__(self, contract: Contract) -> None:
        self.contract: Contract = contract
        self.visibility: Visibility = "together"
        self.granted = frozenset(SCOPES)  # what the owner permitted the app when they last consented
        self._authorizations: dict[str, Authorization] = {}
        playlist = r"/v1/playlists/([^/]+)"
        self._routes: list[tuple[re.Pattern[str], Callable[..., Json]]] = [
            (re.compile(pattern + "/?"), answer)
            for pattern, answer in (
                (r"/v1/me", self._me),
                (r"/v1/me/playlists", self._my_playlists),
                (r"/v1/me/tracks", self._liked),
                (r"/v1/me/(albums|shows|episodes|audiobooks)", self._saved),
                (r"/v1/me/following", self._following),
                (r"/v1/me/player/recently-played", self._recently_played),
                (playlist, self._playlist),
                (playlist + "/(items|tracks)", self._entries),
                (r"/v1/(albums|artists|tracks)/([^/]+)", self._one),
                (r"/v1/(albums|artists|tracks)", self._several),
            )
        ]

    def respond(self, request: Request) -> Response:
        """Answer a request as Spotify does, with an error if necessary."""
        try:
            if request.path == "/authorize":
                return self._authorize(request)
            if request.path == "/api/token":
                return self._token(request)
            body = self._answer(request)
            if "fields" in request.query and request.path.startswith("/v1/playlists/"):
                body = select_fields(body, _selection(request.query["fields"]))
        except OAuthError as error:
            return Response(400, {"error": error.error, "error_description": error.description})
        except SpotifyError as error:
            return Response(error.status, error_body(error.status, error.message), _challenge(error))
        return Response(200, body)

    def _answer(self, request: Request) -> Json:
        for pattern, answer in self._routes:
            if match := pattern.fullmatch(request.path):
                if request.method != "GET":
                    raise SpotifyError(405, "Method not allowed")
                scheme, _, token = request.authorization.partition(" ")
                if scheme != "Bearer" or not token:
                    raise SpotifyError(401, "No token provided")
                return answer(request, is_user_token(token, request.unix_time), *match.groups())
        raise SpotifyError(404, "Service not found")

    def _authorize(self, request: Request) -> Response:
        """Redirect the browser with a code, as if the user had agreed on Spotify's page."""
        query = request.query
        redirect_uri = query.get("redirect_uri", "")
        if request.method != "GET":
            return Response(405, {"error": "method_not_allowed"})
        # In these three cases Spotify shows an error page and does not redirect the browser.
        if query.get("client_id") != CLIENT_ID:
            raise OAuthError("invalid_client", "Invalid client")
        if not _is_allowed_redirect(redirect_uri):
            raise OAuthError("invalid_client", "Insecure redirect URI")
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "response_type must be code")
        scopes = query.get(GRANT_PARAMETER, query.get("scope", ""))
        if GRANT_PARAMETER in query and not scopes:
            answer = {"error": "access_denied"}
        else:
            signature = hmac.new(CLIENT_SECRET.encode(), f"code {request.number}".encode(), hashlib.sha256)
            code = f"AQ{signature.hexdigest()}"
            expires_at = request.unix_time + CODE_LIFETIME_S
            self._authorizations[code] = Authorization(redirect_uri, scopes, expires_at)
            answer = {"code": code}
        if "state" in query:
            answer["state"] = query["state"]
        return Response(302, {}, {"Location": f"{redirect_uri}?{urlencode(answer)}"})

    def _token(self, request: Request) -> Response:
        credentials = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.method != "POST":
            return Response(405, {"error": "method_not_allowed"})
        if not hmac.compare_digest(request.authorization.encode(), f"Basic {credentials}".encode()):
            raise OAuthError("invalid_client", "Invalid client")
        of_user = self._of_user(request)
        token = access_token(for_user=of_user is not None, expires_at=request.unix_time + TOKEN_LIFETIME_S)
        body = {"token_type": "Bearer", "expires_in": TOKEN_LIFETIME_S}  # nosec B105 # a word of the protocol
        body["access_token"] = token
        return Response(200, body | (of_user or {}))

    def _of_user(self, request: Request) -> Json | None:
        """Return what the token endpoint adds for the user whose grant is sent; None if the app acts alone."""
        match request.form.get("grant_type"):
            case "client_credentials":
                return None
            case "refresh_token":
                if request.form.get("refresh_token") != REFRESH_TOKEN:
                    raise OAuthError("invalid_grant", "Invalid refresh token")
                return {"scope": " ".join(scope for scope in SCOPES if scope in self.granted)}
            case "authorization_code":
                # A code works once.
                authorization = self._authorizations.pop(request.form.get("code", ""), None)
                if authorization is None:
                    raise OAuthError("invalid_grant", "Invalid authorization code")
                if request.unix_time >= authorization.expires_at:
                    raise OAuthError("invalid_grant", "Authorization code expired")
                if request.form.get("redirect_uri") != authorization.redirect_uri:
                    raise OAuthError("invalid_grant", "Invalid redirect URI")
                self.granted = frozenset(authorization.scopes.split())
                return {"scope": authorization.scopes, "refresh_token": REFRESH_TOKEN}
        raise OAuthError(
            "unsupported_grant_type",
            "grant_type must be client_credentials, authorization_code or refresh_token",
        )

    def _me(self, _: Request, for_user: bool) -> Json:
        _require_user(for_user)
        return me_object(self.contract)

    def _my_playlists(self, request: Request, for_user: bool) -> Json:
        _require_user(for_user)
        page = self._page(request, f"{request.base_url}/v1/me/playlists", MAX_LIMIT)
        return playlists_page(self.contract, *self._days(request), page, request.number)

    def _liked(self, request: Request, for_user: bool) -> Json:
        self._require_scope(for_user, "user-library-read")
        return liked_page(
            self.contract, request.day, self._page(request, f"{request.base_url}/v1/me/tracks", MAX_LIMIT)
        )

    def _saved(self, request: Request, for_user: bool, kind: str) -> Json:
        self._require_scope(for_user, "user-library-read")
        page = self._page(request, f"{request.base_url}/v1/me/{kind}", MAX_LIMIT)
        return saved_page(kind, self.contract, request.day, page, request.base_url)

    def _following(self, request: Request, for_user: bool) -> Json:
        self._require_scope(for_user, "user-follow-read")
        if request.query.get("type") != "artist":
            raise SpotifyError(400, "Invalid type")
        page = self._page(request, f"{request.base_url}/v1/me/following", MAX_LIMIT)
        return followed_artists(self.contract, request.day, page, request.query.get("after", ""))

    def _recently_played(self, request: Request, for_user: bool) -> Json:
        self._require_scope(for_user, "user-read-recently-played")
        limit = self._page(request, request.path, MOST_SHOWN).limit
        return recent_plays(request.now, self.contract, request.base_url, limit)

    def _require_scope(self, for_user: bool, scope: str) -> None:
        _require_user(for_user)
        if scope not in self.granted:
            raise SpotifyError(403, "Insufficient client scope")

    def _playlist(self, request: Request, for_user: bool, playlist_id: str) -> Json:
        playlist = _find_playlist(playlist_id, for_user)
        return playlist_object(
            playlist,
            self.contract,
            *self._days(request),
            request.base_url,
            _repeated(request),
            with_entries=self._may_read_entries(playlist, for_user),
        )

    def _entries(self, request: Request, for_user: bool, playlist_id: str, name: str) -> Json:
        if name == "tracks" and self.contract == "new":
            raise SpotifyError(403, "Forbidden")
        playlist = _find_playlist(playlist_id, for_user)
        if not self._may_read_entries(playlist, for_user):
            raise SpotifyError(403, "Forbidden")
        most = LEGACY_TRACKS_LIMIT if name == "tracks" else MAX_LIMIT
        page = self._page(request, f"{request.base_url}/v1/playlists/{playlist_id}/{name}", most)
        return entries_page(playlist_id, self.contract, self._days(request)[0], page)

    def _days(self, request: Request) -> tuple[date, date]:
        """Return the day whose entries are shown, and the one whose versions are."""
        today, before = request.day, request.day - timedelta(days=1)
        return (
            before if self.visibility == "version first" else today,
            before if self.visibility == "entries first" else today,
        )

    def _may_read_entries(self, playlist: lists.Playlist, for_user: bool) -> bool:
        is_own = for_user and (playlist.owner.id == OWNER_ID or playlist.is_collaborative)
        return is_own or self.contract == "legacy"

    def _one(self, request: Request, _: bool, kind: str, object_id: str) -> Json:
        if not re.fullmatch(r"[0-9A-Za-z]{22}", object_id):
            raise SpotifyError(400, "Invalid base62 id")
        found = self._find(request, kind, object_id)
        if found is None:
            raise SpotifyError(404, MESSAGES[404])
        return found

    def _several(self, request: Request, _: bool, kind: str) -> Json:
        if self.contract == "new":
            raise SpotifyError(403, "Forbidden")
        ids = [one for one in request.query.get("ids", "").split(",") if one]
        if not ids:
            raise SpotifyError(400, "Missing required field: ids")
        if len(ids) > MAX_IDS[kind]:
            raise SpotifyError(400, "Too many ids requested")
        return {kind: [self._find(request, kind, one) for one in ids]}

    def _find(self, request: Request, kind: str, object_id: str) -> Json | None:
        known = catalog()
        if kind == "albums" and object_id in known.albums:
            return album_object(known.albums[object_id], self.contract, request.base_url)
        if kind == "artists" and object_id in known.artists:
            return artist_object(known.artists[object_id], self.contract, request.day)
        if kind == "tracks" and object_id in known.songs:
            return track_object(object_id, self.contract, request.day)
        return None

    def _page(self, request: Request, url: str, most: int) -> PageRequest:
        limit = _whole_number(request, "limit", DEFAULT_LIMIT if most == MAX_LIMIT else most)
        offset = _whole_number(request, "offset", 0)
        if not 1 <= limit <= most:
            raise SpotifyError(400, "Invalid limit")
        types = frozenset(request.query.get("additional_types", "track").split(","))
        return PageRequest(url, limit, offset, types, _repeated(request))


def _is_allowed_redirect(uri: str) -> bool:
    """Return whether Spotify accepts a redirect URI: https, or http to a loopback address but not to localhost."""
    url = urlsplit(uri)
    return url.scheme == "https" or (url.scheme == "http" and url.hostname in {"127.0.0.1", "::1"})


def _challenge(error: SpotifyError) -> dict[str, str]:
    if error.status != HTTPStatus.UNAUTHORIZED:
        return {}
    return {
        "WWW-Authenticate": f'Bearer realm="spotify", error="invalid_token", error_description="{error.message}"'
    }


def _selection(fields: str) -> Selection:
    try:
        return parse_fields(fields)
    except ValueError as error:
        raise SpotifyError(400, "Invalid field selection") from error


def _require_user(for_user: bool) -> None:
    if not for_user:
        raise SpotifyError(401, "Valid user authentication required")


def _find_playlist(playlist_id: str, for_user: bool) -> lists.Playlist:
    if not re.fullmatch(r"[0-9A-Za-z]{22}", playlist_id):
        raise SpotifyError(400, "Invalid base62 id")
    playlist = lists.playlists().get(playlist_id)
    if playlist is None or playlist_id == SPOTIFY_MADE_PLAYLIST_ID or not (for_user or playlist.is_public):
        raise SpotifyError(404, MESSAGES[404])
    return playlist


def _repeated(request: Request) -> dict[str, str]:
    return {
        name: request.query[name]
        for name in ("additional_types", "market", "fields")
        if name in request.query
    }


def _whole_number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not re.fullmatch(r"\d{1,9}", text):
        raise SpotifyError(400, f"Invalid {name}")
    return int(text)
