"""Core ML, as every room above knows it."""

from __future__ import annotations

from builder.backends.spec import BackendSpec, Delegate, FirstVariant

SPEC = BackendSpec(
    name="coreml",
    title="Core ML",
    suffix=".mlpackage",
    delegates=tuple(Delegate(name=name, traits=("mil",)) for name in ("all", "cpu_and_gpu", "cpu_and_ne")),
    packages=("coremltools", "torch", "numpy"),
    schemes=(
        "fp32", "fp16", "weight_only_wi8_afp32", "weight_only_wi4_afp32", "palettized_w8", "palettized_w6", "palettized_w4",
    ),
    norms=("fp32", "fp16"),
    no_engine="Core ML executes on macOS and iOS only",
    ios_app=True,
    reserved=frozenset(
        (
            "any", "bf16", "bool", "dict", "false", "fp16", "fp32", "fp64", "func", "int16", "int32", "int64", "int8", "list", "program",
            "state", "string", "tensor", "true", "tuple", "uint16", "uint32", "uint64", "uint8",
        )
    ),  # words of MIL's text form; coremltools' NameSanitizer renames them
    checker="builder.backends.coreml.check",
    first_variants=(
        FirstVariant(
            comment="iPhones: fp16 is what the neural engine computes in; fp32 keeps it away.", delegate="all", scheme="fp16"
        ),
    ),
)  # fmt: skip
