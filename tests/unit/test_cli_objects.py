"""Keys of what is stored, as the commands for operators know them."""

from datetime import UTC, datetime, timedelta

import pytest

from cli import objects
from cli.commands.redrive import causes
from cli.commands.status import age_in_words
from cli.objects import Snapshot
from spotify_lake import keys
from spotify_lake.schema.playlists import PLAYLISTS, TABLES
from tests.support import payloads

MOMENT = datetime(2026, 11, 20, 6, tzinfo=UTC)
SNAPSHOT = Snapshot(MOMENT, payloads.spotify_id("a list"))


def test_keys_are_those_of_the_functions():
    assert SNAPSHOT.raw_key == keys.raw_key(SNAPSHOT.playlist_id, MOMENT)
    assert SNAPSHOT.done_key == keys.curated_key(PLAYLISTS.prefix, SNAPSHOT.playlist_id, MOMENT)
    assert TABLES[-1] is PLAYLISTS, "what is written last tells that all is written"


def test_a_raw_key_names_its_snapshot():
    assert objects.in_raw_key(SNAPSHOT.raw_key) == SNAPSHOT


@pytest.mark.parametrize(
    "key", ["raw/playlist_id=x/a b.json.gz", "raw/x/20261120T060000Z.json.gz", "state/known"]
)
def test_other_keys_name_none(key):
    assert objects.in_raw_key(key) is None


@pytest.mark.parametrize(
    "age, words",
    [
        (timedelta(seconds=20), "0 min"),
        (timedelta(minutes=89), "89 min"),
        (timedelta(minutes=91), "2 h"),
        (timedelta(hours=71), "71 h"),
        (timedelta(days=3), "3 d"),
        (timedelta(minutes=-1), "in the future"),
    ],
)
def test_ages(age, words):
    assert age_in_words(age) == words


def test_nothing_has_no_cause():
    assert causes([]) == []
