"""Load files of a bulk data set into the warehouse.

It uploads the files, follows the run of the Glue job and reports what it did with the rows. It exits with status 1 if
a file or a value was not used. With --laptop the job runs on local Spark, which needs Java 17.
"""

from __future__ import annotations

import glob
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import environments
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, OpsError, find, need_java, run_on_spark
from cli.terminal import Terminal
from spotify_bulk.regions import region_names
from spotify_lake import keys
from spotify_lake.bulk import staging
from spotify_lake.bulk.arrival import DATA_SETS, FAILED
from spotify_lake.schema.warehouse import ChartName

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

EXAMPLES: Final = (
    "./lake bulk charts charts.csv exports/",
    "./lake bulk charts regional-global-daily-latest.csv --date 2021-12-31",
    "./lake bulk kaggle2023 spotify-2023/ --batch 2023 --laptop",
)
SUFFIXES: Final = tuple(f"{kind}{packed}" for kind in (".csv", ".tsv", ".txt") for packed in ("", ".gz"))
POLL_S: Final = 10.0
START_PATIENCE_S: Final = 180.0  # longer waits mean that another run of the job is in progress
SHOWN_FILES: Final = 20
MEGABYTE: Final = 1_000_000


DataSet = StrEnum("DataSet", [(name, name) for name in DATA_SETS])  # type: ignore[misc]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date such as 2021-12-31") from None


def command(
    data_set: Annotated[DataSet, typer.Argument(help="The data set that the files belong to.")],
    files: Annotated[
        list[str], typer.Argument(metavar="FILES", help="Files, patterns or folders: CSV, also gzipped.")
    ],
    *,
    batch: Annotated[
        str | None, typer.Option(metavar="NAME", help="Folder of the upload (default: named for the time).")
    ] = None,
    day: Annotated[
        date | None,
        typer.Option(
            "--date",
            parser=_day,
            metavar="YYYY-MM-DD",
            help="Date of charts that have none in rows or names.",
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="REGION", help="Region of charts that have none: its code, such as us, or name."
        ),
    ] = None,
    chart: Annotated[
        ChartName | None, typer.Option(help="Chart of rows whose files do not show which it is.")
    ] = None,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    defaults = check_defaults(data_set, staging.Defaults(date=day, region=region, chart=chart))
    if laptop:
        need_java()
        environments.need("spark")
    run(
        find(laptop=laptop, stack=stack),
        Terminal(),
        data_set,
        files,
        batch or f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        defaults=defaults,
        run_job=run_on_spark if laptop else None,
    )


def run(
    lake: Lake,
    terminal: Terminal,
    data_set: str,
    files: Iterable[str],
    batch: str,
    *,
    defaults: staging.Defaults | None = None,
    run_job: Callable[[str, str], dict[str, Any]] | None = None,
) -> None:
    """Load files into the warehouse.

    Parameters
    ----------
    lake
        The lake to load into.
    terminal
        Shows progress and the result.
    data_set
        One of DATA_SETS.
    files
        Paths, patterns and folders.
    batch
        Folder below the data set's.
    defaults
        Values for rows that lack them.
    run_job
        Runs the job, given the data set and the id of the run, and returns its summary: on a laptop, which has no Glue.

    Raises
    ------
    OpsError
        A file or a value cannot be used or was not used, the run fails, or the lake has no jobs.
    """
    lake.need_bulk_jobs()
    found = find_files(files)
    summary = stage_and_run(lake, terminal, data_set, found, batch, defaults=defaults, run_job=run_job)
    bucket = lake.output("LakeBucketName")
    show(terminal, summary, f"s3://{bucket}/{keys.WAREHOUSE}_runs/{data_set}/{summary['run']}.json")
    if unused := not_used(summary):
        raise OpsError(" ".join(unused))


def stage_and_run(
    lake: Lake,
    terminal: Terminal,
    job: str,
    found: Mapping[str, Path],
    batch: str,
    *,
    defaults: staging.Defaults | None = None,
    run_job: Callable[[str, str], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Upload a batch of files, none or more, run the job that they are for, and return the run's summary.

    The parameters are those of `run`; `found` has the files by their names below the batch.

    Raises
    ------
    OpsError
        No run starts, or it fails.
    """
    s3, bucket = lake.client("s3"), lake.output("LakeBucketName")
    prefix = f"{keys.STAGING}{job}/{batch.strip('/')}/"
    before = staging.run_of(s3, bucket, prefix)
    size = sum(path.stat().st_size for path in found.values())
    with terminal.progress("Uploading MB", max(1, size // MEGABYTE)) as progress:
        count = _Sum(lambda sent: progress.update(sent // MEGABYTE))
        try:
            staging.stage(s3, bucket, prefix, found, count, defaults=defaults)
        except KeyboardInterrupt as error:
            count.stop()
            error.add_note(f"Nothing is loaded: the upload to s3://{bucket}/{prefix} is incomplete.")
            raise
    terminal.done(
        f"{number_of(len(found), 'file')} ({size / MEGABYTE:,.1f} MB) and {keys.READY} are in s3://{bucket}/{prefix}"
    )
    try:
        run_id = staging.wait_for_run(s3, bucket, prefix, before, START_PATIENCE_S)
    except TimeoutError:
        raise OpsError(
            f"No run has started on s3://{bucket}/{prefix} yet. If another run of the job is in progress, this batch is"
            f" next; otherwise `{lake.command('logs arrival')}` says why."
        ) from None
    name = staging.job_name(lake.output("ChartsJobName"), job)
    terminal.say(f"The Glue job {name} has started: run {run_id}.")
    if run_job is not None:
        terminal.say("Running it on local Spark …")
        return run_job(job, run_id)
    try:
        follow(lake.client("glue"), terminal, name, run_id)
    except KeyboardInterrupt as error:
        status = lake.command("status")
        error.add_note(f"The run {run_id} of {name} continues on AWS; `{status}` shows how it ended.")
        raise
    return staging.latest_summary(s3, bucket, job)


def check_defaults(data_set: str, defaults: staging.Defaults) -> staging.Defaults:
    """Return the values for rows that lack them.

    Raises
    ------
    OpsError
        The data set has no such values, or no charts are known of the region.
    """
    if defaults != staging.Defaults() and data_set != staging.CHARTS:
        raise OpsError(f"--date, --region and --chart are for charts: {data_set} has none of these columns.")
    if defaults.region is not None and defaults.region.strip().lower() not in region_names():
        raise OpsError(
            f"--region: {defaults.region!r} is neither the code nor the name of a region with charts, such as us,"
            " global or South Korea."
        )
    return defaults


def not_used(summary: Mapping[str, Any]) -> list[str]:
    """Return a sentence about each file and each value that a run did not use."""
    said = []
    for file in summary["files"]:
        if not file["rows_in"]:
            said.append(f"{file['name']} has no rows.")
        elif file.get("problem"):
            said.append(f"{file['name']} was not loaded. {file['problem']}")
        elif sum(file["rejects"].values()) == file["rows_in"]:
            said.append(
                f"Nothing of {file['name']} was loaded: {_reasons(file['rejects'])}.{_advice(file['rejects'])}"
            )
    said += [
        f"--{name} was not used: the files give the {name} of every row."
        for name in summary.get("unused_defaults", ())
    ]
    if not said and summary["rejects"] and not summary["rows_out"] + summary["duplicates"]:
        said.append(f"Nothing was loaded: {_reasons(summary['rejects_by_reason'])}.")
    return said


def _advice(rejects: Mapping[str, int]) -> str:
    lacking = [f"--{name}" for name in ("date", "region", "chart") if name in rejects]
    return f" If the rows have none, add {' and '.join(lacking)}." if lacking else ""


def _reasons(rejects: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(rejects.items()))


def find_files(names: Iterable[str]) -> dict[str, Path]:
    """Find the files to load.

    Parameters
    ----------
    names
        Paths, patterns and folders.

    Returns
    -------
    dict
        Paths by name below the batch: the name, or for a folder's files the path below the folder, which may contain
        region and date.

    Raises
    ------
    OpsError
        No file is found, one is not CSV, or two would have the same name.
    """
    names = list(names)
    found: dict[str, Path] = {}
    for name, path in _named(names):
        if found.get(name, path) != path:
            raise OpsError(f"{found[name]} and {path} would both be {name}: load them in two batches.")
        found[name] = path
    if not found:
        raise OpsError(f"There is no CSV file ({', '.join(SUFFIXES)}) in {', '.join(names)}.")
    return found


def _named(names: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for name in names:
        path = Path(name)
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                below = file.relative_to(path)
                hidden = any(part.startswith((".", "_")) for part in below.parts)
                if file.is_file() and file.name.lower().endswith(SUFFIXES) and not hidden:
                    yield below.as_posix(), file
            continue
        matches = [path] if path.is_file() else [Path(one) for one in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207 (absolute too)
        if not matches:
            raise OpsError(f"There is no file {name}.")
        for file in matches:
            if not file.name.lower().endswith(SUFFIXES):
                raise OpsError(
                    f"{file} is not a CSV file ({', '.join(SUFFIXES)}). Unpack archives and name the files in them."
                )
            yield file.name, file


def follow(glue: GlueClient, terminal: Terminal, job: str, run_id: str, poll_s: float = POLL_S) -> None:
    """Wait until a run ends, and report its state.

    Raises
    ------
    OpsError
        The run fails or is stopped.
    """
    shown, began = "", time.monotonic()
    while True:
        found = glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]
        state = found["JobRunState"]
        if state != shown:
            terminal.say(f"{state.capitalize()} after {time.monotonic() - began:.0f} s")
            shown = state
        if state == "SUCCEEDED":
            return
        if state in (*FAILED, "STOPPED"):
            why = found.get("ErrorMessage", "Glue gives no reason").rstrip(".")
            raise OpsError(
                f"The run {run_id} of {job} ended as {state}: {why}. Nothing is lost: fix the cause and upload"
                f" {keys.READY} to the batch again; see GlueJobFailed in docs/runbook.md."
            )
        time.sleep(poll_s)


def show(terminal: Terminal, summary: Mapping[str, Any], where: str) -> None:
    """Report what a run did with the rows."""
    tell = terminal.warn if not_used(summary) else terminal.done
    tell(
        f"{summary['rows_in']:,} rows in: {summary['rows_out']:,} new, {summary['duplicates']:,} already loaded,"
        f" {summary['rejects']:,} rejects"
    )
    for file in summary["files"][:SHOWN_FILES]:
        rejects = f", rejects: {_reasons(file['rejects'])}" if file["rejects"] else ""
        what = "not loaded" if file.get("problem") else f"{number_of(file['rows_in'], 'row')}{rejects}"
        terminal.detail(f"{file['name']}: {what}")
    if (more := len(summary["files"]) - SHOWN_FILES) > 0:
        terminal.detail(f"and {number_of(more, 'more file')}: see {where}")
    for table, rows in summary["tables"].items():
        terminal.detail(f"{table}: {number_of(rows, 'row')} now")
    if summary["rejects"]:
        terminal.say("The table bulk_rejects has each reject with its file, line, reason and content.")


def number_of(count: int, what: str) -> str:
    """Return a number with the thing that it counts, in the plural where it is one."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


class _Sum:
    """Adds up the progress of several threads, and ends their uploads."""

    def __init__(self, update: Callable[[int], None]) -> None:
        self._update, self._sum, self._lock = update, 0, threading.Lock()
        self._is_stopped = False

    def stop(self) -> None:
        """Let every upload fail at its next step: the program cannot end before them."""
        self._is_stopped = True

    def __call__(self, more: int) -> None:
        if self._is_stopped:
            raise InterruptedError("a person stopped the upload")
        with self._lock:
            self._sum += more
            self._update(self._sum)
