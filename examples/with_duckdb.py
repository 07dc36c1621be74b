"""DuckDB: the artists with the most songs in playlists on the newest day, from exported files."""

import duckdb
import lake

songs = lake.exported("songs")  # "export/songs.parquet"
# Times are UTC with a zone; in the zone of your clock they are texts or times without one. Lists become rows by unnest.
print(
    duckdb.sql(f"""
    SELECT
        artist,
        count(DISTINCT song_id) AS songs,
        strftime(timezone('Europe/Berlin', max(scheduled_at)), '%Y-%m-%d %H:%M') AS seen
    FROM (SELECT unnest(artist_names) AS artist, song_id, scheduled_at, snapshot_date FROM '{songs}')
    WHERE snapshot_date = (SELECT max(snapshot_date) FROM '{songs}')
    GROUP BY artist
    ORDER BY songs DESC, artist
    LIMIT 10
    """)
    .df()
    .to_csv(index=False),
    end="",
)
