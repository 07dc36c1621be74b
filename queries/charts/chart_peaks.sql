-- How high did songs get in the charts, and for how long?
-- Shows the peak of each song in the worldwide daily chart. The best peaks come first, and among equal peaks the songs
-- that stayed there longest.
--
-- Parameters:
-- - year >= 2017: First year to read; fewer years read less.
-- - 'top200': The chart, such as viral50 or top200_weekly.
-- - 'Global': The region, as named in dim_region.
-- - LIMIT 50: How many songs.
-- Columns:
-- - song: Title of the song.
-- - artists: Artists, as named in the chart.
-- - peak: Best rank; 1 is the top.
-- - first_reached: First day at that rank.
-- - charts_at_peak: Days, or weeks of a weekly chart, spent at that rank.
-- - days_to_peak: Days from the song's first day in the chart to first_reached.
-- - charts: Days, or weeks of a weekly chart, spent in the chart.
WITH standings AS (
    SELECT
        f.track_key,
        f.rank,
        d.date AS day,
        min(f.rank) OVER (PARTITION BY f.track_key) AS peak
    FROM fact_chart_entry AS f
    JOIN dim_region AS r
        ON r.region_key = f.region_key
    JOIN dim_date AS d
        ON d.date_key = f.date_key
    WHERE f.year >= 2017 AND f.chart = 'top200' AND r.name = 'Global'
),
peaks AS (
    SELECT
        track_key,
        min(peak) AS peak,
        min(CASE WHEN rank = peak THEN day END) AS first_reached,
        count_if(rank = peak) AS charts_at_peak,
        min(day) AS first_day,
        count(DISTINCT day) AS charts
    FROM standings
    GROUP BY track_key
)
SELECT
    t.title AS song,
    t.artist AS artists,
    p.peak,
    p.first_reached,
    p.charts_at_peak,
    date_diff('day', p.first_day, p.first_reached) AS days_to_peak,
    p.charts
FROM peaks AS p
JOIN dim_track AS t
    ON t.track_key = p.track_key
ORDER BY p.peak, p.charts_at_peak DESC, p.first_reached
LIMIT 50
