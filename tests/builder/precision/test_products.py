"""Work without weights is in the table: matrix products, attention, filters that the network computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from builder.precision.layers import list_layers


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = torch.softmax(q @ k.transpose(-2, -1), -1)
        return scores @ v + F.scaled_dot_product_attention(q, k, v)  # type: ignore[no-any-return]


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.attention, self.filters = nn.Conv2d(3, 8, 3, padding=1), Attention(), nn.Linear(8, 8 * 8)

    def forward(self, image: Tensor) -> Tensor:
        x = self.head(image)
        tokens = self.attention(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(x.shape)
        weight = self.filters(x.mean((2, 3))).view(8, 8, 1, 1)
        mixed = F.conv2d(tokens, weight)
        return torch.einsum("bchw,bdhw->bcd", mixed, x)


def test_every_operation_that_multiplies_and_accumulates_is_counted() -> None:
    """Products stand under the module that makes them, have no weights to give a scheme, and are part of the sum."""
    table = list_layers(torch.export.export(Network().eval(), (torch.rand(1, 3, 4, 6),)))
    assert table.names() == ["head", "attention.qkv", "filters"]
    pixels = 4 * 6
    assert {row.name: (row.macs, row.uses) for row in table.products} == {
        "attention.matmul": (2 * pixels * pixels * 8, 2),
        "attention.scaled_dot_product_attention": (2 * pixels * pixels * 8, 1),
        "conv2d": (pixels * 8 * 8, 1),
        "einsum": (pixels * 8 * 8, 1),
    }
    assert {row.op for row in table.products} == {"product"}
    assert table.macs == sum(row.macs for row in (*table.layers, *table.products))
    assert not {row.name for row in table.rows} & {row.name for row in table.products}
