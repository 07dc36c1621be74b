-- How did the playlists change month by month?
-- This month and the two months before. Averages are over the days that have a snapshot; a month without any has no row.
--
-- Parameters:
-- - INTERVAL '2' MONTH: How far to look back.
-- Columns:
-- - month: First day of the month.
-- - playlist: Title as it was last seen in the month.
-- - days_observed: Days that have a snapshot.
-- - entries_per_day: Entries on an average day.
-- - songs: Different songs in the month.
-- - new_songs: Those of them that were not in it in the month before; null if that month has no snapshot.
WITH days AS (
    SELECT date_trunc('month', snapshot_date) AS month, snapshot_date, playlist_id, playlist, entry_count
    FROM daily_playlists
    WHERE snapshot_date >= date_trunc('month', current_date) - INTERVAL '2' MONTH
),
observed AS (
    SELECT
        month,
        playlist_id,
        max_by(playlist, snapshot_date) AS playlist,
        count(*) AS days_observed,
        avg(CAST(entry_count AS double)) AS entries_per_day,
        lag(month) OVER (PARTITION BY playlist_id ORDER BY month) AS month_before
    FROM days
    GROUP BY month, playlist_id
),
songs_of_month AS (
    SELECT
        month,
        playlist_id,
        song_id,
        lag(month) OVER (PARTITION BY playlist_id, song_id ORDER BY month) AS seen_before
    FROM (
        SELECT DISTINCT date_trunc('month', snapshot_date) AS month, playlist_id, song_id
        FROM daily_entries
        WHERE kind = 'song' AND snapshot_date >= date_trunc('month', current_date) - INTERVAL '2' MONTH
    )
),
counted AS (
    SELECT
        month,
        playlist_id,
        count(*) AS songs,
        count_if(seen_before IS NULL OR seen_before + INTERVAL '1' MONTH < month) AS new_songs
    FROM songs_of_month
    GROUP BY month, playlist_id
)
SELECT
    CAST(o.month AS date) AS month,
    o.playlist,
    o.days_observed,
    o.entries_per_day,
    coalesce(c.songs, 0) AS songs,
    CASE WHEN o.month_before + INTERVAL '1' MONTH = o.month THEN coalesce(c.new_songs, 0) END AS new_songs
FROM observed AS o
LEFT JOIN counted AS c
    ON c.playlist_id = o.playlist_id AND c.month = o.month
ORDER BY o.playlist, o.playlist_id, o.month
