"""TFLite, as every room above knows it."""

from __future__ import annotations

from builder.backends.spec import BackendSpec, Engine, FirstVariant, Program
from builder.backends.tflite.delegates import DELEGATES

SPEC = BackendSpec(
    name="tflite",
    title="TFLite",
    suffix=".tflite",
    delegates=tuple(delegate.DELEGATE for delegate in DELEGATES.values()),
    packages=("litert-torch", "litert-converter", "ai-edge-quantizer", "ai-edge-litert", "flatbuffers", "torch", "numpy"),
    schemes=(
        "fp32", "fp16", "weight_only_wi8_afp32", "dynamic_wi8_afp32", "static_wi8_ai8", "static_wi8_ai16", "weight_only_wi4_afp32",
    ),
    norms=("fp32",),
    between=("float", "static_wi8_ai8"),
    server="files",
    server_imports=("ai_edge_litert.interpreter", "ai_edge_quantizer.quantizer"),
    engine=Engine(
        name="LiteRT",
        package="ai-edge-litert",
        imported="ai_edge_litert",
        module="builder.backends.tflite.engine",
        delegates=("xnnpack",),
        program=Program(
            version="2.3.0", source="litert_engine.cpp", library_folder="ai_edge_litert", libraries=("libLiteRt.so",)
        ),
    ),
    browser={"xnnpack": "wasm", "gpu": "webgpu"},
    first_variants=(
        FirstVariant(comment="Android phones with a GPU.", delegate="gpu", scheme="fp16"),
        FirstVariant(comment="Every Android phone: the CPU.", delegate="xnnpack"),
    ),
)  # fmt: skip
