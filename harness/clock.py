"""Time as the session sees it: waiting goes through this, so that tests let hours pass in an instant, and an interrupt ends every wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

# A clock that somebody changes meanwhile is noticed within a blink.
LOOK_S = 0.2
_of_thread = threading.local()


class Ended(Exception):
    """What this thread waits for is not wanted any more: its session ends."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds that only ever grow."""
        ...

    def sleep(self, seconds: float) -> None: ...


class WallClock:
    """The computer's monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        pause(seconds)


@contextmanager
def end_by(stop: threading.Event) -> Iterator[None]:
    """Within the block each wait of this thread ends when `stop` is set."""
    _of_thread.stop = stop
    try:
        yield
    finally:
        _of_thread.stop = None


def take_back() -> None:
    """From now on this thread's waits are waited for, whatever its session does: they belong to what sets back what was changed."""
    _of_thread.stop = None


def pause(seconds: float) -> None:
    """Raises Ended, also where the session had ended before."""
    stop: threading.Event | None = getattr(_of_thread, "stop", None)
    if stop is None:
        time.sleep(seconds)
    elif stop.wait(seconds):
        raise Ended


def wait_until(changed: threading.Condition, true: Callable[[], bool], seconds: float) -> bool:
    """As `Condition.wait_for`, of a condition that this thread holds. Raises Ended."""
    stop: threading.Event | None = getattr(_of_thread, "stop", None)
    deadline = time.monotonic() + seconds
    while not true():
        if stop is not None and stop.is_set():
            raise Ended
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        changed.wait(min(left, LOOK_S))
    return True
