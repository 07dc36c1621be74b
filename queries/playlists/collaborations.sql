-- Which artists work together?
-- Counts pairs of artists credited on the same song, over the distinct songs in the newest snapshots of all playlists.
--
-- Parameters:
-- - LIMIT 20: How many pairs.
-- Columns:
-- - artist: Name of one artist.
-- - other_artist: Name of the other artist.
-- - songs: Distinct songs by both.
-- - example: Title of one of these songs.
WITH credits AS (
    SELECT s.song_id, c.artist_id, max(c.artist) AS artist, max(s.name) AS song
    FROM latest_songs AS s
    CROSS JOIN UNNEST(s.artist_ids, s.artist_names) AS c (artist_id, artist)
    WHERE c.artist_id IS NOT NULL
    GROUP BY s.song_id, c.artist_id
)
SELECT
    max(a.artist) AS artist,
    max(b.artist) AS other_artist,
    count(*) AS songs,
    min(a.song) AS example
FROM credits AS a
JOIN credits AS b
    ON b.song_id = a.song_id AND b.artist_id > a.artist_id
GROUP BY a.artist_id, b.artist_id
ORDER BY songs DESC, artist, other_artist
LIMIT 20
