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
        avg(CAST(entry_count AS double)) AS entries_per_day,
        lag(week) OVER (PARTITION BY playlist_id ORDER BY week) AS week_before
    FROM days
    GROUP BY week, playlist_id
),
songs_of_week AS (
    SELECT
        week,
        playlist_id,
        song_id,
        lag(week) OVER (PARTITION BY playlist_id, song_id ORDER BY week) AS seen_before
    FROM (
        SELECT DISTINCT date_trunc('week', snapshot_date) AS week, playlist_id, song_id
        FROM daily_entries
        WHERE kind = 'song' AND snapshot_date >= date_trunc('week', current_date) - INTERVAL '56' DAY
    )
),
counted AS (
    SELECT
        week,
        playlist_id,
        count(*) AS songs,
        count_if(seen_before IS NULL OR seen_before + INTERVAL '7' DAY < week) AS new_songs
    FROM songs_of_week
    GROUP BY week, playlist_id
)
SELECT
    CAST(o.week AS date) AS week,
    o.playlist,
    o.days_observed,
    o.entries_per_day,
    coalesce(c.songs, 0) AS songs,
    CASE WHEN o.week_before + INTERVAL '7' DAY = o.week THEN coalesce(c.new_songs, 0) END AS new_songs
FROM observed AS o
LEFT JOIN counted AS c
    ON c.playlist_id = o.playlist_id AND c.week = o.week
ORDER BY o.playlist, o.playlist_id, o.week
