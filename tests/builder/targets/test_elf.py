"""The reader of ELF files, against pyelftools on the packaged libraries and on damaged ones."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

from elftools.elf.elffile import ELFFile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builder.targets.android.elf import read_elf
from builder.targets.android.host import provide_prebuilt
from builder.targets.mobile import find_mobile_root


def test_elf_reader_agrees_with_pyelftools() -> None:
    """Class and segment alignments of the packaged libraries and of this machine's own are those that pyelftools reads."""
    libraries = list(provide_prebuilt(find_mobile_root() / "android").libraries.values())
    libraries += sorted(Path("/usr/lib").glob("*-linux-gnu/libz.so*"))[:1]
    assert len(libraries) >= 3
    for path in libraries:
        data = path.read_bytes()
        other = ELFFile(io.BytesIO(data))
        wanted = tuple(s["p_align"] for s in other.iter_segments() if s["p_type"] == "PT_LOAD")
        elf = read_elf(data)
        assert (elf.bits, elf.alignments) == (other.elfclass, wanted)
        assert wanted


@settings(max_examples=200)
@given(st.integers(0, 4000), st.integers(0, 255), st.integers(0, 4096))
@example(at=39, value=128, length=58)  # a program header offset beyond what a pointer can hold
def test_damaged_elf_never_crashes(at: int, value: int, length: int) -> None:
    """Any changed or cut header is read or refused by ValueError, nothing else."""
    data = bytearray(read_library_start())
    data[at] = value
    try:
        elf = read_elf(bytes(data[:length]))
    except ValueError:
        return
    assert elf.bits in (32, 64)


@cache
def read_library_start() -> bytes:
    """The first 4 KB of a packaged library, read once: hypothesis calls its tests many times."""
    path = next(iter(provide_prebuilt(find_mobile_root() / "android").libraries.values()))
    return path.read_bytes()[:4096]
