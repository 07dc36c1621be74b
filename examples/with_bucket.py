"""DuckDB and Polars on the Parquet files in the lake's bucket, without Athena: partitions are folders."""

import os

import duckdb
import lake
import polars as pl
import pyarrow as pa
from pyarrow import dataset, fs

# One object for each playlist and snapshot: curated/songs/snapshot_date=2026-11-20/<playlist>-<time>.parquet
folder = f"{lake.connected('LAKE_BUCKET')}/curated/songs/"
newest = (
    pl.scan_parquet(f"s3://{folder}**/*.parquet", hive_partitioning=True, try_parse_hive_dates=True)
    .select(pl.col("snapshot_date").max())
    .collect()
    .item()
)
# DuckDB reads S3 itself with its extension httpfs, which it downloads; pyarrow, which needs none, finds the files here.
songs = dataset.dataset(
    folder,
    format="parquet",
    filesystem=fs.S3FileSystem(
        region=os.environ["AWS_REGION"], endpoint_override=os.environ.get("AWS_ENDPOINT_URL")
    ),
    partitioning=dataset.partitioning(pa.schema([("snapshot_date", pa.date32())]), flavor="hive"),
)
print(
    duckdb.sql(f"""
    SELECT
        artist,
        count(DISTINCT song_id) AS songs,
        strftime(timezone('Europe/Berlin', max(scheduled_at)), '%Y-%m-%d %H:%M') AS seen
    FROM (SELECT unnest(artist_names) AS artist, song_id, scheduled_at FROM songs WHERE snapshot_date = '{newest}')
    GROUP BY artist
    ORDER BY songs DESC, artist
    LIMIT 10
    """)
    .df()
    .to_csv(index=False),
    end="",
)
