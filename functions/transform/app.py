"""Raw snapshots to Parquet: takes S3 events, plain or through SQS."""

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spotify_lake.changes.publish import Publisher
from spotify_lake.errors import LakeError
from spotify_lake.normalize.rows import Tables
from spotify_lake.observability import logger, metrics
from spotify_lake.settings import TransformSettings
from spotify_lake.transform import listening, parquet
from spotify_lake.transform import run as transform


@cache
def clients() -> dict[str, Any]:
    """Make what all invocations of this environment share."""
    session, settings = parquet.Session(), TransformSettings.load(os.environ)
    s3 = session.client("s3")
    publisher = Publisher(session.client("events"), s3, settings.event_bus, settings.lake_bucket)

    def write(tables: Tables, correlation_id: str | None) -> Sequence[str]:
        return parquet.write(tables, settings.lake_bucket, session, correlation_id)

    plays = listening.ListeningWriter(s3, settings.lake_bucket)
    return {
        "s3": s3,
        "write": write,
        "publish": publisher.publish,
        "write_listening": plays.transform,
    }


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer an SQS batch with the messages that failed; raise when all of them or a plain S3 event fail."""
    if not transform.is_sqs_batch(event):
        transform.transform(event, **clients())
        return {"batchItemFailures": []}
    failures: dict[str, Exception] = {}
    for message in event["Records"]:
        try:
            transform.transform(transform.parse_body(message["body"]), **clients())
        except Exception as error:  # noqa: BLE001 - whatever it is, the other messages go on
            failures[message["messageId"]] = error
            expected = isinstance(error, LakeError)
            logger.error(
                "A message failed: %s", error, message_id=message["messageId"], exc_info=not expected
            )
    if len(failures) == len(event["Records"]):
        raise failures.popitem()[1]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failures]}
