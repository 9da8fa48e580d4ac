"""The harness's cache: an entry is complete or not there, whoever is killed or fails while making it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from builder import process
from harness.cache import find_cache_root, make_entry
from harness.devices.runner import binaries as runner_binaries
from harness.errors import HarnessError

KILLED = """
import os, signal
from harness.cache import make_entry
def make(folder):
    (folder / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
make_entry("things/one", make)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(folder: Path) -> None:
    (folder / "file").write_text("whole", encoding="utf-8")


def test_made_once(cache: Path) -> None:
    """An entry is made on first use only."""
    make_entry("things/one", write)

    def never(folder: Path) -> None:
        raise AssertionError("made a second time")

    assert (make_entry("things/one", never) / "file").read_text(encoding="utf-8") == "whole"


def test_killed_while_making(cache: Path) -> None:
    """What a killed process left is neither taken for an entry nor left lying."""
    source = Path(__file__).parents[2]
    done = process.run([sys.executable, "-c", KILLED], timeout_s=60, cwd=source, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (cache / "things" / "one").exists()
    assert [path.name for path in make_entry("things/one", write).iterdir()] == ["file"]
    assert sorted(path.name for path in (cache / "things").iterdir()) == ["one", "one.lock"]


def test_a_failure_leaves_nothing(cache: Path) -> None:
    """An error while making passes through, and the next call makes the entry anew."""

    def fail(folder: Path) -> None:
        write(folder)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        make_entry("things/one", fail)
    assert not (cache / "things" / "one").exists()
    assert make_entry("things/one", write).is_dir()


def test_a_cache_that_cannot_be_written(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache below a file is one sentence that names the variable to set."""
    cache.write_text("a file", encoding="utf-8")
    with pytest.raises(HarnessError, match="set EDGEBUNDLE_CACHE"):
        make_entry("things/one", write)


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without EDGEBUNDLE_CACHE the XDG directory is used."""
    monkeypatch.delenv("EDGEBUNDLE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert find_cache_root() == tmp_path / "xdg" / "edgebundle"


def test_sources_of_an_installed_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installed wheel's runner sources are used, and the repository's where there are none."""
    assert (runner_binaries.find_runner_sources() / "benchmark.cpp").is_file()
    (tmp_path / "_mobile" / "runner").mkdir(parents=True)
    monkeypatch.setattr("harness.devices.runner.binaries.resources.files", lambda package: tmp_path)
    assert runner_binaries.find_runner_sources() == tmp_path / "_mobile" / "runner"
    os.rmdir(tmp_path / "_mobile" / "runner")
    assert runner_binaries.find_runner_sources() == Path(__file__).parents[2] / "mobile" / "runner"
