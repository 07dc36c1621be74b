"""Measure everything and write bench/results.md: `make bench`, or in two minutes `QUICK=1 make bench`.

A measurement is a module of this package with a function `measure(quick=…)` that returns a `Measured`; MEASUREMENTS
names them in the order of the table.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import json
import platform
import sys
import time
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.finding import Measured

MEASUREMENTS: Final = ("transform", "memory", "cold_start", "request_counts", "backlog", "growth")
RESULTS: Final = Path(__file__).with_name("results.md")
NUMBERS: Final = Path(__file__).with_name("results.json")
PACKAGES: Final = ("awswrangler", "pandas", "pyarrow", "msgspec", "spotipy", "boto3")


def main() -> int:
    """Run the measurements, print the table, and write it unless it is a quick or partial one."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="smaller and fewer, in two minutes; writes nothing"
    )
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(MEASUREMENTS)}; all by default")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(MEASUREMENTS):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    # A tutorial's transform warns of what it does, and so do the emulator's certificates.
    warnings.simplefilter("ignore")
    console = Console()
    measured: list[Measured] = []
    begun = time.monotonic()
    for name in arguments.names or MEASUREMENTS:
        with console.status(f"Measuring: {name.replace('_', ' ')}"):
            measured.append(importlib.import_module(f"bench.{name}").measure(quick=arguments.quick))
    console.print(_table(measured))
    for one in measured:
        console.print(*one.notes, sep="\n", highlight=False)
    console.print(f"{time.monotonic() - begun:.0f} s", highlight=False)
    if not (arguments.quick or arguments.names):
        RESULTS.write_text(_page(measured))
        numbers = {key: value for one in measured for key, value in sorted(one.numbers.items())}
        NUMBERS.write_text(json.dumps(numbers, indent=1) + "\n")
    return 0


def _rows(measured: Sequence[Measured]) -> list[tuple[str, str, str, str]]:
    verdict = {True: "yes", False: "no", None: ""}
    return [(f.what, f.measured, f.goal, verdict[f.met]) for one in measured for f in one.findings]


def _table(measured: Sequence[Measured]) -> Table:
    table = Table("what", "measured", "goal", "met?")
    for row in _rows(measured):
        table.add_row(*row)
    return table


def _page(measured: Sequence[Measured]) -> str:
    machine = f"{_processor()}, {platform.system()} {platform.machine()}"
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# Results of the benchmarks",
        "",
        f"Written by `make bench` on {dt.datetime.now(dt.UTC).date()}: {machine}, Python {platform.python_version()},",
        f"{packages}.",
        "",
        "Ratios are of CPU seconds on the same input in one run, in turns, medians: they hold on other machines, while",
        "what is per second does not. Where a goal is not met, docs/decisions/ says what was tried.",
        "",
        "| what | measured | goal | met? |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in _rows(measured)),
        "",
    ]
    for one in measured:
        for note in one.notes:
            lines += [note, ""]
    return "\n".join(lines)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )


if __name__ == "__main__":
    sys.exit(main())
