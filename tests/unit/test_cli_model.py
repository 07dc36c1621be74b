"""`./lake model`: it starts the model's job with or without files, and reports what the run found."""

from pathlib import Path

import pytest

from cli.commands import bulk, model
from cli.stack import OpsError
from tests.support.operated import Person

SUMMARY = {
    "run": "r",
    "rows_in": 12_004,
    "rows_out": 12_000,
    "duplicates": 1,
    "rejects": 3,
    "rejects_by_reason": {"too few songs": 3},
    "files": [],
    "tables": {"chart_forecasts": 420, "model_scores": 82},
    "findings": ["top200: the naive forecast is published."],
}


class Lake:
    def need_bulk_jobs(self) -> None:
        pass

    def output(self, name: str) -> str:
        return {"LakeBucketName": "the-lake"}[name]


@pytest.fixture
def started(monkeypatch) -> list[tuple]:
    """The jobs that were started, with the names of their files."""
    found = []

    def stage_and_run(_lake, _terminal, job, files, batch, *, run_job):
        assert batch.endswith("Z")
        assert run_job is None
        found.append((job, sorted(files)))
        return SUMMARY

    monkeypatch.setattr(bulk, "stage_and_run", stage_and_run)
    return found


def test_charts_are_forecast_from_the_warehouse(started):
    person = Person()
    model.run(Lake(), person, model.Model.CHARTS, [])
    assert started == [("forecast", [])]
    said = person.saw.splitlines()
    assert said[0] == "✓ 12,004 rows in: 12,000 used, 1 duplicate, 3 left out (too few songs 3)"
    assert said[1] == "top200: the naive forecast is published."
    assert "s3://the-lake/datawarehouse/_runs/forecast/card.md" in person.saw


def test_popularity_takes_files(started, tmp_path: Path):
    (tmp_path / "songs.csv.gz").write_text("x")
    model.run(Lake(), Person(), model.Model.POPULARITY, [str(tmp_path / "songs.csv.gz")])
    model.run(Lake(), Person(), model.Model.POPULARITY, [])
    assert started == [("popularity", ["songs.csv.gz"]), ("popularity", [])]


def test_a_file_for_the_charts_is_not_ignored():
    model.check(model.Model.POPULARITY, ["songs.csv"])
    with pytest.raises(OpsError, match=r"takes no files: load them with `\./lake bulk charts FILES`"):
        model.check(model.Model.CHARTS, ["charts.csv"])
