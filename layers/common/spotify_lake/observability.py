"""The only place that makes the Logger and the Metrics; everything else imports them from here."""

import logging
import warnings

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(utc=True)
metrics = Metrics()

# An invocation that has nothing to count (a test event, say) is no cause for a warning.
warnings.filterwarnings("ignore", message="No application metrics to publish", category=UserWarning)
# awswrangler warns of every table without rows, and most snapshots have no rejects.
logging.getLogger("awswrangler").setLevel(logging.ERROR)


def count(name: str, value: int = 1) -> None:
    """Add to a metric that counts."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
