-- Which songs spread around the world, and how fast?
-- Lists the regions whose daily chart included a song, without Global. Days before a region's first chart are unknown,
-- so a song in a region's first chart may have been there before.
--
-- Parameters:
-- - year >= 2017: First year to read; fewer years read less.
-- - 'top200': The chart, such as viral50 or top200_weekly.
-- - LIMIT 50: How many songs.
-- Columns:
-- - song: Title of the song.
-- - artists: Artists, as named in the chart.
-- - regions: Regions whose chart included the song.
-- - first_day: First day in any of these charts.
-- - first_regions: Regions that had the song on that day.
-- - first_region: The first of these regions, by rank on that day and then by name.
-- - days_to_half: Days from first_day until half of the regions had had the song.
-- - days_to_all: Days from first_day until all of them had had it.
-- - is_older: Whether the song was in a region's first chart.
-- - peak: Best rank in any region.
WITH standings AS (
    SELECT
        f.region_key,
        f.track_key,
        f.rank,
        d.date AS day,
        r.name AS region,
        min(d.date) OVER (PARTITION BY f.region_key) AS charts_since,
        min(d.date) OVER (PARTITION BY f.region_key, f.track_key) AS entered_on
    FROM fact_chart_entry AS f
    JOIN dim_region AS r
        ON r.region_key = f.region_key
    JOIN dim_date AS d
        ON d.date_key = f.date_key
    WHERE f.year >= 2017 AND f.chart = 'top200' AND r.name <> 'Global'
),
entered AS (
    SELECT
        track_key,
        region,
        entered_on,
        entered_on = charts_since AS is_older,
        min(CASE WHEN day = entered_on THEN rank END) AS first_rank,
        min(rank) AS peak
    FROM standings
    GROUP BY track_key, region, entered_on, charts_since
),
numbered AS (
    SELECT
        track_key,
        region,
        entered_on,
        is_older,
        peak,
        min(entered_on) OVER (PARTITION BY track_key) AS first_day,
        count(*) OVER (PARTITION BY track_key) AS regions,
        row_number() OVER (PARTITION BY track_key ORDER BY entered_on, first_rank, region) AS number
    FROM entered
),
spread AS (
    SELECT
        track_key,
        max(regions) AS regions,
        min(first_day) AS first_day,
        count_if(entered_on = first_day) AS first_regions,
        max(CASE WHEN number = 1 THEN region END) AS first_region,
        min(CASE WHEN number * 2 >= regions THEN entered_on END) AS half_on,
        max(entered_on) AS all_on,
        bool_or(is_older) AS is_older,
        min(peak) AS peak
    FROM numbered
    GROUP BY track_key
)
SELECT
    t.title AS song,
    t.artist AS artists,
    s.regions,
    s.first_day,
    s.first_regions,
    s.first_region,
    date_diff('day', s.first_day, s.half_on) AS days_to_half,
    date_diff('day', s.first_day, s.all_on) AS days_to_all,
    s.is_older,
    s.peak
FROM spread AS s
JOIN dim_track AS t
    ON t.track_key = s.track_key
ORDER BY s.regions DESC, days_to_half, s.peak, song, s.track_key
LIMIT 50
