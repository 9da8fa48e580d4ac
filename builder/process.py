"""The only place that starts processes: an argument list (never a shell string), a time limit, and a typed error."""

from __future__ import annotations

import contextlib
import math
import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import psutil

# Rounds of listing and killing a tree of processes; one is enough unless it starts more at that very moment.
KILLS = 10
# Between two looks at whether a program that is waited for has ended.
LOOK_S = 1.0
# Its output may stay open after its end, in the hands of a daemon that it started: what it said is then taken after so long.
KEPT_OPEN_S = 3.0


class ToolError(Exception):
    """A process could not be started, ran too long, or failed; callers turn it into an error with an exit code."""


class ToolMissing(ToolError):
    """The program is not installed."""


class ToolTimeout(ToolError):
    """The program did not end within its limit and was killed with everything it had started."""


class ToolMemory(ToolError):
    """The program used more memory than it may and was killed with everything it had started."""


class ToolFailed(ToolError):
    """The program ended with a non-zero status."""


_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, kw_only=True)
class Completed:
    """What a process left: exit status and output (bytes decoded as UTF-8, undecodable bytes replaced)."""

    returncode: int
    stdout: str
    stderr: str

    def quote_last_lines(self, count: int = 8) -> str:
        """What it said last, without escape codes."""
        text = _ESCAPE.sub("", self.stdout + "\n" + self.stderr)
        lines = [line for line in text.splitlines() if line.strip()]
        return "\n".join(lines[-count:])


_running: dict[subprocess.Popen[bytes], int] = {}  # what `run` waits for, and in which thread
_spared: list[int] = []  # threads, once for each block that spares them


def kill_running(threads: Collection[int | None]) -> None:
    """Kill all that `run` is waiting for in these threads, but for those that are spared: Ctrl-C reaches the main thread alone."""
    for process, thread in tuple(_running.items()):
        if thread in threads and thread not in _spared:
            with contextlib.suppress(ProcessLookupError):  # it ended in the meantime
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def sparing() -> Iterator[Callable[[], None]]:
    """From the call of what it gives until its end, `kill_running` leaves this thread alone: it takes back what was changed."""
    thread, called = get_ident(), False

    def spare() -> None:
        nonlocal called
        if not called:
            called = True
            _spared.append(thread)

    try:
        yield spare
    finally:
        if called:
            _spared.remove(thread)


def find(program: str) -> str | None:
    """Full path of a program on PATH, or None."""
    return shutil.which(program)


def run(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input_bytes: bytes | None = None,
    check: bool = True,
) -> Completed:
    """Run a program to its end. `env` is added to the present environment. Raises ToolMissing, ToolTimeout, ToolFailed."""
    words = [str(word) for word in argv]
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            stdin=subprocess.DEVNULL if input_bytes is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ToolMissing(f"{words[0]} is not installed") from error
    except OSError as error:
        raise ToolFailed(f"{words[0]} could not be started ({error})") from error
    _running[process] = get_ident()
    try:
        out, err = _read_output(process, input_bytes, timeout_s)
    except subprocess.TimeoutExpired as error:
        kill_group(process)
        raise ToolTimeout(f"{Path(words[0]).name} did not end within {timeout_s:g} s") from error
    except BaseException:  # Ctrl-C: nothing we started may outlive us
        kill_group(process)
        raise
    finally:
        _running.pop(process, None)
    done = Completed(
        returncode=process.returncode, stdout=out.decode(errors="replace"), stderr=err.decode(errors="replace")
    )
    if check and done.returncode:
        raise ToolFailed(f"{Path(words[0]).name} failed with status {done.returncode}: {done.quote_last_lines()}")
    return done


def _read_output(process: subprocess.Popen[bytes], input_bytes: bytes | None, timeout_s: float) -> tuple[bytes, bytes]:
    """Of a program, once it has ended. Raises TimeoutExpired."""
    deadline, ended_at = time.monotonic() + timeout_s, math.inf
    while True:
        try:
            return process.communicate(input_bytes, timeout=max(min(deadline - time.monotonic(), LOOK_S), 0.0))
        except subprocess.TimeoutExpired as slice_:
            now, input_bytes = time.monotonic(), None
            if process.poll() is not None:
                ended_at = min(ended_at, now)
            if now - ended_at >= KEPT_OPEN_S:
                _close_pipes(process)
                return slice_.output or b"", slice_.stderr or b""
            if now >= deadline:
                raise


def run_limited(
    argv: Sequence[str | Path],
    *,
    log: Path,
    timeout_s: float,
    memory_bytes: int,
    poll: Callable[[], None],
    env: Mapping[str, str] | None = None,
) -> int:
    """Run a program with output to `log`, calling `poll` while it runs; its exit status, negative for a signal.

    `env` is added to the present environment.

    Its resident memory, with that of all it started, may not exceed `memory_bytes`. Raises ToolTimeout, ToolMemory.
    (An address-space limit would not do: converters map far more than they use.)
    """
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env} if env else None,
            start_new_session=True,
        )
    return supervise(OfPopen(process), timeout_s=timeout_s, memory_bytes=memory_bytes, poll=poll)


class Running(Protocol):
    """A process that somebody started, with all that it started."""

    @property
    def pid(self) -> int: ...

    def wait(self, timeout_s: float) -> int | None:
        """Its exit status, negative for a signal; None where it goes on."""

    def kill(self) -> None:
        """End it at once, with all that it started."""


@dataclass(frozen=True)
class OfPopen:
    """A child of ours, in a session of its own."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self, timeout_s: float) -> int | None:
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        kill_tree(self.process.pid)
        kill_group(self.process)


def supervise(
    running: Running, *, timeout_s: float, memory_bytes: int, poll: Callable[[], None], poll_s: float = 0.1
) -> int:
    """Wait for a process as `run_limited` does. Whatever ends the waiting, nothing of it runs on. Raises ToolTimeout, ToolMemory."""
    import psutil

    deadline = time.monotonic() + timeout_s
    status = None
    try:
        watched = psutil.Process(running.pid)
    except psutil.NoSuchProcess:
        watched = None
    try:
        while (status := running.wait(poll_s)) is None:
            if time.monotonic() > deadline:
                raise ToolTimeout(f"did not end within {timeout_s:g} s")
            if watched is not None and measure_resident_bytes(watched) > memory_bytes:
                raise ToolMemory(f"used more than {memory_bytes / 1e9:.3g} GB of memory")
            poll()
    finally:
        if status is None:
            running.kill()
    poll()
    return status


@contextmanager
def run_beside(argv: Sequence[str | Path], *, log: Path) -> Iterator[int]:
    """A program that runs beside, by its process id, with its output in `log`; it ends, with all that it started, when the block does.

    Raises ToolMissing.
    """
    with log.open("wb") as stream:
        try:
            process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ToolMissing(f"{argv[0]} is not installed") from error
    try:
        yield process.pid
    finally:
        kill_group(process)


class Service:
    """A program that answers one line on stdout to every line on stdin; its stderr goes to `log`.

    After an error it is dead, and so is all that it started.
    """

    def __init__(self, argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env={**os.environ, **env} if env else None,
                start_new_session=True,
                bufsize=0,
            )

    def ask(
        self, line: str, *, timeout_s: float, memory_bytes: int, poll: Callable[[], None], poll_s: float = 0.1
    ) -> str:
        """The answer to one line, calling `poll` while it is awaited. Raises ToolTimeout, ToolMemory, ToolFailed."""
        import psutil

        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ToolFailed("has no pipes")
        deadline = time.monotonic() + timeout_s
        answer = b""
        try:
            watched = psutil.Process(self._process.pid)
            stdin.write(line.encode() + b"\n")
            while not answer.endswith(b"\n"):
                if time.monotonic() > deadline:
                    raise ToolTimeout(f"did not end within {timeout_s:g} s")
                if measure_resident_bytes(watched) > memory_bytes:
                    raise ToolMemory(f"used more than {memory_bytes / 1e9:.3g} GB of memory")
                poll()
                if select.select([stdout], [], [], poll_s)[0]:
                    read = os.read(stdout.fileno(), 4096)
                    if not read:
                        raise self._end()
                    answer += read
        except (BrokenPipeError, psutil.NoSuchProcess) as error:
            end = self._end()
            self.close()
            raise end from error
        except BaseException:
            self.close()
            raise
        return answer.decode(errors="replace").strip()

    def _end(self) -> ToolFailed:
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return ToolFailed("closed its output")
        return ToolFailed(
            f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        )

    def close(self) -> None:
        kill_group(self._process)


def measure_resident_bytes(process: psutil.Process) -> int:
    """Resident memory of a process and all its descendants; 0 once it has ended."""
    import psutil

    total = 0
    try:
        for member in (process, *process.children(recursive=True)):
            try:
                total += member.memory_info().rss
            except psutil.NoSuchProcess:
                continue  # it ended between the listing and the question
    except psutil.NoSuchProcess:
        return total
    return total


def list_children(pid: int, *, recursive: bool = False) -> list[int]:
    """The processes that a process started, none where it has ended."""
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=recursive)]
    except psutil.NoSuchProcess:
        return []


def kill_tree(pid: int, *, itself: bool = True) -> None:
    """Kill a process with all that it started, also what went to a session of its own, until nothing of it runs."""
    import psutil

    for _ in range(KILLS):  # what starts a process while it is listed leaves one more
        children = list_children(pid, recursive=True)
        for victim in (*([pid] if itself else []), *children):
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(victim).kill()
        if not children:
            return


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process started with `start_new_session` and all its children, and reap it."""
    with contextlib.suppress(ProcessLookupError):  # it ended in the meantime
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.communicate(timeout=KEPT_OPEN_S)
    except subprocess.TimeoutExpired:
        _close_pipes(process)


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what was not written yet has no reader any more
                pipe.close()
