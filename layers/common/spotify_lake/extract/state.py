"""State from run to run: the raw object with each playlist's last version, and the user who signed in.

The state only saves requests. Each entry is compared with the raw object itself, and a lost entry is found in raw
again, so concurrent runs may write the state in any order.
"""

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from spotify_lake import keys
from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.observability import logger
from spotify_lake.raw import envelope, store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class _LastVersion(msgspec.Struct):
    """The last version of a playlist, and the raw object that holds it."""

    snapshot_id: str
    key: str


class _User(msgspec.Struct):
    """The user who signed in, with the fingerprint of the sign-in."""

    sign_in: str
    id: str


class _Content(msgspec.Struct):
    user: _User | None = None
    playlists: dict[str, _LastVersion] = msgspec.field(default_factory=dict)


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

    def remember(self, playlist_id: str, snapshot_id: str, key: str) -> None:
        """Record that a raw object holds the last version of a playlist."""
        self._content.playlists[playlist_id] = _LastVersion(snapshot_id, key)

    def find(self, playlist_id: str, snapshot_id: str) -> envelope.Source | None:
        """Find a raw object that holds this version of a playlist.

        If the state does not know the playlist, its newest raw object is tried.
        """
        last = self._content.playlists.get(playlist_id)
        if last is not None and last.snapshot_id != snapshot_id:
            return None
        source = self.at(last.key, playlist_id, snapshot_id) if last else None
        if source is None:
            key = store.newest_key(self._s3, self._bucket, playlist_id)
            source = self.at(key, playlist_id, snapshot_id) if key else None
        if source is None:
            self._content.playlists.pop(playlist_id, None)
        else:
            self.remember(playlist_id, snapshot_id, source.key)
        return source

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
