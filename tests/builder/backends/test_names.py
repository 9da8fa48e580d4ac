"""Names of backends stand in their own folders and in one registry: everything else asks a backend what it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import builder
from builder.backends import BACKENDS, backend_of
from builder.errors import BundleError

ROOT = Path(builder.__file__).parent
NAME = re.compile(rf"(?<![\w.-])({'|'.join(BACKENDS)})(?![\w-])")
REGISTRY = "backends/__init__.py"
# Places that keep a name, and why.
ALLOWED = {
    "cli.py": "an example in the help",
    "targets/android/runtimes.py": "what --runtime takes: the names of libraries in Maven, two of which are called as a backend is",
    "targets/ios/settings.py": "the key of [package.ios] that asks for the other runtime",
    "targets/ios/swift_package.py": "the folder of that runtime's package in mobile/ios",
}


def texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string of a file with its line, docstrings left out; and every module that it imports."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    said: set[int] = set()
    for node in ast.walk(tree):
        bodies = [node.body] if isinstance(node, documented) else []
        for statement in (statement for body in bodies for statement in body):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                said.add(id(statement.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.lineno, node.value
        elif isinstance(node, ast.Import):
            yield node.lineno, " ".join(alias.name.replace(".", " ") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("builder.backends"):
            words = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield node.lineno, " ".join(words)


def test_no_other_room_names_a_backend() -> None:
    """Neither as a string nor by importing from its folder; what keeps a name is listed with the reason."""
    own = tuple(f"backends/{name}/" for name in BACKENDS)
    found: dict[str, list[int]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        if place.startswith((*own, "_mobile/")) or place == REGISTRY:
            continue
        for line, text in texts(ast.parse(path.read_text(encoding="utf-8"))):
            if NAME.search(text):
                found.setdefault(place, []).append(line)
    assert set(found) - set(ALLOWED) == set(), found
    assert set(ALLOWED) == set(found), "an entry that is not needed any more"


def test_a_backend_is_registered_under_its_own_name() -> None:
    """And no two have a key of a variant, or an artifact's suffix, in common: both tell which one is meant."""
    assert {name: backend.SPEC.name for name, backend in BACKENDS.items()} == {name: name for name in BACKENDS}
    keys = [key for backend in BACKENDS.values() for key in backend.options_kind().model_fields]
    assert len(set(keys)) == len(keys)
    assert len({backend.SPEC.suffix for backend in BACKENDS.values()}) == len(BACKENDS)


def test_a_bundle_for_a_backend_that_is_not_there_is_refused() -> None:
    """A manifest may come from another edgebundle; its model takes any name, whoever runs a variant does not."""
    with pytest.raises(
        BundleError, match=r"variant 'v' is for the backend 'other', which .* \(it has tflite, .*rebuild the bundle"
    ):
        backend_of("other", variant="v")
