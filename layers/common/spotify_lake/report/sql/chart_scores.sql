-- How well did the forecasts of the charts do on earlier days?
SELECT
    c.chart,
    c.title,
    split_part(s.data, ' to ', 2) AS made,
    s.model,
    s.horizon,
    s.metric,
    s.value,
    s.baseline,
    s.baseline_value
FROM model_scores AS s
JOIN dim_chart AS c
    ON c.chart = split_part(s.data, ' to ', 1)
WHERE s.job = 'forecast' AND s.metric IN ('log_mae', 'mase', 'margin', 'margin_low', 'margin_high', 'coverage')
ORDER BY c.chart, s.model, s.metric, s.horizon
