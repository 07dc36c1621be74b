-- How fresh is the data, and which days are missing?
-- Lists every playlist that has a complete snapshot in the last 35 days; parts of a list do not count. If a playlist is
-- no longer collected, its age shows it.
--
-- Parameters:
-- - INTERVAL '35' DAY: How far to look back.
-- Columns:
-- - playlist: Newest title.
-- - last_snapshot_at: Time of the newest snapshot (UTC).
-- - days_old: Days since the newest snapshot; 0 means today.
-- - days_observed: Days with a snapshot.
-- - days_missing: Days without a snapshot between the first and the newest.
-- - longest_gap_days: Most consecutive missing days.
-- - snapshots: Number of snapshots.
WITH snapshots AS (
    SELECT playlist_id, name, snapshot_date, scheduled_at
    FROM playlists
    WHERE snapshot_date >= current_date - INTERVAL '35' DAY AND coalesce(is_complete, true)
),
gaps AS (
    SELECT
        playlist_id,
        date_diff(
            'day',
            lag(snapshot_date) OVER (PARTITION BY playlist_id ORDER BY scheduled_at),
            snapshot_date
        ) - 1 AS days
    FROM snapshots
),
longest AS (
    SELECT playlist_id, max(days) AS days
    FROM gaps
    GROUP BY playlist_id
)
SELECT
    max_by(s.name, s.scheduled_at) AS playlist,
    max(s.scheduled_at) AS last_snapshot_at,
    date_diff('day', max(s.snapshot_date), current_date) AS days_old,
    count(DISTINCT s.snapshot_date) AS days_observed,
    date_diff('day', min(s.snapshot_date), max(s.snapshot_date)) + 1 - count(DISTINCT s.snapshot_date) AS days_missing,
    greatest(coalesce(max(l.days), 0), 0) AS longest_gap_days,
    count(*) AS snapshots
FROM snapshots AS s
JOIN longest AS l
    ON l.playlist_id = s.playlist_id
GROUP BY s.playlist_id
ORDER BY days_old DESC, days_missing DESC, playlist, s.playlist_id
