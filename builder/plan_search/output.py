"""The files of a search: the plan, and beside it the result as data and as a page; never over somebody else's files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from builder.errors import OutputError
from builder.plan_search.run import PAGE, PLAN, RESULT

MARKS = {PLAN: "# Found by 'builder search'", RESULT: '{\n "variant": ', PAGE: "<title>Search of "}
SUFFIXES = {RESULT: ".json", PAGE: ".html"}
# A mark stands at the head of its file.
MARK_BYTES = 1000


def choose_places(out: Path, variant: str) -> dict[str, Path]:
    """Where each file of a result goes. Raises OutputError when one exists that a search did not write."""
    if out.suffix != ".toml":
        raise OutputError(f"a plan is a .toml file; write -o {out.with_suffix('.toml')}.")
    plan = out.with_name(f"{out.stem}-{variant}.toml") if variant else out
    files = {PLAN: plan, **{name: plan.with_suffix(suffix) for name, suffix in SUFFIXES.items()}}
    for name, file in files.items():
        if file.exists() and not (file.is_file() and MARKS[name] in _head(file)):
            raise OutputError(f"{file} exists and was not written by a search; choose another -o or move it away.")
    return files


def _head(file: Path) -> str:
    with file.open("rb") as stream:
        return stream.read(MARK_BYTES).decode(errors="replace")


def write_found(folder: Path, files: dict[str, Path]) -> None:
    """Copy a kept result, each file whole or not at all; the plan of an earlier search goes where there is none now."""
    for name, file in files.items():
        if not (folder / name).is_file():
            file.unlink(missing_ok=True)
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            shutil.copyfile(folder / name, temporary)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
