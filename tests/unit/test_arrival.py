"""What arrives in staging starts the job of its data set: nothing is forgotten, and no two runs of a job overlap."""

import datetime as dt
import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.arrival import app
from spotify_lake.bulk import arrival, staging
from spotify_lake.bulk.arrival import due, parse_event
from spotify_lake.errors import BadMarker, EventError, JobBusy, SettingsError, UnknownDataSet
from tests.support.fakes import FakeGlue, FakeS3
from tests.support.template import ROOT

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
LATEST = "datawarehouse/_runs/{}/latest.json"
SUMMARY = {"run": "r", "rows_in": 10, "rows_out": 7, "rejects": 2, "duplicates": 1}


def at(minute: int) -> dt.datetime:
    return NOON + dt.timedelta(minutes=minute)


def ready(key: str) -> dict:
    return {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "lake"}, "object": {"key": key}},
    }


def ended(data_set: str, state: str = "SUCCEEDED") -> dict:
    detail = {"jobName": f"my-lake-{data_set}", "state": state, "jobRunId": "jr_0"}
    return {"source": "aws.glue", "detail-type": "Glue Job State Change", "detail": detail}


SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


class World:
    """A lake with its two jobs, and the function on it."""

    def __init__(self) -> None:
        self.s3, self.glue = FakeS3(), FakeGlue()
        for data_set in arrival.DATA_SETS:
            self.s3.objects[LATEST.format(data_set)] = json.dumps(SUMMARY).encode()

    def put(self, key: str, minute: int = 0, body: bytes = b"") -> None:
        self.s3.now = at(minute)
        self.s3.put_object(Bucket="lake", Key=key, Body=body)

    def invoke(self, event: dict, minute: int = 0) -> dict:
        self.s3.now = at(minute)
        return app.handler(event, SimpleNamespace(**CONTEXT))["started"]

    def end(self, data_set: str) -> None:
        del self.glue.running[f"my-lake-{data_set}"]


CONTEXT = {
    "function_name": "arrival",
    "memory_limit_in_mb": 256,
    "invoked_function_arn": "arn:aws:lambda:us-east-1:000000000000:function:arrival",
    "aws_request_id": "request",
}


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    """The layer with the jobs, as importlib finds it."""
    folder = tmp_path_factory.mktemp("layer") / "glue_jobs"
    folder.mkdir()
    for name in ("charts.py", "kaggle2023.py", "forecast.py", "popularity.py", "spotify_bulk.zip"):
        (folder / name).write_text(f"content of {name}")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(folder.parent))
        patched.setenv("LAKE_BUCKET", "lake")
        patched.setenv("LAKE_NAME", "my-lake")
        yield patched


@pytest.fixture
def world(code, log):
    found = World()
    code.setattr(app, "client", lambda service: {"s3": found.s3, "glue": found.glue}[service])
    return found


class TestMarkers:
    def test_start_the_job_of_their_data_set_with_their_folder(self, world):
        world.put("staging/charts/2021/a.csv")
        world.put("staging/charts/2021/_READY", 1)
        assert world.invoke(ready("staging/charts/2021/_READY"), 2) == {"staging/charts/2021/": "jr_0"}
        assert world.glue.inputs == {"jr_0": "s3://lake/staging/charts/2021/"}
        assert world.glue.running == {"my-lake-charts": "jr_0"}
        assert world.s3.objects["staging/charts/2021/_STARTED"] == b"jr_0"

    def test_start_one_run_however_often_their_event_comes(self, world):
        world.put("staging/charts/2021/_READY")
        for minute in (1, 2, 3):
            world.invoke(ready("staging/charts/2021/_READY"), minute)
        world.end("charts")
        world.invoke(ended("charts"), 4)
        assert len(world.glue.inputs) == 1

    def test_put_again_start_another_run(self, world):
        world.put("staging/charts/2021/_READY")
        world.invoke(ready("staging/charts/2021/_READY"), 1)
        world.end("charts")
        world.put("staging/charts/2021/_READY", 2)
        assert world.invoke(ready("staging/charts/2021/_READY"), 3) == {"staging/charts/2021/": "jr_1"}

    def test_wait_while_a_run_goes_on_and_are_next_when_it_ends(self, world):
        for minute, batch in enumerate(["one", "two", "three"]):
            world.put(f"staging/charts/{batch}/_READY", minute)
            world.invoke(ready(f"staging/charts/{batch}/_READY"), minute)
        for minute in (10, 11, 12):
            world.end("charts")
            world.invoke(ended("charts"), minute)
        assert list(world.glue.inputs.values()) == [
            f"s3://lake/staging/charts/{batch}/" for batch in ("one", "two", "three")
        ]

    def test_of_another_data_set_do_not_wait(self, world):
        world.put("staging/charts/a/_READY")
        world.put("staging/kaggle2023/b/_READY")
        world.invoke(ready("staging/charts/a/_READY"), 1)
        assert world.invoke(ready("staging/kaggle2023/b/_READY"), 1) == {"staging/kaggle2023/b/": "jr_1"}

    def test_in_the_data_set_s_own_folder_start_all_of_it(self, world):
        world.put("staging/charts/_READY")
        assert world.invoke(ready("staging/charts/_READY"), 1) == {"staging/charts/": "jr_0"}

    @pytest.mark.parametrize(
        "key", ["staging/chart/2021/_READY", "staging/_READY", "elsewhere/charts/_READY"]
    )
    def test_elsewhere_are_explained(self, world, key):
        with pytest.raises(UnknownDataSet, match=r"staging/charts/ or staging/kaggle2023/") as found:
            world.invoke(ready(key))
        assert key in str(found.value)
        assert not world.glue.inputs

    def test_bring_the_code_along_before_they_start_anything(self, world):
        world.put("staging/charts/2021/_READY")
        world.invoke(ready("staging/charts/2021/_READY"), 1)
        assert {key for key in world.s3.objects if key.startswith("jobs/")} == {
            "jobs/charts.py",
            "jobs/kaggle2023.py",
            "jobs/forecast.py",
            "jobs/popularity.py",
            "jobs/spotify_bulk.zip",
        }
        assert world.s3.objects["jobs/spotify_bulk.zip"] == b"content of spotify_bulk.zip"


class TestValuesInMarkers:
    def test_become_arguments_of_the_job(self, world):
        given = staging.Defaults(date=dt.date(2021, 12, 31), region="us", chart="top200")
        world.put("staging/charts/one/_READY", body=given.marker())
        world.put("staging/charts/two/_READY", 1, b'{"region": "South Korea"}')
        world.invoke(ready("staging/charts/one/_READY"), 2)
        world.end("charts")
        world.invoke(ended("charts"), 3)
        assert world.glue.arguments == {
            "jr_0": {"--date": "2021-12-31", "--region": "us", "--chart": "top200"},
            "jr_1": {"--region": "South Korea"},
        }

    @pytest.mark.parametrize(
        "data_set, body",
        [
            ("charts", b"date: 2021"),
            ("charts", b"\xff"),
            ("charts", b'["2021-12-31"]'),
            ("charts", b'{"date": "31.12.2021"}'),
            ("charts", b'{"chart": "top10"}'),
            ("charts", b'{"region": "--work"}'),
            ("charts", b'{"region": ""}'),
            ("charts", b'{"warehouse": "s3://elsewhere"}'),
            ("kaggle2023", b'{"date": "2021-12-31"}'),
        ],
    )
    def test_that_are_invalid_start_nothing_and_hold_nothing_up(self, world, data_set, body):
        key = f"staging/{data_set}/bad/_READY"
        world.put(key, body=body)
        world.put(f"staging/{data_set}/good/_READY", 1)
        with pytest.raises(BadMarker, match=rf"{key} starts nothing: .*Put it again"):
            world.invoke(ready(key), 2)
        assert list(world.glue.inputs.values()) == [f"s3://lake/staging/{data_set}/good/"]
        # The event of a run that ended is counted once, so it may not fail.
        world.end(data_set)
        assert world.invoke(ended(data_set), 3) == {}
        world.put(key, 4)
        assert world.invoke(ready(key), 5) == {f"staging/{data_set}/bad/": "jr_1"}


class TestEndOfARun:
    def test_is_counted(self, world, capsys):
        world.invoke(ended("charts"))
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert {name: told[name] for name in told if name.startswith("Bulk")} == {
            "BulkRuns": [1.0],
            "BulkRowsIn": [10.0],
            "BulkRowsOut": [7.0],
            "BulkRejects": [2.0],
            "BulkDuplicates": [1.0],
        }

    @pytest.mark.parametrize(
        "state, failed", [("FAILED", 1.0), ("TIMEOUT", 1.0), ("ERROR", 1.0), ("STOPPED", 0.0)]
    )
    def test_without_success_is_counted_too(self, world, capsys, state, failed):
        world.invoke(ended("kaggle2023", state))
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (told["BulkRuns"], told["BulkRunsFailed"]) == ([1.0], [failed])

    def test_without_success_does_not_start_the_same_batch_again(self, world):
        world.put("staging/charts/2021/_READY")
        world.invoke(ready("staging/charts/2021/_READY"), 1)
        world.end("charts")
        assert world.invoke(ended("charts", "FAILED"), 2) == {}

    def test_fails_if_glue_still_refuses_so_that_lambda_tries_again(self, world):
        world.put("staging/charts/one/_READY")
        world.invoke(ready("staging/charts/one/_READY"), 1)
        world.put("staging/charts/two/_READY", 2)
        with pytest.raises(JobBusy, match="staging/charts/two/"):
            world.invoke(ended("charts"), 3)


class TestSchedule:
    def test_loads_what_came_without_a_marker(self, world):
        world.put("staging/charts/daily/us/2021-01-01.csv")
        world.put("staging/kaggle2023/artists.csv")
        assert world.invoke(SCHEDULED, 1) == {"staging/charts/daily/": "jr_0", "staging/kaggle2023/": "jr_1"}

    def test_leaves_what_was_loaded(self, world):
        world.put("staging/charts/2021/a.csv")
        world.put("staging/charts/2021/_READY")
        world.invoke(ready("staging/charts/2021/_READY"), 1)
        world.end("charts")
        assert world.invoke(SCHEDULED, 2) == {}
        world.put("staging/charts/2021/b.csv", 3)
        assert world.invoke(SCHEDULED, 4) == {"staging/charts/2021/": "jr_1"}

    def test_no_other_event_loads_files_without_a_marker(self, world):
        world.put("staging/charts/2021/a.csv")
        for event in ({}, ended("charts"), ready("staging/charts/other/_READY")):
            assert world.invoke(event, 1) == {}

    def test_leaves_hidden_files_and_folders(self, world):
        world.put("staging/charts/2021/.DS_Store")
        world.put("staging/charts/2021/_notes.txt")
        world.put("staging/charts/2021/")
        assert world.invoke(SCHEDULED, 1) == {}


@pytest.mark.parametrize(
    "event",
    [
        {"detail-type": "Object Created"},
        {"detail-type": "Glue Job State Change", "detail": {"jobName": "other-charts", "state": "SUCCEEDED"}},
        {"detail-type": "Glue Job State Change", "detail": {"jobName": "my-lake-charts"}},
        {"Records": []},
    ],
)
def test_other_events_are_refused(event):
    with pytest.raises(EventError, match="events/"):
        parse_event(event, "my-lake")


@pytest.mark.parametrize(
    "broken", ["text", 7, None, [], ["key"], {"key": 7}, {"key": None}, {"key": ["a"]}, {}]
)
def test_a_marker_without_a_key_is_refused(broken):
    with pytest.raises(EventError, match="neither a marker"):
        parse_event(ready("x") | {"detail": {"object": broken}}, "my-lake")
    with pytest.raises(EventError, match="neither a marker"):
        parse_event(ready("x") | {"detail": broken}, "my-lake")


@pytest.mark.parametrize("name, event", [("staging-ready", "charts"), ("job-ended", "charts")])
def test_the_sample_events_are_understood(name, event):
    sample = json.loads((ROOT / "events" / f"{name}.json").read_text())
    assert parse_event(sample, "spotify-lake").data_sets == (event,)


@pytest.mark.parametrize("name", ["LAKE_BUCKET", "LAKE_NAME"])
def test_a_missing_setting_is_named(world, code, name):
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv(name)
        with pytest.raises(SettingsError, match=name):
            world.invoke({})


BATCHES = ("a", "b", "c")
STEPS = st.lists(
    st.sampled_from([*(f"put {batch}" for batch in BATCHES), "wake", "end", "schedule"]), max_size=25
)


@given(STEPS)
def test_whatever_the_order_every_file_is_read_by_a_run_that_began_after_it_came(steps):
    """What `due` says, acted on one run at a time, takes every marked file once the events have come."""
    found: dict[str, dt.datetime] = {}
    began: list[tuple[str, dt.datetime]] = []
    running = False
    for clock, step in enumerate([*steps, *["end", "wake"] * 4]):
        match step.split():
            case ["put", batch]:
                found[f"staging/charts/{batch}/{clock}.csv"] = at(clock)
                found[f"staging/charts/{batch}/_READY"] = at(clock)
            case ["end"]:
                running = False
        waiting = due(found, "charts", with_unmarked=step == "schedule")
        if waiting and not running:
            running = True
            began.append((waiting[0], at(clock)))
            found[f"{waiting[0]}_STARTED"] = at(clock)
    for key, when in found.items():
        if key.endswith(".csv"):
            assert any(key.startswith(batch) and when <= start for batch, start in began), key
    assert due(found, "charts", with_unmarked=True) == []
