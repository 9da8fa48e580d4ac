"""Zip alignment, on generated input."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.targets.android import apkzip
from builder.targets.android.host import framework

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
                    at = apkzip.find_data_offset(first, info)
                    assert at % alignment == 0
                    assert first.read_bytes()[at : at + len(data)] == data


def test_name_given_twice_is_refused(tmp_path: Path) -> None:
    """Two files for one name would let a phone read another one than the audit."""
    with pytest.raises(ValueError, match="two files for a"):
        apkzip.write(tmp_path / "x.zip", [apkzip.Entry(name="a", source=b"1"), apkzip.Entry(name="a", source=b"2")])


def test_framework_table_is_refused_when_it_is_none() -> None:
    """What is no resource table is not rewritten into one."""
    with pytest.raises(ValueError, match="not a resource table"):
        framework.lengthen_table(b"\x03\x00\x08\x00" + bytes(20))
