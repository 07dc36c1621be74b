-- Which podcasts and audiobooks did you listen to?
-- The API reports songs only, so these plays are from exports.
--
-- Parameters:
-- - AT TIME ZONE 'UTC': Time zone of the days; ScheduleTimezone unless you change it.
-- - LIMIT 50: How many.
-- Columns:
-- - kind: `episode` for a podcast, `chapter` for an audiobook.
-- - show: Title of the podcast or audiobook; null when the export lacks it.
-- - parts: Distinct episodes or chapters.
-- - plays: Plays, short ones included.
-- - hours: Hours listened.
-- - first_day: Day of the first play.
-- - last_day: Day of the last play.
SELECT
    kind,
    max(show_name) AS show,
    count(DISTINCT lower(name)) AS parts,
    count(*) AS plays,
    CAST(coalesce(sum(listened_ms), 0) AS double) / 3600000 AS hours,
    min(CAST(heard_at AT TIME ZONE 'UTC' AS date)) AS first_day,
    max(CAST(heard_at AT TIME ZONE 'UTC' AS date)) AS last_day
FROM listening
WHERE is_counted AND kind IN ('episode', 'chapter')
GROUP BY kind, lower(show_name)
ORDER BY hours DESC, kind, lower(max(show_name))
LIMIT 50
