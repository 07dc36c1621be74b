"""Details of artists and albums through everything that is deployed, from Spotify to Athena."""

import datetime as dt
import gzip
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.spotify_stub import PLAYLISTS, Contract
from local.spotify_stub.catalog import catalog
from local.spotify_stub.objects import album_object, artist_object
from local.spotify_stub.server import StubServer, serve
from local.stack import LaptopStack
from spotify_lake import keys
from tests.e2e.test_permissions import without

PLAYLIST = PLAYLISTS["Top 100"]  # other songs every day
ARTISTS = """
    select snapshot_date, playlist_id, artist_id, cardinality(genres), array_join(genres, ','), followers, popularity
    from artists
    where snapshot_date between date '2026-09-20' and date '2026-09-23'
"""
ALBUMS = """
    select snapshot_date, playlist_id, album_id, label, popularity
    from albums
    where snapshot_date between date '2026-09-20' and date '2026-09-23'
"""


@contextmanager
def extract_with(stack: LaptopStack, **changes: str) -> Iterator[None]:
    """Change settings of the extract function for a while."""
    client, name = stack.client("lambda"), stack.outputs["ExtractFunctionName"]
    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def configure(settings: dict[str, str]) -> None:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": settings})
        client.get_waiter("function_updated_v2").wait(FunctionName=name)

    configure(variables | changes)
    try:
        yield
    finally:
        configure(variables)


@pytest.fixture(params=["legacy", "new"])
def spotify(request: pytest.FixtureRequest, stack: LaptopStack) -> Iterator[StubServer]:
    """A Spotify of its own for the function, and a store that knows nothing yet."""
    contract: Contract = request.param
    stack.client("s3").delete_object(Bucket=stack.outputs["RawBucketName"], Key=keys.KNOWN_DETAILS)
    with serve(contract=contract) as stub:
        urls = {"SPOTIFY_API_URL": stub.url, "SPOTIFY_ACCOUNTS_URL": stub.url}
        with extract_with(stack, DETAIL_CALLS_PER_RUN="200", **urls):
            yield stub


def extract(stack: LaptopStack, spotify: StubServer, at: dt.datetime) -> None:
    spotify.clear_requests()
    spotify.clock.set(at)
    answer = stack.invoke("extract", {"scheduled_at": at.isoformat(), "playlist_ids": [PLAYLIST]})
    assert answer.error is None, answer.message
    assert answer.payload["written"] == [PLAYLIST]


def asked(spotify: StubServer) -> list[str]:
    paths = [request["path"] for request in spotify.requests()]
    return [path for path in paths if path.startswith(("/v1/artists", "/v1/albums"))]


def known(stack: LaptopStack) -> list[Any]:
    stored = stack.client("s3").get_object(Bucket=stack.outputs["RawBucketName"], Key=keys.KNOWN_DETAILS)
    return [json.loads(line) for line in gzip.decompress(stored["Body"].read()).splitlines()]


def artist_row(artist_id: str, contract: Contract, day: dt.date) -> tuple[Any, ...]:
    full = artist_object(catalog().artists[artist_id], contract, day)
    genres, followers = full.get("genres"), full.get("followers", {}).get("total")
    named = (None, None) if genres is None else (len(genres), ",".join(genres))
    return artist_id, *named, followers, full.get("popularity")


def album_row(album_id: str, contract: Contract) -> tuple[Any, ...]:
    full = album_object(catalog().albums[album_id], contract, "http://unused.test")
    return album_id, full.get("label"), full.get("popularity")


def test_athena_shows_what_spotify_tells(stack: LaptopStack, spotify: StubServer) -> None:
    contract = spotify.contract
    first = dt.datetime(2026, 9, 20 if contract == "legacy" else 22, 6, tzinfo=dt.UTC)
    second = first + dt.timedelta(days=1)
    extract(stack, spotify, first)
    asked_first = asked(spotify)
    extract(stack, spotify, second)
    asked_second = asked(spotify)
    assert stack.wait_until_idle().is_clear

    found_artists, found_albums = stack.athena(ARTISTS).rows, stack.athena(ALBUMS).rows
    artists = {
        at: {row[2:] for row in found_artists if row[:2] == (at.date(), PLAYLIST)} for at in (first, second)
    }
    albums = {
        at: {row[2:] for row in found_albums if row[:2] == (at.date(), PLAYLIST)} for at in (first, second)
    }
    before = {row[0] for row in artists[first]}
    new = {row[0] for row in artists[second]} - before
    assert len(before) > 50
    assert new, "the list did not change"
    assert artists[first] == {artist_row(each, contract, first.date()) for each in before}
    # What was known from the first day is not asked for again: these are the followers of that day.
    assert artists[second] == {
        artist_row(each, contract, (second if each in new else first).date())
        for each in {row[0] for row in artists[second]}
    }
    for at in (first, second):
        assert albums[at] == {album_row(row[0], contract) for row in albums[at]}

    if contract == "legacy":
        assert any(count for _, count, *_ in artists[first]), "no artist has a genre"
        assert all(label for _, label, _ in albums[first])
        assert len(asked_first) == math.ceil(len(before) / 50) + math.ceil(len(albums[first]) / 20)
        assert len(asked_second) <= 2
    else:
        assert len(asked_first) == 3, "the refused batch, one artist and one album, which have no such fields"
        assert asked_second == []


@pytest.mark.parametrize("spotify", ["legacy"], indirect=True)
def test_what_is_learned_is_kept_with_a_permission_of_its_own(
    stack: LaptopStack, spotify: StubServer
) -> None:
    day = dt.datetime(2026, 9, 25, 6, tzinfo=dt.UTC)
    with without(stack, "extract", "KeepDetails"):
        extract(stack, spotify, day)
    assert asked(spotify) == []
    assert "cannot be read" in "\n".join(line for _, line in stack.log_events("extract"))
    extract(stack, spotify, day + dt.timedelta(days=1))
    assert {line["kind"] for line in known(stack)} == {"artists", "albums"}
    stack.wait_until_idle()
