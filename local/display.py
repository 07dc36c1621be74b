"""Terminal output of the laptop stack: steps with their duration, tables, small charts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

if TYPE_CHECKING:
    from rich.console import Console


BARS = "▁▂▃▄▅▆▇█"


class Steps:
    """Shows each step while it runs, and its duration when it is done."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.contextmanager
    def __call__(self, text: str) -> Iterator[None]:
        """Show `text` as running until the context ends, then as done."""
        started = time.monotonic()
        with self._console.status(f"{escape(text)} …"):
            yield
        self.done(text, time.monotonic() - started)

    def done(self, text: str, seconds: float) -> None:
        """Show a step as done."""
        self._console.print(f"[green]✓[/] {escape(text)} [dim]{seconds:.1f} s[/]", highlight=False)


def sparkline(values: Sequence[float | None], *, low_is_high: bool = False) -> str:
    """Draw values as a line of bars, one character each; None is a gap.

    Parameters
    ----------
    values
        The values in order.
    low_is_high
        Draw the smallest value highest, as for positions in a chart.
    """
    known = [value for value in values if value is not None]
    if not known:
        return " " * len(values)
    low, high = min(known), max(known)
    top = len(BARS) - 1

    def bar(value: float | None) -> str:
        if value is None:
            return " "
        share = 0.5 if high == low else (value - low) / (high - low)
        return BARS[round((1 - share if low_is_high else share) * top)]

    return "".join(map(bar, values))


def bar(value: float, largest: float, width: int = 20) -> str:
    """Draw `value` as a bar with a length in proportion to `largest`; any value above zero is visible."""
    if largest <= 0 or value <= 0:
        return ""
    return "█" * max(1, round(width * value / largest))
