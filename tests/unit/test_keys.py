"""Keys and the snapshots that they name."""

from datetime import UTC, datetime

import pytest

from spotify_lake import keys
from spotify_lake.keys import SnapshotId
from spotify_lake.schema.playlists import TABLES

SNAPSHOT = SnapshotId(datetime(2026, 9, 1, 6, tzinfo=UTC), "3Zk9vTqLm2Rw8YxNc5HdPf")


def test_a_raw_key_names_its_snapshot():
    assert SNAPSHOT.raw_key == f"raw/playlist_id={SNAPSHOT.playlist_id}/20260901T060000Z.json.gz"
    assert keys.in_raw_key(SNAPSHOT.raw_key) == SNAPSHOT


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_curated_key_names_its_snapshot(table):
    key = keys.curated_key(table.prefix, SNAPSHOT.playlist_id, SNAPSHOT.scheduled_at)
    assert key == f"{table.prefix}snapshot_date=2026-09-01/{SNAPSHOT.playlist_id}-20260901T060000Z.parquet"
    assert keys.in_curated_key(key) == SNAPSHOT


def test_an_import_has_keys_and_a_time_that_no_run_has():
    imported = SnapshotId(keys.import_time(SNAPSHOT.scheduled_at), SNAPSHOT.playlist_id)
    assert imported.is_imported
    assert not SNAPSHOT.is_imported
    assert imported.scheduled_at == datetime(2026, 9, 1, 6, 0, 0, 1000, tzinfo=UTC)
    assert imported.raw_key == f"raw/imported/playlist_id={SNAPSHOT.playlist_id}/20260901T060000Z.json.gz"
    assert keys.in_raw_key(imported.raw_key) == imported
    curated = keys.curated_key("curated/songs/", imported.playlist_id, imported.scheduled_at)
    assert curated == (
        f"curated/songs/snapshot_date=2026-09-01/{SNAPSHOT.playlist_id}-20260901T060000Z-imported.parquet"
    )
    assert keys.in_curated_key(curated) == imported


@pytest.mark.parametrize(
    "key",
    [
        "raw/imported/other/20260901T060000Z.json.gz",
        "raw/other.json.gz",
        "raw/playlist_id=x/a b.json.gz",
        "raw/x/20261120T060000Z.json.gz",
        "raw/playlist_id=x/20269920T060000Z.json.gz",
        "state/known",
    ],
)
def test_other_keys_of_the_raw_bucket_name_none(key):
    assert keys.in_raw_key(key) is None


def test_other_keys_of_the_lake_bucket_name_none():
    assert keys.in_curated_key("curated/songs/x.parquet") is None
