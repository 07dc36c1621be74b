"""Spotify playlists to raw snapshots: takes scheduled events, or none."""

import os
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext

from spotify_lake.extract import plays
from spotify_lake.extract import run as extract
from spotify_lake.extract.continuation import Continuations
from spotify_lake.extract.request import parse_event
from spotify_lake.extract.state import first_attempt_at
from spotify_lake.observability import logger, metrics
from spotify_lake.settings import ExtractSettings
from spotify_lake.spotify.client import SpotifyClient
from spotify_lake.spotify.credentials import publish_days_left, read_credentials, store_refresh_token

client = cache(boto3.client)  # what every invocation of this environment shares


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Write the snapshots or plays that the event asks for; return what became of them."""
    now = partial(datetime.now, UTC)
    logger.set_correlation_id(context.aws_request_id)
    settings = ExtractSettings.load(os.environ)
    request = parse_event(
        event,
        lambda: first_attempt_at(client("s3"), settings.raw_bucket, context.aws_request_id, now()),
        context.aws_request_id,
    )
    logger.set_correlation_id(request.correlation_id)
    spare_s = max(0.0, _left_s(context) - plays.LONGEST_S) if request.plays else 0.0
    credentials = read_credentials(client("secretsmanager"), settings.secret_id)
    spotify = SpotifyClient(
        credentials,
        api_url=settings.spotify_api_url,
        accounts_url=settings.spotify_accounts_url,
        time_left=lambda: _left_s(context) - spare_s,
        keep_refresh_token=partial(store_refresh_token, client("secretsmanager"), settings.secret_id),
    )
    if request.plays:
        polled = plays.poll(request, settings.raw_bucket, spotify, client("s3"), now)
        return dict(msgspec.to_builtins(polled))
    # Not in polls: a metric costs by the hours that have it.
    publish_days_left(credentials, now())
    continuations = Continuations(client("scheduler"), settings, context.invoked_function_arn)
    summary = extract.run(request, settings, spotify, client("s3"), continuations, now)
    return dict(msgspec.to_builtins(summary))


def _left_s(context: LambdaContext) -> float:
    return context.get_remaining_time_in_millis() / 1000
