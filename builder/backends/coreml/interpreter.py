"""Executes an ML program with torch, one op after another, where Core ML is not available.

Every op computes in float32 and its result is rounded to the dtype that the program declares for it, so an fp16 op has
fp16 inputs, weights and results but accumulates in float32. Core ML's own kernels may accumulate in fp16: results on a
device can differ by that. An op that is not in OPS is an error, and so is a result of another shape than declared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.backends.coreml.match import read_weight
from builder.backends.coreml.ops import OPS, Arguments
from builder.backends.coreml.program import find_last_uses, is_stored, list_operations, list_variables, name_dtype
from builder.errors import NotExecutedError, VerificationError
from builder.precision.program import in_list

if TYPE_CHECKING:
    import torch

    from builder.graph.tensors import Tensors


# MIL dtype -> torch dtype's name
_DTYPES = {
    "fp16": "float16",
    "fp32": "float32",
    "int32": "int32",
    "int16": "int16",
    "int8": "int8",
    "uint8": "uint8",
    "bool": "bool",
}


class Interpreter:
    """A program made ready: its constants unpacked once. Raises NotExecutedError for ops that are not known, naming each."""

    def __init__(self, program: Any) -> None:
        self._outputs = [var.name for var in program.functions["main"].outputs]
        self._computing = [op for op in list_operations(program) if not is_stored(op)]
        if unknown := sorted({op.op_type for op in self._computing if op.op_type not in OPS}):
            names = ", ".join(map(repr, unknown))
            raise NotExecutedError(f"the interpreter of Core ML files has no {names}; check this variant on a Mac.")
        self._constants = _constants(self._computing)
        self._finished: list[list[str]] = [[] for _ in self._computing]
        for name, index in find_last_uses(self._computing).items():
            if name not in self._outputs and name not in self._constants:
                self._finished[index].append(name)

    def __call__(self, inputs: Tensors) -> Tensors:
        """Outputs by name, in their declared dtypes. Raises NotExecutedError for a form of an op that is not known."""
        import torch

        values = self._constants | {name: torch.from_numpy(value) for name, value in inputs.items()}
        with torch.no_grad():
            for op, finished in zip(self._computing, self._finished, strict=True):
                self._execute(op, values)
                for name in finished:
                    values.pop(name, None)
        return {name: values[name].numpy() for name in self._outputs}

    def _execute(self, op: Any, values: dict[str, torch.Tensor]) -> None:
        results = in_list(OPS[op.op_type](Arguments(op, values)))
        declared = [tuple(int(size) for size in var.shape) for var in op.outputs]
        if [tuple(value.shape) for value in results] != declared:
            raise VerificationError(
                f"op {op.op_type!r} ({op.name}) of the Core ML file gives {[tuple(v.shape) for v in results]} here, not the "
                f"{declared} that it declares; check this variant on a Mac."
            )
        for var, value in zip(op.outputs, results, strict=True):
            values[var.name] = self.round_result(var, value)

    def round_result(self, var: Any, value: torch.Tensor) -> torch.Tensor:
        """A result as the program stores it."""
        import torch

        return value.to(getattr(torch, _DTYPES[name_dtype(var)]))


def _constants(ops: list[Any]) -> dict[str, torch.Tensor]:
    """Every stored tensor that an op reads; texts are read by the ops themselves."""
    import numpy as np
    import torch

    constants: dict[str, torch.Tensor] = {}
    for op in ops:
        for var in list_variables(op):
            if var.op is not None and is_stored(var.op) and var.name not in constants:
                value = np.asarray(read_weight(var))
                if value.dtype.kind in "fiub":
                    constants[var.name] = torch.from_numpy(np.array(value))
    return constants
