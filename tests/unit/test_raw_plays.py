"""The raw objects of exports, polls and the library."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from spotify_lake import keys
from spotify_lake.errors import SnapshotMisplaced, SnapshotUnreadable
from spotify_lake.raw import plays
from tests.support.plays import IMPORTED, PRIVATE_VALUES, extended, pack, poll, recent

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_private_and_unknown_fields_are_not_stored() -> None:
    private = dict.fromkeys(plays.PRIVATE, "secret")
    row = extended(**private | {"username": "somebody", "mood": "secret", "platform": {"ip_addr": "secret"}})
    packed = pack([extended(), row, extended(mood=1)])
    text = gzip.decompress(packed.data).decode()
    assert not [value for value in (*PRIVATE_VALUES, "secret") if value in text]
    assert packed.unknown_fields == {"mood": 2, "platform": 1}
    assert packed.usernames == {"somebody"}
    assert plays.unpack_export(packed.data, packed.key).unknown_fields == ["mood", "platform"]


def test_rows_keep_their_order_and_text() -> None:
    rows = [
        b'{"ts" : "a", "ms_played": 1.50, "skipped":null, "platform":"\\u00fc\\ud83d\\ude00"}',
        b' {"ms_played":1e3,"ts":"\xc3\xbc"} ',
        b"7",
        b"null",
        b'["203.0.113.7"]',
    ]
    packed = plays.pack_export("audio", "endsong_0.json", rows, IMPORTED)
    export = plays.unpack_export(packed.data, packed.key)
    assert [bytes(row) for row in export.rows] == [
        b'{"ts":"a","ms_played":1.50,"skipped":null,"platform":"\\u00fc\\ud83d\\ude00"}',
        b'{"ms_played":1e3,"ts":"\xc3\xbc"}',
        b"7",
        b"null",
        b"[]",
    ]
    assert (export.form, export.source, export.file_name) == ("audio", "extended", "endsong_0.json")
    assert packed.row_count == 5


def test_what_utf8_cannot_represent_is_replaced() -> None:
    rows = [b'{"platform":"\\ud800 \\\\ud800 \xff"}', b'{"platform":"\\udfff"}']
    packed = plays.pack_export("audio", "a.json", rows, IMPORTED)
    read = plays.unpack_export(packed.data, packed.key).rows
    assert [msgspec.json.decode(row) for row in read] == [
        {"platform": "\ufffd \\ud800 \ufffd"},
        {"platform": "\ufffd"},
    ]


def test_a_row_that_is_not_json_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        plays.pack_export("audio", "a.json", [b'{"ts":'], IMPORTED)


def test_the_same_content_is_the_same_object() -> None:
    one = pack([extended()])
    assert pack([extended()]).data == one.data
    # Neither name, time of the import nor what is dropped make it another.
    again = plays.pack_export(
        "audio", "b.json", [json.dumps(extended(username="x", new=1)).encode()], NOON.replace(year=2027)
    )
    assert again.key == one.key
    assert pack([extended()], "video").key != one.key
    assert pack([extended(ms_played=1)]).key != one.key


@pytest.mark.parametrize(
    "change, cause",
    [
        ({"plays_version": 2}, "unknown version 2"),
        ({"plays_version": None}, "unknown version None"),
        ({"form": "film"}, "damaged"),
        ({"source": "account"}, "account has no files of the form audio"),
        ({"rows": {}}, "belongs under"),
        ({"rows": [1]}, "belongs under"),
        ({"form": "video"}, "belongs under"),
        ({"imported_at": "2026-01-01T00:00:00"}, "damaged"),
    ],
)
def test_an_export_that_is_not_what_its_key_says_is_unreadable(change: dict[str, Any], cause: str) -> None:
    packed = pack([extended()])
    envelope = json.loads(gzip.decompress(packed.data)) | change
    with pytest.raises(SnapshotUnreadable, match=cause):
        plays.unpack_export(gzip.compress(json.dumps(envelope).encode()), packed.key)


def test_a_changed_row_does_not_have_the_digest_of_its_key() -> None:
    packed = pack([extended()])
    changed = gzip.compress(gzip.decompress(packed.data).replace(b"207959", b"207958"))
    with pytest.raises(SnapshotMisplaced, match=r"belongs under raw/plays/export/[0-9a-f]{64}\.json\.gz"):
        plays.unpack_export(changed, packed.key)


@pytest.mark.parametrize("data", [b"", b"no gzip", gzip.compress(b"no json"), gzip.compress(b"[]")])
def test_damaged_bytes_are_unreadable(data: bytes) -> None:
    readers = {
        plays.unpack_export: keys.raw_export_key("0" * 64),
        plays.unpack_poll: keys.raw_poll_key(NOON),
        plays.unpack_library: keys.raw_library_key(NOON),
    }
    for read, key in readers.items():
        with pytest.raises(SnapshotUnreadable):
            read(data, key)


def test_a_poll_holds_the_answer_untouched() -> None:
    page = b'{"items":[{"played_at":"\\ud800"}, null ],\n "limit":50.0}'
    data = plays.pack_poll(NOON, page)
    assert page in gzip.decompress(data)
    found = plays.unpack_poll(data, keys.raw_poll_key(NOON))
    assert found.fetched_at == NOON
    assert [msgspec.json.decode(row) for row in found.rows] == [{"played_at": "\ufffd"}, None]


def test_a_poll_under_the_key_of_another_time_is_unreadable() -> None:
    with pytest.raises(SnapshotMisplaced, match="belongs under raw/plays/api/2026-11-20/20261120T120000Z"):
        plays.unpack_poll(poll(NOON, [recent()]), keys.raw_poll_key(NOON.replace(hour=13)))


@pytest.mark.parametrize("page", [b"{}", b"[]", b'{"items":null}', b'{"items":{}}'])
def test_a_poll_without_a_list_is_unreadable(page: bytes) -> None:
    with pytest.raises(SnapshotUnreadable, match="damaged"):
        plays.unpack_poll(plays.pack_poll(NOON, page), keys.raw_poll_key(NOON))


def test_a_library_joins_its_pages() -> None:
    pages: Any = {"album": [{"items": [1, 2], "next": "x"}, {"items": [3]}], "followed_artist": []}
    data = plays.pack_library(NOON, NOON, pages)
    found = plays.unpack_library(data, keys.raw_library_key(NOON))
    assert found.scheduled_at == NOON
    assert found.items == {"album": [Raw(b"1"), Raw(b"2"), Raw(b"3")], "followed_artist": []}
    with pytest.raises(SnapshotMisplaced):
        plays.unpack_library(data, keys.raw_library_key(NOON.replace(hour=13)))
