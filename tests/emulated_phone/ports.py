"""Ports of the phone and of its host that lead to one another: `adb forward` to a socket of an app, `adb reverse` to the host."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from tests.emulated_phone.connection import Stream

CHUNK = 1 << 16


def pump(stream: Stream, peer: socket.socket) -> None:
    """Bytes both ways until one side ends."""
    back = threading.Thread(target=_to_stream, args=(stream, peer), daemon=True)
    back.start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            peer.sendall(stream.read_some())
    with contextlib.suppress(OSError):
        peer.shutdown(socket.SHUT_RDWR)
    back.join()
    peer.close()


def _to_stream(stream: Stream, peer: socket.socket) -> None:
    with contextlib.suppress(EOFError, OSError):
        while data := peer.recv(CHUNK):
            stream.write(data)
    stream.notice_host_closed()  # nothing more comes this way: the other one ends too


class Reversed:
    """Ports of the phone that lead to the host, by their number. A phone's loopback is this computer's."""

    def __init__(self) -> None:
        self._listeners: dict[int, socket.socket] = {}

    @property
    def ports(self) -> list[int]:
        return sorted(self._listeners)

    def serve(self, stream: Stream, words: str, open_to_host: Callable[[str], Stream]) -> None:
        """`forward:tcp:0;tcp:PORT` or `killforward:tcp:PORT` (AOSP: packages/modules/adb/services.cpp, reverse_service)."""
        verb, _, rest = words.partition(":")
        if verb == "forward":
            here, _, there = rest.partition(";")
            listener = socket.create_server(("127.0.0.1", int(here.removeprefix("tcp:"))))
            port = listener.getsockname()[1]
            self._listeners[port] = listener
            threading.Thread(target=_accept, args=(listener, there, open_to_host), daemon=True).start()
            stream.write(b"OKAY" + f"{len(str(port)):04x}{port}".encode())
        elif verb == "killforward":
            self._listeners.pop(int(rest.removeprefix("tcp:"))).close()
            stream.write(b"OKAY")

    def close(self) -> None:
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()


def _accept(listener: socket.socket, service: str, open_to_host: Callable[[str], Stream]) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return  # it was given back
        threading.Thread(target=_lead, args=(peer, service, open_to_host), daemon=True).start()


def _lead(peer: socket.socket, service: str, open_to_host: Callable[[str], Stream]) -> None:
    try:
        stream = open_to_host(service)
    except (EOFError, OSError):
        peer.close()
        return
    pump(stream, peer)
    with contextlib.suppress(EOFError, OSError):
        stream.close()
