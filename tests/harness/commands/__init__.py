"""Commands of the harness in this process, as `python -m harness` runs them: exit code, stdout, stderr."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.records.run import Run
from harness.records.store import open_store


@dataclass(frozen=True, kw_only=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


class Harness(Protocol):
    def __call__(self, *words: str | Path, cwd: Path | None = None) -> Done: ...


def stored(path: Path, *runs: Run) -> Path:
    """A store of these runs, each with an id of its own."""
    store = open_store(str(path), create=True)
    for number, run in enumerate(runs):
        store.append(run.model_copy(update={"id": str(number)}))
    store.close()
    return path
