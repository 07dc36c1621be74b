-- Which artist gained most this month?
-- Compares the newest complete snapshot of each playlist with its state at the beginning of the month. That is the last
-- one before the month, or its first one in the month if the 35 days before have none. Playlists without a snapshot this
-- month are left out. A song with two artists counts for both. To see another month, replace each current_date with the
-- last day of that month, for example DATE '2026-08-31'.
--
-- Parameters:
-- - current_date: Any day of the month; later days are ignored.
-- - LIMIT 10: How many artists.
-- Columns:
-- - artist: Name of the artist; the first row is the answer.
-- - gained: Entries gained in all playlists; negative if the artist lost entries.
-- - appearances: Entries now.
-- - appearances_before: Entries at the beginning of the month.
-- - score_gained: Gain in the position-weighted score: 1 for the first position of a list, falling evenly to 1/n for the last of n.
-- - playlists: Playlists that have the artist now.
WITH spans AS (
    SELECT
        playlist_id,
        coalesce(
            max(CASE WHEN snapshot_date < date_trunc('month', current_date) THEN scheduled_at END),
            min(scheduled_at)
        ) AS begins_at,
        max(scheduled_at) AS ends_at
    FROM playlists
    WHERE snapshot_date >= date_trunc('month', current_date) - INTERVAL '35' DAY AND snapshot_date <= current_date
        AND coalesce(is_complete, true)
    GROUP BY playlist_id
    HAVING max(snapshot_date) >= date_trunc('month', current_date)
),
standings AS (
    SELECT
        e.playlist_id,
        e.song_id,
        e.snapshot_date,
        e.scheduled_at,
        CAST(p.entry_count + 1 - e.position AS double) / p.entry_count AS score,
        CASE WHEN e.scheduled_at = s.ends_at THEN 1 ELSE 0 END AS is_now,
        CASE WHEN e.scheduled_at = s.begins_at THEN 1 ELSE 0 END AS is_before
    FROM playlist_entries AS e
    JOIN playlists AS p
        ON p.playlist_id = e.playlist_id AND p.snapshot_date = e.snapshot_date AND p.scheduled_at = e.scheduled_at
    JOIN spans AS s
        ON s.playlist_id = p.playlist_id AND (p.scheduled_at = s.begins_at OR p.scheduled_at = s.ends_at)
    WHERE e.kind = 'song'
        AND e.snapshot_date >= date_trunc('month', current_date) - INTERVAL '35' DAY AND e.snapshot_date <= current_date
),
credits AS (
    SELECT
        t.playlist_id,
        t.scheduled_at,
        t.score,
        t.is_now,
        t.is_before,
        s.artist_ids,
        s.artist_names
    FROM standings AS t
    JOIN songs AS s
        ON s.playlist_id = t.playlist_id AND s.snapshot_date = t.snapshot_date AND s.scheduled_at = t.scheduled_at
        AND s.song_id = t.song_id
    WHERE s.snapshot_date >= date_trunc('month', current_date) - INTERVAL '35' DAY AND s.snapshot_date <= current_date
)
SELECT
    max_by(a.artist, c.scheduled_at) AS artist,
    sum(c.is_now - c.is_before) AS gained,
    sum(c.is_now) AS appearances,
    sum(c.is_before) AS appearances_before,
    sum(c.score * (c.is_now - c.is_before)) AS score_gained,
    count(DISTINCT CASE WHEN c.is_now = 1 THEN c.playlist_id END) AS playlists
FROM credits AS c
CROSS JOIN UNNEST(c.artist_ids, c.artist_names) AS a (artist_id, artist)
WHERE a.artist_id IS NOT NULL
GROUP BY a.artist_id
ORDER BY gained DESC, score_gained DESC, artist, a.artist_id
LIMIT 10
