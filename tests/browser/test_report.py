"""The report in a real browser."""

import datetime as dt
import re
from itertools import pairwise

import pytest

from spotify_lake.report.page import render
from tests.browser.conftest import SCRIPT
from tests.support import payloads
from tests.support.lake_in_memory import Lake, snapshot

LIMIT_BYTES = 1_400_000
PHONE = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}
WEEKS = ("Once", "Empty", "Ended", "Road Trip")  # playlists, by what their ids are made of
LIST_0 = "#playlist=list000000000000000000"
INKED = """
canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let inked = 0;
    for (let at = 3; at < data.length; at += 4) inked += data[at] > 0;
    return inked / (canvas.width * canvas.height);
}
"""


def playlist(name):
    """Return the address of a playlist."""
    return f"#playlist={payloads.spotify_id(name)}"


def open_view(page, name):
    """Go to a view by its link, as a person does."""
    page.get_by_role("navigation").get_by_role("link", name=name).click()
    page.get_by_role("heading", level=1, name=name).wait_for()


def column(page, caption, label):
    """The texts of a column of a table."""
    table = page.get_by_role("table", name=caption)
    table.wait_for()
    labels = [text.strip() for text in table.locator("thead th").all_text_contents()]
    return table.locator(f"tbody tr > :nth-child({labels.index(label) + 1})").all_text_contents()


def positions(page, expression):
    """What JavaScript says of the chart of positions."""
    return page.evaluate(f"(chart => {expression})(Chart.getChart(document.querySelector('.tall canvas')))")


def lines(page):
    return positions(page, "chart.data.datasets.map(line => line.label)")


def numerically(text):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_two_years_of_twenty_playlists_are_small(years):
    size = years.stat().st_size
    print(f"\n{size / 1e6:.2f} MB")
    assert size < LIMIT_BYTES


def test_another_playlist_of_twenty_is_drawn(visit, years):
    page = visit(years)
    open_view(page, "List 3")
    page.wait_for_function("Chart.getChart(document.querySelector('.tall canvas'))")


@pytest.mark.parametrize("view, charts", [("", 4), (LIST_0, 5)])
def test_charts_are_drawn(visit, years, view, charts):
    page = visit(years, view)
    canvases = page.locator("canvas")
    assert canvases.count() == charts
    for number in range(charts):
        canvas = canvases.nth(number)
        assert canvas.evaluate(INKED) > 0.01
        assert len(canvas.get_attribute("aria-label")) > 40, "a chart says in words what it shows"


@pytest.mark.parametrize("way", ["click", "keyboard"])
def test_tables_sort(visit, weeks, way):
    page = visit(weeks, playlist("Road Trip"))
    caption = re.compile("^Entries of")
    header = page.get_by_role("table", name=caption).get_by_role("button", name="Song")

    def use():
        if way == "click":
            header.click()
        else:
            header.focus()
            page.keyboard.press("Enter")

    given = column(page, caption, "#")
    assert given == [str(number) for number in range(1, 26)]
    use()
    songs = column(page, caption, "Song")
    assert songs == sorted(songs, key=numerically)
    assert header.locator("..").get_attribute("aria-sort") == "ascending"
    use()
    assert column(page, caption, "Song") != songs
    assert header.locator("..").get_attribute("aria-sort") == "descending"
    assert "sorted by Song, descending" in page.get_by_role("status").text_content()


def test_a_table_is_filtered_and_shown_whole(visit, weeks):
    page = visit(weeks, playlist("Road Trip"))
    caption = re.compile("^Entries of")
    search = page.get_by_label(re.compile("Filter: Entries"))
    search.fill("song 1")
    found = column(page, caption, "Song")
    assert found
    assert all("Song 1" in text for text in found)
    search.fill("")
    page.get_by_role("button", name="Show all 31").click()
    assert len(column(page, caption, "Song")) == 31


def test_a_song_called_script_stays_a_song(visit, weeks):
    page = visit(weeks)
    assert page.get_by_role("link", name=SCRIPT).count() >= 1, "the playlist of that name"
    for name in WEEKS:
        page.goto(f"{weeks.as_uri()}{playlist(name)}")
        page.get_by_role("heading", level=1).wait_for()
        assert page.locator("script").count() == 3
        assert page.locator("html[data-taken]").count() == 0
    open_view(page, "Road Trip")
    assert SCRIPT in column(page, re.compile("^Entries of"), "Song")[0]
    assert SCRIPT in lines(page)


def test_the_policy_stops_a_script_that_got_in(chromium, weeks):
    page = chromium.new_page()
    page.goto(weeks.as_uri())
    page.evaluate("""
        const script = document.createElement("script");
        script.textContent = "document.documentElement.dataset.taken = ''";
        document.body.append(script);
        const image = new Image();
        image.src = "https://example.org/x.png";
        image.onerror = () => { document.documentElement.dataset.refused = ""; };
        document.body.append(image);
    """)
    page.wait_for_selector("html[data-refused]", state="attached")
    assert page.locator("html[data-taken]").count() == 0
    page.close()


def test_lines_are_added_and_taken_out(visit, weeks):
    page = visit(weeks, playlist("Road Trip"))
    before = lines(page)
    box = page.get_by_role("checkbox", checked=False).first
    name = box.get_attribute("aria-label").removeprefix("Show ").removesuffix(" in the chart")
    box = page.get_by_role("checkbox", name=f"Show {name} in the chart", exact=True)
    box.focus()
    page.keyboard.press("Space")
    assert lines(page) == [*before, name]
    page.get_by_role("button", name=f"Remove {name} from the chart").click()
    assert lines(page) == before
    assert not box.is_checked()


def test_pointing_at_a_line_shows_its_song(visit, years):
    page = visit(years, LIST_0)
    canvas = page.locator(".tall canvas")
    canvas.scroll_into_view_if_needed()
    spot = positions(page, "(({ x, y }) => ({ x, y }))(chart.getDatasetMeta(0).data.at(-3))")
    canvas.hover(position=spot)
    assert positions(page, "chart.focused") is not None
    assert positions(page, "[chart.tooltip.opacity, chart.tooltip.body.length]") == [1, 1]


def test_another_range_of_days(visit, years):
    page = visit(years, LIST_0)
    days = page.get_by_role("group", name="Period")
    assert days.get_by_role("button").all_text_contents() == ["30 days", "90 days", "1 year", "All"]
    days.get_by_role("button", name="All").click()
    assert days.get_by_role("button", name="All").get_attribute("aria-pressed") == "true"
    span = positions(page, "chart.scales.x.max - chart.scales.x.min")
    assert span > 700


def test_a_charts_numbers_are_a_table(visit, weeks):
    page = visit(weeks)
    numbers = page.get_by_text("Show data").first
    numbers.focus()
    page.keyboard.press("Enter")
    entered = column(page, "Entries that entered and left by snapshot", "Entered")
    assert len(entered) == 20
    assert sum(map(int, entered)) > 0


@pytest.mark.parametrize("scheme, other", [("light", "dark"), ("dark", "light")])
def test_light_and_dark_by_system_and_by_choice(visit, weeks, scheme, other):
    page = visit(weeks, color_scheme=scheme)
    opposite = background(visit(weeks, color_scheme=other))
    by_system = background(page)
    assert by_system != opposite
    ink = page.evaluate("Chart.defaults.color")
    page.get_by_role("button", name=f"Change to {other} colors").click()
    assert background(page) == opposite
    assert page.evaluate("Chart.defaults.color") != ink, "charts follow"
    page.reload()
    assert background(page) == opposite, "the choice is kept"


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_never_scrolls_sideways(visit, weeks, width):
    page = visit(weeks, **PHONE | {"width": width})
    for name in WEEKS:
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.title()
        page.goto(f"{weeks.as_uri()}{playlist(name)}")
        page.get_by_role("heading", level=1).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.title()


def test_a_phone_changes_views_with_a_list(visit, weeks):
    page = visit(weeks, **PHONE)
    page.get_by_label("Show", exact=True).select_option(label="Road Trip")
    page.get_by_role("heading", level=1, name="Road Trip").wait_for()
    assert page.evaluate("document.activeElement.id") == "main", "readers go on at the new content"


def test_views_have_addresses_and_one_first_heading(visit, weeks):
    page = visit(weeks, playlist("Ended"))
    for view, title in (("Empty", "Empty"), ("Road Trip", "Road Trip"), ("All playlists", "All playlists")):
        open_view(page, view)
        assert page.get_by_role("heading", level=1).all_text_contents() == [title]
        assert page.locator("nav [aria-current=page]").text_content().startswith(title)
    page.go_back()
    page.get_by_role("heading", level=1, name="Road Trip").wait_for()
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.get_by_role("main").count() == page.get_by_role("banner").count() == 1


def test_the_first_tab_leads_past_the_navigation(visit, weeks):
    page = visit(weeks)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"


def test_lists_that_are_empty_ended_or_new_say_so(visit, weeks):
    page = visit(weeks)
    assert page.get_by_text("not seen since 8 Sept 2026").count() == 1
    open_view(page, "Empty")
    assert page.get_by_text("This playlist is empty.").is_visible()
    open_view(page, "Ended")
    assert page.get_by_text("The last snapshot of this playlist is from 8 September 2026.").is_visible()
    open_view(page, SCRIPT)
    assert page.get_by_text(
        "There is only one snapshot so far. Lines appear from the second one."
    ).is_visible()


def test_a_lake_without_snapshots_says_what_to_do(visit, nothing):
    page = visit(nothing)
    assert page.get_by_role("heading", level=1).text_content() == "No snapshots yet"
    assert page.get_by_text("./lake report").is_visible()


def test_charts_have_a_view_where_there_are_any(visit, weeks, with_charts):
    assert visit(weeks).get_by_role("link", name="Charts", exact=True).count() == 0
    page = visit(with_charts)
    open_view(page, "Charts")
    assert page.title().startswith("Charts · Spotify Lake")
    assert page.get_by_text(
        "Daily Top 200 for Global and 17 regions, 3 October 2021 to 31 December 2021"
    ).is_visible()
    assert page.get_by_text("1,786 days old when this page was made").is_visible()
    assert page.get_by_role("heading", level=2).all_text_contents() == [
        "Top artists by streams",
        "Peak positions and days in the chart",
        "The next seven days",
        "How good these forecasts are",
        "Around the world",
        "Viral before the Top 200",
        "By region",
    ]
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for part, word in (("The next seven days", "interval"), ("Around the world", "regions")):
        canvas = page.get_by_role("region", name=part).locator("canvas")
        assert canvas.evaluate(INKED) > 0.01
        assert word in canvas.get_attribute("aria-label")
    open_view(page, "List 1")


def test_a_region_is_chosen_by_keyboard(visit, with_charts):
    page = visit(with_charts, "#charts")
    world = column(page, "Artists, Global", "Streams")
    assert world == sorted(world, key=lambda text: -int(text.replace(",", "")))
    chooser = page.get_by_label("Region", exact=True)
    chooser.focus()
    page.keyboard.type("Fin")
    assert page.get_by_text(
        "Daily Top 200 for Finland from 3 October 2021 to 31 December 2021: 90 days."
    ).is_visible()
    assert "Showing Finland" in page.get_by_role("status").text_content()
    assert column(page, "Artists, Finland", "Streams") != world
    assert page.get_by_role("table", name="Artists, Global").count() == 0
    peaks = [int(text) for text in column(page, "Songs, Finland", "Peak")]
    assert peaks == sorted(peaks)
    page.get_by_role("table", name="Songs, Finland").get_by_role("button", name="Days in chart").click()
    days = [int(text) for text in column(page, "Songs, Finland", "Days in chart")]
    assert days == sorted(days, reverse=True)


def test_how_songs_spread_is_a_table_too(visit, with_charts):
    page = visit(with_charts, "#charts")
    part = page.get_by_role("region", name="Around the world")
    part.get_by_text("Show data").click()
    song = column(page, "Songs by number of regions", "Song")[0]
    caption = "Regions by days since the song first charted"
    title = part.locator("canvas").evaluate("canvas => Chart.getChart(canvas).data.datasets[0].label")
    assert title in song
    reached = [int(text) for text in column(page, caption, title)]
    assert reached == sorted(reached)
    assert reached[0] > 0, "on its first day some region has it"
    assert reached[-1] == int(column(page, "Songs by number of regions", "Regions")[0])


def test_charts_alone_and_awkward_are_shown(visit, only_charts):
    page = visit(only_charts)
    assert page.get_by_role("heading", level=1).text_content() == "No snapshots yet"
    open_view(page, "Charts")
    assert page.get_by_text("Weekly Top 200 for 1 region, 16 December 2021 to 23 December 2021").is_visible()
    assert column(page, "Songs, Chile", "Weeks in chart") == ["2", "2"]
    assert SCRIPT in column(page, "Songs, Chile", "Song")[0]
    assert "Untitled" in column(page, "Songs, Chile", "Song")[1]
    assert page.locator("script").count() == 3
    assert page.locator("html[data-taken]").count() == 0
    assert page.locator("select#region").count() == 0, "there is nothing to choose"
    assert page.locator("canvas").count() == 0


@pytest.mark.parametrize("width", [320, 390])
def test_charts_on_a_phone_never_scroll_sideways(visit, with_charts, width):
    page = visit(with_charts, "#charts", **PHONE | {"width": width})
    page.get_by_label("Show", exact=True).select_option(label="Charts")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_label("Region", exact=True).select_option(label="United Kingdom")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_those_who_want_no_motion_get_none(visit, weeks):
    page = visit(weeks, reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.querySelector('button')).transitionDuration") == "0s"
    assert page.evaluate("Chart.defaults.animation") is False


@pytest.mark.parametrize(
    "url",
    [
        "https://open.spotify.com@evil.example/",
        "https://i.scdn.co.evil.example/image/1",
        r"https://evil.example\.scdn.co/image/1",
        "javascript:document.documentElement.dataset.taken=''",
    ],
)
def test_no_cover_leads_elsewhere(visit, tmp_path, url):
    lake = Lake()
    image = {"url": url, "height": 1, "width": 1}
    song = payloads.song("A")
    song["album"]["images"] = [image]
    lake.add(snapshot(dt.date(2026, 9, 7), [payloads.entry(song)], images=[image]))
    path = tmp_path / "report.html"
    path.write_bytes(render(lake.report(), dt.datetime(2026, 9, 8, tzinfo=dt.UTC)))
    page = visit(path, playlist("Road Trip"))
    page.get_by_role("heading", level=1).wait_for()
    targets = page.evaluate(
        "[...document.querySelectorAll('a')].map(a => new URL(a.href)).map(u => u.origin)"
    )
    assert set(targets) == {"https://open.spotify.com", "file://"}, "views of the page itself, and Spotify"
    assert "evil.example" not in page.evaluate(
        "[...document.querySelectorAll('[href]')].map(a => a.href).join()"
    )


def test_links_lead_to_spotify_and_pictures_are_not_shown(visit, weeks):
    page = visit(weeks, playlist("Road Trip"))
    targets = page.evaluate("[...document.querySelectorAll('a[href^=http]')].map(a => new URL(a.href).host)")
    assert set(targets) == {"open.spotify.com", "i.scdn.co"}
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("lake, view", [("years", ""), ("years", LIST_0), ("with_charts", "#charts")])
def test_no_table_is_cut_off_on_a_desktop(visit, request, lake, view):
    tables = visit(request.getfixturevalue(lake), view).locator(".scroll")
    assert tables.count() >= 2
    for number in range(tables.count()):
        wide, room = tables.nth(number).evaluate("table => [table.scrollWidth, table.clientWidth]")
        assert wide <= room, tables.nth(number).get_attribute("aria-label")
