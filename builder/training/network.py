"""An exported program as a network that can be trained, at other sizes than it was exported at where its operators allow it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.precision.program import in_list

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.export import ExportedProgram

# Of the outputs' range: a picture alone and in a batch.
CLOSE = 1e-3


def make_trainable(program: ExportedProgram) -> Any:
    """A module of its own with the program's weights, floats that gradients reach."""
    import copy

    import torch

    module: Any = copy.deepcopy(program.module(check_guards=False))
    without_checks(module)
    for owner in module.modules():
        for name, parameter in list(owner._parameters.items()):
            if parameter is not None:
                learns = parameter.is_floating_point()
                owner._parameters[name] = torch.nn.Parameter(parameter.detach().clone(), requires_grad=learns)
    return module


def without_checks(module: Any) -> None:
    """Other sizes than the exported ones are meant: the guards against them go away."""
    module._forward_pre_hooks.clear()


def call(module: Any, *inputs: Tensor) -> list[Tensor]:
    """All outputs."""
    return in_list(module(*inputs))


def takes(module: Any, shape: Sequence[int], original: Sequence[int]) -> bool:
    """Whether the module computes a batch of this shape, and gives each picture of it what it gives it alone.

    `original`: the shape that it was exported at.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    batch = torch.rand(tuple(shape), generator=generator)
    try:
        with torch.no_grad():
            together, alone = call(module, batch), call(module, batch[:1])
            once = call(module, torch.rand(tuple(original), generator=generator))
    except (RuntimeError, IndexError, ValueError, AssertionError):  # a size that is written into its graph
        return False
    return all(_same(a, b, c) for a, b, c in zip(together, alone, once, strict=True))


def _same(together: torch.Tensor, alone: torch.Tensor, once: torch.Tensor) -> bool:
    if together.ndim != once.ndim or alone.shape[1:] != together.shape[1:] or alone.shape[0] != once.shape[0]:
        return False
    span = float(alone.max() - alone.min()) or 1.0
    return float((together[:1] - alone).abs().max()) <= CLOSE * span
