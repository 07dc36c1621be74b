"""Folders and buckets are the same to the jobs; what S3 refuses is said in a sentence."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from spotify_bulk import charts
from spotify_bulk.errors import BulkError, StorageFailed
from spotify_bulk.run import Arguments, Run
from spotify_bulk.sources import inspect_files
from spotify_bulk.storage import Bucket, Folder, Storage, StoredFile, storage_at

if TYPE_CHECKING:
    from collections.abc import Iterator

CHART = b"rank,title\n1,x\n"


@pytest.fixture(autouse=True)
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="lake")
        yield client


def a_run(given: Storage, warehouse: Storage, work: Storage) -> Run:
    return Run(None, Arguments(given, warehouse, work, {}), "charts")  # type: ignore[arg-type] (no Spark here)


def test_a_folder_and_a_prefix_do_the_same(tmp_path: Path) -> None:
    folder, bucket = Folder(tmp_path / "x"), Bucket("lake", "staging/charts/")
    for one in (folder, bucket):
        for name in ("b/2.csv", "a 100%.csv", "b/1.csv"):
            one.write(name, name.encode())
        assert one.find() == [
            StoredFile("a 100%.csv", 10),
            StoredFile("b/1.csv", 7),
            StoredFile("b/2.csv", 7),
        ]
        assert [item.name for item in one.find("b/")] == ["b/1.csv", "b/2.csv"]
        assert one.find("c") == []
        one.write("b/1.csv", b"again")
        with one.open("b/1.csv") as content:
            assert content.read(2) + content.read() == b"again"
    for source in (folder, bucket):
        for target in (Folder(tmp_path / "y"), Bucket("lake", "work/")):
            target.copy_from(source, "b/2.csv", "taken/2.csv")
            with target.open("taken/2.csv") as content:
                assert content.read() == b"b/2.csv"
    assert bucket.uri("b/1.csv") == "s3://lake/staging/charts/b/1.csv"


def test_addresses() -> None:
    assert (
        storage_at("s3://lake/staging/charts/")
        == storage_at("s3a://lake/staging/charts")
        == Bucket("lake", "staging/charts/")
    )
    assert storage_at("s3://lake") == Bucket("lake", "")
    assert storage_at("/tmp/x") == storage_at("file:///tmp/x") == Folder(Path("/tmp/x"))
    for wrong in ("", "s3:///x", "http://x/y"):
        with pytest.raises(ValueError, match="neither"):
            storage_at(wrong)


def test_what_s3_refuses_is_said_in_a_sentence(tmp_path: Path) -> None:
    gone = Bucket("gone", "staging/")
    attempts = (
        gone.find,
        lambda: gone.write("x", b""),
        lambda: gone.copy_from(Folder(tmp_path), "x", "y"),
        lambda: gone.copy_from(Bucket("lake", ""), "x", "y"),
        lambda: Folder(tmp_path).copy_from(gone, "x", "y"),
        lambda: gone.open("x").__enter__(),
    )
    (tmp_path / "x").write_bytes(b"x")
    for attempt in attempts:
        with pytest.raises(
            StorageFailed, match=r"s3://gone/staging/.* cannot be read or written: .* Check the address"
        ):
            attempt()


def test_marker_files_and_what_lies_beside_data_on_s3() -> None:
    given = Bucket("lake", "staging/charts/2026/")
    for name in ("", "sub/", "_READY", "sub/.DS_Store", "__MACOSX/._a.csv", "sub/a.csv", "cut.csv.gz"):
        given.write(name, gzip.compress(CHART)[:-6] if name.endswith("gz") else CHART)
    inspected, left_alone = inspect_files(given, [charts.LAYOUT])
    assert [(source.name, source.problem is None) for source, _ in inspected] == [
        ("cut.csv.gz", False),
        ("sub/a.csv", True),
    ]
    assert left_alone == ["_READY", "__MACOSX/._a.csv", "sub/.DS_Store"]


@pytest.mark.parametrize("work", [Bucket("lake", "work/"), None])
def test_where_spark_finds_the_files(tmp_path: Path, work: Storage | None) -> None:
    given, at = Bucket("lake", "staging/x/"), work or Folder(tmp_path)
    bodies = {
        "plain.csv": CHART,
        "plain.csv.gz": gzip.compress(CHART),
        "packed.csv": gzip.compress(CHART),
        "[1] 12:00, 50%.csv": CHART,
        "wide.csv": CHART.decode().encode("utf-16"),
        "wide.csv.gz": gzip.compress(CHART.decode().encode("utf-16")),
    }
    for name, body in bodies.items():
        given.write(name, body)
    sources = [source for source, _ in inspect_files(given, [charts.LAYOUT])[0]]
    found = dict(
        zip((source.name for source in sources), a_run(given, given, at).input_paths(sources), strict=True)
    )
    as_it_is = {name for name, uri in found.items() if uri == given.uri(name)}
    assert as_it_is == ({"plain.csv", "plain.csv.gz"} if work else set())
    assert len(set(found.values())) == len(bodies)
    for name, uri in found.items():
        assert not set("[]{}*?%:#") & set(uri.removeprefix("s3:"))
        where, _, last = uri.rpartition("/")
        with storage_at(where).open(last) as content:
            body = content.read()
        assert body == bodies[name] or (name.startswith("wide") and body == CHART), name
        assert uri.endswith(".gz") == body.startswith(b"\x1f\x8b")


def test_objects_are_published_under_names_that_stay(s3: Any, tmp_path: Path) -> None:
    warehouse = Bucket("lake", "datawarehouse/")
    for work in (Bucket("lake", "work/"), Folder(tmp_path)):
        run = a_run(warehouse, warehouse, work)
        for name in (
            "dim_track/part-0-1.zstd.parquet",
            "fact/conflict_file=__HIVE_DEFAULT_PARTITION__/year=2017/chart=top200/month=201701/part-3-2.zstd.parquet",
            "fact/conflict_file=0/year=2017/chart=top200/month=201701/part-3-2.zstd.parquet",
            "dim_track/_SUCCESS",
        ):
            work.write(f"charts/out/{name}", work.uri(name).encode())
        assert run.publish("dim_track") == 1
        assert (
            run.publish(
                "fact", "fact/conflict_file=__HIVE_DEFAULT_PARTITION__", last_partition_names_object=True
            )
            == 1
        )
        assert [item.name for item in warehouse.find()] == [
            "dim_track/dim_track.parquet",
            "fact/year=2017/chart=top200/month-201701.parquet",
        ]
        with warehouse.open("dim_track/dim_track.parquet") as content:
            assert content.read() == work.uri("dim_track/part-0-1.zstd.parquet").encode()
        work.write("charts/out/dim_track/part-1-1.zstd.parquet", b"")
        with pytest.raises(BulkError, match=r"two files for dim_track/dim_track\.parquet"):
            run.publish("dim_track")


def test_a_summary_is_the_newest_and_stays_under_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    warehouse = Bucket("lake", "datawarehouse/")
    run = a_run(Bucket("lake", "staging/charts/2026/"), warehouse, warehouse)
    whole = run.write_summary({"rows_in": 1})
    assert (whole["input"], whole["rows_in"], whole["job"]) == ("s3://lake/staging/charts/2026/", 1, "charts")
    names = [f"_runs/charts/{run.name}.json", "_runs/charts/latest.json"]
    assert [item.name for item in warehouse.find()] == names
    for name in names:
        with warehouse.open(name) as content:
            assert content.read().decode() == capsys.readouterr().out.strip() or name == names[1]
