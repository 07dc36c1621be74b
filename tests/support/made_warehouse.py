"""A warehouse with made-up charts, written without the charts job."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from local.made_up_charts import Entry

_ENTRIES = """
    select cast(strftime(day, '%Y%m%d') as int) as date_key, region_key, 1::bigint as chart_key, rank, track_key, streams,
        null::varchar as trend, strftime(day, '%Y%m') as month
    from entries
"""
REGIONS = ("Global", "Germany", "Mexico")


def write_entries(warehouse: Path, entries: Iterable[Entry], chart: str = "top200") -> int:
    """Write entries as the charts job does, in an object for each month; return their number."""
    rows = [
        (one.day.isoformat(), REGIONS.index(one.region) + 1, one.rank, one.song + 1, one.streams)
        for one in entries
    ]
    with duckdb.connect() as connection:
        connection.execute(
            "create table entries (day date, region_key bigint, rank int, track_key bigint, streams bigint)"
        )
        values = ", ".join(
            f"(date '{day}', {region}, {rank}, {song}, {streams})"
            for day, region, rank, song, streams in rows
        )
        connection.execute(f"insert into entries values {values}")
        for (month,) in connection.execute("select distinct strftime(day, '%Y%m') from entries").fetchall():
            folder = warehouse / "fact_chart_entry" / f"year={month[:4]}" / f"chart={chart}"
            folder.mkdir(parents=True, exist_ok=True)
            connection.execute(
                f"copy (select * exclude month from ({_ENTRIES}) where month = '{month}' order by all)"
                f" to '{folder}/month-{month}.parquet' (format parquet, codec snappy)"
            )
    return len(rows)


def write_table(warehouse: Path, table: str, select: str) -> None:
    """Write a table from a query of DuckDB."""
    (warehouse / table).mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"copy ({select}) to '{warehouse}/{table}/{table}.parquet' (format parquet, codec snappy)")
