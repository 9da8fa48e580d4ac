"""A computed single value beside a picture of many channels becomes as many equal channels, by a 1 x 1 convolution.

TFLite's GPU delegate (2.16.1, OpenGL) ends the process on `x (1, H, W, C) - m (1, 1, 1, 1)`, and refuses the sum; with
`m (1, 1, 1, C)` both are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY = ("gpu",)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.sub.Tensor": _difference, "aten.add.Tensor": _sum}, only=_needs_it)


def _needs_it(node: Any) -> bool:
    values = [source.meta.get("val") for source in node.args[:2] if hasattr(source, "meta")]
    return len(values) == 2 and any(_is_single(value, other) for value, other in (values, values[::-1]))


def _is_single(value: Any, other: Any) -> bool:
    return value.numel() == 1 and value.ndim in (0, other.ndim) and other.ndim == 4 and other.shape[1] > 1


def _difference(first: Any, second: Any, *, alpha: float = 1) -> Any:
    pair = _widen(first, second)
    return NotImplemented if pair is None else pair[0] - (pair[1] if alpha == 1 else pair[1] * alpha)


def _sum(first: Any, second: Any, *, alpha: float = 1) -> Any:
    pair = _widen(first, second)
    return NotImplemented if pair is None else pair[0] + (pair[1] if alpha == 1 else pair[1] * alpha)


def _widen(first: Any, second: Any) -> tuple[Any, Any] | None:
    """Both operands, the single one with the channels of the other; None where none is single."""
    import torch

    if not (isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor)):
        return None
    if _is_single(first, second):
        return _channels(first, second), second
    return (first, _channels(second, first)) if _is_single(second, first) else None


def _channels(value: Tensor, picture: Tensor) -> Tensor:
    import torch
    from torch.nn.functional import conv2d

    return conv2d(value.reshape(1, 1, 1, 1), torch.ones((picture.shape[1], 1, 1, 1), dtype=value.dtype))
