"""How long people wait for commands that should answer at once, on the laptop stack.

Seconds on the clock, from the program's start to its end. A stack that is running is used, and keeps the playlist that
this imports; otherwise one is started and taken down again.
"""

from __future__ import annotations

import datetime as dt
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.finding import Measured, at_most
from bench.isolated import ROOT
from local.emulator import clean_environment
from local.errors import LaptopError
from local.spotify_stub.catalog import base62_id
from local.stack import LaptopStack

TURNS: Final = 5  # and one before, which is not counted
GOALS: Final = {"--help": 0.3, "status --laptop": 1.5, "import of one small file": 1.5}  # seconds
FILE: Final = """position,track id,name,artist,added at
1,2WfaOiMkCvy7F5fcp2zZ8L,Take On Me,a-ha,2026-01-01T00:00:00Z
"""


def measure(*, quick: bool) -> Measured:
    """Run each command some times; report the median."""
    turns = 1 if quick else TURNS
    found: dict[str, list[float]] = {what: [] for what in GOALS}
    with _running(), tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "small.csv"
        file.write_text(FILE)
        for turn in range(turns + 1):
            at = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=1)
            options = ("--laptop", "--playlist", base62_id("bench commands"), "--at", at.isoformat())
            seconds = {
                "--help": _seconds("--help"),
                "import of one small file": _seconds("import", str(file), *options),
                "status --laptop": _seconds("status", "--laptop", succeeds=False),
            }
            if turn:
                for what, each in seconds.items():
                    found[what].append(each)
    medians = {what: statistics.median(found[what]) for what in GOALS}
    return Measured(
        [at_most(f"./lake {what}", medians[what], goal, "s") for what, goal in GOALS.items()],
        {f"command {what}: seconds": median for what, median in medians.items()},
    )


def _seconds(*arguments: str, succeeds: bool = True) -> float:
    """Return how long a command takes. The status of a lake that somebody uses may be bad: then it exits with 1."""
    begun = time.monotonic()
    answer = subprocess.run(
        [str(ROOT / "lake"), *arguments],
        env=clean_environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begun
    if answer.returncode not in ({0} if succeeds else {0, 1}):
        raise RuntimeError(f"./lake {arguments[0]} failed: {answer.stderr[-500:]}")
    return seconds


@contextmanager
def _running() -> Iterator[None]:
    stack = LaptopStack(ROOT, ROOT / ".local")
    try:
        stack.attach()
    except LaptopError:
        stack.up()
        try:
            yield
        finally:
            stack.down()
    else:
        yield
