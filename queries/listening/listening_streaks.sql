-- What are your longest streaks of days with music?
-- A day counts with at least one play of a song.
--
-- Parameters:
-- - AT TIME ZONE 'UTC': Time zone of the days; ScheduleTimezone unless you change it.
-- - LIMIT 20: How many streaks.
-- Columns:
-- - first_day: First day of the streak.
-- - last_day: Last day of the streak.
-- - days: Days from the first to the last.
-- - plays: Plays of songs in the streak.
-- - hours: Hours of songs listened to in the streak.
WITH days AS (
    SELECT
        CAST(heard_at AT TIME ZONE 'UTC' AS date) AS day,
        count(*) AS plays,
        coalesce(sum(listened_ms), 0) AS milliseconds
    FROM listening
    WHERE is_counted AND kind IN ('song', 'video')
    GROUP BY CAST(heard_at AT TIME ZONE 'UTC' AS date)
),
numbered AS (
    SELECT
        day,
        plays,
        milliseconds,
        -- Days in a row share the day that lies their number before them.
        date_add('day', -row_number() OVER (ORDER BY day), day) AS streak
    FROM days
)
SELECT
    min(day) AS first_day,
    max(day) AS last_day,
    count(*) AS days,
    sum(plays) AS plays,
    CAST(sum(milliseconds) AS double) / 3600000 AS hours
FROM numbered
GROUP BY streak
ORDER BY days DESC, first_day DESC
LIMIT 20
