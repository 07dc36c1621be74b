"""Staging of the bulk data sets: uploads a batch of files, waits for the run that loads it and reads its summary."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spotify_lake import keys

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UPLOADS_AT_A_TIME: Final = 8
POLL_S: Final = 0.5


def stage(
    s3: S3Client,
    bucket: str,
    batch: str,
    files: Mapping[str, Path],
    progress: Callable[[int], None] = lambda _bytes: None,
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
    """
    with ThreadPoolExecutor(UPLOADS_AT_A_TIME) as pool:
        sent = [
            pool.submit(s3.upload_file, str(file), bucket, f"{batch}{name}", Callback=progress)
            for name, file in files.items()
        ]
    for upload in sent:
        upload.result()
    s3.put_object(Bucket=bucket, Key=f"{batch}{keys.READY}", Body=b"")


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


def latest_summary(s3: S3Client, bucket: str, job: str) -> dict[str, Any]:
    """Return the summary that the latest run of a job wrote."""
    answer = s3.get_object(Bucket=bucket, Key=keys.run_summary(job))
    summary: dict[str, Any] = json.loads(answer["Body"].read())
    return summary
