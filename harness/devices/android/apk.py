"""The application id of an APK, read from its compiled manifest: a lab's machine needs no Android tools for it.

The form is that of frameworks/base/libs/androidfw ResourceTypes.h: chunks of (type u16, header size u16, size u32), a string pool,
and elements whose attributes refer to it.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from harness.errors import UsageError

# Chunks of a binary manifest: its strings, and the start of an element (AOSP: androidfw/ResourceTypes.h).
POOL, ELEMENT = 0x0001, 0x0102
# Flag of a string pool whose strings are UTF-8 (ResourceTypes.h).
UTF8 = 1 << 8


def read_application_id(apk: Path) -> str:
    """The `package` of the manifest. Raises UsageError for a file that is no APK."""
    try:
        with zipfile.ZipFile(apk) as archive:
            return _package(archive.read("AndroidManifest.xml"))
    except (OSError, zipfile.BadZipFile, KeyError, struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{apk} is not an APK whose manifest can be read ({error}); give what 'builder package --target android' wrote."
        ) from error


def _package(data: bytes) -> str:
    strings: list[str] = []
    at: int = struct.unpack_from("<HHI", data, 0)[1]
    while at < len(data):
        kind, header, size = struct.unpack_from("<HHI", data, at)
        if kind == POOL:
            strings = _strings(data, at, header)
        elif kind == ELEMENT:
            name, start, width, count = struct.unpack_from("<IHHH", data, at + header + 4)
            if strings[name] == "manifest":
                for index in range(count):
                    place = at + header + start + index * width
                    _, attribute, value = struct.unpack_from("<III", data, place)
                    if strings[attribute] == "package":
                        return str(strings[value])
        if size <= 0:
            raise ValueError("a chunk without a length")
        at += size
    raise ValueError("its manifest names no package")


def _strings(data: bytes, at: int, header: int) -> list[str]:
    count, _, flags, start = struct.unpack_from("<IIII", data, at + 8)
    strings = []
    for index in range(count):
        place = at + start + struct.unpack_from("<I", data, at + header + 4 * index)[0]
        if flags & UTF8:
            place += 2 if data[place] & 0x80 else 1  # length in characters, then in bytes; two bytes each above 127
            length = data[place]
            place += 1
            if length & 0x80:
                length = (length & 0x7F) << 8 | data[place]
                place += 1
            strings.append(data[place : place + length].decode())
        else:
            length = struct.unpack_from("<H", data, place)[0]
            strings.append(data[place + 2 : place + 2 + 2 * length].decode("utf-16-le"))
    return strings
