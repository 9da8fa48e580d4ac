"""Functions that no converter has, by those that all have: `erfc`, `hypot`, `cosine_similarity`, `logsigmoid`, `logaddexp`,
`nan_to_num`, `prod`, `fmax`, `rrelu`, and `round` to decimals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
# Factors; each is a multiplication of its own.
_MOST = 64


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    import torch

    return replace_calls(
        program,
        {
            "aten.erfc.default": _complementary_error,
            "aten.special_erfc.default": _complementary_error,
            "aten.hypot.default": _hypotenuse,
            "aten.cosine_similarity.default": _cosine,
            "aten.prod.dim_int": _multiply_along,
            "aten.round.decimals": _round,
            "aten.fmax.default": lambda x, y: _choose_number(torch.maximum, x, y),
            "aten.fmin.default": lambda x, y: _choose_number(torch.minimum, x, y),
            "aten.rrelu.default": _rrelu,
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


def _multiply_along(x: Tensor, axis: int, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """One slice after the other: Core ML's front end has no product along an axis."""
    size = x.shape[axis]
    if dtype is not None or not x.is_floating_point() or not 0 < size <= _MOST:
        return NotImplemented
    product = math.prod((x.narrow(axis, number, 1) for number in range(1, size)), start=x.narrow(axis, 0, 1))
    return product if keepdim else product.squeeze(axis)


def _rrelu(x: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: Any = None) -> Any:
    """Xu et al. 2015: random only while it is trained, then the mean slope."""
    import torch

    return NotImplemented if training else torch.nn.functional.leaky_relu(x, (lower + upper) / 2)


def _choose_number(choose: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Any:
    """The other one where one is no number."""
    import torch

    if not (x.is_floating_point() and y.is_floating_point()):
        return NotImplemented
    return choose(torch.where(x != x, y, x), torch.where(y != y, x, y))


def _round(x: Tensor, *, decimals: int = 0) -> Any:
    """Half to even at that place behind the point, as torch has it."""
    import torch

    if not x.is_floating_point():
        return NotImplemented
    scale = 10.0 ** abs(decimals)
    return torch.round(x * scale) / scale if decimals >= 0 else torch.round(x / scale) * scale


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
