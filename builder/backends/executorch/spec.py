"""ExecuTorch, as every room above knows it."""

from __future__ import annotations

from builder.backends.spec import HALF, BackendSpec, Delegate, Engine, Program

ENGINE = Engine(
    name="ExecuTorch",
    package="executorch",
    imported="executorch",
    module="builder.backends.executorch.engine",
    delegates=("xnnpack",),
    own_names={"XnnpackBackend": "xnnpack", "CoreMLBackend": "coreml", "VulkanBackend": "vulkan"},
    program=Program(
        version="1.5.1",
        source="executorch_engine.cpp",
        library_folder="executorch/lib",
        libraries=(
            "libexecutorch.so", "libexecutorch_threadpool.so", "libexecutorch_backend_xnnpack.so",
            "libexecutorch_kernels_optimized.so", "libexecutorch_kernels_quantized.so",
        ),
        compile_flags=("-DC10_USING_CUSTOM_GENERATED_MACROS",),
        include_folders=("executorch/include", "executorch/include/executorch/runtime/core/portable_type/c10"),
        system_libraries=(
            "libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libdl.so.2", "libpthread.so.0",
        ),
    ),
)  # fmt: skip
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
    engine=ENGINE,
)
