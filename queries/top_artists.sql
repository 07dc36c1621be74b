-- Which artists appear most often?
-- Counts the entries of every playlist as it was last seen; a song with two artists counts for both.
WITH latest AS (
    SELECT playlist_id, max(scheduled_at) AS scheduled_at
    FROM playlists
    GROUP BY playlist_id
),
appearances AS (
    SELECT e.playlist_id, e.scheduled_at, s.song_id, a.artist_id
    FROM latest AS l
    JOIN playlist_entries AS e
        ON e.playlist_id = l.playlist_id AND e.scheduled_at = l.scheduled_at
    JOIN songs AS s
        ON s.playlist_id = e.playlist_id AND s.scheduled_at = e.scheduled_at AND s.song_id = e.song_id
    CROSS JOIN UNNEST(s.artist_ids) AS a (artist_id)
)
SELECT
    max(n.name) AS artist,
    count(*) AS appearances,
    count(DISTINCT p.song_id) AS songs,
    count(DISTINCT p.playlist_id) AS playlists
FROM appearances AS p
JOIN artists AS n
    ON n.playlist_id = p.playlist_id AND n.scheduled_at = p.scheduled_at AND n.artist_id = p.artist_id
GROUP BY p.artist_id
ORDER BY appearances DESC, songs DESC, artist
LIMIT 10
