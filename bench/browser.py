"""How soon a report can be used once a browser opens it."""

from __future__ import annotations

import importlib
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any, Final

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
TURNS: Final = 5
READY_S: Final = 2  # a reader waits no longer


def ready_s(page: bytes) -> float | None:
    """Return the median seconds from opening a page to `data-ready`, or None without Chromium or Playwright.

    Parameters
    ----------
    page
        The report, as HTML.
    """
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        return None
    try:
        playwright: Any = importlib.import_module("playwright.sync_api")
    except ImportError:  # `make bench` installs it where there is a browser
        return None
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, playwright.sync_playwright() as driver:
        path = Path(folder) / "index.html"
        path.write_bytes(page)
        seconds: list[float] = []
        with driver.chromium.launch(executable_path=program, args=list(FLAGS)) as browser:
            for _ in range(TURNS):
                opened = browser.new_page()
                opened.goto(path.as_uri(), wait_until="commit")
                opened.wait_for_selector("html[data-ready]", state="attached")
                seconds.append(opened.evaluate("performance.now()") / 1000)
                opened.close()
    return statistics.median(seconds)
