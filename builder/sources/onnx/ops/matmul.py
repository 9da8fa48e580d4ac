"""Matrix products and attention. A product with a stored matrix on the right is a linear layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from builder.sources.network import Call, Weight
from builder.sources.onnx.graph import Importer, Node, call_plainly

if TYPE_CHECKING:
    from torch import Tensor


def _matmul(node: Node) -> Call:
    import torch
    from torch.nn import functional

    right = node.constant(1)
    if right is not None and right.ndim == 2 and node.rank() >= 2 and right.is_floating_point():
        weight = Weight(role="weight", value=right.T.contiguous(), origin=node.inputs[1], form="transposed")
        return Call(function=functional.linear, operands=(node.inputs[0], weight))
    return call_plainly(node, torch.matmul)


def _gemm(node: Node) -> Call:
    """alpha * A B + beta * C; with stored B and a stored C by column it is a linear layer."""
    import torch
    from torch.nn import functional

    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    left, turned = bool(node.integer("transA", 0)), bool(node.integer("transB", 0))
    right, added = node.constant(1), node.constant(2)
    columns = node.shape(1)[0] if turned else node.shape(1)[1]
    by_column = not node.has(2) or (
        added is not None and added.numel() in (1, columns) and (added.ndim < 2 or added.shape[0] == 1)
    )
    if right is not None and not left and by_column:
        matrix = right if turned else right.T.contiguous()
        weight = Weight(
            role="weight",
            value=matrix if alpha == 1 else matrix * alpha,
            origin=node.inputs[1],
            form="other" if alpha != 1 else "same" if turned else "transposed",
        )
        bias = None
        if added is not None:
            value = (added.reshape(-1) * beta).expand(columns).contiguous()
            bias = Weight(role="bias", value=value, origin=node.inputs[2])
        return Call(function=functional.linear, operands=(node.inputs[0], weight, bias))

    def multiply(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        y = torch.matmul(a.T if left else a, b.T if turned else b)
        y = y if alpha == 1 else y * alpha
        return y if c is None else y + (c if beta == 1 else c * beta)

    return call_plainly(node, multiply)


def _einsum(node: Node) -> Call:
    import torch

    equation = node.text("equation", "")
    return call_plainly(node, lambda *values: torch.einsum(equation, *values))


def _attention(node: Node) -> Call:
    """Attention of opset 23 without a cache: (N, heads, length, size), or (N, length, heads * size) with the numbers of heads."""
    import torch

    if len([name for name in node.outputs if name]) > 1 or any(node.has(number) for number in (4, 5, 6)):
        raise node.refuse(
            "keeps a cache of keys and values, or gives its scores", "export it with its first output only"
        )
    if node.real("softcap", 0.0):
        raise node.refuse("caps its scores", "export it without softcap")
    packed = node.rank() == 3
    heads, shared = node.integer("q_num_heads", 0), node.integer("kv_num_heads", 0)
    causal = bool(node.integer("is_causal", 0))
    if packed and not (heads and shared):
        raise node.refuse("has packed heads without their number", "state q_num_heads and kv_num_heads")
    size = node.shape()[-1] // heads if packed else node.shape()[-1]
    scale = node.real("scale", 1.0 / math.sqrt(size))
    masked_by_truth = node.has(3) and node.values.tensor(node.inputs[3]).dtype == torch.bool

    def split(x: Tensor, count: int) -> Tensor:
        n, length, width = x.shape
        return x.reshape(n, length, count, width // count).transpose(1, 2)

    def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        if packed:
            q, k, v = split(q, heads), split(k, shared), split(v, shared)
        if k.shape[1] != q.shape[1]:
            k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
        scores = (q * scale) @ k.transpose(-1, -2)
        if causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, float("-inf"))
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf")) if masked_by_truth else scores + mask
        y = torch.softmax(scores, -1) @ v
        return y.transpose(1, 2).flatten(2) if packed else y

    return call_plainly(node, attend, 4)


OPS: dict[str, Importer] = {"Attention": _attention, "Einsum": _einsum, "Gemm": _gemm, "MatMul": _matmul}
