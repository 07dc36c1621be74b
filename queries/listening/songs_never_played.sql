-- Which songs in your playlists do you never play?
-- Compares the newest snapshot of every playlist with all plays. A song is played under its own id, or under its title
-- and one of its artists.
--
-- Parameters:
-- - LIMIT 100: How many entries.
-- Columns:
-- - playlist: Title of the playlist.
-- - position: Position in the playlist.
-- - song: Title of the song.
-- - artists: Names of the artists, separated by commas.
-- - added_at: When it was added (UTC); null when Spotify does not send it.
WITH heard AS (
    SELECT song_id, lower(artist_name) || ' / ' || lower(name) AS song_key
    FROM listening
    WHERE is_counted AND kind IN ('song', 'video')
    GROUP BY song_id, lower(artist_name) || ' / ' || lower(name)
),
played AS (
    SELECT s.song_id
    FROM latest_songs AS s
    JOIN heard AS h
        ON h.song_id = s.song_id
    UNION
    SELECT s.song_id
    FROM latest_songs AS s
    CROSS JOIN UNNEST(s.artist_names) AS a (artist)
    JOIN heard AS h
        ON h.song_key = lower(a.artist) || ' / ' || lower(s.name)
)
SELECT e.playlist, e.position, s.name AS song, array_join(s.artist_names, ', ') AS artists, e.added_at
FROM latest_entries AS e
JOIN latest_songs AS s
    ON s.playlist_id = e.playlist_id AND s.song_id = e.song_id
LEFT JOIN played AS p
    ON p.song_id = e.song_id
WHERE e.kind = 'song' AND p.song_id IS NULL
ORDER BY e.playlist, e.playlist_id, e.position
LIMIT 100
