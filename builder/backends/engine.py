"""A file of a backend in its own runtime on this computer, to be measured: what a backend's `engine.py` is to the harness.

It runs in a child process that does nothing else. It imports no converter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = list[NDArray[np.generic]]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model that is ready to run: `invoke` runs it once and does nothing else, `outputs` are those of the last run.

    `memory_before_bytes` is the process's resident memory before it was loaded, with all that the runtime imports.
    """

    delegate: str
    load_ns: int
    memory_before_bytes: int
    invoke: Callable[[], object]
    outputs: Callable[[], Arrays]


class HostEngine(Protocol):
    """A module `builder.backends.NAME.engine`. Inputs are in the artifact's own order and form."""

    def load(self, artifact: str, threads: int, inputs: Arrays) -> Loaded:
        """Load the artifact and give it its inputs."""

    def profile(self, artifact: str, threads: int, inputs: Arrays, runs: int) -> list[str]:
        """What the runtime's own profiler says of each of `runs` inferences, as `harness.devices.runner.operators` reads it."""


def read_resident_bytes() -> int:
    """Of this process, now."""
    import psutil

    return int(psutil.Process().memory_info().rss)
