"""The bulk data sets on this laptop: made up, put into the stack's staging folder, loaded by the Glue jobs, queried."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from local.bulk_data import write_catalog, write_charts
from local.display import show_result
from local.emulator import clean_environment, client_environment
from local.errors import LaptopError
from local.spark import job_command, need_java, spark_environment
from spotify_lake.warehouse import ROOT as WAREHOUSE_ROOT

if TYPE_CHECKING:
    from rich.console import Console

    from local.display import Steps
    from local.stack import LaptopStack

CHART_ROWS: Final = 200_000
JOBS: Final = ("charts", "kaggle2023")
BATCH: Final = "demo"
LAST_LINES: Final = 12

QUESTIONS: Final = {
    "Which artists had most streams worldwide, and how high did they get?": """
        select a.name, sum(f.streams) as streams, min(f.rank) as peak, count(distinct f.date_key) as days
        from fact_chart_entry f
        join dim_region r on r.region_key = f.region_key
        join bridge_track_artist b on b.track_key = f.track_key
        join dim_artist a on a.artist_key = b.artist_key
        where f.chart = 'top200' and f.year = 2017 and r.region_code = 'global'
        group by a.name order by streams desc limit 5""",
    "Which songs went around the world?": """
        select t.title, t.artist, count(distinct f.region_key) as regions, min(f.rank) as peak
        from fact_chart_entry f join dim_track t on t.track_key = f.track_key
        where f.chart = 'top200' and f.year = 2017
        group by t.title, t.artist order by regions desc, peak, t.title limit 5""",
    "Which genres fill the catalog of each decade?": """
        select c.release_decade, g.genre, count(*) as tracks
        from track_catalog c cross join unnest(c.genres) as g (genre)
        where g.genre <> 'children''s music'
        group by c.release_decade, g.genre order by tracks desc limit 5""",
}


def demo(stack: LaptopStack, console: Console, steps: Steps) -> None:
    """Deploy the stack, load both data sets and ask three questions.

    Raises
    ------
    LaptopError
        Java is missing, or something does not work; the message says what.
    """
    need_java(os.environ)
    started = time.monotonic()
    console.print("\n[bold]The bulk data sets on this laptop[/]\n")
    stack.up()
    folder = stack.state_dir / "bulk"
    for job in JOBS:
        with steps(f"Making up the files of {job}"):
            made = make_up(job, folder / "files" / job)
        with steps(f"Putting {len(made)} files into staging/{job}/{BATCH}/"):
            stage(stack, job, made)
        with steps(f"Running jobs/{job}.py on local Spark"):
            summary = run_job(stack, job)
        console.print(
            f"  {summary['rows_in']:,} rows in: {summary['rows_out']:,} new, {summary['duplicates']:,} known already,"
            f" {summary['rejects']:,} rejects ({_reasons(summary)})",
            highlight=False,
        )
    for question, sql in QUESTIONS.items():
        console.print(f"\n[bold]{question}[/]")
        show_result(console, stack.athena(sql))
    console.print(f"\n[green]Done[/] in {time.monotonic() - started:.0f} s.", highlight=False)
    console.print(
        'Ask more: make query SQL="select reason, count(*) from bulk_rejects group by reason"',
        highlight=False,
    )


def make_up(job: str, folder: Path) -> list[Path]:
    """Write the files of a data set; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    if job == "charts":
        write_charts(folder / "charts.csv", CHART_ROWS)
    else:
        write_catalog(folder)
    return sorted(folder.glob("*.csv"))


def stage(stack: LaptopStack, job: str, files: list[Path]) -> None:
    """Put files where the job looks for them."""
    s3 = stack.client("s3")
    for file in files:
        s3.upload_file(str(file), stack.outputs["LakeBucketName"], f"staging/{job}/{BATCH}/{file.name}")


def run_job(stack: LaptopStack, job: str) -> dict[str, Any]:
    """Run a job on local Spark, between the emulator's buckets; return its summary.

    Raises
    ------
    LaptopError
        It fails.
    """
    bucket = f"s3://{stack.outputs['LakeBucketName']}"
    work = stack.state_dir / "bulk" / "work"
    command = job_command(
        stack.root,
        job,
        [
            f"--input={bucket}/staging/{job}/{BATCH}",
            f"--warehouse={bucket}/{WAREHOUSE_ROOT}",
            # Spark as it comes from PyPI cannot read S3: the job copies to and from this folder.
            f"--work={work}",
        ],
    )
    environment = spark_environment(clean_environment(os.environ) | client_environment(stack.endpoint))
    log = stack.state_dir / "bulk" / f"{job}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        status = subprocess.run(
            command, env=environment, stdout=output, stderr=output, check=False
        ).returncode
    if status:
        raise LaptopError(
            f"jobs/{job}.py failed.",
            log=log,
            excerpt=log.read_text(errors="replace").splitlines()[-LAST_LINES:],
        )
    key = f"{WAREHOUSE_ROOT}/_runs/{job}/latest.json"
    answer = stack.client("s3").get_object(Bucket=stack.outputs["LakeBucketName"], Key=key)
    summary: dict[str, Any] = json.loads(answer["Body"].read())
    return summary


def _reasons(summary: dict[str, Any]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(summary["rejects_by_reason"].items()))
