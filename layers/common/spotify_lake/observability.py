"""Creates the Logger and the Metrics; all other modules import them from here."""

import json
import warnings
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from spotify_lake.printable import printable_json


def to_json(line: dict[str, Any]) -> str:
    """Write a log line; what a terminal would obey is escaped, other letters beyond ASCII are not."""
    return printable_json(json.dumps(line, default=str, separators=(",", ":"), ensure_ascii=False))


logger = Logger(utc=True, json_serializer=to_json)
metrics = Metrics()

# An invocation without metrics, such as a test event, needs no warning.
warnings.filterwarnings("ignore", message="No application metrics to publish", category=UserWarning)


def count(name: str, value: int = 1) -> None:
    """Add to a metric with the unit Count."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
