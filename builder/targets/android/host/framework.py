"""The framework's resources, from the `android-all` jar, in a form that an older aapt2 links against.

Newer platforms store resource tables in shorter forms (16-bit entry offsets, compact entries) that aapt2 before API 34 does not
read. The table is written anew in the long form. Layout of chunks: `ResourceTypes.h` of the Android Open Source Project.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

# Kinds of chunks in a resource table (AOSP: androidfw/ResourceTypes.h).
TABLE_TYPE, PACKAGE_TYPE, TYPE_TYPE, STAGED_ALIAS_TYPE = 0x0002, 0x0200, 0x0201, 0x0206
# Flags of a type chunk.
TYPE_SPARSE, TYPE_OFFSET16 = 0x01, 0x02
# Flags of an entry.
ENTRY_COMPLEX, ENTRY_COMPACT = 0x01, 0x08
# What stands in a type chunk where a resource has no entry, in 32 and in 16 bits (ResourceTypes.h).
NO_ENTRY, NO_ENTRY16 = 0xFFFFFFFF, 0xFFFF
# One time for all entries, so that equal inputs give equal bytes; zip knows none before 1980.
FIXED_TIME = (1981, 1, 1, 1, 1, 2)


def write_framework_apk(android_all: Path, out: Path) -> None:
    """Write the APK that `aapt2 link -I` takes: manifest and resource table of the framework, default configuration only."""
    with zipfile.ZipFile(android_all) as jar, zipfile.ZipFile(out, "w") as apk:
        apk.writestr(zipfile.ZipInfo("AndroidManifest.xml", FIXED_TIME), jar.read("AndroidManifest.xml"))
        apk.writestr(zipfile.ZipInfo("resources.arsc", FIXED_TIME), lengthen_table(jar.read("resources.arsc")))


def lengthen_table(table: bytes) -> bytes:
    """The resource table with its first package in the long form (the others are overlays behind feature flags)."""
    kind, header_size, _ = struct.unpack_from("<HHI", table)
    if kind != TABLE_TYPE:
        raise ValueError("not a resource table")
    chunks = list(_chunks(table, header_size))
    packages = [chunk for kind, chunk in chunks if kind == PACKAGE_TYPE]
    body = b"".join(chunk for kind, chunk in chunks if kind != PACKAGE_TYPE) + _lengthen_package(packages[0])
    header = struct.pack("<HHII", TABLE_TYPE, header_size, header_size + len(body), 1)
    return header + body


def _lengthen_package(package: bytes) -> bytes:
    kind, header_size, _ = struct.unpack_from("<HHI", package)
    body = bytearray()
    for chunk_kind, chunk in _chunks(package, header_size):
        if chunk_kind == TYPE_TYPE:
            if _is_default_locale(chunk):
                body += _lengthen_type(chunk)
        elif chunk_kind != STAGED_ALIAS_TYPE:
            body += chunk
    return struct.pack("<HHI", kind, header_size, header_size + len(body)) + package[8:header_size] + bytes(body)


def _chunks(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at < len(data):
        kind, _, size = struct.unpack_from("<HHI", data, at)
        yield kind, data[at : at + size]
        at += size


def _is_default_locale(chunk: bytes) -> bool:
    """Language and country, bytes 8 to 12 of the configuration that starts at byte 20."""
    return chunk[28:32] == bytes(4)


def _lengthen_type(chunk: bytes) -> bytes:
    """A type chunk with 32-bit offsets and full entries."""
    _, header_size, _, type_id, flags, _, count, start = struct.unpack_from("<HHIBBHII", chunk)
    offsets, entries = [], bytearray()
    for offset in _offsets(chunk, header_size, flags, count):
        if offset == NO_ENTRY:
            offsets.append(NO_ENTRY)
        else:
            offsets.append(len(entries))
            entries += _lengthen_entry(chunk, start + offset)
    entries_start = header_size + 4 * len(offsets)
    head = struct.pack(
        "<HHIBBHII", TYPE_TYPE, header_size, entries_start + len(entries), type_id, 0, 0, len(offsets), entries_start
    )
    return head + chunk[len(head) : header_size] + struct.pack(f"<{len(offsets)}I", *offsets) + bytes(entries)


def _offsets(chunk: bytes, at: int, flags: int, count: int) -> list[int]:
    """Offset of each entry from the start of the entries, NO_ENTRY for those that are not there."""
    if flags & TYPE_OFFSET16:
        short = struct.unpack_from(f"<{count}H", chunk, at)
        return [NO_ENTRY if o == NO_ENTRY16 else o * 4 for o in short]
    if flags & TYPE_SPARSE:
        pairs = [struct.unpack_from("<HH", chunk, at + 4 * i) for i in range(count)]
        dense = [NO_ENTRY] * (pairs[-1][0] + 1 if pairs else 0)
        for index, offset in pairs:
            dense[index] = offset * 4
        return dense
    return list(struct.unpack_from(f"<{count}I", chunk, at))


def _lengthen_entry(chunk: bytes, at: int) -> bytes:
    size, flags, word = struct.unpack_from("<HHI", chunk, at)
    if flags & ENTRY_COMPACT:  # the first field is the key, the flags' high byte the value's type, the word its data
        return struct.pack("<HHIHBBI", 8, flags & 0x07, size, 8, 0, flags >> 8, word)
    if flags & ENTRY_COMPLEX:
        (pairs,) = struct.unpack_from("<I", chunk, at + 12)
        return chunk[at : at + size + 12 * pairs]
    return chunk[at : at + size + 8]
