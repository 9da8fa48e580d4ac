"""Generators that restore or make faces: weights modulated by a style, features shifted by others, a codebook read by a transformer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class EqualLinear(nn.Module):
    """Karras et al. 2018: the weight is scaled at every call."""

    def __init__(self, inside: int, out: int, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, inside))
        self.bias = nn.Parameter(torch.full((out,), bias))
        self.scale = 1 / math.sqrt(inside)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, bias=self.bias)


class ModulatedConv(nn.Module):
    """Karras et al. 2020: every picture's style scales the weights, which are then brought to length one; as a grouped convolution."""

    def __init__(
        self, inside: int, out: int, kernel: int, style: int, *, demodulate: bool = True, up: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, out, inside, kernel, kernel) / math.sqrt(inside * kernel**2))
        self.modulation = EqualLinear(style, inside, 1.0)
        self.demodulate, self.up, self.kernel = demodulate, up, kernel

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        b, c, h, w = x.shape
        weight = self.weight * self.modulation(style).view(b, 1, c, 1, 1)
        if self.demodulate:
            weight = weight * torch.rsqrt(weight.pow(2).sum([2, 3, 4]) + 1e-8).view(b, -1, 1, 1, 1)
        weight = weight.view(b * weight.shape[1], c, self.kernel, self.kernel)
        if self.up:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        b, c, h, w = x.shape
        out = F.conv2d(x.view(1, b * c, h, w), weight, padding=self.kernel // 2, groups=b)
        return out.view(b, -1, *out.shape[2:])


class StyledConv(nn.Module):
    """With noise that is stored, as at inference, and a leaky ReLU that is scaled."""

    def __init__(self, inside: int, out: int, style: int, size: int, *, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv(inside, out, 3, style, up=up)
        self.strength = nn.Parameter(torch.full((1,), 0.1))
        self.bias = nn.Parameter(torch.zeros(1, out, 1, 1))
        self.register_buffer("noise", torch.randn(1, 1, size, size))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        x = self.conv(x, style) * 2**0.5
        x = x + self.strength * self.noise
        return F.leaky_relu(x + self.bias, negative_slope=0.2)


class ToPicture(nn.Module):
    def __init__(self, inside: int, style: int) -> None:
        super().__init__()
        self.conv = ModulatedConv(inside, 3, 1, style, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, style: Tensor, before: Tensor | None = None) -> Tensor:
        out = self.conv(x, style) + self.bias
        if before is not None:
            out = out + F.interpolate(before, scale_factor=2, mode="bilinear", align_corners=False)
        return out


class StyleGan(nn.Module):
    """Karras et al. 2020, StyleGAN2: a vector through a mapping, a learnt constant through styled convolutions, skips of pictures."""

    def __init__(self, style: int = 16, width: int = 12) -> None:
        super().__init__()
        self.mapping = nn.ModuleList([EqualLinear(style, style) for _ in range(2)])
        self.constant = nn.Parameter(torch.randn(1, width, 8, 8))
        self.first, self.first_picture = StyledConv(width, width, style, 8), ToPicture(width, style)
        self.ups = nn.ModuleList([StyledConv(width, width, style, size, up=True) for size in (16, 32)])
        self.convs = nn.ModuleList([StyledConv(width, width, style, size) for size in (16, 32)])
        self.pictures = nn.ModuleList([ToPicture(width, style) for _ in range(2)])

    def forward(self, vector: Tensor) -> Tensor:
        style = vector * torch.rsqrt(torch.mean(vector**2, dim=1, keepdim=True) + 1e-8)
        for layer in self.mapping:
            style = F.leaky_relu(layer(style), 0.2)
        x = self.first(self.constant.repeat(vector.shape[0], 1, 1, 1), style)
        skip = self.first_picture(x, style)
        for up, conv, picture in zip(self.ups, self.convs, self.pictures, strict=True):
            x = conv(up(x, style), style)
            skip = picture(x, style, skip)
        return torch.sigmoid(skip)


class FaceRestoration(nn.Module):
    """Wang et al. 2021, GFPGAN in its clean form: a U-Net gives style and maps that scale and shift half of a generator's channels."""

    def __init__(self, style: int = 16, width: int = 12) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 1)
        self.downs = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(2)])
        self.ups = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(2)])
        self.to_style = nn.Linear(width * 16 * 16, style)
        self.scales = nn.ModuleList([nn.Conv2d(width, width // 2, 3, padding=1) for _ in range(2)])
        self.shifts = nn.ModuleList([nn.Conv2d(width, width // 2, 3, padding=1) for _ in range(2)])
        self.constant = nn.Parameter(torch.randn(1, width, 16, 16))
        self.styled = nn.ModuleList([StyledConv(width, width, style, size, up=True) for size in (32, 64)])
        self.pictures = nn.ModuleList([ToPicture(width, style) for _ in range(2)])
        self.skip = ToPicture(width, style)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = F.leaky_relu_(self.first((image - 0.5) / 0.5), negative_slope=0.2)
        skips = []
        for conv in self.downs:
            x = F.leaky_relu_(conv(F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)), 0.2)
            skips.insert(0, x)
        style = self.to_style(x.view(x.size(0), -1))
        conditions = []
        for number, conv in enumerate(self.ups):
            x = x + skips[number]
            x = F.leaky_relu_(conv(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)), 0.2)
            conditions.append((self.scales[number](x).clone(), self.shifts[number](x).clone()))
        y = self.constant.repeat(image.shape[0], 1, 1, 1)
        picture = self.skip(y, style)
        for number, styled in enumerate(self.styled):
            y = styled(y, style)
            scale, shift = conditions[number]
            kept, changed = torch.split(y, int(y.size(1) // 2), dim=1)
            y = torch.cat([kept, changed * scale + shift], dim=1)
            picture = self.pictures[number](y, style, picture)
        return torch.sigmoid(picture), []


class TokenLayer(nn.Module):
    """A transformer's layer with norms first; queries and keys carry the positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads)
        self.one, self.two = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        y = self.norm1(x)
        queries = y + position
        x = x + self.attention(queries, queries, value=y)[0]
        return x + self.two(F.gelu(self.one(self.norm2(x))))  # type: ignore[no-any-return]


class CodeFormer(nn.Module):
    """Zhou et al. 2022: an encoder, a transformer that chooses a code of a codebook for every place, a decoder of the codes."""

    def __init__(self, width: int = 16, codes: int = 32) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1), nn.GroupNorm(4, width), nn.SiLU(), nn.Conv2d(width, width, 3, 2, 1), nn.GroupNorm(4, width), nn.SiLU(),
            nn.Conv2d(width, width, 3, 2, 1),
        )  # fmt: skip
        self.position = nn.Parameter(torch.randn(64, width) * 0.1)
        self.layers = nn.ModuleList([TokenLayer(width, 4) for _ in range(2)])
        self.scores = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, codes, bias=False))
        self.codebook = nn.Embedding(codes, width)
        self.decoder = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(3)])
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.encoder(image)
        tokens = x.flatten(2).permute(2, 0, 1)
        position = self.position.unsqueeze(1).repeat(1, x.shape[0], 1)
        for layer in self.layers:
            tokens = layer(tokens, position)
        logits = self.scores(tokens).permute(1, 0, 2)
        _, chosen = torch.topk(F.softmax(logits, dim=2), 1, dim=2)
        hot = F.one_hot(chosen.squeeze(2), logits.shape[2]).to(x.dtype)
        quantized = (
            torch.matmul(hot, self.codebook.weight)
            .view(x.shape[0], x.shape[2], x.shape[3], -1)
            .permute(0, 3, 1, 2)
            .contiguous()
        )
        y = self._like(quantized, x)
        for conv in self.decoder:
            y = F.silu(conv(F.interpolate(y, scale_factor=2.0, mode="nearest")))
        return torch.sigmoid(self.last(y))

    @staticmethod
    def _like(content: Tensor, style: Tensor) -> Tensor:
        """Adaptive instance norm with unbiased variances, as its authors write it."""
        b, c = content.shape[:2]

        def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
            rows = x.view(b, c, -1)
            return rows.mean(dim=2).view(b, c, 1, 1), (rows.var(dim=2) + 1e-5).sqrt().view(b, c, 1, 1)

        mean, deviation = statistics(style)
        own_mean, own_deviation = statistics(content)
        return (content - own_mean.expand(content.size())) / own_deviation.expand(content.size()) * deviation + mean


def stylegan() -> nn.Module:
    return StyleGan()


def face_restoration() -> nn.Module:
    return FaceRestoration()


def codeformer() -> nn.Module:
    return CodeFormer()
