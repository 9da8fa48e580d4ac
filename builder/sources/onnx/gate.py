"""The gate of ONNX imports: outputs against ONNX Runtime, and node by node where the whole cannot be exact.

Node by node every step is given ONNX Runtime's own inputs, so that no flipped rounding spreads: each must then agree by
itself, the first layers and all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from builder.bundle.tensors import measure_psnr_db
from builder.errors import SourceError
from builder.precision.program import in_list
from builder.sources.network import Imported, Step
from builder.sources.onnx.runtime import AT_ONCE, compute_inner_values, describe_runtime

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto
    from torch import Tensor

    Array = NDArray[np.generic]

# An operator of its own differs by the order of its sums alone, which leaves float32 far above it.
STEP_DB = 80.0
# Share of a quantizer's values that may stand one step off, where a quotient lies half-way.
FLIPS = 0.01


def gate_steps(model: ModelProto, imported: Imported, feed: dict[str, Array]) -> None:
    """Every step on ONNX Runtime's inputs against ONNX Runtime's output. Raises SourceError naming the node."""
    for first in range(0, len(imported.steps), AT_ONCE):
        steps = imported.steps[first : first + AT_ONCE]
        names = {name for step in steps for name in (*step.operands, *step.outputs) if name}
        wanted = sorted(names - set(imported.stored) - set(feed))
        values = {**feed, **compute_inner_values(model, feed, wanted)}
        for step in steps:
            _gate_step(step, imported, values)


def _gate_step(step: Step, imported: Imported, values: dict[str, Array]) -> None:
    import torch

    operands = [None if o is None else _operand(o, imported, values) for o in step.operands]
    with torch.no_grad():
        result = step.call.function(*operands)
    for name, got in zip(step.outputs, in_list(result), strict=False):
        if name and not _agrees(
            got.numpy(), values[name], quantizer=step.call.quantizer and step.op == "QuantizeLinear"
        ):
            raise SourceError(
                f"node {step.node!r} ({step.op}) is imported wrongly: given {describe_runtime()}'s own inputs, {name!r} differs; "
                "the import is not used: please report the model."
            )


def _operand(name: str, imported: Imported, values: dict[str, Array]) -> Tensor:
    import torch

    if name in imported.stored:
        return imported.tensors[imported.stored[name]]
    return torch.from_numpy(np.array(values[name]))


def _agrees(got: Array, want: Array, *, quantizer: bool) -> bool:
    if got.shape != want.shape:
        return False
    if quantizer:
        off = np.abs(got.astype(np.float64) - want.astype(np.float64))
        return bool(off.max(initial=0) <= 1 and np.count_nonzero(off) <= max(1, FLIPS * off.size))
    if want.dtype.kind != "f":
        return bool(np.array_equal(got, want))
    spread = float(want.max() - want.min()) if want.size else 0.0
    return measure_psnr_db(got, want, max(spread, float(np.abs(want).max(initial=0)), 1e-30)) >= STEP_DB
