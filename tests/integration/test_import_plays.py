"""`./lake import` of Spotify's data export into moto's buckets: every row is accounted for, nothing private stays."""

import datetime as dt
import gzip
import io
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
from moto import mock_aws
from rich.console import Console

from bench import accounting
from cli import athena, catalog
from cli.catalog import Relation
from cli.commands import import_ as importing
from cli.import_wait import Imported
from cli.imports import history
from cli.stack import Lake, OpsError
from cli.terminal import Terminal
from local.sql_dialect import to_duckdb
from queries import views
from spotify_lake import keys
from spotify_lake.athena import Athena
from spotify_lake.normalize.plays import normalize_export
from spotify_lake.raw import plays
from spotify_lake.raw.store import RawObject
from spotify_lake.transform.listening import ListeningWriter
from tests.support import exports, listened
from tests.support.lake_in_memory import FakeAthenaClient
from tests.support.lakes import SCHEMA
from tests.support.plays import IMPORTED, extended

RAW, CURATED = "lake-raw", "lake-curated"
FILES = {
    **exports.my_spotify_data(),
    **exports.as_files(exports.EXTENDED, exports.history()),
    f"{exports.EXTENDED}/ReadMeFirst.pdf": b"%PDF",
}
EXTENDED_FILES = {name: data for name, data in FILES.items() if name.startswith(exports.EXTENDED)}
ACCOUNT_FILES = {name: data for name, data in FILES.items() if name not in EXTENDED_FILES}
ROWS = {
    name.rpartition("/")[2]: len(json.loads(data))
    for name, data in FILES.items()
    if "History" in name and data[:1] == b"["
}

ACCOUNT_ROW = {
    "endTime": "2021-03-04 05:06",
    "artistName": "Carly Rae Jepsen",
    "trackName": "Cut To The Feeling",
    "msPlayed": 207959,
}
LAST_ENDED = max(row["endTime"] for rows in exports.account().values() for row in rows)


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3")
        for bucket in (RAW, CURATED):
            client.create_bucket(Bucket=bucket)
        yield client


@pytest.fixture
def lake(s3: Any) -> Lake:
    """A lake without views."""
    clients = {"s3": s3, "glue": boto3.client("glue")}
    clients["glue"].create_database(DatabaseInput={"Name": "lake"})
    return Lake(
        on_laptop=False,
        stack="my-lake",
        account="123456789012",
        region="us-east-1",
        outputs={"RawBucketName": RAW, "LakeBucketName": CURATED, "DatabaseName": "lake"},
        parameters={"FirstSnapshotDate": "2006-04-01"},
        client=lambda service: clients[service],
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; temporary files go into temporary/."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def transform(lake: Lake, _terminal: Terminal, imported: Any) -> None:
    """In place of waiting: the transform works."""
    s3 = lake.client("s3")
    writer = ListeningWriter(s3, CURATED)
    for one in imported:
        body = s3.get_object(Bucket=RAW, Key=one.raw_key)["Body"].read()
        writer.transform(RawObject(RAW, one.raw_key, None), body, None)


def run(
    lake: Lake | None, *names: str, wait: Callable[..., None] | None = transform, dry_run: bool = False
) -> str:
    """What is said; a failure at the end is its last line."""
    said = io.StringIO()
    try:
        importing.run(lake, Terminal(Console(file=said, soft_wrap=True)), names, wait=wait, dry_run=dry_run)
    except OpsError as error:
        return f"{said.getvalue()}FAILED: {error}"
    return said.getvalue()


def stored(s3: Any, bucket: str = RAW, prefix: str = "") -> dict[str, Any]:
    """Every object of a bucket: its bytes and metadata."""
    found = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Contents", []):
            answer = s3.get_object(Bucket=bucket, Key=one["Key"])
            found[one["Key"]] = answer["Body"].read(), answer["Metadata"], one["LastModified"]
    return found


def play_files(s3: Any) -> dict[str, dict[str, Any]]:
    """The rows of play_files by file name."""
    objects = stored(s3, CURATED, "curated/play_files/").values()
    rows = [row for data, *_ in objects for row in pq.read_table(io.BytesIO(data)).to_pylist()]
    return {row["file_name"]: row for row in rows}


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def test_a_zip_is_imported_with_plays_playlists_and_everything_else_named(
    s3: Any, lake: Lake, folder: Path
) -> None:
    (folder / "my_spotify_data.zip").write_bytes(exports.zipped(ACCOUNT_FILES))
    said = run(lake, "my_spotify_data.zip")
    assert "FAILED" not in said
    files = play_files(s3)
    assert {name: file["row_count"] for name, file in files.items()} == {
        name: ROWS[name]
        for name in (
            "StreamingHistory_music_0.json",
            "StreamingHistory_podcast_0.json",
            "StreamingHistory_audiobook_0.json",
        )
    }
    assert {file["source"] for file in files.values()} == {"account"}
    assert {file["form"] for file in files.values()} == {"music", "podcast", "audiobook"}
    assert len(stored(s3, prefix=keys.IMPORTED_PLAYLISTS)) == 2
    assert f"time     {LAST_ENDED}:00 UTC (the last play in the account data beside it)" in said, (
        "YourLibrary.json does not say when it was like that"
    )
    data = "my_spotify_data.zip/Spotify Account Data"
    assert f"✓ {data}/StreamingHistory_podcast_1.json: no plays" in said
    left = ("Userdata", "Payments", "Inferences", "SearchQueries", "Follow", "Wrapped2025", "SomethingNew")
    assert f"{len(left) + 1} files of other kinds left out." in said
    named = next(line for line in said.splitlines() if "left out:" in line)
    assert all(f"{data}/{name}.json" in named for name in left)
    assert f"{data}/Read_Me_First.pdf" in named
    rows = sum(file["row_count"] for file in files.values())
    assert f"rows      {rows:,} = {rows:,} in plays + 0 rejected" in said
    metadata = next(one[1] for one in stored(s3, prefix=keys.RAW_EXPORTS).values())
    assert metadata["kind"] in {"music", "podcast", "audiobook"}
    assert metadata["file-name"].startswith("StreamingHistory_")


def test_nothing_private_is_stored_or_shown(
    s3: Any, lake: Lake, folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also not of rows that are rejected, of files that are damaged, and of those that are left alone."""
    files = {
        **FILES,
        "x/endsong_8.json": json.dumps([extended()]).encode()[:-30],
        "x/endsong_9.csv": exports.as_csv([extended()]),
        "x/endsong_7.json": json.dumps([extended(ms_played=2), json.dumps(extended(ms_played=3))]).encode(),
    }
    (folder / "my.zip").write_bytes(exports.zipped(files))
    shown = run(lake, "my.zip") + run(lake, "my.zip", dry_run=True)
    captured = capfd.readouterr()
    places = {"terminal": shown, "log": caplog.text + captured.out + captured.err}
    for bucket in (RAW, CURATED):
        for key, (data, metadata, _) in stored(s3, bucket).items():
            content = (
                str(pq.read_table(io.BytesIO(data)).to_pylist())
                if data[:4] == b"PAR1"
                else gzip.decompress(data)
            )
            places[key] = f"{key} {content!s} {metadata}"
    assert sum(key.startswith(keys.RAW_EXPORTS) for key in places) > 5
    assert sum(key.startswith("curated/plays/") for key in places) > 12
    found = {
        (where, private) for where, text in places.items() for private in exports.PRIVATE if private in text
    }
    fields = {
        (where, field) for where, text in places.items() for field in plays.PRIVATE if f'"{field}"' in text
    }
    assert found == fields == set()
    assert list((folder / "temporary").iterdir()) == []
    assert all(private in str(files) for private in exports.PRIVATE), "the files hold it"


def test_importing_again_in_any_order_and_from_anywhere_is_nothing_new(
    s3: Any, lake: Lake, folder: Path
) -> None:
    clean = {name: data for name, data in EXTENDED_FILES.items() if "2026_7" not in name}
    (folder / "first.zip").write_bytes(exports.zipped(clean))
    said = run(lake, "first.zip")
    assert "FAILED" not in said
    assert " are in the tables." in said
    before = stored(s3)
    again = dict(random.Random(7).sample(sorted(clean.items()), len(clean)))
    (folder / "another name.zip").write_bytes(
        exports.zipped({f"MyData/{n}.json": d for n, d in enumerate_json(again)})
    )
    write(
        folder / "unpacked",
        {name.replace("Streaming_History", "renamed"): data for name, data in clean.items()},
    )
    s3.create_bucket(Bucket="mine")
    for name, data in clean.items():
        s3.put_object(Bucket="mine", Key=f"x/{name}", Body=data)
    for names in (["unpacked"], ["first.zip", "unpacked"], ["s3://mine/x"]):
        said = run(lake, *names)
        assert "FAILED" not in said
        assert "Nothing new: the lake has all of these files" in said
        assert stored(s3) == before
    assert "2 already there, 2 twice" in run(lake, "first.zip", "unpacked")
    # What is named otherwise is the same file, except that only the name says what is a video.
    said = run(lake, "another name.zip")
    assert "1 already there, 1 written" in said


def enumerate_json(files: Mapping[str, bytes]) -> list[tuple[int, bytes]]:
    return list(enumerate(data for data in files.values() if data[:1] == b"["))


def test_every_row_is_a_play_or_a_reject_and_both_are_said(s3: Any, lake: Lake, folder: Path) -> None:
    write(folder, EXTENDED_FILES)
    said = run(lake, exports.EXTENDED)
    files = play_files(s3)
    assert {name: file["row_count"] for name, file in files.items()} == {
        name: number for name, number in ROWS.items() if name.startswith("Streaming_History_")
    }
    for file in files.values():
        assert file["row_count"] == file["play_count"] + file["reject_count"]
    odd = files["Streaming_History_Audio_2026_7.json"]
    assert (odd["play_count"], odd["reject_count"]) == (len(exports.ODD), len(exports.REJECTED))
    for reason, number in Counter(reason for _, reason in exports.REJECTED).items():
        assert f"rejected  {number} {reason}\n" in said
    assert (
        "Fields that this version does not know were left out, too: device_id (1 row), genre (1 row)." in said
    )
    assert said.endswith(
        "FAILED: 10 rows could not become a play: the table play_rejects has each with its reason."
    )


def test_a_large_file_is_imported_in_parts(
    s3: Any, lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "ROWS_PER_OBJECT", 2)
    rows = [extended(ts=f"2021-03-0{day}T05:06:07Z") for day in (1, 2, 2, 3)]
    write(folder, {"all.json": json.dumps(rows).encode()})
    said = run(lake, "all.json")
    assert (
        "✓ all.json (part 1 of 2): 3 rows of listening history (extended streaming history), written" in said
    )
    assert "rows      4 = 4 in plays + 0 rejected" in said
    metadata = [one[1]["file-name"] for one in stored(s3, prefix=keys.RAW_EXPORTS).values()]
    assert metadata == ["all.json"] * 2
    before = stored(s3)
    assert "Nothing new: the lake has all of these files, with 4 plays" in run(lake, "all.json")
    assert stored(s3) == before


def test_a_dry_run_says_the_same_and_writes_nothing(s3: Any, lake: Lake, folder: Path) -> None:
    write(folder, EXTENDED_FILES)
    for where in (lake, None):
        said = run(where, exports.EXTENDED, dry_run=True)
        number = sum(number for name, number in ROWS.items() if name.startswith("Streaming_History_"))
        assert f"rows      {number:,} = {number - 10:,} in plays + 10 rejected" in said
        assert "FAILED: 10 rows could not become a play" in said
    assert stored(s3) == stored(s3, CURATED) == {}


def test_the_wait_gets_the_files_and_its_failure_is_said(s3: Any, lake: Lake, folder: Path) -> None:
    write(folder, {"endsong_0.json": json.dumps([extended()]).encode()})
    waited: list[Imported] = []

    def in_vain(_lake: Lake, _terminal: Terminal, imported: Any) -> None:
        waited.extend(imported)
        raise OpsError("In vain.")

    assert run(lake, "endsong_0.json", wait=in_vain).endswith("FAILED: In vain.")
    [key] = stored(s3)
    assert [one.raw_key for one in waited] == [key]
    assert "in the tables" not in run(lake, "endsong_0.json", wait=None)


BAD = {
    "endsong_1.json": json.dumps([extended()] * 3).encode()[:-9],
    "endsong_2.json": b"",
    "inner.zip": exports.zipped({"endsong_0.json": b"[]"}),
}


@pytest.mark.parametrize(
    "files, name, problem",
    [
        (
            {"my.zip": exports.zipped({**BAD, "a.json": json.dumps([extended()]).encode()})},
            "my.zip/endsong_1.json",
            "cut short",
        ),
        (
            {"my.zip": exports.zipped({**BAD, "a.json": json.dumps([extended()]).encode()})},
            "my.zip/endsong_2.json",
            "empty",
        ),
        (
            {"my.zip": exports.zipped({**BAD, "a.json": json.dumps([extended()]).encode()})},
            "my.zip/inner.zip",
            "archive inside an archive",
        ),
        (
            {"my.zip": exports.zipped(EXTENDED_FILES)[:-200], "a.json": json.dumps([extended()]).encode()},
            "my.zip",
            "damaged",
        ),
        (
            {"b.zip": exports.zipped({}), "a.json": json.dumps([extended()]).encode()},
            "b.zip",
            "without any JSON or CSV",
        ),
        (
            {"b.csv": b"a,b\rc,d\r", "a.json": json.dumps([extended()]).encode()},
            "b.csv",
            "not a playlist",
        ),
        (
            {"b.csv": b"played_at,track\n2020,A\n", "a.json": json.dumps([extended()]).encode()},
            "b.csv",
            "not with the columns",
        ),
    ],
    ids=["cut short", "empty", "zip in a zip", "truncated zip", "empty zip", "old line ends", "other CSV"],
)
def test_what_cannot_be_used_is_a_sentence_and_the_rest_is_imported(
    s3: Any, lake: Lake, folder: Path, files: Mapping[str, bytes], name: str, problem: str
) -> None:
    write(folder, {f"in/{file}": data for file, data in files.items()})
    said = run(lake, "in")
    [line] = [line for line in said.splitlines() if line.startswith(f"✗ in/{name}: ")]
    assert problem in line
    assert "could not be used, or not all of it" in said.splitlines()[-1]
    assert play_files(s3)["a.json"]["play_count"] == 1


def test_a_locked_zip_and_files_of_macos(s3: Any, lake: Lake, folder: Path) -> None:
    data = bytearray(exports.zipped({"endsong_0.json": json.dumps([extended()]).encode()}))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    write(folder, {"in/locked.zip": bytes(data), "in/__MACOSX/._endsong_0.json": b"\0\5\26\7"})
    said = run(lake, "in")
    assert "locked.zip/endsong_0.json: It is locked with a password" in said
    assert "MACOSX" not in said
    assert "FAILED: 1 file could not be used" in said


def test_files_about_other_things_are_not_even_read(s3: Any, lake: Lake, folder: Path) -> None:
    write(folder, {"Payments.json": b'{"payment": "Fake Street', "Read_Me_First.json": b""})
    said = run(lake, "Payments.json", "Read_Me_First.json")
    assert "2 files of other kinds left out.\n    left out: Payments.json, Read_Me_First.json\n" in said
    assert "FAILED" not in said


def test_files_of_two_accounts_are_said_without_their_names(s3: Any, lake: Lake, folder: Path) -> None:
    write(
        folder,
        {
            "endsong_0.json": json.dumps([extended()]).encode(),
            "endsong_1.json": json.dumps([extended(ms_played=7, username="SOMEBODY")]).encode(),
            "endsong_2.json": json.dumps([extended(ms_played=9, username="another-one")]).encode(),
        },
    )
    said = run(lake, ".")
    assert (
        "✗ These are the plays of 2 accounts (account A: endsong_0.json + endsong_1.json; account B: endsong_2.json)."
        " All are imported and counted as one person's: give each person a lake (`--stack`)." in said
    )
    assert "FAILED: These are the plays of 2 accounts" in said
    assert "somebody" not in said.lower()
    assert "another-one" not in said
    assert len(play_files(s3)) == 3
    assert "FAILED" not in run(lake, "endsong_0.json", "endsong_1.json")


def test_plays_at_the_same_moment_tell_two_accounts(s3: Any, lake: Lake, folder: Path) -> None:
    def rows(seconds: int) -> bytes:
        begin = dt.datetime(2021, 3, 1, 12, 0, seconds, tzinfo=dt.UTC)
        times = (begin + dt.timedelta(minutes=3 * number) for number in range(20))
        return json.dumps(
            [extended(ts=f"{at:%Y-%m-%dT%H:%M:%SZ}", ms_played=180_000, username=None) for at in times]
        ).encode()

    write(folder, {"one/endsong_0.json": rows(0), "two/endsong_0.json": rows(50)})
    said = run(lake, "one", "two")
    assert "one/endsong_0.json and two/endsong_0.json seem to be of two accounts" in said
    assert "FAILED: one/endsong_0.json and two" in said
    assert len(stored(s3)) == 2


def test_a_writer_that_is_faster_is_no_failure(
    s3: Any, lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, {"endsong_0.json": json.dumps([extended()]).encode()})
    put, tries = s3.put_object, []

    def busy(**request: Any) -> Any:
        tries.append(request)
        if len(tries) == 1:
            response: Any = {"Error": {"Code": "Conflict"}, "ResponseMetadata": {"HTTPStatusCode": 409}}
            raise s3.exceptions.ClientError(response, "PutObject")
        return put(**request)

    monkeypatch.setattr(s3, "put_object", busy)
    assert "1 row of listening history (extended streaming history), written" in run(
        lake, "endsong_0.json", wait=None
    )
    assert len(tries) == 2
    assert tries[0]["IfNoneMatch"] == "*"

    def denied(**_request: Any) -> Any:
        response: Any = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise s3.exceptions.ClientError(response, "PutObject")

    monkeypatch.setattr(s3, "put_object", denied)
    write(folder, {"endsong_1.json": json.dumps([extended(ms_played=7)]).encode()})
    said = run(lake, "endsong_1.json", wait=None)
    assert "✗ endsong_1.json: It could not be written to the raw bucket: " in said
    assert "AWS does not permit PutObject" in said


# --- all of it, counted independently ---


def test_counted_plays_hours_and_tops_are_those_of_an_independent_count(
    s3: Any, lake: Lake, folder: Path
) -> None:
    """Two overlapping downloads, cut into files elsewhere, and account data of the same plays."""
    later = {
        f"Streaming_History_Audio_later_{number}.json": part
        for number, part in enumerate(halves(json.loads(FILES[f"{exports.EXTENDED}/{largest()}"])))
    }
    files = {**EXTENDED_FILES, **exports.as_files("later", later), **ACCOUNT_FILES}
    write(folder, {f"in/{name}": data for name, data in files.items()})
    run(lake, "in")
    objects = {key: data for key, (data, *_) in stored(s3, prefix=keys.RAW_EXPORTS).items()}
    tables = [normalize_export(plays.unpack_export(data, key)) for key, data in objects.items()]
    assert all(table.unaccounted == 0 for table in tables)
    rows = listened.as_rows(tables)

    of_plays = {name.rpartition("/")[2]: data for name, data in files.items() if "History_" in name}
    write(folder / "together", {name: data for name, data in of_plays.items() if data != b"[]"})
    with listened.rows_of(rows) as connection:
        found = accounting.check(connection, folder / "together")
        # One play is missing.
        connection.execute("DELETE FROM plays WHERE rowid = 0")
        with pytest.raises(accounting.Wrong, match="The lake has other rows, rejects and plays of Str"):
            accounting.check(connection, folder / "together")
    assert found.rows == sum(ROWS.values()) + sum(map(len, later.values()))
    assert found.rejects == len(exports.REJECTED)
    # Account data has the plays of the extended history, and one audiobook that it lacks.
    assert found.replaced == sum(row["source"] == "account" for row in rows["plays"]) - 1
    assert found.repeated > 1_000


def test_a_wrong_sum_is_noticed(folder: Path) -> None:
    """As if the view counted a play that account data and the extended history both have."""
    files = {"endsong_0.json": [extended()], "StreamingHistory0.json": [ACCOUNT_ROW]}
    write(folder, exports.as_files("in", files))
    packed = [
        plays.pack_export(form, name, [json.dumps(row).encode() for row in files[name]], IMPORTED)
        for form, name in (("audio", "endsong_0.json"), ("music", "StreamingHistory0.json"))
    ]
    rows = listened.as_rows(normalize_export(plays.unpack_export(one.data, one.key)) for one in packed)
    with listened.rows_of(rows) as connection:
        assert accounting.check(connection, folder / "in").counted == 1
        connection.execute("UPDATE plays SET name = 'other' WHERE source = 'account'")
        with pytest.raises(
            accounting.Wrong, match="The lake has other counted plays than the files: 2 instead of 1"
        ):
            accounting.check(connection, folder / "in")


def largest() -> str:
    """The name of the audio file with most rows."""
    return max(
        (name for name in ROWS if name.startswith("Streaming_History_Audio")), key=lambda name: ROWS[name]
    )


def halves(rows: list[Any]) -> list[list[Any]]:
    return [rows[: len(rows) // 2], rows[len(rows) // 2 :]]


# --- the summary from the view ---


def test_the_summary_says_what_was_known_and_all_years(
    s3: Any, lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = listened.rows_of({})

    def connect(_lake: Lake) -> Any:
        objects = {key: data for key, (data, *_) in stored(s3, prefix=keys.RAW_EXPORTS).items()}
        tables = [normalize_export(plays.unpack_export(data, key)) for key, data in objects.items()]
        listened.fill(connection, listened.as_rows(tables))
        client: Any = FakeAthenaClient(connection)
        return Athena(client, "group", "database", translate=lambda sql: to_duckdb(sql, SCHEMA, views()))

    monkeypatch.setattr(catalog, "relations", lambda _lake: {"listening": Relation("", {})})
    monkeypatch.setattr(athena, "connect", connect)
    first = [extended(ts="2020-05-01T10:00:00Z", ms_played=3_600_000), extended(ts="2021-05-01T10:00:00Z")]
    second = [first[1], extended(ts="2021-05-02T10:00:00Z", ms_played=7_200_000)]
    write(
        folder,
        exports.as_files("a", {"endsong_0.json": first}) | exports.as_files("b", {"endsong_1.json": second}),
    )
    run(lake, "a")
    said = run(lake, "b")
    assert "known     1 of them were in the lake already, in other files" in said
    assert "✓ Everything you listened to: 3 plays, 3 hours, 1 song." in said
    assert "2020         1 plays       1 h        1 songs  ███████████████\n" in said
    assert "2021         2 plays       2 h        1 songs  ██████████████████████████████\n" in said
    assert "4 rows in plays = 3 counted + 0 replaced by a better source + 1 in several files" in said
