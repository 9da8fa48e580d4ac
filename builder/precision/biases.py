"""Bias correction: what rounding a layer's weights adds to the mean of each output channel is taken from its bias.

As in Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, 4.2, with the means of the
input channels as calibration saw them: E[y] changes by the sum over (input channel, position) of (rounded w - w) E[x].
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from builder.precision.activations import CALLS
from builder.precision.layers import Layer, LayerTable
from builder.precision.plan import ResolvedPlan
from builder.precision.ranges import Observed
from builder.precision.scheme import Scheme

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram

    Array = NDArray[np.float64]


def round_weight(weight: NDArray[np.generic], layer: Layer, scheme: Scheme) -> Array:
    """The weight on its integers' grid: symmetric, one step an output channel. Torch's layout."""
    import numpy as np

    values = np.asarray(weight, np.float64)
    axis = 1 if layer.op == "conv_transpose2d" else 0
    others = tuple(a for a in range(values.ndim) if a != axis)
    largest = 2.0 ** (scheme.weight_bits - 1) - 1
    step = np.maximum(np.abs(values).max(axis=others, keepdims=True), 1e-30) / largest
    return np.asarray(np.rint(values / step) * step, np.float64)


def compute_bias_change(weight: NDArray[np.generic], layer: Layer, scheme: Scheme, means: Array) -> Array | None:
    """What to add to the layer's bias, by output channel; None for a layer that this is not known for.

    `means` are of the input channels.
    """
    import numpy as np

    if not scheme.has_integers or layer.op == "conv_transpose2d":
        return None
    error = round_weight(weight, layer, scheme) - np.asarray(weight, np.float64)
    by_input = error.reshape(*error.shape[:2], -1).sum(axis=2)  # (out, in / groups)
    outputs, each = by_input.shape
    if each == 0 or means.size % each:
        return None
    groups = means.size // each
    if outputs % groups:
        return None
    parts = by_input.reshape(groups, outputs // groups, each)
    return np.asarray(-np.einsum("goe,ge->go", parts, means.reshape(groups, each)).reshape(outputs), np.float64)


def correct_biases(
    program: ExportedProgram, table: LayerTable, plan: ResolvedPlan, observed: Observed
) -> ExportedProgram:
    """The program with `compute_bias_change` added to the biases of the layers whose weights the plan rounds to integers.

    `observed` is by node name. A layer without a bias, or one that is called twice, stays as it is.
    """
    import torch

    module: Any = program.module(check_guards=False)
    layers = {layer.weight: layer for layer in table.layers}
    changed = copy.deepcopy(program)
    for node in module.graph.nodes:
        layer = layers.get(str(node.args[1].target)) if _is_call(node) else None
        seen = observed.get(node.args[0].name) if layer is not None else None
        means = seen.average_channels() if seen is not None and seen.usable else None
        if layer is None or layer.bias is None or layer.uses > 1 or means is None:
            continue
        weight, bias = (program.state_dict[key].detach() for key in (layer.weight, layer.bias))
        change = compute_bias_change(weight.numpy(), layer, plan.scheme(layer.name), means)
        if change is not None:
            moved = bias + torch.from_numpy(change).to(bias.dtype)
            changed.state_dict[layer.bias] = torch.nn.Parameter(moved, requires_grad=False)
    return changed


def _is_call(node: Any) -> bool:
    return node.op == "call_function" and str(node.target) in CALLS
