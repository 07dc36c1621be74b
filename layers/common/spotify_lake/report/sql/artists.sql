-- How many songs does each artist have in the playlists, and how many did they have before?
-- One row per playlist and artist; rows without a playlist are totals over all playlists. A song by two artists counts
-- for both. `days` (counted from $first) and `songs` are parallel lists.
WITH days AS (
    SELECT
        playlist_id,
        snapshot_date,
        coalesce(max(CASE WHEN coalesce(is_imported, false) THEN NULL ELSE scheduled_at END), max(scheduled_at))
            AS scheduled_at
    FROM playlists
    WHERE snapshot_date IN ($dates) AND coalesce(is_complete, true)
    GROUP BY playlist_id, snapshot_date
),
listed AS (
    SELECT s.playlist_id, s.snapshot_date, s.artist_ids, s.artist_names
    FROM songs AS s
    JOIN days AS d
        ON d.playlist_id = s.playlist_id
        AND d.snapshot_date = s.snapshot_date
        AND d.scheduled_at = s.scheduled_at
    WHERE s.snapshot_date IN ($dates)
),
together AS (
    SELECT
        l.playlist_id,
        l.snapshot_date,
        c.artist_id,
        count(*) AS songs,
        max(l.artist_names[c.place]) AS name
    FROM listed AS l
    CROSS JOIN UNNEST(l.artist_ids) WITH ORDINALITY AS c (artist_id, place)
    WHERE c.artist_id IS NOT NULL
    GROUP BY GROUPING SETS ((l.playlist_id, c.artist_id, l.snapshot_date), (c.artist_id, l.snapshot_date))
),
histories AS (
    SELECT
        playlist_id,
        artist_id,
        max(name) AS name,
        sum(songs) AS total,
        sum(CASE WHEN snapshot_date = DATE '$last' THEN songs ELSE 0 END) AS latest,
        CAST(array_agg(date_diff('day', DATE '$first', snapshot_date) ORDER BY snapshot_date) AS JSON) AS days,
        CAST(array_agg(songs ORDER BY snapshot_date) AS JSON) AS songs
    FROM together
    GROUP BY playlist_id, artist_id
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY playlist_id ORDER BY latest DESC, total DESC, artist_id) AS latest_rank,
        row_number() OVER (PARTITION BY playlist_id ORDER BY total DESC, artist_id) AS total_rank
    FROM histories
)
SELECT playlist_id, artist_id, name, days, songs
FROM ranked
WHERE latest_rank <= CASE WHEN playlist_id IS NULL THEN $overall ELSE $each END OR total_rank <= 10
ORDER BY playlist_id, total_rank
