"""Filling holes: convolutions that know what is missing, that are gated, or that see the whole picture by its frequencies."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Frequencies(nn.Module):
    """A picture's frequencies in real numbers: the transform along each axis is a product with a stored matrix of sines and cosines.

    Mobile backends have no complex numbers; this is what LaMa's authors' `torch.fft.rfftn` becomes.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        half = size // 2 + 1
        place, step = torch.arange(size).float(), torch.arange(half).float()
        across = 2 * math.pi * place[:, None] * step[None] / size
        down = 2 * math.pi * place[:, None] * place[None] / size
        scale = 1 / math.sqrt(size)
        for name, angle in (("across", across), ("down", down)):
            self.register_buffer(f"{name}_cos", angle.cos() * scale, persistent=False)
            self.register_buffer(f"{name}_sin", angle.sin() * scale, persistent=False)
        twice = torch.full((half, 1), 2.0)
        twice[0], twice[-1] = 1.0, 1.0
        self.register_buffer("back_cos", (twice * across.T.cos() * scale), persistent=False)
        self.register_buffer("back_sin", (twice * across.T.sin() * scale), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        real, imaginary = x @ self.across_cos, -(x @ self.across_sin)
        turned_real, turned_imaginary = real.transpose(2, 3), imaginary.transpose(2, 3)
        real = turned_real @ self.down_cos + turned_imaginary @ self.down_sin
        imaginary = turned_imaginary @ self.down_cos - turned_real @ self.down_sin
        return real.transpose(2, 3), imaginary.transpose(2, 3)

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        real, imaginary = real.transpose(2, 3), imaginary.transpose(2, 3)
        whole = (real @ self.down_cos - imaginary @ self.down_sin).transpose(2, 3)
        rest = (imaginary @ self.down_cos + real @ self.down_sin).transpose(2, 3)
        return whole @ self.back_cos - rest @ self.back_sin


class FourierUnit(nn.Module):
    """A 1 x 1 convolution over the real and imaginary parts, which lie side by side."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.frequencies = Frequencies(size)
        self.conv = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, _ = x.shape
        real, imaginary = self.frequencies(x)
        both = torch.stack((real, imaginary), dim=-1).permute(0, 1, 4, 2, 3).contiguous()
        both = both.view((batch, -1, height, real.shape[-1]))
        both = torch.relu(self.norm(self.conv(both)))
        both = both.view((batch, channels, 2, height, real.shape[-1])).permute(0, 1, 3, 4, 2).contiguous()
        return self.frequencies.inverse(both[..., 0], both[..., 1])


class FourierBlock(nn.Module):
    """Chi et al. 2020, fast Fourier convolution: a local half and a global half that feed each other."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        half = channels // 2
        self.half = half
        self.local = nn.Conv2d(half, half, 3, padding=1, padding_mode="reflect")
        self.to_whole = nn.Conv2d(half, half, 3, padding=1, padding_mode="reflect")
        self.to_local = nn.Conv2d(half, half, 3, padding=1, padding_mode="reflect")
        self.enter, self.leave = nn.Conv2d(half, half // 2, 1), nn.Conv2d(half // 2, half, 1)
        self.unit = FourierUnit(half // 2, size)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        near, far = torch.tensor_split(x, 2, dim=1)
        entered = torch.relu(self.enter(far))
        spectral = self.leave(entered + self.unit(entered))
        y = torch.cat([self.local(near) + self.to_local(far), self.to_whole(near) + spectral], dim=1)
        return x + torch.relu(self.norm(y))


class Lama(nn.Module):
    """Suvorov et al. 2022: the picture without its hole and the mask in, the filled picture out; what was there stays."""

    def __init__(self, width: int = 8, size: int = 16) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(4, width, 7), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, 2 * width, 3, 2, 1, padding_mode="reflect"), nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, 2 * width, 3, 2, 1, padding_mode="reflect"), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.blocks = nn.Sequential(*[FourierBlock(2 * width, size) for _ in range(2)])
        self.up = nn.Sequential(
            nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.ConvTranspose2d(width, width, 3, 2, 1, output_padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        filled = self.up(self.blocks(self.down(torch.cat([image * (1 - mask), mask], dim=1))))
        return mask * filled + (1 - mask) * image


class PartialConv(nn.Module):
    """A convolution of what is there, scaled by how much of its window that is."""

    def __init__(self, inside: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, out, kernel, stride, kernel // 2, bias=False)
        self.bias = nn.Parameter(torch.randn(out) * 0.1)
        self.register_buffer("ones", torch.ones(1, 1, kernel, kernel), persistent=False)
        self.stride, self.side, self.window = stride, kernel // 2, float(kernel * kernel)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        seen = F.conv2d(mask, self.ones, None, self.stride, self.side)
        ratio = self.window / (seen + 1e-8)
        seen = torch.clamp(seen, 0, 1)
        ratio = torch.mul(ratio, seen)
        y = torch.mul(self.conv(torch.mul(x, mask)), ratio) + self.bias.view(1, -1, 1, 1)
        return torch.mul(y, seen), seen


class PartialFilling(nn.Module):
    """Liu et al. 2018, "Image Inpainting for Irregular Holes": masks shrink layer by layer, skips bring theirs along."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.one, self.two = PartialConv(3, width, 7, 2), PartialConv(width, 2 * width, 5, 2)
        self.three = PartialConv(3 * width, width, 3)
        self.four = PartialConv(width + 3, 3, 3)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        x1, m1 = self.one(image, mask)
        x2, m2 = self.two(torch.relu(x1), m1)
        up, mask_up = F.interpolate(torch.relu(x2), scale_factor=2), F.interpolate(m2, scale_factor=2)
        x3, m3 = self.three(torch.cat([up, x1], 1), torch.maximum(mask_up, m1))
        up, mask_up = F.interpolate(F.leaky_relu(x3, 0.2), scale_factor=2), F.interpolate(m3, scale_factor=2)
        x4, _ = self.four(torch.cat([up, image], 1), torch.max(mask_up, mask))
        return mask * image + (1.0 - mask) * x4


class GatedConv(nn.Module):
    """Half of the result gates the other half."""

    def __init__(self, inside: int, out: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, 2 * out, kernel, stride, dilation * (kernel - 1) // 2, dilation)

    def forward(self, x: Tensor) -> Tensor:
        x, gate = torch.split(self.conv(x), int(self.conv.out_channels // 2), dim=1)
        return F.elu(x, inplace=True) * torch.sigmoid(gate)


class GatedFilling(nn.Module):
    """Yu et al. 2019, DeepFill v2: gated convolutions and attention of the hole's patches to those around it."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.down = nn.Sequential(
            GatedConv(5, width, 5), GatedConv(width, 2 * width, 3, 2), GatedConv(2 * width, 2 * width, 3, 1, 2)
        )
        self.between = GatedConv(2 * width, 2 * width)
        self.up = nn.Sequential(GatedConv(4 * width, width), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        ones = torch.ones_like(mask)
        x = self.down(torch.cat([image * (1 - mask), ones, ones * mask], dim=1))
        y = torch.cat([self.between(x), self._attended(x, F.interpolate(mask, scale_factor=0.5, mode="nearest"))], 1)
        filled = torch.tanh(self.up(F.interpolate(y, scale_factor=2, mode="nearest")))
        return filled * mask + image * (1.0 - mask)

    @staticmethod
    def _attended(x: Tensor, mask: Tensor) -> Tensor:
        """Every patch as a mean of the patches outside the hole that resemble it."""
        h, w = x.shape[2:]
        patches = F.unfold(x, kernel_size=4, stride=4).permute(0, 2, 1)
        length = torch.sqrt(torch.sum(patches**2, dim=2, keepdim=True).clamp(min=1e-4))
        alike = torch.bmm(patches / length, (patches / length).transpose(1, 2))
        outside = (F.unfold(mask, kernel_size=4, stride=4).mean(1, keepdim=True) == 0).float()
        scores = F.softmax(alike * 10 * outside, dim=2) * outside
        return F.fold(torch.bmm(scores, patches).permute(0, 2, 1), (h, w), kernel_size=4, stride=4)


def lama() -> nn.Module:
    return Lama()


def partial_filling() -> nn.Module:
    return PartialFilling()


def gated_filling() -> nn.Module:
    return GatedFilling()
