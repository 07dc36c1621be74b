-- Which songs climbed or fell most in the last seven days?
-- Shows the largest moves from one snapshot to the next. If days are missing, the snapshot before may be up to 35 days
-- older. A new entry moves everything below it down by one.
--
-- Parameters:
-- - INTERVAL '7' DAY: How far to look back for moves.
-- - LIMIT 20: How many moves.
-- Columns:
-- - day: Day of the snapshot (UTC).
-- - playlist: Title of the playlist.
-- - song: Title of the song, episode or file.
-- - climbed: Positions climbed; negative if it fell.
-- - from_position: Position in the snapshot before.
-- - to_position: Position now.
-- - days_between: Days between the two snapshots.
SELECT
    snapshot_date AS day,
    playlist,
    name AS song,
    climbed,
    previous_position AS from_position,
    position AS to_position,
    days_between
FROM recent_changes
WHERE change = 'moved' AND snapshot_date >= current_date - INTERVAL '7' DAY
ORDER BY abs(climbed) DESC, scheduled_at DESC, to_position, playlist, uri
LIMIT 20
