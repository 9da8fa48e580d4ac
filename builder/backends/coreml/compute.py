"""What each op computes in: a layer, and a norm that the plan names, in what its scheme says, every other op in fp16 only when
all layers do.

One exception: squares that are averaged, and what is made of them up to the root, stay in fp32. They are the variances of
norms; in fp16 the square of anything above 255 is infinite, and one such value blanks a whole picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from builder.backends.coreml.match import find_placeholders, find_weight
from builder.backends.coreml.norms import AVERAGES, is_averaged_square, match_norms
from builder.graph.model import Model
from builder.precision.scheme import Scheme

_AFTER_AVERAGE = ("add", "mul", "real_div", "sqrt", "rsqrt")  # epsilon, division by the count, root


def choose_precision(coreml_tools: Any, model: Model, schemes: dict[str, Scheme], norms: dict[str, Scheme]) -> Any:
    """The compute precision of a conversion. coremltools asks op by op, in order of execution.

    `schemes` are those of the layers, `norms` those of the norms that the plan names.
    """
    layer_of = {placeholder: layer for layer, placeholder in find_placeholders(model).items()}
    elsewhere = is_all_in_fp16(schemes.values())
    variances: set[str] = set()  # outputs of the ops kept in fp32
    named: dict[str, bool] | None = None  # ops of the norms that the plan names -> in fp16

    def select(op: Any) -> bool:
        nonlocal named
        if named is None:  # before the first op is changed
            norms_of_block = match_norms(list(op.enclosing_block.operations), model) if norms else {}
            named = {op.name: in_fp16(scheme) for norm, scheme in norms.items() for op in norms_of_block[norm]}
        var = find_weight(op)
        layer = layer_of.get(var.name) if var is not None else None
        if layer is not None:
            return in_fp16(schemes[layer])
        half = named.get(op.name, elsewhere)
        if half and (is_averaged_square(op) or _continues(op, variances)):
            variances.update(out.name for out in op.outputs)
            return False
        return half

    return coreml_tools.transform.FP16ComputePrecision(op_selector=select)


def find_variance_ops(program: Any) -> set[str]:
    """Names of the ops of a saved program that stay in fp32 in any file."""
    variances: set[str] = set()
    names: set[str] = set()
    for op in program.functions["main"].operations:
        if is_averaged_square(op) or _continues(op, variances):
            variances.update(out.name for out in op.outputs)
            names.add(op.name)
    return names


def in_fp16(scheme: Scheme) -> bool:
    return scheme.activation_bits == 16


def is_all_in_fp16(schemes: Iterable[Scheme]) -> bool:
    """Whether there are layers and all compute in fp16."""
    answers = [in_fp16(scheme) for scheme in schemes]
    return bool(answers) and all(answers)


def _continues(op: Any, variances: set[str]) -> bool:
    """An average of squares, or what is computed from a variance and constants alone."""
    if op.op_type not in (*AVERAGES, *_AFTER_AVERAGE):
        return False
    read = [op.inputs[name] for name in ("x", "y") if op.inputs.get(name) is not None]
    return any(var.name in variances for var in read) and all(
        var.name in variances or var.val is not None for var in read
    )
