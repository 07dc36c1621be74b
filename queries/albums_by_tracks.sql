-- Which albums have the most songs in the playlists?
-- Counts the different songs of each album over all playlists as they were last seen.
WITH latest AS (
    SELECT playlist_id, max(scheduled_at) AS scheduled_at
    FROM playlists
    GROUP BY playlist_id
)
SELECT
    max(a.name) AS album,
    count(DISTINCT s.song_id) AS tracks,
    max(a.total_tracks) AS of_tracks,
    max(a.release_year) AS released,
    count(DISTINCT s.playlist_id) AS playlists
FROM latest AS l
JOIN songs AS s
    ON s.playlist_id = l.playlist_id AND s.scheduled_at = l.scheduled_at
JOIN albums AS a
    ON a.playlist_id = s.playlist_id AND a.scheduled_at = s.scheduled_at AND a.album_id = s.album_id
GROUP BY a.album_id
ORDER BY tracks DESC, playlists DESC, album
LIMIT 10
