"""Cross-layer equalization: channels between two layers are scaled so that neither layer has a few that are far larger.

Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, 4.1: output channel i of the first
layer is divided, and input channel i of the second multiplied, by s_i = sqrt(r1_i / r2_i), with the ranges r of the weights
there. What lies between must commute with a positive factor: nothing, a ReLU or a leaky ReLU. The function stays the same.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import Node

_CONV = ("aten.conv2d.default", "aten.conv2d.padding")
_LINEAR = ("aten.linear.default",)
_POSITIVE = ("aten.relu.default", "aten.relu_.default", "aten.leaky_relu.default", "aten.leaky_relu_.default")
# A weight channel that is almost zero would ask for a factor that no number format holds.
_LARGEST_FACTOR = 1e3
# Pairs share layers: a few rounds settle them.
ROUNDS = 4


def find_pairs(program: ExportedProgram) -> list[tuple[Node, Node]]:
    """Calls of two layers with nothing between them that does not commute with a positive factor."""
    parameters = program.graph_signature.inputs_to_parameters
    uses: dict[str, int] = {}
    for node in program.graph.nodes:
        if node.op == "call_function":
            for source in node.all_input_nodes:
                if source.name in parameters:
                    uses[source.name] = uses.get(source.name, 0) + 1
    couples = []
    for node in program.graph.nodes:
        if not _is_layer(node, parameters, uses):
            continue
        after: Node = node
        while len(after.users) == 1 and str(next(iter(after.users)).target) in _POSITIVE:
            after = next(iter(after.users))
        following = next(iter(after.users)) if len(after.users) == 1 else None
        if following is None or following.args[:1] != (after,) or not _is_layer(following, parameters, uses):
            continue
        if (str(node.target) in _LINEAR) == (str(following.target) in _LINEAR):
            couples.append((node, following))
    return couples


def equalize(program: ExportedProgram) -> ExportedProgram:
    """The program with other weights and the same function; itself where it has no such pair."""
    couples = find_pairs(program)
    if not couples:
        return program
    changed = copy.deepcopy(program)
    parameters = changed.graph_signature.inputs_to_parameters
    weights: dict[str, torch.Tensor] = {
        name: tensor.detach().double().clone() for name, tensor in changed.state_dict.items()
    }
    for _ in range(ROUNDS):
        for first, second in couples:
            _equalize(weights, parameters, first, second)
    import torch

    for name, before in list(changed.state_dict.items()):
        if not torch.equal(weights[name], before.detach().double()):
            changed.state_dict[name] = torch.nn.Parameter(weights[name].to(before.dtype), requires_grad=False)
    return changed


def _equalize(weights: dict[str, Any], parameters: dict[str, str], first: Node, second: Node) -> None:
    import torch

    one, two = (parameters[str(getattr(node.args[1], "name", ""))] for node in (first, second))
    groups = int(second.args[6]) if len(second.args) > 6 else 1  # type: ignore[arg-type]
    own = weights[one].reshape(weights[one].shape[0], -1).abs().amax(dim=1)
    taken = _by_input(weights[two], groups)
    if taken is None or taken.numel() != own.numel():
        return
    usable = (own > 0) & (taken > 0)
    factor = torch.where(usable, torch.sqrt(own / taken.clamp_min(1e-30)), torch.ones_like(own))
    factor = factor.clamp(1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
    weights[one] = weights[one] / factor.reshape(-1, *[1] * (weights[one].ndim - 1))
    bias = first.args[2] if len(first.args) > 2 else None
    if bias is not None:
        key = parameters[str(getattr(bias, "name", ""))]
        weights[key] = weights[key] / factor
    outputs, each = weights[two].shape[:2]
    by_group = factor.reshape(groups, each).repeat_interleave(outputs // groups, dim=0)
    weights[two] = weights[two] * by_group.reshape(outputs, each, *[1] * (weights[two].ndim - 2))


def _by_input(weight: Any, groups: int) -> Any:
    """Largest magnitude of the weights that read each input channel, None where the groups do not divide."""
    outputs, each = weight.shape[:2]
    if outputs % groups:
        return None
    return weight.abs().reshape(groups, outputs // groups, each, -1).amax(dim=(1, 3)).reshape(-1)


def _is_layer(node: Node, parameters: dict[str, str], uses: dict[str, int]) -> bool:
    """A call whose weight and bias are parameters that nothing else uses."""
    if node.op != "call_function" or str(node.target) not in (*_CONV, *_LINEAR):
        return False
    own = [node.args[1], *([node.args[2]] if len(node.args) > 2 and node.args[2] is not None else [])]
    return all(
        uses.get(getattr(value, "name", ""), 0) == 1 and getattr(value, "name", "") in parameters for value in own
    )
