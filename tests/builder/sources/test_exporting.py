"""A network is exported as inference runs it, not as training would."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from builder.sources.checkpoint import export


class Gated(nn.Module):
    """Writes into a part of a split, which torch forbids where gradients flow (DeepFill's gated convolutions do)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x, gate = torch.split(self.conv(x), 4, dim=1)
        return F.elu(x, inplace=True) * torch.sigmoid(gate)


def test_writes_into_views_are_taken() -> None:
    network, x = Gated().eval(), torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        wanted = network(x)
        torch.testing.assert_close(export(network, (x,)).module()(x), wanted)


def test_a_transformer_of_torchs_own_layers_stays_in_plain_operators() -> None:
    """Without gradients torch would take one fused operator that no backend has; its switch is left as it was."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    network = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
    program = export(network, (torch.rand(1, 5, 16),))
    assert not [node for node in program.graph.nodes if "_transformer_encoder" in str(node.target)]
    assert torch.backends.mha.get_fastpath_enabled()
