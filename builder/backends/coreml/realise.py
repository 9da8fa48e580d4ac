"""The scheme of every layer as the saved ML program does it: how its weights are stored and in what it computes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from builder.backends.base import Model, StoredLayer
from builder.backends.coreml.match import match_layers, weight_of
from builder.backends.coreml.program import dtype_of, load_program, operations
from builder.errors import VerificationError


def realised(path: Path, model: Model) -> dict[str, str]:
    """Raises VerificationError for a layer that is not in the file."""
    schemes = {}
    for layer, ops in match_layers(operations(load_program(path)), model).items():
        if not ops:
            raise VerificationError(
                f"layer {layer!r} is not in the Core ML file: no op has its weights; the converter folded or dropped it, "
                "so remove it from the model or merge it into its neighbour."
            )
        found = sorted({scheme_of(op) for op in ops})
        schemes[layer] = found[0] if len(found) == 1 else "mixed: " + " and ".join(found)
    return schemes


def scheme_of(op: Any) -> str:
    """Scheme of one op with stored weights; a description that is no scheme's name when it matches none."""
    var = weight_of(op)
    compute = dtype_of(op.inputs["x"])
    if var is None or var.op.op_type == "const":
        stored = dtype_of(op.inputs["weight"])
        return stored if stored == compute else f"weights {stored}, computed in {compute}"
    kind, bits = packing(var.op)
    if kind == "palettized" and compute == "fp16":
        return f"palettized_w{bits}"
    if kind == "linear" and compute == "fp32":
        return f"weight_only_wi{bits}_afp32"
    return f"{kind} weights of {bits} bits, computed in {compute}"


def packing(constexpr: Any) -> tuple[str, int]:
    """How stored weights are packed, and in how many bits each, from the constexpr op that unpacks them."""
    name = constexpr.op_type
    if name == "constexpr_affine_dequantize":
        return "linear", int(dtype_of(constexpr.inputs["quantized_data"]).removeprefix("u").removeprefix("int"))
    if name == "constexpr_blockwise_shift_scale":
        return "linear", int(dtype_of(constexpr.inputs["data"]).removeprefix("u").removeprefix("int"))
    if name == "constexpr_lut_to_dense":
        lut = constexpr.inputs["lut"].val
        entries = lut.shape[-2] if lut.ndim > 1 else lut.shape[0]
        return "palettized", int(math.log2(entries))
    if name.startswith("constexpr_sparse"):
        return "sparse", 0
    raise VerificationError(f"the Core ML file stores weights as {name}, which is not known here; upgrade edgebundle.")


def stored(path: Path) -> tuple[StoredLayer, ...]:
    """Every op with stored weights, named as in the file."""
    rows = []
    for op in operations(load_program(path)):
        var = weight_of(op)
        if var is not None:
            shape = tuple(int(size) for size in var.shape)
            bits = packing(var.op)[1] if var.op.op_type != "const" else int(dtype_of(var).removeprefix("fp"))
            rows.append(
                StoredLayer(
                    name=var.name,
                    op=op.op_type,
                    scheme=scheme_of(op),
                    weight_shape=shape,
                    weight_bytes=math.ceil(math.prod(shape) * bits / 8),
                )
            )
    return tuple(rows)
