-- What entered and left the playlists?
-- Compares each snapshot with the one before, up to 35 days earlier, and shows the last seven days with changes. A day
-- without a snapshot is not a change. If a day has several snapshots, their changes are added up.
--
-- Parameters:
-- - day_number <= 7: How many days to show.
-- Columns:
-- - day: Day of the snapshot (UTC).
-- - playlist: Title of the playlist.
-- - entered: Songs, episodes and files that were not in the snapshot before.
-- - gone: Songs, episodes and files that were in the snapshot before and are gone.
-- - highest_new: Title of the entry that entered at the highest position; the first by title if several did; null if it is unavailable.
WITH changes AS (
    SELECT
        snapshot_date,
        playlist_id,
        playlist,
        change,
        name,
        position,
        dense_rank() OVER (ORDER BY snapshot_date DESC) AS day_number
    FROM recent_changes
    WHERE change IN ('entered', 'left')
)
SELECT
    snapshot_date AS day,
    max(playlist) AS playlist,
    count_if(change = 'entered') AS entered,
    count_if(change = 'left') AS gone,
    min_by(name, ROW(position, coalesce(name, ''))) FILTER (WHERE change = 'entered') AS highest_new
FROM changes
WHERE day_number <= 7
GROUP BY snapshot_date, playlist_id
ORDER BY day, playlist, playlist_id
