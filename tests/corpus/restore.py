"""Restoration: denoising, deblurring, low light, and pictures that follow one another."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize, pixel_shuffle, pixel_unshuffle, relu, softmax


class DnCnn(nn.Module):
    """Zhang et al. 2017: batch-normalised convolutions that estimate the noise."""

    def __init__(self, width: int = 16, depth: int = 4) -> None:
        super().__init__()
        middle = [
            layer
            for _ in range(depth)
            for layer in (nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        ]
        self.noise = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), *middle, nn.Conv2d(width, 3, 3, padding=1)
        )

    def forward(self, image: Tensor) -> Tensor:
        return image - self.noise(image)


class ChannelNorm(nn.Module):
    """Layer norm over the channels of every pixel."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = (
            nn.Parameter(torch.rand(width) + 0.5),
            nn.Parameter(0.2 * torch.randn(width)),
            eps,
        )

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        y = (x - mean) / (variance + self.eps).sqrt()
        return self.weight.view(1, -1, 1, 1) * y + self.bias.view(1, -1, 1, 1)


class NafBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(width), ChannelNorm(width)
        self.conv1, self.conv2 = (
            nn.Conv2d(width, 2 * width, 1),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width),
        )
        self.attention = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width, 1))
        self.conv3, self.conv4, self.conv5 = (
            nn.Conv2d(width, width, 1),
            nn.Conv2d(width, 2 * width, 1),
            nn.Conv2d(width, width, 1),
        )
        self.beta, self.gamma = (
            nn.Parameter(0.5 * torch.ones(1, width, 1, 1)),
            nn.Parameter(0.5 * torch.ones(1, width, 1, 1)),
        )

    @staticmethod
    def gate(x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=1)
        return a * b

    def forward(self, image: Tensor) -> Tensor:
        x = self.gate(self.conv2(self.conv1(self.norm1(image))))
        y = image + self.conv3(x * self.attention(x)) * self.beta
        return y + self.conv5(self.gate(self.conv4(self.norm2(y)))) * self.gamma


class NafNet(nn.Module):
    """Chen et al. 2022: no activations but simple gates, channel layer norms, sub-pixel upsampling."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1)
        self.encoder, self.decoder, self.middle = NafBlock(width), NafBlock(width), NafBlock(2 * width)
        self.down, self.up = (
            nn.Conv2d(width, 2 * width, 2, 2),
            nn.Sequential(nn.Conv2d(2 * width, 4 * width, 1, bias=False), nn.PixelShuffle(2)),
        )

    def forward(self, image: Tensor) -> Tensor:
        skip = self.encoder(self.head(image))
        return image + self.tail(self.decoder(self.up(self.middle(self.down(skip))) + skip))


class TransposedAttention(nn.Module):
    """MDTA of Restormer: attention between channels, after depthwise convolutions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.temperature = heads, nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.depthwise = nn.Conv2d(3 * width, 3 * width, 3, padding=1, groups=3 * width, bias=False)
        self.project = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        q, k, v = (
            part.reshape(n, self.heads, c // self.heads, h * w) for part in self.depthwise(self.qkv(x)).chunk(3, 1)
        )
        scores = normalize(q, dim=-1) @ normalize(k, dim=-1).transpose(-2, -1) * self.temperature
        return self.project((softmax(scores, dim=-1) @ v).reshape(n, c, h, w))


class GatedFeedForward(nn.Module):
    """GDFN of Restormer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.depthwise = nn.Conv2d(4 * width, 4 * width, 3, padding=1, groups=4 * width, bias=False)
        self.narrow = nn.Conv2d(2 * width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.depthwise(self.wide(x)).chunk(2, dim=1)
        return self.narrow(gelu(a) * b)


class RestormerBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(width), ChannelNorm(width)
        self.attention, self.forward_net = TransposedAttention(width, heads), GatedFeedForward(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.forward_net(self.norm2(x))


class Restormer(nn.Module):
    """Zamir et al. 2022, two levels: pixel unshuffle down, pixel shuffle up."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.head, self.tail = (
            nn.Conv2d(3, width, 3, padding=1, bias=False),
            nn.Conv2d(width, 3, 3, padding=1, bias=False),
        )
        self.first, self.middle, self.last = (
            RestormerBlock(width, 1),
            RestormerBlock(2 * width, 2),
            RestormerBlock(width, 1),
        )
        self.down = nn.Conv2d(width, width // 2, 3, padding=1, bias=False)
        self.up = nn.Conv2d(2 * width, 4 * width, 3, padding=1, bias=False)
        self.join = nn.Conv2d(2 * width, width, 1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        skip = self.first(self.head(image))
        low = self.middle(pixel_unshuffle(self.down(skip), 2))
        x = self.join(torch.cat([pixel_shuffle(self.up(low), 2), skip], dim=1))
        return image + self.tail(self.last(x))


class WindowBlock(nn.Module):
    """A Swin block (Liu et al. 2021): attention in windows, shifted by half of one in every second block."""

    def __init__(self, width: int, heads: int, size: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.table = nn.Parameter(0.3 * torch.randn((2 * window - 1) ** 2, heads))
        place = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        offset = (place[:, :, None] - place[:, None, :]).permute(1, 2, 0) + window - 1
        self.register_buffer("index", (offset[..., 0] * (2 * window - 1) + offset[..., 1]).flatten())
        self.register_buffer("mask", self.shift_mask(size, window, shift))

    @staticmethod
    def shift_mask(size: int, window: int, shift: int) -> Tensor:
        """Which pairs of a shifted window come from parts that are no neighbours in the picture."""
        region = torch.zeros(size, size)
        cuts = (slice(0, -window), slice(-window, -shift), slice(-shift, None)) if shift else (slice(0, None),)
        for number, (rows, columns) in enumerate((r, c) for r in cuts for c in cuts):
            region[rows, columns] = number
        tiles = (
            region.view(size // window, window, size // window, window).permute(0, 2, 1, 3).reshape(-1, window * window)
        )
        return torch.where(tiles[:, None, :] == tiles[:, :, None], 0.0, -100.0)

    def forward(self, x: Tensor) -> Tensor:
        n, h, w, c = x.shape
        k, area = self.window, self.window**2
        y = self.norm1(x)
        y = torch.roll(y, (-self.shift, -self.shift), dims=(1, 2)) if self.shift else y
        y = y.view(n, h // k, k, w // k, k, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, area, c)
        q, key, value = self.qkv(y).reshape(-1, area, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q * (c // self.heads) ** -0.5) @ key.transpose(-2, -1)
        bias = self.table[self.index].view(area, area, self.heads).permute(2, 0, 1)
        scores = scores + bias.unsqueeze(0) + self.mask.unsqueeze(1)
        y = self.project((softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(-1, area, c))
        y = y.view(n, h // k, w // k, k, k, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        y = torch.roll(y, (self.shift, self.shift), dims=(1, 2)) if self.shift else y
        x = x + y
        return x + self.mlp(self.norm2(x))


class SwinIr(nn.Module):
    """Liang et al. 2021: residual Swin blocks between convolutions, sub-pixel upsampling."""

    def __init__(self, width: int = 16, heads: int = 2, size: int = 32, window: int = 8, scale: int = 2) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.Sequential(*(WindowBlock(width, heads, size, window, shift) for shift in (0, window // 2)))
        self.norm = nn.LayerNorm(width)
        self.after = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Sequential(nn.Conv2d(width, 3 * scale * scale, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, image: Tensor) -> Tensor:
        first = self.head(image)
        x = self.norm(self.blocks(first.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        return self.tail(first + self.after(x))


class ZeroDce(nn.Module):
    """Guo et al. 2020: eight curves for every pixel, applied one after another."""

    def __init__(self, width: int = 8, curves: int = 8) -> None:
        super().__init__()
        self.curves = curves
        self.down = nn.ModuleList(nn.Conv2d(i, width, 3, padding=1) for i in (3, width, width, width))
        self.up = nn.ModuleList(nn.Conv2d(2 * width, o, 3, padding=1) for o in (width, width, 3 * curves))

    def forward(self, image: Tensor) -> Tensor:
        features = []
        x = image
        for conv in self.down:
            x = relu(conv(x))
            features.append(x)
        x = features.pop()
        for conv in self.up[:-1]:
            x = relu(conv(torch.cat([features.pop(), x], dim=1)))
        curves = torch.tanh(self.up[-1](torch.cat([features.pop(), x], dim=1)))
        y = image
        for curve in torch.split(curves, 3, dim=1):
            y = y + curve * (torch.pow(y, 2) - y)
        return y


class Video(nn.Module):
    """A recurrent style net without memory cells: the previous output comes in as a second picture and is blended by a mask."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(6, width, 3, padding=1, padding_mode="replicate"), nn.InstanceNorm2d(width, affine=True), nn.ELU(),
            nn.Conv2d(width, 2 * width, 4, 2, 1), nn.InstanceNorm2d(2 * width, affine=True), nn.ELU(),
        )  # fmt: skip
        self.middle = nn.Sequential(nn.ReplicationPad2d(1), nn.Conv2d(2 * width, 2 * width, 3), nn.SiLU())
        self.up = nn.Sequential(
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1), nn.InstanceNorm2d(width, affine=True), nn.ELU()
        )
        self.last = nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, frame: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        x = self.down(torch.cat([frame, previous], dim=1))
        y = self.last(self.up(x + self.middle(x)))
        mask = torch.sigmoid(y[:, 3:])
        return mask * torch.sigmoid(y[:, :3]) + (1 - mask) * previous, mask
