-- How did the most frequent artists do week by week?
-- Shows the ten artists with the most appearances in this week and the seven before. Averages cover the days that have
-- a snapshot, so missing days do not look like a decline. A week in which an artist was in no playlist has no row. For
-- months, read from artist_trend_monthly instead.
--
-- Parameters:
-- - INTERVAL '49' DAY: How far to look back before this week.
-- - artist_number <= 10: How many artists.
-- Columns:
-- - week: Monday of the week.
-- - artist: Name of the artist.
-- - appearances_per_day: Entries in all playlists on an average day.
-- - score_per_day: Position-weighted score of these entries: 1 for the first position of a list, falling evenly to 1/n for the last of n.
-- - playlists: Playlists that had the artist.
-- - best_position: Best position in any of them; 1 is the top.
WITH observed AS (
    SELECT playlist_id, date_trunc('week', snapshot_date) AS week, count(*) AS days
    FROM daily_playlists
    WHERE snapshot_date >= date_trunc('week', current_date) - INTERVAL '49' DAY
    GROUP BY playlist_id, date_trunc('week', snapshot_date)
),
credits AS (
    SELECT
        e.playlist_id,
        date_trunc('week', e.snapshot_date) AS week,
        e.position,
        e.score,
        s.artist_ids,
        s.artist_names
    FROM daily_entries AS e
    JOIN songs AS s
        ON s.playlist_id = e.playlist_id AND s.snapshot_date = e.snapshot_date AND s.scheduled_at = e.scheduled_at
        AND s.song_id = e.song_id
    WHERE e.kind = 'song'
        AND e.snapshot_date >= date_trunc('week', current_date) - INTERVAL '49' DAY
        AND s.snapshot_date >= date_trunc('week', current_date) - INTERVAL '49' DAY
),
weeks AS (
    SELECT
        c.week,
        a.artist_id,
        max(a.artist) AS artist,
        round(sum(CAST(1 AS double) / o.days), 9) AS appearances_per_day,
        sum(c.score / o.days) AS score_per_day,
        count(DISTINCT c.playlist_id) AS playlists,
        min(c.position) AS best_position
    FROM credits AS c
    JOIN observed AS o
        ON o.playlist_id = c.playlist_id AND o.week = c.week
    CROSS JOIN UNNEST(c.artist_ids, c.artist_names) AS a (artist_id, artist)
    WHERE a.artist_id IS NOT NULL
    GROUP BY c.week, a.artist_id
),
totals AS (
    SELECT
        week,
        artist_id,
        artist,
        appearances_per_day,
        score_per_day,
        playlists,
        best_position,
        round(sum(appearances_per_day) OVER (PARTITION BY artist_id), 6) AS total
    FROM weeks
),
ranked AS (
    SELECT
        week,
        artist_id,
        artist,
        appearances_per_day,
        score_per_day,
        playlists,
        best_position,
        dense_rank() OVER (ORDER BY total DESC, artist_id) AS artist_number
    FROM totals
)
SELECT
    CAST(week AS date) AS week,
    artist,
    appearances_per_day,
    score_per_day,
    playlists,
    best_position
FROM ranked
WHERE artist_number <= 10
ORDER BY week, appearances_per_day DESC, artist, artist_id
