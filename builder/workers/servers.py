"""The servers that fork this process's workers: started when they are needed, in the background, and ended with this process.

`$EDGEBUNDLE_WORKERS`: `plain` for a new process for each job, as on systems where forking such a process is unsafe; or the directory of
servers that somebody else keeps (a session of tests), made by `start`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from builder.process import kill_group, kill_tree
from builder.workers.orders import KIND_BYTES, Ended, Order, Started

CHOICE, PLAIN = "EDGEBUNDLE_WORKERS", "plain"
SOCKET, LOG = "socket", "servers.txt"
# The longest that imports may take, on a machine that does much else.
WARM_S = 600.0
# Between two looks at whether to stop.
POLL_S = 0.1
# From SIGKILL to the end.
ENDED_S = 10.0
# Those that may wait at the same moment: far more than workers run.
CONNECTIONS = 64


class ServerLost(Exception):
    """The server went away with the job, or has not started it."""


@dataclass(kw_only=True)
class Servers:
    """The first server of a tree, our child, and the directory of its socket and its log."""

    folder: Path
    process: subprocess.Popen[bytes]
    owner: int

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        """End all servers and all workers that are left."""
        kill_tree(self.process.pid)
        kill_group(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


def start(folder: Path) -> Servers:
    """A tree of servers with its socket in the empty directory `folder`. It ends when this process does."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    with socket.socket(socket.AF_UNIX) as listening, _short(folder) as place, (folder / LOG).open("ab") as log:
        listening.bind(f"{place}/{SOCKET}")
        listening.listen(CONNECTIONS)
        process = subprocess.Popen(
            # -P: a file of the user's that is named as a module is not imported
            [sys.executable, "-P", "-m", "builder.workers.forkserver", str(listening.fileno()), folder.absolute()],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            # what an import leaves in the temporary directory goes with the servers
            env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder.absolute())},
            pass_fds=(listening.fileno(),),
            start_new_session=True,
        )
    return Servers(folder=folder, process=process, owner=os.getpid())


_guard = Lock()
_own: list[Servers] = []  # of this process, none or one


def is_plain() -> bool:
    """Whether each job gets a new process."""
    return sys.platform != "linux" or os.environ.get(CHOICE) == PLAIN


def warm(kinds: Sequence[str]) -> None:
    """Begin to import what jobs of these kinds need; returns at once."""
    if not is_plain():
        for kind in kinds:
            with contextlib.suppress(OSError):  # the job itself says what is wrong
                _connect(kind, Order()).close()


def close() -> None:
    """End the servers of this process; the next job starts new ones."""
    with _guard:
        for servers in _own:
            if servers.owner == os.getpid():
                servers.close()
        _own.clear()


atexit.register(close)


def place() -> Path:
    """The directory of the servers to ask, which are started if need be."""
    if shared := os.environ.get(CHOICE):
        return Path(shared)
    with _guard:
        if _own and _own[0].owner != os.getpid():  # a fork of the process that has them
            _own.clear()
        if _own and not _own[0].alive:
            _own.pop().close()
        if not _own:
            _own.append(start(Path(tempfile.mkdtemp(prefix="edgebundle-servers-"))))
        return _own[0].folder


def _connect(kind: str, order: Order) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        with _short(place()) as folder:
            connection.connect(f"{folder}/{SOCKET}")
        connection.sendall(kind.ljust(KIND_BYTES).encode() + order.model_dump_json().encode() + b"\n")
    except OSError:
        connection.close()
        raise
    return connection


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A short name of a directory: the address of a socket has 108 bytes."""
    handle = os.open(folder, os.O_PATH)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


def read_umask() -> int:
    """Of this process; asking the system for it would change it for a moment, for all threads."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o022


def kill_all_in(temporary: Path) -> None:
    """Kill all processes whose temporary directory this is: what a worker started, when neither it nor its server is left to ask."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it ended, or is another user's
            if process.environ().get("TMPDIR") == str(temporary):
                process.kill()


class Forked:
    """A worker that a server forked for one job (`process.Running`)."""

    def __init__(self, kind: str, order: Order, poll: Callable[[], None]) -> None:
        """Calls `poll` while the server warms up. Raises ServerLost."""
        self.pid = 0
        self._order = order
        self._read = b""
        try:
            self._connection = _connect(kind, order)
        except OSError as error:
            raise ServerLost(f"has no server ({error.strerror})") from error
        try:
            end = time.monotonic() + WARM_S
            while (line := self._line(POLL_S)) is None:
                poll()
                if time.monotonic() > end:
                    raise ServerLost(f"has a server that did not start within {WARM_S:g} s")
            started = Started.model_validate_json(line)
            if started.refused:
                raise ServerLost(
                    f"cannot be forked from its server, since {started.refused} (with {CHOICE}={PLAIN} in the environment it is not forked)"
                )
        except BaseException:
            self._connection.close()
            raise
        self.pid = started.pid

    def wait(self, timeout_s: float) -> int | None:
        """The exit status, None where the worker goes on. Raises ServerLost."""
        line = self._line(timeout_s)
        if line is None:
            return None
        self._connection.close()
        return Ended.model_validate_json(line).status

    def kill(self) -> None:
        """End it with all that it started, and wait until it has ended: nothing writes into its directory any more."""
        kill_tree(self.pid)
        try:
            self._line(ENDED_S)
        except ServerLost:
            if self._order.temporary is not None:
                kill_all_in(self._order.temporary)
        self._connection.close()

    def _line(self, timeout_s: float) -> bytes | None:
        """A line of the server's, None where there is none in time. Raises ServerLost."""
        self._connection.settimeout(timeout_s)
        try:
            while b"\n" not in self._read:
                part = self._connection.recv(4096)
                if not part:
                    raise ServerLost("lost its server")
                self._read += part
        except TimeoutError:
            return None
        except OSError as error:
            raise ServerLost(f"lost its server ({error.strerror})") from error
        line, _, self._read = self._read.partition(b"\n")
        return line
