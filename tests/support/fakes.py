"""Stand-ins with the real interfaces: Spotify behind a requests session, the client, a clock and S3."""

import datetime as dt
import io
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import requests
from botocore.exceptions import ClientError
from requests.adapters import BaseAdapter

from spotify_lake.errors import PermissionMissing
from spotify_lake.spotify.client import Head, ListedPlaylist, SpotifyClient
from spotify_lake.spotify.credentials import Credentials
from spotify_lake.spotify.models import Contract
from tests.support import payloads

API_URL = "https://api.test"
ACCOUNTS_URL = "https://accounts.test"
CLIENT_SECRET = "the-client-secret"
REFRESH_TOKEN = "the-refresh-token"
ACCESS_TOKEN = "the-access-token"
CREDENTIALS = Credentials(client_id="the-client", client_secret=CLIENT_SECRET, refresh_token=REFRESH_TOKEN)
APP_CREDENTIALS = Credentials(client_id="the-client", client_secret=CLIENT_SECRET)


@dataclass
class WebPlaylist:
    """A playlist as `FakeWeb` serves it."""

    id: str
    size: int = 0
    owner: str = "me"
    version: int = 1
    opens: set[str] = field(default_factory=lambda: {"items"})  # endpoints that do not answer 403
    embeds: int | None = None  # entries in the playlist object
    total: int | None = None  # what Spotify claims

    @property
    def snapshot_id(self) -> str:
        return f"{self.id}-v{self.version}"

    def head(self) -> dict[str, Any]:
        """The playlist object."""
        head: dict[str, Any] = {
            "id": self.id,
            "name": f"Playlist {self.id}",
            "owner": {"id": self.owner},
            "snapshot_id": self.snapshot_id,
        }
        if self.embeds is not None:
            head["items"] = self.page(0, self.embeds)
        return head

    def page(self, offset: int, limit: int) -> dict[str, Any]:
        """A page of entries."""
        numbers = range(self.size)[offset : offset + limit]
        total = self.size if self.total is None else self.total
        return {
            "items": [payloads.entry(payloads.song(f"Song {n}")) for n in numbers],
            "total": total,
            "offset": offset,
            "limit": limit,
        }


@dataclass
class Sent:
    """A request that reached `FakeWeb`."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class Fault:
    """What `FakeWeb` answers instead, to requests whose path and query match."""

    pattern: re.Pattern[str]
    times: int
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None
    action: Callable[[], None] | None = None


class FakeWeb(BaseAdapter):
    """Spotify on the other side of a requests session, without a socket.

    Serves the token endpoint and playlists to the real spotipy; `fault` changes the answer to some requests.
    """

    def __init__(self, *playlists: WebPlaylist, user: str = "me", listing_page: int = 50) -> None:
        super().__init__()
        self.playlists = {playlist.id: playlist for playlist in playlists}
        self.user = user
        self.saved: dict[str, list[Any]] = {}  # what /me/tracks, /me/albums and so on list
        self.followed: list[str] = []
        self.recent: list[Any] = []  # what /me/player/recently-played lists
        self.listing_page = listing_page
        self.token: dict[str, Any] = {
            "access_token": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        self.sent: list[Sent] = []
        self.faults: list[Fault] = []
        self.timeouts: list[float] = []

    def session(self) -> requests.Session:
        """Make a session that ends here."""
        session = requests.Session()
        session.mount("https://", self)
        return session

    def fault(
        self,
        pattern: str,
        status: int = 200,
        body: object = b"",
        *,
        headers: dict[str, str] | None = None,
        error: Exception | None = None,
        times: int = 1,
    ) -> None:
        """Answer the next requests that match with this instead."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.faults.append(Fault(re.compile(pattern), times, status, data, headers or {}, error))

    def before(self, pattern: str, action: Callable[[], None], *, times: int = 1) -> None:
        """Do something when the next requests that match arrive, then answer as usual."""
        self.faults.append(Fault(re.compile(pattern), times, action=action))

    def paths(self) -> list[str]:
        """The paths requested so far, in order."""
        return [sent.path for sent in self.sent]

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        url = urlsplit(str(request.url))
        sent = Sent(
            method=str(request.method),
            path=url.path,
            query=dict(parse_qsl(url.query)),
            headers=dict(request.headers),
            form={key: values[0] for key, values in parse_qs(str(request.body or "")).items()},
        )
        self.sent.append(sent)
        self.timeouts.append(options["timeout"])
        for fault in self.faults:
            if fault.times and fault.pattern.search(f"{url.path}?{url.query}"):
                fault.times -= 1
                if fault.error:
                    raise fault.error
                if fault.action:
                    fault.action()
                    break
                return _response(request, fault.status, fault.body, fault.headers)
        status, body = self._answer(sent)
        return _response(request, status, json.dumps(body).encode(), {})

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, sent: Sent) -> tuple[int, object]:
        if sent.path == "/api/token":
            return HTTPStatus.OK, self.token
        if sent.headers.get("Authorization") != f"Bearer {self.token['access_token']}":
            return HTTPStatus.UNAUTHORIZED, spotify_error(401, "The access token expired")
        answer: object = None
        offset, limit = int(sent.query.get("offset", 0)), int(sent.query.get("limit", 20))
        match sent.path.strip("/").split("/")[1:]:
            case ["me"]:
                answer = {"id": self.user}
            case ["me", "playlists"]:
                heads = [
                    {**playlist.head(), "items": {"total": playlist.size}}
                    for playlist in self.playlists.values()
                ]
                page = heads[offset : offset + min(limit, self.listing_page)]
                answer = {"items": page, "total": len(heads), "offset": offset, "limit": limit}
            case ["me", *part]:
                answer = self._of_user(part, sent.query, offset, limit)
            case ["playlists", name] if name in self.playlists:
                head = self.playlists[name].head()
                fields = sent.query["fields"].split(",") if "fields" in sent.query else list(head)
                answer = {key: value for key, value in head.items() if key in fields}
            case ["playlists", name, endpoint] if name in self.playlists:
                if endpoint not in self.playlists[name].opens:
                    return HTTPStatus.FORBIDDEN, spotify_error(403, "Forbidden")
                answer = self.playlists[name].page(offset, limit)
        if answer is None:
            return HTTPStatus.NOT_FOUND, spotify_error(404, "Resource not found")
        return HTTPStatus.OK, answer

    def _of_user(self, part: list[str], query: dict[str, str], offset: int, limit: int) -> object:
        match part:
            case [kind] if kind in self.saved:
                page = self.saved[kind][offset : offset + limit]
                return {"items": page, "total": len(self.saved[kind]), "offset": offset, "limit": limit}
            case ["following"]:
                start = self.followed.index(query["after"]) + 1 if "after" in query else 0
                names = self.followed[start : start + limit]
                after = names[-1] if names and names[-1] != self.followed[-1] else None
                artists = [{"id": name, "name": name} for name in names]
                return {
                    "artists": {"items": artists, "cursors": {"after": after}, "total": len(self.followed)}
                }
            case ["player", "recently-played"]:
                return {"items": self.recent[:limit], "limit": limit}
        return None


def spotify_error(status: int, message: str, reason: str | None = None) -> dict[str, Any]:
    """The body of an error of the Web API."""
    return {"error": {"status": status, "message": message, **({"reason": reason} if reason else {})}}


def _response(
    request: requests.PreparedRequest, status: int, body: bytes, headers: dict[str, str]
) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body
    response.headers.update({"Content-Type": "application/json", **headers})
    response.url = str(request.url)
    response.request = request
    return response


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self, left_s: float = 300.0) -> None:
        self.left_s = left_s
        self.slept: list[float] = []

    def time_left(self) -> float:
        return self.left_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.left_s -= seconds


def spotify_client(web: FakeWeb, clock: FakeClock, credentials: Credentials = CREDENTIALS) -> SpotifyClient:
    """The real client, in front of `FakeWeb`."""
    return SpotifyClient(
        credentials,
        api_url=API_URL,
        accounts_url=ACCOUNTS_URL,
        time_left=clock.time_left,
        sleep=clock.sleep,
        session=web.session(),
    )


@dataclass
class ReadPlaylist:
    """A playlist that was read to the end."""

    head: Head
    snapshot_id: str  # of the pages
    contract: Contract
    entries: int
    paged: list[Any]  # the entries of the pages
    begun: list[str]  # the snapshot_id of each attempt


def read_playlist(client: SpotifyClient, playlist_id: str, listed_version: str | None = None) -> ReadPlaylist:
    """Read a playlist as the extraction does."""
    reading = client.read(playlist_id, listed_version)
    begun: list[str] = []
    while True:
        begun.append(reading.snapshot_id)
        paged = [entry for page in reading.pages for entry in page["items"]]
        if head := reading.confirm():
            return ReadPlaylist(head, reading.snapshot_id, reading.contract, reading.entries, paged, begun)


class FakeReading:
    """A reading of one page that is confirmed at once."""

    contract: Contract = "items"

    def __init__(self, web: WebPlaylist) -> None:
        self._web = web
        self.snapshot_id, self.entries = web.snapshot_id, web.size
        self.pages = iter([web.page(0, web.size)])

    def confirm(self) -> Head:
        return Head(self._web.id, self._web.snapshot_id, self._web.head())


class FakeSpotify:
    """The client, with playlists in memory; an exception in place of a size is raised on reading."""

    def __init__(
        self,
        playlists: dict[str, int | Exception],
        *,
        followed: tuple[str, ...] = (),
        owners: dict[str, str] | None = None,
    ) -> None:
        self.playlists = playlists
        self.owners = dict.fromkeys(followed, "somebody") | (owners or {})
        self.names: dict[str, str] = {}  # of owners
        self.versions: dict[str, int] = {}
        self.acts_for_user = True
        self.requests = self.rate_limits = self.quotas_exceeded = 0
        self.fetched: list[str] = []
        self.listed_versions: dict[str, str | None] = {}
        self.listing_error: Exception | None = None
        self.sign_in_fingerprint = "the-sign-in"
        self.liked: list[Any] | Exception = []
        self.liked_pages: list[int] = []  # the offsets that were asked for
        self.library: Exception | None = None
        self.recent: list[Any] | Exception = []

    def check_permission(self, kind: str) -> None:
        if isinstance(self.liked, PermissionMissing):
            raise self.liked

    def saved_page(self, kind: str, offset: int) -> dict[str, Any]:
        self.requests += 1
        self.liked_pages.append(offset)
        if isinstance(self.liked, Exception):
            raise self.liked
        return {"items": self.liked[offset : offset + 50], "total": len(self.liked), "offset": offset}

    def saved(self, kind: str) -> list[Any] | None:
        self.requests += 1
        if self.library:
            raise self.library
        return (
            None if kind == "audiobook" else [{"items": [{"added_at": None, kind: {"id": kind}}], "total": 1}]
        )

    def followed_artists(self) -> list[Any]:
        self.requests += 1
        return [{"items": [{"id": "artist"}], "total": 1}]

    def recent_plays(self) -> dict[str, Any]:
        self.requests += 1
        if isinstance(self.recent, Exception):
            raise self.recent
        return {"items": self.recent[:50], "limit": 50}

    def check_time(self) -> None:
        """There is always time."""

    def me(self) -> str:
        self.requests += 1
        return "me"

    def my_playlists(self, wanted: Collection[str] | None = None) -> list[ListedPlaylist]:
        self.requests += 1
        if self.listing_error:
            raise self.listing_error
        return [self._listed(playlist, self.owners.get(playlist, "me")) for playlist in self.playlists]

    def _listed(self, playlist: str, owner: str) -> ListedPlaylist:
        version = self._web(playlist, 0).snapshot_id
        return ListedPlaylist(playlist, playlist, version, owner, 0, self.names.get(owner))

    def read(self, playlist_id: str, listed_version: str | None = None) -> FakeReading:
        self.requests += 1
        self.fetched.append(playlist_id)
        self.listed_versions[playlist_id] = listed_version
        size = self.playlists[playlist_id]
        if isinstance(size, Exception):
            raise size
        return FakeReading(self._web(playlist_id, size))

    def _web(self, playlist_id: str, size: int) -> WebPlaylist:
        owner, version = self.owners.get(playlist_id, "me"), self.versions.get(playlist_id, 1)
        return WebPlaylist(playlist_id, size, owner=owner, version=version)


class FakeScheduler:
    """EventBridge Scheduler: keeps the schedules, by name."""

    class exceptions:
        class ConflictException(Exception):
            pass

    def __init__(self) -> None:
        self.schedules: dict[str, dict[str, Any]] = {}

    def create_schedule(self, *, Name: str, **schedule: Any) -> None:
        if Name in self.schedules:
            raise self.exceptions.ConflictException
        self.schedules[Name] = schedule

    @property
    def events(self) -> list[Any]:
        """What the schedules will start the function with."""
        return [json.loads(schedule["Target"]["Input"]) for schedule in self.schedules.values()]


type Log = Callable[[], list[dict[str, Any]]]


class FakeS3:
    """A bucket that knows HEAD, GET, PUT with and without a condition, and listing."""

    class exceptions:
        ClientError = ClientError

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.written: dict[str, dt.datetime] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.now = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
        self.on_put: Callable[[str], None] | None = None
        self.listings = 0

    @property
    def snapshots(self) -> dict[str, bytes]:
        """What is below raw/."""
        return {key: body for key, body in self.objects.items() if key.startswith("raw/")}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        if Key not in self.objects:
            raise _client_error("HeadObject", "404", 404)
        return {"LastModified": self.written.get(Key, self.now)}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        if Key not in self.objects:
            raise _client_error("GetObject", "NoSuchKey", 404)
        return {"Body": io.BytesIO(self.objects[Key])}

    def put_object(
        self, *, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str | None = None, **more: Any
    ) -> None:
        assert (IfNoneMatch == "*") == Key.startswith(("raw/", "state/attempts/"))
        if self.on_put:
            self.on_put(Key)
        if IfNoneMatch and Key in self.objects:
            raise _client_error("PutObject", "PreconditionFailed", 412)
        self.objects[Key] = Body
        self.written[Key] = self.now
        self.metadata[Key] = more.get("Metadata", {})

    def get_paginator(self, operation: str) -> "FakeS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str, StartAfter: str = "") -> Iterator[dict[str, Any]]:
        """Pages of two keys."""
        self.listings += 1
        keys = sorted(key for key in self.objects if key.startswith(Prefix) and key > StartAfter)
        for page in itertools.batched(keys, 2, strict=False):
            yield {
                "Contents": [{"Key": key, "LastModified": self.written.get(key, self.now)} for key in page]
            }
        yield {}


class FakeGlue:
    """The jobs of a lake: one run of a job at a time, as the template allows."""

    class exceptions:
        class ConcurrentRunsExceededException(Exception):
            pass

    def __init__(self) -> None:
        self.running: dict[str, str] = {}  # a run's id by its job
        self.inputs: dict[str, str] = {}  # what a run was started for, by its id
        self.arguments: dict[str, dict[str, str]] = {}  # the other arguments of a run, by its id

    def start_job_run(self, *, JobName: str, Arguments: dict[str, str]) -> dict[str, str]:
        if JobName in self.running:
            raise self.exceptions.ConcurrentRunsExceededException
        run_id = f"jr_{len(self.inputs)}"
        self.running[JobName], self.inputs[run_id] = run_id, Arguments["--input"]
        self.arguments[run_id] = {name: value for name, value in Arguments.items() if name != "--input"}
        return {"JobRunId": run_id}


class FakeSecrets:
    """Secrets Manager with one secret: its value, or the code of the error it answers with."""

    def __init__(self, value: str | None = None, error: str | None = None) -> None:
        self.value = value
        self.error = error
        self.put_error: str | None = None

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:
        if self.error:
            raise _client_error("GetSecretValue", self.error, 400)
        return {} if self.value is None else {"SecretString": self.value}

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:
        if self.put_error:
            raise _client_error("PutSecretValue", self.put_error, 400)
        self.value = SecretString


def _client_error(operation: str, code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)
