"""The view of plays in a real browser: its numbers against sums over the exported rows, and what the address keeps."""

import datetime as dt
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pytest

from local.spotify_stub.catalog import catalog
from tests.browser.conftest import POLLED, SCRIPT, ZONE
from tests.browser.test_report import PHONE
from tests.browser.test_report_views import fragment, row, tile
from tests.support import payloads

PERIODS = {"4w": 28, "6m": 183, "1y": 365, "all": 10_000}
LAST = dt.date(2026, 11, 19)
POLLED_SECONDS = 180


@dataclass(frozen=True)
class Heard:
    """A play, read from an exported row without the lake."""

    at: dt.datetime
    seconds: float
    song: tuple[str, str] | None
    album: str | None
    is_music: bool
    is_skipped: bool | None


@pytest.fixture(scope="session")
def right(exported):
    """Every play, by the plainest reading of the rows."""
    found = []
    for _, play in exported:
        moment = dt.datetime.fromisoformat(play["ts"])
        if play["offline"] and (stamp := play["offline_timestamp"]):
            moment = dt.datetime.fromtimestamp(stamp / 1000 if stamp > 1e11 else stamp, dt.UTC)
        title, artist = (play[f"master_metadata_{name}"] for name in ("track_name", "album_artist_name"))
        found.append(
            Heard(
                moment.astimezone(ZoneInfo(ZONE)),
                play["ms_played"] / 1000,
                (title, artist) if title else None,
                play["master_metadata_album_album_name"],
                play["spotify_track_uri"] is not None,
                bool(play["skipped"]) or play["reason_end"] == "fwdbtn",
            )
        )
    for first, number in ((POLLED, 3), (POLLED + dt.timedelta(hours=4), 50)):
        moments = [first + dt.timedelta(minutes=4 * place) for place in range(number)]
        found += [
            Heard(moment.astimezone(ZoneInfo(ZONE)), POLLED_SECONDS, (SCRIPT, SCRIPT), SCRIPT, True, None)
            for moment in moments
        ]
    return found


def within(plays, days):
    return [play for play in plays if (LAST - play.at.date()).days < days]


def spent(seconds):
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 359_820 else f"{round(seconds / 3600):,} h"


def number(text):
    """Read a time or a number of the page, in minutes where it is a time."""
    digits = float(re.search(r"[\d.,]+", text)[0].replace(",", ""))
    return digits * 60 if text.endswith(" h") else digits


def assert_times(texts, seconds):
    """The page shows minutes, and from 90 minutes on tenths of an hour; parts of a sum are whole seconds."""
    wrong = [
        (text, second)
        for text, second in zip(texts, seconds, strict=True)
        if abs(number(text) - second / 60) > (3.1 if text.endswith(" h") else 0.6)
    ]
    assert wrong == []


def sums(plays, what):
    found = defaultdict(float)
    for play in plays:
        if (key := what(play)) is not None:
            found[key] += play.seconds
    return found


def cells(page, caption, label):
    table = page.get_by_role("table", name=caption, exact=True)
    labels = [text.strip().replace("\u00a0", " ") for text in table.locator("thead th").all_text_contents()]
    at = labels.index(label) + 1
    return [
        text.replace("\u00a0", " ")
        for text in table.locator(f"tbody tr > :nth-child({at})").all_text_contents()
    ]


# --- Numbers ---


@pytest.mark.parametrize("period", PERIODS)
def test_the_totals_of_a_period(visit, heard, right, period):
    page = visit(heard, f"#listening=&period={period}")
    plays = within(right, PERIODS[period])
    songs = {play.song for play in plays if play.song and play.is_music}
    listened = tile(page, f"listened, {spent(53 * POLLED_SECONDS)} of it estimated")
    assert number(listened) == pytest.approx(sum(play.seconds for play in plays) / 60, rel=0.01)
    long = sum(play.seconds >= 30 for play in plays)
    assert tile(page, "plays of 30 seconds or more") == f"{long:,}"
    assert tile(page, "different songs") == f"{len(songs):,}"
    assert tile(page, "different artists") == f"{len({artist for _, artist in songs}):,}"
    known = [play.is_skipped for play in plays if play.is_skipped is not None and play.is_music]
    assert tile(page, "of songs skipped") == f"{100 * sum(known) / len(known):.0f}%"


@pytest.mark.parametrize("period", PERIODS)
def test_what_was_heard_most(visit, heard, right, period):
    page = visit(heard, f"#listening=&period={period}")
    plays = [play for play in within(right, PERIODS[period]) if play.is_music and play.song]
    for caption, what in (
        ("Songs heard most", lambda play: play.song),
        ("Artists heard most", lambda play: play.song[1]),
        ("Albums heard most", lambda play: (play.album, play.song[1])),
    ):
        ranked = sorted(sums(plays, what).values(), reverse=True)[:10]
        assert_times(cells(page, caption, "Time"), ranked)


def test_what_was_heard_most_often(visit, heard, right):
    page = visit(heard, "#listening=&period=all&songs.sort=-Plays")
    often = Counter(play.song for play in right if play.is_music and play.song and play.seconds >= 30)
    assert [number(text) for text in cells(page, "Songs heard most", "Plays")] == [
        plays for _, plays in often.most_common(10)
    ]


def test_an_estimated_time_is_marked(visit, heard):
    page = visit(heard, "#listening=&period=4w")
    odd = row(page, "Songs heard most", SCRIPT)
    assert odd["Time"].replace("\u00a0", " ") == "≈ 2.6 h"
    assert odd["Plays"] == "53"
    table = page.get_by_role("table", name="Songs heard most", exact=True)
    assert table.locator("abbr").count() == 1, "the others are exact"


def test_the_clock_is_in_the_time_zone(visit, heard, right):
    page = visit(heard, "#listening=&period=all")
    by_hour = sums(right, lambda play: (play.at.weekday(), play.at.hour))
    clock = page.locator("section", has=page.get_by_role("heading", name="Listening clock"))
    told = clock.locator("rect").evaluate_all("all => all.map(one => one.dataset.text)")
    assert len(told) == 7 * 24
    assert told[0].startswith("Monday, 00:00 to 01:00: ")
    times = [text.split(": ")[1].split(",")[0] for text in told]
    assert_times(times, [by_hour[divmod(place, 24)] for place in range(7 * 24)])


def test_the_calendar_has_every_day_and_marks_gaps(visit, heard, right):
    page = visit(heard, "#listening=&year=2025")
    by_day = sums(right, lambda play: play.at.date())
    calendar = page.locator("section", has=page.get_by_role("heading", name="Calendar"))
    told = calendar.locator("rect").evaluate_all("all => all.map(one => one.dataset.text)")
    assert len(told) == 365
    first = dt.date(2025, 1, 1)
    days = [first + dt.timedelta(days=place) for place in range(365)]
    assert_times([text.split(": ")[1].split(",")[0] for text in told], [by_day[day] for day in days])
    assert calendar.locator(".gap").count() == 0
    page.get_by_label("Year of the calendar").select_option("Last 12 months")
    [gap] = calendar.locator(".gap").evaluate_all("all => all.map(one => one.dataset.text)")
    assert gap == "19 November 2026: about 2.6 h, 53 plays. Plays may be missing."
    assert fragment(page) == "#listening"


def test_a_gap_is_listed_with_its_times(visit, heard):
    page = visit(heard, "#listening")
    assert page.get_by_role("heading", name="1 gap between polls").is_visible()
    [found] = page.get_by_role("table", name="Times in which plays may be missing").locator("tbody tr").all()
    assert found.locator("> *").all_text_contents() == ["19 Nov 2026, 09:08", "19 Nov 2026, 13:00", "3.9 h"]


def test_discovery_counts_first_plays(visit, heard, right):
    page = visit(heard, "#listening")
    firsts = {}
    for play in sorted(right, key=lambda play: play.at):
        if play.song:
            firsts.setdefault(play.song, play.at)
    artists = {}
    for (_, artist), moment in firsts.items():
        artists[artist] = min(moment, artists.get(artist, moment))
    discovery = page.locator("section", has=page.get_by_role("heading", name="Discovery"))
    discovery.get_by_text("Show data").click()
    discovery.locator("details table").wait_for()
    for month, name in (((2024, 6), "Jun 2024"), ((2025, 1), "Jan 2025"), ((2026, 11), "Nov 2026")):
        found = row(page, "New artists and songs by month", name)
        for label, of in (("New songs", firsts), ("New artists", artists)):
            new = sum((moment.year, moment.month) == month for moment in of.values())
            assert found[label] == str(new), (name, label)


def test_what_is_skipped_most(visit, heard, right):
    page = visit(heard, "#listening=&period=all")
    known = [play for play in right if play.song and play.is_skipped is not None]
    starts = Counter(play.song for play in known)
    skips = Counter(play.song for play in known if play.is_skipped)
    shares = sorted((skips[song] / starts[song] for song in starts if starts[song] >= 5), reverse=True)
    found = [number(text) for text in cells(page, "Songs skipped most", "Skipped")]
    assert found == pytest.approx([100 * share for share in shares[:10]], abs=0.5)


def test_podcasts_and_audiobooks_have_their_share(visit, heard, exported):
    page = visit(heard, "#listening=&period=all")
    milliseconds = Counter()
    for _, play in exported:
        kind = "Podcasts" if play["episode_name"] else "Audiobooks" if play["audiobook_title"] else "Songs"
        milliseconds[kind] += play["ms_played"]
    for kind in ("Podcasts", "Audiobooks"):
        assert number(row(page, "Kinds of plays", kind)["Time"]) == pytest.approx(
            milliseconds[kind] / 60_000, rel=0.02
        )


# --- Playlists against plays ---


def test_playlists_against_plays(visit, heard, right, exported):
    page = visit(heard, "#listening=&period=all&never.all=&unlisted.all=")
    known = {song.id: song for song in catalog().recordings}
    ids = {play["spotify_track_uri"].rsplit(":", 1)[-1] for _, play in exported if play["spotify_track_uri"]}
    names = {(title.lower(), artist.lower()) for title, artist in {play.song for play in right if play.song}}

    def was_played(song):
        return song.id in ids or any((song.name.lower(), by.name.lower()) in names for by in song.artists)

    listed = playlist_songs(page)
    assert len(listed) == 3
    for name, songs in listed.items():
        found = row(page, "Playlists against plays", name)
        assert found["Songs"] == str(len(songs))
        assert found["Never played"] == str(sum(not was_played(known[song]) for song in songs))
    every = set().union(*listed.values())
    never = sorted(known[song].name for song in every if not was_played(known[song]))
    assert never, "all were played"
    titles = page.get_by_role("table", name="Songs in playlists that were never played").locator("tbody b")
    assert sorted(titles.all_text_contents()) == never
    in_lists = {(known[song].name.lower(), by.name.lower()) for song in every for by in known[song].artists}
    unlisted = page.get_by_role("table", name="Songs in no playlist").locator("tbody tr").all()
    assert len(unlisted) >= 100
    for found in unlisted[:20]:
        title, by = (found.locator(part).first.text_content() for part in ("b", ".by"))
        assert (title.lower(), by.lower()) not in in_lists


def playlist_songs(page):
    """The ids of the songs in each playlist, from the page's data."""
    return page.evaluate(
        """() => {
            const { columns, content } = JSON.parse(document.getElementById("data").textContent);
            const song = columns.Entry.indexOf("song");
            return Object.fromEntries(
                content.playlists.map((list) => [list.name, list.entries.map((row) => content.songs[row[song]][0])]),
            );
        }"""
    )


# --- Songs and artists ---


def test_a_songs_own_view_has_its_plays(visit, heard, right):
    page = visit(heard, "#listening=&period=all")
    link = page.get_by_role("table", name="Songs heard most", exact=True).locator("tbody b a").nth(1)
    title = link.text_content()
    ranked = sorted(
        sums([p for p in right if p.is_music], lambda play: play.song).items(), key=lambda one: -one[1]
    )
    song = ranked[1][0]
    assert title == song[0]
    link.click()
    plays = [play for play in right if play.song == song]
    card = page.locator("section", has=page.get_by_role("heading", name="Plays", exact=True))
    assert card.get_by_text("Most in").is_visible()
    assert tile(page, "plays of 30 seconds or more") == str(sum(play.seconds >= 30 for play in plays))
    assert_times([tile(page, "listened")], [sum(play.seconds for play in plays)])
    for name, moment in (("first heard", min(p.at for p in plays)), ("last heard", max(p.at for p in plays))):
        day = dt.datetime.strptime(tile(page, name).replace("Sept", "Sep"), "%d %b %Y")  # noqa: DTZ007 - a day
        assert day.date() == moment.date()
    card.get_by_text("Show data").click()
    card.locator("details table").wait_for()
    months = Counter(f"{play.at:%b %Y}" for play in plays if play.seconds >= 30)
    told = dict(
        zip(cells(page, "Plays by month", "Month"), cells(page, "Plays by month", "Plays"), strict=True)
    )
    assert {month.replace("Sept", "Sep"): int(number) for month, number in told.items()} == months


def test_an_artist_of_plays_alone_has_a_view(visit, heard):
    page = visit(heard, "#listening=&period=4w")
    page.get_by_role("table", name="Artists heard most", exact=True).get_by_role("link", name=SCRIPT).click()
    assert page.get_by_role("heading", level=1).text_content() == SCRIPT
    assert tile(page, "plays of 30 seconds or more") == "53"
    assert tile(page, "listened").replace("\u00a0", " ") == "≈ 2.6 h"


def test_a_song_that_was_never_played_has_no_plays(visit, shared):
    page = visit(shared, f"#song={payloads.spotify_id('Tide 0')}")
    assert page.get_by_role("heading", name="Plays", exact=True).count() == 0


# --- The address, and what is awkward ---


def test_the_period_is_in_the_address(visit, heard):
    page = visit(heard, "#listening")
    pressed = page.get_by_role("group", name="Period").locator("[aria-pressed=true]")
    assert pressed.text_content() == "Year"
    page.get_by_role("button", name="4 weeks").click()
    assert fragment(page) == "#listening&period=4w"
    span = page.locator("#span")
    assert span.text_content() == "23 October 2026 to 19 November 2026, the last day with plays"
    page.go_back()
    page.wait_for_function("location.hash === '#listening'")
    assert pressed.text_content() == "Year"
    page.reload()
    assert span.text_content().startswith("20 November 2025 to 19 November 2026")


def test_without_plays_there_is_no_listening(visit, shared):
    page = visit(shared, "#listening")
    assert page.get_by_role("navigation").get_by_text("Listening").count() == 0
    assert page.get_by_role("heading", level=1).text_content() == "All playlists"


def test_plays_without_playlists(visit, only_heard):
    page = visit(only_heard, "#listening")
    assert tile(page, "plays of 30 seconds or more") == "53"
    assert page.get_by_role("group", name="Period").count() == 0, "a single day has one period"
    assert page.get_by_role("heading", name="Playlists against plays").count() == 0
    assert "19 Nov 2026, 13:00" in page.locator("main").text_content()


def test_text_from_outside_stays_text(visit, heard):
    page = visit(heard, "#listening=&period=4w")
    assert page.locator("html").get_attribute("data-taken") is None
    assert page.get_by_text(SCRIPT).count() >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_the_whole_width(visit, heard, scheme):
    page = visit(heard, "#listening", color_scheme=scheme, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    heat = page.locator(".heat.long")
    newest = heat.evaluate("heat => heat.closest('.scroll').scrollLeft")
    assert newest > 0, "the newest days are to be seen"
    page.locator(".heat:not(.long) rect").first.tap()
    assert page.get_by_text(re.compile("^Monday, 00:00 to 01:00: .* of the time")).is_visible()
