"""Views and queries through the deployed Athena, compared with what Spotify sent."""

import csv
import datetime as dt
import gzip
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import awswrangler
import boto3
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from cli.commands import export, views
from cli.stack import Lake
from cli.terminal import Terminal
from local import demo
from local.spotify_stub import PLAYLISTS
from local.sql_dialect import to_duckdb
from local.stack import LaptopStack
from queries import queries, used_by
from queries import views as all_views
from spotify_lake import keys
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.warehouse import WAREHOUSE
from tests.support import charted, lakes
from tests.support.deployed import current_date

# The last of August, and three days of September of which one is missing in between.
DAYS = [dt.datetime(2026, month, day, 6, tzinfo=dt.UTC) for month, day in ((8, 31), (9, 1), (9, 3))]
LAST = DAYS[-1]


@pytest.fixture(scope="module")
def lake(stack: LaptopStack) -> Iterator[LaptopStack]:
    for day in DAYS:
        result = stack.invoke_extract(day)
        assert result["failed"] == []
    assert stack.wait_until_idle().is_clear
    with current_date(LAST.date()):
        yield stack


def sent(stack: LaptopStack, playlist: str, day: dt.datetime) -> list[dict[str, Any]]:
    """What Spotify sent of a playlist's entries, read without the code under test."""
    key = keys.raw_key(PLAYLISTS[playlist], day)
    data = stack.client("s3").get_object(Bucket=stack.outputs["RawBucketName"], Key=key)["Body"].read()
    return [
        (entry or {}).get("item") or {}
        for page in json.loads(gzip.decompress(data))["pages"]
        for entry in page["items"]
    ]


def positions(items: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, item in enumerate(items, start=1):
        if item.get("uri"):
            found.setdefault(item["uri"], position)
    return found


def test_the_artist_that_gained_most_this_month(lake: LaptopStack) -> None:
    """The question of the README, asked as of the third of September."""
    gained: Counter[str] = Counter()
    for playlist in PLAYLISTS:
        for day, sign in ((DAYS[0], -1), (LAST, 1)):
            for item in sent(lake, playlist, day):
                if item.get("type") == "track" and item.get("name") and not item.get("is_local"):
                    gained.update({artist["name"]: sign for artist in item["artists"] if artist.get("id")})
    answer = lake.athena(queries()["artist_gains"].sql).records()
    assert [row["gained"] for row in answer] == sorted(gained.values(), reverse=True)[: len(answer)]
    assert {row["artist"]: row["gained"] for row in answer}.items() <= gained.items()
    assert answer[0]["gained"] > 0


def test_a_missing_day_is_no_change_and_what_changed_is_what_spotify_sent(lake: LaptopStack) -> None:
    found = lake.athena(
        """
        SELECT uri, position, previous_position, days_between FROM playlist_changes
        WHERE playlist = 'Top 100' AND snapshot_date = DATE '2026-09-03'
        """
    )
    # Other tests may have brought the day between.
    previous = LAST - dt.timedelta(days=int(found.rows[0][3]))
    before, now = (positions(sent(lake, "Top 100", day)) for day in (previous, LAST))
    assert {row[:3] for row in found.rows} == {
        (uri, now.get(uri), before.get(uri)) for uri in before | now if before.get(uri) != now.get(uri)
    }
    assert len({row[3] for row in found.rows}) == 1


def test_latest_is_the_newest_of_each_playlist(lake: LaptopStack) -> None:
    rows = lake.athena(
        "SELECT playlist_id, scheduled_at, max(position), count(*) FROM latest_entries GROUP BY 1, 2"
    ).rows
    newest = {row[0]: row[1:] for row in rows if row[0] in PLAYLISTS.values()}
    assert len(newest) == len(PLAYLISTS) - 1, "Drafts is empty"
    for name in ("Top 100", "Odds & Ends"):
        entries = len(sent(lake, name, LAST))
        assert newest[PLAYLISTS[name]] == (LAST, entries, entries)


def test_views_and_exports_of_the_laptop(lake: LaptopStack, tmp_path: Path) -> None:
    """The commands behind `./lake views --laptop` and `./lake export --laptop`."""
    told = io.StringIO()
    found = Lake(True, "spotify-lake", "0" * 12, "us-east-1", lake.outputs, {}, lake.client)
    terminal = Terminal(Console(file=told, width=200))
    views.run(found, terminal)
    export.run(found, terminal, ["latest_songs", "song_history", "data_quality"], tmp_path)
    assert [name for name in all_views() if f"✓ {name}" not in told.getvalue()] == []
    names = {
        item["name"]: [artist["name"] for artist in item["artists"]] for item in sent(lake, "Top 100", LAST)
    }
    songs = pq.read_table(tmp_path / "latest_songs.parquet").to_pylist()
    assert {song["name"]: song["artist_names"] for song in songs if song["playlist"] == "Top 100"} == names
    with (tmp_path / "data_quality.csv").open(newline="") as file:
        assert {row["unaccounted"] for row in csv.DictReader(file)} == {"0"}
    assert pq.read_metadata(tmp_path / "song_history.parquet").num_rows > len(names)


def test_questions_to_charts_and_catalog(lake: LaptopStack) -> None:
    """The tables are read as they are declared: by year and chart, with the types of the catalog."""
    rows = charted.warehouse()
    for key, data in charted.objects(rows):
        lake.client("s3").put_object(Bucket=lake.outputs["LakeBucketName"], Key=key, Body=data)
    bulk = [declared.table.name for declared in WAREHOUSE]
    asked = {name: query.sql for name, query in queries().items() if used_by(query.sql, bulk)}
    assert len(asked) == 13
    asked["view"] = (
        "SELECT * FROM chart_entries WHERE year = 2017 AND chart = 'viral50' ORDER BY day, region, rank"
    )
    with lakes.database([], rows) as here:
        for name, sql in asked.items():
            wanted = here.execute(to_duckdb(sql, lakes.SCHEMA, all_views())).fetchall()
            assert wanted, name
            assert list(lake.athena(sql).rows) == wanted, name


@pytest.mark.filterwarnings("ignore:The copy keyword")  # awswrangler's, of pandas 3
def test_a_plain_session_asks_in_athenas_sql_and_finds_the_result_file(lake: LaptopStack) -> None:
    """As awswrangler, PyAthena and the AWS command-line tool do, with nothing but what `./lake connect` shows."""
    keys_of = lake.environment
    session = boto3.Session(keys_of["AWS_ACCESS_KEY_ID"], keys_of["AWS_SECRET_ACCESS_KEY"], None, "us-east-1")
    sql = """
        SELECT name AS playlist, max(scheduled_at) AS newest, count(*) > 1 AS several, NULL AS nothing,
            ARRAY['a', 'b'] AS list, 7 / 2 AS half, from_iso8601_timestamp('2026-03-01T10:00:00.123Z') AS instant
        FROM playlists WHERE name = 'Top 100' GROUP BY name
    """
    with mock.patch.dict(os.environ, {"AWS_ENDPOINT_URL": lake.endpoint}):
        [row] = awswrangler.athena.read_sql_query(
            sql,
            database=lake.outputs["DatabaseName"],
            workgroup=lake.outputs["AthenaWorkGroupName"],
            ctas_approach=False,
            boto3_session=session,
        ).to_dict("records")
        refused = awswrangler.athena.start_query_execution(
            "SELECT * FROM read_text('/etc/passwd')",
            database=lake.outputs["DatabaseName"],
            workgroup=lake.outputs["AthenaWorkGroupName"],
            boto3_session=session,
        )
        with pytest.raises(awswrangler.exceptions.QueryFailed, match="cannot read from"):
            awswrangler.athena.wait_query(refused, boto3_session=session)
    assert (row["playlist"], row["several"], row["half"], row["list"]) == ("Top 100", True, 3, "[a, b]")
    assert row["newest"] == LAST.replace(tzinfo=None)
    assert str(row["instant"]) == "2026-03-01 10:00:00.123000"
    assert row["nothing"] is pd.NA or row["nothing"] is None


def test_the_demo_shows_what_is_there(lake: LaptopStack) -> None:
    told = io.StringIO()
    demo.show(lake, Console(file=told, width=200))
    rows = dict(re.findall(r"(\w+) +\W [\w -]+? +\W +([\d,]+) ", told.getvalue()))
    counts = {table.name: int(rows[table.name].replace(",", "")) for table in TABLES}
    assert counts == {
        name: lake.athena(f"SELECT count(*) FROM {name}").rows[0][0]  # noqa: S608 - a table of the schema
        for name in counts
    }
    assert "How did one song move through a playlist?" in told.getvalue()
