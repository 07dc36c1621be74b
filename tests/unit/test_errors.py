import pytest

from spotify_lake.errors import (
    ContinuationLimitReached,
    CredentialsMissing,
    EventError,
    LakeError,
    OutOfTime,
    PlaylistForbidden,
    PlaylistNotFound,
    QuotaExceeded,
    RateLimited,
    RawObjectMissing,
    RawObjectUnreadable,
    SettingsError,
    SignInExpired,
    SnapshotUnreadable,
    SpotifyRefused,
    SpotifyUnavailable,
)

TERMINAL = [
    (SettingsError("NAME", "x y", "is odd", "even ones"), ["NAME='x y'", "is odd", "even ones"]),
    (EventError("it is empty"), ["it is empty", "events/"]),
    (CredentialsMissing("lake/spotify", "it is empty"), ["lake/spotify", "it is empty", "./lake login"]),
    (SignInExpired("invalid_grant"), ["invalid_grant", "six months", "./lake login"]),
    (PlaylistNotFound("37i9dQZEVXbMDoHDwVN2tF"), ["37i9dQZEVXbMDoHDwVN2tF", "404", "copy its songs"]),
    (PlaylistNotFound("6rqhFgbbKwnb9MLmUQDhG6"), ["6rqhFgbbKwnb9MLmUQDhG6", "404", "PlaylistIds"]),
    (PlaylistForbidden("6rqhFgbb", "not yours"), ["6rqhFgbb", "403", "not yours"]),
    (SpotifyRefused(403, "Premium lapsed"), ["403", "Premium lapsed"]),
    (
        ContinuationLimitReached("2026-11-20T06:00:00Z", 10, ["one", "two"], "Quota."),
        ["2026-11-20T06:00:00Z", "continuations (10)", "one, two", "Quota.", "failure queue"],
    ),
    (SnapshotUnreadable("not gzip"), ["not gzip"]),
    (RawObjectUnreadable("b", "raw/k", "not gzip"), ["s3://b/raw/k", "not gzip", "redrive"]),
    (RawObjectMissing("b", "raw/k"), ["s3://b/raw/k", "deleted"]),
]
RETRYABLE = [
    (RateLimited(30), ["30 s"]),
    (QuotaExceeded(5400), ["quota", "1.5 h"]),
    (SpotifyUnavailable("503"), ["503", "next attempt"]),
    (OutOfTime(9.6), ["10 s"]),
]


@pytest.mark.parametrize(
    "error, parts, retryable",
    [(*case, False) for case in TERMINAL] + [(*case, True) for case in RETRYABLE],
    ids=lambda value: type(value).__name__ if isinstance(value, LakeError) else "",
)
def test_a_condition_is_a_sentence_and_knows_whether_it_may_pass(
    error: LakeError, parts: list[str], retryable: bool
) -> None:
    assert error.retryable is retryable
    for part in parts:
        assert part in str(error)
