"""`module:name` of the user's own: a file beside builder.toml, a package there, or an installed one. The network's factory, a loss."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from builder.errors import EdgebundleError, MissingToolError, SourceError, find_reason
from builder.suggest import did_you_mean


@contextmanager
def importing_neighbours(folder: Path) -> Iterator[None]:
    """The modules beside builder.toml can be imported."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def run_own(folder: Path, named: str, *, what: str) -> Iterator[None]:
    """Code of the user's own runs, with its neighbours. Raises SourceError with the user's line, MissingToolError for a package."""
    with importing_neighbours(folder):
        try:
            yield
        except EdgebundleError:
            raise
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            raise MissingToolError(
                f"{what} {named!r} needs {missing!r}{find_user_line(error, folder)}, which is neither installed nor beside it: pip install the "
                f"package that has it, or put the module into {folder}."
            ) from error
        except Exception as error:
            raise SourceError(
                f"{what} {named!r} raised {find_reason(error)}{find_user_line(error, folder)}; run it on its own to see why."
            ) from error


def find_own_callable(folder: Path, named: str, *, what: str, key: str) -> Callable[..., Any]:
    """The callable that `named` names. Raises SourceError with the user's line; `what` it is, and the `key` of builder.toml that names it."""
    module_name, _, function_name = named.partition(":")
    loaded = import_own(folder, module_name, named, what=what, key=key)
    function = getattr(loaded, function_name, None)
    if not callable(function):
        names = [name for name, value in vars(loaded).items() if callable(value)]
        raise SourceError(
            f"{loaded.__file__ or module_name} has no callable {function_name!r}{did_you_mean(function_name, names)}"
        )
    return function  # type: ignore[no-any-return]


def import_own(folder: Path, module_name: str, named: str, *, what: str, key: str) -> ModuleType:
    """A file, `../` before it where it lies above; a module of a package; or what is installed. Raises SourceError, MissingToolError."""
    place, _, dotted = module_name.rpartition("/")
    folder = folder / place
    file = folder / (dotted.replace(".", "/") + ".py")
    path = file if file.is_file() else file.with_suffix("") / "__init__.py"
    if not path.is_file():
        if place or find_installed(dotted) is None:
            raise SourceError(f"{what} {file} does not exist; correct '{key}' in builder.toml.")
        with run_own(folder, named, what=what):
            return importlib.import_module(dotted)
    if "." in dotted or path.name == "__init__.py":
        return import_of_package(folder, dotted, path, named, what=what)
    return import_file(folder, dotted, path, named, what=what)


def find_installed(dotted: str) -> ModuleSpec | None:
    """The package that a name begins with, where it is installed."""
    top = dotted.partition(".")[0]
    return importlib.util.find_spec(top) if top.isidentifier() else None


def import_of_package(folder: Path, dotted: str, path: Path, named: str, *, what: str) -> ModuleType:
    """By the package's own name, so that its relative imports work. Raises SourceError where that name means something else already."""
    with run_own(folder, named, what=what):
        loaded = importlib.import_module(dotted)
    if Path(str(loaded.__file__)).resolve() != path.resolve():
        raise SourceError(
            f"{what} {path} cannot be imported, since {dotted!r} is {loaded.__file__} already; give the package another name."
        )
    return loaded


def import_file(folder: Path, name: str, path: Path, named: str, *, what: str) -> ModuleType:
    """By its file, whatever else has its name: a project may have a `json.py` or a `builder.py`."""
    known = f"own_{name}" if name in sys.modules or name in sys.stdlib_module_names else name
    spec = importlib.util.spec_from_file_location(known, path)
    if spec is None or spec.loader is None:
        raise SourceError(f"{what} {path} is not a Python module.")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[known] = loaded  # dataclasses look their module up
    with run_own(folder, named, what=what):
        spec.loader.exec_module(loaded)
    return loaded


def find_user_line(error: Exception, folder: Path) -> str:
    """` (file.py line N)` of the innermost frame in the user's own files, or nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({Path(error.filename).name} line {error.lineno})"
    frames = list_own_frames(error, folder)
    return f" ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else ""


def list_own_frames(error: Exception, folder: Path) -> list[traceback.FrameSummary]:
    """Where it was raised, as far as that lies in the user's own files, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__)
    # `<frozen os>` is no file, and would be one in the working directory.
    files = [f for f in frames if not f.filename.startswith("<")]
    return [f for f in files if Path(f.filename).resolve().is_relative_to(folder.resolve())]
