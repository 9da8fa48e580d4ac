"""A model as far as a finished file is compared with it: its weights from a file of arrays, its program only on demand."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import TensorSpec
from builder.graph.model import Model
from builder.precision.layers import Layer, LayerTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram

WEIGHTS, CALLS = "weights.npz", "calls.json"


class KeptModel(Model):
    """Weights and calls that `keep` wrote. Nothing here imports torch but `program`."""

    def __init__(
        self,
        folder: Path,
        *,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        layers: LayerTable,
        load: Callable[[], ExportedProgram],
    ) -> None:
        import numpy as np

        with np.load(folder / WEIGHTS, allow_pickle=False) as archive:
            values = {name: archive[name] for name in archive.files}
        calls = [layers[name] for name in json.loads((folder / CALLS).read_text(encoding="utf-8"))]
        fields = {
            "inputs": inputs,
            "outputs": outputs,
            "layers": layers,
            "_values": values,
            "_calls": calls,
            "_load": load,
        }
        self.__dict__.update(fields)  # a Model is frozen

    @cached_property
    def program(self) -> ExportedProgram:
        """Loaded when somebody looks for what went wrong."""
        load: Callable[[], ExportedProgram] = self.__dict__["_load"]
        return load()

    def weight(self, layer: Layer) -> NDArray[np.generic]:
        values: NDArray[np.generic] = self.__dict__["_values"][layer.weight]
        return values

    def bias(self, layer: Layer) -> NDArray[np.generic] | None:
        values: NDArray[np.generic] | None = self.__dict__["_values"].get(layer.bias)
        return values

    def calls(self) -> list[Layer]:
        calls: list[Layer] = self.__dict__["_calls"]
        return calls


def keep(model: Model, folder: Path) -> None:
    """Write the weights and biases of all layers, and the order of their calls."""
    import numpy as np

    values = {}
    for layer in model.layers.layers:
        values[layer.weight] = model.weight(layer)
        if (bias := model.bias(layer)) is not None and layer.bias is not None:
            values[layer.bias] = bias
    np.savez(folder / WEIGHTS, **values)  # type: ignore[arg-type]
    (folder / CALLS).write_text(json.dumps([layer.name for layer in model.calls()]), encoding="utf-8")
