-- Which songs stayed in the charts longest?
-- Counts days and weeks in the worldwide daily chart, and finds the longest stay without a break. A chart without the
-- song is a break. A day without a chart is unknown and not a break.
--
-- Parameters:
-- - year >= 2017: First year to read; fewer years read less.
-- - 'top200': The chart, such as viral50 or top200_weekly.
-- - 'Global': The region, as named in dim_region.
-- - LIMIT 50: How many songs.
-- Columns:
-- - song: Title of the song.
-- - artists: Artists, as named in the chart.
-- - charts: Days, or weeks of a weekly chart, with the song.
-- - weeks: Calendar weeks with at least one such day.
-- - first_day: First day with the song.
-- - last_day: Last day with the song.
-- - is_longer: Whether the song was in the first chart of these years; it may then have been there before.
-- - stays: How often the song entered: 1 if it never left and came back.
-- - longest_stay: Consecutive charts in its longest stay.
-- - longest_since: First day of that stay; of the earlier one if two were equally long.
WITH standings AS (
    SELECT DISTINCT f.track_key, d.date AS day
    FROM fact_chart_entry AS f
    JOIN dim_region AS r
        ON r.region_key = f.region_key
    JOIN dim_date AS d
        ON d.date_key = f.date_key
    WHERE f.year >= 2017 AND f.chart = 'top200' AND r.name = 'Global'
),
numbered AS (
    SELECT track_key, day, dense_rank() OVER (ORDER BY day) AS number
    FROM standings
),
in_stays AS (
    SELECT
        track_key,
        day,
        number,
        -- Charts in a row share the difference between their number and their rank.
        number - row_number() OVER (PARTITION BY track_key ORDER BY day) AS stay
    FROM numbered
),
stays AS (
    SELECT
        track_key,
        count(*) AS charts,
        min(number) = 1 AS is_longer,
        min(day) AS first_day,
        max(day) AS last_day,
        row_number() OVER (PARTITION BY track_key ORDER BY count(*) DESC, min(day)) AS place
    FROM in_stays
    GROUP BY track_key, stay
),
weeks AS (
    SELECT track_key, count(DISTINCT date_trunc('week', day)) AS weeks
    FROM standings
    GROUP BY track_key
),
lives AS (
    SELECT
        track_key,
        sum(charts) AS charts,
        min(first_day) AS first_day,
        max(last_day) AS last_day,
        bool_or(is_longer) AS is_longer,
        count(*) AS stays,
        max(charts) AS longest_stay,
        min(CASE WHEN place = 1 THEN first_day END) AS longest_since
    FROM stays
    GROUP BY track_key
)
SELECT
    t.title AS song,
    t.artist AS artists,
    l.charts,
    w.weeks,
    l.first_day,
    l.last_day,
    l.is_longer,
    l.stays,
    l.longest_stay,
    l.longest_since
FROM lives AS l
JOIN weeks AS w
    ON w.track_key = l.track_key
JOIN dim_track AS t
    ON t.track_key = l.track_key
ORDER BY l.charts DESC, l.longest_stay DESC, l.first_day, song, l.track_key
LIMIT 50
