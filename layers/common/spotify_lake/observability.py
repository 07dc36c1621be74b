"""Creates the Logger and the Metrics; all other modules import them from here."""

import logging
import warnings

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(utc=True)
metrics = Metrics()

# An invocation without metrics, such as a test event, needs no warning.
warnings.filterwarnings("ignore", message="No application metrics to publish", category=UserWarning)
# awswrangler warns about every table without rows, and most snapshots have no rejects.
logging.getLogger("awswrangler").setLevel(logging.ERROR)


def count(name: str, value: int = 1) -> None:
    """Add to a metric with the unit Count."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
