-- What is the last day of a chart, and what is its name?
SELECT c.title, c.period, max(f.date_key) AS last_key
FROM fact_chart_entry AS f
JOIN dim_chart AS c
    ON c.chart_key = f.chart_key
WHERE f.year = $last_year AND f.chart = '$chart'
GROUP BY c.title, c.period
ORDER BY c.title
