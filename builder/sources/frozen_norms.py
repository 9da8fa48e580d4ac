"""Instance and group norms with statistics fixed from calibration data: a pixel then depends on its neighbourhood only, so
that large pictures may be made of tiles. The result is another network than the one that was trained; how far it is from it is
measured and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.bundle import FrozenNorms
from builder.errors import SourceError
from builder.graph.model import Model
from builder.graph.samples import read_samples

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

    Inputs = tuple[Tensor, ...]

_NORMS = ("aten.instance_norm.default", "aten.group_norm.default")


@dataclass(kw_only=True)
class _Statistics:
    """Mean and variance by channel, summed over `count` samples."""

    mean: Tensor | float = 0.0
    variance: Tensor | float = 0.0
    count: int = 0


def freeze_norms(model: Model, calibration: Sequence[Path], evaluation: Sequence[Path]) -> tuple[Model, FrozenNorms]:
    """The model with every instance and group norm as a batch norm in evaluation mode, folded into the layer before it where
    there is one, and how well it agrees with the model as it was on the evaluation data.

    Statistics are the means over the calibration samples of each sample's own mean and variance (as a batch norm's running
    statistics are; Ioffe & Szegedy 2015, section 3.1). Raises SourceError where there is no such norm.
    """
    import torch

    from builder.precision.layers import list_layers
    from builder.quality.parity import agree, make_torch_run
    from builder.sources.batch_norm import fold_batch_norms

    by_norm = _collect(model, calibration)
    if not by_norm:
        raise SourceError(
            "'freeze_norms' of [legalize] in builder.toml finds no instance norm and no group norm in this model; remove it."
        )
    module: Any = model.program.module(check_guards=False)
    nodes = {node.name: node for node in module.graph.nodes}
    for number, (name, statistics) in enumerate(by_norm.items()):
        _replace(module, nodes[name], statistics, f"frozen_norm_{number}")
    module.graph.eliminate_dead_code()
    module.recompile()
    with torch.no_grad():
        program = fold_batch_norms(torch.export.export(module, _make_inputs(model.program)))
    frozen = replace(model, program=program, layers=list_layers(program))
    before, after = (make_torch_run(m.program.module(), model.inputs, model.outputs) for m in (model, frozen))
    worst = min(
        agree(after(sample), before(sample), model.outputs) for sample in read_samples(tuple(evaluation), model.inputs)
    )
    return frozen, FrozenNorms(norms=len(by_norm), samples=len(calibration), psnr_db_worst=round(worst, 2))


def _collect(model: Model, calibration: Sequence[Path]) -> dict[str, _Statistics]:
    """By the norm's name in the graph."""
    import torch

    statistics: dict[str, _Statistics] = {}

    class Watching(torch.fx.Interpreter):
        def run_node(self, node: Node) -> Any:
            if str(node.target) in _NORMS:
                x = self.env[node.args[0]]  # type: ignore[index]
                mean, variance = _of(x, _groups(node, x.shape[1]))
                seen = statistics.setdefault(node.name, _Statistics())
                seen.mean, seen.variance, seen.count = seen.mean + mean, seen.variance + variance, seen.count + 1
            return super().run_node(node)

    watching = Watching(model.program.module(check_guards=False))
    with torch.no_grad():
        for sample in read_samples(tuple(calibration), model.inputs):
            watching.run(*(torch.from_numpy(sample[spec.name]) for spec in model.inputs))
    return statistics


def _groups(norm: Node, channels: int) -> int:
    return int(norm.args[1]) if str(norm.target) == "aten.group_norm.default" else channels  # type: ignore[arg-type]


def _of(x: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel's group over the pictures of a sample, `[C]` in float64."""
    grouped = x.double().reshape(x.shape[0], groups, -1)
    each = x.shape[1] // groups
    mean, variance = grouped.mean(2).mean(0), grouped.var(2, correction=0).mean(0)
    return mean.repeat_interleave(each), variance.repeat_interleave(each)


def _replace(module: GraphModule, norm: Node, statistics: _Statistics, name: str) -> None:
    import torch

    group = str(norm.target) == "aten.group_norm.default"
    arguments: list[Any] = [*norm.args]
    weight, bias = [*arguments[2:4], None, None][:2] if group else arguments[1:3]
    eps = (arguments[4] if len(arguments) > 4 else 1e-5) if group else arguments[7]
    for part in ("mean", "variance"):
        value: Any = getattr(statistics, part)
        module.register_buffer(f"{name}_{part}", (value / statistics.count).float())
    with module.graph.inserting_before(norm):
        mean, variance = (module.graph.get_attr(f"{name}_{part}") for part in ("mean", "variance"))
        made = module.graph.call_function(
            torch.ops.aten.batch_norm.default,
            (arguments[0], weight, bias, mean, variance, False, 0.0, eps, False),
        )
    made.meta = dict(norm.meta)
    norm.replace_all_uses_with(made)
    module.graph.erase_node(norm)


def _make_inputs(program: ExportedProgram) -> Inputs:
    from builder.graph.equality import make_random_inputs

    return make_random_inputs(program)
