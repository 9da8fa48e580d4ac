"""Hard sigmoid, ELU, SELU, softplus, mish and odd powers from the activations that delegates have."""

from __future__ import annotations

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
            "aten.hardsigmoid.default": _hardsigmoid,
            "aten.elu.default": _elu,
            "aten.selu.default": _selu,
            "aten.softplus.default": _softplus,
            "aten.mish.default": _mish,
            "aten.pow.Tensor_Scalar": _power,
        },
    )


def _hardsigmoid(x: Tensor) -> Tensor:
    return (x + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0)


def _elu(x: Tensor, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    """Clevert et al. 2016: x above zero, alpha (e^x - 1) below; the exponential never sees a positive number."""
    import torch

    if input_scale != 1.0:
        return NotImplemented
    below = (torch.exp(x.clamp(max=0.0)) - 1.0) * (alpha * scale)
    above = torch.relu(x)
    return (above if scale == 1.0 else above * scale) + below


def _selu(x: Tensor) -> Any:
    """Klambauer et al. 2017: ELU with constants under which activations normalise themselves."""
    return _elu(x, alpha=1.6732632423543772, scale=1.0507009873554805)


def _softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), whose exponential is at most 1, in fp16 too."""
    import torch

    scaled = x if beta == 1 else x * float(beta)
    y = torch.relu(scaled) + torch.log(torch.exp(-scaled.abs()) + 1.0)
    return y if beta == 1 else y * (1.0 / float(beta))


def _mish(x: Tensor) -> Tensor:
    """Misra 2019."""
    import torch

    return x * torch.tanh(_softplus(x))


def _power(x: Tensor, exponent: float) -> Any:
    import torch

    if exponent in (0.5, -0.5):
        return torch.sqrt(x) if exponent > 0 else torch.rsqrt(x)
    return x * x if exponent == 2 else x * x * x if exponent == 3 else NotImplemented
