"""What changed between two snapshots, and the event that says so."""

import json
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotify_lake.changes.compare import DETAIL_TYPE, LISTED, SOURCE, compare, detail, to_json
from spotify_lake.normalize.rows import Tables, normalize
from spotify_lake.raw import envelope
from tests.support import payloads
from tests.support.template import ROOT

NOON = payloads.NOON
PLAYLIST = payloads.playlist()
EVENT_LIMIT_BYTES = 256 * 1024


def tables(*contents: Any, at: datetime = NOON, **playlist: Any) -> Tables:
    entries = [payloads.entry(payloads.song(one)) if isinstance(one, str) else one for one in contents]
    data = payloads.raw_object(entries, playlist_object=PLAYLIST | playlist, scheduled_at=at)
    return normalize(envelope.decode(data))


BEFORE, NOW = NOON - timedelta(days=1), NOON


def names(changes: Any) -> list[str]:
    return [change.name for change in changes]


def test_entered_left_and_moved_in_the_order_of_positions() -> None:
    found = compare(tables("a", "b", "c", "d", at=BEFORE), tables("new", "a", "c", "b", "newer"))
    assert [(one.name, one.position, one.previous_position) for one in found.entered] == [
        ("new", 1, None),
        ("newer", 5, None),
    ]
    assert [(one.name, one.position, one.previous_position) for one in found.left] == [("d", None, 4)]
    assert [(one.name, one.position, one.previous_position) for one in found.moved] == [
        ("a", 2, 1),
        ("b", 4, 2),
    ]


def test_a_repeated_song_counts_once_at_its_first_position() -> None:
    assert not compare(tables("a", "b", at=BEFORE), tables("a", "b", "a"))
    found = compare(tables("b", "a", at=BEFORE), tables("a", "b", "a", "b"))
    assert [(one.name, one.previous_position, one.position) for one in found.moved] == [
        ("a", 2, 1),
        ("b", 1, 2),
    ]


def test_entries_without_uri_and_rejects_are_left_out() -> None:
    nothing = payloads.entry(None)
    assert not compare(tables("a", at=BEFORE), tables("a", nothing, None, 7))


def test_entries_are_found_by_id_else_uri_else_name_and_artists() -> None:
    """A dump that left out the URIs is compared with one that has them."""
    song, local = payloads.song("a"), payloads.local_file()
    with_uri = tables(payloads.entry(song), payloads.entry(payloads.local_file(uri=None)), at=BEFORE)
    without = tables(payloads.entry(song | {"uri": None}), payloads.entry(payloads.local_file(uri=None)))
    assert not compare(with_uri, without)
    other = payloads.local_file(uri=None, artists=[{"name": "The Sailors"}])
    found = compare(with_uri, tables(payloads.entry(other), payloads.entry(local)))
    assert [(one.uri, one.name, one.credits) for one in found.entered] == [
        (None, "Boathouse (demo)", ["The Sailors"]),
        (local["uri"], "Boathouse (demo)", ["The Rowers"]),
    ]
    assert [(one.uri, one.name) for one in found.left] == [
        (song["uri"], "a"),
        (None, "Boathouse (demo)"),
    ]


def test_episodes_and_local_files_count() -> None:
    both = (payloads.entry(payloads.episode()), payloads.entry(payloads.local_file()))
    found = compare(tables("a", at=BEFORE), tables("a", *both))
    assert [one.uri.split(":")[1] for one in found.entered] == ["episode", "local"]
    assert found.entered[1].song_id is None


def test_many_random_lists_are_compared_as_by_hand() -> None:
    chance = random.Random(7)
    for _ in range(200):
        old, new = (chance.choices("abcdefgh", k=chance.randrange(8)) for _ in range(2))
        found = compare(tables(*old, at=BEFORE), tables(*new))
        assert set(names(found.entered)) == set(new) - set(old)
        assert set(names(found.left)) == set(old) - set(new)
        assert set(names(found.moved)) == {
            one for one in set(old) & set(new) if old.index(one) != new.index(one)
        }


def test_the_detail_says_it_all() -> None:
    before = tables("a", "b", at=BEFORE, snapshot_id="v1")
    now = tables("b", "Duet’s", at=NOW, snapshot_id="v2", name="Röad <Trip>")
    found = detail(before, now, compare(before, now), "lake", ["curated/x.parquet"])
    stem = PLAYLIST["id"]
    assert found == {
        "version": 1,
        "id": f"{stem}-20261120T120000Z",
        "playlist": {
            "id": stem,
            "name": "Röad <Trip>",
            "label": "Röad <Trip>",
            "url": PLAYLIST["external_urls"]["spotify"],
        },
        "snapshot_id": "v2",
        "scheduled_at": "2026-11-20T12:00:00Z",
        "fetched_at": "2026-11-20T12:00:03.120000Z",
        "previous": {"snapshot_id": "v1", "scheduled_at": "2026-11-19T12:00:00Z"},
        "counts": {"entries": 2, "entered": 1, "left": 1, "moved": 1},
        "entered": [
            {"uri": payloads.song("Duet’s")["uri"], "name": "Duet’s", "artists": ["Mira Sol"], "position": 2}
        ],
        "left": [
            {
                "uri": payloads.song("a")["uri"],
                "name": "a",
                "artists": ["Mira Sol"],
                "previous_position": 1,
            }
        ],
        "lists_all": True,
        "rows": {
            "bucket": "lake",
            "keys": ["curated/x.parquet"],
            "sql": "SELECT change, position, previous_position, climbed, uri, name FROM playlist_changes"  # noqa: S608
            f" WHERE playlist_id = '{stem}' AND snapshot_date = DATE '2026-11-20'"
            " AND previous_date = DATE '2026-11-19' AND scheduled_at = TIMESTAMP '2026-11-20 12:00:00'"
            " ORDER BY change, coalesce(position, previous_position)",
        },
    }
    assert json.loads(to_json(found)) == found


@pytest.mark.parametrize("length", [5, 30_000])
def test_an_event_is_never_too_large(length: int) -> None:
    """Lists of which no entry stays, long with short titles and short with absurd ones."""
    old, new = (
        [
            payloads.entry(payloads.song(f"{word} {number}", name="ü" * length))
            for number in range(2_000 if length < 10 else 50)
        ]
        for word in ("old", "new")
    )
    before, now = tables(*old, at=BEFORE), tables(*new)
    found = detail(before, now, compare(before, now), "lake", [])
    assert found["counts"]["entered"] == found["counts"]["left"] == len(new)
    assert not found["lists_all"]
    assert 1 <= len(found["entered"]) <= LISTED
    assert [one["position"] for one in found["entered"]] == list(range(1, len(found["entered"]) + 1))
    assert len(to_json(found).encode()) < EVENT_LIMIT_BYTES * 0.8


def test_times_of_other_zones_are_told_in_utc() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    before, now = tables("a", at=late - timedelta(minutes=5)), tables("b", at=late)
    found = detail(before, now, compare(before, now), "lake", [])
    assert found["scheduled_at"] == "2026-11-20T23:30:00Z"
    assert (
        "previous_date = DATE '2026-11-20' AND scheduled_at = TIMESTAMP '2026-11-20 23:30:00'"
        in found["rows"]["sql"]
    )


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def test_the_documented_event_is_like_the_real_ones() -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    documented = json.loads(page.partition("```json\n")[2].partition("```")[0])
    assert (documented["source"], documented["detail-type"]) == (SOURCE, DETAIL_TYPE)
    before, now = tables("a", "b", at=BEFORE), tables("b", "c")
    real = detail(before, now, compare(before, now), "lake", ["curated/x.parquet"])
    assert shape(documented["detail"]) == shape(real)
    told = documented["detail"]
    assert told["id"] == f"{told['playlist']['id']}-20261120T060000Z"
    assert told["rows"]["sql"].startswith(real["rows"]["sql"].partition(" WHERE")[0])
    fields = {
        name
        for row in re.findall(r"^\| (`.*?) \|", page, flags=re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }
    assert {name.partition(".")[0] for name in fields} >= set(real) - {"previous"}
