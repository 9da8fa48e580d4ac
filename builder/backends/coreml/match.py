"""Which op of an ML program is which layer: by the weight's values, and by name where layers have equal values.

An op is a layer's when every stored weight is the layer's, rounded as its storage rounds. coremltools names the constant
after the exported program's placeholder (`p_blocks_0_dw_weight`, `..._to_fp16`, `..._quantized`): among layers with equal
weights the name decides, then the order of execution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.graph.model import Model
from builder.precision.layers import Layer
from builder.precision.program import find_keys_of_stored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]
    Floats = NDArray[np.float32]

_WEIGHTED = ("conv", "conv_transpose", "linear")
_OPS = {
    "conv2d": "conv",
    "depthwise_conv2d": "conv",
    "conv_transpose2d": "conv_transpose",
    "linear": "linear",
}
# Of coremltools' pass, see `measure_half_rounding`: values of a tensor that it looks at, and the smallest normal number of fp16.
_TAKEN_FOR_EPSILONS, _SMALLEST_NORMAL = 400, 2.0**-14
_SUFFIXES = ("_to_fp16", "_quantized", "_palettized", "_sparsified")


def find_weight(op: Any) -> Any | None:
    """The variable that holds an op's stored weights, or None when they are computed."""
    var = op.inputs.get("weight") if op.op_type in _WEIGHTED else None
    if var is None or var.op is None:
        return None
    return var if var.op.op_type == "const" or var.op.op_type.startswith("constexpr_") else None


def read_weight(var: Any) -> Array:
    """The weights as the op sees them, unpacked."""
    import numpy as np

    value = var.val
    if value is None:
        value = var.op.materialized_val_inference()
    return np.asarray(value)


def find_placeholders(model: Model) -> dict[str, str]:
    """Layer name -> name of its weight's placeholder in the exported program."""
    by_key = {key: name for name, key in find_keys_of_stored(model.program).items()}
    return {layer.name: by_key[layer.weight] for layer in model.layers.layers}


def match_layers(ops: list[Any], model: Model) -> dict[str, list[Any]]:
    """The ops of every layer, in order of execution; a layer that was not found has an empty list."""
    names = find_placeholders(model)
    ops_of: dict[str, list[Any]] = {layer.name: [] for layer in model.layers.layers}
    for op in ops:
        var = find_weight(op)
        if var is None:
            continue
        open_layers = [layer for layer in model.layers.layers if len(ops_of[layer.name]) < layer.uses]
        stored = _find_source_name(var.name)
        open_layers.sort(key=lambda layer: names[layer.name] != stored)  # stable: execution order within each half
        best = next((layer for layer in open_layers if _is_layer(op, var, layer, model)), None)
        if best is not None:
            ops_of[best.name].append(op)
    return ops_of


def _find_source_name(constant: str) -> str:
    """The placeholder's name that a weight constant was made from."""
    for suffix in reversed(_SUFFIXES[1:]):
        constant = constant.removesuffix(suffix)
    return constant.removesuffix(_SUFFIXES[0])


def _is_layer(op: Any, var: Any, layer: Layer, model: Model) -> bool:
    import numpy as np

    if op.op_type != _OPS[layer.op] or tuple(int(size) for size in var.shape) != layer.weight_shape:
        return False
    actual: Floats = np.asarray(read_weight(var), np.float32)
    expected: Floats = np.asarray(model.weight(layer), np.float32)
    if var.op.op_type == "constexpr_sparse_to_dense":
        expected = _prune_as_stored(actual, expected)
    return bool(np.all(np.abs(actual - expected) <= _rounding(var.op, expected)))


def _rounding(op: Any, expected: Floats) -> Floats:
    """The largest error that the storage's rounding makes of each weight."""
    import numpy as np

    if op.op_type == "constexpr_sparse_to_dense":
        kept = op.inputs["nonzero_data"].op
        if kept is None or kept.op_type != "constexpr_lut_to_sparse":
            return measure_half_rounding(expected)
        return np.where(expected == 0, np.float32(0), _from_palette(kept, expected))
    if op.op_type == "const":
        return np.zeros_like(expected) if op.outputs[0].val.dtype == np.float32 else measure_half_rounding(expected)
    if op.op_type == "constexpr_lut_to_dense":
        return _from_palette(op, expected)
    if op.op_type not in ("constexpr_affine_dequantize", "constexpr_blockwise_shift_scale"):
        return np.zeros_like(expected)  # no scheme of ours
    scale = np.asarray(op.inputs["scale"].val, np.float32)
    if op.op_type == "constexpr_affine_dequantize":
        shape = [1] * expected.ndim
        shape[int(op.inputs["axis"].val)] = -1
        scale = scale.reshape(shape) if scale.ndim else scale
    for axis in range(expected.ndim if scale.ndim == expected.ndim else 0):  # one scale a block of equal size
        if scale.shape[axis] != 1:
            scale = np.repeat(scale, expected.shape[axis] // scale.shape[axis], axis=axis)
    # half a step, and the next half where the largest value is cut off at the end of the range
    return np.asarray(np.broadcast_to(scale * np.float32(0.502), expected.shape), np.float32)


def _from_palette(op: Any, expected: Floats) -> Floats:
    """The distance to the nearest value of the palette, of the weight as fp16 had already rounded it."""
    import numpy as np

    palette = np.sort(np.asarray(op.inputs["lut"].val, np.float32).reshape(-1))
    place = np.clip(np.searchsorted(palette, expected), 1, palette.size - 1)
    nearest = np.minimum(np.abs(palette[place - 1] - expected), np.abs(palette[place] - expected))
    return np.asarray(nearest * 1.001 + 2 * measure_half_rounding(expected), np.float32)


def _prune_as_stored(actual: Floats, expected: Floats) -> Floats:
    """The expected weights with zeros where the file has them, if those are the smallest; else as they were."""
    import numpy as np

    kept = actual != 0
    if kept.all() or not kept.any() or np.abs(expected[~kept]).max() > np.abs(expected[kept]).min() * 1.001:
        return expected
    return np.where(kept, expected, np.float32(0))


def measure_half_rounding(values: Floats) -> Floats:
    """Half a unit in the last place of fp16: 2^-11 of a normal number, 2^-25 below.

    In tensors of fewer than 400 values coremltools takes what is below the normal numbers for an epsilon, and makes it the smallest
    of them (passes/defs/quantization.py, `_check_underflow_to_zero`).
    """
    import numpy as np

    rounding = np.maximum(np.abs(values) * 2.0**-11, 2.0**-25)
    if values.size < _TAKEN_FOR_EPSILONS:
        rounding = np.where(np.abs(values) <= _SMALLEST_NORMAL * 1.001, _SMALLEST_NORMAL, rounding)
    return np.asarray(rounding, np.float32)
