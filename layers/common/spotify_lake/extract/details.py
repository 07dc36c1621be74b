"""What Spotify tells of artists and albums beyond what stands in a playlist: asked for once, known for good.

Such questions count against Spotify's tightest quotas, so a run asks a limited number of them, and the answers
are kept in the raw bucket. A snapshot takes along what is known when it is written, because the tables are made
of snapshots alone. Nothing that goes wrong here fails a snapshot.
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

MAX_FAULTS: Final = 3  # answers that a run may fail to get before it stops asking
LATEST: Final = 5  # objects that show what this app gets
MAX_WRITES: Final = 3  # attempts to store what was learned while other runs do so, too

# What the tables take from the objects. An app that gets none of it need not ask.
_WANTED: Final[dict[DetailKind, frozenset[str]]] = {
    "artists": frozenset({"genres", "followers", "popularity"}),
    "albums": frozenset({"label", "popularity"}),
}
# Together a hundred times the rest of an album, and they tell of songs and countries.
_LEFT_OUT: Final = ("tracks", "available_markets")
_UNKNOWN_TO_SPOTIFY: Final = b"null"
_ID: Final = re.compile(r"[0-9A-Za-z]{22}")

type Mentioned = Mapping[DetailKind, Mapping[str, None]]  # ids in the order of their first mention


class DetailedWriter:
    """A `envelope.SnapshotWriter` that ends with the details of the artists and albums on its pages.

    Parameters
    ----------
    writer
        Takes the pages.
    keeper
        Has the details.
    """

    def __init__(self, writer: envelope.SnapshotWriter, keeper: "DetailKeeper") -> None:
        self._writer = writer
        self._keeper = keeper
        self._mentioned: dict[DetailKind, dict[str, None]] = {"artists": {}, "albums": {}}

    def add_page(self, page: Mapping[str, Any]) -> None:
        """Append a page of entries as Spotify sent it."""
        self._writer.add_page(page)
        self._look(page)

    def finish(self, playlist: Mapping[str, Any]) -> bytes:
        """Get the details, close the envelope and return the object's bytes; call it once.

        Entries that the playlist object carries count, too: they may be all there is.
        """
        self._look(playlist.get("items"))
        self._look(playlist.get("tracks"))
        self._writer.add_details(self._keeper.of(self._mentioned))
        return self._writer.finish(playlist)

    def _look(self, page: Any) -> None:
        for kind, object_id in _mentions(_entries(page)):
            self._mentioned[kind][object_id] = None


class DetailKeeper:
    """Knows artists and albums in full, and asks Spotify for those it does not know yet.

    Parameters
    ----------
    spotify
        Is asked.
    s3, bucket
        Where the answers are kept.
    calls
        The most requests to send to Spotify. With 0, nothing is read, asked or stored.
    """

    def __init__(self, spotify: SpotifyClient, s3: "S3Client", bucket: str, calls: int) -> None:
        self._spotify = spotify
        self._store = _Store(s3, bucket)
        self._calls = calls
        self._sent = 0
        self._faults = 0
        self._is_open = calls > 0

    def watch(self, writer: envelope.SnapshotWriter) -> DetailedWriter:
        """Let a snapshot end with what is known of the artists and albums in it."""
        return DetailedWriter(writer, self)

    def of_copy(self, source: envelope.Source) -> dict[str, dict[str, bytes]]:
        """Return what is known of the artists and albums of a snapshot that is copied, as `of` does."""
        if not self._calls:
            return {}
        mentioned: dict[DetailKind, dict[str, None]] = {"artists": {}, "albums": {}}
        try:
            for kind, object_id in _mentions(source.entries()):
                mentioned[kind][object_id] = None
        except SnapshotUnreadable as error:
            logger.warning("The copy of a raw object gets no details: %s", error, key=source.key)
        return self.of(mentioned)

    def of(self, mentioned: Mentioned) -> dict[str, dict[str, bytes]]:
        """Return what is known of these, after asking for the others as far as this run may.

        Returns
        -------
        dict
            `artists` and `albums`: the objects as JSON by id.
        """
        if not self._calls:
            return {}
        if not self._store.load():
            self._is_open = False  # what is learned could not be kept
        for kind, ids in mentioned.items():
            self._ask(kind, [each for each in ids if each not in self._store.known[kind]])
        return {kind: self._store.objects(kind, ids) for kind, ids in mentioned.items()}

    def close(self) -> None:
        """Keep what was learned, and publish how much was asked and is known."""
        if not self._calls:
            return
        self._store.save()
        count("DetailCalls", self._sent)
        if any(self._store.known.values()):
            count("DetailsKnown", sum(map(len, self._store.known.values())))

    def _ask(self, kind: DetailKind, ids: list[str]) -> None:
        while ids and self._is_open:
            if self._store.tells_nothing(kind):
                logger.info("This app gets no details of %s: %d are not asked for", kind, len(ids))
                return
            if self._sent >= self._calls:
                self._is_open = False
                logger.info("All %d requests for details that a run may send are sent", self._calls)
                return
            batch = ids[: self._spotify.detail_batch(kind)]
            self._sent += 1
            try:
                answers = self._spotify.details(kind, batch)
            except SpotifyUnavailable as error:
                # Going on after these ids, so that they do not stand in the way of all others every day.
                self._faults += 1
                logger.warning("Details of %d %s could not be read: %s", len(batch), kind, error)
                if self._faults >= MAX_FAULTS:
                    self._stop(f"{MAX_FAULTS} answers could not be read.")
            except LakeError as error:
                self._stop(str(error))
                return
            else:
                if not answers:
                    continue  # not in batches, then: the same ids again
                for object_id, answer in answers.items():
                    self._store.add(kind, object_id, answer)
            del ids[: len(batch)]

    def _stop(self, why: str) -> None:
        self._is_open = False
        logger.warning("No more details of artists and albums in this run; the snapshots go on. %s", why)


class _Line(msgspec.Struct):
    """A line of the stored object; `object` is null if Spotify does not know the id."""

    kind: DetailKind
    id: str
    object: msgspec.Raw


class _Condition(TypedDict, total=False):
    IfMatch: str
    IfNoneMatch: Literal["*"]


class _Store:
    """The answers of all runs, in one object of gzipped JSON lines that each run appends to.

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
        """Return those of the objects that are known and exist."""
        known = self.known[kind]
        return {each: known[each] for each in ids if known.get(each, b"null") != _UNKNOWN_TO_SPOTIFY}

    def tells_nothing(self, kind: DetailKind) -> bool:
        """Tell whether there are objects of this kind, and the latest have nothing that the tables want."""
        objects = (value for value in reversed(self.known[kind].values()) if value != _UNKNOWN_TO_SPOTIFY)
        latest = [json.loads(value).keys() for value in islice(objects, LATEST)]
        return bool(latest) and not any(_WANTED[kind] & fields for fields in latest)

    def add(self, kind: DetailKind, object_id: str, answer: Mapping[str, Any] | None) -> None:
        """Keep an answer of Spotify's; None if it does not know the id."""
        if answer is not None:
            answer = {name: value for name, value in answer.items() if name not in _LEFT_OUT}
        # In ASCII, which holds whatever a text from Spotify may hold.
        value = json.dumps(answer, separators=(",", ":")).encode("ascii")
        self.known[kind][object_id] = value
        self._new_lines.append(
            msgspec.json.encode(_Line(kind=kind, id=object_id, object=msgspec.Raw(value))) + b"\n"
        )

    def load(self) -> bool:
        """Read the object, the first time; tell whether what is added later can be stored."""
        if self._is_usable is None:
            try:
                self._fetch()
            except (ClientError, BotoCoreError) as error:
                self._is_usable = False
                logger.error(
                    "What is known of artists and albums (%s) cannot be read: %s", keys.KNOWN_DETAILS, error
                )
            else:
                self._is_usable = True
                self._parse()
        return self._is_usable

    def save(self) -> None:
        """Append what was added. When another run stored something meanwhile, both are kept."""
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
            "The %d details that this run asked for could not be stored in %s, so they will be asked for"
            " again: %s",
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
                "What is known of artists and albums (%s) is damaged and starts anew: %s",
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
    """Read those entries of a page that will be no rejects."""
    items = page.get("items") if isinstance(page, Mapping) else None
    for item in items if isinstance(items, list) else ():
        # Of text with half a surrogate pair msgspec says UnicodeEncodeError.
        with suppress(msgspec.ValidationError, UnicodeEncodeError):
            yield msgspec.convert(item, Entry)


def _mentions(entries: Iterable[Entry | envelope.RejectedEntry | None]) -> Iterator[tuple[DetailKind, str]]:
    """Find the artists and albums that the tables will have."""
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
