"""From Spotify to Athena through everything that is deployed."""

import datetime as dt
import gzip
import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from cli.commands import redrive
from local.spotify_stub import COLLECTED, PLAYLISTS
from local.stack import LaptopStack
from spotify_lake import keys
from spotify_lake.normalize.quality import RULES
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION, Table
from tests.support import payloads
from tests.support.deployed import assert_undisturbed, eventually, put_raw, quick_retries, s3_event, send
from tests.support.operated import Person, as_lake

DAYS = [dt.datetime(2026, 9, day, 6, tzinfo=dt.UTC) for day in (1, 2, 3)]
SQL_TYPES = {
    "string": "string",
    "int32": "int",
    "int64": "bigint",
    "bool": "boolean",
    "date32[day]": "date",
    "timestamp[us, tz=UTC]": "timestamp",
    "list<element: string>": "array<string>",
}


@pytest.fixture(scope="module")
def lake(stack: LaptopStack) -> LaptopStack:
    """The stack with three days of every playlist in it."""
    for day in DAYS:
        result = stack.invoke_extract(day)
        assert set(result["written"] + result["already_there"]) == set(COLLECTED.values())
        assert result["failed"] == []
    backlog = stack.wait_until_idle()
    assert backlog.is_clear
    assert stack.dead_letters() == {}
    return stack


def objects(stack: LaptopStack, bucket: str, prefix: str) -> dict[str, str]:
    """Key to ETag of every object below a prefix."""
    pages = stack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {found["Key"]: found["ETag"] for page in pages for found in page.get("Contents", [])}


def curated(stack: LaptopStack) -> dict[str, str]:
    return objects(stack, stack.outputs["LakeBucketName"], "curated/")


def body(stack: LaptopStack, bucket: str, key: str) -> bytes:
    content: bytes = stack.client("s3").get_object(Bucket=stack.outputs[bucket], Key=key)["Body"].read()
    return content


def in_raw(data: bytes) -> list[Any]:
    """The entries of a raw object, read without the code under test."""
    return [entry for page in json.loads(gzip.decompress(data))["pages"] for entry in page["items"]]


def test_every_entry_of_spotify_is_found_by_athena(lake: LaptopStack) -> None:
    found = lake.athena(
        """
        select p.playlist_id, p.snapshot_date, max(p.entry_count), count(e.position)
        from playlists p
        left join playlist_entries e
          on e.playlist_id = p.playlist_id and e.scheduled_at = p.scheduled_at and e.snapshot_date = p.snapshot_date
        where p.snapshot_date between date '2026-09-01' and date '2026-09-03'
        group by p.playlist_id, p.snapshot_date
        """
    )
    assert {(row[0], row[1]): (row[2], row[3]) for row in found.rows} == {
        (playlist_id, day.date()): (count, count)
        for playlist_id in COLLECTED.values()
        for day in DAYS
        for count in [len(in_raw(body(lake, "RawBucketName", keys.raw_key(playlist_id, day))))]
    }
    total = lake.athena(
        "select count(*) from rejects where snapshot_date between date '2026-09-01' and date '2026-09-03'"
    )
    assert total.rows == ((0,),)


def test_positions_and_songs_are_those_that_spotify_sent(lake: LaptopStack) -> None:
    """Read from the raw object by the API's own rules, the mixed playlist gives what Athena answers."""
    found = lake.athena(
        """
        select e.position, e.kind, e.uri, s.name
        from playlist_entries e
        join playlists p on p.playlist_id = e.playlist_id and p.snapshot_date = e.snapshot_date
        left join songs s
          on s.song_id = e.song_id and s.snapshot_date = e.snapshot_date and s.playlist_id = e.playlist_id
        where p.name = 'Odds & Ends' and e.snapshot_date = date '2026-09-02'
        order by e.position
        """
    )
    expected = []
    for position, entry in enumerate(
        in_raw(body(lake, "RawBucketName", keys.raw_key(PLAYLISTS["Odds & Ends"], DAYS[1]))), start=1
    ):
        item = (entry or {}).get("item")
        if not item:
            expected.append((position, "unavailable", None, None))
        elif entry["is_local"]:
            expected.append((position, "local", item["uri"], None))
        elif item["type"] == "episode":
            expected.append((position, "episode", item["uri"], None))
        elif item["name"]:
            expected.append((position, "song", item["uri"], item["name"]))
        else:
            expected.append((position, "unavailable", item["uri"], None))
    assert list(found.rows) == expected
    assert {kind for _, kind, _, _ in expected} == {"song", "local", "episode", "unavailable"}


def test_extracting_a_day_again_writes_nothing(lake: LaptopStack) -> None:
    raw_before, curated_before = objects(lake, lake.outputs["RawBucketName"], "raw/"), curated(lake)
    result = lake.invoke_extract(DAYS[0])
    assert result["written"] == []
    assert set(result["already_there"]) == set(COLLECTED.values())
    assert objects(lake, lake.outputs["RawBucketName"], "raw/") == raw_before
    assert curated(lake) == curated_before


def test_duplicate_events_in_any_order_change_no_byte(lake: LaptopStack) -> None:
    before = curated(lake)
    raw_keys = [keys.raw_key(playlist_id, day) for day in DAYS for playlist_id in COLLECTED.values()]
    assert lake.invoke("transform", s3_event(lake, *reversed(raw_keys))).payload == {"batchItemFailures": []}
    send(lake, *(2 * raw_keys[::3]))
    lake.wait_until_idle()
    assert curated(lake) == before
    assert_undisturbed(lake)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_declared_table_is_what_a_crawler_would_infer(lake: LaptopStack, table: Table) -> None:
    declared = next(found for found in lake.tables() if found["Name"] == table.name)
    columns = {column["Name"]: column["Type"] for column in declared["StorageDescriptor"]["Columns"]}
    assert (
        declared["StorageDescriptor"]["Location"] == f"s3://{lake.outputs['LakeBucketName']}/{table.prefix}"
    )
    assert [(key["Name"], key["Type"]) for key in declared["PartitionKeys"]] == [
        (PARTITION.name, PARTITION.type)
    ]
    found = [key for key in curated(lake) if key.startswith(table.prefix)]
    assert len(found) >= len(DAYS) * len(COLLECTED)
    for key in found:
        assert key.split("/")[2].startswith(f"{PARTITION.name}=")
        schema = pq.read_schema(io.BytesIO(body(lake, "LakeBucketName", key)))
        assert {field.name: SQL_TYPES[str(field.type)] for field in schema} == columns, key


def test_columns_are_documented_in_the_catalog(lake: LaptopStack) -> None:
    for table in lake.tables():
        assert table["Description"]
        for column in table["StorageDescriptor"]["Columns"]:
            assert column["Comment"], f"{table['Name']}.{column['Name']}"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_partition_projection_leads_to_every_object(lake: LaptopStack, table: Table) -> None:
    """The emulator reads all objects of a table whatever the query says, so this is asked of the catalog."""
    parameters = next(found for found in lake.tables() if found["Name"] == table.name)["Parameters"]
    template = parameters["storage.location.template"]
    first = parameters["projection.snapshot_date.range"].split(",")[0]
    assert parameters["projection.enabled"] == "true"
    assert parameters["projection.snapshot_date.type"] == "date"
    assert parameters["projection.snapshot_date.format"] == "yyyy-MM-dd"
    found = 0
    for key in curated(lake):
        day = key.split("/")[2].removeprefix("snapshot_date=")
        # Other tests import what is older than the parameter FirstSnapshotDate.
        if key.startswith(table.prefix) and day >= first:
            found += 1
            folder = template.replace("${snapshot_date}", day)
            assert f"s3://{lake.outputs['LakeBucketName']}/{key}".startswith(folder)
    assert found >= len(DAYS) * len(COLLECTED)


def test_only_the_poison_reaches_the_dead_letters_and_a_redrive_heals(lake: LaptopStack) -> None:
    at = dt.datetime(2026, 10, 1, 6, tzinfo=dt.UTC)
    good = {}
    for number in range(5):
        about = payloads.playlist(payloads.spotify_id(f"among poison {number}"))
        body = payloads.raw_object(payloads.every_kind(), playlist_object=about, scheduled_at=at)
        good[keys.raw_key(about["id"], at)] = body
    poisoned = payloads.playlist(payloads.spotify_id("poison"))
    moments = [at + dt.timedelta(hours=number) for number in range(4)]
    # The last two claim to be other snapshots, one of another playlist.
    other_time = payloads.raw_object(playlist_object=poisoned, scheduled_at=at - dt.timedelta(days=1))
    bad = [b"not gzip", body[:-30], body, other_time]
    poison = {keys.raw_key(poisoned["id"], moment): data for moment, data in zip(moments, bad, strict=True)}
    with quick_retries(lake, tries=2):
        for key, data in zip([*poison, *good], [*poison.values(), *good.values()], strict=True):
            put_raw(lake, key, data)
        eventually(lambda: lake.dead_letters() == {"TransformDeadLetters": len(poison)}, timeout_s=120)
        lake.wait_until_idle()
        assert lake.dead_letters() == {"TransformDeadLetters": len(poison)}
        assert_undisturbed(lake)

        for key, moment in zip(poison, moments, strict=True):
            put_raw(lake, key, payloads.raw_object([], playlist_object=poisoned, scheduled_at=moment))
        redrive.run(as_lake(lake), Person(), yes=True)
        lake.wait_until_idle()
    assert len([key for key in curated(lake) if poisoned["id"] in key]) == len(poison) * len(TABLES)
    assert lake.dead_letters() == {}
    assert_undisturbed(lake)


@pytest.mark.parametrize("name", ["a b+c=d", "ünï çødé 100%", "plus+plus&amp;"])
def test_keys_with_odd_characters_work(lake: LaptopStack, name: str) -> None:
    playlist_id = payloads.spotify_id(name)
    moment = dt.datetime(2026, 10, 2, 6, tzinfo=dt.UTC)
    data = payloads.raw_object([], playlist_object=payloads.playlist(playlist_id), scheduled_at=moment)
    put_raw(lake, f"raw/playlist_id={playlist_id}/{name}.json.gz", data)
    eventually(lambda: len([key for key in curated(lake) if playlist_id in key]) == len(TABLES))


def test_the_quality_of_each_snapshot_is_a_table(lake: LaptopStack) -> None:
    found = lake.athena(
        """
        select count(*), sum(violations), count(distinct rule)
        from quality
        where snapshot_date between date '2026-09-01' and date '2026-09-03'
        """
    )
    assert found.rows[0] == (len(RULES) * len(DAYS) * len(COLLECTED), 0, len(RULES))


def test_an_entry_that_would_break_queries_becomes_a_reject(lake: LaptopStack) -> None:
    playlist = payloads.playlist(payloads.spotify_id("odd lengths"))
    moment = dt.datetime(2026, 10, 4, 6, tzinfo=dt.UTC)
    odd, popular = payloads.song("Odd", duration_ms=-1), payloads.song("Popular", popularity=101)
    entries = [payloads.entry(song) for song in (payloads.song(), odd, popular)]
    data = payloads.raw_object(entries, playlist_object=playlist, scheduled_at=moment)
    put_raw(lake, keys.raw_key(playlist["id"], moment), data)
    eventually(lambda: len([key for key in curated(lake) if playlist["id"] in key]) == len(TABLES))
    where = f"where playlist_id = '{playlist['id']}' and snapshot_date = date '{moment.date()}'"
    rejects, found, kept = (
        lake.athena(f"select {columns} {where} {rest}").rows
        for columns, rest in (
            ("position, reason, payload from rejects", ""),
            ("rule, violations, example from quality", "and violations > 0 order by rule"),
            ("song_id from songs", ""),
        )
    )
    [(position, reason, payload)] = rejects
    assert (position, reason, json.loads(str(payload))) == (2, "song_duration", entries[1])
    assert found == (("song_duration", 1, odd["id"]), ("song_popularity", 1, popular["id"]))
    assert {row[0] for row in kept} == {payloads.song()["id"], popular["id"]}


def test_times_are_read_as_utc(lake: LaptopStack) -> None:
    found = lake.athena("select distinct scheduled_at from playlists where snapshot_date = date '2026-09-01'")
    assert [str(row[0])[:19] for row in found.rows] == ["2026-09-01 06:00:00"]
