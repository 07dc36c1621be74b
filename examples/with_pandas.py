"""pandas: the artists with the most songs in playlists on the newest day, from exported files."""

import lake
import pandas as pd

songs = pd.read_parquet(lake.exported("songs"))  # "export/songs.parquet"
newest = songs[songs["snapshot_date"] == songs["snapshot_date"].max()]
answer = (
    newest.explode("artist_names")  # a list of names: one row for each
    .groupby("artist_names")
    .agg(songs=("song_id", "nunique"), seen=("scheduled_at", "max"))
    .rename_axis("artist")
    .sort_values(["songs", "artist"], ascending=[False, True])
    .head(10)
    .reset_index()
)
answer["seen"] = answer["seen"].dt.tz_convert("Europe/Berlin").dt.strftime("%Y-%m-%d %H:%M")
print(answer.to_csv(index=False), end="")
