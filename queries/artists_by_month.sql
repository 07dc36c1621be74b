-- How did the most frequent artists do over the months?
-- The ten artists with the most appearances since the beginning of the month five months ago. Averages over the days that
-- have a snapshot, so that missing days do not look like a decline; a month in which an artist was in no list has no row.
--
-- Parameters:
-- - INTERVAL '5' MONTH: How many months before this one.
-- - LIMIT 10: How many artists.
-- Columns:
-- - month: First day of the month.
-- - artist: Name.
-- - appearances_per_day: Entries in all playlists on an average day.
-- - score_per_day: Position-weighted score of these entries: 1 for the first position of a list, falling evenly to 1/n for the last of n.
-- - playlists: Playlists that had the artist.
-- - best_position: Best position in any of them; 1 is the top.
WITH trend AS (
    SELECT month, playlist_id, artist_id, artist, appearances_per_day, score_per_day, best_position
    FROM artist_trend_monthly
    WHERE month >= date_trunc('month', current_date) - INTERVAL '5' MONTH
),
most_frequent AS (
    SELECT artist_id, max_by(artist, month) AS artist
    FROM trend
    GROUP BY artist_id
    ORDER BY sum(appearances_per_day) DESC, artist_id
    LIMIT 10
)
SELECT
    t.month,
    m.artist,
    sum(t.appearances_per_day) AS appearances_per_day,
    sum(t.score_per_day) AS score_per_day,
    count(*) AS playlists,
    min(t.best_position) AS best_position
FROM most_frequent AS m
JOIN trend AS t
    ON t.artist_id = m.artist_id
GROUP BY t.month, m.artist_id, m.artist
ORDER BY t.month, appearances_per_day DESC, m.artist
