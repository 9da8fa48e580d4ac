"""What a loader gives back: the exported network, and the gate that compares it with the runtime of its file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.bundle import SourceAgreement, TensorSpec

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from builder.graph.tensors import Tensors

Gate = Callable[["ExportedProgram", "Iterable[Tensors]", tuple[TensorSpec, ...]], SourceAgreement]
"""Compares a program with its source on samples, given the specs of its outputs. Raises SourceError."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """`gate` is None where the source is a torch network itself; `told` says what was done to its weights."""

    program: ExportedProgram
    gate: Gate | None = None
    told: tuple[str, ...] = ()
