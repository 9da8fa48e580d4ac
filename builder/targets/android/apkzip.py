"""APK archives: written with sorted names, fixed times and aligned stored entries; read as a phone maps them."""

from __future__ import annotations

import itertools
import shutil
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# A library is mapped from the archive: the largest page size of 64-bit devices.
LIBRARY_ALIGNMENT = 16384
# The widest load of the runtimes' kernels.
MODEL_ALIGNMENT = 64
# What the resource reader of Android asks of resources.arsc.
OTHER_ALIGNMENT = 4
# One time for all entries, so that equal inputs give equal bytes; zip knows none before 1980.
FIXED_TIME = (1981, 1, 1, 1, 1, 2)
# Extra field of apksig: u16 alignment, then padding.
ALIGNMENT_EXTRA = 0xD935
LOCAL_HEADER = struct.Struct("<IHHHHHIIIHH")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file to add: its name in the archive, its content, and its alignment when it is stored (None: compressed)."""

    name: str
    source: Path | bytes
    alignment: int | None = None


def write(out: Path, entries: Iterable[Entry]) -> None:
    """Write the entries in the order of their names. Equal entries give equal bytes. Raises ValueError for a name given twice."""
    ordered = sorted(entries, key=lambda e: e.name)
    for first, second in itertools.pairwise(ordered):
        if first.name == second.name:
            raise ValueError(f"two files for {first.name} in {out.name}")
    with out.open("wb") as raw, zipfile.ZipFile(raw, "w") as archive:
        for entry in ordered:
            info = zipfile.ZipInfo(entry.name, FIXED_TIME)
            info.create_system = 3  # Unix, whatever wrote it
            info.external_attr = 0o644 << 16
            if entry.alignment is None:
                info.compress_type = zipfile.ZIP_DEFLATED
                info._compresslevel = 9  # type: ignore[attr-defined]  # not settable otherwise together with a ZipInfo
            else:
                info.extra = make_alignment_field(
                    raw.tell() + LOCAL_HEADER.size + len(entry.name.encode()), entry.alignment
                )
            info.file_size = len(entry.source) if isinstance(entry.source, bytes) else entry.source.stat().st_size
            with archive.open(info, "w") as target:
                if isinstance(entry.source, bytes):
                    target.write(entry.source)
                else:
                    with entry.source.open("rb") as stream:
                        shutil.copyfileobj(stream, target, 1 << 20)


def make_alignment_field(at: int, alignment: int) -> bytes:
    """The extra field, placed at offset `at`, after which data starts at a multiple of `alignment`."""
    padding = -(at + 6) % alignment
    return struct.pack("<HHH", ALIGNMENT_EXTRA, 2 + padding, alignment) + bytes(padding)


def find_data_offset(archive: Path, info: zipfile.ZipInfo) -> int:
    """Where an entry's data starts in the file, from its local header."""
    with archive.open("rb") as stream:
        stream.seek(info.header_offset)
        header = LOCAL_HEADER.unpack(stream.read(LOCAL_HEADER.size))
    return info.header_offset + LOCAL_HEADER.size + int(header[9]) + int(header[10])
