-- How much entered and left, day by day?
-- Compares each day's snapshot with the one before and the one after it. One row a playlist; `numbers` counts its
-- snapshots from 1 and leaves out those without entries.
WITH days AS (
    SELECT playlist_id, snapshot_date, max(scheduled_at) AS scheduled_at
    FROM playlists
    WHERE snapshot_date BETWEEN DATE '$first' AND DATE '$last'
    GROUP BY playlist_id, snapshot_date
),
numbered AS (
    SELECT
        playlist_id,
        snapshot_date,
        scheduled_at,
        row_number() OVER (PARTITION BY playlist_id ORDER BY snapshot_date) AS n,
        count(*) OVER (PARTITION BY playlist_id) AS of_n
    FROM days
),
contents AS (
    SELECT DISTINCT d.playlist_id, d.n, d.of_n, coalesce(e.song_id, e.uri) AS entry
    FROM playlist_entries AS e
    JOIN numbered AS d
        ON d.playlist_id = e.playlist_id
        AND d.snapshot_date = e.snapshot_date
        AND d.scheduled_at = e.scheduled_at
    WHERE e.snapshot_date BETWEEN DATE '$first' AND DATE '$last'
        AND coalesce(e.song_id, e.uri) IS NOT NULL
),
neighbors AS (
    SELECT
        playlist_id,
        n,
        of_n,
        lag(n) OVER (PARTITION BY playlist_id, entry ORDER BY n) AS before,
        lead(n) OVER (PARTITION BY playlist_id, entry ORDER BY n) AS after
    FROM contents
),
changes AS (
    SELECT
        playlist_id,
        n,
        sum(CASE WHEN n > 1 AND coalesce(before, 0) < n - 1 THEN 1 ELSE 0 END) AS entered,
        sum(CASE WHEN n < of_n AND coalesce(after, of_n + 1) > n + 1 THEN 1 ELSE 0 END) AS leaving
    FROM neighbors
    GROUP BY playlist_id, n
)
SELECT
    playlist_id,
    CAST(array_agg(n ORDER BY n) AS JSON) AS numbers,
    CAST(array_agg(entered ORDER BY n) AS JSON) AS entered,
    CAST(array_agg(leaving ORDER BY n) AS JSON) AS leaving
FROM changes
GROUP BY playlist_id
ORDER BY playlist_id
