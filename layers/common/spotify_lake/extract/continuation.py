"""Continuations: a one-off schedule resumes a run that was stopped.

The schedule's name identifies the run and what is left of it. A second attempt to schedule the same, for example after
an event that was delivered twice, finds the schedule.
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
LONGEST_WAIT_S: Final = (
    48 * 3600.0
)  # the quota's window is about a day; an early continuation costs one request
FAULT_WAIT_S: Final = 600.0  # after a fault of Spotify or the network; doubled with each continuation
LONGEST_FAULT_WAIT_S: Final = 2 * 3600.0
DELIVERY_ATTEMPTS: Final = 10  # to start the function, as for the daily schedule
DELIVERY_AGE_S: Final = 6 * 3600


class Rest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rest of a run; as JSON, the event of its continuation.

    Attributes
    ----------
    scheduled_at
        Of the run, for example 2026-11-20T06:00:00Z; names the snapshots.
    continuation
        The first is 1.
    playlist_ids
        Those without a snapshot, with the words `owned` and `liked` if the run was stopped before it knew their ids.
    library
        Whether the snapshot of the library is left.
    correlation_id
        Of the run and its continuations.
    """

    scheduled_at: str
    continuation: int
    playlist_ids: list[str] = []
    library: bool = False
    correlation_id: str | None = None

    @property
    def name(self) -> str:
        """Name of the schedule: the same for the same rest, whatever the order of the playlists."""
        digest = hashlib.sha256(",".join(sorted(self.playlist_ids) + self._library).encode()).hexdigest()
        time = self.scheduled_at.replace(":", "").replace("-", "")
        return f"{time}-{self.continuation}-{digest[:16]}"

    @property
    def parts(self) -> list[str]:
        """What is left, for messages."""
        return [*self.playlist_ids, *self._library]

    @property
    def size(self) -> str:
        """How much is left, for messages."""
        return ", ".join(self.parts) if OWNED in self.playlist_ids else str(len(self.parts))

    @property
    def _library(self) -> list[str]:
        return ["library"] if self.library else []


def wait_s(reason: LakeError, number: int) -> float:
    """Return how long to wait before the continuation, in seconds.

    Parameters
    ----------
    reason
        What stopped the run.
    number
        Number of the continuation; the first is 1.
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
    """Schedules the continuations of a run.

    Parameters
    ----------
    scheduler
        A boto3 client.
    settings
        Names the schedules' group, role and dead-letter queue.
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
        """Create the schedule that resumes a run; an existing one for the same rest stays unchanged.

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
            The run reached the maximum number of continuations.
        botocore.exceptions.ClientError
            The scheduler refuses.
        """
        if rest.continuation > MAX_CONTINUATIONS:
            count("ContinuationLimitReached")
            raise ContinuationLimitReached(rest.scheduled_at, MAX_CONTINUATIONS, rest.parts, str(reason))
        # The scheduler accepts whole seconds.
        wait = timedelta(seconds=1 + wait_s(reason, rest.continuation))
        at = now.astimezone(UTC).replace(microsecond=0) + wait
        plan = (
            f"A schedule resumes it at {at:%Y-%m-%d %H:%M:%S} UTC"
            if self._create(rest, at)
            else "A schedule to resume it existed already"
        )
        logger.warning(
            "The run of %s ended early, and some snapshots are left (%s): %s %s.",
            rest.scheduled_at,
            rest.size,
            reason,
            plan,
            schedule=rest.name,
            not_done=rest.parts,
        )
        count("RunsContinued")
        return rest.name

    def _create(self, rest: Rest, at: datetime) -> bool:
        """Create the schedule; return False if one with its name exists."""
        try:
            self._scheduler.create_schedule(
                Name=rest.name,
                GroupName=self._settings.schedule_group,
                Description=f"Resumes the run of {rest.scheduled_at}.",
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
