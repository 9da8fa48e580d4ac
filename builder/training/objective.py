"""What a student is taught by: its outputs against its teacher's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.bundle import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor

Loss = Callable[["Tensor", "Tensor", "Tensor"], "Tensor"]
"""Student's output, teacher's output, batch -> a number that gradients can be taken of."""
LEAST_SPAN = 1e-6


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Of the terms: `output` is the squared error and a tenth of the absolute error, `kl` the divergence of the classes at
    `temperature` (Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015), `variation` the total variation."""

    output: float = 1.0
    kl: float = 0.0
    temperature: float = 4.0
    variation: float = 0.0


class Objective:
    """The sum of the weighted terms over all outputs, each in units of its own range."""

    def __init__(self, outputs: Sequence[TensorSpec], weights: Weights) -> None:
        self._outputs, self._weights = tuple(outputs), weights

    def __call__(self, student: Sequence[Tensor], teacher: Sequence[Tensor], batch: Tensor) -> Tensor:
        import torch

        terms = [self._term(got, want, spec) for got, want, spec in zip(student, teacher, self._outputs, strict=True)]
        return torch.stack(terms).sum()

    def _term(self, got: Tensor, want: Tensor, spec: TensorSpec) -> Tensor:
        weights = self._weights
        span = spec.range[1] - spec.range[0] if spec.range is not None else float(want.max() - want.min())
        error = (got - want) / max(span, LEAST_SPAN)
        total = weights.output * ((error * error).mean() + 0.1 * error.abs().mean())
        if weights.kl and spec.kind != "image" and got.ndim == 2:
            total = total + weights.kl * _divergence(got, want, weights.temperature)
        if weights.variation and got.ndim == 4:
            total = total + weights.variation * _variation(got / max(span, LEAST_SPAN))
        return total


def _divergence(got: Tensor, want: Tensor, temperature: float) -> Tensor:
    from torch.nn import functional

    student = functional.log_softmax(got / temperature, dim=1)
    teacher = functional.softmax(want / temperature, dim=1)
    return functional.kl_div(student, teacher, reduction="batchmean") * temperature**2


def _variation(picture: Tensor) -> Tensor:
    down = (picture[:, :, 1:] - picture[:, :, :-1]).abs().mean()
    right = (picture[:, :, :, 1:] - picture[:, :, :, :-1]).abs().mean()
    return down + right
