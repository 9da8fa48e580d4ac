"""Just enough of ELF to tell whether Android can map a library: class, and alignment of its loaded segments."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# Of the ELF specification: a segment that is mapped, and the order of bytes.
PT_LOAD = 1
# ELFDATA2LSB: Android has no other.
LITTLE_ENDIAN = 1
# By ELF class: bits, offset of e_phoff and its format, offset of e_phentsize and e_phnum, offset of p_align and its format.
LAYOUTS = {1: (32, 28, "<I", 42, 28, "<I"), 2: (64, 32, "<Q", 54, 48, "<Q")}


@dataclass(frozen=True, kw_only=True)
class Elf:
    """`bits` is 32 or 64; `alignments` holds p_align of each PT_LOAD segment, in bytes."""

    bits: int
    alignments: tuple[int, ...]


def read_elf(data: bytes) -> Elf:
    """Read the program headers. Raises ValueError for what is no little-endian ELF file or is cut short."""
    if len(data) < 6 or data[:4] != b"\x7fELF" or data[4] not in LAYOUTS or data[5] != LITTLE_ENDIAN:
        raise ValueError("not a little-endian ELF file")
    bits, offset_at, offset_format, counts_at, align_at, align_format = LAYOUTS[data[4]]
    try:
        (offset,) = struct.unpack_from(offset_format, data, offset_at)
        size, count = struct.unpack_from("<HH", data, counts_at)
        headers = [offset + i * size for i in range(count)]
        loaded = [at for at in headers if struct.unpack_from("<I", data, at)[0] == PT_LOAD]
        alignments = tuple(int(struct.unpack_from(align_format, data, at + align_at)[0]) for at in loaded)
    except (struct.error, OverflowError) as error:  # an offset behind the end, or one that no memory has
        raise ValueError(f"the ELF file is cut short ({error})") from error
    return Elf(bits=bits, alignments=alignments)
