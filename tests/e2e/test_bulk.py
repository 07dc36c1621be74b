"""Bulk files on the deployed stack: from their arrival to tables that Athena queries, by the jobs on local Spark."""

import datetime as dt
import gzip
import io
import json
import re
import zipfile
from functools import partial
from pathlib import Path

import pytest

from cli.commands import bulk, model
from cli.stack import OpsError
from local import made_up_charts
from local.bulk import run_job, run_state
from local.errors import LaptopError
from local.stack import LaptopStack
from spotify_lake import keys
from spotify_lake.bulk.staging import Defaults, run_of, stage, wait_for_run
from tests.support.deployed import eventually, without
from tests.support.operated import Person, as_lake
from tests.support.template import ROOT

START_S = 60.0
SONGS = 800  # with popularity
HEADER = "title,rank,date,artist,url,region,chart,trend,streams\n"
LINK = "https://open.spotify.com/track/"
FACTS = "select date_key, rank, track_key, streams from fact_chart_entry order by 1, 2, 3"


def row(day: int, rank: int, song: str, streams: int) -> str:
    link = LINK + song.ljust(22, "0")
    return f"{song},{rank},2021-03-{day:02},Somebody,{link},Spain,top200,NEW_ENTRY,{streams}\n"


def test_a_marker_starts_a_run_with_its_folder_and_the_code_as_it_was_deployed(
    stack: LaptopStack, tmp_path: Path
) -> None:
    s3, bucket, batch = stack.client("s3"), stack.outputs["LakeBucketName"], "staging/charts/first/"
    file = tmp_path / "charts.csv"
    file.write_text(HEADER + row(1, 1, "Song", 100))
    defaults = Defaults(date=dt.date(2021, 12, 31), region="us")
    stage(s3, bucket, batch, {"charts.csv": file}, defaults=defaults)
    run_id = wait_for_run(s3, bucket, batch, None, START_S)
    run = stack.client("glue").get_job_run(JobName=stack.outputs["ChartsJobName"], RunId=run_id)["JobRun"]
    assert run["Arguments"]["--input"] == f"s3://{bucket}/{batch}"
    assert {name: run["Arguments"].get(name) for name in ("--date", "--region", "--chart")} == {
        "--date": "2021-12-31",
        "--region": "us",
        "--chart": None,
    }
    # The emulator says that it succeeded, although nothing has run.
    assert run_state(stack.state_dir, "charts", run_id) is None
    assert run["Arguments"]["--warehouse"] == f"s3://{bucket}/datawarehouse"
    body = s3.get_object(Bucket=bucket, Key=f"{keys.JOB_CODE}spotify_bulk.zip")["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        found = {name: packed.read(name) for name in packed.namelist() if name.endswith(".py")}
    assert found == {
        path.relative_to(ROOT / "jobs").as_posix(): path.read_bytes()
        for path in (ROOT / "jobs" / "spotify_bulk").glob("*.py")
    }


def test_a_file_without_a_marker_starts_nothing(stack: LaptopStack) -> None:
    s3, bucket = stack.client("s3"), stack.outputs["LakeBucketName"]
    s3.put_object(Bucket=bucket, Key="staging/charts/second/a.csv", Body=HEADER.encode())
    # The next marker's event comes after this one would have.
    stage(s3, bucket, "staging/kaggle2023/third/", {})
    wait_for_run(s3, bucket, "staging/kaggle2023/third/", None, START_S)
    assert run_of(s3, bucket, "staging/charts/second/") is None


def test_a_marker_elsewhere_is_refused_in_the_log(stack: LaptopStack) -> None:
    bucket = stack.outputs["LakeBucketName"]
    stack.client("s3").put_object(Bucket=bucket, Key=f"staging/chart/2021/{keys.READY}", Body=b"")

    def is_logged() -> bool:
        said = "No job reads the folder of staging/chart/2021/_READY"
        return any(said in line for _, line in stack.log_events("arrival"))

    eventually(is_logged)


@pytest.mark.long
def test_files_become_tables_and_coming_again_changes_nothing(stack: LaptopStack, tmp_path: Path) -> None:
    load = partial(bulk.run, as_lake(stack), run_job=partial(run_job, stack))
    exports = tmp_path / "exports"
    (exports / "Spain").mkdir(parents=True)
    lines = [row(day, rank, f"Song{rank}", 1000 - rank) for day in (1, 2) for rank in (1, 2, 3)]
    (exports / "march.csv").write_text(HEADER + "".join(lines) + 'Broken,x,2021-03-01,"Somebody\n')
    (exports / "Spain" / "regional-daily-2021-03-03.csv").write_text(
        f'Position,"Track Name",Artist,Streams,URL\n1,Song1,Somebody,500,{LINK}{"Song1".ljust(22, "0")}\n'
    )
    person = Person()
    load(person, "charts", [str(exports)], "march")
    assert "8 rows in: 7 new, 0 already loaded, 1 rejects" in person.saw
    assert "march.csv: 7 rows, rejects: columns 1" in person.saw
    facts = stack.athena(FACTS).rows
    assert [(day, rank) for day, rank, *_ in facts] == [
        *((date, rank) for date in (20210301, 20210302) for rank in (1, 2, 3)),
        (20210303, 1),
    ]
    source = f"s3://{stack.outputs['LakeBucketName']}/staging/charts/march/march.csv"
    assert stack.athena("select source, line, reason from bulk_rejects").rows == ((source, 8, "columns"),)

    load(person, "charts", [str(exports / "march.csv")], "again")
    assert "7 rows in: 0 new, 6 already loaded, 1 rejects" in person.saw
    assert stack.athena(FACTS).rows == facts


@pytest.mark.long
def test_a_job_that_may_not_write_fails_and_its_batch_can_be_started_again(
    stack: LaptopStack, tmp_path: Path
) -> None:
    load = partial(bulk.run, as_lake(stack), run_job=partial(run_job, stack))
    file = tmp_path / "spotify_tracks_data_2023.csv"
    file.write_text(f"id,track_popularity,explicit\n{'Track'.ljust(22, '0')},70,False\n")
    with (
        without(stack, "job", "KeepWarehouse"),
        pytest.raises(LaptopError, match=r"kaggle2023\.py failed") as failed,
    ):
        load(Person(), "kaggle2023", [str(file)], "tracks")
    assert "AccessDenied" in failed.value.log.read_text()  # type: ignore[union-attr]
    run_id = run_of(stack.client("s3"), stack.outputs["LakeBucketName"], "staging/kaggle2023/tracks/")
    assert run_state(stack.state_dir, "kaggle2023", str(run_id)) == "FAILED"
    assert stack.athena("select * from catalog_tracks").rows == ()
    load(Person(), "kaggle2023", [str(file)], "tracks")
    assert stack.athena("select track_id, popularity from catalog_tracks").rows == (
        ("Track".ljust(22, "0"), 70),
    )


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_models_of_the_charts_in_the_docs_are_published_and_shown(stack: LaptopStack, tmp_path: Path) -> None:
    lake, spark = as_lake(stack), partial(run_job, stack)
    file = tmp_path / "charts.csv"
    made_up_charts.write(file)
    bulk.run(lake, Person(), "charts", [str(file)], "made-up", run_job=spark)
    person = Person()
    model.run(lake, person, model.Model.CHARTS, [], spark)
    assert "top200, forecast on 2021-12-31: the forest's forecast is published" in person.saw
    assert "chart_forecasts: 630 rows" in person.saw
    ahead = "select count(*), count(distinct track_key), max(date_key) from chart_forecasts where chart = 'top200'"
    [(rows, songs, last)] = stack.athena(ahead).rows
    assert (rows, last) == (3 * 30 * 7, 20220107)
    assert songs >= 30
    errors = stack.athena(
        "select horizon, model, value from model_scores where job = 'forecast' and metric = 'mase'"
        " and horizon is not null order by 1, 2"
    ).rows
    documented = documented_errors()
    assert [row[:2] for row in errors] == [row[:2] for row in documented]
    assert [row[2] for row in errors] == pytest.approx([row[2] for row in documented], abs=0.02)

    songs_2020 = gzip.decompress((ROOT / "examples" / "songs-2020.csv.gz").read_bytes()).splitlines(
        keepends=True
    )
    some = tmp_path / "songs.csv.gz"
    some.write_bytes(gzip.compress(b"".join(songs_2020[: 1 + SONGS])))
    model.run(lake, person, model.Model.POPULARITY, [str(some)], spark)
    assert f"{SONGS} rows in: {SONGS} used" in person.saw
    counted = stack.athena(
        "select count(*), count(distinct song_id), min(data) from popularity_predictions"
    ).rows
    assert counted == ((SONGS, SONGS, "songs.csv.gz"),)
    models = "select job, count(*) > 10 from model_scores group by job order by job"
    assert stack.athena(models).rows == (("forecast", True), ("popularity", True))

    answer = stack.invoke("report", {})
    assert not answer.error, answer.message
    page = stack.client("s3").get_object(Bucket=stack.outputs["LakeBucketName"], Key=keys.REPORT_INDEX)
    data = re.search(rb'id="data">(.*?)</script>', page["Body"].read(), re.DOTALL)
    forecast = json.loads(data[1])["content"]["charts"]["forecast"]  # type: ignore[index]
    assert forecast["method"] == "random forest"
    assert len(forecast["songs"]) == 3 * 10


def documented_errors() -> list[tuple[int, str, float]]:
    """Return the table of scaled errors in docs/models.md: days ahead, method, error."""
    methods = ("random forest", "naive", "drift", "seasonal naive")
    table = re.findall(r"^\| (\d) \| ([\d. |]+) \|$", (ROOT / "docs" / "models.md").read_text(), re.MULTILINE)
    return sorted(
        (int(days), method, float(error))
        for days, cells in table
        for method, error in zip(methods, cells.split(" | "), strict=False)
    )


def test_an_archive_and_a_missing_file_are_explained_before_anything_is_uploaded(
    stack: LaptopStack, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.zip"
    archive.write_bytes(b"PK")
    for files, why in (
        ([str(archive)], "Unpack archives"),
        (["nowhere.csv"], "There is no file nowhere.csv"),
    ):
        with pytest.raises(OpsError, match=why):
            bulk.run(as_lake(stack), Person(), "charts", files, "refused")
    assert run_of(stack.client("s3"), stack.outputs["LakeBucketName"], "staging/charts/refused/") is None
