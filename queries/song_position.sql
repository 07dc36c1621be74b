-- How did one song move through a playlist?
-- Takes the song that changed its position most from day to day, and where it stood in each snapshot.
WITH standings AS (
    SELECT playlist_id, scheduled_at, song_id, min(position) AS position
    FROM playlist_entries
    WHERE kind = 'song'
    GROUP BY playlist_id, scheduled_at, song_id
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
    ORDER BY sum(moved) DESC NULLS LAST, song_id
    LIMIT 1
)
SELECT
    p.snapshot_date AS day,
    p.name AS playlist,
    s.name AS song,
    array_join(s.artist_names, ', ') AS artists,
    w.position
FROM traveler AS t
JOIN playlists AS p
    ON p.playlist_id = t.playlist_id
LEFT JOIN standings AS w
    ON w.playlist_id = t.playlist_id AND w.song_id = t.song_id AND w.scheduled_at = p.scheduled_at
LEFT JOIN songs AS s
    ON s.playlist_id = t.playlist_id AND s.song_id = t.song_id AND s.scheduled_at = p.scheduled_at
ORDER BY p.scheduled_at
