-- What entered and left the playlists?
-- Compares each snapshot with the one before; the last seven days on which something changed.
WITH snapshots AS (
    SELECT
        playlist_id,
        name,
        snapshot_date,
        scheduled_at,
        lag(scheduled_at) OVER (PARTITION BY playlist_id ORDER BY scheduled_at) AS previous
    FROM playlists
),
contents AS (
    SELECT playlist_id, scheduled_at, uri, min(position) AS position, max(name) AS name
    FROM playlist_entries
    WHERE uri IS NOT NULL
    GROUP BY playlist_id, scheduled_at, uri
),
changes AS (
    SELECT s.snapshot_date, s.playlist_id, s.name AS playlist, 1 AS entered, 0 AS gone, c.position, c.name
    FROM snapshots AS s
    JOIN contents AS c
        ON c.playlist_id = s.playlist_id AND c.scheduled_at = s.scheduled_at
    LEFT JOIN contents AS p
        ON p.playlist_id = s.playlist_id AND p.scheduled_at = s.previous AND p.uri = c.uri
    WHERE s.previous IS NOT NULL AND p.uri IS NULL
    UNION ALL
    SELECT s.snapshot_date, s.playlist_id, s.name AS playlist, 0 AS entered, 1 AS gone, NULL AS position, NULL AS name
    FROM snapshots AS s
    JOIN contents AS p
        ON p.playlist_id = s.playlist_id AND p.scheduled_at = s.previous
    LEFT JOIN contents AS c
        ON c.playlist_id = s.playlist_id AND c.scheduled_at = s.scheduled_at AND c.uri = p.uri
    WHERE c.uri IS NULL
),
days AS (
    SELECT DISTINCT snapshot_date
    FROM changes
    ORDER BY snapshot_date DESC
    LIMIT 7
)
SELECT
    c.snapshot_date AS day,
    c.playlist,
    sum(c.entered) AS entered,
    sum(c.gone) AS gone,
    min_by(c.name, c.position) AS highest_new
FROM changes AS c
JOIN days AS d
    ON d.snapshot_date = c.snapshot_date
GROUP BY c.snapshot_date, c.playlist_id, c.playlist
ORDER BY day, playlist
