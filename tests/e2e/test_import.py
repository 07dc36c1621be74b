"""Old dumps through everything that is deployed: from files to Athena's answers."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from cli.commands.import_ import run
from cli.import_wait import wait
from cli.stack import Lake, OpsError
from cli.terminal import Terminal
from local.spotify_stub import PLAYLISTS
from local.stack import LaptopStack
from spotify_lake import keys
from tests.support import exports, payloads
from tests.support.dumps import as_json, entries, export_playlist, page, playlist, summary, zipped
from tests.support.plays import extended

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lake(stack: LaptopStack) -> Lake:
    """The stack as `./lake import` sees it."""
    return Lake(
        on_laptop=True,
        stack="spotify-lake",
        account="000000000000",
        region="us-east-1",
        outputs=stack.outputs,
        parameters={"FirstSnapshotDate": "2026-01-01"},
        client=stack.client,
    )


def test_old_dumps_are_found_by_athena_entry_by_entry(stack: LaptopStack, lake: Lake, tmp_path: Path) -> None:
    rows = [*entries(118, key="track"), None, payloads.entry(payloads.local_file(), key="track")]
    rows += [payloads.entry(payloads.episode(), key="track"), {"track": {"type": 7}}]
    gym = payloads.spotify_id("Gym of old")
    files = {
        "gym-1.json": page(rows[:100], gym, total=len(rows), way="tracks"),
        "gym-2.json": page(rows[100:], gym, offset=100, total=len(rows), way="tracks"),
        "gym-list.json": [summary("Gym of old", len(rows))],
        "starred-2011-05-06.json": playlist(
            entries(3, key="track", added_at="2010-05-03T10:49:43Z"), "Starred of old", key="tracks"
        ),
        "Playlist1.json": {"playlists": [export_playlist("Low Tide", "Duet", title="Exported")]},
    }
    for name, value in files.items():
        (tmp_path / f"{name}.gz").write_bytes(zipped(value))
    (tmp_path / "error.json").write_bytes(as_json({"error": {"status": 404, "message": "Not found."}}))

    shown = Console(record=True)
    with pytest.raises(OpsError, match="1 file could not be used"):
        run(lake, Terminal(shown), [str(tmp_path)], wait=wait)
    assert stack.backlog().done == 3, "it waited"
    said = " ".join(shown.export_text().split())
    assert "3 snapshots with 127 entries are in the tables: playlist_entries 126 rows" in said
    assert "rejects 1 rows" in said
    assert stack.wait_until_idle().is_clear
    assert stack.dead_letters() == {}

    found = stack.athena(
        """
        select p.name, p.entry_count, p.snapshot_date,
               count_if(e.kind = 'song'), count_if(e.kind = 'local'), count_if(e.kind = 'episode'),
               count_if(e.kind = 'unavailable')
        from playlists p
        join playlist_entries e
          on e.playlist_id = p.playlist_id and e.scheduled_at = p.scheduled_at and e.snapshot_date = p.snapshot_date
        where p.name in ('Starred of old', 'Exported', 'Gym of old')
        group by p.name, p.entry_count, p.snapshot_date
        order by p.entry_count
        """
    )
    assert found.rows == (
        ("Exported", 2, dt.date(2022, 10, 9), 2, 0, 0, 0),
        ("Starred of old", 3, dt.date(2011, 5, 6), 3, 0, 0, 0),
        ("Gym of old", 122, dt.date(2026, 3, 1), 118, 1, 1, 1),
    )
    rejected = stack.athena(
        """
        select r.position, r.reason
        from rejects r
        join playlists p on p.playlist_id = r.playlist_id and p.snapshot_date = r.snapshot_date
        where p.name = 'Gym of old'
        """
    )
    assert rejected.rows == ((122, "undecodable"),)
    names = stack.athena(
        "select song_id, name, album_id from songs where snapshot_date = date '2022-10-09' order by name"
    )
    assert [row[:2] for row in names.rows] == [
        (payloads.spotify_id(name), name) for name in ("Duet", "Low Tide")
    ]


def test_a_data_export_ends_with_years_hours_and_songs(
    stack: LaptopStack, lake: Lake, tmp_path: Path
) -> None:
    """Extended history and account data of the same plays, twice; nothing counts twice."""
    plays = [
        extended(ts=f"2019-05-0{day}T10:00:00Z", ms_played=1_800_000, username=None) for day in range(1, 8)
    ]
    account = [
        {
            "endTime": play["ts"][:16].replace("T", " "),
            "artistName": play["master_metadata_album_artist_name"],
            "trackName": play["master_metadata_track_name"],
            "msPlayed": play["ms_played"],
        }
        for play in plays
    ]
    zip_file = tmp_path / "my_spotify_data.zip"
    zip_file.write_bytes(
        exports.zipped(
            {
                **exports.as_files("MyData", {"endsong_0.json": plays, "endsong_1.json": plays[5:]}),
                **exports.as_files("MyData", {"StreamingHistory_music_0.json": account}),
                **exports.OTHERS,
            }
        )
    )
    shown = Console(record=True, width=200)
    run(lake, Terminal(shown), [str(zip_file)], wait=wait)
    said = " ".join(shown.export_text().split())
    assert "✓ 16 plays from 2019-05-01 to 2019-05-07 are in the tables." in said
    assert "rows 16 = 16 in plays + 0 rejected" in said
    assert "known 0 of them were in the lake already, in other files" in said
    assert "twice 2 are in two of the files: each counts once" in said
    assert "✓ Everything you listened to: 7 plays, 4 hours, 1 song. 2019 7 plays 4 h 1 songs" in said
    assert "16 rows in plays = 7 counted + 7 replaced by a better source + 2 in several files" in said

    shown = Console(record=True, width=200)
    run(lake, Terminal(shown), [str(zip_file)], wait=wait)
    said = " ".join(shown.export_text().split())
    assert (
        "✓ Nothing new: the lake has all of these files, with 16 plays from 2019-05-01 to 2019-05-07." in said
    )
    assert stack.backlog().is_clear


def test_importing_again_changes_nothing(stack: LaptopStack, lake: Lake, tmp_path: Path) -> None:
    moment = keys.import_time(dt.datetime(2019, 5, 2, 10, tzinfo=dt.UTC))
    (tmp_path / "twice.json").write_bytes(as_json(playlist(entries(2), "Twice imported")))
    key = keys.raw_key(payloads.spotify_id("Twice imported"), moment)
    run(lake, Terminal(Console()), [str(tmp_path)])
    first = stack.client("s3").head_object(Bucket=stack.outputs["RawBucketName"], Key=key)
    run(lake, Terminal(Console()), [str(tmp_path)])
    again = stack.client("s3").head_object(Bucket=stack.outputs["RawBucketName"], Key=key)
    assert first["LastModified"] == again["LastModified"]
    stack.wait_until_idle()


def test_an_import_of_a_run_s_own_time_and_the_run_stay_apart(
    stack: LaptopStack, lake: Lake, tmp_path: Path
) -> None:
    """Whoever imports something of the same playlist and second, the run still records what Spotify says."""
    playlist_id, moment = PLAYLISTS["Morning Ten"], dt.datetime(2026, 5, 12, 6, tzinfo=dt.UTC)
    part = page(entries(2), playlist_id, total=2)
    (tmp_path / "20260512T060000Z.json").write_bytes(
        as_json({"scheduled_at": keys.iso(moment), "page": part})
    )
    run(lake, Terminal(Console()), [str(tmp_path)])
    stack.wait_until_idle()
    assert stack.invoke_extract(moment, [playlist_id])["written"] == [playlist_id]
    run(lake, Terminal(Console()), [str(tmp_path)])
    assert stack.wait_until_idle().is_clear
    found = stack.athena(
        """
        select p.is_imported, p.entry_count, count(*)
        from playlists p
        join playlist_entries e
          on e.playlist_id = p.playlist_id and e.scheduled_at = p.scheduled_at and e.snapshot_date = p.snapshot_date
        where p.snapshot_date = date '2026-05-12'
        group by p.is_imported, p.entry_count
        order by p.entry_count
        """
    )
    assert found.rows == ((True, 2, 2), (False, 10, 10))


def test_the_command_reports_what_files_hold(tmp_path: Path) -> None:
    """From another folder: a name with a blank and a quote, a quoted pattern, and the exit code of a refused file."""
    (tmp_path / "Nadia's songs.json").write_bytes(as_json(entries(2)))
    (tmp_path / "page.html").write_bytes(b"<html>")
    command = [str(ROOT / "lake"), "import", "--dry-run", "--laptop"]
    environ = os.environ | {"PYTHON": sys.executable}
    good = subprocess.run(
        [*command, "Nadia's songs.json"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert good.returncode == 0, good.stderr
    assert "2 entries" in good.stdout
    bad = subprocess.run(
        [*command, "*.html"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert bad.returncode != 0
    assert "It is a web page or XML, not JSON." in bad.stdout
