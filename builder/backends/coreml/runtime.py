"""Running an .mlpackage: by Core ML on macOS, by interpreting the saved program elsewhere.

Both take and give, for a border of layout `image`, 8-bit RGB pixels of shape (height, width, 3), as Core ML does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.bundle import Binding
from builder.bundle.tensors import from_artifact, to_artifact
from builder.errors import VerificationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from builder.backends.coreml.interpreter import Interpreter
    from builder.graph.tensors import Tensors


class InterpreterRunner:
    """The saved program, executed op by op in torch; see `interpreter.py` for what that stands for."""

    def __init__(
        self,
        path: Path,
        inputs: tuple[Binding, ...],
        outputs: tuple[Binding, ...],
        threads: int,
        interpreter: Interpreter | None = None,
    ) -> None:
        import torch

        from builder.backends.coreml.interpreter import Interpreter
        from builder.backends.coreml.program import load_program, read_colours

        torch.set_num_threads(threads)
        self._interpret = interpreter or Interpreter(load_program(path))
        self._inputs, self._outputs = inputs, outputs
        self._colours = read_colours(path)

    def __call__(self, inputs: Tensors) -> Tensors:
        values = self._interpret({b.name: self._as_given(inputs[b.name], b) for b in self._inputs})
        return {b.name: self._as_taken(values[b.name], b) for b in self._outputs}

    def _as_given(self, value: NDArray[np.generic], binding: Binding) -> NDArray[np.generic]:
        """Pixels in the order of colours that the file asks for, as floats of 0..255."""
        import numpy as np

        if binding.layout != "image":
            return to_artifact(value, binding)
        ordered = value[:, :, ::-1] if self._colours.get(binding.name) == "BGR" else value
        return np.ascontiguousarray(ordered.transpose(2, 0, 1)[None], np.float32)

    def _as_taken(self, value: NDArray[np.generic], binding: Binding) -> NDArray[np.generic]:
        import numpy as np

        if binding.layout != "image":
            return from_artifact(value, binding)
        levels = np.asarray(value, np.float32)[0].transpose(1, 2, 0)
        if not (np.isfinite(levels).all() and (levels == np.clip(np.floor(levels), 0, 255)).all()):
            raise VerificationError(
                f"image output {binding.name!r} of the Core ML file has values that are no whole numbers of 0..255, which Core ML would "
                "cut off as it likes; convert it again."
            )
        ordered = levels[:, :, ::-1] if self._colours.get(binding.name) == "BGR" else levels
        return np.ascontiguousarray(ordered, np.uint8)


class CoreMLRunner:
    """Core ML's own prediction, on macOS."""

    def __init__(self, path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...]) -> None:
        from builder.backends.coreml.program import import_coremltools

        self._model: Any = import_coremltools().models.MLModel(str(path))
        self._inputs, self._outputs = inputs, outputs

    def __call__(self, inputs: Tensors) -> Tensors:
        import numpy as np
        from PIL import Image

        def as_given(value: NDArray[np.generic], binding: Binding) -> Any:
            return Image.fromarray(value, "RGB") if binding.layout == "image" else to_artifact(value, binding)

        values = self._model.predict({b.name: as_given(inputs[b.name], b) for b in self._inputs})
        return {
            b.name: np.asarray(values[b.name].convert("RGB"), np.uint8)
            if b.layout == "image"
            else from_artifact(values[b.name], b)
            for b in self._outputs
        }
