-- Which artists did you listen to most?
-- Ranked by time, with the rank by plays beside it. Exports name the album's artist, so guests do not count.
--
-- Parameters:
-- - DATE '2006-01-01': First day of the period.
-- - current_date: Last day of the period.
-- - AT TIME ZONE 'UTC': Time zone of the days; ScheduleTimezone unless you change it.
-- - LIMIT 20: How many artists.
-- Columns:
-- - artist: Name of the artist.
-- - hours: Hours listened.
-- - plays: Plays of at least 30 seconds.
-- - rank_by_time: Rank by hours.
-- - rank_by_plays: Rank by plays.
-- - songs: Distinct titles among the plays.
-- - days: Days with at least one play.
-- - first_day: First of these days.
-- - last_day: Last of these days.
WITH heard AS (
    SELECT
        lower(artist_name) AS artist_key,
        artist_name,
        name,
        listened_ms,
        CAST(heard_at AT TIME ZONE 'UTC' AS date) AS day
    FROM listening
    WHERE is_counted AND kind IN ('song', 'video') AND artist_name IS NOT NULL
),
summed AS (
    SELECT
        artist_key,
        max(artist_name) AS artist,
        coalesce(sum(listened_ms), 0) AS milliseconds,
        count_if(coalesce(listened_ms, 30000) >= 30000) AS plays,
        count(DISTINCT lower(name)) AS songs,
        count(DISTINCT day) AS days,
        min(day) AS first_day,
        max(day) AS last_day
    FROM heard
    WHERE day BETWEEN DATE '2006-01-01' AND current_date
    GROUP BY artist_key
)
SELECT
    artist,
    CAST(milliseconds AS double) / 3600000 AS hours,
    plays,
    rank() OVER (ORDER BY milliseconds DESC) AS rank_by_time,
    rank() OVER (ORDER BY plays DESC) AS rank_by_plays,
    songs,
    days,
    first_day,
    last_day
FROM summed
ORDER BY rank_by_time, rank_by_plays, artist_key
LIMIT 20
