"""What the activations around a program's layers are over calibration samples, by node name, one sample at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from builder.errors import ConversionError
from builder.precision.ranges import Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

CALLS = ("aten.conv2d.default", "aten.conv2d.padding", "aten.conv_transpose2d.input", "aten.linear.default")
FUSED = (
    "aten.relu.default",
    "aten.relu_.default",
    "aten.hardtanh.default",
    "aten.hardtanh_.default",
    "aten.relu6.default",
    "aten.relu6_.default",
)
NO_SAMPLES = (
    "the plan quantizes activations, which needs samples to observe: set 'calibration' in [data] of builder.toml."
)


def observe_program(
    program: ExportedProgram, inputs: Sequence[str], samples: Iterable[Mapping[str, NDArray[np.generic]]]
) -> dict[str, Observation]:
    """Inputs and outputs of all layers, the latter after the activation that runtimes compute with them.

    Channels are the second axis of pictures, the last of everything else. Raises ConversionError without samples.
    """
    import torch

    module: Any = program.module(check_guards=False)
    wanted = find_observed_nodes(module)
    seen = {node.name: Observation() for node in wanted}

    class Observer(torch.fx.Interpreter):
        def run_node(self, node: Node) -> Any:
            value = super().run_node(node)
            if node in wanted:
                seen[node.name].add(value.numpy(), 1 if value.ndim == 4 else -1)
            return value

    count = 0
    with torch.no_grad():
        for sample in samples:
            Observer(module).run(*(torch.from_numpy(sample[name]) for name in inputs))
            count += 1
    if not count:
        raise ConversionError(NO_SAMPLES)
    return seen


def find_observed_nodes(module: GraphModule) -> set[Node]:
    """The activations that a static scheme of any layer would quantize."""
    nodes: set[Node] = set()
    for node in module.graph.nodes:
        if node.op == "call_function" and str(node.target) in CALLS:
            nodes |= {node.args[0], find_layer_output(node)}
    return nodes


def find_layer_output(call: Node) -> Node:
    """The call itself, or the activation after it that is computed with it."""
    users = list(call.users)
    return users[0] if len(users) == 1 and str(users[0].target) in FUSED else call
