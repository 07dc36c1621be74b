import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotify_lake import raw
from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.spotify.models import Album, Artist, Details, Followers
from tests import payloads


def rewritten(data: bytes, **changes: object) -> bytes:
    return gzip.compress(json.dumps(json.loads(gzip.decompress(data)) | changes).encode())


def test_key_is_made_of_playlist_and_utc_time() -> None:
    berlin = timezone(timedelta(hours=1))
    assert (
        raw.key("6rqhFgbbKwnb9MLmUQDhG6", datetime(2026, 11, 20, 7, tzinfo=berlin))
        == "raw/playlist_id=6rqhFgbbKwnb9MLmUQDhG6/20261120T060000Z.json.gz"
    )


def test_what_was_written_is_read_back() -> None:
    playlist = payloads.playlist()
    snapshot = raw.decode(payloads.raw_object([payloads.entry(payloads.song())], [payloads.entry(None)]))
    assert snapshot.playlist_id == playlist["id"]
    assert snapshot.snapshot_id == playlist["snapshot_id"]
    assert snapshot.scheduled_at == payloads.NOON
    assert snapshot.contract == "items"
    assert snapshot.playlist.name == "Road Trip"
    assert [entry and entry.kind for entry in snapshot.entries] == ["song", "unavailable"]


def test_pages_are_kept_as_spotify_sent_them() -> None:
    page = payloads.page(payloads.every_kind()) | {
        "a field nobody knows": {"x": [1, 2.5, None, "\ud800", "é"]}
    }
    envelope = json.loads(gzip.decompress(payloads.raw_object(page)))
    assert envelope["pages"] == [page]
    assert envelope["playlist"] == payloads.playlist()


def test_equal_content_is_equal_bytes() -> None:
    assert payloads.raw_object(payloads.every_kind()) == payloads.raw_object(payloads.every_kind())


@pytest.mark.parametrize("key", ["items", "tracks"])
def test_entries_embedded_in_the_playlist_are_read_in_either_contract(key: str) -> None:
    playlist = payloads.playlist() | {"items": None, key: payloads.page(payloads.every_kind())}
    data = payloads.raw_object(playlist_object=playlist, contract="embedded")
    assert len(raw.decode(data).entries) == len(payloads.every_kind())
    with_a_bad_entry = playlist | {key: payloads.page([*payloads.every_kind(), 7])}
    snapshot = raw.decode(payloads.raw_object(playlist_object=with_a_bad_entry, contract="embedded"))
    assert isinstance(snapshot.entries[-1], raw.RejectedEntry)
    assert len(snapshot.entries) == len(payloads.every_kind()) + 1


def test_the_embedded_page_is_not_counted_beside_fetched_pages() -> None:
    playlist = payloads.playlist() | {"items": payloads.page([payloads.entry(payloads.song())])}
    assert len(raw.decode(payloads.raw_object([payloads.entry(None)], playlist_object=playlist)).entries) == 1


@pytest.mark.parametrize(
    "entry, reason, detail",
    [
        (payloads.entry(payloads.song(duration_ms="long")), "undecodable", "duration_ms"),
        (payloads.entry(payloads.song(duration_ms=2**31)), "undecodable", "duration_ms"),
        (payloads.entry(payloads.song(popularity=10**30)), "undecodable", "popularity"),
        (payloads.entry(payloads.song(), added_at="yesterday"), "undecodable", "added_at"),
        (payloads.entry(payloads.song(), added_at="0001-01-01T00:00:00+05:00"), "undecodable", "UTC"),
        (payloads.entry(payloads.song(id=None)), "song_without_id", "no id"),
        (payloads.entry(payloads.song(id="")), "song_without_id", "no id"),
        (payloads.entry(payloads.song(type="hologram")), "unknown_type", "hologram"),
        ("a string", "undecodable", "object"),
        ([], "undecodable", "object"),
    ],
)
def test_a_bad_entry_becomes_one_reject_and_the_others_stay(entry: object, reason: str, detail: str) -> None:
    good = payloads.entry(payloads.song("Good"))
    first, rejected, last = raw.decode(payloads.raw_object([good, entry, good])).entries
    assert first == last
    assert isinstance(first, raw.Entry)
    assert isinstance(rejected, raw.RejectedEntry)
    assert rejected.reason == reason
    assert detail in rejected.detail
    assert json.loads(rejected.payload) == entry


def test_a_lone_surrogate_costs_a_character_not_the_entry() -> None:
    playlist = payloads.playlist(description="cut in half \ud83d")
    snapshot = raw.decode(
        payloads.raw_object(
            [payloads.entry(payloads.song() | {"name": "Smile \ud83d"})], playlist_object=playlist
        )
    )
    assert snapshot.playlist.description == "cut in half \ufffd"
    entry = snapshot.entries[0]
    assert isinstance(entry, raw.Entry)
    assert entry.content
    assert entry.content.name == "Smile \ufffd"


GOOD = payloads.raw_object([payloads.entry(payloads.song())])


@pytest.mark.parametrize(
    "data, cause",
    [
        (b"", "JSON"),
        (b"{}", "not gzip"),
        (GOOD[:-20], "cut short"),
        (GOOD[:60], "cut short"),
        (GOOD[:40] + b"\x00\x00\x00" + GOOD[43:], "damaged"),
        (gzip.compress(b""), "no JSON"),
        (gzip.compress(b'{"envelope_version": 1, "pages": ['), "no JSON"),
        (gzip.compress(b"\xff\xfe\x00"), "no JSON"),
        (gzip.compress(b"[" * 200_000), "no JSON"),
        (gzip.compress(b"[]"), "no object"),
        (gzip.compress(b"{}"), "envelope version None"),
        (rewritten(GOOD, envelope_version=2), "envelope version 2"),
        (rewritten(GOOD, pages=None), "pages are no list"),
        (rewritten(GOOD, pages=[{"items": None}]), "page 1 holds no list"),
        (rewritten(GOOD, pages=[{"items": []}, 7]), "page 2 holds no list"),
        (rewritten(GOOD, playlist_id="../../elsewhere"), "playlist_id"),
        (rewritten(GOOD, scheduled_at="2026-11-20T06:00:00"), "scheduled_at"),
        (rewritten(GOOD, contract="telepathy"), "contract"),
        (rewritten(GOOD, contract="embedded"), "entries"),
        (rewritten(GOOD, playlist=None), "playlist"),
        (rewritten(GOOD, playlist={"name": 7}), "name"),
    ],
)
def test_an_unreadable_object_says_why(data: bytes, cause: str) -> None:
    with pytest.raises(SnapshotUnreadable, match=cause):
        raw.decode(data)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_snapshot_or_unreadable(data: bytes) -> None:
    for candidate in (data, gzip.compress(data)):
        with pytest.raises(SnapshotUnreadable):
            raw.decode(candidate)


def test_times_are_utc_whatever_offset_they_came_with() -> None:
    data = rewritten(GOOD, scheduled_at="2026-11-20T14:00:00+02:00")
    assert raw.decode(data).scheduled_at == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert raw.decode(data).scheduled_at.tzinfo is UTC


ARTIST, ALBUM = payloads.artist()["id"], payloads.album()["id"]


def with_details(details: Mapping[str, Mapping[str, bytes]]) -> bytes:
    writer = raw.SnapshotWriter(
        playlist_id=payloads.playlist()["id"],
        snapshot_id="x",
        scheduled_at=payloads.NOON,
        fetched_at=payloads.NOON,
        contract="items",
    )
    writer.add_page(payloads.page([payloads.entry(payloads.song())]))
    writer.add_details(details)
    return writer.finish(payloads.playlist())


def test_details_are_read_back() -> None:
    data = with_details(
        {
            "artists": {ARTIST: b'{"genres":["tango"],"followers":{"total":7},"x":1}', "other": b"{}"},
            "albums": {ALBUM: b'{"label":"Quay"}'},
        }
    )
    assert json.loads(gzip.decompress(data))["details"]["albums"] == {ALBUM: {"label": "Quay"}}
    snapshot = raw.decode(data)
    assert list(snapshot.details.artists) == [ARTIST, "other"]
    assert snapshot.details.artists[ARTIST] == Artist(genres=["tango"], followers=Followers(7))
    assert snapshot.details.albums == {ALBUM: Album(label="Quay")}
    assert len(snapshot.entries) == 1


@pytest.mark.parametrize("details", [{}, {"artists": {}}, {"artists": {}, "albums": {}}])
def test_without_details_an_object_is_as_it_ever_was(details: dict[str, dict[str, bytes]]) -> None:
    assert "details" not in json.loads(gzip.decompress(with_details(details)))
    assert raw.decode(with_details(details)).details == Details()
    assert raw.decode(GOOD).details == Details()


@pytest.mark.parametrize(
    "details", [None, 7, "x", [], {"artists": []}, {"artists": {ARTIST: None}}, {"else": {}}]
)
def test_details_that_are_none_are_none(details: object) -> None:
    snapshot = raw.decode(rewritten(GOOD, details=details))
    assert not any(snapshot.details.artists.values())
    assert not snapshot.details.albums
    assert len(snapshot.entries) == 1


@pytest.mark.parametrize("bad_entry", [[], [7]])
def test_a_damaged_detail_costs_neither_the_others_nor_an_entry(bad_entry: list[object]) -> None:
    details = {
        "artists": {ARTIST: {"genres": ["tango"]}, "bad": {"genres": 7}, "cut": {"name": "half \ud83d"}},
        "albums": {ALBUM: {"label": []}, "other": {"label": "Quay"}},
    }
    envelope = json.loads(gzip.decompress(GOOD))
    envelope["pages"][0]["items"] += bad_entry
    snapshot = raw.decode(gzip.compress(json.dumps(envelope | {"details": details}).encode()))
    assert snapshot.details.artists == {
        ARTIST: Artist(genres=["tango"]),
        "cut": Artist(name="half \ufffd"),
    }
    assert snapshot.details.albums == {"other": Album(label="Quay")}
    assert len(snapshot.entries) == 1 + len(bad_entry)
