"""Watches what a network's factory imports, opens and reads from the environment, so that all of it decides the result.

By Python's own ways to open a file, and `sys.modules`. What the standard library, torch with its requirements, and the builder itself
use is left out: their versions are known. Files that C code opens by itself are not seen, but for those of safetensors.
"""

from __future__ import annotations

import _io
import builtins
import io
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from builder.project.source_kinds import IMPORT_PACKAGES
from builder.project.used import Used, hash_content, hash_value

_SYSTEM = ("/proc/", "/sys/", "/dev/")
_COMPILED = (".pyc", ".pyo")
_PRIVATE = ("TMPDIR",)  # a worker's own
# Their versions are in the key of every source.
_VERSIONED = (
    "torch",
    "numpy",
    "pillow",
    "safetensors",
    *(name for names in IMPORT_PACKAGES.values() for name in names),
)


@dataclass(kw_only=True)
class Recorder:
    """`read` says of each path whether it was there when it was opened."""

    folder: Path
    before: frozenset[str]
    read: dict[str, bool] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)

    def note_opening(self, path: object, mode: object, flags: object) -> None:
        """Before it is opened: whether it is there is told to the network by the opening itself."""
        if not isinstance(path, str | bytes | os.PathLike):
            return
        name = os.path.abspath(os.fsdecode(path))
        writes = isinstance(flags, int) and flags & os.O_ACCMODE != os.O_RDONLY
        if isinstance(mode, str) and any(letter in mode for letter in "wxa+"):
            writes = True
        if writes:
            self.written.add(name)
        elif name not in self.read and not name.endswith(_COMPILED) and _is_users(name):
            self.read[name] = os.path.isfile(name)

    def modules(self) -> dict[str, str]:
        """The user's modules that were imported meanwhile, with their files."""
        files = {name: getattr(module, "__file__", None) for name, module in tuple(sys.modules.items())}
        return {
            name: os.path.abspath(file)
            for name, file in files.items()
            if name not in self.before and isinstance(file, str) and _is_users(os.path.abspath(file))
        }

    def list_used(self) -> Used:
        """What was used, as it is now; what came and went in between was the network's own scratch."""
        paths = dict.fromkeys(self.modules().values(), True) | self.read
        files: dict[str, str | None] = {}
        for name, was_there in paths.items():
            path = Path(name)
            if name in self.written or path.is_dir() or path.exists() != was_there:
                continue
            inside = path.is_relative_to(self.folder)
            files[path.relative_to(self.folder).as_posix() if inside else name] = hash_content(path)
        environment = {name: hash_value(name) for name in self.variables}
        return Used(files=dict(sorted(files.items())), environment=dict(sorted(environment.items())))


@contextmanager
def recording(folder: Path) -> Iterator[Recorder]:
    """Record in the block, whose working directory is that of builder.toml: relative names mean the same from everywhere."""
    _list_known_places()  # it opens files itself
    recorder = Recorder(folder=folder.resolve(), before=frozenset(sys.modules))
    with chdir(folder), _watch_environment(recorder), _watch_opening(recorder), _watch_safetensors(recorder):
        yield recorder


@contextmanager
def _watch_opening(recorder: Recorder) -> Iterator[None]:
    """By patches, not by an audit hook: that stays for the life of the process, and before Python 3.12 `sys.settrace` fails in threads
    that start together while there is one, as under coverage or a debugger."""
    opening, descriptor, code = io.open, os.open, io.open_code

    def open_watched(file: Any, mode: Any = "r", *arguments: Any, **named: Any) -> Any:
        recorder.note_opening(file, mode, None)
        return opening(file, mode, *arguments, **named)

    def open_descriptor_watched(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        recorder.note_opening(path, None, flags)
        return descriptor(path, flags, *arguments, **named)

    def open_code_watched(path: str) -> Any:
        recorder.note_opening(path, "r", None)
        return code(path)

    patched: tuple[tuple[Any, str, Any], ...] = (
        (builtins, "open", open_watched),
        (io, "open", open_watched),
        (io, "open_code", open_code_watched),
        (_io, "open_code", open_code_watched),  # as importlib and pkgutil call it
        (os, "open", open_descriptor_watched),
    )
    before = [(home, name, getattr(home, name)) for home, name, _ in patched]
    try:
        for home, name, opened in patched:
            setattr(home, name, opened)
        yield
    finally:
        for home, name, opened in before:
            setattr(home, name, opened)


@contextmanager
def _watch_environment(recorder: Recorder) -> Iterator[None]:
    known: Any = os.environ

    class Watched(type(known)):  # type: ignore[misc]
        """os.environ, over the same data; `get`, `in` and os.getenv come here too."""

        def __getitem__(self, key: str) -> str:
            caller = _caller()  # installed libraries look at all variables there are
            if key not in _PRIVATE and _is_users(caller) and "-packages" + os.sep not in caller:
                recorder.variables.add(key)
            return super().__getitem__(key)  # type: ignore[no-any-return]

    watched = Watched(known._data, known.encodekey, known.decodekey, known.encodevalue, known.decodevalue)
    try:
        os.environ = watched  # noqa: B003 - over the same data
        yield
    finally:
        os.environ = known  # noqa: B003


def _caller() -> str:
    """The file of the first frame that is neither this one's nor of the mapping's own methods."""
    frame = sys._getframe(2)
    while frame.f_back is not None and os.path.basename(frame.f_code.co_filename) in _MAPPING:
        frame = frame.f_back
    return frame.f_code.co_filename


_MAPPING = ("os.py", "_collections_abc.py", "<frozen os>", "<frozen _collections_abc>")


@contextmanager
def _watch_safetensors(recorder: Recorder) -> Iterator[None]:
    """Its files are opened by Rust."""
    import safetensors
    import safetensors.torch

    opening: Any = safetensors.safe_open

    def open_watched(filename: Any, *arguments: Any, **named: Any) -> Any:
        recorder.note_opening(filename, "r", os.O_RDONLY)
        return opening(filename, *arguments, **named)

    homes: tuple[Any, ...] = (safetensors, safetensors.torch)
    for home in homes:
        home.safe_open = open_watched
    try:
        yield
    finally:
        for home in homes:
            home.safe_open = opening


def _is_users(name: str) -> bool:
    """Whether a file is none of the system's, the standard library's, the builder's or of the packages whose versions are known."""
    if name.startswith("<") or name.startswith(_SYSTEM) or ".dist-info" in name or ".egg-info" in name:
        return False
    return not name.startswith(_list_known_places())


@cache
def _list_known_places() -> tuple[str, ...]:
    """Directories (and single modules) whose content is known by versions."""
    sites = {sysconfig.get_path(key) for key in ("purelib", "platlib")}
    packages = tuple(os.path.join(site, part) for site in sites for part in _parts())
    library = sysconfig.get_path("stdlib")
    standard = tuple(
        os.path.join(library, part) for part in (os.listdir(library) if os.path.isdir(library) else ())
        if part not in ("site-packages", "dist-packages")
    )  # fmt: skip
    builder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    zipped = os.path.join(os.path.dirname(library), f"python{sys.version_info[0]}{sys.version_info[1]}.zip")
    return (*packages, *standard, zipped, builder + os.sep)


def _parts() -> set[str]:
    """What the known distributions have put into site-packages, by first part."""
    parts: set[str] = set()
    todo, done = list(_VERSIONED), set()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for file in distribution.files or ():
            first = file.parts[0]
            if first != ".." and first != "__pycache__":
                parts.add(first + os.sep if len(file.parts) > 1 else first)
        for line in distribution.requires or ():
            if "extra ==" not in line:
                todo.append(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0])
    return parts
