"""What every export is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import TensorSpec
from builder.graph.model import Model
from builder.project.config import Config

if TYPE_CHECKING:
    from torch.export import ExportedProgram


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """`model` is the source step's; with `dynamic` the height and width of pictures stay open."""

    name: str
    model: Model
    config: Config
    folder: Path
    evaluation: tuple[Path, ...]
    dynamic: bool

    @property
    def program(self) -> ExportedProgram:
        return self.model.program

    @property
    def pictures(self) -> tuple[TensorSpec, ...]:
        """The inputs whose sizes can stay open."""
        return tuple(spec for spec in self.model.inputs if spec.kind == "image")
