"""The report, written by the deployed function with its own rights."""

import datetime as dt
import json
import re
from typing import Any

import pytest

from local.spotify_stub import PLAYLISTS
from local.stack import LaptopStack
from spotify_lake import keys
from tests.support import charted, plays

DAYS = [dt.datetime(2026, 9, day, 6, tzinfo=dt.UTC) for day in (4, 5)]  # a Friday changes several lists


@pytest.fixture(scope="module")
def lake(stack: LaptopStack) -> LaptopStack:
    for day in DAYS:
        stack.invoke_extract(day)
    assert stack.wait_until_idle().is_clear
    return stack


def content_of(page: bytes) -> Any:
    match = re.search(rb'id="data">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    return json.loads(match[1])["content"]


def test_the_function_writes_the_page(lake: LaptopStack) -> None:
    answer = lake.invoke("report", {})
    assert answer.error is None, answer.message
    newest = lake.athena("select max(snapshot_date) as day from playlists").rows[0][0]
    assert answer.payload["keys"] == [f"report/{newest}.html", "report/index.html"]
    assert answer.payload["date"] == str(newest)
    stored = [
        lake.client("s3").get_object(Bucket=lake.outputs["LakeBucketName"], Key=key)
        for key in answer.payload["keys"]
    ]
    assert {each["ContentType"] for each in stored} == {"text/html; charset=utf-8"}
    assert {each["CacheControl"] for each in stored} == {"no-cache"}
    dated, index = (each["Body"].read() for each in stored)
    assert dated == index
    assert len(index) == answer.payload["size_bytes"]
    content = content_of(index)
    assert {playlist["name"] for playlist in content["playlists"]} >= PLAYLISTS.keys()
    assert content["last"] == str(newest)


def test_it_shows_what_athena_says(lake: LaptopStack) -> None:
    content = content_of(lake.report())
    latest = lake.athena(
        """
        with latest as (select playlist_id, max(scheduled_at) as scheduled_at from playlists group by playlist_id)
        select e.playlist_id, count(distinct coalesce(e.song_id, e.uri))
        from latest l
        join playlist_entries e on e.playlist_id = l.playlist_id and e.scheduled_at = l.scheduled_at
        group by e.playlist_id
        """
    )
    shown = {
        playlist["id"]: len(playlist["entries"]) + playlist["unlisted"]
        for playlist in content["playlists"]
        if playlist["entries"]
    }
    assert shown == dict(latest.rows)
    without = lake.athena("select distinct song_id from songs where cardinality(artist_ids) = 0").rows
    songs = [song for song in content["songs"] if song[2] == "song"]
    assert songs
    assert {song[0] for song in songs if not song[3]} <= {song_id for (song_id,) in without}


def test_it_can_be_written_again_by_any_event(lake: LaptopStack) -> None:
    first = content_of(lake.report())
    answer = lake.invoke("report", {"anything": ["else"]})
    assert answer.error is None, answer.message
    assert content_of(lake.report()) == first


def test_it_shows_charts_once_the_warehouse_has_them(lake: LaptopStack) -> None:
    assert content_of(lake.report())["charts"] is None
    standings = charted.standings()
    for key, data in charted.objects(charted.tables(standings)):
        lake.client("s3").put_object(Bucket=lake.outputs["LakeBucketName"], Key=key, Body=data)
    charts = content_of(lake.report())["charts"]
    # The default of ReportDays is 90, and only Argentina's charts are that new.
    daily = [one for one in standings if one.chart == "top200" and one.day.year == 2018]
    assert (charts["title"], charts["period"]) == ("Top 200", "daily")
    assert [(region["name"], region["charts"], region["streams"]) for region in charts["regions"]] == [
        ("Argentina", len({one.day for one in daily}), sum(one.streams or 0 for one in daily))
    ]


def test_it_shows_plays_once_there_are_any(lake: LaptopStack) -> None:
    assert content_of(lake.report())["listening"] is None
    song = plays.recent("2026-09-05T10:00:01Z")
    track = song["track"]
    names = {
        "master_metadata_track_name": track["name"],
        "master_metadata_album_artist_name": track["artists"][0]["name"],
        "spotify_track_uri": track["uri"],
    }
    rows = [
        plays.extended(ts=ts, ms_played=milliseconds, **names)
        for ts, milliseconds in (("2026-03-01T23:30:00Z", 100_000), ("2026-09-05T10:00:00Z", 200_000))
    ]
    packed = plays.pack(rows)
    fetched = dt.datetime(2026, 9, 5, 12, tzinfo=dt.UTC)
    polled = plays.poll(fetched, [song, plays.recent("2026-09-05T11:00:00Z", duration_ms=60_000)])
    bucket = lake.outputs["RawBucketName"]
    for key, data in ((packed.key, packed.data), (keys.raw_poll_key(fetched), polled)):
        lake.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
    assert lake.wait_until_idle().is_clear
    assert lake.athena("select count(*) from play_files").rows == ((2,),)
    listening = content_of(lake.report())["listening"]
    [kind] = listening["kinds"]
    # Half a year before the last play is the export's first; of the two polled, one is the export's second.
    assert kind == ["song", [2, 0, 1, 0], [260, 0, 100, 0], [60, 0, 0, 0]]
    assert listening["zone"] == "UTC"
    assert listening["gap_count"] == 0
