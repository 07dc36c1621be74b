"""The event of the extract function."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from spotify_lake.errors import EventError, SettingsError
from spotify_lake.extract.continuation import MAX_CONTINUATIONS
from spotify_lake.observability import logger
from spotify_lake.settings import PlaylistSelection, parse_playlist_ids

# EventBridge Scheduler replaces these with the time and id of the run; an emulator may leave them in place.
SCHEDULED_TIME_PLACEHOLDER: Final = "<aws.scheduler.scheduled-time>"
EXECUTION_ID_PLACEHOLDER: Final = "<aws.scheduler.execution-id>"


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    """The event as JSON; `events/` has examples: scheduled.json, single-playlist.json and plays.json."""

    scheduled_at: str | None = None
    playlist_ids: Annotated[list[str], msgspec.Meta(min_length=1)] | None = None
    library: bool | None = None
    plays: bool | None = None
    continuation: Annotated[int, msgspec.Meta(ge=0, le=MAX_CONTINUATIONS)] | None = None
    # S3 stores it as a header.
    correlation_id: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,128}\Z")] | None = None


class ExtractRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of one run.

    Attributes
    ----------
    scheduled_at
        UTC, whole seconds; names the snapshots.
    playlists
        Which playlists; None for those of the settings.
    library
        Whether to take a snapshot of the library; None for what the settings say.
    plays
        Poll the last plays, and do nothing else.
    continuation
        How often the run was resumed before.
    correlation_id
        Identifies the run and its continuations in logs and in the metadata of the objects they write.
    """

    scheduled_at: datetime
    playlists: PlaylistSelection | None = None
    library: bool | None = None
    plays: bool = False
    continuation: int = 0
    correlation_id: str | None = None


def parse_event(event: object, now: Callable[[], datetime], request_id: str | None = None) -> ExtractRequest:
    """Read the event that started the function.

    Parameters
    ----------
    event
        `{"scheduled_at": "2026-11-20T06:00:00Z", "playlist_ids": ["…"], "library": true}`, all optional. With a part
        that is named, only those that are named are collected. `{"plays": true}` polls plays instead.
    now
        Returns the scheduled time for an event without one; called only then.
    request_id
        The correlation id for an event without one.

    Raises
    ------
    EventError
        The event has another form.
    """
    try:
        fields = msgspec.convert(event, _Event)
    except msgspec.ValidationError as error:
        known = ", ".join(_Event.__struct_fields__)
        raise EventError(f"{error}; it may have {known}") from error
    correlation_id = fields.correlation_id
    if correlation_id == EXECUTION_ID_PLACEHOLDER:
        correlation_id = None
    if fields.plays and (
        fields.playlist_ids is not None or fields.library is not None or fields.continuation
    ):
        raise EventError("plays are polled alone, without playlist_ids, library and continuation")
    playlists = _playlists(fields.playlist_ids)
    return ExtractRequest(
        playlists=() if fields.library and playlists is None else playlists,
        library=False if playlists and fields.library is None else fields.library,
        plays=bool(fields.plays),
        scheduled_at=_scheduled_at(fields.scheduled_at, now),
        continuation=fields.continuation or 0,
        correlation_id=correlation_id or request_id,
    )


def _scheduled_at(value: str | None, now: Callable[[], datetime]) -> datetime:
    if value == SCHEDULED_TIME_PLACEHOLDER:
        logger.info("The scheduled time was not filled in (%s): using the current time", value)
        value = None
    if value is None:
        return now().astimezone(UTC).replace(microsecond=0)
    problem = f"scheduled_at={value!r} is not a time with a time zone, such as 2026-11-20T06:00:00Z"
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise EventError(problem)
        return moment.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise EventError(problem) from error


def _playlists(ids: list[str] | None) -> PlaylistSelection | None:
    if ids is None:
        return None
    try:
        return parse_playlist_ids(",".join(ids))
    except SettingsError as error:
        problem = f"playlist_ids has {error.value!r}, which is not a playlist id, URI or link"
        raise EventError(problem) from error
