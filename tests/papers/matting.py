"""Matting of video and of pictures: recurrent states as inputs and outputs, a guided filter, and branches that meet again."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvGru(nn.Module):
    """A gated unit of convolutions over one frame (Ballas et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = nn.Sequential(nn.Conv2d(2 * channels, 2 * channels, 3, padding=1), nn.Sigmoid())
        self.candidate = nn.Sequential(nn.Conv2d(2 * channels, channels, 3, padding=1), nn.Tanh())

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        reset, update = self.gates(torch.cat([x, hidden], 1)).split(x.shape[1], 1)
        return (1 - update) * hidden + update * self.candidate(torch.cat([x, reset * hidden], 1))  # type: ignore[no-any-return]


class Level(nn.Module):
    """One step up of the decoder: half of the channels go through the recurrent unit."""

    def __init__(self, channels: int, skipped: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(channels + skipped + 3, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
        )
        self.unit = ConvGru(out // 2)

    def forward(self, x: Tensor, skip: Tensor, image: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)[
            :, :, : image.size(2), : image.size(3)
        ]
        plain, kept = self.conv(torch.cat([x, skip, image], 1)).chunk(2, 1)
        hidden = self.unit(kept, hidden)
        return torch.cat([plain, hidden], 1), hidden


class Pyramid(nn.Module):
    """The lite form of ASPP: one gate from the mean of all."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.direct = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(True)
        )
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1, bias=False), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.direct(x) * self.gate(x)  # type: ignore[no-any-return]


class VideoMatting(nn.Module):
    """Lin et al. 2021, "Robust High-Resolution Video Matting": a frame and two states in; foreground, alpha and the states out."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.down1 = self._step(3, width)
        self.down2 = self._step(width, 2 * width)
        self.aspp = Pyramid(2 * width)
        self.up2 = Level(2 * width, width, 2 * width)
        self.up1 = Level(2 * width, 0, width)
        self.head = nn.Conv2d(width, 4, 1)
        self.pool = nn.AvgPool2d(2, 2, count_include_pad=False, ceil_mode=True)

    @staticmethod
    def _step(inside: int, out: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inside, out, 3, 2, 1, bias=False), nn.BatchNorm2d(out), nn.Hardswish(),
            nn.Conv2d(out, out, 3, 1, 1, groups=out, bias=False), nn.BatchNorm2d(out), nn.Hardswish(),
        )  # fmt: skip

    def forward(self, image: Tensor, state1: Tensor, state2: Tensor) -> dict[str, Tensor]:
        one = self.down1(image - self.mean)
        two = self.aspp(self.down2(one))
        half = self.pool(image)
        x, state2 = self.up2(two, one, half, state2)
        x, state1 = self.up1(x, image[:, :0], image, state1)
        residual, alpha = self.head(x).split([3, 1], dim=1)
        return {
            "foreground": (residual + image).clamp(0.0, 1.0),
            "alpha": alpha.clamp(0.0, 1.0),
            "next1": state1,
            "next2": state2,
        }


class IbNorm(nn.Module):
    """Half of the channels by batch, half by instance."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = channels // 2
        self.batch = nn.BatchNorm2d(self.first)
        self.instance = nn.InstanceNorm2d(channels - self.first)

    def forward(self, x: Tensor) -> Tensor:
        one, other = x[:, : self.first, ...].contiguous(), x[:, self.first :, ...].contiguous()
        return torch.cat((self.batch(one), self.instance(other)), 1)


class IbConv(nn.Sequential):
    def __init__(self, inside: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(inside, out, kernel, stride, kernel // 2), IbNorm(out), nn.ReLU(inplace=True))


class PictureMatting(nn.Module):
    """Ke et al. 2022, MODNet: a semantic branch at low resolution, details from the picture itself, and a fusion of both."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [IbConv(3, width, 3, 2), IbConv(width, 2 * width, 3, 2), IbConv(2 * width, 4 * width, 3, 2)]
        )
        self.squeeze = nn.Sequential(
            nn.Linear(4 * width, width, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(width, 4 * width, bias=False),
            nn.Sigmoid(),
        )
        self.semantic = IbConv(4 * width, 2 * width, 5)
        self.coarse = nn.Conv2d(2 * width, 1, 3, padding=1)
        self.detail = nn.ModuleList([IbConv(width + 3, width), IbConv(3 * width, width), IbConv(width + 3, width)])
        self.fusion = nn.Sequential(IbConv(2 * width, width), nn.Conv2d(width, 1, 1))

    def forward(self, image: Tensor) -> list[Tensor | None]:
        image = (image - 0.5) / 0.5
        half = self.down[0](image)
        quarter = self.down[1](half)
        deep = self.down[2](quarter)
        b, c, _, _ = deep.size()
        deep = deep * self.squeeze(F.adaptive_avg_pool2d(deep, 1).view(b, c)).view(b, c, 1, 1).expand_as(deep)
        low = self.semantic(F.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=False))
        coarse = torch.sigmoid(self.coarse(low))
        small = F.interpolate(image, scale_factor=1 / 2, mode="bilinear", align_corners=False)
        fine = self.detail[0](torch.cat((half, small), dim=1))
        low = F.interpolate(low, scale_factor=2, mode="bilinear", align_corners=False)
        fine = self.detail[1](torch.cat((fine, low), dim=1))
        fine = F.interpolate(fine, scale_factor=2, mode="bilinear", align_corners=False)
        fine = self.detail[2](torch.cat((fine, image), dim=1))
        around = F.interpolate(coarse, scale_factor=4, mode="bilinear", align_corners=False)
        matte = torch.sigmoid(self.fusion(torch.cat((fine, fine * around), dim=1)))
        return [None, None, matte]


def video_matting() -> nn.Module:
    return VideoMatting()


def picture_matting() -> nn.Module:
    return PictureMatting()
