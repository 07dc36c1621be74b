-- Are the songs getting shorter?
-- Shows the average song length of each playlist in this week and the eight weeks before.
--
-- Parameters:
-- - INTERVAL '56' DAY: How far to look back.
-- Columns:
-- - week: Monday of the week.
-- - playlist: Title in the last snapshot of the week.
-- - songs: Distinct songs in the week.
-- - average_seconds: Average song length over all entries on all days that have a snapshot.
-- - shortest_seconds: Length of the shortest song.
-- - longest_seconds: Length of the longest song.
-- - change_seconds: Change in average length since the week before; null if that week has no data.
WITH weeks AS (
    SELECT
        date_trunc('week', e.snapshot_date) AS week,
        e.playlist_id,
        max_by(e.playlist, e.snapshot_date) AS playlist,
        count(DISTINCT e.song_id) AS songs,
        avg(CAST(s.duration_ms AS double)) / 1000 AS average_seconds,
        CAST(min(s.duration_ms) AS double) / 1000 AS shortest_seconds,
        CAST(max(s.duration_ms) AS double) / 1000 AS longest_seconds
    FROM daily_entries AS e
    JOIN songs AS s
        ON s.playlist_id = e.playlist_id AND s.snapshot_date = e.snapshot_date AND s.scheduled_at = e.scheduled_at
        AND s.song_id = e.song_id
    WHERE e.kind = 'song'
        AND s.duration_ms IS NOT NULL
        AND e.snapshot_date >= date_trunc('week', current_date) - INTERVAL '56' DAY
        AND s.snapshot_date >= date_trunc('week', current_date) - INTERVAL '56' DAY
    GROUP BY date_trunc('week', e.snapshot_date), e.playlist_id
),
followed AS (
    SELECT
        week,
        playlist_id,
        playlist,
        songs,
        average_seconds,
        shortest_seconds,
        longest_seconds,
        lag(week) OVER (PARTITION BY playlist_id ORDER BY week) AS week_before,
        lag(average_seconds) OVER (PARTITION BY playlist_id ORDER BY week) AS average_before
    FROM weeks
)
SELECT
    CAST(week AS date) AS week,
    playlist,
    songs,
    average_seconds,
    shortest_seconds,
    longest_seconds,
    CASE WHEN week_before + INTERVAL '7' DAY = week THEN average_seconds - average_before END AS change_seconds
FROM followed
ORDER BY playlist, playlist_id, week
