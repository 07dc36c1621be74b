"""How good a model is against doing nothing: bootstrap of the margin, quantiles of residuals. Plain Python, seeded."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

DIGITS: Final = 6
SEED: Final = 17
RESAMPLES: Final = 1000
CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Errors:
    """The errors of one method in one unit of the bootstrap, such as an origin or a group of artists."""

    total: float
    count: int


@dataclass(frozen=True)
class Margin:
    """By how much a model's mean error is below that of the baseline, and the 95 % interval of the bootstrap."""

    value: float
    low: float
    high: float

    @property
    def is_above_zero(self) -> bool:
        """Whether the model is better by more than chance."""
        return self.low > 0


def margin(
    model: Sequence[Errors], baseline: Sequence[Errors], block: int = 1, resamples: int = RESAMPLES
) -> Margin:
    """Return the margin of a model over a baseline, with the interval of a circular block bootstrap.

    Parameters
    ----------
    model, baseline
        The errors of both on the same units, in the order of time.
    block
        Neighbouring units that are drawn together, because their errors depend on each other.
    resamples
        How many samples to draw.
    """
    draw, size = random.Random(SEED), len(model)  # noqa: S311 # nosec B311 (no secret: it must repeat)
    drawn = []
    for _ in range(resamples):
        starts = [draw.randrange(size) for _ in range(math.ceil(size / block))]
        chosen = [(start + step) % size for start in starts for step in range(block)][:size]
        drawn.append(_mean(baseline, chosen) - _mean(model, chosen))
    drawn.sort()
    everything = range(size)
    tail = round((1 - CONFIDENCE) / 2 * resamples)
    return Margin(
        round(_mean(baseline, everything) - _mean(model, everything), DIGITS),
        round(drawn[tail], DIGITS),
        round(drawn[-1 - tail], DIGITS),
    )


def mean(errors: Sequence[Errors]) -> float:
    """Return the mean error over all units."""
    return _mean(errors, range(len(errors)))


def _mean(errors: Sequence[Errors], chosen: Sequence[int]) -> float:
    return math.fsum(errors[unit].total for unit in chosen) / sum(errors[unit].count for unit in chosen)


def interval(residuals: Mapping[float, int], level: float) -> tuple[float, float]:
    """Return the residuals between which a new one falls with the probability `level`, by split conformal prediction.

    Parameters
    ----------
    residuals
        How often each residual occurred; each is actual minus predicted.
    level
        Such as 0.8; half of the rest is left out on each side.
    """
    ordered, total = sorted(residuals.items()), sum(residuals.values())
    tail = (1 - level) / 2
    return (
        _at(ordered, max(1, math.floor((total + 1) * tail))),
        _at(ordered, min(total, math.ceil((total + 1) * (1 - tail)))),
    )


def _at(ordered: Sequence[tuple[float, int]], position: int) -> float:
    seen = 0
    for residual, count in ordered:
        seen += count
        if seen >= position:
            return residual
    return ordered[-1][0]


def score(
    model: str,
    data: str,
    split: str,
    horizon: int | None,
    metric: str,
    value: float,
    baseline: str | None = None,
    baseline_value: float | None = None,
) -> dict[str, Any]:
    """Return a row of model_scores, rounded."""
    return {
        "model": model,
        "data": data,
        "split": split,
        "horizon": horizon,
        "metric": metric,
        "value": round(value, DIGITS),
        "baseline": baseline,
        "baseline_value": None if baseline_value is None else round(baseline_value, DIGITS),
    }
