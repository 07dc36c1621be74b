"""One run of the extraction: finds the playlists, writes one raw object for each, and reports the results."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from spotify_lake import keys
from spotify_lake.errors import (
    CredentialsMissing,
    LakeError,
    PartLeftOut,
    PlaylistError,
    SpotifyRefused,
    SpotifyUnavailable,
)
from spotify_lake.extract.continuation import Continuations, Rest
from spotify_lake.extract.details import Enrichment, Mentions
from spotify_lake.extract.library import Outcome, snapshot_library
from spotify_lake.extract.request import ExtractRequest
from spotify_lake.extract.state import Fingerprint, State
from spotify_lake.observability import count, logger
from spotify_lake.raw import envelope, store
from spotify_lake.settings import LIKED, OWNED, ExtractSettings
from spotify_lake.spotify import models
from spotify_lake.spotify.client import ListedPlaylist, PlaylistReading, SpotifyClient
from spotify_lake.spotify.liked import LikedReading

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Songs may change while the list does not: their popularity, availability and id.
READ_AGAIN_AFTER: Final = timedelta(days=7)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A playlist that a run could not snapshot.

    Attributes
    ----------
    playlist_id
        22 characters.
    error, message
        Name of the condition, and its message.
    retryable
        Whether another run may succeed.
    """

    playlist_id: str
    error: str
    message: str
    retryable: bool


class ExtractSummary(msgspec.Struct, kw_only=True):
    """The results of a run, by playlist.

    Attributes
    ----------
    scheduled_at
        As requested, for example 2026-11-20T06:00:00Z.
    written
        Ids of the playlists whose snapshot this run wrote.
    already_there
        Ids of those that already had one for this scheduled time.
    unchanged
        Ids of those that need none: their last snapshot is from the same day (UTC) and shows the same version.
    failed
        Those that Spotify did not show. A continuation retries them if that may help.
    library
        What became of the snapshot of the library, if it was due.
    left_out
        Sentences about Liked Songs and library, if Spotify does not show them or the sign-in does not permit it.
    continued_by
        Name of the schedule that resumes the run, if anything is left to do.
    """

    scheduled_at: str
    written: list[str] = msgspec.field(default_factory=list)
    already_there: list[str] = msgspec.field(default_factory=list)
    unchanged: list[str] = msgspec.field(default_factory=list)
    failed: list[Failure] = msgspec.field(default_factory=list)
    library: Outcome | msgspec.UnsetType = msgspec.UNSET
    left_out: list[str] | msgspec.UnsetType = msgspec.UNSET
    continued_by: str | msgspec.UnsetType = msgspec.UNSET


def run(
    request: ExtractRequest,
    settings: ExtractSettings,
    spotify: SpotifyClient,
    s3: "S3Client",
    continuations: Continuations,
    now: Callable[[], datetime],
) -> ExtractSummary:
    """Write a snapshot of every playlist that needs one and has none yet for the scheduled time, then of the library.

    A playlist gets at least one snapshot a day, and one whenever it has changed since its last. The library gets one a
    day, if it is to be collected.

    Parameters
    ----------
    request, settings
        Which playlists, when, and where to write them.
    spotify
        Reads them.
    s3
        A boto3 client.
    continuations
        Schedules the continuation when a temporary condition stops the run or a playlist.
    now
        Returns the time, UTC.

    Returns
    -------
    ExtractSummary
        A playlist that Spotify does not show is in `failed`; the others are not affected.

    Raises
    ------
    LakeError
        A condition that fails every playlist and that a person has to resolve.
    ContinuationLimitReached
        Temporary conditions stopped the run too often.
    """
    work = _Run(request, settings, spotify, s3, now)
    try:
        stopped_by = work.extract()
        if stopped_by:
            rest = Rest(
                scheduled_at=work.summary.scheduled_at,
                continuation=request.continuation + 1,
                playlist_ids=work.remaining,
                library=work.is_library_due,
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
    """The playlists and progress of one run."""

    def __init__(
        self,
        request: ExtractRequest,
        settings: ExtractSettings,
        spotify: SpotifyClient,
        s3: "S3Client",
        now: Callable[[], datetime],
    ) -> None:
        self.summary = ExtractSummary(scheduled_at=keys.iso(request.scheduled_at))
        self._request = request
        self._settings = settings
        self._spotify = spotify
        self._s3 = s3
        self._now = now
        self._state = State(s3, settings.raw_bucket)
        self._enrichment = Enrichment(spotify, s3, settings.raw_bucket, settings.detail_calls_per_run)
        self._listed: dict[str, ListedPlaylist] = {}
        self._listed_at = now()
        self._read_by: Counter[models.Contract] = Counter()
        self._copied = 0
        self._wanted = settings.playlists if request.playlists is None else request.playlists
        self._liked_id: str | None = None
        self._due: list[str] | None = None
        self._postponed: list[str] = []
        self.is_library_due = settings.library if request.library is None else request.library

    @property
    def remaining(self) -> list[str]:
        """Playlists left for another run; the words `owned` and `liked` for those whose ids are not known."""
        if self._due is None:
            return [*self._wanted]
        return [LIKED if one == self._liked_id else one for one in [*self._due, *self._postponed]]

    def extract(self) -> LakeError | None:
        """Write what is due; return the temporary condition that prevented some of it, if any."""
        postponed_by: LakeError | None = None
        try:
            due = self._find_due()
            while due:
                self._spotify.check_time()
                playlist_id = due[0]
                try:
                    self._snapshot(playlist_id)
                except PartLeftOut as error:
                    self._leave_out(error)
                except (PlaylistError, SpotifyUnavailable) as error:
                    self._note_failure(playlist_id, error)
                    postponed_by = error if error.retryable else postponed_by
                due.pop(0)
            if self.is_library_due:
                self._snapshot_library()
        except LakeError as error:
            if not error.retryable:
                raise
            return error
        return postponed_by

    def finish(self) -> None:
        """Publish the metrics of the run, and save its state for the next one."""
        self._enrichment.close()
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
        """Find the playlists without a snapshot, and their entries in Spotify's listing."""
        ids: dict[str, None] = {}
        for one in self._wanted:
            if one == OWNED:
                ids |= dict.fromkeys(self._owned())
            elif one == LIKED:
                ids |= dict.fromkeys(self._liked())
            else:
                ids[one] = None
        self._due = self._without_snapshot(ids)
        named = [one for one in self._due if one != self._liked_id]
        if named and OWNED not in self._wanted and self._spotify.acts_for_user:
            try:
                self._list(named)
            except (SpotifyRefused, SpotifyUnavailable) as error:
                logger.warning(
                    "The playlists are read one by one, because they could not be listed first: %s", error
                )
        return self._due

    def _owned(self) -> list[str]:
        if not self._spotify.acts_for_user:
            raise CredentialsMissing(
                self._settings.secret_id,
                f"to find the playlists you own (PlaylistIds={OWNED}), a user has to sign in",
            )
        user_id = self._user_id()
        self._list()
        owned = [playlist.id for playlist in self._listed.values() if playlist.owner_id == user_id]
        logger.info("%d playlists are owned by the user", len(owned))
        return owned

    def _liked(self) -> list[str]:
        try:
            self._spotify.check_permission("song")
        except PartLeftOut as error:
            self._leave_out(error)
            return []
        self._liked_id = keys.liked_songs_id(self._user_id())
        return [self._liked_id]

    def _user_id(self) -> str:
        user_id = self._state.user_id(self._spotify.sign_in_fingerprint)
        if user_id is None:
            user_id = self._spotify.me()
            self._state.remember_user(self._spotify.sign_in_fingerprint, user_id)
        return user_id

    def _list(self, wanted: Sequence[str] | None = None) -> None:
        self._listed_at = self._now()
        self._listed = {playlist.id: playlist for playlist in self._spotify.my_playlists(wanted)}

    def _without_snapshot(self, playlist_ids: Iterable[str]) -> list[str]:
        due = []
        for playlist_id in playlist_ids:
            key = keys.raw_key(playlist_id, self._request.scheduled_at)
            if store.exists(self._s3, self._settings.raw_bucket, key):
                logger.info("Snapshot is already there", playlist_id=playlist_id, key=key)
                self.summary.already_there.append(playlist_id)
            else:
                due.append(playlist_id)
        return due

    def _snapshot(self, playlist_id: str) -> None:
        """Write the snapshot of a playlist; Spotify sends it again only if it has changed."""
        started = time.monotonic()
        key = keys.raw_key(playlist_id, self._request.scheduled_at)
        liked = self._open_liked(playlist_id) if playlist_id == self._liked_id else None
        listed = liked.listed if liked else self._listed.get(playlist_id)
        shown = self._shown(listed) if listed else None
        if (
            shown
            and listed
            and listed.snapshot_id
            and self._state.is_settled(playlist_id, listed.snapshot_id)
        ):
            self._note_unchanged(playlist_id)
            return
        source = self._unchanged(listed) if listed else None
        if source:
            written, details = self._copy(source, key)
        elif outcome := self._read(playlist_id, listed, key, shown, liked):
            written, details = outcome
        else:
            self._note_unchanged(playlist_id)
            return
        (self.summary.written if written else self.summary.already_there).append(playlist_id)
        logger.info(
            "Snapshot written" if written else "Another run wrote the snapshot first",
            playlist_id=playlist_id,
            seconds=round(time.monotonic() - started, 3),
            key=key,
            **details,
        )

    def _open_liked(self, playlist_id: str) -> LikedReading:
        self._listed_at = self._now()
        user_id = self._user_id()
        own = (listed.owner_name for listed in self._listed.values() if listed.owner_id == user_id)
        name = self._state.user_name(next(filter(None, own), None))
        return LikedReading(self._spotify, playlist_id, user_id, name)

    def _snapshot_library(self) -> None:
        try:
            self.summary.library = snapshot_library(
                self._request, self._settings.raw_bucket, self._spotify, self._s3, self._now
            )
        except PartLeftOut as error:
            self._leave_out(error)
        self.is_library_due = False

    def _leave_out(self, error: PartLeftOut) -> None:
        logger.warning("%s", error, error_name=type(error).__name__)
        left_out = [] if self.summary.left_out is msgspec.UNSET else self.summary.left_out
        self.summary.left_out = [*left_out, str(error)]

    def _shown(self, listed: ListedPlaylist) -> str | None:
        """Return the key of the last snapshot before this one, if it is of the same day and the listed version."""
        if listed.is_spotifys or listed.snapshot_id is None:
            return None
        last = store.last_key_of_day(
            self._s3, self._settings.raw_bucket, listed.id, self._request.scheduled_at
        )
        if last is None or not self._is_recent(self._state.at(last, listed.id, listed.snapshot_id)):
            return None
        return last

    def _note_unchanged(self, playlist_id: str) -> None:
        logger.info("Unchanged since its last snapshot of the day", playlist_id=playlist_id)
        self.summary.unchanged.append(playlist_id)

    def _unchanged(self, listed: ListedPlaylist) -> envelope.Source | None:
        """Find the raw object that holds the listed version, if that is settled and recent enough to copy."""
        if listed.is_spotifys or listed.snapshot_id is None:
            return None
        source = self._state.find(listed.id, listed.snapshot_id)
        return source if self._is_recent(source) else None

    def _is_recent(self, source: envelope.Source | None) -> bool:
        # A time in the future is not the extract function's.
        return (
            source is not None and timedelta(0) <= self._now() - source.origin.fetched_at < READ_AGAIN_AFTER
        )

    def _copy(self, source: envelope.Source, key: str) -> tuple[bool, dict[str, Any]]:
        details = self._enrichment.details_of_copy(source)
        written = self._put(key, source.copy(self._request.scheduled_at, self._listed_at, details))
        self._copied += written
        return written, {"contract": source.header.contract, "copied_from": source.origin.key}

    def _read(
        self,
        playlist_id: str,
        listed: ListedPlaylist | None,
        key: str,
        shown: str | None,
        liked: LikedReading | None,
    ) -> tuple[bool, dict[str, Any]] | None:
        """Read a playlist and write its snapshot, unless the one under the key `shown` has the same entries."""
        reading = liked or self._spotify.read(playlist_id, listed.snapshot_id if listed else None)
        while True:
            writer, mentions, entries = self._writer(playlist_id, reading), Mentions(), Fingerprint()
            for page in reading.pages:
                writer.add_page(page)
                mentions.add_page(page)
                entries.add_page(page)
            if head := reading.confirm():
                break
        if reading.contract == "embedded":
            entries.add_page(head.embedded_page)
        if liked is None:
            self._read_by[reading.contract] += 1
        count("EntriesFetched", reading.entries)
        if shown and self._state.has_read(playlist_id, head.snapshot_id, entries, shown):
            self._state.remember(playlist_id, head.snapshot_id, shown, entries)
            return None
        # Entries in the playlist object count, too: they may be the only ones.
        mentions.add_page(head.playlist.get("items"))
        mentions.add_page(head.playlist.get("tracks"))
        written = self._put(key, writer.finish(head.playlist, self._enrichment.details(mentions)))
        if written and listed and not head.is_spotifys:
            self._state.remember(playlist_id, head.snapshot_id, key, entries)
        return written, {"contract": reading.contract, "entries": reading.entries}

    def _writer(self, playlist_id: str, reading: PlaylistReading | LikedReading) -> envelope.SnapshotWriter:
        return envelope.SnapshotWriter(
            playlist_id=playlist_id,
            snapshot_id=reading.snapshot_id,
            scheduled_at=self._request.scheduled_at,
            fetched_at=self._now(),
            contract=reading.contract,
        )

    def _put(self, key: str, body: bytes) -> bool:
        bucket, run = self._settings.raw_bucket, self._request.correlation_id
        # If only the response to a write was lost, boto3's retry finds the object that this run has stored.
        return store.put(self._s3, bucket, key, body, run) or store.get(self._s3, bucket, key) == body

    def _note_failure(self, playlist_id: str, error: LakeError) -> None:
        name = type(error).__name__
        logger.error("%s", error, playlist_id=playlist_id, error_name=name)
        if error.retryable:
            self._postponed.append(playlist_id)
        self.summary.failed.append(
            Failure(playlist_id=playlist_id, error=name, message=str(error), retryable=error.retryable)
        )
