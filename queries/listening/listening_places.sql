-- {question}
-- Only the extended history knows. {note}
--
-- Variants:
-- - listening_platforms: question = On which devices do you listen, year by year?; note = Spotify's spellings are united where they name a system, and the rest stays as it is.; place = platform; value = CASE WHEN lower(platform) LIKE '%ios%' OR lower(platform) LIKE '%iphone%' THEN 'iOS' WHEN lower(platform) LIKE '%android%' THEN 'Android' WHEN lower(platform) LIKE '%os x%' OR lower(platform) LIKE 'osx%' OR lower(platform) LIKE '%macos%' THEN 'macOS' WHEN lower(platform) LIKE '%windows%' THEN 'Windows' WHEN lower(platform) LIKE '%linux%' THEN 'Linux' WHEN lower(platform) LIKE '%web%' THEN 'Web' ELSE platform END
-- - listening_countries: question = In which countries do you listen, year by year?; note = Spotify takes the country from the connection.; place = country; value = country
-- Parameters:
-- - AT TIME ZONE 'UTC': Time zone of the years; ScheduleTimezone unless you change it.
-- Columns:
-- - year: Year of the plays.
-- - {place}: The {place}; null when the export lacks it.
-- - plays: Plays, short ones included.
-- - hours: Hours listened.
-- - share: Share of the year's hours, from 0 to 1.
WITH heard AS (
    SELECT
        year(CAST(heard_at AT TIME ZONE 'UTC' AS date)) AS year_of_play,
        {value} AS {place},
        listened_ms
    FROM listening
    WHERE is_counted AND source = 'extended'
),
summed AS (
    SELECT year_of_play, {place}, count(*) AS plays, coalesce(sum(listened_ms), 0) AS milliseconds
    FROM heard
    GROUP BY year_of_play, {place}
)
SELECT
    year_of_play AS "year",
    {place},
    plays,
    CAST(milliseconds AS double) / 3600000 AS hours,
    CAST(milliseconds AS double) / nullif(sum(milliseconds) OVER (PARTITION BY year_of_play), 0) AS share
FROM summed
ORDER BY year_of_play, milliseconds DESC, plays DESC, {place}
