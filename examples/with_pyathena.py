"""PyAthena: the artists with the most songs in playlists on the newest day, from Athena or the laptop's."""

import csv
import sys

import lake
from pyathena import connect

cursor = connect(
    work_group=lake.connected("LAKE_WORKGROUP"), schema_name=lake.connected("LAKE_DATABASE")
).cursor()
# The condition on the partition limits what Athena reads. Columns of timestamps are UTC and have no zone.
cursor.execute("""
    SELECT
        artist,
        count(DISTINCT song_id) AS songs,
        date_format(max(scheduled_at) AT TIME ZONE 'Europe/Berlin', '%Y-%m-%d %H:%i') AS seen
    FROM songs
    CROSS JOIN UNNEST(artist_names) AS names (artist)
    WHERE snapshot_date = (SELECT max(snapshot_date) FROM playlists)
    GROUP BY artist
    ORDER BY songs DESC, artist
    LIMIT 10
""")
rows = cursor.fetchall()
if not rows:
    raise SystemExit(
        "The table songs has no rows. Fill the lake: `make demo`, or a daily run. Then run this again."
    )
csv.writer(sys.stdout).writerows([[column[0] for column in cursor.description], *rows])
