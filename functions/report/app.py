"""The lake to a web page: takes any event, looks at the tables, writes the report."""

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext

from spotify_lake.athena import Athena
from spotify_lake.observability import logger, metrics
from spotify_lake.report.run import run
from spotify_lake.settings import ReportSettings

client = cache(boto3.client)  # what every invocation of this environment shares
RESERVE_S = 10.0  # to say that a query takes too long before Lambda ends the function


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Write the report; return where it is."""
    settings = ReportSettings.load(os.environ)
    athena = Athena(
        client("athena"),
        settings.workgroup,
        settings.database,
        time_left=lambda: context.get_remaining_time_in_millis() / 1000 - RESERVE_S,
    )
    written = run(athena, client("s3"), settings.lake_bucket, settings.days, settings.zone, datetime.now(UTC))
    return dict(msgspec.to_builtins(written))
