-- Which {thing}s did you listen to most?
-- Ranked by time, with the rank by plays beside it. Songs and albums are told apart by title and artist in any case, since
-- Spotify gives the same song new ids.
--
-- Variants:
-- - songs_heard_most: thing = song; title = name; otherwise = uri
-- - albums_heard_most: thing = album; title = album_name; otherwise = NULL
-- Parameters:
-- - DATE '2006-01-01': First day of the period.
-- - current_date: Last day of the period.
-- - AT TIME ZONE 'UTC': Time zone of the days; ScheduleTimezone unless you change it.
-- - LIMIT 20: How many {thing}s.
-- Columns:
-- - {thing}: Title of the {thing}; null when only its URI is known.
-- - artist: Name of the artist.
-- - hours: Hours listened.
-- - plays: Plays of at least 30 seconds.
-- - rank_by_time: Rank by hours.
-- - rank_by_plays: Rank by plays.
-- - days: Days with at least one play.
-- - first_day: First of these days.
-- - last_day: Last of these days.
WITH heard AS (
    SELECT
        coalesce(lower(artist_name) || ' / ' || lower({title}), {otherwise}) AS {thing}_key,
        {title} AS title,
        artist_name,
        listened_ms,
        CAST(heard_at AT TIME ZONE 'UTC' AS date) AS day
    FROM listening
    WHERE is_counted AND kind IN ('song', 'video')
),
summed AS (
    SELECT
        {thing}_key,
        max(title) AS {thing},
        max(artist_name) AS artist,
        coalesce(sum(listened_ms), 0) AS milliseconds,
        count_if(coalesce(listened_ms, 30000) >= 30000) AS plays,
        count(DISTINCT day) AS days,
        min(day) AS first_day,
        max(day) AS last_day
    FROM heard
    WHERE {thing}_key IS NOT NULL AND day BETWEEN DATE '2006-01-01' AND current_date
    GROUP BY {thing}_key
)
SELECT
    {thing},
    artist,
    CAST(milliseconds AS double) / 3600000 AS hours,
    plays,
    rank() OVER (ORDER BY milliseconds DESC) AS rank_by_time,
    rank() OVER (ORDER BY plays DESC) AS rank_by_plays,
    days,
    first_day,
    last_day
FROM summed
ORDER BY rank_by_time, rank_by_plays, {thing}_key
LIMIT 20
