-- Which albums are in the playlists on the most days?
-- Looks at the last 60 days. A day counts once, however many songs of the album there are in however many playlists.
--
-- Parameters:
-- - INTERVAL '60' DAY: How far to look back.
-- - LIMIT 20: How many albums.
-- Columns:
-- - album: Title of the album.
-- - days: Days on which a playlist had a song of the album.
-- - songs: Distinct songs of the album in this time.
-- - playlists: Playlists that had a song of the album.
-- - best_position: Best position of its songs; 1 is the top.
-- - first_day: First such day.
-- - last_day: Last such day.
WITH standings AS (
    SELECT e.playlist_id, e.snapshot_date, e.song_id, e.position, s.album_id
    FROM daily_entries AS e
    JOIN songs AS s
        ON s.playlist_id = e.playlist_id AND s.snapshot_date = e.snapshot_date AND s.scheduled_at = e.scheduled_at
        AND s.song_id = e.song_id
    WHERE e.snapshot_date >= current_date - INTERVAL '60' DAY AND s.snapshot_date >= current_date - INTERVAL '60' DAY
),
names AS (
    SELECT album_id, max_by(name, scheduled_at) AS album
    FROM albums
    WHERE snapshot_date >= current_date - INTERVAL '60' DAY
    GROUP BY album_id
)
SELECT
    n.album,
    count(DISTINCT t.snapshot_date) AS days,
    count(DISTINCT t.song_id) AS songs,
    count(DISTINCT t.playlist_id) AS playlists,
    min(t.position) AS best_position,
    min(t.snapshot_date) AS first_day,
    max(t.snapshot_date) AS last_day
FROM standings AS t
JOIN names AS n
    ON n.album_id = t.album_id
GROUP BY t.album_id, n.album
ORDER BY days DESC, songs DESC, best_position, n.album, t.album_id
LIMIT 20
