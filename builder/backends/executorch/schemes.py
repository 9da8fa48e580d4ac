"""Which schemes XNNPACK has on which layer, and what an op of a file really does."""

from __future__ import annotations

from collections.abc import Iterable

from builder.precision.layers import Layer
from builder.precision.plan import ResolvedPlan
from builder.precision.scheme import AS_TRAINED, Scheme

# By the datatypes of input, weights and output in the file.
_REALISED = {
    ("fp32", "fp32", "fp32"): "fp32",
    ("fp16", "fp16", "fp16"): "fp16",
    ("qint8", "qcint8", "qint8"): "static_wi8_ai8",
    ("qdint8", "qcint8", "fp32"): "dynamic_wi8_afp32",
}


def find_unsupported(layer: Layer, scheme: Scheme) -> str | None:
    """Why ExecuTorch with XNNPACK cannot do the scheme on the layer and what to ask for instead, or None."""
    if scheme.name in ("fp32", "fp16", "static_wi8_ai8", AS_TRAINED):
        return None
    if scheme.name == "dynamic_wi8_afp32":
        if layer.op == "linear":
            return None
        return f"XNNPACK quantizes activations at run time for linear layers only; use static_wi8_ai8, fp16 or fp32 on {layer.name!r}."
    if layer.op == "linear" and scheme.mode == "weight_only":
        return (
            f"XNNPACK's delegate for ExecuTorch has no kernel for integer weights with float activations ({scheme.name}); "
            f"use dynamic_wi8_afp32 on {layer.name!r}, which stores its weights in 8 bits."
        )
    if scheme.mode == "weight_only":
        return (
            f"XNNPACK's delegate for ExecuTorch has no kernel for integer weights with float activations ({scheme.name}); "
            f"use static_wi8_ai8, fp16 or fp32 on {layer.name!r}."
        )
    return f"ExecuTorch with XNNPACK has no {scheme.name}; use static_wi8_ai8, fp16 or fp32 on {layer.name!r}."


def is_all_in_half(plan: ResolvedPlan) -> bool:
    """Whether the whole network is lowered in fp16: all that the plan gives a scheme has this one."""
    return bool(plan.choices) and all(choice.scheme.name == "fp16" for choice in plan.choices.values())


def name_scheme(kind: str, source: str, weights: str, result: str) -> str:
    """Scheme of an op by its kind and datatypes; a description that is no scheme's name when there is none.

    XNNPACK's transposed convolution in float16 takes its weights, rounded to float16, as float32 only: fp16 in all but the bytes.
    """
    if kind == "ConvTranspose2d" and (source, weights, result) == ("fp16", "fp32", "fp16"):
        return "fp16"
    return _REALISED.get((source, weights, result), f"weights {weights}, activations {source} to {result}")


def agree_on_scheme(schemes: Iterable[str]) -> str:
    """The scheme of all uses of a layer; a description that is no scheme's name when they disagree."""
    names = sorted(set(schemes))
    return names[0] if len(names) == 1 else "mixed: " + " and ".join(names)
