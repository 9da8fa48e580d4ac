"""The bounded queue: so many pictures are processed at once, so many more may wait, and the next is told when to come again."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from .metrics import Metrics


class Full(Exception):
    """The queue is full. `retry_after_s` is about how long it takes to have room."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("the queue is full")
        self.retry_after_s = retry_after_s


class Work:
    """Belongs to one event loop. Work that has begun is never cut: its thread ends it, whoever still waits for the answer."""

    def __init__(self, *, workers: int, queue: int, metrics: Metrics) -> None:
        self._workers, self._most = workers, workers + queue
        # one more than networks: a picture is decoded or encoded while another one is in the network
        self._pool = ThreadPoolExecutor(workers + 1, thread_name_prefix="worker")
        self._metrics = metrics
        self._inside = 0
        self._typical_s = 0.1

    @property
    def inside(self) -> int:
        """Pictures that wait or are processed."""
        return self._inside

    @property
    def retry_after_s(self) -> int:
        return max(1, math.ceil(self._typical_s * self._inside / self._workers))

    async def do(self, make: Callable[[], bytes]) -> bytes:
        """What a worker made. Raises Full when nobody may wait any more, and what `make` raises."""
        if self._inside >= self._most:
            raise Full(self.retry_after_s)
        self._inside += 1
        self._metrics.waiting.set(self._inside)
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._time_call, make)
        future.add_done_callback(self._drop_failure)
        return await asyncio.shield(future)

    def _time_call(self, make: Callable[[], bytes]) -> bytes:
        start = time.perf_counter()
        try:
            return make()
        finally:
            took = time.perf_counter() - start
            self._metrics.seconds.observe(took)
            self._typical_s += 0.2 * (took - self._typical_s)

    def _drop_failure(self, future: asyncio.Future[bytes]) -> None:
        self._inside -= 1
        self._metrics.waiting.set(self._inside)
        if not future.cancelled():
            future.exception()  # whoever waited has it; where nobody does any more it is not a surprise

    def close(self) -> None:
        self._pool.shutdown()
