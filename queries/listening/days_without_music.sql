-- When did you go longest without music?
-- Between the first play of a song and the last one. Time before the first poll, in a gap between polls or outside an
-- export may only look silent.
--
-- Parameters:
-- - AT TIME ZONE 'UTC': Time zone of the days; ScheduleTimezone unless you change it.
-- - LIMIT 20: How many breaks.
-- Columns:
-- - first_day: First day without music.
-- - last_day: Last day without music.
-- - days: Days from the first to the last.
WITH days AS (
    SELECT DISTINCT CAST(heard_at AT TIME ZONE 'UTC' AS date) AS day
    FROM listening
    WHERE is_counted AND kind IN ('song', 'video')
),
breaks AS (
    SELECT day, lead(day) OVER (ORDER BY day) AS next_day
    FROM days
)
SELECT
    date_add('day', 1, day) AS first_day,
    date_add('day', -1, next_day) AS last_day,
    date_diff('day', day, next_day) - 1 AS days
FROM breaks
WHERE date_diff('day', day, next_day) > 1
ORDER BY days DESC, first_day DESC
LIMIT 20
