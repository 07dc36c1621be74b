"""Staging of the bulk data sets: uploads a batch of files, waits for the run that loads it and reads its summary.

The marker of a batch may hold values for rows of charts that lack them, as JSON. They become arguments of the job.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from spotify_lake import keys
from spotify_lake.errors import BadMarker
from spotify_lake.schema.warehouse import ChartName

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UPLOADS_AT_A_TIME: Final = 8
POLL_S: Final = 0.5
CHARTS: Final = "charts"


class Defaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Values for rows of charts that give none, nor do the names of their files.

    Attributes
    ----------
    date
        Day of the chart; for a weekly one the last day of its week.
    region
        Code or name of the region.
    chart
        The chart.
    """

    date: dt.date | None = None
    region: Annotated[str, msgspec.Meta(pattern=r"^[^\W_][^\x00-\x1f]{0,59}$")] | None = None
    chart: ChartName | None = None

    def arguments(self) -> dict[str, str]:
        """Return the arguments of the job."""
        return {f"--{name}": str(value) for name, value in msgspec.to_builtins(self).items()}

    def marker(self) -> bytes:
        """Return the content of the marker."""
        return msgspec.json.encode(self) if self != Defaults() else b""


def read_marker(key: str, body: bytes, data_set: str) -> Defaults:
    """Read the content of a marker.

    Raises
    ------
    BadMarker
        It is neither empty nor JSON with the fields of Defaults, or the data set has no such values.
    """
    try:
        found = msgspec.json.decode(body, type=Defaults) if body.strip() else Defaults()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMarker(key, f"its content cannot be read ({error})") from error
    if data_set != CHARTS and found != Defaults():
        raise BadMarker(key, f"the job {data_set} takes no values")
    return found


def stage(
    s3: S3Client,
    bucket: str,
    batch: str,
    files: Mapping[str, Path],
    progress: Callable[[int], None] = lambda _bytes: None,
    *,
    defaults: Defaults | None = None,
) -> None:
    """Upload the files of a batch, then the marker that starts the job.

    Parameters
    ----------
    s3
        A client.
    bucket
        The lake bucket.
    batch
        Prefix of the batch, ending with a slash.
    files
        The files by their names below the batch.
    progress
        Called with the number of bytes uploaded since the last call, from several threads.
    defaults
        Values for rows that lack them.
    """
    with ThreadPoolExecutor(UPLOADS_AT_A_TIME) as pool:
        sent = [
            pool.submit(s3.upload_file, str(file), bucket, f"{batch}{name}", Callback=progress)
            for name, file in files.items()
        ]
    for upload in sent:
        upload.result()
    s3.put_object(Bucket=bucket, Key=f"{batch}{keys.READY}", Body=(defaults or Defaults()).marker())


def run_of(s3: S3Client, bucket: str, batch: str) -> str | None:
    """Return the id of the latest run that loaded a batch, or None."""
    try:
        return s3.get_object(Bucket=bucket, Key=f"{batch}{keys.STARTED}")["Body"].read().decode()
    except s3.exceptions.NoSuchKey:
        return None


def wait_for_run(s3: S3Client, bucket: str, batch: str, before: str | None, patience_s: float) -> str:
    """Wait until a run starts to load a batch; return its id.

    Parameters
    ----------
    s3, bucket, batch
        As in `stage`.
    before
        The result of `run_of` before the marker was uploaded.
    patience_s
        Longest time to wait, in seconds.

    Raises
    ------
    TimeoutError
        No run starts in time.
    """
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        run_id = run_of(s3, bucket, batch)
        if run_id is not None and run_id != before:
            return run_id
        time.sleep(POLL_S)
    raise TimeoutError(f"No run started to load {batch} within {patience_s:.0f} s.")


def job_name(charts_job: str, job: str) -> str:
    """Return the name of a Glue job, which all are named like that of the charts, the output ChartsJobName."""
    return f"{charts_job.removesuffix(CHARTS)}{job}"


def latest_summary(s3: S3Client, bucket: str, job: str) -> dict[str, Any]:
    """Return the summary that the latest run of a job wrote."""
    answer = s3.get_object(Bucket=bucket, Key=keys.run_summary(job))
    summary: dict[str, Any] = json.loads(answer["Body"].read())
    return summary
