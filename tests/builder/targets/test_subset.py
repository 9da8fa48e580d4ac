"""A bundle with fewer variants: what a package carries is whole and consistent, and nothing that it has no use for."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.bundle import Bundle, hash_file, list_tree
from builder.errors import ConfigError
from builder.targets.subset import write_subset
from tests.bundles import make_unopened_bundle


@pytest.fixture
def small(tmp_path: Path) -> Bundle:
    return make_unopened_bundle(tmp_path / "small")


def test_what_only_others_use_is_left_out(small: Bundle, tmp_path: Path) -> None:
    """The kept variant's file and golden are there with their hashes; the other's file is neither there nor listed."""
    made = write_subset(small, (".pte",), tmp_path / "made")
    assert [variant.id for variant in made.manifest.variants] == ["executorch-fp32"]
    there = {path.relative_to(made.root).as_posix() for path in list_tree(made.root)} - {"manifest.json"}
    assert there == {entry.file for entry in made.manifest.files}
    assert "variants/small.pte" in there
    assert not any(name.endswith(".tflite") for name in there)
    assert [outputs.variant for golden in made.manifest.goldens for outputs in golden.expected] == ["executorch-fp32"]
    assert all(hash_file(made.path(entry.file)) == entry.sha256 for entry in made.manifest.files)


def test_variants_whose_pictures_are_alike_share_one(small: Bundle, tmp_path: Path) -> None:
    """Two variants of one network give one expected picture, which is stored once."""
    made = write_subset(small, (".tflite",), tmp_path / "made")
    files = [
        tensor.file for golden in made.manifest.goldens for outputs in golden.expected for tensor in outputs.tensors
    ]
    assert len(files) == 2
    assert len(set(files)) == 1


def test_a_bundle_with_nothing_to_run_says_what_to_add(small: Bundle, tmp_path: Path) -> None:
    """The backend whose files the package runs, as builder.toml names it."""
    with pytest.raises(
        ConfigError, match=r'no variant for coreml \(it has tflite-first, .*backend = "coreml" to builder.toml'
    ):
        write_subset(small, (".mlpackage",), tmp_path / "made")
