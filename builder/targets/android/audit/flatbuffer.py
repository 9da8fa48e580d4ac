"""Just enough of FlatBuffers to read lists of operators: tables, their fields by place, vectors and texts.

All reading raises struct.error or OverflowError where a damaged file points outside itself. References only ever point forwards, so
that no damage makes a loop. Layout: https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator


def number(data: bytes, form: str, at: int) -> int:
    return int(struct.unpack_from(form, data, at)[0])


def offset(data: bytes, at: int) -> int:
    """Where the reference at `at` points."""
    return at + number(data, "<I", at)


def field(data: bytes, table: int, place: int) -> int | None:
    """Where a table's field stands, None when it is left out. A table starts with the distance to its list of fields."""
    fields = table - number(data, "<i", table)
    if fields < 0 or 4 + 2 * place >= number(data, "<H", fields):
        return None
    distance = number(data, "<H", fields + 4 + 2 * place)
    return table + distance if distance else None


def value(data: bytes, table: int, place: int, form: str, default: int) -> int:
    """A number of a table."""
    at = field(data, table, place)
    return default if at is None else number(data, form, at)


def text(data: bytes, table: int, place: int) -> str:
    """A text of a table, empty when it is left out."""
    at = field(data, table, place)
    if at is None:
        return ""
    start = offset(data, at)
    return data[start + 4 : start + 4 + number(data, "<I", start)].decode(errors="replace")


def tables(data: bytes, table: int, place: int) -> Iterator[int]:
    """The tables of a vector in a table; none when it is left out."""
    at = field(data, table, place)
    if at is None:
        return
    vector = offset(data, at)
    for entry in range(vector + 4, vector + 4 + 4 * number(data, "<I", vector), 4):
        yield offset(data, entry)
