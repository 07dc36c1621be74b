"""How far a lake grows before something breaks: `python -m bench.scale` writes docs/scale.md from measured numbers.

The numbers come from bench/results.json, the settings from the template, and the prices from bench/prices.toml. What
AWS and others publish, and what is assumed, are constants in this module that the page names.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import cost
from bench.cost import CHANGED, DAYS, FULL_SPEED_MB, PRICES, REQUEST_S, ROOT, SPOTIFY_S, Settings, Use
from bench.growth import WHOLE
from spotify_lake.extract.continuation import MAX_CONTINUATIONS, SHORTEST_WAIT_S
from spotify_lake.schema.playlists import TABLES

TEMPLATE: Final = Path(__file__).with_name("scale.template.md")
PAGE: Final = ROOT / "docs" / "scale.md"

STEPS: Final = (20, 100, 1_000, 10_000)  # playlists
YEARS: Final = (1, 3, 10)
USUAL: Final = 20  # playlists, over years
SLOW_S: Final = 10.0  # a question that takes longer is noticed

# A query over many small objects, as published: seconds for one object, and for each further one. AWS ("Top 10
# performance tuning tips for Amazon Athena") counted rows of 100,000 files in 13 seconds and of one in 1.3; somebody
# else (kine-dmd/athena-query-speed-experiment on GitHub) took 201 seconds for a million and 2.3 for ten.
ATHENA: Final = ((1.3, (13 - 1.3) / 100_000), (2.3, (201.15 - 2.3) / 1_000_000))
ATHENA_LEAST_BYTES: Final = 10e6  # that a query is charged for

# Nobody publishes a development app's quota. One project reported QUOTA_EXCEEDED after 600 requests of one kind in a
# day, while 512 for playlists and their entries, in the same time, had passed (eXPerience83/news-bulletin-playlist on
# GitHub, issue 156, September 2026).
QUOTA: Final = 600
PAGES: Final = 2  # of entries, for a playlist of a hundred
EXTRACT_LIMIT_S: Final = 900
REPORT_LIMIT_S: Final = 600
EVENT_LIMIT_BYTES: Final = 262_144  # of a schedule's event
ID_BYTES: Final = 25  # of a playlist's id in it

SQS_START: Final = 5  # batches at a time that Lambda starts with, as documented
SQS_MORE_PER_S: Final = 300 / 60  # by which it grows
BACKLOG: Final = 365 * USUAL  # objects
CONCURRENCIES: Final = (5, 50)

PLAYS: Final = 1_000_000
PLAYS_READS: Final = 4  # of the table, by the view listening

OPTIMIZER_FILES: Final = 100  # of a table, after which the Glue optimizer compacts them, as documented
OPTIMIZER_DPU_HOURS: Final = 2 * 5 / 60  # of a run; AWS documents only the price and a minimum of a minute

type Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Reading:
    """What a query reads: objects, folders to list, and their bytes with all columns."""

    objects: float
    listings: float
    size_bytes: float

    @property
    def seconds(self) -> tuple[float, float]:
        """Estimated time on Athena by either published test. A listing counts like an object."""
        low, high = (start + (self.objects + self.listings) * each for start, each in ATHENA)
        return low, high

    def dollars(self, prices: Mapping[str, Any]) -> float:
        """Return what Athena and S3 charge for the query."""
        return float(
            max(self.size_bytes, ATHENA_LEAST_BYTES) / 1e12 * prices["athena_tb"]["each"]
            + self.listings * prices["s3_put"]["each"]
            + self.objects * prices["s3_get"]["each"]
        )


def main() -> None:
    """Write the page."""
    PAGE.write_text(
        page(cost.measured_numbers(), tomllib.loads(PRICES.read_text()), cost.template_settings())
    )


def statements(measured: Numbers) -> list[str]:
    """Return the saved questions and views whose reads were counted."""
    suffix = ": whole tables"
    return [name.removeprefix("reads of ").removesuffix(suffix) for name in measured if name.endswith(suffix)]


def questions(measured: Numbers) -> list[str]:
    """Return the saved questions among them."""
    return [name for name in statements(measured) if name not in WHOLE]


def reading(name: str, playlists: int, days: int, measured: Numbers) -> Reading:
    """Return what a question or view reads in a lake of some days.

    Parameters
    ----------
    name
        Of the question or view.
    playlists, days
        Number of playlists in the lake, and its age.
    measured
        The numbers in bench/results.json.
    """
    whole, bounded, whole_bytes, bounded_bytes = (
        measured[f"reads of {name}: {what}"]
        for what in ("whole tables", "days", "bytes of whole tables a day", "bytes")
    )
    listings = whole * days + bounded
    return Reading(listings * playlists, listings, playlists * (whole_bytes * days + bounded_bytes))


def engine_s(name: str, read: Reading, measured: Numbers) -> float:
    """Return the CPU seconds of a query on an engine on one machine (DuckDB)."""
    return read.objects * measured[f"reads of {name}: CPU s an object"]


def slow_after_days(name: str, playlists: int, measured: Numbers) -> int | None:
    """Return the age at which a query takes `SLOW_S` by the slower test; None if it never does."""
    if not (whole := measured[f"reads of {name}: whole tables"]):
        return None
    start, each = ATHENA[1]
    days = ((SLOW_S - start) / each / (playlists + 1) - measured[f"reads of {name}: days"]) / whole
    return max(0, math.floor(days))


def spotify_requests(playlists: int, measured: Numbers) -> float:
    """Return the requests of a daily run: a changed playlist is read in two runs."""
    return (
        measured["run_changed: Spotify"]
        + math.ceil(playlists / 50)
        - 1
        + _read_share() * playlists * measured["each_changed: Spotify"]
    )


def playlists_within_quota() -> int:
    """Return how many playlists need `QUOTA` requests for pages of entries a day."""
    return math.floor(QUOTA / PAGES / _read_share())


def _read_share() -> float:
    """Return the share of playlists that are read: those that changed since the run before, or in that run."""
    return 1 - (1 - CHANGED) ** 2


def extract_s(playlists: int, measured: Numbers, settings: Settings) -> float:
    """Return the seconds that a daily run takes in all, continuations included."""
    read = _read_share() * playlists
    parts = (("changed", read), ("unchanged", playlists - read))
    cpu_s = sum(number * measured[f"each_{what}: extract CPU s"] for what, number in parts)
    requests = sum(
        0.25 * number * measured[f"each_{what}: {kind}"]  # the transform sends the others
        for what, number in parts
        for kind in cost.AWS_REQUESTS
        if f"each_{what}: {kind}" in measured
    )
    return (
        (cpu_s + measured["import_extract_cpu_s"]) * _slower(settings.memory_mb["extract"])
        + requests * REQUEST_S
        + spotify_requests(playlists, measured) * SPOTIFY_S
    )


def _slower(memory_mb: int) -> float:
    return max(1.0, FULL_SPEED_MB / memory_mb)


def transform_s(measured: Numbers, settings: Settings) -> float:
    """Return the seconds of a warm transform of one raw object."""
    requests = 0.75 * sum(measured[f"each_changed: {kind}"] for kind in ("S3 PUT", "S3 GET"))
    return measured["warm_invocation_cpu_s"] * _slower(settings.memory_mb["transform"]) + requests * REQUEST_S


def backlog_s(objects: int, concurrency: int, measured: Numbers, settings: Settings) -> float:
    """Return the seconds in which Lambda clears a queue, with one cold start for each function at work.

    Parameters
    ----------
    objects
        Messages, one for each raw object.
    concurrency
        TransformConcurrency.
    measured, settings
        Numbers and settings.
    """
    each = transform_s(measured, settings)
    cold = measured["import_transform_cpu_s"] * _slower(settings.memory_mb["transform"])
    work = objects * each + concurrency * cold  # seconds of one function
    first = min(SQS_START, concurrency)
    ramp_s = (concurrency - first) / SQS_MORE_PER_S
    in_ramp = (first + concurrency) / 2 * ramp_s
    if work <= in_ramp:  # first × t + SQS_MORE_PER_S × t² / 2 = work
        return (math.sqrt(first**2 + 2 * SQS_MORE_PER_S * work) - first) / SQS_MORE_PER_S
    return ramp_s + (work - in_ramp) / concurrency


@dataclass(frozen=True)
class Report:
    """A report's estimated time, with Athena's by the slower test, its page and what S3 charges for reading."""

    seconds: float
    page_mb: float
    gets: float


def report(playlists: int, measured: Numbers, settings: Settings) -> Report:
    """Return what the report takes; its page and CPU time grow with the playlists as from 10 to 100."""
    requests = cost.report_requests(Use(playlists), measured, settings)
    start, each = ATHENA[1]
    grown = {
        what: _line(
            playlists,
            *((size, measured[f"report_{size}_{settings.report_days}: {what}"]) for size in (10, 100)),
        )
        for what in ("page bytes", "CPU s")
    }
    return Report(
        # The first query runs before the other two, which run at the same time.
        seconds=2 * start
        + (requests.gets + requests.puts) * each
        + grown["CPU s"] * _slower(settings.memory_mb["report"]),
        page_mb=grown["page bytes"] / 1e6,
        gets=requests.gets,
    )


def _line(at: float, one: tuple[float, float], other: tuple[float, float]) -> float:
    slope = (other[1] - one[1]) / (other[0] - one[0])
    return max(0.0, one[1] + slope * (at - one[0]))


def iceberg_dollars(playlists: int, batches_a_day: int, prices: Mapping[str, Any]) -> float:
    """Return what copying new objects into Iceberg tables costs in a month.

    Each batch is one INSERT a table, which reads the objects of today and yesterday, and adds one file; the Glue
    optimizer merges them.
    """
    tables, batches = len(TABLES), batches_a_day * DAYS
    inserts = tables * batches
    charged = inserts * ATHENA_LEAST_BYTES / 1e12 * prices["athena_tb"]["each"]
    requests = inserts * 2 * (playlists * prices["s3_get"]["each"] + prices["s3_put"]["each"])
    runs = tables * batches / OPTIMIZER_FILES
    return float(charged + requests + runs * OPTIMIZER_DPU_HOURS * prices["glue_optimizer_dpu_hour"]["each"])


def page(measured: Numbers, prices: Mapping[str, Any], settings: Settings) -> str:
    """Return docs/scale.md: bench/scale.template.md with what was computed."""
    each = transform_s(measured, settings)
    run_limit = (MAX_CONTINUATIONS + 1) * EXTRACT_LIMIT_S
    per_playlist = (extract_s(2_000, measured, settings) - extract_s(1_000, measured, settings)) / 1_000
    listening = Reading(
        PLAYS_READS * PLAYS * measured["plays_objects"],
        PLAYS_READS * 12 * 15,  # a folder for each month of fifteen years
        PLAYS_READS * PLAYS * measured["plays_bytes"],
    )
    slow_question = _slowest(1_000, 3650, measured)
    return TEMPLATE.read_text().format(
        changed=CHANGED,
        questions=len(questions(measured)),
        steps=_rows(_step(playlists, measured, prices, settings) for playlists in STEPS),
        years=_rows(
            row for name in ("questions", *_whole(measured)) for row in [_aged(name, measured, prices)]
        ),
        bounded=_listed(name for name in WHOLE if name not in _whole(measured)),
        whole=_listed(_whole(measured)),
        slow_s=SLOW_S,
        slow_years=_years(slow_after_days("song_history", USUAL, measured)),
        slow_years_100=_years(slow_after_days("song_history", 100, measured)),
        slow_question=slow_question,
        slow_question_s=_span(reading(slow_question, 1_000, 3650, measured).seconds),
        usual=USUAL,
        waits=_rows(_waits(measured)),
        backlogs=_rows(
            (
                f"AWS, {concurrency} at a time",
                f"{concurrency / each:,.0f}",
                _duration(backlog_s(BACKLOG, concurrency, measured, settings)),
            )
            for concurrency in CONCURRENCIES
        ),
        backlog=BACKLOG,
        laptop=_duration(BACKLOG / measured["backlog_1_objects_per_s"]),
        laptop_rate=measured["backlog_1_objects_per_s"],
        emulator_ms=1000 * measured["backlog_emulator_cpu_s"],
        workers_ms=1000 * measured["backlog_workers_cpu_s"],
        laptop_most=measured["backlog_cores"]
        / (measured["backlog_emulator_cpu_s"] + measured["backlog_workers_cpu_s"]),
        cores=measured["backlog_cores"],
        transform_s=each,
        quota=QUOTA,
        within_quota=_short(playlists_within_quota()),
        one_run=_short((EXTRACT_LIMIT_S - extract_s(0, measured, settings)) / per_playlist),
        all_runs=_short(run_limit / per_playlist),
        continuations=MAX_CONTINUATIONS,
        continuation_wait=SHORTEST_WAIT_S,
        event_playlists=_short(EVENT_LIMIT_BYTES / ID_BYTES),
        scan_limit=settings.scan_limit_mb,
        whole_gb=reading("song_history", 1_000, 365, measured).size_bytes / 1e9,
        question_gb=reading(slow_question, 10_000, 365, measured).size_bytes / 1e9,
        report_days=settings.report_days,
        report_limit=REPORT_LIMIT_S / 60,
        plays=PLAYS,
        plays_import=_duration(measured["plays_import_s"] * PLAYS / 500_000),
        plays_transform=PLAYS * measured["plays_transform_cpu_s"],
        plays_mb=PLAYS * measured["plays_bytes"] / 1e6,
        plays_objects=PLAYS * measured["plays_objects"],
        plays_s=_span(listening.seconds),
        plays_dollars=listening.dollars(prices),
        iceberg=_rows(
            (
                f"{playlists:,}",
                f"${iceberg_dollars(playlists, 24, prices):,.2f}",
                f"${iceberg_dollars(playlists, 1, prices):,.2f}",
                f"${_daily_whole(playlists, prices, measured):,.2f}",
            )
            for playlists in STEPS
        ),
        tables=len(TABLES),
        optimizer=prices["glue_optimizer_dpu_hour"]["each"],
        optimizer_dpu_minutes=60 * OPTIMIZER_DPU_HOURS,
        optimizer_files=OPTIMIZER_FILES,
        athena_low=1000 * ATHENA[0][1],
        athena_high=1000 * ATHENA[1][1],
        request_ms=1000 * REQUEST_S,
        spotify_ms=1000 * SPOTIFY_S,
    )


def _step(
    playlists: int, measured: Numbers, prices: Mapping[str, Any], settings: Settings
) -> tuple[str, ...]:
    """Return the row of a size of lake."""
    written = report(playlists, measured, settings)
    month = sum(
        cost.dollars(cost.quantities(Use(playlists), measured, settings), prices, "arm64", free=True).values()
    )
    run_s = extract_s(playlists, measured, settings)
    slowest = _slowest(playlists, 365, measured)
    objects = playlists * (1 + len(TABLES))
    return (
        f"{playlists:,}",
        f"{spotify_requests(playlists, measured):,.0f}",
        f"{_duration(run_s)}, {math.ceil(run_s / EXTRACT_LIMIT_S) - 1} continuations",
        _duration(backlog_s(playlists, settings.concurrency, measured, settings)),
        f"{objects:,}",
        f"{objects * 365:,}",
        f"{_span(reading(slowest, playlists, 365, measured).seconds)}",
        f"{_duration(written.seconds)}, {written.page_mb:,.0f} MB",
        f"${month:,.2f}",
    )


def _slowest(playlists: int, days: int, measured: Numbers) -> str:
    return max(questions(measured), key=lambda name: reading(name, playlists, days, measured).seconds)


def _whole(measured: Numbers) -> list[str]:
    return [name for name in statements(measured) if measured[f"reads of {name}: whole tables"]]


def _aged(name: str, measured: Numbers, prices: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the row of a query, or of the slowest saved question, over years."""
    cells = []
    of = _slowest(USUAL, 365 * YEARS[-1], measured) if name == "questions" else name
    for years in YEARS:
        read = reading(of, USUAL, 365 * years, measured)
        cells += [
            f"{read.objects:,.0f}",
            _span(read.seconds),
            f"${read.dollars(prices):.3f}",
            f"{engine_s(of, read, measured):,.1f} s",
        ]
    slow = slow_after_days(of, USUAL, measured)
    what = f"slowest question (`{of}`)" if name == "questions" else f"view `{name}`"
    return (what, *cells, _years(slow))


def _waits(measured: Numbers) -> Iterable[tuple[str, ...]]:
    for entries in (300, 2_000, 10_000):
        ours, theirs = (measured[f"{whose}_new_{entries}_cpu_s"] for whose in ("transform", "tutorial"))
        yield (
            f"{entries:,}",
            *(f"{1000 * seconds:,.0f} ms" for seconds in (ours, theirs)),
            *(_duration(seconds * BACKLOG) for seconds in (ours, theirs)),
        )


def _daily_whole(playlists: int, prices: Mapping[str, Any], measured: Numbers) -> float:
    """Return the dollars of a month in which `song_history` of a year is asked every day."""
    return DAYS * reading("song_history", playlists, 365, measured).dollars(prices)


def _rows(cells: Iterable[Iterable[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _listed(names: Iterable[str]) -> str:
    *others, last = [f"`{name}`" for name in names]
    return f"{', '.join(others)} and {last}" if others else last


def _span(seconds: tuple[float, float]) -> str:
    low, high = sorted(seconds)
    return f"{low:,.0f} to {high:,.0f} s" if f"{low:,.0f}" != f"{high:,.0f}" else f"{low:,.0f} s"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"


def _years(days: int | None) -> str:
    return "never" if days is None else f"{days / 365:.1f} years"


def _short(number: float) -> str:
    """Round to two digits, as an estimate deserves."""
    scale = 10 ** (math.floor(math.log10(number)) - 1)
    return f"{round(number / scale) * scale:,.0f}"


if __name__ == "__main__":
    main()
