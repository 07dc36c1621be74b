"""Enrichment: the details of artists and albums that playlists lack. Each is requested once and then stored.

These requests count against Spotify's tightest quotas, so a run sends a limited number of them, and the responses are
stored in the raw bucket. A snapshot contains the details known when it is written, because the tables are made of
snapshots alone. A failure here never fails a snapshot.
"""

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, TypeIs

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from spotify_lake import keys
from spotify_lake.errors import LakeError, SnapshotUnreadable, SpotifyUnavailable
from spotify_lake.observability import count, logger
from spotify_lake.raw import envelope
from spotify_lake.spotify.client import DetailKind, SpotifyClient
from spotify_lake.spotify.models import Entry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_FAULTS: Final = 3  # failed requests after which a run stops requesting
LATEST: Final = 5  # objects that show which fields this app receives
MAX_WRITES: Final = 3  # attempts to store new details while other runs do the same

# The fields that the tables use. An app that receives none of them need not request details.
_WANTED: Final[dict[DetailKind, frozenset[str]]] = {
    "artists": frozenset({"genres", "followers", "popularity"}),
    "albums": frozenset({"label", "popularity"}),
}
# Together a hundred times as long as the rest of an album; they list songs and countries.
_LEFT_OUT: Final = ("tracks", "available_markets")
_UNKNOWN_TO_SPOTIFY: Final = b"null"
_ID: Final = re.compile(r"[0-9A-Za-z]{22}")

type DetailObjects = dict[str, dict[str, bytes]]  # of `artists` and `albums`: JSON by id


class Mentions:
    """The artists and albums that a snapshot mentions, in the order of their first mention.

    Attributes
    ----------
    ids
        Spotify ids by kind, as keys.
    """

    def __init__(self) -> None:
        self.ids: dict[DetailKind, dict[str, None]] = {"artists": {}, "albums": {}}

    def add_page(self, page: Any) -> None:
        """Add those on a page of entries as Spotify sent it; anything else adds nothing."""
        self.add_entries(_entries(page))

    def add_entries(self, entries: Iterable[Entry | envelope.RejectedEntry | None]) -> None:
        """Add those of decoded entries, except for rejects."""
        for kind, object_id in _mentions(entries):
            self.ids[kind][object_id] = None


class Enrichment:
    """The details of artists and albums: those that are known, and requests to Spotify for the others.

    Parameters
    ----------
    spotify
        For the requests.
    s3, bucket
        Where responses are stored.
    calls
        The most requests to send. With 0, nothing is read, requested or stored.
    """

    def __init__(self, spotify: SpotifyClient, s3: "S3Client", bucket: str, calls: int) -> None:
        self._spotify = spotify
        self._store = _Store(s3, bucket)
        self._calls = calls
        self._sent = 0
        self._faults = 0
        self._is_open = calls > 0

    def details_of_copy(self, source: envelope.Source) -> DetailObjects:
        """Return the details for the copy of a snapshot, as `details` does."""
        if not self._calls:
            return {}
        mentions = Mentions()
        try:
            mentions.add_entries(source.entries())
        except SnapshotUnreadable as error:
            logger.warning("The copy of a raw object gets no details: %s", error, key=source.key)
        return self.details(mentions)

    def details(self, mentions: Mentions) -> DetailObjects:
        """Return the known details, after requesting the missing ones as far as this run may.

        Returns
        -------
        dict
            `artists` and `albums`: the objects as JSON by id.
        """
        if not self._calls:
            return {}
        if not self._store.load():
            self._is_open = False  # responses could not be stored
        for kind, ids in mentions.ids.items():
            self._request(kind, [each for each in ids if each not in self._store.known[kind]])
        return {kind: self._store.objects(kind, ids) for kind, ids in mentions.ids.items()}

    def close(self) -> None:
        """Store what is new, and publish the metrics."""
        if not self._calls:
            return
        self._store.save()
        count("DetailCalls", self._sent)
        if any(self._store.known.values()):
            count("DetailsKnown", sum(map(len, self._store.known.values())))

    def _request(self, kind: DetailKind, ids: list[str]) -> None:
        while ids and self._is_open:
            if self._store.lacks_wanted_fields(kind):
                logger.info("This app gets no details of %s: %d are not requested", kind, len(ids))
                return
            if self._sent >= self._calls:
                self._is_open = False
                logger.info("The run has sent all of its %d requests for details", self._calls)
                return
            batch = ids[: self._spotify.detail_batch(kind)]
            self._sent += 1
            try:
                objects = self._spotify.details(kind, batch)
            except SpotifyUnavailable as error:
                # These ids are skipped, so that they cannot block all others every day.
                self._faults += 1
                logger.warning("Details of %d %s could not be read: %s", len(batch), kind, error)
                if self._faults >= MAX_FAULTS:
                    self._stop(f"{MAX_FAULTS} requests failed.")
            except LakeError as error:
                self._stop(str(error))
                return
            else:
                if not objects:
                    continue  # batches are not allowed: the same ids again, one at a time
                for object_id, value in objects.items():
                    self._store.add(kind, object_id, value)
            del ids[: len(batch)]

    def _stop(self, why: str) -> None:
        self._is_open = False
        logger.warning("This run requests no more details; its snapshots are not affected. %s", why)


class _Line(msgspec.Struct):
    """A line of the stored object; `object` is null if Spotify does not know the id."""

    kind: DetailKind
    id: str
    object: msgspec.Raw


class _Condition(TypedDict, total=False):
    IfMatch: str
    IfNoneMatch: Literal["*"]


class _Store:
    """The details from all runs, in one object of gzipped JSON lines that each run appends to.

    Attributes
    ----------
    known
        Objects as JSON by kind and id.
    """

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self.known: dict[DetailKind, dict[str, bytes]] = {"artists": {}, "albums": {}}
        self._s3 = s3
        self._bucket = bucket
        self._is_usable: bool | None = None
        self._stored = b""
        self._condition: _Condition = {}
        self._new_lines: list[bytes] = []

    def objects(self, kind: DetailKind, ids: Mapping[str, None]) -> dict[str, bytes]:
        """Return the known objects among these ids, without those that Spotify does not know."""
        known = self.known[kind]
        return {each: known[each] for each in ids if known.get(each, b"null") != _UNKNOWN_TO_SPOTIFY}

    def lacks_wanted_fields(self, kind: DetailKind) -> bool:
        """Return whether objects of this kind are known, and the latest have no field that the tables use."""
        objects = (value for value in reversed(self.known[kind].values()) if value != _UNKNOWN_TO_SPOTIFY)
        latest = [json.loads(value).keys() for value in islice(objects, LATEST)]
        return bool(latest) and not any(_WANTED[kind] & fields for fields in latest)

    def add(self, kind: DetailKind, object_id: str, found: Mapping[str, Any] | None) -> None:
        """Add an object from Spotify; None if Spotify does not know the id."""
        if found is not None:
            found = {name: value for name, value in found.items() if name not in _LEFT_OUT}
        # ASCII with escapes can represent any text from Spotify.
        value = json.dumps(found, separators=(",", ":")).encode("ascii")
        self.known[kind][object_id] = value
        self._new_lines.append(
            msgspec.json.encode(_Line(kind=kind, id=object_id, object=msgspec.Raw(value))) + b"\n"
        )

    def load(self) -> bool:
        """Read the object at the first call; return whether additions can be stored."""
        if self._is_usable is None:
            try:
                self._fetch()
            except (ClientError, BotoCoreError) as error:
                self._is_usable = False
                logger.error(
                    "The known details of artists and albums (%s) cannot be read: %s",
                    keys.KNOWN_DETAILS,
                    error,
                )
            else:
                self._is_usable = True
                self._parse()
        return self._is_usable

    def save(self) -> None:
        """Append the additions. If another run stored something meanwhile, both are kept."""
        if not self._new_lines:
            return
        addition = gzip.compress(b"".join(self._new_lines), mtime=0)
        try:
            for _ in range(MAX_WRITES):
                if self._put(self._stored + addition):
                    return
                self._fetch()
            why = f"other runs were faster {MAX_WRITES} times"
        except (ClientError, BotoCoreError) as error:
            why = str(error)
        logger.error(
            "The %d details that this run requested could not be stored in %s and will be requested again: %s",
            len(self._new_lines),
            keys.KNOWN_DETAILS,
            why,
        )

    def _fetch(self) -> None:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=keys.KNOWN_DETAILS)
        except self._s3.exceptions.NoSuchKey:
            self._stored, self._condition = b"", {"IfNoneMatch": "*"}
        else:
            self._stored, self._condition = answer["Body"].read(), {"IfMatch": answer["ETag"]}

    def _parse(self) -> None:
        if not self._stored:
            return
        decode = msgspec.json.Decoder(_Line).decode
        try:
            with gzip.open(io.BytesIO(self._stored)) as lines:
                for text in lines:
                    line = decode(text)
                    self.known[line.kind][line.id] = bytes(line.object)
        except (
            OSError,
            EOFError,
            zlib.error,
            msgspec.MsgspecError,
            UnicodeDecodeError,
            RecursionError,
        ) as error:
            logger.warning(
                "The known details of artists and albums (%s) are damaged; a new object replaces them: %s",
                keys.KNOWN_DETAILS,
                error,
            )
            self.known = {"artists": {}, "albums": {}}
            self._stored = b""

    def _put(self, body: bytes) -> bool:
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=keys.KNOWN_DETAILS,
                Body=body,
                ContentType="application/gzip",
                **self._condition,
            )
        except ClientError as error:
            # Another run wrote first, or is writing now.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in {
                HTTPStatus.PRECONDITION_FAILED,
                HTTPStatus.CONFLICT,
            }:
                return False
            raise
        return True


def _is_id(value: str | None) -> TypeIs[str]:
    return value is not None and _ID.fullmatch(value) is not None


def _entries(page: Any) -> Iterator[Entry]:
    """Read the entries of a page that will not become rejects."""
    items = page.get("items") if isinstance(page, Mapping) else None
    for item in items if isinstance(items, list) else ():
        # msgspec raises UnicodeEncodeError for text with half a surrogate pair.
        with suppress(msgspec.ValidationError, UnicodeEncodeError):
            yield msgspec.convert(item, Entry)


def _mentions(entries: Iterable[Entry | envelope.RejectedEntry | None]) -> Iterator[tuple[DetailKind, str]]:
    """Yield the artists and albums that the tables will contain."""
    for entry in entries:
        song = entry.content if isinstance(entry, Entry) and entry.kind == "song" else None
        if song is None:
            continue
        credited = list(song.artists or ())
        if song.album is not None:
            credited += song.album.artists or ()
            if _is_id(song.album.id):
                yield "albums", song.album.id
        for artist in credited:
            if artist is not None and _is_id(artist.id):
                yield "artists", artist.id
