"""The forecast among the charts of the report: its fan, the choice of a song, and what the scores say."""

import datetime as dt
import re

import pytest

from tests.browser.conftest import SCRIPT, write
from tests.browser.test_report import INKED, PHONE, column
from tests.browser.test_report_views import PAPER_INK, fragment
from tests.support import charted, forecast_rows
from tests.support.lake_in_memory import Lake

PART, SCORES = "The next seven days", "How good these forecasts are"
LAST = dt.date(2021, 12, 31)


def part(page, name=PART):
    return page.get_by_role("region", name=name)


def drawn(page):
    """The lines of the fan: past, forecast, low, high; each as values by day."""
    return (
        part(page)
        .locator("canvas")
        .evaluate(
            "canvas => Chart.getChart(canvas).data.datasets.map(line => line.data.map(point => point.y))"
        )
    )


def test_a_fan_continues_the_past(visit, with_charts):
    page = visit(with_charts, "#charts")
    past, streams, low, high = drawn(page)
    assert (len(past), past[-7:]) == (35, [None] * 7)
    today = past[27]
    assert (streams[26], streams[27], low[27], high[27]) == (None, today, today, today)
    assert streams[28:] == [pytest.approx(today * (1 + 0.02 * day), abs=1) for day in range(1, 8)]
    assert [low[-1], high[-1]] == [pytest.approx(streams[-1] * factor, abs=1) for factor in (0.9, 1.1)]
    said = part(page).locator("canvas").get_attribute("aria-label")
    assert f"On 7 January 2022 it should have {streams[-1]:,} streams" in said
    assert f"between {low[-1]:,} and {high[-1]:,}" in said
    part(page).get_by_text("Show data").click()
    caption = "Streams and forecast by day"
    assert column(page, caption, "Forecast")[-1] == f"{streams[-1]:,}"
    assert column(page, caption, "80% interval")[-1] == f"{low[-1]:,} to {high[-1]:,}"
    assert column(page, caption, "Streams")[27:29] == [f"{today:,}", "–"]


def test_a_song_is_chosen_by_keyboard_and_kept_in_the_address(visit, with_charts):
    page = visit(with_charts, "#charts&region=Finland")
    first = drawn(page)
    part(page).get_by_text("Show data").click()
    chooser = part(page).get_by_label("Song", exact=True)
    chooser.focus()
    page.keyboard.type("3")
    title = column(page, "Forecast, Finland", "Song")[2]
    assert chooser.locator("option:checked").text_content().removeprefix("3. ") in title
    third = drawn(page)
    assert third != first
    assert "was at number 3 on 31 December 2021" in page.get_by_role("status").text_content()
    assert column(page, "Streams and forecast by day", "Forecast")[-1] == f"{third[1][-1]:,}"
    assert re.fullmatch(r"#charts&region=Finland&song=\w{22}", fragment(page))
    assert drawn(visit(with_charts, fragment(page))) == third
    page.go_back()
    page.wait_for_function("location.hash === '#charts&region=Finland'")
    assert drawn(page) == first


def test_another_region_has_its_own_forecast_or_says_that_it_has_none(visit, with_charts):
    page = visit(with_charts, "#charts")
    world = drawn(page)
    page.get_by_label("Region", exact=True).select_option(label="Japan")
    assert drawn(page) != world
    assert part(page).locator("canvas").evaluate(INKED) > 0.01
    assert page.evaluate("Object.values(Chart.instances).length") == 2, "the fan of before is gone"
    page.get_by_label("Region", exact=True).select_option(label="Turkey")
    assert part(page).get_by_text("This region was not forecast").is_visible()
    assert part(page).locator("canvas").count() == 0


def test_scores_say_how_good_the_forecast_is(visit, with_charts):
    page = visit(with_charts, "#charts")
    said = part(page, SCORES).text_content()
    assert "the model (a random forest) was off by 3.7% on average, the best simple method by 9.4%" in said
    assert "repeating the same weekday of the week before (seasonal naive)" in said
    assert (
        "avoids 60% of the simple method’s error (95% interval 53% to 67%), so its forecast is shown" in said
    )
    assert "in the 80% interval in 79% of the cases" in said
    caption = "Mean error of the forecasts, Top 200"
    assert column(page, caption, "Days ahead") == [*"1234567"]
    assert (column(page, caption, "Model")[0], column(page, caption, "Simple method")[0]) == ("2.4%", "6.2%")


def odd_charts(made: dt.date, **changes) -> Lake:
    """Charts of one region with two songs: the first has a script as its title, the second no title."""
    odd = [charted.track(1, SCRIPT, SCRIPT), charted.track(2, None)]
    standings = [
        charted.Standing(LAST - dt.timedelta(days=ago), "Chile", "top200", rank, track, 1000 // rank)
        for ago in range(5)
        for rank, track in enumerate(odd, start=1)
    ]
    lake = Lake()
    lake.add_charts(standings)
    lake.add_forecasts(forecast_rows.rows(standings, made, **changes))
    return lake


def test_a_simple_forecast_of_odd_songs_says_that_it_is_simple(visit, tmp_path_factory):
    lake = odd_charts(LAST, method="seasonal naive", margin=(-0.03, -0.06, 0.01))
    page = visit(write(lake, tmp_path_factory), "#charts", **PHONE)
    said = part(page, SCORES).text_content()
    assert "The model’s error is 4% larger, but with a 95% interval of -8% to 1% it is not better" in said
    assert "So the forecast of the simple method is shown." in said
    assert SCRIPT in part(page).text_content()
    assert "1. <script>" in part(page).get_by_label("Song", exact=True).text_content()
    part(page).get_by_label("Song", exact=True).select_option(label="2. Untitled")
    assert "Untitled was at number 2" in part(page).text_content()
    assert page.locator("html[data-taken]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_forecast_that_is_over_says_so(visit, tmp_path_factory):
    page = visit(write(odd_charts(LAST - dt.timedelta(days=4)), tmp_path_factory), "#charts")
    assert len(drawn(page)[0]) == 31, "four of its days have come true"
    with_none = odd_charts(LAST - dt.timedelta(days=4))
    with_none.forecast_keys = {key.replace("20211227", "20211224") for key in with_none.forecast_keys}
    page = visit(write(with_none, tmp_path_factory), "#charts")
    assert part(page).get_by_text("The newest forecast is of 24 December 2021").is_visible()
    assert part(page).get_by_text("./lake model charts").is_visible()
    assert page.locator("canvas").count() == part(page, SCORES).count() == 0


def test_the_fan_is_printed_in_light_colors(visit, with_charts):
    page = visit(with_charts, "#charts", color_scheme="dark")
    line = "canvas => Chart.getChart(canvas).data.datasets[0].borderColor"
    canvas = part(page).locator("canvas")
    dark = canvas.evaluate(line)
    page.emulate_media(media="print")
    page.wait_for_function("color => Chart.defaults.color === color", arg=PAPER_INK)
    assert canvas.evaluate(line) != dark
