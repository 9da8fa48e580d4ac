"""adb's file service `sync:`: stat, send and receive (AOSP: packages/modules/adb/SYNC.TXT and file_sync_protocol.h)."""

from __future__ import annotations

import os
import struct

from tests.emulated_phone.connection import Stream
from tests.emulated_phone.storage import Storage

REQUEST = struct.Struct("<4sI")
STAT_V1 = struct.Struct("<4s3I")
STAT_V2 = struct.Struct("<4sIQQIIIIQqqq")
CHUNK = 64 * 1024


def serve_sync(stream: Stream, storage: Storage) -> None:
    """Until the host says QUIT or closes the stream. Raises EOFError."""
    while True:
        word, length = REQUEST.unpack(stream.read(REQUEST.size))
        if word == b"QUIT":
            return
        path = stream.read(length).decode()
        if word == b"STAT":
            stream.write(answer_stat_v1(storage, path))
        elif word in (b"STA2", b"LST2"):
            stream.write(answer_stat_v2(storage, path, word))
        elif word == b"SEND":
            receive(stream, storage, path)
        elif word == b"RECV":
            send(stream, storage, path)
        else:
            fail(stream, f"unknown sync request {word!r}")
            return


def fail(stream: Stream, text: str) -> None:
    data = text.encode()
    stream.write(REQUEST.pack(b"FAIL", len(data)) + data)


def answer_stat_v1(storage: Storage, path: str) -> bytes:
    try:
        found = os.lstat(storage.find_host_path(path))
    except OSError:
        return STAT_V1.pack(b"STAT", 0, 0, 0)
    return STAT_V1.pack(b"STAT", found.st_mode, found.st_size & 0xFFFFFFFF, int(found.st_mtime))


def answer_stat_v2(storage: Storage, path: str, word: bytes) -> bytes:
    try:
        found = (os.stat if word == b"STA2" else os.lstat)(storage.find_host_path(path))
    except OSError as error:
        return STAT_V2.pack(word, error.errno or 0, *[0] * 10)
    owner = 2000  # the user `shell`
    times = int(found.st_atime), int(found.st_mtime), int(found.st_ctime)
    identity = found.st_dev, found.st_ino, found.st_mode, found.st_nlink, owner, owner, found.st_size
    return STAT_V2.pack(word, 0, *identity, *times)


def receive(stream: Stream, storage: Storage, request: str) -> None:
    """SEND `path,mode`, then DATA packets, then DONE: the file is taken and the host told whether that went well."""
    path, _, mode = request.rpartition(",")
    data = bytearray()
    while True:
        word, length = REQUEST.unpack(stream.read(REQUEST.size))
        if word == b"DONE":
            break
        data += stream.read(length)
    try:
        storage.write(path, bytes(data), int(mode))
    except OSError as error:
        fail(stream, f"remote write failed: {error.strerror}")
        return
    stream.write(REQUEST.pack(b"OKAY", 0))


def send(stream: Stream, storage: Storage, path: str) -> None:
    try:
        data = storage.read(path)
    except OSError as error:
        fail(stream, f"open failed: {error.strerror}")
        return
    for start in range(0, len(data), CHUNK):
        chunk = data[start : start + CHUNK]
        stream.write(REQUEST.pack(b"DATA", len(chunk)) + chunk)
    stream.write(REQUEST.pack(b"DONE", 0))
