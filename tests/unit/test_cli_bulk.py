"""`./lake bulk`: which files it takes and under which names, and how it follows a run."""

import datetime as dt
import json
from pathlib import Path

import pytest

from cli.commands import bulk, logs
from cli.commands.status import _bulk
from cli.stack import Lake, OpsError
from local.bulk import _recorded, run_state
from local.errors import LaptopError
from tests.support.fakes import FakeS3
from tests.support.operated import Person, lake


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


def summary(of_files: dict[str, tuple[int, dict[str, int]]], **others) -> dict:
    """Return a run's summary: of each file its rows and its rejects by reason."""
    rejects = sum(sum(reasons.values()) for _, reasons in of_files.values())
    rows_in = sum(rows for rows, _ in of_files.values())
    return {
        "run": "r",
        "rows_in": rows_in,
        "rows_out": rows_in - rejects,
        "duplicates": 0,
        "rejects": rejects,
        "rejects_by_reason": {},
        "files": [
            {"name": name, "rows_in": rows, "rejects": reasons} for name, (rows, reasons) in of_files.items()
        ],
        "tables": {"fact_chart_entry": 7},
    } | others


def test_a_load_that_used_everything_is_good():
    person = Person()
    found = summary({"a.csv": (5, {"rank": 2})}, unused_defaults=[])
    bulk.show(person, found, "s3://lake/r.json")
    assert bulk.not_used(found) == []
    assert person.saw.splitlines()[:3] == [
        "✓ 5 rows in: 3 new, 0 already loaded, 2 rejects",
        "    a.csv: 5 rows, rejects: rank 2",
        "    fact_chart_entry: 7 rows now",
    ]


@pytest.mark.parametrize(
    "found, said",
    [
        (
            summary({"a.csv": (9, {}), "b.csv": (2, {"date": 2})}),
            "Nothing of b.csv was loaded: date 2. If the rows have none, add --date.",
        ),
        (summary({"a.csv": (9, {}), "b.csv": (0, {})}), "b.csv has no rows."),
        (
            summary(
                {},
                files=[{"name": "b", "rows_in": 1, "rejects": {"header": 1}, "problem": "Line 1 has no …"}],
            ),
            "b was not loaded. Line 1 has no …",
        ),
        (
            summary({"a.csv": (9, {})}, unused_defaults=["region"]),
            "--region was not used: the files give the region",
        ),
        (
            summary({"a.csv": (1, {})}, rows_out=0, rejects=1, rejects_by_reason={"conflict": 1}),
            "Nothing was loaded: conflict 1.",
        ),
    ],
)
def test_what_a_load_did_not_use_is_an_error(found, said):
    (sentence,) = bulk.not_used(found)
    assert sentence.startswith(said)
    person = Person()
    bulk.show(person, found, "s3://lake/r.json")
    assert "✓" not in person.saw


def test_values_for_rows_without_them_are_checked_before_anything_is_uploaded(capsys):
    for arguments, said in (
        (("charts", "x.csv", "--date", "31.12.2021"), "is not a date such as 2021-12-31"),
        (("charts", "x.csv", "--chart", "top10"), "'top10' is not one of"),
        (("charts", "x.csv", "--region", "Atlantis"), "neither the code nor the name"),
        (("kaggle2023", "x.csv", "--region", "us"), "are for charts"),
    ):
        assert lake(*("bulk", *arguments)) > 0
        assert said in capsys.readouterr().err.replace("\n", " ")


def without_jobs() -> Lake:
    def refuse(service: str):
        raise AssertionError(f"{service} was asked")

    return Lake(
        on_laptop=False,
        stack="spotify-lake",
        account="123456789012",
        region="eu-central-2",
        outputs={"LakeBucketName": "lake"},
        parameters={"BulkJobs": "false"},
        client=refuse,
    )


@pytest.mark.parametrize(
    "ask",
    [
        lambda lake: bulk.run(lake, Person(), "charts", ["x.csv"], "b"),
        lambda lake: logs.run(lake, Person(), logs.Function.ARRIVAL),
    ],
    ids=["bulk", "logs"],
)
def test_a_lake_without_jobs_says_so_before_anything_is_uploaded(ask):
    said = (
        r"spotify-lake \(AWS account 123456789012, eu-central-2\) has no jobs for bulk data sets: it was deployed with "
        r"BulkJobs=false\. Where Glue 6\.0 is available, deploy it with BulkJobs=true, then run this command again\."
    )
    with pytest.raises(OpsError, match=said):
        ask(without_jobs())


def test_the_status_of_a_lake_without_jobs_asks_no_job():
    [line] = _bulk(without_jobs(), dt.datetime.now(dt.UTC))
    assert (line.name, line.text, line.is_good) == ("Bulk jobs", "left out (BulkJobs is false)", None)


def test_the_logs_of_a_lake_without_jobs_are_those_of_the_other_functions(monkeypatch):
    asked = []
    monkeypatch.setattr(logs, "newest_events", lambda _lake, function, _number: asked.append(function) or [])
    logs.run(without_jobs(), Person())
    assert asked == [logs.Function.EXTRACT, logs.Function.TRANSFORM, logs.Function.REPORT]


def test_java_is_looked_for_before_anything_else(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert lake("bulk", "charts", "x.csv", "--laptop") == 1
    assert "needs Java 17 or 21" in capsys.readouterr().err.replace("\n", " ")


class TestRunsOnALaptop:
    def test_have_the_state_that_was_recorded(self, tmp_path):
        assert run_state(tmp_path, "charts", "jr_1") is None
        with _recorded(tmp_path / "bulk", "charts", "jr_1"):
            assert run_state(tmp_path, "charts", "jr_1") == "RUNNING"
            with (
                pytest.raises(LaptopError, match="in progress"),
                _recorded(tmp_path / "bulk", "charts", "jr_2"),
            ):
                pass
        assert run_state(tmp_path, "charts", "jr_1") == "SUCCEEDED"
        # The emulator reports a run that Spark never began.
        assert run_state(tmp_path, "charts", "jr_2") is None

    @pytest.mark.parametrize(
        "error, state", [(KeyboardInterrupt, "STOPPED"), (LaptopError("no Java"), "FAILED")]
    )
    def test_that_did_not_succeed_are_not_called_so(self, tmp_path, error, state):
        with (
            pytest.raises(error if isinstance(error, type) else LaptopError),
            _recorded(tmp_path / "bulk", "charts", "jr_1"),
        ):
            raise error
        assert run_state(tmp_path, "charts", "jr_1") == state

    def test_that_were_killed_are_stopped(self, tmp_path):
        (tmp_path / "bulk").mkdir()
        (tmp_path / "bulk" / "charts.json").write_text('{"run": "jr_1", "state": "RUNNING"}')
        assert run_state(tmp_path, "charts", "jr_1") == "STOPPED"


NOW = dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC)


class LakeWithRuns:
    """A lake whose Glue knows runs of one job, newest first."""

    def __init__(self, runs: list[dict], *, on_laptop: bool, job: str = "charts") -> None:
        self.on_laptop, self.has_bulk_jobs = on_laptop, True
        self.s3 = FakeS3()
        self._runs, self._job = runs, job

    def output(self, name: str) -> str:
        return {"ChartsJobName": "charts"}.get(name, name)

    def client(self, service: str):
        return self if service == "glue" else self.s3

    def get_job_runs(self, *, JobName: str, MaxResults: int) -> dict:
        return {"JobRuns": self._runs if JobName == self._job else []}


@pytest.mark.parametrize(
    "state, marked, said",
    [
        ("STOPPED", False, ("last run stopped, 2 h ago", False)),
        ("STOPPING", False, ("last run stopping, 2 h ago", None)),
        ("SUCCEEDED", False, ("last run succeeded, 2 h ago", True)),
        ("FAILED", True, ("last run failed, 2 h ago; 1 batch waits", False)),
        ("RUNNING", True, ("last run running, 2 h ago; 1 batch waits", None)),
        (None, True, ("1 batch waits", None)),
        (None, False, None),
    ],
)
def test_the_status_tells_of_runs_and_of_batches_that_wait(state, marked, said):
    runs = [{"JobRunState": state, "StartedOn": NOW - dt.timedelta(hours=2)}] if state else []
    found = LakeWithRuns(runs, on_laptop=False)
    if marked:
        found.s3.put_object(Bucket="lake", Key="staging/charts/2021/_READY", Body=b"")
    lines = _bulk(found, NOW)
    assert [(line.name, line.text, line.is_good) for line in lines] == (
        [("Job charts", *said)] if said else []
    )


@pytest.mark.parametrize(
    "recorded, said",
    [
        ("SUCCEEDED", ("last run succeeded, 2 h ago", True)),
        ("STOPPED", ("last run stopped, 2 h ago", False)),
        ("FAILED", ("last run failed, 2 h ago", False)),
        (None, ("last run never ran on this laptop's Spark and loaded nothing, 2 h ago", False)),
    ],
)
def test_the_status_on_a_laptop_does_not_believe_the_emulator(monkeypatch, recorded, said):
    runs = [{"Id": "jr_1", "JobRunState": "SUCCEEDED", "StartedOn": NOW - dt.timedelta(hours=2)}]

    monkeypatch.setattr("cli.commands.status.laptop_run", lambda *run: {("charts", "jr_1"): recorded}[run])
    (line,) = _bulk(LakeWithRuns(runs, on_laptop=True), NOW)
    assert (line.text, line.is_good) == said


@pytest.mark.parametrize(
    "run, said",
    [
        (
            {"JobRunState": "SUCCEEDED"},
            ("last run succeeded, 2 h ago, published the drift forecast of top200 and that of top50", True),
        ),
        (
            {"JobRunState": "FAILED", "ErrorMessage": "NotEnough: A forecast needs at least 2 regions."},
            ("last run failed, 2 h ago: NotEnough: A forecast needs at least 2 regions.", False),
        ),
        ({"JobRunState": "RUNNING"}, ("last run running, 2 h ago", None)),
    ],
    ids=["succeeded", "failed", "running"],
)
def test_the_status_says_what_a_model_published_or_why_it_failed(run, said):
    found = LakeWithRuns([run | {"StartedOn": NOW - dt.timedelta(hours=2)}], on_laptop=False, job="forecast")
    summary = {"published": ["the drift forecast of top200", "that of top50"]}
    found.s3.put_object(
        Bucket="LakeBucketName",
        Key="datawarehouse/_runs/forecast/latest.json",
        Body=json.dumps(summary).encode(),
    )
    [line] = _bulk(found, NOW)
    assert (line.name, line.text, line.is_good) == ("Job forecast", *said)
