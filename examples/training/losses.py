"""Content, style and total-variation losses (Gatys et al. 2016, Johnson et al. 2016), each free of the feature scale.

EfficientNet's layers differ in scale by orders of magnitude, so every term is divided by the size of its target: a layer
then counts for how far it is off, not for how large its numbers are.
"""

from __future__ import annotations

from torch import Tensor

FeatureMaps = dict[str, Tensor]


def gram(features: Tensor) -> Tensor:
    """Mean products of channels, `[n, c, h, w]` -> `[n, c, c]`: which features occur together, not where."""
    n, channels, height, width = features.shape
    flat = features.reshape(n, channels, height * width)
    return flat @ flat.transpose(1, 2) / (height * width)


def style_loss(found: FeatureMaps, style: FeatureMaps) -> Tensor:
    """Mean over the layers of |G - S|^2 / |S|^2, with `style` holding the Gram matrices `[1, c, c]` of the style."""
    terms = [((gram(found[name]) - target) ** 2).sum((1, 2)).mean() / (target**2).sum() for name, target in style.items()]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total / len(terms)


def content_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance of two feature maps, relative to the variance of the wanted one."""
    return ((found - wanted) ** 2).mean() / wanted.var().clamp_min(1e-6)


def variation_loss(pictures: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels: keeps single-pixel noise out of the result."""
    across = (pictures[..., :, 1:] - pictures[..., :, :-1]).abs().mean()
    down = (pictures[..., 1:, :] - pictures[..., :-1, :]).abs().mean()
    return across + down
