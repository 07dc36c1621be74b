"""Several captures of one list and time become one, whatever their order."""

import itertools
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.imports.captures import Capture, captures_in, fingerprint, raw_object, united
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw import envelope
from tests.support import payloads
from tests.support.dumps import entries, page, playlist

LIST = payloads.spotify_id("Road Trip")
AT = datetime(2021, 6, 7, 8, 9, 10, tzinfo=UTC)
ROWS = entries(9, key="track")


def bare(start: int, end: int, total: int | None = 9) -> Capture:
    value = page(ROWS[start:end], LIST, offset=start, total=total)
    return Capture(head={}, pages=(value,), contract="tracks", fetched_at=AT)


def whole(end: int, **changes: Any) -> Capture:
    value = playlist(ROWS[:end], **changes)
    value["tracks"]["total"] = 9
    return Capture(head=value, pages=(), contract="embedded", fetched_at=AT)


def imported(captures: list[Capture]) -> bytes:
    """What is in raw after one import after another."""
    kept = [captures[0]]
    for one in captures[1:]:
        kept = united(captures_in(raw_object(LIST, AT, kept)), one, LIST, AT)
    return raw_object(LIST, AT, kept)


CAPTURES = (
    bare(0, 9), bare(0, 3), bare(3, 6), bare(6, 9), bare(2, 7), bare(0, 9, total=None), whole(9), whole(4),
    whole(4, name="Other"), whole(0, owner=None), whole(4, snapshot_id=None, description="Windows up."),
)  # fmt: skip


@given(st.lists(st.sampled_from(CAPTURES), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_captures_does_not_matter(captures: list[Capture], shuffle: random.Random) -> None:
    other = shuffle.sample(captures, len(captures))
    assert imported(captures) == imported(other)
    assert imported([*captures, captures[-1]]) == imported(captures)


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 2])), ids=str)
def test_parts_fill_each_other_s_gaps(order: tuple[int, ...]) -> None:
    parts = [bare(0, 3), bare(6, 9), bare(3, 6)]
    snapshot = envelope.decode(imported([parts[index] for index in order]))
    assert [entry.content.name for entry in snapshot.entries] == [f"Song {number}" for number in range(9)]  # type: ignore[union-attr]


def test_parts_with_a_gap_between_them_stay_parts() -> None:
    data = imported([bare(0, 2), bare(5, 9)])
    assert data == imported([bare(5, 9), bare(0, 2)])
    assert len(envelope.decode(data).entries) == 4
    assert sorted(one.size for one in captures_in(data)) == [2, 4]


def test_the_most_complete_entries_and_each_field_from_where_it_is() -> None:
    short = whole(4, snapshot_id="S", description=None)
    snapshot = envelope.decode(
        imported([bare(0, 9), short, whole(2, name="Late", description="Windows up.")])
    )
    assert len(snapshot.entries) == 9
    assert (snapshot.snapshot_id, snapshot.playlist.name) == ("S", "Road Trip")
    assert snapshot.playlist.description == "Windows up."
    assert snapshot.is_imported


def test_a_capture_that_adds_nothing_is_not_kept_and_any_other_is() -> None:
    assert imported([whole(9), bare(0, 9)]) == imported([whole(9)])
    kept = captures_in(imported([whole(9), bare(0, 3)]))
    assert sorted(one.size for one in kept) == [3, 9]


def test_a_single_capture_stays_as_it_is() -> None:
    value = whole(9, public=None)
    (kept,) = captures_in(imported([value]))
    assert kept.head == value.head
    tables = normalize(envelope.decode(imported([value])))
    assert fingerprint(tables) == fingerprint(value.tables(LIST, AT))


@pytest.mark.parametrize(
    "data", [b"", b"not gzip", payloads.raw_object(ROWS)], ids=["empty", "damaged", "recorded"]
)
def test_what_import_did_not_write_has_no_captures(data: bytes) -> None:
    assert captures_in(data) == []
