"""Frames between frames: optical flow that is refined from coarse to fine, and pictures read along it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def warp(x: Tensor, flow: Tensor) -> Tensor:
    """`x` read where the flow, in pixels, points to; the grid is made at each call, as in the field's code."""
    b, _, h, w = x.shape
    across = torch.linspace(-1.0, 1.0, w).view(1, 1, 1, w).expand(b, -1, h, -1)
    down = torch.linspace(-1.0, 1.0, h).view(1, 1, h, 1).expand(b, -1, -1, w)
    grid = torch.cat([across, down], 1).to(flow.dtype)
    flow = torch.cat([flow[:, 0:1, :, :] / ((w - 1.0) / 2.0), flow[:, 1:2, :, :] / ((h - 1.0) / 2.0)], 1)
    return F.grid_sample(
        input=x, grid=(grid + flow).permute(0, 2, 3, 1), mode="bilinear", padding_mode="border", align_corners=True
    )


class FlowBlock(nn.Module):
    """A change of the flow and of the mask, computed on a smaller picture."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(inside, width, 3, 2, 1), nn.PReLU(width), nn.Conv2d(width, width, 3, 2, 1), nn.PReLU(width)
        )
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.PReLU(width))
        self.last = nn.ConvTranspose2d(width, 5, 4, 2, 1)

    def forward(self, x: Tensor, flow: Tensor | None, scale: int) -> tuple[Tensor, Tensor]:
        if scale != 1:
            x = F.interpolate(x, scale_factor=1.0 / scale, mode="bilinear", align_corners=False)
        if flow is not None:
            flow = F.interpolate(flow, scale_factor=1.0 / scale, mode="bilinear", align_corners=False) * 1.0 / scale
            x = torch.cat((x, flow), 1)
        x = self.first(x)
        x = self.last(self.body(x) + x)
        x = F.interpolate(x, scale_factor=scale * 2, mode="bilinear", align_corners=False)
        return x[:, :4] * scale * 0.1, x[:, 4:5]


class Interpolation(nn.Module):
    """Huang et al. 2022, RIFE: two frames, flows to both from the moment between, and a mask that blends what they read."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([FlowBlock(7, width), FlowBlock(18, width)])
        self.refine = nn.Sequential(nn.Conv2d(16, width, 3, 1, 1), nn.PReLU(width), nn.Conv2d(width, 3, 3, 1, 1))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        time = (first[:, :1].clone() * 0 + 1) * 0.5
        flow: Tensor | None = None
        warped, mask = [first, second], first[:, :1]
        for block, scale in zip(self.blocks, (4, 2), strict=True):
            if flow is None:
                flow, mask = block(torch.cat((first, second, time), 1), None, scale)
            else:
                change, more = block(torch.cat((first, second, *warped, time, mask), 1), flow, scale)
                flow, mask = flow + change, mask + more
            warped = [warp(first, flow[:, :2]), warp(second, flow[:, 2:4])]
        assert flow is not None
        blend = torch.sigmoid(mask)
        merged = warped[0] * blend + warped[1] * (1 - blend)
        residual = self.refine(torch.cat((first, second, *warped, flow), 1)).tanh() * 0.1
        return torch.clamp(merged + residual, 0, 1)


class Correlation(nn.Module):
    """Teed & Deng 2020, RAFT in small: all pairs of features, a pyramid of them, and a recurrent unit that reads it around the flow."""

    def __init__(self, width: int = 8, radius: int = 1) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 7, 4, 3),
            nn.InstanceNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, 2, 1),
        )
        self.radius = radius
        places = (2 * radius + 1) ** 2
        self.motion = nn.Conv2d(2 * places + 2, width, 3, padding=1)
        self.gates = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.candidate = nn.Conv2d(2 * width, width, 3, padding=1)
        self.flow_head = nn.Conv2d(width, 2, 3, padding=1)
        self.mask = nn.Conv2d(width, 9 * 16, 1)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        one, two = torch.split(self.encoder(torch.cat([first, second], dim=0)), [1, 1], dim=0)
        b, c, h, w = one.shape
        pairs = torch.matmul(one.view(b, c, h * w).transpose(1, 2), two.view(b, c, h * w)) / c**0.5
        pyramid = [pairs.reshape(b * h * w, 1, h, w)]
        pyramid.append(F.avg_pool2d(pyramid[0], 2, stride=2))
        ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        start = torch.stack([xs, ys], dim=0).float()[None].repeat(b, 1, 1, 1)
        places, hidden = start.clone(), torch.tanh(one)
        for _ in range(2):
            x = torch.relu(self.motion(torch.cat([self._read(pyramid, places), places - start], dim=1)))
            update, reset = torch.sigmoid(self.gates(torch.cat([hidden, x], dim=1))).chunk(2, dim=1)
            new = torch.tanh(self.candidate(torch.cat([reset * hidden, x], dim=1)))
            hidden = (1 - update) * hidden + update * new
            places = places + self.flow_head(hidden)
        return self._enlarged(places - start, self.mask(hidden) * 0.25)

    def _read(self, pyramid: list[Tensor], places: Tensor) -> Tensor:
        b, _, h, w = places.shape
        around = torch.linspace(-self.radius, self.radius, 2 * self.radius + 1)
        offsets = torch.stack(torch.meshgrid(around, around, indexing="ij"), dim=-1).view(1, -1, 1, 2)
        found = []
        for level, volume in enumerate(pyramid):
            centre = places.permute(0, 2, 3, 1).reshape(b * h * w, 1, 1, 2) / 2**level
            x, y = (centre + offsets).split([1, 1], dim=-1)
            high, wide = volume.shape[-2:]
            grid = torch.cat([2 * x / max(wide - 1, 1) - 1, 2 * y / max(high - 1, 1) - 1], dim=-1)
            found.append(F.grid_sample(volume, grid, align_corners=True).view(b, h, w, -1))
        return torch.cat(found, dim=-1).permute(0, 3, 1, 2).contiguous().float()

    @staticmethod
    def _enlarged(flow: Tensor, mask: Tensor) -> Tensor:
        """Convex upsampling: each fine value is a mean of nine coarse ones."""
        n, _, h, w = flow.shape
        weights = torch.softmax(mask.view(n, 9, 16, h * w), dim=1)
        rows = F.unfold(4 * flow, [3, 3], padding=1).view(n, 2, 9, h * w)
        mixed = [torch.sum(weights[:, :, place] * rows[:, channel], dim=1) for channel in (0, 1) for place in range(16)]
        return F.pixel_shuffle(torch.stack(mixed, dim=1).view(n, 32, h, w), 4)


def interpolation() -> nn.Module:
    return Interpolation()


def correlation() -> nn.Module:
    return Correlation()
