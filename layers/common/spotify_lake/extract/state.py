"""State from run to run: the raw object with each playlist's last version, and the user who signed in.

The state only saves requests. Each entry is compared with the raw object itself, and a lost entry costs readings of the
playlist, so concurrent runs may write the state in any order.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from spotify_lake import keys
from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.observability import logger
from spotify_lake.raw import envelope, store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class _LastVersion(msgspec.Struct):
    """The last version of a playlist, and the raw object that holds it.

    `entries` is their fingerprint. The version is settled once two runs have read the same entries under it: Spotify
    may show a new version before the entries that belong to it.
    """

    snapshot_id: str
    key: str
    entries: str = ""
    is_settled: bool = False


class _User(msgspec.Struct, omit_defaults=True):
    """The user who signed in, with the fingerprint of the sign-in, and the name if Spotify has shown it."""

    sign_in: str
    id: str
    name: str | None = None


class _Content(msgspec.Struct):
    user: _User | None = None
    playlists: dict[str, _LastVersion] = msgspec.field(default_factory=dict)


class Fingerprint:
    """Identifies the entries of a playlist in their order, without what Spotify may change in a song."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add_page(self, page: Any) -> None:
        """Add a page of entries as Spotify sent it."""
        for entry in page["items"]:
            content = entry_content(entry)
            values = [entry.get("added_at") if isinstance(entry, dict) else None]
            values += [content.get(name) for name in ("id", "uri", "name")]
            texts = [value if isinstance(value, str) else None for value in values]
            self._hash.update(json.dumps(texts).encode())

    def __str__(self) -> str:
        return self._hash.hexdigest()


def entry_content(entry: Any) -> Mapping[str, Any]:
    """Return the content of an entry as Spotify sent it; empty if there is none."""
    for name in ("item", "track"):
        if isinstance(entry, dict) and isinstance(entry.get(name), dict):
            content: Mapping[str, Any] = entry[name]
            return content
    return {}


def first_attempt_at(s3: "S3Client", bucket: str, invocation: str, now: datetime) -> datetime:
    """Return the time of an invocation's first attempt, which is the scheduled time of an event without one.

    Parameters
    ----------
    s3, bucket
        Where the first attempt stores the time.
    invocation
        Lambda's request id, which all attempts share.
    now
        UTC.
    """
    key = f"{keys.ATTEMPTS}{invocation}"
    if store.put(s3, bucket, key, now.isoformat().encode()):
        return now
    return datetime.fromisoformat((store.get(s3, bucket, key) or b"").decode())


def last_user(s3: "S3Client", bucket: str) -> str | None:
    """Return the id of the user for whom a run last collected what they own or like; None if there was none."""
    user = _decode(store.get(s3, bucket, keys.EXTRACT_STATE)).user
    return user.id if user else None


class State:
    """The state of a lake, read from the raw bucket when it is first needed.

    Parameters
    ----------
    s3
        A boto3 client.
    bucket
        The raw bucket.
    """

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._saved = b""

    @cached_property
    def _content(self) -> _Content:
        content = _decode(store.get(self._s3, self._bucket, keys.EXTRACT_STATE))
        self._saved = msgspec.json.encode(content)
        return content

    def save(self) -> None:
        """Write the state if it has changed."""
        if "_content" not in self.__dict__:
            return
        data = msgspec.json.encode(self._content)
        if data != self._saved:
            self._s3.put_object(
                Bucket=self._bucket, Key=keys.EXTRACT_STATE, Body=data, ContentType="application/json"
            )
            self._saved = data

    def user_id(self, sign_in: str) -> str | None:
        """Return the id of the user of a sign-in, if it is known."""
        user = self._content.user
        return user.id if user and user.sign_in == sign_in else None

    def remember_user(self, sign_in: str, user_id: str) -> None:
        """Record the user of a sign-in."""
        self._content.user = _User(sign_in, user_id)

    def user_name(self, shown: str | None) -> str | None:
        """Return the user's name: as Spotify shows it now, or else as it last did."""
        user = self._content.user
        if user and shown:
            user.name = shown
        return user.name if user else shown

    def remember(self, playlist_id: str, snapshot_id: str, key: str, entries: Fingerprint) -> None:
        """Record that a raw object holds the last version of a playlist, which a run has just read."""
        is_settled = self.has_read(playlist_id, snapshot_id, entries)
        self._content.playlists[playlist_id] = _LastVersion(snapshot_id, key, str(entries), is_settled)

    def has_read(
        self, playlist_id: str, snapshot_id: str, entries: Fingerprint, key: str | None = None
    ) -> bool:
        """Return whether the run before read the same entries under the same version, and put them under `key`."""
        last = self._content.playlists.get(playlist_id)
        return (
            last is not None
            and (last.snapshot_id, last.entries) == (snapshot_id, str(entries))
            and key in (None, last.key)
        )

    def is_settled(self, playlist_id: str, snapshot_id: str) -> bool:
        """Return whether two runs have read the same entries under this version of a playlist."""
        last = self._last(playlist_id, snapshot_id)
        return last is not None and last.snapshot_id == snapshot_id and last.is_settled

    def find(self, playlist_id: str, snapshot_id: str) -> envelope.Source | None:
        """Find a raw object that holds this version of a playlist, if it is settled."""
        last = self._last(playlist_id, snapshot_id)
        if last is None or last.snapshot_id != snapshot_id or not last.is_settled:
            return None
        return self.at(last.key, playlist_id, snapshot_id)

    def _last(self, playlist_id: str, snapshot_id: str) -> _LastVersion | None:
        """Return what is known of a playlist. If that was lost, a copy in raw shows that its version was settled."""
        if playlist_id not in self._content.playlists:
            key = store.newest_key(self._s3, self._bucket, playlist_id)
            source = self.at(key, playlist_id, snapshot_id) if key else None
            if source is not None and source.header.copied_from is not None:
                self._content.playlists[playlist_id] = _LastVersion(snapshot_id, source.key, is_settled=True)
        return self._content.playlists.get(playlist_id)

    def at(self, key: str, playlist_id: str, snapshot_id: str) -> envelope.Source | None:
        """Return the raw object of this key if it holds this version of the playlist."""
        data = store.get(self._s3, self._bucket, key)
        if data is None:
            return None
        try:
            source = envelope.Source(key, data)
        except SnapshotUnreadable as error:
            logger.warning("The raw object of an unchanged playlist cannot be copied: %s", error, key=key)
            return None
        header = source.header
        # An import is what somebody brought, whatever its envelope says about Spotify's version.
        if header.imported or (header.playlist_id, header.snapshot_id) != (playlist_id, snapshot_id):
            return None
        return source


def _decode(data: bytes | None) -> _Content:
    if data is None:
        return _Content()
    try:
        return msgspec.json.decode(data, type=_Content)
    except msgspec.MsgspecError as error:
        logger.warning(
            "The state in %s cannot be read (%s) and is rebuilt from raw", keys.EXTRACT_STATE, error
        )
        return _Content()
