"""What the benchmarks write is what docs quote; nothing is timed here."""

import dataclasses
import datetime as dt
import json
import math
import re
import tomllib

import pytest

from bench import __main__ as bench
from bench import cost, floor, growth, report, scale
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


def test_the_page_about_scale_is_what_numbers_prices_and_template_give():
    assert scale.page(NUMBERS, PRICES, SETTINGS) == scale.PAGE.read_text(), "run make costs"


def test_a_question_reads_the_same_in_every_year_and_a_view_of_everything_does_not():
    numbers = {
        "reads of question: whole tables": 0,
        "reads of question: days": 36 * 4,
        "reads of question: bytes of whole tables a day": 0,
        "reads of question: bytes": 36 * 4_000,
        "reads of view: whole tables": 3,
        "reads of view: days": 0,
        "reads of view: bytes of whole tables a day": 20_000,
        "reads of view: bytes": 0,
    }
    for days in (365, 3650):
        question = scale.reading("question", 20, days, numbers)
        assert (question.listings, question.objects, question.size_bytes) == (144, 2880, 20 * 144_000)
        view = scale.reading("view", 20, days, numbers)
        assert (view.listings, view.objects, view.size_bytes) == (3 * days, 60 * days, 400_000 * days)
    assert scale.slow_after_days("question", 20, numbers) is None
    slow = scale.slow_after_days("view", 20, numbers)
    assert slow is not None
    assert scale.reading("view", 20, slow, numbers).seconds[1] <= scale.SLOW_S
    assert scale.reading("view", 20, slow + 1, numbers).seconds[1] > scale.SLOW_S


def test_a_query_costs_its_bytes_its_listings_and_its_reads():
    """At least ten megabytes at $5 a terabyte; $5 for a million listings, $0.40 for a million reads."""
    assert scale.Reading(1_000, 50, 1e6).dollars(PRICES) == pytest.approx(0.00005 + 0.00025 + 0.0004)
    assert scale.Reading(1_000, 50, 2e9).dollars(PRICES) == pytest.approx(0.01 + 0.00025 + 0.0004)


def test_a_backlog_takes_what_its_functions_need_once_all_are_at_work():
    """One second of work an object: five start at once, and five more are added in each second."""
    numbers = {
        "warm_invocation_cpu_s": 0.0,
        "import_transform_cpu_s": 0.0,
        "each_changed: S3 PUT": 1 / (0.75 * cost.REQUEST_S),
        "each_changed: S3 GET": 0.0,
    }
    assert scale.transform_s(numbers, SETTINGS) == pytest.approx(1.0)
    assert scale.backlog_s(100, 5, numbers, SETTINGS) == pytest.approx(20.0)
    # Nine seconds from 5 to 50 do (5 + 50) / 2 × 9 = 247.5 of them.
    assert scale.backlog_s(1_000, 50, numbers, SETTINGS) == pytest.approx(9 + (1_000 - 247.5) / 50)
    assert scale.backlog_s(20, 50, numbers, SETTINGS) == pytest.approx((math.sqrt(25 + 200) - 5) / 5)


def test_more_playlists_need_more_of_everything():
    for amount in (
        lambda playlists: scale.spotify_requests(playlists, NUMBERS),
        lambda playlists: scale.extract_s(playlists, NUMBERS, SETTINGS),
        lambda playlists: scale.report(playlists, NUMBERS, SETTINGS).seconds,
        lambda playlists: scale.iceberg_dollars(playlists, 24, PRICES),
    ):
        found = [amount(playlists) for playlists in scale.STEPS]
        assert found == sorted(set(found))


def test_the_saved_questions_about_playlists_were_counted_as_they_are():
    assert set(scale.questions(NUMBERS)) == set(growth._questions()), "run make bench WHAT=growth"
    assert [name for name in scale.questions(NUMBERS) if NUMBERS[f"reads of {name}: whole tables"]] == []
