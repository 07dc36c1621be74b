"""The forecast job on a warehouse of five years of charts: time and memory of a run, from the start to its summary.

The charts have 70 regions with 200 songs a day. Songs fade, weekdays differ, and new songs come every day. Of these
years the job reads the last seven months for the forecast and the last 25 for the genres, as it does on AWS.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import tempfile
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.charts import CODEC, ROOT, run_measured
from bench.finding import Finding, Measured, at_most
from local.made_up_charts import FADES, LAST_DAY, NOISE, WEEKDAYS
from local.spark import job_command, spark_environment

REGIONS: Final = 70
RANKS: Final = 200
ROWS, QUICK_ROWS = 26_000_000, 1_400_000
GOAL_S: Final = 600
NEW_SONGS: Final = 3  # a day
LIFE: Final = 200  # days until a song is forgotten
ARTISTS: Final = 2_000
GENRES: Final = 40
SEED: Final = 17


def measure(*, quick: bool) -> Measured:
    """Run the job on a warehouse of five years, or of a hundred days."""
    rows = QUICK_ROWS if quick else ROWS
    with tempfile.TemporaryDirectory(prefix="bench-models-", dir=os.environ.get("BENCH_DIR")) as folder:
        found = _measure(rows, Path(folder))
    of = f"Forecast job, {found['rows_in']:,} of {rows:,} chart entries"
    findings = [
        at_most(f"{of}: time on two cores", found["seconds"], GOAL_S, "s"),
        Finding(f"{of}: CPU time", f"{found['cpu_seconds']:,.0f} s"),
        Finding(f"{of}: memory of all its processes", f"{found['resident_mib']:,.0f} MiB"),
    ]
    return Measured(findings, {f"models_{rows}: {name}": number for name, number in found.items()})


def _measure(rows: int, folder: Path) -> dict[str, float]:
    warehouse = folder / "warehouse"
    written = write_charts(warehouse, rows)
    write_artists(warehouse)
    (folder / "input").mkdir()
    places = [f"--{name}={folder / name}" for name in ("input", "warehouse", "work")]
    used = run_measured(job_command(ROOT, "forecast", places), spark_environment(os.environ))
    summary = json.loads((warehouse / "_runs" / "forecast" / "latest.json").read_text())
    tables = {f"rows of {name}": number for name, number in summary["tables"].items()}
    return {
        "records": written,
        "rows_in": summary["rows_in"],
        "rows_out": summary["rows_out"],
        **used,
        **tables,
    }


def write_charts(warehouse: Path, rows: int) -> int:
    """Write about that many chart entries as the charts job does, an object for each month; return their number."""
    days = rows // (REGIONS * RANKS)
    first = LAST_DAY - dt.timedelta(days=days - 1)
    draw = np.random.default_rng(SEED)
    songs = NEW_SONGS * (days + LIFE)
    starts = np.arange(songs) // NEW_SONGS - LIFE
    levels = 12 + 2 * draw.random(songs) + draw.normal(0, 0.5, (REGIONS, songs))
    fades = draw.choice(FADES, songs) / 2
    written = 0
    dates = (first + dt.timedelta(days=day) for day in range(days))
    for month, of_month in groupby(dates, key=lambda date: f"{date:%Y%m}"):
        parts = []
        for date in of_month:
            day = (date - first).days
            alive = np.flatnonzero((starts <= day) & (starts > day - LIFE))
            now = levels[:, alive] - fades[alive] * (day - starts[alive]) + WEEKDAYS[date.weekday()]
            streams = np.exp(now + draw.normal(0, NOISE, now.shape)).astype(np.int64)
            order = np.argsort(-streams, axis=1, kind="stable")[:, :RANKS]
            parts.append((int(f"{date:%Y%m%d}"), alive[order], np.take_along_axis(streams, order, axis=1)))
        written += _write_month(warehouse, month, parts)
    return written


def _write_month(warehouse: Path, month: str, parts: list[tuple[int, np.ndarray, np.ndarray]]) -> int:
    each = REGIONS * RANKS
    columns = {
        "date_key": np.repeat(np.array([date for date, *_ in parts], np.int32), each),
        "region_key": np.tile(np.repeat(np.arange(REGIONS), RANKS), len(parts)),
        "chart_key": np.zeros(each * len(parts), np.int64),
        "rank": np.tile(np.arange(1, RANKS + 1, dtype=np.int32), REGIONS * len(parts)),
        "track_key": np.concatenate([songs.ravel() for _, songs, _ in parts]),
        "streams": np.concatenate([streams.ravel() for *_, streams in parts]),
    }
    table = pa.table(columns).append_column("trend", pa.nulls(each * len(parts), pa.string()))
    path = warehouse / "fact_chart_entry" / f"year={month[:4]}" / "chart=top200" / f"month-{month}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression=CODEC)
    return len(table)


def write_artists(warehouse: Path) -> None:
    """Write regions, artists and their genres, which the trends of genres need."""
    key, text = pa.int64(), pa.string()
    songs = NEW_SONGS * (ROWS // (REGIONS * RANKS) + LIFE)
    _write(
        warehouse,
        "dim_region",
        {"region_key": key, "region_code": text},
        ((number, "global" if number == 0 else f"r{number}") for number in range(REGIONS)),
    )
    _write(
        warehouse,
        "dim_artist",
        {"artist_key": key, "name": text},
        ((number, f"Artist {number}") for number in range(ARTISTS)),
    )
    _write(
        warehouse,
        "bridge_track_artist",
        {"track_key": key, "artist_key": key, "position": pa.int32()},
        ((song, song % ARTISTS, 1) for song in range(songs)),
    )
    _write(
        warehouse,
        "catalog_artists",
        {"artist_id": text, "name": text, "followers": key, "genres": pa.list_(text)},
        ((f"{n}", f"Artist {n}", n, [f"genre {n % GENRES}"]) for n in range(0, ARTISTS, 2)),
    )


def _write(
    warehouse: Path, name: str, types: dict[str, pa.DataType], rows: Iterable[tuple[object, ...]]
) -> None:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, types.values(), strict=True)]
    path = warehouse / name / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays, names=list(types)), path, compression=CODEC)
