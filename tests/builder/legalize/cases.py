"""What the tests of the rewrites share: small networks around a function, and what must hold of every rewrite."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from builder.graph.equality import compute_outputs, measure_largest_change
from builder.legalize import REWRITES

PICTURE = (1, 6, 10, 8)
SCALE = torch.linspace(0.5, 1.5, 6)
KERNEL = torch.randn(6, 6, 3, 3, generator=torch.Generator().manual_seed(2))


class Does(nn.Module):
    """A function between two convolutions, whose names must survive."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.function, self.tail = nn.Conv2d(6, 6, 1), function, nn.Conv2d(6, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.function(self.head(x)))


class Weighted(nn.Module):
    """A function of what it reads and a matrix of its own."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.matrix = function, nn.Parameter(KERNEL[:, :, 0, 0].clone())

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.matrix)


def export(function: Callable[[Tensor], Tensor], sample: tuple[Tensor, ...] | None = None) -> ExportedProgram:
    """The network around a function, as torch exports it with warnings about its own insides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(Does(function).eval(), sample or (torch.rand(PICTURE),))


def check_rewrite(name: str, function: Callable[[Tensor], Tensor], gone: tuple[str, ...] = ()) -> None:
    """Outputs agree within the rewrite's own bound, layers keep their names, and no operator is left with a part of `gone` in its name."""
    sample = (torch.rand(PICTURE, generator=torch.Generator().manual_seed(3)),)
    program = export(function, sample)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rewritten, places = REWRITES[name].apply(program, [sample])
    assert places >= 1
    assert (
        measure_largest_change(compute_outputs(program, sample), compute_outputs(rewritten, sample))
        <= REWRITES[name].BOUND
    )
    assert {"head.weight", "tail.weight"} <= set(rewritten.graph_signature.inputs_to_parameters.values())
    left = [str(node.target) for node in rewritten.graph.nodes if node.op == "call_function"]
    assert not [target for target in left if any(part in target for part in gone)]
