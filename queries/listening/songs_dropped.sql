-- How long after adding a song did you stop playing it?
-- Lists entries of the newest snapshots whose song was played since it was added, but not in the last 90 days. A song is
-- played under its id, or under its title and one of its artists.
--
-- Parameters:
-- - INTERVAL '90' DAY: How long a song must not have been played.
-- - LIMIT 100: How many entries.
-- Columns:
-- - playlist: Title of the playlist.
-- - song: Title of the song.
-- - artists: Names of the artists, separated by commas.
-- - added_at: When it was added (UTC).
-- - last_heard: Time of the last play (UTC).
-- - days_played: Whole days from the one to the other.
WITH heard AS (
    SELECT song_id, lower(artist_name) || ' / ' || lower(name) AS song_key, max(heard_at) AS last_heard
    FROM listening
    WHERE is_counted AND kind IN ('song', 'video')
    GROUP BY song_id, lower(artist_name) || ' / ' || lower(name)
),
played AS (
    SELECT s.song_id, h.last_heard
    FROM latest_songs AS s
    JOIN heard AS h
        ON h.song_id = s.song_id
    UNION ALL
    SELECT s.song_id, h.last_heard
    FROM latest_songs AS s
    CROSS JOIN UNNEST(s.artist_names) AS a (artist)
    JOIN heard AS h
        ON h.song_key = lower(a.artist) || ' / ' || lower(s.name)
),
last_plays AS (
    SELECT song_id, max(last_heard) AS last_heard
    FROM played
    GROUP BY song_id
)
SELECT
    e.playlist,
    s.name AS song,
    array_join(s.artist_names, ', ') AS artists,
    e.added_at,
    p.last_heard,
    date_diff('day', e.added_at, p.last_heard) AS days_played
FROM latest_entries AS e
JOIN latest_songs AS s
    ON s.playlist_id = e.playlist_id AND s.song_id = e.song_id
JOIN last_plays AS p
    ON p.song_id = e.song_id
WHERE e.kind = 'song' AND p.last_heard >= e.added_at AND p.last_heard < current_date - INTERVAL '90' DAY
ORDER BY days_played, e.playlist, e.playlist_id, e.position
LIMIT 100
