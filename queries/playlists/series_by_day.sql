-- How did the playlists change day by day?
-- Covers the last 35 days, from a playlist's first snapshot in this time to its last. A day without a snapshot has
-- nulls because its content is unknown. An empty playlist has zeros.
--
-- Parameters:
-- - INTERVAL '35' DAY: How far to look back.
-- Columns:
-- - day: The day (UTC).
-- - playlist: Newest title.
-- - has_snapshot: Whether the day has a snapshot.
-- - entries: Entries in the playlist.
-- - songs: Distinct songs among them.
-- - artists: Distinct artists of these songs.
-- - minutes: Total length of the songs, duplicates included.
WITH observed AS (
    SELECT snapshot_date, playlist_id, playlist, entry_count
    FROM daily_playlists
    WHERE snapshot_date >= current_date - INTERVAL '35' DAY
),
spans AS (
    SELECT
        playlist_id,
        max_by(playlist, snapshot_date) AS playlist,
        min(snapshot_date) AS begins_on,
        max(snapshot_date) AS ends_on
    FROM observed
    GROUP BY playlist_id
),
calendar AS (
    SELECT s.playlist_id, s.playlist, CAST(c.day AS date) AS day
    FROM spans AS s
    CROSS JOIN UNNEST(sequence(s.begins_on, s.ends_on, INTERVAL '1' DAY)) AS c (day)
),
entries AS (
    SELECT e.playlist_id, e.snapshot_date, e.song_id, s.duration_ms, s.artist_ids
    FROM daily_entries AS e
    JOIN songs AS s
        ON s.playlist_id = e.playlist_id AND s.snapshot_date = e.snapshot_date AND s.scheduled_at = e.scheduled_at
        AND s.song_id = e.song_id
    WHERE e.kind = 'song'
        AND e.snapshot_date >= current_date - INTERVAL '35' DAY
        AND s.snapshot_date >= current_date - INTERVAL '35' DAY
),
songs_of_day AS (
    SELECT
        playlist_id,
        snapshot_date,
        count(DISTINCT song_id) AS songs,
        CAST(sum(duration_ms) AS double) / 60000 AS minutes
    FROM entries
    GROUP BY playlist_id, snapshot_date
),
artists_of_day AS (
    SELECT e.playlist_id, e.snapshot_date, count(DISTINCT c.artist_id) AS artists
    FROM entries AS e
    CROSS JOIN UNNEST(e.artist_ids) AS c (artist_id)
    GROUP BY e.playlist_id, e.snapshot_date
)
SELECT
    c.day,
    c.playlist,
    o.snapshot_date IS NOT NULL AS has_snapshot,
    o.entry_count AS entries,
    CASE WHEN o.snapshot_date IS NOT NULL THEN coalesce(s.songs, 0) END AS songs,
    CASE WHEN o.snapshot_date IS NOT NULL THEN coalesce(a.artists, 0) END AS artists,
    CASE WHEN o.snapshot_date IS NOT NULL THEN coalesce(s.minutes, 0) END AS minutes
FROM calendar AS c
LEFT JOIN observed AS o
    ON o.playlist_id = c.playlist_id AND o.snapshot_date = c.day
LEFT JOIN songs_of_day AS s
    ON s.playlist_id = c.playlist_id AND s.snapshot_date = c.day
LEFT JOIN artists_of_day AS a
    ON a.playlist_id = c.playlist_id AND a.snapshot_date = c.day
ORDER BY c.playlist, c.playlist_id, c.day
