"""Starts the Glue job of a data set when files arrive below ``staging/``, one run of a job at a time.

A batch is a folder below ``staging/<data set>/``. An object ``_READY``, put there last, starts one run for all its
files. It is empty, or holds arguments for the job (see staging.Defaults). The object ``_STARTED`` records which run
loads the batch and since when; newer files are still to be loaded. A run lists the files after it has begun, and
loading a file twice changes nothing, so a crash in between neither loses nor duplicates a row.
"""

import importlib.resources
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from spotify_lake import keys
from spotify_lake.bulk import staging
from spotify_lake.errors import BadMarker, EventError, JobBusy, UnknownDataSet
from spotify_lake.observability import count, logger
from spotify_lake.settings import ArrivalSettings

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

DATA_SETS: Final = (staging.CHARTS, "kaggle2023")
MODELS: Final = ("forecast", "popularity")
JOBS: Final = (*DATA_SETS, *MODELS)
CODE_PACKAGE: Final = "glue_jobs"  # of the layer built from the folder jobs
FAILED: Final = ("FAILED", "TIMEOUT", "ERROR")
UNFINISHED: Final = ("STARTING", "RUNNING", "WAITING", "STOPPING")

_NEVER = datetime.min.replace(tzinfo=UTC)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The event that started the function.

    Attributes
    ----------
    data_sets
        The data sets and models to check; a model has a folder in staging and a job like a data set.
    ended
        The state in which a run of the data set's job ended, in Glue's words; None if none did.
    is_schedule
        Whether files without a marker are loaded too.
    """

    data_sets: tuple[str, ...] = JOBS
    ended: str | None = None
    is_schedule: bool = False


def parse_event(event: Mapping[str, Any], lake_name: str) -> Event:
    """Read an EventBridge event: a new marker, a run that ended, or the schedule; ``{}`` checks for markers.

    Raises
    ------
    EventError
        It is another event.
    UnknownDataSet
        No job reads the folder of the marker.
    """
    match event:
        case {"detail-type": "Scheduled Event"}:
            return Event(is_schedule=True)
        case {"detail-type": "Object Created", "detail": {"object": {"key": str(key)}}}:
            return Event(data_sets=(_data_set(key),))
        case {"detail-type": "Glue Job State Change", "detail": {"jobName": str(job), "state": str(state)}}:
            data_set = job.removeprefix(f"{lake_name}-")
            if data_set in JOBS:
                return Event(data_sets=(data_set,), ended=state)
        case {} if not event:
            return Event()
    raise EventError(
        "it reports neither a marker _READY, nor the end of a run of this lake's jobs, nor the schedule"
    )


def _data_set(key: str) -> str:
    """Return the data set of a marker."""
    first = key.removeprefix(keys.STAGING).split("/")[0]
    if not key.startswith(keys.STAGING) or first not in JOBS:
        raise UnknownDataSet(key, [keys.staging_prefix(name) for name in JOBS])
    return first


def run(event: Event, settings: ArrivalSettings, s3: "S3Client", glue: "GlueClient") -> dict[str, str]:
    """Start the next batch of each data set, and publish the metrics of a run that ended.

    Returns
    -------
    dict
        The started batches, with the ids of their runs.

    Raises
    ------
    JobBusy
        A run has ended, but Glue does not start the next one yet: Lambda retries.
    BadMarker
        A marker has invalid content. The other batches were started.
    """
    if event.ended is not None:
        _count(event.data_sets[0], event.ended, settings, s3)
    started: dict[str, str] = {}
    refused: list[BadMarker] = []
    for data_set in event.data_sets:
        found = dict(objects(s3, settings.lake_bucket, keys.staging_prefix(data_set)))
        for batch in due(found, data_set, with_unmarked=event.is_schedule):
            try:
                defaults = _defaults(found, batch, data_set, settings, s3)
            except BadMarker as error:
                logger.error(str(error), batch=batch)
                refused.append(error)
                continue
            run_id = _start(batch, data_set, defaults, settings, s3, glue)
            if run_id is not None:
                started[batch] = run_id
            elif event.ended is not None:
                raise JobBusy(data_set, batch)
            break
    if refused and event.ended is None:  # else the retries would count the run again
        raise refused[0]
    return started


def _defaults(
    found: Mapping[str, datetime], batch: str, data_set: str, settings: ArrivalSettings, s3: "S3Client"
) -> staging.Defaults:
    """Return what the marker of a batch holds, if there is one."""
    key = f"{batch}{keys.READY}"
    if key not in found:
        return staging.Defaults()
    body = s3.get_object(Bucket=settings.lake_bucket, Key=key)["Body"].read()
    return staging.read_marker(key, body, data_set)


def due(found: Mapping[str, datetime], data_set: str, *, with_unmarked: bool) -> list[str]:
    """Return the batches to be loaded, those that have waited longest first.

    Parameters
    ----------
    found
        Time of writing of each object in the data set's folder, by key.
    data_set
        The data set.
    with_unmarked
        Whether files newer than any run are loaded without a marker too, with the whole folder directly below the data
        set's folder that contains them.
    """
    started = _markers(found, keys.STARTED)
    waiting = {
        batch: when
        for batch, when in _markers(found, keys.READY).items()
        if when > started.get(batch, _NEVER)
    }
    if with_unmarked:
        root = keys.staging_prefix(data_set)
        for key, when in found.items():
            folders = _folders(key, root)
            hidden = key.removeprefix(folders[-1]).startswith(("_", "."))
            if not hidden and all(started.get(folder, _NEVER) < when for folder in folders):
                batch = folders[1] if len(folders) > 1 else root
                waiting[batch] = min(when, waiting.get(batch, when))
    return sorted(waiting, key=lambda batch: (waiting[batch], batch))


def _markers(found: Mapping[str, datetime], name: str) -> dict[str, datetime]:
    return {key.removesuffix(name): when for key, when in found.items() if key.endswith(f"/{name}")}


def _folders(key: str, root: str) -> list[str]:
    """Return the folders of a key, from `root` on."""
    parts = key.removeprefix(root).split("/")[:-1]
    return [root + "".join(f"{part}/" for part in parts[:depth]) for depth in range(len(parts) + 1)]


def objects(s3: "S3Client", bucket: str, prefix: str) -> Iterator[tuple[str, datetime]]:
    """Yield the keys below a prefix with the times when they were written."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if not item["Key"].endswith("/"):  # the S3 console's placeholder for a folder
                yield item["Key"], item["LastModified"]


def _start(
    batch: str,
    data_set: str,
    defaults: staging.Defaults,
    settings: ArrivalSettings,
    s3: "S3Client",
    glue: "GlueClient",
) -> str | None:
    """Start the run of a batch; return None while another run of the job is active."""
    for name, body in _code():
        s3.put_object(Bucket=settings.lake_bucket, Key=f"{keys.JOB_CODE}{name}", Body=body)
    try:
        answer = glue.start_job_run(
            JobName=f"{settings.lake_name}-{data_set}",
            Arguments={"--input": f"s3://{settings.lake_bucket}/{batch}"} | defaults.arguments(),
        )
    except glue.exceptions.ConcurrentRunsExceededException:
        logger.info("Another run of the job is active; the batch is next", data_set=data_set, batch=batch)
        return None
    run_id = answer["JobRunId"]
    s3.put_object(Bucket=settings.lake_bucket, Key=f"{batch}{keys.STARTED}", Body=run_id.encode())
    logger.info("Started the job", data_set=data_set, batch=batch, run_id=run_id)
    return run_id


def _code() -> Sequence[tuple[str, bytes]]:
    """Return the files that Glue runs, by name."""
    files = importlib.resources.files(CODE_PACKAGE).iterdir()
    return [(file.name, file.read_bytes()) for file in files if file.name.endswith((".py", ".zip"))]


def _count(data_set: str, state: str, settings: ArrivalSettings, s3: "S3Client") -> None:
    """Publish the results of a run as metrics."""
    count("BulkRuns")
    if state != "SUCCEEDED":
        count("BulkRunsFailed", int(state in FAILED))
        logger.error("The job ended without success", data_set=data_set, state=state)
        return
    if data_set in MODELS:  # they load no rows
        return
    found = s3.get_object(Bucket=settings.lake_bucket, Key=keys.run_summary(data_set))
    summary = json.loads(found["Body"].read())
    count("BulkRowsIn", summary["rows_in"])
    count("BulkRowsOut", summary["rows_out"])
    count("BulkRejects", summary["rejects"])
    count("BulkDuplicates", summary["duplicates"])
    logger.info("The job ended", data_set=data_set, run=summary["run"], rows_in=summary["rows_in"])
