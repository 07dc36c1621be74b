"""One run of the extraction: which playlists, one raw object each, and what became of them."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from spotify_lake import raw
from spotify_lake.config import OWNED, ExtractSettings, PlaylistSelection, parse_playlist_ids
from spotify_lake.continuation import MAX_CONTINUATIONS, Continuations, Rest
from spotify_lake.details import DetailedWriter, DetailKeeper
from spotify_lake.errors import (
    CredentialsMissing,
    EventError,
    LakeError,
    PlaylistError,
    SettingsError,
    SpotifyRefused,
    SpotifyUnavailable,
)
from spotify_lake.observability import count, logger
from spotify_lake.spotify.client import ListedPlaylist, SpotifyClient
from spotify_lake.state import State

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# EventBridge Scheduler puts time and id of the run here; an emulator may pass them on as they are.
SCHEDULED_TIME_PLACEHOLDER: Final = "<aws.scheduler.scheduled-time>"
EXECUTION_ID_PLACEHOLDER: Final = "<aws.scheduler.execution-id>"
# What Spotify says of a song may change while the list does not: popularity, whether it can be played, its id.
READ_AGAIN_AFTER: Final = timedelta(days=7)
_EVENT_KEYS = ("scheduled_at", "playlist_ids", "continuation", "correlation_id")


class ExtractRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an event asks for.

    Attributes
    ----------
    scheduled_at
        UTC, whole seconds; names the snapshots.
    playlists
        Which playlists; None for those of the settings.
    continuation
        How many times the run was continued to get here.
    correlation_id
        Names the run and its continuations in logs and in the metadata of what they write.
    """

    scheduled_at: datetime
    playlists: PlaylistSelection | None = None
    continuation: int = 0
    correlation_id: str | None = None


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
    unchanged
        Ids of those that need none: their last snapshot is of the same day (UTC) and shows the same version.
    failed
        Those that Spotify did not show. If that may pass, a continuation tries again.
    continued_by
        Name of the schedule that goes on with the rest of the run, if there is a rest.
    """

    scheduled_at: str
    written: list[str] = msgspec.field(default_factory=list)
    already_there: list[str] = msgspec.field(default_factory=list)
    unchanged: list[str] = msgspec.field(default_factory=list)
    failed: list[Failure] = msgspec.field(default_factory=list)
    continued_by: str | msgspec.UnsetType = msgspec.UNSET


def parse_event(event: object, now: Callable[[], datetime], request_id: str | None = None) -> ExtractRequest:
    """Read the event that started the function.

    Parameters
    ----------
    event
        `{"scheduled_at": "2026-11-20T06:00:00Z", "playlist_ids": ["…"]}`, both optional.
    now
        Returns the scheduled time of an event without one; called only then.
    request_id
        The correlation id of an event without one.

    Raises
    ------
    EventError
        The event has another form.
    """
    if not isinstance(event, dict):
        raise EventError(f"it is no JSON object but a {type(event).__name__}")
    unknown = sorted(set(event) - set(_EVENT_KEYS))
    if unknown:
        raise EventError(f"it has {', '.join(map(repr, unknown))}; known are {', '.join(_EVENT_KEYS)}")
    playlists, continuation = _playlists(event.get("playlist_ids")), _continuation(event.get("continuation"))
    scheduled_at = _scheduled_at(event.get("scheduled_at"), now)
    return ExtractRequest(
        scheduled_at=scheduled_at,
        playlists=playlists,
        continuation=continuation,
        correlation_id=_correlation_id(event.get("correlation_id")) or request_id,
    )


def run(
    request: ExtractRequest,
    settings: ExtractSettings,
    spotify: SpotifyClient,
    s3: "S3Client",
    continuations: Continuations,
    now: Callable[[], datetime],
) -> ExtractSummary:
    """Write the snapshot of every playlist that has none yet for the scheduled time, and needs one.

    A playlist gets at least one snapshot a day, and one whenever it has changed since its last.

    Parameters
    ----------
    request, settings
        Which playlists, when, and where to.
    spotify
        Reads them.
    s3
        A boto3 client.
    continuations
        Plans how to go on when something that passes stops the run or keeps a playlist from being read.
    now
        Returns the time, UTC.

    Returns
    -------
    ExtractSummary
        A playlist that Spotify does not show is in `failed`, and the others went on.

    Raises
    ------
    LakeError
        A condition that would fail every playlist and that a person has to settle.
    ContinuationLimitReached
        Something passing stopped the run once too often.
    """
    work = _Run(request, settings, spotify, s3, now)
    try:
        stopped_by = work.extract()
        if stopped_by:
            rest = Rest(
                scheduled_at=work.summary.scheduled_at,
                continuation=request.continuation + 1,
                playlist_ids=work.remaining,
                correlation_id=request.correlation_id,
            )
            work.summary.continued_by = continuations.plan(rest, stopped_by, now())
            count("PlaylistsPostponed", len(work.remaining))
    except LakeError as error:
        logger.error("The run stopped: %s", error, error_name=type(error).__name__, not_done=work.remaining)
        raise
    finally:
        work.finish()
    return work.summary


class _Run:
    """The playlists of one run, and how far it has come."""

    def __init__(
        self,
        request: ExtractRequest,
        settings: ExtractSettings,
        spotify: SpotifyClient,
        s3: "S3Client",
        now: Callable[[], datetime],
    ) -> None:
        self.summary = ExtractSummary(scheduled_at=raw.iso(request.scheduled_at))
        self._request = request
        self._settings = settings
        self._spotify = spotify
        self._s3 = s3
        self._now = now
        self._state = State(s3, settings.raw_bucket)
        self._details = DetailKeeper(spotify, s3, settings.raw_bucket, settings.detail_calls_per_run)
        self._listed: dict[str, ListedPlaylist] = {}
        self._listed_at = now()
        self._read_by: Counter[raw.Contract] = Counter()
        self._copied = 0
        self._due: list[str] | None = None
        self._postponed: list[str] = []

    @property
    def remaining(self) -> list[str]:
        """Playlists that another run may get, or the word `owned` while that is all the run knows of them."""
        return [OWNED] if self._due is None else [*self._due, *self._postponed]

    def extract(self) -> LakeError | None:
        """Write what is due; return what kept the run from all of it, if that passes by itself."""
        postponed_by: LakeError | None = None
        try:
            due = self._find_due()
            while due:
                self._spotify.check_time()
                playlist_id = due[0]
                try:
                    self._snapshot(playlist_id)
                except (PlaylistError, SpotifyUnavailable) as error:
                    self._note_failure(playlist_id, error)
                    postponed_by = error if error.retryable else postponed_by
                due.pop(0)
        except LakeError as error:
            if not error.retryable:
                raise
            return error
        return postponed_by

    def finish(self) -> None:
        """Publish the metrics of the run, and keep what helps the next one."""
        self._details.close()
        spotify, summary = self._spotify, self.summary
        count("SnapshotsWritten", len(summary.written))
        count("SnapshotsAlreadyThere", len(summary.already_there))
        count("PlaylistsFailed", sum(not failure.retryable for failure in summary.failed))
        count("SnapshotsCopied", self._copied)
        count("PlaylistsUnchanged", len(summary.unchanged))
        count("PlaylistsByItems", self._read_by["items"])
        count("PlaylistsByTracks", self._read_by["tracks"])
        count("PlaylistsEmbedded", self._read_by["embedded"])
        count("SpotifyRequests", spotify.requests)
        count("RateLimited", spotify.rate_limits)
        count("QuotaExceeded", spotify.quotas_exceeded)
        self._state.save()

    def _find_due(self) -> list[str]:
        """Find the playlists without a snapshot, and what Spotify's listing says of them."""
        wanted = self._settings.playlists if self._request.playlists is None else self._request.playlists
        if wanted == OWNED:
            self._due = self._without_snapshot(self._owned())
            return self._due
        self._due = self._without_snapshot(wanted)
        if self._due and self._spotify.acts_for_user:
            try:
                self._list(self._due)
            except (SpotifyRefused, SpotifyUnavailable) as error:
                logger.warning("The playlists are read one by one, without a list of them first: %s", error)
        return self._due

    def _owned(self) -> list[str]:
        if not self._spotify.acts_for_user:
            raise CredentialsMissing(
                self._settings.secret_id,
                f"to find the playlists you own (PlaylistIds={OWNED}), a user has to sign in",
            )
        user_id = self._state.user_id(self._spotify.sign_in_fingerprint)
        if user_id is None:
            user_id = self._spotify.me()
            self._state.remember_user(self._spotify.sign_in_fingerprint, user_id)
        self._list()
        owned = [playlist.id for playlist in self._listed.values() if playlist.owner_id == user_id]
        logger.info("%d playlists are owned by the user", len(owned))
        return owned

    def _list(self, wanted: Sequence[str] | None = None) -> None:
        self._listed_at = self._now()
        self._listed = {playlist.id: playlist for playlist in self._spotify.my_playlists(wanted)}

    def _without_snapshot(self, playlist_ids: Iterable[str]) -> list[str]:
        due = []
        for playlist_id in playlist_ids:
            key = raw.key(playlist_id, self._request.scheduled_at)
            if raw.exists(self._s3, self._settings.raw_bucket, key):
                logger.info("Snapshot is already there", playlist_id=playlist_id, key=key)
                self.summary.already_there.append(playlist_id)
            else:
                due.append(playlist_id)
        return due

    def _snapshot(self, playlist_id: str) -> None:
        """Write the snapshot of a playlist; Spotify sends it again only if it has changed."""
        started = time.monotonic()
        key = raw.key(playlist_id, self._request.scheduled_at)
        listed = self._listed.get(playlist_id)
        if listed and self._is_shown(listed):
            logger.info("Unchanged since its last snapshot of the day", playlist_id=playlist_id)
            self.summary.unchanged.append(playlist_id)
            return
        source = self._unchanged(listed) if listed else None
        written, details = self._copy(source, key) if source else self._read(playlist_id, listed, key)
        (self.summary.written if written else self.summary.already_there).append(playlist_id)
        logger.info(
            "Snapshot written" if written else "Another run wrote the snapshot first",
            playlist_id=playlist_id,
            seconds=round(time.monotonic() - started, 3),
            key=key,
            **details,
        )

    def _is_shown(self, listed: ListedPlaylist) -> bool:
        """Tell whether the last snapshot before this one is of the same day and shows what the listing speaks of."""
        if listed.is_spotifys or listed.snapshot_id is None:
            return False
        last = raw.last_key_of_day(self._s3, self._settings.raw_bucket, listed.id, self._request.scheduled_at)
        return last is not None and self._is_recent(self._state.at(last, listed.id, listed.snapshot_id))

    def _unchanged(self, listed: ListedPlaylist) -> raw.Source | None:
        """Find the raw object that holds what the listing speaks of, if it may stand in for it."""
        if listed.is_spotifys or listed.snapshot_id is None:
            return None
        source = self._state.find(listed.id, listed.snapshot_id)
        return source if self._is_recent(source) else None

    def _is_recent(self, source: raw.Source | None) -> bool:
        return source is not None and self._now() - source.origin.fetched_at < READ_AGAIN_AFTER

    def _copy(self, source: raw.Source, key: str) -> tuple[bool, dict[str, Any]]:
        details = self._details.of_copy(source)
        written = self._put(key, source.copy(self._request.scheduled_at, self._listed_at, details))
        self._copied += written
        return written, {"contract": source.header.contract, "copied_from": source.origin.key}

    def _read(self, playlist_id: str, listed: ListedPlaylist | None, key: str) -> tuple[bool, dict[str, Any]]:
        def begin(snapshot_id: str, contract: raw.Contract) -> DetailedWriter:
            writer = raw.SnapshotWriter(
                playlist_id=playlist_id,
                snapshot_id=snapshot_id,
                scheduled_at=self._request.scheduled_at,
                fetched_at=self._now(),
                contract=contract,
            )
            return self._details.watch(writer)

        reading = self._spotify.fetch(playlist_id, begin, listed.snapshot_id if listed else None)
        self._read_by[reading.contract] += 1
        count("EntriesFetched", reading.entries)
        written = self._put(key, reading.sink.finish(reading.head.playlist))
        if written and listed and not reading.head.is_spotifys:
            self._state.remember(playlist_id, reading.head.snapshot_id, key)
        return written, {"contract": reading.contract, "entries": reading.entries}

    def _put(self, key: str, body: bytes) -> bool:
        bucket, run = self._settings.raw_bucket, self._request.correlation_id
        # If only the answer to a write was lost, its repetition by boto3 finds what this run has stored itself.
        return raw.put(self._s3, bucket, key, body, run) or raw.get(self._s3, bucket, key) == body

    def _note_failure(self, playlist_id: str, error: LakeError) -> None:
        name = type(error).__name__
        logger.error("%s", error, playlist_id=playlist_id, error_name=name)
        if error.retryable:
            self._postponed.append(playlist_id)
        self.summary.failed.append(
            Failure(playlist_id=playlist_id, error=name, message=str(error), retryable=error.retryable)
        )


def _scheduled_at(value: Any, now: Callable[[], datetime]) -> datetime:
    if value == SCHEDULED_TIME_PLACEHOLDER:
        logger.info("The scheduled time was not filled in (%s): taking the present time", value)
        value = None
    if value is None:
        return now().astimezone(UTC).replace(microsecond=0)
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


def _correlation_id(value: Any) -> str | None:
    if value is None or value == EXECUTION_ID_PLACEHOLDER:
        return None
    # S3 takes it as a header.
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,128}", value):
        raise EventError("correlation_id is no text of up to 128 letters, digits and signs")
    return value


def _continuation(value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_CONTINUATIONS:
        raise EventError(f"continuation={value!r} is no number from 0 to {MAX_CONTINUATIONS}")
    return value
