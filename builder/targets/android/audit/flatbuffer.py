"""Just enough of FlatBuffers to read lists of operators: tables, their fields by place, vectors and texts.

All reading raises struct.error or OverflowError where a damaged file points outside itself. References only ever point forwards, so
that no damage makes a loop. Layout: https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator


def read_number(data: bytes, form: str, at: int) -> int:
    return int(struct.unpack_from(form, data, at)[0])


def read_offset(data: bytes, at: int) -> int:
    """Where the reference at `at` points."""
    return at + read_number(data, "<I", at)


def find_field(data: bytes, table: int, place: int) -> int | None:
    """Where a table's field stands, None when it is left out. A table starts with the distance to its list of fields."""
    fields = table - read_number(data, "<i", table)
    if fields < 0 or 4 + 2 * place >= read_number(data, "<H", fields):
        return None
    distance = read_number(data, "<H", fields + 4 + 2 * place)
    return table + distance if distance else None


def read_value(data: bytes, table: int, place: int, form: str, default: int) -> int:
    """A number of a table."""
    at = find_field(data, table, place)
    return default if at is None else read_number(data, form, at)


def read_text(data: bytes, table: int, place: int) -> str:
    """A text of a table, empty when it is left out."""
    at = find_field(data, table, place)
    if at is None:
        return ""
    start = read_offset(data, at)
    return data[start + 4 : start + 4 + read_number(data, "<I", start)].decode(errors="replace")


def read_tables(data: bytes, table: int, place: int) -> Iterator[int]:
    """The tables of a vector in a table; none when it is left out."""
    at = find_field(data, table, place)
    if at is None:
        return
    vector = read_offset(data, at)
    for entry in range(vector + 4, vector + 4 + 4 * read_number(data, "<I", vector), 4):
        yield read_offset(data, entry)
