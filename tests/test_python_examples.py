"""The Python that the documents show does what it says, as a user types it, on a network of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import builder
import harness
from builder.bundle import Bundle
from scripts.reference.functions import find_example
from tests.builder.projects import make_project, write_pictures

PAGE = Path(__file__).resolve().parent.parent / "docs" / "python.md"


@pytest.mark.filterwarnings("ignore::builder.BuilderWarning")
def test_the_examples_of_the_python_api_run(
    tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the how-to's, which makes the builder.toml and the bundle, then those of the reference."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(shared_cache))
    folder = make_project(tmp_path / "project")
    for name in ("builder.toml", "plan.toml"):
        (folder / name).unlink()
    (folder / "small.safetensors").rename(folder / "my_style.safetensors")
    for number, pictures in enumerate(("calibration", "evaluation")):
        write_pictures(folder / pictures, 2, seed=number, size=256)
    (folder / "evaluation" / "0.png").rename(folder / "cat.jpg")
    monkeypatch.chdir(folder)

    page = re.findall(r"```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(page) == 1
    said: dict[str, object] = {}
    exec(page[0], said)
    assert said["faults"] == []
    assert isinstance(said["bundle"], Bundle)
    assert (folder / "out" / "pictures").is_dir()
    assert list((folder / "dist").iterdir())

    exec(find_example(builder), {})
    measured: dict[str, list[object]] = {}
    exec(find_example(harness), measured)
    assert len(measured["verdicts"]) >= 1
    assert (folder / "runs.sqlite").is_file()
