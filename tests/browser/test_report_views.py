"""The report in a real browser: its numbers, what the address keeps, and the views of songs and artists."""

import re

import pytest

from tests.browser.conftest import FIRST, LONG_TITLE, SCRIPT, write
from tests.browser.test_report import INKED, PHONE, column, lines, open_view, playlist, positions
from tests.support import payloads
from tests.support.lake_in_memory import Lake, snapshot

TIDE_0 = f"#song={payloads.spotify_id('Tide 0')}"
MARINA = f"#artist={payloads.artist('Marina')['id']}"
ROAD_TRIP = playlist("Road Trip")
LEAST_TITLE = 150  # CSS pixels; a title used to have 120
WHITE, BLACK = "rgb(255, 255, 255)", "rgb(0, 0, 0)"
STYLE = "card => [getComputedStyle(card).backgroundColor, getComputedStyle(card).color]"
PAPER_INK = "#56625b"  # of the charts' labels in light colors


def tile(page, name):
    """The large value above a name."""
    return (
        page.locator(".tiles > div", has=page.locator("dt", has_text=re.compile(f"^{re.escape(name)}$")))
        .locator("dd")
        .text_content()
    )


def row(page, caption, name):
    """The texts of the row of that name, by label."""
    table = page.get_by_role("table", name=caption, exact=True)
    labels = [text.strip().replace("\u00a0", " ") for text in table.locator("thead th").all_text_contents()]
    [cells] = [
        found.locator("> *").all_text_contents()
        for found in table.locator("tbody tr").all()
        if found.locator("th").text_content().startswith(name)
    ]
    return dict(zip(labels, cells, strict=True))


def fragment(page):
    return page.evaluate("location.hash")


# --- Numbers ---


def test_the_hours_are_those_of_the_different_songs(visit, shared):
    page = visit(shared)
    assert tile(page, "different songs") == "30"
    assert tile(page, "of music, each song once") == "30 h", "33 h with songs that are in both playlists"
    open_view(page, "Other")
    assert tile(page, "of music") == "3 h"


def test_music_in_fewer_songs_than_entries_says_so(visit, weeks):
    page = visit(weeks, playlist("Once"))
    assert tile(page, "entries on 26 Sept 2026") == "12"
    [name] = [text for text in page.locator(".tiles dt").all_text_contents() if text.startswith("of music")]
    assert re.fullmatch(r"of music in \d songs", name)


def test_an_artists_songs_are_different_songs(visit, shared):
    page = visit(shared)
    marina = row(page, "Artists", "Marina")
    assert (marina["Songs"], marina["Entries"], marina["Share"]) == ("10", "12", "36%")
    open_view(page, "Road Trip")
    own = row(page, "Artists", "Marina")
    assert own["Songs"] == "10"
    assert "Entries" not in own


def test_what_entered_and_left_covers_seven_days_and_says_so(visit, shared, weeks):
    page = visit(shared)
    found = row(page, "Playlists", "Road Trip")
    assert (found["In, 7 days"], found["Out, 7 days"]) == ("0", "−1"), "another left two weeks ago"
    ended = row(visit(weeks), "Playlists", "Ended")
    assert (ended["In, 7 days"], ended["Out, 7 days"]) == ("0", "0"), "its last week was weeks ago"


# --- Tables ---


def test_a_filter_that_matches_nothing_says_so(visit, shared):
    page = visit(shared, ROAD_TRIP)
    search = page.get_by_label(re.compile("Filter: Entries"))
    search.fill("zither")
    assert page.locator("main").get_by_text("Nothing in this table matches “zither”.").is_visible()
    assert "Nothing in this table matches" in page.get_by_role("status").text_content()
    table = page.get_by_role("table", name=re.compile("^Entries of"))
    assert not table.is_visible(), "no empty table below it"
    page.get_by_role("button", name="Clear the filter").click()
    assert search.input_value() == ""
    assert search.evaluate("field => field === document.activeElement")
    assert table.locator("tbody tr").count() == 25
    assert not page.locator("main").get_by_text("Nothing in this table").is_visible()


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    "lake, view",
    [("shared", ""), ("shared", ROAD_TRIP), ("shared", MARINA), ("with_charts", "#charts")],
)
def test_titles_have_room(visit, request, lake, view, phone):
    page = visit(request.getfixturevalue(lake), view, **(PHONE if phone else {}))
    widths = page.locator("tbody .name").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().width)"
    )
    assert len(widths) >= 5
    assert min(widths) > LEAST_TITLE


def test_a_wide_table_on_a_phone_shows_that_there_is_more(visit, shared):
    page = visit(shared, ROAD_TRIP, **PHONE)
    frame = page.locator(".frame", has=page.get_by_role("table", name=re.compile("^Entries of")))
    assert frame.get_by_text("Scroll sideways for more columns").is_visible()
    page.wait_for_selector(".frame.more-right:not(.more-left)")
    assert (
        frame.evaluate("frame => getComputedStyle(frame.querySelector('.edges'), '::after').opacity") == "1"
    )
    frame.locator(".scroll").evaluate("scroll => scroll.scrollTo(scroll.scrollWidth, 0)")
    page.wait_for_selector(".frame.more-left:not(.more-right)")


def test_a_table_that_fits_has_no_hint(visit, shared):
    page = visit(shared, ROAD_TRIP)
    assert page.locator(".hint").count() > 1
    assert page.locator(".hint:visible").count() == 0


# --- Paper ---


@pytest.mark.parametrize("way", ["system", "choice"])
def test_dark_colors_are_not_printed(visit, shared, way):
    page = visit(shared, ROAD_TRIP, color_scheme="dark" if way == "system" else "light")
    if way == "choice":
        page.get_by_role("button", name="Change to dark colors").click()
    ink = page.evaluate("Chart.defaults.color")
    charts_in = "color => Chart.defaults.color === color"
    page.emulate_media(media="print")
    card = page.locator(".card").first
    assert card.evaluate(STYLE) == [WHITE, BLACK]
    page.wait_for_function(charts_in, arg=PAPER_INK)
    page.emulate_media(media="screen")
    page.wait_for_function(charts_in, arg=ink)
    assert ink != PAPER_INK
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(charts_in, PAPER_INK)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(charts_in, ink)


# --- Choices in the address ---


def test_the_region_is_in_the_address(visit, with_charts):
    page = visit(with_charts, "#charts")
    chooser = page.get_by_label("Region", exact=True)
    chooser.select_option(label="United Kingdom")
    assert fragment(page) == "#charts&region=United+Kingdom"
    chooser.select_option(label="Finland")
    page.reload()
    assert chooser.locator("option:checked").text_content() == "Finland"
    assert page.get_by_role("table", name="Artists, Finland").is_visible()
    page.go_back()
    page.get_by_role("table", name="Artists, United Kingdom").wait_for()
    assert chooser.locator("option:checked").text_content() == "United Kingdom"
    page.go_back()
    page.get_by_role("table", name="Artists, Global").wait_for()
    assert fragment(page) == "#charts"


def test_the_period_is_in_the_address(visit, shared):
    page = visit(shared, ROAD_TRIP)
    days = page.get_by_role("group", name="Period")
    days.get_by_role("button", name="All").click()
    assert fragment(page) == f"{ROAD_TRIP}&days=all"
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert days.get_by_role("button", name="All").get_attribute("aria-pressed") == "true"
    assert positions(page, "chart.scales.x.max - chart.scales.x.min") == 113, "since a Sunday"
    page.go_back()
    page.locator("[aria-pressed=true]", has_text="90 days").wait_for()
    assert positions(page, "chart.scales.x.max - chart.scales.x.min") == 89


def test_lines_sorting_and_filter_are_in_the_address(visit, shared):
    page = visit(shared, ROAD_TRIP)
    page.get_by_role("checkbox", name="Show Other 5 in the chart").check()
    page.get_by_role("table", name=re.compile("^Entries of")).get_by_role("button", name="Song").click()
    page.get_by_label(re.compile("Filter: Entries")).fill("tide")
    drawn = lines(page)
    assert "Other 5" in drawn
    again = visit(shared, fragment(page))
    assert lines(again) == drawn
    songs = column(again, re.compile("^Entries of"), "Song")
    assert songs == [f"Tide {number}Marina" for number in range(10)]
    assert again.get_by_label(re.compile("Filter: Entries")).input_value() == "tide"


@pytest.mark.parametrize(
    "address",
    ["#charts&region=Nowhere", "#charts&songs.sort=Nothing&songs.find=%FF", "#charts&days=x&region"],
)
def test_a_choice_that_does_not_exist_is_passed_over(visit, with_charts, address):
    page = visit(with_charts, address)
    assert page.get_by_role("table", name="Artists, Global").is_visible()
    assert page.get_by_role("table", name="Songs, Global").locator("tbody tr").count() > 10


# --- Songs and artists ---


def test_a_song_has_a_view(visit, shared):
    page = visit(shared, ROAD_TRIP)
    page.get_by_role("table", name=re.compile("^Entries of")).get_by_role("link", name="Tide 0").click()
    page.get_by_role("heading", level=1, name="Tide 0").wait_for()
    assert fragment(page) == TIDE_0
    assert page.title().startswith("Tide 0 · Spotify Lake")
    found = {name: row(page, "Playlists with this song", name) for name in ("Road Trip", "Other")}
    dates = {"First seen": "7 Sept 2026", "Last seen": "4 Jan 2027"}
    assert found["Road Trip"].items() >= {"Position": "2", "Best": "1", "Snapshots": "120", **dates}.items()
    assert found["Other"].items() >= {"Position": "1", "Best": "1", "Snapshots": "120", **dates}.items()
    assert tile(page, "playlists on 4 Jan 2027") == "2"
    page.get_by_role("button", name="All").click()
    drawn = positions(page, "chart.data.datasets.map(({ label, data }) => [label, data.map(({ y }) => y)])")
    road_trip = dict(drawn)["Road Trip"]
    assert (road_trip[0], road_trip[-61], road_trip[-60], road_trip[-1]) == (1, 1, 2, 2)
    assert page.locator(".tall canvas").evaluate(INKED) > 0.01
    page.get_by_role("link", name="Open in Spotify").get_attribute("href").endswith(TIDE_0.partition("=")[2])


def test_a_song_that_has_left_has_a_view(visit, shared):
    page = visit(shared, ROAD_TRIP)
    page.get_by_role("region", name="Recent changes").get_by_role("link", name="Gone").click()
    page.get_by_role("heading", level=1, name="Gone").wait_for()
    found = row(page, "Playlists with this song", "Road Trip")
    assert (found["Position"], found["Snapshots"], found["Last seen"]) == ("left", "114", "29 Dec 2026")
    assert tile(page, "playlists on 4 Jan 2027") == "0"
    drawn = positions(page, "chart.data.datasets[0].data.filter(({ y }) => y).map(({ x, y }) => [x, y])")
    assert drawn[-1] == [113, 31]


def test_an_artist_has_a_view(visit, shared):
    page = visit(shared)
    page.get_by_role("table", name="Artists", exact=True).get_by_role("link", name="Marina").click()
    page.get_by_role("heading", level=1, name="Marina").wait_for()
    assert fragment(page) == MARINA
    assert tile(page, "different songs on 4 Jan 2027") == "10"
    songs = dict(
        zip(
            column(page, "Songs of this artist", "Song"),
            column(page, "Songs of this artist", "Playlists"),
            strict=True,
        )
    )
    assert len(songs) == 12, "ten of today, and two that left"
    assert (songs["Tide 0Marina"], songs["Tide 5Marina"], songs["GoneMarina"]) == ("2", "1", "0")
    road_trip = row(page, "Playlists with this artist", "Road Trip")
    assert (road_trip["Songs"], road_trip["Position"], road_trip["Best"]) == ("10", "1", "1")
    page.get_by_role("table", name="Songs of this artist").get_by_role("link", name="Tide 3").click()
    page.get_by_role("heading", level=1, name="Tide 3").wait_for()


def test_from_a_song_one_returns_to_the_same_place(visit, shared):
    page = visit(shared, f"{ROAD_TRIP}&days=30")
    name = page.get_by_role("table", name=re.compile("^Entries of")).get_by_role("link", name="Other 9")
    name.scroll_into_view_if_needed()
    page.wait_for_function("scrollY > 300")
    before = page.evaluate("scrollY")
    for way in ("link", "button"):
        name.click()
        page.get_by_role("heading", level=1, name="Other 9").wait_for()
        assert page.evaluate("scrollY") == 0
        if way == "link":
            page.locator("main").get_by_role("link", name="← Road Trip").click()
        else:
            page.go_back()
        page.get_by_role("heading", level=1, name="Road Trip").wait_for()
        assert fragment(page) == f"{ROAD_TRIP}&days=30"
        page.wait_for_function(f"Math.abs(scrollY - {before}) < 100")


def test_the_way_back_leads_out_of_songs_and_artists(visit, shared):
    page = visit(shared, ROAD_TRIP)
    page.get_by_role("table", name=re.compile("^Entries of")).get_by_role("link", name="Tide 0").click()
    page.locator(".head").get_by_role("link", name="Marina").click()
    page.get_by_role("heading", level=1, name="Marina").wait_for()
    page.get_by_role("link", name="← Road Trip").click()
    page.get_by_role("heading", level=1, name="Road Trip").wait_for()


def test_a_bookmarked_song_opens(visit, shared):
    page = visit(shared, TIDE_0)
    assert page.get_by_role("heading", level=1).text_content() == "Tide 0"
    page.get_by_role("link", name="← All playlists").click()
    page.get_by_role("heading", level=1, name="All playlists").wait_for()


@pytest.mark.parametrize("kind", ["song", "artist", "playlist"])
def test_a_bookmark_of_what_is_gone_says_so(visit, shared, kind):
    page = visit(shared, f"#{kind}={SCRIPT}")
    assert page.get_by_role("heading", level=1).text_content() == f"This {kind} is not in the report"
    assert page.get_by_text("The report covers 7 September 2026 to 4 January 2027").is_visible()
    assert page.locator("html[data-taken]").count() == 0
    page.get_by_role("link", name="← All playlists").click()
    page.get_by_role("heading", level=1, name="All playlists").wait_for()


def test_every_name_leads_to_its_view(visit, shared, weeks):
    page = visit(shared, ROAD_TRIP)
    assert page.locator("main a[href*='/track/'], main a[href*='/artist/']").count() == 0
    addresses = page.locator("main a[href^='#song='], main a[href^='#artist=']").evaluate_all(
        "all => [...new Set(all.map(one => one.getAttribute('href')))]"
    )
    assert len(addresses) == 30, "25 songs, what has left, and the artists"
    page = visit(weeks, playlist("Once"))  # every kind of entry, some without an id
    names = page.locator("tbody .name b a")
    for number in range(names.count()):
        name = names.nth(number).text_content()
        names.nth(number).click()
        page.locator("h1", has_text=name).wait_for()
        assert page.get_by_role("table", name="Playlists with this song").is_visible()
        page.go_back()
        page.get_by_role("table", name=re.compile("^Entries of")).wait_for()


def test_songs_and_artists_of_the_charts_have_views(visit, with_charts, only_charts):
    page = visit(with_charts, "#charts&region=Finland")
    songs = page.get_by_role("table", name="Songs, Finland")
    name = songs.locator("tbody th b").first.text_content()
    peak = column(page, "Songs, Finland", "Peak")[0]
    songs.get_by_role("link", name=name).first.click()
    page.get_by_role("heading", level=1, name=name).wait_for()
    assert row(page, "Charts with this song", "Finland")["Peak"] == peak
    page.get_by_role("link", name="← Charts").click()
    artist = page.get_by_role("table", name="Artists, Finland").locator("tbody a").first
    by, streams = artist.text_content(), column(page, "Artists, Finland", "Streams")[0]
    artist.click()
    page.get_by_role("heading", level=1, name=by).wait_for()
    assert row(page, "Charts with this artist", "Finland")["Streams"] == streams
    page = visit(only_charts, "#charts")
    page.get_by_role("table", name="Songs, Chile").get_by_role("link", name=SCRIPT).click()
    page.get_by_role("heading", level=1, name=SCRIPT).wait_for()
    assert page.locator("html[data-taken]").count() == 0


@pytest.mark.parametrize("view", [TIDE_0, MARINA])
def test_views_of_songs_and_artists_fit_a_phone(visit, shared, view):
    page = visit(shared, view, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    chooser = page.get_by_label("Show", exact=True)
    assert chooser.locator("option:checked").text_content() in {"Tide 0", "Marina"}
    chooser.select_option(label="Road Trip")
    page.get_by_role("heading", level=1, name="Road Trip").wait_for()
    assert chooser.locator("option", has_text="Marina").count() == 0


def test_the_skip_link_stays_in_the_view(visit, shared):
    page = visit(shared, TIDE_0)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.get_by_role("heading", level=1).text_content() == "Tide 0"


def test_a_long_title_is_whole(visit, shared):
    page = visit(shared, ROAD_TRIP)
    title = page.get_by_role("table", name=re.compile("^Entries of")).get_by_role("link", name=LONG_TITLE)
    assert title.evaluate("one => one.getBoundingClientRect().height") < 120


def test_songs_of_one_name_have_addresses_of_their_own(visit, tmp_path_factory):
    lake = Lake()
    files = [payloads.local_file(name="Same", uri=f"spotify:local:{by}::Same:1") for by in ("A", "B", "C")]
    lake.add(snapshot(FIRST, [payloads.entry(file, is_local=True) for file in files]))
    page = visit(write(lake, tmp_path_factory), playlist("Road Trip"))
    links = page.get_by_role("table", name=re.compile("^Entries of")).get_by_role("link", name="Same")
    addresses = [link.get_attribute("href") for link in links.all()]
    assert addresses == ["#song=Same", "#song=Same+%282%29", "#song=Same+%283%29"]
