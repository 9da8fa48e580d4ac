"""Networks as people keep them: in packages, above the project, installed, beside files with names of the standard library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from builder.cli import main
from builder.project.config import load_config
from tests.builder.projects import MODEL, edit, make_project

POSTPONED = '''
from __future__ import annotations

from dataclasses import dataclass, field

@dataclass
class Options:
    """Dataclasses look up the module that they are made in."""

    width: int = 8
    names: list[str] = field(default_factory=list)
'''


def inspect(folder: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """`builder inspect` in a process of its own, as a user runs it, from another directory."""
    return subprocess.run(
        [sys.executable, "-m", "builder", "inspect", str(folder), "--json", "-q"],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def move_model(folder: Path, to: str, source: str) -> None:
    target = folder / to
    target.parent.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").rename(target)
    edit(folder / "builder.toml", 'source = "model:create"', f'source = "{source}"')


def test_a_package_with_relative_imports(project: Path, tmp_path: Path) -> None:
    """`nets.small.model:create`, whose module imports its neighbours by `.` and `..`."""
    move_model(project, "nets/small/net.py", "nets.small.model:create")
    for folder in ("nets", "nets/small"):
        (project / folder / "__init__.py").touch()
    (project / "nets/common.py").write_text("WIDTH = 8\n")
    (project / "nets/small/model.py").write_text(
        "from ..common import WIDTH\nfrom .net import create\nassert WIDTH == 8\n"
    )
    done = inspect(project, tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_package_names_its_factory_itself(project: Path, tmp_path: Path) -> None:
    """`nets:create`, from its `__init__.py`."""
    move_model(project, "nets/net.py", "nets:create")
    (project / "nets/__init__.py").write_text("from .net import create\n")
    done = inspect(project, tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_model_above_the_project(project: Path, tmp_path: Path) -> None:
    """`../shared/model:create`, with a neighbour that it imports."""
    move_model(project, "../shared/model.py", "../shared/model:create")
    (project / "../shared/widths.py").write_text("WIDTH = 8\n")
    edit(project / "../shared/model.py", "import torch\n", "import torch\nfrom widths import WIDTH\n")
    done = inspect(project, tmp_path)
    assert done.returncode == 0, done.stderr


def test_an_installed_module_with_arguments(project: Path, tmp_path: Path) -> None:
    """`torch.nn:Conv2d`; a seed is no matter, because the checkpoint has all."""
    import torch
    from safetensors.torch import save_file

    edit(project / "builder.toml", 'source = "model:create"', 'source = "torch.nn:Conv2d"')
    edit(
        project / "builder.toml",
        'licence = "Apache-2.0"',
        'licence = "Apache-2.0"\narguments = { in_channels = 3, out_channels = 3, kernel_size = 3, padding = 1 }',
    )
    save_file({"weight": torch.full((3, 3, 3, 3), 0.02), "bias": torch.zeros(3)}, project / "small.safetensors")
    done = inspect(project, tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"conv2d"' in done.stdout


def test_dataclasses_with_postponed_annotations(project: Path, tmp_path: Path) -> None:
    """In the module of the network."""
    (project / "model.py").write_text(POSTPONED + MODEL, encoding="utf-8")
    done = inspect(project, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["builder", "json", "logging", "torch_utils"])
def test_a_file_may_have_the_name_of_a_module(project: Path, tmp_path: Path, name: str) -> None:
    """As the source, and beside it."""
    (project / "random.py").write_text("raise RuntimeError('not meant')\n")
    move_model(project, f"{name}.py", f"{name}:create")
    done = inspect(project, tmp_path)
    assert done.returncode == 0, done.stderr


def test_what_is_nowhere_is_named(project: Path, tmp_path: Path) -> None:
    """Neither beside builder.toml nor installed."""
    edit(project / "builder.toml", 'source = "model:create"', 'source = "nowhere_at_all.zoo:create"')
    done = inspect(project, tmp_path)
    assert done.returncode == 2
    assert "does not exist; correct 'source'" in done.stderr


def test_init_names_a_package_by_its_own_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its relative imports work: builder.toml lies where the package does."""
    move_model(project, "nets/net.py", "unused")
    (project / "nets/__init__.py").write_text("from .net import create\n")
    (project / "builder.toml").unlink()
    monkeypatch.chdir(project)
    assert main(["init", "nets:create", "-q"]) == 0
    assert load_config(project).model.source == "nets:create"
    (project / "builder.toml").unlink()
    assert main(["init", "nets/net.py:create", "-q"]) == 0
    assert load_config(project).model.source == "nets.net:create"


def test_the_line_that_is_named_is_the_users(project: Path, tmp_path: Path) -> None:
    """Not one inside Python itself, whose frozen modules have no file."""
    edit(project / "model.py", "import torch\n", "import os\nimport torch\nKEY = os.environ['EDGEBUNDLE_NOWHERE']\n")
    done = inspect(project, tmp_path)
    assert done.returncode == 2
    assert "(model.py line 4)" in done.stderr
