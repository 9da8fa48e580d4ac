"""What can go wrong with an emulated phone; a test sets fields while the phone runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(kw_only=True)
class Faults:
    """All off by default.

    `hang_on`: shell commands that contain this text never answer. `exit_status`: what the shell reports whatever happened.
    `disconnect_after_bytes`: the connection breaks for good after so many bytes of payload from the host; set it to the
    bytes that are still to be taken. `storage_bytes`: what the storage takes; `read_only`: it takes nothing. `corrupt_pushes`: one
    bit of a pushed file flips; `cut_pushes`: its second half is missing; `corrupt_pulls` and `cut_pulls`: the same on the way
    back. `garble`: what becomes of the output of a shell command, framing and all else in order. `crash`: the signal that ends
    the benchmark as soon as it starts. `refuse`: shell commands that contain this text end as ones without permission do. `deaf`: packets of the host are taken and never answered.
    `locked`: the screen is off and stays so, and apps are behind the lock. `log`: lines of apps in the log are lost, or their ends.
    `runs_on`: the benchmark never ends, and goes on running when nobody waits for it any more. `start`: what the loader says instead of
    starting the benchmark, and its status. `banner`: a line that the phone prints before the answer of each setting.
    `slow_s`: how long it thinks before each answer of the shell. `clock_ahead_s`: how far the phone's wall clock has jumped. `starting`: adb answers, and no service of Android is there yet.
    """

    unauthorized: bool = False
    hang_on: str | None = None
    exit_status: int | None = None
    disconnect_after_bytes: int | None = None
    storage_bytes: int | None = None
    read_only: bool = False
    corrupt_pushes: bool = False
    cut_pushes: bool = False
    corrupt_pulls: bool = False
    cut_pulls: bool = False
    garble: Callable[[bytes], bytes] | None = None
    crash: int | None = None
    refuse: str | None = None
    deaf: bool = False
    locked: bool = False
    log: Literal["lost", "cut"] | None = None
    clock_ahead_s: float = 0.0
    starting: bool = False
    runs_on: bool = False
    start: tuple[str, int] | None = None
    banner: str = ""
    slow_s: float = 0.0
