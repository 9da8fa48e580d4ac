"""The scheme of every layer as the saved ML program does it: how its weights are stored and in what it computes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from builder.backends.base import StoredLayer
from builder.backends.coreml.compute import find_variance_ops
from builder.backends.coreml.match import find_weight, match_layers
from builder.backends.coreml.norms import match_norms
from builder.backends.coreml.program import list_operations, load_program, name_dtype
from builder.backends.coreml.trained import read_op_integers
from builder.errors import VerificationError
from builder.graph.model import Model
from builder.precision.as_trained import mark_as_trained
from builder.precision.quantizers import Integers
from builder.precision.scheme import SCHEMES


def read_realised(path: Path, model: Model) -> dict[str, str]:
    """Raises VerificationError for a layer that is not in the file."""
    schemes = {}
    matched = match_layers(list_operations(load_program(path)), model)
    for layer, ops in matched.items():
        if not ops:
            raise VerificationError(
                f"layer {layer!r} is not in the Core ML file: no op has its weights; the converter folded or dropped it, "
                "so remove it from the model or merge it into its neighbour."
            )
        names = sorted({read_scheme(op) for op in ops})
        schemes[layer] = names[0] if len(names) == 1 else "mixed: " + " and ".join(names)
    return mark_as_trained(schemes, model.integers(), lambda layer: [read_op_integers(op) for op in matched[layer]])


def read_integers(path: Path, model: Model) -> dict[str, list[Integers | None]]:
    """What the ops of every layer compute with; None for floats on one side."""
    matched = match_layers(list_operations(load_program(path)), model)
    return {layer: [read_op_integers(op) for op in ops] for layer, ops in matched.items()}


def read_realised_norms(path: Path, model: Model) -> dict[str, str]:
    """A description that is no scheme's name for a norm that is not in the file as such, or whose ops differ."""
    program = load_program(path)
    wide = find_variance_ops(program)
    schemes = {}
    for norm, ops in match_norms(list_operations(program), model).items():
        dtypes = sorted({name_dtype(op.inputs["x"]) for op in ops if op.name not in wide})
        schemes[norm] = (
            dtypes[0] if len(dtypes) == 1 else "mixed: " + " and ".join(dtypes) if dtypes else "no op that is found"
        )
    return schemes


def read_scheme(op: Any) -> str:
    """Scheme of one op with stored weights; a description that is no scheme's name when it matches none."""
    var = find_weight(op)
    compute = name_dtype(op.inputs["x"])
    if var is None or var.op.op_type == "const":
        stored = name_dtype(op.inputs["weight"])
        return stored if stored == compute else f"weights {stored}, computed in {compute}"
    kind, bits = read_packing(var.op)
    if kind == "palettized" and compute == "fp16":
        return f"palettized_w{bits}"
    if kind == "sparse" and compute == "fp16" and name_dtype(var) == "fp16":
        return f"sparse_{read_sparsity(var.op)}" + ("" if bits == 16 else f"_palettized_w{bits}")
    if kind == "linear" and compute == "fp32":
        block = read_block_size(var.op)
        return f"weight_only_wi{bits}{f'b{block}' if block else ''}_afp32"
    return f"{kind} weights of {bits} bits, computed in {compute}"


def read_packing(constexpr: Any) -> tuple[str, int]:
    """How stored weights are packed, and in how many bits each, from the constexpr op that unpacks them."""
    name = constexpr.op_type
    if name == "constexpr_affine_dequantize":
        return "linear", int(name_dtype(constexpr.inputs["quantized_data"]).removeprefix("u").removeprefix("int"))
    if name == "constexpr_blockwise_shift_scale":
        return "linear", int(name_dtype(constexpr.inputs["data"]).removeprefix("u").removeprefix("int"))
    if name == "constexpr_lut_to_dense":
        return "palettized", _count_palette_bits(constexpr)
    if name == "constexpr_sparse_to_dense":
        kept = constexpr.inputs["nonzero_data"]
        if kept.op.op_type == "constexpr_lut_to_sparse":
            return "sparse", _count_palette_bits(kept.op)
        return "sparse", int(name_dtype(kept).removeprefix("fp"))
    raise VerificationError(f"the Core ML file stores weights as {name}, which is not known here; upgrade edgebundle.")


def _count_palette_bits(constexpr: Any) -> int:
    lut = constexpr.inputs["lut"].val
    return int(math.log2(lut.shape[-2] if lut.ndim > 1 else lut.shape[0]))


def read_block_size(constexpr: Any) -> int:
    """How many input channels share a scale, 0 where all do."""
    scale = constexpr.inputs["scale"].val
    if constexpr.op_type != "constexpr_blockwise_shift_scale" or scale.shape[1] == 1:
        return 0
    block = int(constexpr.outputs[0].shape[1]) // int(scale.shape[1])
    return 0 if block == 1 else block  # a transposed convolution's output channels, a scale each


def read_sparsity(constexpr: Any) -> int:
    """Percent of the weights that are zero: a known scheme's where the number of zeros is what pruning to it makes.

    coremltools zeroes all magnitudes up to the percentile (`compress_by_magnitude`): of n weights floor((n - 1) p) + 1, and
    more where magnitudes are equal.
    """
    weights = math.prod(int(size) for size in constexpr.outputs[0].shape)
    zeros = weights - math.prod(int(size) for size in constexpr.inputs["nonzero_data"].shape)
    for known in sorted(scheme.sparsity for scheme in SCHEMES.values() if scheme.sparsity):
        least = (weights - 1) * known // 100 + 1
        if least <= zeros <= least + weights // 100:
            return known
    return round(100 * zeros / weights)


def _count_stored_bytes(var: Any) -> int:
    if var.op.op_type == "constexpr_sparse_to_dense":
        kept = math.prod(int(size) for size in var.op.inputs["nonzero_data"].shape)
        return math.ceil(kept * read_packing(var.op)[1] / 8) + math.ceil(math.prod(int(size) for size in var.shape) / 8)
    bits = read_packing(var.op)[1] if var.op.op_type != "const" else int(name_dtype(var).removeprefix("fp"))
    return math.ceil(math.prod(int(size) for size in var.shape) * bits / 8)


def list_stored_layers(path: Path) -> tuple[StoredLayer, ...]:
    """Every op with stored weights, named as in the file."""
    rows = []
    for op in list_operations(load_program(path)):
        var = find_weight(op)
        if var is not None:
            shape = tuple(int(size) for size in var.shape)
            rows.append(
                StoredLayer(
                    name=var.name,
                    op=op.op_type,
                    scheme=read_scheme(op),
                    weight_shape=shape,
                    weight_bytes=_count_stored_bytes(var),
                )
            )
    return tuple(rows)
