-- How did the playlists change week by week?
-- This week and the eight weeks before. Averages are over the days that have a snapshot; a week without any has no row.
--
-- Parameters:
-- - INTERVAL '56' DAY: How far to look back.
-- Columns:
-- - week: Monday of the week.
-- - playlist: Title as it was last seen in the week.
-- - days_observed: Days that have a snapshot.
-- - entries_per_day: Entries on an average day.
-- - songs: Different songs in the week.
-- - new_songs: Those of them that were not in it in the week before; null if that week has no snapshot.
WITH days AS (
    SELECT date_trunc('week', snapshot_date) AS week, snapshot_date, playlist_id, playlist, entry_count
    FROM daily_playlists
    WHERE snapshot_date >= date_trunc('week', current_date) - INTERVAL '56' DAY
),
observed AS (
    SELECT
        week,
        playlist_id,
        max_by(playlist, snapshot_date) AS playlist,
        count(*) AS days_observed,
        avg(CAST(entry_count AS double)) AS entries_per_day
    FROM days
    GROUP BY week, playlist_id
),
songs_of_week AS (
    SELECT DISTINCT date_trunc('week', snapshot_date) AS week, playlist_id, song_id
    FROM daily_entries
    WHERE kind = 'song' AND snapshot_date >= date_trunc('week', current_date) - INTERVAL '56' DAY
),
counted AS (
    SELECT s.week, s.playlist_id, count(*) AS songs, count_if(b.song_id IS NULL) AS new_songs
    FROM songs_of_week AS s
    LEFT JOIN songs_of_week AS b
        ON b.playlist_id = s.playlist_id AND b.song_id = s.song_id AND b.week + INTERVAL '7' DAY = s.week
    GROUP BY s.week, s.playlist_id
)
SELECT
    CAST(o.week AS date) AS week,
    o.playlist,
    o.days_observed,
    o.entries_per_day,
    coalesce(c.songs, 0) AS songs,
    CASE WHEN b.week IS NOT NULL THEN coalesce(c.new_songs, 0) END AS new_songs
FROM observed AS o
LEFT JOIN observed AS b
    ON b.playlist_id = o.playlist_id AND b.week + INTERVAL '7' DAY = o.week
LEFT JOIN counted AS c
    ON c.playlist_id = o.playlist_id AND c.week = o.week
ORDER BY o.playlist, o.playlist_id, o.week
