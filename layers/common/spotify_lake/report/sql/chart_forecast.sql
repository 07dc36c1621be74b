-- How have the songs at the top of each region's chart done lately, and how are they forecast to do?
-- Returns the songs of the day of the forecast with the best ranks.
WITH standings AS (
    SELECT region_key, track_key, date_key, min(rank) AS rank, max(streams) AS streams
    FROM fact_chart_entry
    WHERE year BETWEEN $first_year AND $last_year AND chart = '$chart'
        AND date_key BETWEEN $first_key AND $last_key
    GROUP BY region_key, track_key, date_key
),
past AS (
    SELECT
        region_key,
        track_key,
        min(CASE WHEN date_key = $made_key THEN rank END) AS rank_now,
        CAST(array_agg(date_key ORDER BY date_key) AS JSON) AS past_keys,
        CAST(array_agg(coalesce(streams, 0) ORDER BY date_key) AS JSON) AS past_streams
    FROM standings
    GROUP BY region_key, track_key
),
ahead AS (
    SELECT
        region_key,
        track_key,
        max(method) AS method,
        CAST(array_agg(streams ORDER BY horizon) AS JSON) AS streams,
        CAST(array_agg(streams_low ORDER BY horizon) AS JSON) AS streams_low,
        CAST(array_agg(streams_high ORDER BY horizon) AS JSON) AS streams_high,
        CAST(array_agg(rank ORDER BY horizon) AS JSON) AS ranks,
        CAST(array_agg(rank_best ORDER BY horizon) AS JSON) AS ranks_best,
        CAST(array_agg(rank_worst ORDER BY horizon) AS JSON) AS ranks_worst
    FROM chart_forecasts
    WHERE chart = '$chart' AND made_key = $made_key
    GROUP BY region_key, track_key
),
placed AS (
    SELECT
        a.*,
        p.rank_now,
        p.past_keys,
        p.past_streams,
        row_number() OVER (PARTITION BY a.region_key ORDER BY p.rank_now, a.track_key) AS place
    FROM ahead AS a
    JOIN past AS p
        ON p.region_key = a.region_key AND p.track_key = a.track_key
    WHERE p.rank_now IS NOT NULL
)
SELECT
    r.name AS region,
    t.track_id,
    t.title,
    t.artist AS artists,
    p.rank_now,
    p.method,
    p.past_keys,
    p.past_streams,
    p.streams,
    p.streams_low,
    p.streams_high,
    p.ranks,
    p.ranks_best,
    p.ranks_worst
FROM placed AS p
JOIN dim_region AS r
    ON r.region_key = p.region_key
JOIN dim_track AS t
    ON t.track_key = p.track_key
WHERE p.place <= $songs
ORDER BY region, p.place
