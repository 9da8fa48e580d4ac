"""Which tests are fast: those that start no converter, process or emulator. Told from what a test file imports and from fixtures."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What starts a process, loads a converter, or drives something that does.
SLOW_IMPORTS = (
    "torch", "coremltools", "executorch", "litert_torch", "ai_edge_litert", "ai_edge_quantizer", "keras", "onnx", "onnxruntime", "skimage",
    "subprocess", "playwright", "psycopg", "distributed", "tests.emulated_phone", "tests.small_models", "tests.harness.small_bundle",
    "tests.harness.browser", "tests.builder.projects", "tests.builder.processes", "tests.ios.swift", "tests.android", "tests.bundles",
    "builder.workers.supervisor", "builder.workers.servers", "builder.pipeline", "builder.targets.android.host.provide_prebuilt",
    "scripts.formatting",
)  # fmt: skip
SLOW_FIXTURES = {
    "adb_server", "adb_environment", "small_bundle", "measured_store", "measured_runs", "shared_cache", "site", "browser", "host", "page",
}  # fmt: skip


def mark_fast(items: list[pytest.Item]) -> None:
    """Give the mark `fast` to the tests that `make fast` runs."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if not fixtures & SLOW_FIXTURES and not _reaches_slow(item.path):
            item.add_marker(pytest.mark.fast)


def is_left_out(path: Path, mark: str) -> bool:
    """Whether a run of the fast tests alone (`-m fast`) need not even import this file, or enter this folder.

    A collection would load every converter otherwise; a folder's conftest.py is imported when it is entered.
    """
    if mark != "fast":
        return False
    files = list(path.rglob("test_*.py")) if path.is_dir() else [path] if path.match("test_*.py") else []
    return bool(files) and all(_reaches_slow(file) for file in files)


@cache
def _reaches_slow(file: Path) -> bool:
    """Whether a test file imports something slow, inside functions too, or by another file of the tests."""
    for name in _imports(file):
        if any(name == slow or name.startswith(f"{slow}.") for slow in SLOW_IMPORTS):
            return True
        if name.startswith("tests.") and any(_reaches_slow(other) for other in _files(name) if other != file):
            return True
    return False


@cache
def _imports(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _files(name: str) -> list[Path]:
    """The file of a module of the tests, if it is one."""
    place = ROOT.joinpath(*name.split("."))
    return [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()]
