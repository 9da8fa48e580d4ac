"""What a student is taught by: its outputs against its teacher's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.bundle import TensorSpec
from builder.errors import ConfigError, ConversionError, find_reason
from builder.quality.features import Features
from builder.quality.style import gram
from builder.sources.own_code import find_user_line, importing_neighbours
from builder.training.losses import measure_variation

if TYPE_CHECKING:
    from torch import Tensor

# Keeps a divisor from 0 for an output of one value.
LEAST_SPAN = 1e-6
# Beside the squared error: small errors everywhere matter to it as much as few large ones.
ABSOLUTE = 0.1


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Of the terms, each between the student's output and the teacher's, in units of the output's range or of the teacher's own size.

    `output`: the squared error and a tenth of the absolute error. `kl`: the divergence of the classes, or of the channels of each
    pixel of a picture, at `temperature` (Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015). `ce`: the
    cross-entropy with the class that the teacher gives. `content` and `gram`: of features of pictures, and of their products
    (Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks", 2016). `variation`: the total variation.
    """

    output: float = 1.0
    kl: float = 0.0
    temperature: float = 4.0
    ce: float = 0.0
    content: float = 0.0
    gram: float = 0.0
    variation: float = 0.0

    @property
    def of_features(self) -> bool:
        return bool(self.content or self.gram)


class Objective:
    """The sum of the weighted terms over all outputs. Raises ConfigError where a term is of outputs that the network has not."""

    def __init__(self, outputs: Sequence[TensorSpec], weights: Weights) -> None:
        self._outputs, self._weights = tuple(outputs), weights
        pictures = any(spec.kind == "image" for spec in outputs)
        classes = any(spec.kind != "image" and len(spec.shape) == 2 for spec in outputs)
        for asked, there, name, what in (
            (weights.of_features, pictures, "content' and 'gram", "pictures"),
            (weights.variation, pictures, "variation", "pictures"),
            (weights.ce, classes, "ce", "classes"),
            (weights.kl, pictures or classes, "kl", "classes or pictures"),
        ):
            if asked and not there:
                raise ConfigError(
                    f"the loss '{name}' is of {what}, and the network gives none; remove it from 'loss' in [compress]."
                )
        self._features: Features | None = Features() if weights.of_features else None

    def __call__(self, student: Sequence[Tensor], teacher: Sequence[Tensor], inputs: Sequence[Tensor]) -> Tensor:
        import torch

        terms = [self._term(got, want, spec) for got, want, spec in zip(student, teacher, self._outputs, strict=True)]
        return torch.stack(terms).sum()

    def _term(self, got: Tensor, want: Tensor, spec: TensorSpec) -> Tensor:
        weights = self._weights
        low, high = spec.range if spec.range is not None else (float(want.min()), float(want.max()))
        span = max(high - low, LEAST_SPAN)
        error = (got - want) / span
        total = weights.output * ((error * error).mean() + ABSOLUTE * error.abs().mean())
        picture = spec.kind == "image"
        if weights.kl and (picture or got.ndim == 2):
            scaled = ((got - low) / span, (want - low) / span) if picture else (got, want)
            total = total + weights.kl * _divergence(*scaled, weights.temperature)
        if weights.ce and not picture and got.ndim == 2:
            total = total + weights.ce * _cross_entropy(got, want)
        if weights.variation and picture:
            total = total + weights.variation * measure_variation(got / span)
        if self._features is not None and picture:
            ours, theirs = (self._maps((value - low) / span, spec) for value in (got, want))
            if weights.content:
                total = total + weights.content * _relative(ours, theirs)
            if weights.gram:
                total = total + weights.gram * _relative([gram(x) for x in ours], [gram(x) for x in theirs])
        return total

    def _maps(self, picture: Tensor, spec: TensorSpec) -> list[Tensor]:
        assert self._features is not None
        return self._features.maps(picture.flip(1) if spec.color_order == "BGR" else picture)


class OwnLoss:
    """A loss of the user's own as an objective: called with tensors, or with lists of them where the network has several outputs."""

    def __init__(self, function: Callable[..., Any], named: str, folder: Path) -> None:
        self._function, self._named, self._folder = function, named, folder

    def __call__(self, student: Sequence[Tensor], teacher: Sequence[Tensor], inputs: Sequence[Tensor]) -> Tensor:
        """Raises ConversionError for one that raises, or gives no number."""
        import torch

        given = (student[0], teacher[0]) if len(student) == 1 else (list(student), list(teacher))
        try:
            with importing_neighbours(self._folder):
                value = self._function(*given, inputs[0])
        except Exception as error:
            raise ConversionError(
                f"the loss {self._named!r} raised {find_reason(error)}{find_user_line(error, self._folder)}; correct it, and go on with --resume."
            ) from error
        if not isinstance(value, torch.Tensor) or value.numel() != 1:
            kind = f"a tensor of shape {list(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
            raise ConversionError(f"the loss {self._named!r} returned {kind}; return a tensor of one number.")
        return value.reshape(())


def _divergence(got: Tensor, want: Tensor, temperature: float) -> Tensor:
    """Of the second axis; mean over all others."""
    from torch.nn import functional

    student = functional.log_softmax(got / temperature, dim=1)
    teacher = functional.softmax(want / temperature, dim=1)
    return functional.kl_div(student, teacher, reduction="none").sum(dim=1).mean() * temperature**2


def _cross_entropy(got: Tensor, want: Tensor) -> Tensor:
    from torch.nn import functional

    return functional.cross_entropy(got, want.argmax(dim=1))


def _relative(got: Sequence[Tensor], want: Sequence[Tensor]) -> Tensor:
    """Squared distance in units of the wanted one's size, mean over layers."""
    import torch

    pairs = zip(got, want, strict=True)
    return torch.stack([(a - b).square().sum() / b.square().sum().clamp_min(LEAST_SPAN) for a, b in pairs]).mean()
