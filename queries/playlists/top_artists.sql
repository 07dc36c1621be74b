-- Which artists appear most often?
-- Counts the entries in the newest snapshot of every playlist. A song with two artists counts for both.
--
-- Parameters:
-- - LIMIT 10: How many artists.
-- Columns:
-- - artist: Name of the artist.
-- - appearances: Entries in the playlists.
-- - songs: Distinct songs among them.
-- - playlists: Playlists with the artist.
SELECT
    max(c.artist) AS artist,
    count(*) AS appearances,
    count(DISTINCT s.song_id) AS songs,
    count(DISTINCT s.playlist_id) AS playlists
FROM latest_entries AS e
JOIN latest_songs AS s
    ON s.playlist_id = e.playlist_id AND s.song_id = e.song_id
CROSS JOIN UNNEST(s.artist_ids, s.artist_names) AS c (artist_id, artist)
WHERE e.kind = 'song' AND c.artist_id IS NOT NULL
GROUP BY c.artist_id
ORDER BY appearances DESC, songs DESC, artist, c.artist_id
LIMIT 10
