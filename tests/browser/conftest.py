"""A browser of the machine's own, and pages to open in it."""

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from local.made_up_listening import Listener, history
from spotify_lake.report.page import render
from tests.support import charted, forecast_rows, listened, payloads, plays
from tests.support.lake_in_memory import Lake, generate, snapshot

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# Without the middle ones, Chromium looks for servers of its own at every start.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MADE = dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)
FIRST = dt.date(2026, 9, 7)
ZONE = "Europe/Berlin"
POLLED = dt.datetime(2026, 11, 19, 8, tzinfo=dt.UTC)  # end of the first play
LONG_TITLE = "The Lighthouse Keeper Counts the Ships That Pass before Morning Comes (Live)"
SCRIPT = "<script>document.documentElement.dataset.taken=''</script>"


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[[list[str]], Any]]:
    """Start a browser with more flags: ``with launch(flags) as browser``."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium here; install it, or name it in the variable CHROMIUM")
    playwright = pytest.importorskip("playwright.sync_api", reason="`make browser` installs Playwright")
    with playwright.sync_playwright() as driver:
        yield lambda flags: driver.chromium.launch(executable_path=program, args=[*FLAGS, *flags])


@pytest.fixture(scope="session")
def chromium(launch: Callable[[list[str]], Any]) -> Iterator[Any]:
    with launch([]) as browser:
        yield browser


@pytest.fixture(scope="session")
def years(tmp_path_factory) -> Path:
    """The page of two years of twenty playlists with a hundred entries."""
    lake = Lake()
    generate(lake, playlists=20, days=730, entries=100)
    return write(lake, tmp_path_factory)


@pytest.fixture(scope="session")
def weeks(tmp_path_factory) -> Path:
    """The page of what is awkward: a song called <script>, an empty list, one that ended, one seen once."""
    lake = Lake()
    for number in range(20):
        day = FIRST + dt.timedelta(days=number)
        first = [SCRIPT] if number > 3 else []
        lake.add(
            snapshot(day, [*first, *(f"Song {(number // 3 + place) % 40}" for place in range(30))]),
            snapshot(day, [], playlist_id=payloads.spotify_id("Empty"), name="Empty"),
        )
    lake.add(
        snapshot(FIRST, ["A", "B"], playlist_id=payloads.spotify_id("Ended"), name="Ended"),
        snapshot(FIRST + dt.timedelta(days=1), ["B"], playlist_id=payloads.spotify_id("Ended"), name="Ended"),
        snapshot(
            FIRST + dt.timedelta(days=19),
            payloads.every_kind(),
            playlist_id=payloads.spotify_id("Once"),
            name=SCRIPT,
        ),
    )
    return write(lake, tmp_path_factory)


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """The page of 120 days of two playlists that share three songs. Every song lasts an hour; two have left."""

    def hour(name: str, by: str) -> dict[str, Any]:
        return payloads.entry(payloads.song(name, artists=[payloads.artist(by)], duration_ms=3_600_000))

    lake = Lake()
    songs = [*(hour(f"Tide {number}", "Marina") for number in range(10)), hour(LONG_TITLE, "Lena")]
    songs += [hour(f"Other {number}", "Orla") for number in range(19)]
    leaving = {
        105: hour("Early", "Marina"),
        114: hour("Gone", "Marina"),
    }  # day on which each is no longer there
    for number in range(120):
        day = FIRST + dt.timedelta(days=number)
        order = songs if number < 60 else [songs[1], songs[0], *songs[2:]]
        still = [song for left, song in leaving.items() if number < left]
        lake.add(
            snapshot(day, [*order, *still]),
            snapshot(
                day, [songs[0], songs[1], songs[10]], playlist_id=payloads.spotify_id("Other"), name="Other"
            ),
        )
    return write(lake, tmp_path_factory)


@pytest.fixture(scope="session")
def nothing(tmp_path_factory) -> Path:
    """The page of a lake without snapshots."""
    return write(Lake(), tmp_path_factory)


@pytest.fixture(scope="session")
def with_charts(tmp_path_factory) -> Path:
    """The page of two playlists, and of charts of eighteen regions with their forecast, except for Turkey."""
    lake = Lake()
    generate(lake, playlists=2, days=20, entries=20)
    standings = list(charted.waves())
    lake.add_charts(standings)
    forecast = (region for region in charted.WAVE_REGIONS if region != "Turkey")
    lake.add_forecasts(forecast_rows.rows(standings, dt.date(2021, 12, 31), regions=set(forecast)))
    return write(lake, tmp_path_factory)


@pytest.fixture(scope="session")
def only_charts(tmp_path_factory) -> Path:
    """The page of a lake without snapshots, with the weekly charts of one country, and awkward titles."""
    lake = Lake()
    odd = [charted.track(1, SCRIPT, SCRIPT), charted.track(2, None)]
    weeks = [dt.date(2021, 12, 16), dt.date(2021, 12, 23)]
    lake.add_charts(
        charted.Standing(day, "Chile", "top200_weekly", rank, track, 1000 // rank)
        for day in weeks
        for rank, track in enumerate(odd, start=1)
    )
    return write(lake, tmp_path_factory)


@pytest.fixture(scope="session")
def exported() -> list[tuple[str, dict[str, Any]]]:
    """Two and a half years of plays as the extended history has them: form and row."""
    return list(history(Listener(plays=9000, first=dt.date(2024, 6, 1), last=dt.date(2026, 11, 18))))


@pytest.fixture(scope="session")
def heard(exported, tmp_path_factory) -> Path:
    """The page of three playlists and of these plays. On the day after them, two polls leave a gap."""
    lake = Lake()
    generate(lake, playlists=3, days=40, entries=60)
    add_plays(lake, exported)
    return write(lake, tmp_path_factory, ZONE)


@pytest.fixture(scope="session")
def only_heard(tmp_path_factory) -> Path:
    """The page of a lake without snapshots, with polls of one day."""
    lake = Lake()
    add_plays(lake, [])
    return write(lake, tmp_path_factory, ZONE)


def add_plays(lake: Lake, exported: list[tuple[str, dict[str, Any]]]) -> None:
    files = [plays.tables((row for of, row in exported if of == form), form) for form in ("audio", "video")]
    polled = plays.recent(
        name=SCRIPT, artists=[{"name": SCRIPT}], uri=f"spotify:track:{payloads.spotify_id('Odd')}"
    )
    polled["track"] |= {"duration_ms": 180_000, "album": {"name": SCRIPT}}

    def page(first: dt.datetime, number: int) -> list[dict[str, Any]]:
        moments = (first + dt.timedelta(minutes=4 * place) for place in range(number))
        return [polled | {"played_at": f"{moment:%Y-%m-%dT%H:%M:%S}Z"} for moment in moments]

    polls = [(POLLED + dt.timedelta(hours=2), page(POLLED, 3))]
    polls.append((POLLED + dt.timedelta(hours=12), page(POLLED + dt.timedelta(hours=4), 50)))
    lake.add_plays(listened.as_rows([*(files if exported else []), plays.polled(*polls)]))


def write(lake: Lake, tmp_path_factory: pytest.TempPathFactory, zone: str = "UTC") -> Path:
    path = tmp_path_factory.mktemp("report") / "index.html"
    path.write_bytes(render(msgspec.structs.replace(lake.report(zone=zone), charts=lake.charts(90)), MADE))
    return path


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a page; at the end, nothing may have been logged, thrown or asked of any server."""
    complaints: list[str] = []
    contexts = []

    def open_page(path: Path, view: str = "", *, width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
        page.on(
            "request",
            lambda request: request.url.startswith(("file:", "data:")) or complaints.append(request.url),
        )
        page.goto(path.as_uri() + view)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
