-- Which songs stay longest?
-- The longest uninterrupted stays in a playlist since the first snapshot. Reads every day.
--
-- Parameters:
-- - LIMIT 20: How many songs.
-- Columns:
-- - song: Title.
-- - artists: Names of the artists, separated by commas.
-- - playlist: Title of the playlist.
-- - longest_stay_days: Days from the first to the last snapshot of the longest stay, both included.
-- - days_in_list: Days of all stays that have a snapshot.
-- - first_seen: Day it was first seen in the playlist.
-- - last_seen: Day it was last seen.
-- - is_in_list: Whether the playlist's newest snapshot has it.
-- - best_position: Best position; 1 is the top.
SELECT
    name AS song,
    artists,
    playlist,
    longest_stay_days,
    days_in_list,
    first_seen,
    last_seen,
    is_in_list,
    best_position
FROM song_history
ORDER BY longest_stay_days DESC, days_in_list DESC, best_position, song, playlist, song_id
LIMIT 20
