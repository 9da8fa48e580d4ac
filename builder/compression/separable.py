"""Standard convolutions become a depthwise and a pointwise one where that has fewer weights and multiply-accumulates.

Both start from least squares on the layer's own inputs: of all pairs of a kernel for each input channel and a matrix over the
channels, the one whose result is nearest to the layer's on the pictures. Given the kernels the matrix is a linear problem, and given the
matrix the kernels are; they are solved in turn, from the best rank-1 filters of each channel. All that is needed of the pictures is
the covariance of the patches that the layer reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from builder.compression.prune import count_macs, count_parameters, export_again
from builder.errors import ConversionError, VerificationError
from builder.precision.layers import Layer, list_layers
from builder.sources.quantized import drop_unused
from builder.training.network import without_checks

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

# Of matrix and kernels; the error falls little after.
TURNS = 8
# Positions of one batch that are looked at.
SAMPLED = 2048
# Of the mean variance, so that channels that are alike can be told apart.
RIDGE = 1e-6
CONV = "aten.conv2d.default"


@dataclass(frozen=True, kw_only=True)
class Separated:
    """`replaced`: by layer, the part of its result's variance that the pair misses; `stayed` says why others are as they were."""

    program: ExportedProgram
    replaced: dict[str, float]
    stayed: dict[str, str]


@dataclass(kw_only=True)
class Patches:
    """Sums over the patches that a convolution reads, a row of `channels * rows * columns` each."""

    count: int = 0
    total: Any = 0
    products: Any = 0

    def add(self, rows: Tensor) -> None:
        self.count += len(rows)
        self.total = self.total + rows.sum(dim=0)
        self.products = self.products + rows.T @ rows

    def mean(self) -> Tensor:
        found: Tensor = self.total / self.count
        return found

    def covariance(self) -> Tensor:
        mean = self.mean()
        found: Tensor = self.products / self.count - mean[:, None] * mean[None]
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """What a layer becomes: `[in, 1, rows, columns]`, `[out, in, 1, 1]`, `[out]`, and the part of its variance that they miss."""

    depthwise: Tensor
    pointwise: Tensor
    bias: Tensor
    missed: float


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    layer: Layer
    node: Any
    seen: Patches = field(default_factory=Patches)


def separate(program: ExportedProgram, batches: Iterable[Tensor], fits: Callable[[int, int], bool] | None) -> Separated:
    """The program with pairs in place of convolutions, the least harmed for what it saves first, until `fits` (parameters,
    multiply-accumulates); all that pay where there is no limit. The first and the last layer stay.

    Raises ConversionError where nothing pays.
    """
    import torch

    module: Any = program.module(check_guards=False)
    without_checks(module)
    candidates, stayed = _candidates(program, module)
    if not candidates:
        why = "; ".join(f"{layer}: {reason}" for layer, reason in list(stayed.items())[:3])
        raise ConversionError(
            f"no convolution of this network is better as a depthwise and a pointwise one ({why or 'it has none'}); remove 'separable' from "
            "'stages' in [compress]."
        )
    with torch.no_grad():
        _look(module, candidates, batches)
        pairs = {c.layer.name: _pair(module, c) for c in candidates}
    order = sorted(candidates, key=lambda c: (pairs[c.layer.name].missed / _measure_share_saved(c.layer), c.layer.name))
    replaced: dict[str, float] = {}
    size, work = count_parameters(program), count_macs(list_layers(program))
    for candidate in order:
        layer = candidate.layer
        if fits is not None and fits(size, work):
            stayed[layer.name] = "the budget holds without it"
            continue
        pair = pairs[layer.name]
        before = layer.params
        _replace(module, candidate, pair)
        size += pair.depthwise.numel() + pair.pointwise.numel() + pair.bias.numel() - before
        work -= round(layer.macs * _measure_share_saved(layer))
        replaced[layer.name] = round(pair.missed, 5)
    if not replaced:
        raise ConversionError("the budget holds already; remove 'separable' from 'stages' in [compress].")
    module.graph.eliminate_dead_code()
    drop_unused(module)
    return Separated(program=export_again(program, module, "separable"), replaced=replaced, stayed=stayed)


def require(program: ExportedProgram, fits: Callable[[int, int], bool]) -> None:
    """Raises VerificationError where nothing that comes after makes the network fit."""
    size, work = count_parameters(program), count_macs(list_layers(program))
    if not fits(size, work):
        raise VerificationError(
            f"the budget cannot be met by 'separable' alone: the network has {size} parameters and {work} multiply-accumulates; add 'prune' to "
            "'stages', or raise the limit in [compress] budget."
        )


def _measure_share_saved(layer: Layer) -> float:
    """The share of its multiply-accumulates that the pair does not need."""
    out, _, *kernel = layer.weight_shape
    area = kernel[0] * kernel[1]
    return 1 - (area + out) / (out * area)


def _candidates(program: ExportedProgram, module: Any) -> tuple[list[_Candidate], dict[str, str]]:
    nodes: dict[str, list[Node]] = {}
    for node in module.graph.nodes:
        if node.op == "call_function" and len(node.args) > 1 and getattr(node.args[1], "op", "") == "get_attr":
            nodes.setdefault(str(node.args[1].target), []).append(node)
    candidates, stayed = [], {}
    for layer in list_layers(program).layers:
        calls = nodes.get(layer.weight, [])
        if layer.op != "conv2d" or any(str(call.target) != CONV for call in calls):
            continue
        kernel = layer.weight_shape[2:]
        groups = calls[0].args[6] if calls and len(calls[0].args) > 6 else 1
        if layer.first or layer.last:
            stayed[layer.name] = f"it is next to {'an input' if layer.first else 'an output'} of the network"
        elif len(calls) != 1:
            stayed[layer.name] = "its weights are used several times"
        elif groups != 1:
            stayed[layer.name] = "it has groups"
        elif kernel[0] * kernel[1] == 1 or _measure_share_saved(layer) <= 0:
            stayed[layer.name] = "a pair would have as many multiply-accumulates"
        else:
            candidates.append(_Candidate(layer=layer, node=calls[0]))
    return candidates, stayed


def _look(module: Any, candidates: list[_Candidate], batches: Iterable[Tensor]) -> None:
    """Patches of all candidates' inputs."""
    import torch

    wanted = {candidate.node: candidate for candidate in candidates}

    class Looker(torch.fx.Interpreter):
        def run_node(self, node: Node) -> Any:
            if node in wanted:
                wanted[node].seen.add(_patches(node, self.env[node.args[0]], wanted[node].layer))  # type: ignore[index]
            return super().run_node(node)

    for batch in batches:
        Looker(module).run(batch)


def _patches(node: Node, inputs: Tensor, layer: Layer) -> Tensor:
    """`[positions, channels * rows * columns]` in double, at most SAMPLED of them."""
    from torch.nn import functional

    stride, padding, dilation = (
        _two(node.args[place], default) if len(node.args) > place else (default, default)
        for place, default in ((3, 1), (4, 0), (5, 1))
    )
    flat = functional.unfold(inputs, layer.weight_shape[2:], dilation=dilation, padding=padding, stride=stride)
    rows = flat.transpose(1, 2).reshape(-1, flat.shape[1])
    return rows[:: max(len(rows) // SAMPLED, 1)].double()


def _two(value: Any, default: int) -> tuple[int, int]:
    given = list(value) if value else [default]
    return int(given[0]), int(given[-1])


def _pair(module: Any, candidate: _Candidate) -> Pair:
    weight = _value(module, candidate.node.args[1]).double()
    bias_node = candidate.node.args[2] if len(candidate.node.args) > 2 else None
    bias = _value(module, bias_node).double() if bias_node is not None else weight.new_zeros(len(weight))
    return fit_pair(weight, bias, candidate.seen)


def fit_pair(weight: Tensor, bias: Tensor, seen: Patches) -> Pair:
    """The pair that gives on these patches what the convolution gives, as nearly as one can."""
    import torch

    out, into = weight.shape[:2]
    area = weight[0, 0].numel()
    flat, covariance, mean = weight.reshape(out, into * area), seen.covariance(), seen.mean()
    covariance = covariance + torch.eye(len(covariance), dtype=covariance.dtype) * (
        RIDGE * covariance.diagonal().mean() + 1e-12
    )
    wanted = flat @ covariance  # of results with patches
    _, _, right = torch.linalg.svd(weight.reshape(out, into, area).transpose(0, 1), full_matrices=False)
    kernels = right[:, 0]  # [in, area], the best rank 1 of each channel's filters
    matrix = weight.new_zeros(out, into)
    for _ in range(TURNS):
        spread = _spread(kernels)  # [in, in * area]
        matrix = torch.linalg.solve(spread @ covariance @ spread.T, (wanted @ spread.T).T).T
        links = (matrix.T @ matrix).repeat_interleave(area, 0).repeat_interleave(area, 1)
        right_side = (matrix.T.repeat_interleave(area, 0) * wanted.T).sum(dim=1)
        damped = links * covariance
        damped = damped + torch.eye(len(damped), dtype=damped.dtype) * (RIDGE * damped.diagonal().mean() + 1e-12)
        kernels = torch.linalg.solve(damped, right_side).reshape(into, area)
        kernels = kernels / kernels.norm(dim=1, keepdim=True).clamp_min(1e-9)
    spread = _spread(kernels)
    matrix = torch.linalg.solve(spread @ covariance @ spread.T, (wanted @ spread.T).T).T
    made = matrix @ spread
    apart, whole = flat - made, float((flat @ covariance * flat).sum())
    return Pair(
        depthwise=kernels.reshape(into, 1, *weight.shape[2:]).float(),
        pointwise=matrix.reshape(out, into, 1, 1).float(),
        bias=(bias + apart @ mean).float(),
        missed=max(float((apart @ covariance * apart).sum()), 0.0) / max(whole, 1e-30),
    )


def _spread(kernels: Tensor) -> Tensor:
    """`[in, area]` -> `[in, in * area]`, each channel's kernel in its own columns."""
    import torch

    return (torch.eye(len(kernels), dtype=kernels.dtype)[:, :, None] * kernels[None]).flatten(1)


def _replace(module: Any, candidate: _Candidate, pair: Pair) -> None:
    import torch

    node, name = candidate.node, candidate.layer.name
    names = {}
    for part, value in (
        ("depthwise.weight", pair.depthwise),
        ("pointwise.weight", pair.pointwise),
        ("pointwise.bias", pair.bias),
    ):
        names[part] = _register(module, f"{name}.{part}", value)
    stride, padding, dilation = (
        node.args[place] if len(node.args) > place else default
        for place, default in ((3, [1, 1]), (4, [0, 0]), (5, [1, 1]))
    )
    with module.graph.inserting_before(node):
        kernels, matrix, bias = (module.graph.get_attr(path) for path in names.values())
        into = pair.depthwise.shape[0]
        first = module.graph.call_function(
            torch.ops.aten.conv2d.default, (node.args[0], kernels, None, stride, padding, dilation, into)
        )
        second = module.graph.call_function(torch.ops.aten.conv2d.default, (first, matrix, bias))
    node.replace_all_uses_with(second)
    module.graph.erase_node(node)


def _register(module: Any, path: str, value: torch.Tensor) -> str:
    import torch

    owner, _, last = path.rpartition(".")
    parent = module
    for part in owner.split("."):
        if part not in dict(parent.named_children()):
            parent.add_module(part, torch.nn.Module())
        parent = getattr(parent, part)
    parent.register_parameter(last, torch.nn.Parameter(value.contiguous(), requires_grad=False))
    return path


def _value(module: Any, node: Any) -> Tensor:
    owner, _, name = str(node.target).rpartition(".")
    found: Tensor = getattr(module.get_submodule(owner), name).detach()
    return found
