"""The charts job on millions of rows, compared with a DuckDB script that writes the same tables from the same file.

`make bench-charts` generates the files (26 million rows are 3.9 GB) and runs both in turn on the same machine. The rows
of each table must be equal. Both may use all cores and the same memory; DuckDB keeps what does not fit on disk. The
script writes the same columns in the same order, with the same compression, but it reads only this one layout, ignores
what the warehouse already holds, and gives no reasons for its rejects.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import duckdb

from bench.finding import Finding, Measured, at_most
from local.bulk_data import write_charts
from local.spark import DRIVER_MEMORY, job_command, spark_environment
from spotify_bulk.artists import COMMA_NAMES
from spotify_bulk.regions import CODES
from spotify_lake.schema.warehouse import CHARTS

ROOT: Final = Path(__file__).resolve().parents[1]
POLL_S: Final = 0.5
SIZES: Final = (2_600_000, 26_000_000)
GOALS: Final = {2_600_000: 6, 26_000_000: 3}  # times DuckDB's time, by rows
MEMORY: Final = f"{DRIVER_MEMORY}ib"  # Java's 3g are 3 GiB
CODEC: Final = "snappy"  # as jobs/spotify_bulk/run.py has it

_DUCKDB: Final = """
set preserve_insertion_order = false;
set memory_limit = '{memory}';
set temp_directory = '{out}/spilled';
create temp table cells as
select
    try_cast(date as date) as chart_day, region, chart, try_cast(rank as int) as rank, right(url, 22) as track_id,
    title, artist, try_cast(streams as double)::bigint as streams, trend
from read_csv('{source}', header = true, all_varchar = true, quote = '"', escape = '"', strict_mode = false,
    ignore_errors = true, null_padding = false);
copy (from cells where rank is null or chart_day is null)
    to '{out}/bulk_rejects.parquet' (format parquet, codec {codec});
create temp view lines as from cells where rank is not null and chart_day is not null;
create temp table entries as
select * from (
    select
        year(chart_day) * 10000 + month(chart_day) * 100 + day(chart_day) as date_key, hash(region) as region_key,
        hash(chart) as chart_key, rank, hash(track_id) as track_key, streams, trend, year(chart_day) as year, chart
    from lines
)
qualify row_number() over (
    partition by date_key, region_key, chart_key, rank order by streams desc nulls last, track_key, trend
) = 1;
copy (select * from entries order by year, chart, date_key, region_key, rank)
    to '{out}/fact_chart_entry' (format parquet, codec {codec}, partition_by (year, chart));
create temp table dim_track as
select
    hash(track_id) as track_key, track_id, arg_max(title, (chart_day, title, artist)) as title,
    arg_max(artist, (chart_day, title, artist)) as artist, 'https://open.spotify.com/track/' || track_id as url,
    strftime(min(chart_day), '%Y%m%d')::int as first_date_key,
    strftime(max(chart_day), '%Y%m%d')::int as last_date_key
from lines where track_id is not null group by track_id;
copy (select * from dim_track order by track_key) to '{out}/dim_track.parquet' (format parquet, codec {codec});
create temp table bridge as
with credited as (
    select track_key, string_split({artist}, ', ') as names, last_date_key
    from dim_track
), named as (
    select track_key, replace(unnest(names), '\x1f', ', ') as name, unnest(range(1, len(names) + 1)) as position,
        last_date_key
    from credited
)
select track_key, hash(lower(name)) as artist_key, position::int as position, name, last_date_key from named;
copy (select track_key, artist_key, position from bridge order by track_key, position)
    to '{out}/bridge_track_artist.parquet' (format parquet, codec {codec});
copy (
    select artist_key, arg_max(name, (last_date_key, name)) as name from bridge group by artist_key
    order by artist_key
) to '{out}/dim_artist.parquet' (format parquet, codec {codec});
copy (
    select distinct hash(region) as region_key, region as name, map({regions}, {codes})[region] as region_code
    from lines order by region_key
) to '{out}/dim_region.parquet' (format parquet, codec {codec});
copy (
    select distinct
        hash(chart) as chart_key, chart, case chart when 'top200' then 'Top 200' else 'Viral 50' end as title,
        'daily' as period
    from lines order by chart_key
) to '{out}/dim_chart.parquet' (format parquet, codec {codec});
copy (
    select distinct
        date_key, chart_day as date, year(date) as year, quarter(date) as quarter, month(date) as month,
        week(date) as week, day(date) as day, isodow(date) as day_of_week
    from (select date_key, strptime(date_key::varchar, '%Y%m%d')::date as chart_day from (
        select distinct date_key from entries)) order by date_key
) to '{out}/dim_date.parquet' (format parquet, codec {codec});
"""


def measure(*, quick: bool) -> Measured:
    """Load files of both sizes, or of the smaller one."""
    findings: list[Finding] = []
    numbers: dict[str, float] = {}
    for rows in SIZES[:1] if quick else SIZES:
        with tempfile.TemporaryDirectory(prefix="bench-charts-", dir=os.environ.get("BENCH_DIR")) as folder:
            found = _measure(rows, Path(folder))
        numbers |= {f"charts_{rows}: {name}": number for name, number in found.items()}
        of, ratio = f"Charts job on {rows:,} rows", found["spark seconds"] / found["duckdb seconds"]
        what = f"{of}: time relative to DuckDB"
        cpu_ratio = found["spark cpu_seconds"] / found["duckdb cpu_seconds"]
        findings += [
            at_most(what, ratio, GOALS[rows], "×"),
            Finding(f"{of}: CPU time relative to DuckDB", f"{cpu_ratio:.3g} ×"),
        ]
    if not quick:
        few, many = SIZES
        growth = numbers[f"charts_{many}: spark seconds"] / numbers[f"charts_{few}: spark seconds"]
        what = f"Charts job on {many:,} rows: time relative to {few:,}"
        findings.append(at_most(what, growth, 1.1 * many / few, "×"))
    return Measured(findings, numbers)


def _measure(rows: int, folder: Path) -> dict[str, float]:
    source = folder / "input" / "charts.csv"
    source.parent.mkdir()
    records = write_charts(source, rows)
    artist = "artist"
    for name in COMMA_NAMES:
        artist = f"replace({artist}, '{name}', '{name.replace(', ', '\x1f')}')"
    script = _DUCKDB.format(
        source=source,
        out=folder / "duckdb",
        codec=CODEC,
        memory=MEMORY,
        artist=artist,
        regions=list(CODES),
        codes=list(CODES.values()),
    )
    (folder / "duckdb").mkdir()
    program = "import duckdb, sys; duckdb.execute(sys.argv[1])"
    by_duckdb = run_measured([sys.executable, "-c", program, script], dict(os.environ))
    places = [
        f"--{name}={folder / path}"
        for name, path in {"input": "input", "warehouse": "spark", "work": "work"}.items()
    ]
    by_spark = run_measured(job_command(ROOT, "charts", places), spark_environment(os.environ))
    tables = [declared.table.name for declared in CHARTS]
    counts = {
        made_by: {table: _count(folder / made_by, table) for table in tables}
        for made_by in ("duckdb", "spark")
    }
    if counts["duckdb"] != counts["spark"]:
        raise SystemExit(f"The tables have different row counts, so the times cannot be compared: {counts}")
    summary = json.loads((folder / "spark" / "_runs" / "charts" / "latest.json").read_text())
    return {
        "records": records,
        "bytes": source.stat().st_size,
        **{f"duckdb {name}": number for name, number in by_duckdb.items()},
        **{f"spark {name}": number for name, number in by_spark.items()},
        **{f"rows of {table}": number for table, number in counts["spark"].items()},
        **{name: summary[name] for name in ("rows_in", "rows_out", "rejects", "duplicates")},
    }


def _count(folder: Path, table: str) -> int:
    files = f"{folder / table}/**/*.parquet" if (folder / table).is_dir() else f"{folder / table}.parquet"
    return len(duckdb.read_parquet(files))


def run_measured(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Run a command and measure it together with all processes of its session, among them the JVM."""
    began = time.monotonic()
    silent = subprocess.DEVNULL
    with subprocess.Popen(
        command, env=environment, stdout=silent, stderr=silent, start_new_session=True
    ) as process:
        used, largest = 0.0, 0
        while process.poll() is None:
            seconds, resident = _session(process.pid)
            used, largest = max(used, seconds), max(largest, resident)
            time.sleep(POLL_S)
    if process.returncode:
        raise SystemExit(f"{command[1]} ended with exit status {process.returncode}.")
    return {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(used, 1),
        "resident_mib": round(largest / 1024**2),
    }


def _session(number: int) -> tuple[float, int]:
    """Return the CPU seconds and resident bytes of all processes of a session, from /proc."""
    used, resident = 0.0, 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # the process has ended
        if int(fields[3]) == number:
            used += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return used, resident
