"""A fake delegate of TFLite files: the CPU under another name, which takes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends.spec import Delegate

if TYPE_CHECKING:
    from builder.backends.base import Execution, Need
    from builder.bundle import Coverage

DELEGATE = Delegate(name="abacus", traits=("fake",))


def form(content: bytes) -> bytes:
    return content


def coverage(path: Path) -> Coverage:
    from builder.bundle import Coverage

    return Coverage(delegate=DELEGATE.name, source="predicted", delegated_ops=0, total_ops=1, subgraphs=0)


def predict_coverage(path: Path) -> Coverage | None:
    return coverage(path)


def execution(on_cpu: Execution) -> Execution:
    return on_cpu


def needs() -> tuple[Need, ...]:
    from builder.backends.base import Need

    return (Need(delegate=DELEGATE.name, name="beads", version="10", install=""),)
