"""One connection of an adb host: the handshake, and any number of streams multiplexed over it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.emulated_phone.faults import Faults
from tests.emulated_phone.protocol import AUTH_TOKEN, MAX_PAYLOAD, VERSION, Command, Packet, read_packet

ACKNOWLEDGE_S = 30.0


class Stream:
    """A stream that the host opened: bytes both ways, one unacknowledged packet at a time as the protocol asks."""

    def __init__(self, send: Callable[[Packet], None], local: int, remote: int) -> None:
        self._send, self._local, self._remote = send, local, remote
        self._received = bytearray()
        self._changed = threading.Condition()
        self._acknowledged, self.closed = remote != 0, False

    def feed(self, data: bytes) -> None:
        with self._changed:
            self._received += data
            self._changed.notify_all()

    def acknowledge(self, remote: int) -> None:
        """The host has taken a packet, or has opened a stream that the phone asked for: `remote` is its number for it."""
        with self._changed:
            self._remote, self._acknowledged = remote, True
            self._changed.notify_all()

    def wait_open(self) -> None:
        """Raises EOFError when the host does not open a stream that the phone asked for."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._remote or self.closed, ACKNOWLEDGE_S) or self.closed:
                raise EOFError

    def notice_host_closed(self) -> None:
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises EOFError when the host closes before."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._received) >= count or self.closed)
            if len(self._received) < count:
                raise EOFError
            data = bytes(self._received[:count])
            del self._received[:count]
            return data

    def read_some(self) -> bytes:
        """What has come, at least a byte. Raises EOFError when the host closes before."""
        with self._changed:
            self._changed.wait_for(lambda: self._received or self.closed)
            if not self._received:
                raise EOFError
            data = bytes(self._received)
            self._received.clear()
            return data

    def wait_closed(self) -> None:
        """Until the host closes the stream, whatever it sends."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed)

    def write(self, data: bytes) -> None:
        """Raises EOFError when the host has closed the stream."""
        for start in range(0, len(data), MAX_PAYLOAD):
            with self._changed:
                if not self._changed.wait_for(lambda: self._acknowledged or self.closed, ACKNOWLEDGE_S) or self.closed:
                    raise EOFError
                self._acknowledged = False
            chunk = data[start : start + MAX_PAYLOAD]
            self._send(Packet(command=Command.WRTE, arg0=self._local, arg1=self._remote, data=chunk))

    def close(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._acknowledged or self.closed, ACKNOWLEDGE_S)
        self._send(Packet(command=Command.CLSE, arg0=self._local, arg1=self._remote))


@dataclass(kw_only=True)
class Connection:
    """Serves one socket until it ends. `serve` handles an opened stream by its service name, in a thread of its own."""

    peer: socket.socket
    banner: str
    faults: Faults
    serve: Callable[[Connection, Stream, str], None]
    lost: Callable[[], None]
    _streams: dict[int, Stream] = field(default_factory=dict)
    _sending: threading.Lock = field(default_factory=threading.Lock)
    _next: int = 1

    def run(self) -> None:
        try:
            with self.peer.makefile("rb") as incoming:
                while True:
                    packet = read_packet(incoming)
                    if self._breaks(packet):
                        self.lost()
                        return
                    if not self.faults.deaf:
                        self._handle(packet)
        except (EOFError, OSError):
            return  # the host went away
        finally:
            for stream in list(self._streams.values()):
                stream.notice_host_closed()
            self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it is closed already
            self.peer.shutdown(socket.SHUT_RDWR)
        self.peer.close()

    def _send(self, packet: Packet) -> None:
        with self._sending:
            self.peer.sendall(packet.packed())

    def _breaks(self, packet: Packet) -> bool:
        if self.faults.disconnect_after_bytes is None or packet.command is not Command.WRTE:
            return False
        self.faults.disconnect_after_bytes -= len(packet.data)
        return self.faults.disconnect_after_bytes < 0

    def _handle(self, packet: Packet) -> None:
        stream = self._streams.get(packet.arg1)
        if packet.command in (Command.CNXN, Command.AUTH):
            if (
                self.faults.unauthorized
            ):  # nobody accepts the question on the screen: the host is asked to prove itself for ever
                self._send(Packet(command=Command.AUTH, arg0=AUTH_TOKEN, arg1=0, data=b"t" * 20))
                if packet.command is Command.AUTH:
                    self._wait_for_the_question_to_be_answered()
            else:
                self._send(Packet(command=Command.CNXN, arg0=VERSION, arg1=MAX_PAYLOAD, data=self.banner.encode()))
        elif packet.command is Command.OPEN:
            self._open(packet)
        elif packet.command is Command.WRTE and stream is not None:
            stream.feed(packet.data)
            self._send(Packet(command=Command.OKAY, arg0=packet.arg1, arg1=packet.arg0))
        elif packet.command is Command.OKAY and stream is not None:
            stream.acknowledge(packet.arg0)
        elif packet.command is Command.CLSE and stream is not None:
            stream.notice_host_closed()

    def open_to_host(self, service: str) -> Stream:
        """A stream that the phone asks the host for. Raises EOFError."""
        local, self._next = self._next, self._next + 1
        stream = self._streams[local] = Stream(self._send, local, 0)
        self._send(Packet(command=Command.OPEN, arg0=local, arg1=0, data=service.encode() + b"\0"))
        stream.wait_open()
        return stream

    def _wait_for_the_question_to_be_answered(self) -> None:
        while self.peer.recv(4096):
            continue  # the host's keys, none of which is accepted
        raise EOFError

    def _open(self, packet: Packet) -> None:
        local, self._next = self._next, self._next + 1
        stream = self._streams[local] = Stream(self._send, local, packet.arg0)
        self._send(Packet(command=Command.OKAY, arg0=local, arg1=packet.arg0))
        name = packet.data.rstrip(b"\0").decode()
        threading.Thread(target=self._serve, args=(local, stream, name), daemon=True).start()

    def _serve(self, local: int, stream: Stream, name: str) -> None:
        try:
            self.serve(self, stream, name)
            stream.close()
        except (EOFError, OSError):
            return  # the host closed the stream, or the connection ended
        finally:
            stream.notice_host_closed()  # the host's own word for it is not awaited: whoever still waits on the stream may go
            self._streams.pop(local, None)
