"""What `import builder` and `import harness` promise: every public name works, again and again, and its types are seen."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import tomllib
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

import builder
import harness
from harness.records.store import open_store
from tests.builder.projects import make_project

ROOT = Path(__file__).resolve().parent.parent
TRAIN = "[train]\nsteps = 2\nbatch = 1\ncrop = 16\n[train.loss]\nidentity = 1.0\n"
COMPRESS = '[compress]\nstages = ["prune"]\nbudget = { max_parameters = 0.8 }\n'
SEARCH = '[[variant]]\nbackend = "tflite"\ndelegate = "xnnpack"\nid = "found"\n[variant.search]\nobjective = "bytes"\nmin_psnr_db = 20.0\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small project with one variant of a uniform scheme, and beside it the same network with a search."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    made = make_project(tmp_path / "project")
    config = (made / "builder.toml").read_text(encoding="utf-8").split("[[variant]]")
    (made / "builder.toml").write_text(f"{config[0]}[[variant]]{config[1]}", encoding="utf-8")
    (made / "searched.toml").write_text(config[0] + SEARCH, encoding="utf-8")
    (made / "compressed.toml").write_text(f"{config[0]}[[variant]]{config[1]}{COMPRESS}", encoding="utf-8")
    (made / "trained.toml").write_text(f"{config[0]}[[variant]]{config[1]}{TRAIN}", encoding="utf-8")
    return made


@pytest.mark.filterwarnings("ignore:.*training pictures:builder.BuilderWarning")
@pytest.mark.filterwarnings("ignore:.*is a bundle, so no:builder.BuilderWarning")
def test_every_public_name_can_be_called_twice_in_one_process(tmp_path: Path, project: Path) -> None:
    """A function that a submodule of the same name hides after its first call is found here."""
    bundle, runs = tmp_path / "bundle", str(tmp_path / "runs.jsonl")
    open_store(runs, create=True).close()

    def package() -> object:
        return builder.package(bundle, target="android", formats=["project"], out=tmp_path / "dist")

    def open_device() -> None:
        with harness.open_device("host"):
            pass

    numbers = count()
    calls: dict[str, Callable[[], object]] = {
        "builder.init": lambda: builder.init(project / "small.safetensors", out=project / f"init{next(numbers)}.toml"),
        "builder.check": lambda: builder.check(project / "builder.toml"),
        "builder.plan": lambda: builder.plan(project / "builder.toml"),
        "builder.inspect": lambda: builder.inspect(project / "builder.toml"),
        "builder.doctor": builder.doctor,
        "builder.export": lambda: builder.export(
            project / "builder.toml", formats=["torchscript"], out=tmp_path / "exported"
        ),
        "builder.convert": lambda: builder.convert(project / "builder.toml", out=bundle),
        "builder.compress": lambda: builder.compress(project / "compressed.toml", out=tmp_path / "small"),
        "builder.train": lambda: builder.train(project / "trained.toml", out=tmp_path / "trained"),
        "builder.search": lambda: builder.search(project / "searched.toml"),
        "builder.verify": lambda: builder.verify(bundle),
        "builder.run": lambda: builder.run(bundle, [project / "evaluation" / "0.png"], out=tmp_path / "pictures"),
        "builder.evaluate": lambda: builder.evaluate(
            bundle, [project / "evaluation" / "0.png"], source=project / "builder.toml", out=tmp_path / "evaluated"
        ),
        "builder.package": package,
        "harness.version": harness.version,
        "harness.open_device": open_device,
        "harness.measure": lambda: harness.measure(bundle, devices=["host"], store=runs),
        "harness.compare": lambda: harness.compare(runs, runs),
    }
    public = {f"{module.__name__}.{name}" for module in (builder, harness) for name in module.__all__}
    assert set(calls) == {
        name for name in public if name.rpartition(".")[2] not in ("__version__", "BuilderWarning", "Progress")
    }
    for call in (*calls.values(), *calls.values()):
        call()


@pytest.mark.parametrize("package", [builder, harness])
def test_no_module_at_the_root_bears_the_name_of_a_public_function(package: object) -> None:
    """Importing such a module would put it in the place of the function."""
    name = package.__name__  # type: ignore[attr-defined]
    for public in package.__all__:  # type: ignore[attr-defined]
        found = importlib.util.find_spec(f"{name}.{public}")
        assert found is None or found.loader is None, (
            public
        )  # a folder without modules may be left of an older checkout


def test_both_packages_carry_their_types() -> None:
    """Type checkers of users read `py.typed`; it travels in the wheel (tests/test_wheel.py)."""
    assert [(ROOT / name / "py.typed").is_file() for name in ("builder", "harness")] == [True, True]


def test_the_classes_that_public_functions_return_have_docstrings() -> None:
    """Every module that `builder` and `harness` name in their signatures stands in ruff's list of files whose docstrings are asked for."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    listed = next(pattern for pattern in settings["per-file-ignores"] if pattern.startswith("!"))
    for package in (builder, harness):
        tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
        guarded = [node for node in tree.body if isinstance(node, ast.If)]
        named = [child for node in guarded for child in node.body if isinstance(child, ast.ImportFrom)]
        assert named
        for found in named:
            for alias in found.names:
                made = getattr(importlib.import_module(str(found.module)), alias.name)
                folder, _, file = made.__module__.rpartition(".")
                listing = re.escape(folder.replace(".", "/"))
                assert re.search(rf"{listing}/({file}|\{{[^}}]*\b{file}\b[^}}]*\}})(,|\}})", listed), made
