"""Executes an ML program with torch, one op after another, where Core ML is not available.

Every op computes in float32 and its result is rounded to the dtype that the program declares for it, so an fp16 op has
fp16 inputs, weights and results but accumulates in float32. Core ML's own kernels may accumulate in fp16: results on a
device can differ by that. An op that is not in OPS is an error, never a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.backends.coreml.match import weight_values
from builder.backends.coreml.ops import OPS, Arguments
from builder.backends.coreml.program import dtype_of, operations
from builder.errors import VerificationError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[np.generic]]


def interpret(program: Any, inputs: Tensors) -> Tensors:
    """Outputs by name. Raises VerificationError naming an op or a form of it that is not known."""
    import torch

    dtypes = {
        "fp16": torch.float16,
        "fp32": torch.float32,
        "int32": torch.int32,
        "bool": torch.bool,
        "int16": torch.int16,
        "int8": torch.int8,
        "uint8": torch.uint8,
    }
    values: dict[str, torch.Tensor] = {name: torch.from_numpy(value) for name, value in inputs.items()}
    with torch.no_grad():
        for op in operations(program):
            if op.op_type == "const":
                continue
            if op.op_type.startswith("constexpr_"):
                var = op.outputs[0]
                values[var.name] = torch.from_numpy(weight_values(var))
                continue
            function = OPS.get(op.op_type)
            if function is None:
                raise VerificationError(
                    f"op {op.op_type!r} ({op.name}) of the Core ML file cannot be executed here; check this variant on a Mac."
                )
            result = function(Arguments(op, values))
            for var, value in zip(op.outputs, result if isinstance(result, list | tuple) else [result], strict=True):
                values[var.name] = value.to(dtypes[dtype_of(var)])
    return {var.name: values[var.name].numpy() for var in program.functions["main"].outputs}
