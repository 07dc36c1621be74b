"""What the tables of the bulk data sets take, for query_bytes: the made-up files of local/bulk_data.py as Parquet.

DuckDB makes the rows, in the order in which the jobs write them and one file for each of their objects. The other side
is the data sets as they are published: CSV files, each of which is read whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from local.bulk_data import ROWS_A_DAY, write_catalog, write_charts
from spotify_lake.schema.types import Table, Type
from spotify_lake.schema.warehouse import WAREHOUSE, WarehouseTable
from spotify_lake.transform.parquet import ARROW_TYPES

CHART_DAYS: Final = 60
SONG_COPIES: Final = 40  # of the catalog: some 160,000 tracks

type Part = tuple[object, ...]
type Sizes = dict[tuple[str, Part], dict[str, int]]

# The parts of partitioned tables; charts are of the first year, and of it the first two months.
PARTS: Final[dict[str, list[Part]]] = {
    "fact_chart_entry": [(2017, "top200"), (2017, "viral50")],
    "track_catalog": [("unknown",), *((str(decade),) for decade in range(1900, 2050, 10))],
    "bulk_rejects": [("charts",), ("kaggle2023",)],
}
# Columns of each file of the catalog, without which it does not have to be read. That of the albums always has.
_CATALOG_FILES: Final = {
    "spotify_artist_data_2023.csv": {"artist_name", "artist_popularity", "followers", "genres"},
    "spotify_tracks_data_2023.csv": {"track_popularity", "is_explicit"},
    "spotify_features_data_2023.csv": {
        *(
            "danceability",
            "energy",
            "loudness",
            "speechiness",
            "acousticness",
            "instrumentalness",
            "liveness",
        ),
        *("valence", "tempo", "key", "mode", "time_signature"),
    },
}

_LINES: Final = """
create temp macro surrogate(value) as (hash(value)::hugeint - 9223372036854775808)::bigint;
create temp table lines as
select
    try_cast(date as date) as day, region, chart, try_cast(rank as int) as rank, right(url, 22) as track_id,
    title, artist, try_cast(try_cast(streams as double) as bigint) as streams, trend
from read_csv($file, all_varchar = true, strict_mode = false, ignore_errors = true)
where try_cast(rank as int) is not null and try_cast(date as date) is not null;
"""
_CHARTS: Final = {
    "fact_chart_entry": """
        select distinct
            cast(strftime(day, '%Y%m%d') as int) as date_key, surrogate(region) as region_key,
            surrogate(chart) as chart_key, rank,
            surrogate(track_id) as track_key, streams, trend
        from lines where chart = $part and month(day) = $month order by date_key, region_key, rank""",
    "dim_track": """
        select
            surrogate(track_id) as track_key, track_id, any_value(title) as title,
            any_value(artist) as artist, 'https://open.spotify.com/track/' || track_id as url,
            min(cast(strftime(day, '%Y%m%d') as int)) as first_date_key,
            max(cast(strftime(day, '%Y%m%d') as int)) as last_date_key
        from lines group by track_id order by track_key""",
    "bridge_track_artist": """
        select distinct
            surrogate(track_id) as track_key,
            surrogate(lower(name)) as artist_key, 1 as position
        from lines, unnest(string_split(artist, ', ')) as names (name) order by all""",
    "dim_artist": """
        select distinct surrogate(lower(name)) as artist_key, name
        from lines, unnest(string_split(artist, ', ')) as names (name) order by all""",
    "dim_region": """
        select distinct
            surrogate(region) as region_key, region as name, lower(left(region, 2)) as region_code
        from lines order by all""",
    "dim_chart": """
        select distinct
            surrogate(chart) as chart_key, chart, chart as title, 'daily' as period
        from lines""",
    "dim_date": """
        select distinct
            cast(strftime(day, '%Y%m%d') as int) as date_key, day as date, year(day) as year, quarter(day) as quarter,
            month(day) as month, week(day) as week, day(day) as day, isodow(day) as day_of_week
        from lines order by all""",
}
_CATALOG: Final = """
create temp table joined as
with album_tracks as (
    select distinct on (track_id, album_id, artist_id) *, try_cast(left(release_date, 10) as date) as released
    from read_csv($albums, all_varchar = true)
),
artists as (select distinct on (id) * from read_csv($artists, all_varchar = true))
select
    a.track_id, a.artist_id, a.album_id, a.track_name,
    list_filter([artist_0, artist_1, artist_2, artist_3], lambda name: name is not null) as artists,
    try_cast(try_cast(track_number as double) as int) as track_number, try_cast(a.duration_ms as bigint) as duration_ms,
    album_name, album_type, try_cast(total_tracks as int) as total_tracks, released as release_date, label,
    try_cast(album_popularity as int) as album_popularity, r.name as artist_name,
    try_cast(try_cast(artist_popularity as double) as int) as artist_popularity,
    try_cast(try_cast(followers as double) as bigint) as followers,
    list_filter([genre_0, genre_1], lambda genre: genre is not null) as genres,
    try_cast(track_popularity as int) as track_popularity, try_cast(explicit as boolean) as is_explicit,
    f.* exclude (id, duration_ms),
    coalesce(cast(year(released) // 10 * 10 as varchar), 'unknown') as release_decade
from album_tracks as a
join artists as r on r.id = a.artist_id
join read_csv($tracks, all_varchar = true) as t on t.id = a.track_id
left join read_csv($features, all_varchar = true) as f on f.id = a.track_id;
"""


def generate(column_sizes: Callable[[pa.Table], dict[str, int]]) -> tuple[Sizes, dict[str, int]]:
    """Make both data sets; return the bytes of each column by table and part, and those of each CSV file.

    Parameters
    ----------
    column_sizes
        Returns the bytes of the columns of one file.
    """
    sizes: Sizes = {}
    with tempfile.TemporaryDirectory(prefix="warehouse-bytes-") as name, duckdb.connect() as connection:
        folder = Path(name)
        write_charts(folder / "charts.csv", CHART_DAYS * ROWS_A_DAY)
        write_catalog(folder, SONG_COPIES)
        connection.execute(_LINES, {"file": str(folder / "charts.csv")})
        files = {
            kind: str(next(folder.glob(f"*{kind}*data*")))
            for kind in ("artist", "albums", "tracks", "features")
        }
        connection.execute(_CATALOG, {"artists": files.pop("artist"), **files})

        def add(declared: WarehouseTable, part: Part, sql: str, values: dict[str, object]) -> None:
            schema = arrow_schema(declared.table)
            rows = connection.sql(sql, params=values).to_arrow_table().select(schema.names).cast(schema)
            known = sizes.setdefault((declared.table.name, part), dict.fromkeys(schema.names, 0))
            for column, size in column_sizes(rows).items():
                known[column] += size

        for declared in WAREHOUSE:
            table = declared.table.name
            if table == "fact_chart_entry":
                for part in PARTS[table]:
                    for month in (1, 2, 3):
                        add(declared, part, _CHARTS[table], {"part": part[1], "month": month})
            elif table == "track_catalog":
                for part in PARTS[table]:
                    query = "select * from joined where release_decade = $decade order by track_id"
                    add(declared, part, query, {"decade": part[0]})
            elif table in _CHARTS:
                add(declared, (), _CHARTS[table], {})
        csv_bytes = {path.name: path.stat().st_size for path in folder.glob("*.csv")}
    return sizes, csv_bytes


def arrow_schema(table: Table) -> pa.Schema:
    """Return the schema of the files of any table, of the warehouse or not."""
    types = ARROW_TYPES | {Type.DOUBLE: pa.float64()}
    return pa.schema([(column.name, types[column.type]) for column in table.columns])


def csv_files(tables_and_columns: Iterable[tuple[str, frozenset[str]]]) -> set[str]:
    """Return the CSV files that hold what is read of some tables."""
    files = set()
    for table, columns in tables_and_columns:
        if table == "track_catalog":
            files.add("spotify-albums_data_2023.csv")
            files |= {name for name, held in _CATALOG_FILES.items() if held & columns}
        else:
            files.add("charts.csv")
    return files
