"""The bulk data sets on this laptop: uploads files to staging, which starts a Glue job, and runs it on local Spark.

The emulator reports every Glue run as successful without running it. `run_job` does what Glue would do: it runs the
job's script from S3 with the job's package and arguments, and with the credentials of the job's role. It also records
how the run ends, for `run_state`.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from local import private
from local.bulk_data import write_catalog, write_charts
from local.emulator import clean_environment
from local.errors import LaptopError
from local.spark import need_java, spark_environment, spark_python
from queries import queries
from queries.display import show_result
from spotify_lake import keys
from spotify_lake.bulk import staging

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from rich.console import Console

    from local.display import Steps
    from local.stack import LaptopStack

CHART_ROWS: Final = 200_000
JOBS: Final = ("charts", "kaggle2023")
BATCH: Final = "demo"
LAST_LINES: Final = 12
START_PATIENCE_S: Final = 60.0
# The job argument with the address of the package that all jobs share.
_CODE: Final = "--extra-py-files"

QUESTIONS: Final = {
    "Which artists had the most streams worldwide, and what was their best rank?": """
        select a.name, sum(f.streams) as streams, min(f.rank) as peak, count(distinct f.date_key) as days
        from fact_chart_entry f
        join dim_region r on r.region_key = f.region_key
        join bridge_track_artist b on b.track_key = f.track_key
        join dim_artist a on a.artist_key = b.artist_key
        where f.chart = 'top200' and f.year = 2017 and r.region_code = 'global'
        group by a.name order by streams desc limit 5""",
    "Which songs charted in the most regions?": """
        select t.title, t.artist, count(distinct f.region_key) as regions, min(f.rank) as peak
        from fact_chart_entry f join dim_track t on t.track_key = f.track_key
        join dim_region r on r.region_key = f.region_key
        where f.chart = 'top200' and f.year = 2017 and r.name <> 'Global'
        group by t.title, t.artist order by regions desc, peak, t.title limit 5""",
}


def demo(stack: LaptopStack, console: Console, steps: Steps) -> None:
    """Deploy the stack, load both data sets and ask three questions.

    Raises
    ------
    LaptopError
        Java is missing, or a step fails.
    """
    need_java(os.environ)
    started = time.monotonic()
    console.print("\n[bold]The bulk data sets on this laptop[/]\n")
    stack.up()
    s3, bucket = stack.client("s3"), stack.outputs["LakeBucketName"]
    for job in JOBS:
        batch = f"{keys.STAGING}{job}/{BATCH}/"
        with steps(f"Generating the files of {job}"):
            files = generate(job, stack.state_dir / "bulk" / "files" / job)
        with steps(f"Uploading the files and {keys.READY} to {batch}"):
            before = staging.run_of(s3, bucket, batch)
            staging.stage(s3, bucket, batch, {file.name: file for file in files})
        with steps("Waiting for the arrival function to start the Glue job"):
            run_id = _wait_for_run(s3, bucket, batch, before)
        with steps(f"Running jobs/{job}.py on local Spark"):
            summary = run_job(stack, job, run_id)
        console.print(
            f"  {summary['rows_in']:,} rows in: {summary['rows_out']:,} new, {summary['duplicates']:,} duplicates\n"
            f"  {summary['rejects']:,} rejects: {reasons(summary)}",
            highlight=False,
        )
    for question, sql in questions().items():
        console.print(f"\n[bold]{question}[/]")
        show_result(console, stack.athena(sql))
    console.print(f"\n[green]Done[/] in {time.monotonic() - started:.0f} s.", highlight=False)
    console.print(
        'Try: ./lake query --laptop "select reason, count(*) from bulk_rejects group by reason"',
        highlight=False,
        soft_wrap=True,
    )


def questions() -> dict[str, str]:
    """Return the questions of the demo with their SQL."""
    genres = queries()["genres_by_decade"]
    return QUESTIONS | {genres.summary: genres.sql.replace("genre_number <= 5", "genre_number <= 2")}


def generate(job: str, folder: Path) -> list[Path]:
    """Write the files of a data set and return their paths."""
    private.directory(folder)
    if job == "charts":
        write_charts(folder / "charts.csv", CHART_ROWS)
    else:
        write_catalog(folder)
    return sorted(folder.glob("*.csv"))


def run_job(stack: LaptopStack, job: str, run_id: str) -> dict[str, Any]:
    """Run a Glue job on local Spark, with the emulator's buckets; return the summary of the run.

    Raises
    ------
    LaptopError
        Java is missing, another run of the job is in progress, or the job fails. The arrival function receives the
        event that Glue would send.
    """
    try:
        with _recorded(stack.state_dir / "bulk", job, run_id):
            return _run(stack, job, run_id)
    except KeyboardInterrupt as error:
        error.add_note(
            "The files are uploaded, and their run was stopped on this laptop; loading twice adds nothing."
        )
        raise


def run_state(state_dir: Path, job: str, run_id: str) -> str | None:
    """Return the state of a Glue run on local Spark, in Glue's words; None if `run_job` has not run it last."""
    folder = state_dir / "bulk"
    try:
        record = json.loads((folder / f"{job}.json").read_text())
    except FileNotFoundError:
        return None
    if record["run"] != run_id:
        return None
    # A run that was killed could not record its end, but no longer holds the lock.
    return "STOPPED" if record["state"] == "RUNNING" and _is_free(folder, job) else str(record["state"])


@contextlib.contextmanager
def _recorded(folder: Path, job: str, run_id: str) -> Iterator[None]:
    """Run one run of a job at a time, and record its state."""
    folder.mkdir(parents=True, exist_ok=True)

    def record(state: str) -> None:
        (folder / f"{job}.json").write_text(json.dumps({"run": run_id, "state": state}))

    with (folder / f"{job}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LaptopError(
                f"Another run of jobs/{job}.py is in progress on this laptop. The files are uploaded but not loaded:"
                " run the same command again when it has ended."
            ) from None
        record("RUNNING")
        try:
            yield
        except BaseException as error:
            record("STOPPED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            raise
        record("SUCCEEDED")


def _is_free(folder: Path, job: str) -> bool:
    with (folder / f"{job}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _run(stack: LaptopStack, job: str, run_id: str) -> dict[str, Any]:
    need_java(os.environ)
    glue, s3, bucket = stack.client("glue"), stack.client("s3"), stack.outputs["LakeBucketName"]
    name = staging.job_name(stack.outputs["ChartsJobName"], job)
    run = glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]
    declared = glue.get_job(JobName=name)["Job"]
    folder = stack.state_dir / "bulk"
    code = folder / "code"
    private.directory(code)
    arguments = declared["DefaultArguments"] | run["Arguments"]
    script, package = declared["Command"]["ScriptLocation"], arguments.pop(_CODE)
    for address in (script, package):
        s3.download_file(bucket, address.removeprefix(f"s3://{bucket}/"), str(code / Path(address).name))
    # Spark from PyPI cannot read S3, so the job copies files to and from this folder.
    arguments["--work"] = str(folder / "work")
    command = [str(spark_python(stack.root)), str(code / Path(script).name)]
    command += itertools.chain.from_iterable(arguments.items())
    environment = spark_environment(clean_environment(os.environ) | stack.environment)
    environment |= _credentials(stack, declared["Role"]) | {"PYTHONPATH": str(code / Path(package).name)}
    log = folder / f"{job}.log"
    with private.open_file(log, "wb") as output:
        status = subprocess.run(
            command, env=environment, stdout=output, stderr=output, check=False, umask=private.UMASK
        ).returncode
    detail = {"jobName": name, "jobRunId": run_id, "state": "FAILED" if status else "SUCCEEDED"}
    # Only Glue itself can send its events to EventBridge, so this goes to the function directly.
    answer = stack.invoke(
        "arrival", {"source": "aws.glue", "detail-type": "Glue Job State Change", "detail": detail}
    )
    if status:
        raise LaptopError(
            f"jobs/{job}.py failed.",
            log=log,
            excerpt=log.read_text(errors="replace").splitlines()[-LAST_LINES:],
        )
    if answer.error:
        raise LaptopError(f"The arrival function failed on the event of the finished run: {answer.message}")
    return staging.latest_summary(s3, bucket, job)


def _wait_for_run(s3: S3Client, bucket: str, batch: str, before: str | None) -> str:
    try:
        return staging.wait_for_run(s3, bucket, batch, before, START_PATIENCE_S)
    except TimeoutError as error:
        raise LaptopError(
            f"{error} `./lake logs arrival --laptop` shows what the arrival function did with its marker."
        ) from error


def _credentials(stack: LaptopStack, role: str) -> dict[str, str]:
    """Return the environment variables with the credentials of a role."""
    found = stack.client("sts").assume_role(RoleArn=role, RoleSessionName="glue")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
        "AWS_SESSION_TOKEN": found["SessionToken"],
    }


def reasons(summary: dict[str, Any]) -> str:
    """Return the reasons for a run's rejects and how many rows each has."""
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(summary["rejects_by_reason"].items()))
