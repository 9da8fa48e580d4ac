"""Whose time is it: operators of a runtime's profiler by the names of the network's layers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from builder.bundle import LayerPrecision, Variant
from harness.records.profile import LayerTime, Operator

# kernels that hold weights, as XNNPACK (src/operators, xnn_operator_type_to_string), TFLite and ExecuTorch name them
WEIGHTED = re.compile(
    r"^(Convolution|Deconvolution|Fully Connected|CONV_2D|DEPTHWISE_CONV_2D|TRANSPOSE_CONV|FULLY_CONNECTED|native_call_\w*(convolution|linear|addmm))"
)
DEPTHWISE = re.compile(r"DWConv|^DEPTHWISE")


@dataclass(frozen=True, kw_only=True)
class Damage:
    """What a layer's lower scheme costs: PSNR of the outputs in dB."""

    psnr_db: float
    scheme: str


def by_layer(
    operators: Sequence[Operator], variant: Variant, damage: Mapping[str, Damage]
) -> tuple[tuple[LayerTime, ...], str | None]:
    """Each operator with its layer, and why none could be named.

    A runtime executes operators with weights in the order of the network, which is that of the manifest's layer table; a delegate does not
    tell their tensors. So the n-th of them is the n-th layer, where there are as many and each is of its layer's kind.
    """
    weighted = [operator for operator in operators if WEIGHTED.match(operator.kernel)]
    unnamed = _unlike(weighted, variant.layers)
    owners = dict(zip(map(id, weighted), variant.layers, strict=True)) if unnamed is None else {}
    total = sum(median(operator.ns) for operator in operators)
    rows = []
    for operator in operators:
        layer = owners.get(id(operator))
        known = damage.get(layer.layer) if layer is not None else None
        ns = median(operator.ns)
        rows.append(
            LayerTime(
                layer=layer.layer if layer is not None else None,
                op=layer.op if layer is not None else operator.kernel.partition(" (")[0].lower(),
                kernel=operator.kernel,
                ns=ns,
                low_ns=min(operator.ns),
                high_ns=max(operator.ns),
                share=ns / total if total else 0.0,
                realised=layer.realised if layer is not None else None,
                damage_db=known.psnr_db if known is not None else None,
                damage_in=known.scheme if known is not None else None,
            )
        )
    return tuple(rows), unnamed


def _unlike(weighted: Sequence[Operator], layers: Sequence[LayerPrecision]) -> str | None:
    """Why operators with weights are not the layers one by one, or None."""
    if len(weighted) != len(layers):
        return f"the runtime executed {len(weighted)} operators with weights, the manifest has {len(layers)} layers"
    for operator, layer in zip(weighted, layers, strict=True):
        if DEPTHWISE.search(operator.kernel) and not layer.op.startswith("depthwise"):
            return f"the runtime's order is another one: {operator.kernel!r} stands where {layer.layer} is {layer.op}"
    return None
