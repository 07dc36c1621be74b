-- At which hours of the week do you listen?
-- Looks at the last 365 days. A play belongs to the hour in which it ended. An hour without plays has no row.
--
-- Parameters:
-- - INTERVAL '365' DAY: How far to look back.
-- - AT TIME ZONE 'UTC': Time zone of the clock; ScheduleTimezone unless you change it.
-- Columns:
-- - weekday: Day of the week, from 1 for Monday to 7 for Sunday.
-- - hour: Hour of the day, from 0 to 23.
-- - plays: Plays of at least 30 seconds.
-- - hours: Hours listened.
-- - share: Share of all hours listened, from 0 to 1.
WITH heard AS (
    SELECT CAST(heard_at AT TIME ZONE 'UTC' AS timestamp) AS local_time, listened_ms
    FROM listening
    WHERE is_counted AND heard_at >= current_date - INTERVAL '365' DAY
),
summed AS (
    SELECT
        day_of_week(local_time) AS weekday,
        hour(local_time) AS hour_of_day,
        count_if(coalesce(listened_ms, 30000) >= 30000) AS plays,
        coalesce(sum(listened_ms), 0) AS milliseconds
    FROM heard
    GROUP BY day_of_week(local_time), hour(local_time)
)
SELECT
    weekday,
    hour_of_day AS "hour",
    plays,
    CAST(milliseconds AS double) / 3600000 AS hours,
    CAST(milliseconds AS double) / nullif(sum(milliseconds) OVER (), 0) AS share
FROM summed
ORDER BY weekday, hour_of_day
