"""What a lake costs per month: `python -m bench.cost` writes docs/costs.md from measured numbers and prices.

The numbers come from bench/results.json, which `make bench` writes, and the prices from bench/prices.toml. Everything
else is an assumption: a constant in this module that the page names.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = Path(__file__).with_name("results.json")
PRICES: Final = Path(__file__).with_name("prices.toml")
PAGE: Final = ROOT / "docs" / "costs.md"

DAYS: Final = 30  # in a month
CHANGED: Final = 0.3  # share of the playlists that change on a day
FULL_SPEED_MB: Final = 1769  # of memory, from which on a function has one CPU
REQUEST_S: Final = 0.03  # waiting for S3 and the like
SPOTIFY_S: Final = 0.25  # waiting for Spotify
REPORT_WAIT_S: Final = 20.0  # for Athena's answers
REPORT_CPU_S: Final = 1.0  # to write the page
FILES_OF_ANSWER: Final = 2  # that Athena writes: the rows and their columns' metadata
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


@dataclass(frozen=True)
class Use:
    """How a lake is used."""

    playlists: int
    runs_a_day: int = 1
    age_days: int = 365


def main() -> int:
    """Write the page, or with --check report whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    check = parser.parse_args().check
    text = page(measured_numbers(), tomllib.loads(PRICES.read_text()), template_settings())
    if check and PAGE.read_text() != text:
        sys.stderr.write("docs/costs.md is out of date: run `make costs`.\n")
        return 1
    if not check:
        PAGE.write_text(text)
    return 0


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
    work = _Work(measured)
    changed, unchanged = CHANGED * use.playlists, (1 - CHANGED) * use.playlists
    again = use.runs_a_day - 1
    work.runs("changed", use.playlists, changed)
    work.runs("unchanged", 0, unchanged)
    for _ in range(again):
        work.runs("unchanged again the same day", use.playlists, use.playlists)
    invocations = math.ceil(use.playlists / settings.batch_size)
    cold = min(invocations, settings.concurrency) * measured["import_transform_cpu_s"]
    report = report_requests(use, measured, settings)
    cpu_s = {
        "extract": DAYS * (work.extract_cpu_s + use.runs_a_day * measured["import_extract_cpu_s"]),
        "transform": DAYS * (work.transform_cpu_s + cold),
        "report": settings.reports * (measured["import_report_cpu_s"] + REPORT_CPU_S),
    }
    waits = {
        "extract": DAYS * (work.extract_requests * REQUEST_S + work.spotify * SPOTIFY_S),
        "transform": DAYS * work.transform_requests * REQUEST_S,
        "report": settings.reports * REPORT_WAIT_S,
    }
    gb_seconds = sum(
        memory / 1024 * (cpu_s[name] * max(1.0, FULL_SPEED_MB / memory) + waits[name])
        for name, memory in settings.memory_mb.items()
    )
    return {
        "lambda_gb_second": gb_seconds,
        "lambda_request": DAYS * (use.runs_a_day + invocations) + settings.reports,
        "s3_put": DAYS * work.counted["S3 PUT"] + settings.reports * report.puts,
        "s3_get": DAYS * work.counted["S3 GET"] + settings.reports * report.gets,
        "s3_gb_month": use.age_days * use.playlists * measured["snapshot_bytes_changed"] / 1e9,
        "sqs_request": POLLS + DAYS * (use.playlists + 2 * invocations),
        "secret_month": 1,
        "secret_request": DAYS * work.counted["Secrets Manager"],
        "scheduler_invocation": DAYS * use.runs_a_day + settings.reports,
        "eventbridge_event": DAYS * work.counted["EventBridge"],
        "glue_dpu_hour": settings.crawler_runs * CRAWLER_HOURS,
        "athena_tb": settings.reports * report.queries * 10e6 / 1e12,
        "metric_hour": DAYS * use.runs_a_day * measured["metrics_changed"],
        "alarm_month": settings.alarms,
        "dashboard_month": 1,
        "log_gb": DAYS * LOG_LINE_BYTES * use.playlists * (1 + use.runs_a_day) / 1e9,
    }


class _Work:
    """Adds up the work of a day's runs."""

    def __init__(self, measured: Mapping[str, float]) -> None:
        self._measured = measured
        self.counted: dict[str, float] = dict.fromkeys(
            ("S3 PUT", "S3 GET", "Secrets Manager", "EventBridge"), 0.0
        )
        self.extract_cpu_s = self.transform_cpu_s = 0.0
        self.extract_requests = self.transform_requests = self.spotify = 0.0

    def runs(self, what: str, listed: int, playlists: float) -> None:
        """Add playlists of one kind, and the work of a run itself if it lists any."""
        for scope, number in (("each", playlists), ("run", 1 if listed else 0)):
            found = {
                kind: number * self._measured.get(f"{scope}_{what}: {kind}", 0.0)
                for kind in (*self.counted, "Spotify", "extract CPU s", "transform CPU s")
            }
            for kind in self.counted:
                self.counted[kind] += found[kind]
            self.spotify += found["Spotify"]
            self.extract_cpu_s += found["extract CPU s"]
            self.transform_cpu_s += found["transform CPU s"]
            requests = sum(found[kind] for kind in self.counted)
            part = 0.75 if found["transform CPU s"] else 0.0  # of the requests are sent by the transform
            self.transform_requests += part * requests
            self.extract_requests += (1 - part) * requests
        self.spotify += max(0, math.ceil(listed / 50) - 1)


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
    return Requests(
        puts=listings + measured[f"{size}: own PUTs"] + queries * FILES_OF_ANSWER,
        gets=listings * use.playlists,
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
    """Return docs/costs.md."""

    def month(use: Use, *, free: bool, processor: str = "arm64", of: Settings = settings) -> float:
        return sum(dollars(quantities(use, measured, of), prices, processor, free=free).values())

    ten = Use(10)
    amounts = quantities(ten, measured, settings)
    listed = dollars(amounts, prices, "arm64", free=False)
    freed = dollars(amounts, prices, "arm64", free=True)
    goal, total = 0.50, sum(freed.values())
    lines = [
        *INTRODUCTION.format(**prices, changed=f"{CHANGED:.0%}").splitlines(),
        "",
        "| playlists | daily | daily, list prices | hourly | hourly, list prices |",
        "|---|---|---|---|---|",
    ]
    for playlists in (1, 10, 100, 1000):
        cells = [
            f"${month(Use(playlists, runs), free=free):,.2f}" for runs in (1, 24) for free in (True, False)
        ]
        lines.append(f"| {playlists:,} | {' | '.join(cells)} |")
    verdict = "met" if total <= goal else "not met"
    lines += [
        "",
        f"Ten playlists daily cost ${total:.2f} a month beyond the free tier. The goal of ${goal:.2f} is",
        f"**{verdict}**. Where other things in the account use up the free tier, it is ${sum(listed.values()):.2f}.",
        "",
        "## Ten playlists daily, in detail",
        "",
        "| what | per month | list price | beyond the free tier |",
        "|---|---|---|---|",
        *(
            f"| {LABELS[name]} | {amount:,.{0 if amount >= 10 else 3}f} | ${listed[name]:.3f} | ${freed[name]:.3f} |"
            for name, amount in amounts.items()
        ),
        "",
        "## What changes the cost",
        "",
        "| change, ten playlists daily | per month |",
        "|---|---|",
    ]
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
    }
    lines += [f"| {name} | ${month(use, free=True, of=of):.2f} |" for name, (use, of) in changes.items()]
    arm, x86 = (
        dollars({"lambda_gb_second": 1e6}, prices, processor, free=False)["lambda_gb_second"]
        for processor in ("arm64", "x86_64")
    )
    dpu_hour = prices["glue_dpu_hour"]
    flex, standard = (settings.workers * BULK_MINUTES / 60 * dpu_hour[name] for name in ("flex", "each"))
    again = settings.reports * report_requests(ten, measured, settings).gets * prices["s3_get"]["each"]
    lines += [
        "",
        f"A million GB-seconds cost ${arm:.2f} on arm64 and ${x86:.2f} on x86_64, {x86 / arm - 1:.0%} more for the",
        "same time. All functions are built for arm64. Ten playlists need",
        f"{amounts['lambda_gb_second']:,.0f} GB-seconds a month; {prices['lambda_gb_second']['free']:,} are free.",
        "",
        *BULK.format(
            **dpu_hour, workers=settings.workers, minutes=BULK_MINUTES, flex_run=flex, standard_run=standard
        ).splitlines(),
        "",
        *ASSUMPTIONS.format(
            request_ms=1000 * REQUEST_S,
            spotify_ms=1000 * SPOTIFY_S,
            report_s=REPORT_WAIT_S,
            polls=POLLS,
            full=FULL_SPEED_MB,
            again=again,
        ).splitlines(),
        "",
    ]
    return "\n".join(lines)


INTRODUCTION: Final = """# What a lake costs

Dollars per month at the list prices of {region} on {date} (`bench/prices.toml`). `make costs` computes them from what
`make bench` measured (`bench/results.json`): requests, CPU seconds and bytes of a playlist of 100 entries. {changed} of
the playlists change on a day, and the lake is a year old. "Daily" and "hourly" are what you pay beyond AWS's permanent
free tier; the list prices beside them apply where other things in the account use up the free tier. AWS's credits for
new accounts are not counted."""

BULK: Final = """## Loading bulk data

This is not in the numbers above, since you decide when to load. Glue charges each worker (one DPU) by the second, with
a minimum of one minute. A load costs workers × hours × ${flex:.2f} with `BulkExecutionClass` FLEX, the default, or
× ${each:.2f} with STANDARD. No load has been timed on AWS. As an example, {minutes} minutes of the {workers} workers
that a job takes at most cost ${flex_run:.2f} or ${standard_run:.2f}."""

ASSUMPTIONS: Final = """## Assumptions

- A CPU second measured here equals one on Lambda with a whole CPU, which a function gets from {full} MB of memory on;
  with less memory it takes proportionally longer. Each request to AWS takes {request_ms:.0f} ms, each to Spotify
  {spotify_ms:.0f} ms, and Athena's answers to the report {report_s:.0f} s in all. Every run is a cold start.
- Lambda's five pollers ask the queue every 20 seconds around the clock: {polls:,.0f} requests a month, nearly all of
  the queue's price. AWS documents the number of pollers, but not the interval.
- DuckDB's query plans say which days the report's queries read (`bench/report.py`). Each day of each table is one
  listing for Athena, and each object one GET, since Trino has read Parquet files below three megabytes in one request
  since 2023. AWS documents neither. With two GETs, ten playlists daily would cost ${again:.2f} more.
- The report of a lake with 1,000 playlists reads as many days as that of one with 100.
- Secrets, alarms, metrics, dashboard and logs are those of the template with its defaults. Not included: your own
  queries ($5 per terabyte, at least $0.00005 each), your own KMS key ($1), mails, and data sent to your machine."""

LABELS: Final = {
    "lambda_gb_second": "Lambda, GB-seconds",
    "lambda_request": "Lambda, invocations",
    "s3_put": "S3, writes and listings",
    "s3_get": "S3, reads",
    "s3_gb_month": "S3, GB kept",
    "sqs_request": "SQS, requests, nearly all of them polling",
    "secret_month": "Secrets Manager, the secret",
    "secret_request": "Secrets Manager, requests",
    "scheduler_invocation": "Scheduler, invocations",
    "eventbridge_event": "EventBridge, events of changed playlists",
    "glue_dpu_hour": "Glue, DPU-hours of the crawler",
    "athena_tb": "Athena, TB read by the report",
    "metric_hour": "CloudWatch, metric-hours",
    "alarm_month": "CloudWatch, alarms",
    "dashboard_month": "CloudWatch, dashboards",
    "log_gb": "CloudWatch, GB of logs",
}


if __name__ == "__main__":
    sys.exit(main())
