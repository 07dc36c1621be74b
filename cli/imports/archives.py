"""Takes the files out of zip and gzip data within limits, so that no archive fills the memory. Pure."""

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

MAX_UNPACKED: Final = 256 * 2**20  # bytes of one file
MAX_ARCHIVE: Final = 2**30  # bytes of all files of an archive
MAX_RATIO: Final = 150  # JSON reaches about 50
RATIO_FROM: Final = 16 * 2**20  # smaller files may have any ratio
MAX_MEMBERS: Final = 20_000
MACOS: Final = "__MACOSX"  # a folder beside the files
SUFFIXES: Final = (".json", ".jsonl", ".ndjson", ".har", ".gz", ".zip", ".csv", ".tsv")

_CHUNK = 2**16
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_GZIP = b"\x1f\x8b"
_NO_END = "File is not a zip file"  # Python says this of one without its list of files, which is at the end
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
    RuntimeError,  # locked, or packed by a method that Python cannot unpack
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
    is_other
        Whether it was not unpacked because it is of another kind.
    """

    name: str
    data: bytes = field(default=b"", repr=False)
    problem: str | None = None
    is_other: bool = False


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
        Each file that may be of use, was not unpacked or could not be. What Finder adds is left out.
    """
    if not data.startswith((_ZIP, _EMPTY_ZIP)):
        yield Unpacked(source, data)
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        files = [member for member in archive.infolist() if not _is_added(member)]
        members = [member for member in files if _may_be_of_use(member)]
    except _DAMAGE as error:
        why = _why(error)
        what = "its end is missing: download it again" if why == _NO_END else why
        yield Unpacked(source, problem=f"It is a zip archive that is damaged ({what}).")
        return
    if not members:
        yield Unpacked(source, problem="It is a zip archive without any JSON or CSV in it.")
    elif len(members) > MAX_MEMBERS:
        yield Unpacked(
            source, problem=f"It is a zip archive of more than {MAX_MEMBERS:,} files: unpack it first."
        )
    else:
        yield from _members(source, archive, members)
        others = [member for member in files if not _may_be_of_use(member)]
        yield from (Unpacked(f"{source}/{_name(member)}", is_other=True) for member in others)


def count(data: bytes) -> int:
    """Return how many files `unpack` yields of a file, at least 1."""
    if not data.startswith((_ZIP, _EMPTY_ZIP)):
        return 1
    try:
        members = zipfile.ZipFile(io.BytesIO(data)).infolist()
        return max(1, sum(not _is_added(member) for member in members))
    except _DAMAGE:
        return 1


def _is_added(member: zipfile.ZipInfo) -> bool:
    """Tell whether a member is a folder, or a file beside files that macOS writes."""
    *folders, name = _name(member).split("/")
    return not name or MACOS in folders or name.startswith("._")


def _name(member: zipfile.ZipInfo) -> str:
    """Return a member's name with its folders; some Windows programs separate them by backslashes."""
    return member.filename.replace("\\", "/")


def _may_be_of_use(member: zipfile.ZipInfo) -> bool:
    return member.filename.lower().endswith(SUFFIXES) or "json" in member.filename.lower()


def _members(source: str, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Iterator[Unpacked]:
    left = MAX_ARCHIVE
    for member in members:
        name = f"{source}/{_name(member)}"
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
