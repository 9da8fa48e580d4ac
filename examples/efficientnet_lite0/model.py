"""efficientnet_lite0: an ImageNet classifier of 4.7 M parameters for pictures of 224 x 224 pixels.

Input `[1, 3, 224, 224]`, RGB as (pixel - 127) / 128; output `[1, 1000]`, logits.
The architecture is that of the package `efficientnet-lite-pytorch`; `prepare.py` writes the weights.
"""

from __future__ import annotations

from torch import nn


def create() -> nn.Module:
    """The network without its trained weights."""
    from efficientnet_lite_pytorch import EfficientNet

    network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    return network
