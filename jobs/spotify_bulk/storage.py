"""Storage for files: a folder, or a prefix of an S3 bucket, with the same few operations on both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

from spotify_bulk.errors import StorageFailed


@dataclass(frozen=True, order=True)
class StoredFile:
    """A file: its name relative to the storage, and its size in bytes."""

    name: str
    size: int


class Storage(Protocol):
    """A folder or an S3 prefix. File names are relative to it and use slashes."""

    def uri(self, name: str = "") -> str:
        """Return the address that Spark uses for a file, or for the storage itself."""

    def find(self, prefix: str = "") -> list[StoredFile]:
        """Return all files whose name starts with `prefix`, sorted by name."""

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading."""

    def write(self, name: str, body: bytes) -> None:
        """Write a file atomically, replacing any previous one."""

    def copy_from(self, source: Storage, name: str, as_name: str) -> None:
        """Copy a file from another storage into this one atomically, replacing any previous one."""


@dataclass(frozen=True)
class Folder:
    """A local folder."""

    path: Path

    def uri(self, name: str = "") -> str:
        """Return the path of a file."""
        return str(self.path / name)

    def find(self, prefix: str = "") -> list[StoredFile]:
        """Return all files whose name starts with `prefix`, sorted by name."""
        files = (path for path in self.path.rglob("*") if path.is_file())
        found = (StoredFile(path.relative_to(self.path).as_posix(), path.stat().st_size) for path in files)
        return sorted(item for item in found if item.name.startswith(prefix))

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading."""
        return (self.path / name).open("rb")

    def write(self, name: str, body: bytes) -> None:
        """Write a file atomically, replacing any previous one."""
        temporary = self._temporary(name)
        temporary.write_bytes(body)
        temporary.replace(self.path / name)

    def copy_from(self, source: Storage, name: str, as_name: str) -> None:
        """Copy a file from another storage into this one atomically, replacing any previous one."""
        temporary = self._temporary(as_name)
        if isinstance(source, Bucket):
            source.download(name, temporary)
        else:
            shutil.copyfile(source.uri(name), temporary)
        temporary.replace(self.path / as_name)

    def _temporary(self, name: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.with_name(f".{path.name}.draft")


@dataclass(frozen=True)
class Bucket:
    """A prefix of an S3 bucket."""

    name: str
    prefix: str

    @cached_property
    def s3(self) -> Any:
        """The S3 client; region, endpoint and credentials come from the environment."""
        import boto3  # noqa: PLC0415 (not needed for a folder)

        return boto3.client("s3")

    def key(self, name: str) -> str:
        """Return the key of a file."""
        return self.prefix + name

    def uri(self, name: str = "") -> str:
        """Return the address of a file."""
        return f"s3://{self.name}/{self.key(name)}"

    def find(self, prefix: str = "") -> list[StoredFile]:
        """Return all files whose name starts with `prefix`, sorted by name."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.key(prefix))
        with self._translated_errors(prefix):
            items = [item for page in pages for item in page.get("Contents", [])]
        found = (StoredFile(item["Key"].removeprefix(self.prefix), item["Size"]) for item in items)
        # The S3 console creates an object with a trailing slash for each folder.
        return sorted(item for item in found if not f"/{item.name}".endswith("/"))

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file for reading."""
        with (
            self._translated_errors(name),
            self.s3.get_object(Bucket=self.name, Key=self.key(name))["Body"] as body,
        ):
            yield body

    def write(self, name: str, body: bytes) -> None:
        """Write a file atomically, replacing any previous one."""
        with self._translated_errors(name):
            self.s3.put_object(Bucket=self.name, Key=self.key(name), Body=body)

    def copy_from(self, source: Storage, name: str, as_name: str) -> None:
        """Copy a file from another storage into this one atomically, replacing any previous one."""
        with self._translated_errors(as_name):
            if isinstance(source, Bucket):
                origin = {"Bucket": source.name, "Key": source.key(name)}
                self.s3.copy(origin, self.name, self.key(as_name))
            else:
                self.s3.upload_file(source.uri(name), self.name, self.key(as_name))

    def download(self, name: str, path: Path) -> None:
        """Download a file to a local path."""
        with self._translated_errors(name):
            self.s3.download_file(self.name, self.key(name), str(path))

    @contextmanager
    def _translated_errors(self, name: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error  # noqa: PLC0415 (not needed for a folder)
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise StorageFailed(self.uri(name), error) from error


def storage_at(uri: str) -> Storage:
    """Return the storage at an ``s3://`` address or a local path.

    Raises
    ------
    ValueError
        The text is neither.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("s3", "s3a") and parts.netloc:
        prefix = parts.path.strip("/")
        return Bucket(parts.netloc, f"{prefix}/" if prefix else "")
    if parts.scheme in ("", "file") and parts.path:
        return Folder(Path(parts.path).absolute())
    raise ValueError(f"{uri!r} is neither an s3:// address nor a path.")
