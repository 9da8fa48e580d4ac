"""The wheel, installed on its own as a device lab does it: both commands work without any converter."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 900.0


def run(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(w) for w in words], cwd=cwd, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def lab(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a clean environment with edgebundle[harness]."""
    folder = tmp_path_factory.mktemp("lab") / "env"
    assert run(sys.executable, "-m", "venv", folder).returncode == 0
    done = run(
        folder / "bin/python",
        "-m",
        "pip",
        "install",
        "-q",
        "-c",
        ROOT / "constraints.txt",
        f"edgebundle[harness] @ {wheel.as_uri()}",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "bin"


def test_the_wheel_carries_the_mobile_sources_and_the_schemas(wheel: Path) -> None:
    """What packaging needs is inside, and nothing built or cached is."""
    names = zipfile.ZipFile(wheel).namelist()
    assert "builder/_mobile/android/settings.gradle.kts" in names
    assert {"builder/py.typed", "harness/py.typed"} <= set(names)
    assert any(name.startswith("builder/_mobile/runner/") for name in names)
    assert any(name.endswith("LICENSE") for name in names)
    assert [name for name in names if "__pycache__" in name or "/build/" in name] == []


@pytest.mark.parametrize("program", ["builder", "harness"])
def test_help_and_version_work_without_torch(lab: Path, tmp_path: Path, program: str) -> None:
    """In an environment without any converter the commands start; nowhere near a converter's import time."""
    assert run(lab / "python", "-c", "import torch").returncode != 0
    start = time.monotonic()
    done = run(lab / program, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert program in done.stdout
    assert time.monotonic() - start < 30
    assert "0.1.0" in run(lab / program, "--version", cwd=tmp_path).stdout


@pytest.mark.usefixtures("adb_environment")
def test_a_lab_lists_its_devices_and_is_told_what_is_missing(lab: Path, tmp_path: Path) -> None:
    """`harness devices` answers; `builder doctor` names the extra to install and exits 3; no traceback."""
    done = run(lab / "harness", "devices", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    done = run(lab / "builder", "doctor", cwd=tmp_path)
    assert done.returncode == 3
    assert "pip install 'edgebundle[tflite]'" in done.stdout
    assert "Traceback" not in done.stderr


def test_converting_without_the_extra_names_it(lab: Path, tmp_path: Path) -> None:
    """A builder without converters says which extra to install, and exits 3."""
    done = run(lab / "builder", "convert", ROOT / "examples" / "tiny_style", "-o", tmp_path / "bundle", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "pip install 'edgebundle[" in done.stderr
    assert not (tmp_path / "bundle").exists()
