"""A server: a process that has imported one converter and forks a worker for each job, so that no job waits for imports.

    python -P -m builder.workers.forkserver SOCKET FOLDER      the number of an inherited listening socket, and where all of its files are

The first server imports what reads and runs files; those of the heavier kinds are forked out of it (`orders.PARENTS`), so what they share is
imported once. A client connects, sends a line of JSON (`Order`) behind the kind's name and reads `Started`, then `Ended`. The connection
is the job's life: when it ends, so does the worker, with all that it started. Only workers run anything of the user's.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import selectors
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pydantic import BaseModel

from builder.process import kill_tree, list_children
from builder.workers.orders import FILES, KIND_BYTES, Ended, Order, Started, find_parent
from builder.workers.warming import explain_unsafe, warm

if TYPE_CHECKING:
    from types import FrameType

# A client sends its order at once.
ORDER_S = 10.0
# Between two looks at what ended without a word.
LOOK_S = 1.0
# Linux/prctl.h.
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


@dataclass(kw_only=True)
class Worker:
    """A running job, known by its process."""

    connection: socket.socket
    temporary: Path | None


@dataclass(kw_only=True)
class Server:
    """The loop of one kind. `source` gives connections: the listening socket, or the channel from the server it was forked out of.

    `folder` is the first server's, with the socket and the temporary files of all jobs; it goes with it.
    """

    kind: str
    source: socket.socket
    folder: Path | None = None
    workers: dict[int, Worker] = field(default_factory=dict)
    servers: dict[str, tuple[int, socket.socket]] = field(default_factory=dict)

    def serve(self, alive: int | None) -> NoReturn:
        """Until `source` ends, or for the first server `alive`, a pipe that its parent holds."""
        _control(_PR_SET_CHILD_SUBREAPER, 1)  # whatever a killed worker leaves comes to us and ends
        warm(self.kind)
        gc.collect()
        gc.freeze()  # workers share these pages as long as nobody writes on them
        bell = _hear_children()
        while True:
            waiting = [self.source, bell, *self._connections(), *([] if alive is None else [alive])]
            for ready in _readable(waiting):
                if ready is self.source:
                    self._take()
                elif ready is bell:
                    with contextlib.suppress(BlockingIOError):
                        bell.recv(4096)
                elif isinstance(ready, int):
                    self._end()
                else:
                    self._leave(ready)
            self._reap()

    def _connections(self) -> list[socket.socket | int]:
        return [worker.connection for worker in self.workers.values()]

    def _take(self) -> None:
        """One connection: for this kind a job, for another one handed on."""
        if self.source.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            connection, _ = self.source.accept()
            connection.settimeout(ORDER_S)
            head = _exactly(connection, KIND_BYTES)
        else:
            head, handles, _, _ = socket.recv_fds(self.source, KIND_BYTES, 1)
            if not head:
                self._end()
            connection = socket.socket(fileno=handles[0])
            connection.settimeout(ORDER_S)
        kind = head.decode("ascii", "replace").strip()
        if not kind:  # whoever connected sent nothing
            connection.close()
        elif kind == self.kind:
            self._start(connection)
        else:
            self._pass_on(kind, head, connection)

    def _pass_on(self, kind: str, head: bytes, connection: socket.socket) -> None:
        step = kind
        while (before := find_parent(step)) != self.kind:
            step = before
        for _ in range(2):  # a server that died is started again
            if step not in self.servers and not self._fork_server(step, connection):
                return
            try:
                socket.send_fds(self.servers[step][1], [head], [connection.fileno()])
                break
            except (BrokenPipeError, ConnectionResetError):
                self.servers.pop(step)[1].close()
        connection.close()

    def _fork_server(self, kind: str, connection: socket.socket) -> bool:
        if reason := explain_unsafe():
            _tell(connection, Started(refused=reason))
            connection.close()
            return False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = self._fork()
        if pid == 0:
            _leave_alone(self, connection, ours)
            try:
                Server(kind=kind, source=theirs).serve(None)
            except BaseException:  # the end of this process: what went wrong stands in its log
                traceback.print_exc()
            finally:
                os._exit(1)
        theirs.close()
        self.servers[kind] = (pid, ours)
        return True

    def _start(self, connection: socket.socket) -> None:
        try:
            order = Order.model_validate_json(_line(connection))
        except (ValueError, OSError):  # the client is gone, or is none of ours
            connection.close()
            return
        if order.folder is None:
            connection.close()
            return
        if reason := explain_unsafe():
            _tell(connection, Started(refused=reason))
            connection.close()
            return
        pid = self._fork()
        if pid == 0:
            os._exit(_work(self, connection, order))
        self.workers[pid] = Worker(connection=connection, temporary=order.temporary)
        _tell(connection, Started(pid=pid))

    def _fork(self) -> int:
        """As `os.fork`; the child ends with this process."""
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
        return pid

    def _leave(self, connection: socket.socket) -> None:
        """A client that closes its connection, or dies, ends its job."""
        for pid, worker in self.workers.items():
            if worker.connection is connection:
                kill_tree(pid)

    def _reap(self) -> None:
        """Tell how workers ended, and end what they left behind."""
        ended = [self._bury(pid, status) for pid, status in _reap_ended()]
        if any(ended):
            ours = {*self.workers, *(pid for pid, _ in self.servers.values())}
            for left in list_children(os.getpid()):
                if left not in ours:
                    kill_tree(left)

    def _bury(self, pid: int, status: int) -> bool:
        """Whether what ended was a worker or a server of ours; it is forgotten, and whoever waits for it hears how it ended."""
        worker = self.workers.pop(pid, None)
        if worker is not None:
            if worker.temporary is not None:
                shutil.rmtree(worker.temporary, ignore_errors=True)
            _tell(worker.connection, Ended(status=os.waitstatus_to_exitcode(status)))
            worker.connection.close()
        servers = [kind for kind, (server, _) in self.servers.items() if server == pid]
        for kind in servers:
            _, channel = self.servers.pop(kind)
            channel.close()
        return worker is not None or bool(servers)

    def _end(self) -> NoReturn:
        """Nobody is left to work for: nothing of ours stays."""
        kill_tree(os.getpid(), itself=False)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(0)


def _reap_ended() -> Iterator[tuple[int, int]]:
    """Children that have ended, with their status; each is reaped when it is given."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def _work(server: Server, connection: socket.socket, order: Order) -> int:
    """What the forked process does: take over the surroundings of the client, then the job. Its exit status."""
    try:
        os.setsid()
        _leave_alone(server, connection, None)
        _take_over(order)
        from builder.workers.worker import work

        return work(order.folder) if order.folder is not None else 0
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # the end of this process: its log has what went wrong, as that of any program
        traceback.print_exc()
        return 1
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()


def _take_over(order: Order) -> None:
    os.umask(order.umask)
    os.environ.clear()
    os.environ.update(order.environment)
    if order.temporary is not None:
        os.environ["TMPDIR"] = str(order.temporary)
    time.tzset()
    if order.log is not None:
        log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
    if order.cwd is not None:
        os.chdir(order.cwd)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(_threads(order.environment))


def _threads(environment: dict[str, str]) -> int:
    """As many as torch would take in a process of its own."""
    asked = environment.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) else len(os.sched_getaffinity(0))


def _leave_alone(server: Server, connection: socket.socket, channel: socket.socket | None) -> None:
    """Close what belongs to the server that this process was forked out of."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    others = [server.source, connection, *(channel for _, channel in server.servers.values())]
    for one in (*others, *(worker.connection for worker in server.workers.values()), channel):
        if one is not None:
            one.close()


def _hear_children() -> socket.socket:
    """A socket that becomes readable when a child ends."""
    bell, ringing = socket.socketpair()
    for end in (bell, ringing):
        end.setblocking(False)

    def nothing(number: int, frame: FrameType | None) -> None:
        """The bell is rung by `set_wakeup_fd`."""

    signal.signal(signal.SIGCHLD, nothing)
    signal.set_wakeup_fd(ringing.detach(), warn_on_full_buffer=False)
    return bell


def _readable(sources: Sequence[socket.socket | int]) -> list[socket.socket | int]:
    with selectors.DefaultSelector() as selector:
        for source in sources:
            selector.register(source, selectors.EVENT_READ)
        return [key.fileobj for key, _ in selector.select(LOOK_S)]  # type: ignore[misc]


def _exactly(connection: socket.socket, size: int) -> bytes:
    got = b""
    with contextlib.suppress(OSError):
        while len(got) < size and (part := connection.recv(size - len(got))):
            got += part
    return got if len(got) == size else b""


def _line(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        return stream.readline()


def _tell(connection: socket.socket, message: BaseModel) -> None:
    with contextlib.suppress(OSError):  # a client that is gone hears nothing
        connection.sendall(message.model_dump_json().encode() + b"\n")


def _control(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def main(words: list[str]) -> NoReturn:
    """The first server: its parent holds the other end of stdin."""
    Server(kind=FILES, source=socket.socket(fileno=int(words[0])), folder=Path(words[1])).serve(0)


if __name__ == "__main__":
    from builder.workers import forkserver  # the module by its own name, for what is pickled or compared by class

    forkserver.main(sys.argv[1:])
