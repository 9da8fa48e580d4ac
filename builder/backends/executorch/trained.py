"""What an op of a .pte computes with, as a checkpoint that was trained for integers says it."""

from __future__ import annotations

from builder.backends.executorch.match import in_torch_layout
from builder.backends.executorch.ops import WeightedOp
from builder.precision.quantizers import Grid, Integers


def read_op_integers(op: WeightedOp) -> Integers | None:
    """None where it has floats on one side, or is not XNNPACK's."""
    import numpy as np

    if op.source is None or op.weight.datatype not in ("qint8", "qcint8"):
        return None
    stored = np.frombuffer(op.weight.data.tobytes(), np.int8).reshape(op.weight.shape)
    scale = tuple(float(value) for value in op.weight.scale)
    return Integers(
        weight=in_torch_layout(op, stored),  # type: ignore[arg-type]
        weights=Grid(scale=scale, zero_point=(op.weight.zero_point,) * len(scale)),
        inputs=op.source,
        outputs=op.result,
    )
