"""Run the measurements and write bench/results.md: `make bench`, or `QUICK=1 make bench` for two minutes.

A measurement is a module of this package with a function `measure(quick=…)` that returns a `Measured`. MEASUREMENTS
lists them in the order of the table.
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
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.finding import Measured

MEASUREMENTS: Final = (
    "transform", "memory", "cold_start", "request_counts", "report", "backlog", "commands", "growth",
    "listening", "charts",
)  # fmt: skip
ON_REQUEST: Final = "charts"  # needs Spark, 20 GB and ten minutes: `make bench-charts`
RESULTS: Final = Path(__file__).with_name("results.md")
NUMBERS: Final = Path(__file__).with_name("results.json")
PACKAGES: Final = ("awswrangler", "pandas", "pyarrow", "msgspec", "spotipy", "boto3")

type Sections = dict[str, dict[str, Any]]  # of results.json, by the measurement's name


def main() -> int:
    """Run the measurements and print the table; write it unless the run is quick."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="run shorter measurements for two minutes; write nothing"
    )
    parser.add_argument(
        "names",
        nargs="*",
        help=f"measurements to run (default: all but {ON_REQUEST}): {', '.join(MEASUREMENTS)}",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(MEASUREMENTS):
        parser.error(f"unknown measurement: {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore")  # from the tutorials' pandas code and from moto
    console = Console()
    sections: Sections = {}
    begun = time.monotonic()
    for name in arguments.names or [name for name in MEASUREMENTS if name != ON_REQUEST]:
        with console.status(f"Measuring: {name.replace('_', ' ')}"):
            measured: Measured = importlib.import_module(f"bench.{name}").measure(quick=arguments.quick)
        sections[name] = {"date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", "machine": _machine()} | asdict(
            measured
        )
    table = Table("measurement", "result", "goal", "met?")
    for row in rows(sections):
        table.add_row(*row)
    console.print(table)
    console.print(f"{time.monotonic() - begun:.0f} s", highlight=False)
    if not arguments.quick:
        before = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
        every = {name: section for name in MEASUREMENTS if (section := (before | sections).get(name))}
        NUMBERS.write_text(json.dumps(every, indent=1, ensure_ascii=False) + "\n")
        RESULTS.write_text(page(every))
    return 0


def rows(sections: Sections) -> list[tuple[str, str, str, str]]:
    """Return the rows of the table."""
    verdict = {True: "yes", False: "no", None: ""}
    found = [finding for section in sections.values() for finding in section["findings"]]
    return [(f["what"], f["measured"], f["goal"], verdict[f["met"]]) for f in found]


def page(sections: Sections) -> str:
    """Return bench/results.md."""
    runs = sorted({(section["date"], section["machine"]) for section in sections.values()})
    lines = [
        "# Benchmark results",
        "",
        *(f"Written by `make bench` on {date}: {machine}." for date, machine in runs),
        "",
        "Ratios compare median CPU seconds on the same input, measured in turns in one run. They hold on other",
        "machines; values per second do not. Where a goal is missed, docs/decisions/ says what was tried.",
        "",
        "| measurement | result | goal | met? |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows(sections)),
        "",
    ]
    for section in sections.values():
        for note in section["notes"]:
            lines += [note, ""]
    return "\n".join(lines)


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    system = f"{platform.system()} {platform.machine()}"
    return f"{_processor()}, {system}, Python {platform.python_version()}, {packages}"


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
