"""The snapshot of a user's library: one raw object a day."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from spotify_lake import keys
from spotify_lake.extract.request import ExtractRequest
from spotify_lake.observability import logger
from spotify_lake.raw import plays, store
from spotify_lake.spotify.client import SpotifyClient
from spotify_lake.spotify.library import Page

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

type Outcome = Literal["written", "already there"]

_SAVED: Final = ("album", "show", "episode", "audiobook")


def snapshot_library(
    request: ExtractRequest, bucket: str, spotify: SpotifyClient, s3: "S3Client", now: Callable[[], datetime]
) -> Outcome:
    """Write a snapshot of the library, unless its day (UTC) has one.

    Parameters
    ----------
    request
        Has the scheduled time.
    bucket
        The raw bucket.
    spotify, s3
        Where to read and to write.
    now
        Returns the time, UTC.

    Raises
    ------
    PermissionMissing, PartRefused
        The sign-in does not permit it, or Spotify does not show a part. A library is stored whole or not at all.
    LakeError
        A condition that stops the run.
    """
    day = request.scheduled_at.astimezone(UTC).date()
    key = keys.raw_library_key(request.scheduled_at)
    if store.any_key(s3, bucket, keys.raw_library_prefix(day)):
        logger.info("The library has its snapshot of the day already")
        return "already there"
    fetched_at = now()
    # Read first, because it needs a different permission from the rest.
    pages: dict[plays.LibraryKind, list[Page]] = {"followed_artist": spotify.followed_artists()}
    for kind in _SAVED:
        found = spotify.saved(kind)
        if found is not None:
            pages[kind] = found
    data = plays.pack_library(request.scheduled_at, fetched_at, pages)
    written = store.put(s3, bucket, key, data, request.correlation_id)
    logger.info(
        "Library written" if written else "Another run wrote the library first",
        key=key,
        entries={kind: sum(len(page["items"]) for page in found) for kind, found in pages.items()},
    )
    return "written" if written else "already there"
