"""How a run that was stopped goes on: a one-off schedule that starts the function again for the rest.

The schedule's name says which run it continues. Whoever plans the same rest of the same run a second time,
after an event that was delivered twice for example, finds it planned.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from spotify_lake.errors import ContinuationLimitReached, LakeError, OutOfTime, QuotaExceeded, RateLimited
from spotify_lake.observability import count, logger
from spotify_lake.settings import OWNED, ExtractSettings

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

MAX_CONTINUATIONS: Final = 10  # of one run
SHORTEST_WAIT_S: Final = 60.0  # the scheduler is precise to a minute
LONGEST_WAIT_S: Final = 48 * 3600.0  # the quota's window is about a day; coming early costs one request
FAULT_WAIT_S: Final = 600.0  # after a fault of Spotify or the network; doubled each time
LONGEST_FAULT_WAIT_S: Final = 2 * 3600.0
DELIVERY_ATTEMPTS: Final = 10  # to start the function, as for the daily schedule
DELIVERY_AGE_S: Final = 6 * 3600


class Rest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is left of a run; as JSON, the event of its continuation.

    Attributes
    ----------
    scheduled_at
        Of the run, for example 2026-11-20T06:00:00Z; names the snapshots.
    continuation
        The first is 1.
    playlist_ids
        Those without a snapshot; the word `owned` alone if the run was stopped before it knew them.
    correlation_id
        Of the run, and so of its continuation.
    """

    scheduled_at: str
    continuation: int
    playlist_ids: list[str]
    correlation_id: str | None = None

    @property
    def name(self) -> str:
        """Of the schedule: the same for the same rest, whatever order the playlists come in."""
        digest = hashlib.sha256(",".join(sorted(self.playlist_ids)).encode()).hexdigest()
        time = self.scheduled_at.replace(":", "").replace("-", "")
        return f"{time}-{self.continuation}-{digest[:16]}"

    @property
    def size(self) -> str:
        """How much it is, for people."""
        return OWNED if self.playlist_ids == [OWNED] else str(len(self.playlist_ids))


def wait_s(reason: LakeError, number: int) -> float:
    """Return how long to wait before going on, in seconds.

    Parameters
    ----------
    reason
        What stopped the run.
    number
        The continuation that is waited for; the first is 1.
    """
    match reason:
        case RateLimited() | QuotaExceeded():
            seconds = reason.retry_after_s
        case OutOfTime():
            seconds = 0.0
        case _:
            seconds = min(FAULT_WAIT_S * 2 ** (number - 1), LONGEST_FAULT_WAIT_S)
    return min(max(seconds, SHORTEST_WAIT_S), LONGEST_WAIT_S)


class Continuations:
    """Plans the continuation of a run.

    Parameters
    ----------
    scheduler
        A boto3 client.
    settings
        Where schedules are made.
    function_arn
        The function to start.
    """

    def __init__(
        self, scheduler: "EventBridgeSchedulerClient", settings: ExtractSettings, function_arn: str
    ) -> None:
        self._scheduler = scheduler
        self._settings = settings
        self._function_arn = function_arn

    def plan(self, rest: Rest, reason: LakeError, now: datetime) -> str:
        """Make the schedule that goes on with a run; one that is there for the same rest stays as it is.

        Parameters
        ----------
        rest
            What is left of the run.
        reason
            What stopped it.
        now
            UTC.

        Returns
        -------
        str
            Name of the schedule.

        Raises
        ------
        ContinuationLimitReached
            The run was continued so often that a person should look.
        botocore.exceptions.ClientError
            The scheduler refuses.
        """
        if rest.continuation > MAX_CONTINUATIONS:
            count("ContinuationLimitReached")
            raise ContinuationLimitReached(
                rest.scheduled_at, MAX_CONTINUATIONS, rest.playlist_ids, str(reason)
            )
        # The scheduler takes whole seconds.
        wait = timedelta(seconds=1 + wait_s(reason, rest.continuation))
        at = now.astimezone(UTC).replace(microsecond=0) + wait
        plan = (
            f"It goes on at {at:%Y-%m-%d %H:%M:%S} UTC"
            if self._create(rest, at)
            else "A schedule to go on was there before"
        )
        logger.warning(
            "The run of %s ended early, without a snapshot of some playlists (%s): %s %s.",
            rest.scheduled_at,
            rest.size,
            reason,
            plan,
            schedule=rest.name,
            not_done=rest.playlist_ids,
        )
        count("RunsContinued")
        return rest.name

    def _create(self, rest: Rest, at: datetime) -> bool:
        """Make the schedule; return False if there is one of its name."""
        try:
            self._scheduler.create_schedule(
                Name=rest.name,
                GroupName=self._settings.schedule_group,
                Description=f"Goes on with the run of {rest.scheduled_at}.",
                ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
                ScheduleExpressionTimezone="UTC",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={
                    "Arn": self._function_arn,
                    "RoleArn": self._settings.schedule_role_arn,
                    "Input": msgspec.json.encode(rest).decode(),
                    "RetryPolicy": {
                        "MaximumRetryAttempts": DELIVERY_ATTEMPTS,
                        "MaximumEventAgeInSeconds": DELIVERY_AGE_S,
                    },
                    "DeadLetterConfig": {"Arn": self._settings.schedule_dead_letters_arn},
                },
            )
        except self._scheduler.exceptions.ConflictException:
            return False
        return True
