"""Super-resolution: from a few convolutions to channel, pixel and spatial attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, max_pool2d, relu


def fsrcnn(wide: int = 16, narrow: int = 6, maps: int = 2, scale: int = 2) -> nn.Module:
    """Dong, Loy & Tang 2016, on luminance: shrink, map, expand, and a transposed convolution of kernel 9 at the end."""
    mapping = [layer for _ in range(maps) for layer in (nn.Conv2d(narrow, narrow, 3, padding=1), nn.PReLU(narrow))]
    return nn.Sequential(
        nn.Conv2d(1, wide, 5, padding=2), nn.PReLU(wide), nn.Conv2d(wide, narrow, 1), nn.PReLU(narrow), *mapping,
        nn.Conv2d(narrow, wide, 1), nn.PReLU(wide), nn.ConvTranspose2d(wide, 1, 9, scale, 4, scale - 1),
    )  # fmt: skip


def espcn(width: int = 16, scale: int = 2) -> nn.Module:
    """Shi et al. 2016, on luminance: all work at low resolution, sub-pixel convolution at the end."""
    return nn.Sequential(
        nn.Conv2d(1, width, 5, padding=2), nn.Tanh(), nn.Conv2d(width, width // 2, 3, padding=1), nn.Tanh(),
        nn.Conv2d(width // 2, scale * scale, 3, padding=1), nn.PixelShuffle(scale),
    )  # fmt: skip


class Edsr(nn.Module):
    """Lim et al. 2017: no norms, residuals scaled by 0.1, the mean of the data taken off and put back."""

    def __init__(self, width: int = 16, blocks: int = 2, scale: int = 2) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1))
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))
            for _ in range(blocks)
        )
        self.after = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Sequential(
            nn.Conv2d(width, scale * scale * width, 3, padding=1),
            nn.PixelShuffle(scale),
            nn.Conv2d(width, 3, 3, padding=1),
        )

    def forward(self, image: Tensor) -> Tensor:
        first = x = self.head(image - self.mean)
        for block in self.body:
            x = x + 0.1 * block(x)
        return self.tail(first + self.after(x)) + self.mean


class ChannelAttentionBlock(nn.Module):
    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width // reduction, 1), nn.ReLU(),
            nn.Conv2d(width // reduction, width, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return x + y * self.attention(y)


class Rcan(nn.Module):
    """Zhang et al. 2018: groups of blocks with channel attention, residuals in residuals."""

    def __init__(self, width: int = 16, groups: int = 2, blocks: int = 2, scale: int = 2) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.groups = nn.ModuleList(
            nn.Sequential(
                *(ChannelAttentionBlock(width, 4) for _ in range(blocks)), nn.Conv2d(width, width, 3, padding=1)
            )
            for _ in range(groups)
        )
        self.tail = nn.Sequential(
            nn.Conv2d(width, width * scale * scale, 3, padding=1),
            nn.PixelShuffle(scale),
            nn.Conv2d(width, 3, 3, padding=1),
        )

    def forward(self, image: Tensor) -> Tensor:
        first = x = self.head(image)
        for group in self.groups:
            x = x + group(x)
        return self.tail(first + x)


class SrResNet(nn.Module):
    """Ledig et al. 2017: batch norms, PReLU, sub-pixel upsampling."""

    def __init__(self, width: int = 16, blocks: int = 2) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, width, 9, padding=4), nn.PReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.PReLU(),
                nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
            )
            for _ in range(blocks)
        )  # fmt: skip
        self.after = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.tail = nn.Sequential(
            nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU(), nn.Conv2d(width, 3, 9, padding=4)
        )

    def forward(self, image: Tensor) -> Tensor:
        first = x = self.head(image)
        for block in self.blocks:
            x = x + block(x)
        return torch.tanh(self.tail(first + self.after(x)))


class SpatialAttention(nn.Module):
    """ESA of RFDN: a mask computed at a low resolution and enlarged by bilinear upsampling."""

    def __init__(self, width: int) -> None:
        super().__init__()
        f = max(width // 4, 2)
        self.conv1, self.skip, self.conv2 = nn.Conv2d(width, f, 1), nn.Conv2d(f, f, 1), nn.Conv2d(f, f, 3, 2)
        self.conv3, self.conv4 = nn.Conv2d(f, f, 3, padding=1), nn.Conv2d(f, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv1(x)
        small = max_pool2d(self.conv2(first), kernel_size=7, stride=3)
        mask = interpolate(self.conv3(small), size=x.shape[2:], mode="bilinear", align_corners=False)
        return x * torch.sigmoid(self.conv4(mask + self.skip(first)))


class Rfdn(nn.Module):
    """Liu, Tang & Wu 2020: residual feature distillation by 1x1 convolutions, concatenated and weighed in space."""

    def __init__(self, width: int = 16, blocks: int = 2, scale: int = 2) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.keep = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(width, width // 2, 1) for _ in range(3)) for _ in range(blocks)
        )
        self.refine = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3)) for _ in range(blocks)
        )
        self.last = nn.ModuleList(nn.Conv2d(width, width // 2, 3, padding=1) for _ in range(blocks))
        self.join = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for _ in range(blocks))
        self.attention = nn.ModuleList(SpatialAttention(width) for _ in range(blocks))
        self.gather = nn.Conv2d(blocks * width, width, 1)
        self.tail = nn.Sequential(nn.Conv2d(width, 3 * scale * scale, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, image: Tensor) -> Tensor:
        first = x = self.head(image)
        outputs = []
        for keep, refine, last, join, attention in zip(
            self.keep, self.refine, self.last, self.join, self.attention, strict=True
        ):
            kept, rest = [], x
            for distil, conv in zip(keep, refine, strict=True):
                kept.append(leaky_relu(distil(rest), 0.05))
                rest = leaky_relu(conv(rest) + rest, 0.05)
            kept.append(leaky_relu(last(rest), 0.05))
            x = attention(join(torch.cat(kept, dim=1)))
            outputs.append(x)
        return self.tail(first + leaky_relu(self.gather(torch.cat(outputs, dim=1)), 0.05))


class Imdn(nn.Module):
    """Hui et al. 2019: information multi-distillation by splitting channels, contrast-aware channel attention."""

    def __init__(self, width: int = 16, blocks: int = 2, scale: int = 2) -> None:
        super().__init__()
        self.kept = width // 4
        rest = width - self.kept
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.first = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(blocks))
        self.more = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(rest, width, 3, padding=1) for _ in range(2)) for _ in range(blocks)
        )
        self.last = nn.ModuleList(nn.Conv2d(rest, self.kept, 3, padding=1) for _ in range(blocks))
        self.attention = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width // 4, 1), nn.ReLU(), nn.Conv2d(width // 4, width, 1), nn.Sigmoid())
            for _ in range(blocks)
        )
        self.join = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(blocks))
        self.tail = nn.Sequential(nn.Conv2d(width, 3 * scale * scale, 3, padding=1), nn.PixelShuffle(scale))

    @staticmethod
    def contrast(x: Tensor) -> Tensor:
        """Standard deviation plus mean of each channel."""
        mean = x.sum(3, keepdim=True).sum(2, keepdim=True) / (x.size(2) * x.size(3))
        variance = (x - mean).pow(2).sum(3, keepdim=True).sum(2, keepdim=True) / (x.size(2) * x.size(3))
        return variance.pow(0.5) + mean

    def forward(self, image: Tensor) -> Tensor:
        first = x = self.head(image)
        for conv, more, last, attention, join in zip(
            self.first, self.more, self.last, self.attention, self.join, strict=True
        ):
            y, kept = leaky_relu(conv(x), 0.05), []
            for step in more:
                part, rest = torch.split(y, (self.kept, y.size(1) - self.kept), dim=1)
                kept.append(part)
                y = leaky_relu(step(rest), 0.05)
            part, rest = torch.split(y, (self.kept, y.size(1) - self.kept), dim=1)
            joined = torch.cat([*kept, part, last(rest)], dim=1)
            x = x + join(joined * attention(self.contrast(joined)))
        return self.tail(first + x)


class PixelAttention(nn.Module):
    """A weight for every value from a 1x1 convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.conv(x))


class Pan(nn.Module):
    """Zhao et al. 2020: self-calibrated blocks with pixel attention, nearest upsampling, a bilinear way beside."""

    def __init__(self, width: int = 12, blocks: int = 2) -> None:
        super().__init__()
        half = width // 2
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.left = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, half, 1, bias=False), nn.LeakyReLU(0.2)) for _ in range(blocks)
        )
        self.right = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, half, 1, bias=False), nn.LeakyReLU(0.2)) for _ in range(blocks)
        )
        self.plain = nn.ModuleList(nn.Conv2d(half, half, 3, padding=1, bias=False) for _ in range(blocks))
        self.gated = nn.ModuleList(nn.Conv2d(half, half, 3, padding=1, bias=False) for _ in range(blocks))
        self.attention = nn.ModuleList(PixelAttention(half) for _ in range(blocks))
        self.join = nn.ModuleList(nn.Conv2d(width, width, 1, bias=False) for _ in range(blocks))
        self.up = nn.Conv2d(width, width, 3, padding=1)
        self.up_attention = PixelAttention(width)
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        first = x = self.head(image)
        for left, right, plain, gated, attention, join in zip(
            self.left, self.right, self.plain, self.gated, self.attention, self.join, strict=True
        ):
            a, b = relu(plain(left(x))), right(x)
            x = x + join(torch.cat([a, leaky_relu(attention(gated(b)), 0.2)], dim=1))
        x = self.up(interpolate(first + x, scale_factor=2.0, mode="nearest"))
        x = self.last(leaky_relu(self.up_attention(x), 0.2))
        return x + interpolate(image, scale_factor=2.0, mode="bilinear", align_corners=False)
