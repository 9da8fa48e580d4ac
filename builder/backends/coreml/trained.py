"""A network that was trained for integers in Core ML: what the ops of a saved program compute with.

Two passes of coremltools change the form and not the mathematics: integers from 0 to 255 for those from -128 to 127, and sums
whose sides get one scale. The first is taken back here; the second is of no layer.
"""

from __future__ import annotations

from typing import Any

from builder.backends.coreml.match import find_weight
from builder.backends.coreml.program import name_dtype
from builder.precision.quantizers import Grid, Integers

_FUSED = ("relu", "relu6", "clip", "clamped_relu")


def read_op_integers(op: Any) -> Integers | None:
    """What a layer's op computes with; None where it has floats on one side."""
    import numpy as np

    var, source = find_weight(op), op.inputs["x"].op
    if var is None or source is None or source.op_type != "dequantize":
        return None
    if var.op.op_type == "constexpr_affine_dequantize":
        integers = np.asarray(var.op.inputs["quantized_data"].val)
    elif var.op.op_type == "constexpr_blockwise_shift_scale":
        integers = np.asarray(var.op.inputs["data"].val)
    else:
        return None
    scale = np.asarray(var.op.inputs["scale"].val, np.float32).reshape(-1)
    zero = _zeros(var.op.inputs.get("zero_point") or var.op.inputs.get("offset"), integers.dtype == np.uint8)
    return Integers(
        weight=_make_signed(integers),
        weights=Grid(scale=tuple(map(float, scale)), zero_point=zero * (scale.size if len(zero) == 1 else 1)),
        inputs=_grid(source, name_dtype(source.inputs["input"])),
        outputs=_after(op),
    )


def _after(op: Any) -> Grid | None:
    """The grid of what is computed with the op, where one op rounds it."""
    readers = op.outputs[0].child_ops
    if len(readers) == 1 and readers[0].op_type in _FUSED:
        readers = readers[0].outputs[0].child_ops
    grids = {
        _grid(reader, name_dtype(reader.outputs[0])) if reader.op_type == "quantize" else None for reader in readers
    }
    return grids.pop() if len(grids) == 1 else None


def _grid(op: Any, kind: str) -> Grid:
    import numpy as np

    scale = tuple(float(value) for value in np.asarray(op.inputs["scale"].val, np.float32).reshape(-1))
    return Grid(scale=scale, zero_point=_zeros(op.inputs.get("zero_point"), kind == "uint8"))


def _zeros(var: Any, unsigned: bool) -> tuple[int, ...]:
    import numpy as np

    values = np.zeros(1, np.int64) if var is None else np.asarray(var.val, np.int64).reshape(-1)
    return tuple(int(value) - (128 if unsigned else 0) for value in values)


def _make_signed(integers: Any) -> Any:
    import numpy as np

    return integers if integers.dtype == np.int8 else (integers.astype(np.int16) - 128).astype(np.int8)
