-- The last complete snapshot of each playlist on each day; an import only if no run recorded one on that day.
-- A day without a complete snapshot has no row: its content is unknown, which is different from an empty playlist.
--
-- One row: playlist and day
-- Columns:
-- - snapshot_date date: The day (UTC).
-- - playlist_id string: Spotify id of the playlist.
-- - playlist string: Title in that snapshot. Null when Spotify does not send it.
-- - scheduled_at timestamp: Time of the snapshot (UTC).
-- - entry_count int: Entries in the playlist.
SELECT
    snapshot_date,
    playlist_id,
    name AS playlist,
    scheduled_at,
    entry_count
FROM (
    SELECT
        snapshot_date,
        playlist_id,
        name,
        scheduled_at,
        entry_count,
        first_value(scheduled_at) OVER (
            PARTITION BY playlist_id, snapshot_date ORDER BY coalesce(is_imported, false), scheduled_at DESC
        ) AS last_of_day
    FROM playlists
    WHERE coalesce(is_complete, true)
)
WHERE scheduled_at = last_of_day
