"""Encoder-decoders and classifiers: U-Nets, edges, a vision transformer, a re-parameterised backbone."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu, scaled_dot_product_attention


class DoubleConv(nn.Sequential):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
        )  # fmt: skip


class UNet(nn.Module):
    """Ronneberger, Fischer & Brox 2015: pooling down, transposed convolutions up, skips joined by concatenation."""

    def __init__(self, width: int = 8, depth: int = 3) -> None:
        super().__init__()
        widths = [width << level for level in range(depth + 1)]
        self.down = nn.ModuleList(DoubleConv(i, o) for i, o in zip([3, *widths], widths, strict=False))
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in reversed(widths[:-1]))
        self.join = nn.ModuleList(DoubleConv(2 * w, w) for w in reversed(widths[:-1]))
        self.last = nn.Conv2d(width, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        skips = [self.down[0](image)]
        for layers in self.down[1:]:
            skips.append(layers(self.pool(skips[-1])))
        x = skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([skips.pop(), up(x)], dim=1))
        return torch.sigmoid(self.last(x))


class SqueezeExcite(nn.Module):
    """Hu et al. 2018, in MobileNetV3's form with a hard sigmoid."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = nn.Conv2d(width, max(width // 4, 4), 1), nn.Conv2d(max(width // 4, 4), width, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.fc2(relu(self.fc1(self.pool(x)))))


class InvertedResidual(nn.Module):
    """MobileNetV2's block (Sandler et al. 2018); with squeeze and hard swish MobileNetV3's (Howard et al. 2019)."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, kernel: int = 3, version: int = 2) -> None:
        super().__init__()
        hidden = inputs * 3
        activation: type[nn.Module] = nn.ReLU6 if version == 2 else nn.Hardswish
        layers = [
            nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), activation(),
            nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False), nn.BatchNorm2d(hidden), activation(),
        ]  # fmt: skip
        if version == 3:
            layers.append(SqueezeExcite(hidden))
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.layers = nn.Sequential(*layers)
        self.same = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.same else self.layers(x)


class MobileUNet(nn.Module):
    """A MobileNet encoder with skips into a light decoder; version 2 upsamples with aligned corners, version 3 without."""

    def __init__(self, version: int, width: int = 8) -> None:
        super().__init__()
        widths, kernel = [width, 2 * width, 3 * width], 3 if version == 2 else 5
        first: nn.Module = nn.ReLU6() if version == 2 else nn.Hardswish()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), first)
        self.stages = nn.ModuleList(
            nn.Sequential(
                InvertedResidual(i, o, stride=2, kernel=kernel, version=version),
                InvertedResidual(o, o, stride=1, kernel=kernel, version=version),
            )
            for i, o in itertools.pairwise(widths)
        )
        self.ups = nn.ModuleList(
            InvertedResidual(i + o, o, stride=1, version=version)
            for i, o in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.last = nn.Conv2d(width, 3, 3, padding=1)
        self.aligned = version == 2

    def forward(self, image: Tensor) -> Tensor:
        skips = [self.stem(image)]
        for stage in self.stages:
            skips.append(stage(skips[-1]))
        x = skips.pop()
        for up in self.ups:
            skip = skips.pop()
            x = up(
                torch.cat([interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=self.aligned), skip], 1)
            )
        x = interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=self.aligned)
        return torch.sigmoid(self.last(x))


class DexiNed(nn.Module):
    """After Poma, Riba & Sappa 2020: dense blocks, an edge map from each by transposed convolutions, and their fusion."""

    def __init__(self, width: int = 8, blocks: int = 3) -> None:
        super().__init__()
        widths = [width << n for n in range(blocks)]
        self.blocks = nn.ModuleList(DoubleConv(i, o) for i, o in zip([3, *widths], widths, strict=False))
        self.beside = nn.ModuleList(nn.Conv2d(i, o, 1, 2) for i, o in itertools.pairwise(widths))
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.maps = nn.ModuleList(self._map(w, n) for n, w in enumerate(widths))
        self.fuse = nn.Conv2d(blocks, 1, 1)

    @staticmethod
    def _map(width: int, ups: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for number in range(ups):
            outputs = 1 if number == ups - 1 else 8
            layers += [nn.Conv2d(width, outputs, 1), nn.ReLU(), nn.ConvTranspose2d(outputs, outputs, 4, 2, 1)]
            width = outputs
        return nn.Sequential(*layers) if ups else nn.Sequential(nn.Conv2d(width, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = self.blocks[0](image)
        edges = [self.maps[0](x)]
        for block, beside, edge_map in zip(self.blocks[1:], self.beside, self.maps[1:], strict=True):
            x = (block(self.pool(x)) + beside(x)) * 0.5
            edges.append(edge_map(x))
        fused = self.fuse(torch.cat(edges, dim=1))
        return torch.sigmoid(edges[0]), torch.sigmoid(edges[1]), torch.sigmoid(edges[2]), torch.sigmoid(fused)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.qkv, self.project, self.heads = nn.Linear(width, 3 * width), nn.Linear(width, width), heads

    def forward(self, x: Tensor) -> Tensor:
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        return self.project(scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, c))


class VitBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(width), Attention(width, heads), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """Dosovitskiy et al. 2021: patches as words, a class token, learnt positions."""

    def __init__(self, size: int = 64, patch: int = 8, width: int = 32, depth: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.3 * torch.randn(1, (size // patch) ** 2 + 1, width))
        self.blocks = nn.Sequential(*(VitBlock(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, image: Tensor) -> Tensor:
        words = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(words.shape[0], -1, -1), words], dim=1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


class OneBlock(nn.Module):
    """MobileOne's training form (Vasu et al. 2023): several convolutions and the input itself, each with a batch norm."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1, branches: int = 2
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
                nn.BatchNorm2d(outputs),
            )
            for _ in range(branches)
        )
        self.identity = nn.BatchNorm2d(inputs) if inputs == outputs and stride == 1 else None

    def merged(self) -> nn.Conv2d:
        """One convolution that gives the sum of all branches, in evaluation mode."""
        first: nn.Conv2d = self.branches[0][0]
        one = nn.Conv2d(
            first.in_channels, first.out_channels, first.kernel_size, first.stride, first.padding, groups=first.groups
        )
        weight, bias = torch.zeros_like(one.weight), torch.zeros(first.out_channels)
        terms = [(conv.weight, norm) for conv, norm in self.branches]
        if self.identity is not None:
            unit, per_group = torch.zeros_like(weight), first.in_channels // first.groups
            middle = first.kernel_size[0] // 2
            for channel in range(first.out_channels):
                unit[channel, channel % per_group, middle, middle] = 1.0
            terms.append((unit, self.identity))
        for kernel, norm in terms:
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            weight = weight + kernel * scale[:, None, None, None]
            bias = bias + norm.bias - norm.running_mean * scale
        one.weight.data, one.bias.data = weight.detach(), bias.detach()
        return one


class MobileOne(nn.Module):
    """The deployed form: every block of branches merged into one convolution before the network is used."""

    def __init__(self, width: int = 16, classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, width), (width, 2 * width), (2 * width, 2 * width)):
            stride = 1 if inputs == outputs else 2
            depthwise = OneBlock(inputs, inputs, kernel=3, stride=stride, groups=inputs)
            pointwise = OneBlock(inputs, outputs, kernel=1)
            layers += [
                depthwise.eval().merged(),
                nn.ReLU(),
                pointwise.eval().merged(),
                nn.ReLU(),
                SqueezeExcite(outputs),
            ]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = nn.functional.adaptive_avg_pool2d(self.features(image), 1)
        return self.head(torch.flatten(x, 1))
