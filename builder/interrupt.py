"""Ctrl-C, SIGTERM and SIGHUP: one KeyboardInterrupt in the main thread, which is never lost and never comes twice into what is set back."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

# `uv run`, `make` and terminals that close tell the same more than once; who presses Ctrl-C again after that means it.
AGAIN_S = 5.0


@dataclass
class _Heard:
    at: float | None = None
    held_back: bool = False


_heard = _Heard()


def listen() -> None:
    """From now on, in the main thread. What was ignored when the program started stays so: `nohup` and `&` of a shell ask for going on."""
    _heard.at = None
    signal.signal(signal.SIGTERM, _ask_to_end)
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _ask_to_end)


def check() -> None:
    """Raises KeyboardInterrupt where one was asked for: Python drops one that falls into a finalizer, and prints it at most.

    What waits for others looks here; what takes back after an interrupt does not.
    """
    if _heard.at is not None:
        raise KeyboardInterrupt


@contextmanager
def hold_back() -> Iterator[None]:
    """Within the block, which must be short, an interrupt is noted and not raised; `check` raises it.

    For what takes locks that an exception would leave taken, as the start of a thread does.
    """
    _heard.held_back = True
    try:
        yield
    finally:
        _heard.held_back = False


def _ask_to_end(number: int, frame: FrameType | None) -> None:
    now, before = time.monotonic(), _heard.at
    if before is not None and (number != signal.SIGINT or now - before < AGAIN_S):
        return
    _heard.at = now
    if _heard.held_back:
        return
    raise KeyboardInterrupt
