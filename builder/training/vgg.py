"""Features of a VGG whose weights the user has: torchvision's state dict of any of its VGGs without batch norms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import ConfigError
from builder.quality.features import normalise
from builder.sources.state_dict import read_state_dict
from builder.suggest import did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

KEY = re.compile(r"features\.(\d+)\.weight")


class VggFeatures:
    """The network, frozen; layers are named as in the papers: `relu3_1` is the first after the second pooling.

    Where the places of two convolutions in the state dict are three apart, a pooling stands between them (Simonyan and Zisserman, 2015,
    as torchvision numbers it).
    """

    CONTENT = ("relu4_1",)
    STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")

    def __init__(self, path: Path, layers: Sequence[str] = STYLE) -> None:
        """Raises SourceError, and ConfigError for a file of another network or a layer that there is not."""
        state = read_state_dict(path)
        keys = {key: int(match[1]) for key in state if (match := KEY.fullmatch(key))}
        places = sorted(keys.values())
        if not places or places[0] != 0:
            raise ConfigError(
                f"{path} is no VGG of torchvision: it has no 'features.0.weight'; correct 'features' in [train]."
            )
        if any(state[key].ndim != 4 for key in keys):
            raise ConfigError(
                f"{path} is a VGG with batch norms, whose features are another matter; take one without, as vgg19 is."
            )
        self._layers: list[tuple[str, Tensor, Tensor, bool]] = []
        stage, number, before = 1, 0, 0
        for place in places:
            pooled = place - before > 2
            stage, number = (stage + 1, 1) if pooled else (stage, number + 1)
            weight, bias = (state[f"features.{place}.{part}"].float() for part in ("weight", "bias"))
            self._layers.append((f"relu{stage}_{number}", weight, bias, pooled))
            before = place
        names = [name for name, *_ in self._layers]
        for layer in layers:
            if layer not in names:
                raise ConfigError(f"the feature network has no layer {layer!r}{did_you_mean(layer, names)}")
        self.layers = tuple(name for name in names if name in layers)

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """`[n, 3, h, w]`, RGB in 0..1 -> the tensors of `layers`, each `[n, channels, rows, columns]`."""
        from torch.nn import functional

        x, tensors = normalise(pictures), []
        for name, weight, bias, pooled in self._layers:
            x = functional.relu(
                functional.conv2d(functional.max_pool2d(x, 2) if pooled else x, weight, bias, padding=1)
            )
            if name in self.layers:
                tensors.append(x)
            if len(tensors) == len(self.layers):
                break
        return tensors
