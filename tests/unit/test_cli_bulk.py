"""`./lake bulk`: which files it takes and under which names, and how it follows a run."""

import datetime as dt
from pathlib import Path

import pytest

from cli.commands import bulk
from cli.commands.status import _bulk
from cli.stack import OpsError
from tests.support.fakes import FakeS3
from tests.support.operated import Person


@pytest.fixture
def files(tmp_path: Path, monkeypatch) -> Path:
    for name in (
        "charts.csv",
        "more charts.csv.gz",
        "exports/us/regional-us-daily-2020-01-01.csv",
        "exports/es/regional-es-daily-2020-01-01.csv",
        "exports/.hidden.csv",
        "exports/__MACOSX/x.csv",
        "exports/readme.md",
        "other/charts.csv",
        "archive.zip",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "asked, names",
    [
        (["charts.csv"], ["charts.csv"]),
        (["more charts.csv.gz", "charts.csv"], ["more charts.csv.gz", "charts.csv"]),
        (["*.csv"], ["charts.csv"]),
        (["exports"], ["es/regional-es-daily-2020-01-01.csv", "us/regional-us-daily-2020-01-01.csv"]),
        (["charts.csv", "./charts.csv"], ["charts.csv"]),
    ],
)
def test_files_are_found_and_keep_the_way_from_their_folder(files, asked, names):
    assert list(bulk.find_files(asked)) == names


@pytest.mark.parametrize(
    "asked, why",
    [
        (["charts.csv", "other/charts.csv"], "would both be charts.csv"),
        (["nowhere.csv"], r"There is no file nowhere\.csv"),
        (["archive.zip"], "Unpack archives"),
        (["exports/readme.md"], "is not a CSV file"),
        (["exports/__MACOSX/../../archive.zip"], "Unpack archives"),
    ],
)
def test_what_cannot_be_loaded_is_explained(files, asked, why):
    with pytest.raises(OpsError, match=why):
        bulk.find_files(asked)


def test_a_folder_without_a_csv_file_is_explained(files):
    (files / "empty").mkdir()
    with pytest.raises(OpsError, match=r"There is no CSV file .* in empty"):
        bulk.find_files(["empty"])


class Glue:
    def __init__(self, *states: str, why: str = "") -> None:
        self._states, self._why = list(states), why

    def get_job_run(self, *, JobName: str, RunId: str) -> dict:
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return {"JobRun": {"JobRunState": state} | ({"ErrorMessage": self._why} if self._why else {})}


def test_a_run_is_followed_to_its_end():
    person = Person()
    bulk.follow(Glue("STARTING", "RUNNING", "RUNNING", "SUCCEEDED"), person, "lake-charts", "jr_1", poll_s=0)
    said = [line.split(" after ")[0] for line in person.saw.splitlines()]
    assert said == ["Starting", "Running", "Succeeded"]


@pytest.mark.parametrize("state", ["FAILED", "TIMEOUT", "ERROR", "STOPPED"])
def test_a_run_without_success_says_why_and_what_to_do(state):
    glue = Glue("RUNNING", state, why="NothingToRead: There is no CSV file.")
    with pytest.raises(
        OpsError, match=rf"jr_1 of lake-charts ended as {state}: NothingToRead: .*_READY.*runbook"
    ):
        bulk.follow(glue, Person(), "lake-charts", "jr_1", poll_s=0)


NOW = dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "state, marked, said",
    [
        ("SUCCEEDED", False, ("last run succeeded, 2 h ago", True)),
        ("FAILED", True, ("last run failed, 2 h ago; 1 batch waits", False)),
        ("RUNNING", True, ("last run running, 2 h ago; 1 batch waits", None)),
        (None, True, ("1 batch waits", None)),
        (None, False, None),
    ],
)
def test_the_status_tells_of_runs_and_of_batches_that_wait(state, marked, said):
    class Lake:
        s3 = FakeS3()

        def output(self, name: str) -> str:
            return {"ChartsJobName": "charts"}.get(name, name)

        def client(self, service: str):
            return self if service == "glue" else self.s3

        def get_job_runs(self, *, JobName: str, MaxResults: int) -> dict:
            found = [{"JobRunState": state, "StartedOn": NOW - dt.timedelta(hours=2)}]
            return {"JobRuns": found if state and JobName == "charts" else []}

    lake = Lake()
    if marked:
        lake.s3.put_object(Bucket="lake", Key="staging/charts/2021/_READY", Body=b"")
    lines = _bulk(lake, NOW)
    assert [(line.name, line.text, line.is_good) for line in lines] == (
        [("Job charts", *said)] if said else []
    )
