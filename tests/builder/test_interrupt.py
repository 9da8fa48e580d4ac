"""A signal at any moment ends what the main thread waits for, once, and nothing that it started goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, enumerate, main_thread
from types import FrameType

import pytest

from builder import interrupt, process, threads
from builder.threads import run_side_by_side

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IGNORED = """
import signal, sys
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
from builder import interrupt
interrupt.listen()
sys.exit(any(signal.getsignal(number) != signal.SIG_IGN for number in (signal.SIGINT, signal.SIGHUP)))
"""


@pytest.fixture
def listening() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in HANDLED}
    interrupt.listen()
    yield
    interrupt._heard.at = None
    for number, handler in before.items():
        signal.signal(number, handler)


def working() -> list[str]:
    return [thread.name for thread in enumerate() if thread.name.startswith("side-")]


class Strike:
    """SIGINT at one step of the main thread within `run_side_by_side`, those inside the standard library's locks too."""

    def __init__(self, moment: int) -> None:
        self._left, self._inside = moment, False

    def __call__(self, frame: FrameType, event: str, value: object) -> Strike:
        self._inside = self._inside or frame.f_code is run_side_by_side.__code__
        if self._inside:
            self._left -= 1
        if self._left < 0:
            sys.settrace(None)
            os.kill(os.getpid(), signal.SIGINT)
        return self


def strike_at(moment: int) -> None:
    stop = Event()
    sys.settrace(Strike(moment))
    try:
        run_side_by_side([lambda: stop.wait(60)] * 2, stop=stop.set)
    finally:
        sys.settrace(None)


@pytest.mark.usefixtures("listening")
def test_an_interrupt_between_any_two_steps_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """At each of the first 200 steps of a wait that would never end."""
    monkeypatch.setattr(threads, "LOOK_S", 0.01)
    for moment in range(200):
        interrupt._heard.at = None
        with pytest.raises(KeyboardInterrupt):
            strike_at(moment)
        limit = time.monotonic() + 10
        while working() and time.monotonic() < limit:
            os.sched_yield()
        assert working() == [], f"after an interrupt at step {moment}"


@pytest.mark.usefixtures("listening")
def test_an_interrupt_that_python_drops_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that falls into a finalizer is an 'Exception ignored in' to Python."""
    dropped: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: dropped.append(told.exc_type))

    class Falls:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                os.getpid()

    Falls()
    assert dropped == [KeyboardInterrupt]
    stop = Event()
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([lambda: stop.wait(60)], stop=stop.set)


@pytest.mark.usefixtures("listening")
def test_what_is_told_twice_is_heard_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that closes, `uv run` and `make` send signals again; who presses Ctrl-C again, later, means it."""
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGHUP)
    for number in HANDLED:
        os.kill(os.getpid(), number)
    monkeypatch.setattr(interrupt, "AGAIN_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_what_was_ignored_at_the_start_stays_so() -> None:
    """`nohup` and `&` ask for going on."""
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", IGNORED], cwd=root, check=False, timeout=60).returncode == 0


def test_one_failure_ends_the_others_and_what_they_run(tmp_path: Path) -> None:
    """A program is killed, one that takes something back is not, and one of somebody else's thread is not."""
    stop, done = Event(), tmp_path / "taken back"

    def fails() -> None:
        while not process._running:
            os.sched_yield()
        raise ValueError("broken")

    def works() -> None:
        with process.sparing() as spare:
            killed = process.run(["sleep", "60"], timeout_s=60, check=False)
            assert killed.returncode == -signal.SIGKILL
            spare()
            process.run(["sh", "-c", f"sleep 0.5; touch '{done}'"], timeout_s=60)

    with pytest.raises(ValueError, match="broken"):
        run_side_by_side([fails, works], stop=stop.set)
    assert stop.is_set()
    assert done.exists()
    assert process._spared == []
    assert main_thread().ident not in process._running.values()


def test_a_daemon_that_keeps_the_output_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As adb's server may: the program has ended, and what it said is there."""
    monkeypatch.setattr(process, "LOOK_S", 0.1)
    monkeypatch.setattr(process, "KEPT_OPEN_S", 0.3)
    script = "import subprocess, sys; subprocess.Popen(['sleep', '50'], start_new_session=True); print('said', flush=True); sys.exit(3)"
    start = time.monotonic()
    done = process.run([sys.executable, "-c", script], timeout_s=50, check=False)
    assert (done.returncode, done.stdout) == (3, "said\n")
    assert time.monotonic() - start < 40
