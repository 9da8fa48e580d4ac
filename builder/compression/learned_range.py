"""A quantizer whose range is learned with the weights (Esser et al., "Learned Step Size Quantization", 2020; Bhalgat et al., "LSQ+").

torchao's own LearnableFakeQuantize learns the scale itself, which an optimizer of equal steps for all moves too far or hardly:
here its logarithm is learned, so that a step changes every range by the same share.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Signed integers of 8 bits, as delegates compute with them.
LOW, HIGH = -128, 127
# A range of no width would have a step of 0, by which nothing can be divided.
LEAST_SCALE = 1e-8
# A channel's scale is at least its layer's largest divided by this: a bias in units of a vanishing scale would overflow 32 bits.
SPREAD = 2.0**12


@cache
def make_activation_range() -> Any:
    """The class for activations. Of both kinds torchao wants classes of its own base, and tells them apart by the name."""
    import torch
    from torchao.quantization.pt2e import FakeQuantizeBase

    class LearnedRange(FakeQuantizeBase):  # type: ignore[misc]
        """One scale and zero point for a tensor, from its extremes over the first runs, then learned."""

        is_dynamic = False

        def __init__(self, **settings: Any) -> None:
            super().__init__()
            self.dtype, self.qscheme = settings["dtype"], settings["qscheme"]
            self.quant_min, self.quant_max = settings["quant_min"], settings["quant_max"]
            self.log_scale = torch.nn.Parameter(torch.zeros(1))
            self.zero = torch.nn.Parameter(torch.zeros(1))
            self.register_buffer("low", torch.zeros(1))
            self.register_buffer("high", torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.observer_enabled[0]:
                self._see(x.detach())
                return x
            scale = self.log_scale.exp()
            return torch._fake_quantize_learnable_per_tensor_affine(
                x, scale, self.zero, self.quant_min, self.quant_max, 1.0
            )

        def _see(self, x: torch.Tensor) -> None:
            self.low.copy_(torch.minimum(self.low, x.amin()))
            self.high.copy_(torch.maximum(self.high, x.amax()))

        def settle(self) -> None:
            """From what was seen to what is learned."""
            self.observer_enabled[0] = 0
            scale = ((self.high - self.low) / (self.quant_max - self.quant_min)).clamp(min=LEAST_SCALE)
            self.log_scale.data.copy_(scale.log())
            self.zero.data.copy_((self.quant_min - self.low / scale).round())
            self.tidy()

        def tidy(self) -> None:
            self.zero.data.clamp_(self.quant_min, self.quant_max)

        def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
            zero = self.zero.detach().round().clamp(self.quant_min, self.quant_max).long()
            return self.log_scale.detach().exp(), zero

    return LearnedRange


@cache
def make_weight_range() -> Any:
    """The class for weights."""
    import math

    import torch
    from torchao.quantization.pt2e import FakeQuantizeBase

    class LearnedPerChannel(FakeQuantizeBase):  # type: ignore[misc]
        """A scale for each output channel of a weight, without a zero point."""

        is_dynamic = False

        def __init__(self, **settings: Any) -> None:
            super().__init__()
            self.dtype, self.qscheme, self.ch_axis = settings["dtype"], settings["qscheme"], settings["ch_axis"]
            self.quant_min, self.quant_max = settings["quant_min"], settings["quant_max"]
            self.log_scale = torch.nn.Parameter(torch.zeros(settings["channels"]))
            self.register_buffer("zero", torch.zeros(settings["channels"]))

        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            if self.observer_enabled[0]:
                others = [axis for axis in range(weight.ndim) if axis != self.ch_axis]
                scale = (weight.detach().abs().amax(dim=others) / self.quant_max).clamp(min=LEAST_SCALE)
                self.log_scale.data.copy_(scale.log())
                return weight
            return torch._fake_quantize_learnable_per_channel_affine(
                weight, self.log_scale.exp(), self.zero, self.ch_axis, self.quant_min, self.quant_max, 1.0
            )

        def settle(self) -> None:
            self.observer_enabled[0] = 0
            self.tidy()

        def tidy(self) -> None:
            self.log_scale.data.clamp_(min=float(self.log_scale.max()) - math.log(SPREAD))

        def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
            return self.log_scale.detach().exp(), self.zero.detach().long()

    return LearnedPerChannel
