"""Every condition that Spotify Lake reports, one class each.

A class builds its own message: what happened, to which playlist or object, and what to do. `retryable` says whether
the same call may succeed later, so callers never parse messages.
"""

from collections.abc import Sequence
from typing import ClassVar

from spotify_lake.printable import printable

SIGN_IN_ADVICE = "Run `./lake login` to sign in and store them."


class LakeError(Exception):
    """Base of all named conditions."""

    retryable: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        """Set the message; names and answers from outside in it cannot control a terminal or a mail."""
        super().__init__(printable(message))


class SettingsError(LakeError):
    """A setting is missing or invalid."""

    def __init__(self, name: str, value: str, problem: str, accepted: str) -> None:
        self.name = name
        self.value = value
        super().__init__(f"Setting {name}={value!r} {problem}. Accepted: {accepted}.")


class EventError(LakeError):
    """An event in a form that the function does not accept."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"The event is not valid: {problem}. The folder events/ shows the accepted forms.")


class CredentialsMissing(LakeError):
    """The secret holds no usable Spotify credentials."""

    def __init__(self, secret_id: str, problem: str) -> None:
        super().__init__(f"No Spotify credentials in secret {secret_id}: {problem}. {SIGN_IN_ADVICE}")


class SignInExpired(LakeError):
    """Spotify rejected the refresh token permanently (`invalid_grant`)."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"Spotify no longer accepts the stored sign-in ({detail}): it was revoked, or it is older"
            " than six months. Run `./lake login` to sign in again."
        )


class PlaylistError(LakeError):
    """A condition of one playlist; the other playlists are not affected."""

    def __init__(self, playlist_id: str, message: str) -> None:
        self.playlist_id = playlist_id
        super().__init__(message)


class PlaylistNotFound(PlaylistError):
    """Spotify returns 404 for a playlist."""

    def __init__(self, playlist_id: str) -> None:
        advice = (
            "Spotify's own playlists (ids starting with 37i9dQZ) are closed to new apps: copy its songs into a"
            " playlist of your own."
            if playlist_id.startswith("37i9dQZ")
            else "Check the id, or remove it from PlaylistIds."
        )
        super().__init__(playlist_id, f"Spotify has no playlist {playlist_id} (404). {advice}")


class PlaylistForbidden(PlaylistError):
    """Spotify returns 403 for the entries of a playlist."""

    def __init__(self, playlist_id: str, why: str) -> None:
        super().__init__(
            playlist_id, f"Spotify does not show the entries of playlist {playlist_id} (403): {why}"
        )


class SpotifyRefused(LakeError):
    """Spotify refuses the app or the user, whatever the request."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"Spotify refused the request ({status}): {detail}")


class RateLimited(LakeError):
    """429: too many requests in the last 30 seconds."""

    retryable = True

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            f"Spotify's rate limit is reached; it allows the next request in {retry_after_s:.0f} s."
        )


class QuotaExceeded(LakeError):
    """429 with reason QUOTA_EXCEEDED: the app's daily allowance is used up."""

    retryable = True

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            f"The app's Spotify quota is used up; it allows the next request in {retry_after_s / 3600:.1f} h."
        )


class SpotifyUnavailable(LakeError):
    """A temporary fault: 5xx, a lost connection, a truncated body, a list that keeps changing."""

    retryable = True

    def __init__(self, detail: str) -> None:
        super().__init__(f"Spotify could not be read just now: {detail}. The next attempt may succeed.")


class OutOfTime(LakeError):
    """The function's time is nearly used up."""

    retryable = True

    def __init__(self, left_s: float) -> None:
        super().__init__(f"Only {left_s:.0f} s are left of the function's time; the rest needs another run.")


class ContinuationLimitReached(LakeError):
    """A run reached the maximum number of continuations."""

    def __init__(self, scheduled_at: str, continuations: int, remaining: Sequence[str], reason: str) -> None:
        super().__init__(
            f"The run of {scheduled_at} reached the maximum number of continuations ({continuations}) and still lacks"
            f" snapshots of some playlists ({', '.join(remaining)}). The last reason: {reason}"
            " Once that is resolved, send the event from the failure queue again."
        )


class SnapshotUnreadable(LakeError):
    """The bytes of a raw object are not a snapshot that this version can read."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(f"Not a readable snapshot: {cause}.")


class SnapshotMisplaced(SnapshotUnreadable):
    """The key of a raw object names another playlist or time than its content."""

    def __init__(self, content_key: str) -> None:
        super().__init__(
            f"its content is another snapshot, which belongs under {content_key}, and its tables are not overwritten"
        )


class RawObjectUnreadable(LakeError):
    """A raw object that cannot become rows; it stays where it is."""

    def __init__(self, bucket: str, key: str, cause: str) -> None:
        super().__init__(
            f"The raw object s3://{bucket}/{key} cannot be read: {cause}. It stays unchanged and its message"
            " goes to the dead-letter queue; repair or remove the object, then redrive."
        )


class RawObjectMissing(LakeError):
    """A raw object that was deleted before its event arrived."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(
            f"The raw object s3://{bucket}/{key} does not exist: it was deleted before its event arrived."
            " There is nothing to transform."
        )


class CuratedObjectBusy(LakeError):
    """Other invocations kept writing the same objects."""

    retryable = True

    def __init__(self, name: str, attempts: int) -> None:
        super().__init__(
            f"The objects {name} were written by other invocations each of the {attempts} times that this one tried."
            " The message will be retried."
        )


class ChangeNotPublished(LakeError):
    """EventBridge rejects the event of a changed playlist."""

    retryable = True

    def __init__(self, change_id: str, bus: str, reason: str) -> None:
        super().__init__(
            f"The change {change_id} could not be put on the event bus {bus}: {reason}. Its tables are complete; the"
            " message will be retried."
        )


class QueryFailed(LakeError):
    """Athena refuses a query, or it fails or takes too long."""

    retryable = True

    def __init__(self, reason: str, name: str | None = None) -> None:
        super().__init__(f"The query {name!r} failed: {reason}" if name else f"The query failed: {reason}")


class UnknownDataSet(LakeError):
    """A marker in a folder that is not the staging folder of a data set."""

    def __init__(self, key: str, folders: Sequence[str]) -> None:
        super().__init__(
            f"No job reads the folder of {key}. Put the files into a folder below"
            f" {' or '.join(folders)}, and the marker beside them."
        )


class BadMarker(LakeError):
    """A marker whose content is neither empty nor valid."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(
            f"{key} starts nothing: {problem}. It must be empty, or for charts JSON with any of these values for rows"
            ' that lack them: {"date": "2021-12-31", "region": "us", "chart": "top200"}. Put it again.'
        )


class JobBusy(LakeError):
    """Glue does not start a run although the previous one has ended."""

    retryable = True

    def __init__(self, data_set: str, batch: str) -> None:
        super().__init__(
            f"Glue still reports the job {data_set} as running, so {batch} waits. Lambda retries within minutes; if"
            " no run starts, put _READY into the batch again."
        )
