"""Every condition Spotify Lake reports, one class each.

A class builds its own sentence: what happened, to which playlist or object, and what to do. Whether the
same call may succeed later is a property of the class (`retryable`), so that callers never read messages.
"""

from collections.abc import Sequence
from typing import ClassVar

SIGN_IN_ADVICE = "Run `./lake login` to sign in and store them."


class LakeError(Exception):
    """Base of all named conditions."""

    retryable: ClassVar[bool] = False


class SettingsError(LakeError):
    """A setting is missing or has a value that cannot be used."""

    def __init__(self, name: str, value: str, problem: str, accepted: str) -> None:
        self.name = name
        self.value = value
        super().__init__(f"Setting {name}={value!r} {problem}. Accepted: {accepted}.")


class EventError(LakeError):
    """An event that is none of the forms a function takes."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"The event cannot be used: {problem}. The folder events/ shows the accepted forms.")


class CredentialsMissing(LakeError):
    """The secret holds no usable Spotify credentials."""

    def __init__(self, secret_id: str, problem: str) -> None:
        super().__init__(f"No Spotify credentials in secret {secret_id}: {problem}. {SIGN_IN_ADVICE}")


class SignInExpired(LakeError):
    """Spotify refused the refresh token for good (`invalid_grant`)."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"Spotify no longer accepts the stored sign-in ({detail}): it was revoked, or it is older"
            " than six months. Run `./lake login` to sign in again."
        )


class PlaylistError(LakeError):
    """A condition of one playlist; the other playlists go on."""

    def __init__(self, playlist_id: str, message: str) -> None:
        self.playlist_id = playlist_id
        super().__init__(message)


class PlaylistNotFound(PlaylistError):
    """Spotify answers 404 for a playlist."""

    def __init__(self, playlist_id: str) -> None:
        advice = (
            "Spotify's own lists (ids starting with 37i9dQZ) are closed to new apps: copy its songs into a"
            " playlist of your own."
            if playlist_id.startswith("37i9dQZ")
            else "Check the id, or remove it from PlaylistIds."
        )
        super().__init__(playlist_id, f"Spotify knows no playlist {playlist_id} (404). {advice}")


class PlaylistForbidden(PlaylistError):
    """Spotify answers 403 for the entries of a playlist."""

    def __init__(self, playlist_id: str, why: str) -> None:
        super().__init__(
            playlist_id, f"Spotify does not show the entries of playlist {playlist_id} (403): {why}"
        )


class SpotifyRefused(LakeError):
    """Spotify refuses the app or the user, whatever is asked for."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"Spotify refused the request ({status}): {detail}")


class RateLimited(LakeError):
    """429: too many requests in the last 30 seconds."""

    retryable = True

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"Spotify's rate limit is reached; it asks to come back in {retry_after_s:.0f} s.")


class QuotaExceeded(LakeError):
    """429 with reason QUOTA_EXCEEDED: the app's allowance of about a day is used up."""

    retryable = True

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            f"The app's Spotify quota is used up; Spotify asks to come back in {retry_after_s / 3600:.1f} h."
        )


class SpotifyUnavailable(LakeError):
    """A passing fault on the way: 5xx, a lost connection, a body cut short, a list that keeps changing."""

    retryable = True

    def __init__(self, detail: str) -> None:
        super().__init__(f"Spotify could not be read just now: {detail}. The next attempt may succeed.")


class OutOfTime(LakeError):
    """The function's time is nearly used up."""

    retryable = True

    def __init__(self, left_s: float) -> None:
        super().__init__(f"Only {left_s:.0f} s are left of the function's time; the rest needs another run.")


class ContinuationLimitReached(LakeError):
    """A run was continued as often as runs are."""

    def __init__(self, scheduled_at: str, continuations: int, remaining: Sequence[str], reason: str) -> None:
        super().__init__(
            f"The run of {scheduled_at} does not go on by itself any more: it was continued {continuations} times"
            f" and still lacks a snapshot of some playlists ({', '.join(remaining)}). What stopped it last: {reason}"
            " Once that is settled, send the event from the failure queue again."
        )


class SnapshotUnreadable(LakeError):
    """The bytes of a raw object are no snapshot that this version understands."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(f"Not a readable snapshot: {cause}.")


class RawObjectUnreadable(LakeError):
    """A raw object that cannot be turned into rows; it stays where it is."""

    def __init__(self, bucket: str, key: str, cause: str) -> None:
        super().__init__(
            f"The raw object s3://{bucket}/{key} cannot be read: {cause}. It is kept as it is and its message"
            " goes to the dead-letter queue; mend or remove the object, then redrive."
        )


class RawObjectMissing(LakeError):
    """A raw object that was deleted before its event arrived."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(
            f"The raw object s3://{bucket}/{key} is gone: it was deleted before its event arrived."
            " There is nothing to transform."
        )


class ChangeNotAnnounced(LakeError):
    """EventBridge does not take the event of a changed playlist."""

    retryable = True

    def __init__(self, change_id: str, bus: str, reason: str) -> None:
        super().__init__(
            f"The change {change_id} could not be put on the event bus {bus}: {reason}. Its tables are complete; the"
            " message is tried again."
        )


class QueryFailed(LakeError):
    """Athena does not answer a query of the report."""

    retryable = True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"Athena did not answer the report's query {name!r}: {reason}. The pages of earlier days stay as they"
            " are; `./lake report` tries again."
        )


class UnknownDataSet(LakeError):
    """A marker was put where no data set is staged."""

    def __init__(self, key: str, folders: Sequence[str]) -> None:
        super().__init__(
            f"{key} starts nothing: there is no job for that folder. Put the files into a folder below"
            f" {' or '.join(folders)}, and the marker beside them."
        )


class JobBusy(LakeError):
    """Glue does not start a run although the one before has ended."""

    retryable = True

    def __init__(self, data_set: str, batch: str) -> None:
        super().__init__(
            f"Glue still takes the job {data_set} for running, so {batch} waits. Lambda tries again within minutes; if"
            " nothing starts, put _READY into the batch again."
        )
