"""The examples of docs/open.md with their own tools: dbt, a notebook, DuckDB, Polars, pandas, PyAthena, awswrangler."""

import csv
import datetime as dt
import io
import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from cli.commands import connect, export
from cli.terminal import Terminal
from local.emulator import clean_environment
from local.spotify_stub import COLLECTED
from local.stack import LaptopStack
from queries import queries, views
from tests.support import exported
from tests.support.operated import as_lake
from tests.support.template import ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

EXAMPLES = ROOT / "examples"
BIN = ROOT / ".tools" / "examples" / "bin"
DAYS = [dt.datetime(2026, 9, day, 6, tzinfo=dt.UTC) for day in (1, 2, 3)]
AGAIN = "Run `./lake export --tables`"

ASK_EVERYTHING = """
import json, os, sys
import awswrangler as wr
from pyathena import connect
database, workgroup = os.environ["LAKE_DATABASE"], os.environ["LAKE_WORKGROUP"]
cursor = connect(work_group=workgroup, schema_name=database, poll_interval=0.1).cursor()
answers = {}
for name, sql in json.load(sys.stdin).items():
    frame = wr.athena.read_sql_query(sql, database=database, workgroup=workgroup, ctas_approach=False)
    rows = cursor.execute(sql).fetchall()
    times = [type(value).__name__ for row in rows[:1] for value in row]
    answers[name] = [list(frame.columns), len(frame), [column[0] for column in cursor.description], len(rows), times]
print(json.dumps(answers))
"""


def run(*command: object, cwd: Path = ROOT, text: str = "", **variables: object) -> tuple[int, str, str]:
    """Run a program of the examples; return its status and what it wrote."""
    environment = clean_environment(os.environ) | {name: str(value) for name, value in variables.items()}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def script(name: str, **variables: object) -> str:
    status, said, errors = run(BIN / "python", EXAMPLES / f"with_{name}.py", **variables)
    assert status == 0, errors
    return said


def dbt(folder: Path, out: Path, *words: str) -> tuple[int, str]:
    places = ("--target-path", out / "target", "--log-path", out / "logs")
    status, said, errors = run(
        BIN / "dbt", "--no-use-colors", *(words or ("build",)), *places, cwd=EXAMPLES / "dbt",
        LAKE_EXPORT=folder, LAKE_DUCKDB=out / "lake.duckdb",
    )  # fmt: skip
    return status, said + errors


def pictures(notebook: Path) -> int:
    cells = json.loads(notebook.read_text())["cells"]
    return sum("image/png" in output.get("data", {}) for cell in cells for output in cell.get("outputs", []))


def expected(folder: Path) -> list[list[str]]:
    """What the scripts have to print, computed row by row."""
    rows = pq.read_table(folder / "songs.parquet").to_pylist()
    newest = max(row["snapshot_date"] for row in rows)
    songs, seen = defaultdict(set), {}
    for row in rows:
        for artist in row["artist_names"] if row["snapshot_date"] == newest else ():
            songs[artist].add(row["song_id"])
            seen[artist] = max(seen.get(artist, row["scheduled_at"]), row["scheduled_at"])
    first = sorted(songs, key=lambda artist: (-len(songs[artist]), artist))[:10]
    berlin = {artist: seen[artist].astimezone(ZoneInfo("Europe/Berlin")) for artist in first}
    return [
        ["artist", "songs", "seen"],
        *([artist, str(len(songs[artist])), f"{berlin[artist]:%Y-%m-%d %H:%M}"] for artist in first),
    ]


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported.write(exported.made_up(), tmp_path_factory.mktemp("lake") / "export")


@pytest.fixture
def changed(folder: Path, tmp_path: Path) -> Path:
    """A copy of the export, to be changed."""
    copy = tmp_path / "changed"
    copy.mkdir()
    for path in folder.glob("*.parquet"):
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def test_dbt_builds_its_models_and_all_tests_pass(folder: Path, tmp_path: Path) -> None:
    status, said = dbt(folder, tmp_path)
    assert status == 0, said
    assert "ERROR=0" in said
    songs = pq.read_table(folder / "songs.parquet").to_pylist()
    heard = [row for row in pq.read_table(folder / "listening.parquet").to_pylist() if row["is_counted"]]
    with duckdb.connect(tmp_path / "lake.duckdb", read_only=True) as built:
        current = built.sql(
            "SELECT count(*), count(DISTINCT song_id) FROM dim_song WHERE is_current"
        ).fetchall()
        assert current == [(len({row["song_id"] for row in songs}),) * 2]
        plays = built.sql("SELECT sum(plays), sum(hours) FROM plays_daily").fetchall()
        assert plays[0][0] == len(heard) > 1000
        assert plays[0][1] == pytest.approx(sum(row["listened_ms"] or 0 for row in heard) / 3_600_000)
        [(week, artist, count)] = built.sql(
            "SELECT CAST(week AS DATE), artist_id, songs FROM artists_weekly"
            " ORDER BY songs DESC, artist_id, week LIMIT 1"
        ).fetchall()
    in_week = {
        row["song_id"]
        for row in songs
        if artist in row["artist_ids"] and week <= row["snapshot_date"] < week + dt.timedelta(days=7)
    }
    assert len(in_week) == count > 1


def test_a_song_that_changed_has_both_versions(changed: Path, tmp_path: Path) -> None:
    table = pq.read_table(changed / "songs.parquet")
    rows = table.to_pylist()
    song = rows[-1]["song_id"]
    days = sorted({row["snapshot_date"] for row in rows if row["song_id"] == song})
    for row in rows:
        if row["song_id"] == song and row["snapshot_date"] >= days[len(days) // 2]:
            row["name"] = "Renamed"
    pq.write_table(pa.Table.from_pylist(rows, table.schema), changed / "songs.parquet")
    status, said = dbt(changed, tmp_path, "build", "--select", "+dim_song")
    assert status == 0, said
    with duckdb.connect(tmp_path / "lake.duckdb", read_only=True) as built:
        versions = built.execute(
            "SELECT name = 'Renamed', valid_from, valid_to, is_current FROM dim_song"
            " WHERE song_id = ? ORDER BY valid_from",
            [song],
        ).fetchall()
    middle = days[len(days) // 2]
    assert versions == [(False, days[0], middle, False), (True, middle, None, True)]


def test_what_breaks_a_key_or_a_rule_fails_the_build(changed: Path, tmp_path: Path) -> None:
    table = pq.read_table(changed / "songs.parquet")
    rows = table.to_pylist()
    rows += [rows[0], rows[1] | {"song_id": "another", "album_id": "nobody's", "artist_ids": ["nobody"]}]
    pq.write_table(pa.Table.from_pylist(rows, table.schema), changed / "songs.parquet")
    status, said = dbt(changed, tmp_path, "test", "--select", "source:lake.songs")
    assert status == 1
    for test in ("source_unique_together_lake_songs", "song_album", "song_artists"):
        assert f"Failure in test {test}" in said, said


def test_tools_give_the_same_answer_from_files(folder: Path) -> None:
    wanted = expected(folder)
    assert len(wanted) == 11
    for name in ("duckdb", "polars", "pandas"):
        assert rows_of(script(name, LAKE_EXPORT=folder)) == wanted, name


def test_the_notebook_draws_five_pictures(folder: Path, tmp_path: Path) -> None:
    status, said, errors = run(
        BIN / "python", EXAMPLES / "run_notebook.py", tmp_path / "run.ipynb", LAKE_EXPORT=folder
    )
    assert (status, said) == (0, f"5 pictures are in {tmp_path / 'run.ipynb'}.\n"), errors


def bad_exports(changed: Path) -> Iterator[tuple[str, str]]:
    """Yield what each of the examples has to say, after making the export so."""
    table = pq.read_table(changed / "playlists.parquet")
    pq.write_table(table.drop_columns(["entry_count"]), changed / "playlists.parquet")
    yield "entry_count", "is from another version of the lake"
    pq.write_table(table.append_column("mood", table["name"]), changed / "playlists.parquet")
    yield "mood", "is from another version of the lake"
    pq.write_table(table.slice(0, 0), changed / "playlists.parquet")
    yield "make demo", "when it was exported"
    (changed / "playlists.parquet").unlink()
    yield "playlists.parquet", "There is no file"


def test_a_bad_export_ends_with_a_sentence(changed: Path, tmp_path: Path) -> None:
    program = "import lake; lake.exported('playlists')"
    for detail, sentence in bad_exports(changed):
        said = [run(BIN / "python", "-c", program, cwd=EXAMPLES, LAKE_EXPORT=changed)]
        said += [(*dbt(changed, tmp_path), "")]
        if detail == "playlists.parquet":
            notebook = tmp_path / "run.ipynb"
            said += [run(BIN / "python", EXAMPLES / "run_notebook.py", notebook, LAKE_EXPORT=changed)]
        for status, out, errors in said:
            assert status != 0
            assert sentence in out + errors
            assert detail in out + errors
            assert AGAIN in out + errors
            assert "Traceback" not in out + errors


def test_without_credentials_there_is_a_sentence() -> None:
    for variables, wanted in (
        ({}, "The variable LAKE_WORKGROUP is not set."),
        ({"LAKE_WORKGROUP": "lake", "AWS_REGION": "us-east-1"}, "No credentials are valid: Unable to locate"),
    ):
        status, out, errors = run(BIN / "python", EXAMPLES / "with_pyathena.py", **variables)
        assert (status, out) == (1, "")
        assert errors.startswith(wanted)
        assert "./lake connect" in errors
        assert "Traceback" not in errors


# --- the deployed lake ---


@pytest.fixture(scope="module")
def lake(stack: LaptopStack) -> LaptopStack:
    for day in DAYS:
        assert stack.invoke_extract(day)["failed"] == []
    assert stack.wait_until_idle().is_clear
    return stack


@pytest.fixture(scope="module")
def variables(lake: LaptopStack) -> Mapping[str, str]:
    """What a shell has after `eval "$(./lake connect --laptop)"`."""
    said = "\n".join(connect.lines(as_lake(lake), lake.environment))
    status, out, errors = run("bash", "-c", 'eval "$(cat)" && env -0', text=said)
    assert status == 0, errors
    return dict(line.split("=", 1) for line in out.split("\0") if line)


def test_every_tool_gives_the_same_answer_from_the_deployed_lake(
    lake: LaptopStack, variables: Mapping[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    export.run(as_lake(lake), Terminal(Console(file=io.StringIO())), export.TABLES_TO_EXPORT, folder)
    wanted = expected(folder)
    for name in ("duckdb", "polars", "pandas", "pyathena", "bucket"):
        assert rows_of(script(name, LAKE_EXPORT=folder, **variables)) == wanted, name
    status, said = dbt(folder, tmp_path)
    assert status == 0, said
    status, said, errors = run(
        BIN / "python", EXAMPLES / "run_notebook.py", tmp_path / "run.ipynb", LAKE_EXPORT=folder, **variables
    )
    assert (status, pictures(tmp_path / "run.ipynb")) == (0, 5), errors


def test_plain_sessions_run_every_saved_question(lake: LaptopStack, variables: Mapping[str, str]) -> None:
    asked = {name: question.sql for name, question in queries().items()}
    asked |= {name: f"SELECT * FROM {name} LIMIT 5" for name in views()}  # noqa: S608 - our own views
    asked["times"] = "SELECT scheduled_at FROM playlists"
    status, said, errors = run(BIN / "python", "-c", ASK_EVERYTHING, text=json.dumps(asked), **variables)
    assert status == 0, errors[-2000:]
    answers: dict[str, Any] = json.loads(said)
    times, snapshots = answers.pop("times"), len(DAYS) * len(COLLECTED)
    assert answers.keys() | {"times"} == asked.keys()
    for name, (frame_columns, frame_rows, columns, rows, _types) in answers.items():
        known = (queries() | views())[name]
        assert frame_columns == columns == list(known.columns), name
        assert frame_rows == rows, name
    assert times == [["scheduled_at"], snapshots, ["scheduled_at"], snapshots, ["datetime"]]
