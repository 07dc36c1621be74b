"""What a measurement finds: one line of the table, and numbers for the cost model."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One line of the table of results.

    Attributes
    ----------
    what
        Is measured.
    measured
        With its unit.
    goal
        As a text, empty for a number without one.
    met
        Whether the goal is; None without a goal.
    """

    what: str
    measured: str
    goal: str = ""
    met: bool | None = None


def at_most(what: str, value: float, limit: float, unit: str) -> Finding:
    """Return the finding on a number that should be small."""
    return Finding(what, f"{_short(value)} {unit}", f"at most {_short(limit)}", value <= limit)


def at_least(what: str, value: float, limit: float, unit: str) -> Finding:
    """Return the finding on a number that should be large."""
    return Finding(what, f"{_short(value)} {unit}", f"at least {_short(limit)}", value >= limit)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Measured:
    """What a measurement returns.

    Attributes
    ----------
    findings
        For the table.
    numbers
        By name, for what computes with them.
    notes
        Sentences below the table.
    """

    findings: Sequence[Finding]
    numbers: dict[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()


def cpu_seconds(contenders: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """Return the median CPU seconds of each contender, in this process and all its threads.

    They take turns, so that whatever else the machine does slows all of them alike. The first turn is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(repetitions + 1):
        for name, run in contenders.items():
            gc.collect()
            begun = time.process_time()
            run()
            if turn:
                seconds[name].append(time.process_time() - begun)
    return {name: statistics.median(found) for name, found in seconds.items()}
