"""Keys of what is stored, as the commands for operators know them."""

from datetime import UTC, datetime, timedelta

import pytest

from cli import objects
from cli.commands.redrive import causes
from cli.commands.status import age_in_words
from spotify_lake import keys
from spotify_lake.keys import SnapshotId
from spotify_lake.schema.playlists import PLAYLISTS, TABLES
from tests.support import payloads

MOMENT = datetime(2026, 11, 20, 6, tzinfo=UTC)
SNAPSHOT = SnapshotId(MOMENT, payloads.spotify_id("a list"))


def test_what_is_written_last():
    assert objects.done_key(SNAPSHOT) == keys.curated_key(PLAYLISTS.prefix, SNAPSHOT.playlist_id, MOMENT)
    assert TABLES[-1] is PLAYLISTS, "what is written last tells that all is written"


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
