"""`module:callable` of the user's own beside builder.toml: the network's factory, a loss."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from builder.errors import EdgebundleError, MissingToolError, SourceError, reason_of
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
                f"{what} {named!r} needs {missing!r}{user_line(error, folder)}, which is neither installed nor beside it: pip install the "
                f"package that has it, or put the module into {folder}."
            ) from error
        except Exception as error:
            raise SourceError(
                f"{what} {named!r} raised {reason_of(error)}{user_line(error, folder)}; run it on its own to see why."
            ) from error


def own_callable(folder: Path, named: str, *, what: str, key: str) -> Callable[..., Any]:
    """The callable that `named` names. Raises SourceError with the user's line; `what` it is, and the `key` of builder.toml that names it."""
    module_name, _, function_name = named.partition(":")
    path = folder / (module_name.replace(".", "/") + ".py")
    if not path.is_file():
        raise SourceError(f"{what} {path} does not exist; correct '{key}' in builder.toml.")
    spec = importlib.util.spec_from_file_location(module_name.replace(".", "_"), path)
    if spec is None or spec.loader is None:
        raise SourceError(f"{what} {path} is not a Python module.")
    loaded = importlib.util.module_from_spec(spec)
    with run_own(folder, named, what=what):
        spec.loader.exec_module(loaded)
    function = getattr(loaded, function_name, None)
    if not callable(function):
        names = [name for name, value in vars(loaded).items() if callable(value)]
        raise SourceError(f"{path} has no callable {function_name!r}{did_you_mean(function_name, names)}")
    return function  # type: ignore[no-any-return]


def user_line(error: Exception, folder: Path) -> str:
    """` (file.py line N)` of the innermost frame in the user's own files, or nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({Path(error.filename).name} line {error.lineno})"
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if Path(f.filename).resolve().is_relative_to(folder.resolve())
    ]
    return f" ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else ""
