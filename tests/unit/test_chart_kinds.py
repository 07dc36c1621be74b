"""The Glue jobs ship without spotify_lake, so the names of the charts are declared in both packages."""

from spotify_bulk.chart_kinds import CHARTS
from spotify_lake.report.charts import SHOWN
from spotify_lake.schema.warehouse import ChartName


def test_job_schema_and_report_know_the_same_charts() -> None:
    assert list(CHARTS) == list(ChartName)
    assert set(SHOWN) == set(ChartName)
