"""One run of the extraction: which playlists, one raw object each, and what became of them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from spotify_lake import raw
from spotify_lake.config import OWNED, ExtractSettings, PlaylistSelection, parse_playlist_ids
from spotify_lake.details import DetailedWriter, DetailKeeper
from spotify_lake.errors import (
    CredentialsMissing,
    EventError,
    ExtractIncomplete,
    LakeError,
    PlaylistError,
    SettingsError,
    SpotifyUnavailable,
)
from spotify_lake.observability import logger, metrics
from spotify_lake.spotify.client import SpotifyClient

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# EventBridge Scheduler puts the time here; an emulator may pass it on as it is.
SCHEDULED_TIME_PLACEHOLDER: Final = "<aws.scheduler.scheduled-time>"
_EVENT_KEYS = ("scheduled_at", "playlist_ids")


class ExtractRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an event asks for.

    Attributes
    ----------
    scheduled_at
        UTC, whole seconds; names the snapshots.
    playlists
        Which playlists; None for those of the settings.
    """

    scheduled_at: datetime
    playlists: PlaylistSelection | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A playlist of which a run has no snapshot.

    Attributes
    ----------
    playlist_id
        22 characters.
    error, message
        Name of the condition, and the sentence for people.
    retryable
        Whether another run may succeed.
    """

    playlist_id: str
    error: str
    message: str
    retryable: bool


class ExtractSummary(msgspec.Struct, kw_only=True):
    """What became of the playlists of a run.

    Attributes
    ----------
    scheduled_at
        As requested, for example 2026-11-20T06:00:00Z.
    written
        Ids of the playlists whose snapshot this run wrote.
    already_there
        Ids of those that had one for this scheduled time.
    failed
        The others.
    """

    scheduled_at: str
    written: list[str] = msgspec.field(default_factory=list)
    already_there: list[str] = msgspec.field(default_factory=list)
    failed: list[Failure] = msgspec.field(default_factory=list)


def parse_event(event: object, now: datetime) -> ExtractRequest:
    """Read the event that started the function.

    Parameters
    ----------
    event
        `{"scheduled_at": "2026-11-20T06:00:00Z", "playlist_ids": ["…"]}`, both optional.
    now
        The scheduled time of an event without one.

    Raises
    ------
    EventError
        The event has another form.
    """
    if not isinstance(event, dict):
        raise EventError(f"it is no JSON object but a {type(event).__name__}")
    unknown = sorted(set(event) - set(_EVENT_KEYS))
    if unknown:
        raise EventError(f"it has {', '.join(map(repr, unknown))}; known are {' and '.join(_EVENT_KEYS)}")
    return ExtractRequest(
        scheduled_at=_scheduled_at(event.get("scheduled_at"), now),
        playlists=_playlists(event.get("playlist_ids")),
    )


def run(
    request: ExtractRequest,
    settings: ExtractSettings,
    spotify: SpotifyClient,
    s3: "S3Client",
    now: Callable[[], datetime],
) -> ExtractSummary:
    """Write the snapshot of every playlist that has none yet for the scheduled time.

    Parameters
    ----------
    request, settings
        Which playlists, when, and where to.
    spotify
        Reads them.
    s3
        A boto3 client.
    now
        Returns the time, UTC.

    Returns
    -------
    ExtractSummary
        A playlist that Spotify does not show is in `failed`, and the others went on.

    Raises
    ------
    ExtractIncomplete
        After all playlists: some failed for a reason that may pass.
    LakeError
        At once: a condition of the sign-in, the limits or the time left, which would fail every playlist.
    """
    summary = ExtractSummary(scheduled_at=_iso(request.scheduled_at))
    details = DetailKeeper(spotify, s3, settings.raw_bucket, settings.detail_calls_per_run)
    waiting: list[str] = []
    try:
        waiting = _selected(request, settings, spotify)
        while waiting:
            _extract(waiting[0], request, settings.raw_bucket, spotify, s3, now, summary, details)
            waiting.pop(0)
    except LakeError as error:
        logger.error("The run stopped: %s", error, error_name=type(error).__name__, not_done=waiting)
        raise
    finally:
        details.close()
        count = MetricUnit.Count
        metrics.add_metric(name="SnapshotsWritten", unit=count, value=len(summary.written))
        metrics.add_metric(name="SnapshotsAlreadyThere", unit=count, value=len(summary.already_there))
        metrics.add_metric(name="PlaylistsFailed", unit=count, value=len(summary.failed))
        metrics.add_metric(name="SpotifyRequests", unit=count, value=spotify.requests)
    passing = [f"{failure.playlist_id}: {failure.message}" for failure in summary.failed if failure.retryable]
    if passing:
        raise ExtractIncomplete(passing)
    return summary


def _selected(request: ExtractRequest, settings: ExtractSettings, spotify: SpotifyClient) -> list[str]:
    playlists = settings.playlists if request.playlists is None else request.playlists
    if playlists != OWNED:
        return list(playlists)
    if not spotify.acts_for_user:
        raise CredentialsMissing(
            settings.secret_id, f"to find the playlists you own (PlaylistIds={OWNED}), a user has to sign in"
        )
    user_id = spotify.me()
    owned = [playlist.id for playlist in spotify.my_playlists() if playlist.owner_id == user_id]
    logger.info("%d playlists are owned by the user", len(owned))
    return owned


def _extract(
    playlist_id: str,
    request: ExtractRequest,
    bucket: str,
    spotify: SpotifyClient,
    s3: "S3Client",
    now: Callable[[], datetime],
    summary: ExtractSummary,
    details: DetailKeeper,
) -> None:
    key = raw.key(playlist_id, request.scheduled_at)
    if raw.exists(s3, bucket, key):
        logger.info("Snapshot is already there", playlist_id=playlist_id, key=key)
        summary.already_there.append(playlist_id)
        return
    started = time.monotonic()

    def begin(snapshot_id: str, contract: raw.Contract) -> DetailedWriter:
        writer = raw.SnapshotWriter(
            playlist_id=playlist_id,
            snapshot_id=snapshot_id,
            scheduled_at=request.scheduled_at,
            fetched_at=now(),
            contract=contract,
        )
        return details.watch(writer)

    try:
        reading = spotify.fetch(playlist_id, begin)
    except (PlaylistError, SpotifyUnavailable) as error:
        logger.error("%s", error, playlist_id=playlist_id, error_name=type(error).__name__)
        summary.failed.append(
            Failure(
                playlist_id=playlist_id,
                error=type(error).__name__,
                message=str(error),
                retryable=error.retryable,
            )
        )
        return
    written = raw.put(s3, bucket, key, reading.sink.finish(reading.head.playlist))
    (summary.written if written else summary.already_there).append(playlist_id)
    metrics.add_metric(name="EntriesFetched", unit=MetricUnit.Count, value=reading.entries)
    logger.info(
        "Snapshot written" if written else "Another run wrote the snapshot first",
        playlist_id=playlist_id,
        entries=reading.entries,
        seconds=round(time.monotonic() - started, 3),
        contract=reading.contract,
        key=key,
    )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _scheduled_at(value: Any, now: datetime) -> datetime:
    if value == SCHEDULED_TIME_PLACEHOLDER:
        logger.info("The scheduled time was not filled in (%s): taking the present time", value)
        value = None
    if value is None:
        return now.astimezone(UTC).replace(microsecond=0)
    problem = f"scheduled_at={value!r} is no time with a time zone, such as 2026-11-20T06:00:00Z"
    if not isinstance(value, str):
        raise EventError(problem)
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise EventError(problem)
        return moment.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise EventError(problem) from error


def _playlists(value: Any) -> PlaylistSelection | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(playlist, str) for playlist in value):
        raise EventError("playlist_ids is no list of strings")
    if not value:
        raise EventError("playlist_ids is empty")
    try:
        return parse_playlist_ids(",".join(value))
    except SettingsError as error:
        raise EventError(f"playlist_ids has {error.value!r}, which is no playlist id, URI or link") from error
