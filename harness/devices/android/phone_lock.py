"""One harness at a time on a phone, whichever host and address it comes by: a lock that the phone itself keeps.

A shell on the phone holds it (flock on /data/local/tmp) for as long as its connection to us lives: a host that is killed, or a cable
that is pulled, frees it. The connection is a socket to adb's server and not a client, which would be a process for each phone of a lab.
Protocol: AOSP, packages/modules/adb/SERVICES.TXT.
"""

from __future__ import annotations

import getpass
import os
import re
import select
import socket

from harness.devices.android.adb import Adb, quote_words
from harness.errors import DeviceError, DeviceLost

# adb's server is on this computer, or one network away: what takes longer hangs.
ANSWER_S = 10.0
HOLDER = "/data/local/tmp/.edgebundle-holder"
# flock takes the directory itself as a lock: it is always there, and nothing is left. 127: this Android has no flock
LINE = (
    "{{ flock -n 0 <&3; case $? in 0) echo {who} >{holder}; echo held; read end; rm -f {holder} ;; 127) echo none ;; "
    "*) echo busy $(cat {holder}) ;; esac; }} 3</data/local/tmp 2>/dev/null"
)
LOCAL = re.compile(r"tcp:(?:([\w.-]+):)?([0-9]{1,5})")


class PhoneLock:
    """Not held until `acquire`; freed by `release` and by the end of this process."""

    def __init__(self, adb: Adb) -> None:
        self._serial = adb.serial
        self._connection: socket.socket | None = None
        self._without = False  # the phone has no flock: the lock of this computer is all there is

    @property
    def held(self) -> bool:
        """Whether the phone still keeps it: the end of the connection shows as something to read."""
        if self._without:
            return True
        return self._connection is not None and not select.select([self._connection], [], [], 0)[0]

    def acquire(self) -> None:
        """Raises DeviceError when somebody else measures on it, DeviceLost when the phone is not there."""
        self.release()
        who = re.sub(r"[^\w.@ -]", "_", f"{getpass.getuser()}@{socket.gethostname()} process {os.getpid()}")
        try:
            connection = self._ask(LINE.format(who=quote_words(who), holder=HOLDER))
            answer = _line(connection)
        except OSError as error:
            raise DeviceLost(
                f"{self._serial} could not be asked for its lock ({error}); check 'adb devices', and run again."
            ) from error
        if answer == "held":
            self._connection = connection
            return
        connection.close()
        if answer == "none":
            self._without = True
            return
        if answer.startswith("busy"):
            who = answer.removeprefix("busy").strip() or "somebody"
            raise DeviceError(f"{self._serial} is in use by {who}; wait for it or end it.")
        raise DeviceLost(f"{self._serial} answered {answer[:80]!r} when it was asked for its lock; run again.")

    def release(self) -> None:
        """Raises nothing: a phone that is gone has freed it."""
        connection, self._connection, self._without = self._connection, None, False
        if connection is None:
            return
        try:
            connection.sendall(b"\n")
            while connection.recv(4096):  # until its shell has ended
                continue
        except OSError:
            return
        finally:
            connection.close()

    def _ask(self, line: str) -> socket.socket:
        connection = socket.create_connection(find_server_address(), timeout=ANSWER_S)
        try:
            for service in (f"host:transport:{self._serial}", f"exec:{line}"):
                data = service.encode()
                connection.sendall(b"%04x" % len(data) + data)
                status = _exactly(connection, 4)
                if status != b"OKAY":
                    said = _exactly(connection, int(_exactly(connection, 4), 16)).decode(errors="replace")
                    raise OSError(said)
            return connection
        except (OSError, ValueError) as error:
            connection.close()
            raise OSError(str(error)) from error


def find_server_address() -> tuple[str, int]:
    """Where adb's server listens, as its own client finds it."""
    match = LOCAL.fullmatch(os.environ.get("ADB_SERVER_SOCKET", ""))
    if match is not None:
        return match.group(1) or "localhost", int(match.group(2))
    port = os.environ.get("ANDROID_ADB_SERVER_PORT", "")
    return os.environ.get("ANDROID_ADB_SERVER_ADDRESS", "localhost"), int(port) if port.isdecimal() else 5037


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise OSError("the adb server ended the connection")
        data += part
    return data


def _line(connection: socket.socket) -> str:
    data = b""
    while not data.endswith(b"\n") and len(data) < 4096:
        part = connection.recv(256)
        if not part:
            break
        data += part
    return data.decode(errors="replace").strip()
