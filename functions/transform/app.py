"""Raw snapshots to Parquet: takes S3 events, plain or through SQS."""

import os
from functools import cache, partial
from typing import Any

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from spotify_lake import lake, transform
from spotify_lake.announce import Announcer
from spotify_lake.config import TransformSettings
from spotify_lake.errors import LakeError
from spotify_lake.observability import logger, metrics


@cache
def clients() -> dict[str, Any]:
    """Make what every invocation of this environment shares."""
    session, settings = boto3.Session(), TransformSettings.load(os.environ)
    s3 = session.client("s3")
    announcer = Announcer(session.client("events"), s3, settings.event_bus, settings.lake_bucket)
    write = partial(lake.write, bucket=settings.lake_bucket, session=session)
    return {"s3": s3, "write": write, "announce": announcer.announce}


def record_handler(record: SQSRecord) -> None:
    """Transform the objects of one SQS message."""
    try:
        transform.transform(transform.parse_body(record.body), **clients())
    except Exception as error:
        expected = isinstance(error, LakeError)
        logger.error("A message failed: %s", error, message_id=record.message_id, exc_info=not expected)
        raise


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer an SQS batch with the messages that failed; raise when all of them or a plain S3 event fail."""
    if transform.is_sqs_batch(event):
        processor = BatchProcessor(EventType.SQS)
        return dict(process_partial_response(event, record_handler, processor, context))
    transform.transform(event, **clients())
    return {"batchItemFailures": []}
