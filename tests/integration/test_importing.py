"""`./lake import` from files and S3 into moto's raw bucket, and what it tells."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from cli.commands import import_ as importing
from cli.imports.snapshots import Defaults
from cli.stack import Lake, OpsError
from cli.terminal import Terminal
from spotify_lake import keys
from spotify_lake.raw import envelope
from tests.support import payloads
from tests.support.dumps import as_json, entries, export_playlist, page, playlist, summary, zipped
from tests.support.operated import lake as command

RAW = "lake-raw"
ID = payloads.spotify_id("Road Trip")
NEWEST = datetime(2019, 5, 2, 10, tzinfo=UTC)  # of two entries


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=RAW)
        yield client


@pytest.fixture
def lake(s3: Any) -> Lake:
    return Lake(
        on_laptop=False,
        stack="my-lake",
        account="123456789012",
        region="us-east-1",
        outputs={"RawBucketName": RAW},
        parameters={"FirstSnapshotDate": "2026-01-01"},
        client=boto3.client,
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keep(folder: Path, **files: Any) -> None:
    """Write files; `a__b_json` stands for a/b.json."""
    for name, value in files.items():
        path = folder / name.replace("__", "/").replace("_", ".", 1)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(value if isinstance(value, bytes) else as_json(value))


def run(lake: Lake | None, *files: str, dry_run: bool = False, **defaults: Any) -> str:
    """What is said; a failure at the end is its last line."""
    told = io.StringIO()
    terminal = Terminal(Console(file=told, soft_wrap=True))
    try:
        importing.run(lake, terminal, files, Defaults(**defaults), dry_run=dry_run)
    except OpsError as error:
        return f"{told.getvalue()}FAILED: {error}"
    return told.getvalue()


def in_raw(s3: Any) -> dict[str, envelope.Snapshot]:
    found = s3.list_objects_v2(Bucket=RAW).get("Contents", [])
    return {
        one["Key"]: envelope.decode(s3.get_object(Bucket=RAW, Key=one["Key"])["Body"].read()) for one in found
    }


def test_a_dump_becomes_a_raw_object_and_is_told_about(s3: Any, lake: Lake, folder: Path) -> None:
    keep(folder, trip_json=playlist([*entries(2), None, {"item": {"type": 7}}]))
    told = run(lake, "trip.json")
    (key,) = in_raw(s3)
    assert key == keys.raw_key(ID, NEWEST)
    assert len(in_raw(s3)[key].entries) == 4
    assert told.splitlines()[:5] == [
        "✓ trip.json: a playlist object “Road Trip”",
        f"    playlist {ID} (the playlist object)",
        "    time     2019-05-02 10:00:00 UTC (the newest added_at)",
        "    entries  all 4: 2 songs, 1 unavailable, 1 rejected as undecodable",
        f"    raw      {key} written",
    ]
    assert "1 file: 1 written; 4 entries, 1 of them rejected." in told
    assert "FirstSnapshotDate" in told
    assert "2019-05-02" in told.split("FirstSnapshotDate", 1)[1]


def test_importing_again_writes_nothing(s3: Any, lake: Lake, folder: Path) -> None:
    keep(folder, trip_json=playlist(entries(2)))
    run(lake, "trip.json")
    before = s3.list_objects_v2(Bucket=RAW)["Contents"]
    assert "already there" in run(lake, "trip.json")
    # The same list, as another tool keeps it.
    keep(folder, page_json=zipped(page(entries(2, key="track"), ID, way="tracks")))
    assert "already there" in run(lake, "page.json")
    assert s3.list_objects_v2(Bucket=RAW)["Contents"] == before


def test_another_snapshot_of_the_same_time_gets_the_next_second(s3: Any, lake: Lake, folder: Path) -> None:
    first, second = page(entries(2), ID), page([*entries(2), None], ID)
    keep(folder, a__a_json=first, b__b_json=second)
    for _ in range(2):
        run(lake, "a", "b")
        assert {key: len(snapshot.entries) for key, snapshot in in_raw(s3).items()} == {
            keys.raw_key(ID, NEWEST): 2,
            keys.raw_key(ID, NEWEST.replace(second=1)): 3,
        }


def test_an_unreadable_object_at_the_same_time_is_left_alone(s3: Any, lake: Lake, folder: Path) -> None:
    s3.put_object(Bucket=RAW, Key=keys.raw_key(ID, NEWEST), Body=b"not gzip")
    keep(folder, a_json=page(entries(2), ID))
    run(lake, "a.json")
    assert s3.get_object(Bucket=RAW, Key=keys.raw_key(ID, NEWEST))["Body"].read() == b"not gzip"
    assert s3.head_object(Bucket=RAW, Key=keys.raw_key(ID, NEWEST.replace(second=1)))


def test_more_snapshots_than_seconds_are_refused(
    s3: Any, lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "SECONDS_TO_TRY", 1)
    keep(folder, a__a_json=page(entries(2), ID), b__b_json=page([*entries(2), None], ID))
    told = run(lake, "a", "b")
    assert "✗ b/b.json: The lake has 1 other snapshots of playlist" in told
    assert len(in_raw(s3)) == 1


def test_a_dry_run_writes_nothing_and_knows_what_is_there(s3: Any, lake: Lake, folder: Path) -> None:
    keep(folder, trip_json=playlist(entries(2)), gym_json=playlist(entries(3), "Gym"))
    run(lake, "trip.json")
    told = run(lake, ".", dry_run=True)
    assert "would be written" in told
    assert "already there" in told
    assert len(in_raw(s3)) == 1
    assert "would be written" in run(None, ".", dry_run=True)


def test_one_bad_file_does_not_stop_the_others(s3: Any, lake: Lake, folder: Path) -> None:
    keep(
        folder,
        album_json=payloads.album(),
        broken_json=as_json(playlist(entries(2)))[:-40],
        empty_json=b"",
        good_json=playlist(entries(2)),
        lists_json=page([summary("Road Trip 2", 12), summary("Gym", 3)]),
        timeless_json=entries(2, added_at=None),
    )
    told = run(lake, ".", "nowhere.json", "s3://lake-raw/none/")
    assert len(in_raw(s3)) == 1
    for sentence in (
        "✗ nowhere.json: There is no such file.",
        "✗ s3://lake-raw/none/: There is no such file.",
        "✗ album.json: It holds an album, and nothing that can be imported.",
        "✗ broken.json: It is cut short",
        "✗ empty.json: It is empty.",
        "✗ timeless.json: Understood as a bare list of entries, 2 entries. Nothing says when the list was like this",
        "! lists.json: 2 playlists without entries (0 of 15 known).",
    ):
        assert sentence in told
    assert told.endswith("FAILED: 6 files could not be used, or not all of it: see ✗ above.")


def test_options_fill_in_what_files_do_not_say(s3: Any, lake: Lake, folder: Path) -> None:
    keep(folder, songs_json=[payloads.song("One"), payloads.song("Two")])
    told = run(lake, "songs.json", playlist_id=ID, taken_at=datetime(2020, 5, 17, tzinfo=UTC))
    assert list(in_raw(s3)) == [f"raw/playlist_id={ID}/20200517T000000Z.json.gz"]
    assert "(--playlist)" in told
    assert "(--at)" in told
    assert "2 (whether that is all, nothing says): 2 songs" in told


def test_pages_of_a_folder_are_joined_and_a_lone_page_is_called_one(
    s3: Any, lake: Lake, folder: Path
) -> None:
    rows = entries(120)
    keep(
        folder,
        all__1_json=page(rows[:50], ID, total=120),
        all__2_json=page(rows[50:100], ID, offset=50, total=120),
        all__3_json=page(rows[100:], ID, offset=100, total=120),
        one__2_json=page(rows[50:100], ID, offset=50, total=120),
    )
    told = run(lake, "all", "one")
    assert "✓ all/1.json + all/2.json + all/3.json: 3 pages of one list" in told
    assert "entries  all 120: 120 songs" in told
    assert "entries  50 of 120, from number 51 on (part of a longer list): 50 songs" in told
    assert sorted(len(snapshot.entries) for snapshot in in_raw(s3).values()) == [50, 120]


def test_sources_of_every_kind(s3: Any, lake: Lake, folder: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data/Playlist1.json", as_json({"playlists": [export_playlist("A", "B")]}))
    keep(folder, data_zip=buffer.getvalue(), notes_md=b"# Notes")
    (folder / "with blank.json").write_bytes(as_json(playlist(entries(1), "Blank")))
    (folder / "lines.jsonl").write_bytes(b"\n".join(map(as_json, entries(4))))
    s3.create_bucket(Bucket="old")
    s3.put_object(
        Bucket="old", Key="dumps/x.json.gz", Body=gzip.compress(as_json(playlist(entries(5), "In S3")))
    )
    s3.put_object(Bucket="old", Key="dumps/readme.md", Body=b"no")
    told = run(lake, "with blank.json", "*.jsonl", "data.*", "s3://old/dumps/")
    assert sorted(len(snapshot.entries) for snapshot in in_raw(s3).values()) == [1, 2, 4, 5]
    assert "FAILED" not in told
    assert "✓ data.zip/data/Playlist1.json: a playlist of the account-data export “Evening”" in told
    assert "1 file of other kinds left out" in run(lake, ".")


def test_the_lake_s_own_raw_objects_can_be_imported(s3: Any, lake: Lake, folder: Path) -> None:
    key = keys.raw_key(ID, payloads.NOON)
    body = payloads.raw_object(entries(2), payloads.page([None], 2, 3))
    s3.create_bucket(Bucket="other-lake")
    s3.put_object(Bucket="other-lake", Key=key, Body=body)
    run(lake, "s3://other-lake/raw/")
    assert gzip.decompress(s3.get_object(Bucket=RAW, Key=key)["Body"].read()) == gzip.decompress(body)


# The command


def test_the_command_ends_with_1_if_a_file_cannot_be_used(
    s3: Any, lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importing, "find", lambda **_: lake)
    keep(folder, good_json=entries(2), bad_json=b"<html>")
    arguments = ["import", "--at", "2020-05-17", "--playlist", f"spotify:playlist:{ID}", "--", "good.json"]
    assert command(*arguments) == 0
    assert json.loads(json.dumps(list(in_raw(s3)))) == [f"raw/playlist_id={ID}/20200517T000000Z.json.gz"]
    assert command(*arguments, "bad.json") == 1
    assert "1 file could not be used" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["--at", "yesterday"], ["--playlist", "my list!"], ["--at", "1999-01-01"]], ids=" ".join
)
def test_options_that_say_nothing_are_refused(
    wrong: list[str],
    lake: Lake,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(importing, "find", lambda **_: lake)
    assert command("import", *wrong, ".") == 2
    assert wrong[1] in capsys.readouterr().err


def test_a_dry_run_needs_no_lake(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nowhere(**_: Any) -> Lake:
        raise OpsError("There is no stack my-lake.")

    monkeypatch.setattr(importing, "find", nowhere)
    keep(folder, good_json=entries(2))
    assert command("import", "--dry-run", "good.json") == 0
    told = capsys.readouterr().out
    assert "There is no stack my-lake." in told
    assert "would be written" in told
    assert command("import", "good.json") == 1
