"""Archives that are damaged, locked, nested or bombs cost a sentence, not the memory."""

import gzip
import io
import lzma
import random
import tracemalloc
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.imports import archives, documents, dumps
from tests.support.dumps import as_json, entries

GOOD = as_json(entries(3))


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def problems(data: bytes) -> list[str]:
    found = []
    for file in archives.unpack("x", data):
        found += [file.problem] if file.problem else dumps.read(file.name, file.data).problems
    return found


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped(("a.json", data))], ids=["gzip", "zip"])
def test_a_bomb_is_not_unpacked(pack: Any) -> None:
    bomb = pack(b"[" + b" " * 80_000_000 + b"]")
    tracemalloc.start()
    try:
        (problem,) = problems(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert problem.startswith("It unpacks to more than 150 times its size")
    assert peak < 40_000_000


def test_a_bomb_in_a_gzip_in_a_gzip() -> None:
    (problem,) = problems(gzip.compress(gzip.compress(b" " * 80_000_000)))
    assert problem.startswith("It unpacks to more than 150 times its size")


def test_more_than_the_limits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = random.Random(1).randbytes(2**20)
    monkeypatch.setattr(archives, "MAX_UNPACKED", 2**19)
    assert problems(zipped(("a.json", noise)))[0].startswith("It unpacks to more than 0 MB")
    monkeypatch.setattr(archives, "MAX_UNPACKED", 2**21)
    monkeypatch.setattr(archives, "MAX_ARCHIVE", 2**20)
    found = list(archives.unpack("x", zipped(*((f"{n}.json", noise) for n in range(4)))))
    assert [len(file.data) for file in found] == [2**20, 0]
    assert found[1].problem == "It unpacks to more than 1 MB: unpack it first. Left out from here on."
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    assert "more than 3 files" in problems(zipped(*((f"{n}.json", GOOD) for n in range(4))))[0]


def test_what_macos_adds_is_left_alone() -> None:
    data = zipped(
        ("__MACOSX/._a.json", b"\0"), ("b/._a.json", b"\0"), ("b/a.json", GOOD), ("b/read.pdf", b"%PDF")
    )
    assert [(file.name, file.problem, file.is_other) for file in archives.unpack("x.zip", data)] == [
        ("x.zip/b/a.json", None, False),
        ("x.zip/b/read.pdf", None, True),
    ]
    assert archives.count(data) == 2


def test_backslashes_separate_folders_too() -> None:
    data = zipped(
        ("MyData\\", b""),
        ("MyData\\a.json", GOOD),
        ("__MACOSX\\._a.json", b"\0"),
        ("MyData\\read.pdf", b"%PDF"),
    )
    assert [file.name for file in archives.unpack("x.zip", data)] == [
        "x.zip/MyData/a.json",
        "x.zip/MyData/read.pdf",
    ]


def test_an_archive_without_files_counts_as_one() -> None:
    assert archives.count(zipped()) == archives.count(zipped(("__MACOSX/._a.json", b""))) == 1


def locked() -> bytes:
    data = bytearray(zipped(("a.json", GOOD)))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def broken_in(method: int) -> bytes:
    data = bytearray(zipped(("a.json", GOOD * 9), method=method))
    for place in range(60, 120):
        data[place] ^= 0x5A
    return bytes(data)


@pytest.mark.parametrize(
    "data, sentence",
    [
        (locked(), "It is locked with a password"),
        (zipped(("a.zip", zipped(("b.json", GOOD)))), "It is an archive inside an archive"),
        (zipped(("a.pdf", b"%PDF")), "It is a zip archive without any JSON or CSV in it."),
        (
            zipped(("a.json", GOOD))[:-30],
            "It is a zip archive that is damaged (its end is missing: download it",
        ),
        (zipped(), "It is a zip archive without any JSON or CSV in it."),
        (broken_in(zipfile.ZIP_DEFLATED), "It is damaged in the archive"),
        (broken_in(zipfile.ZIP_LZMA), "It is damaged in the archive"),
        (broken_in(zipfile.ZIP_BZIP2), "It is damaged in the archive"),
        (gzip.compress(GOOD)[:-9], "Its gzip data is cut short."),
        (gzip.compress(GOOD)[:-8] + b"\x07" * 8, "Its gzip data is damaged"),
        (gzip.compress(GOOD) + b"more", "Its gzip data is damaged (something else follows it)."),
        (lzma.compress(GOOD), "It is compressed in another way than zip or gzip"),
    ],
)
def test_damage_is_said_in_a_sentence(data: bytes, sentence: str) -> None:
    (problem,) = problems(data)
    assert problem.startswith(sentence)
    assert problem.endswith(".")


@given(
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, None]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, 400),
)
def test_no_damage_raises(method: int | None, changes: list[tuple[int, int]], cut: int) -> None:
    packed = (
        gzip.compress(GOOD) if method is None else zipped(("a.json", GOOD), ("ü.json", GOOD), method=method)
    )
    data = bytearray(packed[: len(packed) - cut])
    for place, value in changes:
        if data:
            data[4 + place % max(1, len(data) - 4)] = value
    for file in archives.unpack("x", bytes(data)):
        reading = dumps.read(file.name, file.data)
        assert file.problem or reading.parts or reading.problems or reading.others


@pytest.mark.parametrize("piece,limit", [("[],", "MAX_OBJECTS"), ("Song,By\n", "MAX_LINES")])
def test_more_objects_or_lines_than_a_playlist_has_are_refused(
    piece: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, limit, 1000)
    assert documents.decoded(piece.encode() * 900)
    with pytest.raises(documents.Unreadable, match="more objects or lines than any playlist has"):
        documents.decoded(piece.encode() * 1100)
