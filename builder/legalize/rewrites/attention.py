"""Attention and matrix products as plain batched products and a softmax, without the masks that guard against empty rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY = ("xnnpack", "gpu")


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program,
        {
            "aten.scaled_dot_product_attention.default": _attention,
            "aten.matmul.default": _product,
            "aten.expand.default": _expand,
            "aten.expand_as.default": _expand_as,
        },
    )


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Vaswani et al. 2017. A mask of truth values, a causal one and dropout stay as they are."""
    import torch

    if dropout or causal or enable_gqa or (mask is not None and not mask.is_floating_point()):
        return NotImplemented
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = _bmm(query, key.transpose(-2, -1))
    if scores is None:
        return NotImplemented
    scores = scores * factor
    scores = scores if mask is None else scores + mask
    result = _bmm(torch.softmax(scores, dim=-1), value)
    if result is None:
        return NotImplemented
    if result.ndim == 4:  # the operator's own strides, on which a view after it may rely
        return result.transpose(1, 2).contiguous().transpose(1, 2)
    return result


def _product(first: Tensor, second: Tensor) -> Any:
    result = _bmm(first, second)
    return NotImplemented if result is None else result


def _bmm(first: Tensor, second: Tensor) -> Tensor | None:
    """The product of stacks of matrices of equal outer shape, or None."""
    import torch

    outer = first.shape[:-2]
    if first.ndim < 3 or second.ndim < 3 or outer != second.shape[:-2]:
        return None
    (n, k), m = first.shape[-2:], second.shape[-1]
    flat = torch.bmm(first.reshape(-1, n, k), second.reshape(-1, k, m))
    return flat.reshape(*outer, n, m)


def _expand(x: Tensor, size: Sequence[int], *, implicit: bool = False) -> Any:
    """An expansion to the same shape does nothing."""
    same = len(size) == x.ndim and all(wanted in (-1, have) for wanted, have in zip(size, x.shape, strict=True))
    return x if same else NotImplemented


def _expand_as(x: Tensor, other: Tensor) -> Any:
    return x if x.shape == other.shape else NotImplemented
