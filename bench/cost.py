"""What a lake costs per month: `python -m bench.cost` writes docs/costs.md from measured numbers and prices.

The numbers come from bench/results.json, which `make bench` writes, and the prices from bench/prices.toml. Everything
else is an assumption: a constant in this module that bench/costs.template.md, the page's text, names.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = Path(__file__).with_name("results.json")
PRICES: Final = Path(__file__).with_name("prices.toml")
TEMPLATE: Final = Path(__file__).with_name("costs.template.md")
PAGE: Final = ROOT / "docs" / "costs.md"

DAYS: Final = 30  # in a month
GOAL: Final = 0.50  # dollars for ten playlists daily
AWS_REQUESTS: Final = ("S3 PUT", "S3 GET", "Secrets Manager", "EventBridge")
CHANGED: Final = 0.3  # share of the playlists that change on a day
LISTENING: Final = 1 / 3  # share of the polls that find new plays: of those of eight hours a day
FULL_SPEED_MB: Final = 1769  # of memory, from which on a function has one CPU
REQUEST_S: Final = 0.03  # waiting for S3 and the like
SPOTIFY_S: Final = 0.25  # waiting for Spotify
REPORT_WAIT_S: Final = 20.0  # for Athena's answers
REPORT_CPU_S: Final = 1.0  # to write the page
FILES_OF_ANSWER: Final = 2  # that Athena writes: the rows and their columns' metadata
POLLED_MONTHS: Final = 12  # an object each day
FILES_OF_MONTH: Final = 2  # an audio file and a video file
MONTHS_OF_FILE: Final = 7  # in an export of 25 files over 15 years
READS_OF_PLAY_FILES: Final = 3  # references to it in the report's query
POLLS: Final = 5 * 3600 * 24 * DAYS / 20  # Lambda's pollers ask the queue five at a time, 20 seconds each
CRAWLER_HOURS: Final = 2 / 6  # units × ten minutes
LOG_LINE_BYTES: Final = 700
BULK_MINUTES: Final = 15  # an example: no load was timed on AWS


@dataclass(frozen=True)
class Settings:
    """Settings of the template that affect the cost."""

    memory_mb: Mapping[str, int]
    batch_size: int
    concurrency: int
    report_days: int
    reports: float
    crawler_runs: float
    alarms: int
    all_alarms: int
    workers: int
    scan_limit_mb: int


@dataclass(frozen=True)
class Use:
    """How a lake is used."""

    playlists: int
    runs_a_day: int = 1
    age_days: int = 365
    play_months: int = 0
    polls_a_day: int = 0


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(measured_numbers(), tomllib.loads(PRICES.read_text()), template_settings()))


def measured_numbers() -> dict[str, float]:
    """Read the numbers of all measurements."""
    sections = json.loads(RESULTS.read_text()).values()
    return {name: number for section in sections for name, number in section["numbers"].items()}


def template_settings() -> Settings:
    """Read the defaults of the template and its nested stacks."""
    root, monitoring, bulk = (
        yaml.load((ROOT / name).read_text(), _Loader)  # noqa: S506 - a SafeLoader
        for name in ("template.yaml", "stacks/monitoring.yaml", "stacks/bulk.yaml")
    )
    resources, parameters = root["Resources"], root["Parameters"]
    [mapping] = resources["TransformFunction"]["Properties"]["Events"].values()
    alarms = [r for r in monitoring["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    return Settings(
        memory_mb={
            name: resources[f"{name.capitalize()}Function"]["Properties"]["MemorySize"]
            for name in ("extract", "transform", "report")
        },
        batch_size=mapping["Properties"]["BatchSize"],
        concurrency=int(parameters["TransformConcurrency"]["Default"]),
        report_days=parameters["ReportDays"]["Default"],
        reports=_times_a_month(parameters["ReportSchedule"]["Default"]),
        crawler_runs=_times_a_month(parameters["CrawlerSchedule"]["Default"]),
        alarms=sum("Condition" not in alarm for alarm in alarms),
        all_alarms=len(alarms),
        workers=bulk["Resources"]["ChartsJob"]["Properties"]["NumberOfWorkers"],
        scan_limit_mb=parameters["AthenaScanLimitMB"]["Default"],
    )


def _times_a_month(schedule: str) -> float:
    """Read a cron expression that means once a day, once a week, or never if it is empty."""
    if not schedule:
        return 0
    weekday = schedule.removesuffix(")").split()[4]
    return DAYS if weekday in {"?", "*"} else DAYS / 7


class _Loader(yaml.CSafeLoader):
    """Reads the short forms of CloudFormation's functions as plain values."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, node: getattr(node, "value", None))


def quantities(use: Use, measured: Mapping[str, float], settings: Settings) -> dict[str, float]:
    """Return how much a lake uses in a month of each thing that has a price.

    Parameters
    ----------
    use
        How the lake is used.
    measured
        The numbers in bench/results.json.
    settings
        The template's defaults.
    """
    work = _work(use, measured)
    polls = _polls(use, measured)
    invocations = math.ceil(use.playlists / settings.batch_size)
    cold = min(invocations, settings.concurrency) * measured["import_transform_cpu_s"]
    report = report_requests(use, measured, settings)
    cpu_s = {
        "extract": DAYS * (work["extract CPU s"] + use.runs_a_day * measured["import_extract_cpu_s"])
        + polls["extract CPU s"],
        "transform": DAYS * (work["transform CPU s"] + cold) + polls["transform CPU s"],
        "report": settings.reports * (measured["import_report_cpu_s"] + REPORT_CPU_S),
    }
    waits = {
        "extract": DAYS * (work["extract requests"] * REQUEST_S + work["Spotify"] * SPOTIFY_S)
        + polls["extract requests"] * REQUEST_S
        + polls["Spotify"] * SPOTIFY_S,
        "transform": (DAYS * work["transform requests"] + polls["transform requests"]) * REQUEST_S,
        "report": settings.reports * REPORT_WAIT_S,
    }
    gb_seconds = sum(
        memory / 1024 * (cpu_s[name] * max(1.0, FULL_SPEED_MB / memory) + waits[name])
        for name, memory in settings.memory_mb.items()
    )
    return {
        "lambda_gb_second": gb_seconds,
        "lambda_request": DAYS * (use.runs_a_day + invocations)
        + settings.reports
        + polls["polls"]
        + polls["new"],
        "s3_put": DAYS * work["S3 PUT"] + settings.reports * report.puts + polls["S3 PUT"],
        "s3_get": DAYS * work["S3 GET"] + settings.reports * report.gets + polls["S3 GET"],
        "s3_gb_month": (
            use.age_days * use.playlists * measured["snapshot_bytes_changed"]
            + use.age_days / DAYS * polls["new"] * measured["poll_bytes"]
        )
        / 1e9,
        "sqs_request": POLLS + DAYS * (use.playlists + 2 * invocations) + 3 * polls["new"],
        "secret_month": 1,
        "secret_request": DAYS * work["Secrets Manager"] + polls["Secrets Manager"],
        "scheduler_invocation": DAYS * use.runs_a_day + settings.reports + polls["polls"],
        "eventbridge_event": DAYS * work["EventBridge"],
        "glue_dpu_hour": settings.crawler_runs * CRAWLER_HOURS,
        "athena_tb": settings.reports * report.queries * 10e6 / 1e12,
        "metric_hour": DAYS * use.runs_a_day * measured["metrics_changed"] + polls["metrics"],
        "alarm_month": settings.alarms,
        "dashboard_month": 1,
        "log_gb": LOG_LINE_BYTES
        * (DAYS * use.playlists * (1 + use.runs_a_day) + polls["polls"] + polls["new"])
        / 1e9,
    }


def _polls(use: Use, measured: Mapping[str, float]) -> Mapping[str, float]:
    """Return the requests, CPU seconds and metrics of a month's polls of plays; each is a cold start."""
    polls = DAYS * use.polls_a_day
    numbers = {"new": LISTENING * polls, "nothing": (1 - LISTENING) * polls}
    found = {
        kind: sum(number * measured.get(f"poll_{what}: {kind}", 0.0) for what, number in numbers.items())
        for kind in (*AWS_REQUESTS, "Spotify", "extract CPU s", "transform CPU s", "metrics")
    }
    found["extract CPU s"] += polls * measured["import_extract_cpu_s"]
    found["transform CPU s"] += numbers["new"] * measured["import_transform_cpu_s"]
    requests = sum(found[kind] for kind in AWS_REQUESTS)
    # The extract function reads secret and state; with new plays, it writes a raw object and the state.
    of_extract = 2 * polls + 2 * numbers["new"]
    return found | {
        "polls": polls,
        "new": numbers["new"],
        "extract requests": of_extract,
        "transform requests": requests - of_extract,
    }


def _work(use: Use, measured: Mapping[str, float]) -> Mapping[str, float]:
    """Return the requests and CPU seconds of a day's runs: the first lists and reads, the others find nothing new."""
    runs = [
        ("changed", use.playlists, CHANGED * use.playlists),
        ("unchanged", 0, (1 - CHANGED) * use.playlists),  # in the same run
        *[("unchanged again the same day", use.playlists, use.playlists)] * (use.runs_a_day - 1),
    ]
    work: dict[str, float] = defaultdict(float)
    for what, listed, playlists in runs:
        for scope, number in (("each", playlists), ("run", 1 if listed else 0)):
            found = {
                kind: number * measured.get(f"{scope}_{what}: {kind}", 0.0)
                for kind in (*AWS_REQUESTS, "Spotify", "extract CPU s", "transform CPU s")
            }
            requests = sum(found[kind] for kind in AWS_REQUESTS)
            part = 0.75 if found["transform CPU s"] else 0.0  # of the requests are sent by the transform
            found |= {"transform requests": part * requests, "extract requests": (1 - part) * requests}
            for kind, amount in found.items():
                work[kind] += amount
        work["Spotify"] += max(0, math.ceil(listed / 50) - 1)
    return work


@dataclass(frozen=True)
class Requests:
    """Requests of one report: those that S3 charges as PUTs, those it charges as GETs, and queries."""

    puts: float
    gets: float
    queries: float


def report_requests(use: Use, measured: Mapping[str, float], settings: Settings) -> Requests:
    """Return the requests of one report, as measured for that many days and playlists.

    Between measured numbers of playlists, the next smaller one decides how many days are read.
    """
    days = min(use.age_days, settings.report_days)
    counted = re.compile(rf"report_(\d+)_{days}: listings")
    sizes = [int(found[1]) for name in measured if (found := counted.fullmatch(name))]
    if not (fitting := [size for size in sizes if size <= use.playlists]):
        raise ValueError(f"no report of {days} days was measured: run `make bench WHAT=report`")
    size = f"report_{max(fitting)}_{days}"
    queries, listings = measured[f"{size}: queries"], measured[f"{size}: listings"]
    of_plays = requests_for_plays(use.play_months, measured)
    return Requests(
        puts=listings + measured[f"{size}: own PUTs"] + queries * FILES_OF_ANSWER + of_plays.puts,
        gets=listings * use.playlists + of_plays.gets,
        queries=queries + of_plays.queries,
    )


def requests_for_plays(months: int, measured: Mapping[str, float]) -> Requests:
    """Return what plays add to a report: one LIST a month, and one GET an object each time it is read."""
    if not months:
        return Requests(0, 0, 0)
    every, near = (measured[f"report_plays: reads of {what} months"] for what in ("all", "polled"))
    queries = 2
    polled = POLLED_MONTHS * DAYS  # objects
    return Requests(
        puts=every * months + near * POLLED_MONTHS + READS_OF_PLAY_FILES + queries * FILES_OF_ANSWER,
        gets=(
            every * (months * FILES_OF_MONTH + polled)
            + near * polled
            + READS_OF_PLAY_FILES * (months / MONTHS_OF_FILE + polled)
        ),
        queries=queries,
    )


def dollars(
    amounts: Mapping[str, float], prices: Mapping[str, Any], processor: str, *, free: bool
) -> dict[str, float]:
    """Return the cost of each amount, with or without the permanent free tier."""
    return {
        name: max(0.0, amount - (prices[name].get("free", 0) if free else 0))
        * prices[name].get("each", prices[name].get(processor, 0.0))
        for name, amount in amounts.items()
    }


def page(measured: Mapping[str, float], prices: Mapping[str, Any], settings: Settings) -> str:
    """Return docs/costs.md: bench/costs.template.md with what was computed."""

    def month(use: Use, *, free: bool, of: Settings = settings) -> float:
        return sum(dollars(quantities(use, measured, of), prices, "arm64", free=free).values())

    ten = Use(10)
    amounts = quantities(ten, measured, settings)
    listed = dollars(amounts, prices, "arm64", free=False)
    freed = dollars(amounts, prices, "arm64", free=True)
    total = sum(freed.values())
    sizes = (
        (
            f"{size:,}",
            *(f"${month(Use(size, runs), free=free):,.2f}" for runs in (1, 24) for free in (True, False)),
        )
        for size in (1, 10, 100, 1000)
    )
    details = (
        (
            prices[name]["what"],
            f"{amount:,.{0 if amount >= 10 else 3}f}",
            f"${listed[name]:.3f}",
            f"${freed[name]:.3f}",
        )
        for name, amount in amounts.items()
    )
    changes = {
        "the defaults": (ten, settings),
        "in the first month of the lake": (Use(10, age_days=30), settings),
        "after three years": (Use(10, age_days=1095), settings),
        "`ReportSchedule` weekly": (ten, replace(settings, reports=DAYS / 7)),
        "`ReportDays` 365": (ten, replace(settings, report_days=365)),
        "`CrawlerSchedule` weekly": (ten, replace(settings, crawler_runs=DAYS / 7)),
        "`CrawlerSchedule` monthly": (ten, replace(settings, crawler_runs=1)),
        "`AlarmSet` all": (ten, replace(settings, alarms=settings.all_alarms)),
        "`ScheduleExpression` hourly": (Use(10, 24), settings),
        "plays of 15 years, the last of them polled, in the report": (Use(10, play_months=180), settings),
        "`ListeningSchedule` every 30 minutes": (Use(10, polls_a_day=48), settings),
    }
    changed = ((name, f"${month(use, free=True, of=of):.2f}") for name, (use, of) in changes.items())
    arm, x86 = (
        dollars({"lambda_gb_second": 1e6}, prices, processor, free=False)["lambda_gb_second"]
        for processor in ("arm64", "x86_64")
    )
    dpu_hour = prices["glue_job_dpu_hour"]
    run_hours = settings.workers * BULK_MINUTES / 60
    return TEMPLATE.read_text().format(
        region=prices["region"],
        date=prices["date"],
        changed=CHANGED,
        listening=f"{24 * LISTENING:.0f}",
        sizes=_rows(sizes),
        total=total,
        goal=GOAL,
        verdict="met" if total <= GOAL else "not met",
        listed=sum(listed.values()),
        details=_rows(details),
        changes=_rows(changed),
        arm=arm,
        x86=x86,
        x86_more=x86 / arm - 1,
        gb_seconds=amounts["lambda_gb_second"],
        free_gb_seconds=prices["lambda_gb_second"]["free"],
        flex=dpu_hour["flex"],
        standard=dpu_hour["each"],
        minutes=BULK_MINUTES,
        workers=settings.workers,
        flex_run=run_hours * dpu_hour["flex"],
        standard_run=run_hours * dpu_hour["each"],
        full=FULL_SPEED_MB,
        request_ms=1000 * REQUEST_S,
        spotify_ms=1000 * SPOTIFY_S,
        report_s=REPORT_WAIT_S,
        polls=POLLS,
        again=settings.reports * report_requests(ten, measured, settings).gets * prices["s3_get"]["each"],
    )


def _rows(cells: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


if __name__ == "__main__":
    main()
