"""Where files lie: below a folder, or below a prefix of an S3 bucket, with the same few operations on both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

from spotify_bulk.errors import PlaceFailed


@dataclass(frozen=True, order=True)
class Found:
    """A file: its name below the place, and its size in bytes."""

    name: str
    size: int


class Place(Protocol):
    """A folder or prefix. Names are relative to it, with slashes."""

    def uri(self, name: str = "") -> str:
        """Return the address of a file, or of the place itself, as Spark takes it."""

    def find(self, prefix: str = "") -> list[Found]:
        """Return all files whose name begins with `prefix`, by name."""

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file, to be read from its beginning."""

    def write(self, name: str, body: bytes) -> None:
        """Write a file in one step, replacing what was there."""

    def take(self, source: Place, name: str, as_name: str) -> None:
        """Copy a file of another place here in one step, replacing what was there."""


@dataclass(frozen=True)
class Folder:
    """A folder of this machine."""

    path: Path

    def uri(self, name: str = "") -> str:
        """Return the path of a file."""
        return str(self.path / name)

    def find(self, prefix: str = "") -> list[Found]:
        """Return all files whose name begins with `prefix`, by name."""
        files = (path for path in self.path.rglob("*") if path.is_file())
        found = (Found(path.relative_to(self.path).as_posix(), path.stat().st_size) for path in files)
        return sorted(item for item in found if item.name.startswith(prefix))

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file, to be read from its beginning."""
        return (self.path / name).open("rb")

    def write(self, name: str, body: bytes) -> None:
        """Write a file in one step, replacing what was there."""
        draft = self._draft(name)
        draft.write_bytes(body)
        draft.replace(self.path / name)

    def take(self, source: Place, name: str, as_name: str) -> None:
        """Copy a file of another place here in one step, replacing what was there."""
        draft = self._draft(as_name)
        if isinstance(source, Bucket):
            source.download(name, draft)
        else:
            shutil.copyfile(source.uri(name), draft)
        draft.replace(self.path / as_name)

    def _draft(self, name: str) -> Path:
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
        """The client; region, endpoint and credentials come from the environment."""
        import boto3  # noqa: PLC0415 (a folder needs none)

        return boto3.client("s3")

    def key(self, name: str) -> str:
        """Return the key of a file."""
        return self.prefix + name

    def uri(self, name: str = "") -> str:
        """Return the address of a file."""
        return f"s3://{self.name}/{self.key(name)}"

    def find(self, prefix: str = "") -> list[Found]:
        """Return all files whose name begins with `prefix`, by name."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.key(prefix))
        with self._reached(prefix):
            items = [item for page in pages for item in page.get("Contents", [])]
        found = (Found(item["Key"].removeprefix(self.prefix), item["Size"]) for item in items)
        return sorted(
            item for item in found if not f"/{item.name}".endswith("/")
        )  # such an object is a folder

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file, to be read from its beginning."""
        with self._reached(name), self.s3.get_object(Bucket=self.name, Key=self.key(name))["Body"] as body:
            yield body

    def write(self, name: str, body: bytes) -> None:
        """Write a file in one step, replacing what was there."""
        with self._reached(name):
            self.s3.put_object(Bucket=self.name, Key=self.key(name), Body=body)

    def take(self, source: Place, name: str, as_name: str) -> None:
        """Copy a file of another place here in one step, replacing what was there."""
        with self._reached(as_name):
            if isinstance(source, Bucket):
                origin = {"Bucket": source.name, "Key": source.key(name)}
                self.s3.copy(origin, self.name, self.key(as_name))
            else:
                self.s3.upload_file(source.uri(name), self.name, self.key(as_name))

    def download(self, name: str, path: Path) -> None:
        """Write a file's content to a file of this machine."""
        with self._reached(name):
            self.s3.download_file(self.name, self.key(name), str(path))

    @contextmanager
    def _reached(self, name: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error  # noqa: PLC0415 (as above)
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise PlaceFailed(self.uri(name), error) from error


def place(uri: str) -> Place:
    """Return the place that an ``s3://`` address or a path names.

    Raises
    ------
    ValueError
        It is neither.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("s3", "s3a") and parts.netloc:
        prefix = parts.path.strip("/")
        return Bucket(parts.netloc, f"{prefix}/" if prefix else "")
    if parts.scheme in ("", "file") and parts.path:
        return Folder(Path(parts.path).absolute())
    raise ValueError(f"{uri!r} is neither an s3:// address nor a path.")
