-- Which songs were viral before they entered the top 200?
-- Finds songs that were in a region's Viral 50 before they entered its Top 200; the songs with the best peak come
-- first. A song counts only if the region had a Top 200 by the day the song went viral. Otherwise it may already have
-- been in it.
--
-- Parameters:
-- - year >= 2017: First year to read; fewer years read less.
-- - LIMIT 50: How many pairs of song and region.
-- Columns:
-- - region: Name of the region; Global is one of them.
-- - song: Title of the song.
-- - artists: Artists, as named in the chart.
-- - viral_on: First day in the Viral 50.
-- - top200_on: First day in the Top 200.
-- - days_ahead: Days from viral_on to top200_on.
-- - viral_peak: Best rank in the Viral 50 before the song entered the Top 200.
-- - peak: Best rank in the Top 200.
WITH standings AS (
    SELECT
        f.region_key,
        f.track_key,
        f.rank,
        f.chart = 'top200' AS is_top200,
        d.date AS day,
        min(CASE WHEN f.chart = 'top200' THEN d.date END) OVER (PARTITION BY f.region_key) AS charts_since,
        min(CASE WHEN f.chart = 'top200' THEN d.date END) OVER (PARTITION BY f.region_key, f.track_key) AS top200_on
    FROM fact_chart_entry AS f
    JOIN dim_date AS d
        ON d.date_key = f.date_key
    WHERE f.year >= 2017 AND f.chart IN ('top200', 'viral50')
),
songs_of_regions AS (
    SELECT
        region_key,
        track_key,
        top200_on,
        charts_since,
        min(CASE WHEN NOT is_top200 THEN day END) AS viral_on,
        min(CASE WHEN NOT is_top200 AND day < top200_on THEN rank END) AS viral_peak,
        min(CASE WHEN is_top200 THEN rank END) AS peak
    FROM standings
    GROUP BY region_key, track_key, top200_on, charts_since
)
SELECT
    r.name AS region,
    t.title AS song,
    t.artist AS artists,
    s.viral_on,
    s.top200_on,
    date_diff('day', s.viral_on, s.top200_on) AS days_ahead,
    s.viral_peak,
    s.peak
FROM songs_of_regions AS s
JOIN dim_region AS r
    ON r.region_key = s.region_key
JOIN dim_track AS t
    ON t.track_key = s.track_key
WHERE s.viral_on < s.top200_on AND s.charts_since <= s.viral_on
ORDER BY s.peak, days_ahead DESC, region, s.top200_on, song, s.track_key
LIMIT 50
