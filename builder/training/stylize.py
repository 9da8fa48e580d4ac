"""The objective of `builder train`: what a network makes of photographs, against these, and against style pictures by features.

Every target of a style is linear in the style: Gram matrices, moments, and slices in order. A mixture of styles has the mixture of
their targets; of slices that is the Wasserstein barycentre.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from builder.bundle import TensorSpec
from builder.project.training import TermSection, TrainLossSection
from builder.quality.style import gram
from builder.training import losses
from builder.training.network import call

if TYPE_CHECKING:
    from torch import Tensor

# Directions of the sliced Wasserstein distance, a layer.
SLICES = 32
OfStyle: TypeAlias = "Callable[[Tensor, dict[str, Tensor]], Tensor]"
"""What is compared of a style: from its picture and its features."""
# Of the palette: fine lines alone must not satisfy it.
WINDOWS = (1, 4)


class FeatureNetwork(Protocol):
    """What `quality.features.Features` and `vgg.VggFeatures` are."""

    layers: tuple[str, ...]

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """RGB in 0..1 -> the tensors of `layers`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """What pictures are compared by: the feature network, the layers of each term, and the styles `[1, 3, h, w]`, RGB in 0..1."""

    features: FeatureNetwork | None
    layers: Mapping[str, Sequence[str]]
    styles: Sequence[Tensor]


def to_unit(values: Tensor, spec: TensorSpec) -> Tensor:
    """A network's picture -> RGB in 0..1."""
    import torch

    if spec.mean is not None and spec.std is not None:
        mean, std = (torch.tensor(each).reshape(1, 3, 1, 1) for each in (spec.mean, spec.std))
        values = values * std + mean
    elif spec.range is not None:
        low, high = spec.range
        values = (values - low) / (high - low)
    return values.flip(1) if spec.color_order == "BGR" else values


def from_unit(values: Tensor, spec: TensorSpec) -> Tensor:
    """RGB in 0..1 -> the picture as the network has it."""
    import torch

    values = values.flip(1) if spec.color_order == "BGR" else values
    if spec.mean is not None and spec.std is not None:
        mean, std = (torch.tensor(each).reshape(1, 3, 1, 1) for each in (spec.mean, spec.std))
        return (values - mean) / std
    low, high = spec.range or (0.0, 1.0)
    return low + values * (high - low)


class Stylization:
    """The sum of the weighted terms for one batch; `terms` has each of the last one, weighted.

    A batch is the photographs, the style vectors `[n, styles]` that say how much of each style is wanted, a motion `[n, 2, 3]`, and
    crops of the styles. The network takes the first `inputs` of these.
    """

    def __init__(
        self, loss: TrainLossSection, network: Any, specs: tuple[TensorSpec, TensorSpec], *, inputs: int, gauge: Gauge
    ) -> None:
        """`specs`: of the picture that goes in and of the one that comes out."""
        import torch

        self._loss, self._network, self._inputs = loss, network, inputs
        self._into, self._outof = specs
        self._features, self._layers = gauge.features, gauge.layers
        self.terms: dict[str, float] = {}
        with torch.no_grad():
            self._styles = [(style, self._maps(style)) for style in gauge.styles]
            self._grams = self._of_styles("gram", gram)
            self._moments = self._of_styles("statistics", losses.compute_moments)
            self._ramps = [losses.compute_ramp(style) for style in gauge.styles] if loss.tint else []
        self._slices: dict[tuple[str, int], Tensor] = {}

    def __call__(self, got: Sequence[Tensor], wanted: Sequence[Tensor], batch: Sequence[Tensor]) -> Tensor:
        """`got` are the network's outputs; there is no teacher, so `wanted` is empty."""
        import torch

        loss = self._loss
        before, vectors, motion, crops = to_unit(batch[0], self._into), *batch[1:]
        after = to_unit(got[0], self._outof)
        terms = self._compare_features(before, after, vectors)
        if loss.palette:
            terms["palette"] = loss.palette * self._compare_palettes(after, vectors)
        if loss.tone:
            terms["tone"] = loss.tone * losses.compare_tone(after, before)
        if loss.tint:
            terms["tint"] = loss.tint * losses.compare_tint(after, before, _mix(torch.cat(self._ramps), vectors))
        if loss.variation:
            terms["variation"] = loss.variation * losses.measure_variation(after)
        if loss.edges:
            terms["edges"] = loss.edges * losses.compare_edges(after, before)
        if loss.identity:
            own = crops if self._styles else before
            terms["identity"] = loss.identity * losses.compare_identity(self._apply(own, vectors), own)
        if loss.temporal:
            moved, _ = losses.move(before, motion)
            carried, seen = losses.move(after, motion)
            terms["temporal"] = loss.temporal * losses.compare_motion(self._apply(moved, vectors), carried, seen)
        self.terms = {name: float(term.detach()) for name, term in terms.items()}
        return torch.stack(list(terms.values())).sum()

    def _apply(self, pictures: Tensor, vectors: Tensor) -> Tensor:
        """The network on other pictures with the same styles; RGB in 0..1 on both sides."""
        inputs = (from_unit(pictures, self._into), vectors)[: self._inputs]
        return to_unit(call(self._network, *inputs)[0], self._outof)

    def _maps(self, pictures: Tensor) -> dict[str, Tensor]:
        if self._features is None:
            return {}
        return dict(zip(self._features.layers, self._features.maps(pictures), strict=True))

    def _compare_features(self, before: Tensor, after: Tensor, vectors: Tensor) -> dict[str, Tensor]:
        import torch

        maps = self._maps(after)
        terms: dict[str, list[Tensor]] = {name: [] for name, layers in self._layers.items() if layers}
        if "content" in terms:
            with torch.no_grad():
                wanted = self._maps(before)
            terms["content"] = [losses.compare_content(maps[layer], wanted[layer]) for layer in self._layers["content"]]
        for layer in self._layers.get("gram", ()):
            terms["gram"].append(losses.measure_gram_distance(gram(maps[layer]), _mix(self._grams[layer], vectors)))
        for layer in self._layers.get("statistics", ()):
            want = _mix(self._moments[layer], vectors)
            terms["statistics"].append(losses.compare_statistics(losses.compute_moments(maps[layer]), want))
        for layer in self._layers.get("wasserstein", ()):
            terms["wasserstein"].append(self._compare_slices(layer, maps[layer], vectors))
        return {name: _weight(self._loss, name) * torch.stack(each).mean() for name, each in terms.items()}

    def _compare_slices(self, layer: str, got: Tensor, vectors: Tensor) -> Tensor:
        along = losses.draw_directions(got.shape[1], SLICES)
        return self._compare_sorted(layer, got, along, lambda _, maps: maps[layer], vectors)

    def _compare_palettes(self, after: Tensor, vectors: Tensor) -> Tensor:
        import torch
        from torch.nn.functional import avg_pool2d

        along = losses.spread_directions()

        def pool(window: int) -> OfStyle:
            return lambda picture, _: avg_pool2d(picture, window)

        distances = [
            self._compare_sorted(
                f"window{window}", avg_pool2d(after, window), along,
                pool(window), vectors,
            )
            for window in WINDOWS
        ]  # fmt: skip
        return torch.stack(distances).mean()

    def _compare_sorted(
        self,
        name: str,
        got: Tensor,
        along: Tensor,
        of_style: OfStyle,
        vectors: Tensor,
    ) -> Tensor:
        import torch

        mine = losses.sort_slices(got, along)
        key = (name, mine.shape[2])
        if key not in self._slices:  # of as many positions as this picture has
            with torch.no_grad():
                each = [losses.sort_slices(of_style(*style), along, mine.shape[2]) for style in self._styles]
                self._slices[key] = torch.cat(each)
        return losses.wasserstein(mine, _mix(self._slices[key], vectors))

    def _of_styles(self, term: str, measure: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """By layer: what `measure` gives for every style, `[styles, ...]`."""
        import torch

        if not self._styles:
            return {}
        return {
            layer: torch.cat([measure(maps[layer]) for _, maps in self._styles]) for layer in self._layers.get(term, ())
        }


def _mix(of_styles: Tensor, vectors: Tensor) -> Tensor:
    """`[styles, ...]` and `[n, styles]` -> `[n, ...]`: of each picture's own mixture."""
    import torch

    mixed: Tensor = torch.tensordot(vectors, of_styles, dims=1)
    return mixed


def _weight(loss: TrainLossSection, name: str) -> float:
    term: TermSection = getattr(loss, name)
    return term.weight
