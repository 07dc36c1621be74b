-- Which snapshots are there?
-- One row a playlist: its details as they were last seen, the days that have a snapshot, and the entries on each.
-- Where a day has several snapshots, the last one stands for it.
WITH days AS (
    SELECT playlist_id, snapshot_date, max(scheduled_at) AS scheduled_at
    FROM playlists
    GROUP BY playlist_id, snapshot_date
),
snapshots AS (
    SELECT
        p.playlist_id,
        p.snapshot_date,
        p.name,
        p.description,
        coalesce(p.owner_name, p.owner_id) AS owner,
        p.image_url,
        p.followers,
        p.entry_count,
        max(p.snapshot_date) OVER (PARTITION BY p.playlist_id) AS last_date
    FROM playlists AS p
    JOIN days AS d
        ON d.playlist_id = p.playlist_id
        AND d.snapshot_date = p.snapshot_date
        AND d.scheduled_at = p.scheduled_at
)
SELECT
    playlist_id,
    max(CASE WHEN snapshot_date = last_date THEN name END) AS name,
    max(CASE WHEN snapshot_date = last_date THEN description END) AS description,
    max(CASE WHEN snapshot_date = last_date THEN owner END) AS owner,
    max(CASE WHEN snapshot_date = last_date THEN image_url END) AS image_url,
    max(CASE WHEN snapshot_date = last_date THEN followers END) AS followers,
    CAST(array_agg(date_diff('day', DATE '1970-01-01', snapshot_date) ORDER BY snapshot_date) AS JSON) AS days,
    CAST(array_agg(entry_count ORDER BY snapshot_date) AS JSON) AS counts
FROM snapshots
GROUP BY playlist_id
ORDER BY playlist_id
