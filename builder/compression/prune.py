"""Structured pruning: the same share of the channels of every group of layers goes, those with the smallest weights first.

The importance of a channel is the sum of the magnitudes of all weights that make it (Li et al., "Pruning Filters for Efficient
ConvNets", 2017), relative to the mean of its group. The share is the smallest that meets the budget.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.compression.channels import Atoms, Channels, find_channels
from builder.errors import ConversionError, VerificationError
from builder.precision.layers import LayerTable, list_layers

if TYPE_CHECKING:
    from torch.export import ExportedProgram

# Channels that a group keeps, whatever the budget: one alone would decide everything behind it by one number.
LEAST = 2
# Halvings of the share: finer than one channel of any layer.
TRIES = 24


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """`share` of the channels went; `widths` are layers with their output channels before and after; `stayed` says why others keep theirs."""

    program: ExportedProgram
    share: float
    widths: dict[str, tuple[int, int]]
    stayed: dict[str, str]


def count_parameters(program: ExportedProgram) -> int:
    """Stored numbers that are trained: floats."""
    return sum(int(value.numel()) for value in program.parameters())


def count_macs(table: LayerTable) -> int:
    return sum(layer.macs for layer in table.layers)


def prune(program: ExportedProgram, fits: Callable[[int, int], bool], *, multiple: int = 1) -> Pruned:
    """The program with the smallest share of channels removed that `fits` (parameters, multiply-accumulates).

    `multiple`: widths that are left are multiples of it. Raises VerificationError with the smallest network that there is where
    none fits, ConversionError where nothing can go.
    """
    module: Any = program.module(check_guards=False)
    channels = find_channels(module)
    order = _families(channels)
    if not order:
        why = "; ".join(f"{layer}: {reason}" for layer, reason in list(channels.reasons().items())[:3] if layer)
        raise ConversionError(
            f"no channel of this network can be pruned ({why or 'it has no layers'}); remove 'prune' from 'stages' in [compress]."
        )
    low, high = 0.0, 1.0
    best = _cut(program, channels, order, high, multiple)
    if not fits(count_parameters(best), count_macs(list_layers(best))):
        raise VerificationError(
            f"the budget cannot be met by pruning: with {LEAST} channels a group the network has {count_parameters(best)} parameters and "
            f"{count_macs(list_layers(best))} multiply-accumulates; raise the limit in [compress] budget."
        )
    sizes = {len(groups) for groups in order}
    for _ in range(TRIES):
        middle = (low + high) / 2
        if high - low < 0.5 / max(sizes):
            break
        tried = _cut(program, channels, order, middle, multiple)
        if fits(count_parameters(tried), count_macs(list_layers(tried))):
            high, best = middle, tried
        else:
            low = middle
    return Pruned(program=best, share=high, widths=_widths(program, best), stayed=_name_reasons(channels))


def _name_reasons(channels: Channels) -> dict[str, str]:
    return {layer: why for layer, why in channels.reasons().items() if layer}


def _families(channels: Channels) -> list[list[list[int]]]:
    """Groups of channels that the same layers make, the least important first; each channel is the atoms that go with it."""
    families: dict[frozenset[str], list[list[int]]] = {}
    for atoms in channels.groups().values():
        makers = frozenset(channels.makers[atom] for atom in atoms)
        families.setdefault(makers, []).append(atoms)
    importance = _importance(channels)
    return [
        sorted(groups, key=lambda atoms: (sum(importance[atom] for atom in atoms), atoms))
        for _, groups in sorted(families.items(), key=lambda item: sorted(item[0]))
    ]


def _importance(channels: Channels) -> list[float]:
    """Of each atom: the mean magnitude of the weights that make it, in units of their layer's."""
    import torch

    values = [0.0] * (max(channels.makers) + 1)
    for follower in channels.followers:
        if not follower.target.endswith("weight"):
            continue
        owner, _, name = follower.target.rpartition(".")
        weight = getattr(channels.module.get_submodule(owner), name).detach()
        others = [axis for axis in range(weight.ndim) if axis != follower.axis]
        if not others:
            continue
        each = weight.abs().mean(dim=others)
        each = each / each.mean().clamp(min=torch.finfo(torch.float32).tiny)
        for atom, value in zip(follower.atoms, each.tolist(), strict=True):
            values[atom] += value
    return values


def _cut(
    program: ExportedProgram, channels: Channels, order: list[list[list[int]]], share: float, multiple: int
) -> ExportedProgram:
    """The program without this share of each family's channels."""
    import torch

    gone: set[int] = set()
    for groups in order:
        kept = max(len(groups) - int(share * len(groups)), min(LEAST, len(groups)))
        kept = min(math.ceil(kept / multiple) * multiple, len(groups))
        gone.update(atom for atoms in groups[: len(groups) - kept] for atom in atoms)
    # Edits change the operators of the graph that was looked at: the copy has the same ones in the same order.
    copied = find_channels(copy.deepcopy(channels.module))
    module: Any = copied.module

    def positions(atoms: Atoms) -> list[int]:
        return [place for place, atom in enumerate(atoms) if atom not in gone]

    for follower in copied.followers:
        owner, _, name = follower.target.rpartition(".")
        parent = module.get_submodule(owner)
        value = getattr(parent, name)
        cut = value.detach().index_select(follower.axis, torch.tensor(positions(follower.atoms))).contiguous()
        if isinstance(value, torch.nn.Parameter):
            setattr(parent, name, torch.nn.Parameter(cut, requires_grad=False))
        else:
            setattr(parent, name, cut)
    for edit in copied.edits:
        edit(positions)
    return export_again(program, module, "prune")


def export_again(program: ExportedProgram, module: Any, stage: str) -> ExportedProgram:
    """The changed module exported again; the outputs must have the shapes that they had. Raises ConversionError."""
    import torch

    from builder.graph.equality import compute_outputs, make_random_inputs

    module.graph.eliminate_dead_code()
    module.recompile()
    module._forward_pre_hooks.clear()
    inputs = make_random_inputs(program)
    with torch.no_grad():
        made = torch.export.export(module, inputs)
    before, after = compute_outputs(program, inputs), compute_outputs(made, inputs)
    if [value.shape for value in before] != [value.shape for value in after]:
        raise ConversionError(
            f"the stage {stage!r} changed the shape of an output from {[list(v.shape) for v in before]} to {[list(v.shape) for v in after]}; "
            f"remove it from 'stages' in [compress]."
        )
    return made


def _widths(before: ExportedProgram, after: ExportedProgram) -> dict[str, tuple[int, int]]:
    """Output channels by layer, where they changed."""
    old = {layer.name: _outputs(layer) for layer in list_layers(before).layers}
    return {
        layer.name: (old[layer.name], _outputs(layer))
        for layer in list_layers(after).layers
        if old.get(layer.name) != _outputs(layer)
    }


def _outputs(layer: Any) -> int:
    return int(layer.weight_shape[1 if layer.op == "conv_transpose2d" else 0])
