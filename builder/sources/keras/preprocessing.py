"""Keras' preprocessing layers: those that compute as torch functions in NCHW, those that only training uses as nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from builder.sources.network import Call, Weight

if TYPE_CHECKING:
    from torch import Tensor

Rebuild = Callable[[Any, str, Sequence[str], Sequence[tuple[int, ...]]], Call | None]
"""Layer, its dotted name, its inputs' names and NCHW shapes -> a call, or None for a form that is not rebuilt."""


def pass_through(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    return Call(function=lambda x: x, operands=(inputs[0],))


def _rescaling(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    scale, offset = (_by_channel(value, shapes[0]) for value in (layer.scale, layer.offset))
    if scale is None or offset is None:
        return None
    return _scale_and_move(name, inputs[0], scale, offset)


def _normalization(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    """(x - mean) / deviation, which is at least Keras' smallest number; or the way back."""
    import keras
    import torch

    mean, variance = (_by_channel(getattr(layer, part, None), shapes[0]) for part in ("mean", "variance"))
    if mean is None or variance is None:
        return None
    deviation = torch.sqrt(variance.double()).clamp(min=keras.config.epsilon())
    scale = deviation if layer.invert else 1 / deviation
    offset = mean.double() if layer.invert else -mean.double() * scale
    return _scale_and_move(name, inputs[0], scale.float(), offset.float())


def _by_channel(value: Any, shape: tuple[int, ...]) -> Tensor | None:
    """A number, or one for each value of the last axis of Keras' layout, as NCHW has it; None for another form."""
    import numpy as np
    import torch

    if value is None:
        return None
    values = torch.as_tensor(
        np.array(getattr(value, "value", value).detach() if hasattr(value, "detach") else value), dtype=torch.float32
    )
    last = shape[1] if len(shape) == 4 else shape[-1]
    if values.numel() not in (1, last):
        return None
    return values.reshape((1, -1, 1, 1)) if len(shape) == 4 else values.reshape(-1)


def _scale_and_move(name: str, given: str, scale: Tensor, offset: Tensor) -> Call:
    if scale.numel() == offset.numel() == 1:
        factor, shift = float(scale), float(offset)
        return Call(function=lambda x: x * factor + shift, operands=(given,))
    stored = (
        Weight(role="scale", value=scale.contiguous(), origin=f"{name}.scale"),
        Weight(role="offset", value=offset.contiguous(), origin=f"{name}.offset"),
    )
    return Call(function=lambda x, factor, shift: x * factor + shift, operands=(given, *stored))


def _resizing(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    from torch.nn import functional

    special = (
        layer.crop_to_aspect_ratio or getattr(layer, "pad_to_aspect_ratio", False) or getattr(layer, "antialias", False)
    )
    if special or layer.interpolation != "bilinear" or len(shapes[0]) != 4:
        return None
    size = (int(layer.height), int(layer.width))
    return Call(
        function=lambda x: functional.interpolate(x, size=size, mode="bilinear", align_corners=False),
        operands=(inputs[0],),
    )


def _center_crop(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    """A picture that is smaller would be enlarged."""
    if len(shapes[0]) != 4:
        return None
    spare = shapes[0][2] - int(layer.height), shapes[0][3] - int(layer.width)
    if min(spare) < 0:
        return None
    (top, left), (high, wide) = (spare[0] // 2, spare[1] // 2), (int(layer.height), int(layer.width))
    return Call(function=lambda x: x[:, :, top : top + high, left : left + wide], operands=(inputs[0],))


# Changes of training pictures, which inference leaves as they are.
_AUGMENTATIONS = (
    "AugMix", "CutMix", "MixUp", "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast",
    "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective",
    "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom",
)  # fmt: skip
PREPROCESSING: dict[str, Rebuild] = {
    **dict.fromkeys(_AUGMENTATIONS, pass_through),
    "CenterCrop": _center_crop,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "Resizing": _resizing,
}
