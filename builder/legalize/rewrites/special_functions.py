"""Functions that no converter has, by those that all have: `erfc`, `hypot`, `cosine_similarity`, `logsigmoid`, `logaddexp`,
`nan_to_num`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program,
        {
            "aten.erfc.default": _complementary_error,
            "aten.special_erfc.default": _complementary_error,
            "aten.hypot.default": _hypotenuse,
            "aten.cosine_similarity.default": _cosine,
            "aten.nan_to_num.default": _replace_no_numbers,
            "aten.logaddexp.default": _log_add_exp,
            "aten.log_sigmoid.default": _log_sigmoid,
            "aten.log_sigmoid_forward.default": lambda x: (_log_sigmoid(x), x),
        },
    )


def _complementary_error(x: Tensor) -> Any:
    import torch

    return 1.0 - torch.erf(x) if x.is_floating_point() else NotImplemented


def _hypotenuse(x: Tensor, y: Tensor) -> Any:
    import torch

    return torch.sqrt(x * x + y * y) if x.is_floating_point() else NotImplemented


def _cosine(x: Tensor, y: Tensor, axis: int = 1, eps: float = 1e-8) -> Tensor:
    """As torch has it: each length is at least `eps`."""
    lengths = [(part * part).sum(axis, keepdim=True).sqrt().clamp(min=eps) for part in (x, y)]
    return (x / lengths[0] * (y / lengths[1])).sum(axis)


def _log_sigmoid(x: Tensor) -> Tensor:
    """-log(1 + e^-x) = min(x, 0) - log(1 + e^-|x|), whose exponential is at most 1."""
    import torch

    return x.clamp(max=0.0) - torch.log(torch.exp(-x.abs()) + 1.0)


def _replace_no_numbers(
    x: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """NaN, and what is infinite, as numbers: the largest of the type where nothing else is asked for."""
    import torch

    if not x.is_floating_point():
        return x
    largest = torch.finfo(x.dtype).max
    numbers = torch.where(x != x, torch.full((), nan or 0.0, dtype=x.dtype), x)
    low, high = -largest if neginf is None else neginf, largest if posinf is None else posinf
    infinite = torch.where(x > largest, torch.full((), high, dtype=x.dtype), numbers)
    return torch.where(x < -largest, torch.full((), low, dtype=x.dtype), infinite)


def _log_add_exp(x: Tensor, y: Tensor) -> Any:
    """log(e^x + e^y) = max(x, y) + log(1 + e^-|x - y|)."""
    import torch

    if not x.is_floating_point():
        return NotImplemented
    return torch.maximum(x, y) + torch.log(torch.exp(-(x - y).abs()) + 1.0)
