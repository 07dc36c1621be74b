"""What a snapshot of the library becomes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import Raw

from spotify_lake.normalize.library import normalize_library
from spotify_lake.raw.plays import LibrarySnapshot
from spotify_lake.schema.listening import LIBRARY

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADDED = datetime(2026, 3, 1, 18, 22, 9, tzinfo=UTC)


def library(**items: list[Any]) -> Any:
    raw: Any = {kind: [Raw(json.dumps(item).encode()) for item in found] for kind, found in items.items()}
    return normalize_library(LibrarySnapshot(NOON, raw))


def rows(found: Any) -> list[dict[str, Any]]:
    return [dict(zip(LIBRARY.column_names, row, strict=True)) for row in found.rows]


@pytest.mark.parametrize(
    "kind, item, creators",
    [
        ("album", {"artists": [{"name": "A"}, None, {"name": None}, {"name": "B"}]}, ["A", "B"]),
        ("show", {"publisher": "P"}, ["P"]),
        ("episode", {"show": {"name": "S"}}, ["S"]),
        ("audiobook", {"authors": [{"name": "W"}]}, ["W"]),
        ("audiobook", {"authors": "odd"}, []),
    ],
)
def test_each_kind(kind: str, item: dict[str, Any], creators: list[str]) -> None:
    saved = {"added_at": "2026-03-01T18:22:09Z", kind: {"id": "x", "name": "N"} | item}
    assert rows(library(**{kind: [saved]})) == [
        {
            "scheduled_at": NOON,
            "kind": kind,
            "item_id": "x",
            "name": "N",
            "creators": creators,
            "added_at": ADDED,
            "position": 1,
        }
    ]


def test_artists_and_audiobooks_come_without_an_entry_around_them() -> None:
    found = rows(
        library(
            followed_artist=[{"id": "a", "name": "A"}], audiobook=[{"id": "b", "added_at": 7, "name": ""}]
        )
    )
    assert [(row["kind"], row["item_id"], row["name"], row["added_at"]) for row in found] == [
        ("followed_artist", "a", "A", None),
        ("audiobook", "b", None, None),
    ]


def test_items_without_an_id_are_named_and_the_others_keep_their_position() -> None:
    found = library(album=[None, 7, {"album": None}, {"album": {"name": "N"}}, {"album": {"id": "x"}}])
    assert [row["position"] for row in rows(found)] == [5]
    assert found.unreadable == ["album 1", "album 2", "album 3", "album 4"]


def test_of_equal_items_the_first_counts() -> None:
    found = rows(
        library(album=[{"album": {"id": "x", "name": n}} for n in "AB"], show=[{"show": {"id": "x"}}])
    )
    assert [(row["kind"], row["name"]) for row in found] == [("album", "A"), ("show", None)]
