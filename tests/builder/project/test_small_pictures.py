"""Pictures that a network's input enlarges are told."""

from __future__ import annotations

from pathlib import Path

from builder.project.config import InputSection
from builder.project.data import DataFile, DataSets
from builder.project.small_pictures import find_small
from tests.builder.projects import write_pictures


def test_pictures_of_less_than_half_the_input_are_counted_and_one_is_named(tmp_path: Path) -> None:
    """Larger ones, and files that are no pictures, are not."""
    write_pictures(tmp_path / "small", 2, seed=1, size=20)
    write_pictures(tmp_path / "large", 2, seed=2, size=64)
    (tmp_path / "large/2.npz").write_bytes(b"no picture")
    sets = {
        name: tuple(DataFile(path=path, sha256=path.name) for path in sorted((tmp_path / name).iterdir()))
        for name in ("small", "large")
    }
    section = InputSection(name="image", kind="image", shape=(1, 3, 64, 96), range=(0, 1))
    assert find_small(DataSets(calibration=sets["large"], evaluation=sets["small"]), (section,)) == (
        "2 of 2 evaluation pictures are smaller than half of the network's 96 x 64 (0.png is 20 x 20): enlarged they have no detail; "
        "use larger ones.",
    )
    assert find_small(DataSets(calibration=(), evaluation=sets["large"]), (section,)) == ()
