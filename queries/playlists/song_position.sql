-- How did one song move through a playlist?
-- Takes the song that moved most in the last 35 days, and shows its position in each complete snapshot. A snapshot
-- without it has nulls. A day without a snapshot has no row; a day with several has a row for each, in order of time.
--
-- Parameters:
-- - INTERVAL '35' DAY: How far to look back.
-- Columns:
-- - day: Day of the snapshot (UTC).
-- - playlist: Title of the playlist.
-- - song: Title of the song.
-- - artists: Names of the artists, separated by commas.
-- - position: First position of the song; null if it is not in the list.
WITH snapshots AS (
    SELECT playlist_id, name, snapshot_date, scheduled_at
    FROM playlists
    WHERE snapshot_date >= current_date - INTERVAL '35' DAY AND coalesce(is_complete, true)
),
standings AS (
    SELECT e.playlist_id, e.snapshot_date, e.scheduled_at, e.song_id, min(e.position) AS position
    FROM playlist_entries AS e
    JOIN snapshots AS p
        ON p.playlist_id = e.playlist_id AND p.snapshot_date = e.snapshot_date AND p.scheduled_at = e.scheduled_at
    WHERE e.kind = 'song' AND e.snapshot_date >= current_date - INTERVAL '35' DAY
    GROUP BY e.playlist_id, e.snapshot_date, e.scheduled_at, e.song_id
),
moves AS (
    SELECT
        playlist_id,
        song_id,
        abs(position - lag(position) OVER (PARTITION BY playlist_id, song_id ORDER BY scheduled_at)) AS moved
    FROM standings
),
traveler AS (
    SELECT playlist_id, song_id
    FROM moves
    GROUP BY playlist_id, song_id
    ORDER BY sum(moved) DESC NULLS LAST, song_id, playlist_id
    LIMIT 1
)
SELECT
    p.snapshot_date AS day,
    p.name AS playlist,
    s.name AS song,
    array_join(s.artist_names, ', ') AS artists,
    w.position
FROM traveler AS t
JOIN snapshots AS p
    ON p.playlist_id = t.playlist_id
LEFT JOIN standings AS w
    ON w.playlist_id = p.playlist_id AND w.snapshot_date = p.snapshot_date AND w.scheduled_at = p.scheduled_at
    AND w.song_id = t.song_id
LEFT JOIN songs AS s
    ON s.playlist_id = p.playlist_id AND s.snapshot_date = p.snapshot_date AND s.scheduled_at = p.scheduled_at
    AND s.song_id = w.song_id
WHERE p.snapshot_date >= current_date - INTERVAL '35' DAY
ORDER BY p.scheduled_at
