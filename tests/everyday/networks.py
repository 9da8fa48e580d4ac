"""Everyday torch, one network a line: what people write and some converter refuses or makes wrong. By kind, so that a cure is of the kind.

Each is two convolutions with something between; `scripts/bench/everyday.py` takes them through all backends.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

SHAPE = (1, 3, 24, 20)
Function = Callable[[Tensor], Tensor]


class Between(nn.Module):
    """Head, a function or module, tail."""

    def __init__(self, middle: Function, width: int = 8, out: int = 8) -> None:
        super().__init__()
        self.head, self.middle = nn.Conv2d(3, width, 3, padding=1), middle
        self.tail = nn.Conv2d(out, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return self.tail(self.middle(torch.relu(self.head(image))))  # type: ignore[no-any-return]


class Own(nn.Module):
    """A function of what comes in and one parameter."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], *shape: int) -> None:
        super().__init__()
        self.function, self.table = function, nn.Parameter(torch.randn(shape) * 0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.table)


class Scaled(nn.Conv2d):
    """Equalised learning rate (Karras et al. 2018): the weight is scaled at every call."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * (2 / self.weight[0].numel()) ** 0.5, self.bias, padding=self.padding)  # type: ignore[arg-type]


class Standardised(nn.Conv2d):
    """Weight standardisation (Qiao et al. 2019)."""

    def forward(self, x: Tensor) -> Tensor:
        w = self.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / (w.std((1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(x, w, self.bias, padding=self.padding)  # type: ignore[arg-type]


def to_channels(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, [0, 3]] = x[:, [1, 2]] * 0.5
    y[y > 0.8] = 0.8
    return y


def filled(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y[:, ::2] = x[:, ::2].exp() * 0.1
    y[:, 1::2, 2:-2, 2:-2] = x[:, 1::2, 2:-2, 2:-2]
    return y


def checkered(x: Tensor) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(24), torch.arange(20), indexing="ij")
    mask = ((rows + columns) % 2).float().view(1, 1, 24, 20)
    mask[..., 0] = 1
    return x * mask.expand_as(x) + x.flip(3) * (1 - mask)


def stacked(x: Tensor) -> Tensor:
    out = x.new_empty(1, 8, 48, 40)
    out[:, :, ::2, ::2] = x
    out[:, :, 1::2, ::2] = x * 0.5
    out[:, :, ::2, 1::2] = x * 0.25
    out[:, :, 1::2, 1::2] = x.neg()
    return out


def attended(x: Tensor) -> Tensor:
    strongest = torch.max(x, dim=1, keepdim=True).values
    weakest, _ = torch.min(x.flatten(2), dim=2)
    return x * torch.sigmoid(strongest + weakest[:, :, None, None])


def pyramid(x: Tensor) -> Tensor:
    """Pyramid pooling (Zhao et al. 2017)."""
    parts = [F.interpolate(F.adaptive_avg_pool2d(x, size), x.shape[2:], mode="bilinear") for size in (1, 2, 5)]
    return sum(parts, x)


def warped(x: Tensor) -> Tensor:
    turn = torch.tensor([[[0.95, 0.1, 0.02], [-0.1, 0.95, -0.05]]])
    return F.grid_sample(
        x, F.affine_grid(turn, list(x.shape), align_corners=True), padding_mode="border", align_corners=True
    )


def looked_up(x: Tensor) -> Tensor:
    """A bilateral grid (Gharbi et al. 2017), sliced by a guide."""
    guide = x.mean(1, keepdim=True).tanh()
    rows = torch.linspace(-1, 1, 24).view(1, 24, 1).expand(1, 24, 20)
    columns = torch.linspace(-1, 1, 20).view(1, 1, 20).expand(1, 24, 20)
    grid = torch.stack([columns, rows, guide[:, 0]], 3)[:, None]
    volume = F.avg_pool2d(x, 4).reshape(1, 2, 4, 6, 5)
    return x + F.grid_sample(volume, grid, align_corners=True)[:, :, 0].repeat(1, 4, 1, 1)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3))
        return x * self.cell(mean, self.cell(mean, torch.zeros_like(mean)))[:, :, None, None].sigmoid()


class Rows(nn.Module):
    """A convolution along the channels (ECA, Wang et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x.mean((2, 3)).unsqueeze(1)).transpose(1, 2).unsqueeze(-1)
        return x * torch.sigmoid(y).expand_as(x)


class Frames(nn.Module):
    def __init__(self, **options: object) -> None:
        super().__init__()
        self.conv = nn.Conv3d(4, 4, 3, padding=1, **options)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + F.leaky_relu(self.conv(x.reshape(1, 4, 2, *x.shape[2:])), 0.1).reshape(x.shape)


def up(*args: int, **options: int) -> nn.Module:
    return nn.ConvTranspose2d(8, 8, *args, **options)  # type: ignore[arg-type]


NETWORKS: dict[str, dict[str, Callable[[], nn.Module]]] = {
    "constants": {
        "checkered": lambda: Between(checkered),
        "normalised": lambda: Between(lambda x: (x - torch.tensor([0.5]).reshape(1, 1, 1, 1)) / torch.as_tensor([2.0])),
        "warped": lambda: Between(warped),
    },
    "writes": {
        "filled": lambda: Between(filled),
        "stacked": lambda: Between(stacked),
        "in_place": lambda: Between(lambda x: x.clone().mul_(2).add_(0.1).clamp_(0, 1)),
        "to_channels": lambda: Between(to_channels),
        "added_up": lambda: Between(
            lambda x: torch.zeros_like(x).index_add(1, torch.tensor([0, 1, 1, 2, 3, 3, 4, 7]), x)
        ),
    },
    "values": {
        "bins": lambda: Between(lambda x: torch.bucketize(x, torch.tensor([0.1, 0.3, 0.5])).float() + x),
        "classes": lambda: Between(lambda x: F.one_hot(x.argmax(1), 8).permute(0, 3, 1, 2).float() * x),
        "quantile": lambda: Between(lambda x: x - x.flatten(2).quantile(0.9, 2)[:, :, None, None]),
        "middle": lambda: Between(lambda x: x - x.median() + x.kthvalue(3, 1, keepdim=True).values),
        "likeness": lambda: Between(
            lambda x: x * F.cosine_similarity(x, x.flip(1), dim=1)[:, None] + torch.hypot(x, x.flip(1))
        ),
        "running": lambda: Between(lambda x: x.sigmoid().cumprod(2) + torch.fmax(x.cummax(1).values, x)),
        "tails": lambda: Between(lambda x: torch.erfc(x) + F.logsigmoid(x) + torch.logaddexp(x, x.flip(1))),
        "products": lambda: Between(
            lambda x: torch.nan_to_num(x.sigmoid().prod(1, keepdim=True) * x).round(decimals=3)
        ),
    },
    "views": {
        "flattened": lambda: nn.Sequential(
            Between(lambda x: x), nn.Conv2d(3, 8, 3, 2, 1), View(), nn.Linear(8 * 12 * 10, 5)
        ),
        "shuffled": lambda: Between(lambda x: x.view(1, 2, 4, 24, 20).transpose(1, 2).contiguous().view(1, 8, 24, 20)),
        "tokens": lambda: Between(
            lambda x: x.flatten(2).permute(0, 2, 1).contiguous().view(1, 24, 20, 8).permute(0, 3, 1, 2)
        ),
    },
    "expansions": {
        "gated": lambda: Between(lambda x: x * x.mean((2, 3), keepdim=True).expand(-1, -1, 24, 20)),
        "chosen": lambda: Between(lambda x: torch.where(x > 0.1, x, x.mean(1, keepdim=True).expand_as(x))),
        "largest": lambda: Between(lambda x: torch.maximum(x, x.mean((2, 3), keepdim=True).expand_as(x))),
    },
    "weights": {
        "weight_norm": lambda: Between(weight_norm(nn.Conv2d(8, 8, 3, padding=1))),
        "spectral_norm": lambda: Between(spectral_norm(nn.ConvTranspose2d(8, 8, 2, 2))),
        "scaled": lambda: Between(Scaled(8, 8, 3, padding=1)),
        "standardised": lambda: Between(Standardised(8, 8, 3, padding=1)),
        "old_weight_norm": lambda: Between(nn.utils.weight_norm(nn.Conv2d(8, 8, 1))),
    },
    "parameters": {
        "position": lambda: Between(Own(lambda x, t: x + F.interpolate(t, (24, 20), mode="bicubic"), 1, 8, 6, 5)),
        "softmax_of_table": lambda: Between(Own(lambda x, t: x * torch.softmax(t, 0).view(1, 8, 1, 1), 8)),
        "gathered": lambda: Between(
            Own(lambda x, t: x + t[:, torch.arange(24).flip(0)].unsqueeze(0).unsqueeze(-1), 8, 24)
        ),
    },
    "products": {
        "matmul": lambda: Between(Own(lambda x, t: (x.permute(0, 2, 3, 1) @ t).permute(0, 3, 1, 2), 8, 8)),
        "einsum": lambda: Between(Own(lambda x, t: torch.einsum("bchw,dc->bdhw", x, t), 8, 8)),
        "left": lambda: Between(Own(lambda x, t: torch.matmul(t, x.flatten(2)).view(1, 8, 24, 20), 8, 8)),
        "recurrent": lambda: Between(Recurrent()),
    },
    "dimensions": {
        "rows": lambda: Between(Rows()),
        "frames": lambda: Between(Frames()),
        "grouped_frames": lambda: Between(Frames(groups=2)),
    },
    "transposed": {
        "depthwise": lambda: Between(up(4, 2, 1, groups=8)),
        "grouped_odd": lambda: Between(up(3, stride=2, padding=1, output_padding=1, groups=4)),
        "stride_1": lambda: Between(up(3, padding=1)),
        "dilated": lambda: Between(up(3, stride=2, padding=2, dilation=2)),
        "beyond": lambda: Between(up(2, stride=4, output_padding=2)),
    },
    "resized": {
        "odd": lambda: Between(lambda x: F.interpolate(F.interpolate(x, (11, 9)), (24, 20))),
        "bicubic": lambda: Between(lambda x: F.interpolate(x, scale_factor=2, mode="bicubic")),
        "antialiased": lambda: Between(lambda x: F.interpolate(x, (10, 9), mode="bilinear", antialias=True)),
        "partial_average": lambda: Between(lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    },
    "unfolded": {
        "overlapping": lambda: Between(lambda x: F.fold(F.unfold(x, 3, padding=1), (24, 20), 3, padding=1)),
        "strided": lambda: Between(lambda x: F.fold(F.unfold(x, 5, stride=2) * 0.2, (24, 20), 5, stride=2)),
        "blocks": lambda: Between(
            lambda x: F.fold(F.unfold(x, (4, 2), stride=(4, 2)).sin(), (24, 20), (4, 2), stride=(4, 2))
        ),
        "dilated": lambda: Between(lambda x: F.fold(F.unfold(x, 3, 2, 2), (24, 20), 3, 2, 2)),
    },
    "pooling": {
        "unstated_stride": lambda: Between(lambda x: F.max_pool2d(x, (2, 3))),
        "adaptive_max": lambda: Between(
            lambda x: x * F.adaptive_max_pool2d(x, (1, 1)) + F.adaptive_max_pool2d(x, (5, 3)).mean()
        ),
        "pyramid": lambda: Between(pyramid),
        "ceil": lambda: Between(lambda x: F.avg_pool2d(F.max_pool2d(x, 3, 2, ceil_mode=True), 5, 3, 2, ceil_mode=True)),
    },
    "attention": {
        "channel_max": lambda: Between(attended),
        "softmax_last": lambda: Between(lambda x: x.permute(0, 2, 3, 1).softmax(-1).permute(0, 3, 1, 2)),
        "softmax_rows": lambda: Between(lambda x: F.softmax(x * 3, dim=2)),
    },
    "arithmetic": {
        "alpha": lambda: Between(lambda x: torch.add(x, x.tanh(), alpha=0.3)),
        "reversed": lambda: Between(lambda x: torch.rsub(x, 1, alpha=2)),
        "named": lambda: Between(lambda x: torch.subtract(torch.multiply(x, 3), torch.true_divide(x, 2))),
    },
    "memory": {
        "channels_last": lambda: Between(lambda x: x.contiguous(memory_format=torch.channels_last) + 1).to(
            memory_format=torch.channels_last
        ),  # type: ignore[call-overload]
        "strided": lambda: Between(
            lambda x: x.to(memory_format=torch.channels_last).permute(0, 1, 3, 2).transpose(2, 3)
        ),
        "turned": lambda: Between(nn.Conv2d(8, 8, 3, padding=1).to(memory_format=torch.channels_last)),  # type: ignore[call-overload]
    },
    "sampling": {
        "volume": lambda: Between(looked_up),
        "flow": lambda: Between(lambda x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1).tanh(), align_corners=False)),
        "batch": lambda: Between(
            lambda x: F.grid_sample(
                x.reshape(4, 2, 24, 20),
                x[:, :2].permute(0, 2, 3, 1).tanh().repeat(4, 1, 1, 1) * 0.5,
                align_corners=True,
            ).reshape(x.shape)
        ),
        "mirrored": lambda: Between(
            lambda x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1) * 3, padding_mode="reflection", align_corners=False)
        ),
    },
    "activations": {
        "mish": lambda: Between(F.mish),
        "softplus": lambda: Between(lambda x: F.softplus(x, 3, 15)),
        "softsign": lambda: Between(lambda x: F.softsign(x) + F.celu(x - 1) + F.logsigmoid(x)),
    },
    "skips": {
        "dense": lambda: Between(Dense(), out=24),
        "unet": lambda: Between(Unet()),
        "twice": lambda: Between(lambda x: torch.cat([F.max_pool2d(x, 3, 1, 1), x], 1), out=16),
    },
}


class View(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), -1)


class Dense(nn.Module):
    """Huang et al. 2017."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(16, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x, torch.relu(self.one(x))], 1)
        return torch.cat([x, torch.relu(self.two(x))], 1)


class Unet(nn.Module):
    """Ronneberger et al. 2015, two levels."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.deep = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.up, self.merge = nn.ConvTranspose2d(8, 8, 2, 2), nn.Conv2d(16, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.deep(torch.relu(self.down(F.max_pool2d(x, 2)))))
        return torch.relu(self.merge(torch.cat([self.up(y), x], 1)))


def create(kind: str, name: str) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[kind][name]().eval()


ALL = [(kind, name) for kind, members in NETWORKS.items() for name in members]
