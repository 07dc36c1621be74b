"""The results of a measurement: rows of the table, and numbers for the cost model."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One row of the table of results.

    Attributes
    ----------
    what
        What was measured.
    measured
        The result, with its unit.
    goal
        As text; empty if there is none.
    met
        Whether the goal was met; None if there is none.
    """

    what: str
    measured: str
    goal: str = ""
    met: bool | None = None


def at_most(what: str, value: float, limit: float, unit: str) -> Finding:
    """Return the finding for a number that should be small."""
    return Finding(what, f"{_short(value)} {unit}", f"at most {_short(limit)}", value <= limit)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Measured:
    """What a measurement returns.

    Attributes
    ----------
    findings
        Rows of the table.
    numbers
        By name, for the cost model.
    notes
        Sentences below the table.
    """

    findings: Sequence[Finding]
    numbers: dict[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()


def cpu_seconds(contenders: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """Return the median CPU seconds of each contender, in this process and all its threads.

    The contenders take turns, so other load on the machine slows all of them alike. The first turn does not count.
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
