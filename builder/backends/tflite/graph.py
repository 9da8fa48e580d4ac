"""What a TFLite model holds, as typed, read-only values: tensors, ops and the constants behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from builder.backends.tflite.flatbuffer import read_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# All four ops with layers take their weights as the second input.
WEIGHT = 1
ACTIVATION = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 0, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 2}
BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}

_BITS = {
    "FLOAT32": 32, "FLOAT16": 16, "FLOAT64": 64, "BFLOAT16": 16, "BOOL": 8, "INT2": 2, "INT4": 4, "UINT4": 4, "INT8": 8, "UINT8": 8,
    "INT16": 16, "UINT16": 16, "INT32": 32, "UINT32": 32, "INT64": 64, "UINT64": 64, "COMPLEX64": 64, "COMPLEX128": 128,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """`dtype` is the schema's name (FLOAT32, INT8, ...); `data` are the raw bytes of a constant, None for an activation.

    `scale` and `zero_point` have one value, or one for each index along `axis`; both are empty for floats.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    data: NDArray[np.uint8] | None
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int

    @property
    def bytes(self) -> int:
        return math.ceil(math.prod(self.shape) * _BITS.get(self.dtype, 0) / 8)


@dataclass(frozen=True, kw_only=True)
class Op:
    """`inputs` and `outputs` are tensor indices; -1 stands for an input that is left out."""

    index: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The main subgraph; ops in order of execution."""

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def producers(self) -> dict[int, Op]:
        return {output: op for op in self.ops for output in op.outputs}


def read_graph(model: Any) -> Graph:
    """The main subgraph of a ModelT."""
    main = model.subgraphs[0]
    codes = [(name_op(code), int(code.version)) for code in model.operatorCodes]
    return Graph(
        tensors=tuple(_tensor(index, tensor, model) for index, tensor in enumerate(main.tensors)),
        ops=tuple(
            Op(
                index=index,
                name=codes[op.opcodeIndex][0],
                version=codes[op.opcodeIndex][1],
                inputs=_indices(op.inputs),
                outputs=_indices(op.outputs),
            )
            for index, op in enumerate(main.operators)
        ),
        inputs=_indices(main.inputs),
        outputs=_indices(main.outputs),
    )


def name_op(code: Any) -> str:
    """The schema's name of an operator code, the custom name for a custom op."""
    number = max(code.builtinCode, code.deprecatedBuiltinCode)  # codes above 126 are only in the newer field
    name = _names("BuiltinOperator")[number]
    return read_text(code.customCode) if name == "CUSTOM" else name


@cache
def _names(enum: str) -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {value: name for name, value in vars(getattr(schema, enum)).items() if not name.startswith("_")}


def _indices(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in values) if values is not None else ()


def _tensor(index: int, tensor: Any, model: Any) -> Tensor:
    import numpy as np

    quantization = tensor.quantization
    scale = quantization.scale if quantization is not None else None
    zero_point = quantization.zeroPoint if quantization is not None else None
    data = model.buffers[tensor.buffer].data
    return Tensor(
        index=index,
        name=read_text(tensor.name),
        shape=_indices(tensor.shape),
        dtype=_names("TensorType")[tensor.type],
        data=None if data is None or len(data) == 0 else np.asarray(data, np.uint8),
        scale=np.asarray([] if scale is None else scale, np.float32),
        zero_point=np.asarray([] if zero_point is None else zero_point, np.int64),
        axis=int(quantization.quantizedDimension) if quantization is not None else 0,
    )
