"""Responses with every field that Spotify sent, from 2014 to 2026.

Fields, nulls and odd values are those of recorded responses; names, ids and texts are invented.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from spotify_lake.normalize.rows import normalize
from spotify_lake.raw import envelope
from tests.support import payloads
from tests.unit.test_normalize import assert_fits_schema

SAMPLES = Path(__file__).parents[1] / "samples"
KINDS = {
    "items_page_both_keys.json": ["song"],
    "items_page_episodes_and_tracks.json": ["episode", "episode", "song", "song"],
    "items_page_item_key_only.json": ["song"],
    "items_page_missing_track.json": ["song", "unavailable"],
    "items_page_year_precision.json": ["song"] * 3,
    "playlist_2014.json": ["song"] * 3,
    "playlist_both_keys.json": ["song"],
    "playlist_ghost_track.json": ["song", "unavailable"],
    "playlist_with_episode.json": ["episode", "song", "song"],
    "playlist_with_local_file.json": ["local", "song"],
}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_entry_of_a_response_becomes_a_row(name: str) -> None:
    response = sample(name)
    data = (
        payloads.raw_object(playlist_object=response, contract="embedded")
        if response.get("type") == "playlist"
        else payloads.raw_object(response)
    )
    tables = normalize(envelope.decode(data))
    assert sorted(row[3] for row in tables.rows["playlist_entries"]) == KINDS[name]
    assert tables.rows["rejects"] == []
    assert_fits_schema(tables)


def test_a_page_in_both_contracts_gives_the_same_rows() -> None:
    page = sample("items_page_both_keys.json")
    only = [
        {key: value for key, value in entry.items() if key != dropped}
        for entry in page["items"]
        for dropped in ("item", "track")
    ]
    first, second = (normalize(envelope.decode(payloads.raw_object([entry]))) for entry in only)
    assert first == second
