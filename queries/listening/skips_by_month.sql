-- How much do you skip, month by month?
-- A play was skipped if the export says so, or if it ended by the forward button: for some years the export lacks the
-- former. Only the extended history knows. A month without such plays of songs has no row.
--
-- Parameters:
-- - AT TIME ZONE 'UTC': Time zone of the months; ScheduleTimezone unless you change it.
-- Columns:
-- - month: First day of the month.
-- - plays: Plays of songs, short ones included.
-- - skips: Plays among them that were skipped.
-- - share: Share of skips, from 0 to 1.
-- - seconds_to_skip: Average seconds until a skip; null without skips.
WITH heard AS (
    SELECT
        date_trunc('month', CAST(heard_at AT TIME ZONE 'UTC' AS date)) AS month_of_play,
        listened_ms,
        coalesce(is_skipped, false) OR coalesce(reason_end, '') = 'fwdbtn' AS was_skipped
    FROM listening
    WHERE is_counted AND source = 'extended' AND kind IN ('song', 'video')
)
SELECT
    month_of_play AS "month",
    count(*) AS plays,
    count_if(was_skipped) AS skips,
    CAST(count_if(was_skipped) AS double) / count(*) AS share,
    avg(CAST(CASE WHEN was_skipped THEN listened_ms END AS double)) / 1000 AS seconds_to_skip
FROM heard
GROUP BY month_of_play
ORDER BY month_of_play
