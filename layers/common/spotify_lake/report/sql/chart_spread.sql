-- How did new songs spread across the regions?
-- Returns songs that were not in any region's first chart of the period, and the dates on which they entered the
-- regions' charts. Global does not count as a region.
WITH entered AS (
    SELECT
        f.track_key,
        r.name AS region,
        min(f.date_key) AS entered_key,
        min(f.rank) AS peak
    FROM fact_chart_entry AS f
    JOIN dim_region AS r
        ON r.region_key = f.region_key
    WHERE f.year BETWEEN $first_year AND $last_year AND f.chart = '$chart'
        AND f.date_key BETWEEN $first_key AND $last_key
        AND r.name <> 'Global'
    GROUP BY f.track_key, r.name
),
dated AS (
    SELECT
        *,
        min(entered_key) OVER (PARTITION BY region) AS charts_since,
        row_number() OVER (PARTITION BY track_key ORDER BY entered_key, peak, region) AS number
    FROM entered
),
spread AS (
    SELECT
        track_key,
        count(*) AS regions,
        min(peak) AS peak,
        max(CASE WHEN number = 1 THEN region END) AS first_region,
        CAST(array_agg(entered_key ORDER BY entered_key) AS JSON) AS entered_keys,
        max(entered_key) AS all_key
    FROM dated
    GROUP BY track_key
    HAVING max(CASE WHEN entered_key = charts_since THEN 1 ELSE 0 END) = 0
)
SELECT
    t.track_id,
    t.title,
    t.artist AS artists,
    s.peak,
    s.first_region,
    s.entered_keys
FROM spread AS s
JOIN dim_track AS t
    ON t.track_key = s.track_key
ORDER BY s.regions DESC, s.peak, s.all_key, t.title, s.track_key
LIMIT $spread
