"""Takes the files out of zip and gzip data within limits, so that no archive fills the memory. Pure."""

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

MAX_UNPACKED: Final = 64 * 2**20  # bytes of one file
MAX_ARCHIVE: Final = 512 * 2**20  # bytes of all files of an archive
MAX_RATIO: Final = 150  # JSON reaches about 50
RATIO_FROM: Final = 16 * 2**20  # smaller files may have any ratio
MAX_MEMBERS: Final = 20_000
SUFFIXES: Final = (".json", ".jsonl", ".ndjson", ".har", ".gz", ".zip", ".csv", ".tsv")

_CHUNK = 2**16
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_GZIP = b"\x1f\x8b"
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,  # also UnicodeDecodeError, for names
    OverflowError,
    IndexError,
    RuntimeError,  # locked; also NotImplementedError, for methods that Python cannot unpack
)


class Unusable(Exception):
    """The data cannot be unpacked; the message says why, in a sentence."""


@dataclass
class Unpacked:
    """A file, or one of an archive.

    Attributes
    ----------
    name
        Of the file; in an archive, behind the archive's name.
    data
        Its bytes.
    problem
        Why it could not be unpacked, if it could not.
    """

    name: str
    data: bytes = field(default=b"", repr=False)
    problem: str | None = None


def unpack(source: str, data: bytes) -> Iterator[Unpacked]:
    """Take the files out of a zip archive; any other file is passed on as it is.

    Parameters
    ----------
    source
        Name of the file.
    data
        Its bytes.

    Yields
    ------
    Unpacked
        Each file that may hold playlists, or could not be unpacked. What Finder adds is left out.
    """
    if not data.startswith((_ZIP, _EMPTY_ZIP)):
        yield Unpacked(source, data)
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = [member for member in archive.infolist() if _may_hold_playlists(member)]
    except _DAMAGE as error:
        yield Unpacked(source, problem=f"It is a zip archive that is damaged ({_why(error)}).")
        return
    if not members:
        yield Unpacked(source, problem="It is a zip archive without any JSON or CSV in it.")
    elif len(members) > MAX_MEMBERS:
        yield Unpacked(
            source, problem=f"It is a zip archive of more than {MAX_MEMBERS:,} files: unpack it first."
        )
    else:
        yield from _members(source, archive, members)


def _may_hold_playlists(member: zipfile.ZipInfo) -> bool:
    """Leave out folders, files of other kinds, and the files beside files that macOS writes."""
    *folders, name = member.filename.split("/")
    if member.is_dir() or "__MACOSX" in folders or name.startswith("._"):
        return False
    return name.lower().endswith(SUFFIXES) or "json" in member.filename.lower()


def _members(source: str, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Iterator[Unpacked]:
    left = MAX_ARCHIVE
    for member in members:
        name = f"{source}/{member.filename}"
        if left <= 0:
            problem = (
                f"It unpacks to more than {MAX_ARCHIVE // 2**20} MB: unpack it first. Left out from here on."
            )
            yield Unpacked(name, problem=problem)
            return
        if member.flag_bits & 0x1:
            yield Unpacked(name, problem="It is locked with a password: unpack the archive first.")
            continue
        try:
            with archive.open(member) as stream:
                data = _bounded(stream, member.compress_size)
        except Unusable as error:
            left -= RATIO_FROM  # at least as much was unpacked
            yield Unpacked(name, problem=str(error))
            continue
        except _DAMAGE as error:
            yield Unpacked(name, problem=f"It is damaged in the archive ({_why(error)}).")
            continue
        left -= len(data)
        if data.startswith(_ZIP):
            yield Unpacked(name, problem="It is an archive inside an archive: unpack it first.")
        else:
            yield Unpacked(name, data)


def gunzip(data: bytes) -> bytes:
    """Unpack gzip data, also if it was compressed twice; other data is returned as it is.

    Raises
    ------
    Unusable
        It is damaged, cut short, or unreasonably large.
    """
    for _ in range(2):  # some tools compress what is already compressed
        if not data.startswith(_GZIP):
            break
        data = _gunzip(data)
    return data


def _gunzip(data: bytes) -> bytes:
    unpacked = bytearray()
    rest = data
    try:
        while rest.startswith(_GZIP):
            member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            while not member.eof:
                chunk = member.decompress(rest, _CHUNK)
                rest = member.unconsumed_tail
                unpacked += chunk
                _check(len(unpacked), len(data))
                if not chunk and not rest and not member.eof:
                    raise Unusable("Its gzip data is cut short.")
            rest = member.unused_data.lstrip(b"\0")  # padding, as tape drives write it
    except zlib.error as error:
        raise Unusable(f"Its gzip data is damaged ({error}).") from error
    if rest:
        raise Unusable("Its gzip data is damaged (something else follows it).")
    return bytes(unpacked)


def _bounded(stream: IO[bytes], packed: int) -> bytes:
    unpacked = bytearray()
    while chunk := stream.read(_CHUNK):
        unpacked += chunk
        _check(len(unpacked), packed)
    return bytes(unpacked)


def _check(unpacked: int, packed: int) -> None:
    if unpacked > MAX_UNPACKED:
        raise Unusable(f"It unpacks to more than {MAX_UNPACKED // 2**20} MB: unpack it and split it first.")
    if unpacked > RATIO_FROM and unpacked > MAX_RATIO * packed:
        raise Unusable(
            f"It unpacks to more than {MAX_RATIO} times its size, as no playlist does; it was not read any further."
        )


def _why(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
