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
        avg(CAST(entry_count AS double)) AS entries_per_day
    FROM days
    GROUP BY month, playlist_id
),
songs_of_month AS (
    SELECT DISTINCT date_trunc('month', snapshot_date) AS month, playlist_id, song_id
    FROM daily_entries
    WHERE kind = 'song' AND snapshot_date >= date_trunc('month', current_date) - INTERVAL '2' MONTH
),
counted AS (
    SELECT s.month, s.playlist_id, count(*) AS songs, count_if(b.song_id IS NULL) AS new_songs
    FROM songs_of_month AS s
    LEFT JOIN songs_of_month AS b
        ON b.playlist_id = s.playlist_id AND b.song_id = s.song_id AND b.month + INTERVAL '1' MONTH = s.month
    GROUP BY s.month, s.playlist_id
)
SELECT
    CAST(o.month AS date) AS month,
    o.playlist,
    o.days_observed,
    o.entries_per_day,
    coalesce(c.songs, 0) AS songs,
    CASE WHEN b.month IS NOT NULL THEN coalesce(c.new_songs, 0) END AS new_songs
FROM observed AS o
LEFT JOIN observed AS b
    ON b.playlist_id = o.playlist_id AND b.month + INTERVAL '1' MONTH = o.month
LEFT JOIN counted AS c
    ON c.playlist_id = o.playlist_id AND c.month = o.month
ORDER BY o.playlist, o.playlist_id, o.month
