"""A poll: asks Spotify for the last plays, and writes its answer if it holds one that was not known."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from spotify_lake import keys
from spotify_lake.errors import LakeError, PermissionMissing
from spotify_lake.extract.request import ExtractRequest
from spotify_lake.observability import count, logger
from spotify_lake.raw import plays, store
from spotify_lake.spotify.client import SpotifyClient
from spotify_lake.spotify.library import RECENT_PLAYS
from spotify_lake.spotify.models import utc

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LONGEST_S: Final = 60.0  # of a poll, which leaves the rest to the next one; `./lake forget` relies on it
KEPT: Final = 4 * RECENT_PLAYS  # identities to remember: plays turn up late and in any order
GIVE_UP_AFTER: Final = timedelta(
    hours=36
)  # of polls that Spotify turned away; the quota's window is about a day


class Gap(msgspec.Struct, frozen=True):
    """A time from which plays may be missing.

    Attributes
    ----------
    after, before
        The newest play known before, and the oldest of the page (UTC).
    """

    after: datetime
    before: datetime


class PollSummary(msgspec.Struct, kw_only=True):
    """The result of a poll.

    Attributes
    ----------
    plays, new
        How many plays Spotify sent, and how many of them were not known.
    key
        Of the raw object, if one was written.
    gap
        Where plays may be missing, if the poll found that.
    postponed
        The temporary condition that left the work to the next poll, if any.
    left_out
        What the sign-in does not permit, if anything.
    """

    plays: int = 0
    new: int = 0
    key: str | msgspec.UnsetType = msgspec.UNSET
    gap: Gap | msgspec.UnsetType = msgspec.UNSET
    postponed: str | msgspec.UnsetType = msgspec.UNSET
    left_out: list[str] | msgspec.UnsetType = msgspec.UNSET


class _Known(msgspec.Struct, omit_defaults=True):
    """What polls remember: only a hint. If it is lost, a page is written again; the views have each play once."""

    plays: list[str] = []
    newest: datetime | None = None
    postponed_since: datetime | None = None


def poll(
    request: ExtractRequest, bucket: str, spotify: SpotifyClient, s3: "S3Client", now: Callable[[], datetime]
) -> PollSummary:
    """Ask for the last plays and write them, unless all of them are known.

    A temporary condition leaves the work to the next poll, which gets the same plays and more. That poll runs before
    the plays leave Spotify's list, or it finds the gap.

    Parameters
    ----------
    request
        Identifies the run.
    bucket
        The raw bucket.
    spotify, s3
        Where to read and to write.
    now
        Returns the time, UTC.

    Raises
    ------
    LakeError
        A condition that a person has to resolve, or a temporary one that has lasted for `GIVE_UP_AFTER`.
    """
    known = _read(s3, bucket)
    try:
        page = spotify.recent_plays()
    except PermissionMissing as error:
        logger.warning("%s", error, error_name="PermissionMissing")
        return PollSummary(left_out=[str(error)])
    except LakeError as error:
        return _postpone(error, known, s3, bucket, now())
    finally:
        for metric, times in (
            ("RateLimited", spotify.rate_limits),
            ("QuotaExceeded", spotify.quotas_exceeded),
        ):
            if times:
                count(metric, times)
    fetched_at = now().replace(microsecond=0)
    identities = [_identity(item) for item in page["items"]]
    summary = PollSummary(plays=len(identities), new=len(set(identities).difference(known.plays)))
    found = _Known(known.plays, known.newest)
    if summary.new:
        key, data = (
            keys.raw_poll_key(fetched_at),
            plays.pack_poll(fetched_at, json.dumps(page, separators=(",", ":")).encode()),
        )
        if not store.put(s3, bucket, key, data, request.correlation_id):
            logger.warning(
                "Another poll wrote its answer in this second; the next one writes these plays", key=key
            )
            return summary
        moments = [moment for item in page["items"] if (moment := _played_at(item))]
        gap = find_gap(moments, known.newest, is_full=len(identities) >= RECENT_PLAYS)
        summary.key, summary.gap = key, gap or msgspec.UNSET
        count("PlaysNew", summary.new)
        if gap:
            count("PlayGaps")
            logger.warning(
                "Plays between %s and %s may be missing: Spotify shows only the last %d.",
                keys.iso(gap.after),
                keys.iso(gap.before),
                RECENT_PLAYS,
            )
        found.plays = list(dict.fromkeys([*identities, *known.plays]))[:KEPT]
        found.newest = max([*moments, *([known.newest] if known.newest else [])], default=None)
    _save(s3, bucket, found, known)
    logger.info("Plays polled", plays=summary.plays, new=summary.new)
    return summary


def find_gap(moments: Sequence[datetime], newest_known: datetime | None, *, is_full: bool) -> Gap | None:
    """Return where plays may be missing: between the newest known one and the oldest of a full page.

    Parameters
    ----------
    moments
        When the plays of the page were played (UTC), in any order.
    newest_known
        When the newest play of earlier pages was played; None if none is known.
    is_full
        Whether the page has as many plays as Spotify ever shows; a shorter one has all there are.
    """
    if not is_full or newest_known is None or not moments or min(moments) <= newest_known:
        return None
    return Gap(newest_known, min(moments))


def _identity(item: object) -> str:
    """Identify a play. Not finer than a second, because milliseconds differ between answers."""
    if not isinstance(item, dict):
        return json.dumps(item)
    moment = _played_at(item)
    track = item.get("track")
    return json.dumps(
        [
            keys.iso(moment.replace(microsecond=0)) if moment else item.get("played_at"),
            *_song(track if isinstance(track, dict) else {}),
        ],
        ensure_ascii=False,
    )


def _song(track: dict[str, Any]) -> Iterable[Any]:
    """Return what identifies a song: its URI or id, else its names. Any field may be missing."""
    if song := track.get("uri") or track.get("id"):
        return [song]
    artists = track.get("artists")
    names = (
        [artist.get("name") for artist in artists if isinstance(artist, dict)]
        if isinstance(artists, list)
        else []
    )
    return [track.get("name"), names]


def _played_at(item: object) -> datetime | None:
    text = item.get("played_at") if isinstance(item, dict) else None
    try:
        return utc(datetime.fromisoformat(text)) if isinstance(text, str) else None
    except ValueError:
        return None


def _postpone(error: LakeError, known: _Known, s3: "S3Client", bucket: str, now: datetime) -> PollSummary:
    since = known.postponed_since or now
    if not error.retryable or now - since >= GIVE_UP_AFTER:
        logger.error("The poll failed: %s", error, error_name=type(error).__name__)
        raise error
    _save(s3, bucket, _Known(known.plays, known.newest, since), known)
    count("PollsPostponed")
    logger.warning("The plays are left to the next poll: %s", error, error_name=type(error).__name__)
    return PollSummary(postponed=str(error))


def _read(s3: "S3Client", bucket: str) -> _Known:
    data = store.get(s3, bucket, keys.PLAYS_STATE)
    if data is None:
        return _Known()
    try:
        return msgspec.json.decode(data, type=_Known)
    except msgspec.MsgspecError as error:
        logger.warning(
            "The state in %s cannot be read (%s): plays may be written again", keys.PLAYS_STATE, error
        )
        return _Known()


def _save(s3: "S3Client", bucket: str, state: _Known, before: _Known) -> None:
    if state != before:
        body = msgspec.json.encode(state)
        s3.put_object(Bucket=bucket, Key=keys.PLAYS_STATE, Body=body, ContentType="application/json")
