"""What an entry of the corpus is: a network with seeded weights of sensible scale, and what it takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from builder.bundle import TensorSpec


@dataclass(frozen=True, kw_only=True)
class Network:
    """`factory` makes the bare network; `create` gives it weights. Inputs and outputs are in the order of `forward`."""

    factory: Callable[[], nn.Module]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def create(self, seed: int = 0) -> nn.Module:
        """The network in evaluation mode with the weights of a seed."""
        torch.manual_seed(seed)
        network = self.factory().eval()
        scale_layers(network, self.samples(seed))
        return network

    def samples(self, seed: int = 1) -> tuple[Tensor, ...]:
        """Inputs of the declared shapes: smooth pictures in their range, normal vectors, index 1 for integers."""
        generator = torch.Generator().manual_seed(seed)
        return tuple(_sample(spec, generator) for spec in self.inputs)


def picture(name: str, size: int = 64, channels: int = 3) -> TensorSpec:
    """A picture in 0..1; with one channel (luminance) it is a plain tensor to the bundle."""
    if channels != 3:
        return TensorSpec(name=name, kind="tensor", shape=(1, channels, size, size))
    return TensorSpec(
        name=name, kind="image", shape=(1, 3, size, size), color_order="RGB", range=(0.0, 1.0), resize="stretch"
    )


def tensor(name: str, *shape: int, integers: bool = False) -> TensorSpec:
    return TensorSpec(name=name, kind="tensor", shape=shape, dtype="int64" if integers else "float32")


def _scale(seen: set[nn.Module], module: nn.Module, _: Any, output: Tensor) -> Tensor:
    if module in seen:  # tied layers keep the scale of their first call
        return output
    seen.add(module)
    factor = 1.0 / max(float(output.std()), 1e-3)
    # Under weight norm the length is stored beside the direction.
    stored = module.parametrizations.weight.original0 if is_parametrized(module) else module.weight
    stored.data.mul_(factor)
    if module.bias is not None:
        module.bias.data.mul_(factor)
    return output * factor


def _measure(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    module.running_mean.copy_(inputs[0].mean((0, 2, 3)))
    module.running_var.copy_(inputs[0].var((0, 2, 3)) + 1e-3)


def scale_layers(network: nn.Module, samples: tuple[Tensor, ...]) -> None:
    """Random weights as a trained network might have them: every layer gives about unit variance on these samples.

    Mishkin & Matas 2015, "All you need is a good init" (layer-sequential unit variance); batch norms get the statistics of
    what reaches them, and all norms a scale and a shift that differ by channel.
    """
    seen: set[nn.Module] = set()
    handles = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            handles.append(module.register_forward_hook(partial(_scale, seen)))
        elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm | nn.LayerNorm):
            if module.weight is not None:
                nn.init.uniform_(module.weight, 0.6, 1.4)
                nn.init.normal_(module.bias, std=0.2)
            if isinstance(module, nn.BatchNorm2d):
                handles.append(module.register_forward_pre_hook(_measure))
    with torch.no_grad():
        network(*samples)
    for handle in handles:
        handle.remove()


def _sample(spec: TensorSpec, generator: torch.Generator) -> Tensor:
    if spec.dtype == "int64":
        return torch.ones(spec.shape, dtype=torch.int64)
    if len(spec.shape) != 4:
        return torch.randn(spec.shape, generator=generator)
    coarse = torch.rand((*spec.shape[:2], 8, 8), generator=generator)
    smooth = nn.functional.interpolate(coarse, size=spec.shape[2:], mode="bicubic", align_corners=False)
    fine = 0.05 * torch.randn(spec.shape, generator=generator)
    return (smooth + fine).clamp(0.0, 1.0)
