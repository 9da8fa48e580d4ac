"""Which tests are fast: those that start no converter, process or emulator. Read from the sources, before any of them is imported.

A file that loads a converter at its head is slow as a whole: importing it takes seconds. In every other file a test is slow where it, a
fixture of it, or a helper of the tests that either calls uses one of STARTING. A run of the fast tests alone also watches (`tests/conftest.py`):
one that starts a process fails.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What takes long to load: converters, runtimes, and what compares with them.
LOADING = (
    "torch", "coremltools", "executorch", "litert_torch", "ai_edge_litert", "ai_edge_quantizer", "keras", "onnx", "onnxruntime", "skimage",
    "psycopg", "distributed", "playwright",
)  # fmt: skip
# What starts a process, or drives something that does.
STARTING = (
    *LOADING, "subprocess", "multiprocessing", "tests.web", "tests.ios.swift", "tests.android",
    "builder.process.run", "builder.process.run_limited", "builder.process.run_beside", "builder.workers.supervisor",
    "builder.workers.servers", "builder.pipeline.story", "builder.targets.android.tools", "builder.targets.android.aab",
    "builder.targets.android.host", "builder.targets.android.doctor", "scripts.formatting", "harness.devices.find_devices",
    "harness.devices.android.adb.list_devices", "harness.devices.android.adb_program", "harness.devices.runner.binaries.build_runner_bundle",
    "tests.emulated_phone.AdbServer", "tests.emulated_phone.EmulatedPhone",
    "tests.harness.devices.adb_doubles", "tests.harness.devices.ios_standin", "tests.small_models.make_small_models",
    "builder.check", "builder.compress", "builder.convert", "builder.doctor", "builder.evaluate", "builder.export", "builder.init",
    "builder.inspect", "builder.package", "builder.plan", "builder.run", "builder.search", "builder.verify",
)  # fmt: skip

Definition = ast.stmt


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file of the tests: what it defines at its top, and what its names are imported from."""

    definitions: dict[str, Definition] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)
    fixtures: dict[str, Definition] = field(default_factory=dict)
    """By the name that tests ask for them; those for all tests under `autouse` too."""
    loose: tuple[Definition, ...] = ()
    """What runs when the file is imported."""


def mark_fast(items: list[pytest.Item]) -> None:
    """Give the mark `fast` to the tests that `make fast` runs."""
    for item in items:
        if not is_slow(item.path, item.name.partition("[")[0]):
            item.add_marker(pytest.mark.fast)


class Watch:
    """Hears of each process that this one starts, from the interpreter itself, for as long as it lives."""

    # What `platform` of Python asks once, for whoever wants to know the processor.
    ITSELF = "['uname', '-p']"
    EVENTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec")

    def __init__(self) -> None:
        self._started: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in self.EVENTS and self.ITSELF not in map(str, arguments):
            self._started.append(f"{event} {arguments[1] if len(arguments) > 1 else ''}".strip())

    def take(self) -> list[str]:
        """What was started since the last call."""
        started, self._started = self._started, []
        return started


def is_left_out(path: Path, mark: str) -> bool:
    """Whether a run of the fast tests alone (`-m fast`) need not even import this file, or enter this folder.

    A collection would load every converter otherwise; a folder's conftest.py is imported when it is entered.
    """
    if mark != "fast":
        return False
    files = list(path.rglob("test_*.py")) if path.is_dir() else [path] if path.match("test_*.py") else []
    return bool(files) and all(is_slow(file, test) for file in files for test in _tests(file))


def is_slow(file: Path, test: str) -> bool:
    """Whether a test starts something, or stands in a file whose import does."""
    return _loads(file) or _reaches(file, test)


def _tests(file: Path) -> Iterator[str]:
    return (name for name, node in read(file).definitions.items() if name.startswith("test_") and _is_function(node))


@cache
def read(file: Path) -> Source:
    """The file's parts. Imports for types alone are none, and what it does as a program is not done when it is imported."""
    source, loose = Source(), list[Definition]()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            source.imported.update(_imports(node))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            source.definitions[node.name] = node
            source.fixtures.update(_fixture(node))
        elif not (isinstance(node, ast.If) and re.search("TYPE_CHECKING|__name__", ast.unparse(node.test))):
            loose.append(node)
            names = [
                part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            ]
            source.definitions.update(dict.fromkeys(names, node))
    return Source(
        definitions=source.definitions, imported=source.imported, fixtures=source.fixtures, loose=tuple(loose)
    )


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _imports(node: ast.AST) -> dict[str, str]:
    """What an import statement gives a name to: name -> full name."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else alias.name.partition(".")[0]
            for alias in node.names
        }
    if isinstance(node, ast.ImportFrom) and node.module:
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {}


def _fixture(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> dict[str, Definition]:
    words = [ast.unparse(decorator) for decorator in node.decorator_list]
    if not any(word.startswith("pytest.fixture") for word in words):
        return {}
    return {node.name: node} | ({"autouse": node} if any("autouse=True" in word for word in words) else {})


@cache
def _loads(file: Path) -> bool:
    """Whether importing the file loads or starts something: by its head, that of a helper, or by what runs there."""
    source = read(file)
    for name in source.imported.values():
        if _is_one_of(name, LOADING) or any(_loads(other) for other in _files(name) if other != file):
            return True
    return any(_uses(file, node) for node in source.loose if any(isinstance(part, ast.Call) for part in ast.walk(node)))


@cache
def _reaches(file: Path, name: str) -> bool:
    """Whether what a file calls so uses one of STARTING; a name that it does not know uses none."""
    source = read(file)
    if name in source.imported:
        return _is_starting(source.imported[name])
    node = source.definitions.get(name)
    if node is None or (file, name) in _asked:
        return False
    _asked.add((file, name))
    try:
        return _uses(file, node)
    finally:
        _asked.discard((file, name))


_asked: set[tuple[Path, str]] = set()  # what is being looked into: a function that calls itself is not asked again


def _is_starting(full: str) -> bool:
    if _is_one_of(full, STARTING):
        return True
    module, _, name = full.rpartition(".")
    return any(_reaches(other, name) for other in _files(module)[:1]) if module.startswith("tests") else False


def _uses(file: Path, node: ast.AST) -> bool:
    source = read(file)
    for part in ast.walk(node):
        if any(map(_is_starting, _imports(part).values())):
            return True
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) and _reaches(file, part.id):
            return True
        if (
            isinstance(part, ast.Attribute)
            and isinstance(part.value, ast.Name)
            and part.value.id in source.imported
            and _is_starting(f"{source.imported[part.value.id]}.{part.attr}")
        ):
            return True
    return any(_is_slow_fixture(file, name) for name in _list_asked_fixtures(node))


def _list_asked_fixtures(node: ast.AST) -> Iterator[str]:
    """The fixtures of a test, or of another fixture: its arguments, and those that a mark names."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if node.name.startswith("test_") or _fixture(node):
        yield from (argument.arg for argument in (*node.args.args, *node.args.kwonlyargs))
        yield "autouse"
    for decorator in node.decorator_list:
        if "usefixtures" in ast.unparse(decorator) and isinstance(decorator, ast.Call):
            yield from (str(word.value) for word in decorator.args if isinstance(word, ast.Constant))


def _is_slow_fixture(file: Path, name: str) -> bool:
    """By the nearest definition: of the file, one that it imports, or one of a conftest.py above it."""
    for place in (file, *(folder / "conftest.py" for folder in file.parents if folder.is_relative_to(ROOT / "tests"))):
        if not place.is_file():
            continue
        source = read(place)
        if (node := source.fixtures.get(name)) is not None:
            node_name = getattr(node, "name", name)
            return _reaches(place, node_name)
        if name in source.imported:
            return _is_starting(source.imported[name])
    return False


def _is_one_of(full: str, names: tuple[str, ...]) -> bool:
    return any(full == name or full.startswith(f"{name}.") for name in names)


@cache
def _files(name: str) -> tuple[Path, ...]:
    """The file of a module of the tests, where the name is one's, else that of the module that it stands in."""
    for words in (name.split("."), name.split(".")[:-1]):
        place = ROOT.joinpath(*words)
        found = [
            path
            for path in (place.with_suffix(".py"), place / "__init__.py")
            if words[:1] == ["tests"] and path.is_file()
        ]
        if found:
            return tuple(found)
    return ()
