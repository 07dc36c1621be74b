"""``make bulk``: puts files into staging, follows the run of the Glue job, and tells what became of the rows."""

from __future__ import annotations

import glob
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli.imports.command import words
from cli.stack import Lake, OpsError
from cli.terminal import Terminal
from local import bulk
from local.errors import LaptopError
from spotify_lake import keys
from spotify_lake.bulk.arrival import FAILED

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

SUFFIXES: Final = tuple(f"{kind}{packed}" for kind in (".csv", ".tsv", ".txt") for packed in ("", ".gz"))
POLL_S: Final = 10.0
START_PATIENCE_S: Final = 180.0  # another run of the job may go on, for which nobody waits here
SHOWN_FILES: Final = 20
MEGABYTE: Final = 1_000_000


@dataclass(frozen=True)
class Options:
    """What `make bulk` was told.

    Attributes
    ----------
    data_set
        One of DATA_SETS.
    files
        Paths, patterns and folders; one text may hold several, as a shell would split them.
    batch
        Folder below the data set's; by default named for the time.
    """

    data_set: str
    files: Sequence[str]
    batch: str | None = None


def run(
    lake: Lake,
    terminal: Terminal,
    options: Options,
    now: datetime,
    run_job: Callable[[str, str], dict[str, Any]] | None = None,
) -> None:
    """Load files into the warehouse.

    Parameters
    ----------
    lake
        Where to.
    terminal
        Where to tell it.
    options
        What to load.
    now
        UTC.
    run_job
        Does the run of a data set's job, given its id, and returns its summary: on a laptop, where there is no Glue.

    Raises
    ------
    OpsError
        A file cannot be used, or the run fails.
    """
    files = find_files(options.files)
    s3, bucket = lake.client("s3"), lake.output("LakeBucketName")
    name = options.batch or f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    batch = f"{keys.STAGING}{options.data_set}/{name.strip('/')}/"
    before = bulk.run_of(s3, bucket, batch)
    size = sum(path.stat().st_size for path in files.values())
    with terminal.progress("Uploading MB", max(1, size // MEGABYTE)) as progress:
        bulk.stage(s3, bucket, batch, files, _Sum(lambda sent: progress.update(sent // MEGABYTE)))
    terminal.done(
        f"{_number(len(files), 'file')} ({size / MEGABYTE:,.1f} MB) and {keys.READY} are in s3://{bucket}/{batch}"
    )
    try:
        run_id = bulk.wait_for_run(s3, bucket, batch, before, START_PATIENCE_S)
    except LaptopError:
        raise OpsError(
            f"No run has taken s3://{bucket}/{batch} yet. If another run of the job goes on, this batch is next by"
            f" itself; otherwise the log of {lake.output('ArrivalFunctionName')} says why."
        ) from None
    job = lake.output(f"{options.data_set.capitalize()}JobName")
    terminal.say(f"The Glue job {job} has started: run {run_id}.")
    if run_job is not None:
        terminal.say("Local Spark carries it out …")
        summary = run_job(options.data_set, run_id)
    else:
        follow(lake.client("glue"), terminal, job, run_id)
        summary = bulk.latest_summary(s3, bucket, options.data_set)
    show(terminal, summary, f"s3://{bucket}/{keys.WAREHOUSE}_runs/{options.data_set}/{summary['run']}.json")


def find_files(names: Iterable[str]) -> dict[str, Path]:
    """Find what was asked for.

    Parameters
    ----------
    names
        As in `Options.files`.

    Returns
    -------
    dict
        Paths by name below the batch: the name alone, or for a folder's files the way from the folder, which may
        tell region and date.

    Raises
    ------
    OpsError
        There is nothing, a file of another kind, or two that would be called the same.
    """
    found: dict[str, Path] = {}
    for name, path in _named(names):
        if found.get(name, path) != path:
            raise OpsError(f"{found[name]} and {path} would both be {name}: load them one after the other.")
        found[name] = path
    if not found:
        raise OpsError(f"There is no CSV file ({', '.join(SUFFIXES)}) in {', '.join(names)}.")
    return found


def _named(names: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for word in words(names):
        path = Path(word)
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                below = file.relative_to(path)
                hidden = any(part.startswith((".", "_")) for part in below.parts)
                if file.is_file() and file.name.lower().endswith(SUFFIXES) and not hidden:
                    yield below.as_posix(), file
            continue
        matches = [path] if path.is_file() else [Path(one) for one in sorted(glob.glob(word, recursive=True))]  # noqa: PTH207 (absolute too)
        if not matches:
            raise OpsError(f"There is no file {word}.")
        for file in matches:
            if not file.name.lower().endswith(SUFFIXES):
                raise OpsError(
                    f"{file} is no CSV file ({', '.join(SUFFIXES)}). Unpack archives, and name what is in them."
                )
            yield file.name, file


def follow(glue: GlueClient, terminal: Terminal, job: str, run_id: str, poll_s: float = POLL_S) -> None:
    """Wait until a run ends, and tell how it goes.

    Raises
    ------
    OpsError
        It ends without success.
    """
    said, began = "", time.monotonic()
    while True:
        found = glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]
        state = found["JobRunState"]
        if state != said:
            terminal.say(f"{state.capitalize()} after {time.monotonic() - began:.0f} s")
            said = state
        if state == "SUCCEEDED":
            return
        if state in (*FAILED, "STOPPED"):
            why = found.get("ErrorMessage", "Glue gives no reason").rstrip(".")
            raise OpsError(
                f"The run {run_id} of {job} ended as {state}: {why}. Nothing is lost: mend the cause and put"
                f" {keys.READY} into the batch again; see GlueJobFailed in docs/runbook.md."
            )
        time.sleep(poll_s)


def show(terminal: Terminal, summary: Mapping[str, Any], where: str) -> None:
    """Tell what became of a run's rows."""
    terminal.done(
        f"{summary['rows_in']:,} rows in: {summary['rows_out']:,} new, {summary['duplicates']:,} known already,"
        f" {summary['rejects']:,} rejects"
    )
    for file in summary["files"][:SHOWN_FILES]:
        said = bulk.reasons({"rejects_by_reason": file["rejects"]})
        problem = f": {file['problem']}" if file.get("problem") else f", rejects: {said}" if said else ""
        terminal.detail(f"{file['name']}: {_number(file['rows_in'], 'row')}{problem}")
    if (more := len(summary["files"]) - SHOWN_FILES) > 0:
        terminal.detail(f"and {_number(more, 'more file')}: see {where}")
    for table, rows in summary["tables"].items():
        terminal.detail(f"{table}: {_number(rows, 'row')} now")
    if summary["rejects"]:
        terminal.say("The table bulk_rejects has each reject with its file, line, reason and content.")


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


class _Sum:
    """Adds up what several threads report."""

    def __init__(self, update: Callable[[int], None]) -> None:
        self._update, self._sum, self._lock = update, 0, threading.Lock()

    def __call__(self, more: int) -> None:
        with self._lock:
            self._sum += more
            self._update(self._sum)
