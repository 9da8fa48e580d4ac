"""Every op with weights of a .pte, in order of execution: XNNPACK's and those that stayed with ExecuTorch's own kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.backends.executorch.pte import Constant, Instruction, Program
from builder.backends.executorch.schemes import name_scheme
from builder.backends.executorch.xnnpack import Graph, Value
from builder.precision.quantizers import Grid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

NUMPY = {"fp32": "<f4", "fp16": "<f2", "qint8": "i1", "qcint8": "i1", "int8": "i1", "qint32": "<i4", "qcint32": "<i4"}
_WEIGHTED = ("Conv2d", "DepthwiseConv2d", "ConvTranspose2d", "FullyConnected")
# Portable kernels with weights: the places of activation, weights and bias among their arguments.
_PORTABLE = {
    "aten::convolution.out": (0, 1, 2),
    "aten::linear.out": (0, 1, 2),
    "aten::addmm.out": (1, 2, 0),
    "aten::mm.out": (0, 1, None),
}
# Kernels that hand on the values of their first argument in another place or type.
_PASSING = (
    "aten::permute_copy",
    "aten::t_copy",
    "aten::transpose_copy",
    "aten::view_copy",
    "dim_order_ops::_to_dim_order_copy",
    "dim_order_ops::_clone_dim_order",
    "aten::clone",
    "aten::_to_copy",
)


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A constant with how it is quantized: `scale` empty for floats, else one for all or one along `axis`."""

    datatype: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]
    scale: Array
    zero_point: int
    axis: int
    for_half: bool = False

    @property
    def bytes(self) -> int:
        return int(self.data.nbytes)

    def values(self) -> Array:
        """The real numbers it stands for: (q - zero_point) * scale for integers."""
        import numpy as np

        stored = np.frombuffer(self.data.tobytes(), NUMPY[self.datatype]).reshape(self.shape).astype(np.float32)
        return stored if not self.scale.size else (stored - np.float32(self.zero_point)) * self._along_axis()

    def rounding(self, values: Array) -> Array:
        """Largest distance of `values` from what was rounded to them: half a step, or half a unit in the last place of float16.

        Weights stored as float32 for float16 arithmetic have been rounded to float16 before.
        """
        import numpy as np

        if self.scale.size:
            return np.broadcast_to(np.float32(0.501) * self._along_axis(), values.shape)
        if self.datatype == "fp16" or self.for_half:
            return (np.abs(values) * np.float32(2.0**-11 * 1.01) + np.float32(2.0**-25)).astype(np.float32)
        return np.zeros_like(values)

    def _along_axis(self) -> Array:
        if self.scale.size == 1:
            return self.scale.reshape(())
        shape = [1] * len(self.shape)
        shape[self.axis] = -1
        return self.scale.reshape(shape)


@dataclass(frozen=True, kw_only=True)
class WeightedOp:
    """An op with constant weights. `kind` names the layout of its weights: XNNPACK's node type, or the portable kernel.

    `source` and `result`: what the integers of its activations stand for, None for floats.
    """

    name: str
    kind: str
    scheme: str
    groups: int
    weight: Weight
    bias: Weight | None
    source: Grid | None = None
    result: Grid | None = None


def find_weighted_ops(program: Program, graphs: tuple[Graph, ...]) -> tuple[WeightedOp, ...]:
    """All ops with constant weights. Ops whose weights are computed belong to no layer and are left out."""
    by_delegate = {graph.delegate: graph for graph in graphs}
    ops: list[WeightedOp] = []
    made_by: dict[int, Instruction] = {}
    for number, step in enumerate(program.instructions):
        if step.delegate is not None:
            if step.delegate in by_delegate:
                ops += _find_delegated(by_delegate[step.delegate], number)
        elif step.kernel in _PORTABLE:
            op = _portable(program, step, number, made_by)
            ops += [op] if op else []
        if step.args:
            made_by[step.args[-1]] = step
    return tuple(ops)


def _find_delegated(graph: Graph, step: int) -> Iterator[WeightedOp]:
    for number, node in enumerate(graph.nodes):
        if node.kind not in _WEIGHTED or node.filter is None or graph.values[node.filter].constant is None:
            continue
        source, weight, result = (graph.values[number] for number in (node.inputs[0], node.filter, node.output))
        for_half = source.datatype == "fp16"
        yield WeightedOp(
            name=f"{step}.{number}",
            kind=node.kind,
            scheme=name_scheme(node.kind, source.datatype, weight.datatype, result.datatype),
            groups=node.groups,
            weight=_of_value(weight, for_half=for_half),
            bias=None if node.bias is None else _of_value(graph.values[node.bias], for_half=for_half),
            source=_grid(source),
            result=_grid(result),
        )


def _grid(value: Value) -> Grid | None:
    """Of an activation."""
    import numpy as np

    if value.datatype != "qint8" or len(value.scale) != 1:
        return None
    return Grid(scale=(float(np.float32(value.scale[0])),), zero_point=(value.zero_point,))


def _of_value(value: Value, *, for_half: bool) -> Weight:
    import numpy as np

    data = np.empty(0, np.uint8) if value.constant is None else value.constant
    scale = np.asarray(value.scale, np.float32)
    return Weight(
        datatype=value.datatype,
        shape=value.shape,
        data=data,
        scale=scale,
        zero_point=value.zero_point,
        axis=value.axis,
        for_half=for_half,
    )


def _portable(program: Program, step: Instruction, number: int, made_by: dict[int, Instruction]) -> WeightedOp | None:
    """A portable kernel, its weights sought through the kernels that move or convert them."""
    assert step.kernel is not None
    activation, weight, bias = _PORTABLE[step.kernel]
    source = _source(program, step.args[weight], made_by)
    if source is None:
        return None
    source_type = program.dtypes.get(step.args[activation], "other")
    offset = None if bias is None else program.constants.get(step.args[bias])
    return WeightedOp(
        name=f"{number}",
        kind=step.kernel,
        scheme=name_scheme(step.kernel, source_type, source.dtype, program.dtypes.get(step.args[-1], "other")),
        groups=1,
        weight=_of_constant(source),
        bias=None if offset is None else _of_constant(offset),
    )


def _source(program: Program, value: int, made_by: dict[int, Instruction]) -> Constant | None:
    """The constant that a value comes from, itself or moved, or None where it is computed."""
    while value not in program.constants:
        step = made_by.get(value)
        if step is None or step.kernel is None or not step.kernel.startswith(_PASSING):
            return None
        value = step.args[0]
    return program.constants[value]


def _of_constant(constant: Constant) -> Weight:
    import numpy as np

    return Weight(
        datatype=constant.dtype,
        shape=constant.shape,
        data=constant.data,
        scale=np.empty(0, np.float32),
        zero_point=0,
        axis=0,
    )
