"""Polars: the artists with the most songs in playlists on the newest day, from exported files."""

import lake
import polars as pl

songs = pl.scan_parquet(lake.exported("songs"))  # "export/songs.parquet"
answer = (
    songs.filter(pl.col("snapshot_date") == pl.col("snapshot_date").max())
    .explode("artist_names")  # a list of names: one row for each
    .drop_nulls("artist_names")
    .group_by(pl.col("artist_names").alias("artist"))
    .agg(
        songs=pl.col("song_id").n_unique(),
        seen=pl.col("scheduled_at").max().dt.convert_time_zone("Europe/Berlin").dt.strftime("%Y-%m-%d %H:%M"),
    )
    .sort(["songs", "artist"], descending=[True, False])
    .head(10)
    .collect()
)
print(answer.write_csv(), end="")
