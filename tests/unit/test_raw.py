import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from spotify_lake import keys
from spotify_lake.errors import SnapshotMisplaced, SnapshotUnreadable
from spotify_lake.raw import envelope, store
from spotify_lake.spotify import models
from spotify_lake.spotify.models import Album, Artist, Details, Followers
from tests.support import payloads


def rewritten(data: bytes, **changes: object) -> bytes:
    return gzip.compress(json.dumps(json.loads(gzip.decompress(data)) | changes).encode())


def test_key_is_made_of_playlist_and_utc_time() -> None:
    berlin = timezone(timedelta(hours=1))
    assert (
        keys.raw_key("6rqhFgbbKwnb9MLmUQDhG6", datetime(2026, 11, 20, 7, tzinfo=berlin))
        == "raw/playlist_id=6rqhFgbbKwnb9MLmUQDhG6/20261120T060000Z.json.gz"
    )


def test_times_in_keys_have_one_width_and_no_fraction() -> None:
    assert keys.compact_time(datetime(1, 2, 3, 4, 5, 6, 7, UTC)) == "00010203T040506Z"


def test_what_was_written_is_read_back() -> None:
    playlist = payloads.playlist()
    snapshot = envelope.decode(payloads.raw_object([payloads.entry(payloads.song())], [payloads.entry(None)]))
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
    content = json.loads(gzip.decompress(payloads.raw_object(page)))
    assert content["pages"] == [page]
    assert content["playlist"] == payloads.playlist()


def test_equal_content_is_equal_bytes() -> None:
    assert payloads.raw_object(payloads.every_kind()) == payloads.raw_object(payloads.every_kind())
    method, flags, time_stamp = GOOD[2], GOOD[3], GOOD[4:8]
    assert (method, flags, time_stamp) == (8, 0, bytes(4)), "no file name, no time stamp"


@pytest.mark.parametrize("key", ["items", "tracks"])
def test_entries_embedded_in_the_playlist_are_read_in_either_contract(key: str) -> None:
    playlist = payloads.playlist() | {"items": None, key: payloads.page(payloads.every_kind())}
    data = payloads.raw_object(playlist_object=playlist, contract="embedded")
    assert len(envelope.decode(data).entries) == len(payloads.every_kind())
    with_a_bad_entry = playlist | {key: payloads.page([*payloads.every_kind(), 7])}
    snapshot = envelope.decode(payloads.raw_object(playlist_object=with_a_bad_entry, contract="embedded"))
    assert isinstance(snapshot.entries[-1], envelope.RejectedEntry)
    assert len(snapshot.entries) == len(payloads.every_kind()) + 1


def test_of_two_embedded_pages_the_new_one_counts() -> None:
    playlist = payloads.playlist() | {"items": payloads.page([None]), "tracks": payloads.page([None, None])}
    assert (
        len(envelope.decode(payloads.raw_object(playlist_object=playlist, contract="embedded")).entries) == 1
    )


@pytest.mark.parametrize("entry", [payloads.entry(payloads.song()), 7], ids=["good", "bad"])
def test_the_contract_says_whether_pages_or_the_embedded_page_count(entry: object) -> None:
    playlist = payloads.playlist() | {"items": payloads.page([entry])}
    pages = ([None, None], [None])
    assert len(envelope.decode(payloads.raw_object(*pages, playlist_object=playlist)).entries) == 3
    data = payloads.raw_object(*pages, playlist_object=playlist, contract="embedded")
    assert len(envelope.decode(data).entries) == 1


@pytest.mark.parametrize(
    "entry, reason, detail",
    [
        (payloads.entry(payloads.song(type=7)), "undecodable", "type"),
        (payloads.entry(payloads.song(id=7, uri=None)), "undecodable", "id"),
        (payloads.entry(payloads.song(id=None, uri={})), "undecodable", "uri"),
        (payloads.entry(payloads.song(id="", uri=[])), "undecodable", "uri"),
        (payloads.entry() | {"item": "a song"}, "undecodable", "item"),
        (payloads.entry(payloads.song(id=None, uri=None)), "song_without_id", "no id"),
        (payloads.entry(payloads.song(id="", uri="")), "song_without_id", "no id"),
        (payloads.entry(payloads.song(id=None, uri="spotify:artist:x")), "song_without_id", "no id"),
        ("a string", "undecodable", "object"),
        ([], "undecodable", "object"),
    ],
)
def test_a_bad_entry_becomes_one_reject_and_the_others_stay(entry: object, reason: str, detail: str) -> None:
    good = payloads.entry(payloads.song("Good"))
    first, rejected, last = envelope.decode(payloads.raw_object([good, entry, good])).entries
    assert first == last
    assert isinstance(first, models.Entry)
    assert isinstance(rejected, envelope.RejectedEntry)
    assert rejected.reason == reason
    assert detail in rejected.detail
    assert json.loads(rejected.payload) == entry


@pytest.mark.parametrize(
    "odd, path",
    [
        (payloads.entry(payloads.song(duration_ms="long")), "item.duration_ms"),
        (payloads.entry(payloads.song(duration_ms={"totalMilliseconds": 1})), "item.duration_ms"),
        (payloads.entry(payloads.song(duration_ms=1.5)), "item.duration_ms"),
        (payloads.entry(payloads.song(duration_ms=2**31)), "item.duration_ms"),
        (payloads.entry(payloads.song(duration_ms=-(2**31) - 1)), "item.duration_ms"),
        (payloads.entry(payloads.song(duration_ms=True)), "item.duration_ms"),
        (payloads.entry(payloads.song(popularity=10**30)), "item.popularity"),
        (payloads.entry(payloads.song(popularity=1e300)), "item.popularity"),
        (payloads.entry(payloads.song(name=1999)), "item.name"),
        (payloads.entry(payloads.song(explicit="false")), "item.explicit"),
        (payloads.entry(payloads.song(external_ids=[])), "item.external_ids"),
        (payloads.entry(payloads.song(external_urls={"spotify": 7})), "item.external_urls.spotify"),
        (payloads.entry(payloads.song(album=[])), "item.album"),
        (payloads.entry(payloads.song(album=payloads.album(id=7))), "item.album.id"),
        (payloads.entry(payloads.song(album=payloads.album(images={}))), "item.album.images"),
        (payloads.entry(payloads.song(artists="Mira Sol")), "item.artists"),
        (payloads.entry(payloads.song(artists=[payloads.artist(), 7])), "item.artists[1]"),
        (
            payloads.entry(payloads.song(artists=[payloads.artist(genres=["a", 7])])),
            "item.artists[0].genres[1]",
        ),
        (payloads.entry(payloads.song(uri=7)), "item.uri"),
        (payloads.entry(payloads.song(id=7)), "item.id"),
        (payloads.entry(payloads.song(is_local="no"), is_local=False), "item.is_local"),
        (payloads.entry(payloads.song(), added_at="yesterday"), "added_at"),
        (payloads.entry(payloads.song(), added_at=1_700_000_000), "added_at"),
        (payloads.entry(payloads.song(), added_at="0001-01-01T00:00:00+05:00"), "added_at"),
        (payloads.entry(payloads.song(), added_by="nadia.k"), "added_by"),
        (payloads.entry(payloads.song(), key="track", item=True), "item"),
    ],
)
def test_an_odd_secondary_field_costs_only_itself(odd: object, path: str) -> None:
    good = payloads.entry(payloads.song("Good"))
    snapshot = envelope.decode(payloads.raw_object([good, odd, good]))
    entry = snapshot.entries[1]
    assert isinstance(entry, models.Entry)
    assert (entry.kind, entry.content and entry.content.id) == ("song", payloads.song()["id"])
    assert [(field.position, field.path) for field in snapshot.unreadable] == [(2, path)]


def test_whole_numbers_with_a_decimal_point_are_integers() -> None:
    album = payloads.album(total_tracks=12.0)
    song = payloads.song(
        duration_ms=156923.0, popularity=51.0, disc_number=1.0, track_number=3.0, album=album
    )
    playlist = payloads.playlist(followers={"href": None, "total": 49022656.0})
    page = payloads.page([payloads.entry(song)]) | {"total": 1.0, "offset": 0.0}
    snapshot = envelope.decode(payloads.raw_object(page, playlist_object=playlist))
    (entry,) = snapshot.entries
    assert isinstance(entry, models.Entry)
    assert entry.item
    assert entry.item.album
    assert (entry.item.duration_ms, entry.item.popularity) == (156_923, 51)
    assert (entry.item.disc_number, entry.item.track_number, entry.item.album.total_tracks) == (1, 3, 12)
    assert snapshot.playlist.followers
    assert snapshot.playlist.followers.total == 49_022_656
    assert (snapshot.is_complete, snapshot.unreadable) == (True, ())


@pytest.mark.parametrize(
    "changes, path",
    [
        ({"followers": {"total": 2**63}}, "playlist.followers.total"),
        ({"followers": {"total": -(2**63) - 1}}, "playlist.followers.total"),
        ({"followers": 7}, "playlist.followers"),
        ({"name": 7}, "playlist.name"),
        ({"owner": "nadia.k"}, "playlist.owner"),
        ({"images": [7]}, "playlist.images[0]"),
    ],
)
def test_an_odd_field_of_the_playlist_costs_only_itself(changes: dict[str, Any], path: str) -> None:
    snapshot = envelope.decode(rewritten(GOOD, playlist={"description": "kept", **changes}))
    assert snapshot.playlist.description == "kept"
    assert snapshot.entries == envelope.decode(GOOD).entries
    assert [(field.position, field.path) for field in snapshot.unreadable] == [(None, path)]


def test_a_number_that_is_too_long_for_python_costs_only_itself() -> None:
    text = GOOD_JSON.replace(b'"duration_ms":207959', b'"duration_ms":' + b"9" * 5000)
    snapshot = envelope.decode(gzip.compress(text))
    (entry,) = snapshot.entries
    assert isinstance(entry, models.Entry)
    assert entry.item
    assert (entry.item.name, entry.item.duration_ms) == ("Low Tide", None)


def test_of_both_contents_the_unused_one_may_be_anything() -> None:
    both = payloads.entry(payloads.song(duration_ms="long")) | {"track": {"type": 7}}
    (entry,) = envelope.decode(payloads.raw_object([both])).entries
    assert isinstance(entry, models.Entry)
    assert entry.kind == "song"


@pytest.mark.parametrize(
    "content, kind, item_id",
    [
        (payloads.song(id=None, uri="spotify:track:abc"), "song", "abc"),
        (payloads.episode(id=None, uri="spotify:episode:abc"), "episode", "abc"),
        (payloads.song(type="chapter"), "chapter", payloads.song()["id"]),
        (payloads.song(type="Hologram"), "other", payloads.song()["id"]),
        (payloads.song(type="hologram", id=None, uri=None), "other", None),
        (payloads.song(id=None, uri="spotify:local:::x:1"), "local", None),
        (payloads.song(type=""), "song", payloads.song()["id"]),
    ],
)
def test_a_content_is_what_its_type_and_identity_say(content: Any, kind: str, item_id: str | None) -> None:
    (entry,) = envelope.decode(payloads.raw_object([payloads.entry(content)])).entries
    assert isinstance(entry, models.Entry)
    assert (entry.kind, entry.content and entry.content.id) == (kind, item_id)


ONE = [payloads.entry(payloads.song())]


@pytest.mark.parametrize(
    "pages, first, is_complete",
    [
        ([payloads.page(ONE)], 1, True),
        ([payloads.page(ONE, total=3)], 1, False),
        ([payloads.page(ONE, offset=2, total=3)], 3, False),
        ([payloads.page(ONE, total=2), payloads.page(ONE, offset=1, total=2)], 1, True),
        ([payloads.page(ONE, total=1), payloads.page(ONE, offset=1, total=3)], 1, False),
        ([payloads.page(3 * ONE, offset=2, total=3)], 1, True),
        ([{"items": ONE}], 1, None),
        ([{"items": ONE, "offset": 5}], 6, False),
        ([payloads.page(ONE, offset=-1)], 1, True),
        ([{"items": ONE, "offset": 2**31 - 1}], 1, None),
        ([payloads.page([])], 1, True),
        ([], 1, None),
    ],
)
def test_a_snapshot_knows_which_part_of_the_list_it_holds(
    pages: list[Any], first: int, is_complete: bool | None
) -> None:
    snapshot = envelope.decode(payloads.raw_object(*pages))
    assert (snapshot.first_position, snapshot.is_complete) == (first, is_complete)


def test_an_embedded_page_can_be_a_part_too() -> None:
    playlist = payloads.playlist() | {"tracks": payloads.page(ONE, total=3)}
    assert (
        envelope.decode(payloads.raw_object(playlist_object=playlist, contract="embedded")).is_complete
        is False
    )


@pytest.mark.parametrize(
    "key, is_refused",
    [
        (keys.raw_key(payloads.playlist()["id"], payloads.NOON), False),
        (keys.raw_key(payloads.spotify_id("other"), payloads.NOON), True),
        (keys.raw_key(payloads.playlist()["id"], payloads.NOON + timedelta(seconds=1)), True),
        ("raw/some other name.json.gz", False),
    ],
)
def test_content_under_the_key_of_another_snapshot_is_refused(key: str, is_refused: bool) -> None:
    if not is_refused:
        assert envelope.decode(GOOD, key) == envelope.decode(GOOD)
        return
    with pytest.raises(SnapshotMisplaced, match=keys.raw_key(payloads.playlist()["id"], payloads.NOON)):
        envelope.decode(GOOD, key)


@pytest.mark.parametrize("value", [-(2**31), -1, 2**31 - 1])
def test_whole_numbers_may_use_all_32_bits(value: int) -> None:
    (entry,) = envelope.decode(
        payloads.raw_object([payloads.entry(payloads.song(duration_ms=value))])
    ).entries
    assert isinstance(entry, models.Entry)


def test_a_time_without_offset_is_utc() -> None:
    entries = [
        payloads.entry(added_at="2026-03-01T18:22:09"),
        payloads.entry(added_at="2026-03-01T19:22:09+01:00"),
    ]
    first, second = envelope.decode(payloads.raw_object(entries)).entries
    assert isinstance(first, models.Entry)
    assert isinstance(second, models.Entry)
    assert first.added_at == second.added_at == datetime(2026, 3, 1, 18, 22, 9, tzinfo=UTC)


def test_a_null_entry_beside_a_bad_one_stays_a_null_entry() -> None:
    first, second = envelope.decode(payloads.raw_object([None, 7])).entries
    assert first is None
    assert isinstance(second, envelope.RejectedEntry)


def test_a_lone_surrogate_costs_a_character_not_the_entry() -> None:
    playlist = payloads.playlist(description="cut in half \ud83d")
    snapshot = envelope.decode(
        payloads.raw_object(
            [payloads.entry(payloads.song() | {"name": "Smile \ud83d"})], playlist_object=playlist
        )
    )
    assert snapshot.playlist.description == "cut in half \ufffd"
    entry = snapshot.entries[0]
    assert isinstance(entry, models.Entry)
    assert entry.content
    assert entry.content.name == "Smile \ufffd"


GOOD = payloads.raw_object([payloads.entry(payloads.song())])
GOOD_JSON = gzip.decompress(GOOD)


def test_a_lone_surrogate_in_utf_8_costs_a_character_too() -> None:
    data = gzip.compress(GOOD_JSON.replace(b"Low Tide", "Low \ude00".encode("utf-8", "surrogatepass")))
    (entry,) = envelope.decode(data).entries
    assert isinstance(entry, models.Entry)
    assert entry.content
    assert entry.content.name == "Low \ufffd"


@pytest.mark.parametrize(
    "data, cause",
    [
        (b"", "JSON"),
        (b"{}", "not gzip"),
        (GOOD[:-20], "truncated"),
        (GOOD[:60], "truncated"),
        (GOOD[:40] + b"\x00\x00\x00" + GOOD[43:], "damaged"),
        (gzip.compress(b""), "not JSON"),
        (gzip.compress(b'{"envelope_version": 1, "pages": ['), "not JSON"),
        (gzip.compress(b"\xff\xfe\x00"), "not JSON"),
        (gzip.compress(b"[" * 200_000), "not JSON"),
        (gzip.compress(b'{"x":' + b"[" * 200_000), "not JSON"),
        (gzip.compress(GOOD_JSON.replace(b"Low Tide", b"Low \xff")), "not JSON"),
        (gzip.compress(b"[]"), "not an object"),
        (gzip.compress(b"{}"), "envelope version None"),
        (rewritten(GOOD, envelope_version=2), "envelope version 2"),
        (rewritten(GOOD, envelope_version="1" * 10_000), "envelope version '1{79}; this"),
        (rewritten(GOOD, pages=None), "pages are not a list"),
        (rewritten(GOOD, pages=[{"items": None}]), "page 1 has no list"),
        (rewritten(GOOD, pages=[{"items": []}, 7]), "page 2 has no list"),
        (rewritten(GOOD, pages=[{"items": {}}]), "page 1 has no list"),
        (rewritten(GOOD, playlist_id="../../elsewhere"), "playlist_id"),
        (rewritten(GOOD, playlist_id="line\n"), "playlist_id"),
        (rewritten(GOOD, playlist_id="under_score"), "playlist_id"),
        (rewritten(GOOD, playlist_id=""), "playlist_id"),
        (rewritten(GOOD, scheduled_at="0001-01-01T00:00:00+05:00"), "no equivalent in UTC"),
        (rewritten(GOOD, fetched_at="9999-12-31T23:59:59-05:00"), "no equivalent in UTC"),
        (rewritten(GOOD, scheduled_at="2026-11-20T06:00:00"), "scheduled_at"),
        (rewritten(GOOD, contract="telepathy"), "contract"),
        (rewritten(GOOD, contract="embedded"), "neither its pages nor"),
        (rewritten(GOOD, contract="embedded", pages=None), "neither its pages nor"),
        (rewritten(GOOD, playlist=None), "playlist"),
    ],
)
def test_an_unreadable_object_says_why(data: bytes, cause: str) -> None:
    with pytest.raises(SnapshotUnreadable, match=cause):
        envelope.decode(data)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_snapshot_or_unreadable(data: bytes) -> None:
    for candidate in (data, gzip.compress(data)):
        with pytest.raises(SnapshotUnreadable):
            envelope.decode(candidate)


def test_times_are_utc_whatever_offset_they_came_with() -> None:
    data = rewritten(GOOD, scheduled_at="2026-11-20T14:00:00+02:00")
    assert envelope.decode(data).scheduled_at == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert envelope.decode(data).scheduled_at.tzinfo is UTC


ARTIST, ALBUM = payloads.artist()["id"], payloads.album()["id"]


def with_details(details: Mapping[str, Mapping[str, bytes]]) -> bytes:
    writer = envelope.SnapshotWriter(
        playlist_id=payloads.playlist()["id"],
        snapshot_id="x",
        scheduled_at=payloads.NOON,
        fetched_at=payloads.NOON,
        contract="items",
    )
    writer.add_page(payloads.page([payloads.entry(payloads.song())]))
    return writer.finish(payloads.playlist(), details)


def test_details_are_read_back() -> None:
    data = with_details(
        {
            "artists": {ARTIST: b'{"genres":["tango"],"followers":{"total":7},"x":1}', "other": b"{}"},
            "albums": {ALBUM: b'{"label":"Quay"}'},
        }
    )
    assert json.loads(gzip.decompress(data))["details"]["albums"] == {ALBUM: {"label": "Quay"}}
    snapshot = envelope.decode(data)
    assert list(snapshot.details.artists) == [ARTIST, "other"]
    assert snapshot.details.artists[ARTIST] == Artist(genres=["tango"], followers=Followers(7))
    assert snapshot.details.albums == {ALBUM: Album(label="Quay")}
    assert len(snapshot.entries) == 1


@pytest.mark.parametrize("details", [{}, {"artists": {}}, {"artists": {}, "albums": {}}])
def test_without_details_an_object_is_as_it_ever_was(details: dict[str, dict[str, bytes]]) -> None:
    assert "details" not in json.loads(gzip.decompress(with_details(details)))
    assert envelope.decode(with_details(details)).details == Details()
    assert envelope.decode(GOOD).details == Details()


@pytest.mark.parametrize(
    "details", [None, 7, "x", [], {"artists": []}, {"artists": {ARTIST: None}}, {"else": {}}]
)
def test_details_that_are_none_are_none(details: object) -> None:
    snapshot = envelope.decode(rewritten(GOOD, details=details))
    assert not any(snapshot.details.artists.values())
    assert not snapshot.details.albums
    assert len(snapshot.entries) == 1


@pytest.mark.parametrize("bad_entry", [[], [7]])
def test_a_damaged_detail_costs_neither_the_others_nor_an_entry(bad_entry: list[object]) -> None:
    details = {
        "artists": {ARTIST: {"genres": ["tango"]}, "bad": {"genres": 7}, "cut": {"name": "half \ud83d"}},
        "albums": {ALBUM: {"label": []}, "other": {"label": "Quay"}},
    }
    content = json.loads(gzip.decompress(GOOD))
    content["pages"][0]["items"] += bad_entry
    snapshot = envelope.decode(gzip.compress(json.dumps(content | {"details": details}).encode()))
    assert snapshot.details.artists == {
        ARTIST: Artist(genres=["tango"]),
        "bad": Artist(),
        "cut": Artist(name="half \ufffd"),
    }
    assert snapshot.details.albums == {ALBUM: Album(), "other": Album(label="Quay")}
    assert [field.path for field in snapshot.unreadable] == [
        "details.artists.bad.genres",
        f"details.albums.{ALBUM}.label",
    ]
    assert len(snapshot.entries) == 1 + len(bad_entry)


class TestSource:
    """A raw object as the source of another."""

    AT, THEN = datetime(2026, 11, 21, 6, tzinfo=UTC), datetime(2026, 11, 21, 6, 0, 2, tzinfo=UTC)

    def test_only_the_envelope_of_a_copy_is_new(self) -> None:
        data = payloads.raw_object(payloads.every_kind(), payloads.every_kind())
        source = envelope.Source("raw/first", data)
        before, after = (
            json.loads(gzip.decompress(each)) for each in (data, source.copy(self.AT, self.THEN, {}))
        )
        assert after == before | {
            "scheduled_at": "2026-11-21T06:00:00Z",
            "fetched_at": "2026-11-21T06:00:02Z",
            "copied_from": {"key": "raw/first", "fetched_at": before["fetched_at"]},
        }

    def test_a_copy_of_a_copy_names_the_first(self) -> None:
        copy = envelope.Source("raw/first", GOOD).copy(self.AT, self.THEN, {})
        again = envelope.Source("raw/second", copy).copy(self.AT, self.THEN, {})
        assert again == copy

    def test_a_copy_has_the_details_of_its_own_time(self) -> None:
        data = with_details({"artists": {ARTIST: b'{"genres":["tango"]}'}, "albums": {ALBUM: b"{}"}})
        source = envelope.Source("raw/first", data)
        assert envelope.decode(source.copy(self.AT, self.THEN, {})).details == Details()
        later = source.copy(self.AT, self.THEN, {"artists": {ARTIST: b'{"genres":["waltz"]}'}, "albums": {}})
        assert envelope.decode(later).details == Details(artists={ARTIST: Artist(genres=["waltz"])})
        assert source.entries() == envelope.decode(data).entries

    def test_content_that_is_no_good_json_is_copied_too(self) -> None:
        data = payloads.raw_object([payloads.entry(payloads.song("cut in half \\ud83d")), 7])
        copy = envelope.Source("raw/first", data).copy(self.AT, self.THEN, {})
        assert envelope.decode(copy).entries == envelope.decode(data).entries

    @pytest.mark.parametrize(
        "data, cause",
        [
            (b"", "envelope"),
            (b"{}", "not gzip"),
            (GOOD[:20], "envelope"),
            (GOOD[:-20], "truncated"),
            (GOOD[:-60] + b"\0\0\0" + GOOD[-57:], "CRC"),
            (rewritten(GOOD), "envelope"),
            (gzip.compress(b"{}") + GOOD, "envelope"),
            (gzip.compress(b"x,") + GOOD, "damaged"),
            (gzip.compress(b'{"envelope_version":1,') + GOOD, "playlist_id"),
        ],
    )
    def test_what_is_none_says_why(self, data: bytes, cause: str) -> None:
        with pytest.raises(SnapshotUnreadable, match=cause):
            envelope.Source("raw/first", data)

    def test_another_envelope_version_is_not_copied(self) -> None:
        later = gzip.compress(
            json.dumps(
                {
                    "envelope_version": 2,
                    "playlist_id": payloads.playlist()["id"],
                    "snapshot_id": None,
                    "scheduled_at": "2026-11-21T06:00:00Z",
                    "fetched_at": "2026-11-21T06:00:00Z",
                    "contract": "items",
                }
            ).encode()[:-1]
            + b","
        )
        with pytest.raises(SnapshotUnreadable, match="envelope version 2"):
            envelope.Source("raw/first", later + GOOD)


@pytest.fixture(scope="module")
def s3() -> Any:
    return boto3.client("s3")


@pytest.mark.parametrize("status", [403, 500])
def test_only_a_404_means_that_an_object_is_not_there(s3: Any, status: int) -> None:
    with Stubber(s3) as stub:
        stub.add_client_error("head_object", http_status_code=404)
        assert store.exists(s3, "lake-raw", "raw/x") is False
        stub.add_client_error("head_object", http_status_code=status)
        with pytest.raises(ClientError):
            store.exists(s3, "lake-raw", "raw/x")


@pytest.mark.parametrize("status", [403, 409, 500])
def test_only_a_412_means_that_an_object_was_there_first(s3: Any, status: int) -> None:
    with Stubber(s3) as stub:
        stub.add_client_error("put_object", http_status_code=412)
        assert store.put(s3, "lake-raw", "raw/x", b"") is False
        stub.add_client_error("put_object", http_status_code=status)
        with pytest.raises(ClientError):
            store.put(s3, "lake-raw", "raw/x", b"")
