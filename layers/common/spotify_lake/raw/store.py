"""Reads and writes objects of the raw bucket."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spotify_lake import keys

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

CORRELATION_ID: Final = "correlation-id"  # metadata of raw and curated objects: the run they come from


class RawObject(NamedTuple):
    """A raw object as S3 reports it.

    Attributes
    ----------
    bucket, key
        Where it is.
    written_at
        When it was written; None if somebody other than S3 sent the event.
    """

    bucket: str
    key: str
    written_at: datetime | None


def exists(s3: "S3Client", bucket: str, object_key: str) -> bool:
    """Return whether an object exists, with one HEAD request."""
    return _head(s3, bucket, object_key) is not None


def written_at(s3: "S3Client", bucket: str, object_key: str) -> datetime | None:
    """Return when an object was written, with one HEAD request; None if it does not exist."""
    found = _head(s3, bucket, object_key)
    return None if found is None else found["LastModified"]


def _head(s3: "S3Client", bucket: str, object_key: str) -> "HeadObjectOutputTypeDef | None":
    try:
        return s3.head_object(Bucket=bucket, Key=object_key)
    except s3.exceptions.ClientError as error:
        if status(error) == HTTPStatus.NOT_FOUND:
            return None
        raise


def get(s3: "S3Client", bucket: str, object_key: str) -> bytes | None:
    """Read an object; None if it does not exist."""
    try:
        return s3.get_object(Bucket=bucket, Key=object_key)["Body"].read()
    except s3.exceptions.ClientError as error:
        if status(error) == HTTPStatus.NOT_FOUND:
            return None
        raise


def newest_key(s3: "S3Client", bucket: str, playlist_id: str) -> str | None:
    """Return the key of a playlist's snapshot with the latest scheduled time; None if it has none."""
    newest = None
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=keys.raw_prefix(playlist_id))
    for page in pages:
        for found in page.get("Contents", []):
            newest = found["Key"]
    return newest


def any_key(s3: "S3Client", bucket: str, prefix: str) -> bool:
    """Return whether any key begins with `prefix`."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return any(page.get("Contents") for page in pages)


def last_key_of_day(s3: "S3Client", bucket: str, playlist_id: str, scheduled_at: datetime) -> str | None:
    """Return the key of a playlist's last snapshot before `scheduled_at` on the same day (UTC), if any."""
    end = keys.raw_key(playlist_id, scheduled_at)
    day = keys.raw_prefix(playlist_id) + keys.compact_time(scheduled_at).partition("T")[0]
    last = None
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=day):
        for found in page.get("Contents", []):
            last = found["Key"] if found["Key"] < end else last
    return last


def replace(s3: "S3Client", bucket: str, object_key: str, body: bytes, etag: str) -> bool:
    """Write a raw object over the version with this ETag; return False if there is another by now."""
    try:
        s3.put_object(Bucket=bucket, Key=object_key, Body=body, ContentType="application/gzip", IfMatch=etag)
    except s3.exceptions.ClientError as error:
        if status(error) in {HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT}:
            return False
        raise
    return True


def put(
    s3: "S3Client",
    bucket: str,
    object_key: str,
    body: bytes,
    correlation_id: str | None = None,
    *,
    about: Mapping[str, str] | None = None,
) -> bool:
    """Write a raw object unless one exists already.

    Parameters
    ----------
    s3, bucket, object_key, body
        The object.
    correlation_id
        Id of the run that writes it, for the object's metadata; the content does not depend on it.
    about
        More metadata, in ASCII.

    Returns
    -------
    bool
        False if an object with this key exists already; it stays unchanged.
    """
    try:
        s3.put_object(
            Bucket=bucket,
            Key=object_key,
            Body=body,
            ContentType="application/gzip",
            IfNoneMatch="*",
            Metadata={**({CORRELATION_ID: correlation_id} if correlation_id else {}), **(about or {})},
        )
    except s3.exceptions.ClientError as error:
        # Not 409: another writer's conditional PUT of the same key is in progress and may still fail.
        if status(error) == HTTPStatus.PRECONDITION_FAILED:
            return False
        raise
    return True


def status(error: Any) -> int:
    """Return the HTTP status of a ClientError."""
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
