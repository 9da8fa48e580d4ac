"""Work in threads, waited for by the main thread so that a signal always ends it.

What waits here takes no lock that a worker needs. `concurrent.futures.wait` takes those of the futures, and a KeyboardInterrupt between
taking one and giving it back leaves it taken: the worker then never ends. `SimpleQueue` is one step in C, which an interrupt cannot part.
It is asked every 0.2 s, because the kernel may hand a signal to another thread, and a wait of the main thread would sleep through it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from builder import interrupt
from builder.process import kill_running

Answer = TypeVar("Answer")
Item = TypeVar("Item")
# Ctrl-C is seen within the blink of an eye: a lock that waits without an end does not hear it.
LOOK_S = 0.2


def collect_results(futures: Sequence[Future[Answer]]) -> list[Answer]:
    """What threads give back, in order; as soon as one fails, its error."""
    ended: SimpleQueue[Future[Answer]] = SimpleQueue()
    with interrupt.hold_back():
        for future in futures:
            future.add_done_callback(ended.put)
    for _ in futures:
        _wait_for_next(ended).result()
    return [future.result() for future in futures]


def run_side_by_side(calls: Sequence[Callable[[], Answer]], *, stop: Callable[[], None]) -> list[Answer]:
    """What calls give back, in order, each from a thread of its own.

    As soon as one fails, or on Ctrl-C, `stop` is called, the programs that the calls wait for are killed (but for those in
    `process.spared`), and the error is raised when all calls have ended. A second Ctrl-C, later, waits for nothing any more.
    """
    ended: SimpleQueue[tuple[int, Answer | BaseException]] = SimpleQueue()
    threads: list[Thread] = []
    answers: dict[int, Answer] = {}
    try:
        with interrupt.hold_back():
            for number, call in enumerate(calls):
                # Of a thread that is no daemon the interpreter itself waits for ever.
                threads.append(Thread(target=_work, args=(number, call, ended), name=f"side-{number}", daemon=True))
                threads[-1].start()
        while len(answers) < len(calls):
            number, answer = _wait_for_next(ended)
            if isinstance(answer, BaseException):
                raise answer
            answers[number] = answer
    except BaseException:
        stop()
        while any(thread.is_alive() for thread in threads):
            kill_running({thread.ident for thread in threads})
            time.sleep(LOOK_S / 2)
        raise
    return [answers[number] for number in range(len(calls))]


def _work(number: int, call: Callable[[], Answer], ended: SimpleQueue[tuple[int, Answer | BaseException]]) -> None:
    try:
        ended.put((number, call()))
    except BaseException as error:
        ended.put((number, error))


def _wait_for_next(ended: SimpleQueue[Item]) -> Item:
    """Raises KeyboardInterrupt."""
    while True:
        interrupt.check()
        with suppress(Empty):
            return ended.get(timeout=LOOK_S)
