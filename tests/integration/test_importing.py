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
from cli.imports import snapshots
from cli.imports.captures import captures_in
from cli.imports.snapshots import Defaults
from cli.stack import Lake, OpsError
from cli.terminal import Terminal
from spotify_lake import keys
from spotify_lake.raw import envelope, store
from tests.support import hostile, payloads
from tests.support.dumps import as_json, entries, export_playlist, page, playlist, summary, zipped
from tests.support.operated import lake as command

RAW = "lake-raw"
ID = payloads.spotify_id("Road Trip")
NEWEST = datetime(2019, 5, 2, 10, tzinfo=UTC)  # of two entries
IMPORTED = f"raw/imported/playlist_id={ID}/20190502T100000Z.json.gz"


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


def zipped_file(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, as_json(entries(1)))
    return buffer.getvalue()


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
    assert key == IMPORTED
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


def test_liked_songs_join_those_that_the_lake_collects(s3: Any, lake: Lake, folder: Path) -> None:
    (folder / f"liked-{ID}.json").write_bytes(as_json(page(entries(2))))
    assert "made up from the list's name" in run(lake, f"liked-{ID}.json")
    [made_up] = in_raw(s3)
    state = {"user": {"sign_in": "x", "id": "me"}}
    s3.put_object(Bucket=RAW, Key=keys.EXTRACT_STATE, Body=json.dumps(state))
    assert f"playlist {keys.liked_songs_id('me')} (Liked Songs of me)" in run(lake, f"liked-{ID}.json")
    assert f"playlist {keys.liked_songs_id('you')}" in run(lake, f"liked-{ID}.json", user_id="you")
    s3.delete_object(Bucket=RAW, Key=keys.EXTRACT_STATE)
    assert {snapshot.playlist_id for snapshot in in_raw(s3).values()} == {
        keys.in_raw_key(made_up).playlist_id,
        keys.liked_songs_id("me"),
        keys.liked_songs_id("you"),
    }


def test_liked_songs_under_a_made_up_id_are_written_again_under_their_own(
    s3: Any, lake: Lake, folder: Path
) -> None:
    for day, number in (("2020-05-16", 2), ("2020-05-17", 3)):
        (folder / f"liked-{day}.json").write_bytes(as_json(page(entries(number))))
    run(lake, "liked-2020-05-16.json", "liked-2020-05-17.json")
    before = in_raw(s3)
    [made_up] = {snapshot.playlist_id for snapshot in before.values()}
    own = keys.liked_songs_id("me")
    told = run(lake, "liked-2020-05-17.json", user_id="me")
    assert f"under the made-up id {made_up} (2 snapshots) goes under {own}" in told
    after = in_raw(s3)
    assert len(after) == 4
    for key, snapshot in before.items():
        moved, emptied = after[key.replace(made_up, own)], after[key]
        assert (moved.playlist_id, moved.scheduled_at) == (own, snapshot.scheduled_at)
        assert (moved.as_sent(), moved.is_complete) == (snapshot.as_sent(), snapshot.is_complete)
        assert (emptied.entries, emptied.is_complete, emptied.is_imported) == ([], False, True)
    told = run(lake, "liked-2020-05-16.json", "liked-2020-05-17.json", user_id="me")
    assert "made-up" not in told
    assert {key: one.data for key, one in in_raw(s3).items()} == {key: one.data for key, one in after.items()}


def test_importing_again_writes_nothing(s3: Any, lake: Lake, folder: Path) -> None:
    keep(folder, trip_json=playlist(entries(2)))
    run(lake, "trip.json")
    before = s3.list_objects_v2(Bucket=RAW)["Contents"]
    assert "already there" in run(lake, "trip.json")
    # The same list, as another tool keeps it.
    keep(folder, page_json=zipped(page(entries(2, key="track"), ID, way="tracks")))
    assert "already there" in run(lake, "page.json")
    assert s3.list_objects_v2(Bucket=RAW)["Contents"] == before


def test_captures_of_one_time_are_merged_and_none_is_lost(s3: Any, lake: Lake, folder: Path) -> None:
    keep(folder, a__a_json=page(entries(2), ID), b__b_json=page([*entries(2), None], ID))
    assert "merged with what was imported before" in run(lake, "a", "b")
    (first,) = in_raw(s3).items()
    assert len(first[1].entries) == 3
    assert [len(capture.pages[0]["items"]) for capture in captures_in(first[1].data)] == [3, 2]
    assert "2 files: 2 already there" in run(lake, "b", "a")
    assert list(in_raw(s3).items()) == [first]


def test_entries_that_a_more_complete_capture_hides_are_said(s3: Any, lake: Lake, folder: Path) -> None:
    rows = entries(9)
    keep(folder, a__a_json=page(rows[:3], ID, total=9), b__b_json=page(rows[7:], ID, offset=7, total=9))
    run(lake, "a", taken_at=NEWEST)
    for _ in range(2):
        told = run(lake, "b", taken_at=NEWEST)
        assert "is more complete. This one is kept beside it" in told
        assert "do not show 2 of its entries. Say another time with --at." in told
        assert "FAILED: 1 file" in told
    (snapshot,) = in_raw(s3).values()
    assert len(snapshot.entries) == 3
    keep(folder, c__c_json=page(rows[3:7], ID, offset=3, total=9))
    assert "FAILED" not in run(lake, "c", taken_at=NEWEST)
    (snapshot,) = in_raw(s3).values()
    assert len(snapshot.entries) == 9


@pytest.mark.parametrize("order", [("page", "whole"), ("whole", "page")], ids="-".join)
def test_a_richer_capture_completes_what_a_page_lacks(
    s3: Any, lake: Lake, folder: Path, order: tuple[str, str]
) -> None:
    rows = entries(2, key="track")
    keep(folder, page__x_json=page(rows, ID, way="tracks"), whole__x_json=playlist(rows, snapshot_id="S"))
    for name in order:
        run(lake, name)
    ((key, snapshot),) = in_raw(s3).items()
    assert key == f"raw/imported/playlist_id={ID}/20190502T100000Z.json.gz"
    assert (snapshot.playlist.name, snapshot.snapshot_id, len(snapshot.entries)) == ("Road Trip", "S", 2)
    assert snapshot.playlist.owner is not None
    assert snapshot.playlist.owner.id == "nadia.k"


def test_what_a_run_recorded_is_not_written_over(s3: Any, lake: Lake, folder: Path) -> None:
    recorded = payloads.raw_object(entries(2), scheduled_at=NEWEST)
    s3.put_object(Bucket=RAW, Key=keys.raw_key(ID, NEWEST), Body=recorded)
    keep(folder, same_json=page(entries(2), ID), other_json=page(entries(1), ID, total=1))
    assert "already there, recorded by the lake itself" in run(lake, "same.json")
    assert len(in_raw(s3)) == 1
    run(lake, "other.json", taken_at=NEWEST)
    assert sorted(in_raw(s3)) == [IMPORTED, keys.raw_key(ID, NEWEST)]
    assert s3.get_object(Bucket=RAW, Key=keys.raw_key(ID, NEWEST))["Body"].read() == recorded


@pytest.mark.parametrize("there", [b"not gzip", payloads.raw_object(entries(1))], ids=["damaged", "recorded"])
def test_an_object_that_import_did_not_write_is_left_alone(
    s3: Any, lake: Lake, folder: Path, there: bytes
) -> None:
    s3.put_object(Bucket=RAW, Key=IMPORTED, Body=there)
    keep(folder, a_json=page(entries(2), ID))
    told = run(lake, "a.json")
    assert "is not an object that import wrote; nothing was written over it." in told
    assert "FAILED" in told
    assert s3.get_object(Bucket=RAW, Key=IMPORTED)["Body"].read() == there


def test_what_another_import_writes_meanwhile_is_not_lost(
    s3: Any, lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(
        folder, a__a_json=page(entries(2), ID), b__b_json=page(entries(3), ID), c__c_json=playlist(entries(2))
    )
    run(lake, "a", taken_at=NEWEST)
    replace, others = store.replace, iter([["c"], []])

    def late(*arguments: Any) -> bool:
        for name in next(others, []):
            run(lake, name, taken_at=NEWEST)
        return replace(*arguments)

    monkeypatch.setattr(store, "replace", late)
    run(lake, "b", taken_at=NEWEST)
    snapshot = in_raw(s3)[IMPORTED]
    assert (len(snapshot.entries), snapshot.playlist.name) == (3, "Road Trip")


@pytest.mark.parametrize(
    "value",
    [
        {"exported_at": "2099-01-01", "tracks": entries(1)},
        page(entries(1, added_at="2090-05-01T00:00:00Z"), ID),
        payloads.raw_object(entries(1), scheduled_at=datetime(2098, 1, 1, tzinfo=UTC)),
        payloads.raw_object(entries(1), scheduled_at=NEWEST, fetched_at=datetime(2099, 1, 1, tzinfo=UTC)),
    ],
    ids=["a field", "added_at", "scheduled_at", "fetched_at"],
)
def test_the_future_is_refused(s3: Any, lake: Lake, folder: Path, value: Any) -> None:
    keep(folder, x_json=value)
    told = run(lake, "x.json")
    assert "lies in the future. Correct it there" in told
    assert "FAILED" in told
    assert in_raw(s3) == {}


def test_files_of_one_name_in_two_folders_are_two_lists(
    s3: Any, lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for person in ("mona", "piet"):
        for day in ("2020-01-01", "2020-02-02"):
            path = folder / person / day / "favorites.json"
            path.parent.mkdir(parents=True)
            path.write_bytes(as_json([payloads.song(person)]))
    run(lake, ".")
    ids = {keys.in_raw_key(key).playlist_id for key in in_raw(s3)}  # type: ignore[union-attr]
    assert len(ids) == 2
    assert len(in_raw(s3)) == 4
    monkeypatch.chdir(folder / "mona")
    assert "already there" in run(lake, "2020-01-01/favorites.json")


def test_a_file_of_rejects_is_no_success(s3: Any, lake: Lake, folder: Path) -> None:
    keep(
        folder,
        songs_json=[{"song_id": "TR42", "title": "Tide", "artist": "Mira Sol"}],
        names_csv=b"Title,Artist\nTide,Mira Sol\n",
        statues_json=page([{"item": {"type": 7}}], ID),
    )
    told = run(lake, ".", taken_at=NEWEST)
    assert (
        "No entry has a Spotify id, URI or link (22 letters and digits): the first one's song_id is 'TR42'"
        in told
    )
    assert "the first one's fields are Title, Artist." in told
    assert told.endswith("FAILED: 3 files could not be used, or not all of it: see ✗ and ! above.")
    assert "✓" not in told
    assert in_raw(s3) == {}


def test_damage_and_bombs_cost_only_their_own_file(s3: Any, lake: Lake, folder: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b" " * 40_000_000)
        archive.writestr("inner.zip", zipped_file("x.json"))
        archive.writestr("__MACOSX/._good.json", b"\0\5\x16\7")
        archive.writestr("._good.json", b"\0\5\x16\7")
        archive.writestr("good.json", as_json(page(entries(2), ID)))
    keep(
        folder,
        dumps_zip=buffer.getvalue(),
        bomb_gz=gzip.compress(b" " * 40_000_000),
        last_json=playlist(entries(1)),
    )
    told = run(lake, ".")
    for sentence in (
        "✗ dumps.zip/bomb.json: It unpacks to more than 150 times its size",
        "✗ dumps.zip/inner.zip: It is an archive inside an archive: unpack it first.",
        "✗ bomb.gz: It unpacks to more than 150 times its size",
        "✓ dumps.zip/good.json",
        "✓ last.json",
    ):
        assert sentence in told
    assert "._good" not in told
    assert told.endswith("FAILED: 3 files could not be used, or not all of it: see ✗ and ! above.")


def test_a_folder_that_needs_too_much_memory_costs_only_itself(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("large", "small"):
        (folder / name).mkdir()
        (folder / name / "list.json").write_text(json.dumps(playlist(entries(2))))
    assemble = snapshots.assemble

    def assemble_small(parts: Any, defaults: Any, **about: Any) -> Any:
        if "large" in about["folder"]:
            raise MemoryError
        return assemble(parts, defaults, **about)

    monkeypatch.setattr(snapshots, "assemble", assemble_small)
    told = run(lake, "large", "small")
    assert "✗ large/list.json: It needs more memory than this machine has free" in told
    assert "✓ small/list.json" in told


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
        "✗ nowhere.json: This file does not exist.",
        "✗ s3://lake-raw/none/: This file does not exist.",
        "✗ album.json: It holds an album, and nothing that can be imported.",
        "✗ broken.json: It is cut short",
        "✗ empty.json: It is empty.",
        "✗ timeless.json: Understood as a bare list of entries, 2 entries. Nothing says when the list was like this",
        "! lists.json: 2 playlists without entries (0 of 15 known).",
    ):
        assert sentence in told
    assert told.endswith("FAILED: 7 files could not be used, or not all of it: see ✗ and ! above.")


def test_options_fill_in_what_files_do_not_say(s3: Any, lake: Lake, folder: Path) -> None:
    keep(folder, songs_json=[payloads.song("One"), payloads.song("Two")])
    told = run(lake, "songs.json", playlist_id=ID, taken_at=datetime(2020, 5, 17, tzinfo=UTC))
    assert list(in_raw(s3)) == [f"raw/imported/playlist_id={ID}/20200517T000000Z.json.gz"]
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
    ((_, snapshot),) = in_raw(s3).items()  # the lone page is part of the whole
    assert len(snapshot.entries) == 120


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


def test_raw_objects_of_another_lake_are_imports_here(s3: Any, lake: Lake, folder: Path) -> None:
    key = keys.raw_key(ID, payloads.NOON)
    body = payloads.raw_object(entries(2), payloads.page([None], 2, 3))
    s3.create_bucket(Bucket="other-lake")
    s3.put_object(Bucket="other-lake", Key=key, Body=body)
    run(lake, "s3://other-lake/raw/")
    moment = keys.import_time(payloads.NOON)
    found = s3.get_object(Bucket=RAW, Key=keys.raw_key(ID, moment))["Body"].read()
    mark = {"imported": True, "scheduled_at": "2026-11-20T12:00:00.001000Z"}
    assert json.loads(gzip.decompress(found)) == json.loads(gzip.decompress(body)) | mark


# The command


def test_the_command_ends_with_1_if_a_file_cannot_be_used(
    s3: Any, lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importing, "find", lambda **_: lake)
    keep(folder, good_json=entries(2), bad_json=b"<html>")
    options = ["--no-wait", "--at", "2020-05-17", "--playlist", f"spotify:playlist:{ID}"]
    arguments = ["import", *options, "--", "good.json"]
    assert command(*arguments) == 0
    assert json.loads(json.dumps(list(in_raw(s3)))) == [
        f"raw/imported/playlist_id={ID}/20200517T000000Z.json.gz"
    ]
    assert command(*arguments, "bad.json") == 1
    assert "1 file could not be used" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [["--at", "yesterday"], ["--playlist", "my list!"], ["--at", "1999-01-01"], ["--at", "2099-01-01"]],
    ids=" ".join,
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


def test_a_hostile_name_is_shown_and_stored_as_it_is(s3: Any, lake: Lake, folder: Path) -> None:
    (folder / "trip.json").write_bytes(as_json(playlist(entries(2), hostile.NAME)))
    (folder / "\x1b]0;pwned\x07 \u202e.json").write_bytes(b"{")
    told = run(lake, str(folder))
    assert hostile.obeyed(told) == set()
    assert hostile.is_shown(told)
    (snapshot,) = in_raw(s3).values()
    assert snapshot.playlist is not None
    assert snapshot.playlist.name == hostile.NAME
