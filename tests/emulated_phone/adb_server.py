"""A private adb server, so that no test touches the server or the keys of the person who runs the tests."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from builder import process
from harness.devices.android.adb_program import find_adb

START_S, CALL_S = 20.0, 30.0


class AdbServer:
    """The official adb's server on a port of its own; a context manager that ends it by its process id.

    `environment` is what makes adb clients talk to it.
    """

    def __init__(self, folder: Path) -> None:
        self._home = folder
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = self._port = free.getsockname()[1]
        self.environment = {"ADB_SERVER_SOCKET": f"tcp:localhost:{port}", "ANDROID_USER_HOME": str(self._home)}
        quiet = {"HOME": str(self._home), "ADB_LOCAL_TRANSPORT_MAX_PORT": "5553", "ADB_MDNS_AUTO_CONNECT": "0"}
        self._log = (self._home / "adb-server.log").open("wb")
        self._process = subprocess.Popen(
            [find_adb(), "-L", f"tcp:localhost:{port}", "server", "nodaemon"],
            env={**os.environ, **self.environment, **quiet},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_S
        while not self._answers(port):  # a client that comes too early would start a server of its own
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise AssertionError((self._home / "adb-server.log").read_text(errors="replace"))
            time.sleep(0.01)
        return self

    def _answers(self, port: int) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """The server's process dies, or the one that a client has started since."""
        if self._process.poll() is None:
            process.kill_group(self._process)
        else:
            self.end_by_another()

    def end_by_another(self) -> None:
        """Another program on this computer ends the server in its own way, as an adb of another version does."""
        process.run([find_adb(), "kill-server"], timeout_s=CALL_S, env=self.environment, check=False)

    def replace_by_older(self) -> None:
        """The server dies and one of an older version takes its port: it tells its version and ends when it is asked to."""
        self.kill()
        listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=_be_older, args=(listener,), daemon=True).start()

    def connect(self, address: str) -> str:
        """`adb connect`; what it printed."""
        return process.run([find_adb(), "connect", address], timeout_s=CALL_S, env=self.environment, check=False).stdout

    def disconnect(self, address: str) -> None:
        process.run([find_adb(), "disconnect", address], timeout_s=CALL_S, env=self.environment, check=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            process.kill_group(self._process)
        elif self._answers(self._port):  # a client has started another one
            self.end_by_another()
        self._log.close()


def _be_older(listener: socket.socket) -> None:
    """adb's host protocol (AOSP: packages/modules/adb/OVERVIEW.TXT): a length of four hex digits, then the request."""
    with listener:
        while True:
            peer, _ = listener.accept()
            with peer:
                asked = peer.recv(4096)[4:]
                peer.sendall(b"OKAY0004001f" if asked == b"host:version" else b"OKAY")
                if asked == b"host:kill":
                    return
