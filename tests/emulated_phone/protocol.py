"""Packets of the adb protocol: a header of six little-endian words and a payload (AOSP: packages/modules/adb/protocol.txt)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

VERSION = 0x01000001  # from this version on the checksum is not looked at
MAX_PAYLOAD = 1 << 20
AUTH_TOKEN, AUTH_SIGNATURE, AUTH_PUBLIC_KEY = 1, 2, 3
HEADER = struct.Struct("<6I")


class Command(IntEnum):
    SYNC = 0x434E5953
    CNXN = 0x4E584E43
    AUTH = 0x48545541
    OPEN = 0x4E45504F
    OKAY = 0x59414B4F
    CLSE = 0x45534C43
    WRTE = 0x45545257


@dataclass(frozen=True, kw_only=True)
class Packet:
    command: Command
    arg0: int
    arg1: int
    data: bytes = b""

    def packed(self) -> bytes:
        checksum = sum(self.data) & 0xFFFFFFFF
        return (
            HEADER.pack(self.command, self.arg0, self.arg1, len(self.data), checksum, self.command ^ 0xFFFFFFFF)
            + self.data
        )


def read_exactly(stream: BinaryIO, count: int) -> bytes:
    """`count` bytes. Raises EOFError when the other side ends before."""
    data = stream.read(count)
    if data is None or len(data) < count:
        raise EOFError
    return data


def read_packet(stream: BinaryIO) -> Packet:
    """The next packet. Raises EOFError at the end, ValueError for bytes that are no packet."""
    word, arg0, arg1, length, _, magic = HEADER.unpack(read_exactly(stream, HEADER.size))
    if magic != word ^ 0xFFFFFFFF or length > MAX_PAYLOAD:
        raise ValueError(f"no adb packet: {word:#x} {length}")
    return Packet(command=Command(word), arg0=arg0, arg1=arg1, data=read_exactly(stream, length))
