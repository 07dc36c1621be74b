-- What are the songs on the page?
-- One row per song, from its newest snapshot among these days: every song on the days of the first condition, and the
-- named songs of the second condition, which were last seen on older days.
WITH seen AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY song_id ORDER BY scheduled_at DESC, playlist_id) AS newest
    FROM songs
    WHERE snapshot_date IN ($dates) OR (snapshot_date IN ($older_dates) AND song_id IN ($older_songs))
)
SELECT
    s.song_id,
    s.name,
    CAST(s.artist_ids AS JSON) AS artist_ids,
    CAST(s.artist_names AS JSON) AS artist_names,
    s.duration_ms,
    s.is_explicit,
    s.popularity,
    a.album_id,
    a.name AS album,
    a.release_year,
    a.image_url
FROM seen AS s
LEFT JOIN albums AS a
    ON a.playlist_id = s.playlist_id
    AND a.snapshot_date = s.snapshot_date
    AND a.scheduled_at = s.scheduled_at
    AND a.album_id = s.album_id
    AND a.snapshot_date IN ($dates, $older_dates)
WHERE s.newest = 1
ORDER BY s.song_id
