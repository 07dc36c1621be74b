-- How good are the models beside doing nothing?
-- Compares each model with its baseline: forecasts of charts with the best simple forecast, predictions of popularity
-- with the median. docs/models.md explains the metrics.
--
-- Parameters:
-- - job IN ('forecast', 'popularity'): The models, both or one.
-- - horizon IS NULL: Means over all horizons; horizon = 7 for forecasts a week ahead.
-- Columns:
-- - data: What the model was scored on.
-- - model: Name of the model.
-- - split: How training and test were kept apart.
-- - metric: Name of the metric.
-- - value: Value of the model.
-- - baseline: What it is compared with.
-- - baseline_value: Value of the baseline.
SELECT data, model, split, metric, value, baseline, baseline_value
FROM model_scores
WHERE job IN ('forecast', 'popularity') AND horizon IS NULL AND baseline IS NOT NULL
    AND metric NOT LIKE 'importance of %'
ORDER BY data, model, split, metric
