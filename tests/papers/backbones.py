"""Backbones with positions and windows: transformers that segment, convolutions that learnt from them, and a U of Us."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SpatialReduction(nn.Module):
    """Attention whose keys and values come from a smaller picture."""

    def __init__(self, width: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.heads, self.scale, self.ratio = heads, (width // heads) ** -0.5, ratio
        self.q, self.kv, self.proj = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.sr, self.norm = nn.Conv2d(width, width, ratio, ratio), nn.LayerNorm(width)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        b, n, c = x.shape
        q = self.q(x).reshape(b, n, self.heads, c // self.heads).permute(0, 2, 1, 3)
        small = self.norm(self.sr(x.permute(0, 2, 1).reshape(b, c, height, width)).reshape(b, c, -1).permute(0, 2, 1))
        kv = self.kv(small).reshape(b, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        k, v = kv[0], kv[1]
        attention = ((q @ k.transpose(-2, -1)) * self.scale).softmax(dim=-1)
        return self.proj((attention @ v).transpose(1, 2).reshape(b, n, c))  # type: ignore[no-any-return]


class MixBlock(nn.Module):
    """The feed-forward part holds a depthwise convolution, which stands for positions."""

    def __init__(self, width: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SpatialReduction(width, heads, ratio)
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.dw = nn.Conv2d(2 * width, 2 * width, 3, 1, 1, groups=2 * width)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        x = x + self.attention(self.norm1(x), height, width)
        y = self.fc1(self.norm2(x))
        b, _, c = y.shape
        y = self.dw(y.transpose(1, 2).view(b, c, height, width)).flatten(2).transpose(1, 2)
        return x + self.fc2(F.gelu(y))  # type: ignore[no-any-return]


class SegFormer(nn.Module):
    """Xie et al. 2021: overlapping patches, two stages, and a decoder of linear layers alone."""

    def __init__(self, widths: tuple[int, int] = (16, 32), classes: int = 5) -> None:
        super().__init__()
        self.patch1, self.patch2 = nn.Conv2d(3, widths[0], 7, 4, 3), nn.Conv2d(widths[0], widths[1], 3, 2, 1)
        self.patch_norm1, self.patch_norm2 = nn.LayerNorm(widths[0]), nn.LayerNorm(widths[1])
        self.block1, self.block2 = MixBlock(widths[0], 2, 4), MixBlock(widths[1], 4, 2)
        self.norm1, self.norm2 = nn.LayerNorm(widths[0]), nn.LayerNorm(widths[1])
        self.linear1, self.linear2 = nn.Linear(widths[0], 16), nn.Linear(widths[1], 16)
        self.fuse = nn.Sequential(nn.Conv2d(32, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.predict = nn.Conv2d(16, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = image
        maps = []
        for patch, patch_norm, block, norm in (
            (self.patch1, self.patch_norm1, self.block1, self.norm1),
            (self.patch2, self.patch_norm2, self.block2, self.norm2),
        ):
            x = patch(x)
            b, _, h, w = x.shape
            tokens = patch_norm(x.flatten(2).transpose(1, 2))
            x = norm(block(tokens, h, w)).reshape(b, h, w, -1).permute(0, 3, 1, 2).contiguous()
            maps.append(x)
        n, _, h, w = maps[0].shape
        one = self.linear1(maps[0].flatten(2).transpose(1, 2)).permute(0, 2, 1).reshape(n, -1, h, w)
        two = self.linear2(maps[1].flatten(2).transpose(1, 2)).permute(0, 2, 1).reshape(n, -1, *maps[1].shape[2:])
        two = F.interpolate(two, size=(h, w), mode="bilinear", align_corners=False)
        y = self.predict(self.fuse(torch.cat([two, one], dim=1)))
        return F.interpolate(y, size=image.shape[2:], mode="bilinear", align_corners=False)


class MobileVit(nn.Module):
    """Mehta & Rastegari 2022: pixels of the same place in all patches attend to each other between convolutions."""

    def __init__(self, width: int = 8, inner: int = 16, patch: int = 2) -> None:
        super().__init__()
        self.patch = patch
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.SiLU())
        self.expand = nn.Sequential(
            nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width), nn.SiLU(),
            nn.Conv2d(4 * width, 4 * width, 3, 2, 1, groups=4 * width, bias=False), nn.BatchNorm2d(4 * width), nn.SiLU(),
            nn.Conv2d(4 * width, width, 1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip
        self.local = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, inner, 1, bias=False)
        )
        layer = nn.TransformerEncoderLayer(inner, 2, 2 * inner, 0.1, "gelu", batch_first=True, norm_first=True)
        self.transformer = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(inner)
        self.proj = nn.Sequential(nn.Conv2d(inner, width, 1, bias=False), nn.SiLU())
        self.fusion = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.head = nn.Linear(2 * width, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.expand(self.stem(image))
        y = self.local(x)
        b, c, h, w = y.shape
        p = self.patch
        rows, columns = h // p, w // p
        tokens = y.reshape(b * c * rows, p, columns, p).transpose(1, 2).reshape(b, c, rows * columns, p * p)
        tokens = tokens.transpose(1, 3).reshape(b * p * p, rows * columns, c)
        tokens = self.norm(self.transformer(tokens))
        back = tokens.contiguous().view(b, p * p, rows * columns, c).transpose(1, 3)
        back = back.reshape(b * c * rows, columns, p, p).transpose(1, 2).reshape(b, c, rows * p, columns * p)
        y = torch.nn.functional.silu(self.fusion(torch.cat((x, self.proj(back)), dim=1)))
        return self.head(y.mean([-2, -1]))  # type: ignore[no-any-return]


class NextBlock(nn.Module):
    """Liu et al. 2022, ConvNeXt: depthwise 7 x 7, a norm over channels last, two linear layers, a learnt scale."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(0.1 * torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.dwconv(x).permute(0, 2, 3, 1)
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(self.norm(y))))
        return x + y.permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class ConvNext(nn.Module):
    """A denoiser of such blocks; the norms between stages are over channels first, and global response norms close them (v2)."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, 4)
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.blocks = nn.Sequential(*[NextBlock(width) for _ in range(2)])
        self.response = nn.Parameter(torch.full((1, 1, 1, width), 0.2))
        self.head = nn.Conv2d(width, 48, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(variance + 1e-6)
        x = self.blocks(self.weight[:, None, None] * x + self.bias[:, None, None])
        rows = x.permute(0, 2, 3, 1)
        length = torch.norm(rows, p=2, dim=(1, 2), keepdim=True)
        rows = self.response * (rows * (length / (length.mean(dim=-1, keepdim=True) + 1e-6))) + rows
        return image + F.pixel_shuffle(self.head(rows.permute(0, 3, 1, 2)), 4)


class SwinBlock(nn.Module):
    """Liu et al. 2022, Swin v2: cosine attention in windows, biases from a small network over logarithmic distances, norms last."""

    def __init__(self, width: int, heads: int, window: int, size: int, shift: int) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.logit_scale = nn.Parameter(torch.log(10 * torch.ones((heads, 1, 1))))
        self.mlp_of_distance = nn.Sequential(nn.Linear(2, 16), nn.ReLU(inplace=True), nn.Linear(16, heads, bias=False))
        steps = torch.arange(-(window - 1), window, dtype=torch.float32)
        table = (
            torch.stack(torch.meshgrid([steps, steps], indexing="ij")).permute(1, 2, 0).contiguous() / (window - 1) * 8
        )
        self.register_buffer("distances", torch.sign(table) * torch.log2(torch.abs(table) + 1.0) / 3, persistent=False)
        places = torch.stack(torch.meshgrid([torch.arange(window), torch.arange(window)], indexing="ij")).flatten(1)
        apart = (places[:, :, None] - places[:, None, :]).permute(1, 2, 0).contiguous()
        apart[:, :, 0] += window - 1
        apart[:, :, 1] += window - 1
        apart[:, :, 0] *= 2 * window - 1
        self.register_buffer("index", apart.sum(-1))
        self.register_buffer("mask", self._mask(size) if shift else None)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def _mask(self, size: int) -> Tensor:
        """-100 between parts that the shift made neighbours."""
        number, marks = 0, torch.zeros((1, size, size, 1))
        cuts = (slice(0, -self.window), slice(-self.window, -self.shift), slice(-self.shift, None))
        for rows in cuts:
            for columns in cuts:
                marks[:, rows, columns, :] = number
                number += 1
        windows = self._parted(marks).view(-1, self.window * self.window)
        apart = windows.unsqueeze(1) - windows.unsqueeze(2)
        return apart.masked_fill(apart != 0, (-100.0)).masked_fill(apart == 0, 0.0)

    def _parted(self, x: Tensor) -> Tensor:
        b, h, w, c = x.shape
        x = x.view(b, h // self.window, self.window, w // self.window, self.window, c)
        return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, self.window, self.window, c)

    def _joined(self, windows: Tensor, h: int, w: int) -> Tensor:
        b = int(windows.shape[0] / (h * w / self.window / self.window))
        x = windows.view(b, h // self.window, w // self.window, self.window, self.window, -1)
        return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(b, h, w, -1)

    def _attended(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        bias = torch.cat((self.q_bias, torch.zeros_like(self.v_bias, requires_grad=False), self.v_bias))
        qkv = (
            F.linear(input=x, weight=self.qkv.weight, bias=bias).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        )
        q, k, v = qkv.unbind(0)
        attention = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        attention = attention * torch.clamp(self.logit_scale, max=4.6052).exp()
        table = self.mlp_of_distance(self.distances).view(-1, self.heads)
        bias = table[self.index.view(-1)].view(n, n, -1).permute(2, 0, 1).contiguous()
        attention = attention + (16 * torch.sigmoid(bias)).unsqueeze(0)
        if self.mask is not None:
            count = self.mask.shape[0]
            attention = attention.view(b // count, count, self.heads, n, n) + self.mask.unsqueeze(1).unsqueeze(0)
            attention = attention.view(-1, self.heads, n, n)
        return self.proj((attention.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        _, h, w, c = x.shape
        y = torch.roll(x, shifts=(-self.shift, -self.shift), dims=(1, 2)) if self.shift else x
        windows = self._attended(self._parted(y).view(-1, self.window * self.window, c))
        y = self._joined(windows.view(-1, self.window, self.window, c), h, w)
        y = torch.roll(y, shifts=(self.shift, self.shift), dims=(1, 2)) if self.shift else y
        x = x + self.norm1(y)
        return x + self.norm2(self.fc2(F.gelu(self.fc1(x))))  # type: ignore[no-any-return]


class Swin(nn.Module):
    """Two blocks, patches merged between them, and a head of classes."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.one, self.two = SwinBlock(width, 2, 4, 16, 0), SwinBlock(width, 2, 4, 16, 2)
        self.reduction, self.norm = nn.Linear(4 * width, 2 * width, bias=False), nn.LayerNorm(2 * width)
        self.head = nn.Linear(2 * width, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.two(self.one(self.patch(image).permute(0, 2, 3, 1)))
        x = torch.cat([x[:, 0::2, 0::2, :], x[:, 1::2, 0::2, :], x[:, 0::2, 1::2, :], x[:, 1::2, 1::2, :]], -1)
        x = self.norm(self.reduction(x)).flatten(1, 2)
        return self.head(F.adaptive_avg_pool1d(x.transpose(1, 2), 1).flatten(1))  # type: ignore[no-any-return]


class DenseVit(nn.Module):
    """Oquab et al. 2023 and Ranftl et al. 2021: a ViT whose positions are resized to the picture, its class token dropped, depth read out."""

    def __init__(self, width: int = 24, heads: int = 3) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 8, 8)
        self.token, self.positions = (
            nn.Parameter(torch.randn(1, 1, width) * 0.02),
            nn.Parameter(torch.randn(1, 37, width) * 0.2),
        )
        self.heads = heads
        self.norm1, self.norm2, self.norm = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.w12, self.w3 = nn.Linear(width, 4 * width), nn.Linear(2 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.5))
        self.project = nn.Conv2d(width, 16, 1)
        self.up = nn.ConvTranspose2d(16, 16, 4, 4)
        self.out = nn.Sequential(nn.Conv2d(16, 8, 3, padding=1), nn.ReLU(True), nn.Conv2d(8, 1, 1), nn.ReLU(True))

    def _resized(self, tokens: Tensor, height: int, width: int) -> Tensor:
        first, rest = self.positions[:, :1], self.positions[:, 1:]
        side = int(rest.shape[1] ** 0.5)
        rest = F.interpolate(
            rest.reshape(1, side, side, -1).permute(0, 3, 1, 2), size=(height, width), mode="bicubic", antialias=False
        )
        return tokens + torch.cat((first, rest.permute(0, 2, 3, 1).view(1, -1, tokens.shape[-1])), dim=1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patch(image)
        b, c, h, w = x.shape
        x = torch.cat((self.token.expand(b, -1, -1), x.flatten(2).transpose(1, 2)), dim=1)
        x = self._resized(x, h, w)
        q, k, v = self.qkv(self.norm1(x)).reshape(b, -1, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, -1, c)
        x = x + self.scale * self.proj(y)
        one, two = self.w12(self.norm2(x)).chunk(2, dim=-1)
        x = self.norm(x + self.scale * self.w3(F.silu(one) * two))
        y = self.project(x[:, 1:].permute(0, 2, 1).reshape((b, c, h, w)))
        y = F.interpolate(self.up(y), size=(int(h * 8), int(w * 8)), mode="bilinear", align_corners=True)
        return self.out(y)  # type: ignore[no-any-return]


class ResidualU(nn.Module):
    """A U of its own with dilations at the bottom; what it takes is added to what it gives."""

    def __init__(self, inside: int, middle: int, out: int) -> None:
        super().__init__()
        self.enter = self._conv(inside, out)
        self.one, self.two, self.deep = (
            self._conv(out, middle),
            self._conv(middle, middle),
            self._conv(middle, middle, 2),
        )
        self.up2, self.up1 = self._conv(2 * middle, middle), self._conv(2 * middle, out)
        self.pool = nn.MaxPool2d(2, stride=2, ceil_mode=True)

    @staticmethod
    def _conv(inside: int, out: int, dilation: int = 1) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inside, out, 3, padding=dilation, dilation=dilation), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        one = self.one(entered)
        two = self.two(self.pool(one))
        deep = self.deep(two)
        up = self.up2(torch.cat((deep, two), 1))
        up = F.interpolate(up, size=one.shape[2:], mode="bilinear")
        return self.up1(torch.cat((up, one), 1)) + entered  # type: ignore[no-any-return]


class U2Net(nn.Module):
    """Qin et al. 2020: a U whose steps are Us, and a mask from each level, joined."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.one, self.two = ResidualU(3, width, width), ResidualU(width, width, 2 * width)
        self.bottom = ResidualU(2 * width, width, 2 * width)
        self.up2, self.up1 = ResidualU(4 * width, width, width), ResidualU(2 * width, width, width)
        self.side1, self.side2, self.side3 = (nn.Conv2d(n, 1, 3, padding=1) for n in (width, width, 2 * width))
        self.join = nn.Conv2d(3, 1, 1)
        self.pool = nn.MaxPool2d(2, stride=2, ceil_mode=True)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        one = self.one(image)
        two = self.two(self.pool(one))
        bottom = self.bottom(self.pool(two))
        up2 = self.up2(torch.cat((F.interpolate(bottom, size=two.shape[2:], mode="bilinear"), two), 1))
        up1 = self.up1(torch.cat((F.interpolate(up2, size=one.shape[2:], mode="bilinear"), one), 1))
        d1 = self.side1(up1)
        d2, d3 = (
            F.interpolate(side(x), size=d1.shape[2:], mode="bilinear")
            for side, x in ((self.side2, up2), (self.side3, bottom))
        )
        joined = self.join(torch.cat((d1, d2, d3), 1))
        return torch.sigmoid(joined), torch.sigmoid(d1)


def segformer() -> nn.Module:
    return SegFormer()


def mobilevit() -> nn.Module:
    return MobileVit()


def convnext() -> nn.Module:
    return ConvNext()


def swin() -> nn.Module:
    return Swin()


def dense_vit() -> nn.Module:
    return DenseVit()


def u2net() -> nn.Module:
    return U2Net()
