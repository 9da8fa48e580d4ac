"""What the neural engine will probably take of a program, from what is published of it (`neural_engine.toml`)."""

from __future__ import annotations

import math
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from builder.backends.coreml.program import computing_ops, load_program, name_dtype
from builder.bundle import Coverage

_PRODUCTS = ("conv", "conv_transpose", "linear", "matmul")


def predict_engine_coverage(path: Path, delegate: str) -> Coverage:
    """By operator, dilation and type: what computes in float32 stays on the GPU or CPU."""
    ops = computing_ops(load_program(path))
    reasons = [_explain_left(op) for op in ops]
    macs = [_macs(op) for op in ops]
    taken = [reason is None for reason in reasons]
    return Coverage(
        delegate=delegate,
        source="predicted",
        delegated_ops=sum(taken),
        total_ops=len(ops),
        subgraphs=sum(now and not before for before, now in pairwise([False, *taken])),
        left=tuple(f"{op.op_type} {op.name}: {reason}" for op, reason in zip(ops, reasons, strict=True) if reason),
        delegated_macs=sum(count for count, yes in zip(macs, taken, strict=True) if yes),
        total_macs=sum(macs),
    )


def _explain_left(op: Any) -> str | None:
    known = _table()
    if op.op_type in known["ops"]:
        return "not an operator of the neural engine"
    dilations = op.inputs.get("dilations")
    if op.op_type in known["dilated"] and dilations is not None and any(int(size) > 1 for size in dilations.val):
        return "dilated; use a larger kernel or two convolutions"
    if op.op_type != "cast" and op.outputs and name_dtype(op.outputs[0]) == "fp32":
        return "computes in fp32; use the scheme fp16"
    return None


def _macs(op: Any) -> int:
    if op.op_type not in _PRODUCTS:
        return 0
    result = math.prod(int(size) for size in op.outputs[0].shape)
    source = [int(size) for size in op.inputs["x"].shape]
    if op.op_type == "matmul":
        return result * source[-2 if op.inputs["transpose_x"].val else -1]
    weight = [int(size) for size in op.inputs["weight"].shape]
    return (math.prod(source) if op.op_type == "conv_transpose" else result) * math.prod(weight[1:])


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "neural_engine.toml").read_text(encoding="utf-8"))
