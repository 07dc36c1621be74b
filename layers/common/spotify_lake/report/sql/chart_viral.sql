-- Which songs were in a region's viral chart before they were in its main chart?
-- A song counts as ahead only if the region already had a main chart on the day the song went viral. The totals of a
-- region cover the songs that entered the main chart after the first day of both charts. Of the songs that were ahead
-- in any region, the query returns those with the highest peaks.
WITH standings AS (
    SELECT f.region_key, f.track_key, f.chart, min(f.date_key) AS first_key, min(f.rank) AS peak
    FROM fact_chart_entry AS f
    WHERE f.year BETWEEN $first_year AND $last_year AND f.chart IN ('$chart', '$viral')
        AND f.date_key BETWEEN $first_key AND $last_key
    GROUP BY f.region_key, f.track_key, f.chart
),
lives AS (
    SELECT
        region_key,
        track_key,
        min(CASE WHEN chart = '$chart' THEN first_key END) AS entered_key,
        min(CASE WHEN chart = '$chart' THEN peak END) AS peak,
        min(CASE WHEN chart = '$viral' THEN first_key END) AS viral_key
    FROM standings
    GROUP BY region_key, track_key
),
followed AS (
    SELECT
        *,
        min(entered_key) OVER (PARTITION BY region_key) AS charts_since,
        min(viral_key) OVER (PARTITION BY region_key) AS viral_since
    FROM lives
),
compared AS (
    SELECT
        region_key,
        track_key,
        entered_key,
        viral_key,
        peak,
        CASE WHEN viral_key < entered_key AND charts_since <= viral_key THEN 1 ELSE 0 END AS is_ahead,
        CASE WHEN entered_key > charts_since AND entered_key > viral_since THEN 1 ELSE 0 END AS is_new
    FROM followed
    WHERE entered_key IS NOT NULL
),
placed AS (
    SELECT
        *,
        sum(is_new) OVER (PARTITION BY region_key) AS entered,
        sum(is_new * CASE WHEN viral_key < entered_key THEN 1 ELSE 0 END) OVER (PARTITION BY region_key) AS viral_before,
        row_number() OVER (PARTITION BY region_key ORDER BY is_ahead DESC, peak, entered_key, track_key) AS number,
        row_number() OVER (ORDER BY is_ahead DESC, peak, entered_key, region_key, track_key) AS place
    FROM compared
)
SELECT
    r.name AS region,
    t.track_id,
    t.title,
    t.artist AS artists,
    p.is_ahead,
    p.viral_key,
    p.entered_key,
    p.peak,
    p.entered,
    p.viral_before
FROM placed AS p
JOIN dim_region AS r
    ON r.region_key = p.region_key
JOIN dim_track AS t
    ON t.track_key = p.track_key
WHERE p.number = 1 OR (p.is_ahead = 1 AND p.place <= $ahead)
ORDER BY p.place
