-- Which songs do you play that are in none of your playlists?
-- Compares the plays of the last 365 days with the newest snapshot of every playlist. A song is in a playlist under its
-- id, or under its title and one of its artists.
--
-- Parameters:
-- - INTERVAL '365' DAY: How far to look back.
-- - LIMIT 50: How many songs.
-- Columns:
-- - song: Title of the song.
-- - artist: Name of the artist.
-- - plays: Plays, short ones included.
-- - hours: Hours listened.
-- - last_heard: Time of the last play (UTC).
WITH heard AS (
    SELECT
        song_id,
        lower(artist_name) || ' / ' || lower(name) AS song_key,
        max(name) AS song,
        max(artist_name) AS artist,
        count(*) AS plays,
        coalesce(sum(listened_ms), 0) AS milliseconds,
        max(heard_at) AS last_heard
    FROM listening
    WHERE is_counted AND kind IN ('song', 'video') AND artist_name IS NOT NULL AND name IS NOT NULL
        AND heard_at >= current_date - INTERVAL '365' DAY
    GROUP BY song_id, lower(artist_name) || ' / ' || lower(name)
),
ids AS (
    SELECT DISTINCT song_id
    FROM latest_songs
),
titles AS (
    SELECT DISTINCT lower(a.artist) || ' / ' || lower(s.name) AS song_key
    FROM latest_songs AS s
    CROSS JOIN UNNEST(s.artist_names) AS a (artist)
)
SELECT
    max(h.song) AS song,
    max(h.artist) AS artist,
    sum(h.plays) AS plays,
    CAST(sum(h.milliseconds) AS double) / 3600000 AS hours,
    max(h.last_heard) AS last_heard
FROM heard AS h
LEFT JOIN ids AS i
    ON i.song_id = h.song_id
LEFT JOIN titles AS t
    ON t.song_key = h.song_key
GROUP BY h.song_key
HAVING count(i.song_id) = 0 AND count(t.song_key) = 0
ORDER BY hours DESC, plays DESC, h.song_key
LIMIT 50
