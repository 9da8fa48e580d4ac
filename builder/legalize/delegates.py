"""Which rewrites each delegate needs, in order: those for operators that it does not take, and that were measured to help."""

from __future__ import annotations

from collections.abc import Mapping

_XNNPACK_PTE = (
    "scalars",
    "matrix_resizing",
    "padding_merge",
    "reflection_padding",
    "replication_padding",
    "instance_norm",
    "group_norm",
    "layer_norm",
    "attention",
    "softmax",
    "splits",
    "reductions",
    "activations",
    "nearest_upsampling",
    "constant_folding",
    "selected_filters",
)
# The TFLite converter has forms for means and splits that XNNPACK takes; what it makes of paddings and nearest
# resizing XNNPACK does not take, and its norms turn the picture to channels first and back.
_XNNPACK_TFLITE = (
    "matrix_resizing",
    "nearest_indices",
    "padding_merge",
    "reflection_padding",
    "replication_padding",
    "instance_norm",
    "group_norm",
    "layer_norm",
    "attention",
    "activations",
    "nearest_rows",
    "transposed_convolution",
    "grid_sampling",
    "linear_rows",
    "pixel_shuffle",
    "constant_folding",
    "selected_filters",
)
# The GPU delegate computes in fp16. It takes mirror padding and nearest resizing itself, no tensor of more
# than four axes, and no difference of a picture and one computed value.
_GPU_TFLITE = (
    "half_range",
    "matrix_resizing",
    "nearest_indices",
    "padding_merge",
    "instance_norm",
    "group_norm",
    "attention",
    "activations",
    "transposed_convolution",
    "grid_sampling",
    "linear_rows",
    "single_values",
    "constant_folding",
    "selected_filters",
)

_COREML = ("matrix_resizing",)  # it takes all else as it is

NEEDED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("executorch", "xnnpack"): _XNNPACK_PTE,
    ("tflite", "xnnpack"): _XNNPACK_TFLITE,
    ("tflite", "gpu"): _GPU_TFLITE,
    ("coreml", "all"): _COREML,
    ("coreml", "cpu_and_gpu"): _COREML,
    ("coreml", "cpu_and_ne"): _COREML,
}
"""(backend, delegate) -> names; a pair that is not here needs none."""


def needed(backend: str, delegate: str, *, halves: bool = False) -> tuple[str, ...]:
    """`halves`: whether the plan has layers in fp16, which ExecuTorch computes in fp16 (TFLite's XNNPACK only stores them so)."""
    names = NEEDED.get((backend, delegate), ())
    return ("half_range", *names) if halves and backend == "executorch" and names else names
