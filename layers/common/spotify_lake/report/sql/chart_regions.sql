-- Which regions have the chart in this period?
SELECT
    r.name AS region,
    count(DISTINCT f.date_key) AS charts,
    min(f.date_key) AS first_key,
    max(f.date_key) AS last_key,
    sum(f.streams) AS streams
FROM fact_chart_entry AS f
JOIN dim_region AS r
    ON r.region_key = f.region_key
WHERE f.year BETWEEN $first_year AND $last_year AND f.chart = '$chart'
    AND f.date_key BETWEEN $first_key AND $last_key
GROUP BY r.name
ORDER BY region
