"""The forecast on the page, against what plain Python finds in the charts and rows it was made from."""

import datetime as dt
from dataclasses import replace

import pytest
import sqlglot
from sqlglot import exp

from spotify_lake.report import forecasts
from spotify_lake.report.forecasts import AHEAD, EPOCH, FOLDER, PAST, SONGS, find, questions
from spotify_lake.report.run import ask_charts
from tests.support import charted, forecast_rows
from tests.support.lake_in_memory import FakeAthenaClient, Lake

LAST = dt.date(2021, 12, 31)
MADE = LAST - dt.timedelta(days=2)
DAY = dt.timedelta(days=1)
REGIONS = ("Global", "Finland", "Japan")
# Some songs are missing on some days, and one has no streams on one of them.
STANDINGS = [
    replace(one, streams=None) if (one.rank, one.day) == (1, LAST - 9 * DAY) else one
    for one in charted.waves(days=40, size=14, regions=REGIONS, last=LAST)
    if one.chart == "top200" and one.track.key % 7 != one.day.day % 7
]


def made_of(made, last=LAST, **changes):
    lake = Lake()
    lake.add_charts(one for one in STANDINGS if one.day <= last)
    lake.add_forecasts(forecast_rows.rows(STANDINGS, made, **changes))
    return lake


@pytest.fixture(scope="module")
def lake():
    return made_of(MADE)


@pytest.fixture(scope="module")
def content(lake):
    return lake.charts(90)


# --- Which forecast ---


def test_the_newest_forecast_of_the_chart_is_found():
    keys = [f"{FOLDER}chart={chart}/made-{made}.parquet" for chart, made in (("top200", 20211224),)]
    keys += [f"{FOLDER}chart=top200/made-20211231.parquet", f"{FOLDER}chart=top50/made-20220107.parquet"]
    assert find(keys, "top200") == dt.date(2021, 12, 31)
    assert find(keys, "top50") == dt.date(2022, 1, 7)
    assert find([*keys, f"{FOLDER}_temporary/part-0.parquet"], "viral50") is None


@pytest.mark.parametrize(
    "made, is_asked",
    [(LAST, True), (LAST - 6 * DAY, True), (LAST - 7 * DAY, False), (LAST + DAY, False)],
)
def test_a_forecast_must_have_a_day_ahead(made, is_asked):
    assert (questions("top200", made, LAST) is not None) == is_asked


def test_a_forecast_that_is_over_is_named_but_not_asked_for():
    lake = made_of(LAST - 7 * DAY)
    athena = lake.athena()
    athena._client = client = FakeAthenaClient(lake.connection)
    found = ask_charts(athena, lake.chart_keys, lake.forecast_keys, 90)
    assert found.forecast == forecasts.Forecast((LAST - 7 * DAY - EPOCH).days)
    assert not [sql for sql in client.queries if "chart_forecasts" in sql or "model_scores" in sql]


def test_without_forecasts_the_charts_are_as_before(content):
    lake = Lake()
    lake.add_charts(STANDINGS)
    without = lake.charts(90)
    assert without.forecast is None
    assert [region.songs for region in without.regions] == [region.songs for region in content.regions]


# --- What is shown ---


def test_songs_at_the_top_have_their_past_and_seven_days_ahead(content):
    assert (content.forecast.made, content.forecast.method) == ((MADE - EPOCH).days, "random forest")
    days = [LAST - (PAST - 1 - number) * DAY for number in range(PAST)]
    wanted = []
    for region in sorted(REGIONS):
        of_region = [one for one in STANDINGS if one.region == region]
        top = sorted((one for one in of_region if one.day == MADE), key=lambda one: one.rank)[:SONGS]
        for one in top:
            past = {other.day: other.streams or 0 for other in of_region if other.track == one.track}
            ahead = [round(one.streams * (1 + 0.02 * horizon)) for horizon in range(1, AHEAD + 1)]
            row = (region, one.track.title, one.rank, [past.get(day) for day in days], ahead, one.rank)
            wanted.append(row)
    found = [
        (row.region, content.songs[row.song].title, row.now, row.past, row.streams, row.rank)
        for row in content.forecast.songs
    ]
    assert found == wanted
    assert len(found) == len(REGIONS) * SONGS
    for row in content.forecast.songs:
        assert len(row.streams) == AHEAD
        assert all(low < now < high for low, now, high in zip(row.low, row.streams, row.high, strict=True))
        assert (row.best, row.worst) == (max(1, row.rank - 1), min(row.worst, row.rank + 1))
    assert {len(row.past) for row in content.forecast.songs} == {PAST}
    assert any(None in row.past for row in content.forecast.songs)


def test_a_region_that_was_not_forecast_has_no_songs():
    found = made_of(LAST, regions=["Japan"]).charts(90)
    assert {row.region for row in found.forecast.songs} == {"Japan"}
    assert len(found.regions) == len(REGIONS)


def test_scores_say_how_much_error_is_avoided(content):
    [score] = content.forecast.scores
    assert (score.chart, score.method, score.baseline) == ("Top 200", "random forest", "seasonal naive")
    assert score.made == (MADE - EPOCH).days
    assert (score.error, score.simple_error) == (0.036, 0.09)
    assert (score.saved, score.saved_low, score.saved_high) == pytest.approx((0.6, 0.4 / 0.75, 0.5 / 0.75))
    assert score.inside == 0.79
    assert score.by_day[0] == (0.024, 0.06, 0.79)
    assert len(score.by_day) == AHEAD


def test_a_simple_forecast_that_is_published_is_named():
    found = made_of(LAST, method="seasonal naive", margin=(-0.03, -0.06, 0.01)).charts(90)
    assert found.forecast.method == found.forecast.scores[0].method == "seasonal naive"
    assert found.forecast.scores[0].saved == pytest.approx(-0.04)


def test_each_chart_of_the_run_has_scores():
    lake = made_of(LAST)
    lake.connection.execute("INSERT INTO dim_chart VALUES (7, 'top50', 'Top 50', 'daily')")
    lake.connection.execute(
        "INSERT INTO model_scores SELECT * REPLACE ('top50 to 2021-12-30' AS data) FROM model_scores"
        " WHERE data LIKE 'top200 to %'"
    )
    scores = lake.charts(90).forecast.scores
    assert [(one.chart, one.made) for one in scores] == [
        ("Top 200", (LAST - EPOCH).days),
        ("Top 50", (LAST - DAY - EPOCH).days),
    ]


# --- The queries ---


@pytest.mark.parametrize("number", [0, 1])
def test_read_as_athenas_sql_a_query_gives_the_same(lake, number):
    asked = questions("top200", MADE, LAST)
    sql = (asked.songs, asked.scores)[number].sql
    [translated] = sqlglot.transpile(sql, read="athena", write="duckdb")
    native, other = (lake.connection.execute(text).fetchall() for text in (sql, translated))
    assert native
    assert native == other


def test_the_query_names_years_and_chart():
    """Without them Athena would look into every year and chart."""
    tree = sqlglot.parse_one(questions("top200", MADE, LAST).songs.sql, read="athena")
    for name, wanted in (
        ("fact_chart_entry", {"year", "chart", "date_key"}),
        ("chart_forecasts", {"chart", "made_key"}),
    ):
        [table] = [found for found in tree.find_all(exp.Table) if found.name == name]
        where = table.find_ancestor(exp.Select).args["where"]
        assert wanted <= {column.name for column in where.find_all(exp.Column)}
