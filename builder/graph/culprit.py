"""Which operator is to blame, by layer and line: the one that a converter refuses even alone, with what to write instead, or
the first whose results are no numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from builder.bundle import TensorSpec
from builder.errors import ConversionError
from builder.graph.model import Model
from builder.graph.origins import bare_name, place
from builder.precision.layers import layer_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram
    from torch.fx import Node

TIME_S = 120.0  # for all trials; the network's own failure has been told by then
# Operators that every converter takes in every form that torch exports: they are tried last.
_PLAIN = ("add", "sub", "mul", "relu", "cat", "view", "reshape", "permute", "slice", "sigmoid", "tanh", "transpose")
_INSTEAD = {
    "conv_transpose2d": "a kernel of twice the stride with padding of half the stride, and no output padding",
    "grid_sampler": "interpolate, or a warp computed outside the network",
    "grid_sampler_2d": "interpolate, or a warp computed outside the network",
    "upsample_bicubic2d": 'interpolate with mode="bilinear"',
    "upsample_nearest2d": "interpolate by a whole factor",
    "adaptive_avg_pool2d": "avg_pool2d with a kernel that divides the size",
    "cumsum": "a product with a constant triangular matrix",
    "einsum": "matmul and transpose",
    "conv3d": "conv2d on frames stacked as channels",
    "lstm": "convolutions that take the previous output as a second input",
    "gru": "convolutions that take the previous output as a second input",
    "atan2": "a polynomial of the quotient",
    "sort": "topk outside the network",
    "topk": "max over an axis",
}


def name_culprit(program: ExportedProgram, lower: Callable[[Model], object]) -> str | None:
    """`the operator 'x' in layer 'y' (model.py line 3) is what it refuses; use z`, or None when every operator passes alone."""
    end = time.monotonic() + TIME_S
    nodes = sorted(_distinct(program), key=lambda node: bare_name(node) in _PLAIN)
    for node in nodes:
        if time.monotonic() > end:
            return None
        model = _alone(program, node)
        if model is None:
            continue
        try:
            lower(model)
        except ConversionError:
            name = bare_name(node)
            instead = f"; the nearest supported form is {_INSTEAD[name]}" if name in _INSTEAD else ""
            return f"the operator {name!r}{place(node)} is what it refuses even alone{instead}"
    return None


def name_overflow(program: ExportedProgram, sample: Sequence[NDArray[np.generic]], limit: float) -> str | None:
    """`the operator 'x' in layer 'y' (model.py line 3)`, the first whose result on this sample is NaN or beyond `limit`.

    `sample` is in the order of the program's inputs; None where all results are within.
    """
    import torch

    class Watching(torch.fx.Interpreter):
        found: Node | None = None

        def run_node(self, node: Node) -> Any:
            value = super().run_node(node)
            floats = isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel()
            if node.op == "call_function" and self.found is None and floats and not float(value.abs().max()) <= limit:
                self.found = node
            return value

    watching = Watching(program.module(check_guards=False))
    with torch.no_grad():
        watching.run(*(torch.from_numpy(value) for value in sample))
    if watching.found is None:
        return None
    return f"the operator {bare_name(watching.found)!r}{place(watching.found)}"


def _distinct(program: ExportedProgram) -> Iterator[Node]:
    """One node of each operator, shapes and settings."""
    seen = set()
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op != "call_function" or not hasattr(value, "shape"):
            continue
        shapes = tuple(
            tuple(source.meta["val"].shape)
            for source in node.all_input_nodes
            if hasattr(source.meta.get("val"), "shape")
        )
        key = (str(node.target), shapes, str([arg for arg in node.args if not hasattr(arg, "meta")]))
        if key not in seen:
            seen.add(key)
            yield node


def _alone(program: ExportedProgram, node: Node) -> Model | None:
    """A network of this one operator: what was computed before it comes in, parameters stay parameters."""
    import torch

    signature = program.graph_signature
    keys = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    sources = list(dict.fromkeys(node.all_input_nodes))
    constants = {
        source: program.state_dict[keys[source.name]]
        for source in sources
        if keys.get(source.name) in program.state_dict
    }
    inputs = [source for source in sources if source not in constants]
    if not inputs or any(not hasattr(source.meta.get("val"), "shape") for source in inputs):
        return None

    class Alone(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for number, value in enumerate(constants.values()):
                self.register_buffer(f"constant_{number}", value.detach())

        def forward(self, *tensors: torch.Tensor) -> Any:
            known: dict[Any, Any] = dict(zip(inputs, tensors, strict=True))
            known |= {source: getattr(self, f"constant_{number}") for number, source in enumerate(constants)}
            args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), lambda source: known[source])
            return node.target(*args, **kwargs)  # type: ignore[operator]

    samples = tuple(torch.zeros(tuple(source.meta["val"].shape), dtype=source.meta["val"].dtype) for source in inputs)
    if any(str(sample.dtype).removeprefix("torch.") not in ("float32", "int32", "int64") for sample in samples):
        return None
    made = torch.export.export(Alone().eval(), samples)
    specs = tuple(_spec(f"input_{number}", sample) for number, sample in enumerate(samples))
    output = TensorSpec(name="output", kind="tensor", shape=tuple(int(size) for size in node.meta["val"].shape))
    return Model(program=made, inputs=specs, outputs=(output,), layers=layer_table(made))


def _spec(name: str, sample: Any) -> TensorSpec:
    return TensorSpec.model_validate(
        {
            "name": name,
            "kind": "tensor",
            "shape": tuple(sample.shape),
            "dtype": str(sample.dtype).removeprefix("torch."),
        }
    )
