"""The builder with something added as CONTRIBUTING.md says: a folder or a file each, and one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.builder.processes import make_own_servers
from tests.builder.projects import edit

ROOT = Path(__file__).resolve().parents[3]
FAKES = Path(__file__).resolve().parent
LIMIT_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Added:
    """One folder or file of the fakes and its place; and the line of the registry that it comes behind."""

    what: str
    place: str
    behind: str

    @property
    def name(self) -> str:
        """As the registry knows it."""
        return Path(self.place).stem

    @property
    def registry(self) -> Path:
        """The visible dict: of its package, or of the package above for rewrites."""
        home = Path(self.place).parent
        return (home.parent if home.name == "rewrites" else home) / "__init__.py"


ADDED = (
    Added(what="backend", place="builder/backends/fake", behind='    "executorch": executorch,\n'),
    Added(what="delegate.py", place="builder/backends/tflite/delegates/abacus.py", behind='    "gpu": gpu,\n'),
    Added(
        what="rewrite.py",
        place="builder/legalize/rewrites/fake.py",
        behind='    "selected_filters": selected_filters,\n',
    ),
    Added(what="target", place="builder/targets/fake", behind='    "web": web,\n'),
)


def grow(root: Path) -> Path:
    """A copy of the builder and the harness in `root` with all of them; what else a checkout has is linked."""
    for name in ("builder", "harness"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("mobile", "pyproject.toml"):
        (root / name).symlink_to(ROOT / name)
    for added in ADDED:
        source, place = FAKES / added.what, root / added.place
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, place)
        package = added.place.removesuffix(".py").rpartition("/")[0].replace("/", ".")
        registry = root / added.registry
        edit(registry, added.behind, f'{added.behind}    "{added.name}": {added.name},\n')
        text = registry.read_text(encoding="utf-8")
        first = text.index(f"from {package} import")
        registry.write_text(f"{text[:first]}from {package} import {added.name}\n{text[first:]}", encoding="utf-8")
    return root


def builder(root: Path, cache: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The grown builder's command."""
    return run("builder", root, cache, *words)


def harness(root: Path, cache: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The harness's, beside the grown builder."""
    return run("harness", root, cache, *words)


def run(command: str, root: Path, cache: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    surroundings = make_own_servers(cache, PYTHONPATH=str(root))
    return subprocess.run(
        [sys.executable, "-m", command, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=surroundings,
        cwd=root,
        check=False,
    )
