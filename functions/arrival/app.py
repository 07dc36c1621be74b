"""Bulk files to runs of the Glue jobs: takes events of markers, of runs that ended, and of the schedule."""

import os
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from spotify_lake.bulk import arrival
from spotify_lake.observability import logger, metrics
from spotify_lake.settings import ArrivalSettings

client = cache(boto3.client)  # what every invocation of this environment shares


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Start what is to be loaded; return the batches with the ids of their runs."""
    settings = ArrivalSettings.load(os.environ)
    found = arrival.parse_event(event, settings.lake_name)
    return {"started": arrival.run(found, settings, client("s3"), client("glue"))}
