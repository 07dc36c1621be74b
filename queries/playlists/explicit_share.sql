-- How much of each playlist is explicit, month by month?
-- Covers this month and the two before, with the songs of all days that have a snapshot. Songs that Spotify does not
-- rate are left out.
--
-- Parameters:
-- - INTERVAL '2' MONTH: How far to look back.
-- Columns:
-- - month: First day of the month.
-- - playlist: Title in the last snapshot of the month.
-- - songs_per_day: Rated songs on an average day, duplicates included.
-- - explicit_per_day: Explicit songs on an average day.
-- - explicit_share: Explicit share of the rated songs, from 0 to 1.
WITH rated AS (
    SELECT
        date_trunc('month', e.snapshot_date) AS month,
        e.snapshot_date,
        e.playlist_id,
        e.playlist,
        s.is_explicit
    FROM daily_entries AS e
    JOIN songs AS s
        ON s.playlist_id = e.playlist_id AND s.snapshot_date = e.snapshot_date AND s.scheduled_at = e.scheduled_at
        AND s.song_id = e.song_id
    WHERE e.kind = 'song'
        AND s.is_explicit IS NOT NULL
        AND e.snapshot_date >= date_trunc('month', current_date) - INTERVAL '2' MONTH
        AND s.snapshot_date >= date_trunc('month', current_date) - INTERVAL '2' MONTH
)
SELECT
    CAST(month AS date) AS month,
    max_by(playlist, snapshot_date) AS playlist,
    CAST(count(*) AS double) / count(DISTINCT snapshot_date) AS songs_per_day,
    CAST(count_if(is_explicit) AS double) / count(DISTINCT snapshot_date) AS explicit_per_day,
    CAST(count_if(is_explicit) AS double) / count(*) AS explicit_share
FROM rated
GROUP BY month, playlist_id
ORDER BY playlist, playlist_id, month
