"""ExecuTorch, as every room above knows it."""

from __future__ import annotations

from builder.backends.spec import HALF, BackendSpec, Delegate

SPEC = BackendSpec(
    name="executorch",
    title="ExecuTorch",
    suffix=".pte",
    # fp16 layers are computed in fp16 here.
    delegates=(Delegate(name="xnnpack", traits=("xnnpack", "xnnpack/edge"), half_traits=(HALF,)),),
    packages=("executorch", "torchao", "torch", "flatbuffers", "numpy"),
    schemes=("fp32", "fp16", "weight_only_wi8_afp32", "dynamic_wi8_afp32", "static_wi8_ai8"),
    norms=("fp32", "fp16"),
    server="torch",
    emulated=True,
)
