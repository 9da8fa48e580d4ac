"""Enhancement by wavelets, bilateral grids, tables of colours, and networks whose layers have no norms."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm


def to_wavelets(x: Tensor) -> Tensor:
    """Haar's: means and differences of the four pixels of a square, one channel after another."""
    even, odd = x[:, :, 0::2, :] / 2, x[:, :, 1::2, :] / 2
    a, b, c, d = even[:, :, :, 0::2], odd[:, :, :, 0::2], even[:, :, :, 1::2], odd[:, :, :, 1::2]
    return torch.cat((a + b + c + d, -a - b + c + d, -a + b - c + d, a - b - c + d), 1)


def from_wavelets(x: Tensor) -> Tensor:
    """Written into a fresh tensor, row by row and column by column."""
    batch, channels, height, width = x.size()
    out = channels // 4
    a, b, c, d = (x[:, number * out : (number + 1) * out, :, :] / 2 for number in range(4))
    picture = torch.zeros([batch, out, 2 * height, 2 * width]).float()
    picture[:, :, 0::2, 0::2] = a - b - c + d
    picture[:, :, 1::2, 0::2] = a - b + c - d
    picture[:, :, 0::2, 1::2] = a + b - c - d
    picture[:, :, 1::2, 1::2] = a + b + c + d
    return picture


class Wavelets(nn.Module):
    """Liu et al. 2018, MWCNN: a U-Net whose pooling is a wavelet transform, so that nothing is lost on the way down."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.head = nn.Conv2d(12, width, 3, padding=1)
        self.down = nn.Sequential(nn.Conv2d(4 * width, 2 * width, 3, padding=2, dilation=2), nn.ReLU(True))
        self.deep = nn.Sequential(nn.Conv2d(2 * width, 4 * width, 3, padding=1), nn.ReLU(True))
        self.tail = nn.Conv2d(width, 12, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        one = torch.relu(self.head(to_wavelets(image)))
        two = self.deep(self.down(to_wavelets(one)))
        return from_wavelets(self.tail(from_wavelets(two) + one)) + image


class Curves(nn.Module):
    """The guide of HDRNet: a mix of the colours, then a sum of ReLUs with learnt kinks."""

    def __init__(self, kinks: int = 4) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 3, 1)
        self.kinks = nn.Parameter(torch.linspace(0, 0.9, kinks).repeat(3, 1).view(1, 3, 1, 1, kinks))
        self.slopes = nn.Parameter(torch.randn(1, 3, 1, 1, kinks) * 0.3)
        self.last = nn.Conv2d(3, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        mixed = self.mix(image).unsqueeze(-1)
        return torch.sigmoid(self.last(torch.sum(self.slopes * torch.relu(mixed - self.kinks), dim=-1)))


class BilateralGrid(nn.Module):
    """Gharbi et al. 2017, HDRNet: a small picture gives a grid of colour transforms, which the large one reads by place and guide."""

    def __init__(self, width: int = 8, deep: int = 4) -> None:
        super().__init__()
        self.deep = deep
        self.splat = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
        )
        self.local = nn.Sequential(
            nn.Conv2d(2 * width, 2 * width, 3, 1, 1), nn.ReLU(), nn.Conv2d(2 * width, 2 * width, 3, 1, 1, bias=False)
        )
        self.whole = nn.Sequential(nn.Conv2d(2 * width, 2 * width, 3, 2, 1), nn.ReLU())
        self.fc = nn.Sequential(nn.Linear(2 * width * 4 * 4, 4 * width), nn.ReLU(), nn.Linear(4 * width, 2 * width))
        self.head = nn.Conv2d(2 * width, 12 * deep, 1)
        self.guide = Curves()

    def forward(self, image: Tensor) -> Tensor:
        small = F.interpolate(image, (32, 32), mode="nearest")
        features = self.splat(small)
        batch = image.shape[0]
        whole = self.fc(self.whole(features).view(batch, -1)).view(batch, -1, 1, 1)
        grid = self.head(torch.relu(self.local(features) + whole))
        grid = torch.stack(torch.split(grid, 12, 1), 2)
        guide = self.guide(image)
        height, width = guide.shape[2:]
        rows, columns = torch.meshgrid([torch.arange(0, height), torch.arange(0, width)], indexing="ij")
        rows = rows.float().repeat(batch, 1, 1).unsqueeze(3) / (height - 1) * 2 - 1
        columns = columns.float().repeat(batch, 1, 1).unsqueeze(3) / (width - 1) * 2 - 1
        places = torch.cat([columns, rows, guide.permute(0, 2, 3, 1).contiguous() * 2 - 1], dim=3).unsqueeze(1)
        found = F.grid_sample(grid, places, "bilinear", "border", align_corners=True).squeeze(2)
        red = torch.sum(image * found[:, 0:3], dim=1, keepdim=True) + found[:, 3:4]
        green = torch.sum(image * found[:, 4:7], dim=1, keepdim=True) + found[:, 7:8]
        blue = torch.sum(image * found[:, 8:11], dim=1, keepdim=True) + found[:, 11:12]
        return torch.cat([red, green, blue], dim=1)


class ColourTables(nn.Module):
    """Zeng et al. 2020: a classifier mixes three tables of colours, which every pixel is looked up in, linearly in three dimensions."""

    def __init__(self, size: int = 9) -> None:
        super().__init__()
        steps = torch.linspace(0, 1, size)
        blue, green, red = torch.meshgrid(steps, steps, steps, indexing="ij")
        plain = torch.stack([red, green, blue])
        self.tables = nn.Parameter(plain[None] + torch.randn(3, 3, size, size, size) * 0.05)
        self.classifier = nn.Sequential(
            nn.Upsample(size=(32, 32), mode="bilinear"), nn.Conv2d(3, 8, 3, 2, 1), nn.LeakyReLU(0.2), nn.InstanceNorm2d(8, affine=True),
            nn.Conv2d(8, 8, 3, 2, 1), nn.LeakyReLU(0.2), nn.InstanceNorm2d(8, affine=True), nn.Dropout(p=0.5), nn.Conv2d(8, 3, 8),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        weights = self.classifier(image).squeeze()
        table = weights[0] * self.tables[0] + weights[1] * self.tables[1] + weights[2] * self.tables[2]
        places = (image.permute(0, 2, 3, 1)[:, None] - 0.5) * 2.0
        return F.grid_sample(table[None], places, mode="bilinear", padding_mode="border", align_corners=True)[:, :, 0]


class WideBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            weight_norm(nn.Conv2d(width, 6 * width, 1)), nn.ReLU(inplace=True), weight_norm(nn.Conv2d(6 * width, int(width * 0.8), 1)),
            weight_norm(nn.Conv2d(int(width * 0.8), width, 3, padding=1)),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x  # type: ignore[no-any-return]


class SuperResolution(nn.Module):
    """Yu et al. 2018, WDSR-B: wide activations, every convolution under weight norm, the mean of the data taken off and put back."""

    def __init__(self, width: int = 10, scale: int = 3) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4488, 0.4371, 0.4040]).view([1, 3, 1, 1]))
        out = scale * scale * 3
        self.head = weight_norm(nn.Conv2d(3, width, 3, padding=1))
        self.body = nn.Sequential(*[WideBlock(width) for _ in range(2)])
        self.tail = nn.Sequential(weight_norm(nn.Conv2d(width, out, 3, padding=1)), nn.PixelShuffle(scale))
        self.skip = nn.Sequential(weight_norm(nn.Conv2d(3, out, 5, padding=2)), nn.PixelShuffle(scale))

    def forward(self, image: Tensor) -> Tensor:
        x = (image - self.mean) / 0.5
        y = self.tail(self.body(self.head(x))) + self.skip(x)
        return torch.clamp(y * 0.1 + self.mean, 0.0, 1.0)


def wavelets() -> nn.Module:
    return Wavelets()


def bilateral_grid() -> nn.Module:
    return BilateralGrid()


def colour_tables() -> nn.Module:
    return ColourTables()


def super_resolution() -> nn.Module:
    return SuperResolution()
