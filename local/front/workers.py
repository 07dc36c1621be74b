"""The processes in which the emulator runs functions, ended as Lambda ends them.

When a function is changed or deleted, the emulator ends its processes at once, also those at work. Their messages then
stay hidden for minutes. Lambda lets them finish.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Protocol


class Worker(Protocol):
    """A process of the emulator; whoever gives it work holds its lock until that is done."""

    _lock: threading.Lock


type Kill = Callable[[Iterable[Worker | None]], None]


def after_their_work(kill: Kill) -> Kill:
    """Return a function that ends idle processes at once, and others when they have done their work.

    Parameters
    ----------
    kill
        Ends processes at once.
    """

    def end(workers: Iterable[Worker | None]) -> None:
        found = [worker for worker in workers if worker is not None]
        busy = [worker for worker in found if worker._lock.locked()]  # noqa: SLF001
        kill([worker for worker in found if worker not in busy])
        for worker in busy:
            threading.Thread(target=_end_later, args=(worker, kill), daemon=True).start()

    return end


def _end_later(worker: Worker, kill: Kill) -> None:
    with worker._lock:  # noqa: SLF001
        kill([worker])
