"""What the benchmarks write is what docs quote; nothing is timed here."""

import dataclasses
import datetime as dt
import json
import re
import tomllib

import pytest

from bench import __main__ as bench
from bench import cost, floor, report
from bench.payloads import raw_object
from bench.plans import LAST_DAY, Planner
from tests.support.template import ROOT

NUMBERS = cost.measured_numbers()
PRICES = tomllib.loads(cost.PRICES.read_text())
SETTINGS = cost.template_settings()


def total(use: cost.Use, *, free: bool = True, settings: cost.Settings = SETTINGS) -> float:
    return sum(cost.dollars(cost.quantities(use, NUMBERS, settings), PRICES, "arm64", free=free).values())


def test_the_table_is_that_of_the_last_measurements():
    assert bench.RESULTS.read_text() == bench.page(json.loads(bench.NUMBERS.read_text()))


def test_every_measurement_is_in_the_table():
    assert json.loads(bench.NUMBERS.read_text()).keys() == set(bench.MEASUREMENTS)


@pytest.mark.parametrize("contract", ["legacy", "new"])
def test_the_floor_fills_columns_of_the_tables(contract):
    for table, columns in floor.tables(raw_object(3, contract)).items():
        assert columns.keys() <= set(table.column_names)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """What each query of a report on ten days reads of a lake that has twenty."""
    return report.scans(Planner(tmp_path_factory.mktemp("plans"), 20), 3, 10)[0]


def test_each_query_of_the_report_reads_each_day_of_a_table_once(scans):
    for name, found in scans.items():
        read = [(scan.table, day) for scan in found for day in scan.days]
        assert read
        assert len(read) == len(set(read)), name
        assert min(day for _, day in read) > LAST_DAY - dt.timedelta(days=10), name


def test_the_report_reads_every_days_entries_once(scans):
    found = [scan for found in scans.values() for scan in found if scan.table == "playlist_entries"]
    assert [len(scan.days) for scan in found] == [10]


def test_what_the_report_reads_was_counted_with_its_queries_as_they_are(scans):
    counted = {
        name.removeprefix("report_sql: "): number for name, number in NUMBERS.items() if "_sql" in name
    }
    names = {*scans, "plays", "plays_pass", "play_files"}
    assert counted == {name: report.fingerprint(name) for name in names}, "run make bench WHAT=report"


def test_the_query_about_plays_reads_the_table_as_often_as_was_counted():
    counted = sum(number for name, number in NUMBERS.items() if name.startswith("report_plays"))
    assert counted == report.reads_of_plays() == 3


def test_plays_in_the_report_stay_cheap():
    assert total(cost.Use(10, play_months=180)) - total(cost.Use(10)) < 0.10


def test_a_report_that_was_not_counted_has_no_price():
    with pytest.raises(ValueError, match="no report of 77 days was measured"):
        total(cost.Use(10), settings=dataclasses.replace(SETTINGS, report_days=77))


def test_the_costs_are_what_numbers_prices_and_template_give():
    assert cost.page(NUMBERS, PRICES, SETTINGS) == cost.PAGE.read_text(), "run make costs"


def test_the_readme_quotes_only_costs_that_are_computed():
    [section] = re.findall(
        r"### What it costs\n(.*?)\n### ", (ROOT / "README.md").read_text(), flags=re.DOTALL
    )
    quoted = re.findall(r"\$\d+\.\d+", section)
    assert quoted
    assert [amount for amount in quoted if amount not in cost.PAGE.read_text()] == []


def test_every_price_is_used_and_every_amount_has_one():
    others = {"date", "region", "glue_job_dpu_hour", "glue_optimizer_dpu_hour"}  # not in the sum of a month
    assert cost.quantities(cost.Use(10), NUMBERS, SETTINGS).keys() == set(PRICES) - others


@pytest.mark.parametrize("runs", [1, 24])
def test_more_costs_more(runs):
    costs = [total(cost.Use(playlists, runs)) for playlists in (1, 10, 100, 1000)]
    assert costs == sorted(costs)
    assert total(cost.Use(10, 24)) > total(cost.Use(10, 1))
    assert total(cost.Use(10, runs), free=False) > total(cost.Use(10, runs))


def test_a_known_lake_costs_what_paper_and_pencil_say():
    """One secret, and ten alarms that are free, or not."""
    amounts = {"secret_month": 1.0, "alarm_month": 12.0}
    assert sum(cost.dollars(amounts, PRICES, "arm64", free=True).values()) == pytest.approx(0.40 + 0.20)
    assert sum(cost.dollars(amounts, PRICES, "arm64", free=False).values()) == pytest.approx(0.40 + 1.20)


def test_polling_costs_a_few_cents():
    polls = cost.Use(10, polls_a_day=48)
    assert 0 < total(polls) - total(cost.Use(10)) <= 0.10


def test_a_month_of_polls_is_what_paper_and_pencil_say():
    """Ninety polls, thirty of them with new plays."""
    numbers = {
        "poll_new: S3 PUT": 7.0,
        "poll_new: S3 GET": 5.0,
        "poll_new: Secrets Manager": 1.0,
        "poll_nothing: S3 GET": 1.0,
        "poll_nothing: Secrets Manager": 1.0,
        "poll_new: metrics": 1.0,
    }
    zero = dict.fromkeys(("import_extract_cpu_s", "import_transform_cpu_s"), 0.0)
    found = cost._polls(cost.Use(10, polls_a_day=3), numbers | zero)
    assert found["polls"] == 90
    assert found["new"] == pytest.approx(30)
    assert found["S3 PUT"] == pytest.approx(210)
    assert found["S3 GET"] == pytest.approx(150 + 60)
    assert found["Secrets Manager"] == pytest.approx(90)
    assert found["metrics"] == pytest.approx(30)
    assert found["extract requests"] == pytest.approx(240)
    assert found["transform requests"] == pytest.approx(270)
