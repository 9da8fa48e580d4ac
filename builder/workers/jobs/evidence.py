"""What a network itself tells of the pictures that it was trained on: the arithmetic at its beginning, and its first batch norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

# A network that makes its input so much smaller takes levels of 0..255.
WIDE = 1 / 32
# And one that makes it larger takes 0..1: it divides by a deviation, or goes to -1..1.
STEEP = 1.5
# By which one divergence must be smaller than all others.
CLEARLY = 2.0
_FIRST_LAYERS = ("aten.conv", "aten.linear", "aten.matmul", "aten.addmm")


def measure_gain_at_start(program: ExportedProgram, sample: Tensor) -> float | None:
    """By what factor the network scales its only input before its first layer; None where what it does there is no scaling."""
    steps = [_reach(program, _FIRST_LAYERS, sample * times) for times in (0.0, 1.0, 2.0)]
    if any(step is None for step in steps):
        return None
    zero, one, two = (step[0].double() for step in steps if step is not None)
    spread = float((one - zero).abs().max())
    if spread == 0 or float((two - 2 * one + zero).abs().max()) > 1e-3 * spread:
        return None
    return spread / float(sample.abs().max())


def measure_divergence(program: ExportedProgram, samples: Sequence[Tensor]) -> float | None:
    """How far these pictures are from those of the training, as the first batch norm remembers them; None without one.

    Kullback-Leibler divergence of two normal distributions, mean over the channels: 0 is the same pictures.
    """
    import torch

    seen = [_reach(program, ("aten.batch_norm.",), sample) for sample in samples]
    reached = [arguments for arguments in seen if arguments is not None]
    if not reached or len(reached) < len(seen) or reached[0][3] is None:
        return None
    values = torch.cat([arguments[0].double().movedim(1, 0).flatten(1) for arguments in reached], dim=1)
    mean, variance = (reached[0][place].double() for place in (3, 4))
    ratio = (values.var(1, correction=0) / variance).clamp(min=1e-12)
    return float((0.5 * (ratio + (values.mean(1) - mean) ** 2 / variance - 1 - ratio.log())).mean())


def _reach(program: ExportedProgram, targets: tuple[str, ...], sample: Tensor) -> tuple[Any, ...] | None:
    """Arguments of the first call of one of these operators, run on one sample; None where there is none."""
    import torch

    class Reached(Exception):
        pass

    class Until(torch.fx.Interpreter):
        def run_node(self, node: torch.fx.Node) -> Any:
            if node.op == "call_function" and str(node.target).startswith(targets):
                raise Reached(*self.fetch_args_kwargs_from_env(node)[0])
            return super().run_node(node)

    until = Until(program.module(check_guards=False), garbage_collect_values=False)
    until.extra_traceback = False  # it would print where it was stopped
    try:
        with torch.no_grad():
            until.run(sample)
    except Reached as reached:
        return reached.args
    return None
