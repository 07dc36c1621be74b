"""Forecast the charts, or predict the popularity of songs.

`charts` forecasts the daily charts in the warehouse for the next seven days, and finds genres that rise. `popularity`
takes the catalog in the warehouse, or FILES: songs with artist, popularity and audio features. Both report how they
compare with a simple baseline; see docs/models.md. With --laptop the job runs on local Spark, which needs Java 17.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from cli import environments
from cli.commands import bulk
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, OpsError, find, need_java, run_on_spark
from cli.terminal import Terminal
from spotify_lake import keys

EXAMPLES: Final = (
    "./lake model charts",
    "./lake model popularity",
    "./lake model popularity examples/songs-2020.csv.gz --laptop",
)


class Model(StrEnum):
    """What can be modelled."""

    CHARTS = "charts"
    POPULARITY = "popularity"


JOBS: Final = {Model.CHARTS: "forecast", Model.POPULARITY: "popularity"}


def command(
    model: Annotated[Model, typer.Argument(help="What to model.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILES", help="Songs for popularity: CSV, also gzipped; default: the catalog."
        ),
    ] = None,
    *,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    check(model, files or [])
    if laptop:
        need_java()
        environments.need("spark")
    run(find(laptop=laptop, stack=stack), Terminal(), model, files or [], run_on_spark if laptop else None)


def check(model: Model, files: Iterable[str]) -> None:
    """Check that the model takes files if some are given; raises OpsError if not."""
    if model is Model.CHARTS and list(files):
        raise OpsError(
            "`model charts` forecasts the charts in the warehouse and takes no files: load them with"
            " `./lake bulk charts FILES` first."
        )


def run(
    lake: Lake,
    terminal: Terminal,
    model: Model,
    files: Iterable[str],
    run_job: Callable[[str, str], dict[str, Any]] | None = None,
) -> None:
    """Run a model's job and report what it found.

    Parameters
    ----------
    lake
        The lake.
    terminal
        Shows progress and the result.
    model
        The model.
    files
        Paths, patterns and folders with songs.
    run_job
        Runs the job on a laptop; see `bulk.run`.

    Raises
    ------
    OpsError
        A file cannot be used, the run fails, or the lake has no jobs.
    """
    lake.need_bulk_jobs()
    job, names = JOBS[model], list(files)
    found = bulk.find_files(names) if names else {}
    batch = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    summary = bulk.stage_and_run(lake, terminal, job, found, batch, run_job=run_job)
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in summary["rejects_by_reason"].items())
    terminal.done(
        f"{bulk.number_of(summary['rows_in'], 'row')} in: {summary['rows_out']:,} used,"
        f" {bulk.number_of(summary['duplicates'], 'duplicate')}, {summary['rejects']:,} left out"
        + (f" ({reasons})" if reasons else "")
    )
    for sentence in summary["findings"]:
        terminal.say(sentence)
    for table, rows in summary["tables"].items():
        terminal.detail(f"{table}: {bulk.number_of(rows, 'row')}")
    folder = f"s3://{lake.output('LakeBucketName')}/{keys.WAREHOUSE}_runs/{job}"
    terminal.say(f"The model card is {folder}/card.md, and the table model_scores has every number.")
