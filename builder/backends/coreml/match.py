"""Which op of an ML program is which layer: by the name of its weight constant, and by the weight's values.

coremltools names the constant after the exported program's placeholder (`p_blocks_0_dw_weight`, `..._to_fp16`,
`..._quantized`). A name decides only when the values agree; where no name survives, equal values do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.backends.base import Model
from builder.precision.layers import Layer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

WEIGHTED = {"conv": "weight", "conv_transpose": "weight", "linear": "weight"}


def weight_of(op: Any) -> Any | None:
    """The variable that holds an op's stored weights, or None when they are computed."""
    key = WEIGHTED.get(op.op_type)
    var = op.inputs.get(key) if key else None
    if var is None or var.op is None:
        return None
    return var if var.op.op_type == "const" or var.op.op_type.startswith("constexpr_") else None


def weight_values(var: Any) -> Array:
    """The weights as the op sees them, unpacked."""
    import numpy as np

    value = var.val
    if value is None:
        value = var.op.materialized_val_inference()
    return np.asarray(value)


# Largest error of a stored weight, relative to the layer's largest: 4 bits of a skewed layer are this coarse.
_COARSE = 0.5
# Without a name only nearly equal weights are believed: 8 bits.
_CLOSE = 1.0 / 100


def match_layers(ops: list[Any], model: Model) -> dict[str, list[Any]]:
    """The ops of every layer, in order of execution; a layer that was not found has an empty list."""
    names = _placeholders(model)
    found: dict[str, list[Any]] = {layer.name: [] for layer in model.layers.layers}
    for op in ops:
        var = weight_of(op)
        if var is None:
            continue
        values = weight_values(var)
        # the longest name wins: p_dw is a prefix of p_dw2
        named = sorted(
            (layer for layer in model.layers.layers if var.name.startswith(names[layer.name])),
            key=lambda layer: -len(names[layer.name]),
        )
        best = next((layer for layer in named if _agrees(values, model, layer, _COARSE)), None)
        if best is None:
            close = [layer for layer in model.layers.layers if _agrees(values, model, layer, _CLOSE)]
            best = next((layer for layer in close if len(found[layer.name]) < layer.uses), None)
        if best is not None:
            found[best.name].append(op)
    return found


def _placeholders(model: Model) -> dict[str, str]:
    """Layer name -> name of its weight's placeholder in the exported program."""
    signature = model.program.graph_signature
    by_key = {key: name for name, key in {**signature.inputs_to_parameters, **signature.inputs_to_buffers}.items()}
    return {layer.name: by_key[layer.weight] for layer in model.layers.layers}


def _agrees(values: Array, model: Model, layer: Layer, tolerance: float) -> bool:
    import numpy as np

    expected = model.weight(layer)
    if values.shape != expected.shape:
        return False
    span = float(np.max(np.abs(expected))) or 1.0
    error = float(np.max(np.abs(values.astype(np.float32) - expected.astype(np.float32))))
    return error <= tolerance * span
