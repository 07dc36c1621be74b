-- How often do songs go viral before they enter a region's top 200?
-- Looks at the songs that entered the Top 200 after its first chart and after the first chart of the Viral 50. Of
-- these, viral_before counts the songs that had been in the Viral 50 on an earlier day.
--
-- Parameters:
-- - year >= 2017: First year to read; fewer years read less.
-- Columns:
-- - region: Name of the region; Global is one of them.
-- - entered: Songs that entered the Top 200.
-- - viral_before: Songs among these that had been in the Viral 50.
-- - share: Their share of the entered songs, from 0 to 1.
-- - days_ahead: Average number of days between the two first days.
WITH standings AS (
    SELECT f.region_key, f.track_key, f.chart, min(d.date) AS first_day
    FROM fact_chart_entry AS f
    JOIN dim_date AS d
        ON d.date_key = f.date_key
    WHERE f.year >= 2017 AND f.chart IN ('top200', 'viral50')
    GROUP BY f.region_key, f.track_key, f.chart
),
songs_of_regions AS (
    SELECT
        region_key,
        track_key,
        min(CASE WHEN chart = 'top200' THEN first_day END) AS top200_on,
        min(CASE WHEN chart = 'viral50' THEN first_day END) AS viral_on
    FROM standings
    GROUP BY region_key, track_key
),
followed AS (
    SELECT
        region_key,
        top200_on,
        viral_on,
        min(top200_on) OVER (PARTITION BY region_key) AS top200_since,
        min(viral_on) OVER (PARTITION BY region_key) AS viral_since
    FROM songs_of_regions
),
counted AS (
    SELECT
        region_key,
        count(*) AS entered,
        count(CASE WHEN viral_on < top200_on THEN 1 END) AS viral_before,
        avg(CASE WHEN viral_on < top200_on THEN CAST(date_diff('day', viral_on, top200_on) AS double) END) AS days_ahead
    FROM followed
    WHERE top200_on > top200_since AND top200_on > viral_since
    GROUP BY region_key
)
SELECT
    r.name AS region,
    c.entered,
    c.viral_before,
    CAST(c.viral_before AS double) / c.entered AS share,
    c.days_ahead
FROM counted AS c
JOIN dim_region AS r
    ON r.region_key = c.region_key
ORDER BY share DESC, c.entered DESC, region
