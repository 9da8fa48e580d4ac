"""Which tests are fast is read from their sources: one that starts nothing is, beside others that do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.fast import Watch, is_left_out, is_slow

STARTS = """
import subprocess
import pytest
from tests.small_models import SHAPE, make_small_models
from tests.bundles import make_bundle, make_unopened_bundle

def start():
    return subprocess.run(["true"])

def again(count):
    return again(count - 1) if count else start()

@pytest.fixture
def models():
    return make_small_models()

@pytest.fixture
def deep(models):
    return models

def test_plain(): assert SHAPE
def test_unopened(tmp_path): make_unopened_bundle(tmp_path)
def test_starts(): start()
def test_by_a_helper(): again(3)
def test_imports_inside():
    import torch
def test_by_a_fixture(deep): assert deep
@pytest.mark.usefixtures("models")
def test_by_a_mark(): pass
def test_by_another_file(tmp_path): make_bundle(tmp_path)
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "test_them.py"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("name", ["test_plain", "test_unopened"])
def test_a_test_that_starts_nothing_is_fast(tmp_path: Path, name: str) -> None:
    """Whatever stands beside it in its file, and whatever the file imports that is not heavy."""
    assert not is_slow(write(tmp_path, STARTS), name)


@pytest.mark.parametrize(
    "name",
    [
        "test_starts", "test_by_a_helper", "test_imports_inside", "test_by_a_fixture", "test_by_a_mark", "test_by_another_file",
    ],
)  # fmt: skip
def test_a_test_that_starts_something_is_slow(tmp_path: Path, name: str) -> None:
    """By itself, by a function that calls itself, by a fixture of a fixture, by a mark, and by a helper of another file."""
    assert is_slow(write(tmp_path, STARTS), name)


@pytest.mark.parametrize(
    "head", ["import torch", "from tests.builder.models import Model", "import onnx.helper as helper"]
)
def test_a_file_that_loads_a_converter_is_slow_as_a_whole(tmp_path: Path, head: str) -> None:
    """Importing it takes seconds; a run of the fast tests does not even collect it."""
    file = write(tmp_path, f"{head}\n\ndef test_plain(): pass\n")
    assert is_slow(file, "test_plain")
    assert is_left_out(file, "fast")
    assert not is_left_out(file, "")


def test_types_and_programs_are_not_loaded(tmp_path: Path) -> None:
    """An import for types alone, and what a file does when it is started as a program."""
    text = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n"
        "def test_plain(): pass\nif __name__ == '__main__':\n    import subprocess\n    subprocess.run(['true'])\n"
    )
    assert not is_slow(write(tmp_path, text), "test_plain")


def test_a_process_that_is_started_is_heard_of() -> None:
    """So that a fast test that starts one by a road that its source does not show fails."""
    watch = Watch()
    subprocess.run(["true"], check=True)
    assert "true" in watch.take()[0]
    assert watch.take() == []
