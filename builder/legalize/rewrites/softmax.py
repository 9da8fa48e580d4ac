"""Softmax of a picture as one of rows: XNNPACK in ExecuTorch takes the last of four axes for the channels that lie last in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY = ("xnnpack/edge",)
# Axes of what it is computed on.
_ROWS = 3


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.softmax.int": _softmax, "aten._softmax.default": _softmax}, only=_is_picture)


def _is_picture(node: Any) -> bool:
    return bool(node.args[0].meta["val"].ndim > _ROWS)


def _softmax(x: Tensor, axis: int, *rest: Any, **_: Any) -> Any:
    import torch

    if x.ndim <= _ROWS:
        return NotImplemented
    last = x.ndim - 1
    turned = x if axis % x.ndim == last else x.transpose(axis, last)
    rows = turned.reshape(1, -1, turned.shape[-1])
    y = torch.softmax(rows, -1).reshape(turned.shape)
    return y if turned is x else y.transpose(axis, last)
