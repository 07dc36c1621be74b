-- How long are your listening sessions, month by month?
-- A session ends when nothing plays for more than 30 minutes. It belongs to the month of its first play.
--
-- Parameters:
-- - > 30 * 60 * 1000: The silence, in milliseconds, after which a session has ended.
-- - AT TIME ZONE 'UTC': Time zone of the months; ScheduleTimezone unless you change it.
-- Columns:
-- - month: First day of the month.
-- - sessions: Sessions that began in it.
-- - plays_per_session: Plays of an average session, short ones included.
-- - minutes_per_session: Minutes listened in an average session.
-- - longest_minutes: Minutes listened in the longest.
WITH heard AS (
    SELECT
        heard_at,
        play_id,
        listened_ms,
        date_diff('millisecond', lag(heard_at) OVER (ORDER BY heard_at, play_id), heard_at)
            - coalesce(listened_ms, 0) AS silence
    FROM listening
    WHERE is_counted
),
numbered AS (
    SELECT
        heard_at,
        listened_ms,
        sum(CASE WHEN silence > 30 * 60 * 1000 THEN 1 ELSE 0 END) OVER (
            ORDER BY heard_at, play_id ROWS UNBOUNDED PRECEDING
        ) AS session
    FROM heard
),
sessions AS (
    SELECT
        date_trunc('month', CAST(min(heard_at) AT TIME ZONE 'UTC' AS date)) AS month_of_session,
        count(*) AS plays,
        coalesce(sum(listened_ms), 0) AS milliseconds
    FROM numbered
    GROUP BY session
)
SELECT
    month_of_session AS "month",
    count(*) AS sessions,
    avg(CAST(plays AS double)) AS plays_per_session,
    avg(CAST(milliseconds AS double)) / 60000 AS minutes_per_session,
    CAST(max(milliseconds) AS double) / 60000 AS longest_minutes
FROM sessions
GROUP BY month_of_session
ORDER BY month_of_session
