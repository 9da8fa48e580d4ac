"""Which layers and norms cannot compute in fp16, because values in or after them are too large: fp16 ends at 65504.

A saved program is executed op by op without rounding, whatever its precision, on real data. The neural engine computes in fp16
and nothing else, and one value beyond it is an infinity that blanks a whole picture. Half of the range is kept free: evaluation
data are not all pictures there are, and sums on the way to a result may be larger than the result.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.backends.base import Lowered, Reached
from builder.backends.borders import make_logical
from builder.backends.coreml.compute import find_variance_ops
from builder.backends.coreml.compute import in_fp16 as in_fp16
from builder.backends.coreml.interpreter import Interpreter
from builder.backends.coreml.match import match_layers
from builder.backends.coreml.norms import match_norms
from builder.backends.coreml.program import computing_ops, list_operations, list_variables, load_program
from builder.errors import VerificationError
from builder.graph.model import Model
from builder.precision.plan import Choice, ResolvedPlan
from builder.precision.scheme import parse_scheme

if TYPE_CHECKING:
    import torch

    from builder.graph.tensors import Tensors

# The largest finite number of fp16.
HALF_MAX = 65504.0
LIMIT = HALF_MAX / 2


class _Watching(Interpreter):
    """Keeps results as they are computed, and the largest magnitude of each variable."""

    def __init__(self, program: Any) -> None:
        super().__init__(program)
        self.peaks: dict[str, float] = {}

    def round_result(self, var: Any, value: torch.Tensor) -> torch.Tensor:
        if not value.is_floating_point():
            return super().round_result(var, value)
        peak = float(value.abs().amax()) if value.numel() else 0.0
        self.peaks[var.name] = max(self.peaks.get(var.name, 0.0), peak)
        return value


def measure_reach(path: Path, model: Model, lowered: Lowered, samples: Iterable[Tensors]) -> dict[str, Reached]:
    """By layer, over the samples. Raises VerificationError for an op that cannot be executed here."""
    from builder.backends.coreml.runtime import InterpreterRunner

    program = load_program(path)
    watching = _Watching(program)
    runner = InterpreterRunner(path, lowered.inputs, lowered.outputs, 1, watching)
    run = make_logical(runner, lowered.inputs, lowered.outputs, (*model.inputs, *model.outputs))
    for sample in samples:
        run(sample)
    layer_of = {op.name: layer for layer, ops in match_layers(list_operations(program), model).items() for op in ops}
    around: dict[str, float] = dict.fromkeys(model.layers.names(), 0.0)
    after: dict[str, float] = dict.fromkeys(model.layers.names(), 0.0)
    owner: dict[str, str] = {}  # variable -> the layer that it comes from, the first one before there is any
    kept_in_fp32 = find_variance_ops(program)
    for op in computing_ops(program):
        layer = layer_of.get(op.name)
        sources = [var.name for var in list_variables(op)]
        peak = max((watching.peaks.get(var.name, 0.0) for var in op.outputs), default=0.0)
        if layer is not None:
            read = max((watching.peaks.get(name, 0.0) for name in sources), default=0.0)
            around[layer] = max(around[layer], peak, read)
        else:
            layer = next((owner[name] for name in sources if name in owner), next(iter(around), None))
            if layer is not None and op.name not in kept_in_fp32:
                after[layer] = max(after[layer], peak)
        if layer is not None:
            owner.update((var.name, layer) for var in op.outputs)
    by_layer = {layer: Reached(layer=around[layer], after=after[layer]) for layer in around}
    for norm, ops in match_norms(list_operations(program), model).items():
        names = {var.name for op in ops if op.name not in kept_in_fp32 for var in (*list_variables(op), *op.outputs)}
        by_layer[norm] = Reached(layer=max((watching.peaks.get(name, 0.0) for name in names), default=0.0), after=0.0)
    return by_layer


def find_too_large(plan: ResolvedPlan, known: dict[str, Reached], norms: Collection[str] = ()) -> dict[str, float]:
    """Layers and norms that the plan computes in fp16 and that must not, with the value that says so."""
    half = {layer for layer, choice in plan.choices.items() if in_fp16(choice.scheme) and layer in known}
    largest: dict[str, float] = {}
    while True:
        # only where all layers do, the ops between them compute in fp16
        everything = all(layer in half for layer in plan.choices if layer not in norms)
        peaks = {
            layer: max(known[layer].layer, known[layer].after if everything else 0.0)
            for layer in plan.choices
            if layer in half
        }
        large = {layer: peak for layer, peak in peaks.items() if peak > LIMIT}
        if not large:
            return largest
        largest.update(large)
        half -= set(large)


def within_half(
    plan: ResolvedPlan, known: dict[str, Reached], norms: Collection[str] = ()
) -> tuple[ResolvedPlan, dict[str, str]]:
    """The plan with fp32 for those layers and norms (`norms` are the names of the latter), and why by name.

    Raises VerificationError where a layer's scheme exists in fp16 only."""
    large = find_too_large(plan, known, norms)
    reasons = {
        layer: f"its values reach {peak:.3g} on the evaluation data, and fp16 ends at {HALF_MAX:g}"
        for layer, peak in large.items()
    }
    for layer, why in reasons.items():
        scheme = plan.scheme(layer)
        if scheme.name != "fp16":
            raise VerificationError(
                f"layer {layer!r} is asked for as {scheme.name}, which computes in fp16, but {why}; give it weight_only_wi8_afp32 or fp32."
            )
    fp32 = {layer: Choice(scheme=parse_scheme("fp32", where="fp16"), rule=plan.choices[layer].rule) for layer in large}
    return replace(plan, choices={**plan.choices, **fp32}), reasons
