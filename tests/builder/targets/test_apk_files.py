"""Zip alignment and ELF reading, on generated input and against pyelftools."""

from __future__ import annotations

import io
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builder.targets.android import apkzip
from builder.targets.android.elf import read_elf
from builder.targets.android.host import framework, prebuilt
from builder.targets.mobile import mobile_root

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\\", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: not name.endswith("/"))
ENTRIES = st.dictionaries(
    NAMES, st.tuples(st.binary(max_size=600), st.sampled_from([None, 4, 64, 4096, 16384])), max_size=8
)


@settings(max_examples=60, deadline=None)
@given(ENTRIES)
def test_stored_entries_are_aligned(content: dict[str, tuple[bytes, int | None]]) -> None:
    """Whatever the names and sizes: sorted, readable, unchanged, every stored entry at a multiple of its alignment, repeatable."""
    entries = [apkzip.Entry(name=name, source=data, alignment=alignment) for name, (data, alignment) in content.items()]
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "a.zip", Path(folder) / "b.zip"
        apkzip.write(first, entries)
        apkzip.write(second, reversed(entries))
        assert first.read_bytes() == second.read_bytes()
        with zipfile.ZipFile(first) as archive:
            assert archive.namelist() == sorted(content)
            assert archive.testzip() is None
            for info in archive.infolist():
                data, alignment = content[info.filename]
                assert archive.read(info) == data
                assert (info.compress_type == zipfile.ZIP_STORED) == (alignment is not None)
                if alignment is not None:
                    at = apkzip.data_offset(first, info)
                    assert at % alignment == 0
                    assert first.read_bytes()[at : at + len(data)] == data


def test_name_given_twice_is_refused(tmp_path: Path) -> None:
    """Two files for one name would let a phone read another one than the audit."""
    with pytest.raises(ValueError, match="two files for a"):
        apkzip.write(tmp_path / "x.zip", [apkzip.Entry(name="a", source=b"1"), apkzip.Entry(name="a", source=b"2")])


def test_elf_reader_agrees_with_pyelftools() -> None:
    """Class and segment alignments of the packaged libraries and of this machine's own are those that pyelftools reads."""
    libraries = list(prebuilt(mobile_root() / "android").libraries.values())
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
    data = bytearray(library_start())
    data[at] = value
    try:
        elf = read_elf(bytes(data[:length]))
    except ValueError:
        return
    assert elf.bits in (32, 64)


@cache
def library_start() -> bytes:
    """The first 4 KB of a packaged library, read once: hypothesis calls its tests many times."""
    path = next(iter(prebuilt(mobile_root() / "android").libraries.values()))
    return path.read_bytes()[:4096]


def test_framework_table_is_refused_when_it_is_none() -> None:
    """What is no resource table is not rewritten into one."""
    with pytest.raises(ValueError, match="not a resource table"):
        framework.long_table(b"\x03\x00\x08\x00" + bytes(20))
