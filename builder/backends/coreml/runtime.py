"""Running an .mlpackage: by Core ML on macOS, by interpreting the saved program elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.bundle import Binding
from builder.bundle.tensors import from_artifact, to_artifact

if TYPE_CHECKING:
    from builder.backends.base import Tensors


class InterpreterRunner:
    """The saved program, executed op by op in torch; see `interpreter.py` for what that stands for."""

    def __init__(self, path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...], threads: int) -> None:
        import torch

        from builder.backends.coreml.interpreter import Interpreter
        from builder.backends.coreml.program import load_program

        torch.set_num_threads(threads)
        self._interpret = Interpreter(load_program(path))
        self._inputs, self._outputs = inputs, outputs

    def __call__(self, inputs: Tensors) -> Tensors:
        values = self._interpret({b.name: to_artifact(inputs[b.name], b) for b in self._inputs})
        return {b.name: from_artifact(values[b.name], b) for b in self._outputs}


class CoreMLRunner:
    """Core ML's own prediction, on macOS."""

    def __init__(self, path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...]) -> None:
        from builder.backends.coreml.program import import_coremltools

        self._model: Any = import_coremltools().models.MLModel(str(path))
        self._inputs, self._outputs = inputs, outputs

    def __call__(self, inputs: Tensors) -> Tensors:
        values = self._model.predict({b.name: to_artifact(inputs[b.name], b) for b in self._inputs})
        return {b.name: from_artifact(values[b.name], b) for b in self._outputs}
