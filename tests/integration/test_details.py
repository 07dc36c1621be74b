"""Details of artists and albums, from the Spotify stub over HTTP and S3 of moto to the rows of the tables."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import moto
import pytest

from functions.extract import app
from local import spotify_stub
from local.spotify_stub.catalog import catalog
from local.spotify_stub.faults import Fault
from local.spotify_stub.objects import album_object, artist_object
from local.spotify_stub.server import StubServer, serve
from spotify_lake import keys
from spotify_lake.extract import details
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw import envelope
from spotify_lake.schema.playlists import ALBUMS, ARTISTS, PLAYLIST_ENTRIES, SONGS, TABLES
from spotify_lake.schema.types import Table
from tests.support.fakes import spotify_error

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
TEN, FEATURING = (spotify_stub.PLAYLISTS[name] for name in ("Morning Ten", "Featuring"))
SECRET = {
    "client_id": spotify_stub.CLIENT_ID,
    "client_secret": spotify_stub.CLIENT_SECRET,
    "refresh_token": spotify_stub.REFRESH_TOKEN,
}


@dataclass
class World:
    """A function with its bucket in front of a stub; one day after the other."""

    stub: StubServer
    s3: Any
    monkeypatch: pytest.MonkeyPatch
    day: int = -1

    def extract(self, *playlists: str, calls: int) -> dict[str, Any]:
        """Take the snapshots of a new day."""
        self.day += 1
        self.stub.clear_requests()
        self.monkeypatch.setenv("DETAIL_CALLS_PER_RUN", str(calls))
        context = SimpleNamespace(
            function_name="lake-extract",
            memory_limit_in_mb=256,
            invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:lake-extract",
            aws_request_id="1",
            get_remaining_time_in_millis=lambda: 900_000,
        )
        event = {"scheduled_at": self.at.isoformat(), "playlist_ids": list(playlists)}
        result: dict[str, Any] = app.handler(event, context)
        assert result["written"] == list(playlists)
        return result

    @property
    def at(self) -> datetime:
        return AT + timedelta(days=self.day)

    def asked(self) -> list[str]:
        """The paths of the requests for details."""
        paths = [request["path"] for request in self.stub.requests()]
        return [path for path in paths if path.startswith(("/v1/artists", "/v1/albums"))]

    def rows(self, playlist_id: str, table: Table) -> list[dict[str, Any]]:
        body = self.s3.get_object(Bucket="raw", Key=keys.raw_key(playlist_id, self.at))["Body"].read()
        found = normalize(envelope.decode(body)).rows[table.name]
        return [dict(zip(table.column_names, row, strict=True)) for row in found]

    def known(self) -> dict[str, Any]:
        body = self.s3.get_object(Bucket="raw", Key=keys.KNOWN_DETAILS)["Body"].read()
        return {line["id"]: line["object"] for line in map(json.loads, gzip.decompress(body).splitlines())}


@pytest.fixture(params=["new", "legacy"])
def contract(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def world(contract: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with serve(contract=contract, now=AT) as stub, moto.mock_aws():
        s3, secrets = boto3.client("s3"), boto3.client("secretsmanager")
        s3.create_bucket(Bucket="raw")
        arn = secrets.create_secret(Name="spotify", SecretString=json.dumps(SECRET))["ARN"]
        for name, value in {
            "RAW_BUCKET": "raw",
            "PLAYLIST_IDS": "owned",
            "SPOTIFY_SECRET_ID": arn,
            "SPOTIFY_API_URL": stub.url,
            "SPOTIFY_ACCOUNTS_URL": stub.url,
            "SCHEDULE_GROUP": "continuations",
            "SCHEDULE_ROLE_ARN": "arn:aws:iam::000000000000:role/schedule",
            "SCHEDULE_DEAD_LETTERS_ARN": "arn:aws:sqs:us-east-1:000000000000:dead-letters",
        }.items():
            monkeypatch.setenv(name, value)
        app.client.cache_clear()
        yield World(stub, s3, monkeypatch)
        app.client.cache_clear()


def test_the_tables_have_what_the_contract_gives(world: World, contract: Any) -> None:
    world.extract(TEN, calls=100)
    artists, albums = world.rows(TEN, ARTISTS), world.rows(TEN, ALBUMS)
    assert len(artists) > 5
    for artist in artists:
        full = artist_object(catalog().artists[artist["artist_id"]], contract, AT.date())
        assert artist["genres"] == full.get("genres")
        assert artist["popularity"] == full.get("popularity")
        assert artist["followers"] == full.get("followers", {}).get("total")
    for album in albums:
        full = album_object(catalog().albums[album["album_id"]], contract, world.stub.url)
        assert album["label"] == full.get("label")
        assert album["popularity"] == full.get("popularity")
    if contract == "legacy":
        assert any(artist["genres"] for artist in artists)
        assert all(album["label"] for album in albums)


def test_each_is_asked_for_once(world: World, contract: Any) -> None:
    """In batches: one request per kind. One by one: the refusal, then one artist and one album, which show that this
    app gets no genres, followers, label or popularity; later runs request nothing.
    """
    world.extract(TEN, calls=100)
    artists, albums = world.rows(TEN, ARTISTS), world.rows(TEN, ALBUMS)
    if contract == "legacy":
        assert world.asked() == ["/v1/artists", "/v1/albums"]
        assert len(world.known()) == len(artists) + len(albums)
    else:
        assert world.asked() == [
            "/v1/artists",
            f"/v1/artists/{artists[0]['artist_id']}",
            f"/v1/albums/{albums[0]['album_id']}",
        ]
        assert "genres" not in world.known()[artists[0]["artist_id"]]
        assert len(world.known()) == 2
    world.extract(TEN, calls=100)
    assert world.asked() == []


def test_requests_end_when_everything_is_known_or_nothing_can_come(world: World, contract: Any) -> None:
    filled, asked = [], []
    for _ in range(4):
        world.extract(FEATURING, calls=3)
        asked.append(len(world.asked()))
        filled.append(sum(artist["genres"] is not None for artist in world.rows(FEATURING, ARTISTS)))
    if contract == "legacy":
        assert filled == [len(world.rows(FEATURING, ARTISTS))] * 4
        assert asked == [3, 3, 0, 0]
    else:
        assert filled == [0, 0, 0, 0]
        assert asked == [3, 0, 0, 0]


@pytest.mark.parametrize(
    "fault",
    [
        {
            "status": 429,
            "headers": {"Retry-After": "86400"},
            "body": spotify_error(429, "API rate limit exceeded", "QUOTA_EXCEEDED"),
        },
        {"status": 429},
        {"status": 500},
        {"truncate": True},
        {"empty": True},
        {"reset": True},
        {"hang_up": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("contract", ["legacy"], indirect=True)
def test_no_fault_reaches_a_snapshot(world: World, fault: dict[str, Any]) -> None:
    world.extract(TEN, calls=0)
    plain = {table.name: len(world.rows(TEN, table)) for table in TABLES}
    world.stub.faults.replace([Fault(match="GET /v1/artists", times=None, **fault)])
    started = datetime.now(UTC)
    world.extract(TEN, calls=100)
    assert datetime.now(UTC) - started < timedelta(seconds=5)
    assert {table.name: len(world.rows(TEN, table)) for table in TABLES} == plain
    assert {artist["genres"] is None for artist in world.rows(TEN, ARTISTS)} == {True}
    assert len(world.asked()) <= 1 + details.MAX_FAULTS

    world.stub.faults.replace([])
    world.extract(TEN, calls=100)
    assert None not in [artist["genres"] for artist in world.rows(TEN, ARTISTS)]


def test_one_that_spotify_does_not_know(world: World, contract: Any) -> None:
    world.extract(TEN, calls=0)
    gone, second = (artist["artist_id"] for artist in world.rows(TEN, ARTISTS)[:2])
    world.stub.faults.replace([Fault(match=f"GET /v1/artists/{gone}", times=None, status=404)])
    world.extract(TEN, calls=100)
    if contract == "new":
        assert world.known()[gone] is None
        assert world.asked()[:3] == ["/v1/artists", f"/v1/artists/{gone}", f"/v1/artists/{second}"]
        world.extract(TEN, calls=100)
        assert world.asked() == []


def test_details_change_no_other_row(world: World) -> None:
    world.extract(FEATURING, calls=0)
    before = {table.name: world.rows(FEATURING, table) for table in (PLAYLIST_ENTRIES, SONGS)}
    world.day -= 1
    world.s3.delete_object(Bucket="raw", Key=keys.raw_key(FEATURING, AT))
    world.extract(FEATURING, calls=100)
    assert {table.name: world.rows(FEATURING, table) for table in (PLAYLIST_ENTRIES, SONGS)} == before
