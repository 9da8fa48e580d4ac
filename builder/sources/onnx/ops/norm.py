"""Normalisation, and the reductions of which exporters build it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from builder.sources.network import Call
from builder.sources.onnx.graph import Importer, Node, call_plainly

if TYPE_CHECKING:
    from torch import Tensor


def _batch_norm(node: Node) -> Call:
    """Inference only; training mode was refused when the file was read."""
    from torch.nn import functional

    eps = node.real("epsilon", 1e-5)
    operands = tuple(
        node.weight(number, role)
        for number, role in enumerate(("", "weight", "bias", "running_mean", "running_var"))
        if number
    )
    return Call(
        function=lambda x, weight, bias, mean, variance: functional.batch_norm(
            x, mean, variance, weight, bias, training=False, eps=eps
        ),
        operands=(node.inputs[0], *operands),
    )


def _local_response_norm(node: Node) -> Call:
    """ONNX has the larger half of an even window behind, torch in front; an odd one is the same."""
    from torch.nn import functional

    size = node.integer("size")
    if size % 2 == 0:
        raise node.refuse(f"has an even window of {size} channels", "take an odd one")
    alpha, beta, bias = node.real("alpha", 1e-4), node.real("beta", 0.75), node.real("bias", 1.0)
    return Call(
        function=lambda x: functional.local_response_norm(x, size, alpha, beta, bias), operands=(node.inputs[0],)
    )


def _instance_norm(node: Node) -> Call:
    from torch.nn import functional

    eps = node.real("epsilon", 1e-5)
    return Call(
        function=lambda x, weight, bias: functional.instance_norm(x, weight=weight, bias=bias, eps=eps),
        operands=(node.inputs[0], node.weight(1, "weight"), node.weight(2, "bias")),
    )


def _group_norm(node: Node) -> Call:
    """Scale and bias are by channel since opset 21, by group before."""
    from torch.nn import functional

    groups, eps, channels = node.integer("num_groups"), node.real("epsilon", 1e-5), node.shape()[1]
    by_group = node.shape(1)[0] != channels

    def normalise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if by_group:
            weight, bias = (v.repeat_interleave(channels // groups) for v in (weight, bias))
        return functional.group_norm(x, groups, weight, bias, eps)

    return Call(function=normalise, operands=(node.inputs[0], node.weight(1, "weight"), node.weight(2, "bias")))


def _layer_norm(node: Node) -> Call:
    from torch.nn import functional

    if len([name for name in node.outputs if name]) > 1:
        raise node.refuse("gives its mean or deviation", "use its first output only")
    shape, eps = node.shape(), node.real("epsilon", 1e-5)
    over = shape[node.axis(node.integer("axis", -1)) :]

    def normalise(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        flat = [None if v is None else v.expand(over) for v in (weight, bias)]
        return functional.layer_norm(x, over, flat[0], flat[1], eps)

    return Call(function=normalise, operands=(node.inputs[0], node.weight(1, "weight"), node.weight(2, "bias")))


def _rms_norm(node: Node) -> Call:
    import torch

    rank, eps = node.rank(), node.real("epsilon", 1e-5)
    axes = list(range(node.axis(node.integer("axis", -1)), rank))

    def normalise(x: Tensor, weight: Tensor) -> Tensor:
        return x * torch.rsqrt((x * x).mean(axes, keepdim=True) + eps) * weight

    return Call(function=normalise, operands=(node.inputs[0], node.weight(1, "weight")))


def _lp_norm(node: Node) -> Call:
    import torch

    axis, order = node.axis(node.integer("axis", -1)), node.integer("p", 2)

    def normalise(x: Tensor) -> Tensor:
        size = x.abs().sum(axis, keepdim=True) if order == 1 else torch.sqrt((x * x).sum(axis, keepdim=True))
        return x / size

    return call_plainly(node, normalise)


def _mean_variance(node: Node) -> Call:
    import torch

    axes = [node.axis(a) for a in node.integers("axes", [0, 2, 3])]

    def normalise(x: Tensor) -> Tensor:
        centred = x - x.mean(axes, keepdim=True)
        return centred / (torch.sqrt((centred * centred).mean(axes, keepdim=True)) + 1e-9)

    return call_plainly(node, normalise)


def _reduce(function: Callable[[Tensor, list[int], bool], Tensor]) -> Importer:
    """A reduction over axes: an attribute, since opset 13 or 18 an input; none given means all, or none if it says so."""

    def build(node: Node) -> Call:
        axes = node.integers("axes") if "axes" in node.attributes else node.read_ints(1, "axes")
        keep = bool(node.integer("keepdims", 1))
        if not axes and node.integer("noop_with_empty_axes", 0):
            return call_plainly(node, lambda x: function(x.unsqueeze(-1), [-1], False), 1)  # of every element by itself
        over = [node.axis(a) for a in axes] if axes else list(range(node.rank()))
        return call_plainly(node, lambda x: function(x, over, keep), 1)

    return build


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def _take_root_of_squares(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    import torch

    return torch.sqrt((x * x).sum(axes, keepdim=keep))


def _log_sum_exp(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    import torch

    return torch.logsumexp(x, axes, keepdim=keep)


def _arg(name: str) -> Importer:
    def build(node: Node) -> Call:
        import torch

        if node.integer("select_last_index", 0):
            raise node.refuse("selects the last of equal values", "use select_last_index=0")
        axis, keep = node.axis(node.integer("axis", 0)), bool(node.integer("keepdims", 1))
        function = getattr(torch, name)
        return call_plainly(node, lambda x: function(x, axis, keepdim=keep))

    return build


OPS: dict[str, Importer] = {
    "ArgMax": _arg("argmax"), "ArgMin": _arg("argmin"), "BatchNormalization": _batch_norm, "GroupNormalization": _group_norm,
    "LRN": _local_response_norm,
    "InstanceNormalization": _instance_norm, "LayerNormalization": _layer_norm, "LpNormalization": _lp_norm,
    "MeanVarianceNormalization": _mean_variance, "RMSNormalization": _rms_norm,
    "ReduceL1": _reduce(lambda x, axes, keep: x.abs().sum(axes, keepdim=keep)), "ReduceL2": _reduce(_take_root_of_squares),
    "ReduceLogSum": _reduce(lambda x, axes, keep: x.sum(axes, keepdim=keep).log()), "ReduceLogSumExp": _reduce(_log_sum_exp),
    "ReduceMax": _reduce(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "ReduceMean": _reduce(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "ReduceMin": _reduce(lambda x, axes, keep: x.amin(axes, keepdim=keep)), "ReduceProd": _reduce(_product),
    "ReduceSum": _reduce(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "ReduceSumSquare": _reduce(lambda x, axes, keep: (x * x).sum(axes, keepdim=keep)),
}  # fmt: skip
