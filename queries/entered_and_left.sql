-- What entered and left the playlists?
-- Compares each snapshot with the one before, however long ago within 35 days; the last seven days on which something
-- changed. A day without a snapshot is no change.
--
-- Parameters:
-- - INTERVAL '35' DAY: How far to look back.
-- - LIMIT 7: How many days.
-- Columns:
-- - day: Day of the snapshot (UTC).
-- - playlist: Title of the playlist.
-- - entered: Songs, episodes and files that were not in the snapshot before.
-- - gone: Those that were, and are no longer.
-- - highest_new: Title of the one that entered at the highest position; null if it is not available.
WITH changes AS (
    SELECT snapshot_date, playlist_id, playlist, change, name, position
    FROM playlist_changes
    WHERE change IN ('entered', 'left')
        AND snapshot_date >= current_date - INTERVAL '35' DAY
        AND previous_date >= current_date - INTERVAL '35' DAY
),
days AS (
    SELECT DISTINCT snapshot_date
    FROM changes
    ORDER BY snapshot_date DESC
    LIMIT 7
)
SELECT
    c.snapshot_date AS day,
    max(c.playlist) AS playlist,
    count_if(c.change = 'entered') AS entered,
    count_if(c.change = 'left') AS gone,
    min_by(c.name, c.position) AS highest_new
FROM changes AS c
JOIN days AS d
    ON d.snapshot_date = c.snapshot_date
GROUP BY c.snapshot_date, c.playlist_id
ORDER BY day, playlist, c.playlist_id
