-- How high did songs climb in each region, and how long did they stay?
-- Returns the songs with the highest peaks (then the most time at the peak), and those that stayed longest.
WITH standings AS (
    SELECT
        region_key,
        track_key,
        date_key,
        rank,
        streams,
        min(rank) OVER (PARTITION BY region_key, track_key) AS peak,
        max(date_key) OVER (PARTITION BY region_key) AS last_key
    FROM fact_chart_entry
    WHERE year BETWEEN $first_year AND $last_year AND chart = '$chart'
        AND date_key BETWEEN $first_key AND $last_key
),
lives AS (
    SELECT
        region_key,
        track_key,
        min(peak) AS peak,
        min(CASE WHEN rank = peak THEN date_key END) AS reached_key,
        count_if(rank = peak) AS charts_at_peak,
        count(DISTINCT date_key) AS charts,
        sum(streams) AS streams,
        min(CASE WHEN date_key = last_key THEN rank END) AS last_rank
    FROM standings
    GROUP BY region_key, track_key
),
placed AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY region_key ORDER BY peak, charts_at_peak DESC, reached_key
        ) AS place_by_peak,
        row_number() OVER (
            PARTITION BY region_key ORDER BY charts DESC, peak, charts_at_peak DESC, reached_key
        ) AS place_by_charts
    FROM lives
)
SELECT
    r.name AS region,
    t.track_id,
    t.title,
    t.artist AS artists,
    p.peak,
    p.reached_key,
    p.charts_at_peak,
    p.charts,
    p.streams,
    p.last_rank
FROM placed AS p
JOIN dim_region AS r
    ON r.region_key = p.region_key
JOIN dim_track AS t
    ON t.track_key = p.track_key
WHERE p.place_by_peak <= $peaks OR p.place_by_charts <= $longest
ORDER BY region, p.place_by_peak
